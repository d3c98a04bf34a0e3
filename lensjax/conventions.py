"""Units, axes and angles.

- Lengths are pixels; x points right, y points up.
- Pixel (row i, column j) of an n×n image is the point (j − n/2, n/2 − i): a point, not an area, with no half-pixel offset.
- The lens stands at the origin. An image shows at ν (image plane, scaled to the source plane) the light of
  β = ν − α(ν) in the source plane, with α the deflection.
- Angles in files and configurations are degrees counter-clockwise from +x; radians inside.
- θ_E, the Einstein radius, is measured in the image. `einsteinR` of the older files is measured in the lens plane:
  θ_E = einsteinR / χ, where χ = D_L / D_S.
- Light is 0…1 inside the sources, grey levels 0…255 in images and files, 0…1 into a network.
"""

GREY_LEVELS = 255.0
"""Grey level of a source's centre, and of a saturated pixel."""

METHODS = ("roulette", "ring", "raytrace")
"""How the lens equation is solved: the roulette series, ray tracing within its region of convergence, and ray tracing."""

ROUNDING_VARIANCE = 1.0 / 12.0
"""Variance, in squared grey levels, of the rounding to whole levels, taken as white noise."""
