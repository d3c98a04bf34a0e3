"""Pixels and the points they stand for."""

import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike


def axis(size: int, field: int, *, oversample: int = 1, dtype: DTypeLike = jnp.float32) -> Array:
    """Coordinates along one axis of the points at which a square image is sampled, shape (size · oversample,).

    The field of `field` native pixels, at the coordinates −field/2 … field/2 − 1, is divided into `size` pixels of
    `oversample` points each, placed so that a coarse pixel's points have the same mean as the native pixels it covers.
    With size = field and one point a pixel these are the native pixels themselves.
    """
    step = field / (size * oversample)
    return (jnp.arange(size * oversample, dtype=dtype) + 0.5) * step - 0.5 - field / 2


def pixel_points(size: int, field: int, *, oversample: int = 1, dtype: DTypeLike = jnp.float32) -> tuple[Array, Array]:
    """x of shape (1, m) and y of shape (m, 1), m = size · oversample: the points of an image, x right and y up."""
    along = axis(size, field, oversample=oversample, dtype=dtype)
    return along[None, :], -along[:, None]


def block_mean(image: Array, factor: int) -> Array:
    """Mean over blocks of factor × factor pixels, (..., n, n) → (..., n/factor, n/factor)."""
    if factor == 1:
        return image
    *batch, height, width = image.shape
    blocks = image.reshape(*batch, height // factor, factor, width // factor, factor)
    return blocks.mean(axis=(-3, -1))
