"""The initial weights of a run: exported ones of the same network, whose last layer may answer something else."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from flax.linen import Module
from jax import Array

from lensjax.errors import BadInput
from lensjax.train import config as configs
from lensjax.train import heads
from lensjax.train.config import TrainConfig
from lensjax.train.export import load_weights, read_config


def load(config: TrainConfig, model: Module) -> dict[str, Any]:
    """The weights of `config.init`; tensors of the last layer may have another number of outputs than the model's.

    Raises:
        BadInput: they are of another network, or cannot be read.
    """
    theirs = read_config(Path(config.init)).model
    if theirs != config.model:
        raise BadInput(f"weights of {theirs}", path=config.init, column="init", expected=f"weights of {config.model}")
    side, _, _ = configs.make_task(config, configs.make_problem(config)).input_shape
    return load_weights(Path(config.init), model=model, image_size=side, other_head=True)[0]


def joined(config: TrainConfig, weights: dict[str, Any], fresh: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Weights that `load` read, with a last layer that has the model's outputs, and a notice where that layer is new.

    Where weights of a head that says one point begin a Gaussian or mixture head of the same targets, its means are that point.

    Args:
        config: of the run.
        weights: what `load` read.
        fresh: random weights of the model, of the same structure.
    """
    if jax.tree.map(jnp.shape, weights) == jax.tree.map(jnp.shape, fresh):
        return weights, ""
    theirs = read_config(Path(config.init))
    means = theirs.head == "point" and config.head != "point" and configs.same_targets(theirs, config)

    def last(own: Array, new: Array) -> Array:
        return heads.continued(config.head, own, new, components=config.components) if means else new

    whole = jax.tree.map(lambda own, new: own if own.shape == new.shape else last(own, new), weights, fresh)
    if means:
        return whole, "the last layer is new but for its means, which are those of the initial weights"
    return whole, "the last layer is new: that of the initial weights has another number of outputs"
