"""LensJAX: differentiable gravitational lensing, from images of lensed galaxies to the lens and source behind them."""

__version__ = "0.1.0"

from lensjax._internal import compiled

compiled.switch_off_unsafe_fusions()
