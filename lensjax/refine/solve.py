"""Images and starts to solutions: search coarsely, descend finely, then keep every pixel in its interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.conventions import ROUNDING_VARIANCE
from lensjax.image.grid import pixel_points
from lensjax.problems import Problem
from lensjax.problems.observables import HIGHEST, LOWEST, from_fit
from lensjax.refine import interval
from lensjax.refine.covariance import errors_of, fisher, shift_aware_inverse, told
from lensjax.refine.levenberg_marquardt import CONVERGED, STATUS, Descent, descend
from lensjax.refine.objective import Light, sharp, soft
from lensjax.refine.solution import Solution

CHUNK = 16
"""Images in one call; what does not fit the memory of a small machine is never asked for."""

_COARSE = 100  # points on a side of the coarse search
_COARSE_STEPS, _FINE_STEPS = 30, 40
_COARSE_TOLERANCE, _FINE_TOLERANCE = 0.05, 1e-3  # grey²
_EXPLAINED = 0.99  # share of the image's squared light that a success explains
_RIVAL = 1.5  # a second start is followed up where its coarse cost is within this factor of the best


@lru_cache(maxsize=64)
def _light(problem: Problem, method: str, free_shift: bool) -> Light:
    """One function object a problem, so that nothing is compiled twice."""

    def light(fit: Array, x: Array, y: Array) -> tuple[Array, Array]:
        return problem.light(fit, x, y, method=method, free_shift=free_shift)

    return light


@partial(jax.jit, static_argnames=("light", "n", "field", "stride"))
def _search(light: Light, n: int, field: int, stride: int, images: Array, starts: Array) -> Descent:
    """Descents (C, S) on every `stride`-th pixel of images (C, n, n) from starts (C, S, 8)."""
    x, y = pixel_points(n, field, dtype=images.dtype)
    x, y, thin = x[:, ::stride], y[::stride], images[:, ::stride, ::stride]
    bounds = jnp.asarray(LOWEST, images.dtype), jnp.asarray(HIGHEST, images.dtype)

    def one(image: Array, start: Array) -> Descent:
        evaluate = lambda fit: soft(light, fit, image, x, y, width=2.0 * stride * field / n)  # noqa: E731
        return descend(evaluate, start, *bounds, steps=_COARSE_STEPS, tolerance=_COARSE_TOLERANCE)

    return jax.lax.map(lambda row: jax.lax.map(lambda s: one(row[0], s), row[1]), (thin, starts))


@partial(jax.jit, static_argnames=("light", "n", "field"))
def _polish(light: Light, n: int, field: int, images: Array, starts: Array) -> Descent:
    """Descents (C,) on all pixels of images (C, n, n), one start (C, 8) each."""
    x, y = pixel_points(n, field, dtype=images.dtype)
    bounds = jnp.asarray(LOWEST, images.dtype), jnp.asarray(HIGHEST, images.dtype)

    def one(image: Array, start: Array) -> Descent:
        evaluate = lambda fit: sharp(light, fit, image, x, y)  # noqa: E731
        return descend(evaluate, start, *bounds, steps=_FINE_STEPS, tolerance=_FINE_TOLERANCE)

    return jax.lax.map(lambda row: one(*row), (images, starts))


@partial(jax.jit, static_argnames=("light", "n", "field"))
def _picture(light: Light, n: int, field: int, fit: Array) -> tuple[Array, Array]:
    x, y = pixel_points(n, field, dtype=fit.dtype)
    grey, inside = light(fit, x, y)
    return grey, jnp.broadcast_to(inside, grey.shape)


@dataclass(frozen=True)
class _Candidate:
    """A start worth following: its fit, its method, and its coarse cost."""

    fit: np.ndarray
    method: str
    cost: float


def model_image(problem: Problem, fit: np.ndarray, *, method: str, free_shift: bool = True) -> np.ndarray:
    """Grey levels (n, n), not rounded, that fit coordinates (8,) show; float64."""
    with jax.enable_x64(True):
        grey, inside = _picture(
            _light(problem, method, free_shift), problem.image_size, problem.field, jnp.asarray(fit, jnp.float64)
        )
        return np.asarray(jnp.where(inside >= 0, grey, 0.0))


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

    Args:
        problem: what is seen; its method says how the lens equation is solved.
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
    images = np.asarray(images, np.float32)
    starts = np.asarray(starts)
    n = problem.image_size
    if images.ndim != 3 or images.shape[1:] != (n, n):
        raise ValueError(f"images have shape {images.shape}; (N, {n}, {n}) is asked for")
    if starts.ndim != 3 or starts.shape[0] != len(images) or starts.shape[2] != len(LOWEST):
        raise ValueError(f"starts have shape {starts.shape}; ({len(images)}, S, {len(LOWEST)}) is asked for")
    if methods is None:
        methods = tuple(dict.fromkeys((problem.camera.method, "raytrace")))
    parts = []
    with jax.enable_x64(True):
        for first in range(0, len(images), CHUNK):
            chunk = slice(first, first + CHUNK)
            candidates = _candidates(problem, images[chunk], starts[chunk], methods, free_shift)
            descents = _descend_all(problem, images[chunk], candidates, free_shift)
            for image, found in zip(images[chunk], descents, strict=True):
                parts.append(_finish(problem, image, found, free_shift, rounded, variance, seed))
                if progress is not None:
                    progress(1)
    return Solution(
        names=problem.names,
        **{
            name: tuple(part[name] for part in parts)
            if name in ("kind", "method", "status")
            else np.stack([part[name] for part in parts])
            for name in parts[0]
        },
    )


def _padded(array: np.ndarray) -> Array:
    """Filled up to a whole chunk with copies of the last row, so that one compilation serves all."""
    missing = CHUNK - len(array)
    return jnp.asarray(np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing > 0 else array)


def _candidates(
    problem: Problem, images: np.ndarray, starts: np.ndarray, methods: Sequence[str], free_shift: bool
) -> list[list[_Candidate]]:
    """For each image the starts worth following, best first: the best of each method, and its rivals."""
    stride = max(1, problem.image_size // _COARSE)
    found: list[list[_Candidate]] = [[] for _ in images]
    for method in methods:
        # The series and its limit differ by little but near the window's edge; the limit is quicker.
        light = _light(problem, "ring" if method == "roulette" else method, free_shift)
        descent = _search(
            light, problem.image_size, problem.field, stride, _padded(images), _padded(starts.astype(np.float32))
        )
        fits, costs = np.asarray(descent.fit, np.float64), np.asarray(descent.normal.cost, np.float64)
        for i in range(len(images)):
            order = np.argsort(np.where(np.isfinite(costs[i]), costs[i], np.inf))
            best = order[0]
            found[i].append(_Candidate(fits[i, best], method, costs[i, best]))
            for other in order[1:]:
                if costs[i, other] > _RIVAL * costs[i, best] + 50.0:
                    break
                if fits[i, other, 5:7] @ fits[i, best, 5:7] < 0:  # bent the other way: truly another answer
                    found[i].append(_Candidate(fits[i, other], method, costs[i, other]))
                    break
    return [_ranked(candidates, methods) for candidates in found]


def _ranked(candidates: list[_Candidate], methods: Sequence[str]) -> list[_Candidate]:
    """Best first; those as good as the best in the order of the methods, those much worse left out."""
    least = min(candidate.cost for candidate in candidates)
    close = [c for c in candidates if c.cost <= 4.0 * least + 200.0]
    return sorted(close, key=lambda c: (c.cost > _RIVAL * least + 50.0, methods.index(c.method), c.cost))


def _descend_all(
    problem: Problem, images: np.ndarray, candidates: list[list[_Candidate]], free_shift: bool
) -> list[list[tuple[_Candidate, Descent]]]:
    """Fine descents of every image's candidates that use its first one's method; others wait until they are needed."""
    found: list[list[tuple[_Candidate, Descent]]] = [[] for _ in images]
    jobs = [(i, c) for i, row in enumerate(candidates) for c in row]
    for method in dict.fromkeys(c.method for _, c in jobs):
        mine = [(i, c) for i, c in jobs if c.method == method]
        for first in range(0, len(mine), CHUNK):
            part = mine[first : first + CHUNK]
            descent = _polish(
                _light(problem, method, free_shift),
                problem.image_size,
                problem.field,
                _padded(np.stack([images[i] for i, _ in part])),
                _padded(np.stack([c.fit for _, c in part]).astype(np.float32)),
            )
            descent = jax.tree.map(np.asarray, descent)
            for k, (i, c) in enumerate(part):
                found[i].append((c, jax.tree.map(lambda leaf, k=k: leaf[k], descent)))
    return found


def _finish(
    problem: Problem,
    image: np.ndarray,
    found: list[tuple[_Candidate, Descent]],
    free_shift: bool,
    rounded: bool,
    variance: float | None,
    seed: int,
) -> dict:
    """One image's solution from its descents."""
    found = sorted(found, key=lambda pair: float(pair[1].normal.cost))
    least = float(found[0][1].normal.cost)
    answer = None
    if rounded and problem.image_size == problem.field:
        for candidate, descent in found:
            if float(descent.normal.cost) > 3.0 * least + 200.0:
                break
            answer = _interval(problem, image, candidate.method, descent, free_shift, seed)
            if answer is not None:
                break
    if answer is None:
        candidate, descent = found[0]
    fit = np.asarray(descent.fit, np.float64) if answer is None else answer.fit
    method = candidate.method
    matrix = fisher(problem, fit, method=method, free_shift=free_shift)
    model = model_image(problem, fit, method=method, free_shift=free_shift)
    residual = model - image
    lit = (model >= 0.5) | (image >= 0.5)
    mean_square = float((residual[lit] ** 2).mean()) if lit.any() else 0.0
    noise = ROUNDING_VARIANCE if variance is None else variance
    seen = noise if answer is not None or variance is not None else max(noise, mean_square)
    white = shift_aware_inverse(matrix, free_shift)
    values, slopes = (np.asarray(part) for part in told(problem, fit))
    bound, _, _ = errors_of(problem, values, slopes, white * seen)
    covariance = white * seen if answer is None else answer.covariance
    errors, spread, is_round = errors_of(problem, values, slopes, covariance)
    lowest, highest = _certified(problem, values, answer, is_round)
    explained = 1.0 - float((residual**2).sum()) / max(float((image.astype(np.float64) ** 2).sum()), 1e-12)
    words = STATUS[int(descent.code)]
    untold = [name for name, error in zip(problem.names, errors, strict=True) if not np.isfinite(error)]
    if untold:
        words += "; not identifiable: " + " ".join(untold)
    system, centre = from_fit(jnp.asarray(fit), problem.lens_of)
    if not free_shift:
        centre = problem.centre(system, method=method)
    return {
        "params": values[: len(problem.parameters)],
        "errors": errors,
        "covariance": spread,
        "lowest": lowest,
        "highest": highest,
        "bound": bound,
        "fit": fit,
        "shift": np.asarray(centre),
        "chi2": np.float64(mean_square / noise),
        "violated": np.int64(interval.violated_pixels(model, np.float64(np.inf), image, slack=0.0)),
        "slack": np.float64(np.nan if answer is None else answer.slack),
        "kind": "least squares" if answer is None else "interval",
        "method": method,
        "success": np.bool_(int(descent.code) == CONVERGED and explained >= _EXPLAINED),
        "status": words,
    }


def _interval(
    problem: Problem, image: np.ndarray, method: str, descent: Descent, free_shift: bool, seed: int
) -> interval.Interval | None:
    covariance = shift_aware_inverse(np.asarray(descent.normal.matrix), free_shift) * ROUNDING_VARIANCE
    if not np.isfinite(covariance).all() or np.any(np.diag(covariance) < 0):
        return None
    x, y = pixel_points(problem.image_size, problem.field, dtype=jnp.float64)
    return interval.solve(
        _light(problem, method, free_shift),
        image,
        x,
        y,
        np.asarray(descent.fit, np.float64),
        covariance,
        lambda fit: np.asarray(told(problem, fit)[1]),
        seed=seed,
    )


def _certified(
    problem: Problem, values: np.ndarray, answer: interval.Interval | None, is_round: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the parameters (P,), (P,) that every allowed set of them keeps; NaN without an interval fit."""
    count = len(problem.parameters)
    if answer is None:
        return np.full(count, np.nan), np.full(count, np.nan)
    lowest, highest = values + answer.lowest, values + answer.highest
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
