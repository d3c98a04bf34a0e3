"""Point mass: ψ = θ_E² ln |ν|."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from lensjax._internal.tree import register
from lensjax.lens.base import CENTRE, direction, safe_norm


def potential(x: Array, y: Array, theta_e: Array) -> Array:
    """ψ = θ_E² ln r [px²]; zero is returned at the centre, where it diverges."""
    radius, _ = safe_norm(x, y)
    return theta_e**2 * jnp.log(jnp.where(radius > 0, radius, 1.0))


def deflection(x: Array, y: Array, theta_e: Array) -> tuple[Array, Array]:
    """α = θ_E² ν/|ν|² [px]; 1e4 θ_E² along +x at the centre, where it diverges: no light comes from that far."""
    inverse = safe_norm(x, y)[1]
    scale = (theta_e * inverse) ** 2
    far = jax.lax.stop_gradient(theta_e) ** 2 / CENTRE**0.5  # derivatives there are of no use, and a sum over all pixels
    return jnp.where(inverse > 0, scale * x, far), scale * y


def convergence(x: Array, y: Array, theta_e: Array) -> Array:
    """κ = 0 away from the centre."""
    return jnp.zeros_like(x + y + theta_e)


def primary_image(x: Array, y: Array, theta_e: Array) -> tuple[Array, Array]:
    """η/2 + √(|η|²/4 + θ_E²) η/|η| for a source at η = (x, y); along +x for a source behind the centre."""
    ux, uy = direction(x, y)
    radius = jnp.sqrt(0.25 * (x * x + y * y) + theta_e**2)
    return 0.5 * x + radius * ux, 0.5 * y + radius * uy


def image_radius(source: Array, theta_e: Array) -> Array:
    """Distance from the lens of the image on the +x side of a source at (`source`, 0): β/2 + √(β²/4 + θ_E²)."""
    return 0.5 * source + jnp.sqrt(0.25 * source * source + theta_e**2)


@register
@dataclass(frozen=True)
class PointMass:
    """Point mass.

    Attributes:
        theta_e: Einstein radius [px], scalar.
    """

    theta_e: Array

    def potential(self, x: Array, y: Array) -> Array:
        return potential(x, y, self.theta_e)

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        return deflection(x, y, self.theta_e)

    def convergence(self, x: Array, y: Array) -> Array:
        return convergence(x, y, self.theta_e)

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return primary_image(x, y, self.theta_e)

    def image_radius(self, source: Array) -> Array:
        return image_radius(source, self.theta_e)
