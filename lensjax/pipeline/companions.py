"""Galaxies and stars beside a lens: objects in its image that are no arcs by their shape.

A lensed image is drawn out about the lens, and blends with other arcs. An object that is round, or drawn out towards the lens, and has no
brighter neighbour above a fraction of its own peak, may be a companion; so may one that the image's edge cuts. A small source's images are
round as well, so that these are candidates only: `run` masks them where the fit with them is not believed and the one without them is.
"""

import heapq
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from lensjax.observation.instrument import places
from lensjax.pipeline.arcs import SIGMA_OF_SMOOTHED, radius
from lensjax.pipeline.lens_light import LensLight
from lensjax.pipeline.window import Window

_SMOOTH = 1.5  # px
_LIGHT = 0.02  # of the lens galaxy's light: an error of its model
_BRIGHTEST = 8.0  # signal to noise of the fainter candidates' peaks
_PEAK = 4.0  # of any object
_CORE, _WING = 0.5, 0.25  # of an object's peak: where its shape is measured
_ROUND = 1.35  # length over width of a round object
_TOWARDS = 20.0  # degrees, within which an object is drawn out towards the lens
_NEAREST = 1.0  # arcsec from the lens: nearer objects may be counter-images
_EDGE = 2  # px
_APART = 3  # px, within which the highest pixel is a peak
_MOST = 3  # companions of one lens: where there are more, the middle one is no lens but one of many
_EXTENT = 2.0  # signal to noise, down to which an object is masked
_GROWN = 2  # px


@dataclass(frozen=True)
class Companion:
    """An object beside a lens.

    Attributes:
        place: x and y of its peak about the lens, in the unit of the pixel scale.
        signal: signal to noise of its peak, smoothed.
        region: (h, w) its pixels in the window.
    """

    place: tuple[float, float]
    signal: float
    region: np.ndarray


def candidates(window: Window, light: LensLight | None, *, outer: float) -> list[Companion]:
    """Objects that may be companions, brightest first; none where they are more than three.

    Args:
        window: the part of the image about the lens.
        light: the lens galaxy's light; None where it is off already.
        outer: radius within which arcs are fitted; what lies beyond does not matter.
    """
    level = _significance(window, light)
    x, y = places(window.taken)
    away = radius(window.taken)
    peaks = _peaks(level)
    regions = _regions(level, peaks)
    edge = window.used & ~ndimage.binary_erosion(window.used, np.ones((3, 3)), iterations=_EDGE) & _outside(window)
    found = []
    for k, (row, column) in enumerate(peaks, start=1):
        region = regions == k
        if level[row, column] < _BRIGHTEST or away[row, column] < _NEAREST or not (region & (away < outer)).any():
            continue
        core, wing = (_above(level, row, column, part) for part in (_CORE, _WING))
        if level[wing].max() > level[row, column]:
            continue
        if (core & edge).any() or all(_no_arc(level, part, x, y) for part in (core, wing)):
            grown = ndimage.binary_dilation(region, iterations=_GROWN) & ((regions == k) | (regions == 0))
            found.append(Companion((float(x[column]), float(y[row])), float(level[row, column]), grown))
    return found if len(found) <= _MOST else []


def lit(companions: list[Companion], model: np.ndarray, sigma: np.ndarray) -> list[Companion]:
    """Those that a model (h, w) of arcs takes for images: with light of it above the noise (h, w)."""
    return [own for own in companions if (model[own.region] > _EXTENT * sigma[own.region]).any()]


def masked(window: Window, companions: list[Companion]) -> Window:
    """A window without companions."""
    return replace(window, used=window.used & ~np.any([own.region for own in companions], axis=0))


def brightest(companions: list[Companion], *, within: float) -> float:
    """The largest signal to noise of those whose peaks lie within a radius of the lens; 0 where none does."""
    return max((own.signal for own in companions if np.hypot(*own.place) < within), default=0.0)


def words(companions: list[Companion], offset: tuple[float, float]) -> str:
    """How many there are and where, in words; places are about the image's origin, which the lens's pixel lies `offset` from."""
    at = ", ".join(f"({own.place[0] + offset[0]:.2f}, {own.place[1] + offset[1]:.2f})" for own in companions)
    return f"{len(companions)} companion{'s' if len(companions) > 1 else ''} at {at} arcsec"


def _significance(window: Window, light: LensLight | None) -> np.ndarray:
    """(h, w) the light without the lens galaxy's, smoothed, over its noise; 0 where masked, and in the galaxy's middle."""
    galaxy = np.zeros_like(window.data) if light is None else light.image
    noise = np.hypot(window.sigma, _LIGHT * np.maximum(galaxy, 0.0))
    smooth = ndimage.gaussian_filter(np.where(window.used, window.data - galaxy, 0.0), _SMOOTH)
    return np.where(window.used, smooth / noise * SIGMA_OF_SMOOTHED * _SMOOTH, 0.0)


def _peaks(level: np.ndarray) -> list[tuple[int, int]]:
    """Row and column of each peak, highest first."""
    highest = ndimage.maximum_filter(level, size=2 * _APART + 1)
    rows, columns = np.nonzero((level == highest) & (level > _PEAK))
    order = np.argsort(-level[rows, columns])
    return [(int(rows[k]), int(columns[k])) for k in order]


def _regions(level: np.ndarray, peaks: list[tuple[int, int]]) -> np.ndarray:
    """(h, w) the number of the peak, from 1, from which one comes to a pixel by the highest way, above `_EXTENT`; 0 elsewhere."""
    regions = np.zeros(np.add(level.shape, 2), int)
    high = np.pad(level, 1, constant_values=-np.inf)
    queue = [(-level[row, column], row + 1, column + 1, k) for k, (row, column) in enumerate(peaks, start=1)]
    heapq.heapify(queue)
    while queue:
        _, row, column, k = heapq.heappop(queue)
        if regions[row, column]:
            continue
        regions[row, column] = k
        for i, j in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if not regions[i, j] and high[i, j] > _EXTENT:
                heapq.heappush(queue, (-high[i, j], i, j, k))
    return np.asarray(regions[1:-1, 1:-1])


def _above(level: np.ndarray, row: int, column: int, part: float) -> np.ndarray:
    """(h, w) the pixels that are connected to a peak and above a part of it."""
    labels, _ = ndimage.label(level > max(part * level[row, column], _EXTENT), np.ones((3, 3)))
    return np.asarray(labels == labels[row, column])


def _no_arc(level: np.ndarray, region: np.ndarray, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether the light in a region is round, or drawn out towards the lens, and does not surround it."""
    rows, columns = np.nonzero(region)
    weight = level[rows, columns]
    at = np.stack([x[columns], y[rows]])
    middle = at @ weight / weight.sum()
    if np.hypot(*middle) < 0.5 * np.average(np.hypot(*at), weights=weight):
        return False
    radial = middle / np.hypot(*middle)
    off = np.stack([radial, [-radial[1], radial[0]]]) @ (at - middle[:, None])
    squares, axes = np.linalg.eigh((weight * off) @ off.T)
    drawn_out = float(np.sqrt(squares[1] / max(squares[0], 1e-12)))
    return drawn_out < _ROUND or abs(axes[0, 1]) > np.cos(np.radians(_TOWARDS))


def _outside(window: Window) -> np.ndarray:
    """(h, w) whether a pixel lies by the edge of the image or of the window, rather than by a masked pixel in it."""
    image = np.zeros(window.data.shape, bool)
    image[window.inside] = True
    return np.asarray(image & ~ndimage.binary_erosion(image, np.ones((3, 3)), iterations=_EDGE + 1))
