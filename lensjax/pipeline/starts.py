"""Starts of fits of arcs: round lenses of many Einstein radii, each with the source where it traces the arcs' light back to."""

import numpy as np
from scipy import ndimage

from lensjax.observation.observed import Observed
from lensjax.pipeline.arcs import significance
from lensjax.problems.components import Guess

_BRIGHT = 2.0  # times the noise of the smoothed image
_FEWEST = 4  # px of a clump
_ROUNDS = 6


def bright_pixels(observed: Observed) -> tuple[np.ndarray, np.ndarray]:
    """Places (2, N) and light (N,) of the pixels of bright clumps."""
    level = significance(observed)
    labels, _ = ndimage.label(level > _BRIGHT, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    rows, columns = np.nonzero((labels > 0) & (sizes[labels] >= _FEWEST))
    taken = observed.instrument
    at = np.stack([(columns - taken.middle[1]) * taken.pixel_scale, (taken.middle[0] - rows) * taken.pixel_scale])
    return at, np.maximum(np.asarray(observed.data, np.float64)[rows, columns], 0.0)


def round_lenses(observed: Observed, radii: np.ndarray, *, size: float = 0.08) -> list[Guess]:
    """A rough system for each Einstein radius, in the unit of the pixel scale; none where nothing is bright."""
    at, light = bright_pixels(observed)
    if not len(light):
        return []
    along = at / np.maximum(np.hypot(*at), 1e-9)
    return [Guess(theta_e=float(radius), lens=(0.0, 0.0), source=_centre(at - radius * along, light), size=size) for radius in radii]


def _centre(at: np.ndarray, light: np.ndarray) -> tuple[float, float]:
    """Robust centre of light: light far from the centre counts less."""
    near = np.ones_like(light)
    middle = np.zeros(2)
    for _ in range(_ROUNDS):
        weight = light * near
        middle = at @ weight / weight.sum()
        square = ((at - middle[:, None]) ** 2).sum(axis=0)
        near = 1.0 / (1.0 + square / max(float(np.median(square)), 1e-9))
    return float(middle[0]), float(middle[1])
