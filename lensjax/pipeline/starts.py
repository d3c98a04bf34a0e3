"""Starts of fits of arcs: round lenses of many Einstein radii, each with the source where it traces the arcs' light back to; then those of
other sources, from one that was fitted."""

import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from lensjax.observation.observed import Observed
from lensjax.pipeline.arcs import significance
from lensjax.problems.components import Guess
from lensjax.problems.compose import Composition

_BRIGHT = 2.0  # times the noise of the smoothed image
_FEWEST = 4  # px of a clump
_ROUNDS = 6
_ANOTHER = 0.04  # relative difference of Einstein radii of lenses that are tried apart
_SIZES = (0.08, 0.16)  # of a source at its start [arcsec]


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


def theta_e(problem: Composition, numbers: np.ndarray) -> float:
    """The Einstein radius of numbers (E,)."""
    params = problem.decode(jnp.asarray(numbers), jnp.ones(problem.linear))
    return float(params[problem.names.index("theta_E")])


def another_lens(radius: float, other: float) -> bool:
    """Whether lenses of two Einstein radii are tried apart."""
    return abs(radius / other - 1.0) > _ANOTHER


def carried(first: Composition, problem: Composition, kept: list[np.ndarray]) -> np.ndarray:
    """Starts (S, E) of a problem with the mass, any shear and the place of the source of another's numbers, and sources of two sizes."""
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


def numbers_of(problem: Composition, first: Composition, numbers: np.ndarray) -> np.ndarray:
    """Numbers (E,) of a problem with the lens of another's, and the source where that is of the same kind."""
    same = problem.names[: problem.size] == first.names[: first.size]
    return numbers if same else np.asarray(carried(first, problem, [numbers])[0])
