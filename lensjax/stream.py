"""Endless training data: problem, key and step give a batch, rendered where it is used and never stored."""

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.conventions import GREY_LEVELS
from lensjax.image.detector import quantise
from lensjax.problems import Problem
from lensjax.simulate import in_chunks


def batch(
    problem: Problem, key: Array, step: Array | int, *, batch_size: int, targets: str = "encoded"
) -> dict[str, Array]:
    """The batch of one step; pure, and the same however many devices share the work.

    Args:
        problem: what is drawn and how it is seen.
        key: the run's key; the batch's own is fold_in(key, step).
        step: step number, may be traced.
        batch_size: images in the batch, B.
        targets: "encoded" for the problem's encoding, "raw" for file units.

    Returns:
        {"image": (B, n, n, 1) in 0…1, "params": (B, P) in file units, "target": (B, E) or (B, P)}, all float32. Images at the
        field's own resolution are rounded to 8 bit; coarser ones are averages of many rounded pixels, and are not.
    """
    draw_key, window_key = jax.random.split(jax.random.fold_in(key, step))
    params = problem.sample(draw_key, batch_size)
    if problem.method == "mixed":
        whole = jax.random.bernoulli(window_key, shape=(batch_size,))
        reach = jnp.where(whole, jnp.inf, 0.0).astype(params.dtype)
    else:
        reach = jnp.zeros((batch_size,), params.dtype)
    image = in_chunks(lambda row: problem.render(row[0], reach=row[1]), (params, reach))
    if problem.image_size == problem.field:
        image = quantise(image)
    target = problem.encode(params) if targets == "encoded" else params
    return {"image": image[..., None] / GREY_LEVELS, "params": params, "target": target}
