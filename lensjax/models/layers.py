"""Layers that Flax lacks and more than one family uses."""

import jax.numpy as jnp
import numpy as np
from jax import Array


def _bins(size: int, out: int) -> np.ndarray:
    """(out, size) float32: row i averages PyTorch's bin i, ⌊i size/out⌋ to ⌈(i + 1) size/out⌉ (exclusive)."""
    index = np.arange(out)
    start = index * size // out
    stop = -(-(index + 1) * size // out)
    pixel = np.arange(size)
    inside = (pixel >= start[:, None]) & (pixel < stop[:, None])
    return (inside / (stop - start)[:, None]).astype(np.float32)


def adaptive_average_pool(x: Array, shape: tuple[int, int]) -> Array:
    """Means over a grid of `shape` bins: (batch, height, width, channel) → (batch, *shape, channel).

    Bins as in PyTorch's AdaptiveAvgPool2d: they overlap where the size does not divide, and repeat pixels
    where the map is smaller than the grid. Summed in float32; returns the type of x.
    """
    down, along = _bins(x.shape[1], shape[0]), _bins(x.shape[2], shape[1])
    pooled = jnp.einsum("ih,bhwc,jw->bijc", down, x.astype(jnp.float32), along, precision="highest")
    return pooled.astype(x.dtype)
