"""Starts from the prior: of thousands of drawn systems those whose images look most like the one at hand.

Lenses of several members have no rough system that bright pixels would give. What they look like is drawn and rendered coarsely, once
for each problem and instrument (`kept`), and compared by the shape of the light: in few and wide cells, and whatever its flux.
"""

import logging
import threading
from dataclasses import replace
from functools import lru_cache, partial
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.infer import fit, kept
from lensjax.infer.fit import Belief
from lensjax.observation.instrument import Instrument
from lensjax.observation.observed import Observed
from lensjax.problems.compose import Composition

DRAWS = 20_000
"""Systems drawn for each problem and instrument."""

_log = logging.getLogger(__name__)
_one_at_a_time = threading.Lock()
_Image = TypeVar("_Image", Array, np.ndarray)
_SIDE, _CELL = 64, 4  # px on a side of the coarse images, and of a cell in which they are compared
_AT_ONCE = 1000  # systems in one call
_TOGETHER = 256  # of these, rendered together on an accelerator
_ABOVE = 2.0  # times the noise of a cell, below which its light does not count


def nearest(problem: Composition, observed: Observed, *, count: int, saturation: float | None = None) -> np.ndarray:
    """Numbers (count, E) of the drawn systems whose images are nearest to the observation, best first; (0, E) where no light is seen.

    Args:
        problem: what the image shows.
        observed: the observation.
        count: how many.
        saturation: largest value of a pixel, where the image was cut there; such pixels are compared as they are, not masked.
    """
    small = fit.coarse(observed, side=_SIDE)
    taken = replace(small.instrument, psf=None)
    mask = np.asarray(small.mask, np.float64)
    used = _cells(mask) > 0.5
    sigma = np.median(np.asarray(small.noise.sigma(small.data), np.float64)[mask > 0]) / _CELL if mask.any() else np.inf
    mine = _shape_of(_cells(np.asarray(small.data, np.float64) * mask)[None] - _ABOVE * sigma, used)
    if not mine.any():
        return np.zeros((0, problem.size))
    with _one_at_a_time:
        numbers, light = library(problem, taken, saturation)
    likeness = _shape_of(light, used) @ mine[0]
    return numbers[np.argsort(-likeness, kind="stable")[:count]]


def belief(problem: Composition) -> Belief:
    """What the prior says of the numbers: their mean and inverse variance over draws, as if each were normal and alone."""
    numbers = _numbers(problem)
    return Belief(jnp.asarray(numbers.mean(axis=0)), jnp.asarray(1.0 / numbers.var(axis=0)))


@lru_cache(maxsize=4)
def library(problem: Composition, taken: Instrument, saturation: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (N, E) of the drawn systems that are seen, and the light of their cells (N, h, w)."""
    program = jax.jit(partial(_rendered, problem, taken, saturation)).lower(_keys()[0])

    def drawn() -> tuple[np.ndarray, ...]:
        _log.info("drawing %d systems of %s to start from, once for images of this kind", DRAWS, problem.name)
        rendered = program.compile()
        parts = [rendered(keys) for keys in _keys()]
        return tuple(np.concatenate([np.asarray(part[k]) for part in parts]) for k in (0, 1))

    numbers, light = kept.arrays(f"{DRAWS} draws", program, drawn)
    seen = np.isfinite(light).all(axis=(1, 2)) & (light.max(axis=(1, 2)) > 0) & np.isfinite(numbers).all(axis=1)
    return numbers[seen].astype(np.float64), light[seen]


@lru_cache(maxsize=4)
def _numbers(problem: Composition) -> np.ndarray:
    drawn = jax.jit(lambda keys: jax.lax.map(lambda key: problem.encode(problem.draw(key)), keys, batch_size=_batch()))(_keys()[0])
    return np.asarray(drawn, np.float64)


def _keys() -> Array:
    """(N / 1000, 1000) keys, the same in every run."""
    return jax.random.split(jax.random.key(0), (DRAWS // _AT_ONCE, _AT_ONCE))


def _rendered(problem: Composition, taken: Instrument, saturation: float | None, keys: Array) -> tuple[Array, Array]:
    def one(key: Array) -> tuple[Array, Array]:
        params = problem.draw(key)
        image = problem.image(params, taken)
        return problem.encode(params), _cells(image if saturation is None else jnp.clip(image, 0.0, saturation))

    numbers, light = jax.lax.map(one, keys, batch_size=_batch())
    return numbers, light


def _batch() -> int | None:
    """Systems drawn at once: one by one on a CPU."""
    return None if jax.default_backend() == "cpu" else _TOGETHER


def _cells(image: _Image) -> _Image:
    """Means (h, w) over the cells of an image; rows and columns that fill none are left out."""
    rows, columns = (n // _CELL for n in image.shape)
    means: _Image = image[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL).mean(axis=(1, 3))
    return means


def _shape_of(light: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(N, C) of norm 1: the square roots of the light (N, h, w) of the cells that are used."""
    root = np.sqrt(np.maximum(light[:, used], 0.0))
    norm = np.linalg.norm(root, axis=1, keepdims=True)
    shape: np.ndarray = root / np.where(norm > 0, norm, 1.0)
    return shape
