"""The prior of a composed problem, in coordinates in which a sampler moves.

There is one for each number of a fit, (E,). A place t in the prior is the parameter itself, of one that may grow manifold its logarithm,
and of an ellipse e1 and e2: valleys are about as straight as in the fit's numbers. The coordinate u has no ends, where a sampler would run
into a wall: it is the logit of the place in its range, and z = (e1, e2)/√(e_max² − e²) of an ellipse whose ellipticity is at most e_max.
Of an ellipse whose axis ratio is uniform it is z/√|z|: the density of z, 1/|z| about the round one, would be a spike there.
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
_CLOSE = 1e-3  # to a bound, of the range: the nearest that a mode lies to it
SPREAD = 1.8
"""About the standard deviation of the prior in a coordinate: that of the logistic distribution."""
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


def numbers(problem: Composition, u: Array) -> Array:
    """The numbers (E,) of a fit at coordinates (E,)."""
    table = _table(problem)
    at = problem.encode(_values(table, u))
    for first, most, narrow in table.ellipses:
        e = _ellipse(u, first, most, rooted=not narrow) / E_MAX
        at = at.at[first : first + 2].set(e / jnp.sqrt(1.0 - e @ e))
    return at


def _ellipse(u: Array, first: int, most: float, *, rooted: bool) -> Array:
    """e1 and e2 (2,)."""
    z = u[first : first + 2]
    if rooted:
        z = z * jnp.sqrt(z @ z + _ROUND**2)
    return most * z / jnp.sqrt(1.0 + z @ z)


def _values(table: _Table, u: Array) -> Array:
    """The parameters (E,), with some ellipse in place of each: axis ratio and direction have no derivative at the round one."""
    log = jnp.asarray(table.log)
    place = _place(table, u)
    values = jnp.where(log, jnp.exp(jnp.where(log, place, 0.0)), place)
    for first, _, _ in table.ellipses:
        values = values.at[first : first + 2].set(jnp.asarray([0.5, 90.0], u.dtype))
    return values


def _place(table: _Table, u: Array) -> Array:
    """Places (E,) of parameters that are no part of an ellipse."""
    low, high = jnp.asarray(table.low, u.dtype), jnp.asarray(table.high, u.dtype)
    return low + (high - low) * jax.nn.sigmoid(u)


def log_prior(problem: Composition, u: Array) -> Array:
    """Logarithm of the prior's density in coordinates (E,), but for a constant.

    A parameter has its normal prior, or else is uniform between its bounds; so is the axis ratio of an ellipse. Where a problem draws
    from more than such ranges (`Composition.prior`), that is not in it.
    """
    table = _table(problem)
    values = _values(table, u)
    off = jnp.asarray(table.inverse, u.dtype) * (values - jnp.asarray(table.mean, u.dtype))
    opened = -jax.nn.softplus(u) - jax.nn.softplus(-u)  # the logarithm of the logit's inverse derivative
    each = opened + jnp.where(jnp.asarray(table.log), _place(table, u), 0.0) - 0.5 * off * off
    total = jnp.where(jnp.asarray(table.plain), each, 0.0).sum()
    for first, most, narrow in table.ellipses:
        pair, own = _ellipse(u, first, most, rooted=not narrow), u[first : first + 2]
        e2 = pair @ pair
        if narrow:
            total = total - 2.0 * jnp.log1p(own @ own) - 0.5 * narrow**2 * e2
        else:  # 2/(1 + e)² in e, and so over e in e1 and e2, where the root's volume takes the spike away
            total = total - 1.5 * jnp.log1p((own @ own) ** 2) - 2.0 * jnp.log1p(jnp.sqrt(e2 + 1e-12))
    return total


def log_belief(problem: Composition, u: Array, belief: Belief) -> Array:
    """As `log_prior`, of what is believed in place of the prior: normal in the fit's numbers, and uniform in those it says nothing of."""
    off = numbers(problem, u) - belief.mean
    slope = jax.jacfwd(partial(numbers, problem))(u)
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


def coordinates(problem: Composition, t: Array) -> Array:
    """The coordinates (E,) of places (E,) within the bounds."""
    table = _table(problem)
    plain, low, high = (jnp.asarray(part) for part in (table.plain, table.low, table.high))
    part = jnp.where(plain, (t - low) / (high - low), 0.5)
    u = jnp.log(part) - jnp.log1p(-part)
    for first, most, narrow in table.ellipses:
        pair = t[first : first + 2]
        z = pair / jnp.sqrt(most * most - pair @ pair)
        u = u.at[first : first + 2].set(z if narrow else z / jnp.maximum(z @ z, _ROUND**4) ** 0.25)
    return u
