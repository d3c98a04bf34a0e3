"""The sky of an image: its level and its scatter, and whether a noise map goes with it."""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lensjax.errors import BadInput

Kind = Literal["rms", "variance", "weight"]
"""What a noise map holds: standard deviations, variances, or inverse variances."""

_BOXES = 4  # along each axis, of the map of the sky
_BOX = 16  # px, the smallest box
_MASKED = 70.0  # percent of a box's pixels that may be masked
_DETECTED = 2.0  # times the scatter of the smoothed image, from which light is a source
_SMOOTH, _GROWN = 1.5, 7  # px: width of the smoothing, and side of the square by which sources grow
_ROUNDS = 3
_NEAR, _FAR = 3.0, 5.0  # ratios of a noise map to the pixels' scatter: it goes with it, and it does not
_FEWEST = 64  # px of sky
_APART = 3  # px, beyond which the noise of resampled images is not correlated


@dataclass(frozen=True)
class Sky:
    """The sky of an image.

    Attributes:
        level: (H, W) its brightness.
        rms: standard deviation of its noise.
        part: the part of the valid pixels on which it was measured.
    """

    level: np.ndarray
    rms: float
    part: float


def measured(data: np.ndarray, used: np.ndarray) -> Sky:
    """The sky of an image (H, W) outside its sources, its level as a sigma-clipped map; `used` (H, W) is its mask.

    A galaxy may fill an image to its edges: the level is then its faint light too, while its smooth light is no part of the scatter.

    Raises:
        BadInput: photutils is not installed, or there is too little sky.
    """
    try:
        from photutils.background import Background2D, MedianBackground
        from photutils.segmentation import detect_sources
    except ImportError:
        problem = "no noise is given, and what measures the sky's, photutils, is not installed"
        raise BadInput(problem, column="--noise", hint="give --noise, or pip install 'lensjax[real]'") from None
    from scipy.ndimage import gaussian_filter

    values = np.where(used, data, np.median(data[used]))
    smooth = gaussian_filter(values, _SMOOTH)
    bright = np.zeros(values.shape, bool)
    for _ in range(_ROUNDS):
        open_sky = used & ~bright
        if open_sky.sum() < _FEWEST:
            break
        middle, scatter = _robust(smooth[open_sky])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is no source
            found = detect_sources(smooth - middle, _DETECTED * scatter, n_pixels=5, mask=~used)
        grown = np.zeros_like(bright) if found is None else found.make_source_mask(size=_GROWN)
        if (used & ~grown).sum() < _FEWEST:
            break
        bright = grown
    sky = used & ~bright
    if sky.sum() < _FEWEST:
        raise BadInput(f"only {int(sky.sum())} pixels show the sky", column="--noise", expected="a noise map", hint="give --noise")
    box = tuple(max(_BOX, -(-side // _BOXES)) for side in values.shape)
    rms = scatter_of(values, sky) or _robust(values[sky])[1]
    if not rms > 0:
        raise BadInput("the sky has no noise: its pixels are equal", column="--noise", hint="give --noise")
    try:
        level = np.asarray(Background2D(values, box, mask=~sky, exclude_percentile=_MASKED, bkg_estimator=MedianBackground()).background)
    except ValueError:  # every box is full of sources
        level = np.full(values.shape, _robust(values[sky])[0])
    return Sky(level, rms, float(sky.sum() / used.sum()))


def scatter_of(data: np.ndarray, used: np.ndarray) -> float:
    """Standard deviation of the noise of an image (H, W), as its pixels show it; 0 where they show none.

    It is that of second differences, in which smooth light cancels, between pixels so far apart that their noise is not correlated.
    """
    from scipy.stats import median_abs_deviation

    values = np.where(used, data, np.nan)
    parts = [
        (part[2 * _APART :] - 2.0 * part[_APART:-_APART] + part[: -2 * _APART]).ravel() / 6.0**0.5
        for part in (values, values.T)
        if part.shape[0] > 2 * _APART
    ]
    differences = np.concatenate(parts) if parts else np.zeros(0)
    differences = differences[np.isfinite(differences)]
    return float(median_abs_deviation(differences, scale="normal")) if len(differences) >= _FEWEST else 0.0


def as_rms(level: np.ndarray, kind: Kind) -> np.ndarray:
    """Standard deviations of a map (H, W) of this kind; NaN where it has none."""
    with np.errstate(all="ignore"):
        if kind == "variance":
            return np.asarray(np.where(level > 0, np.sqrt(level), np.nan))
        if kind == "weight":
            return np.asarray(np.where(level > 0, 1.0 / np.sqrt(level), np.nan))
    return level


def check_map(level: np.ndarray, data: np.ndarray, used: np.ndarray) -> str:
    """What is odd about a map (H, W) of standard deviations, or one number, beside an image (H, W), in words; empty where nothing is.

    Raises:
        BadInput: it is a map of variances or weights.
    """
    scatter = scatter_of(data, used)
    typical = float(np.median(np.broadcast_to(level, data.shape)[used]))
    if not scatter > 0 or not typical > 0:
        return ""
    ratio = typical / scatter
    if 1.0 / _NEAR < ratio < _FAR:
        return ""
    others: dict[Kind, float] = {"variance": typical**0.5 / scatter, "weight": typical**-0.5 / scatter}
    kind = min(others, key=lambda other: abs(np.log(others[other])))
    if np.ndim(level) == 2 and 1.0 / _NEAR < others[kind] < _NEAR:
        what = "variances" if kind == "variance" else "weights (1/variance)"
        raise BadInput(
            f"the noise map's median is {typical:.3g}, and the scatter of the pixels {scatter:.3g}: this looks like {what}",
            expected="standard deviations", hint=f"give --noise-is {kind}",
        )  # fmt: skip
    return f"the noise of {typical:.3g} is {ratio:.2g} times the scatter of {scatter:.3g} that the pixels show"


def _robust(values: np.ndarray) -> tuple[float, float]:
    """Middle and standard deviation of values, of which those of sources are few: clipped about the median."""
    from scipy.stats import median_abs_deviation, sigmaclip

    middle, spread = float(np.median(values)), float(median_abs_deviation(values, scale="normal"))
    near = values[np.abs(values - middle) <= 5.0 * spread] if spread > 0 else values
    clipped = sigmaclip(near, 3.0, 3.0).clipped
    return float(np.median(clipped)), float(np.std(clipped))
