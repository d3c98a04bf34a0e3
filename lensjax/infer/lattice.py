"""Fits of images that CosmoSim drew: its lattice of whole source pixels as a known error.

CosmoSim draws the source on whole pixels and looks each image pixel up at the lattice point to its lower right (`simulate.lattice`). A
smooth model is therefore half a pixel off in the source plane, which is corrected, and wrong by the source's change over part of a pixel:
an error of variance (S_x² + S_y²)/12, with S_x and S_y the change of light by one pixel of the source plane. Neighbouring image pixels
share lattice points, so that these errors are correlated; the errors of the parameters grow by the measured correlation.
Saturated pixels are masked. Rounding is no noise where the light changes slowly: the fit is to what the model would be rounded to, on
average. Lenses of several members start from draws of their prior, and the prior counts in their fits.
"""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import special

from lensjax.conventions import GREY_LEVELS, ROUNDING_VARIANCE
from lensjax.infer import arcs, drawn, fit
from lensjax.infer.estimation import Fitted, solution_of
from lensjax.infer.fit import Belief, Optimum
from lensjax.infer.solution import Solution
from lensjax.observation.instrument import Instrument, instrument
from lensjax.observation.observed import Observed, observe
from lensjax.problems.compose import Composition

_ROUGH = (1.0, 0.15)  # noise of the first fit: grey levels, and a fraction of the light
_STARTS = (12, 36)  # from the bright pixels, of the first search and of a second one where the first does not explain the image
_DRAWN = 96  # starts of several lenses, from draws of the prior
_FURTHER, _KEPT = 24, 6  # of them the best coarse ends that go on, and the distinct ones that are fitted to the image itself
_LAST = 2  # of these, best first, that have the errors and the rounding of the round before
_WANDERINGS, _WANDER = 2, 0.3  # further searches about the best optimum; in Einstein radii, and in the numbers of a fit
_EXPLAINED = 1.6  # chi² of a lit pixel below which no further search is needed
_WORSE = 2.0  # times the best chi², beyond which an optimum is not fitted again
_SUPERSAMPLING = 2  # of the last fit
_LIT = 0.5  # grey level from which a pixel counts as lit
_STAIRS, _SMOOTH = 8, 0.7  # grey levels of the staircase about a pixel, and the error from which it is a slope
_LAGS = 8  # px up to which residuals correlate
_UNSEEN = 2.0  # times the variance of the parameters: what neither shows, as 100 images of CosmoSim have it
_BLOCK = 16  # px, beyond which errors of pixels count as independent
_MOST_CHI2 = 3.0  # per lit pixel: the error is not normal, and its variance known to a factor
_DETERMINED = 0.03  # relative error of the Einstein radius, above which the lattice's error cannot be taken as linear noise
_HALF = 0.5  # px


@partial(jax.jit, static_argnames="problem")
def _changes(problem: Composition, taken: Instrument, numbers: Array, amplitudes: Array) -> tuple[Array, Array]:
    """Change (H, W) of the light as all sources move by one pixel, along x and along y."""

    def moved(x: float, y: float) -> Array:
        return jnp.tensordot(amplitudes, problem.layers(numbers, taken, shift=(x, y)), axes=1)

    return moved(_HALF, 0.0) - moved(-_HALF, 0.0), moved(0.0, _HALF) - moved(0.0, -_HALF)


def error_map(problem: Composition, taken: Instrument, optimum: Optimum) -> np.ndarray:
    """Standard deviation (H, W) [grey levels] of CosmoSim's pixels about a smooth model: of the lattice and of rounding."""
    numbers, amplitudes = (jnp.asarray(part, jnp.float32) for part in (optimum.numbers, optimum.amplitudes))
    x, y = (np.asarray(part, np.float64) for part in _changes(problem, taken, numbers, amplitudes))
    return np.sqrt((x**2 + y**2) / 12.0 + ROUNDING_VARIANCE)


@partial(jax.jit, static_argnames="problem")
def _scores(problem: Composition, observed: Observed, numbers: Array, amplitudes: Array, level: Array, residual: Array) -> Array:
    """(B, E + K): for each block of pixels the sum of the whitened residual (H, W) times its derivatives by numbers and amplitudes."""
    taken = observed.instrument

    def model(q: Array, a: Array) -> Array:
        return jnp.tensordot(a, problem.layers(q, taken), axes=1)

    def moved(unit: Array) -> Array:
        change: Array = jax.jvp(lambda q: model(q, amplitudes), (numbers,), (unit,))[1]
        return change

    slopes = jnp.concatenate([jax.lax.map(moved, jnp.eye(numbers.shape[0], dtype=numbers.dtype)), problem.layers(numbers, taken)])
    score = slopes * jnp.where(observed.mask, residual / level, 0.0)
    rows, columns = (n // _BLOCK * _BLOCK for n in taken.shape)
    blocks = score[:, :rows, :columns].reshape(len(score), rows // _BLOCK, _BLOCK, columns // _BLOCK, _BLOCK)
    return blocks.sum(axis=(2, 4)).reshape(len(score), -1).T


def growth(covariance: np.ndarray, scores: np.ndarray) -> float:
    """By how much the variance of parameters exceeds their covariance (P, P) of independent pixels: that of the scores (B, P), mean over
    the parameters; 1 or more.

    The sandwich of Huber (1967), with blocks that count as independent.
    """
    told = int((np.abs(scores).max(axis=1) > 0).sum())
    free = len(covariance)
    mean = float(np.einsum("bi,ij,bj->", scores, covariance, scores)) / free
    return max(mean * told / max(told - free, 0.5 * told, 1.0), 1.0)


def correlation(residual: np.ndarray, lit: np.ndarray, *, lags: int = 4) -> float:
    """How many times the variance of a mean of whitened residuals (H, W) exceeds that of independent ones: Σ ρ over `lags`; 1 or more."""
    inside = np.where(lit, residual, 0.0)
    variance = (inside**2).sum() / max(lit.sum(), 1)
    total = 1.0
    for dr in range(-lags, lags + 1):
        for dc in range(-lags, lags + 1):
            if (dr, dc) > (0, 0):
                pairs = lit & np.roll(lit, (dr, dc), (0, 1))
                shared = (inside * np.roll(inside, (dr, dc), (0, 1)))[pairs].sum() / max(pairs.sum(), 1)
                total += 2.0 * shared / max(variance, 1e-12)
    return max(float(total), 1.0)


def estimate(
    problem: Composition, image: np.ndarray, *, guess: np.ndarray | None = None, lattice: bool = True, batch: int | None = None
) -> Fitted:
    """Fits an 8-bit image (n, n) that CosmoSim drew.

    Args:
        problem: what the image shows.
        image: whole grey levels 0…255.
        guess: parameters (P,) to start from too, such as a network's; starts from the image are made in any case.
        lattice: whether the lattice is taken into account; otherwise rounding is the only noise, and the source stays where it is drawn.
        batch: how many descents run at once; by default as many as suit the device.
    """
    image = np.asarray(image, np.float64)
    given = None if guess is None else np.asarray(problem.encode(jnp.asarray(problem.within(guess), jnp.float32)), np.float64)
    outcome = Fitted(Solution.failed(problem.names, "no light stands out of the noise", coordinates=problem.size), None)
    several = problem.lens_count > 1
    known = drawn.belief(problem) if several or problem.prior is not None else None
    searches = 1 if several else len(_STARTS)
    for attempt in range(searches + _WANDERINGS):
        if attempt < searches:
            rows = _drawn_starts(problem, image, given) if several else _bright_starts(problem, image, given, count=_STARTS[attempt])
        elif outcome.best is not None:
            rows = _around(problem, outcome.best, np.random.default_rng(attempt))
        if not len(rows):
            break
        again = _fitted(problem, image, rows, known, lattice=lattice, batch=batch)
        if again.best is not None and (outcome.best is None or again.solution.chi2[0] < outcome.solution.chi2[0]):
            outcome = again
        if outcome.best is None or outcome.solution.chi2[0] < _EXPLAINED:
            break
    return outcome


def _bright_starts(problem: Composition, image: np.ndarray, given: np.ndarray | None, *, count: int) -> np.ndarray:
    """Starts (count, E) from the bright pixels, and one that is given; (0, E) where there are none."""
    (low, high), reach = problem.lens_range
    seen = observe(image, np.hypot(_ROUGH[0], _ROUGH[1] * image))
    guesses = arcs.guesses(seen, theta_e=(0.8 * low, 1.1 * high), reach=1.2 * reach, count=count)
    rows = [np.asarray(problem.start(guess), np.float64) for guess in guesses]
    if given is not None:
        rows = [given, *rows][:count]
    return np.stack([*rows, *rows[-1:] * (count - len(rows))]) if rows else np.zeros((0, problem.size))


def _drawn_starts(problem: Composition, image: np.ndarray, given: np.ndarray | None) -> np.ndarray:
    """Starts (count, E) from draws of the prior that look like the image, and one that is given; (0, E) where the image is dark."""
    rows = drawn.nearest(problem, observe(image, np.full(image.shape, _ROUGH[0])), count=_DRAWN, saturation=GREY_LEVELS)
    return rows if given is None or not len(rows) else np.concatenate([given[None], rows[:-1]])


def _around(problem: Composition, best: Optimum, rng: np.random.Generator) -> np.ndarray:
    """Starts (S, E) about an optimum: lattices make many of them, and the best is often near."""
    numbers = np.asarray(best.numbers)
    values = np.asarray(problem.decode(jnp.asarray(numbers), jnp.asarray(best.amplitudes)), np.float64)
    radii = [k for k, name in enumerate(problem.names) if name.endswith("theta_E")]
    spread = np.full(len(numbers), _WANDER)
    spread[radii] = _WANDER / 3.0
    for place in problem.all_places:
        for k in place:  # a number is its parameter, divided by a length
            spread[k] = _WANDER * values[radii].mean() * abs(numbers[k] / values[k]) if values[k] else 0.0
    return numbers + spread * rng.normal(size=(_STARTS[0], len(numbers)))


def _fitted(problem: Composition, image: np.ndarray, rows: np.ndarray, known: Belief | None, *, lattice: bool, batch: int | None) -> Fitted:
    rough = np.hypot(_ROUGH[0], _ROUGH[1] * image)
    shape = (image.shape[0], image.shape[1])
    plain = instrument(shape)
    seen = observe(image, rough, mask=image < GREY_LEVELS, taken_by=plain)
    several = problem.lens_count > 1
    further, kept = (_FURTHER, _KEPT) if several else (0, fit.KEPT)
    found = fit.search(problem, [seen], [rows], beliefs=[known], batch=batch, further=further, kept=kept)
    optima = fit.descend_from(problem, [seen], found, beliefs=[known], batch=batch)[0]
    again: list[tuple[Optimum, Observed]] = []
    finer = instrument(shape, supersampling=_SUPERSAMPLING)
    rounds = ((plain, kept), (plain, _LAST), (finer, _LAST)) if several else ((plain, kept), (finer, kept), (finer, kept))
    for taken, most in rounds:
        again = []
        for optimum in optima[:most]:
            level = error_map(problem, taken, optimum) if lattice else np.full(image.shape, ROUNDING_VARIANCE**0.5)
            data, mask = image, (image < GREY_LEVELS) & (optimum.model < GREY_LEVELS)
            if lattice:
                data = image + optimum.model - rounded(optimum.model, level)
                mask &= (image > 1) | (optimum.model > _LIT)  # other errors have one sign: that of rounding to 0
            weighed = observe(data, level, mask=mask, taken_by=taken)
            again += [(end, weighed) for end in fit.descend_from(problem, [weighed], [[optimum.numbers]], beliefs=[known], batch=batch)[0]]
        again.sort(key=lambda pair: _reduced(*pair))
        optima = [end for end, seen in again if _reduced(end, seen) < _WORSE * _reduced(*again[0]) + 1.0]
    if not again:
        return Fitted(Solution.failed(problem.names, "no start leads to a finite residual", coordinates=problem.size), None)
    return _judged(problem, *again[0], tuple(optima[1:]), lattice=lattice)


def rounded(model: np.ndarray, level: np.ndarray) -> np.ndarray:
    """What whole grey levels 0, 1, … of a model (H, W) are on average: a staircase, smoothed by all errors but that of rounding.

    Args:
        model: light [grey levels].
        level: standard deviation (H, W) of the image about the model, rounding included.
    """
    spread = np.sqrt(np.maximum(level**2 - ROUNDING_VARIANCE, 1e-6))
    first = np.maximum(np.floor(model) - _STAIRS // 2, 0.0)
    steps = first[..., None] + np.arange(_STAIRS) + 0.5
    mean = first + special.ndtr((model[..., None] - steps) / spread[..., None]).sum(axis=-1)
    return np.where(spread < _SMOOTH, mean, model)


def _reduced(optimum: Optimum, observed: Observed) -> float:
    """chi² of the lit pixels, for one of them."""
    lit = _lit(optimum, observed)
    return float((optimum.residual[lit] ** 2).mean()) if lit.any() else np.inf


def _lit(optimum: Optimum, observed: Observed) -> np.ndarray:
    return np.asarray(observed.mask) & ((optimum.model > _LIT) | (np.asarray(observed.data) > 0))


def _judged(problem: Composition, best: Optimum, observed: Observed, others: tuple[Optimum, ...], *, lattice: bool) -> Fitted:
    chi2 = _reduced(best, observed)
    level = jnp.asarray(observed.noise.sigma(observed.data), jnp.float32)
    at = (jnp.asarray(part, jnp.float32) for part in (best.numbers, best.amplitudes, level, best.residual))
    scores = np.asarray(_scores(problem, observed, *at), np.float64)
    grown = max(growth(best.covariance, scores), correlation(best.residual, _lit(best, observed), lags=_LAGS))
    best = replace(best, covariance=best.covariance * grown * (_UNSEEN if lattice else 1.0))
    limit = _MOST_CHI2 if lattice else 2.0
    residuals = [f"residuals above the noise: chi² {chi2:.2f} per lit pixel"] if chi2 > limit else []
    solution = solution_of(problem, best, residuals)
    radii = [k for k, name in enumerate(problem.names) if name.endswith("theta_E")]
    vague = any(not solution.errors[0, k] <= _DETERMINED * abs(solution.params[0, k]) for k in radii)
    params = solution.params.copy()
    if lattice:
        for x, y in problem.places:
            params[0, x] -= _HALF
            params[0, y] += _HALF
    success, status = solution.success & (not vague), solution.status[0]
    if vague and solution.success[0]:
        status += "; the image does not determine the lens to 3 %"
    solution = replace(solution, params=params, chi2=np.array([chi2]), success=success, status=(status,))
    return Fitted(solution, best, others)
