"""Mass outside the lens: external shear, and a sheet of constant convergence."""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from lensjax._internal.tree import register


@register
@dataclass(frozen=True)
class Shear:
    """External shear, ψ = ½ γ₁ (x² − y²) + γ₂ x y.

    Attributes:
        gamma1, gamma2: components of the shear, scalars: |γ| cos 2φ and |γ| sin 2φ.
    """

    gamma1: Array
    gamma2: Array

    def potential(self, x: Array, y: Array) -> Array:
        return 0.5 * self.gamma1 * (x * x - y * y) + self.gamma2 * x * y

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        return self.gamma1 * x + self.gamma2 * y, self.gamma2 * x - self.gamma1 * y

    def convergence(self, x: Array, y: Array) -> Array:
        return jnp.zeros_like(x + y + self.gamma1)

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return _solved(1.0 - self.gamma1, -self.gamma2, 1.0 + self.gamma1, x, y)


@register
@dataclass(frozen=True)
class Sheet:
    """Sheet of constant convergence, ψ = ½ κ r².

    Attributes:
        kappa: convergence, scalar.
    """

    kappa: Array

    def potential(self, x: Array, y: Array) -> Array:
        return 0.5 * self.kappa * (x * x + y * y)

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        return self.kappa * x, self.kappa * y

    def convergence(self, x: Array, y: Array) -> Array:
        return self.kappa * jnp.ones_like(x + y)

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return _solved(1.0 - self.kappa, jnp.zeros_like(self.kappa), 1.0 - self.kappa, x, y)


def _solved(xx: Array, xy: Array, yy: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """The point that the symmetric matrix brings to (x, y)."""
    determinant = xx * yy - xy * xy
    return (yy * x - xy * y) / determinant, (xx * y - xy * x) / determinant
