"""The arcs of a lens as an observation: the image without the lens galaxy, which stays open within what its light is known to."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from lensjax.observation.instrument import Instrument, places
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.observed import Observed, observe
from lensjax.pipeline.lens_light import LensLight
from lensjax.pipeline.window import Window

_FLOOR = 0.01  # of the lens galaxy's light: an error of its model
_SMOOTH = 1.5  # px

SIGMA_OF_SMOOTHED = 2.0 * np.sqrt(np.pi)
"""White noise over that of an image smoothed by a Gaussian of width 1 px; proportional to the width."""


@dataclass(frozen=True)
class Ring:
    """Where arcs are fitted: radii about the lens, in the unit of the pixel scale."""

    inner: float
    outer: float


def radius(taken: Instrument) -> np.ndarray:
    """(h, w) distance of each pixel from the origin, where a window has its lens."""
    x, y = places(taken)
    return np.asarray(np.hypot(x[None, :], y[:, None]))


def observed_arcs(window: Window, light: LensLight | None, ring: Ring) -> Observed:
    """The window without the lens galaxy's light, between two radii."""
    away = radius(window.taken)
    used = window.used & (away > ring.inner) & (away < ring.outer)
    galaxy = np.zeros_like(window.data) if light is None else light.image
    sigma = np.hypot(window.sigma, _FLOOR * np.maximum(galaxy, 0.0))
    found = observe(np.where(used, window.data - galaxy, 0.0), sigma, mask=used, taken_by=window.taken)
    return found if light is None else replace(found, nuisance=jnp.asarray(light.layers, found.data.dtype))


def softened(seen: Observed, part: float) -> Observed:
    """With a part of the arcs' light as an error of the model, in quadrature: then details of the source do not decide on the lens."""
    if part == 0:
        return seen
    smooth = ndimage.gaussian_filter(np.asarray(seen.data, np.float64), _SMOOTH)
    sigma = np.hypot(sigma_of(seen), part * np.maximum(smooth, 0.0))
    return replace(seen, noise=GaussianNoise(jnp.asarray(sigma, seen.data.dtype)))


def sigma_of(seen: Observed) -> np.ndarray:
    """(h, w) the noise of the data."""
    return np.broadcast_to(np.asarray(seen.noise.sigma(seen.data), np.float64), seen.data.shape)


def significance(seen: Observed, *, smooth: float = 1.0) -> np.ndarray:
    """(h, w) the light, smoothed, over its noise; 0 where masked."""
    mask = np.asarray(seen.mask)
    data = np.where(mask, np.asarray(seen.data, np.float64), 0.0)
    return np.where(mask, ndimage.gaussian_filter(data, smooth) * SIGMA_OF_SMOOTHED * smooth / sigma_of(seen), 0.0)
