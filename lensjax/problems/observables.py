"""Coordinates for fits: quantities that an image shows, the best determined first.

A lensed image of one source determines best where its peak lies, then its size, ellipticity and orientation, then how it bends, and only
weakly how much of its stretch is due to the lens. Lens and source parameters mix these strongly, so that the parameters that fit an
image well form a thin, bent region. In the coordinates used here that region is nearly straight: Gauss–Newton steps reach far, and
linear error bars hold. With ξ the image of the source's centre, η the source, g = 1 − |η|/|ξ|, and A the
Jacobian of the lens equation at ξ:

    0, 1   where ξ lies in the image [px]
    2…4    log size and ellipticity (e cos 2θ, e sin 2θ) of the image near its peak: the source's ellipse stretched by A⁻¹
    5, 6   the bending g ξ/|ξ|² [100/px]
    7      log g/(1 − g)

For SIS and point mass η = (1 − g) ξ. Mirroring the system, (x, y) → (−x, −y), turns the sign of the bending alone.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.lens import Lens
from lensjax.lens.base import hessian, safe_norm
from lensjax.light.gaussian import Gaussian, from_shape
from lensjax.simulate import System

_BENDING = 100.0

LOWEST = (-2000.0, -2000.0, -2.0, -4.0, -4.0, -50.0, -50.0, -8.0)
HIGHEST = (2000.0, 2000.0, 7.0, 4.0, 4.0, 50.0, 50.0, 8.0)


_Form = tuple[Array, Array, Array]


def _jacobian(lens: Lens, x: Array, y: Array) -> _Form:
    """Elements (xx, xy, yy) of A = ∂β/∂ν, which is symmetric, at one point."""
    xx, xy, yy = hessian(lens, x, y)
    return 1.0 - xx, -xy, 1.0 - yy


def _congruent(source: Gaussian, xx: Array, xy: Array, yy: Array) -> Gaussian:
    """The Gaussian whose form is M F M: F that of `source`, M the symmetric matrix of these elements."""
    return Gaussian(
        xx=xx * (xx * source.xx + 2.0 * xy * source.xy) + xy * xy * source.yy,
        xy=xx * (xy * source.xx + yy * source.xy) + xy * (xy * source.xy + yy * source.yy),
        yy=xy * xy * source.xx + yy * (2.0 * xy * source.xy + yy * source.yy),
    )


def shape_of(source: Gaussian) -> tuple[Array, Array, Array]:
    """(log size, e cos 2θ, e sin 2θ) of a Gaussian: the inverse of `source.gaussian.from_shape`, as smooth."""
    half = 0.5 * (source.xx + source.yy)
    first, second = 0.5 * (source.yy - source.xx) / half, -source.xy / half
    square = first * first + second * second
    near = square < 1e-4
    t = jnp.sqrt(jnp.where(near, 0.25, jnp.minimum(square, 1.0 - 1e-7)))
    q = jnp.where(near, square, 0.0)
    ratio = 0.5 * jnp.where(near, 1.0 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7))), jnp.arctanh(t) / t)
    determinant = source.xx * source.yy - source.xy**2
    return -0.25 * jnp.log(determinant), ratio * first, ratio * second


def to_fit(system: System, centre: Array) -> Array:
    """System, and the place `centre` (2,) that stands at the image's centre, relative to the lens, to fit coordinates (8,)."""
    xi_x, xi_y = system.lens.primary_image(system.x, system.y)
    square = xi_x**2 + xi_y**2
    g = 1.0 - safe_norm(system.x, system.y)[0] / jnp.sqrt(square)
    assert isinstance(system.source, Gaussian)
    image = _congruent(system.source, *_jacobian(system.lens, xi_x, xi_y))
    bending = _BENDING * g / square
    return jnp.stack(
        [
            xi_x - centre[0],
            xi_y - centre[1],
            *shape_of(image),
            bending * xi_x,
            bending * xi_y,
            jnp.log(g) - jnp.log1p(-g),
        ]
    )


def from_fit(fit: Array, lens_of: Callable[[Array, Array], Lens]) -> tuple[System, Array]:
    """Fit coordinates (8,) to the system and `centre` (2,).

    Args:
        fit: the coordinates.
        lens_of: (g, |ξ|) → the lens.
    """
    bending_x, bending_y = fit[5] / _BENDING, fit[6] / _BENDING
    strength = jnp.sqrt(bending_x**2 + bending_y**2 + 1e-14)
    g = jax.nn.sigmoid(fit[7])
    distance = g / strength
    xi_x, xi_y = distance * bending_x / strength, distance * bending_y / strength
    lens = lens_of(g, distance)
    xx, xy, yy = _jacobian(lens, xi_x, xi_y)
    over = 1.0 / (xx * yy - xy * xy)
    source = _congruent(from_shape(fit[2], fit[3], fit[4]), over * yy, -over * xy, over * xx)
    rest = jax.nn.sigmoid(-fit[7])
    system = System(lens=lens, source=source, x=rest * xi_x, y=rest * xi_y)
    return system, jnp.stack([xi_x - fit[0], xi_y - fit[1]])


def mirrored(fit: Array) -> Array:
    """Fit coordinates (..., 8) of the system mirrored at the lens: nearly the same image, bent the other way."""
    return fit.at[..., 5:7].multiply(-1.0)
