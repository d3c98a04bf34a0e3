"""The squared residual of a model against an image, and its derivatives.

Refinement knows the simulator only as a function `light(fit, x, y) → (grey, inside)`: grey levels of parameters `fit` (F,) at
points of the image, and the distance [px] of those points inside the window that the model keeps (+inf where it keeps all).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

Light = Callable[[Array, Array, Array], tuple[Array, Array]]

EDGE = 1.0
"""Pixels this near [px] to the window's edge are left out of sharp sums: the step there has no derivative."""


class Normal(NamedTuple):
    """Normal equations of a least-squares problem: cost Σr² [grey²], matrix JᵀJ (F, F), gradient Jᵀr (F,)."""

    cost: Array
    matrix: Array
    gradient: Array


def jacobian(light: Light, fit: Array, x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """(grey, inside, ∂grey/∂fit, ∂inside/∂fit), the derivatives with a leading axis (F,).

    All directions are one batch about one set of values. Unrolled they would compile twice as long and run no quicker; a linearisation
    first (`jax.linearize`) would run no quicker either, and takes JAX nearly twice as long to trace.
    """

    def values_at(at: Array) -> tuple[Array, Array]:
        grey, inside = light(at, x, y)
        return grey, jnp.broadcast_to(inside, grey.shape)

    def along(direction: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        both: tuple[tuple[Array, Array], tuple[Array, Array]] = jax.jvp(values_at, (fit,), (direction,))
        return both

    (grey, inside), (columns, edge_columns) = jax.vmap(along, out_axes=(None, 0))(jnp.eye(fit.shape[0], dtype=fit.dtype))
    return grey, inside, columns, edge_columns


def sharp(light: Light, fit: Array, image: Array, x: Array, y: Array) -> Normal:
    """Normal equations against the image itself; pixels within `EDGE` of the window's edge do not count."""
    grey, inside, columns, _ = jacobian(light, fit, x, y)
    counts, kept = jnp.abs(inside) >= EDGE, inside >= 0
    residual = jnp.where(counts, jnp.where(kept, grey, 0.0) - image, 0.0)
    return _normal(residual, jnp.where(counts & kept, columns, 0.0))


def fixed(light: Light, fit: Array, image: Array, x: Array, y: Array, *, kept: Array, counts: Array) -> Normal:
    """As `sharp`, with the pixels that the window keeps, and those that count, given: then the cost is smooth.

    `sharp` counts other pixels as the window's edge moves, and with them their noise, which is more than a fit's own changes.
    """
    grey, _, columns, _ = jacobian(light, fit, x, y)
    residual = jnp.where(counts, jnp.where(kept, grey, 0.0) - image, 0.0)
    return _normal(residual, jnp.where(counts & kept, columns, 0.0))


def soft(light: Light, fit: Array, image: Array, x: Array, y: Array, *, width: float) -> Normal:
    """Normal equations with the window's edge spread over `width` px, so that it too has a derivative."""
    grey, inside, columns, edge_columns = jacobian(light, fit, x, y)
    depth = inside / width + 0.5
    kept = jnp.clip(depth, 0.0, 1.0)
    on_edge = (depth > 0) & (depth < 1)
    columns = columns * kept + jnp.where(on_edge, grey * edge_columns / width, 0.0)
    return _normal(kept * grey - image, columns)


def _normal(residual: Array, columns: Array) -> Normal:
    flat, rows = residual.reshape(-1), columns.reshape(columns.shape[0], -1)
    return Normal(cost=flat @ flat, matrix=rows @ rows.T, gradient=rows @ flat)
