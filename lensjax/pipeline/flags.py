"""What stands against the fit of a galaxy's arcs, in words. A fit is a success where nothing does."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lensjax.observation.observed import Observed
from lensjax.pipeline.arcs import sigma_of, significance

FAINTEST = 5.0
"""Signal to noise of the brightest arc, below which no lens is found."""

NO_LENS = f"no lens found: no arc is brighter than {FAINTEST:.0f} times the noise"

_COUNTER = 4.0  # signal to noise of the light opposite the brightest arc
MOST_EXCESS = 3.0
"""chi² of the arcs' pixels over that of the others, above which a source model leaves too much."""

_STRAIN = 5.0
_EDGE = 1.03  # factor within which an Einstein radius is at the end of its range
_AS_GOOD, _OTHER = 10.0, 0.1  # difference in cost, and relative one of Einstein radii, of another solution
_VARIES = (0.25, 0.1)  # relative differences of Einstein radii with a simpler source, and with a richer one
_BRIGHT = 2.0  # times the noise: pixels of arcs
_FEWEST = 10  # of these: fewer may be a part of a galaxy's disc
_DARK = 0.3  # of the arcs' light: no source has negative light, but shapelets ring about a sharp one
_HOLE = (10.0, 0.3)  # significance of dark places, and its part of the arcs' own: 0.16 at most in SLACS, where it exceeds 10
_ALIKE = 0.9  # as one arm of a spiral and the other, or a ring; one lens in sixty, whose source lies behind its very centre
IMAGES = 2.0
"""Einstein radii from the lens, within which its images lie."""
_OUTSHONE = 5.0  # times the arcs' signal, above which a masked object there may be an image: 2.3 at most in 47 known lenses


@dataclass(frozen=True)
class Findings:
    """What a fit of arcs was found to be.

    Attributes:
        signal: largest signal to noise of the arcs, smoothed.
        bright: pixels of the modelled arcs that are brighter than twice the noise.
        counter: signal to noise of the modelled light on the side of the lens that faces away from the brightest arc.
        excess: chi² of a pixel of the arcs over that of a pixel elsewhere, with the error of the model that the fit had; of a richer
            source where it leaves less; 1 at most where all residuals are noise by the noise map.
        theta_e, tried: Einstein radius, and the range of those tried.
        strain: how far the mass's ellipticity and the shear are from what is believed of them, in standard deviations; see `belief.strain`.
        rivals: Einstein radii of other solutions, each with how much higher its cost is.
        varied: Einstein radii with a simpler source, and with a richer one.
        converged: whether the descent converged.
        alike: how alike the modelled arcs are to themselves turned by 180° about the lens, see `alike`.
        dark: how much of the modelled arcs is negative light, see `dark_of`.
        hole: the largest significance of negative light in the image without the lens galaxy, smoothed as `signal` is.
    """

    signal: float
    bright: int
    counter: float
    excess: float
    theta_e: float
    tried: tuple[float, float]
    strain: float
    rivals: tuple[tuple[float, float], ...]
    varied: tuple[float, float]
    converged: bool
    alike: float
    dark: float
    hole: float


def counter_signal(seen: Observed, model: np.ndarray) -> float:
    """Signal to noise of a model (H, W) in the data, matched, on the side of the lens that faces away from the model's brightest pixel."""
    mask = np.asarray(seen.mask)
    sigma = sigma_of(seen)
    taken = seen.instrument
    x = (np.arange(taken.shape[1]) - taken.middle[1])[None, :]
    y = (taken.middle[0] - np.arange(taken.shape[0]))[:, None]
    bright = ndimage.gaussian_filter(np.where(mask, model, 0.0), 1.0)
    row, column = np.unravel_index(int(np.argmax(bright)), bright.shape)
    away = mask & (x * x[0, column] + y * y[row, 0] < 0)
    wave = np.where(away, np.maximum(model, 0.0) / sigma, 0.0)
    norm = float(np.sqrt((wave * wave).sum()))
    return float((wave * np.where(mask, np.asarray(seen.data, np.float64), 0.0) / sigma).sum()) / norm if norm > 0 else 0.0


def alike(seen: Observed, model: np.ndarray, place: tuple[float, float]) -> float:
    """How alike a model (H, W) of arcs is to itself turned by 180° about a place [arcsec]: their product over its square, 1 at most.

    Only pixels count that are used on both sides. The square is that of the brighter of the two there, turned or not.
    """
    taken = seen.instrument
    row, column = taken.middle[0] - place[1] / taken.pixel_scale, taken.middle[1] + place[0] / taken.pixel_scale
    rows, columns = (np.asarray(part) for part in np.indices(model.shape))

    def turned(image: np.ndarray) -> np.ndarray:
        return np.asarray(ndimage.map_coordinates(image, [2.0 * row - rows, 2.0 * column - columns], order=1, cval=0.0))

    mask = np.asarray(seen.mask)
    both = mask & (turned(mask.astype(np.float64)) > 0.99)
    own, other = model[both], turned(model)[both]
    square = float(max(own @ own, other @ other))
    return float(own @ other) / square if square > 0 else 0.0


def bright_of(seen: Observed, model: np.ndarray) -> np.ndarray:
    """(H, W) whether a model (H, W) of arcs is brighter than twice the noise."""
    return np.asarray(np.asarray(seen.mask) & (model > _BRIGHT * sigma_of(seen)))


def dark_of(seen: Observed, model: np.ndarray) -> float:
    """How much negative light a model (H, W) of arcs has, over its light; only pixels beyond twice the noise count."""
    lit = float(model[bright_of(seen, model)].sum())
    return float((-model)[bright_of(seen, -model)].sum()) / lit if lit > 0 else 0.0


def excess_of(seen: Observed, model: np.ndarray, residual: np.ndarray) -> float:
    """chi² of a pixel of the arcs over that of a pixel elsewhere, the latter from the middle half of their residuals.

    Args:
        seen: the arcs, with the noise of the fit.
        model: (H, W) of them.
        residual: (H, W) in units of that noise.
    """
    mask = np.asarray(seen.mask)
    arcs = bright_of(seen, model)
    rest = mask & ~ndimage.binary_dilation(arcs, iterations=2)
    if arcs.sum() < _FEWEST or rest.sum() < 100:
        return 0.0
    low, high = np.percentile(residual[rest], [25.0, 75.0])
    scatter = max((high - low) / 1.349, 1e-9)
    return float((residual[arcs] ** 2).mean() / scatter**2)


def signal_of(seen: Observed) -> float:
    """The largest significance of the smoothed light of two pixels' width."""
    return float(significance(seen, smooth=2.0).max()) if np.asarray(seen.mask).any() else 0.0


def hole_of(seen: Observed) -> float:
    """The same of negative light: noise has some 4, dust and the gaps between spiral arms more."""
    return max(0.0, -float(significance(seen, smooth=2.0).min()))


def words_of_light(gain: float) -> list[str]:
    """What stands against a fit whose ln E is by `gain` below that of light that is not lensed."""
    if gain < 0.0:
        return []
    return [f"the arcs may be light that is not lensed: ln E is {gain:.3g} higher without a lens"]


def words_of_masked(ratio: float) -> list[str]:
    """What stands against a fit without an object that is `ratio` times as bright as its arcs, and lies within `IMAGES` of the lens."""
    if ratio < _OUTSHONE:
        return []
    return [f"the brightest image may be masked: an object within twice theta_E is {ratio:.0f} times as bright as the arcs"]


def words(found: Findings) -> list[str]:
    """What stands against a fit."""
    if found.signal < FAINTEST:
        return [NO_LENS]
    against = [] if found.converged else ["the descent did not converge"]
    if found.bright < _FEWEST:
        against.append(f"the arcs are too faint: they exceed {_BRIGHT:.0f} times the noise in {found.bright} px")
    if found.counter < _COUNTER:
        against.append(f"no counter-image: {found.counter:.1f} sigma of light opposite the brightest arc")
    if found.excess > MOST_EXCESS:
        against.append(f"the source model leaves {found.excess:.1f} times the noise in the arcs")
    if found.dark > _DARK:
        against.append(f"the source would have negative light: {100.0 * found.dark:.0f} % of the arcs'")
    if found.hole > max(_HOLE[0], _HOLE[1] * found.signal):
        against.append(f"dark places of {found.hole:.0f} sigma beside arcs of {found.signal:.0f}, as between the arms of a spiral")
    if found.alike > _ALIKE:
        against.append("the arcs are alike on both sides of the galaxy, as its own arms or its ring would be")
    low, high = found.tried
    if not low * _EDGE < found.theta_e < high / _EDGE:
        against.append(f"theta_E at the end of the range tried, {low:g} to {high:g}")
    if found.strain > _STRAIN:
        against.append(f"the lens would be an unusual one: its ellipticity and shear are {found.strain:.1f} sigma from those of its kind")
    good = (radius for radius, excess in found.rivals if excess < _AS_GOOD)
    others = sorted({round(radius, 2) for radius in good if abs(radius / found.theta_e - 1.0) > _OTHER})
    if others:
        against.append(f"another solution explains the arcs as well: theta_E {', '.join(f'{radius:.3g}' for radius in others)}")
    far = [radius for radius, most in zip(found.varied, _VARIES, strict=True) if abs(radius / found.theta_e - 1.0) > most]
    if far:
        against.append(f"theta_E depends on the source model: {', '.join(f'{radius:.3g}' for radius in far)} with others")
    return against
