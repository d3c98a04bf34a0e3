"""Targets in file units: places in polar coordinates, differences of what is periodic, and how much a direction counts."""

import jax.numpy as jnp
from jax import Array

from lensjax.problems.base import Problem
from lensjax.problems.images import AnyProblem

_TINY = 1e-12  # px², below which a place has no direction


def to_polar(problem: AnyProblem, params: Array) -> Array:
    """Parameters (..., P) with each place (x, y) as its distance [px] and its direction [deg], in [0, 360)."""
    for i, k in _places(problem):
        x, y = params[..., i], params[..., k]
        square = x * x + y * y
        away = square > _TINY
        distance = jnp.where(away, jnp.sqrt(jnp.where(away, square, 1.0)), 0.0)
        direction = jnp.mod(jnp.rad2deg(jnp.arctan2(jnp.where(away, y, 0.0), jnp.where(away, x, 1.0))), 360.0)
        params = params.at[..., i].set(distance).at[..., k].set(jnp.where(direction < 360.0, direction, 0.0))
    return params


def from_polar(problem: AnyProblem, polar: Array) -> Array:
    """The inverse of `to_polar`."""
    for i, k in _places(problem):
        distance, direction = polar[..., i], jnp.deg2rad(polar[..., k])
        polar = polar.at[..., i].set(distance * jnp.cos(direction)).at[..., k].set(distance * jnp.sin(direction))
    return polar


def wrapped(problem: AnyProblem, difference: Array, *, polar: bool) -> Array:
    """Differences (..., P) of parameters, those of periodic ones brought to within half a period; `polar`: of what `to_polar` gives."""
    periods = list(problem.period)
    if polar:
        for _, k in _places(problem):
            periods[k] = 360.0
    length = jnp.asarray([period or 1.0 for period in periods], difference.dtype)
    periodic = jnp.asarray([period is not None for period in periods])
    return jnp.where(periodic, jnp.mod(difference + 0.5 * length, length) - 0.5 * length, difference)


def ellipticity_weights(problem: AnyProblem, params: Array) -> Array:
    """(..., P): for the direction of an ellipse of axis ratio q the ellipticity (1 − q)/(1 + q), for all else 1."""
    weights = jnp.ones_like(params)
    if isinstance(problem, Problem):
        first, second = (params[..., problem.names.index(name)] for name in ("sigma", "sigma2"))
        ellipticity = jnp.abs(first - second) / (first + second)
        return weights.at[..., problem.names.index("theta")].set(ellipticity)
    for q, phi, _ in problem.composition.round_shapes():
        weights = weights.at[..., phi].set((1.0 - params[..., q]) / (1.0 + params[..., q]))
    return weights


def _places(problem: AnyProblem) -> tuple[tuple[int, int], ...]:
    """Pairs of indices of x and y."""
    if isinstance(problem, Problem):
        return ((problem.names.index("x"), problem.names.index("y")),)
    return problem.composition.all_places
