"""Light models: one a file."""

from lensjax.light.base import Constellation, Source, constellation, is_coloured
from lensjax.light.gaussian import Gaussian
from lensjax.light.picture import Picture
from lensjax.light.sersic import Sersic, sersic
from lensjax.light.triangle import Triangle

__all__ = ["Constellation", "Gaussian", "Picture", "Sersic", "Source", "Triangle", "constellation", "is_coloured", "sersic"]
