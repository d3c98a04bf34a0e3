"""NFW halo (Navarro, Frenk & White 1997), round or with an elliptical potential.

With ρ the radius over the scale radius r_s, and the formulas of Golse & Kneib (2002, A&A 390, 821, eq. 6–8):

    ψ = 2 κ_s r_s² h,   |α| = 4 κ_s r_s g/ρ,   κ = 2 κ_s F
    h = ln²(ρ/2) − arccosh²(1/ρ),   g = ln(ρ/2) + A,   F = (1 − A)/(ρ² − 1),   A = arccosh(1/ρ)/√(1 − ρ²)

κ_s follows from the deflection α_rs at the scale radius. The elliptical one has ψ(ρ) with ρ² = [(1 − e) u² + (1 + e) v²]/r_s², u along
the long axis, e = (1 − q²)/(1 + q²): lenstronomy's NFW_ELLIPSE_POTENTIAL. Its density is peanut-shaped for q below about 0.7.

All are functions of ρ², smooth through ρ = 1. Within ρ = ½ they are series in ρ² with a logarithm, where the closed forms are small
differences of large numbers.
"""

from dataclasses import dataclass
from functools import cache

import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.checks import check_range
from lensjax._internal.tree import register
from lensjax.lens.base import fixed_point_image

_NEAR = 0.25  # ρ² below which series serve
_ONE = 0.05  # |1 − ρ²| below which arccosh(1/ρ)/√(1 − ρ²) is a series
_CENTRE = 1e-12  # of ρ²
_AT_SCALE = 4.0 * (1.0 - float(np.log(2.0)))  # α_rs/(κ_s r_s)


@cache
def _series(terms: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients in ρ², the highest first, of P, Q and S.

    S = ln(2/ρ) − arccosh(1/ρ), P = 1/√(1 − ρ²) − 1, Q = −S/√(1 − ρ²), each divided by ρ²; so g/ρ² = P ln(2/ρ) + Q.
    """
    root = np.ones(terms + 1)
    for k in range(1, terms + 1):
        root[k] = root[k - 1] * (2 * k - 1) / (2 * k)
    s = np.concatenate([[0.0], root[1:] / (2.0 * np.arange(1, terms + 1))])
    q = -np.convolve(s, root)[: terms + 1]
    return root[:0:-1], q[:0:-1], s[:0:-1]


def _polynomial(coefficients: np.ndarray, square: Array) -> Array:
    total = jnp.full_like(square, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * square + coefficient
    return total


def _arc(square: Array) -> Array:
    """A = arccosh(1/ρ)/√(1 − ρ²) of ρ² > 0; for ρ > 1 the same function, arccos(1/ρ)/√(ρ² − 1)."""
    flat = 1.0 - square
    near = jnp.abs(flat) < _ONE
    t = jnp.where(near, flat, 0.0)
    series = _polynomial(1.0 / (2.0 * np.arange(8 if square.dtype == jnp.float32 else 14)[::-1] + 1.0), t)
    within = jnp.sqrt(jnp.where(near | (flat <= 0), 0.5, flat))
    beyond = jnp.sqrt(jnp.where(near | (flat >= 0), 0.5, -flat))
    inner = (jnp.log1p(within) - 0.5 * jnp.log(square)) / within
    return jnp.where(near, series, jnp.where(flat > 0, inner, jnp.arctan(beyond) / beyond))


def _terms(dtype: jnp.dtype) -> int:
    return 11 if dtype == jnp.float32 else 26


def _g_over(square: Array) -> Array:
    """g/ρ²."""
    square = jnp.maximum(square, _CENTRE)
    near = square < _NEAR
    p, q, _ = _series(_terms(square.dtype))
    small, large = jnp.where(near, square, _NEAR), jnp.where(near, _NEAR, square)
    inner = _polynomial(p, small) * (np.log(2.0) - 0.5 * jnp.log(small)) + _polynomial(q, small)
    return jnp.where(near, inner, (0.5 * jnp.log(large) - np.log(2.0) + _arc(large)) / large)


def _h(square: Array) -> Array:
    square = jnp.maximum(square, _CENTRE)
    near = square < _NEAR
    s = _series(_terms(square.dtype))[2]
    small, large = jnp.where(near, square, _NEAR), jnp.where(near, _NEAR, square)
    shift = small * _polynomial(s, small)
    logarithm = 0.5 * jnp.log(large) - np.log(2.0)
    inner = shift * (2.0 * np.log(2.0) - jnp.log(small) - shift)
    return jnp.where(near, inner, logarithm * logarithm - (1.0 - large) * _arc(large) ** 2)


def _f(square: Array) -> Array:
    """F = (1 − A)/(ρ² − 1); through ρ = 1 by the series of A."""
    square = jnp.maximum(square, _CENTRE)
    flat = 1.0 - square
    near = jnp.abs(flat) < _ONE
    count = 8 if square.dtype == jnp.float32 else 14
    series = _polynomial(1.0 / (2.0 * np.arange(1, count)[::-1] + 1.0), jnp.where(near, flat, 0.0))
    return jnp.where(near, series, (_arc(square) - 1.0) / jnp.where(near, 1.0, flat))


@register
@dataclass(frozen=True)
class NFW:
    """NFW halo; round by default.

    Attributes:
        r_s: scale radius [px], scalar.
        alpha_rs: deflection [px] at the scale radius, of the round halo, scalar.
        e1, e2: (1 − q)/(1 + q) times cos 2φ and sin 2φ, q the axis ratio and φ the direction of the long axis of the potential.

    Raises:
        ValueError: a scale radius that is not above 0.
    """

    r_s: Array
    alpha_rs: Array
    e1: Array | float = 0.0
    e2: Array | float = 0.0

    def __post_init__(self) -> None:
        check_range("NFW", "r_s", self.r_s, above=0.0, expected="a length above 0")

    def _form(self, x: Array, y: Array) -> tuple[Array, Array, Array]:
        """ρ², and half its gradient times r_s²."""
        # e = (1 − q²)/(1 + q²) of an ellipticity ε = (1 − q)/(1 + q) is 2ε/(1 + ε²), smooth in e1 and e2.
        over = 2.0 / (1.0 + self.e1 * self.e1 + self.e2 * self.e2)
        c, s = over * self.e1, over * self.e2
        px, py = x - c * x - s * y, y + c * y - s * x
        return (x * px + y * py) / (self.r_s * self.r_s), px, py

    def potential(self, x: Array, y: Array) -> Array:
        return 2.0 / _AT_SCALE * self.alpha_rs * self.r_s * _h(self._form(x, y)[0])

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        square, px, py = self._form(x, y)
        strength = 4.0 / _AT_SCALE * self.alpha_rs / self.r_s * _g_over(square)
        return strength * px, strength * py

    def convergence(self, x: Array, y: Array) -> Array:
        """κ; at the centre, where it diverges, that at a distance of 1e-6 r_s."""
        square, px, py = self._form(x, y)
        scale = self.alpha_rs / (_AT_SCALE * self.r_s)
        # Half the divergence of α, with dh/dρ² = G = g/ρ² and F = 2 (G + ρ² dG/dρ²).
        g, f = _g_over(square), _f(square)
        part = (px * px + py * py) / (self.r_s * self.r_s) / jnp.maximum(square, _CENTRE)
        return 4.0 * scale * g + 2.0 * scale * (f - 2.0 * g) * part

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return fixed_point_image(self, x, y)
