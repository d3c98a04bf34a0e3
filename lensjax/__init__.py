"""LensJAX: differentiable gravitational lensing, from images of lensed galaxies to the lens and source behind them."""

__version__ = "0.1.0"
