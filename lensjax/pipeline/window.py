"""The part of an image about a lens that is fitted, with the lens at the origin."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from lensjax.observation.instrument import Instrument, instrument

_NEAR = 0.15  # of the image's side, or within this many arcseconds of the middle, whichever is more: where the lens is looked for
_NEAREST = 1.0
_SMOOTH = 1.5  # px
_PSF = 21  # px on a side of the PSF at most


@dataclass(frozen=True)
class Window:
    """A part of an image.

    Attributes:
        rows, columns: the part.
        inside: rows and columns of the window that this part fills; beyond them there is no image, and nothing is used.
        data, sigma, used: (h, w) of the window, float64 and bool.
        taken: its instrument, with the pixel at the lens's centre of light as the origin. Images whose windows have as many pixels share
            programs.
        offset: x and y of that pixel in the whole image.
    """

    rows: slice
    columns: slice
    inside: tuple[slice, slice]
    data: np.ndarray
    sigma: np.ndarray
    used: np.ndarray
    taken: Instrument
    offset: tuple[float, float]


def centre_of_lens(data: np.ndarray, used: np.ndarray, taken: Instrument) -> tuple[float, float]:
    """Row and column of the brightest light near the middle of an image (H, W)."""
    smooth = ndimage.gaussian_filter(np.where(used, data, 0.0), _SMOOTH)
    rows, columns = (np.asarray(part) for part in np.indices(data.shape))
    far = np.hypot(rows - taken.middle[0], columns - taken.middle[1])
    near = far <= max(_NEAR * min(data.shape), _NEAREST / taken.pixel_scale)
    row, column = divmod(int(np.argmax(np.where(near, smooth, -np.inf))), data.shape[1])
    part = (slice(max(row - 2, 0), row + 3), slice(max(column - 2, 0), column + 3))
    weight = np.maximum(smooth[part] - smooth[part].min(), 0.0)
    if not weight.sum() > 0:
        return float(row), float(column)
    return float((weight * rows[part]).sum() / weight.sum()), float((weight * columns[part]).sum() / weight.sum())


def around(
    data: np.ndarray, sigma: np.ndarray, used: np.ndarray, taken: Instrument, centre: tuple[float, float], *, reach: float
) -> Window:
    """The square about a centre (row, column) that reaches `reach` to each side."""
    half = round(reach / taken.pixel_scale)
    side = 2 * half + 1
    middle = [round(c) for c in centre]
    rows, columns = (slice(max(m - half, 0), min(m + half + 1, n)) for m, n in zip(middle, data.shape, strict=True))
    inside = tuple(slice(cut.start - m + half, cut.stop - m + half) for cut, m in zip((rows, columns), middle, strict=True))
    own = instrument((side, side), pixel_scale=taken.pixel_scale, middle=(half, half), supersampling=taken.supersampling)

    def placed(values: np.ndarray, fill: float) -> np.ndarray:
        wide = np.full((side, side), fill, values.dtype)
        wide[inside] = values[rows, columns]
        return wide

    psf = None if taken.psf is None else small_psf(np.asarray(taken.psf, np.float64), min(_PSF, *own.shape))
    own = replace(own, psf=None if psf is None else jnp.asarray(psf, jnp.result_type(float)))
    offset = ((middle[1] - taken.middle[1]) * taken.pixel_scale, (taken.middle[0] - middle[0]) * taken.pixel_scale)
    level = placed(np.asarray(np.broadcast_to(sigma, data.shape), np.float64), 1.0)
    return Window(rows, columns, (inside[0], inside[1]), placed(data, 0.0), level, placed(used, False), own, offset)


def small_psf(psf: np.ndarray, side: int) -> np.ndarray:
    """The middle of a PSF, of an odd side of at most `side`, with sum 1."""
    half = (side - 1) // 2
    part = tuple(slice(max(n // 2 - half, 0), n // 2 + half + 1) for n in psf.shape)
    cut = psf[part]
    return np.asarray(cut / cut.sum())
