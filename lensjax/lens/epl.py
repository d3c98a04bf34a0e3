"""Elliptical power law (Tessore & Metcalf 2015, A&A 580, A79), of any slope 1 < γ < 3.

With the position z = x + i y, the complex ellipticity ε = e1 + i e2 of length (1 − q)/(1 + q) along twice the direction of the mass's
long axis, ω = z − ε z̄, s = θ_E √(1 − |ε|²) and t = γ − 1:

    κ = (2 − t)/2 (s/|ω|)^t,   α = (s/|ω|)^t ω F(ζ),   ψ = Re(z̄ α)/(2 − t),   ζ = −ε̄ ω/ω̄,   F(ζ) = ₂F₁(1, t/2; 2 − t/2; ζ)

This is their eq. 13 written without angles, smooth through the round lens ε = 0. θ_E, q and γ are those of lenstronomy's EPL. The mean
convergence within the ellipse κ = const. of area π θ_E² is 1. For γ = 2 the lens is an SIE, of the same θ_E.

F is its Padé approximant, a rational function of few terms with closed coefficients: as |ζ| = |ε| < 1 stays away from the cut ζ ≥ 1, an
order gains a factor of |1 + √(1 − ζ)|⁴/|ζ|², 14 or more for q ≥ 0.2, where two terms of the angular series gain 1/|ε|² = 2.25. F' follows
from F by the first-order equation that F solves.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.custom_derivatives import SymbolicZero

from lensjax._internal.checks import check_range
from lensjax._internal.fence import fenced
from lensjax._internal.tree import register
from lensjax.lens.base import CENTRE, fixed_point_image

_ORDERS = {"float32": 6, "float64": 12}  # exact to rounding for q ≥ 0.2; for q = 0.1 to 1e-5 and 2e-10
_ANGLES = 48  # of half a turn, over which the critical curve's area is summed
_TINY = 1e-12  # of s, so that a lens without mass has derivatives

_Pair = tuple[Array, Array]  # real and imaginary part: XLA on a CPU divides complex numbers slowly


def _times(a: _Pair, b: _Pair) -> _Pair:
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _over(a: _Pair, b: _Pair) -> _Pair:
    inverse = 1.0 / (b[0] * b[0] + b[1] * b[1])
    return (a[0] * b[0] + a[1] * b[1]) * inverse, (a[1] * b[0] - a[0] * b[1]) * inverse


def _polynomial(coefficients: Array, zeta: _Pair) -> _Pair:
    """Σ_k c_k ζ^k with real c (n + 1,), in real steps (Goertzel 1958)."""
    real, imaginary = zeta
    double, square = real + real, real * real + imaginary * imaginary
    first, second = jnp.full_like(real, coefficients[-1]), jnp.zeros_like(real)
    for k in reversed(range(1, coefficients.shape[0] - 1)):
        first, second = coefficients[k] + double * first - square * second, first
    return coefficients[0] + real * first - square * second, imaginary * first


def _pade(t: Array, n: int) -> tuple[Array, Array]:
    """Coefficients of S (n,) and Q (n + 1,) in F = 1 + ζ S/Q, the Padé approximant [n/n], scalars of t."""
    b, c = 0.5 * t, 2.0 - 0.5 * t
    k = jnp.arange(n, dtype=t.dtype)
    one = jnp.ones(1, t.dtype)
    q = jnp.concatenate([one, jnp.cumprod((k - n) * (k - b - n) / ((k - c - (2 * n - 1)) * (k + 1.0)))])
    series = jnp.concatenate([one, jnp.cumprod((b + k) / (c + k))])
    return jnp.convolve(q, series, precision="highest")[1 : n + 1] - q[1:], q


def _value_and_slope(real: Array, imaginary: Array, t: Array) -> tuple[_Pair, _Pair]:
    """F(ζ) and F'(ζ)."""
    b, c = 0.5 * t, 2.0 - 0.5 * t
    zeta = (real, imaginary)
    s, q = _pade(t, _ORDERS[str(real.dtype)])
    ratio = _over(_polynomial(s, zeta), _polynomial(q, zeta))
    part = _times(zeta, ratio)
    value = (1.0 + part[0], part[1])
    # ζ (1 − ζ) F' = (c − 1) (1 − F) + b ζ F, and F = 1 + ζ S/Q.
    slope = (b * value[0] - (c - 1.0) * ratio[0], b * value[1] - (c - 1.0) * ratio[1])
    return value, _over(slope, (1.0 - real, -imaginary))


@jax.custom_jvp
def _angular(real: Array, imaginary: Array, t: Array) -> _Pair:
    """F(ζ)."""
    return _value_and_slope(real, imaginary, t)[0]


def _angular_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[_Pair, _Pair]:
    (real, imaginary, t), (*along, dt) = primals, tangents
    d_real, d_imaginary = (jnp.zeros_like(part) if _unchanged(d) else d for part, d in zip((real, imaginary), along, strict=True))
    if _unchanged(dt):
        value, slope = _value_and_slope(real, imaginary, t)
        return value, _times(slope, (d_real, d_imaginary))
    (value, slope), (by_t, _) = jax.jvp(lambda t: _value_and_slope(real, imaginary, t), (t,), (jnp.ones_like(t),))
    moved = _times(slope, (d_real, d_imaginary))
    return value, (moved[0] + by_t[0] * dt, moved[1] + by_t[1] * dt)


_angular.defjvp(_angular_jvp, symbolic_zeros=True)


def _unchanged(tangent: Array) -> bool:
    return isinstance(tangent, SymbolicZero)


def _power_and_omega(x: Array, y: Array, theta_e: Array, e1: Array, e2: Array, t: Array) -> tuple[Array, _Pair]:
    """(s/|ω|)^t and ω."""
    omega = (x - e1 * x - e2 * y, y + e1 * y - e2 * x)
    s = jnp.maximum(theta_e * jnp.sqrt(1.0 - e1 * e1 - e2 * e2), _TINY)
    return jnp.exp(t * (jnp.log(s) - 0.5 * jnp.log(omega[0] * omega[0] + omega[1] * omega[1]))), omega


def _away(x: Array, y: Array, theta_e: Array, e1: Array, e2: Array, t: Array) -> _Pair:
    """α away from the centre."""
    power, omega = _power_and_omega(x, y, theta_e, e1, e2, t)
    square = _times(omega, omega)
    length = omega[0] * omega[0] + omega[1] * omega[1]
    zeta = _times((-e1, e2), (square[0] / length, square[1] / length))
    along = _times(omega, _angular(*zeta, t))
    return power * along[0], power * along[1]


def _filled(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """(x, y), and whether they lie away from the centre; there the point 1e-4 to its right, for the limit from that side."""
    away = x * x + y * y > CENTRE
    return jnp.where(away, x, CENTRE**0.5), jnp.where(away, y, 0.0), away


@jax.custom_jvp
def _deflection(x: Array, y: Array, theta_e: Array, e1: Array, e2: Array, t: Array) -> _Pair:
    return _away(*_filled(x, y)[:2], theta_e, e1, e2, t)


def _deflection_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[_Pair, _Pair]:
    """α is homogeneous of degree 1 − t: with its divergence, 2κ, and without curl, dα = κ dz + ((1 − t) α − κ z)/z̄ dz̄."""
    (*place, theta_e, e1, e2, t), (dx, dy, *changes) = primals, tangents
    x, y, away = _filled(*place)
    changed = [k for k, change in enumerate(changes) if not _unchanged(change)]

    def all_of(*at: Array) -> Array:
        """α and its derivatives by those of θ_E, e1, e2 and t that change, as complex numbers."""
        value, push = jax.linearize(lambda *shape: _away(at[0], at[1], *shape), *at[2:])
        units = [[jnp.ones_like(leaf) if i == k else jnp.zeros_like(leaf) for i, leaf in enumerate(at[2:])] for k in changed]
        return jnp.stack([jax.lax.complex(*part) for part in (value, *(push(*unit) for unit in units))])

    if changed:
        # One result, and fenced, or XLA on a CPU runs all this again for every sum over pixels in a gradient.
        parts = fenced(all_of, x, y, theta_e, e1, e2, t)
        value = (parts[0].real, parts[0].imag)
    else:
        value, parts = _deflection(x, y, theta_e, e1, e2, t), jnp.zeros(0)
    first, second = jnp.zeros_like(value[0]), jnp.zeros_like(value[1])
    if not (_unchanged(dx) and _unchanged(dy)):
        dx, dy = (jnp.zeros_like(x) if _unchanged(d) else jnp.where(away, d, 0.0) for d in (dx, dy))
        kappa = (1.0 - 0.5 * t) * _power_and_omega(x, y, theta_e, e1, e2, t)[0]
        bent = _over(((1.0 - t) * value[0] - kappa * x, (1.0 - t) * value[1] - kappa * y), (x, -y))
        moved = _times(bent, (dx, -dy))
        first, second = kappa * dx + moved[0], kappa * dy + moved[1]
    for part, k in zip(parts[1:], changed, strict=True):
        first, second = first + part.real * changes[k], second + part.imag * changes[k]
    return value, (first, second)


_deflection.defjvp(_deflection_jvp, symbolic_zeros=True)


def critical_radius(e1: Array, e2: Array, gamma: Array) -> Array:
    """Radius of the circle with the area inside the tangential critical curve, over θ_E; scalars.

    1 for γ = 2, and for a round lens; for q = 0.6 it is 1.015 at γ = 1.8 and 0.995 at γ = 2.2. Along each direction the Hessian of ψ falls
    as r^−t, so that det A = 0 where r^t is κ + |shear| at r = 1 of the lens of θ_E = 1.
    """
    t, one = gamma - 1.0, jnp.ones_like(gamma)
    angle = jnp.asarray(np.pi * np.arange(_ANGLES) / _ANGLES, one.dtype)
    x, y = jnp.cos(angle), jnp.sin(angle)
    ax, ay = _away(x, y, one, e1, e2, t)
    kappa = (1.0 - 0.5 * t) * _power_and_omega(x, y, one, e1, e2, t)[0]
    first, second = (1.0 - t) * ax - kappa * x, (1.0 - t) * ay - kappa * y
    reach = kappa + jnp.sqrt(first * first + second * second + 1e-20)
    return jnp.sqrt((reach ** (2.0 / t)).mean())


@register
@dataclass(frozen=True)
class EPL:
    """Elliptical power law; build it by `epl` from an axis ratio and a direction.

    Attributes:
        theta_e: Einstein radius [px], scalar.
        e1, e2: ellipticity (1 − q)/(1 + q) times cos 2φ and sin 2φ, φ the direction of the mass's long axis, scalars.
        gamma: slope γ of the density, κ ∝ r^(1 − γ), scalar; 2 is isothermal.

    Raises:
        ValueError: an ellipticity of 1 or more, or γ out of range.
    """

    theta_e: Array
    e1: Array
    e2: Array
    gamma: Array

    def __post_init__(self) -> None:
        if not any(isinstance(e, jax.core.Tracer) for e in (self.e1, self.e2)):
            length = np.hypot(np.asarray(self.e1), np.asarray(self.e2))
            check_range("EPL", "√(e1² + e2²)", length, most=1.0 - 1e-6, expected="an ellipticity below 1")
        check_range("EPL", "gamma", self.gamma, above=1.0, most=3.0 - 1e-6, expected="a slope between 1 and 3")

    def potential(self, x: Array, y: Array) -> Array:
        ax, ay = self.deflection(x, y)
        return (x * ax + y * ay) / (3.0 - self.gamma)

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        return _deflection(x, y, self.theta_e, self.e1, self.e2, self.gamma - 1.0)

    def convergence(self, x: Array, y: Array) -> Array:
        """κ; zero at the centre, where it diverges."""
        px, py, away = _filled(x, y)
        t = self.gamma - 1.0
        return jnp.where(away, (1.0 - 0.5 * t) * _power_and_omega(px, py, self.theta_e, self.e1, self.e2, t)[0], 0.0)

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return fixed_point_image(self, x, y)


def epl(theta_e: Array, q: Array, phi: Array, gamma: Array) -> EPL:
    """From the Einstein radius [px], the axis ratio, the direction [rad] of the mass's long axis, and the slope.

    Raises:
        ValueError: q not above 0 or above 1, or γ out of range.
    """
    check_range("epl", "q", q, above=0.0, most=1.0, expected="an axis ratio above 0 and up to 1")
    e = (1.0 - q) / (1.0 + q)
    return EPL(theta_e, e * jnp.cos(2.0 * phi), e * jnp.sin(2.0 * phi), gamma)
