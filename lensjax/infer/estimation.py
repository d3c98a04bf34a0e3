"""From an observation to a solution: starts, fit, errors and verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np

from lensjax.infer import arcs, fit, verdict
from lensjax.infer.fit import Optimum
from lensjax.infer.levenberg_marquardt import CONVERGED, STATUS
from lensjax.infer.solution import Solution
from lensjax.infer.starts import moments
from lensjax.observation.observed import Observed
from lensjax.problems.components import Guess
from lensjax.problems.compose import Composition

_STARTS = (12, 36)  # of the first search, and of a second one where the first has no success
_DISTINCT = 5.0  # errors, by which another optimum must differ to be another solution
_BEYOND = 5.0  # errors, by which a parameter may lie outside its prior
_ROUND = 4.0  # errors, within which an ellipticity is not told from round


@dataclass(frozen=True)
class Fitted:
    """A fit of one observation.

    Attributes:
        solution: parameters, errors and verdict; one image.
        best: the best optimum; None where nothing could be fitted.
        others: other optima, best first.
    """

    solution: Solution
    best: Optimum | None
    others: tuple[Optimum, ...] = ()


def estimate(problem: Composition, observed: Observed, *, starts: np.ndarray | None = None, batch: int | None = None) -> Fitted:
    """Fits an observation, from the image alone or from starts.

    Args:
        problem: what the image shows.
        observed: the observation.
        starts: (S, E) numbers to start from, such as a network's; by default from the bright pixels.
        batch: how many descents run at once; by default as many as suit the device.
    """
    if starts is not None:
        return _fitted(problem, observed, np.asarray(starts, np.float64), batch)
    outcome = None
    for count in _STARTS:
        own = starts_from_image(problem, observed, count=count)
        if not len(own):
            return Fitted(Solution.failed(problem.names, "no light stands out of the noise", coordinates=problem.size), None)
        again = _fitted(problem, observed, own, batch)
        if outcome is None or outcome.best is None or (again.best is not None and again.best.chi2 < outcome.best.chi2 - 1.0):
            outcome = again
        if outcome.best is not None and verdict.chi2_is_noise(outcome.best.chi2, outcome.best.pixels):
            break
    assert outcome is not None
    return outcome


def starts_from_image(problem: Composition, observed: Observed, *, count: int) -> np.ndarray:
    """Starts (count, E) from the bright pixels of the image; (0, E) where there are none. The last is repeated to make up the number."""
    (low, high), reach = problem.lens_range
    rough = arcs.guesses(observed, theta_e=(0.8 * low, 1.25 * high), reach=1.25 * reach, count=count)
    if not rough:
        return np.zeros((0, problem.size))
    rows = np.stack([np.asarray(problem.start(guess), np.float64) for guess in rough])
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def _fitted(problem: Composition, observed: Observed, starts: np.ndarray, batch: int | None) -> Fitted:
    optima = fit.descend_from(problem, observed, fit.search(problem, observed, starts, batch=batch), batch=batch)
    if not optima:
        return Fitted(Solution.failed(problem.names, "no start leads to a finite residual", coordinates=problem.size), None)
    best, others = optima[0], tuple(optima[1:])
    return Fitted(solution_of(problem, observed, best, others, unlensed(problem, observed, batch)), best, others)


def unlensed(problem: Composition, observed: Observed, batch: int | None) -> float:
    """chi² of the best fit of the same light without a lens."""
    bare = problem.unlensed()
    finer = replace(observed.instrument, supersampling=max(4, observed.instrument.supersampling), refinement=0, refined=0)
    observed = replace(observed, instrument=finer)  # stars are narrower than pixels
    data = np.where(np.asarray(observed.mask), np.asarray(observed.data, np.float64), 0.0)
    sigma = float(np.median(np.asarray(observed.noise.sigma(observed.data))[np.asarray(observed.mask)]))
    centre, spread = moments(np.where(data > 4.0 * sigma, data, 0.0))
    taken = observed.instrument
    offset = np.array([taken.shape[1] / 2 - taken.middle[1], taken.middle[0] - taken.shape[0] / 2])
    x, y = (centre + offset) * taken.pixel_scale
    place = (float(x), float(y))
    size = float(np.linalg.det(spread) ** 0.25) * taken.pixel_scale
    rough = [Guess(theta_e=size, lens=place, source=place, middle=place, size=factor * size) for factor in (0.4, 1.0)]
    rows = np.stack([np.asarray(bare.start(guess), np.float64) for guess in rough])
    optima = fit.descend_from(bare, observed, list(rows), batch=batch)
    return optima[0].chi2 if optima else np.inf


def solution_of(problem: Composition, observed: Observed, best: Optimum, others: Sequence[Optimum], without: float) -> Solution:
    """The solution of a best optimum, given the others and the chi² of the best fit without a lens."""
    values, jacobian = _parameters(problem, best)
    count = len(best.numbers)
    spread = jacobian @ best.covariance @ jacobian.T
    variance = np.diag(spread).copy()
    for q, phi, first in problem.round_shapes():
        z, own = best.numbers[first : first + 2], best.covariance[first : first + 2, first : first + 2]
        if z @ z < _ROUND**2 * np.trace(own):
            variance[phi] = np.inf
            variance[q] = max(variance[q], (2.0 * 0.9) ** 2 * np.trace(own) / (1.0 + z @ z))
    variance = np.where(variance > 0, variance, np.inf)
    errors = np.sqrt(variance)
    width = np.array([p.high - p.low for p in problem.parameters])
    errors = np.where(errors > width, np.inf, errors)
    degrees = best.pixels - count - problem.linear
    own_errors = np.sqrt(np.maximum(np.diag(best.covariance)[:count], 1e-300))
    rivals = [
        _words(problem, other)
        for other in others
        if other.chi2 < best.chi2 + verdict.AS_GOOD and (np.abs(other.numbers - best.numbers) / own_errors).max() > _DISTINCT
    ]
    mask = np.asarray(observed.mask)
    converged = best.code == CONVERGED
    against = verdict.objections(
        best.residual, mask, chi2=best.chi2, degrees=degrees, converged=converged, at_bounds=_out_of_range(problem, best, values, errors),
        rivals=rivals, unlensed=without,
    )  # fmt: skip
    unidentified = [name for name, error in zip(problem.names, errors, strict=True) if not np.isfinite(error)]
    if any(name.endswith("theta_E") for name in unidentified) and "no lens needed" not in against:
        against.append("the image does not determine the lens")
    words = [STATUS[best.code], *against]
    if unidentified:
        words.append("not identifiable: " + " ".join(unidentified))
    bad = ~np.isfinite(errors)
    spread[bad, :] = np.nan
    spread[:, bad] = np.nan
    nothing = np.full((1, len(values)), np.nan)
    return Solution(
        names=problem.names, params=values[None], errors=errors[None], covariance=spread[None], lowest=nothing, highest=nothing,
        bound=errors[None], fit=best.numbers[None], shift=np.full((1, 2), np.nan), chi2=np.array([best.chi2 / max(degrees, 1)]),
        violated=np.full(1, np.nan), slack=np.full(1, np.nan), kind=("least squares",), method=("raytrace",),
        success=np.array([not against]), status=("; ".join(words),),
    )  # fmt: skip


def _out_of_range(problem: Composition, best: Optimum, values: np.ndarray, errors: np.ndarray) -> list[str]:
    """Names of the parameters at an end of their range, or beyond the prior by more than `_BEYOND` errors."""
    beyond = [
        parameter.name
        for parameter, value, error in zip(problem.parameters, values, errors, strict=True)
        if max(parameter.low - value, value - parameter.high) > _BEYOND * error
    ]
    return list(dict.fromkeys((*problem.at_bounds(jnp.asarray(best.numbers)), *beyond)))


def _parameters(problem: Composition, best: Optimum) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (P,) in file units and their Jacobian (P, E + K)."""
    with jax.enable_x64(True):
        count = len(best.numbers)

        def decode(joint: jax.Array) -> jax.Array:
            return problem.decode(joint[:count], joint[count:])

        at = jnp.asarray(np.concatenate([best.numbers, best.amplitudes]))
        return np.asarray(decode(at)), np.asarray(jax.jacfwd(decode)(at))


def _words(problem: Composition, other: Optimum) -> str:
    """The lens of another solution."""
    values, _ = _parameters(problem, other)
    parts = [f"{name} {value:.4g}" for name, value in zip(problem.names, values, strict=True) if name.endswith(("theta_E", "q", "phi"))]
    return ", ".join(parts[:3])
