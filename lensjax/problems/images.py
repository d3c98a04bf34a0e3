"""A composed problem with the images that networks train on: field, pixels, PSF and noise.

It has the parts of a `Problem` that training, evaluation and metrics use. Parameters are those of the composition. The encoding are its
numbers, and for each flux the logarithm about the middle of its prior.
"""

from dataclasses import dataclass
from functools import partial
from itertools import permutations, product
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.conventions import GREY_LEVELS, ROUNDING_VARIANCE
from lensjax.observation.detector import quantise
from lensjax.observation.instrument import Instrument
from lensjax.observation.observed import Observed, observe
from lensjax.problems.base import Parameter, Problem
from lensjax.problems.compose import Composition

_ROUND = 1.0 - 1e-6  # axis ratio from which an ellipse has no direction
_compiled = partial(jax.jit, static_argnums=0, inline=True)  # operations one by one would be compiled one by one
_WIDEST = 4.0  # standard deviations of a PSF that its array holds to each side


class Conditions(NamedTuple):
    """What one image is taken under: FWHM of the PSF [native px] (0 for none), noise of a pixel [grey levels], and the noise's own key."""

    fwhm: Array
    sigma: Array
    key: Array


@dataclass(frozen=True)
class Imaged:
    """A composed problem and how its images are taken; hashable, so static under jit.

    Attributes:
        composition: parameters, prior and light.
        field: side of the field that an image shows [native px].
        image_size: pixels on a side of an image.
        supersampling: points on a side of a native pixel.
        seeing: smallest and largest FWHM of a Gaussian PSF [native px], drawn for each image; None for none.
        noise: smallest and largest standard deviation of white noise [grey levels], drawn for each image; None for none.
        rounded: whether grey levels are rounded and cut to 0…255.
    """

    composition: Composition
    field: int
    image_size: int
    supersampling: int = 1
    seeing: tuple[float, float] | None = None
    noise: tuple[float, float] | None = None
    rounded: bool = False

    @property
    def name(self) -> str:
        """Name of the problem."""
        return self.composition.name

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Table of the parameters, in file order."""
        return self.composition.parameters

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in file order."""
        return self.composition.names

    @property
    def period(self) -> tuple[float | None, ...]:
        """Period of each parameter; None where it has none."""
        return tuple(parameter.period for parameter in self.parameters)

    def instrument(self, psf: Array | None = None) -> Instrument:
        """The instrument, with its lengths in native pixels; `psf` in pixels of the image."""
        coarser = self.field / self.image_size
        return Instrument(
            shape=(self.image_size, self.image_size),
            pixel_scale=coarser,
            middle=(self.image_size / 2, self.image_size / 2) if coarser == 1 else ((self.image_size - 1) / 2,) * 2,
            supersampling=max(self.supersampling, round(self.supersampling * coarser)),
            psf=psf,
        )

    @partial(jax.jit, static_argnums=(0, 2), inline=True)
    def sample(self, key: Array, n: int) -> Array:
        """n draws from the prior, (n, P), in file units. Draw i depends on `key` and i alone."""
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n))
        drawn: Array = jax.lax.map(self.composition.draw, keys, batch_size=16)
        return drawn

    def conditions(self, key: Array) -> Conditions:
        """What one image is taken under."""
        seeing_key, noise_key, own = jax.random.split(key, 3)

        def drawn(key: Array, ends: tuple[float, float] | None) -> Array:
            return jnp.zeros(()) if ends is None else jax.random.uniform(key, minval=ends[0], maxval=ends[1])

        return Conditions(drawn(seeing_key, self.seeing), drawn(noise_key, self.noise), jax.random.key_data(own))

    @_compiled
    def render(self, params: Array, taken: Conditions) -> Array:
        """Image (n, n) of one system (P,) in grey levels, with its PSF, noise and rounding."""
        image = self.composition.image(params, self.instrument(self.psf(taken.fwhm)))
        if self.noise is not None:
            image = image + taken.sigma * jax.random.normal(jax.random.wrap_key_data(taken.key), image.shape, image.dtype)
        if self.rounded:
            return quantise(image) if self.image_size == self.field else jnp.clip(image, 0.0, GREY_LEVELS)
        return image

    def observed(self, image: np.ndarray, taken: Conditions) -> Observed:
        """An image (n, n) in grey levels as an observation: what it was taken under is known, pixels cut at 255 are masked."""
        variance = float(taken.sigma) ** 2 + ROUNDING_VARIANCE * self.rounded
        level = variance**0.5 if variance > 0 else 1.0
        psf = self.psf(jnp.asarray(taken.fwhm))
        return observe(image, level, mask=image < GREY_LEVELS if self.rounded else None, taken_by=self.instrument(psf))

    def psf(self, fwhm: Array) -> Array | None:
        """The Gaussian PSF of a FWHM [native px], in pixels of the image, each the integral over it; None where the problem has none."""
        if self.seeing is None:
            return None
        per_width = self.image_size / self.field / np.sqrt(8.0 * np.log(2.0))
        half = int(np.ceil(_WIDEST * self.seeing[1] * per_width))
        edges = (jnp.arange(2 * half + 2, dtype=fwhm.dtype) - half - 0.5) / (fwhm * per_width)
        across = jnp.diff(jax.scipy.special.ndtr(edges))
        return jnp.outer(across, across) / across.sum() ** 2

    @_compiled
    def encode(self, params: Array) -> Array:
        """Parameters (..., P) → encoding (..., E)."""
        fluxes, middle = params[..., self._numbers :], jnp.asarray(self._flux_middle, params.dtype)
        numbers = jnp.vectorize(self.composition.encode, signature="(p)->(e)")(params[..., : self._numbers])
        return jnp.concatenate([numbers, jnp.log(fluxes / middle)], axis=-1)

    @_compiled
    def decode(self, encoded: Array) -> Array:
        """Encoding (..., E) → parameters (..., P)."""
        fluxes = jnp.exp(encoded[..., self._numbers :]) * jnp.asarray(self._flux_middle, encoded.dtype)
        decode = jnp.vectorize(self.composition.decode, signature="(e),(k)->(p)")
        decoded: Array = decode(encoded[..., : self._numbers], fluxes)
        return decoded

    def canonical(self, params: Array) -> Array:
        """The parameters themselves: an image identifies all."""
        return params

    def equivalents(self, params: Array) -> Array:
        """Parameters (..., P) → (K, ..., P): members of a cluster in any order."""
        return jnp.stack([params[..., np.array(order)] for order in self._orders()])

    def undefined(self, params: Array) -> Array:
        """Which parameters of (..., P) mean nothing: directions of round ellipses."""
        flat = jnp.zeros(params.shape, bool)
        for q, phi, _ in self.composition.round_shapes():
            flat = flat.at[..., phi].set(params[..., q] > _ROUND)
        return flat

    @property
    def _numbers(self) -> int:
        return len(self.parameters) - self.composition.linear

    @property
    def _flux_middle(self) -> tuple[float, ...]:
        return tuple((p.low * p.high) ** 0.5 for p in self.parameters[self._numbers :])

    def _orders(self) -> list[list[int]]:
        """The parameters' indices for each order of the members that have no order."""
        first = np.cumsum([0, *(len(part.parameters) for part in self.composition.components)])
        groups = self.composition.exchangeable
        orders = []
        for chosen in product(*(permutations(group) for group in groups)):
            order = list(range(len(self.parameters)))
            for group, other in zip(groups, chosen, strict=True):
                for to, of in zip(group, other, strict=True):
                    order[first[to] : first[to + 1]] = range(first[of], first[of + 1])
            orders.append(order)
        return orders


AnyProblem: TypeAlias = Problem | Imaged
"""What networks train on."""
