"""The centre of light, and the lines through an image's centre."""

import jax.numpy as jnp
import numpy as np
from jax import Array


def centroid(light: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Centre of light [px] of an image (m, m) sampled at x (1, m), y (m, 1); the origin where there is no light."""
    total = light.sum()
    weight = jnp.where(total > 0, 1.0 / jnp.where(total > 0, total, 1.0), 0.0)
    return (light.sum(axis=0) * x[0]).sum() * weight, (light.sum(axis=1) * y[:, 0]).sum() * weight


def reference_lines(image: np.ndarray) -> np.ndarray:
    """An image (n, n) or (n, n, 3) with its central row and column at half the brightest grey level, as CosmoSim draws them."""
    marked = np.array(image)
    marked[marked.shape[0] // 2] = 127
    marked[:, marked.shape[1] // 2] = 127
    return marked
