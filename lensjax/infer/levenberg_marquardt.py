"""Levenberg–Marquardt with Nielsen's damping (Madsen, Nielsen & Tingleff 2004, "Methods for non-linear least squares", alg. 3.16)."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.infer.objective import Normal

CONVERGED, STUCK, AT_BOUND, NOT_FINITE = 0, 1, 2, 3
STATUS = {CONVERGED: "converged", STUCK: "stuck", AT_BOUND: "at a bound", NOT_FINITE: "not finite"}
"""Meaning of a descent's code. Stuck: out of steps, or not even a short step lowers the cost. Not finite: the start, or the cost or
a derivative there."""

_State = tuple[Array, Normal, Array, Array, Array, Array]
_LEAST, _LARGEST, _BEGIN, _BEGIN_ALIKE = 1e-7, 1e8, 1e-3, 1e-1
"""Damping at the least, at most, and to begin with; also of parameters of one scale."""
_RUNNING = -1


class Descent(NamedTuple):
    """Where a descent ended: parameters (F,), cost, normal equations there, steps taken, and a code of `STATUS`."""

    fit: Array
    normal: Normal
    steps: Array
    code: Array


def descend(
    evaluate: Callable[[Array], Normal],
    start: Array,
    lowest: Array,
    highest: Array,
    *,
    steps: int | Array,
    tolerance: float | Array,
    alike: bool = False,
) -> Descent:
    """Descend from `start` (F,) within the bounds; jit-able; map it with `jax.lax.map`, not `jax.vmap`.

    Args:
        evaluate: parameters → normal equations.
        start: initial parameters, moved within the bounds.
        lowest, highest: bounds (F,).
        steps: evaluations at most; with 0 the start is returned, at infinite cost.
        tolerance: converged when an accepted step, or the next one proposed, lowers the cost by less than this.
        alike: whether parameters are of one scale. Then each is damped by the geometric mean of its own diagonal of the matrix and the
            largest, otherwise by its own (Marquardt). In a curved valley that keeps steps short along it, where the cost is flat.
    """

    def proposal(fit: Array, normal: Normal, damping: Array) -> Array:
        scale = jnp.sqrt(jnp.maximum(jnp.diagonal(normal.matrix), 1e-20))
        scaled = normal.matrix / (scale[:, None] * scale[None, :])
        matrix = scaled + damping * jnp.diag(scale.max() / scale if alike else jnp.ones_like(scale))
        factor = jax.scipy.linalg.cho_factor(matrix)
        move = -jax.scipy.linalg.cho_solve(factor, normal.gradient / scale) / scale
        move = jnp.where(jnp.isfinite(move), move, 0.0)
        return jnp.clip(fit + move, lowest, highest)

    def body(state: _State) -> _State:
        fit, normal, damping, growth, count, _ = state
        first = count == 0  # the start itself is the first trial, so that there is one evaluation to compile
        trial = jnp.where(first, start, proposal(fit, normal, damping))
        move = trial - fit
        predicted = -(2.0 * move @ normal.gradient + move @ normal.matrix @ move)
        there = evaluate(trial)
        gain = normal.cost - there.cost
        finite = jnp.isfinite(there.cost) & jnp.isfinite(there.gradient).all() & jnp.isfinite(there.matrix).all()
        better = first | (finite & (gain > 0))
        ratio = gain / jnp.maximum(predicted, 1e-30)
        eased = damping * jnp.maximum(1.0 / 9.0, 1.0 - (2.0 * jnp.clip(ratio, 0.0, 1.0) - 1.0) ** 3)
        done = (better & (gain < tolerance) & (ratio > 0.25)) | (jnp.abs(predicted) < 0.1 * tolerance)
        code = jnp.where(done, CONVERGED, jnp.where(damping > _LARGEST, STUCK, _RUNNING))
        code = jnp.where(first, jnp.where(finite, _RUNNING, NOT_FINITE), code)

        def pick(new: Array, old: Array) -> Array:
            return jnp.where(better, new, old)

        return (
            pick(trial, fit),
            jax.tree.map(pick, there, normal),
            jnp.where(first, damping, jnp.where(better, jnp.maximum(eased, _LEAST), damping * growth)),
            jnp.where(better, 2.0, growth * 2.0).astype(fit.dtype),
            count + 1,
            code.astype(jnp.int32),
        )

    start = jnp.clip(start, lowest, highest)
    size, dtype = start.shape[0], start.dtype
    nothing = Normal(jnp.full((), jnp.inf, dtype), jnp.eye(size, dtype=dtype), jnp.zeros(size, dtype))
    zero = jnp.zeros((), jnp.int32)
    begin = jnp.asarray(_BEGIN_ALIKE if alike else _BEGIN, dtype)
    first = (start, nothing, begin, jnp.asarray(2.0, dtype), zero, zero + _RUNNING)
    fit, normal, _, _, count, code = jax.lax.while_loop(lambda state: (state[-1] == _RUNNING) & (state[-2] < steps), body, first)
    bounded = (code != NOT_FINITE) & jnp.any((fit <= lowest) | (fit >= highest))
    code = jnp.where(bounded, AT_BOUND, jnp.where(code == _RUNNING, STUCK, code)).astype(jnp.int32)
    return Descent(fit, normal, count, code)
