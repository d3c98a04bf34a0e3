"""Shapelets: Hermite functions times a Gaussian, which describe any compact source (Refregier 2003, MNRAS 338, 35).

    I = Σ a_ij φ_i(x/β) φ_j(y/β),   i + j ≤ n_max,   φ_n(u) = H_n(u) exp(−u²/2)/√(2^n n!)

divided by 2π β², so that the amplitude a_00 is the flux of its Gaussian. All have the same norm, 1/(4π β²). They resolve details of
β/√(n_max + 1) and reach to β √(n_max + 1).
"""

from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register


def orders(n_max: int) -> tuple[tuple[int, int], ...]:
    """(i, j) of each shapelet, by i + j."""
    return tuple((n - j, j) for n in range(n_max + 1) for j in range(n + 1))


def _hermite(u: Array, n_max: int) -> list[Array]:
    """φ_0 … φ_n at u."""
    functions = [jnp.exp(-0.5 * u * u)]
    for n in range(1, n_max + 1):
        following = float(np.sqrt(2.0 / n)) * u * functions[-1]
        functions.append(following - float(np.sqrt((n - 1) / n)) * functions[-2] if n > 1 else following)
    return functions


@register
@dataclass(frozen=True)
class Shapelets:
    """Cartesian shapelets about a centre.

    Attributes:
        beta: scale β [px], scalar.
        amplitudes: (K,) in the order of `orders`, K = (n_max + 1)(n_max + 2)/2; of any sign.
        n_max: largest order i + j.
    """

    beta: Array
    amplitudes: Array
    n_max: int = field(metadata={"static": True})

    def _factors(self, x: Array, y: Array) -> tuple[list[Array], list[Array]]:
        along = [function / (2.0 * jnp.pi * self.beta**2) for function in _hermite(x / self.beta, self.n_max)]
        return along, _hermite(y / self.beta, self.n_max)

    def basis(self, x: Array, y: Array) -> Array:
        """(K, ...) light of each shapelet, with amplitude 1."""
        x, y = jnp.broadcast_arrays(x, y)
        along, across = self._factors(x, y)
        return jnp.stack([along[i] * across[j] for i, j in orders(self.n_max)])

    def light(self, x: Array, y: Array) -> Array:
        """Surface brightness; any shape."""
        along, across = self._factors(x, y)
        total = jnp.zeros_like(x + y)
        for k, (i, j) in enumerate(orders(self.n_max)):
            total = total + self.amplitudes[k] * along[i] * across[j]
        return total

    def flux(self) -> Array:
        """All its light, ∫ I dx dy [px²]: that of the shapelets whose orders are both even."""
        # ∫ φ_n du = √2π √(n!)/(2^{n/2} (n/2)!) for even n.
        one = [1.0]
        for n in range(2, self.n_max + 1, 2):
            one.append(one[-1] * float(np.sqrt((n - 1) / n)))
        weights = [one[i // 2] * one[j // 2] if i % 2 == j % 2 == 0 else 0.0 for i, j in orders(self.n_max)]
        return (self.amplitudes * jnp.asarray(weights, self.amplitudes.dtype)).sum()

    def extent(self, cos: Array, sin: Array) -> Array:
        """Where the highest orders have died away [px]."""
        return self.beta * (float(np.sqrt(2.0 * self.n_max + 1.0)) + 2.5)
