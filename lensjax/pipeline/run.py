"""From the image of a galaxy to the lens, without a person.

1. The lens's light is fitted and taken off, with what looks like arcs masked (`lens_light`).
2. Round lenses of many Einstein radii are starts (`starts`). Those that two steps bring furthest descend on a coarse copy of the arcs,
   with a source of Gaussians.
3. The best go on with a source of shapelets. Then the lens's light is fitted again without their arcs, and they once more.
4. Few Sérsic profiles that explain the arcs are the answer (`clumps`). Or else the best two descend on the arcs with shapelets. Details of
   the source that no model has must not decide on the lens, so a part of the arcs' light counts as an error of the model. Where the arcs
   are explained to the noise without it, that is the answer. Where they are not, and more shapelets lead to another lens, all of this is
   done from there.
5. What stands against the answer is said in words (`flags`). Where anything does, and objects beside the lens may be no arcs
   (`companions`), all is done again without them; that is the answer where nothing stands against it.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

import jax.numpy as jnp
import numpy as np

from lensjax._internal.compiled import let_programs_go
from lensjax._internal.words import did_you_mean, listed
from lensjax.errors import BadInput
from lensjax.infer import estimation, fit
from lensjax.infer.fit import Optimum
from lensjax.infer.levenberg_marquardt import CONVERGED, Descent
from lensjax.infer.solution import Solution
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.observed import Observed
from lensjax.observation.sky import SkyImage
from lensjax.pipeline import arcs, belief, clumps, companions, flags, lens_light, starts, upgrade, window
from lensjax.pipeline.arcs import Ring
from lensjax.pipeline.flags import Findings
from lensjax.pipeline.lens_light import LensLight
from lensjax.pipeline.window import Window
from lensjax.problems.components import Guess
from lensjax.problems.compose import Composition
from lensjax.problems.galaxy import Mass, galaxy

SourceModel = Literal["auto", "richer", "shapelets", "sersic", "multi_gaussian", "pixels"]

_REACH = 3.5  # arcsec about the lens that are looked at
_RING = Ring(0.25, 3.2)
_RING_ALONE = Ring(0.0, 3.2)  # where the lens's light is off already
TRIED = (0.4, 2.6)
"""Einstein radii that are tried [arcsec]."""

_RADII, _FINE = 14, 3  # Einstein radii that are descended from, each the best of so many
_SHORT = 2  # steps by which these are compared
_SIDE = 70  # px of the coarse copy
_ANOTHER = 0.04  # relative difference of Einstein radii of lenses that are tried apart
_SOFT = (0.15, 0.1)  # part of the arcs' light that is an error of the model: with Gaussians, and after them
_KEPT = (4, 3, 2)
_FIRM = (16.0, 4.0)  # factors on the belief's precision: while modes are searched, and where the arcs are not explained to the noise
_SIZES = (0.08, 0.16)  # of a source at its start [arcsec]
_ORDER, _OTHER_ORDERS = 8, (4, 12)  # of shapelets
_FLOOR = 0.01  # of theta_E: its error where the arcs are not explained to the noise
_SAME = 0.1  # relative difference of Einstein radii with and without companions
_NOT_FINITE = "no start leads to a finite residual"
_NOISY = 1e3  # times the median: noise of pixels that others have masked


@dataclass(frozen=True)
class Options:
    """How an image is fitted.

    Attributes:
        mass: the mass's profile.
        source: the source's; "auto" is few Sérsic profiles where these explain the arcs, or else shapelets; "richer" goes beyond shapelets
            where those do not explain the arcs; "pixels" begins where shapelets end.
        lens_light: whether the lens galaxy's light is fitted; otherwise it is off already.
    """

    mass: Mass = "sie"
    source: SourceModel = "auto"
    lens_light: bool = True

    def __post_init__(self) -> None:
        for column, value, kinds in (("mass", self.mass, Mass), ("source", self.source, SourceModel)):
            if value not in get_args(kinds):
                hint = did_you_mean(value, get_args(kinds))
                raise BadInput(column=column, value=value, expected=f"one of {listed(get_args(kinds))}", hint=hint)


def problem_of(options: Options) -> Composition:
    """What is fitted: the problem `galaxy` with these options; of "auto" and "richer" that with shapelets."""
    source = "shapelets" if options.source in ("auto", "richer") else options.source
    return galaxy(mass=options.mass, source=source, n_max=_ORDER)


def _with_order(order: int, options: Options) -> Composition:
    """The problem with shapelets up to an order."""
    return galaxy(mass=options.mass, source="shapelets", n_max=order)


@dataclass(frozen=True)
class GalaxyFit:
    """A fit of a galaxy's image.

    Attributes:
        problem: mass, shear and the source that was fitted last.
        solution: of one image, in the units of its file; places are about the image's origin.
        image: the image without the lens galaxy's light, with the pixels that were fitted and their noise.
        findings: what the verdict rests on; None where nothing could be fitted.
        best: the optimum, about the lens; None where nothing could be fitted.
        light: the lens galaxy's light in the window; None without.
        window: the part of the image that was fitted.
        seen: its arcs as they were fitted last, about the lens's pixel.
    """

    problem: Composition
    solution: Solution
    image: SkyImage
    findings: Findings | None
    best: Optimum | None
    light: LensLight | None
    window: Window
    seen: Observed


@dataclass(frozen=True)
class _Answer:
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


class _Search:
    """The arcs of one image, and descents on them."""

    def __init__(self, window: Window, options: Options) -> None:
        self.window, self.options = window, options
        self.light: LensLight | None = None
        self.ring = _RING if options.lens_light else _RING_ALONE
        self.take_off(np.zeros_like(window.data))

    def take_off(self, of_arcs: np.ndarray) -> None:
        """Fits the lens's light in the window without arcs (h, w)."""
        own = self.window
        if self.options.lens_light:
            start = np.array([0.0, 0.0, 0.01, 0.0]) if self.light is None else np.array([*self.light.place, *self.light.ellipticity])
            self.light = lens_light.fit(own.data - of_arcs, own.sigma, own.used, own.taken, reach=_REACH, start=start)
        self.seen = arcs.observed_arcs(own, self.light, self.ring)

    def coarse(self, problem: Composition, begin: np.ndarray, *, soft: float, steps: int | None = None) -> Descent:
        """Descents (S,) on a coarse copy."""
        small = fit.coarse(arcs.softened(self.seen, soft), side=_SIDE)
        known = belief.of(problem, self.light, firm=_FIRM[0])
        static = fit.rough(problem) | ({} if steps is None else {"steps": steps})
        return fit.descents([small], [begin], static=static, beliefs=[known])[0]

    def plain(self, problem: Composition, begin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (E,) and model (h, w) of a descent on the arcs."""
        soft, known = arcs.softened(self.seen, _SOFT[1]), belief.of(problem, self.light, firm=_FIRM[0])
        numbers = fit.descents([soft], [begin[None]], static=fit.rough(problem), beliefs=[known])[0].fit[0]
        at = jnp.asarray(numbers, soft.data.dtype)
        found = fit.equations(problem, soft, at, known)
        return np.asarray(numbers, np.float64), np.asarray(problem.model(at, found.amplitudes, soft.instrument), np.float64)

    def final(self, problem: Composition, begin: list[np.ndarray], *, soft: float) -> list[Optimum]:
        """Optima on the arcs, best first."""
        known = belief.of(problem, self.light, firm=1.0 if soft == 0 else _FIRM[1])
        return fit.descend_from(problem, [arcs.softened(self.seen, soft)], [begin], beliefs=[known])[0]


def fit_galaxy(image: SkyImage, options: Options = Options()) -> GalaxyFit:  # noqa: B008
    """Fits the image of a galaxy that may be a lens.

    Args:
        image: the image; lengths are arcseconds.
        options: what is fitted.

    Returns:
        The fit. Where no lens is found, or nothing can be fitted, its solution has no success, and the reason in its status.
    """
    let_programs_go()
    own = _window(image, options)
    first = _fit_window(image, own, options)
    beside = [] if first.best is None else companions.candidates(own, first.light, outer=_RING.outer)
    if first.best is not None and first.solution.success[0]:
        beside = companions.lit(beside, first.best.model, arcs.sigma_of(first.seen))
    if not beside:
        return first
    masked = _fit_window(image, companions.masked(own, beside), options)
    if not masked.solution.success[0]:
        return first
    if not first.solution.success[0]:
        return _said(masked, f"masked {companions.words(beside, own.offset)}", success=True)
    k = masked.problem.names.index("theta_E")
    radius = float(masked.solution.params[0, k])
    if abs(radius / first.solution.params[0, k] - 1.0) < _SAME:
        return first
    return _said(first, f"theta_E depends on companions: {radius:.3g} without {companions.words(beside, own.offset)}", success=False)


def _said(found: GalaxyFit, words: str, *, success: bool) -> GalaxyFit:
    """A fit with another word in its status."""
    status = (f"{found.solution.status[0]}; {words}",)
    return replace(found, solution=replace(found.solution, status=status, success=np.array([success])))


def _fit_window(image: SkyImage, own: Window, options: Options) -> GalaxyFit:
    """Fits the part of an image that is about its lens."""
    wanted = problem_of(options)
    problem = problem_of(replace(options, source="shapelets")) if options.source == "pixels" else wanted
    search = _Search(own, options)
    first = galaxy(source="multi_gaussian")
    rough = starts.round_lenses(arcs.softened(search.seen, _SOFT[0]), np.geomspace(*TRIED, _RADII * _FINE))
    if not rough or flags.signal_of(search.seen) < flags.FAINTEST:
        return _nothing(image, wanted, own, search, flags.NO_LENS)
    begin = np.stack([np.asarray(first.start(guess), np.float64) for guess in rough])
    shape = first.names.index("q")
    begin[:, shape : shape + 2] = np.asarray(belief.of(first, search.light).mean)[shape : shape + 2]
    gaussian = search.coarse(first, _best_of_each(search.coarse(first, begin, soft=_SOFT[0], steps=_SHORT)), soft=_SOFT[0])
    begin = _carried(first, problem, fit.distinct(gaussian, _KEPT[0]))
    if not len(begin):
        return _nothing(image, wanted, own, search, _NOT_FINITE)
    ends = search.coarse(problem, begin, soft=_SOFT[1])
    kept = fit.distinct(ends, _KEPT[1])
    numbers, model = search.plain(problem, kept[0])
    search.take_off(model)
    kept = fit.distinct(search.coarse(problem, np.stack([numbers, *kept]), soft=_SOFT[1]), _KEPT[2])
    answer = _answer(problem, search, kept, model, (ends,))
    if answer is not None and not answer.explained:
        answer = _restarted(problem, search, answer, model, (ends,))
    if answer is None:
        return _nothing(image, wanted, own, search, _NOT_FINITE)
    return _judged(replace(image, remarks=(*answer.words, *image.remarks)), search, answer)


def _answer(problem: Composition, search: _Search, kept: list[np.ndarray], model: np.ndarray, ends: tuple[Descent, ...]) -> _Answer | None:
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
            return _Answer(few.problem, few.optimum, _rivals(problem, [], ends), few.optimum.cost, 0.0, explained=True, words=(few.words,))
    optima = search.final(problem, kept, soft=_SOFT[1])
    if not optima:
        return None
    rivals, cost = _rivals(problem, optima, ends), optima[0].cost
    exact = search.final(problem, [optima[0].numbers], soft=0.0)
    explained = bool(exact) and estimation.is_noise(problem, exact[0], search.seen)
    if source == "pixels" or (source == "richer" and exact and not explained):
        start = exact[0] if exact else optima[0]
        richer = upgrade.ladder(problem, search.seen, known, start, mass=mass, pixels_only=source == "pixels")
        if richer is not None:
            return _Answer(richer.problem, richer.optimum, rivals, cost, 0.0, explained=richer.explained, words=(richer.words,))
    if explained:
        return _Answer(problem, exact[0], rivals, cost, 0.0, explained=True)
    return _Answer(problem, optima[0], rivals, cost, _SOFT[1], explained=False)


def _restarted(problem: Composition, search: _Search, answer: _Answer, model: np.ndarray, ends: tuple[Descent, ...]) -> _Answer:
    """The better of an answer and the one from the lens that more shapelets lead to, where that is another lens."""
    other = _with_order(_OTHER_ORDERS[1], search.options)
    start = _numbers_of(other, answer.problem, answer.best.numbers)
    numbers = np.asarray(search.coarse(other, start[None], soft=_SOFT[1]).fit[0], np.float64)
    if abs(_theta_e(other, numbers) / _theta_e(answer.problem, answer.best.numbers) - 1.0) < _ANOTHER:
        return answer
    again = search.coarse(problem, _numbers_of(problem, other, numbers)[None], soft=_SOFT[1])
    begin = fit.distinct(again, 1)
    second = _answer(problem, search, begin, model, (*ends, again)) if begin else None
    return answer if second is None or (not second.explained and second.cost > answer.cost) else second


def _best_of_each(short: Descent) -> np.ndarray:
    """Numbers (S, E) of the best of each `_FINE` descents that follow each other."""
    costs = np.asarray(short.normal.cost, np.float64).reshape(-1, _FINE)
    best = np.argmin(np.where(np.isfinite(costs), costs, np.inf), axis=1)
    return np.asarray(np.asarray(short.fit, np.float64).reshape(len(costs), _FINE, -1)[np.arange(len(costs)), best])


def _rivals(problem: Composition, optima: list[Optimum], ends: tuple[Descent, ...]) -> tuple[tuple[float, float], ...]:
    """Einstein radii of other optima, and of all ends of coarse descents, each with its cost above that of the best of its kind."""
    costs = np.concatenate([np.asarray(part.normal.cost, np.float64) for part in ends])
    numbers = np.concatenate([np.asarray(part.fit, np.float64) for part in ends])
    found = [(_theta_e(problem, other.numbers), other.cost - optima[0].cost) for other in optima[1:]]
    found += [(_theta_e(problem, own), cost) for own, cost in zip(numbers, costs - np.nanmin(costs), strict=True)]
    return tuple((radius, float(cost)) for radius, cost in found if np.isfinite(cost))


def _theta_e(problem: Composition, numbers: np.ndarray) -> float:
    params = problem.decode(jnp.asarray(numbers), jnp.ones(problem.linear))
    return float(params[problem.names.index("theta_E")])


def _window(image: SkyImage, options: Options) -> Window:
    """The part of an image that is fitted: about the lens's light, or about the middle where that is off already."""
    seen = image.observed
    data, used = np.asarray(seen.data, np.float64), np.asarray(seen.mask)
    sigma = arcs.sigma_of(seen)
    used = used & (sigma < _NOISY * np.median(sigma[used]))
    centre = window.centre_of_lens(data, used, seen.instrument) if options.lens_light else seen.instrument.middle
    return window.around(data, sigma, used, seen.instrument, centre, reach=_REACH)


def _carried(first: Composition, problem: Composition, kept: list[np.ndarray]) -> np.ndarray:
    """Starts (S, E) of a problem with the mass, shear and place of the source of another's numbers, and sources of two sizes."""
    rows = []
    for size in _SIZES:
        guess = Guess(theta_e=1.0, lens=(0.0, 0.0), source=(0.0, 0.0), size=size)
        row = np.asarray(problem.start(guess), np.float64)
        own = [k for k, name in enumerate(problem.names[: problem.size]) if name in first.names and name not in ("source_q", "source_phi")]
        of_first = [first.names.index(problem.names[k]) for k in own]
        for numbers in kept:
            new = row.copy()
            new[own] = numbers[of_first]
            rows.append(new)
    return np.array(rows).reshape(-1, problem.size)


def _numbers_of(problem: Composition, first: Composition, numbers: np.ndarray) -> np.ndarray:
    """Numbers (E,) of a problem with the lens of another's, and the source where that is of the same kind."""
    same = problem.names[: problem.size] == first.names[: first.size]
    return numbers if same else np.asarray(_carried(first, problem, [numbers])[0])


def _nothing(image: SkyImage, problem: Composition, own: Window, search: _Search, reason: str) -> GalaxyFit:
    failed = Solution.failed(problem.names, reason, coordinates=problem.size)
    remarks = "; ".join((reason, *image.remarks))
    return GalaxyFit(problem, replace(failed, status=(remarks,)), image, None, None, search.light, own, search.seen)


def _judged(image: SkyImage, search: _Search, answer: _Answer) -> GalaxyFit:
    """The fit with its errors and its verdict."""
    own, seen, problem, best, explained = search.window, search.seen, answer.problem, answer.best, answer.explained
    fitted = arcs.softened(seen, answer.soft)
    mask = np.asarray(seen.mask)
    over = np.where(mask, 1.0 / arcs.sigma_of(fitted), 0.0)
    nuisance = np.where(mask, ((np.asarray(seen.data, np.float64) - best.model) * over - best.residual) * arcs.sigma_of(fitted), 0.0)
    found = _findings(problem, search, best, answer.rivals, fitted)
    if explained:  # a noise map with a floor is too large where there is no light, so that arcs stand out which it explains
        found = replace(found, excess=min(found.excess, 1.0))
    against = flags.words(found)
    plain = estimation.solution_of(problem, best, [])
    excess = max(1.0, best.chi2 / max(estimation.degrees_of(problem, best), 1))
    solution = _with_errors(problem, plain, excess, floor=0.0 if explained else _FLOOR)
    solution = replace(solution, params=moved(problem, solution.params, own.offset))
    solution = estimation.in_unit(problem, solution, image.scale)
    solution = replace(
        solution,
        success=np.array([bool(plain.success[0]) and not against]),
        status=("; ".join((plain.status[0], *against, *image.remarks)),),
    )
    light = nuisance if search.light is None else search.light.image + nuisance
    return GalaxyFit(problem, solution, _without_light(image, own, light, mask, seen), found, best, search.light, own, fitted)


def _findings(problem: Composition, search: _Search, best: Optimum, rivals: tuple[tuple[float, float], ...], soft: Observed) -> Findings:
    values, _ = estimation.parameters_of(problem, best)
    varied, richer = _with_other_sources(problem, search, best)
    excess = flags.excess_of(soft, best.model, best.residual)
    if excess > flags.MOST_EXCESS:
        for other in search.final(*richer, soft=_SOFT[1]):
            excess = min(excess, flags.excess_of(soft, other.model, other.residual))
            varied = (varied[0], _theta_e(richer[0], other.numbers))
    at = dict(zip(problem.names, values.tolist(), strict=True))
    return Findings(
        signal=flags.signal_of(search.seen),
        bright=int(flags.bright_of(search.seen, best.model).sum()),
        counter=flags.counter_signal(search.seen, best.model),
        excess=excess,
        theta_e=at["theta_E"],
        tried=TRIED,
        strain=belief.strain(at["q"], at["phi"], (at["gamma1"], at["gamma2"]), search.light),
        rivals=rivals,
        varied=varied,
        converged=best.code == CONVERGED,
    )


def _with_other_sources(
    problem: Composition, search: _Search, best: Optimum
) -> tuple[tuple[float, float], tuple[Composition, list[np.ndarray]]]:
    """Einstein radii with a simpler and a richer source, from the best; and the richer problem with its numbers."""
    radii: list[float] = []
    for order in _OTHER_ORDERS:
        other = _with_order(order, search.options)
        begin = _numbers_of(other, problem, best.numbers)
        numbers = np.asarray(search.coarse(other, begin[None], soft=_SOFT[1]).fit[0], np.float64)
        radii.append(_theta_e(other, numbers))
    return (radii[0], radii[1]), (other, [numbers])


def _with_errors(problem: Composition, solution: Solution, excess: float, *, floor: float) -> Solution:
    """A solution with its variances times `excess`, and a relative error of theta_E of `floor` in quadrature."""
    covariance, k = solution.covariance * excess, problem.names.index("theta_E")
    least = (floor * solution.params[:, k]) ** 2
    covariance[:, k, k] += least
    errors = solution.errors * np.sqrt(excess)
    errors[:, k] = np.hypot(errors[:, k], np.sqrt(least))
    return replace(solution, errors=errors, covariance=covariance)


def moved(problem: Composition, params: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    """Parameters (N, P) about the image's origin, of those about a place (x, y) in it. Shear about the origin moves the source as well."""
    params = params.copy()
    if not any(offset):
        return params
    at = {name: k for k, name in enumerate(problem.names)}
    x, y = offset
    gamma1, gamma2 = (params[:, at[name]].copy() for name in ("gamma1", "gamma2"))
    params[:, at["x"]] += x
    params[:, at["y"]] += y
    for at_x, at_y in problem.places:
        params[:, at_x] += x - (gamma1 * x + gamma2 * y)
        params[:, at_y] += y - (gamma2 * x - gamma1 * y)
    return params


def _without_light(image: SkyImage, own: Window, light: np.ndarray, mask: np.ndarray, seen: Observed) -> SkyImage:
    """The image without the lens's light (h, w) in the window, and with the pixels (h, w) that were fitted."""
    whole = image.observed
    part, inside = (own.rows, own.columns), own.inside
    front, used, noise = np.zeros(whole.data.shape), np.zeros(whole.data.shape, bool), np.ones(whole.data.shape)
    front[part], used[part], noise[part] = light[inside], mask[inside], arcs.sigma_of(seen)[inside]
    dtype = whole.data.dtype
    data = jnp.asarray(np.where(used, np.asarray(whole.data, np.float64) - front, 0.0), dtype)
    observed = replace(whole, data=data, mask=jnp.asarray(used), noise=GaussianNoise(jnp.asarray(noise, dtype)))
    return replace(image, observed=observed, lens_light=front * image.scale)
