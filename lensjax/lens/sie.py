"""Singular isothermal ellipsoid (Kormann, Schneider & Bartelmann 1994), in CosmoSim's convention.

With (u, v) the position in axes turned by `orientation`, r² = u² + v², ω² = u² + f² v² and f' = √(1 − f²):

    α_u = θ_E (√f/f') asinh(f' u/(f r)),   α_v = θ_E (√f/f') atan(f' v/ω),   ψ = u α_u + v α_v,   κ = θ_E √f/(2 ω)

The critical curve is an ellipse of semi-axes θ_E √f along `orientation` and θ_E/√f across it, of the area of a circle of radius
θ_E: the mass is elongated at orientation + 90°. lenstronomy's SIE has the same θ_E, q = f and φ = orientation + 90°.
Both asinh(z)/z and atan(z)/z are power series in z², so that values and gradients are smooth through f = 1.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.lens.base import fixed_point_image, safe_norm

_SMALL = 1e-3  # of z², below which the first terms of the series are exact to rounding, in float64 too


def _asinh_over(square: Array) -> Array:
    """asinh(z)/z of z²; also for z² a little below 0, where it is asin(|z|)/|z|."""
    near = square < _SMALL
    t = jnp.where(near, square, 0.0)
    series = 1 + t * (-1 / 6 + t * (3 / 40 + t * (-5 / 112 + t * (35 / 1152 - t * (63 / 2816)))))
    z = jnp.sqrt(jnp.where(near, 1.0, square))
    return jnp.where(near, series, jnp.arcsinh(z) / z)


def _atan_over(square: Array) -> Array:
    """atan(z)/z of z²; also for z² a little below 0, where it is atanh(|z|)/|z|."""
    near = square < _SMALL
    t = jnp.where(near, square, 0.0)
    series = 1 + t * (-1 / 3 + t * (1 / 5 + t * (-1 / 7 + t * (1 / 9 - t * (1 / 11)))))
    z = jnp.sqrt(jnp.where(near, 1.0, square))
    return jnp.where(near, series, jnp.arctan(z) / z)


def turned(x: Array, y: Array, orientation: Array) -> tuple[Array, Array]:
    """(x, y) in axes turned counter-clockwise by `orientation` [rad]."""
    cosine, sine = jnp.cos(orientation), jnp.sin(orientation)
    return cosine * x + sine * y, cosine * y - sine * x


def deflection(x: Array, y: Array, theta_e: Array, f: Array, orientation: Array) -> tuple[Array, Array]:
    """α [px]; zero at the centre, where it has no direction."""
    u, v = turned(x, y, orientation)
    flat = 1.0 - f * f
    over_r = safe_norm(u, v)[1]
    over_omega = safe_norm(u, f * v)[1]
    a, b = u * over_r / f, v * over_omega
    strength = theta_e * jnp.sqrt(f)
    along, across = strength * a * _asinh_over(flat * a * a), strength * b * _atan_over(flat * b * b)
    return turned(along, across, -orientation)


def potential(x: Array, y: Array, theta_e: Array, f: Array, orientation: Array) -> Array:
    """ψ = ν · α [px²]: the potential is homogeneous of degree 1."""
    along, across = deflection(x, y, theta_e, f, orientation)
    return x * along + y * across


def convergence(x: Array, y: Array, theta_e: Array, f: Array, orientation: Array) -> Array:
    """κ = θ_E √f/(2 ω); zero is returned at the centre, where it diverges."""
    u, v = turned(x, y, orientation)
    return 0.5 * theta_e * jnp.sqrt(f) * safe_norm(u, f * v)[1]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SIE:
    """Singular isothermal ellipsoid.

    Attributes:
        theta_e: Einstein radius [px], scalar.
        f: axis ratio in (0, 1], scalar.
        orientation: direction of the critical curve's shorter axis [rad], scalar.
    """

    theta_e: Array
    f: Array
    orientation: Array

    def potential(self, x: Array, y: Array) -> Array:
        return potential(x, y, self.theta_e, self.f, self.orientation)

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        return deflection(x, y, self.theta_e, self.f, self.orientation)

    def convergence(self, x: Array, y: Array) -> Array:
        return convergence(x, y, self.theta_e, self.f, self.orientation)

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return fixed_point_image(self, x, y)
