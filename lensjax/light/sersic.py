"""Sérsic source, spherical or elliptical.

    I(ρ) = I_e exp(−b_n (ρ^{1/n} − 1)),   ρ² = u²/σ² + v²/σ₂²

with u along the direction θ. I_e follows from the total light of the profile, ∫ I dx dy = 2π σ σ₂ n e^b b^{−2n} Γ(2n) I_e (Graham
& Driver 2005, eq. 4); CosmoSim's luminosity L is a thousandth of it in grey levels.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from lensjax._internal.checks import check_range
from lensjax._internal.tree import register
from lensjax.conventions import GREY_LEVELS
from lensjax.light.gaussian import quadratic_form, width_of

_CORE = 1e-12  # ρ² below which the cusp is cut off, so that derivatives are finite


def half_light(n: Array) -> Array:
    """b_n, for which half the light lies within ρ = 1: γ(2n, b) = ½ Γ(2n); scalar, n ≥ 0.3.

    From the expansion of Ciotti & Bertin (1999, eq. 18), which is 4e-4 off at n = ½, by two steps of Newton's method.
    """
    k = 1.0 / n
    b = 2.0 * n - 1 / 3 + k * (4 / 405 + k * (46 / 25515 + k * (131 / 1148175 - k * (2194697 / 30690717750))))
    for _ in range(2):
        derivative = jnp.exp((2.0 * n - 1.0) * jnp.log(b) - b - jax.scipy.special.gammaln(2.0 * n))
        b = b - (jax.scipy.special.gammainc(2.0 * n, b) - 0.5) / derivative
    return b


@register
@dataclass(frozen=True)
class Sersic:
    """Sérsic profile; build it by `sersic`.

    Attributes:
        xx, xy, yy: the form ρ² = xx x² + 2 xy x y + yy y² [px⁻²], scalars.
        n: index.
        b: b_n of it, see `half_light`.
        peak: light at ρ = 1, I_e, 1 for the brightest grey level.
    """

    xx: Array
    xy: Array
    yy: Array
    n: Array
    b: Array
    peak: Array

    def light(self, x: Array, y: Array) -> Array:
        square = x * (self.xx * x + 2.0 * self.xy * y) + self.yy * (y * y)
        power = jnp.exp(jnp.log(jnp.maximum(square, _CORE)) * (0.5 / self.n))
        return self.peak * jnp.exp(-self.b * (power - 1.0))

    def flux(self) -> Array:
        """All its light, ∫ I dx dy [px²] (Graham & Driver 2005, eq. 4)."""
        logarithm = self.b - 2.0 * self.n * jnp.log(self.b) + jax.scipy.special.gammaln(2.0 * self.n)
        return 2.0 * jnp.pi * self.n * self.peak * jnp.exp(logarithm) / jnp.sqrt(self.xx * self.yy - self.xy * self.xy)

    def extent(self, cos: Array, sin: Array) -> Array:
        """Half the width in the direction (cos, sin) of the ellipse where a thousandth of a grey level remains [px]."""
        level = jnp.maximum(jnp.log(jnp.maximum(self.peak, 1e-12) * GREY_LEVELS * 1e3) / self.b + 1.0, 0.1)
        return level**self.n * width_of(self.xx, self.xy, self.yy, cos, sin)


def sersic(sigma: Array, sigma2: Array, theta: Array, n: Array, luminosity: Array) -> Sersic:
    """From half-light semi-axes `sigma` along `theta` [rad] and `sigma2` across it [px], index and CosmoSim's luminosity.

    Raises:
        ValueError: a size or an index that is not above 0, or a negative luminosity.
    """
    for name, value in (("sigma", sigma), ("sigma2", sigma2), ("n", n)):
        check_range("sersic", name, value, above=0.0, expected="a number above 0")
    check_range("sersic", "luminosity", luminosity, least=0.0, expected="a number not below 0")
    b = half_light(n)
    logarithm = jnp.log(1e3 * luminosity / (2.0 * jnp.pi * sigma * sigma2 * n)) + 2.0 * n * jnp.log(b)
    peak = jnp.exp(logarithm - b - jax.scipy.special.gammaln(2.0 * n)) / GREY_LEVELS
    return Sersic(*quadratic_form(sigma, sigma2, theta), n=n, b=b, peak=peak)
