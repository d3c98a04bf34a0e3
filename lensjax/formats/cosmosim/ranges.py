"""Which numbers the columns and keys of CosmoSim's files may hold."""

from collections.abc import Callable
from dataclasses import dataclass

LARGEST = 10_000.0
"""Largest length [px] in files: beyond it no image shows anything."""


@dataclass(frozen=True)
class Range:
    """The numbers that a column may hold.

    Attributes:
        contains: whether a finite number is in the range.
        expected: the same in words.
    """

    contains: Callable[[float], bool]
    expected: str


LENGTH = Range(lambda v: 0.0 < v <= LARGEST, f"a length above 0 and up to {LARGEST:g} px")
PLACE = Range(lambda v: abs(v) <= LARGEST, f"a place within ±{LARGEST:g} px")
RATIO = Range(lambda v: 0.0 < v <= 1.0, "a ratio above 0 and up to 1")
ANGLE = Range(lambda v: abs(v) <= 1e6, "an angle within ±1000000 degrees")
SERSIC = Range(lambda v: 0.1 <= v <= 20.0, "an index from 0.1 to 20")
BRIGHTNESS = Range(lambda v: 0.0 < v <= 1e9, "a luminosity above 0 and up to 1e+09")

RANGES: dict[str, Range] = {
    "x": PLACE,
    "y": PLACE,
    "einsteinradius": LENGTH,
    "ellipseratio": RATIO,
    "orientation": ANGLE,
    "sigma": LENGTH,
    "sigma2": LENGTH,
    "theta": ANGLE,
    "n_sersic": SERSIC,
    "luminosity": BRIGHTNESS,
    "phi": ANGLE,
}
"""By column."""
