"""Centre of light, and the lines through the middle."""

import jax.numpy as jnp
import numpy as np
from jax import Array


def centroid(light: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Centre of light [px] of an image (m, m) sampled at x (1, m), y (m, 1); the origin where there is no light."""
    total = light.sum()
    weight = jnp.where(total > 0, 1.0 / jnp.where(total > 0, total, 1.0), 0.0)
    return (light.sum(axis=0) * x[0]).sum() * weight, (light.sum(axis=1) * y[:, 0]).sum() * weight


def reference_lines(image: np.ndarray) -> np.ndarray:
    """An image (n, n) or (n, n, 3) with its middle row and column at half the brightest grey level, as CosmoSim draws them."""
    drawn = np.array(image)
    drawn[drawn.shape[0] // 2] = 127
    drawn[:, drawn.shape[1] // 2] = 127
    return drawn
