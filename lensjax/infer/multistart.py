"""From many starts to few optima: a coarse search from every start, and fine descents from the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import ndimage

from lensjax.infer import levenberg_marquardt
from lensjax.infer.levenberg_marquardt import Descent
from lensjax.infer.objective import EDGE, Light, fixed, sharp, soft
from lensjax.observation.grid import pixel_points
from lensjax.problems.axisymmetric import AxisymmetricProblem
from lensjax.problems.observables import HIGHEST, LOWEST
from lensjax.simulate.chunks import FITS

_COARSE = 100  # points on a side of the coarse search
_COARSE_STEPS, _FINE_STEPS = 30, 40
_COARSE_TOLERANCE, _FINE_TOLERANCE = 0.05, 1e-3  # grey²
_EDGES = (4.0, 1.5)  # px over which the window's edge is spread, in turn
_SETTLINGS, _SETTLING_STEPS, _SETTLED = 40, 20, 1e-3  # descents of a noisy image with the same pixels throughout; tolerance in chi²
_STILL = 0.5  # px that the window's edge may move in the last of them
_SIZES = (24_576, 65_536)  # pixels that one compiled descent works on; more than these: the whole image
_MARGIN = 5  # px about the image's light that are fitted too
_GLIMMER = 0.02  # grey level from which a model's pixel is fitted
_FAR = 1e5  # px: where there is no light
_LONG = 30  # terms from which the coarse search uses the limit of the series
_RIVAL = 1.5  # a second start is a candidate where its coarse cost is within this factor of the best


@lru_cache(maxsize=64)
def light_of(problem: AxisymmetricProblem, method: str, free_shift: bool) -> Light:
    """One function object for each problem, so that nothing is compiled twice."""

    def light(fit: Array, x: Array, y: Array) -> tuple[Array, Array]:
        return problem.light(fit, x, y, method=method, free_shift=free_shift)

    return light


@partial(jax.jit, static_argnames=("light", "n", "field", "stride"))
def _search(light: Light, n: int, field: int, stride: int, images: Array, starts: Array, count: Array) -> Descent:
    """Descents (C, S) on every `stride`-th pixel of images (C, n, n) from starts (C, S, 8); only the first `count` are used."""
    x, y = pixel_points(n, field, dtype=images.dtype)
    x, y, thin = x[:, ::stride], y[::stride], images[:, ::stride, ::stride]
    bounds = jnp.asarray(LOWEST, images.dtype), jnp.asarray(HIGHEST, images.dtype)

    def descent_from(image: Array, start: Array, used: Array) -> Descent:
        evaluate = lambda fit: soft(light, fit, image, x, y, width=2.0 * stride * field / n)  # noqa: E731
        steps = jnp.where(used, _COARSE_STEPS, 0)
        return levenberg_marquardt.descend(evaluate, start, *bounds, steps=steps, tolerance=_COARSE_TOLERANCE)

    def all_of(row: tuple[Array, Array, Array]) -> Descent:
        image, starts, index = row
        descents: Descent = jax.lax.map(lambda start: descent_from(image, start, index < count), starts)
        return descents

    descents: Descent = jax.lax.map(all_of, (thin, starts, jnp.arange(len(starts), dtype=jnp.int32)))
    return descents


@partial(jax.jit, static_argnames=("light", "edge"))
def _polish(light: Light, images: Array, x: Array, y: Array, starts: Array, count: Array, *, edge: float = 0.0) -> Descent:
    """Descents (C,) on pixels (C, M) at points x, y (C, M), one start (C, 8) each; only the first `count` are used.

    `edge`: px over which the window's edge is spread; 0 leaves out the pixels at the edge.
    """
    bounds = jnp.asarray(LOWEST, images.dtype), jnp.asarray(HIGHEST, images.dtype)

    def descent_from(image: Array, x: Array, y: Array, start: Array, index: Array) -> Descent:
        evaluate = lambda fit: soft(light, fit, image, x, y, width=edge) if edge else sharp(light, fit, image, x, y)  # noqa: E731
        steps = jnp.where(index < count, _FINE_STEPS, 0)
        return levenberg_marquardt.descend(evaluate, start, *bounds, steps=steps, tolerance=_FINE_TOLERANCE)

    descents: Descent = jax.lax.map(lambda row: descent_from(*row), (images, x, y, starts, jnp.arange(len(starts), dtype=jnp.int32)))
    return descents


@partial(jax.jit, static_argnames="light")
def _settle(light: Light, image: Array, x: Array, y: Array, start: Array, tolerance: Array) -> tuple[Descent, Array]:
    """The descent on an image (n, n), with the pixels at the window's edge at the start left out; and how far [px] the edge moves."""
    bounds = jnp.asarray(LOWEST, image.dtype), jnp.asarray(HIGHEST, image.dtype)
    inside = light(start, x, y)[1]
    kept, counts = inside >= 0, jnp.abs(inside) >= 2.0 * EDGE
    evaluate = lambda fit: fixed(light, fit, image, x, y, kept=kept, counts=counts)  # noqa: E731
    descent = levenberg_marquardt.descend(evaluate, start, *bounds, steps=_SETTLING_STEPS, tolerance=tolerance)
    moved = jnp.abs(light(descent.fit, x, y)[1] - inside)
    return descent, jnp.where(jnp.isfinite(moved), moved, 0.0).max()


@partial(jax.jit, static_argnames=("light", "n", "field"))
def _picture(light: Light, n: int, field: int, fit: Array) -> tuple[Array, Array]:
    x, y = pixel_points(n, field, dtype=fit.dtype)
    grey, inside = light(fit, x, y)
    return grey, jnp.broadcast_to(inside, grey.shape)


class Pixels(NamedTuple):
    """The pixels of an image that matter, padded with dark points far away to one of `_SIZES` or to
    the whole image's: few sizes, so that little is compiled."""

    image: np.ndarray
    x: np.ndarray
    y: np.ndarray


@lru_cache(maxsize=8)
def _points(n: int, field: int) -> tuple[np.ndarray, np.ndarray]:
    """`pixel_points` in float64."""
    with jax.enable_x64(True):
        x, y = jax.jit(lambda: pixel_points(n, field, dtype=jnp.float64))()
    return np.asarray(x), np.asarray(y)


def pixels_of(problem: AxisymmetricProblem, image: np.ndarray, model: np.ndarray) -> Pixels:
    """The pixels lit, or near light, in the image or in a model of it (n, n)."""
    x, y = _points(problem.image_size, problem.field)
    near = ndimage.binary_dilation(image > 0, iterations=_MARGIN) | (model > _GLIMMER)
    rows, columns = np.nonzero(near)
    size = next((size for size in _SIZES if size >= len(rows)), image.size)
    fill = (0, size - len(rows))
    return Pixels(
        np.pad(image[rows, columns], fill),
        np.pad(x[0, columns], fill, constant_values=_FAR),
        np.pad(y[rows, 0], fill, constant_values=_FAR),
    )


@dataclass(frozen=True)
class Candidate:
    """A start for a fine descent: its fit, its method, and its coarse cost."""

    fit: np.ndarray
    method: str
    cost: float


class Optimum(NamedTuple):
    """A fine descent, its method and its pixels."""

    method: str
    pixels: Pixels
    descent: Descent


def model_of(problem: AxisymmetricProblem, fit: np.ndarray, method: str, free_shift: bool) -> tuple[np.ndarray, np.ndarray]:
    """Light (n, n) [grey] of fit coordinates (8,), and how far inside the window it lies, in their precision."""
    light = light_of(problem, method, free_shift)
    grey, inside = _picture(light, problem.image_size, problem.field, fit)
    return np.asarray(grey), np.asarray(inside)


def settled(problem: AxisymmetricProblem, image: np.ndarray, optimum: Optimum, free_shift: bool, *, variance: float) -> Optimum:
    """An optimum of a noisy image (n, n), settled: in float64, with the same pixels in every step.

    Where the window's edge moves while a fit descends, pixels come and go with their noise, and the fit stops where these sum up well.
    """
    x, y = _points(problem.image_size, problem.field)
    light, descent = light_of(problem, optimum.method, free_shift), optimum.descent
    for _ in range(_SETTLINGS):
        start = jnp.asarray(descent.fit, jnp.float64)
        again, moved = _settle(light, jnp.asarray(image, jnp.float64), x, y, start, jnp.asarray(_SETTLED * variance))
        if not np.isfinite(again.normal.cost):
            break
        descent = jax.tree.map(np.asarray, again)
        if moved < _STILL and descent.code == levenberg_marquardt.CONVERGED:
            break
    return optimum._replace(descent=descent)


def _padded(array: np.ndarray) -> np.ndarray:
    """Padded to a whole chunk with copies of the last row, so that one compilation serves all."""
    missing = FITS - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing > 0 else array


def search(
    problem: AxisymmetricProblem, images: np.ndarray, starts: np.ndarray, methods: Sequence[str], free_shift: bool
) -> list[list[Candidate]]:
    """Candidates of each image, best first: the best start of each method, and its rivals; none has an infinite cost."""
    stride = max(1, problem.image_size // _COARSE)
    candidates: list[list[Candidate]] = [[] for _ in images]
    for method in methods if len(images) else ():
        # A long series and its limit differ only near the window's edge; the limit is quicker.
        long = method == "roulette" and problem.trace.terms >= _LONG
        light = light_of(problem, "ring" if long else method, free_shift)
        single = _padded(starts.astype(np.float32))
        descent = _search(light, problem.image_size, problem.field, stride, _padded(images), single, np.int32(len(images)))
        fits, costs = np.asarray(descent.fit, np.float64), np.asarray(descent.normal.cost, np.float64)
        for i in range(len(images)):
            order = [k for k in np.argsort(costs[i]) if np.isfinite(costs[i, k])]
            if not order:
                continue
            best = order[0]
            candidates[i].append(Candidate(fits[i, best], method, costs[i, best]))
            for other in order[1:]:
                if costs[i, other] > _RIVAL * costs[i, best] + 50.0:
                    break
                if fits[i, other, 5:7] @ fits[i, best, 5:7] < 0:  # bent the other way: truly another optimum
                    candidates[i].append(Candidate(fits[i, other], method, costs[i, other]))
                    break
    return [_ranked(row, methods) for row in candidates]


def _ranked(candidates: list[Candidate], methods: Sequence[str]) -> list[Candidate]:
    """Best first; those as good as the best in the order of the methods, those much worse dropped."""
    least = min((candidate.cost for candidate in candidates), default=0.0)
    close = [c for c in candidates if c.cost <= 4.0 * least + 200.0]
    return sorted(close, key=lambda c: (c.cost > _RIVAL * least + 50.0, methods.index(c.method), c.cost))


def descend(
    problem: AxisymmetricProblem, images: np.ndarray, candidates: list[list[Candidate]], free_shift: bool, *, by_edge: bool = False
) -> list[list[Optimum]]:
    """Fine descents of every image's candidates, in their order; those of one method and size run in one call.

    `by_edge`: whether each first descends with the window's edge spread over a few pixels. Light that the window cuts tells where
    its edge lies, but a sharp edge has no derivative: a descent may stop where it crosses the next pixel.
    """
    optima: dict[tuple[int, int], Optimum] = {}
    jobs: dict[tuple[str, int], list[tuple[tuple[int, int], Candidate, Pixels]]] = {}
    for i, row in enumerate(candidates):
        for rank, c in enumerate(row):
            grey, _ = model_of(problem, c.fit, c.method, free_shift)
            pixels = pixels_of(problem, images[i], grey)
            jobs.setdefault((c.method, len(pixels.x)), []).append(((i, rank), c, pixels))
    for (method, _), job in jobs.items():
        for first in range(0, len(job), FITS):
            part = job[first : first + FITS]
            image, x, y = (_padded(np.stack(arrays).astype(np.float32)) for arrays in zip(*(p for _, _, p in part), strict=True))
            starts = _padded(np.stack([c.fit for _, c, _ in part]).astype(np.float32))
            light = light_of(problem, method, free_shift)
            for edge in _EDGES if by_edge else ():
                starts = _polish(light, image, x, y, starts, np.int32(len(part)), edge=edge).fit
            descents = jax.tree.map(np.asarray, _polish(light, image, x, y, starts, np.int32(len(part))))
            for k, (place, c, pixels) in enumerate(part):
                descent: Descent = jax.tree.map(lambda leaf, k=k: leaf[k], descents)
                optima[place] = Optimum(c.method, pixels, descent)
    return [[optima[i, rank] for rank in range(len(row))] for i, row in enumerate(candidates)]
