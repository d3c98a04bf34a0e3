"""The general fit: any composed problem, any instrument, any noise model.

Every start descends on a coarse copy of the observation; the best distinct ones descend on the observation itself; the best of these is
finished in float64. The fit knows images of unit flux as a function of numbers without bounds, and whitened residuals: no name of a
parameter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.compiled import quick_jit
from lensjax.infer import batches
from lensjax.infer.levenberg_marquardt import CONVERGED, Descent, descend
from lensjax.infer.linear import Joint, joint, projected, whitened_nuisance
from lensjax.infer.objective import Normal
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.observed import Observed, quick_rows
from lensjax.problems.compose import Composition

_REACH = 12.0  # of every number, either way: far beyond any prior
COARSE_SIDE = 96
"""Pixels from which the coarse copy is binned."""
_COARSE_STEPS, _FURTHER_STEPS, _FINE_STEPS, _EXACT_STEPS = 25, 100, 60, 12  # further: of the coarse descents that go on
_COARSE_TOLERANCE, _FINE_TOLERANCE, _EXACT_TOLERANCE = 0.3, 1e-2, 1e-3  # in chi²
_DAMPED = 1e-3  # of the diagonal: the damping of a step after one that failed
_PROMISE = 0.1  # of chi², below which a fit has converged
KEPT = 3
"""Distinct coarse optima that descend on the observation itself."""
_WORSE = 3.0  # times the best coarse chi², beyond which an optimum is no candidate
_SAME = 0.05  # distance in the numbers, within which two optima are one


@dataclass(frozen=True)
class Optimum:
    """The end of a descent on the observation, in float64.

    Attributes:
        numbers: (E,).
        amplitudes: (K,) linear amplitudes.
        covariance: (E + K, E + K) of numbers and amplitudes, for the noise model; amplitudes at zero have none.
        chi2: sum of squared whitened residuals.
        cost: the same, with the priors of numbers and amplitudes.
        pixels: how many pixels are used.
        code: of the descent, see `levenberg_marquardt.STATUS`.
        model: (H, W) the light.
        residual: (H, W) whitened, (data − model)/σ, without the nuisance of best amplitudes; 0 where masked.
    """

    numbers: np.ndarray
    amplitudes: np.ndarray
    covariance: np.ndarray
    chi2: float
    cost: float
    pixels: int
    code: int
    model: np.ndarray
    residual: np.ndarray


class Belief(NamedTuple):
    """What is known of the numbers beforehand, in place of the problem's own prior: mean (E,) and inverse variance (E,), 0 for nothing; and
    by which factor the penalty of the linear amplitudes is stronger than the problem's."""

    mean: Array
    precision: Array
    strength: Array | float = 1.0


def descent(
    observed: Observed, light: Array, belief: Belief | None, start: Array, *, problem: Composition, steps: int, tolerance: float
) -> Descent:
    """The descent from a start (E,), with the noise of the light (H, W)."""
    bound = jnp.full(start.shape, _REACH, start.dtype)
    weight = weight_of(observed, light)
    at = partial(equations_at, problem, observed, weight=weight, nuisance=nuisance_of(observed, weight), belief=belief)

    def evaluate(q: Array) -> Normal:
        return projected(at(q), start.shape[0])

    # A belief holds the numbers that the image leaves open. There Marquardt's damping does as well, and rather leaves the end of a range.
    return descend(evaluate, start, -bound, bound, steps=steps, tolerance=tolerance, alike=belief is None)


def nuisance_of(observed: Observed, weight: Array) -> Array | None:
    """The nuisance of an observation, whitened, see `linear.whitened_nuisance`; None without."""
    return None if observed.nuisance is None else whitened_nuisance(observed.nuisance, weight)


def equations_at(
    problem: Composition, observed: Observed, q: Array, weight: Array, nuisance: Array | None = None, belief: Belief | None = None
) -> Joint:
    """Joint normal equations at numbers (E,), with the normal priors of amplitudes and numbers in all but chi².

    Args:
        problem: the problem.
        observed: the observation.
        q: numbers (E,).
        weight: (H, W), 1/σ; 0 where a pixel is masked.
        nuisance: the observation's, of `linear.whitened_nuisance`.
        belief: in place of the problem's normal prior.
    """
    taken = observed.instrument
    penalty = problem.penalty(total_flux(observed))
    if penalty is not None and belief is not None:
        penalty = penalty * jnp.asarray(belief.strength, penalty.dtype)
    found = joint(
        partial(problem.layers, instrument=taken),
        q,
        observed.data,
        weight,
        problem.nonnegative,
        model=partial(problem.model, instrument=taken) if problem.has_sets else None,
        penalty=penalty,
        nuisance=nuisance,
    )
    prior = problem.normal_prior(q.dtype) if belief is None else belief
    if prior is None:
        return found
    mean, narrow = prior[:2]
    count, off = q.shape[0], q - mean
    return found._replace(
        matrix=found.matrix.at[:count, :count].add(jnp.diag(narrow)),
        gradient=found.gradient.at[:count].add(narrow * off),
        cost=found.cost + narrow @ (off * off),
    )


def equations_of(problem: Composition, observed: Observed, numbers: Array, belief: Belief | None) -> Joint:
    """As `equations_at`, with the noise of the data."""
    weight = weight_of(observed, observed.data)
    return equations_at(problem, observed, numbers, weight, nuisance_of(observed, weight), belief)


equations = quick_jit(equations_of, static_argnames="problem")
"""`equations_of`, compiled."""


def total_flux(observed: Observed) -> Array:
    """The total flux of the pixels that are brighter than three times the noise, or else of all."""
    light = jnp.where(observed.mask, jnp.abs(observed.data), 0.0)
    bright = jnp.where(light > 3.0 * observed.noise.sigma(observed.data), light, 0.0).sum()
    return jnp.where(bright > 0, bright, jnp.maximum(light.sum(), 1e-30)) * observed.instrument.pixel_scale**2


class _End(NamedTuple):
    """What a descent ends with, finished: numbers (E,), joint normal equations there, model and whitened residual (H, W), and whether
    another step promises nothing more."""

    numbers: Array
    equations: Joint
    model: Array
    residual: Array
    converged: Array


def _finished(observed: Observed, belief: Belief | None, start: Array, *, problem: Composition) -> _End:
    """Gauss–Newton steps from numbers (E,), with the noise of the model itself."""
    count = start.shape[0]
    at = partial(equations_at, problem, observed, belief=belief)

    def light(q: Array, amplitudes: Array) -> Array:
        return jnp.tensordot(amplitudes, problem.layers(q, observed.instrument), axes=1)

    first = at(start, weight_of(observed, observed.data))
    weight = weight_of(observed, light(start, first.amplitudes))
    nuisance = nuisance_of(observed, weight)

    def move_of(equations: Joint, damping: Array) -> tuple[Array, Array]:
        """The Gauss–Newton step, damped, and how much it promises to lower the cost."""
        normal = projected(equations, count)
        scale = jnp.sqrt(jnp.maximum(jnp.diagonal(normal.matrix), 1e-20))
        scaled = normal.matrix / jnp.outer(scale, scale) + (1e-9 + damping) * jnp.eye(count, dtype=start.dtype)
        move = -jnp.linalg.solve(scaled, normal.gradient / scale) / scale
        return move, -(move @ normal.gradient)

    def step(state: tuple[Array, Joint, Array, Array, Array]) -> tuple[Array, Joint, Array, Array, Array]:
        q, equations, taken, damping, _ = state
        first = taken == 0
        move, promise = move_of(equations, damping)
        trial = jnp.where(first, q, q + move)
        there = at(trial, weight, nuisance)
        gain = equations.cost - there.cost
        better = first | (gain > 0)
        q, equations = jax.tree.map(partial(jnp.where, better), (trial, there), (q, equations))
        # A step that fails is damped and tried again, in a valley that is curved; but not where it would gain nothing.
        left = first | jnp.where(better, (gain > _EXACT_TOLERANCE) | (damping > _DAMPED), promise > _EXACT_TOLERANCE)
        eased = jnp.where(damping > _DAMPED, 0.1 * damping, 0.0)
        return q, equations, taken + 1, jnp.where(better, eased, jnp.maximum(10.0 * damping, _DAMPED)), left

    none = jnp.zeros((), start.dtype)
    begin = (start, first._replace(cost=jnp.full_like(first.cost, jnp.inf)), jnp.int32(0), none, jnp.bool_(True))
    most = _FINE_STEPS if problem.has_sets else _EXACT_STEPS
    q, equations, *_ = jax.lax.while_loop(lambda state: state[-1] & (state[2] <= most), step, begin)
    model = light(q, equations.amplitudes)
    residual = (observed.data - model) * weight
    if nuisance is not None:
        residual -= ((nuisance @ residual.reshape(-1)) @ nuisance).reshape(residual.shape)
    return _End(q, equations, model, residual, move_of(equations, none)[1] < _PROMISE)


def fine(problem: Composition) -> dict[str, Any]:
    """Options of `descent` on an observation itself."""
    return {"problem": problem, "steps": _FINE_STEPS, "tolerance": _FINE_TOLERANCE}


def rough(problem: Composition) -> dict[str, Any]:
    """Options of `descent` on a coarse copy."""
    return {"problem": problem, "steps": _COARSE_STEPS, "tolerance": _COARSE_TOLERANCE}


def coarse(observed: Observed, *, side: int = COARSE_SIDE) -> Observed:
    """A copy of at most about `side` px on a side, one point a pixel; of small images the same pixels."""
    plain = replace(observed.instrument, supersampling=1, refinement=0, refined=0)
    factor = max(1, round(max(plain.shape) / side))
    if factor == 1:
        return replace(observed, instrument=plain)
    rows, columns = (n // factor * factor for n in plain.shape)

    def blocks(array: np.ndarray) -> np.ndarray:
        return array[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor)

    data, mask = np.asarray(observed.data, np.float64), np.asarray(observed.mask)
    variance = np.asarray(observed.noise.sigma(observed.data), np.float64) ** 2
    weight = np.where(mask, 1.0 / variance, 0.0)
    total = blocks(weight).sum(axis=(1, 3))
    used = total > 0
    mean = blocks(weight * data).sum(axis=(1, 3)) / np.where(used, total, 1.0)
    middle = ((plain.middle[0] + 0.5) / factor - 0.5, (plain.middle[1] + 0.5) / factor - 0.5)
    taken = replace(
        plain,
        shape=(rows // factor, columns // factor),
        pixel_scale=plain.pixel_scale * factor,
        middle=middle,
        psf=None if plain.psf is None else _binned_psf(np.asarray(plain.psf), factor),
    )
    dtype = observed.data.dtype
    sigma = 1.0 / np.sqrt(np.where(used, total, 1.0))
    layers = None
    if observed.nuisance is not None:
        binned = [blocks(np.asarray(layer, np.float64) * weight).sum(axis=(1, 3)) for layer in observed.nuisance]
        layers = jnp.asarray(np.stack(binned) / np.where(used, total, 1.0), dtype)
    return Observed(jnp.asarray(mean, dtype), jnp.asarray(used), GaussianNoise(jnp.asarray(sigma, dtype)), taken, layers)


def _binned_psf(psf: np.ndarray, factor: int) -> Array | None:
    """The PSF in pixels `factor` times as large; None where it is narrower than one of them."""
    if factor % 2 == 0:  # its middle lies between two pixels then
        padded = np.pad(psf, ((0, 1), (0, 1)))
        psf = np.mean([np.roll(padded, (i, j), axis=(0, 1)) for i in (0, 1) for j in (0, 1)], axis=0)
    half = [max(0, -(-(n - factor) // (2 * factor))) for n in psf.shape]
    if max(half) == 0:
        return None
    size = [(2 * h + 1) * factor for h in half]
    wide = np.zeros(size)
    first = [(s - n) // 2 for s, n in zip(size, psf.shape, strict=True)]
    wide[first[0] : first[0] + psf.shape[0], first[1] : first[1] + psf.shape[1]] = psf
    small = wide.reshape(2 * half[0] + 1, factor, 2 * half[1] + 1, factor).sum(axis=(1, 3))
    return jnp.asarray(small / small.sum(), psf.dtype)


def weight_of(observed: Observed, light: Array) -> Array:
    """1/σ (H, W) with the noise of a light (H, W); 0 where a pixel is masked."""
    return jnp.where(observed.mask, 1.0 / observed.noise.sigma(light), 0.0)


def descents(
    observations: Sequence[Observed],
    starts: Sequence[np.ndarray],
    *,
    static: Mapping[str, Any],
    beliefs: Sequence[Belief | None] | None = None,
    batch: int | None = None,
) -> list[Descent]:
    """Each observation's descents (S,) from its starts (S, E), in float32 and as NumPy arrays; `static` is `fine` or `rough`."""
    known = [None] * len(observations) if beliefs is None else beliefs
    tasks: list[batches.Task] = [
        ((seen, seen.data, None if own is None else _cast(own, jnp.float32)), np.asarray(part, np.float32))
        for seen, own, part in zip(map(quick_rows, observations), known, starts, strict=True)
    ]
    return batches.run(descent, tasks, static=static, batch=batch)


def search(
    problem: Composition,
    observations: Sequence[Observed],
    starts: Sequence[np.ndarray],
    *,
    beliefs: Sequence[Belief | None] | None = None,
    batch: int | None = None,
    side: int = COARSE_SIDE,
    kept: int = KEPT,
    further: int = 0,
) -> list[list[np.ndarray]]:
    """Each observation's best distinct coarse optima, best first and `kept` at most: numbers (E,) each; its starts are (S, E).

    The `further` best of the coarse descents go on, as along a curved valley.
    """
    small = [coarse(observed, side=side) for observed in observations]
    found = descents(small, starts, static=rough(problem), beliefs=beliefs, batch=batch)
    if further:
        best = [np.asarray(part.fit)[np.argsort(np.nan_to_num(part.normal.cost, nan=np.inf))[:further]] for part in found]
        found = descents(small, best, static=rough(problem) | {"steps": _FURTHER_STEPS}, beliefs=beliefs, batch=batch)
    orders = np.array(problem.orders())[:, : problem.size]
    return [distinct(part, kept, orders) for part in found]


def distinct(found: Descent, most: int, orders: np.ndarray | None = None, *, worse: float = _WORSE) -> list[np.ndarray]:
    """The best distinct ends (E,) of descents (S,), best first and `most` at most; none of `worse` times the cost of the best.

    Ends that differ by one of the `orders` (O, E) of their numbers are the same.
    """
    costs, numbers = np.asarray(found.normal.cost, np.float64), np.asarray(found.fit, np.float64)
    kept: list[np.ndarray] = []
    for k in np.argsort(np.where(np.isfinite(costs), costs, np.inf)):
        if not np.isfinite(costs[k]) or costs[k] > worse * np.nanmin(costs) + 100.0 or len(kept) == most:
            break
        same = numbers[k][None] if orders is None else numbers[k][orders]
        if all(np.abs(same - other).max(axis=1).min() > _SAME for other in kept):
            kept.append(numbers[k])
    return kept


def descend_from(
    problem: Composition,
    observations: Sequence[Observed],
    starts: Sequence[Sequence[np.ndarray]],
    *,
    beliefs: Sequence[Belief | None] | None = None,
    batch: int | None = None,
) -> list[list[Optimum]]:
    """Each observation's descents on the observation itself from starts (E,), finished in float64; best first."""
    rows = [np.reshape(part, (-1, problem.size)) for part in starts]
    if not sum(map(len, rows)):
        return [[] for _ in observations]
    found = descents(observations, rows, static=fine(problem), beliefs=beliefs, batch=batch)
    usable = [np.flatnonzero(np.isfinite(part.normal.cost)) for part in found]
    if not sum(map(len, usable)):
        return [[] for _ in observations]
    with jax.enable_x64(True):
        known = [None] * len(observations) if beliefs is None else beliefs
        tasks: list[batches.Task] = [
            ((in_double(quick_rows(observed)), None if own is None else _cast(own, jnp.float64)), np.asarray(part.fit, np.float64)[chosen])
            for observed, own, part, chosen in zip(observations, known, found, usable, strict=True)
        ]
        ends = batches.run(_finished, tasks, static={"problem": problem}, batch=batch)
    optima = []
    for observed, part, chosen, end in zip(observations, found, usable, ends, strict=True):
        pixels = int(np.asarray(observed.mask).sum())
        columns = observed.instrument.shape[1]
        own = [_optimum(problem, _row(end, k), pixels, columns, int(part.code[row])) for k, row in enumerate(chosen)]
        optima.append(sorted(own, key=lambda optimum: optimum.cost))
    return optima


def in_double(observed: Observed) -> Observed:
    """The same in float64, under `jax.enable_x64`."""
    tree: Observed = jax.tree.map(lambda leaf: leaf if jnp.result_type(leaf) == jnp.bool_ else jnp.asarray(leaf, jnp.float64), observed)
    return tree


def _cast(belief: Belief, dtype: Any) -> Belief:
    return Belief(*(jnp.asarray(part, dtype) for part in belief))


def _row(end: _End, k: int) -> _End:
    row: _End = jax.tree.map(lambda leaf: leaf[k], end)
    return row


def _optimum(problem: Composition, end: _End, pixels: int, columns: int, code: int) -> Optimum:
    amplitudes = np.asarray(end.equations.amplitudes)
    return Optimum(
        numbers=np.asarray(end.numbers),
        amplitudes=amplitudes,
        covariance=_covariance(np.asarray(end.equations.matrix), amplitudes, problem.nonnegative, len(end.numbers)),
        chi2=float(end.equations.chi2),
        cost=float(end.equations.cost),
        pixels=pixels,
        code=CONVERGED if end.converged else code,
        model=np.asarray(end.model)[:, :columns],
        residual=np.asarray(end.residual)[:, :columns],
    )


def _covariance(matrix: np.ndarray, amplitudes: np.ndarray, nonnegative: Sequence[bool], count: int) -> np.ndarray:
    """The inverse of the joint information matrix; without the amplitudes that stand at zero."""
    at_zero = np.asarray(nonnegative) & (amplitudes == 0)
    free = np.r_[np.ones(count, bool), ~at_zero]
    part = matrix[np.ix_(free, free)]
    covariance = np.zeros_like(matrix)
    scale = np.sqrt(np.maximum(np.diag(part), 1e-30))
    eigenvalues, axes = np.linalg.eigh(part / np.outer(scale, scale))
    inverse = axes / np.maximum(eigenvalues, 1e-12) @ axes.T
    covariance[np.ix_(free, free)] = inverse / np.outer(scale, scale)
    return covariance
