"""Gaussian source, spherical or elliptical."""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from lensjax._internal.checks import check_range
from lensjax._internal.tree import register


@register
@dataclass(frozen=True)
class Gaussian:
    """peak · exp(−½ (xx·x² + 2 xy·x y + yy·y²)): light at (x, y) from its centre.

    Attributes:
        xx, xy, yy: elements of the inverse covariance matrix [px⁻²], scalars. They are smooth functions of any description of
            the ellipse, the circle included; build them by `spherical`, `elliptical` or `from_shape`.
        peak: light at the centre, 1 for the brightest grey level.
    """

    xx: Array
    xy: Array
    yy: Array
    peak: Array | float = 1.0

    def light(self, x: Array, y: Array) -> Array:
        """Surface brightness, `peak` at the centre; any shape."""
        return self.peak * jnp.exp(-0.5 * (x * (self.xx * x + 2.0 * self.xy * y) + self.yy * (y * y)))

    def flux(self) -> Array:
        """All its light, ∫ I dx dy [px²]."""
        return 2.0 * jnp.pi * self.peak / jnp.sqrt(self.xx * self.yy - self.xy * self.xy)

    def extent(self, cos: Array, sin: Array) -> Array:
        """Five standard deviations in the direction (cos, sin) [px]."""
        return 5.0 * width_of(self.xx, self.xy, self.yy, cos, sin)


def width_of(xx: Array, xy: Array, yy: Array, cos: Array, sin: Array) -> Array:
    """Half the width [px] in the direction (cos, sin) of the ellipse xx x² + 2 xy x y + yy y² = 1; finite for a thread too."""
    mean = 0.5 * (xx + yy)
    determinant = jnp.maximum(xx * yy - xy * xy, 1e-7 * mean * mean)
    return jnp.sqrt(jnp.maximum(yy * cos * cos - 2.0 * xy * cos * sin + xx * sin * sin, 1e-7 * mean) / determinant)


def quadratic_form(sigma: Array, sigma2: Array, theta: Array) -> tuple[Array, Array, Array]:
    """(xx, xy, yy) [px⁻²] of u²/σ² + v²/σ₂² = xx x² + 2 xy x y + yy y², with u along the direction `theta` [rad] and v across it."""
    along, across = 1.0 / sigma**2, 1.0 / sigma2**2
    cosine, sine = jnp.cos(theta), jnp.sin(theta)
    return along * cosine**2 + across * sine**2, (along - across) * cosine * sine, along * sine**2 + across * cosine**2


def spherical(sigma: Array) -> Gaussian:
    """Round source of standard deviation `sigma` [px].

    Raises:
        ValueError: sigma is not above 0.
    """
    check_range("spherical", "sigma", sigma, above=0.0, expected="a length above 0")
    return Gaussian(xx=1.0 / sigma**2, xy=jnp.zeros_like(sigma), yy=1.0 / sigma**2, peak=jnp.ones_like(sigma))


def elliptical(sigma: Array, sigma2: Array, theta: Array) -> Gaussian:
    """Standard deviation `sigma` [px] along the direction `theta` [rad, counter-clockwise from +x], `sigma2` across it.

    Raises:
        ValueError: a size that is not above 0.
    """
    check_range("elliptical", "sigma", sigma, above=0.0, expected="a length above 0")
    check_range("elliptical", "sigma2", sigma2, above=0.0, expected="a length above 0")
    return Gaussian(*quadratic_form(sigma, sigma2, theta), peak=jnp.ones_like(sigma))


def from_shape(log_size: Array, e1: Array, e2: Array) -> Gaussian:
    """From log √(σ σ₂) and e·(cos 2θ, sin 2θ) with e = ½ log(σ/σ₂): smooth through the round source, e = 0."""
    square = e1 * e1 + e2 * e2
    near = square < 1e-4
    e = jnp.sqrt(jnp.where(near, 1.0, square))
    q = jnp.where(near, square, 0.0)
    even = jnp.where(near, 1.0 + q * (2.0 + q * (2.0 / 3.0 + q * (4.0 / 45.0))), jnp.cosh(2.0 * e))
    odd = jnp.where(near, 2.0 + q * (4.0 / 3.0 + q * (4.0 / 15.0 + q * (8.0 / 315.0))), jnp.sinh(2.0 * e) / e)
    scale = jnp.exp(-2.0 * log_size)
    return Gaussian(xx=scale * (even - odd * e1), xy=-scale * odd * e2, yy=scale * (even + odd * e1), peak=jnp.ones_like(scale))
