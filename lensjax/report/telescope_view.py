"""What a report shows of a fit of a telescope's image: images, lines, profiles and words. Nothing is drawn here.

Lengths are arcseconds, x right and y up about the system's origin; light is in the file's unit.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from lensjax._internal.words import counted
from lensjax.formats import model_images
from lensjax.formats.model_images import Images
from lensjax.infer import Solution
from lensjax.lens import curves
from lensjax.observation.instrument import Instrument, places
from lensjax.observation.noise import PoissonNoise
from lensjax.observation.sky import SkyImage
from lensjax.problems.compose import Composition

_ANNULI = 40  # at most
_BEYOND = 0.6  # of the longer side: how far from the origin critical curves are searched


@dataclass(frozen=True)
class Lines:
    """Points (k, 2) of each critical curve, caustic, and cut [arcsec]."""

    critical: tuple[np.ndarray, ...] = ()
    caustics: tuple[np.ndarray, ...] = ()
    cuts: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Profile:
    """Means over the used pixels of circular annuli about the lens, (n,) each, less the sky.

    Attributes:
        radius: mean distance of an annulus's pixels from the lens [arcsec].
        data, noise: mean of the data, and its 1σ noise.
        model: mean of the model.
        lens_light: mean of the lens's own light; None where the problem has none.
        theta_e: Einstein radius [arcsec]; NaN where no lens has one.
    """

    radius: np.ndarray
    data: np.ndarray
    noise: np.ndarray
    model: np.ndarray
    lens_light: np.ndarray | None
    theta_e: float


@dataclass(frozen=True)
class View:
    """An image and its fit; arrays (H, W) with row 0 at the top, NaN where a pixel is masked.

    Attributes:
        image: the image.
        data: as observed.
        mask: True where a pixel is used.
        level: median noise of the used pixels.
        made: images of the fit; None without a fit, as all that follows.
        arcs: data less lens light and sky.
        residual: (data − model)/noise.
        lines: critical curves, caustics and cuts.
        profile: radial profile.
    """

    image: SkyImage
    data: np.ndarray
    mask: np.ndarray
    level: float
    made: Images | None = None
    arcs: np.ndarray | None = None
    residual: np.ndarray | None = None
    lines: Lines = Lines()
    profile: Profile | None = None

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, lower and upper edge of the image."""
        return extent_of(self.image.observed.instrument)


def extent_of(taken: Instrument) -> tuple[float, float, float, float]:
    """Left, right, lower and upper edge of an instrument's image."""
    (rows, columns), (row, column), step = taken.shape, taken.middle, taken.pixel_scale
    return (-0.5 - column) * step, (columns - 0.5 - column) * step, (row - rows + 0.5) * step, (row + 0.5) * step


def view_of(problem: Composition, params: np.ndarray, image: SkyImage) -> View:
    """A fit as it is shown.

    Args:
        problem: the problem of this image.
        params: (P,) its parameters, fluxes in the file's unit; without a fit NaN.
        image: the image that was fitted.
    """
    seen = image.observed
    mask = np.asarray(seen.mask)
    front = 0.0 if image.lens_light is None else image.lens_light
    data = np.where(mask, np.asarray(seen.data, np.float64) * image.scale + front, np.nan)
    if not np.isfinite(params).all():
        return View(image, data, mask, float(np.median(_sigma(image, data)[mask])))
    made = model_images.images_of(problem, params, image)
    sigma = _sigma(image, made.model)
    return View(
        image=image,
        data=data,
        mask=mask,
        level=float(np.median(sigma[mask])),
        made=made,
        arcs=made.residual + made.arcs,
        residual=made.residual / sigma,
        lines=lines_of(problem, params, half=_BEYOND * max(seen.instrument.shape) * seen.instrument.pixel_scale),
        profile=profile_of(problem, params, image, made, sigma),
    )


def _sigma(image: SkyImage, light: np.ndarray) -> np.ndarray:
    """Noise (H, W) for this light, in the file's unit."""
    seen = image.observed
    expected = jnp.asarray(np.nan_to_num(light) / image.scale, seen.data.dtype)
    return np.asarray(seen.noise.sigma(expected), np.float64) * image.scale


def lines_of(problem: Composition, params: np.ndarray, *, half: float) -> Lines:
    """Critical curves, caustics and cuts of the lens, searched within `half` of the origin along each axis."""
    with jax.enable_x64(True):
        lens = problem.lens(problem.encode(jnp.asarray(params, jnp.float64)))
        if lens is None:
            return Lines()
        critical = curves.critical_curves(lens, half=half)
        return Lines(tuple(critical), tuple(curves.caustics(lens, critical)), tuple(curves.cuts(lens)))


def profile_of(problem: Composition, params: np.ndarray, image: SkyImage, made: Images, sigma: np.ndarray) -> Profile:
    """The radial profile of a fit with this noise (H, W)."""
    taken, mask = image.observed.instrument, np.asarray(image.observed.mask)
    x, y, theta_e = _lens_place(problem, params)
    across, up = places(taken)
    across, up = across - x, up - y
    radius = np.hypot(across[None, :], up[:, None])[mask]
    reach = min(np.abs(across).max(), np.abs(up).max())
    width = max(taken.pixel_scale, reach / _ANNULI)
    ring = np.floor(radius / width).astype(int)
    inside = ring * width < reach
    ring = ring[inside]
    count = np.bincount(ring)
    kept = count > 0
    number = np.maximum(count, 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray((np.bincount(ring, values[mask][inside]) / number)[kept])

    light = made.arcs if made.lens_light is None else made.arcs + made.lens_light
    return Profile(
        radius=np.asarray((np.bincount(ring, radius[inside]) / number)[kept]),
        data=mean(light + np.nan_to_num(made.residual)),
        noise=np.sqrt(mean(sigma**2) / number[kept]),
        model=mean(light),
        lens_light=None if made.lens_light is None else mean(made.lens_light),
        theta_e=theta_e,
    )


def _lens_place(problem: Composition, params: np.ndarray) -> tuple[float, float, float]:
    """x, y and Einstein radius of the first lens that has a place; the origin, and NaN, without one."""
    first = 0
    for part in problem.components:
        if part.role == "lens" and part.place is not None:
            x, y = (float(params[first + k]) for k in part.place)
            return x, y, math.nan if part.theta_e is None else float(params[first + part.theta_e])
        first += len(part.parameters)
    return 0.0, 0.0, math.nan


def degrees_of(problem: Composition, image: SkyImage) -> int:
    """Degrees of freedom of a fit: used pixels less fitted parameters."""
    return int(np.asarray(image.observed.mask).sum()) - problem.size - problem.linear


def flags_of(solution: Solution, image: SkyImage) -> list[str]:
    """What the fit's status says, without what was assumed of the image."""
    words = solution.status[0].removesuffix("; ".join(("", *image.remarks)) if image.remarks else "")
    return [flag for flag in words.split("; ") if flag]


def assumed(image: SkyImage) -> list[str]:
    """Pixels, noise, PSF and mask that the fit took for granted, in words."""
    seen = image.observed
    taken, mask, unit = seen.instrument, np.asarray(seen.mask), image.unit or "the data's unit"
    rows, columns = taken.shape
    pixel = f"{columns}×{rows} pixels of {taken.pixel_scale:.4g} arcsec, each the mean of {counted(taken.supersampling**2, 'point')}"
    sigma = _sigma(image, np.asarray(seen.data, np.float64) * image.scale)[mask]
    low, middle, high = (float(value) for value in np.percentile(sigma, [0, 50, 100]))
    if isinstance(seen.noise, PoissonNoise):
        background = float(np.median(np.broadcast_to(np.asarray(seen.noise.background, np.float64), mask.shape)[mask])) * image.scale
        noise = f"noise of photons and a background of {background:.4g} rms [{unit}]; median {middle:.4g}"
    elif high - low <= 1e-6 * middle:
        noise = f"white noise of {middle:.4g} rms [{unit}]"
    else:
        noise = f"white noise by a map, {low:.4g} to {high:.4g} rms [{unit}], median {middle:.4g}"
    psf = "no PSF" if taken.psf is None else "PSF of {}×{} pixels".format(*taken.psf.shape)
    masked = int((~mask).sum())
    used = "all pixels used" if not masked else f"{counted(masked, 'pixel')} of {mask.size} masked ({100.0 * masked / mask.size:.1f} %)"
    sky = "no WCS: directions in the image alone"
    if image.wcs is not None:
        side = "right (mirrored)" if image.wcs.mirrored else "left"
        sky = f"WCS with east to the {side} of north, middle at RA {image.wcs.right_ascension:.5f}°, Dec {image.wcs.declination:+.5f}°"
    return [pixel, noise, psf, used, sky, *image.remarks]
