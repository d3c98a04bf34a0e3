"""The prior of a composed problem, in coordinates without bounds: what a sampler moves in.

There is one coordinate u for each number of a fit, (E,): of a parameter that may grow manifold its logarithm, of an ellipse e1 and e2, of
another parameter itself. Within some fiftieths of a range from its end, or of the largest ellipticity, coordinates are bent, so that
parameters only approach the end and no sampler meets a wall. Valleys are about as straight as in the fit's numbers.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.problems.components import E_MAX, ellipticity
from lensjax.problems.compose import Composition

_MANIFOLD = 3.0  # high over low, from which a parameter has its logarithm
_BENT = 0.02  # of the range, over which a coordinate is bent at each end
_ROUND = 2e-3  # ellipticity below which the density of a uniform axis ratio, 1/e, no longer rises
_EDGE = 1e-2  # of a range: a mode at its end or beyond starts this far inside


class _Table(NamedTuple):
    """Of the E numbers: ends of the straight coordinate, which are logarithms, mean and inverse standard deviation of a normal prior, and
    which are no part of an ellipse; and for each ellipse its first number, M, and the inverse standard deviation of e1 and of e2."""

    low: np.ndarray
    high: np.ndarray
    log: np.ndarray
    mean: np.ndarray
    inverse: np.ndarray
    plain: np.ndarray
    ellipses: tuple[tuple[int, float, float], ...]


def _table(problem: Composition) -> _Table:
    own = problem.parameters[: problem.size]
    low, high = (np.array([getattr(parameter, end) for parameter in own], np.float64) for end in ("low", "high"))
    log = (low > 0.0) & (high >= _MANIFOLD * low)
    mean, inverse = np.zeros(len(own)), np.zeros(len(own))
    for name, middle, deviation in problem.normal:
        mean[problem.names.index(name)], inverse[problem.names.index(name)] = middle, 1.0 / deviation
    plain = np.ones(len(own), bool)
    ellipses = []
    for q, phi, first in problem.round_shapes():
        plain[[q, phi]] = False
        most = min((1.0 - own[q].low) / (1.0 + own[q].low), 0.999 * E_MAX)
        ellipses.append((first, most, float(inverse[q])))
    log &= plain
    ends = [np.log(end, where=log, out=end.copy()) for end in (low, high)]
    return _Table(ends[0], ends[1], log, mean, inverse, plain, tuple(ellipses))


def spread(problem: Composition) -> np.ndarray:
    """About the standard deviation (E,) of the prior in each coordinate."""
    table = _table(problem)
    return np.where(table.plain, (table.high - table.low) / np.sqrt(12.0), 0.5)


def numbers(problem: Composition, u: Array) -> Array:
    """The numbers (E,) of a fit at coordinates (E,)."""
    table = _table(problem)
    at = problem.encode(_values(table, u)[0])
    for first, most, _ in table.ellipses:
        part = _disc(u[first : first + 2], most)[0] / E_MAX
        at = at.at[first : first + 2].set(part / jnp.sqrt(1.0 - part @ part))
    return at


def _values(table: _Table, u: Array) -> tuple[Array, Array]:
    """The parameters (E,), with some ellipse in place of each: axis ratio and direction have no derivative at the round one; and the
    logarithms (E,) of those that have one, 0 of others."""
    low, width = jnp.asarray(table.low, u.dtype), jnp.asarray(_BENT * (table.high - table.low), u.dtype)
    straight = low + width * (jax.nn.softplus((u - low) / width) - jax.nn.softplus((u - jnp.asarray(table.high, u.dtype)) / width))
    log = jnp.where(jnp.asarray(table.log), straight, 0.0)
    values = jnp.where(jnp.asarray(table.log), jnp.exp(log), straight)
    for first, _, _ in table.ellipses:
        values = values.at[first : first + 2].set(jnp.asarray([0.5, 90.0], u.dtype))
    return values, log


def _disc(u: Array, most: float) -> tuple[Array, Array]:
    """(e1, e2) of coordinates (2,), |e| < most, and the logarithm of the map's Jacobian."""
    width = _BENT * most
    r = jnp.sqrt(u @ u + 1e-20)
    bent = most - width * jax.nn.softplus((most - r) / width)
    ratio = jnp.where(r > 0.2 * most, bent / r, 1.0)
    return u * ratio, jax.nn.log_sigmoid((most - r) / width) + jnp.log(ratio)


def log_prior(problem: Composition, u: Array) -> Array:
    """Logarithm of the prior's density in coordinates (E,), but for a constant.

    A parameter has its normal prior, cut at its bounds, or else is uniform between them. Where a problem draws from more than such
    ranges (`Composition.prior`), that is not in it.
    """
    table = _table(problem)
    low, high, width = (jnp.asarray(part, u.dtype) for part in (table.low, table.high, _BENT * (table.high - table.low)))
    values, log = _values(table, u)
    # The slope of the bent coordinate: σ(a) − σ(b) = σ(a) σ(−b) (1 − exp(b − a)).
    slope = jax.nn.log_sigmoid((u - low) / width) + jax.nn.log_sigmoid((high - u) / width) + log
    off = jnp.asarray(table.inverse, u.dtype) * (values - jnp.asarray(table.mean, u.dtype))
    total = jnp.where(jnp.asarray(table.plain), slope - 0.5 * off * off, 0.0).sum()
    for first, most, narrow in table.ellipses:
        pair, slope = _disc(u[first : first + 2], most)
        square, total = pair @ pair, total + slope
        if narrow:
            total = total - 0.5 * narrow * narrow * square
        else:
            e = jnp.sqrt(square + _ROUND * _ROUND)
            total = total - 2.0 * jnp.log1p(e) - jnp.log(e)
    return total


def coordinates(problem: Composition, numbers: Array) -> Array:
    """The coordinates (E,) of numbers (E,); of a place outside the prior, those of one just inside."""
    table, dtype = _table(problem), numbers.dtype
    values = problem.decode(numbers, jnp.zeros(problem.linear, dtype))[: problem.size]
    straight = jnp.where(jnp.asarray(table.log), jnp.log(jnp.maximum(values, 1e-30)), values)
    range_ = table.high - table.low
    low, width = jnp.asarray(table.low, dtype), jnp.asarray(_BENT * range_, dtype)
    t = jnp.clip(straight - low, jnp.asarray(_EDGE * range_, dtype), jnp.asarray((1.0 - _EDGE) * range_, dtype)) / width
    # With A = exp(t) and B = exp(−range/width): exp((u − low)/width) = (A − 1)/(1 − A B).
    u = low + width * (t + jnp.log(-jnp.expm1(-t)) - jnp.log(-jnp.expm1(t - 1.0 / _BENT)))
    for first, most, _ in table.ellipses:
        e = jnp.stack(ellipticity(numbers[first], numbers[first + 1]))
        length = jnp.sqrt(e @ e + 1e-20)
        inside = jnp.minimum(length, (1.0 - _EDGE) * most)
        left = (most - inside) / (_BENT * most)
        r = jnp.where(inside > 0.2 * most, most - _BENT * most * (left + jnp.log(-jnp.expm1(-left))), inside)
        u = u.at[first : first + 2].set(e / length * r)
    return u
