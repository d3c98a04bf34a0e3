"""Singular isothermal sphere: ψ = θ_E |ν|."""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from lensjax._internal.tree import register
from lensjax.lens.base import direction, safe_norm, unit


def potential(x: Array, y: Array, theta_e: Array) -> Array:
    """ψ = θ_E r [px²]."""
    return theta_e * safe_norm(x, y)[0]


def deflection(x: Array, y: Array, theta_e: Array) -> tuple[Array, Array]:
    """α = θ_E ν/|ν| [px]; along +x at the centre, where it has no direction."""
    ux, uy = unit(x, y)
    return theta_e * ux, theta_e * uy


def convergence(x: Array, y: Array, theta_e: Array) -> Array:
    """κ = θ_E / (2 r); zero is returned at the centre, where it diverges."""
    return 0.5 * theta_e * safe_norm(x, y)[1]


def primary_image(x: Array, y: Array, theta_e: Array) -> tuple[Array, Array]:
    """(1 + θ_E/|η|) η for a source at η = (x, y); along +x for a source behind the centre."""
    ux, uy = direction(x, y)
    return x + theta_e * ux, y + theta_e * uy


def image_radius(source: Array, theta_e: Array) -> Array:
    """Distance from the lens of the image on the +x side of a source at (`source`, 0): β + θ_E; 0 without an image, for β ≤ −θ_E."""
    return jnp.maximum(source + theta_e, 0.0)


@register
@dataclass(frozen=True)
class SIS:
    """Singular isothermal sphere.

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
