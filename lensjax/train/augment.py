"""Images of files, mirrored, turned and moved at random, and their parameters with them: inside the training step, keyed by it."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.problems.base import Problem
from lensjax.problems.framed import Change, changed

KINDS = ("none", "exact", "any")
"""No change; quarter turns, mirroring and whole pixels; the same with turns by any angle, whose pixels are interpolated."""

_REACH = 1 / 32  # of an image's side, by which it is moved to either side at most


class FromFile(NamedTuple):
    """Images (B, n, n) in grey levels, and what is done to each (B,); None for nothing."""

    image: Array
    change: Change | None = None


def draw(problem: Problem, key: Array, *, count: int, size: int, kind: str) -> Change | None:
    """What is done to each of `count` images of `size` pixels on a side, (count,); None for kind "none"."""
    if kind == "none":
        return None
    mirror_key, turn_key, move_key = jax.random.split(key, 3)
    if kind == "exact":
        turn = jax.random.randint(turn_key, (count,), 0, 4)
        cos, sin = jnp.array([1.0, 0.0, -1.0, 0.0])[turn], jnp.array([0.0, 1.0, 0.0, -1.0])[turn]
    else:
        angle = jax.random.uniform(turn_key, (count,), maxval=2.0 * jnp.pi)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
    most = round(size * _REACH) if problem.movable else 0
    steps = jax.random.randint(move_key, (2, count), -most, most + 1).astype(jnp.float32) * (problem.side / size)
    return Change(jax.random.bernoulli(mirror_key, shape=(count,)), cos, sin, steps[0], steps[1])


def taken(problem: Problem, params: Array, shown: FromFile) -> tuple[Array, Array]:
    """Parameters (B, P) and images (B, n, n) after the change."""
    if shown.change is None:
        return params, shown.image
    images = jax.vmap(lambda image, change: changed_image(problem, image, change))(shown.image, shown.change)
    return jax.vmap(lambda row, change: changed(problem, row, change))(params, shown.change), images


def changed_image(problem: Problem, image: Array, change: Change) -> Array:
    """An image (n, n) after a change: bilinear, and so exact where pixels fall on pixels; beyond the edge as at the edge."""
    x, y = replace(problem.view(image.shape[-1]), supersampling=1).points()  # from the origin about which images turn
    dx, dy = x - change.x, y - change.y
    from_x, from_y = change.cos * dx + change.sin * dy, change.cos * dy - change.sin * dx
    from_y = jnp.where(change.mirrored, -from_y, from_y)
    step = x[0, 1] - x[0, 0]
    places = [(y[0, 0] - from_y) / step, (from_x - x[0, 0]) / step]
    moved: Array = jax.scipy.ndimage.map_coordinates(image, places, order=1, mode="nearest")
    return moved
