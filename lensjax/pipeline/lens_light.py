"""The light of a lens galaxy: concentric Gaussians of one ellipse, and multipoles about them, with the arcs masked.

Fluxes of Gaussians are not negative, so that their sum falls outwards and cannot take a ring for the galaxy's. Multipoles of order 1 to 4,
with a normal prior of a few per cent of the light, stand for twists, boxes and discs. Emsellem, Monnet & Bacon (1994); for multipoles of
lens galaxies Bolton et al. (2006).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage, optimize

from lensjax.light.multi_gaussian import widths
from lensjax.observation.instrument import Instrument, places

_GAUSSIANS = 14
_NARROWEST = 0.4  # px
_FLATTEST = 0.6  # ellipticity |e|
_ORDERS = (1, 2, 3, 4)
_MULTIPOLE = 0.08  # standard deviation of a multipole's amplitude, over the light there
_FLUX = 0.05  # the same of a Gaussian's own flux, about its best value, in what `layers` leaves open
_SMOOTH = 1.0  # px
_ROUNDS = 4
_SHAPE_STEPS = 8
_ARC = (3.0, 1.5)  # times the noise of the smoothed residual: where an arc begins, and as far as it reaches
_GROWN = 2  # px


@dataclass(frozen=True)
class LensLight:
    """The light of a lens galaxy.

    Attributes:
        image: (H, W) through the instrument, in the data's unit.
        place: x and y of its centre, in the unit of the pixel scale.
        ellipticity: (e1, e2).
        layers: (K, H, W) by how much it may differ: each with a normal prior of standard deviation 1.
        arcs: (H, W) True where light was left out as that of arcs or others.
    """

    image: np.ndarray
    place: tuple[float, float]
    ellipticity: tuple[float, float]
    layers: np.ndarray
    arcs: np.ndarray


class _Sky:
    """Points of an instrument, and light at them as pixels."""

    def __init__(self, taken: Instrument) -> None:
        self.taken = taken
        k = taken.supersampling
        rows, columns = ((n + 2 * edge) * k for n, edge in zip(taken.shape, taken.margin, strict=True))
        step = taken.pixel_scale / k
        self.x = (np.arange(columns) - 0.5 * (k - 1)) * step - (taken.middle[1] + taken.margin[1]) * taken.pixel_scale
        self.y = (taken.middle[0] + taken.margin[0]) * taken.pixel_scale - (np.arange(rows) - 0.5 * (k - 1)) * step
        self.psf = None if taken.psf is None else np.asarray(taken.psf, np.float64)
        shape = (rows // k, columns // k)
        from scipy.fft import next_fast_len

        self.size = tuple(next_fast_len(n, real=True) for n in shape)
        self.psf_hat = None if self.psf is None else np.fft.rfft2(self.psf, self.size)

    def pixels(self, light: np.ndarray) -> np.ndarray:
        """(K, H, W) of light (K, M, N) at all points."""
        k = self.taken.supersampling
        mean = light.reshape(light.shape[0], light.shape[1] // k, k, light.shape[2] // k, k).mean(axis=(2, 4))
        if self.psf is None or self.psf_hat is None:
            return np.asarray(mean)
        spread = np.fft.irfft2(np.fft.rfft2(mean, self.size) * self.psf_hat, self.size)
        top, left = self.psf.shape[0] - 1, self.psf.shape[1] - 1
        return np.asarray(spread[:, top : top + self.taken.shape[0], left : left + self.taken.shape[1]])


def _frame(sky: _Sky, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (M, N) along and across the ellipse, scaled so that it is a circle of its own area."""
    x0, y0, e1, e2 = shape
    e = np.hypot(e1, e2)
    q = (1.0 - e) / (1.0 + e)
    phi = 0.5 * np.arctan2(e2, e1)
    x, y = sky.x[None, :] - x0, sky.y[:, None] - y0
    u = np.cos(phi) * x + np.sin(phi) * y
    v = np.cos(phi) * y - np.sin(phi) * x
    return u * np.sqrt(q), v / np.sqrt(q)


def _gaussians(sky: _Sky, shape: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(K, H, W) each of peak 1 before the PSF."""
    u, v = _frame(sky, shape)
    square = u * u + v * v
    return sky.pixels(np.exp(-0.5 * square / sizes[:, None, None] ** 2))


def _multipoles(sky: _Sky, shape: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(K, H, W) of every order, both phases and every size, with peak 1 before the PSF."""
    u, v = _frame(sky, shape)
    found = []
    for size in sizes:
        z = (u + 1j * v) / size
        bell = np.exp(-0.5 * np.abs(z) ** 2)
        for m in _ORDERS:
            wave = z**m * bell / (np.sqrt(m) ** m * np.exp(-0.5 * m))
            found += [wave.real, wave.imag]
    return sky.pixels(np.stack(found))


def _fluxes(basis: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Non-negative least squares by the normal equations."""
    scale = np.sqrt(np.maximum((basis * basis).sum(axis=1), 1e-300))
    unit = basis / scale[:, None]
    gram = unit @ unit.T + 1e-9 * np.eye(len(basis))
    factor = np.linalg.cholesky(gram).T
    right = np.linalg.solve(factor.T, unit @ target)
    return np.asarray(optimize.nnls(factor, right, maxiter=200)[0] / scale)


def fit(
    data: np.ndarray,
    sigma: np.ndarray,
    used: np.ndarray,
    taken: Instrument,
    *,
    reach: float,
    start: np.ndarray,
) -> LensLight:
    """The lens's light in an image (H, W).

    Args:
        data: (H, W), without the light of arcs where that is known.
        sigma: (H, W) its noise.
        used: (H, W) which pixels count.
        taken: the instrument.
        reach: radius of the largest Gaussian, in the unit of the pixel scale.
        start: x, y, e1, e2 to begin with.
    """
    sky, rough = _Sky(taken), _Sky(replace(taken, supersampling=1))
    sizes = widths(_NARROWEST * taken.pixel_scale, reach, _GAUSSIANS)
    wide = sizes[sizes > 1.5 * taken.pixel_scale]
    shape = np.array(start, np.float64)
    arcs = _unlike_turned(data, sigma, used, taken, shape)
    image, amplitudes = np.zeros_like(data), np.zeros(len(sizes))
    for k in range(_ROUNDS):
        count = used & ~arcs
        weight = np.where(count, 1.0 / np.hypot(sigma, 0.01 * np.maximum(image, 0.0)), 0.0)
        if k < _ROUNDS - 1:
            shape = _shaped(rough, data, weight, shape, sizes)
        layers = _gaussians(sky, shape, sizes)
        amplitudes = _fluxes((layers * weight).reshape(len(sizes), -1), (data * weight).ravel())
        smooth = np.tensordot(amplitudes, layers, axes=1)
        waves = _multipoles(sky, shape, wide)
        prior = _MULTIPOLE * _levels(amplitudes, sizes, wide)
        waves = waves * np.repeat(prior, 2 * len(_ORDERS))[:, None, None]
        basis = np.concatenate([waves, layers * (_FLUX * amplitudes)[:, None, None]])  # as many for every image: one program
        own = basis.reshape(len(basis), -1) * weight.ravel()
        moved = np.linalg.solve(own @ own.T + np.eye(len(own)), own @ ((data - smooth) * weight).ravel())
        image = smooth + np.tensordot(moved, basis, axes=1)
        residual = np.where(used, data - image, 0.0)
        if k < _ROUNDS - 1:
            arcs = _bright(residual, np.hypot(sigma, 0.01 * np.maximum(image, 0.0)), used, taken, shape)
    return LensLight(image, (float(shape[0]), float(shape[1])), (float(shape[2]), float(shape[3])), basis, arcs)


def _levels(amplitudes: np.ndarray, sizes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The Gaussians' light where waves of these sizes are highest: about 1.5 sizes out."""
    radius = 1.5 * at
    return np.asarray((amplitudes * np.exp(-0.5 * (radius[:, None] / sizes) ** 2)).sum(axis=1))


def _shaped(sky: _Sky, data: np.ndarray, weight: np.ndarray, start: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Place and ellipticity, with the fluxes solved for at each step."""
    target = (data * weight).ravel()
    step = sky.taken.pixel_scale
    scale = np.array([step, step, 0.1, 0.1])

    def residual(p: np.ndarray) -> np.ndarray:
        # In its inverse hyperbolic sine: a pixel far off pulls hardly harder than one near.
        shape = _limited(p * scale)
        basis = (_gaussians(sky, shape, sizes) * weight).reshape(len(sizes), -1)
        return np.asarray(np.arcsinh(_fluxes(basis, target) @ basis - target))

    options = {"diff_step": 1e-3, "ftol": 1e-4, "xtol": 1e-3, "max_nfev": _SHAPE_STEPS}
    return _limited(optimize.least_squares(residual, start / scale, **options).x * scale)


def _limited(shape: np.ndarray) -> np.ndarray:
    """A shape (4,) that is no flatter than `_FLATTEST`."""
    e = np.hypot(shape[2], shape[3])
    return np.concatenate([shape[:2], shape[2:] * min(1.0, _FLATTEST / max(e, 1e-9))])


def _radius(taken: Instrument, shape: np.ndarray) -> np.ndarray:
    x, y = places(taken)
    return np.asarray(np.hypot(x[None, :] - shape[0], y[:, None] - shape[1]))


def _unlike_turned(data: np.ndarray, sigma: np.ndarray, used: np.ndarray, taken: Instrument, shape: np.ndarray) -> np.ndarray:
    """Where the image is brighter than itself turned by 180° about the galaxy's centre."""
    row, column = taken.middle[0] - shape[1] / taken.pixel_scale, taken.middle[1] + shape[0] / taken.pixel_scale
    filled = ndimage.gaussian_filter(np.where(used, data, 0.0), _SMOOTH)
    rows, columns = np.indices(data.shape)
    at = np.stack([2 * row - rows, 2 * column - columns])
    turned = ndimage.map_coordinates(filled, at, order=1, mode="constant", cval=np.inf)
    known = ndimage.map_coordinates(used.astype(float), at, order=1, mode="constant") > 0.99
    noise = np.hypot(sigma / (2.0 * np.sqrt(np.pi) * _SMOOTH), 0.05 * np.maximum(filled, 0.0))
    brighter = (filled - turned) / (np.sqrt(2.0) * noise)
    far = _radius(taken, shape) > 0.3
    return _grown(np.where(known & used & far, brighter, 0.0))


def _bright(residual: np.ndarray, sigma: np.ndarray, used: np.ndarray, taken: Instrument, shape: np.ndarray) -> np.ndarray:
    """Where the smoothed residual is brighter than its noise, outside the centre."""
    smooth = ndimage.gaussian_filter(residual, _SMOOTH) / (sigma / (2.0 * np.sqrt(np.pi) * _SMOOTH))
    far = _radius(taken, shape) > 0.3
    return _grown(np.where(used & far, smooth, 0.0))


def _grown(significance: np.ndarray) -> np.ndarray:
    """Pixels above the lower threshold that touch one above the higher, grown."""
    labels, count = ndimage.label(significance > _ARC[1], np.ones((3, 3)))
    seeds = np.zeros(count + 1, bool)
    seeds[np.unique(labels[significance > _ARC[0]])] = True
    seeds[0] = False
    return np.asarray(ndimage.binary_dilation(seeds[labels], iterations=_GROWN))
