"""The interval fit: all parameters for which every pixel rounds to the observed one.

Rounding to whole grey levels is not noise but an interval: where a model made the image, every pixel's true value lies within ½ of what
was stored. Near the solution these are linear inequalities in the parameters, two a pixel, and together they leave a tiny convex
set. Its extent along a parameter is a certified error bar; the mean of a uniform distribution over it is the estimate with
the least expected squared error, and that distribution's covariance the 1σ error.

Pixels at the edge of the model's window add inequalities of their own: one that shows light lies inside, one that is dark
although the model is bright there lies outside.

All of it in float64: the set is smaller than float32 resolves. Lengths along the parameters are measured in units of the least-squares
errors ("whitened"), in which the set has a size of about ¼.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.optimize import linprog

from lensjax.refine.objective import Light, jacobian

HALF = 0.5
EXACT = 1e-6
"""Slack [grey] allowed for a renderer in float64."""
LOOSE = 5e-3
"""Slack [grey] up to which an image counts as made by this model: rendered in float32, say."""
_REACH = 6.0  # how far, in least-squares errors, one linearisation is trusted
_ROUNDS = 5
_CHAINS, _STEPS, _BURN = 64, 160, 40


@dataclass(frozen=True)
class Interval:
    """Parameters that an 8-bit image allows.

    Attributes:
        fit: mean of the allowed set (F,).
        covariance: of a uniform distribution over it (F, F).
        lowest, highest: extent of the set along each direction asked for (D,), relative to `fit`.
        slack: what pixels were allowed beyond ½ [grey].
        violated: pixels that do not round to the observed value at `fit`.
    """

    fit: np.ndarray
    covariance: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    slack: float
    violated: int


@dataclass(frozen=True)
class _Constraints:
    """rows @ z ≤ bounds, around a point; `points`, `sign` and `edge` say which pixel and side each row is."""

    rows: np.ndarray
    bounds: np.ndarray


def violated_pixels(grey: np.ndarray, inside: np.ndarray, image: np.ndarray, *, slack: float = EXACT) -> int:
    """How many pixels of a model do not round to the image's, `slack` [grey] and as many px at the edge forgiven."""
    bright = np.where(inside >= 0, grey, 0.0)
    wrong = np.abs(bright - image) > HALF + slack
    if slack > 0 and np.ndim(inside):
        other = np.where(inside >= 0, 0.0, grey)
        wrong &= ~((np.abs(inside) <= slack) & (np.abs(other - image) <= HALF + slack))
    return int(wrong.sum())


@partial(jax.jit, static_argnames="light")
def _linearise(light: Light, fit: Array, whitener: Array, x: Array, y: Array) -> tuple[Array, ...]:
    grey, inside, slopes, edge_slopes = jacobian(light, fit, x, y)
    flat = (whitener.T @ slopes.reshape(fit.shape[0], -1)).T
    edge = (whitener.T @ edge_slopes.reshape(fit.shape[0], -1)).T if inside.ndim else jnp.zeros_like(flat)
    inside = jnp.broadcast_to(inside, grey.shape).reshape(-1)
    norm = jnp.sqrt((flat * flat).sum(axis=1))
    edge_norm = jnp.sqrt((edge * edge).sum(axis=1))
    return grey.reshape(-1), inside, flat, edge, norm, edge_norm


def _constraints(seen: tuple[np.ndarray, ...], image: np.ndarray, reach: float, slack: float) -> _Constraints:
    """The inequalities within `reach` of the point at which `seen` was linearised."""
    grey, inside, slopes, edge_slopes, norm, edge_norm = seen
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
    rows = [slopes[upper], -slopes[lower], -edge_slopes[lit], edge_slopes[unlit]]
    bounds = [slack - above[upper], slack - below[lower], slack + inside[lit], slack - inside[unlit]]
    return _Constraints(np.concatenate(rows), np.concatenate(bounds))


def _cutting_planes(
    cost: np.ndarray, rows: np.ndarray, bounds: np.ndarray, limits: np.ndarray, working: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray]:
    """Minimise cost·z subject to rows @ z ≤ bounds and |z| ≤ limits, looking at few rows at a time.

    `working` marks the rows looked at first; returned grown, so that the next problem on the same rows starts from it.
    """
    box = np.stack([-limits, limits], axis=1)
    while True:
        active = np.flatnonzero(working)
        answer = linprog(cost, A_ub=rows[active], b_ub=bounds[active], bounds=box, method="highs-ds")
        if answer.x is None:
            return None, working
        excess = rows @ answer.x - bounds
        worst = np.argpartition(-excess, min(24, len(excess) - 1))[:24]
        worst = worst[(excess[worst] > 1e-9) & ~working[worst]]
        if worst.size == 0:
            return answer.x, working
        working = working.copy()
        working[worst] = True


def _centre(limits: _Constraints, reach: float) -> tuple[np.ndarray, float, np.ndarray]:
    """Centre and radius of the largest ball within the set (negative: how far it is from existing), and the rows that mattered."""
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
    answer, working = _cutting_planes(cost, lifted, distance, box, working)
    if answer is None:
        return np.zeros(dimension), -np.inf, working
    return answer[:-1], float(answer[-1]), working


def _least_slack(limits: _Constraints, reach: float) -> float:
    """The slack [grey] that every row must be given for the set to exist."""
    lifted = np.concatenate([limits.rows, -np.ones((len(limits.rows), 1))], axis=1)
    working = np.zeros(len(lifted), bool)
    working[np.argsort(limits.bounds)[:64]] = True
    cost = np.zeros(lifted.shape[1])
    cost[-1] = 1.0
    box = np.full(lifted.shape[1], reach)
    box[-1] = 1e3
    answer, _ = _cutting_planes(cost, lifted, limits.bounds, box, working)
    return np.inf if answer is None else float(answer[-1])


def _sample(limits: _Constraints, start: np.ndarray, seed: int) -> np.ndarray:
    """Points spread evenly over the set by hit-and-run (Smith 1984), (n, F), from a point inside it."""
    rng = np.random.default_rng(seed)
    dimension = start.size
    points = np.tile(start, (_CHAINS, 1))
    frame = np.eye(dimension)
    kept = []
    for step in range(_BURN + _STEPS):
        direction = rng.standard_normal((_CHAINS, dimension)) @ frame
        speed = direction @ limits.rows.T
        room = np.maximum(limits.bounds - points @ limits.rows.T, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            time = room / speed
        forward = np.where(speed > 0, time, np.inf).min(axis=1)
        backward = np.where(speed < 0, time, -np.inf).max(axis=1)
        length = backward + (forward - backward) * rng.random(_CHAINS)
        points = points + np.where(np.isfinite(length), length, 0.0)[:, None] * direction
        if step >= _BURN:
            kept.append(points)
        elif step % 10 == 9:  # stretch the directions to the set's own shape
            spread = np.cov(points.T) + 1e-18 * np.eye(dimension)
            frame = np.linalg.cholesky(spread).T
    return np.concatenate(kept)


def solve(
    light: Light,
    image: np.ndarray,
    x: Array,
    y: Array,
    start: np.ndarray,
    covariance: np.ndarray,
    directions: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int = 0,
) -> Interval | None:
    """The set of parameters for which every pixel rounds to `image`'s.

    Args:
        light: simulator (see `objective`), in float64.
        image: whole grey levels (n, n).
        x, y: its pixels' points (1, n), (n, 1), float64.
        start: least-squares solution (F,).
        covariance: its covariance (F, F): the yardstick.
        directions: fit (F,) → (D, F), the linear functions of the parameters whose extent is wanted.
        seed: of the sampling.

    Returns:
        The set, or None where no parameters near `start` satisfy all pixels within `LOOSE`.
    """
    flat_image = np.asarray(image, np.float64).reshape(-1)
    whitener = np.linalg.cholesky(covariance + 1e-14 * np.diag(np.diag(covariance)))
    fit, slack = np.asarray(start, np.float64), EXACT
    reach = _REACH
    for turn in range(_ROUNDS):
        seen = tuple(np.asarray(part) for part in _linearise(light, fit, whitener, x, y))
        if turn and violated_pixels(seen[0], seen[1], flat_image, slack=slack) == 0 and radius > 0:
            break
        limits = _constraints(seen, flat_image, reach, slack)
        if len(limits.rows) == 0:
            return None
        z, radius, _ = _centre(limits, reach)
        if radius <= 0 and turn >= 2:
            needed = slack + _least_slack(limits, reach)
            if needed > LOOSE:
                return None
            slack = 1.2 * needed
            limits = _constraints(seen, flat_image, reach, slack)
            z, radius, _ = _centre(limits, reach)
        if not np.isfinite(radius):
            return None
        fit = fit + whitener @ z
        reach = max(0.5 * reach, 2.0)
    else:
        return None
    limits = _constraints(seen, flat_image, reach, slack)
    z, radius, working = _centre(limits, reach)
    if radius <= 0:
        return None
    wanted = directions(fit) @ whitener
    box = np.full(fit.size, reach)
    extents = []
    for row in np.concatenate([wanted, -wanted]):
        answer, working = _cutting_planes(-row, limits.rows, limits.bounds, box, working)
        extents.append(row @ answer if answer is not None else np.inf)
    facets = _Constraints(
        np.concatenate([limits.rows[working], np.eye(fit.size), -np.eye(fit.size)]),
        np.concatenate([limits.bounds[working], box, box]),
    )
    points = _sample(facets, z, seed)
    mean = points.mean(axis=0)
    high, low = np.split(np.asarray(extents), 2)
    offset = wanted @ mean
    final = fit + whitener @ mean
    grey, inside = (np.asarray(part) for part in _values(light, final, x, y))
    return Interval(
        fit=final,
        covariance=whitener @ np.cov(points.T) @ whitener.T,
        lowest=-low - offset,
        highest=high - offset,
        slack=slack,
        violated=violated_pixels(grey, np.broadcast_to(inside, grey.shape), image, slack=slack),
    )


@partial(jax.jit, static_argnames="light")
def _values(light: Light, fit: Array, x: Array, y: Array) -> tuple[Array, Array]:
    return light(fit, x, y)
