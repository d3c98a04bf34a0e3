"""From an observation to a solution: starts, fit, errors and verdict."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice, repeat

import jax
import jax.numpy as jnp
import numpy as np

from lensjax.infer import arcs, drawn, fit, verdict
from lensjax.infer.fit import Optimum
from lensjax.infer.levenberg_marquardt import CONVERGED, STATUS
from lensjax.infer.solution import Solution
from lensjax.infer.starts import moments
from lensjax.observation.observed import Observed
from lensjax.problems.components import Guess
from lensjax.problems.compose import Composition

_STARTS = (12, 36)  # from the bright pixels: of the first search, and of a second one where the first does not explain the image
_DRAWN = 96  # of a last one, from draws of the prior
_GROUP = 256  # observations whose descents run together on an accelerator
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
        starts: (S, E) numbers to start from, such as a network's; by default from the bright pixels, and where these do not explain
            the image within the prior, or there are several lenses, from draws of the prior.
        batch: how many descents run at once; by default as many as suit the device.
    """
    return _of_group(problem, [observed], None if starts is None else [starts], batch)[0]


def estimate_each(
    problem: Composition, observations: Iterable[Observed], *, starts: Iterable[np.ndarray] | None = None, batch: int | None = None
) -> Iterator[Fitted]:
    """As `estimate`, for any number of observations: one by one on a CPU; on an accelerator, hundreds of one shape together.

    Args:
        problem: what the images show.
        observations: taken a few at a time. Those that follow each other and have one shape and one kind of noise are fitted together.
        starts: (S, E) numbers for each observation; by default from the bright pixels.
        batch: how many descents run at once; by default as many as suit the device. 1 fits one observation after another.
    """
    alone = batch == 1 or (batch is None and jax.default_backend() == "cpu")
    given: Iterator[np.ndarray | None] = repeat(None) if starts is None else iter(starts)
    pairs = zip(observations, given, strict=False)
    if alone:
        for observed, start in pairs:
            yield estimate(problem, observed, starts=start, batch=batch)
        return
    for _, same in groupby(pairs, key=lambda pair: _kind(pair[0])):
        while group := list(islice(same, _GROUP)):
            rows = [start for _, start in group if start is not None]
            yield from _of_group(problem, [observed for observed, _ in group], rows or None, batch)


def _kind(observed: Observed) -> object:
    """What observations share that are fitted together."""
    leaves, structure = jax.tree.flatten(observed)
    return structure, tuple((np.shape(leaf), leaf.dtype) for leaf in leaves)


def _of_group(
    problem: Composition, observations: Sequence[Observed], starts: Sequence[np.ndarray] | None, batch: int | None
) -> list[Fitted]:
    """Estimates of observations of one kind."""
    if starts is not None:
        return _fitted(problem, observations, [np.asarray(part, np.float64) for part in starts], batch)
    dark = Fitted(Solution.failed(problem.names, "no light stands out of the noise", coordinates=problem.size), None)
    outcomes = [dark] * len(observations)
    left = list(range(len(observations)))
    bright = () if problem.lens_count > 1 else _STARTS  # pixels that are bright tell one lens, not its members
    for starts_of in (*(partial(starts_from_image, count=count) for count in bright), partial(drawn.nearest, count=_DRAWN)):
        with ThreadPoolExecutor() as threads:
            found = threads.map(lambda i: starts_of(problem, observations[i]), left)  # noqa: B023
            own = dict(zip(left, found, strict=True))
        left = [i for i in left if len(own[i])]
        if not left:
            break
        for i, again in zip(left, _fitted(problem, [observations[i] for i in left], [own[i] for i in left], batch), strict=True):
            before = outcomes[i]
            if before.best is None or (again.best is not None and again.best.chi2 < before.best.chi2 - 1.0):
                outcomes[i] = again
        left = [i for i in left if not _settled(problem, outcomes[i])]
    return outcomes


def _settled(problem: Composition, outcome: Fitted) -> bool:
    """Whether the image is explained, by parameters within the prior: no other start is needed then."""
    best, solution = outcome.best, outcome.solution
    if best is None or not verdict.chi2_is_noise(best.chi2, best.pixels):
        return False
    return not _out_of_range(problem, best, solution.params[0], solution.errors[0])


def starts_from_image(problem: Composition, observed: Observed, *, count: int) -> np.ndarray:
    """Starts (count, E) from the bright pixels of the image; (0, E) where there are none. The last is repeated to make up the number."""
    (low, high), reach = problem.lens_range
    rough = arcs.guesses(observed, theta_e=(0.8 * low, 1.25 * high), reach=1.25 * reach, count=count)
    if not rough:
        return np.zeros((0, problem.size))
    rows = np.stack([np.asarray(problem.start(guess), np.float64) for guess in rough])
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def _fitted(problem: Composition, observations: Sequence[Observed], starts: Sequence[np.ndarray], batch: int | None) -> list[Fitted]:
    optima = fit.descend_from(problem, observations, fit.search(problem, observations, starts, batch=batch), batch=batch)
    without = unlensed(problem, observations, batch)
    outcomes = []
    for observed, own, bare in zip(observations, optima, without, strict=True):
        if own:
            best, others = own[0], tuple(own[1:])
            mask, degrees = np.asarray(observed.mask), degrees_of(problem, best)
            residuals = verdict.against_noise(best.residual, mask, chi2=best.chi2, degrees=degrees)
            solution = solution_of(problem, best, residuals, others=others, needless=bare <= best.chi2 + verdict.AS_GOOD)
            outcomes.append(Fitted(solution, best, others))
        else:
            outcomes.append(Fitted(Solution.failed(problem.names, "no start leads to a finite residual", coordinates=problem.size), None))
    return outcomes


def unlensed(problem: Composition, observations: Sequence[Observed], batch: int | None) -> list[float]:
    """chi² of each observation's best fit of the same light without a lens."""
    bare = problem.unlensed()
    finer = [  # stars are narrower than pixels
        replace(o, instrument=replace(o.instrument, supersampling=max(4, o.instrument.supersampling), refinement=0, refined=0))
        for o in observations
    ]
    optima = fit.descend_from(bare, finer, [_bare_starts(bare, observed) for observed in finer], batch=batch)
    return [own[0].chi2 if own else np.inf for own in optima]


def _bare_starts(bare: Composition, observed: Observed) -> list[np.ndarray]:
    """Starts (E,) of light without a lens, from the moments of the bright pixels."""
    mask = np.asarray(observed.mask)
    data = np.where(mask, np.asarray(observed.data, np.float64), 0.0)
    sigma = float(np.median(np.asarray(observed.noise.sigma(observed.data))[mask]))
    centre, spread = moments(np.where(data > 4.0 * sigma, data, 0.0))
    taken = observed.instrument
    offset = np.array([taken.shape[1] / 2 - taken.middle[1], taken.middle[0] - taken.shape[0] / 2])
    x, y = (centre + offset) * taken.pixel_scale
    place = (float(x), float(y))
    size = float(np.linalg.det(spread) ** 0.25) * taken.pixel_scale
    rough = [Guess(theta_e=size, lens=place, source=place, middle=place, size=factor * size) for factor in (0.4, 1.0)]
    return [np.asarray(bare.start(guess), np.float64) for guess in rough]


def degrees_of(problem: Composition, best: Optimum) -> int:
    """Degrees of freedom: pixels less fitted parameters."""
    return best.pixels - problem.size - problem.linear


def is_noise(problem: Composition, best: Optimum, observed: Observed) -> bool:
    """Whether the residuals of an optimum are noise."""
    return not verdict.against_noise(best.residual, np.asarray(observed.mask), chi2=best.chi2, degrees=degrees_of(problem, best))


def solution_of(
    problem: Composition, best: Optimum, residuals: Sequence[str], *, others: Sequence[Optimum] = (), needless: bool = False
) -> Solution:
    """The solution of a best optimum.

    Args:
        problem: the problem.
        best: the best optimum.
        residuals: why its residuals are no noise, in words.
        others: other optima.
        needless: whether the image is explained without a lens.
    """
    values, jacobian = parameters_of(problem, best)
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
    own_errors = np.sqrt(np.maximum(np.diag(best.covariance)[:count], 1e-300))
    rivals = [
        _words(problem, other)
        for other in others
        if other.chi2 < best.chi2 + verdict.AS_GOOD and _apart(problem, other.numbers, best.numbers, own_errors) > _DISTINCT
    ]
    against = verdict.objections(
        residuals,
        converged=best.code == CONVERGED,
        at_bounds=_out_of_range(problem, best, values, errors),
        rivals=rivals,
        needless=needless,
    )
    unidentified = [name for name, error in zip(problem.names, errors, strict=True) if not np.isfinite(error)]
    if any(name.endswith("theta_E") for name in unidentified) and not needless:
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
        bound=errors[None], fit=best.numbers[None], shift=np.full((1, 2), np.nan),
        chi2=np.array([best.chi2 / max(degrees_of(problem, best), 1)]),
        violated=np.full(1, np.nan), slack=np.full(1, np.nan), kind=("least squares",), method=("raytrace",),
        success=np.array([not against]), status=("; ".join(words),),
    )  # fmt: skip


def _apart(problem: Composition, numbers: np.ndarray, others: np.ndarray, errors: np.ndarray) -> float:
    """Largest difference of numbers (E,) in errors (E,); the least over the orders of components that have none."""
    orders = np.array(problem.orders())[:, : problem.size]
    return float((np.abs(numbers[orders] - others) / errors).max(axis=1).min())


def _out_of_range(problem: Composition, best: Optimum, values: np.ndarray, errors: np.ndarray) -> list[str]:
    """Names of the parameters at an end of their range, or beyond the prior by more than `_BEYOND` errors."""
    beyond = [
        parameter.name
        for parameter, value, error in zip(problem.parameters, values, errors, strict=True)
        if max(parameter.low - value, value - parameter.high) > _BEYOND * error
    ]
    return list(dict.fromkeys((*problem.at_bounds(jnp.asarray(best.numbers)), *beyond)))


def parameters_of(problem: Composition, best: Optimum) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (P,) in file units and their Jacobian (P, E + K)."""
    with jax.enable_x64(True):
        count = len(best.numbers)

        def decode(joint: jax.Array) -> jax.Array:
            return problem.decode(joint[:count], joint[count:])

        at = jnp.asarray(np.concatenate([best.numbers, best.amplitudes]))
        return np.asarray(decode(at)), np.asarray(jax.jacfwd(decode)(at))


def _words(problem: Composition, other: Optimum) -> str:
    """The lens of another solution."""
    values, _ = parameters_of(problem, other)
    parts = [f"{name} {value:.4g}" for name, value in zip(problem.names, values, strict=True) if name.endswith(("theta_E", "q", "phi"))]
    return ", ".join(parts[:3])


def in_unit(problem: Composition, solution: Solution, scale: float) -> Solution:
    """A solution with its linear amplitudes multiplied by `scale`."""
    factor = np.ones(len(problem.names))
    factor[len(factor) - problem.linear :] = scale
    return replace(
        solution,
        params=solution.params * factor,
        errors=solution.errors * factor,
        bound=solution.bound * factor,
        covariance=solution.covariance * np.outer(factor, factor),
    )
