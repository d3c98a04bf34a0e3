"""From the image of a galaxy to the lens, without a person.

1. The lens's light is fitted and taken off, with what looks like arcs masked (`lens_light`).
2. Round lenses of many Einstein radii are starts (`starts`). Those that two steps bring furthest descend on a coarse copy of the arcs,
   with a source of Gaussians.
3. The best go on with a source of shapelets. Then the lens's light is fitted again without their arcs, and they once more.
4. Few Sérsic profiles that explain the arcs are the answer (`clumps`). Or else the best two descend on the arcs with shapelets. Details of
   the source that no model has must not decide on the lens, so a part of the arcs' light counts as an error of the model. Where the arcs
   are explained to the noise without it, that is the answer. Where they are not, and more shapelets lead to another lens, all of this is
   done from there.
5. What stands against the answer is said in words (`flags`); also where light that is not lensed explains the arcs as well (`unlensed`).
   Where anything does, and objects beside the lens may be no arcs (`companions`), all is done again without them; that is the answer where
   nothing stands against it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from lensjax._internal.compiled import let_programs_go
from lensjax.infer import estimation, fit
from lensjax.infer.fit import Belief, Optimum
from lensjax.infer.levenberg_marquardt import CONVERGED, Descent
from lensjax.infer.solution import Solution
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.observed import Observed
from lensjax.observation.sky import SkyImage
from lensjax.pipeline import arcs, belief, companions, flags, starts, unlensed, upgrade, window
from lensjax.pipeline.answer import Answer, answer_of, restarted, rivals_of
from lensjax.pipeline.flags import Findings
from lensjax.pipeline.lens_light import LensLight
from lensjax.pipeline.options import OTHER_ORDERS, Options, problem_of
from lensjax.pipeline.search import SOFT, Search
from lensjax.pipeline.window import Window
from lensjax.problems.compose import Composition

_STEP, _FINE = 0.134, 3  # relative step of the Einstein radii that are descended from, each the best of so many
_SHORT = 2  # steps by which these are compared
_KEPT = (4, 3, 2)
_SERIES, _CURVED = 2.5, 1.15  # factors on errors where the arcs are explained, from mocks: with shapelets, whose series ends, and otherwise
_FLOOR = 0.01  # of theta_E: its least error where the arcs are not explained to the noise
_SAMPLED = 0.03  # px: error of theta_E beside that of the noise, since light and PSF are known by pixels; from mocks
_SAME = 0.1  # relative difference of Einstein radii with and without companions
_NOT_FINITE = "no start leads to a finite residual"
_NOISY = 1e3  # times the median: noise of pixels that others have masked


@dataclass(frozen=True)
class GalaxyFit:
    """A fit of a galaxy's image.

    Attributes:
        problem: mass, any shear and the source that was fitted last.
        solution: of one image, in the units of its file; places are about the image's origin.
        image: the image without the lens galaxy's light, with the pixels that were fitted and their noise.
        findings: what the verdict rests on; None where nothing could be fitted.
        best: the optimum, about the lens; None where nothing could be fitted.
        light: the lens galaxy's light in the window; None without.
        window: the part of the image that was fitted.
        seen: its arcs as they were fitted last, about the lens's pixel.
        belief: what was believed of the numbers there; None where nothing could be fitted.
        growth: how many times the errors by the noise map count in those of the solution.
        beyond: error of theta_E beside these [arcsec].
    """

    problem: Composition
    solution: Solution
    image: SkyImage
    findings: Findings | None
    best: Optimum | None
    light: LensLight | None
    window: Window
    seen: Observed
    belief: Belief | None = None
    growth: float = 1.0
    beyond: float = 0.0

    @property
    def weighed(self) -> Observed:
        """`seen` with as much noise as gives the solution's errors, but for `beyond`."""
        return replace(self.seen, noise=GaussianNoise(jnp.asarray(self.growth * arcs.sigma_of(self.seen), self.seen.data.dtype)))

    def near(self) -> tuple[Observed, Optimum]:
        """The part of `weighed` with the arcs, beyond which no pixel tells of the lens, and the optimum there."""
        assert self.best is not None
        part = upgrade.cropped(self.weighed, upgrade.reach_of(self.seen, self.best.model))
        return part, upgrade.on(part, self.problem, self.best)


def fit_galaxy(
    image: SkyImage,
    options: Options = Options(),  # noqa: B008
    say: Callable[[str], None] = lambda words: None,
) -> GalaxyFit:
    """Fits the image of a galaxy that may be a lens.

    Args:
        image: the image; lengths are arcseconds.
        options: what is fitted.
        say: called with words about what is done, as it is done.

    Returns:
        The fit. Where no lens is found, or nothing can be fitted, its solution has no success, and the reason in its status.
    """
    let_programs_go()
    own = _window(image, options)
    first = _fit_window(image, own, options, say)
    others = [] if first.best is None else companions.candidates(own, first.light, outer=options.outer)
    if first.best is not None and first.solution.success[0]:
        others = companions.lit(others, first.best.model, arcs.sigma_of(first.seen))
    if not others:
        return first
    masked = _fit_window(image, companions.masked(own, others), options, lambda words: say(f"without companions: {words}"))
    if not masked.solution.success[0]:
        return first
    assert first.findings is not None and masked.findings is not None
    radius = masked.findings.theta_e
    if not first.solution.success[0]:
        brightest = companions.brightest(others, within=flags.IMAGES * radius)
        against = flags.words_of_masked(brightest / masked.findings.signal)
        return _said(masked, "; ".join((f"masked {companions.words(others, own.offset)}", *against)), success=not against)
    if abs(radius / first.findings.theta_e - 1.0) < _SAME:
        return first
    return _said(first, f"theta_E depends on companions: {radius:.3g} without {companions.words(others, own.offset)}", success=False)


def _said(found: GalaxyFit, words: str, *, success: bool) -> GalaxyFit:
    """A fit with another word in its status."""
    status = (f"{found.solution.status[0]}; {words}",)
    return replace(found, solution=replace(found.solution, status=status, success=np.array([success])))


def _fit_window(image: SkyImage, own: Window, options: Options, say: Callable[[str], None]) -> GalaxyFit:
    """Fits the part of an image that is about its lens."""
    wanted = problem_of(options)
    problem = problem_of(replace(options, source="shapelets")) if options.source == "pixels" else wanted
    search = Search(own, options, say)
    say("round lenses of many Einstein radii")
    first = replace(options, mass="sie", multipoles=()).galaxy(source="multi_gaussian")
    rough = starts.round_lenses(arcs.softened(search.seen, SOFT[0]), _radii(options))
    if not rough or flags.signal_of(search.seen) < flags.FAINTEST:
        return _nothing(image, wanted, own, search, flags.NO_LENS)
    begin = np.stack([np.asarray(first.start(guess), np.float64) for guess in rough])
    shape = first.names.index("q")
    begin[:, shape : shape + 2] = np.asarray(belief.of(first, search.light).mean)[shape : shape + 2]
    gaussian = search.coarse(first, _best_of_each(search.coarse(first, begin, soft=SOFT[0], steps=_SHORT)), soft=SOFT[0])
    begin = starts.carried(first, problem, fit.distinct(gaussian, _KEPT[0]))
    if not len(begin):
        return _nothing(image, wanted, own, search, _NOT_FINITE)
    say("rough source of shapelets")
    ends = search.coarse(problem, begin, soft=SOFT[1])
    kept = fit.distinct(ends, _KEPT[1])
    numbers, model = search.plain(problem, kept[0])
    search.take_off(model)
    again, rivals = search.coarse(problem, np.stack([numbers, *kept]), soft=SOFT[1]), rivals_of(problem, ends)
    answer = answer_of(problem, search, fit.distinct(again, _KEPT[2]), model, rivals)
    if answer is not None and not answer.explained:
        answer = restarted(problem, search, answer, model, rivals, least=float(np.nanmin(again.normal.cost)))
    if answer is None:
        return _nothing(image, wanted, own, search, _NOT_FINITE)
    return _judged(replace(image, remarks=(*answer.words, *image.remarks)), search, answer)


def _radii(options: Options) -> np.ndarray:
    """Einstein radii (S,) that are tried [arcsec]: `_FINE` for each that is descended from."""
    low, high = options.tried
    return np.geomspace(low, high, _FINE * round(np.log(high / low) / _STEP))


def _best_of_each(short: Descent) -> np.ndarray:
    """Numbers (S, E) of the best of each `_FINE` descents that follow each other."""
    costs = np.asarray(short.normal.cost, np.float64).reshape(-1, _FINE)
    best = np.argmin(np.where(np.isfinite(costs), costs, np.inf), axis=1)
    return np.asarray(np.asarray(short.fit, np.float64).reshape(len(costs), _FINE, -1)[np.arange(len(costs)), best])


def _window(image: SkyImage, options: Options) -> Window:
    """The part of an image that is fitted: about the lens's light, or about the middle where that is off already."""
    seen = image.observed
    data, used = np.asarray(seen.data, np.float64), np.asarray(seen.mask)
    sigma = arcs.sigma_of(seen)
    used = used & (sigma < _NOISY * np.median(sigma[used]))
    centre = window.centre_of_lens(data, used, seen.instrument) if options.lens_light else seen.instrument.middle
    return window.around(data, sigma, used, seen.instrument, centre, reach=options.reach)


def _nothing(image: SkyImage, problem: Composition, own: Window, search: Search, reason: str) -> GalaxyFit:
    failed = Solution.failed(problem.names, reason, coordinates=problem.size)
    remarks = "; ".join((reason, *image.remarks))
    return GalaxyFit(problem, replace(failed, status=(remarks,)), image, None, None, search.light, own, search.seen)


def _judged(image: SkyImage, search: Search, answer: Answer) -> GalaxyFit:
    """The fit with its errors and its verdict."""
    own, seen, problem, best, explained = search.window, search.seen, answer.problem, answer.best, answer.explained
    fitted = arcs.softened(seen, answer.soft)
    mask = np.asarray(seen.mask)
    over = np.where(mask, 1.0 / arcs.sigma_of(fitted), 0.0)
    nuisance = np.where(mask, ((np.asarray(seen.data, np.float64) - best.model) * over - best.residual) * arcs.sigma_of(fitted), 0.0)
    search.say("other sources, for the verdict")
    found = _findings(problem, search, best, answer.rivals, fitted)
    if explained:  # a noise map with a floor is too large where there is no light, so that arcs stand out which it explains
        found = replace(found, excess=min(found.excess, 1.0))
    against, known = flags.words(found), search.belief(problem, soft=answer.soft)
    plain = estimation.solution_of(problem, best, [])
    if plain.success[0] and not against:
        search.say("light without a lens, for the verdict")
        against = flags.words_of_light(unlensed.gain(problem, fitted, known, best.numbers, best.model))
    excess = max(1.0, best.chi2 / max(estimation.degrees_of(problem, best), 1))
    if explained:
        excess *= (_SERIES if "source_beta" in problem.names else _CURVED) ** 2
    of_mass = search.options.mass_error if explained else max(search.options.mass_error, _FLOOR)
    k = problem.names.index("theta_E")
    beyond = float(np.hypot(of_mass * plain.params[0, k], _SAMPLED * seen.instrument.pixel_scale))
    solution = _with_errors(plain, excess, k, beyond)
    solution = replace(solution, params=moved(problem, solution.params, own.offset))
    solution = estimation.in_unit(problem, solution, image.scale)
    solution = replace(
        solution,
        success=np.array([bool(plain.success[0]) and not against]),
        status=("; ".join((plain.status[0], *against, *image.remarks)),),
    )
    light = nuisance if search.light is None else search.light.image + nuisance
    shown = _without_light(image, own, light, mask, seen)
    return GalaxyFit(problem, solution, shown, found, best, search.light, own, fitted, known, growth=float(np.sqrt(excess)), beyond=beyond)


def _findings(problem: Composition, search: Search, best: Optimum, rivals: tuple[tuple[float, float], ...], soft: Observed) -> Findings:
    values, _ = estimation.parameters_of(problem, best)
    varied, richer = _with_other_sources(problem, search, best)
    excess = flags.excess_of(soft, best.model, best.residual)
    if excess > flags.MOST_EXCESS:
        for other in search.final(*richer, soft=SOFT[1]):
            excess = min(excess, flags.excess_of(soft, other.model, other.residual))
            varied = (varied[0], starts.theta_e(richer[0], other.numbers))
    at = dict(zip(problem.names, values.tolist(), strict=True))
    return Findings(
        signal=flags.signal_of(search.seen),
        bright=int(flags.bright_of(search.seen, best.model).sum()),
        counter=flags.counter_signal(search.seen, best.model),
        excess=excess,
        theta_e=at["theta_E"],
        tried=search.options.tried,
        strain=belief.strain(at["q"], at["phi"], (at.get("gamma1", 0.0), at.get("gamma2", 0.0)), search.light),
        rivals=rivals,
        varied=varied,
        converged=best.code == CONVERGED,
        alike=flags.alike(soft, best.model, (at["x"], at["y"])),
        dark=flags.dark_of(soft, best.model),
        hole=flags.hole_of(search.seen),
    )


def _with_other_sources(
    problem: Composition, search: Search, best: Optimum
) -> tuple[tuple[float, float], tuple[Composition, list[np.ndarray]]]:
    """Einstein radii with a simpler and a richer source, from the best; and the richer problem with its numbers."""
    radii: list[float] = []
    for order in OTHER_ORDERS:
        other = search.options.galaxy(source="shapelets", n_max=order)
        begin = starts.numbers_of(other, problem, best.numbers)
        numbers = np.asarray(search.coarse(other, begin[None], soft=SOFT[1]).fit[0], np.float64)
        radii.append(starts.theta_e(other, numbers))
    return (radii[0], radii[1]), (other, [numbers])


def _with_errors(solution: Solution, excess: float, k: int, beyond: float) -> Solution:
    """A solution with its variances times `excess`, and an error `beyond` of parameter k in quadrature."""
    covariance, errors = solution.covariance * excess, solution.errors * np.sqrt(excess)
    covariance[:, k, k] += beyond**2
    errors[:, k] = np.hypot(errors[:, k], beyond)
    return replace(solution, errors=errors, covariance=covariance)


def moved(problem: Composition, params: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    """Parameters (N, P) about the image's origin, of those about a place (x, y) in it. Shear about the origin moves the source as well."""
    params = params.copy()
    if not any(offset):
        return params
    at = {name: k for k, name in enumerate(problem.names)}
    x, y = offset
    gamma1, gamma2 = (params[:, at[name]].copy() if name in at else 0.0 for name in ("gamma1", "gamma2"))
    for at_x, at_y in problem.all_places:
        bent = (at_x, at_y) in problem.places
        params[:, at_x] += x - bent * (gamma1 * x + gamma2 * y)
        params[:, at_y] += y - bent * (gamma2 * x - gamma1 * y)
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
