"""Images of telescopes: an image file with its noise, PSF, mask and pixel scale, as an observation."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from lensjax._internal.numbers import finite
from lensjax._internal.words import counted
from lensjax.errors import BadInput, at
from lensjax.files import images, regions
from lensjax.files.images import LoadedImage
from lensjax.files.place import place_of
from lensjax.observation import sky_noise
from lensjax.observation.instrument import Instrument, instrument
from lensjax.observation.noise import Noise, PoissonNoise, usable
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage, Wcs, differ, header_scale, wcs_of

_SUPERSAMPLING = 2
_SMALLEST = 16  # px on a side of an image
_ASIDE = 2  # px, by which the brightest pixel of a PSF may lie beside its middle
_FLAGS = "DQ"  # extension in which 0 is a good pixel


@dataclass(frozen=True)
class Taken:
    """What the user says of how images were taken. A map is a number, a file, FILE[EXT], or [EXT]: of the image's own file.

    Attributes:
        noise: of a pixel, a map; None measures the sky's.
        noise_is: what it, or `background`, holds.
        psf: point spread function, a file; None for none.
        mask: file whose pixels are not 0 where they are used, or a region file; None uses all.
        pixel_scale: side of a pixel [arcsec]; None takes the file's.
        exposure: counts for one unit of the data, a map, in place of `noise`: noise of photons.
        background: rms of the background beside it, a map; None measures the sky's.
    """

    noise: str | None = None
    noise_is: sky_noise.Kind = "rms"
    psf: str | None = None
    mask: str | None = None
    pixel_scale: float | None = None
    exposure: str | None = None
    background: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that are the same for all images."""
        maps = (self.noise, self.psf, self.mask, self.exposure, self.background)
        return tuple(place_of(text).file for text in maps if text and not text.startswith("[") and np.isnan(finite(text)))


def read(path: Path, taken: Taken) -> SkyImage:
    """An image of a telescope.

    Raises:
        BadInput: a file cannot be read, shapes do not go together, there is no pixel scale, pixels are not square, the noise map is in
            another unit, or no pixel can be used.
    """
    image = images.read(path, smallest=_SMALLEST)
    if image.values.ndim != 2:
        raise BadInput("the image is in colour", path=path, expected="an image of two dimensions")
    with at(path=path):
        return _read(path, image, taken)


def _read(path: Path, image: LoadedImage, taken: Taken) -> SkyImage:
    remarks: list[str] = []
    data = image.values.astype(np.float64)
    used = np.isfinite(data)
    if not used.all():
        remarks.append(f"{counted(int((~used).sum()), 'pixel')} not finite, masked")
    if not used.any():
        raise BadInput("no pixel is finite", expected="an image")
    wcs, scale = _placed(image, taken, remarks)
    if taken.mask is not None:
        used &= _mask(path, image, taken.mask, wcs)
        if not used.any():
            raise BadInput("the mask leaves no pixel", column="--mask", expected="one pixel or more that is used")
    data, level, exposure = _noise(path, image, taken, data, used, remarks)
    good = usable(level) & (usable(exposure) if exposure is not None else True)
    bad = int((used & ~good).sum())
    if bad:
        remarks.append(f"{counted(bad, 'pixel')} without a usable noise, masked")
    used &= good
    if not used.any():
        flag = "--noise" if exposure is None else "--exposure" if usable(level).any() else "--background"
        raise BadInput("no pixel that is used has a noise", column=flag, expected="finite numbers above 0")
    by = _instrument(path, image, taken, scale, remarks)
    unit = float(2.0 ** np.round(np.log2(np.median(np.broadcast_to(level, data.shape)[used]))))
    noise: Noise | np.ndarray = level / unit
    if exposure is not None:
        dtype = jnp.result_type(float)
        background, counts = np.where(good, level / unit, 1.0), np.where(good, exposure * unit, 1.0)
        noise = PoissonNoise(jnp.asarray(background, dtype), jnp.asarray(counts, dtype))
    observed = observe(data / unit, noise, mask=used, taken_by=by)
    return SkyImage(path.name, observed, wcs, unit, image.unit, tuple(remarks))


def _placed(image: LoadedImage, taken: Taken, remarks: list[str]) -> tuple[Wcs | None, float]:
    """The image's WCS, and its pixel scale [arcsec]."""
    shape = (image.values.shape[0], image.values.shape[1])
    wcs, own = None, None
    if image.header is not None:
        try:
            wcs = wcs_of(image.header, shape)
            own = header_scale(image.header) if wcs is None else wcs.pixel_scale
        except BadInput as error:
            if taken.pixel_scale is None:
                raise
            remarks.append(f"the file's WCS is not used: {error}")
    if taken.pixel_scale is not None:
        if own is not None and differ(taken.pixel_scale, own):
            remarks.append(f"pixel scale {taken.pixel_scale:.6g} arcsec, while the file's is {own:.6g}")
        return wcs, taken.pixel_scale
    if own is None:
        raise BadInput("the file has no pixel scale", column="--pixel-scale", expected="arcseconds per pixel")
    return wcs, own


def _map(path: Path, image: LoadedImage, text: str) -> np.ndarray:
    """A map beside an image, float64, with its rows in the image's order.

    FITS images and pictures lie as in a viewer. Arrays of NumPy have no such order: they lie as the array of the image does.
    """
    name = f"{place_of(path).file}{text}" if text.startswith("[") else text
    loaded = images.read(name)
    if loaded.values.ndim != 2:
        raise BadInput("the map is in colour", path=name, expected="an array of two dimensions")
    turned = {loaded.kind, image.kind} == {"FITS", "NPY"}
    values = loaded.values[::-1] if turned else loaded.values
    return np.asarray(values, np.float64)


def _level(path: Path, image: LoadedImage, text: str, flag: str) -> np.ndarray:
    """A number, or a map (H, W) of the image's shape."""
    number = finite(text)
    if not np.isnan(number):
        if number <= 0:
            raise BadInput(column=flag, value=text, expected="a positive number or a file")
        return np.asarray(number)
    values = _map(path, image, text)
    _check_shape(values, image, text, flag)
    return values


def _check_shape(values: np.ndarray, image: LoadedImage, text: str, flag: str) -> None:
    if values.shape != image.values.shape:
        size = "{}×{} px".format(*values.shape)
        raise BadInput(f"{text} has {size}", column=flag, value=size, expected="the image's {}×{} px".format(*image.values.shape))


def _mask(path: Path, image: LoadedImage, text: str, wcs: Wcs | None) -> np.ndarray:
    shape = (image.values.shape[0], image.values.shape[1])
    if text.lower().endswith(regions.SUFFIX):
        return regions.mask(text, shape, None if wcs is None else image.header)[::-1]
    values = _map(path, image, text)
    _check_shape(values, image, text, "--mask")
    place = place_of(text if not text.startswith("[") else f"file{text}")
    flags = place.extension.partition(",")[0].strip().upper() == _FLAGS
    with np.errstate(invalid="ignore"):
        return np.asarray(values == 0) if flags else np.asarray(np.isfinite(values) & (values != 0))


def _noise(
    path: Path, image: LoadedImage, taken: Taken, data: np.ndarray, used: np.ndarray, remarks: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The data without a sky that was measured, standard deviations of its noise or of its background, and the exposure."""
    exposure = None if taken.exposure is None else _level(path, image, taken.exposure, "--exposure")
    given, flag = (taken.noise, "--noise") if exposure is None else (taken.background, "--background")
    if given is None:
        sky = sky_noise.measured(data, used)
        level, part = float(np.median(sky.level[used])), f"{100.0 * sky.part:.0f} % of the pixels"
        remarks.append(f"noise measured from the sky: {sky.rms:.4g} (rms, {part}); sky of {level:.4g} subtracted")
        return data - sky.level, np.asarray(sky.rms), exposure
    level_map = _level(path, image, given, flag)
    level_map = sky_noise.as_rms(level_map, taken.noise_is)
    good = used & usable(level_map)
    if good.any():
        with at(column=flag):
            odd = sky_noise.check_map(level_map, data, good)
        if odd:
            remarks.append(odd)
    return data, level_map, exposure


def _instrument(path: Path, image: LoadedImage, taken: Taken, scale: float, remarks: list[str]) -> Instrument:
    shape = (image.values.shape[0], image.values.shape[1])
    psf = None if taken.psf is None else _map(path, image, taken.psf)
    with warnings.catch_warnings(record=True) as said, at(path=taken.psf if taken.psf and not taken.psf.startswith("[") else path):
        warnings.simplefilter("always")
        by = instrument(shape, pixel_scale=scale, supersampling=_SUPERSAMPLING, psf=psf)
    remarks += [str(warning.message) for warning in said]
    if psf is not None:
        brightest = np.unravel_index(int(np.argmax(psf)), psf.shape)
        aside = max(abs(int(at) - side // 2) for at, side in zip(brightest, psf.shape, strict=True))
        if aside > _ASIDE:
            remarks.append(f"the PSF's brightest pixel lies {aside} px beside its middle")
    return by
