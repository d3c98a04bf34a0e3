"""Pixels and the points they stand for."""

import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike


def axis(count: int, *, step: float, origin: float, dtype: DTypeLike = jnp.float32) -> Array:
    """Coordinates (count,) of the middles of `count` steps, from the place `origin` that lies so far beyond the first one's edge."""
    return (jnp.arange(count, dtype=dtype) + 0.5) * jnp.asarray(step, dtype) - jnp.asarray(origin, dtype)


def pixel_points(size: int, field: int, *, oversample: int = 1, dtype: DTypeLike = jnp.float32) -> tuple[Array, Array]:
    """x of shape (1, m) and y of shape (m, 1), m = size · oversample: the points of an image, x right and y up.

    The field of `field` native pixels, at the coordinates −field/2 … field/2 − 1, is divided into `size` pixels of
    `oversample` points each, placed so that a coarse pixel's points have the same mean as the native pixels it covers.
    With size = field and one point a pixel these are the native pixels themselves.
    """
    along = axis(size * oversample, step=field / (size * oversample), origin=0.5 + field / 2, dtype=dtype)
    return along[None, :], -along[:, None]


def block_mean(image: Array, factor: int) -> Array:
    """Mean over blocks of factor × factor pixels, (..., n, n) → (..., n/factor, n/factor)."""
    if factor == 1:
        return image
    *batch, height, width = image.shape
    blocks = image.reshape(*batch, height // factor, factor, width // factor, factor)
    return blocks.mean(axis=(-3, -1))
