"""Means and variances of batch normalisations, taken anew for the weights that a network is evaluated with.

In training a normalisation has the statistics of its batch, in an evaluation running averages of earlier batches. These lag behind the
weights, and more so behind an average of them: a network that learns fast may be far worse in evaluation than in training. So each
evaluation first takes the statistics of images trained on, with the weights held (Wu & Johnson 2021, arXiv:2105.07576, section 3).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax.linen import Module
from jax import Array
from jax.sharding import Mesh

from lensjax.problems.base import Problem
from lensjax.train import evaluation, sharding
from lensjax.train.config import TrainConfig
from lensjax.train.feed import Feed
from lensjax.train.standard import Standard
from lensjax.train.state import Keys
from lensjax.train.step import Render, make_render_given

IMAGES = 1024
"""Images, at most, that statistics are taken of; no more than an evaluation has."""

Statistics = Callable[[Any, int], Any]
"""(variables, step) → their "batch_stats", those of batch normalisations of images trained on before that step."""

_NAMES = frozenset(("mean", "var"))  # of one normalisation


def of_stream(config: TrainConfig, render: Render, model: Module, mesh: Mesh, run_keys: Keys) -> Statistics:
    """Statistics of the images of the last steps, as `step.make_render` renders them."""
    return _of(config, model, mesh, run_keys, lambda steps: (render(run_keys.stream, jnp.int32(step))["input"] for step in steps))


def of_data(
    config: TrainConfig, problem: Problem, model: Module, mesh: Mesh, feed: Feed, standard: Standard | None, run_keys: Keys
) -> Statistics:
    """Statistics of the training images of the last steps, as they are in the files."""
    render = make_render_given(config, problem, mesh, standard=standard)
    return _of(config, model, mesh, run_keys, lambda steps: map(render, feed.again(steps)))


def _of(config: TrainConfig, model: Module, mesh: Mesh, run_keys: Keys, inputs: Callable[[list[int]], Iterable[Array]]) -> Statistics:
    count = -(-min(IMAGES, config.eval_size) // config.batch_size)

    def moments(variables: Any, images: Array) -> Any:
        """Means and mean squares of a batch, of each normalisation."""
        if config.accumulate == 1:
            return _moments(model, variables, images, run_keys.dropout)
        each = jax.lax.map(lambda part: _moments(model, variables, part, run_keys.dropout), images)
        return jax.tree.map(lambda leaf: leaf.mean(axis=0), each)

    of_batch = jax.jit(moments, out_shardings=sharding.replicated(mesh))
    finished = jax.jit(_finished, out_shardings=sharding.replicated(mesh))

    def taken(variables: Any, step: int) -> Any:
        if not has_normalisations(variables["batch_stats"]):
            return variables["batch_stats"]
        total, batches = None, 0
        for images in inputs(evaluation.recent_steps(step, count)):
            own = of_batch(variables, images)
            total, batches = own if total is None else jax.tree.map(jnp.add, total, own), batches + 1
        return finished(total, batches)

    return taken


def has_normalisations(stats: Any) -> bool:
    """Whether a network's statistics have those of a batch normalisation."""
    return isinstance(stats, Mapping) and (set(stats) == _NAMES or any(map(has_normalisations, stats.values())))


def _each(function: Callable[..., Any], stats: Any, *others: Any) -> Any:
    """`function` of each normalisation's statistics, and of the same ones of other trees; all else is that of the first tree."""
    if not isinstance(stats, Mapping):
        return stats
    if set(stats) == _NAMES:
        return function(stats, *others)
    return {name: _each(function, part, *(other[name] for other in others)) for name, part in stats.items()}


def _moments(model: Module, variables: Any, images: Array, dropout: Array) -> Any:
    """Means and mean squares of a batch, in the place of a network's statistics.

    A running average keeps a part of what it was, and takes the rest from the batch. How much it keeps is its derivative by what it was.
    """
    stats = variables["batch_stats"]

    def after(before: Any) -> Any:
        _, updates = model.apply(
            {"params": variables["params"], "batch_stats": before},
            images,
            train=True,
            rngs={"dropout": dropout},
            mutable=["batch_stats", "auxiliary"],
        )
        return updates["batch_stats"]

    nothing, unit = (_each(lambda own, fill=fill: jax.tree.map(lambda leaf: jnp.full_like(leaf, fill), own), stats) for fill in (0.0, 1.0))
    part, kept = jax.jvp(after, (nothing,), (unit,))

    def of_batch(own: Any, before: Any) -> Any:
        mean, variance = (own[name] / (1.0 - before[name]) for name in ("mean", "var"))
        return {"mean": mean, "var": variance + mean * mean}

    return _each(of_batch, part, kept)


def _finished(total: Any, batches: int) -> Any:
    """Means and variances over all batches, of the sums of means and mean squares."""

    def over_all(own: Any) -> Any:
        mean, square = own["mean"] / batches, own["var"] / batches
        return {"mean": mean, "var": jnp.maximum(square - mean * mean, 0.0)}

    return _each(over_all, total)
