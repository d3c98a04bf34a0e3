"""COOLEST files of fits: JSON, and the FITS files beside it."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from lensjax.errors import BadInput
from lensjax.files import fits
from lensjax.files.whole import write_text
from lensjax.formats.coolest.entities import entities, fitted, pixels
from lensjax.formats.coolest.profiles import Profile
from lensjax.infer.solution import Solution
from lensjax.observation.instrument import Instrument
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.sky import SkyImage, header_about, position_angle
from lensjax.problems.compose import Composition


def write(folder: Path, name: str, problem: Composition, solution: Solution, image: SkyImage) -> Path:
    """Writes name.json, and beside it name_data.fits, name_noise.fits, name_mask.fits, name_psf.fits, and name_pixels.fits of a pixel grid.

    Args:
        folder: where; missing folders are created.
        name: of the files, without an ending.
        problem: the problem.
        solution: its fit, of one image; fluxes in the file's unit.
        image: the image that was fitted.

    Returns:
        The JSON file.

    Raises:
        BadInput: there is no fit, COOLEST has no such component, or a file cannot be written.
    """
    if not np.isfinite(solution.params[0]).all():
        raise BadInput("there is no fit to write", path=folder / f"{name}.json")
    content, grids = _made(problem, solution, image, name)
    seen = image.observed
    about = header_about(image, shape=seen.instrument.shape, pixel_scale=seen.instrument.pixel_scale, middle=seen.instrument.middle)
    cards = (about if image.wcs is None else image.wcs.header) | ({"BUNIT": image.unit} if image.unit else {})
    files = {"data": np.asarray(seen.data, np.float64) * image.scale, "mask": np.asarray(seen.mask, np.float64)}
    if _uniform(image) is None:
        files["noise"] = np.asarray(seen.noise.sigma(seen.data), np.float64) * image.scale
    for kind, values in files.items():
        fits.write(folder / f"{name}_{kind}.fits", [fits.Part("", values[::-1], cards)])
    if seen.instrument.psf is not None:
        fits.write(folder / f"{name}_psf.fits", [fits.Part("", np.asarray(seen.instrument.psf)[::-1])])
    for file, light in grids.items():
        fits.write(folder / file, [fits.Part("", light[::-1], {"BUNIT": image.unit} if image.unit else {})])
    path = folder / f"{name}.json"
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
    return path


def template(problem: Composition, solution: Solution, image: SkyImage, *, name: str) -> dict[str, Any]:
    """The content of a COOLEST file of one image; `name` is that of the FITS files beside it.

    Raises:
        BadInput: COOLEST has no such component, or no Sérsic of this index.
    """
    return _made(problem, solution, image, name)[0]


def _made(problem: Composition, solution: Solution, image: SkyImage, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The content of the JSON file, and the values of the pixel grids by the names of their files."""
    taken = image.observed.instrument
    found = fitted(problem, solution, pixel_scale=taken.pixel_scale, middle=_middle(taken))
    made, grids = entities(found, name=name)
    right_ascension, declination = _hours(image)
    uniform = _uniform(image)
    noise: dict[str, Any] = {"type": "UniformGaussianNoise", "std_dev": uniform}
    if uniform is None:
        noise = {"type": "NoiseMap", "noise_map": _grid(f"{name}_noise.fits", image)}
    psf: dict[str, Any] = {"type": None, "description": None}
    if taken.psf is not None:
        rows, columns = taken.psf.shape
        across, up = (0.5 * n * taken.pixel_scale for n in (columns, rows))
        grid = pixels(f"{name}_psf.fits", (-across, across), (-up, up), (rows, columns))
        psf = {"type": "PixelatedPSF", "description": None, "pixels": grid}
    content = {
        "standard": "COOLEST",
        "mode": "MAP",
        "meta": _meta(problem, [profile for profile, _ in found], solution, image),
        "coordinates_origin": {"ra": right_ascension, "dec": declination},
        "cosmology": None,
        "instrument": {"name": "", "band": "", "pixel_size": taken.pixel_scale, "readout_noise": None, "psf": psf},
        "observation": {
            "pixels": _grid(f"{name}_data.fits", image), "noise": noise,
            "exposure_time": None, "mag_zero_point": None, "mag_sky_brightness": None,
        },
        "likelihoods": [{"type": "ImagingDataLikelihood", "mask": _grid(f"{name}_mask.fits", image)}],
        "lensing_entities": made,
    }  # fmt: skip
    return content, grids


def _uniform(image: SkyImage) -> float | None:
    """The standard deviation of white noise; None where it is a map."""
    noise = image.observed.noise
    return float(noise.level) * image.scale if isinstance(noise, GaussianNoise) and np.ndim(noise.level) == 0 else None


def _middle(taken: Instrument) -> tuple[float, float]:
    """Place (x, y) of the image's middle about the system's origin."""
    rows, columns = taken.shape
    return (((columns - 1) / 2 - taken.middle[1]) * taken.pixel_scale, (taken.middle[0] - (rows - 1) / 2) * taken.pixel_scale)


def _grid(file: str, image: SkyImage) -> dict[str, Any]:
    taken = image.observed.instrument
    up, across = (0.5 * n * taken.pixel_scale for n in taken.shape)
    return pixels(file, (-across, across), (-up, up), taken.shape)


def _hours(image: SkyImage) -> tuple[str, str]:
    """Right ascension and declination of the image's middle, as text; zeros without a WCS."""
    if image.wcs is None:
        return "0h0m0.0s", "0d0m0.0s"
    from astropy.coordinates import Angle

    along = str(Angle(image.wcs.right_ascension, "deg").to_string(unit="hourangle", sep="hms", precision=5, pad=True))
    return along, str(Angle(image.wcs.declination, "deg").to_string(unit="deg", sep="dms", precision=4, pad=True, alwayssign=True))


def _meta(problem: Composition, found: list[Profile], solution: Solution, image: SkyImage) -> dict[str, Any]:
    from lensjax import __version__

    angles = {
        f"{k}-{profile.kind}-{key}": position_angle(float(profile.values[key]) + 90.0, image.wcs)
        for k, profile in enumerate(found)
        for key in ("phi", "phi_ext")
        if key in profile.values and image.wcs is not None
    }
    return {
        "written by": f"lensjax {__version__}",
        "image": image.name,
        "unit": image.unit or "unknown",
        "light": "in the data's unit per square arcsecond; grids of pixels in the data's unit",
        "sky": float(solution.params[0][-1]) if problem.sky else None,
        "axes": "x and y are the image's axes, about its middle; angles are counter-clockwise from its y axis",
        "mirrored": None if image.wcs is None else image.wcs.mirrored,
        "position angles east of north": angles,
        "redshifts": "hypothetical: they order the planes",
        "posterior_stats": "of the fit's covariance, a Gaussian",
        "chi2": float(solution.chi2[0]) if np.isfinite(solution.chi2[0]) else None,
        "success": bool(solution.success[0]),
        "status": solution.status[0],
    }
