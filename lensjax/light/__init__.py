"""Light models: one a file."""

from lensjax.light.base import Constellation, LinearSource, Source, constellation, is_coloured
from lensjax.light.gaussian import Gaussian
from lensjax.light.multi_gaussian import MultiGaussian
from lensjax.light.picture import Picture
from lensjax.light.pixels import Pixels
from lensjax.light.sersic import Sersic, sersic
from lensjax.light.shapelets import Shapelets
from lensjax.light.triangle import Triangle

__all__ = [
    "Constellation", "Gaussian", "LinearSource", "MultiGaussian", "Picture", "Pixels", "Sersic", "Shapelets", "Source", "Triangle",
    "constellation", "is_coloured", "sersic",
]  # fmt: skip
