"""Pixels: grids of points, the centre of light, the detector."""
