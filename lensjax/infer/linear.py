"""Linear amplitudes inside a least-squares fit: variable projection (Golub & Pereyra 1973; Kaufman 1975).

A model is Σ a_k B_k(q). For given q the amplitudes a have a closed solution, non-negative where they must be. The fit descends in q alone:
its normal equations are the Schur complement of the joint ones, with the amplitudes that are not at zero eliminated.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.infer.objective import Normal

_RIDGE = {"float32": 1e-7, "float64": 1e-12}  # of the diagonal, so that a layer without light has a solution
_ROUNDING = 30.0  # units in the last place, below which an amplitude at zero does not lower the cost


class Joint(NamedTuple):
    """Normal equations in q (F,) and amplitudes (K,): JᵀJ (F + K, F + K), Jᵀr (F + K,), cost, and the amplitudes; all with the penalty,
    where there is one. `chi2` is the cost without it."""

    matrix: Array
    gradient: Array
    cost: Array
    amplitudes: Array
    chi2: Array


class _Search(NamedTuple):
    """A step of the search for the amplitudes above zero: which are free (K,), their values (K,), which were tried in vain (K,), the last
    one freed (-1: none), steps taken, and whether it is over."""

    free: Array
    values: Array
    vain: Array
    last: Array
    step: Array
    over: Array


def amplitudes_of(gram: Array, right: Array, nonnegative: Array) -> Array:
    """The minimum of ½ aᵀ G a − bᵀ a, with a_k ≥ 0 where `nonnegative` (K,).

    The active-set method of Lawson & Hanson (1974, ch. 23) in normal equations (Bro & de Jong 1997). It frees one amplitude after another,
    so that it never solves for all of many profiles that are nearly alike, and lowers the cost at each step.
    """
    count = gram.shape[0]
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 1e-30))
    scaled = gram / (scale[:, None] * scale[None, :]) + _RIDGE[str(gram.dtype)] * jnp.eye(count, dtype=gram.dtype)
    target = right / scale
    if count == 1:
        free = target / scaled[0, 0]
        return jnp.where(nonnegative, jnp.maximum(free, 0.0), free) / scale
    rounding = _ROUNDING * float(np.finfo(gram.dtype).eps) * jnp.abs(target).max()
    index = jnp.arange(count, dtype=jnp.int32)

    def solved(free: Array) -> Array:
        kept = jnp.where(free[:, None] & free[None, :], scaled, 0.0) + jnp.diag(jnp.where(free, 0.0, 1.0).astype(gram.dtype))
        return jnp.where(free, jnp.linalg.solve(kept, jnp.where(free, target, 0.0)), 0.0)

    def advance(state: _Search) -> _Search:
        best = solved(state.free)
        negative = nonnegative & state.free & ~(best > 0)
        feasible = ~negative.any()
        # All free amplitudes have their best values, none negative: free the one that lowers the cost most.
        vain = jnp.where(feasible & (state.last >= 0), False, state.vain)
        pull = jnp.where(nonnegative & ~state.free & ~vain, target - scaled @ best, -jnp.inf)
        chosen = jnp.argmax(pull).astype(jnp.int32)
        over = feasible & ~(pull[chosen] > rounding)
        # Or else go towards them, until one becomes zero; the one just freed may be it at once, by rounding.
        stuck = negative & (index == state.last)
        lengths = jnp.where(negative, state.values / jnp.maximum(state.values - best, 1e-30), 1.0)
        length = lengths.min()
        nearer = jnp.where(stuck.any(), state.values, state.values + length * (best - state.values))
        reached = jnp.where(stuck.any(), stuck, negative & ((lengths <= length) | ~(nearer > 0.0)))
        return _Search(
            free=jnp.where(feasible, state.free | ((index == chosen) & ~over), state.free & ~reached),
            values=jnp.where(feasible, best, jnp.where(reached, 0.0, nearer)),
            vain=vain | stuck,
            last=jnp.where(feasible & ~over, chosen, -1),
            step=state.step + 1,
            over=over,
        )

    nothing = jnp.zeros(count, bool)
    begin = _Search(~nonnegative, jnp.zeros_like(target), nothing, jnp.int32(-1), jnp.int32(0), jnp.bool_(False))
    end = jax.lax.while_loop(lambda state: ~state.over & (state.step < 3 * count + 10), advance, begin)
    return jnp.where(nonnegative, jnp.maximum(end.values, 0.0), end.values) / scale


def joint(
    layers: Callable[[Array], Array],
    q: Array,
    data: Array,
    weight: Array,
    nonnegative: tuple[bool, ...],
    *,
    model: Callable[[Array, Array], Array] | None = None,
    penalty: Array | None = None,
    nuisance: Array | None = None,
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
        nuisance: U (N, H W) of `whitened_nuisance`, over which the equations are marginalised.
    """
    count = q.shape[0]
    if model is None:
        images, push = jax.linearize(layers, q)
    else:
        images = layers(q)
    basis = (images * weight).reshape(images.shape[0], -1)
    target = (data * weight).reshape(-1)
    shared = None if nuisance is None else basis @ nuisance.T
    gram, right = basis @ basis.T, basis @ target
    if nuisance is not None and shared is not None:
        gram, right = gram - shared @ shared.T, right - shared @ (nuisance @ target)
    a = amplitudes_of(gram if penalty is None else gram + penalty, right, jnp.asarray(nonnegative))
    units = jnp.eye(count, dtype=q.dtype)
    if model is None:
        moved = jax.vmap(lambda unit: jnp.tensordot(a, push(unit), axes=1))(units)
    else:
        moved = jax.vmap(jax.linearize(lambda q: model(q, a), q)[1])(units)
    columns = (moved * weight).reshape(count, -1)
    residual = a @ basis - target
    square, cross, chi2 = columns @ columns.T, columns @ basis.T, residual @ residual
    toward, pull = columns @ residual, basis @ residual
    if nuisance is not None and shared is not None:
        along, left = columns @ nuisance.T, nuisance @ residual
        square, cross, chi2 = square - along @ along.T, cross - along @ shared.T, chi2 - left @ left
        toward, pull = toward - along @ left, pull - shared @ left
    cost = chi2
    if penalty is not None:
        gram, pull, cost = gram + penalty, pull + penalty @ a, chi2 + a @ penalty @ a
    matrix = jnp.block([[square, cross], [cross.T, gram]])
    return Joint(matrix, jnp.concatenate([toward, pull]), cost, a, chi2)


def whitened_nuisance(layers: Array, weight: Array) -> Array:
    """U (N, H W) of layers (N, H, W) whose amplitudes have a normal prior of standard deviation 1: the inverse of the covariance of noise
    and layers is 1 − UᵀU in units of the noise, 1/`weight` (H, W)."""
    own = (layers * weight).reshape(layers.shape[0], -1)
    factor = jnp.linalg.cholesky(own @ own.T + jnp.eye(layers.shape[0], dtype=own.dtype))
    return jax.scipy.linalg.solve_triangular(factor, own, lower=True)


def nuisance_root(nuisance: Array) -> Array:
    """V (N, H W) of U of `whitened_nuisance`, with (1 − VᵀV)² = 1 − UᵀU: whitens noise and layers together."""
    eigenvalues, axes = jnp.linalg.eigh(nuisance @ nuisance.T)
    part = jnp.clip(eigenvalues, 0.0, 1.0)
    factor = jnp.where(part > 1e-6, (1.0 - jnp.sqrt(1.0 - part)) / jnp.where(part > 1e-6, part, 1.0), 0.5)
    return jnp.asarray((axes * jnp.sqrt(factor)).T @ nuisance)


def projected(equations: Joint, fitted: int) -> Normal:
    """The normal equations in q alone, (F,): amplitudes above zero follow their best values."""
    a = equations.amplitudes
    active = jnp.where(a != 0, 1.0, 0.0).astype(a.dtype)
    cross = equations.matrix[:fitted, fitted:] * active
    inner = equations.matrix[fitted:, fitted:] * (active[:, None] * active[None, :])
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(inner), 1e-30))
    inner = inner / (scale[:, None] * scale[None, :]) + jnp.diag(_RIDGE[str(inner.dtype)] + (1.0 - active))
    followed = cross / scale
    matrix = equations.matrix[:fitted, :fitted] - followed @ jnp.linalg.solve(inner, followed.T)
    return Normal(equations.cost, 0.5 * (matrix + matrix.T), equations.gradient[:fitted])
