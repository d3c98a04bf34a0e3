"""Images and starts to solutions: search coarsely, descend finely, then keep every pixel in its interval."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import ndimage

from lensjax.conventions import ROUNDING_VARIANCE
from lensjax.image.grid import pixel_points
from lensjax.problems import Problem
from lensjax.problems.observables import HIGHEST, LOWEST, from_fit
from lensjax.refine import interval
from lensjax.refine.covariance import conditioning, errors_of, fisher, parameters_of, shift_aware_inverse
from lensjax.refine.levenberg_marquardt import CONVERGED, STATUS, Descent, descend
from lensjax.refine.objective import EDGE, Light, sharp, soft
from lensjax.refine.solution import Solution

_log = logging.getLogger(__name__)

CHUNK = 16
"""Images in one call; few enough for the memory of a small machine."""

_COARSE = 100  # points on a side of the coarse search
_COARSE_STEPS, _FINE_STEPS = 30, 40
_COARSE_TOLERANCE, _FINE_TOLERANCE = 0.05, 1e-3  # grey²
_SIZES = (24_576, 65_536)  # pixels that one compiled descent works on; more than these: the whole image
_MARGIN = 5  # px about the image's light that are looked at too
_GLIMMER = 0.02  # grey level from which a model's pixel is looked at
_FAR = 1e5  # px: where nothing is
_EXPLAINED = 0.99  # part of the image's squared light that a success explains
_ABOVE = 2.0  # chi² from which residuals are said to be above the noise
_LONG = 30  # terms from which the coarse search takes the series for its limit
_ILL_CONDITIONED = 1e-4  # conditioning below which float32's information matrix is made again in float64
_SINGULAR = 1e-7  # conditioning that float32 does not resolve: there is no yardstick for the interval fit
_RIVAL = 1.5  # a second start is followed up where its coarse cost is within this factor of the best


@lru_cache(maxsize=64)
def _light(problem: Problem, method: str, free_shift: bool) -> Light:
    """One function object a problem, so that nothing is compiled twice."""

    def light(fit: Array, x: Array, y: Array) -> tuple[Array, Array]:
        return problem.light(fit, x, y, method=method, free_shift=free_shift)

    return light


@partial(jax.jit, static_argnames=("light", "n", "field", "stride"))
def _search(light: Light, n: int, field: int, stride: int, images: Array, starts: Array, count: Array) -> Descent:
    """Descents (C, S) on every `stride`-th pixel of images (C, n, n) from starts (C, S, 8); only the first `count` are used."""
    x, y = pixel_points(n, field, dtype=images.dtype)
    x, y, thin = x[:, ::stride], y[::stride], images[:, ::stride, ::stride]
    bounds = jnp.asarray(LOWEST, images.dtype), jnp.asarray(HIGHEST, images.dtype)

    def one(image: Array, start: Array, used: Array) -> Descent:
        evaluate = lambda fit: soft(light, fit, image, x, y, width=2.0 * stride * field / n)  # noqa: E731
        steps = jnp.where(used, _COARSE_STEPS, 0)
        return descend(evaluate, start, *bounds, steps=steps, tolerance=_COARSE_TOLERANCE)

    def all_of(row: tuple[Array, Array, Array]) -> Descent:
        image, starts, index = row
        descents: Descent = jax.lax.map(lambda start: one(image, start, index < count), starts)
        return descents

    descents: Descent = jax.lax.map(all_of, (thin, starts, jnp.arange(len(starts))))
    return descents


@partial(jax.jit, static_argnames="light")
def _polish(light: Light, images: Array, x: Array, y: Array, starts: Array, count: Array) -> Descent:
    """Descents (C,) on pixels (C, M) at points x, y (C, M), one start (C, 8) each; only the first `count` are used."""
    bounds = jnp.asarray(LOWEST, images.dtype), jnp.asarray(HIGHEST, images.dtype)

    def one(image: Array, x: Array, y: Array, start: Array, index: Array) -> Descent:
        evaluate = lambda fit: sharp(light, fit, image, x, y)  # noqa: E731
        steps = jnp.where(index < count, _FINE_STEPS, 0)
        return descend(evaluate, start, *bounds, steps=steps, tolerance=_FINE_TOLERANCE)

    descents: Descent = jax.lax.map(lambda row: one(*row), (images, x, y, starts, jnp.arange(len(starts))))
    return descents


@partial(jax.jit, static_argnames=("light", "n", "field"))
def _picture(light: Light, n: int, field: int, fit: Array) -> tuple[Array, Array]:
    x, y = pixel_points(n, field, dtype=fit.dtype)
    grey, inside = light(fit, x, y)
    return grey, jnp.broadcast_to(inside, grey.shape)


class _Pixels(NamedTuple):
    """The pixels of an image that matter, filled up to one of `_SIZES`, or to the whole
    image's, with dark points far away: few sizes, so that little is compiled."""

    image: np.ndarray
    x: np.ndarray
    y: np.ndarray


def _pixels(problem: Problem, image: np.ndarray, model: np.ndarray) -> _Pixels:
    """The pixels lit, or near light, in the image or in a model of it (n, n)."""
    x, y = (np.asarray(part) for part in pixel_points(problem.image_size, problem.field, dtype=jnp.float64))
    near = ndimage.binary_dilation(image > 0, iterations=_MARGIN) | (model > _GLIMMER)
    rows, columns = np.nonzero(near)
    size = next((size for size in _SIZES if size >= len(rows)), image.size)
    fill = (0, size - len(rows))
    return _Pixels(
        np.pad(image[rows, columns], fill),
        np.pad(x[0, columns], fill, constant_values=_FAR),
        np.pad(y[rows, 0], fill, constant_values=_FAR),
    )


@dataclass(frozen=True)
class _Candidate:
    """A start worth following: its fit, its method, and its coarse cost."""

    fit: np.ndarray
    method: str
    cost: float


class _Optimum(NamedTuple):
    """A fine descent, the method it used and the pixels it looked at."""

    method: str
    pixels: _Pixels
    descent: Descent


def _model(problem: Problem, fit: np.ndarray, method: str, free_shift: bool) -> tuple[np.ndarray, np.ndarray]:
    """Light (n, n) [grey] that fit coordinates (8,) show, and how far inside the window it lies, in their own precision."""
    light = _light(problem, method, free_shift)
    grey, inside = _picture(light, problem.image_size, problem.field, jnp.asarray(fit))
    return np.asarray(grey), np.asarray(inside)


def model_image(problem: Problem, fit: np.ndarray, *, method: str, free_shift: bool = True) -> np.ndarray:
    """Grey levels (n, n), not rounded, that fit coordinates (8,) show; float64."""
    with jax.enable_x64(True):
        grey, inside = _model(problem, np.asarray(fit, np.float64), method, free_shift)
        return np.where(inside >= 0, grey, 0.0)


def refine(
    problem: Problem,
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
    """Descend through the renderer from several starts an image, keep the best, and say how sure it is.

    An image that cannot be fitted (pixels or starts that are not finite, say) has a row whose `status` says why; it changes no other.

    Args:
        problem: what the images show; its method says how the lens equation is solved.
        images: (N, n, n) grey levels 0…255, n the problem's image size.
        starts: (N, S, 8) fit coordinates, see `starts`.
        methods: ways of solving the lens equation to try, the likeliest first; by default the problem's own, and the whole image
            without a window.
        free_shift: whether the place of the whole image is fitted along; for images centred by others it must be.
        rounded: whether grey levels are rounded to whole ones: then the interval fit follows.
        variance: noise variance [grey²] of one pixel; by default that of rounding, or what the residuals show where they are
            larger.
        seed: of the interval fit's sampling.
        progress: called with the number of images done since the last call.

    Raises:
        ValueError: shapes that do not fit.
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
    problem: Problem,
    images: np.ndarray,
    starts: np.ndarray,
    *,
    methods: Sequence[str] | None = None,
    free_shift: bool = True,
    rounded: bool = True,
    variance: float | None = None,
    seed: int = 0,
) -> Iterator[Solution]:
    """As `refine`, image by image: each one's solution as soon as it is done.

    Raises:
        ValueError: shapes that do not fit.
    """
    images = np.asarray(images, np.float32)
    starts = np.asarray(starts)
    n = problem.image_size
    if images.ndim != 3 or images.shape[1:] != (n, n):
        raise ValueError(f"images have shape {images.shape}; expected (N, {n}, {n})")
    if starts.ndim != 3 or starts.shape[0] != len(images) or starts.shape[2] != len(LOWEST):
        raise ValueError(f"starts have shape {starts.shape}; expected ({len(images)}, S, {len(LOWEST)})")
    if methods is None:
        methods = tuple(dict.fromkeys((problem.camera.trace.name, "raytrace")))
    for first in range(0, len(images), CHUNK):
        chunk = images[first : first + CHUNK]
        unusable = [_unusable(image, start) for image, start in zip(chunk, starts[first : first + CHUNK], strict=True)]
        usable = np.array([reason is None for reason in unusable])
        with jax.enable_x64(True):
            candidates = _candidates(problem, chunk[usable], starts[first : first + CHUNK][usable], methods, free_shift)
            optima = iter(_descend_all(problem, chunk[usable], candidates, free_shift))
        for image, reason in zip(chunk, unusable, strict=True):
            if reason is not None:
                yield _failed(problem, reason)
                continue
            try:
                with jax.enable_x64(True):
                    solution = _finish(problem, image, next(optima), free_shift, rounded, variance, seed)
            except Exception as error:  # what one image brings about is its own: the others of the call keep their answers
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


def _failed(problem: Problem, reason: str) -> Solution:
    return Solution.failed(problem.names, reason, coordinates=len(LOWEST))


def _padded(array: np.ndarray) -> Array:
    """Filled up to a whole chunk with copies of the last row, so that one compilation serves all."""
    missing = CHUNK - len(array)
    return jnp.asarray(np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing > 0 else array)


def _candidates(
    problem: Problem, images: np.ndarray, starts: np.ndarray, methods: Sequence[str], free_shift: bool
) -> list[list[_Candidate]]:
    """For each image the starts worth following, best first: the best of each method, and its rivals; none of an infinite cost."""
    stride = max(1, problem.image_size // _COARSE)
    candidates: list[list[_Candidate]] = [[] for _ in images]
    for method in methods if len(images) else ():
        # A long series and its limit differ by little but near the window's edge; the limit is quicker.
        long = method == "roulette" and problem.camera.trace.terms >= _LONG
        light = _light(problem, "ring" if long else method, free_shift)
        single = _padded(starts.astype(np.float32))
        descent = _search(light, problem.image_size, problem.field, stride, _padded(images), single, np.int32(len(images)))
        fits, costs = np.asarray(descent.fit, np.float64), np.asarray(descent.normal.cost, np.float64)
        for i in range(len(images)):
            order = [k for k in np.argsort(costs[i]) if np.isfinite(costs[i, k])]
            if not order:
                continue
            best = order[0]
            candidates[i].append(_Candidate(fits[i, best], method, costs[i, best]))
            for other in order[1:]:
                if costs[i, other] > _RIVAL * costs[i, best] + 50.0:
                    break
                if fits[i, other, 5:7] @ fits[i, best, 5:7] < 0:  # bent the other way: truly another optimum
                    candidates[i].append(_Candidate(fits[i, other], method, costs[i, other]))
                    break
    return [_ranked(row, methods) for row in candidates]


def _ranked(candidates: list[_Candidate], methods: Sequence[str]) -> list[_Candidate]:
    """Best first; those as good as the best in the order of the methods, those much worse dropped."""
    least = min((candidate.cost for candidate in candidates), default=0.0)
    close = [c for c in candidates if c.cost <= 4.0 * least + 200.0]
    return sorted(close, key=lambda c: (c.cost > _RIVAL * least + 50.0, methods.index(c.method), c.cost))


def _descend_all(problem: Problem, images: np.ndarray, candidates: list[list[_Candidate]], free_shift: bool) -> list[list[_Optimum]]:
    """Fine descents of every image's candidates, in their order; those of one method and size run in one call."""
    optima: dict[tuple[int, int], _Optimum] = {}
    jobs: dict[tuple[str, int], list[tuple[tuple[int, int], _Candidate, _Pixels]]] = {}
    for i, row in enumerate(candidates):
        for rank, c in enumerate(row):
            grey, _ = _model(problem, c.fit.astype(np.float32), c.method, free_shift)
            pixels = _pixels(problem, images[i], grey)
            jobs.setdefault((c.method, len(pixels.x)), []).append(((i, rank), c, pixels))
    for (method, _), job in jobs.items():
        for first in range(0, len(job), CHUNK):
            part = job[first : first + CHUNK]
            image, x, y = (_padded(np.stack(arrays).astype(np.float32)) for arrays in zip(*(p for _, _, p in part), strict=True))
            starts = _padded(np.stack([c.fit for _, c, _ in part]).astype(np.float32))
            light = _light(problem, method, free_shift)
            descents = jax.tree.map(np.asarray, _polish(light, image, x, y, starts, np.int32(len(part))))
            for k, (place, c, pixels) in enumerate(part):
                descent: Descent = jax.tree.map(lambda leaf, k=k: leaf[k], descents)
                optima[place] = _Optimum(c.method, pixels, descent)
    return [[optima[i, rank] for rank in range(len(row))] for i, row in enumerate(candidates)]


def _finish(
    problem: Problem,
    image: np.ndarray,
    optima: list[_Optimum],
    free_shift: bool,
    rounded: bool,
    variance: float | None,
    seed: int,
) -> Solution:
    """One image's solution from its descents.

    Raises:
        ValueError: none of them has a finite cost.
    """
    costs = np.array([_whole_cost(problem, image, optimum, free_shift) for optimum in optima])
    if not np.isfinite(costs).any():
        raise ValueError("no start leads to a finite residual")
    costs = np.where(np.isfinite(costs), costs, np.inf)
    # Best first; those that explain the image equally well in the order of the methods.
    order = np.lexsort((costs, np.arange(len(costs)), costs > 1.05 * costs.min() + 20.0))
    certified, best = None, optima[order[0]]
    if rounded and problem.image_size == problem.field:
        for k in order:
            if costs[k] > 3.0 * costs[order[0]] + 200.0:
                break
            certified = _interval(problem, image, optima[k], free_shift, seed)
            if certified is not None:
                best = optima[k]
                break
    method, descent = best.method, best.descent
    fit = np.asarray(descent.fit, np.float64) if certified is None else certified.fit
    grey, inside = _model(problem, fit, method, free_shift)
    model = np.where(inside >= 0, grey, 0.0)
    slack = np.nan if certified is None else certified.slack
    violated = interval.violated_pixels(grey, inside, image, slack=0.0 if certified is None else slack)
    residual = model - image
    lit = (model >= 0.5) | (image >= 0.5) if rounded else np.ones(image.shape, bool)
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
    explained = 1.0 - float((residual**2).sum()) / max(float((image.astype(np.float64) ** 2).sum()), 1e-12) >= _EXPLAINED
    words = [STATUS[int(descent.code)]]
    if not explained:
        words.append("does not explain the image")
    if certified is None and mean_square > _ABOVE * noise:
        words.append("residuals above the noise")
    unidentified = [name for name, error in zip(problem.names, errors, strict=True) if not np.isfinite(error)]
    if unidentified:
        words.append("not identifiable: " + " ".join(unidentified))
    system, centre = from_fit(jnp.asarray(fit), problem.lens_of)
    if not free_shift:
        centre = problem.centre(system, method=method)
    return Solution(
        names=problem.names,
        params=values[None, : len(problem.parameters)],
        errors=errors[None],
        covariance=spread[None],
        lowest=lowest[None],
        highest=highest[None],
        bound=bound[None],
        fit=fit[None],
        shift=np.asarray(centre)[None],
        chi2=np.array([mean_square / noise]),
        violated=np.array([violated], np.float64),
        slack=np.array([slack]),
        kind=("least squares" if certified is None else "interval",),
        method=(method,),
        success=np.array([int(descent.code) == CONVERGED and explained]),
        status=("; ".join(words),),
    )


def _whole_cost(problem: Problem, image: np.ndarray, optimum: _Optimum, free_shift: bool) -> float:
    """Σr² [grey²] over the whole image but the window's edge: a descent may have left the pixels that it looked at."""
    grey, inside = _model(problem, np.asarray(optimum.descent.fit), optimum.method, free_shift)
    residual = np.where(inside >= 0, grey, 0.0) - image
    return float((residual[np.abs(inside) >= EDGE] ** 2).sum())


def _interval(problem: Problem, image: np.ndarray, optimum: _Optimum, free_shift: bool, seed: int) -> interval.Interval | None:
    """The set of parameters with which every pixel of the image agrees, about a descent's end, if there is one."""
    matrix = np.asarray(optimum.descent.normal.matrix)
    if conditioning(matrix, free_shift=free_shift) < _SINGULAR:
        return None
    covariance = shift_aware_inverse(matrix, free_shift) * ROUNDING_VARIANCE
    pixels, start = optimum.pixels, np.asarray(optimum.descent.fit, np.float64)
    for _ in range(2):  # a second time where the first set shows light beyond the pixels that it looked at
        certified = interval.solve(
            _light(problem, optimum.method, free_shift),
            *pixels,
            start,
            covariance,
            lambda fit: np.asarray(parameters_of(problem, fit)[1]),
            seed=seed,
        )
        if certified is None:
            return None
        grey, inside = _model(problem, certified.fit, optimum.method, free_shift)
        if interval.violated_pixels(grey, inside, image, slack=certified.slack) == 0:
            return certified
        before, _ = _model(problem, start, optimum.method, free_shift)
        pixels = _pixels(problem, image, np.maximum(grey, before))
    return None


def _certified(problem: Problem, values: np.ndarray, certified: interval.Interval | None, is_round: bool) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the parameters (P,), (P,) that hold all sets of them with which every pixel agrees; NaN without an interval fit."""
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
