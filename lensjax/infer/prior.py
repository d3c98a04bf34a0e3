"""The prior of a composed problem, in coordinates in which a sampler moves.

There is one for each number of a fit, (E,). A place t in the prior is the parameter itself, of one that may grow manifold its logarithm,
and of an ellipse e1 and e2: valleys are about as straight as in the fit's numbers. A coordinate u is of one of two kinds:

- Open: it has no ends, where a sampler would run into a wall. It is the logit of the place in its range, and z = (e1, e2)/√(e_max² − e²)
  of an ellipse whose ellipticity is at most e_max. Of an ellipse whose axis ratio is uniform it is z/√|z|: the density of z, 1/|z| about
  the round one, would be a spike there.
- Straight: the place itself, but for a factor, from -`END` to `END` in the range. Valleys that are far longer than wide stay straight,
  which a logit bends, near the ends of a range above all; and the prior has walls (`held`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.infer.fit import Belief
from lensjax.problems.components import E_MAX, ellipticity
from lensjax.problems.compose import Composition

_MANIFOLD = 3.0  # high over low, from which a parameter has its logarithm
_CLOSE = 1e-3  # to a bound, of the range: the nearest that a mode lies to it
SPREAD = 1.8
"""About the standard deviation of the prior in a coordinate: that of the logistic distribution."""
END = SPREAD * float(np.sqrt(3.0))
"""The straight coordinate of the prior's high end; of the low one it is -END. The prior is as wide in it as in an open one."""
_ELLIPSE_END = 4.0  # the same of the largest ellipticity
_NARROW = 0.4  # of the prior's width, the largest error of a straight coordinate
_ROOM, _NEAR = 2.0, 3.0  # errors from a wall: the least of a straight coordinate; the most of one that is mirrored there
_ROUND = 1e-4  # a coordinate of an ellipse, below which it is no root: that has no derivative at the round one


class _Table(NamedTuple):
    """Of the E numbers: low and high ends of the place, and whether that is a logarithm; mean and inverse standard deviation of a
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


def numbers(problem: Composition, u: Array, straight: Array) -> Array:
    """The numbers (E,) of a fit at coordinates (E,), of which some are straight (E,)."""
    table = _table(problem)
    at = problem.encode(_values(table, u, straight))
    for first, most, narrow in table.ellipses:
        e = _ellipse(u, straight, first, most, rooted=not narrow) / E_MAX
        at = at.at[first : first + 2].set(e / jnp.sqrt(1.0 - e @ e))
    return at


def held(problem: Composition, u: Array, straight: Array) -> tuple[Array, Array]:
    """The nearest coordinates (E,) within the walls of straight ones, and whether that is where they are."""
    table = _table(problem)
    walled = jnp.where(straight & jnp.asarray(table.plain), jnp.clip(u, -END, END), u)
    inside = (walled == u).all()
    for first, _, _ in table.ellipses:
        pair = u[first : first + 2]
        beyond = straight[first] & (pair @ pair > _ELLIPSE_END**2)
        shrunk = pair * _ELLIPSE_END * jax.lax.rsqrt(jnp.maximum(pair @ pair, _ELLIPSE_END**2))
        walled = walled.at[first : first + 2].set(jnp.where(beyond, shrunk, pair))
        inside &= ~beyond
    return walled, inside


def _ellipse(u: Array, straight: Array, first: int, most: float, *, rooted: bool) -> Array:
    """e1 and e2 (2,)."""
    z = own = u[first : first + 2]
    if rooted:
        z = z * jnp.sqrt(z @ z + _ROUND**2)
    return most * jnp.where(straight[first], own / _ELLIPSE_END, z / jnp.sqrt(1.0 + z @ z))


def _values(table: _Table, u: Array, straight: Array) -> Array:
    """The parameters (E,), with some ellipse in place of each: axis ratio and direction have no derivative at the round one."""
    log = jnp.asarray(table.log)
    place = _place(table, u, straight)
    values = jnp.where(log, jnp.exp(jnp.where(log, place, 0.0)), place)
    for first, _, _ in table.ellipses:
        values = values.at[first : first + 2].set(jnp.asarray([0.5, 90.0], u.dtype))
    return values


def _place(table: _Table, u: Array, straight: Array) -> Array:
    """Places (E,) of parameters that are no part of an ellipse."""
    low, high = jnp.asarray(table.low, u.dtype), jnp.asarray(table.high, u.dtype)
    return low + (high - low) * jnp.where(straight, 0.5 * (1.0 + u / END), jax.nn.sigmoid(u))


def log_prior(problem: Composition, u: Array, straight: Array) -> Array:
    """Logarithm of the prior's density in coordinates (E,) within the walls, but for a constant.

    A parameter has its normal prior, or else is uniform between its bounds; so is the axis ratio of an ellipse. Where a problem draws
    from more than such ranges (`Composition.prior`), that is not in it.
    """
    table = _table(problem)
    values = _values(table, u, straight)
    off = jnp.asarray(table.inverse, u.dtype) * (values - jnp.asarray(table.mean, u.dtype))
    opened = jnp.where(straight, 0.0, -jax.nn.softplus(u) - jax.nn.softplus(-u))  # the logarithm of the logit's inverse derivative
    each = opened + jnp.where(jnp.asarray(table.log), _place(table, u, straight), 0.0) - 0.5 * off * off
    total = jnp.where(jnp.asarray(table.plain), each, 0.0).sum()
    for first, most, narrow in table.ellipses:
        pair, own = _ellipse(u, straight, first, most, rooted=not narrow), u[first : first + 2]
        e2 = pair @ pair
        if narrow:
            total = total - jnp.where(straight[first], 0.0, 2.0 * jnp.log1p(own @ own)) - 0.5 * narrow**2 * e2
        else:  # 2/(1 + e)² in e, and so over e in e1 and e2, where the root's volume takes the spike away
            volume = jnp.where(straight[first], 0.5 * jnp.log(e2 + 1e-12), 1.5 * jnp.log1p((own @ own) ** 2))
            total = total - volume - 2.0 * jnp.log1p(jnp.sqrt(e2 + 1e-12))
    return total


def log_belief(problem: Composition, u: Array, straight: Array, belief: Belief) -> Array:
    """As `log_prior`, of what is believed in place of the prior: normal in the fit's numbers, and uniform in those it says nothing of."""
    off = numbers(problem, u, straight) - belief.mean
    slope = jax.jacfwd(lambda at: numbers(problem, at, straight))(u)
    density: Array = jnp.linalg.slogdet(slope)[1] - 0.5 * (belief.precision * off * off).sum()
    return density


def places(problem: Composition, numbers: Array) -> Array:
    """The places (E,) of numbers (E,), which may lie beyond the prior."""
    table = _table(problem)
    values = problem.decode(numbers, jnp.zeros(problem.linear, numbers.dtype))[: problem.size]
    log = jnp.asarray(table.log)
    t = jnp.where(log, jnp.log(jnp.where(log, values, 1.0)), values)
    for first, _, _ in table.ellipses:
        t = t.at[first : first + 2].set(jnp.stack(ellipticity(numbers[first], numbers[first + 1])))
    return t


def within(problem: Composition, t: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """The nearest places (E,) that are as far within the bounds as the margins (E,), or a tenth of the range if that is less.

    The round ellipse is a bound, too.
    """
    table = _table(problem)
    width = table.high - table.low
    own = np.clip(margin, _CLOSE * width, 0.1 * width)
    near = np.where(table.plain, np.clip(t, table.low + own, table.high - own), t)
    for first, most, _ in table.ellipses:
        least = float(np.clip(margin[first : first + 2].max(), _CLOSE * most, 0.1 * most))
        e = float(np.hypot(*near[first : first + 2]))
        near[first : first + 2] = near[first : first + 2] * np.clip(e, least, most - least) / e if e > 0 else [least, 0.0]
    return near


def coordinates(problem: Composition, t: Array, straight: Array) -> Array:
    """The coordinates (E,), of which some are straight (E,), of places (E,) within the bounds."""
    table = _table(problem)
    plain, low, high = (jnp.asarray(part) for part in (table.plain, table.low, table.high))
    part = jnp.where(plain, (t - low) / (high - low), 0.5)
    u = jnp.where(straight, (2.0 * part - 1.0) * END, jnp.log(part) - jnp.log1p(-part))
    for first, most, narrow in table.ellipses:
        pair = t[first : first + 2]
        z = pair / jnp.sqrt(most * most - pair @ pair)
        opened = z if narrow else z / jnp.maximum(z @ z, _ROUND**4) ** 0.25
        u = u.at[first : first + 2].set(jnp.where(straight[first], pair * _ELLIPSE_END / most, opened))
    return u


def straightened(problem: Composition, t: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Which of the coordinates (E,) are best straight, by the places (E,) of a mode and their covariance (E, E), and which of these is best
    mirrored at its wall.

    Straight are those that an image determines to a small part of the prior's width, so far from its ends that trajectories seldom meet a
    wall. Of an ellipse both or none. Mirrored is the nearest to its wall, if it is near; no ellipse. Where several are too near, all of
    them are open: a valley along two of them bends less than where one is straight.
    """
    table = _table(problem)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    widths = (table.high - table.low) / np.sqrt(12.0)
    room = np.minimum(t - table.low, table.high - t)
    for first, most, _ in table.ellipses:
        pair = slice(first, first + 2)
        errors[pair] = np.sqrt(errors[pair] @ errors[pair])
        widths[pair], room[pair] = SPREAD / _ELLIPSE_END * most, most - np.hypot(*t[pair])
    narrow = errors < _NARROW * widths
    found = narrow & (room > _ROOM * errors)
    off = np.where(narrow & table.plain, room / np.maximum(errors, 1e-300), np.inf)
    nearest = int(np.argmin(off))
    others = np.delete(narrow & ~found, nearest)
    if off[nearest] > _NEAR or (others.any() and not found[nearest]):
        return found, None
    found[nearest] = True
    return found, nearest
