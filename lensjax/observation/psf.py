"""The point spread function: checked, and applied to images."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.fence import apart
from lensjax.errors import BadInput

_DIRECT = 7
"""Largest side of a PSF that is applied by shifts of the image; larger ones by FFT."""


def checked(psf: np.ndarray) -> np.ndarray:
    """A PSF (h, w) whose sum is 1.

    A PSF of another sum is normalised, with a warning.

    Raises:
        BadInput: not a plane of finite numbers, a side that is even, or a sum that is not above 0.
    """
    psf = np.asarray(psf, np.float64)
    if psf.ndim != 2:
        raise BadInput(column="psf", value=f"an array of shape {psf.shape}", expected="an array of two dimensions")
    if psf.shape[0] % 2 == 0 or psf.shape[1] % 2 == 0:
        problem = f"the PSF has {psf.shape[0]}×{psf.shape[1]} px"
        raise BadInput(problem, column="psf", value=psf.shape, expected="odd sides, so that one pixel is the middle")
    if not np.isfinite(psf).all():
        raise BadInput(f"{int((~np.isfinite(psf)).sum())} of its pixels are not finite", column="psf", expected="finite numbers")
    total = psf.sum()
    if total <= 0:
        raise BadInput(column="psf", value=f"a sum of {total:g}", expected="a sum above 0")
    if abs(total - 1.0) > 1e-3:
        warnings.warn(f"the PSF has a sum of {total:.6g}; it was normalised to 1", stacklevel=2)
    return np.asarray(psf / total)


def gaussian(fwhm: float, *, size: int | None = None) -> np.ndarray:
    """A round Gaussian PSF (size, size) of full width at half maximum `fwhm` [px], each pixel its integral; sum 1.

    Args:
        fwhm: full width at half maximum [px].
        size: odd number of pixels on a side; by default 4 standard deviations to each side.

    Raises:
        BadInput: a width that is not above 0, or an even size.
    """
    if not fwhm > 0:
        raise BadInput(column="fwhm", value=fwhm, expected="a width above 0")
    from scipy.special import ndtr

    sigma = fwhm / np.sqrt(8.0 * np.log(2.0))
    size = 2 * int(np.ceil(4.0 * sigma)) + 1 if size is None else size
    edges = np.arange(size + 1) - size / 2
    across = np.diff(ndtr(edges / sigma))
    return checked(np.outer(across, across) / across.sum() ** 2)


def convolve(image: Array, psf: Array) -> Array:
    """The part (..., H, W) of a padded image (..., H + h − 1, W + w − 1), convolved with a PSF (h, w), that the padding does not reach.

    Small PSFs are applied by shifts, others by FFT in the image's precision.
    """
    height, width = (image.shape[-2] - psf.shape[0] + 1, image.shape[-1] - psf.shape[1] + 1)
    image, psf = apart(image), psf.astype(image.dtype)
    if max(psf.shape) <= _DIRECT:
        flipped = psf[::-1, ::-1]
        parts = [flipped[i, j] * image[..., i : i + height, j : j + width] for i in range(psf.shape[0]) for j in range(psf.shape[1])]
        return sum(parts[1:], parts[0])
    size = (_fast(image.shape[-2]), _fast(image.shape[-1]))
    # A circular convolution: what wraps around falls into the first h − 1 rows and w − 1 columns, which are dropped.
    product = jnp.fft.rfft2(image, size) * jnp.fft.rfft2(psf, size)
    spread = jnp.fft.irfft2(product, size)
    return jax.lax.slice_in_dim(
        jax.lax.slice_in_dim(spread, psf.shape[0] - 1, psf.shape[0] - 1 + height, axis=-2),
        psf.shape[1] - 1, psf.shape[1] - 1 + width, axis=-1,
    )  # fmt: skip


def _fast(length: int) -> int:
    """The next length whose FFT is quick."""
    from scipy.fft import next_fast_len

    return int(next_fast_len(length, real=True))
