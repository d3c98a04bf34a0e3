"""From images and starts to solutions: a coarse search, fine descents, and then the interval fit."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import jax
import numpy as np
from jax import Array

from lensjax._internal.words import counted
from lensjax.conventions import ROUNDING_VARIANCE
from lensjax.infer import interval, multistart, unlensed, verdict
from lensjax.infer.covariance import conditioning, errors_of, fisher, parameters_of, shift_aware_inverse
from lensjax.infer.levenberg_marquardt import CONVERGED, STATUS
from lensjax.infer.multistart import Optimum, light_of, model_of, pixels_of
from lensjax.infer.objective import EDGE
from lensjax.infer.solution import Solution
from lensjax.infer.starts import sky_noise
from lensjax.problems.axisymmetric import AxisymmetricProblem
from lensjax.problems.observables import LOWEST, from_fit
from lensjax.simulate.chunks import FITS

_log = logging.getLogger(__name__)

_LIT = 0.5  # grey level from which a pixel counts as lit
_DISTINCT = 5.0  # errors, by which another optimum must differ to be another solution
_ILL_CONDITIONED = 1e-4  # conditioning below which float32's information matrix is computed again in float64
_SINGULAR = 1e-7  # conditioning that float32 does not resolve: the interval fit has no scale then


def model_image(problem: AxisymmetricProblem, fit: np.ndarray, *, method: str, free_shift: bool = True) -> np.ndarray:
    """Grey levels (n, n) of fit coordinates (8,), not rounded; float64."""
    with jax.enable_x64(True):
        grey, inside = model_of(problem, np.asarray(fit, np.float64), method, free_shift)
        return np.where(inside >= 0, grey, 0.0)


def refine(
    problem: AxisymmetricProblem,
    images: np.ndarray,
    starts: np.ndarray,
    *,
    methods: Sequence[str] | None = None,
    free_shift: bool = True,
    rounded: bool = True,
    variance: float | None = None,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Solution:
    """Fit the pixels from several starts for each image, keep the best fit, and estimate its errors.

    An image that cannot be fitted (pixels or starts that are not finite, say) has a row with the reason in `status`; no other row changes.

    Args:
        problem: what the images show; its method says how the lens equation is solved.
        images: (N, n, n) grey levels 0…255, n the problem's image size.
        starts: (N, S, 8) fit coordinates, see `starts`.
        methods: ways of solving the lens equation to try, the likeliest first; by default the problem's own, and ray tracing
            without a window.
        free_shift: whether the place of the whole image is fitted too; required for images that other programs centred.
        rounded: whether grey levels are rounded to whole levels: then the interval fit follows.
        variance: noise variance [grey²] of one pixel; by default that of rounding, or that of the residuals where it is
            larger.
        seed: of the interval fit's sampling.
        progress: called with the number of images done since the last call.

    Raises:
        ValueError: the shapes do not fit.
    """
    solutions = []
    for solution in refine_each(
        problem, images, starts, methods=methods, free_shift=free_shift, rounded=rounded, variance=variance, seed=seed
    ):
        solutions.append(solution)
        if progress is not None:
            progress(1)
    return Solution.stack(solutions)


def refine_each(
    problem: AxisymmetricProblem,
    images: np.ndarray,
    starts: np.ndarray,
    *,
    methods: Sequence[str] | None = None,
    free_shift: bool = True,
    rounded: bool = True,
    variance: float | None = None,
    seed: int = 0,
    by_edge: bool = False,
) -> Iterator[Solution]:
    """As `refine`, image by image: each one's solution as soon as it is done. `by_edge` as in `multistart.descend`.

    Raises:
        ValueError: the shapes do not fit.
    """
    images = np.asarray(images, np.float32)
    starts = np.asarray(starts)
    n = problem.image_size
    if images.ndim != 3 or images.shape[1:] != (n, n):
        raise ValueError(f"images have shape {images.shape}; expected (N, {n}, {n})")
    if starts.ndim != 3 or starts.shape[0] != len(images) or starts.shape[2] != len(LOWEST):
        raise ValueError(f"starts have shape {starts.shape}; expected ({len(images)}, S, {len(LOWEST)})")
    if methods is None:
        methods = tuple(dict.fromkeys((problem.trace.name, "raytrace")))
    for first in range(0, len(images), FITS):
        chunk = images[first : first + FITS]
        unusable = [_unusable(image, start) for image, start in zip(chunk, starts[first : first + FITS], strict=True)]
        usable = np.array([reason is None for reason in unusable])
        # Where a method explains every pixel, no other method can explain more: they are tried on the other images alone.
        tried = methods[:1] if rounded else methods
        optima = iter(_optima(problem, chunk[usable], starts[first : first + FITS][usable], tried, free_shift, by_edge))
        for image, start, reason in zip(chunk, starts[first : first + FITS], unusable, strict=True):
            if reason is not None:
                yield _failed(problem, reason)
                continue
            try:
                found, solution = next(optima), None
                with jax.enable_x64(True):
                    if tried == methods or _within_rounding(image, found):
                        solution = _finish(problem, image, found, free_shift, rounded, variance, seed)
                    if solution is None or (tried != methods and solution.kind != ("interval",)):
                        found = [*found, *_optima(problem, image[None], start[None], methods[len(tried) :], free_shift, by_edge)[0]]
                        solution = _finish(problem, image, found, free_shift, rounded, variance, seed)
            except Exception as error:  # the failure of one image must not cost the others their solutions
                _log.debug("an image failed", exc_info=True)
                solution = _failed(problem, " ".join(str(error).split()) or type(error).__name__)
            yield solution


def _unusable(image: np.ndarray, starts: np.ndarray) -> str | None:
    """Why an image (n, n) cannot be fitted from its starts (S, 8), or None."""
    bad = int((~np.isfinite(image)).sum())
    if bad:
        return "1 pixel is not a finite number" if bad == 1 else f"{bad} pixels are not finite numbers"
    if not np.isfinite(starts).all(axis=1).any():
        return "no start has finite coordinates"
    return None


def _failed(problem: AxisymmetricProblem, reason: str) -> Solution:
    return Solution.failed(problem.names, reason, coordinates=len(LOWEST))


def _optima(
    problem: AxisymmetricProblem, images: np.ndarray, starts: np.ndarray, methods: Sequence[str], free_shift: bool, by_edge: bool
) -> list[list[Optimum]]:
    """Each image's descents by some methods."""
    with jax.enable_x64(True):
        candidates = multistart.search(problem, images, starts, methods, free_shift)
        return multistart.descend(problem, images, candidates, free_shift, by_edge=by_edge)


def _within_rounding(image: np.ndarray, optima: list[Optimum]) -> bool:
    """Whether a descent may have reached parameters with which every pixel rounds to the image's: none is then off by more than ½."""
    least = min((float(optimum.descent.normal.cost) for optimum in optima), default=np.inf)
    return bool(least <= 0.25 * np.count_nonzero(image) + 200.0)


def _finish(
    problem: AxisymmetricProblem,
    image: np.ndarray,
    optima: list[Optimum],
    free_shift: bool,
    rounded: bool,
    variance: float | None,
    seed: int,
) -> Solution:
    """One image's solution from its descents.

    Raises:
        ValueError: no descent has a finite cost.
    """
    costs = np.array([_whole_cost(problem, image, optimum, free_shift) for optimum in optima])
    if not np.isfinite(costs).any():
        raise ValueError("no start leads to a finite residual")
    costs = np.where(np.isfinite(costs), costs, np.inf)
    # Best first; those that explain the image equally well in the order of the methods.
    order = np.lexsort((costs, np.arange(len(costs)), costs > 1.05 * costs.min() + 20.0))
    certified, best, tried = None, optima[order[0]], False
    if rounded and problem.image_size == problem.field:
        for k in order:
            if costs[k] > 3.0 * costs[order[0]] + 200.0:
                break
            if conditioning(np.asarray(optima[k].descent.normal.matrix), free_shift=free_shift) < _SINGULAR:
                continue
            tried = True
            certified = _interval(problem, image, optima[k], free_shift, seed)
            if certified is None and _within_rounding(image, [optima[k]]):  # along a valley float32 ends early
                exact = multistart.settled(problem, image, optima[k], free_shift, variance=ROUNDING_VARIANCE)
                certified, optima[k] = _interval(problem, image, exact, free_shift, seed), exact
            if certified is not None:
                best = optima[k]
                break
    if not rounded:
        best = multistart.settled(problem, image, best, free_shift, variance=ROUNDING_VARIANCE if variance is None else variance)
    method, descent = best.method, best.descent
    fit = np.asarray(descent.fit, np.float64) if certified is None else certified.fit
    grey, inside = model_of(problem, fit, method, free_shift)
    model = np.where(inside >= 0, grey, 0.0)
    slack = np.nan if certified is None else certified.slack
    violated = interval.violated_pixels(grey, inside, image, slack=0.0 if certified is None else slack)
    residual = model - image
    lit = np.ones(image.shape, bool)
    if rounded or variance is None:  # dark pixels have no noise, or only the sky's, which may be less than that of the light
        level = _LIT if rounded else max(_LIT, 3.0 * sky_noise(image))
        lit = (model >= level) | (image >= level)
    mean_square = float((residual[lit] ** 2).mean()) if lit.any() else 0.0
    noise = ROUNDING_VARIANCE if variance is None else variance
    assumed = noise if certified is not None or variance is not None else max(noise, mean_square)
    matrix = np.asarray(descent.normal.matrix)
    if conditioning(matrix, free_shift=free_shift) < _ILL_CONDITIONED:
        matrix = fisher(problem, np.asarray(descent.fit), method=method, free_shift=free_shift)
    white = shift_aware_inverse(matrix, free_shift)
    values, jacobian = (np.asarray(part) for part in parameters_of(problem, fit))
    bound, _, _ = errors_of(problem, values, jacobian, white * assumed)
    covariance = white * assumed if certified is None else certified.covariance
    errors, spread, is_round = errors_of(problem, values, jacobian, covariance)
    lowest, highest = _certified(problem, values, certified, is_round)
    code = int(descent.code)
    scatter = assumed if certified is None else noise
    needless = unlensed.explains(image, lit, variance=scatter, rounded=rounded)
    vanishing = _beyond_the_possible(problem, lowest)
    if needless or vanishing:  # such bounds are those of the search, and of a linearisation far off
        lowest, highest = np.full_like(lowest, -np.inf), np.full_like(highest, np.inf)
    against: list[str] = []
    if certified is None:
        residuals = _against(residual, lit, scatter, rounded=rounded)
        if tried and not residuals and violated:
            residuals = [f"no parameters agree with every pixel: {counted(violated, 'pixel')} off by more than ½"]
        rivals = _rivals(optima, costs, order[0], white * scatter)
        count = len(problem.parameters)
        outside = verdict.outside(problem.parameters, values[:count], errors[:count])
        against = verdict.objections(residuals, converged=code == CONVERGED, outside=outside, rivals=rivals, needless=needless)
    elif needless:
        against = ["no lens needed"]
    words = [STATUS[code], *against]
    unidentified = [name for name, error in zip(problem.names, errors, strict=True) if not np.isfinite(error)]
    if unidentified:
        words.append("not identifiable: " + " ".join(unidentified))
    if vanishing and not needless:
        words.append("bounds open: the pixels let a size vanish")
    return Solution(
        names=problem.names,
        params=values[None, : len(problem.parameters)],
        errors=errors[None],
        covariance=spread[None],
        lowest=lowest[None],
        highest=highest[None],
        bound=bound[None],
        fit=fit[None],
        shift=np.asarray(_centre(problem, fit, method, free_shift))[None],
        chi2=np.array([mean_square / noise]),
        violated=np.array([violated], np.float64),
        slack=np.array([slack]),
        kind=("least squares" if certified is None else "interval",),
        method=(method,),
        success=np.array([not against]),
        status=("; ".join(words),),
    )


@partial(jax.jit, static_argnames=("problem", "method", "free_shift"))
def _centre(problem: AxisymmetricProblem, fit: Array, method: str, free_shift: bool) -> Array:
    """The place (2,), relative to the lens, at the image's centre."""
    system, centre = from_fit(fit, problem.lens_of)
    return centre if free_shift else problem.centre(system, method=method)


def _against(residual: np.ndarray, lit: np.ndarray, variance: float, *, rounded: bool) -> list[str]:
    """Why residuals (n, n) [grey levels] of a least-squares fit over the lit pixels are not noise, in words."""
    if rounded:
        return verdict.against_rounding(residual)
    whitened = residual / np.sqrt(variance)
    return verdict.against_noise(whitened, lit, chi2=float((whitened[lit] ** 2).sum()), degrees=int(lit.sum()) - len(LOWEST))


def _rivals(optima: list[Optimum], costs: np.ndarray, best: int, covariance: np.ndarray) -> list[str]:
    """Other optima that are as good as the best and differ from it, in words."""
    variance = np.diag(covariance)
    fitted = variance > 0
    chosen = np.asarray(optima[best].descent.fit, np.float64)
    scale = np.sqrt(variance[fitted])
    noise = float(np.mean(costs[best])) / max(optima[best].pixels.image.size, 1)
    rivals = []
    for k, other in enumerate(optima):
        far = np.abs(np.asarray(other.descent.fit, np.float64) - chosen)[fitted] / scale
        if k != best and costs[k] - costs[best] < verdict.AS_GOOD * max(noise, ROUNDING_VARIANCE) and far.max() > _DISTINCT:
            rivals.append(f"{other.method}, {far.max():.0f} errors away")
    return rivals


def _whole_cost(problem: AxisymmetricProblem, image: np.ndarray, optimum: Optimum, free_shift: bool) -> float:
    """Σr² [grey²] over the whole image except the window's edge: a descent may have moved beyond the pixels that it fitted."""
    grey, inside = model_of(problem, np.asarray(optimum.descent.fit, np.float64), optimum.method, free_shift)
    residual = np.where(inside >= 0, grey, 0.0) - image
    return float((residual[np.abs(inside) >= EDGE] ** 2).sum())


def _interval(problem: AxisymmetricProblem, image: np.ndarray, optimum: Optimum, free_shift: bool, seed: int) -> interval.Interval | None:
    """The interval fit about a descent's end; None where no parameters agree with every pixel of the image."""
    covariance = shift_aware_inverse(np.asarray(optimum.descent.normal.matrix), free_shift) * ROUNDING_VARIANCE
    pixels, start = optimum.pixels, np.asarray(optimum.descent.fit, np.float64)
    for _ in range(2):  # a second time where the first set has light beyond the pixels that were fitted
        certified = interval.solve(
            light_of(problem, optimum.method, free_shift),
            *pixels,
            start,
            covariance,
            lambda fit: np.asarray(parameters_of(problem, fit)[1]),
            seed=seed,
        )
        if certified is None:
            return None
        grey, inside = model_of(problem, certified.fit, optimum.method, free_shift)
        if interval.violated_pixels(grey, inside, image, slack=certified.slack) == 0:
            return certified
        before, _ = model_of(problem, start, optimum.method, free_shift)
        pixels = pixels_of(problem, image, np.maximum(grey, before))
    return None


def _beyond_the_possible(problem: AxisymmetricProblem, lowest: np.ndarray) -> bool:
    """Whether lower bounds (P,) let a size vanish."""
    return any(parameter.low > 0 and bound <= 0 and np.isfinite(bound) for parameter, bound in zip(problem.parameters, lowest, strict=True))


def _certified(
    problem: AxisymmetricProblem, values: np.ndarray, certified: interval.Interval | None, is_round: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Certified bounds (P,), (P,): every set of parameters that agrees with all pixels lies within them; NaN without an interval fit."""
    count = len(problem.parameters)
    if certified is None:
        return np.full(count, np.nan), np.full(count, np.nan)
    lowest, highest = values + certified.lowest, values + certified.highest
    if is_round:  # the axes' order and direction are not known: bound them by size and ellipticity
        e = np.hypot(*(np.maximum(np.abs(lowest[-2:]), np.abs(highest[-2:]))))
        for name in ("sigma", "sigma2"):
            k = problem.names.index(name)
            lowest[k], highest[k] = np.exp(lowest[-3] - e), np.exp(highest[-3] + e)
        k = problem.names.index("theta")
        lowest[k], highest[k] = 0.0, 180.0
    lowest, highest = lowest[:count], highest[:count]
    for name in problem.without_image:
        k = problem.names.index(name)
        lowest[k], highest[k] = -np.inf, np.inf
    return lowest, highest
