"""Lens and source to image: differentiable, and quick for any number of images."""

from lensjax.simulate.render import (
    CHUNK,
    METHODS,
    WINDOWS,
    Camera,
    System,
    centre_of_light,
    image,
    image_about,
    in_chunks,
    kept_where,
    light,
    shift,
)

__all__ = [
    "CHUNK",
    "METHODS",
    "WINDOWS",
    "Camera",
    "System",
    "centre_of_light",
    "image",
    "image_about",
    "in_chunks",
    "kept_where",
    "light",
    "shift",
]
