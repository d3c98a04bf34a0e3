"""Roulette amplitudes of any potential, to any order.

With D_φ the derivative along the direction φ (Clarkson 2016, I, eq. 15, with k = m + 1 derivatives of ψ),

    D_φ^{m+1} ψ = −Σ_s (α_s^m cos sφ + β_s^m sin sφ),   s = m + 1, m − 1, …, ≥ 0,

so that the amplitudes are minus the Fourier coefficients, over a fan of directions, of the potential's Taylor coefficients
along lines through the point. The lenses of `lensjax.lens` have these in closed form; any other potential is differentiated
by `jax.experimental.jet`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.experimental.jet import def_deriv, jet

from lensjax.lens import EPL, SIE, SIS, Cluster, Lens, Multipole, PointMass, Sampled, Shear, Sheet
from lensjax.lens.cluster import total
from lensjax.lens.sie import rotated

def_deriv(jax.lax.atan_p, lambda x: 1.0 / (1.0 + x * x))  # `jet` comes without it


def along_line(lens: Lens, x: Array, y: Array, nx: Array, ny: Array, *, order: int) -> Array:
    """Taylor coefficients c_0 … c_order in t of ψ(x + t nx, y + t ny), a new last axis; the arguments broadcast."""
    x, y, nx, ny = jnp.broadcast_arrays(x, y, nx, ny)
    if isinstance(lens, Cluster):
        return total(lens, x, y, lambda member, dx, dy: (along_line(member, dx, dy, nx, ny, order=order),))[0]
    if isinstance(lens, PointMass):
        return _of_point_mass(lens, x, y, nx, ny, order)
    if isinstance(lens, SIS):
        return _of_isothermal(x, y, nx, ny, lens.theta_e, jnp.ones_like(lens.theta_e), lens.potential, lens.deflection, order)
    if isinstance(lens, SIE):
        u, v = rotated(x, y, lens.orientation)
        nu, nv = rotated(nx, ny, lens.orientation)
        level = SIE(lens.theta_e, lens.f, jnp.zeros_like(lens.orientation))
        return _of_isothermal(u, v, nu, nv, lens.theta_e, lens.f, level.potential, level.deflection, order)
    if isinstance(lens, Shear | Sheet):
        ax, ay = lens.deflection(x, y)
        coefficients = [lens.potential(x, y), nx * ax + ny * ay, lens.potential(nx, ny)]
        return _stacked(coefficients, order)
    if isinstance(lens, Sampled):
        return _of_sampled(lens, x, y, nx, ny, order)
    if isinstance(lens, EPL):
        return _of_power_law(lens, x, y, nx, ny, order)
    potential = lens.smooth_potential if isinstance(lens, Multipole) else lens.potential
    return _by_jet(potential, x, y, nx, ny, order)


def _stacked(coefficients: list[Array], order: int) -> Array:
    coefficients = coefficients[: order + 1]
    return jnp.stack(coefficients + [jnp.zeros_like(coefficients[0])] * (order + 1 - len(coefficients)), axis=-1)


def _of_point_mass(lens: PointMass, x: Array, y: Array, nx: Array, ny: Array, order: int) -> Array:
    """ψ = θ_E² Re ln(1 + t n/ξ) + ψ(ξ)."""
    square = x * x + y * y
    real, imaginary = (nx * x + ny * y) / square, (ny * x - nx * y) / square

    def step(power: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
        a, b = power
        return (a * real - b * imaginary, a * imaginary + b * real), a

    _, powers = jax.lax.scan(step, (real, imaginary), None, length=order)
    k = jnp.arange(1, order + 1, dtype=real.dtype)
    terms = lens.theta_e**2 * jnp.where(k % 2 == 1, 1.0, -1.0) / k * jnp.moveaxis(powers, 0, -1)
    return jnp.concatenate([lens.potential(x, y)[..., None], terms], axis=-1)


def _of_isothermal(
    u: Array,
    v: Array,
    nu: Array,
    nv: Array,
    theta_e: Array,
    f: Array,
    potential: Callable[[Array, Array], Array],
    deflection: Callable[[Array, Array], tuple[Array, Array]],
    order: int,
) -> Array:
    """ψ'' = θ_E √f (ξ × n)²/(ω |ν|²) along the line, a product of two quadratics' powers."""
    f2 = f * f
    a0, a1, a2 = u * u + f2 * v * v, 2.0 * (u * nu + f2 * v * nv), nu * nu + f2 * nv * nv
    b0, b1, b2 = u * u + v * v, 2.0 * (u * nu + v * nv), nu * nu + nv * nv
    au, av = deflection(u, v)
    coefficients = [potential(u, v), nu * au + nv * av]
    strength = theta_e * jnp.sqrt(f) * (u * nv - v * nu) ** 2
    root = 1.0 / jnp.sqrt(a0)
    first = root / b0

    def step(carry: tuple[Any, ...], k: Array) -> tuple[Any, Array]:
        root_before, root, before, last = carry
        root_before, root = root, -((k - 0.5) * a1 * root + (k - 1.0) * a2 * root_before) / (k * a0)
        before, last = last, (root - b1 * last - b2 * before) / b0
        return (root_before, root, before, last), last

    # A loop, not unrolled: XLA compiles fifty terms slowly, with warnings.
    zero = jnp.zeros_like(a0)
    _, rest = jax.lax.scan(step, (zero, root, zero, first), jnp.arange(1, max(order - 1, 1), dtype=a0.dtype))
    k = jnp.arange(2, order + 1, dtype=a0.dtype)
    curved = jnp.concatenate([first[None], rest])[: order - 1]
    curved = strength[..., None] * jnp.moveaxis(curved, 0, -1) / (k * (k - 1.0))
    return jnp.concatenate([jnp.stack(coefficients, axis=-1), curved], axis=-1)[..., : order + 1]


def _of_sampled(lens: Sampled, x: Array, y: Array, nx: Array, ny: Array, order: int) -> Array:
    """The polynomial of the cell; above the fifth order it describes the spline, not the samples."""
    row, column, down, along = lens.cell(x, y)
    powers = lens.polynomial(row, column)
    scale = lens.n / (2.0 * lens.half)
    by_row, by_column = [down, -ny * scale], [along, nx * scale]

    def times(a: list[Array], b: list[Array]) -> list[Array]:
        out = [jnp.zeros_like(down)] * (len(a) + len(b) - 1)
        for i, p in enumerate(a):
            for j, q in enumerate(b):
                out[i + j] = out[i + j] + p * q
        return out

    def plus(a: list[Array], b: list[Array]) -> list[Array]:
        longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
        return [p + shorter[i] if i < len(shorter) else p for i, p in enumerate(longer)]

    whole: list[Array] = [jnp.zeros_like(down)]
    for i in reversed(range(6)):
        line: list[Array] = [jnp.zeros_like(along)]
        for j in reversed(range(6)):
            line = plus(times(line, by_column), [powers[..., i, j]])
        whole = plus(times(whole, by_row), line)
    return _stacked(whole, order)


def _of_power_law(lens: EPL, x: Array, y: Array, nx: Array, ny: Array, order: int) -> Array:
    """By recurrences in powers of t, with complex z = x + i y and τ = γ − 1.

    κ is a power of |ω|², which is quadratic along a line: |ω|² κ' = −τ/2 (|ω|²)' κ. The deflection is homogeneous of degree 1 − τ, hence
    z̄ α' = (1 − τ) n̄ α + (n z̄ − n̄ z) κ; and ψ = Re(z̄ α)/(2 − τ).
    """
    tau = lens.gamma - 1.0
    z, n = jax.lax.complex(x, y), jax.lax.complex(nx, ny)
    ellipticity = jax.lax.complex(lens.e1, lens.e2)
    omega, along = z - ellipticity * jnp.conj(z), n - ellipticity * jnp.conj(n)
    square, cross, end = (part.real for part in (omega * jnp.conj(omega), omega * jnp.conj(along), along * jnp.conj(along)))
    level, before = lens.convergence(x, y), jnp.zeros_like(x)
    alpha = jax.lax.complex(*lens.deflection(x, y))
    last = jnp.zeros_like(alpha)
    turn = n * jnp.conj(z) - jnp.conj(n) * z
    coefficients = []
    for k in range(order + 1):
        coefficients.append((jnp.conj(z) * alpha + jnp.conj(n) * last).real / (2.0 - tau))
        moved = (1.0 - tau - k).astype(z.dtype) * jnp.conj(n) * alpha + turn * level.astype(z.dtype)
        last, alpha = alpha, moved / ((k + 1.0) * jnp.conj(z))
        level, before = -((tau + 2.0 * k) * cross * level + (tau + k - 1.0) * end * before) / ((k + 1.0) * square), level
    return jnp.stack(coefficients, axis=-1)


def _by_jet(potential: Callable[[Array, Array], Array], x: Array, y: Array, nx: Array, ny: Array, order: int) -> Array:
    def line(x: Array, y: Array, nx: Array, ny: Array) -> Array:
        value, derivatives = jet(
            lambda t: potential(x + t * nx, y + t * ny),
            (jnp.zeros_like(x),),
            ([jnp.ones_like(x)] + [jnp.zeros_like(x)] * (order - 1),),
        )
        coefficients, factorial = [value], 1.0
        for k, derivative in enumerate(derivatives, start=1):
            factorial *= k
            coefficients.append(derivative / factorial)
        return jnp.stack(coefficients)

    line_coefficients: Array = jnp.vectorize(line, signature="(),(),(),()->(k)")(x, y, nx, ny)
    return line_coefficients


def directions(terms: int) -> np.ndarray:
    """Angles of a fan fine enough for amplitudes up to m = terms: 2 (terms + 2) of them."""
    count = 2 * (terms + 2)
    return 2.0 * np.pi * np.arange(count) / count


def scaled(lens: Lens, x: Array, y: Array, *, terms: int, scale: Array | float) -> tuple[Array, Array]:
    """(α_s^m, β_s^m) · scale^m/m!, each (..., terms + 1, terms + 2): numbers that float32 holds at any order.

    Args:
        lens: any lens.
        x, y: where, relative to the lens's origin [px]; any shape.
        terms: largest m.
        scale: the length [px] that offsets are measured in; not above the radius of convergence.
    """
    x, y = jnp.broadcast_arrays(x, y)
    phi = directions(terms)
    dtype = jnp.result_type(x)
    scale = jnp.asarray(scale, dtype)
    nx, ny = (scale[..., None] * jnp.asarray(part(phi), dtype) for part in (np.cos, np.sin))
    lines = along_line(lens, x[..., None], y[..., None], nx, ny, order=terms + 1)[..., 1:]  # (..., φ, m)
    order = np.arange(terms + 2)
    weight = np.where(order == 0, 1.0, 2.0) / len(phi)
    kept = (np.arange(terms + 1)[:, None] + 1 - order >= 0) & ((np.arange(terms + 1)[:, None] + 1 - order) % 2 == 0)
    factor = -np.arange(1, terms + 2)[:, None] * weight * kept

    def part(wave: np.ndarray) -> Array:
        sums = jnp.einsum("...pm,ps->...ms", lines, jnp.asarray(wave, dtype), precision="highest")
        return sums * jnp.asarray(factor, dtype) / scale[..., None, None]

    return part(np.cos(phi[:, None] * order)), part(np.sin(phi[:, None] * order))


@partial(jax.jit, static_argnames="terms")
def amplitudes(lens: Lens, x: Array, y: Array, *, terms: int) -> tuple[Array, Array]:
    """(α_s^m, β_s^m), each (..., terms + 1, terms + 2), [px^(1 − m)]: entry [m, s], zero where the series has no such term.

    Take float64 (`jax.enable_x64`) for orders above about 30, whose factorials float32 cannot hold.

    Args:
        lens: any lens.
        x, y: where, relative to the lens's origin [px]; any shape. Not at a lens's centre.
        terms: largest m.
    """
    dtype = jnp.result_type(x)
    size = jnp.sqrt(jnp.maximum(x * x + y * y, 1.0)).astype(dtype)
    alpha, beta = scaled(lens, x, y, terms=terms, scale=size)
    powers = jnp.cumprod(
        jnp.concatenate([jnp.ones((*jnp.shape(size), 1), dtype), jnp.arange(1, terms + 1, dtype=dtype) / size[..., None]], axis=-1),
        axis=-1,
    )[..., None]
    return alpha * powers, beta * powers
