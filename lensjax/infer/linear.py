"""Linear amplitudes inside a least-squares fit: variable projection (Golub & Pereyra 1973; Kaufman 1975).

A model is Σ a_k B_k(q). For given q the amplitudes a have a closed solution, non-negative where they must be. The fit descends in q alone:
its normal equations are the Schur complement of the joint ones, with the amplitudes that are not at zero eliminated.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.infer.objective import Normal

_SWEEPS = 60
_RIDGE = 1e-7  # of the diagonal, so that a layer without light has a solution


class Joint(NamedTuple):
    """Normal equations in q (F,) and amplitudes (K,): JᵀJ (F + K, F + K), Jᵀr (F + K,), cost, and the amplitudes."""

    matrix: Array
    gradient: Array
    cost: Array
    amplitudes: Array


def amplitudes_of(gram: Array, right: Array, nonnegative: Array) -> Array:
    """The minimum of ½ aᵀ G a − bᵀ a, with a_k ≥ 0 where `nonnegative` (K,).

    Coordinate descent finds which amplitudes are zero, a direct solution the others.
    """
    count = gram.shape[0]
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 1e-30))
    scaled = gram / (scale[:, None] * scale[None, :]) + _RIDGE * jnp.eye(count, dtype=gram.dtype)
    target = right / scale
    free = jnp.linalg.solve(scaled, target)
    if count == 1:
        return jnp.where(nonnegative, jnp.maximum(free, 0.0), free) / scale

    def sweep(_: int, a: Array) -> Array:
        def one(k: int, a: Array) -> Array:
            value = a[k] + (target[k] - scaled[k] @ a) / scaled[k, k]
            return a.at[k].set(jnp.where(nonnegative[k], jnp.maximum(value, 0.0), value))

        result: Array = jax.lax.fori_loop(0, count, one, a)
        return result

    swept = jax.lax.fori_loop(0, _SWEEPS, sweep, jnp.where(nonnegative, jnp.maximum(free, 0.0), free))
    active = ~nonnegative | (swept > 0)
    kept = jnp.where(active[:, None] & active[None, :], scaled, 0.0) + jnp.diag(jnp.where(active, 0.0, 1.0).astype(gram.dtype))
    solved = jnp.linalg.solve(kept, jnp.where(active, target, 0.0))
    good = jnp.isfinite(solved).all() & jnp.all(jnp.where(nonnegative, solved >= 0, True))
    return jnp.where(good, solved, swept) / scale


def joint(layers: Callable[[Array], Array], q: Array, data: Array, weight: Array, nonnegative: tuple[bool, ...]) -> Joint:
    """Normal equations of (Σ a_k B_k(q) − data) weight, in q and in the amplitudes that solve it.

    Args:
        layers: q (F,) → B (K, H, W).
        q: where.
        data: (H, W).
        weight: (H, W), 1/σ; 0 where a pixel is masked.
        nonnegative: which amplitudes cannot be negative.
    """
    images, push = jax.linearize(layers, q)
    basis = (images * weight).reshape(images.shape[0], -1)
    target = (data * weight).reshape(-1)
    a = amplitudes_of(basis @ basis.T, basis @ target, jnp.asarray(nonnegative))
    columns = jax.vmap(lambda unit: (jnp.tensordot(a, push(unit), axes=1) * weight).reshape(-1))(jnp.eye(q.shape[0], dtype=q.dtype))
    residual = a @ basis - target
    rows = jnp.concatenate([columns, basis])
    return Joint(rows @ rows.T, rows @ residual, residual @ residual, a)


def projected(equations: Joint, fitted: int) -> Normal:
    """The normal equations in q alone, (F,): amplitudes above zero follow their best values."""
    a = equations.amplitudes
    active = jnp.where(a != 0, 1.0, 0.0).astype(a.dtype)
    cross = equations.matrix[:fitted, fitted:] * active
    inner = equations.matrix[fitted:, fitted:] * (active[:, None] * active[None, :])
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(inner), 1e-30))
    inner = inner / (scale[:, None] * scale[None, :]) + jnp.diag(_RIDGE + (1.0 - active))
    followed = cross / scale
    matrix = equations.matrix[:fitted, :fitted] - followed @ jnp.linalg.solve(inner, followed.T)
    return Normal(equations.cost, 0.5 * (matrix + matrix.T), equations.gradient[:fitted])
