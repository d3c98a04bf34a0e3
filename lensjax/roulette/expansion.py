"""A roulette map from amplitudes alone: one polynomial in δ and δ̄ about a reference point.

    D(δ) = δ + Σ_m (r^m/m!) Σ_s ½ [(1 + s/(m+1)) A_s^m e^{−i(s−1)θ} + (1 − s/(m+1)) Ā_s^m e^{i(s+1)θ}],   δ = r e^{iθ},  A = α + iβ

(Clarkson 2016, II, eq. 48) is Σ C_jk w^j w̄^k with w = δ/scale; divided by factorials and in units of the scale the
coefficients are of order θ_E, so that float32 carries any order within the largest circle that lies in the region of convergence.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.lens import Lens
from lensjax.roulette.amplitudes import scaled

_UNROLLED = 12  # terms up to which the polynomial is written out; beyond, powers and one matrix product are quicker to compile


@register
@dataclass(frozen=True)
class Expansion:
    """Amplitudes about a reference point; takes the place of the lens in a `System` that only a series renders.

    Attributes:
        alpha, beta: α_s^m and β_s^m times scale^m/m!, (terms + 1, terms + 2).
        scale: length [px], scalar.
        xi_x, xi_y: the reference point [px], scalars.
        offset_x, offset_y: where in the source plane the light at the reference point comes from, relative to the source's
            centre [px]: zero at the image ξ of the centre.
    """

    alpha: Array
    beta: Array
    scale: Array
    xi_x: Array
    xi_y: Array
    offset_x: Array
    offset_y: Array

    @property
    def terms(self) -> int:
        """The order."""
        return self.alpha.shape[-2] - 1

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        """The reference point, for any source."""
        return self.xi_x, self.xi_y


def expansion(
    lens: Lens, x: Array, y: Array, *, terms: int, scale: Array | None = None, source: tuple[Array, Array] | None = None
) -> Expansion:
    """The expansion of a lens about (x, y) [px], scalars.

    Args:
        lens: any lens.
        x, y: the reference point.
        terms: its order.
        scale: unit of length [px]; |(x, y)| where it is not given.
        source: the source's centre; by default the one whose image is (x, y).
    """
    x, y = jnp.broadcast_arrays(x, y)
    scale = jnp.sqrt(jnp.maximum(x * x + y * y, 1.0)) if scale is None else scale
    alpha, beta = scaled(lens, x, y, terms=terms, scale=scale)
    zero = jnp.zeros_like(x)
    if source is None:
        return Expansion(alpha, beta, scale, x, y, zero, zero)
    ax, ay = lens.deflection(x, y)
    return Expansion(alpha, beta, scale, x, y, x - ax - source[0], y - ay - source[1])


def from_amplitudes(
    alpha: np.ndarray, beta: np.ndarray, *, xi: tuple[float, float], offset: tuple[float, float] = (0.0, 0.0), scale: float
) -> Expansion:
    """The expansion with amplitudes α_s^m, β_s^m as files hold them, float64 (terms + 1, terms + 2); `scale` a length within which
    it is used [px]."""
    factor = np.array([math.exp(m * math.log(scale) - math.lgamma(m + 1)) for m in range(alpha.shape[0])])[:, None]
    numbers = (alpha * factor, beta * factor, scale, *xi, *offset)
    return Expansion(*(jnp.asarray(number, jnp.result_type(float)) for number in numbers))


def _places(terms: int) -> tuple[np.ndarray, np.ndarray]:
    """(terms + 1, terms + 1, terms + 1, terms + 2) each would be mostly zero, so: for every C_jk the (m, s) of its two amplitudes'
    coefficients, as flat (index, weight) tables (terms + 1, terms + 1) for A and for Ā."""
    size = terms + 1
    index = np.zeros((2, size, size), np.int32)
    weight = np.zeros((2, size, size))
    for m in range(1, terms + 1):
        for s in range((m + 1) % 2, m + 2, 2):
            for conjugate, sign in ((0, 1.0), (1, -1.0)):
                j = (m + 1 - s) // 2 if conjugate == 0 else (m + 1 + s) // 2
                value = 0.5 * (1.0 + sign * s / (m + 1))
                if value == 0.0:
                    continue
                index[conjugate, j, m - j] = m * (terms + 2) + s
                weight[conjugate, j, m - j] = value
    return index, weight


def coefficients(lens: Expansion) -> tuple[Array, Array]:
    """Real and imaginary part of C_jk [px], each (terms + 1, terms + 1), entry [j, k]; without the term δ itself."""
    index, weight = _places(lens.terms)
    alpha, beta = lens.alpha.reshape(-1), lens.beta.reshape(-1)
    direct, conjugate = jnp.asarray(weight, lens.alpha.dtype)
    real = direct * alpha[index[0]] + conjugate * alpha[index[1]]
    imaginary = direct * beta[index[0]] - conjugate * beta[index[1]]
    return real, imaginary


def expansion_change(lens: Expansion, dx: Array, dy: Array) -> tuple[Array, Array]:
    """α(ξ + δ) − α(ξ) of an expansion [px]; any shape."""
    real, imaginary = coefficients(lens)
    dx, dy = jnp.broadcast_arrays(dx / lens.scale, dy / lens.scale)
    evaluate = _horner if lens.terms <= _UNROLLED else _product
    a, b = evaluate(real, imaginary, dx, dy)
    return -a, -b


def _horner(real: Array, imaginary: Array, dx: Array, dy: Array) -> tuple[Array, Array]:
    """Horner's rule in w̄, its coefficients by Horner's rule in w."""
    terms = real.shape[0] - 1
    a, b = jnp.zeros_like(dx), jnp.zeros_like(dx)
    for k in reversed(range(terms + 1)):
        p, q = jnp.zeros_like(dx), jnp.zeros_like(dx)
        for j in reversed(range(terms + 1 - k)):
            p, q = p * dx - q * dy + real[j, k], p * dy + q * dx + imaginary[j, k]
        a, b = a * dx + b * dy + p, b * dx - a * dy + q
    return a, b


def _product(real: Array, imaginary: Array, dx: Array, dy: Array) -> tuple[Array, Array]:
    """Powers of w, times the matrix of coefficients, times powers of w̄."""
    w = jax.lax.complex(dx, dy)
    count = real.shape[0]
    powers = jnp.cumprod(jnp.broadcast_to(w[..., None], (*w.shape, count)).at[..., 0].set(1.0), axis=-1)
    inner = jnp.einsum("...j,jk->...k", powers, jax.lax.complex(real, imaginary), precision="highest")
    value = (inner * jnp.conj(powers)).sum(-1)
    return value.real, value.imag
