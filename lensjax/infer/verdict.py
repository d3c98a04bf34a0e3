"""Whether a fit can be trusted: what stands against it, in words.

A success has residuals that are noise by the noise model, in sum and in every patch; no other solution that explains the image as well; no
parameter at the end of its range; and an image that is not explained without a lens.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage, special

from lensjax._internal.words import counted
from lensjax.problems import Parameter

PATCHES = (1, 3, 5, 9, 17)
"""Sides [px] of the patches over which residuals are summed."""

FALSE_ALARM = 1e-4
"""Chance that pure noise is taken for a coherent patch, and that for a chi² above the noise."""

ROUNDED = 0.6
"""Grey levels within which a least-squares fit explains a pixel that is rounded to whole ones: ½, and the fit's own error."""

_BEYOND = 5.0  # errors by which a fit may lie outside a parameter's range
_FEW = 3  # pixels that a model may leave unexplained in a rounded image

AS_GOOD = 11.8
"""Difference in chi² within which another solution is as good: 3σ of two numbers."""


class Patch(NamedTuple):
    """The most significant patch of residuals: side [px], place (row, column), significance, and how many pixels belong to it."""

    side: int
    place: tuple[int, int]
    significance: float
    pixels: int


def coherent_patch(residual: np.ndarray, mask: np.ndarray) -> Patch | None:
    """The patch of whitened residuals (H, W) that noise does not explain; None where there is none.

    Sums over square patches of noise are normal; the threshold allows for their number.
    """
    whitened = np.where(mask, residual, 0.0)
    threshold = -special.ndtri(0.5 * FALSE_ALARM / (max(int(mask.sum()), 1) * len(PATCHES)))
    worst: Patch | None = None
    for side in (s for s in PATCHES if s <= min(mask.shape)):
        total = ndimage.uniform_filter(whitened, side, mode="constant") * side**2
        count = ndimage.uniform_filter(mask.astype(np.float64), side, mode="constant") * side**2
        level = np.where(count > 0.5, total / np.sqrt(np.maximum(count, 1.0)), 0.0)
        place = np.unravel_index(int(np.argmax(np.abs(level))), level.shape)
        height = float(np.abs(level[place]))
        if height > threshold and (worst is None or height > worst.significance):
            labels, _ = ndimage.label(np.abs(level) > 0.5 * threshold)
            worst = Patch(side, (int(place[0]), int(place[1])), height, int((labels == labels[place]).sum()))
    return worst


def chi2_is_noise(chi2: float, degrees: int) -> bool:
    """Whether noise alone gives a chi² as large as this, but for one time in `1/FALSE_ALARM`."""
    return bool(chi2 <= special.chdtri(max(degrees, 1), FALSE_ALARM))


def against_noise(residual: np.ndarray, mask: np.ndarray, *, chi2: float, degrees: int) -> list[str]:
    """Why whitened residuals (H, W), over the pixels of the mask (H, W), are no noise, in words; nothing where they are.

    Args:
        residual: (H, W) whitened residuals.
        mask: (H, W) True where a pixel is used.
        chi2: their sum of squares.
        degrees: pixels less fitted parameters.
    """
    patch = coherent_patch(residual, mask)
    if patch is not None:
        return [
            f"the model does not explain {counted(patch.pixels, 'pixel')} in a coherent patch at row {patch.place[0]}, "
            f"column {patch.place[1]} ({patch.significance:.0f} sigma)"
        ]
    if not chi2_is_noise(chi2, degrees):
        return [f"residuals above the noise: chi² {chi2 / max(degrees, 1):.2f} per degree of freedom"]
    return []


def against_rounding(residual: np.ndarray) -> list[str]:
    """Why residuals (H, W) [grey levels] of an image of whole levels are not its rounding, in words.

    Rounding is no noise where light changes slowly: there all pixels of a patch are off the same way. So it is judged pixel by pixel.
    """
    off = int((np.abs(residual) > ROUNDED).sum())
    return [f"the model does not explain {counted(off, 'pixel')}"] if off > _FEW else []


def outside(parameters: Sequence[Parameter], values: np.ndarray, errors: np.ndarray) -> list[str]:
    """Names of the parameters whose values (P,) lie beyond their range by more than `_BEYOND` of their errors (P,).

    Noise leaves room for systems that the problem does not hold, and a search may end there.
    """
    beyond = []
    for parameter, value, error in zip(parameters, values, errors, strict=True):
        room = _BEYOND * error if np.isfinite(error) else 0.0
        if parameter.period is None and not parameter.low - room <= value <= parameter.high + room:
            beyond.append(parameter.name)
    return beyond


def objections(
    residuals: Sequence[str],
    *,
    converged: bool,
    at_bounds: Sequence[str] = (),
    outside: Sequence[str] = (),
    rivals: Sequence[str] = (),
    needless: bool = False,
) -> list[str]:
    """What stands against a fit, in words; nothing for a success.

    Args:
        residuals: why its residuals are no noise, in words.
        converged: whether the descent converged.
        at_bounds: names of the parameters at an end of their range.
        outside: names of the parameters beyond the problem's range.
        rivals: other solutions that explain the image as well, in words.
        needless: whether the image is explained without a lens.
    """
    against = [] if converged else ["the descent did not converge"]
    against += residuals
    against += [f"at the end of its range: {name}" for name in at_bounds]
    against += [f"outside the problem's range: {' '.join(outside)}"] if outside else []
    against += [f"another solution explains the image as well: {rival}" for rival in rivals]
    return against + (["no lens needed"] if needless else [])
