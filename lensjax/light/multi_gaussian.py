"""Concentric elliptical Gaussians of one shape: any galaxy whose light falls outwards (Emsellem, Monnet & Bacon 1994; Cappellari 2002).

Their widths are given, mostly evenly spaced in the logarithm; their fluxes are linear amplitudes.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.light.gaussian import width_of


@register
@dataclass(frozen=True)
class MultiGaussian:
    """Σ_k a_k exp(−½ ρ²/σ_k²)/(2π σ_k²), ρ² = xx x² + 2 xy x y + yy y².

    Attributes:
        xx, xy, yy: the form of the common ellipse, of determinant 1, scalars.
        widths: (K,) σ_k, geometric means of the axes [px].
        amplitudes: (K,) fluxes a_k, not negative.
    """

    xx: Array
    xy: Array
    yy: Array
    widths: Array
    amplitudes: Array

    def basis(self, x: Array, y: Array) -> Array:
        """(K, ...) light of each Gaussian, with flux 1."""
        square = x * (self.xx * x + 2.0 * self.xy * y) + self.yy * (y * y)
        inverse = (1.0 / (self.widths * self.widths)).reshape(-1, *(1,) * square.ndim)
        return inverse * jnp.exp(-0.5 * square * inverse) / (2.0 * jnp.pi)

    def light(self, x: Array, y: Array) -> Array:
        """Surface brightness; any shape."""
        square = x * (self.xx * x + 2.0 * self.xy * y) + self.yy * (y * y)
        total = jnp.zeros_like(square)
        for k in range(self.widths.shape[0]):
            inverse = 1.0 / (self.widths[k] * self.widths[k])
            total = total + self.amplitudes[k] * inverse / (2.0 * jnp.pi) * jnp.exp(-0.5 * square * inverse)
        return total

    def flux(self) -> Array:
        """All its light, ∫ I dx dy [px²]."""
        return self.amplitudes.sum()

    def extent(self, cos: Array, sin: Array) -> Array:
        """Five times the largest width in the direction (cos, sin) [px]."""
        return 5.0 * self.widths.max() * width_of(self.xx, self.xy, self.yy, cos, sin)


def widths(smallest: float, largest: float, count: int) -> np.ndarray:
    """(count,) evenly spaced in the logarithm.

    Raises:
        ValueError: fewer than one, or ends that are not 0 < smallest ≤ largest.
    """
    if count < 1 or not 0.0 < smallest <= largest:
        raise ValueError(f"{count} widths from {smallest:g} to {largest:g}; expected one or more, above 0 and in ascending order")
    return np.geomspace(smallest, largest, count)
