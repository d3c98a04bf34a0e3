"""The answer of descents on the arcs: few Sérsic profiles, shapelets, or richer sources, and the other solutions that there were."""

from dataclasses import dataclass
from functools import partial

import jax.numpy as jnp
import numpy as np

from lensjax.infer import estimation, fit
from lensjax.infer.fit import Optimum
from lensjax.infer.levenberg_marquardt import Descent
from lensjax.pipeline import belief, clumps, starts, upgrade
from lensjax.pipeline.options import OTHER_ORDERS, with_order
from lensjax.pipeline.search import SOFT, Search
from lensjax.problems.compose import Composition

_ANOTHER = 0.04  # relative difference of Einstein radii of lenses that are tried apart


@dataclass(frozen=True)
class Answer:
    """Where descents on the arcs ended.

    Attributes:
        problem: what was fitted.
        best: the best optimum.
        rivals: Einstein radii of others, each with how much higher its cost is.
        cost: of the best with shapelets, with a part of the arcs' light as an error; of few profiles their own.
        soft: that part in the noise of the best.
        explained: whether its residuals are noise.
        words: which source it is, where that was chosen.
    """

    problem: Composition
    best: Optimum
    rivals: tuple[tuple[float, float], ...]
    cost: float
    soft: float
    explained: bool
    words: tuple[str, ...] = ()


def answer_of(problem: Composition, search: Search, kept: list[np.ndarray], model: np.ndarray, ends: tuple[Descent, ...]) -> Answer | None:
    """The answer of descents on the arcs; None where these lead nowhere.

    Args:
        problem: with shapelets, or the source that is wanted.
        search: the arcs.
        kept: numbers (E,) to descend from, best first.
        model: (h, w) of the arcs, roughly.
        ends: of coarse descents of the same problem.
    """
    source, mass, known = search.options.source, search.options.mass, partial(belief.of, light=search.light)
    if source in ("auto", "richer"):
        few = clumps.probable(problem, search.seen, known, kept, model, mass=mass)
        if few is not None:
            return Answer(few.problem, few.optimum, _rivals(problem, [], ends), few.optimum.cost, 0.0, explained=True, words=(few.words,))
    optima = search.final(problem, kept, soft=SOFT[1])
    if not optima:
        return None
    rivals, cost = _rivals(problem, optima, ends), optima[0].cost
    exact = search.final(problem, [optima[0].numbers], soft=0.0)
    explained = bool(exact) and estimation.is_noise(problem, exact[0], search.seen)
    if source == "pixels" or (source == "richer" and exact and not explained):
        start = exact[0] if exact else optima[0]
        richer = upgrade.ladder(problem, search.seen, known, start, mass=mass, pixels_only=source == "pixels")
        if richer is not None:
            return Answer(richer.problem, richer.optimum, rivals, cost, 0.0, explained=richer.explained, words=(richer.words,))
    if explained:
        return Answer(problem, exact[0], rivals, cost, 0.0, explained=True)
    return Answer(problem, optima[0], rivals, cost, SOFT[1], explained=False)


def restarted(problem: Composition, search: Search, answer: Answer, model: np.ndarray, ends: tuple[Descent, ...]) -> Answer:
    """The better of an answer and the one from the lens that more shapelets lead to, where that is another lens."""
    other = with_order(OTHER_ORDERS[1], search.options)
    start = starts.numbers_of(other, answer.problem, answer.best.numbers)
    numbers = np.asarray(search.coarse(other, start[None], soft=SOFT[1]).fit[0], np.float64)
    if abs(theta_e(other, numbers) / theta_e(answer.problem, answer.best.numbers) - 1.0) < _ANOTHER:
        return answer
    again = search.coarse(problem, starts.numbers_of(problem, other, numbers)[None], soft=SOFT[1])
    begin = fit.distinct(again, 1)
    second = answer_of(problem, search, begin, model, (*ends, again)) if begin else None
    return answer if second is None or (not second.explained and second.cost > answer.cost) else second


def _rivals(problem: Composition, optima: list[Optimum], ends: tuple[Descent, ...]) -> tuple[tuple[float, float], ...]:
    """Einstein radii of other optima, and of all ends of coarse descents, each with its cost above that of the best of its kind."""
    costs = np.concatenate([np.asarray(part.normal.cost, np.float64) for part in ends])
    numbers = np.concatenate([np.asarray(part.fit, np.float64) for part in ends])
    found = [(theta_e(problem, other.numbers), other.cost - optima[0].cost) for other in optima[1:]]
    found += [(theta_e(problem, own), cost) for own, cost in zip(numbers, costs - np.nanmin(costs), strict=True)]
    return tuple((radius, float(cost)) for radius, cost in found if np.isfinite(cost))


def theta_e(problem: Composition, numbers: np.ndarray) -> float:
    """The Einstein radius of numbers (E,)."""
    params = problem.decode(jnp.asarray(numbers), jnp.ones(problem.linear))
    return float(params[problem.names.index("theta_E")])
