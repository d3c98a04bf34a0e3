"""The prior of a composed problem, in coordinates without bounds: what a sampler moves in.

Coordinates u (F,) are one for each number of a fit, and then the logarithm of each flux that is a profile's only amplitude. A parameter v
between its bounds is low + (high − low)/(1 + exp(−u)). An ellipse's (e1, e2) is M u/√(1 + |u|²), with M the ellipticity of the prior's
smallest axis ratio. So no sampler meets a wall.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.problems.components import E_MAX, ellipticity
from lensjax.problems.compose import Composition

SPREAD = 1.8
"""Standard deviation of a coordinate whose parameter is uniform between its bounds."""

_ROUND = 2e-3  # ellipticity below which the density of a uniform axis ratio, 1/e, no longer rises
_EDGE = 1e-3  # of a range: a mode at its end or beyond starts this far inside


class Point(NamedTuple):
    """What coordinates mean: numbers (E,) of a fit, and the fluxes (S,) of the profiles with one amplitude."""

    numbers: Array
    fluxes: Array


def single(problem: Composition) -> np.ndarray:
    """Which of the linear amplitudes (K,) are the only one of their profile: fluxes, which cannot be negative."""
    kinds = [not part.several for part in problem.components for _ in part.amplitudes]
    return np.array([*kinds, *(False,) * problem.sky], bool)


def count(problem: Composition) -> int:
    """F, how many coordinates there are."""
    return problem.size + int(single(problem).sum())


def _table(problem: Composition) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[tuple[int, float, float]]]:
    """Of the numbers (E,): low and high ends, mean and inverse standard deviation of a normal prior, which are no part of an ellipse;
    and for each ellipse its first number, M, and the inverse standard deviation of e1 and of e2."""
    own = problem.parameters[: problem.size]
    low, high = (np.array([getattr(parameter, end) for parameter in own]) for end in ("low", "high"))
    mean, inverse = np.zeros(len(own)), np.zeros(len(own))
    for name, middle, deviation in problem.normal:
        mean[problem.names.index(name)], inverse[problem.names.index(name)] = middle, 1.0 / deviation
    plain = np.ones(len(own), bool)
    ellipses = []
    for q, phi, first in problem.round_shapes():
        plain[[q, phi]] = False
        most = min((1.0 - own[q].low) / (1.0 + own[q].low), 0.999 * E_MAX)
        ellipses.append((first, most, float(inverse[q])))
    return low, high, mean, inverse, plain, ellipses


def point(problem: Composition, u: Array) -> Point:
    """What coordinates (F,) mean."""
    low, high, _, _, _, ellipses = _table(problem)
    size, dtype = problem.size, u.dtype
    values = jnp.asarray(low, dtype) + jnp.asarray(high - low, dtype) * jax.nn.sigmoid(u[:size])
    for first, _, _ in ellipses:  # not through the axis ratio and its direction, which has no derivative at the round one
        values = values.at[first : first + 2].set(jnp.asarray([0.5, 90.0], dtype))
    numbers = problem.encode(values)
    for first, most, _ in ellipses:
        part = most / E_MAX * _disc(u[first : first + 2])
        numbers = numbers.at[first : first + 2].set(part / jnp.sqrt(1.0 - part @ part))
    return Point(numbers, jnp.exp(u[size:]))


def _disc(u: Array) -> Array:
    return u / jnp.sqrt(1.0 + u @ u)


def log_prior(problem: Composition, u: Array) -> Array:
    """Logarithm of the prior's density in coordinates (F,), but for a constant.

    A parameter has its normal prior, cut at its bounds, or else is uniform between them. Fluxes are uniform in their logarithm. Where a
    problem draws from more than such ranges (`Composition.prior`), that is not in it.
    """
    low, high, mean, inverse, plain, ellipses = _table(problem)
    size, dtype = problem.size, u.dtype
    own = u[:size]
    slope = -jax.nn.softplus(own) - jax.nn.softplus(-own)
    values = jnp.asarray(low, dtype) + jnp.asarray(high - low, dtype) * jax.nn.sigmoid(own)
    off = jnp.asarray(inverse, dtype) * (values - jnp.asarray(mean, dtype))
    total = jnp.where(jnp.asarray(plain), slope - 0.5 * off * off, 0.0).sum()
    for first, most, narrow in ellipses:
        pair = own[first : first + 2]
        square = most * most * (_disc(pair) @ _disc(pair))
        total = total - 2.0 * jnp.log1p(pair @ pair)
        if narrow:
            total = total - 0.5 * narrow * narrow * square
        else:
            e = jnp.sqrt(square + _ROUND * _ROUND)
            total = total - 2.0 * jnp.log1p(e) - jnp.log(e)
    return total


def coordinates(problem: Composition, numbers: Array, fluxes: Array) -> Array:
    """The coordinates (F,) of numbers (E,) and fluxes (S,); of a place outside the prior, those of one just inside."""
    low, high, _, _, _, ellipses = _table(problem)
    dtype = numbers.dtype
    values = problem.decode(numbers, jnp.zeros(problem.linear, dtype))[: problem.size]
    part = jnp.clip((values - jnp.asarray(low, dtype)) / jnp.asarray(high - low, dtype), _EDGE, 1.0 - _EDGE)
    u = jnp.log(part) - jnp.log1p(-part)
    for first, most, _ in ellipses:
        e = jnp.stack(ellipticity(numbers[first], numbers[first + 1])) / most
        length = jnp.sqrt(e @ e + 1e-20)
        e = e * jnp.minimum(1.0, (1.0 - _EDGE) / length)
        u = u.at[first : first + 2].set(e / jnp.sqrt(1.0 - e @ e))
    return jnp.concatenate([u, jnp.log(fluxes)])
