"""The prior of a composed problem, in coordinates in which a sampler moves.

There is one coordinate u for each number of a fit, (E,): of a parameter that may grow manifold its logarithm, of an ellipse e1 and e2, of
another parameter itself. Valleys are about as straight as in the fit's numbers. At the ends of the prior there is no wall, which a
sampler would run into, but a mirror: places beyond them stand for those inside (`folded`).
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.infer.fit import Belief
from lensjax.problems.components import E_MAX, ellipticity
from lensjax.problems.compose import Composition

_MANIFOLD = 3.0  # high over low, from which a parameter has its logarithm
_ROUND = 2e-3  # ellipticity below which the density of a uniform axis ratio, 1/e, no longer rises


class _Table(NamedTuple):
    """Of the E numbers: low and high ends of the coordinate, and whether that is a logarithm; mean and inverse standard deviation of a
    normal prior; and which are no part of an ellipse. For each ellipse its first number, the largest ellipticity, and the inverse standard
    deviation of e1 and of e2."""

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
        most = min((1.0 - own[q].low) / (1.0 + own[q].low), 0.99 * E_MAX)
        ellipses.append((first, most, float(inverse[q])))
    log &= plain
    ends = [np.log(end, where=log, out=end.copy()) for end in (low, high)]
    return _Table(ends[0], ends[1], log, mean, inverse, plain, tuple(ellipses))


def spread(problem: Composition) -> np.ndarray:
    """About the standard deviation (E,) of the prior in each coordinate."""
    table = _table(problem)
    wide: np.ndarray = (table.high - table.low) / np.sqrt(12.0)
    for first, most, _ in table.ellipses:
        wide[first : first + 2] = 0.5 * most
    return np.asarray(wide)


def numbers(problem: Composition, u: Array) -> Array:
    """The numbers (E,) of a fit at coordinates (E,)."""
    table = _table(problem)
    at = problem.encode(_values(table, u))
    for first, _, _ in table.ellipses:
        e = u[first : first + 2] / E_MAX
        e = e * jnp.minimum(1.0, 0.999 / jnp.sqrt(e @ e + 1e-20))
        at = at.at[first : first + 2].set(e / jnp.sqrt(1.0 - e @ e))
    return at


def _values(table: _Table, u: Array) -> Array:
    """The parameters (E,), with some ellipse in place of each: axis ratio and direction have no derivative at the round one."""
    log = jnp.asarray(table.log)
    values = jnp.where(log, jnp.exp(jnp.where(log, u, 0.0)), u)
    for first, _, _ in table.ellipses:
        values = values.at[first : first + 2].set(jnp.asarray([0.5, 90.0], u.dtype))
    return values


def log_prior(problem: Composition, u: Array) -> Array:
    """Logarithm of the prior's density in coordinates (E,), but for a constant.

    A parameter has its normal prior, or else is uniform between its bounds; so is the axis ratio of an ellipse. Where a problem draws
    from more than such ranges (`Composition.prior`), that is not in it.
    """
    table = _table(problem)
    values = _values(table, u)
    off = jnp.asarray(table.inverse, u.dtype) * (values - jnp.asarray(table.mean, u.dtype))
    each = jnp.where(jnp.asarray(table.log), u, 0.0) - 0.5 * off * off
    total = jnp.where(jnp.asarray(table.plain), each, 0.0).sum()
    for first, _, narrow in table.ellipses:
        e = _ellipticity(u, first)
        total = total - (0.5 * (narrow * e) ** 2 if narrow else 2.0 * jnp.log1p(e) + jnp.log(e))
    return total


def log_belief(problem: Composition, u: Array, belief: Belief) -> Array:
    """As `log_prior`, of what is believed in place of the prior: normal in the fit's numbers, and uniform in those it says nothing of."""
    off = numbers(problem, u) - belief.mean
    slope = jax.jacfwd(partial(numbers, problem))(u)
    density: Array = jnp.linalg.slogdet(slope)[1] - 0.5 * (belief.precision * off * off).sum()
    return density


def folded(problem: Composition, v: Array) -> tuple[Array, Array]:
    """Coordinates (E,) within the prior's bounds for any (E,), and the logarithm of how much larger a volume is there.

    At the ends of its range a coordinate turns back, and so does an ellipticity at its largest. A density of the coordinates times that
    factor is then one of all places, without a step, whose draws have the density inside when they are folded.
    """
    table = _table(problem)
    low, high = jnp.asarray(table.low, v.dtype), jnp.asarray(table.high, v.dtype)
    u = jnp.where(jnp.asarray(table.plain), low + _back(v - low, high - low), v)
    u = jnp.where((v >= low) & (v <= high), v, u)
    volume = jnp.zeros((), v.dtype)
    for first, most, _ in table.ellipses:
        pair = v[first : first + 2]
        beyond = pair @ pair > most * most
        e = jnp.sqrt(jnp.where(beyond, pair @ pair, 1.0))
        shorter = jnp.where(beyond, jnp.maximum(_back(e, most), 1e-6 * most) / e, 1.0)
        u = u.at[first : first + 2].set(pair * shorter)
        volume = volume + jnp.log(shorter)
    return u, volume


def _back(way: Array, length: Array | float) -> Array:
    """How far from its beginning one is, after so long a way there and back on a length."""
    along = jnp.mod(way, 2.0 * length)
    return jnp.minimum(along, 2.0 * length - along)


def _ellipticity(u: Array, first: int) -> Array:
    pair = u[first : first + 2]
    return jnp.sqrt(pair @ pair + _ROUND * _ROUND)


def inside(problem: Composition, u: np.ndarray) -> np.ndarray:
    """Whether coordinates (S, E) lie within the bounds of the prior, (S,)."""
    table = _table(problem)
    good = ((u >= table.low) & (u <= table.high) | ~table.plain).all(axis=-1)
    for first, most, _ in table.ellipses:
        good &= np.hypot(u[:, first], u[:, first + 1]) <= most
    return np.asarray(good)


def coordinates(problem: Composition, numbers: Array) -> Array:
    """The coordinates (E,) of numbers (E,)."""
    table = _table(problem)
    values = problem.decode(numbers, jnp.zeros(problem.linear, numbers.dtype))[: problem.size]
    log = jnp.asarray(table.log)
    u = jnp.where(log, jnp.log(jnp.where(log, values, 1.0)), values)
    for first, _, _ in table.ellipses:
        u = u.at[first : first + 2].set(jnp.stack(ellipticity(numbers[first], numbers[first + 1])))
    return u


def moved_inside(problem: Composition, u: np.ndarray) -> np.ndarray:
    """The coordinates (E,) nearest to these within the bounds."""
    table = _table(problem)
    near = np.where(table.plain, np.clip(u, table.low, table.high), u)
    for first, most, _ in table.ellipses:
        near[first : first + 2] *= min(1.0, most / max(float(np.hypot(*near[first : first + 2])), 1e-300))
    return near
