"""Light models: one a file."""

from lensjax.source.base import Constellation, Source, constellation, is_coloured
from lensjax.source.gaussian import Gaussian
from lensjax.source.picture import Picture
from lensjax.source.sersic import Sersic, sersic
from lensjax.source.triangle import Triangle

__all__ = ["Constellation", "Gaussian", "Picture", "Sersic", "Source", "Triangle", "constellation", "is_coloured", "sersic"]
