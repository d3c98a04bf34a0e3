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
_EXCHANGES = 100  # of the sets of zero and free amplitudes, at most
_RIDGE = 1e-7  # of the diagonal, so that a layer without light has a solution


class Joint(NamedTuple):
    """Normal equations in q (F,) and amplitudes (K,): JᵀJ (F + K, F + K), Jᵀr (F + K,), cost, and the amplitudes; all with the penalty,
    where there is one. `chi2` is the cost without it."""

    matrix: Array
    gradient: Array
    cost: Array
    amplitudes: Array
    chi2: Array


def amplitudes_of(gram: Array, right: Array, nonnegative: Array) -> Array:
    """The minimum of ½ aᵀ G a − bᵀ a, with a_k ≥ 0 where `nonnegative` (K,).

    Block principal pivoting (Portugal, Júdice & Vicente 1994; Kim & Park 2011) finds which amplitudes are zero: all that violate a
    condition of the minimum change sides, or the last of them alone where their number does not fall. Should rounding keep it from an
    end, coordinate descent gives the answer.
    """
    count = gram.shape[0]
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 1e-30))
    scaled = gram / (scale[:, None] * scale[None, :]) + _RIDGE * jnp.eye(count, dtype=gram.dtype)
    target = right / scale
    if count == 1:
        free = target / scaled[0, 0]
        return jnp.where(nonnegative, jnp.maximum(free, 0.0), free) / scale
    rounding = jnp.asarray(30.0 * jnp.finfo(gram.dtype).eps, gram.dtype)
    index = jnp.arange(count)

    def solved(free: Array) -> Array:
        kept = jnp.where(free[:, None] & free[None, :], scaled, 0.0) + jnp.diag(jnp.where(free, 0.0, 1.0).astype(gram.dtype))
        return jnp.where(free, jnp.linalg.solve(kept, jnp.where(free, target, 0.0)), 0.0)

    def violated(free: Array, a: Array) -> Array:
        negative = a < -rounding * jnp.abs(a).max()
        wanted = scaled @ a - target < -rounding * jnp.abs(target).max()
        return nonnegative & jnp.where(free, negative, wanted)

    def exchange(state: tuple[Array, ...]) -> tuple[Array, ...]:
        free, a, wrong, fewest, patience, step = state
        number = wrong.sum(dtype=jnp.int32)
        fewer = number < fewest
        whole = fewer | (patience > 0)
        changed = jnp.where(whole, wrong, index == jnp.where(wrong, index, -1).max())
        free = free ^ changed
        a = solved(free)
        patience = jnp.where(fewer, 3, patience - 1)
        return free, a, violated(free, a), jnp.minimum(fewest, number), patience, step + 1

    every = jnp.ones(count, bool)
    first = solved(every)
    begin = (every, first, violated(every, first), jnp.int32(count + 1), jnp.int32(3), jnp.int32(0))
    end = jax.lax.while_loop(lambda state: state[2].any() & (state[-1] < _EXCHANGES), exchange, begin)
    a = jnp.where(nonnegative, jnp.maximum(end[1], 0.0), end[1])
    good = ~end[2].any() & jnp.isfinite(a).all()

    def sweep(state: tuple[Array, Array]) -> tuple[Array, Array]:
        def one(k: int, a: Array) -> Array:
            value = a[k] + (target[k] - scaled[k] @ a) / scaled[k, k]
            return a.at[k].set(jnp.where(nonnegative[k], jnp.maximum(value, 0.0), value))

        return jax.lax.fori_loop(0, count, one, state[0]), state[1] + 1

    safe = jnp.where(jnp.isfinite(a), a, 0.0)
    swept, _ = jax.lax.while_loop(lambda state: ~good & (state[1] < _SWEEPS), sweep, (safe, jnp.int32(0)))
    return jnp.where(good, a, swept) / scale


def joint(
    layers: Callable[[Array], Array],
    q: Array,
    data: Array,
    weight: Array,
    nonnegative: tuple[bool, ...],
    *,
    model: Callable[[Array, Array], Array] | None = None,
    penalty: Array | None = None,
) -> Joint:
    """Normal equations of (Σ a_k B_k(q) − data) weight, in q and in the amplitudes that solve it.

    Args:
        layers: q (F,) → B (K, H, W).
        q: where.
        data: (H, W).
        weight: (H, W), 1/σ; 0 where a pixel is masked.
        nonnegative: which amplitudes cannot be negative.
        model: (q, a) → Σ a_k B_k(q) (H, W), where that takes less work than the layers one by one.
        penalty: R (K, K), positive semidefinite: aᵀ R a is added to the cost.
    """
    count = q.shape[0]
    if model is None:
        images, push = jax.linearize(layers, q)
    else:
        images = layers(q)
    basis = (images * weight).reshape(images.shape[0], -1)
    target = (data * weight).reshape(-1)
    gram = basis @ basis.T
    a = amplitudes_of(gram if penalty is None else gram + penalty, basis @ target, jnp.asarray(nonnegative))
    if model is None:
        change = lambda unit: jnp.tensordot(a, push(unit), axes=1)  # noqa: E731
    else:
        _, change = jax.linearize(lambda q: model(q, a), q)
    columns = jax.vmap(lambda unit: (change(unit) * weight).reshape(-1))(jnp.eye(count, dtype=q.dtype))
    residual = a @ basis - target
    cross, chi2 = columns @ basis.T, residual @ residual
    pull, cost = basis @ residual, chi2
    if penalty is not None:
        gram, pull, cost = gram + penalty, pull + penalty @ a, chi2 + a @ penalty @ a
    matrix = jnp.block([[columns @ columns.T, cross], [cross.T, gram]])
    return Joint(matrix, jnp.concatenate([columns @ residual, pull]), cost, a, chi2)


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
