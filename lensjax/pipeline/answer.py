"""The answer of descents on the arcs: few Sérsic profiles, shapelets, or richer sources, and the other solutions that there were."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from lensjax.infer import estimation
from lensjax.infer.fit import Optimum
from lensjax.infer.levenberg_marquardt import Descent
from lensjax.pipeline import belief, clumps, starts, upgrade
from lensjax.pipeline.options import OTHER_ORDERS
from lensjax.pipeline.search import SOFT, Search
from lensjax.pipeline.starts import another_lens, theta_e
from lensjax.problems.compose import Composition

Rivals = tuple[tuple[float, float], ...]
"""Einstein radii of other solutions, each with how much higher its cost is than the best of its kind."""

_BETTER = 10.0  # by which the cost of a better lens is lower


@dataclass(frozen=True)
class Answer:
    """Where descents on the arcs ended.

    Attributes:
        problem: what was fitted.
        best: the best optimum.
        rivals: other solutions.
        cost: of the best with shapelets, with a part of the arcs' light as an error; of few profiles their own.
        soft: that part in the noise of the best.
        explained: whether its residuals are noise.
        words: which source it is, where that was chosen.
    """

    problem: Composition
    best: Optimum
    rivals: Rivals
    cost: float
    soft: float
    explained: bool
    words: tuple[str, ...] = ()


def answer_of(problem: Composition, search: Search, kept: list[np.ndarray], model: np.ndarray, rivals: Rivals) -> Answer | None:
    """The answer of descents on the arcs; None where these lead nowhere.

    Args:
        problem: with shapelets, or the source that is wanted.
        search: the arcs.
        kept: numbers (E,) to descend from, best first.
        model: (h, w) of the arcs, roughly.
        rivals: those of coarse descents.
    """
    options, known = search.options, partial(belief.of, light=search.light)
    if options.source in ("auto", "richer"):
        search.say("source of Sérsic profiles")
        few = clumps.probable(problem, search.seen, known, kept, model, options=options)
        if few is not None:
            return Answer(few.problem, few.optimum, rivals, few.optimum.cost, 0.0, explained=True, words=(few.words,))
    search.say("source of shapelets")
    optima = search.final(problem, kept, soft=SOFT[1])
    if not optima:
        return None
    cost = optima[0].cost
    rivals = (*((theta_e(problem, other.numbers), other.cost - cost) for other in optima[1:]), *rivals)
    exact = search.final(problem, [optima[0].numbers], soft=0.0)
    explained = bool(exact) and estimation.is_noise(problem, exact[0], search.seen)
    if options.source == "pixels" or (options.source == "richer" and exact and not explained):
        start = exact[0] if exact else optima[0]
        richer = upgrade.ladder(problem, search.seen, known, start, options=options, pixels_only=options.source == "pixels")
        if richer is not None:
            return Answer(richer.problem, richer.optimum, rivals, cost, 0.0, explained=richer.explained, words=(richer.words,))
    if explained:
        return Answer(problem, exact[0], rivals, cost, 0.0, explained=True)
    return Answer(problem, optima[0], rivals, cost, SOFT[1], explained=False)


def restarted(problem: Composition, search: Search, answer: Answer, model: np.ndarray, rivals: Rivals, *, least: float) -> Answer:
    """The better of an answer and the one from the lens that more shapelets lead to, where that is another and a better lens.

    Args:
        problem, search, model, rivals: of the answer.
        answer: its arcs are not explained.
        least: the lowest cost of coarse descents of the problem.
    """
    other = search.options.galaxy(source="shapelets", n_max=OTHER_ORDERS[1])
    start = starts.numbers_of(other, answer.problem, answer.best.numbers)
    numbers = np.asarray(search.coarse(other, start[None], soft=SOFT[1]).fit[0], np.float64)
    if not another_lens(theta_e(other, numbers), theta_e(answer.problem, answer.best.numbers)):
        return answer
    again = search.coarse(problem, starts.numbers_of(problem, other, numbers)[None], soft=SOFT[1])
    better = least - float(again.normal.cost[0])
    if not better > _BETTER:
        return answer
    own = tuple((radius, cost + better) for radius, cost in rivals)
    second = answer_of(problem, search, [np.asarray(again.fit[0], np.float64)], model, own)
    return answer if second is None or (not second.explained and second.cost > answer.cost) else second


def rivals_of(problem: Composition, ends: Descent) -> Rivals:
    """Those of descents (S,)."""
    costs = np.asarray(ends.normal.cost, np.float64)
    pairs = zip(np.asarray(ends.fit, np.float64), costs - np.nanmin(costs), strict=True)
    return tuple((theta_e(problem, numbers), float(cost)) for numbers, cost in pairs if np.isfinite(cost))
