"""The equation (LᵀL + μ BᵀB) s = Lᵀd of a regularised source s, and its solution by conjugate gradients."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from lensjax._internal.tree import register
from lensjax.light.pixels import PENALTIES, differences, weighted_differences
from lensjax.reconstruct.operator import Lensing, forward, transpose


@register
@dataclass(frozen=True)
class Normal:
    """LᵀL as the elements of each point with itself and four of its eight neighbours; the others follow by symmetry.

    Attributes:
        centre: (m, m) the diagonal.
        right, below, below_right: (m, m) with the point to the right, below, below and to the right.
        below_left: (m, m) of the point to the right with the one below.
    """

    centre: Array
    right: Array
    below: Array
    below_right: Array
    below_left: Array


@jax.jit
def normal_of(operator: Lensing) -> Normal:
    """LᵀL of one ray a pixel and no blurring."""
    (i, j), (v, u) = operator.corner, operator.part
    size = operator.active.shape[0]
    kept = operator.lands * operator.used

    def sums(*terms: tuple[int, int, Array]) -> Array:
        out = jnp.zeros((size, size), u.dtype)
        for di, dj, weight in terms:
            out = out.at[i + di, j + dj].add(kept * weight)
        return out

    a, b, c, d = (1.0 - v) * (1.0 - u), (1.0 - v) * u, v * (1.0 - u), v * u
    return Normal(
        centre=sums((0, 0, a * a), (0, 1, b * b), (1, 0, c * c), (1, 1, d * d)),
        right=sums((0, 0, a * b), (1, 0, c * d)),
        below=sums((0, 0, a * c), (0, 1, b * d)),
        below_right=sums((0, 0, a * d)),
        below_left=sums((0, 0, b * c)),
    )


def _applied(normal: Normal, s: Array) -> Array:
    out = normal.centre * s
    out = out.at[:, :-1].add(normal.right[:, :-1] * s[:, 1:]).at[:, 1:].add(normal.right[:, :-1] * s[:, :-1])
    out = out.at[:-1].add(normal.below[:-1] * s[1:]).at[1:].add(normal.below[:-1] * s[:-1])
    part = normal.below_right[:-1, :-1]
    out = out.at[:-1, :-1].add(part * s[1:, 1:]).at[1:, 1:].add(part * s[:-1, :-1])
    part = normal.below_left[:-1, :-1]
    return out.at[:-1, 1:].add(part * s[1:, :-1]).at[1:, :-1].add(part * s[:-1, 1:])


def _diagonal(operator: Lensing) -> Array:
    """The diagonal of LᵀL without blurring; approximate where a pixel has several rays, which count one by one."""
    split = operator.lands.shape[0] // operator.used.shape[0]
    kept = operator.lands * jnp.repeat(jnp.repeat(operator.used, split, 0), split, 1) / split**2
    (i, j), (v, u) = operator.corner, operator.part
    out = jnp.zeros_like(operator.active)
    for di, dj, weight in ((0, 0, (1 - v) * (1 - u)), (0, 1, (1 - v) * u), (1, 0, v * (1 - u)), (1, 1, v * u)):
        out = out.at[i + di, j + dj].add(kept * weight * weight)
    return out


_State = tuple[Array, Array, Array, Array, Array]


def conjugate_gradients(
    apply: Callable[[Array], Array], right: Array, start: Array, diagonal: Array, *, tolerance: Array | float, most: int
) -> tuple[Array, Array, Array]:
    """The s (K, m, m) for which `apply`(s) = `right`, for K right-hand sides at once.

    `jax.scipy.sparse.linalg.cg` returns neither its steps nor its residual.

    Args:
        apply: a symmetric positive semidefinite operator, (m, m) → (m, m).
        right: (K, m, m) right-hand sides.
        start: (K, m, m) initial values.
        diagonal: (m, m) of the operator, approximate: the preconditioner; 0 where a point stays 0.
        tolerance: relative residual at which it ends, in the preconditioner's norm.
        most: steps, at most.

    Returns:
        (s, steps, remaining): remaining (K,) is the relative residual.
    """
    inverse = jnp.where(diagonal > 0, 1.0 / jnp.where(diagonal > 0, diagonal, 1.0), 0.0)
    each = jax.vmap(apply)

    def dot(a: Array, b: Array) -> Array:
        return (a * b).sum((-2, -1))

    def ratio(a: Array, b: Array) -> Array:
        return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), 0.0)

    scale = dot(right, inverse * right)

    def unfinished(state: _State) -> Array:
        return (state[0] < most) & (ratio(state[4], scale) > tolerance**2).any()

    def step(state: _State) -> _State:
        count, s, residual, direction, size = state
        mapped = each(direction)
        length = ratio(size, dot(direction, mapped))[:, None, None]
        s, residual = s + length * direction, residual - length * mapped
        smaller = dot(residual, inverse * residual)
        return count + 1, s, residual, inverse * residual + ratio(smaller, size)[:, None, None] * direction, smaller

    residual = right - each(start)
    count, s, _, _, size = jax.lax.while_loop(
        unfinished, step, (jnp.int32(0), start, residual, inverse * residual, dot(residual, inverse * residual))
    )
    return s, count, jnp.sqrt(ratio(size, scale))


@partial(jax.jit, static_argnames=("penalty", "most"))
def solve(
    operator: Lensing, normal: Normal | None, right: Array, start: Array, mu: Array, tolerance: Array, penalty: str, most: int
) -> tuple[Array, Array, Array]:
    """(LᵀL + μ BᵀB)⁻¹ of each right-hand side (K, m, m): (s, steps, relative residual)."""
    take = partial(differences, active=operator.active, penalty=penalty)

    def apply(s: Array) -> Array:
        squared = transpose(operator, forward(operator, s)) if normal is None else _applied(normal, s)
        parts, back = jax.vjp(take, s)
        rough: Array = back(parts)[0]
        return squared + mu * rough

    squares = tuple(c * c for c in PENALTIES[penalty])
    counted, back = jax.vjp(lambda s: weighted_differences(s, operator.active, squares), operator.active)
    diagonal = _diagonal(operator) + mu * back(tuple(map(jnp.ones_like, counted)))[0]
    return conjugate_gradients(apply, right, start, diagonal * operator.active, tolerance=tolerance, most=most)
