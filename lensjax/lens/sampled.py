"""A lens whose potential is sampled on a square grid, with a spline of fifth degree between the samples.

The spline passes through every sample and has four continuous derivatives, so that convergence and shear, of second order,
are smooth. It is linear in the samples: images are differentiable in the grid.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.lens.base import fixed_point_image

# Row i: the coefficients of s^i in the six cardinal B-splines of degree 5 that reach a cell, s = 0…1 across it.
_BASIS = (
    np.array(
        [
            [1, 26, 66, 26, 1, 0],
            [-5, -50, 0, 50, 5, 0],
            [10, 20, -60, 20, 10, 0],
            [-10, 20, 0, -20, 10, 0],
            [5, -20, 30, -20, 5, 0],
            [-1, 5, -10, 10, -5, 1],
        ]
    )
    / 120.0
)


@lru_cache(maxsize=8)
def _from_samples(n: int) -> np.ndarray:
    """(n + 4, n): from n samples to the coefficients of the spline through them, smooth across the second and third sample at
    either end too ("not a knot")."""
    system = np.zeros((n + 4, n + 4))
    for i in range(n):
        system[i, i : i + 5] = np.array([1, 26, 66, 26, 1]) / 120.0
    jump = np.array([1, -6, 15, -20, 15, -6, 1])
    for row, begin in enumerate((0, 1, n - 4, n - 3)):
        system[n + row, begin : begin + 7] = jump
    return np.linalg.solve(system, np.eye(n + 4, n))


@register
@dataclass(frozen=True)
class Sampled:
    """A sampled potential; build it by `sampled`.

    Attributes:
        coefficients: of the spline, (n + 4, n + 4); rows go down, as in an image.
        half: half the side of the field [px], scalar: columns lie at x = −half + j · 2 half/n, rows at y = half − i · 2 half/n.
        n: samples on a side.
    """

    coefficients: Array
    half: Array
    n: int = field(metadata={"static": True})

    def cell(self, x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
        """(row, column) of the cell that holds a point, and the place (down, along) in it, 0…1; beyond the grid the outermost
        cell's polynomial continues."""
        step = 2.0 * self.half / self.n
        along, down = (x + self.half) / step, (self.half - y) / step
        column = jax.lax.stop_gradient(jnp.clip(jnp.floor(along), 0, self.n - 2))
        row = jax.lax.stop_gradient(jnp.clip(jnp.floor(down), 0, self.n - 2))
        return row.astype(jnp.int32), column.astype(jnp.int32), down - row, along - column

    def polynomial(self, row: Array, column: Array) -> Array:
        """(..., 6, 6): coefficients of ψ in a cell, of down^i along^j."""
        window = jnp.arange(6, dtype=row.dtype)
        local = self.coefficients[row[..., None, None] + window[:, None], column[..., None, None] + window]
        basis = jnp.asarray(_BASIS, self.coefficients.dtype)
        return jnp.einsum("ia,...ab,jb->...ij", basis, local, basis, precision="highest")

    def potential(self, x: Array, y: Array) -> Array:
        x, y = jnp.broadcast_arrays(x, y)
        row, column, down, along = self.cell(x, y)
        powers = self.polynomial(row, column)
        total = jnp.zeros_like(down)
        for i in reversed(range(6)):
            line = jnp.zeros_like(along)
            for j in reversed(range(6)):
                line = line * along + powers[..., i, j]
            total = total * down + line
        return total

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        x, y = jnp.broadcast_arrays(x, y)
        one, zero = jnp.ones_like(x), jnp.zeros_like(x)
        return (
            jax.jvp(self.potential, (x, y), (one, zero))[1],
            jax.jvp(self.potential, (x, y), (zero, one))[1],
        )

    def convergence(self, x: Array, y: Array) -> Array:
        x, y = jnp.broadcast_arrays(x, y)
        one, zero = jnp.ones_like(x), jnp.zeros_like(x)
        _, (xx, _) = jax.jvp(self.deflection, (x, y), (one, zero))
        _, (_, yy) = jax.jvp(self.deflection, (x, y), (zero, one))
        kappa: Array = 0.5 * (xx + yy)
        return kappa

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return fixed_point_image(self, x, y)


def sampled(psi: Array, *, side: float | None = None) -> Sampled:
    """The lens of a sampled potential.

    Args:
        psi: ψ [px²] at the pixels of an n×n image (row 0 is the top): the point (j − n/2, n/2 − i), times side/n.
        side: the side of the field [px]; by default n.

    Raises:
        ValueError: not a square grid of 8 × 8 or more.
    """
    psi = jnp.asarray(psi)
    if psi.ndim != 2 or psi.shape[0] != psi.shape[1] or psi.shape[0] < 8:
        raise ValueError(f"the potential has shape {psi.shape}; expected a square grid of 8 × 8 or more")
    n = psi.shape[0]
    to = jnp.asarray(_from_samples(n), psi.dtype)
    coefficients = jnp.einsum("ai,ij,bj->ab", to, psi, to, precision="highest")
    return Sampled(coefficients, jnp.asarray((n if side is None else side) / 2.0, psi.dtype), n)
