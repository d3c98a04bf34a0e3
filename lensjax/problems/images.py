"""Problems composed of components, with the images that networks train on.

Parameters are those of the composition. The encoding are its numbers, and for each flux the logarithm about the middle of its prior.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.observation.instrument import Instrument
from lensjax.problems.base import Conditions, Parameter, Problem
from lensjax.problems.compose import Composition
from lensjax.simulate import System

_compiled = partial(jax.jit, static_argnums=0, inline=True)  # operations one by one would be compiled one by one


@dataclass(frozen=True, kw_only=True)
class ComposedProblem(Problem):
    """A composition and how its images are taken; fluxes are in grey levels times the squared unit of lengths.

    Attributes:
        model: parameters, prior and light.
        supersampling: points on a side of a native pixel.
        clutter: other light in the field, drawn anew for each image, which is in no parameter; None for none.
        stretch: grey levels beyond which light counts by its logarithm in what networks see of images; 0 for never.
    """

    model: Composition
    supersampling: int = 1
    clutter: Composition | None = None
    stretch: float = 0.0

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.model.parameters

    @property
    def composition(self) -> Composition:
        return self.model

    def stated(self, params: Array) -> Array:
        return params

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        return self.model.all_places

    @property
    def sources(self) -> tuple[tuple[int, int], ...]:
        return self.model.places

    @property
    def source_numbers(self) -> tuple[int, ...]:
        return self.model.source_numbers

    @property
    def movable(self) -> bool:
        return True

    @property
    def unit(self) -> float:
        return 1.0

    def view(self, size: int, psf: Array | None = None) -> Instrument:
        coarser = self.field / size
        return Instrument(
            shape=(size, size),
            pixel_scale=coarser * self.pixel,
            middle=(size / 2, size / 2) if coarser == 1 else ((size - 1) / 2,) * 2,
            supersampling=max(self.supersampling, round(self.supersampling * coarser)),
            psf=psf,
        )

    def exposed(self, params: Array, taken: Conditions) -> Array:
        image = super().exposed(params, taken)
        if self.clutter is None:
            return image
        others = self.clutter.draw(jax.random.fold_in(jax.random.wrap_key_data(taken.key), 1))
        return image + self.clutter.image(others, self.view(self.image_size, self.psf(taken.fwhm)))

    def seen(self, image: Array) -> Array:
        return jnp.arcsinh(image / self.stretch) if self.stretch else super().seen(image)

    @_compiled
    def draw(self, keys: Array) -> Array:
        drawn: Array = jax.lax.map(self.model.draw, keys, batch_size=16)
        return drawn

    @_compiled
    def encode(self, params: Array) -> Array:
        fluxes, middle = params[..., self._numbers :], jnp.asarray(self._flux_middle, params.dtype)
        numbers = jnp.vectorize(self.model.encode, signature="(p)->(e)")(params[..., : self._numbers])
        return jnp.concatenate([numbers, jnp.log(fluxes / middle)], axis=-1)

    @_compiled
    def decode(self, encoded: Array) -> Array:
        fluxes = jnp.exp(encoded[..., self._numbers :]) * jnp.asarray(self._flux_middle, encoded.dtype)
        decode = jnp.vectorize(self.model.decode, signature="(e),(k)->(p)")
        decoded: Array = decode(encoded[..., : self._numbers], fluxes)
        return decoded

    def system(self, params: Array) -> System:
        return self.model.system(params)

    def equivalents(self, params: Array) -> Array:
        """Parameters (..., P) → (K, ..., P): members of a cluster in any order."""
        return jnp.stack([params[..., np.array(order)] for order in self.model.orders()])

    def ellipticities(self, params: Array) -> tuple[tuple[int, Array], ...]:
        return tuple((phi, (1.0 - params[..., q]) / (1.0 + params[..., q])) for q, phi, _ in self.model.round_shapes())

    @property
    def _numbers(self) -> int:
        return len(self.parameters) - self.model.linear

    @property
    def _flux_middle(self) -> tuple[float, ...]:
        return tuple((p.low * p.high) ** 0.5 for p in self.parameters[self._numbers :])
