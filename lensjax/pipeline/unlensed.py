"""Light that is not lensed in place of a lens's arcs: whether it explains them as well.

Two companions on either side of a galaxy look like two images of one source, one beside it has a counter-image where the galaxy's own light
leaves some, and a lens with shapelets behind it explains any two small blobs, as it does the arms of a smooth spiral. What an image cannot
tell apart must not be a success. So light of galaxies that are not lensed is fitted too: a Sérsic profile on each of up to three patches of
light, and the shapelets of a source, seen as they are. The explanations compare by Laplace's evidence (see `clumps`), which counts how much
each could have explained: real arcs are bent and thin, and alike, as galaxies need not be.
"""

from functools import cache

import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from lensjax.infer import fit
from lensjax.infer.fit import Belief
from lensjax.observation.instrument import places
from lensjax.observation.observed import Observed
from lensjax.pipeline import belief, flags, upgrade
from lensjax.pipeline.clumps import encoded, laplace
from lensjax.pipeline.options import ORDER
from lensjax.problems import components, galaxy_components
from lensjax.problems.compose import Composition, compose
from lensjax.problems.galaxy import UNIT

_MOST = 3  # galaxies: more patches of light in a ring are no chance
_GROWN = 1  # px, within which patches of arcs are one
_FEWEST = 4  # px of a patch
_RADIUS, _INDEX = (0.02, 1.0), (0.3, 6.0)  # of the galaxies
_STARTS = (1.0, 3.0)  # Sérsic indices that are started from
_REACH = 3.5  # arcsec: the scale of their places, which have no ends
_BETA, _BETAS = (0.03, 1.0), (0.2, 0.4)  # scale of the shapelets [arcsec], and those that are started from


def gain(problem: Composition, seen: Observed, known: Belief, numbers: np.ndarray, model: np.ndarray) -> float:
    """By how much ln E of light that is not lensed is above that of a fit; −inf where none can be fitted.

    Args:
        problem: of the fit.
        seen: the arcs as they were fitted.
        known: the belief of the fit.
        numbers: (E,) where it ended.
        model: (H, W) of its arcs.
    """
    near = upgrade.about(seen, model)
    if near is None:
        return -np.inf
    others = [(_shapelets(), _places())]
    patches = _patches(seen, model)
    if 1 <= len(patches) <= _MOST:
        others.append((_galaxies(len(patches)), _starts(_galaxies(len(patches)), patches)))
    highest = -np.inf
    for other, starts in others:
        own = belief.of(other, None)
        found = fit.descend_from(other, [near], [starts], beliefs=[own])[0]
        if found:
            highest = max(highest, laplace(other, near, own, found[0].numbers))
    return highest - laplace(problem, near, known, numbers)


@cache
def _shapelets() -> Composition:
    """Light of one galaxy that is seen as it is."""
    return compose("unlensed", [galaxy_components.shapelets(ORDER, unit=UNIT, beta=_BETA, reach=_REACH)])


def _places() -> list[np.ndarray]:
    """Numbers (E,) with that light about the lens, small and large."""
    problem = _shapelets()
    rows = [[{"source_beta": beta}.get(name, 0.0) for name in problem.names] for beta in _BETAS]
    return list(np.asarray(encoded(problem, jnp.asarray(rows)), np.float64))


@cache
def _galaxies(count: int) -> Composition:
    """So many galaxies anywhere about the lens."""
    return compose(
        "unlensed",
        [
            components.sersic(role="lens light", prefix=f"galaxy{k}_", unit=UNIT, radius=_RADIUS, index=_INDEX, reach=_REACH, q=0.2)
            for k in range(1, count + 1)
        ],
    )


def _patches(seen: Observed, model: np.ndarray) -> list[tuple[float, float, float]]:
    """x, y and radius [arcsec] of each patch of light of a model (H, W) that exceeds the noise, brightest first."""
    bright = flags.bright_of(seen, model)
    labels, count = ndimage.label(ndimage.binary_dilation(bright, iterations=_GROWN), np.ones((3, 3)))
    x, y = places(seen.instrument)
    found = []
    for k in range(1, count + 1):
        rows, columns = np.nonzero((labels == k) & bright)
        if len(rows) < _FEWEST:
            continue
        weight = model[rows, columns] / model[rows, columns].sum()
        at = np.array([weight @ x[columns], weight @ y[rows]])
        spread = weight @ ((x[columns] - at[0]) ** 2 + (y[rows] - at[1]) ** 2)
        found.append((float(model[rows, columns].sum()), (float(at[0]), float(at[1]), float(np.sqrt(0.5 * spread)))))
    return [place for _, place in sorted(found, reverse=True)]


def _starts(problem: Composition, patches: list[tuple[float, float, float]]) -> list[np.ndarray]:
    """Numbers (E,) with a galaxy on each patch."""
    rows = []
    for n in _STARTS:
        at = {name: 1.0 for name in problem.names}
        for k, (x, y, radius) in enumerate(patches, start=1):
            size = float(np.clip(radius, 2.0 * _RADIUS[0], 0.5 * _RADIUS[1]))
            own = {"x": x, "y": y, "R": size, "n": n, "q": 0.8, "phi": 0.0}
            at |= {f"galaxy{k}_{name}": value for name, value in own.items()}
        rows.append([at[name] for name in problem.names])
    return list(np.asarray(encoded(problem, jnp.asarray(rows)), np.float64))
