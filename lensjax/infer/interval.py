"""The interval fit: all parameters for which every pixel rounds to the observed one.

Rounding to whole grey levels is not noise but an interval: the true value of every pixel lies within ½ of the stored one. Near the
solution these are linear inequalities in the parameters, two for each pixel. Together they bound a tiny convex
set. Its extent along a parameter is a certified error bar; the mean of a uniform distribution over it is the estimate with
the least expected squared error, and that distribution's covariance the 1σ error.

Pixels at the edge of the model's window add inequalities of their own: a pixel with light lies inside, and a dark pixel
where the model is bright lies outside.

All of it in float64: the set is smaller than float32 resolves. Lengths along the parameters are measured in units of the least-squares
errors ("whitened"), in which the set has a size of about ¼.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.optimize import linprog

from lensjax.infer.objective import Light, jacobian

HALF = 0.5
EXACT = 1e-6
"""Slack [grey] of a renderer in float64."""
LOOSE = 5e-3
"""Slack [grey] up to which an image counts as rendered by this model, for example in float32."""
_TRUST = 8.0  # how far along each axis, in least-squares errors, the first linearisation is trusted
_ROUNDS = 14
_CHAINS, _STEPS, _BURN = 64, 120, 40
_FACETS = 384  # rows that bound the set while points are drawn in it
_TIGHT = 4096  # pixels at which the linearisation is checked


@dataclass(frozen=True)
class Interval:
    """The parameters with which every pixel of an 8-bit image agrees.

    Attributes:
        fit: mean of the set (F,).
        covariance: of a uniform distribution over it (F, F).
        lowest, highest: extent of the set along each direction (D,), relative to `fit`.
        slack: how far beyond ½ a pixel may be off [grey].
    """

    fit: np.ndarray
    covariance: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    slack: float


@dataclass(frozen=True)
class _Constraints:
    """rows @ z ≤ bounds, about a point and along whitened axes; `pixels` is the pixel each row is from."""

    rows: np.ndarray
    bounds: np.ndarray
    pixels: np.ndarray


def violated_pixels(grey: np.ndarray, inside: np.ndarray, image: np.ndarray, *, slack: float = EXACT) -> int:
    """How many pixels of a model do not round to the image's, `slack` [grey], and as many px at the edge, tolerated."""
    bright = np.where(inside >= 0, grey, 0.0)
    wrong = np.abs(bright - image) > HALF + slack
    if slack > 0:
        other = np.where(inside >= 0, 0.0, grey)
        wrong &= ~((np.abs(inside) <= slack) & (np.abs(other - image) <= HALF + slack))
    return int(wrong.sum())


class _Linear(NamedTuple):
    """A model of M pixels about a point: grey levels (M,), distances inside the window (M,) and, along whitened axes, the Jacobians
    (M, F) of both and the norms (M,) of their rows."""

    grey: np.ndarray
    inside: np.ndarray
    jacobian: np.ndarray
    edge_jacobian: np.ndarray
    norm: np.ndarray
    edge_norm: np.ndarray


@partial(jax.jit, static_argnames="light")
def _linearise(light: Light, fit: Array, whitener: Array, x: Array, y: Array) -> tuple[Array, ...]:
    grey, inside, columns, edge_columns = jacobian(light, fit, x, y)
    rows = (whitener.T @ columns.reshape(fit.shape[0], -1)).T
    edge_rows = (whitener.T @ edge_columns.reshape(fit.shape[0], -1)).T
    norm = jnp.sqrt((rows * rows).sum(axis=1))
    edge_norm = jnp.sqrt((edge_rows * edge_rows).sum(axis=1))
    return grey.reshape(-1), inside.reshape(-1), rows, edge_rows, norm, edge_norm


def _constraints(linear: _Linear, image: np.ndarray, reach: float, slack: float) -> _Constraints:
    """The inequalities that matter within ±reach along each axis of the point at which the model was linearised."""
    grey, inside, rows_of, edge_rows_of, norm, edge_norm = linear
    reach = reach * np.sqrt(rows_of.shape[1])  # from the middle of a cube to its corner
    dark = image == 0
    certainly_in = inside > reach * edge_norm
    certainly_out = inside < -reach * edge_norm
    above = grey - image - HALF  # > 0 where too bright
    below = image - HALF - grey
    close_above = above > -reach * norm
    upper = close_above & (~dark | certainly_in) & (image < 255)
    lower = ~dark & (below > -reach * norm)
    lit = ~dark & ~certainly_in
    unlit = dark & ~certainly_in & ~certainly_out & (above > reach * norm)
    rows = [rows_of[upper], -rows_of[lower], -edge_rows_of[lit], edge_rows_of[unlit]]
    bounds = [slack - above[upper], slack - below[lower], slack + inside[lit], slack - inside[unlit]]
    pixels = [np.flatnonzero(part) for part in (upper, lower, lit, unlit)]
    return _Constraints(np.concatenate(rows), np.concatenate(bounds), np.concatenate(pixels))


def _cutting_planes(
    cost: np.ndarray, rows: np.ndarray, bounds: np.ndarray, limits: np.ndarray, working: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray]:
    """Minimise cost·z subject to rows @ z ≤ bounds and |z| ≤ limits, with few rows at a time.

    `working` marks the rows used first. It is returned with the rows added, as the start for the next problem on the same rows.
    """
    box = np.stack([-limits, limits], axis=1)
    while True:
        active = np.flatnonzero(working)
        optimum = linprog(cost, A_ub=rows[active], b_ub=bounds[active], bounds=box, method="highs-ds")
        if optimum.x is None:
            return None, working
        excess = rows @ optimum.x - bounds
        worst = np.argpartition(-excess, min(24, len(excess) - 1))[:24]
        worst = worst[(excess[worst] > 1e-9) & ~working[worst]]
        if worst.size == 0:
            return optimum.x, working
        working = working.copy()
        working[worst] = True


def _centre(limits: _Constraints, reach: float) -> tuple[np.ndarray, float, np.ndarray]:
    """Centre and radius of the largest ball within the set (negative where the set is empty), and the rows used."""
    rows, bounds = limits.rows, limits.bounds
    dimension = rows.shape[1]
    norm = np.sqrt((rows**2).sum(axis=1))
    scaled = rows / np.maximum(norm, 1e-300)[:, None]
    distance = bounds / np.maximum(norm, 1e-300)
    lifted = np.concatenate([scaled, np.ones((len(rows), 1))], axis=1)
    working = np.zeros(len(rows), bool)
    working[np.argsort(distance)[:64]] = True
    cost = np.zeros(dimension + 1)
    cost[-1] = -1.0
    box = np.full(dimension + 1, reach)
    box[-1] = 1e3 * reach
    optimum, working = _cutting_planes(cost, lifted, distance, box, working)
    if optimum is None:
        return np.zeros(dimension), -np.inf, working
    return optimum[:-1], float(optimum[-1]), working


def _least_slack(limits: _Constraints, reach: float) -> float:
    """The slack [grey] that every row needs for the set to exist."""
    lifted = np.concatenate([limits.rows, -np.ones((len(limits.rows), 1))], axis=1)
    working = np.zeros(len(lifted), bool)
    working[np.argsort(limits.bounds)[:64]] = True
    cost = np.zeros(lifted.shape[1])
    cost[-1] = 1.0
    box = np.full(lifted.shape[1], reach)
    box[-1] = 1e3
    optimum, _ = _cutting_planes(cost, lifted, limits.bounds, box, working)
    return np.inf if optimum is None else float(optimum[-1])


def _sample(limits: _Constraints, start: np.ndarray, seed: int) -> np.ndarray:
    """Points spread evenly over the set by hit-and-run (Smith 1984), (n, F), from a point inside it."""
    rng = np.random.default_rng(seed)
    dimension = start.size
    points = np.tile(start, (_CHAINS, 1))
    room = np.maximum(limits.bounds - points @ limits.rows.T, 0.0)
    frame = np.eye(dimension)
    kept = []
    for step in range(_BURN + _STEPS):
        direction = rng.standard_normal((_CHAINS, dimension)) @ frame
        speed = direction @ limits.rows.T
        with np.errstate(divide="ignore", invalid="ignore"):
            time = room / speed
        forward = np.where(speed > 0, time, np.inf).min(axis=1)
        backward = np.where(speed < 0, time, -np.inf).max(axis=1)
        length = backward + (forward - backward) * rng.random(_CHAINS)
        length = np.where(np.isfinite(length), length, 0.0)[:, None]
        points = points + length * direction
        room = np.maximum(room - length * speed, 0.0)
        if step >= _BURN:
            kept.append(points)
        elif step % 10 == 9:  # stretch the directions to the set's own shape
            spread: np.ndarray = np.cov(points.T) + 1e-18 * np.eye(dimension)
            frame = np.asarray(np.linalg.cholesky(spread).T)
    return np.concatenate(kept)


def solve(
    light: Light,
    image: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    start: np.ndarray,
    covariance: np.ndarray,
    directions: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int = 0,
) -> Interval | None:
    """The set of parameters for which every pixel rounds to `image`'s.

    Args:
        light: simulator (see `objective`), in float64.
        image: whole grey levels (M,) of the pixels that matter.
        x, y: their points (M,), float64.
        start: least-squares solution (F,).
        covariance: its covariance (F, F), which sets the scale.
        directions: fit (F,) → (D, F), the linear functions of the parameters whose extent is returned.
        seed: of the sampling.

    Returns:
        The set, or None where no parameters near `start` satisfy all pixels within `LOOSE`.
    """
    pixels = np.asarray(image, np.float64)
    whitener = np.linalg.cholesky(covariance + 1e-14 * np.diag(np.diag(covariance)))

    def linearise(fit: np.ndarray) -> _Linear:
        return _Linear(*(np.asarray(part) for part in _linearise(light, fit, whitener, x, y)))

    feasible = _feasible(linearise, whitener, pixels, np.asarray(start, np.float64))
    if feasible is None:
        return None
    fit, linear, trust, slack = feasible
    limits = _constraints(linear, pixels, trust, slack)
    z, radius, working = _centre(limits, trust)
    if radius <= 0:
        return None
    points = _sample(_nearest(limits, z, trust), z, seed)
    mean = points.mean(axis=0)
    for fraction in (1.0, 0.5, 0.25, 0.0):  # the mean of a bent set can lie outside it: move back towards its middle
        final = fit + fraction * (whitener @ mean)
        there = linearise(final)
        grey, inside = there.grey, there.inside
        if violated_pixels(grey, inside, pixels, slack=slack) == 0:
            break
    forward = directions(fit) @ whitener
    both = np.concatenate([forward, -forward])
    # What the linearisation neglects, measured at the set's corners, widens every row's bound.
    corners = mean + 1.25 * (points[np.argmax(points @ both.T, axis=0)] - mean)
    limits = _with_bend(light, limits, linear, fit, whitener, corners, x, y)
    high, low = np.split(_extents(limits, both, 2.0 * trust, working), 2)
    offset = directions(fit) @ (final - fit)
    return Interval(
        fit=final,
        covariance=whitener @ np.cov(points.T) @ whitener.T,
        lowest=-low - offset,
        highest=high - offset,
        slack=slack,
    )


def _feasible(
    linearise: Callable[[np.ndarray], _Linear],
    whitener: np.ndarray,
    pixels: np.ndarray,
    fit: np.ndarray,
) -> tuple[np.ndarray, _Linear, float, float] | None:
    """A point where no pixel is violated, its linearisation, the distance to which that holds, and the slack needed."""
    trust, slack = _TRUST, EXACT
    linear = linearise(fit)
    excess = _excess(linear.grey, linear.inside, pixels, slack)
    for _ in range(_ROUNDS):
        limits = _constraints(linear, pixels, trust, slack)
        if len(limits.rows) == 0:
            return None
        z, radius, _ = _centre(limits, trust)
        if excess == 0 and (radius <= 0 or np.abs(z).max() < 0.1 * trust):
            return fit, linear, trust, slack
        trial = fit + whitener @ z
        trial_linear = linearise(trial)
        trial_excess = _excess(trial_linear.grey, trial_linear.inside, pixels, slack)
        if trial_excess < excess or trial_excess == 0:
            settled = excess == 0
            fit, linear, excess = trial, trial_linear, trial_excess
            if settled:
                return fit, linear, trust, slack
            if excess == 0:
                trust = max(2.0, 2.0 * np.abs(z).max())
        elif excess == 0:  # already a solution, but with more curvature than the linearisation has
            trust *= 0.3
            if trust < 0.05:
                return fit, linear, trust, slack
        else:
            trust *= 0.3
            if trust < 0.05:
                needed = slack + _least_slack(limits, trust)
                if needed > LOOSE or slack > EXACT:
                    return None
                slack, trust = max(1.5 * needed, 1e-4), _TRUST
                excess = _excess(linear.grey, linear.inside, pixels, slack)
    return (fit, linear, trust, slack) if excess == 0 else None


def _nearest(limits: _Constraints, z: np.ndarray, trust: float) -> _Constraints:
    """The rows nearest to a point of the set, and the box about it: enough to sample its middle."""
    norm = np.sqrt((limits.rows**2).sum(axis=1))
    distance = (limits.bounds - limits.rows @ z) / np.maximum(norm, 1e-300)
    close = np.argsort(distance)[:_FACETS]
    axes, box = np.eye(z.size), np.full(z.size, trust)
    return _Constraints(
        np.concatenate([limits.rows[close], axes, -axes]),
        np.concatenate([limits.bounds[close], box, box]),
        np.zeros(0, int),
    )


def _extents(limits: _Constraints, directions: np.ndarray, trust: float, working: np.ndarray) -> np.ndarray:
    """How far the set reaches along each of `directions` (D, F), (D,)."""
    box = np.full(directions.shape[1], trust)
    extents = []
    for row in directions:
        corner, working = _cutting_planes(-row, limits.rows, limits.bounds, box, working)
        extents.append(np.inf if corner is None else row @ corner)
    return np.asarray(extents)


def _with_bend(
    light: Light,
    limits: _Constraints,
    linear: _Linear,
    fit: np.ndarray,
    whitener: np.ndarray,
    corners: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
) -> _Constraints:
    """`limits` with each pixel's bound widened by its largest deviation from the linearisation at the corners (C, F)."""
    reached = limits.bounds - (limits.rows @ corners.T).max(axis=1)
    tight = np.unique(limits.pixels[np.argsort(reached)[:_TIGHT]])
    chosen = np.resize(tight, _TIGHT)
    fits = fit + corners @ whitener.T
    grey = np.asarray(_values_at(light, fits, x[chosen], y[chosen]))
    bend = np.zeros(len(linear.grey))
    bend[chosen] = np.abs(grey - linear.grey[chosen] - corners @ linear.jacobian[chosen].T).max(axis=0)
    return _Constraints(limits.rows, limits.bounds + bend[limits.pixels], limits.pixels)


@partial(jax.jit, static_argnames="light")
def _values_at(light: Light, fits: Array, x: Array, y: Array) -> Array:
    grey: Array = jax.lax.map(lambda fit: light(fit, x, y)[0], fits)
    return grey


def _excess(grey: np.ndarray, inside: np.ndarray, pixels: np.ndarray, slack: float) -> float:
    """Sum over the pixels of the excess beyond ½ and the slack [grey]."""
    bright = np.where(inside >= 0, grey, 0.0)
    return float(np.maximum(np.abs(bright - pixels) - HALF - slack, 0.0).sum())
