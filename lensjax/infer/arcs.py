"""Starts from the image alone: lenses that trace its bright pixels back to one compact source.

Isothermal ellipsoids are tried on a grid of Einstein radii, places and ellipticities. Of the right one, the bright pixels come from one
small place in the source plane. The most compact are varied at random, and then compared by the residual of a round Gaussian source.
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from lensjax.observation.instrument import places
from lensjax.observation.observed import Observed
from lensjax.problems.components import Guess

_BRIGHT = 4.0  # times the noise
_PIXELS = 300  # bright pixels at most
_SHAPES = ((0.0, 0.0), *((0.3 * np.cos(2 * a), 0.3 * np.sin(2 * a)) for a in np.arange(4) * np.pi / 4))
_ROUNDEST, _FLATTEST = 1e-3, 0.8  # ellipticities
_RADII = 18
_WIDE, _PLACES = 1.5, 5  # how far from the origin a lens is tried, in Einstein radii, and in how many steps to each side
_PARENTS, _CHILDREN, _ROUNDS = 40, 12, 4  # of the random variation
_VARIED = 0.12  # its first step, in the logarithm of the Einstein radius, in place over it, and in ellipticity
_COMPACT = 120  # candidates whose residual is computed
_SIZES = (0.5, 1.0, 2.0)  # of the source, times its spread
_FIT_SIDE = 64  # px on a side of the image on which residuals are compared
_APART = 0.12  # difference in Einstein radius, or in place over it, of two starts


def guesses(observed: Observed, *, theta_e: tuple[float, float], reach: float, count: int = 12) -> list[Guess]:
    """The best distinct rough systems, best first; none where no pixel stands out of the noise.

    Args:
        observed: the observation.
        theta_e: smallest and largest Einstein radius tried, in the unit of the pixel scale.
        reach: how far the lens may lie from the origin along each axis.
        count: how many at most.
    """
    data, mask = np.asarray(observed.data, np.float64), np.asarray(observed.mask)
    sigma = np.where(mask, np.asarray(observed.noise.sigma(observed.data), np.float64), np.inf)
    x, y = places(observed.instrument)
    step = max(1, max(data.shape) // _FIT_SIDE)
    smooth = ndimage.uniform_filter(np.where(mask, data, 0.0), 3)
    signal = np.where(mask & (smooth > _BRIGHT * sigma / 2.0) & (data > _BRIGHT * sigma), data, 0.0)
    labels, _ = ndimage.label(signal > 0, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    signal[sizes[labels] < 3] = 0.0
    rows, columns = np.nonzero(signal)
    if not len(rows):
        return []
    if len(rows) > _PIXELS:
        thin = np.random.default_rng(0).choice(len(rows), _PIXELS, replace=False)
        rows, columns = rows[thin], columns[thin]
    at = np.stack([x[columns], y[rows]])
    weight = signal[rows, columns]
    pixel = observed.instrument.pixel_scale
    candidates = np.array(list(_grid(theta_e, reach)))
    candidates = _varied(candidates, at, weight, theta_e=theta_e, reach=reach)
    spread, sources = _traced(candidates, at, weight)
    order = np.argsort(spread)[:_COMPACT]
    every = slice(step // 2, None, step)
    grid = (every, every)
    px, py = np.meshgrid(x[every], y[every])
    target = np.where(mask, smooth, 0.0)[grid] / np.where(np.isfinite(sigma), sigma, np.inf)[grid]
    over = np.where(mask, 1.0 / sigma, 0.0)[grid]
    scored = []
    for k in order:
        bx, by = _back(candidates[k], px, py)
        for factor in _SIZES:
            size = max(factor * float(np.sqrt(spread[k] / 2.0)), 0.3 * pixel)
            model = np.exp(-0.5 * ((bx - sources[k, 0]) ** 2 + (by - sources[k, 1]) ** 2) / size**2) * over
            norm = float((model**2).sum())
            gain = float((model * target).sum()) ** 2 / norm if norm > 0 else 0.0
            scored.append((-gain, k, size))
    kept: list[Guess] = []
    for _, k, size in sorted(scored):
        radius, cx, cy, e1, e2 = candidates[k]
        new = Guess(
            theta_e=float(radius), lens=(float(cx), float(cy)), source=(float(sources[k, 0]), float(sources[k, 1])), size=size,
            lens_shape=(float(e1), float(e2)),
        )  # fmt: skip
        if all(_distance(new, other) > _APART for other in kept):
            kept.append(new)
        if len(kept) == count:
            break
    return kept


def _grid(theta_e: tuple[float, float], reach: float) -> Iterator[tuple[float, float, float, float, float]]:
    """Einstein radius, place (2), ellipticity (2)."""
    for radius in np.geomspace(*theta_e, _RADII):
        span = min(reach, _WIDE * radius)
        count = min(int(np.ceil(span / (0.2 * radius))), _PLACES)
        tried = np.linspace(-span, span, 2 * count + 1)
        for cx in tried:
            for cy in tried:
                for e1, e2 in _SHAPES:
                    yield radius, cx, cy, e1, e2


def _varied(candidates: np.ndarray, at: np.ndarray, weight: np.ndarray, *, theta_e: tuple[float, float], reach: float) -> np.ndarray:
    """The most compact candidates (C, 5), and random variations of them that are more compact."""
    rng = np.random.default_rng(0)

    def best(rows: np.ndarray) -> np.ndarray:
        spread, _ = _traced(rows, at, weight)
        return np.asarray(rows[np.argsort(spread)[: 4 * _PARENTS]])

    rows = best(candidates)
    for k in range(_ROUNDS):
        parents = np.repeat(rows[:_PARENTS], _CHILDREN, axis=0)
        step = _VARIED / 2**k * rng.normal(size=parents.shape)
        children = parents.copy()
        children[:, 0] = np.clip(parents[:, 0] * np.exp(step[:, 0]), *theta_e)
        children[:, 1:3] = np.clip(parents[:, 1:3] + step[:, 1:3] * parents[:, :1], -reach, reach)
        children[:, 3:] = parents[:, 3:] + step[:, 3:]
        flat = np.hypot(children[:, 3], children[:, 4])
        children[:, 3:] *= np.minimum(1.0, _FLATTEST / np.maximum(flat, 1e-9))[:, None]
        rows = best(np.concatenate([rows, children]))
    return rows


def _back(candidate: np.ndarray, px: np.ndarray, py: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Source-plane places of image-plane points, of one candidate (5,) or of many (5, C, 1): Kormann et al. (1994), as `lens.sie`."""
    radius, cx, cy, e1, e2 = candidate
    e = np.clip(np.hypot(e1, e2), _ROUNDEST, _FLATTEST)
    f, along = (1.0 - e) / (1.0 + e), 0.5 * np.arctan2(e2, e1)
    cos, sin = np.cos(along), np.sin(along)
    u, v = cos * (px - cx) + sin * (py - cy), cos * (py - cy) - sin * (px - cx)
    omega = np.sqrt(f * f * u * u + v * v) + 1e-9
    flat = np.sqrt(1.0 - f * f)
    strength = radius * np.sqrt(f) / flat
    au, av = strength * np.arctan(flat * u / omega), strength * np.arctanh(flat * v / omega)
    return px - (cos * au - sin * av), py - (sin * au + cos * av)


def _traced(candidates: np.ndarray, at: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spread (C,) [squared length] and centre (C, 2) of the traced light; the centre is found in three rounds, far light counting less."""
    bx, by = _back(candidates.T[:, :, None], at[0], at[1])
    near = np.ones_like(bx)
    for _ in range(3):
        w = weight * near
        total = w.sum(axis=1, keepdims=True)
        mx, my = (w * bx).sum(axis=1, keepdims=True) / total, (w * by).sum(axis=1, keepdims=True) / total
        square = (bx - mx) ** 2 + (by - my) ** 2
        spread = (weight * square).sum(axis=1, keepdims=True) / weight.sum()
        near = 1.0 / (1.0 + square / np.maximum(spread, 1e-12))
    return spread[:, 0], np.concatenate([mx, my], axis=1)


def _distance(first: Guess, second: Guess) -> float:
    mean = 0.5 * (first.theta_e + second.theta_e)
    parts = (
        first.theta_e - second.theta_e, first.lens[0] - second.lens[0], first.lens[1] - second.lens[1],
        mean * (first.lens_shape[0] - second.lens_shape[0]), mean * (first.lens_shape[1] - second.lens_shape[1]),
    )  # fmt: skip
    return max(map(abs, parts)) / mean
