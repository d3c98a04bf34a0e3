"""The frame of an image that its own light gives: where it lies, how large it is, and which way it points.

An image that is moved, turned by any angle or enlarged has the same picture in its frame, so that a network need not learn these
symmetries. The origin is the centre of light and the first axis the longer principal axis. Of its two directions the one is taken in
which the third moment m_uuv is positive: which way an arc bends. Both axes are divided by the spread of the light along them: a Gaussian
seen through any linear map is round in its frame, and only the bending of the lens is left.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

FAINTEST = 0.05
"""Part of the brightest grey level below which light does not count: noise of the sky would spoil the moments."""

_REACH = 4.0  # spreads from the middle of a picture to its edge
_LEAST = 0.25  # px², of the spread along an axis, about that of light in one pixel


class Frame(NamedTuple):
    """The frame of one image; lengths are those of the image's points.

    Attributes:
        x, y: centre of light.
        cos, sin: direction of the first axis.
        size: geometric mean of the spreads along both axes.
        stretch: half the logarithm of the ratio of the first spread to the second.
    """

    x: Array
    y: Array
    cos: Array
    sin: Array
    size: Array
    stretch: Array

    @property
    def spreads(self) -> tuple[Array, Array]:
        """Spread (standard deviation) of the light along the first axis and along the second."""
        return self.size * jnp.exp(self.stretch), self.size * jnp.exp(-self.stretch)


def frame_of(image: Array, x: Array, y: Array) -> Frame:
    """The frame of an image (H, W) of any brightness, at points x (1, W) and y (H, 1).

    A dark image has its frame at the origin. Nothing here has a gradient: a frame is a place to stand, not an estimate.
    """
    image, x, y = (jax.lax.stop_gradient(array) for array in (image, x, y))
    brightest = image.max()
    light = jnp.maximum(image - FAINTEST * brightest, 0.0)
    total = light.sum()
    light = light / jnp.where(total > 0, total, 1.0)
    middle_x, middle_y = (light * x).sum(), (light * y).sum()
    dx, dy = x - middle_x, y - middle_y
    xx, xy, yy = (light * dx * dx).sum(), (light * dx * dy).sum(), (light * dy * dy).sum()
    half, plus = 0.5 * (xx + yy), 0.5 * (xx - yy)
    root = jnp.sqrt(plus * plus + xy * xy)
    wide, narrow = jnp.maximum(half + root, _LEAST), jnp.maximum(half - root, _LEAST)
    angle = 0.5 * jnp.arctan2(xy, plus)
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    along, across = cos * dx + sin * dy, cos * dy - sin * dx
    way = jnp.where((light * along * along * across).sum() < 0, -1.0, 1.0).astype(image.dtype)
    return Frame(middle_x, middle_y, way * cos, way * sin, (wide * narrow) ** 0.25, 0.25 * jnp.log(wide / narrow))


def coordinates(frame: Frame, x: Array, y: Array) -> tuple[Array, Array]:
    """Places (u, v) in the frame, in spreads along each axis, of points of the image."""
    wide, narrow = frame.spreads
    dx, dy = x - frame.x, y - frame.y
    return (frame.cos * dx + frame.sin * dy) / wide, (frame.cos * dy - frame.sin * dx) / narrow


def points(frame: Frame, u: Array, v: Array) -> tuple[Array, Array]:
    """Points (x, y) of the image at places of the frame: the inverse of `coordinates`."""
    wide, narrow = frame.spreads
    along, across = wide * u, narrow * v
    return frame.x + frame.cos * along - frame.sin * across, frame.y + frame.sin * along + frame.cos * across


def picture(image: Array, frame: Frame, x: Array, y: Array, *, size: int) -> Array:
    """The picture (size, size) of an image (H, W) in its frame, four spreads to each side; dark beyond the image.

    Each pixel is the mean of four bilinear samples. `x` (1, W) and `y` (H, 1) are the image's points, evenly spaced.
    """
    fine = (jnp.arange(2 * size, dtype=image.dtype) + 0.5) * (_REACH / size) - _REACH
    px, py = points(frame, fine[None, :], -fine[:, None])
    column, row = (px - x[0, 0]) / (x[0, 1] - x[0, 0]), (py - y[0, 0]) / (y[1, 0] - y[0, 0])
    samples: Array = jax.scipy.ndimage.map_coordinates(image, [row, column], order=1, mode="constant", cval=0.0)
    return samples.reshape(size, 2, size, 2).mean(axis=(1, 3))
