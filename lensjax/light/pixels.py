"""A grid of points in the source plane with the light linear between them, and the differences that measure how rough it is.

The light at the points are linear amplitudes. There are about as many as an image has independent pixels, so that a penalty on their
differences must choose among the sources that explain an image alike (Warren & Dye 2003; Suyu et al. 2006).
"""

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.light.picture import Picture

PENALTIES: dict[str, tuple[float, ...]] = {"identity": (1.0,), "gradient": (-1.0, 1.0), "curvature": (1.0, -2.0, 1.0)}
"""Coefficients of B on neighbouring points, along rows and columns."""


def differences(source: Array, active: Array, penalty: str) -> tuple[Array, ...]:
    """B s along rows and columns, where all its points are active; one array where B has a single coefficient."""
    return weighted_differences(source, active, PENALTIES[penalty])


def weighted_differences(source: Array, active: Array, coefficients: tuple[float, ...]) -> tuple[Array, ...]:
    """Sums of neighbouring points times `coefficients`, as in `differences`."""
    reach = len(coefficients)

    def along(s: Array, a: Array) -> Array:
        length = s.shape[0] - reach + 1
        kept = jnp.stack([a[k : k + length] for k in range(reach)]).min(0)
        return kept * sum(c * s[k : k + length] for k, c in enumerate(coefficients))

    rows = along(source, active)
    return (rows,) if reach == 1 else (rows, along(source.T, active.T))


def roughness(source: Array, active: Array, penalty: str) -> Array:
    """|B s|²."""
    return sum(((part * part).sum() for part in differences(source, active, penalty)), start=jnp.zeros((), source.dtype))


def regularisation(size: int, penalty: str, *, closed: bool = False) -> np.ndarray:
    """R = BᵀB (size², size²), float64: |B s|² = sᵀ R s for a source (size, size) read row by row.

    Args:
        size: points on a side.
        penalty: one of `PENALTIES`.
        closed: whether there is no light beyond the grid, so that differences across its edge count too. Then R is definite.

    Raises:
        ValueError: an unknown penalty.
    """
    if penalty not in PENALTIES:
        raise ValueError(f"penalty is {penalty!r}; known: {', '.join(PENALTIES)}")
    coefficients = PENALTIES[penalty]
    beyond = (len(coefficients) - 1) * closed  # to each side
    count = size - len(coefficients) + 1 + 2 * beyond
    along = sum((c * np.eye(count, size, k - beyond) for k, c in enumerate(coefficients)), start=np.zeros((count, size)))
    square, every = along.T @ along, np.eye(size)
    rows = np.kron(square, every)
    return rows if len(coefficients) == 1 else rows + np.kron(every, square)


@register
@dataclass(frozen=True)
class Pixels:
    """Light on a square grid about a centre: linear between its points, none beyond the outermost.

    Attributes:
        amplitudes: (m²,) surface brightness at the points, read row by row, row 0 the top.
        pixel: distance between points [px], scalar.
    """

    amplitudes: Array
    pixel: Array

    @property
    def size(self) -> int:
        """m, points on a side."""
        return math.isqrt(self.amplitudes.shape[0])

    def basis(self, x: Array, y: Array) -> Array:
        """(m², ...) light of each point, with amplitude 1."""
        x, y = jnp.broadcast_arrays(x, y)
        at = (jnp.arange(self.size, dtype=x.dtype) - 0.5 * (self.size - 1)).reshape(-1, *(1,) * x.ndim)
        along, across = (jnp.maximum(1.0 - jnp.abs(place / self.pixel - at), 0.0) for place in (x, -y))
        return (across[:, None] * along[None, :]).reshape(-1, *x.shape)

    def light(self, x: Array, y: Array) -> Array:
        """Surface brightness; any shape."""
        return Picture(self.amplitudes.reshape(self.size, self.size), self.pixel).light(x, y)

    def flux(self) -> Array:
        """All its light, ∫ I dx dy [px²]."""
        return self.amplitudes.sum() * self.pixel**2

    def extent(self, cos: Array, sin: Array) -> Array:
        """Half the width of the grid in the direction (cos, sin) [px]."""
        return 0.5 * self.pixel * (self.size + 1) * (jnp.abs(cos) + jnp.abs(sin))
