"""Lens and source to image: differentiable, and quick for any number of images."""

from lensjax.conventions import METHODS
from lensjax.simulate.chunks import in_chunks
from lensjax.simulate.render import centre_of_light, image, image_about, image_centre, kept_where, light
from lensjax.simulate.system import System
from lensjax.simulate.trace import MAPS, WINDOWS, Trace

__all__ = [
    "MAPS",
    "METHODS",
    "WINDOWS",
    "System",
    "Trace",
    "centre_of_light",
    "image",
    "image_about",
    "image_centre",
    "in_chunks",
    "kept_where",
    "light",
]
