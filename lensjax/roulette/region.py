"""Where a roulette series converges: up to the nearest singularity of the lens, complex ones included.

Along the complex line ξ + tδ, t ∈ ℂ, the map of a point mass or SIS is singular where |ν|² = 0, and that of an SIE also where
ω² = u² + f² v² = 0; a quadratic form Q has its roots there at |t|² = Q(ξ)/Q(δ). So the series converges at δ where

    |δ| < |ξ|               point mass, SIS: the convergence ring, a circle about ξ through the lens centre
    and ω(δ) < ω(ξ)         SIE: within an ellipse through the lens centre too
    for every member        clusters, ξ relative to that member
"""

import jax.numpy as jnp
from jax import Array

from lensjax.lens import SIE, Cluster, Lens, Shear, Sheet
from lensjax.lens.cluster import total
from lensjax.lens.sie import rotated


def circle(dx: Array, dy: Array, xi_x: Array, xi_y: Array) -> Array:
    """Distance [px] to the circle about ξ through the origin, positive inside it; arguments as in `inside`."""
    square = dx * dx + dy * dy
    # The floor keeps the gradient of the root finite at the reference point itself.
    return jnp.sqrt(xi_x * xi_x + xi_y * xi_y) - jnp.sqrt(jnp.maximum(square, 1e-12))


def inside(dx: Array, dy: Array, xi_x: Array, xi_y: Array, lens: Lens) -> Array:
    """Distance [px] to the rim of the region of convergence, positive inside it; for ellipses not more than the distance.

    Args:
        dx, dy: ν − ξ, the pixel's offset from the reference point [px].
        xi_x, xi_y: the reference point ξ, relative to the lens's centre [px].
        lens: any lens; one that is not known to have a singularity elsewhere is taken to have one at its centre.
    """
    if isinstance(lens, Shear | Sheet):
        return jnp.full_like(dx + dy, jnp.inf)
    if isinstance(lens, SIE):
        u, v = rotated(xi_x, xi_y, lens.orientation)
        du, dv = rotated(dx, dy, lens.orientation)
        ellipse = circle(du, lens.f * dv, u, lens.f * v)
        return jnp.minimum(circle(dx, dy, xi_x, xi_y), ellipse)
    if isinstance(lens, Cluster):
        # The smallest of all, by way of the sum's own loop over members.
        return -total(lens, xi_x, xi_y, lambda member, x, y: (-inside(dx, dy, x, y, member),), join=jnp.maximum)[0]
    return circle(dx, dy, xi_x, xi_y)


def rim(cos: Array, sin: Array, xi_x: Array, xi_y: Array, lens: Lens) -> Array:
    """Distance [px] from ξ to the rim of the region of convergence in the directions (cos, sin), any shape; the rest as in `inside`."""
    if isinstance(lens, Shear | Sheet):
        return jnp.full_like(cos + sin, jnp.inf)
    if isinstance(lens, Cluster):
        return total(lens, xi_x, xi_y, lambda member, x, y: (rim(cos, sin, x, y, member),), join=jnp.minimum)[0]
    distance = jnp.full_like(cos + sin, jnp.hypot(xi_x, xi_y))
    if isinstance(lens, SIE):
        u, v = rotated(xi_x, xi_y, lens.orientation)
        along, across = rotated(cos, sin, lens.orientation)
        distance = jnp.minimum(distance, jnp.hypot(u, lens.f * v) / jnp.hypot(along, lens.f * across))
    return distance
