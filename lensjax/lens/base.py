"""What a lens offers, and the arithmetic that lenses share."""

from typing import Protocol

import jax.numpy as jnp
from jax import Array


class Lens(Protocol):
    """A thin lens at the origin; all positions and angles in pixels of the image plane."""

    def potential(self, x: Array, y: Array) -> Array:
        """Lensing potential ψ [px²] at (x, y); any shape."""
        ...

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Deflection α = ∇ψ [px] at (x, y); finite everywhere."""
        ...

    def convergence(self, x: Array, y: Array) -> Array:
        """Convergence κ = ∇²ψ/2 at (x, y)."""
        ...

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        """The image, on the source's own side of the lens, of the source-plane point (x, y)."""
        ...


_CENTRE = 1e-8  # px²: within 1e-4 px of a singular centre there is no direction; beyond, slopes stay below 1e4 θ_E


def safe_norm(x: Array, y: Array) -> tuple[Array, Array]:
    """Length r = √(x² + y²) and 1/r, both 0 at the origin (within 1e-4 px); gradients are finite there too (zero)."""
    square = x * x + y * y
    away = square > _CENTRE
    filled = jnp.where(away, square, 1.0)
    inverse = jnp.where(away, 1.0 / jnp.sqrt(filled), 0.0)
    return square * inverse, inverse


def direction(x: Array, y: Array) -> tuple[Array, Array]:
    """Unit vector along (x, y); +x where there is no direction."""
    radius, inverse = safe_norm(x, y)
    return jnp.where(radius > 0, x * inverse, 1.0), y * inverse
