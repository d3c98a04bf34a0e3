"""Starts from the image alone: lenses that trace its bright pixels back to one compact source.

An isothermal lens with a little shear is tried on a grid of Einstein radii, places and shears. Of the right one, the bright pixels come
from one small place in the source plane; the most compact are compared by the residual of a round Gaussian source there.
"""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from lensjax.observation.observed import Observed
from lensjax.problems.components import Guess

_BRIGHT = 4.0  # times the noise
_PIXELS = 700  # bright pixels at most
_SHEARS = tuple((0.12 * np.cos(2 * a), 0.12 * np.sin(2 * a)) for a in np.arange(4) * np.pi / 4)
_RADII = 18
_COMPACT = 160  # grid points whose residual is computed
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
    x, y = _points(observed)
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
    spread, sources = _traced(candidates, at, weight)
    magnification = np.maximum(spread, pixel**2 / 4)
    order = np.argsort(magnification / _evidence(candidates, at))[:_COMPACT]
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
        radius, cx, cy, g1, g2 = candidates[k]
        new = Guess(
            theta_e=float(radius), lens=(float(cx), float(cy)), source=(float(sources[k, 0]), float(sources[k, 1])), size=size,
            lens_shape=_shape(g1, g2),
        )  # fmt: skip
        if all(_distance(new, other) > _APART for other in kept):
            kept.append(new)
        if len(kept) == count:
            break
    return kept


def _points(observed: Observed) -> tuple[np.ndarray, np.ndarray]:
    taken = observed.instrument
    x = (np.arange(taken.shape[1]) - taken.middle[1]) * taken.pixel_scale
    y = (taken.middle[0] - np.arange(taken.shape[0])) * taken.pixel_scale
    return x, y


def _grid(theta_e: tuple[float, float], reach: float) -> Iterator[tuple[float, float, float, float, float]]:
    """Einstein radius, place (2), shear (2)."""
    for radius in np.geomspace(*theta_e, _RADII):
        count = min(int(np.ceil(reach / (0.2 * radius))), 5)
        places = np.linspace(-reach, reach, 2 * count + 1) if count else np.zeros(1)
        for cx in places:
            for cy in places:
                for g1, g2 in ((0.0, 0.0), *_SHEARS):
                    yield radius, cx, cy, g1, g2


def _back(candidate: np.ndarray, px: np.ndarray, py: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Source-plane places of image-plane points."""
    radius, cx, cy, g1, g2 = candidate
    dx, dy = px - cx, py - cy
    r = np.maximum(np.hypot(dx, dy), 1e-6)
    return px - radius * dx / r - g1 * dx - g2 * dy, py - radius * dy / r - g2 * dx + g1 * dy


def _traced(candidates: np.ndarray, at: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spread (C,) [squared length] and centre (C, 2) of the traced light; the centre is found in three rounds, far light counting less."""
    radius, cx, cy, g1, g2 = (part[:, None] for part in candidates.T)
    dx, dy = at[0] - cx, at[1] - cy
    r = np.maximum(np.hypot(dx, dy), 1e-6)
    bx = at[0] - radius * dx / r - g1 * dx - g2 * dy
    by = at[1] - radius * dy / r - g2 * dx + g1 * dy
    near = np.ones_like(bx)
    for _ in range(3):
        w = weight * near
        total = w.sum(axis=1, keepdims=True)
        mx, my = (w * bx).sum(axis=1, keepdims=True) / total, (w * by).sum(axis=1, keepdims=True) / total
        square = (bx - mx) ** 2 + (by - my) ** 2
        spread = (weight * square).sum(axis=1, keepdims=True) / weight.sum()
        near = 1.0 / (1.0 + square / np.maximum(spread, 1e-12))
    return spread[:, 0], np.concatenate([mx, my], axis=1)


def _evidence(candidates: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The mean squared distance of the bright pixels from the lens (C,): compactness counts relative to it."""
    return np.asarray(((at[0] - candidates[:, 1:2]) ** 2 + (at[1] - candidates[:, 2:3]) ** 2).mean(axis=1))


def _shape(g1: float, g2: float) -> tuple[float, float]:
    """The ellipticity of the isothermal mass that acts much as a shear does: three times as large, across it."""
    return -1.5 * float(g1), -1.5 * float(g2)


def _distance(first: Guess, second: Guess) -> float:
    mean = 0.5 * (first.theta_e + second.theta_e)
    parts = (
        first.theta_e - second.theta_e, first.lens[0] - second.lens[0], first.lens[1] - second.lens[1],
        mean * (first.lens_shape[0] - second.lens_shape[0]), mean * (first.lens_shape[1] - second.lens_shape[1]),
    )  # fmt: skip
    return max(map(abs, parts)) / mean
