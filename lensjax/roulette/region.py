"""Where a roulette series converges."""

import jax.numpy as jnp
from jax import Array


def inside(dx: Array, dy: Array, xi_x: Array, xi_y: Array) -> Array:
    """Distance [px] to the convergence ring, positive inside it.

    For point mass and SIS the nearest singularity is the lens centre, so the ring is the circle about the reference
    point ξ that passes through the lens centre: a pixel is kept where |ν − ξ| ≤ |ξ|.

    Args:
        dx, dy: ν − ξ, the pixel's offset from the reference point [px].
        xi_x, xi_y: the reference point ξ, seen from the lens centre [px].
    """
    square = dx * dx + dy * dy
    # The floor keeps the gradient of the root finite at the reference point itself.
    return jnp.sqrt(xi_x * xi_x + xi_y * xi_y) - jnp.sqrt(jnp.maximum(square, 1e-12))
