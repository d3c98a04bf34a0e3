"""Noise models: what a pixel may differ from what is expected of it.

Each is a small tree with the same three methods. `expected` is the detector's mean answer to an image, `sigma` the standard deviation
about it, and `draw` an observation. Residuals are (data − expected)/sigma: of a right model they are noise of variance 1.
"""

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.conventions import GREY_LEVELS, ROUNDING_VARIANCE
from lensjax.errors import BadInput
from lensjax.observation.detector import quantise


class Noise(Protocol):
    """The noise of an image (H, W)."""

    def expected(self, image: Array) -> Array:
        """What the detector gives on average for the light `image` (H, W)."""
        ...

    def sigma(self, image: Array) -> Array:
        """Standard deviation (H, W) about `expected`, for the light `image` (H, W)."""
        ...

    def draw(self, key: Array, image: Array) -> Array:
        """One observation (H, W) of the light `image` (H, W)."""
        ...


@register
@dataclass(frozen=True)
class GaussianNoise:
    """White noise.

    Attributes:
        level: standard deviation in the data's unit, a scalar or (H, W).
    """

    level: Array

    def expected(self, image: Array) -> Array:
        return image

    def sigma(self, image: Array) -> Array:
        return jnp.broadcast_to(jnp.asarray(self.level, image.dtype), image.shape)

    def draw(self, key: Array, image: Array) -> Array:
        return image + self.sigma(image) * jax.random.normal(key, image.shape, image.dtype)


@register
@dataclass(frozen=True)
class PoissonNoise:
    """Photons and a background; the data are rates, with the background subtracted.

    Attributes:
        background: rms of the background in the data's unit, a scalar or (H, W).
        exposure: counts for one unit of the data, such as the exposure time times the gain, a scalar or (H, W).
    """

    background: Array
    exposure: Array

    def expected(self, image: Array) -> Array:
        return image

    def sigma(self, image: Array) -> Array:
        background, exposure = (jnp.asarray(part, image.dtype) for part in (self.background, self.exposure))
        return jnp.sqrt(background**2 + jnp.maximum(image, 0.0) / exposure)

    def draw(self, key: Array, image: Array) -> Array:
        photons, sky = jax.random.split(key)
        background, exposure = (jnp.asarray(part, image.dtype) for part in (self.background, self.exposure))
        counts = jax.random.poisson(photons, jnp.maximum(image, 0.0) * exposure, image.shape)
        return counts.astype(image.dtype) / exposure + background * jax.random.normal(sky, image.shape, image.dtype)


@register
@dataclass(frozen=True)
class Rounded8Bit:
    """Grey levels rounded to whole ones and cut at 0 and 255, as an 8-bit file has them; no other noise.

    As white noise the rounding has variance 1/12. It is in truth an interval, which `lensjax.infer.interval` uses.
    """

    def expected(self, image: Array) -> Array:
        return jnp.clip(image, 0.0, GREY_LEVELS)

    def sigma(self, image: Array) -> Array:
        return jnp.full(image.shape, ROUNDING_VARIANCE**0.5, image.dtype)

    def draw(self, key: Array, image: Array) -> Array:
        del key
        return quantise(image)


def log_likelihood(noise: Noise, data: Array, image: Array, mask: Array) -> Array:
    """Gaussian log-likelihood of the data (H, W), given the light `image` (H, W), over the pixels of the mask (H, W)."""
    sigma = noise.sigma(image)
    residual = (data - noise.expected(image)) / sigma
    return jnp.where(mask, -0.5 * residual * residual - jnp.log(sigma) - 0.5 * jnp.log(2.0 * jnp.pi), 0.0).sum()


def usable(level: np.ndarray) -> np.ndarray:
    """Where a noise map (H, W) is a finite number above 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(level) & (level > 0))


def checked_level(level: np.ndarray | float, *, column: str = "noise") -> np.ndarray:
    """Standard deviations, a scalar or (H, W), as float64.

    Raises:
        BadInput: a scalar that is not finite and above 0, or a map without one such pixel.
    """
    values = np.asarray(level, np.float64)
    if values.ndim not in (0, 2):
        raise BadInput(column=column, value=f"an array of shape {values.shape}", expected="a number, or an array of two dimensions")
    if not usable(values).any():
        value = float(values) if values.ndim == 0 else f"a map of {values.shape[0]}×{values.shape[1]} px without a usable pixel"
        raise BadInput(column=column, value=value, expected="finite numbers above 0")
    return values
