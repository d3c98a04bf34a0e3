"""Targets in file units: places in polar coordinates, differences of what is periodic, and how much a direction counts."""

import jax.numpy as jnp
from jax import Array

from lensjax.problems.base import Problem

_TINY = 1e-12  # px², below which a place has no direction


def to_polar(problem: Problem, params: Array) -> Array:
    """Parameters (..., P) with each place (x, y) as its distance [px] and its direction [deg], in [0, 360)."""
    for i, k in problem.places:
        x, y = params[..., i], params[..., k]
        square = x * x + y * y
        away = square > _TINY
        distance = jnp.where(away, jnp.sqrt(jnp.where(away, square, 1.0)), 0.0)
        direction = jnp.mod(jnp.rad2deg(jnp.arctan2(jnp.where(away, y, 0.0), jnp.where(away, x, 1.0))), 360.0)
        params = params.at[..., i].set(distance).at[..., k].set(jnp.where(direction < 360.0, direction, 0.0))
    return params


def from_polar(problem: Problem, polar: Array) -> Array:
    """The inverse of `to_polar`."""
    for i, k in problem.places:
        distance, direction = polar[..., i], jnp.deg2rad(polar[..., k])
        polar = polar.at[..., i].set(distance * jnp.cos(direction)).at[..., k].set(distance * jnp.sin(direction))
    return polar


def wrapped(problem: Problem, difference: Array, *, polar: bool) -> Array:
    """Differences (..., P) of parameters, those of periodic ones brought to within half a period; `polar`: of what `to_polar` gives."""
    periods = list(problem.period)
    if polar:
        for _, k in problem.places:
            periods[k] = 360.0
    length = jnp.asarray([period or 1.0 for period in periods], difference.dtype)
    periodic = jnp.asarray([period is not None for period in periods])
    return jnp.where(periodic, jnp.mod(difference + 0.5 * length, length) - 0.5 * length, difference)


def ellipticity_weights(problem: Problem, params: Array) -> Array:
    """(..., P): for the direction of an ellipse of axis ratio q the ellipticity (1 − q)/(1 + q), for all else 1."""
    weights = jnp.ones_like(params)
    for k, ellipticity in problem.ellipticities(params):
        weights = weights.at[..., k].set(ellipticity)
    return weights
