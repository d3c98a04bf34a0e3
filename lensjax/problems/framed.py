"""Parameters in the frame of an image (see `observation.frame`) and back: what turns and grows with the image does so, the rest stays.

And parameters of an image that is mirrored, turned and moved.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from lensjax.observation.frame import Frame
from lensjax.problems.amplitudes import SIZES, Answered
from lensjax.problems.base import Problem, Symmetry


class Change(NamedTuple):
    """What is done to an image: it is mirrored, then turned about the origin, then moved; scalars.

    Attributes:
        mirrored: whether y becomes −y.
        cos, sin: of the angle by which it is turned, anticlockwise.
        x, y: by how much it is moved, in the unit of the problem's places.
    """

    mirrored: Array
    cos: Array
    sin: Array
    x: Array
    y: Array


def into_frame(problem: Answered, params: Array, frame: Frame) -> Array:
    """Parameters (P,) of an image as they are in its frame, (P,); lengths are in twentieths of the field per spread of the light."""
    return _moved(problem, params, frame, back=False)


def out_of_frame(problem: Answered, params: Array, frame: Frame) -> Array:
    """The inverse of `into_frame`; directions are in [0, period)."""
    return _moved(problem, params, frame, back=True)


def changed(problem: Problem, params: Array, change: Change) -> Array:
    """Parameters (P,) of an image after a change, which moves movable problems alone; directions are in [0, period)."""
    symmetry = problem.symmetry
    params = jnp.where(change.mirrored, _mirrored(symmetry, params), params)
    return _shifted(symmetry, _turned(symmetry, params, change.cos, change.sin), change.x, change.y)


def changed_back(problem: Answered, params: Array, change: Change) -> Array:
    """Parameters (P,) of an image as they were before it was mirrored and turned, without a move: the inverse of `changed`."""
    symmetry = problem.symmetry
    params = _turned(symmetry, params, change.cos, -change.sin)
    return jnp.where(change.mirrored, _turned(symmetry, _mirrored(symmetry, params), jnp.ones(()), jnp.zeros(())), params)


def enlargement(problem: Answered, frame: Frame) -> Array:
    """Factor from lengths of the image to those in its frame."""
    return problem.side / SIZES / frame.size


def _moved(problem: Answered, params: Array, frame: Frame, *, back: bool) -> Array:
    symmetry = problem.symmetry
    grown = enlargement(problem, frame)
    # The steps are taken in the opposite order on the way back.
    if not back:
        params = _shifted(symmetry, params, -frame.x, -frame.y)
        return _turned(symmetry, params, frame.cos, -frame.sin) * _factors(symmetry, grown)
    params = _turned(symmetry, params * _factors(symmetry, 1.0 / grown), frame.cos, frame.sin)
    return _shifted(symmetry, params, frame.x, frame.y)


def _factors(symmetry: Symmetry, grown: Array) -> Array:
    return jnp.stack([grown**power for power in symmetry.powers])


def _turned(symmetry: Symmetry, params: Array, cos: Array, sin: Array) -> Array:
    """Parameters (P,) of an image turned by the angle of this cosine and sine."""
    powers = [(cos, sin)]  # of cos + i sin
    for _ in range(1, max((times for _, times in symmetry.spins), default=1)):
        real, imaginary = powers[-1]
        powers.append((real * cos - imaginary * sin, real * sin + imaginary * cos))
    for (i, k), times in symmetry.spins:
        params = _rotated(params, i, k, *powers[times - 1])
    degrees = jnp.rad2deg(jnp.arctan2(sin, cos))
    for i in symmetry.angles:
        period = symmetry.periods[i] or 360.0
        turned = jnp.mod(params[i] + degrees, period)
        params = params.at[i].set(jnp.where(turned < period, turned, 0.0))  # mod can round up to the period
    return params


def _mirrored(symmetry: Symmetry, params: Array) -> Array:
    """Parameters (P,) of an image whose y became −y; the turn that follows brings directions into their period."""
    for _, k in (pair for pair, _ in symmetry.spins):
        params = params.at[k].multiply(-1.0)
    for k in symmetry.angles:
        params = params.at[k].multiply(-1.0)
    return params


def _rotated(params: Array, i: int, k: int, cos: Array, sin: Array) -> Array:
    first, second = params[i], params[k]
    return params.at[i].set(cos * first - sin * second).at[k].set(sin * first + cos * second)


def _shifted(symmetry: Symmetry, params: Array, x: Array, y: Array) -> Array:
    """Parameters (P,) of an image moved by (x, y); shear about the middle moves what lies behind it by less or by more."""
    shear = sum((params[jnp.array(pair)] for pair in symmetry.shears), start=jnp.zeros(2, params.dtype))
    for (i, k), behind in symmetry.movable:
        by_shear = jnp.stack([shear[0] * x + shear[1] * y, shear[1] * x - shear[0] * y]) if behind else jnp.zeros(2, params.dtype)
        params = params.at[i].add(x - by_shear[0]).at[k].add(y - by_shear[1])
    return params
