"""Synthetic FITS files for the tests of telescopes' images."""

from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (24, 30)
SCALE = 0.05  # arcsec
SIGMA = 0.02


def sky_header(shape: tuple[int, int] = SHAPE, *, mirrored: bool = False) -> Any:
    """North up; east left, or right."""
    from astropy.io import fits

    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 20.0, "CRPIX1": 4.0, "CRPIX2": shape[0] - 3.0}
    step = SCALE / 3600
    return fits.Header(cards | {"CD1_1": step if mirrored else -step, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": step, "BUNIT": "electron/s"})


def sky(shape: tuple[int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    """A blob off the middle and white noise; the first row at the bottom, as in FITS."""
    x, y = np.meshgrid(np.arange(shape[1]), np.arange(shape[0]))
    light = np.exp(-0.5 * ((x - 20) ** 2 + (y - 6) ** 2) / 4.0)
    return light + np.random.default_rng(seed).normal(scale=SIGMA, size=shape)


def kernel() -> np.ndarray:
    """A PSF that is not symmetric."""
    psf = np.zeros((5, 5))
    psf[2, 2], psf[1, 2], psf[2, 4] = 0.7, 0.2, 0.1
    return psf


def write(path: Path, data: np.ndarray | None = None, *, header: Any = None, **more: np.ndarray) -> Path:
    """A FITS file: an empty first part, SCI with a WCS, ERR, PSF, and `more` extensions by name."""
    from astropy.io import fits

    data = sky() if data is None else data
    header = sky_header((data.shape[-2], data.shape[-1])) if header is None else header
    parts = [fits.PrimaryHDU(), fits.ImageHDU(data, header=header, name="SCI")]
    named = {"ERR": np.full(data.shape[-2:], SIGMA), "PSF": kernel(), **more}
    parts += [fits.ImageHDU(array, name=name) for name, array in named.items()]
    fits.HDUList(parts).writeto(path, overwrite=True)
    return path
