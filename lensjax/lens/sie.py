"""Singular isothermal ellipsoid (Kormann, Schneider & Bartelmann 1994), in CosmoSim's convention.

With (u, v) the position in axes rotated by `orientation`, r² = u² + v², ω² = u² + f² v² and f' = √(1 − f²):

    α_u = θ_E (√f/f') atanh(f' u/ω),   α_v = θ_E (√f/f') atan(f' v/ω),   ψ = u α_u + v α_v,   κ = θ_E √f/(2 ω)

The critical curve is an ellipse of semi-axes θ_E √f along `orientation` and θ_E/√f across it, of the area of a circle of radius
θ_E: the mass is elongated at orientation + 90°. lenstronomy's SIE has the same θ_E, q = f and φ = orientation + 90°.

Half the angle is taken, atan(f' v/ω) = 2 atan(f' v/(ω + r)) and atanh(f' u/ω) = 2 atanh(f' u/(ω + f r)): both arguments z then have
z² ≤ (1 − f)/(1 + f), and both atanh(z)/z and atan(z)/z are power series in z², so that values and gradients are smooth through f = 1.
"""

from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.checks import check_range
from lensjax._internal.fence import fenced
from lensjax._internal.tree import register
from lensjax.lens.base import CENTRE, fixed_point_image, safe_norm

_ROUNDEST = 1.0 + 1e-3  # values and gradients are smooth through f = 1, for differences and rounding a little beyond it
_SMALL = 0.01  # of z², below which eight terms of a series are exact to rounding, in float64 too


def _atanh_over(square: Array) -> Array:
    """atanh(z)/z of z² < 1; also for z² a little below 0, where it is atan(|z|)/|z|."""
    near = square < _SMALL
    t = jnp.where(near, square, 0.0)
    series = 1 + t * (1 / 3 + t * (1 / 5 + t * (1 / 7 + t * (1 / 9 + t * (1 / 11 + t * (1 / 13 + t / 15))))))
    z = jnp.sqrt(jnp.where(near, 0.25, square))
    return jnp.where(near, series, 0.5 * jnp.log((1 + z) / (1 - z)) / z)


def _atan_over(square: Array) -> Array:
    """atan(z)/z of z² ≤ 1; also for z² a little below 0, where it is atanh(|z|)/|z|."""
    first, *rest = _atan_polynomial(9 if square.dtype == jnp.float32 else 21)
    total = jnp.full_like(square, first)
    for coefficient in rest:
        total = total * square + coefficient
    return total


@cache
def _atan_polynomial(degree: int) -> list[float]:
    """Coefficients, the highest first, of the polynomial in t that is atan(√t)/√t at the Chebyshev points of 0 ≤ t ≤ 1."""
    chebyshev = np.polynomial.Chebyshev.interpolate(lambda t: np.arctan(np.sqrt(t)) / np.sqrt(t), degree, domain=[0.0, 1.0])
    coefficients: list[float] = chebyshev.convert(kind=np.polynomial.Polynomial).coef[::-1].tolist()
    return coefficients


def rotated(x: Array, y: Array, orientation: Array) -> tuple[Array, Array]:
    """(x, y) in axes rotated counter-clockwise by `orientation` [rad]."""
    cosine, sine = jnp.cos(orientation), jnp.sin(orientation)
    return cosine * x + sine * y, cosine * y - sine * x


def _both(u: Array, v: Array, f: Array) -> tuple[Array, Array]:
    square = u * u + v * v
    away = square > CENTRE
    r = jnp.sqrt(jnp.where(away, square, 1.0))
    omega = jnp.sqrt(jnp.where(away, u * u + f * f * v * v, 1.0))
    a = jnp.where(away, u / (omega + f * r), 1.0 / (1.0 + f))  # at the centre the limit from +u
    b = jnp.where(away, v / (omega + r), 0.0)
    flat = 1.0 - f * f
    return 2.0 * a * _atanh_over(flat * a * a), 2.0 * b * _atan_over(flat * b * b)


@jax.custom_jvp
def _profile(u: Array, v: Array, f: Array) -> tuple[Array, Array]:
    """atanh(f' u/ω)/f' and atan(f' v/ω)/f'; at the centre their limits from +u."""
    return _both(u, v, f)


@_profile.defjvp
def _profile_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The derivatives by u and v are those of 2κ ν⊥ν⊥ᵀ/r², the Hessian of any potential that is homogeneous of degree 1."""
    (u, v, f), (du, dv, df) = primals, tangents
    square = u * u + v * v
    away = square > CENTRE
    filled = jnp.where(away, square, 1.0)
    across = jnp.where(away, (v * du - u * dv) / (filled * jnp.sqrt(jnp.where(away, u * u + f * f * v * v, 1.0))), 0.0)

    # Complex, hence one result; and fenced, or XLA on a CPU runs all this again for every sum over pixels in a gradient.
    value = fenced(lambda *at: jax.lax.complex(*_both(*at)), u, v, f)
    by_f = fenced(lambda *at: jax.lax.complex(*jax.jvp(lambda f: _both(at[0], at[1], f), (at[2],), (jnp.ones_like(f),))[1]), u, v, f)
    return (value.real, value.imag), (v * across + by_f.real * df, by_f.imag * df - u * across)


def deflection(x: Array, y: Array, theta_e: Array, f: Array, orientation: Array) -> tuple[Array, Array]:
    """α [px]; at the centre, where it has no direction, that of the points along `orientation`."""
    along, across = _profile(*rotated(x, y, orientation), f)
    strength = theta_e * jnp.sqrt(f)
    return rotated(strength * along, strength * across, -orientation)


def potential(x: Array, y: Array, theta_e: Array, f: Array, orientation: Array) -> Array:
    """ψ = ν · α [px²]: the potential is homogeneous of degree 1."""
    along, across = deflection(x, y, theta_e, f, orientation)
    return x * along + y * across


def convergence(x: Array, y: Array, theta_e: Array, f: Array, orientation: Array) -> Array:
    """κ = θ_E √f/(2 ω); zero is returned at the centre, where it diverges."""
    u, v = rotated(x, y, orientation)
    return 0.5 * theta_e * jnp.sqrt(f) * safe_norm(u, f * v)[1]


@register
@dataclass(frozen=True)
class SIE:
    """Singular isothermal ellipsoid.

    Attributes:
        theta_e: Einstein radius [px], scalar.
        f: axis ratio in (0, 1], scalar.
        orientation: direction of the critical curve's shorter axis [rad], scalar.

    Raises:
        ValueError: f out of range.
    """

    theta_e: Array
    f: Array
    orientation: Array

    def __post_init__(self) -> None:
        check_range("SIE", "f", self.f, above=0.0, most=_ROUNDEST, expected="an axis ratio above 0 and up to 1")

    def potential(self, x: Array, y: Array) -> Array:
        return potential(x, y, self.theta_e, self.f, self.orientation)

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        return deflection(x, y, self.theta_e, self.f, self.orientation)

    def convergence(self, x: Array, y: Array) -> Array:
        return convergence(x, y, self.theta_e, self.f, self.orientation)

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return fixed_point_image(self, x, y)
