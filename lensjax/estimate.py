"""Images to parameters: a network's prediction, and the descent from it."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import jax
import numpy as np
from jax import Array

from lensjax.conventions import GREY_LEVELS
from lensjax.errors import BadInput
from lensjax.infer import Solution, free, from_moments, from_params, refine_each
from lensjax.infer.near_peak import without_network
from lensjax.problems import Problem
from lensjax.problems.axisymmetric import AxisymmetricProblem
from lensjax.simulate.chunks import FITS
from lensjax.trained import Estimator

_log = logging.getLogger(__name__)

_SMALLEST = 16  # px on a side
_DOUBTFUL = 1.5  # chi² from which an image without an interval fit is searched again


@dataclass(frozen=True)
class Observation:
    """An image to estimate.

    Attributes:
        data: (H, W) grey levels; row 0 at the top. Images of the problem's own size have the quickest and most exact fit.
        rounded: whether rounding to whole levels 0…255 is their only noise: then the interval fit follows.
        variance: noise variance [grey²] of one pixel; None for that of rounding, or for that of the residuals where it is larger.
        cosmosim: whether CosmoSim drew the image, with a source on whole pixels.
        lossy: whether its file is lossy, as JPEG is, which the status then says.
    """

    data: np.ndarray
    rounded: bool = True
    variance: float | None = None
    cosmosim: bool = False
    lossy: bool = False


@dataclass(frozen=True)
class Estimate:
    """The estimate of one image.

    Attributes:
        network: (P,) the network's prediction in file units; None without a network.
        solution: the refined parameters, one image; None without refinement.
        error: why the image cannot be used; network and solution are None then.
        network_errors: (P,) how sure the network is, 1σ; None of one that says one point.
        angles: position angles on the sky [deg, east of north] of the solution's directions, by name; of telescopes' images alone.
    """

    network: np.ndarray | None
    solution: Solution | None
    error: str | None
    angles: Mapping[str, float] = field(default_factory=dict)
    network_errors: np.ndarray | None = None


def network_starts(problem: AxisymmetricProblem, params: np.ndarray) -> np.ndarray:
    """Starts (2, 8) from a network's prediction: centred on the light within the convergence ring, and on all its light."""
    within, whole = _starts(problem, np.asarray(params, np.float32))
    return np.stack([within[0], whole[0]]).astype(np.float64)


def more_network_starts(problem: AxisymmetricProblem, image: np.ndarray, params: np.ndarray) -> np.ndarray:
    """Starts (3, 8) from a network's prediction for an image that those of `network_starts` do not explain.

    These are the prediction's mirror, and prediction and mirror with place and shape from the image's moments.
    """
    within = np.asarray(_starts(problem, np.asarray(params, np.float32))[0], np.float64)
    by_moments = within.copy()
    by_moments[:, :5] = from_moments(image, directions=1)[0, :5]
    return np.concatenate([within[1:], by_moments])


@partial(jax.jit, static_argnums=0)
def _starts(problem: AxisymmetricProblem, params: Array) -> tuple[Array, Array]:
    return from_params(problem, params, method="ring"), from_params(problem, params, method="raytrace")


def solve_each(
    problem: Problem,
    observations: Iterable[Observation | BadInput],
    *,
    estimator: Estimator | None = None,
    refined: bool = True,
    search_on: bool = True,
    methods: Sequence[str] | None = None,
    free_shift: bool = True,
    seed: int = 0,
) -> Iterator[tuple[int, Estimate]]:
    """Estimates of any number of images, in their order, each as soon as it is done; only a few images are in memory.

    No image changes another's estimate or ends the loop: an image that cannot be read or fitted has the reason in its own estimate.

    Args:
        problem: at native resolution.
        observations: the images, taken a few at a time; or the error, in place of an image that could not be read.
        estimator: the network whose predictions the refinement starts from; None starts from the images alone.
        refined: whether to refine; False stops at the network's predictions.
        search_on, methods, free_shift, seed: as in `solve`.

    Yields:
        (index, estimate), index 0, 1, 2 …

    Raises:
        ValueError: neither a network nor refinement is given.
    """
    if estimator is None and not refined:
        raise ValueError("no estimator and refined=False; expected one of an estimator and refined=True")
    exact = problem.exact
    rest = iter(observations)
    done = 0
    while chunk := list(islice(rest, FITS)):
        checked = [_checked(problem, observation, methods) for observation in chunk]
        seen = [o for o in checked if isinstance(o, Observation) and _is_seen(problem, o)]
        answers = None if estimator is None or not seen else estimator.answers(np.stack([observation.data for observation in seen]))
        network, sure = answers or (None, None)
        solutions: Iterator[Solution] = iter(())
        if refined and exact is not None:
            solutions = _refined(exact, seen, network, search_on=search_on, methods=methods, free_shift=free_shift, seed=seed)
        predictions = iter(() if network is None else network)
        errors = iter(() if sure is None else sure)
        for observation in checked:
            if not isinstance(observation, Observation):
                yield done, Estimate(None, None, observation)
                done += 1
                continue
            predicted, spread = (next(predictions, None), next(errors, None)) if _is_seen(problem, observation) else (None, None)
            solution = None
            if refined and exact is not None and _is_seen(problem, observation):
                solution = next(solutions)
                if not solution.success[0] and _of_other_brightness(observation) and methods is None:
                    again = _free(problem, observation, None)
                    solution = again if again.success[0] else solution
            elif refined:
                solution = _free(problem, observation, predicted)
            if solution is None and predicted is None:
                size = f"{problem.field}×{problem.field} px"
                yield done, Estimate(None, None, f"the image has shape {observation.data.shape}; a network estimates images of {size}")
            else:
                yield done, Estimate(predicted, _with_its_file(solution, observation), None, network_errors=spread)
            done += 1


def solve(
    problem: AxisymmetricProblem,
    images: np.ndarray,
    network: np.ndarray | None,
    *,
    search_on: bool = True,
    methods: Sequence[str] | None = None,
    free_shift: bool = True,
    rounded: bool = True,
    variance: float | None = None,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Solution:
    """Refines images from a network's predictions, or from the images alone.

    Args:
        problem: at native resolution.
        images: (N, n, n) grey levels.
        network: (N, P) a network's predictions; None starts from the images alone.
        search_on: whether images without a sure fit from the network's starts (no success, no interval, or without an interval fit
            residuals above the noise) are searched again from the images themselves. They are fitted from more of the network's always.
        methods, free_shift, rounded, variance, seed: as in `infer.refine`.
        progress: called with the number of images done since the last call.
    """
    observations = [Observation(image, rounded=rounded, variance=variance) for image in images]
    parts = []
    for first in range(0, len(observations), FITS):
        chunk = slice(first, first + FITS)
        predicted = None if network is None else network[chunk]
        for solution in _refined(
            problem, observations[chunk], predicted, search_on=search_on, methods=methods, free_shift=free_shift, seed=seed
        ):
            parts.append(solution)
            if progress is not None:
                progress(1)
    return Solution.stack(parts)


def _checked(problem: Problem, observation: Observation | BadInput, methods: Sequence[str] | None) -> Observation | str:
    """The observation, or the reason why it cannot be used."""
    if isinstance(observation, BadInput):
        return str(observation)
    shape = np.shape(observation.data)
    if len(shape) != 2 or min(shape) < _SMALLEST:
        return f"the image has shape {shape}; expected two dimensions of {_SMALLEST} or more"
    if not _is_seen(problem, observation) and methods is not None and "raytrace" not in methods:
        return f"method {', '.join(methods)}: images of {shape[0]}×{shape[1]} px, or of CosmoSim's noise, are fitted by raytrace alone"
    return observation


def _with_its_file(solution: Solution | None, observation: Observation) -> Solution | None:
    """The solution, with a lossy file named in its status."""
    if solution is None or not observation.lossy:
        return solution
    return replace(solution, status=tuple(f"{words}; the file is lossy" for words in solution.status))


def _is_seen(problem: Problem, observation: Observation) -> bool:
    """Whether a network takes the image, and the problem's exact fit where it has one."""
    foreign = observation.cosmosim and problem.exact is not None
    return not foreign and np.shape(observation.data) == (problem.image_size, problem.image_size)


def _of_other_brightness(observation: Observation) -> bool:
    """Whether the brightest pixels are far from the grey level 255 that the problems' sources have."""
    noise = 0.0 if observation.variance is None else observation.variance**0.5
    return bool(abs(float(np.max(observation.data)) - GREY_LEVELS) > 0.02 * GREY_LEVELS + 6.0 * noise)


def _free(problem: Problem, observation: Observation, guess: np.ndarray | None) -> Solution:
    """The solution of an image of any size and brightness; the failure of a fit is its own row."""
    try:
        return free.estimate(
            problem,
            observation.data,
            variance=observation.variance,
            rounded=observation.rounded,
            cosmosim=observation.cosmosim,
            guess=guess,
        )
    except Exception as error:
        _log.debug("an image failed", exc_info=True)
        return Solution.failed(problem.names, " ".join(str(error).split()) or type(error).__name__, coordinates=problem.coordinates)


def _refined(
    problem: AxisymmetricProblem,
    observations: Sequence[Observation],
    network: np.ndarray | None,
    *,
    search_on: bool,
    methods: Sequence[str] | None,
    free_shift: bool,
    seed: int,
) -> Iterator[Solution]:
    """Each image's solution, in order. Images of one noise model are fitted together, doubtful ones are searched again one by one."""

    def fit(rows: Sequence[int], starts: Sequence[np.ndarray], *, by_edge: bool = False) -> Iterator[Solution]:
        first = observations[rows[0]]
        return refine_each(
            problem,
            np.stack([observations[i].data for i in rows]),
            np.stack(starts),
            methods=methods,
            free_shift=free_shift,
            rounded=first.rounded,
            variance=first.variance,
            seed=seed,
            by_edge=by_edge,
        )

    def starts_of(i: int) -> np.ndarray:
        image = observations[i].data
        return without_network(problem, image) if network is None else network_starts(problem, network[i])

    def more_starts_of(i: int) -> list[np.ndarray]:
        image = observations[i].data
        more = [] if network is None else [more_network_starts(problem, image, network[i])]
        return [*more, without_network(problem, image, again=True)] if search_on else more

    kinds = [(observation.rounded, observation.variance) for observation in observations]
    groups = {kind: [i for i, other in enumerate(kinds) if other == kind] for kind in dict.fromkeys(kinds)}
    solutions = {kind: fit(rows, [starts_of(i) for i in rows]) for kind, rows in groups.items()}
    for i, kind in enumerate(kinds):
        solution = next(solutions[kind])
        if _doubtful(solution, rounded=kind[0]) and (others := more_starts_of(i)):
            before = solution.fit if np.isfinite(solution.fit).all() else others[0][:1]
            again = next(fit([i], [np.concatenate([before, *others])], by_edge=True))
            solution = Solution.where(_better(again, solution), again, solution)
        yield solution


def _doubtful(solution: Solution, *, rounded: bool) -> bool:
    """Whether one image is to be searched again."""
    if not solution.success[0]:
        return True
    return solution.kind != ("interval",) if rounded else bool(solution.chi2[0] > _DOUBTFUL)


def _better(again: Solution, before: Solution) -> np.ndarray:
    """Whether the fit of a second search is better, (N,)."""
    certified = np.array([kind == "interval" for kind in again.kind])
    nearer = (again.chi2 < before.chi2) | (np.isfinite(again.chi2) & ~np.isfinite(before.chi2))
    return np.asarray(certified | (again.success & ~before.success) | nearer)
