"""Endless training data: a batch for each problem, key and step, rendered where it is used and never stored; and exact images for tests."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.conventions import GREY_LEVELS
from lensjax.observation.detector import quantise
from lensjax.problems.base import Conditions, Problem
from lensjax.simulate import in_chunks

MIXED = "mixed"
"""A method of configs in addition to `simulate.METHODS`: half of the images within the convergence ring, half whole."""


def batch(
    problem: Problem, key: Array, step: Array | int, *, batch_size: int, targets: str = "encoded", mixed: bool = False
) -> dict[str, Array]:
    """The batch of one step; pure, and the same for any number of devices.

    Args:
        problem: prior of the systems, and how their images are taken.
        key: the run's key; the batch's own is fold_in(key, step).
        step: step number; it may be traced.
        batch_size: images in the batch, B.
        targets: "encoded" for the problem's encoding, "raw" for file units.
        mixed: whether half of the images, chosen at random, are rendered without the window of the problem's trace.

    Returns:
        {"image": (B, n, n, 1) in 0…1, "params": (B, P) in file units, "target": (B, E) or (B, P)}, all float32. Images at the
        field's own resolution are rounded to 8 bit; coarser ones are averages of many pixels, and are not rounded.
    """
    params, shown = draw(problem, key, step, batch_size=batch_size, mixed=mixed)
    return as_batch(problem, params, render(problem, params, shown), targets=targets)


def draw(problem: Problem, key: Array, step: Array | int, *, batch_size: int, mixed: bool = False) -> tuple[Array, Conditions]:
    """What `batch` renders: parameters (B, P) in file units, and what each image is taken under (B, ...)."""
    draw_key, shown_key = jax.random.split(jax.random.fold_in(key, step))
    return problem.sample(draw_key, batch_size), problem.conditions(shown_key, batch_size, mixed=mixed)


def render(problem: Problem, params: Array, shown: Conditions) -> Array:
    """Images (B, n, n) in grey levels of what `draw` drew; each depends on its own row alone, except for rounding."""
    images: Array = in_chunks(lambda row: problem.record(*row), (params, shown))
    return images


def as_batch(problem: Problem, params: Array, image: Array, *, targets: str = "encoded") -> dict[str, Array]:
    """The dictionary that `batch` returns."""
    target = problem.encode(params) if targets == "encoded" else params
    return {"image": image[..., None] / GREY_LEVELS, "params": params, "target": target}


def exact_images(problem: Problem, key: Array, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws from the prior and their 8-bit images, rendered in float64, so that no pixel is rounded to the wrong grey level.

    Returns:
        Parameters (n, P) float64 in file units, and whole grey levels (n, size, size) float32.
    """
    with jax.enable_x64(True):
        params = jax.jit(problem.sample, static_argnums=1)(key, n).astype(jnp.float64)
        images = quantise(jax.jit(problem.render_batch)(params))
        return np.asarray(params), np.asarray(images, np.float32)
