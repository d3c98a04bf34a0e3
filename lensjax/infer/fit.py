"""The general fit: any composed problem, any instrument, any noise model.

Every start descends on a coarse copy of the observation; the best distinct ones descend on the observation itself; the best of these is
finished in float64. The fit knows images of unit flux as a function of numbers without bounds, and whitened residuals: no name of a
parameter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.infer.levenberg_marquardt import Descent, descend
from lensjax.infer.linear import Joint, joint, projected
from lensjax.infer.objective import Normal
from lensjax.observation.instrument import Instrument
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.observed import Observed
from lensjax.problems.compose import Composition

_REACH = 12.0  # of every number, either way: far beyond any prior
_COARSE_SIDE = 96  # px from which the coarse copy is binned
_COARSE_STEPS, _FINE_STEPS, _EXACT_STEPS = 25, 60, 6
_COARSE_TOLERANCE, _FINE_TOLERANCE = 0.3, 1e-2  # in chi²
_KEPT = 3  # distinct coarse optima that descend on the observation itself
_WORSE = 3.0  # times the best coarse chi², beyond which an optimum is no candidate
_WEIGHTINGS = 2  # of noise that depends on the light: fits with weights from the last model
_SAME = 0.05  # distance in the numbers, within which two optima are one


@dataclass(frozen=True)
class Optimum:
    """The end of a descent on the observation, in float64.

    Attributes:
        numbers: (E,).
        amplitudes: (K,) linear amplitudes.
        covariance: (E + K, E + K) of numbers and amplitudes, for the noise model; amplitudes at zero have none.
        chi2: sum of squared whitened residuals.
        pixels: how many pixels are used.
        code: of the descent, see `levenberg_marquardt.STATUS`.
        model: (H, W) the light.
        residual: (H, W) whitened, (data − model)/σ; 0 where masked.
    """

    numbers: np.ndarray
    amplitudes: np.ndarray
    covariance: np.ndarray
    chi2: float
    pixels: int
    code: int
    model: np.ndarray
    residual: np.ndarray


def batch_size() -> int:
    """How many descents run at once: one on a CPU, where batched gradients are several times slower, many on an accelerator."""
    return 1 if jax.default_backend() == "cpu" else 64


@partial(jax.jit, static_argnames=("problem", "steps", "tolerance", "batch"))
def _descents(
    problem: Composition, instrument: Instrument, data: Array, weight: Array, starts: Array, *, steps: int, tolerance: float, batch: int
) -> Descent:
    """Descents (S,) on one observation, from starts (S, E)."""
    bound = jnp.full(starts.shape[1], _REACH, starts.dtype)

    def one(start: Array) -> Descent:
        def evaluate(q: Array) -> Normal:
            return projected(joint(lambda at: problem.layers(at, instrument), q, data, weight, problem.nonnegative), starts.shape[1])

        return descend(evaluate, start, -bound, bound, steps=steps, tolerance=tolerance)

    descents: Descent = jax.lax.map(one, starts, batch_size=None if batch == 1 else batch)
    return descents


@partial(jax.jit, static_argnames="problem")
def _joint(problem: Composition, instrument: Instrument, data: Array, weight: Array, q: Array) -> tuple[Joint, Array]:
    equations = joint(lambda at: problem.layers(at, instrument), q, data, weight, problem.nonnegative)
    return equations, jnp.tensordot(equations.amplitudes, problem.layers(q, instrument), axes=1)


def coarse(observed: Observed) -> Observed:
    """A copy of at most about `_COARSE_SIDE` px on a side, one point a pixel; of small images the same pixels."""
    plain = replace(observed.instrument, supersampling=1, refinement=0, refined=0)
    factor = max(1, round(max(plain.shape) / _COARSE_SIDE))
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
    return Observed(jnp.asarray(mean, dtype), jnp.asarray(used), GaussianNoise(jnp.asarray(sigma, dtype)), taken)


def _binned_psf(psf: np.ndarray, factor: int) -> Array | None:
    """The PSF in pixels `factor` times as large; None where it is narrower than one of them."""
    half = [-(-(n // 2 - factor // 2) // factor) if n // 2 > factor // 2 else 0 for n in psf.shape]
    if max(half) == 0:
        return None
    size = [(2 * h + 1) * factor for h in half]
    wide = np.zeros(size)
    first = [(s - n) // 2 for s, n in zip(size, psf.shape, strict=True)]
    wide[first[0] : first[0] + psf.shape[0], first[1] : first[1] + psf.shape[1]] = psf
    small = wide.reshape(2 * half[0] + 1, factor, 2 * half[1] + 1, factor).sum(axis=(1, 3))
    return jnp.asarray(small / small.sum(), psf.dtype)


def _weight(observed: Observed, light: Array) -> Array:
    return jnp.where(observed.mask, 1.0 / observed.noise.sigma(light), 0.0)


def search(problem: Composition, observed: Observed, starts: np.ndarray, *, batch: int | None = None) -> list[np.ndarray]:
    """The best distinct coarse optima, best first: numbers (E,) each."""
    small = coarse(observed)
    descents = _descents(
        problem, small.instrument, small.data, _weight(small, small.data), jnp.asarray(starts, jnp.float32),
        steps=_COARSE_STEPS, tolerance=_COARSE_TOLERANCE, batch=batch or batch_size(),
    )  # fmt: skip
    costs, numbers = np.asarray(descents.normal.cost, np.float64), np.asarray(descents.fit, np.float64)
    kept: list[np.ndarray] = []
    for k in np.argsort(np.where(np.isfinite(costs), costs, np.inf)):
        if not np.isfinite(costs[k]) or costs[k] > _WORSE * np.nanmin(costs) + 100.0 or len(kept) == _KEPT:
            break
        if all(np.abs(numbers[k] - other).max() > _SAME for other in kept):
            kept.append(numbers[k])
    return kept


def descend_from(problem: Composition, observed: Observed, starts: Sequence[np.ndarray], *, batch: int | None = None) -> list[Optimum]:
    """Descents on the observation itself, finished in float64; best first."""
    light = observed.data
    optima: list[Optimum] = []
    rows = np.asarray(starts)
    if not len(rows):
        return []
    missing = _KEPT - len(rows)
    padded = np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) if missing > 0 else rows
    descents = _descents(
        problem, observed.instrument, observed.data, _weight(observed, light), jnp.asarray(padded, jnp.float32),
        steps=_FINE_STEPS, tolerance=_FINE_TOLERANCE, batch=batch or batch_size(),
    )  # fmt: skip
    ends, codes, costs = np.asarray(descents.fit), np.asarray(descents.code), np.asarray(descents.normal.cost)
    for k in np.argsort(costs[: len(rows)]):
        if np.isfinite(costs[k]):
            optima.append(finish(problem, observed, ends[k], int(codes[k])))
    return sorted(optima, key=lambda optimum: optimum.chi2)


def finish(problem: Composition, observed: Observed, numbers: np.ndarray, code: int) -> Optimum:
    """Gauss–Newton steps in float64 from the end of a descent, with the noise of the model itself; then the covariance."""
    with jax.enable_x64(True):
        wide: Observed = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64) if leaf.dtype == jnp.float32 else leaf, observed)
        q = jnp.asarray(numbers, jnp.float64)
        light = wide.data
        equations, model = _joint(problem, wide.instrument, wide.data, _weight(wide, light), q)
        light = model
        weight = _weight(wide, light)
        count = len(numbers)
        equations, model = _joint(problem, wide.instrument, wide.data, weight, q)
        for _ in range(_EXACT_STEPS):
            normal = projected(equations, count)
            scale = jnp.sqrt(jnp.maximum(jnp.diagonal(normal.matrix), 1e-20))
            scaled = normal.matrix / jnp.outer(scale, scale) + 1e-9 * jnp.eye(count)
            move = -jnp.linalg.solve(scaled, normal.gradient / scale) / scale
            there, lit = _joint(problem, wide.instrument, wide.data, weight, q + move)
            gain = float(equations.cost - there.cost)
            if not gain > 0:
                break
            q, equations, model = q + move, there, lit
            if gain < 1e-3:
                break
        residual = (wide.data - model) * weight
        return Optimum(
            numbers=np.asarray(q),
            amplitudes=np.asarray(equations.amplitudes),
            covariance=_covariance(np.asarray(equations.matrix), np.asarray(equations.amplitudes), problem.nonnegative, count),
            chi2=float(equations.cost),
            pixels=int(np.asarray(wide.mask).sum()),
            code=code,
            model=np.asarray(model),
            residual=np.asarray(residual),
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
