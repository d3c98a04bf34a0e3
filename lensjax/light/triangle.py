"""A triangle of three coloured lines, which shows how a lens rotates and mirrors."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register

WIDTH = 3.0
"""Width of the lines [px]."""

_LEVEL = 192.0 / 255.0


@register
@dataclass(frozen=True)
class Triangle:
    """Lines between the corners at θ, θ + 120° and θ + 240°: red, green and blue, as CosmoSim draws it.

    Attributes:
        sigma: distance of the corners from the centre [px], scalar.
        theta: direction of the first [rad], scalar.
    """

    sigma: Array
    theta: Array

    def light(self, x: Array, y: Array) -> Array:
        """(..., 3), red first."""
        corner = self.theta + jnp.asarray(2.0 * np.pi / 3.0 * np.arange(3), jnp.result_type(self.theta))
        cx, cy = self.sigma * jnp.cos(corner), self.sigma * jnp.sin(corner)
        lines = []
        for i in range(3):
            k = (i + 1) % 3
            ex, ey = cx[k] - cx[i], cy[k] - cy[i]
            dx, dy = x - cx[i], y - cy[i]
            t = jnp.clip((dx * ex + dy * ey) / (ex * ex + ey * ey), 0.0, 1.0)
            distance = jnp.sqrt(jnp.maximum((dx - t * ex) ** 2 + (dy - t * ey) ** 2, 1e-12))
            lines.append(_LEVEL * jnp.clip(0.5 * WIDTH + 0.5 - distance, 0.0, 1.0))
        return jnp.stack(lines, axis=-1)

    def extent(self, cos: Array, sin: Array) -> Array:
        return self.sigma + WIDTH
