"""An image in its frame as a few numbers: its shapelets, and the same for the logarithm of its light.

Shapelets are the coefficients of Hermite functions (Refregier 2003, MNRAS 338, 35). The logarithm of a Gaussian's light behind a lens is a
smooth function whose terms of third order show how the image bends, and those of fourth order how strong the lens is.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.observation.frame import Frame, coordinates

ORDER = 10
"""Largest order of the shapelets: 66 numbers."""

LIGHT_ORDER = 8
"""Largest order of the logarithm's polynomial: 45 numbers."""

_FAINTEST = 0.01  # part of the brightest grey level from which the logarithm counts
_FARTHEST = 64.0  # spreads from the middle to light that counts in the logarithm: the eighth powers of more would overflow
_RIDGE = 1e-4  # of the polynomial's normal equations, whose diagonal is one


def count(*, order: int = ORDER, light_order: int = LIGHT_ORDER) -> int:
    """How many numbers `coefficients` gives."""
    return len(_degrees(order)) + len(_degrees(light_order)) + 3


@partial(jax.jit, static_argnames=("order", "light_order"), inline=True)
def coefficients(image: Array, frame: Frame, x: Array, y: Array, *, order: int = ORDER, light_order: int = LIGHT_ORDER) -> Array:
    """The numbers (K,) of an image (H, W) in grey levels, at points x (1, W) and y (H, 1); zeros for a dark image.

    They are: the shapelets to `order` for an image of brightness 1; the coefficients of a polynomial in Hermite form that fits the
    logarithm of the light, weighted by the light; half the logarithm of the ratio of the spreads, the logarithm of the size and that of
    the brightest grey level.
    """
    u, v = (place.ravel() for place in jnp.broadcast_arrays(*coordinates(frame, x, y)))
    light = image.ravel()
    brightest = light.max()
    lit = brightest > 0
    bright = light / jnp.where(lit, brightest, 1.0)
    area = (x[0, 1] - x[0, 0]) * (y[0, 0] - y[1, 0]) / frame.size**2
    along, across = _hermite(u, order), _hermite(v, order)
    shown = (along * (area / (2.0 * jnp.pi) * bright * jnp.exp(-0.25 * (u * u + v * v)))) @ across.T
    first, second = _degrees(order)[:, 0], _degrees(order)[:, 1]
    return jnp.concatenate(
        [
            shown[first, second],
            _logarithm(bright, u, v, area, order=light_order),
            jnp.where(lit, jnp.stack([frame.stretch, jnp.log(frame.size), jnp.log(jnp.where(lit, brightest, 1.0))]), 0.0),
        ]
    )


def _logarithm(bright: Array, u: Array, v: Array, area: Array, *, order: int) -> Array:
    """Coefficients (L,) of the polynomial nearest to log `bright` (M,), which is 1 where it is brightest."""
    counts = (bright > _FAINTEST) & (u * u + v * v < _FARTHEST**2)
    u, v = jnp.where(counts, u, 0.0), jnp.where(counts, v, 0.0)
    weight = jnp.where(counts, bright, 0.0)  # an error of the light is that of its logarithm times the light
    logarithm = jnp.log(jnp.where(counts, bright, 1.0))
    degrees = _degrees(order)
    # The weight of a round Gaussian's pixels, its square, makes these polynomials orthogonal.
    along, across = _hermite(np.sqrt(2.0) * u, order), _hermite(np.sqrt(2.0) * v, order)
    terms = along[degrees[:, 0]] * across[degrees[:, 1]] * weight
    normal, right = area * (terms @ terms.T), area * (terms @ (weight * logarithm))
    scale = 1.0 / jnp.sqrt(jnp.diagonal(normal) + _RIDGE)
    scaled = scale[:, None] * normal * scale + _RIDGE * jnp.eye(len(degrees), dtype=bright.dtype)
    fitted: Array = scale * jax.scipy.linalg.solve(scaled, scale * right, assume_a="pos")
    return fitted


def _degrees(order: int) -> np.ndarray:
    """(K, 2): degrees in u and v of the terms to an order."""
    return np.array([(i, k) for i in range(order + 1) for k in range(order + 1 - i)])


def _hermite(u: Array, order: int) -> Array:
    """Hermite polynomials He_n(u)/√n!, (order + 1, M)."""
    terms = [jnp.ones_like(u), u]
    for n in range(1, order):
        terms.append((u * terms[n] - np.sqrt(n) * terms[n - 1]) / np.sqrt(n + 1.0))
    return jnp.stack(terms[: order + 1])
