"""The state of a run between two steps."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax.linen import Module
from jax import Array

from lensjax import models
from lensjax._internal.tree import register
from lensjax.train import layers, optim
from lensjax.train.hard import Hardest


@register
@dataclass(frozen=True)
class TrainState:
    """State of a run after `step` steps. State and config together determine all later steps.

    Attributes:
        step: steps done, int32 scalar.
        params: the network's parameters, float32.
        batch_stats: running statistics of its normalisations, float32; an empty dictionary without normalisations.
        opt_state: the optimizer's state.
        average: moving average of {"params", "batch_stats"}, float32; None without one.
        hardest: the systems with the largest losses of late; None in a run that does not train on them.
        loss_sum: sum of the loss over the steps since the last evaluation was due, float32 scalar.
        first_bad: first step whose loss or gradient was not finite, int32 scalar; -1 where all were finite.
    """

    step: Array
    params: Any
    batch_stats: Any
    opt_state: Any
    average: Any
    hardest: Hardest | None
    loss_sum: Array
    first_bad: Array

    @property
    def variables(self) -> dict[str, Any]:
        """The network's variables for estimates: the moving average, if the run or its optimizer keeps one."""
        if self.average is not None:
            average: dict[str, Any] = self.average
            return average
        return {"params": optim.averaged(self.opt_state, self.params), "batch_stats": self.batch_stats}

    def with_statistics(self, batch_stats: Any) -> "TrainState":
        """The state with other statistics beside the variables for estimates."""
        if self.average is not None:
            return replace(self, average={**self.average, "batch_stats": batch_stats})
        return replace(self, batch_stats=batch_stats)

    @property
    def saved(self) -> dict[str, Any]:
        """The fields as a checkpoint has them: without hard systems in a run without them, as in checkpoints from before there were any."""
        return {name: value for name, value in vars(self).items() if not (name == "hardest" and value is None)}


@register
@dataclass(frozen=True)
class Keys:
    """The run's random keys, one for each purpose; steps fold their number into them."""

    init: Array
    stream: Array
    dropout: Array
    evaluation: Array
    hard: Array


def keys(seed: int) -> Keys:
    """The keys of a seed."""
    root = jax.random.key(seed)
    return Keys(*(jax.random.fold_in(root, purpose) for purpose in range(5)))


def with_smaller_head(model: Module, variables: dict[str, Any], *, factor: float) -> dict[str, Any]:
    """Variables with the weights and biases of the last layers times `factor`."""
    heads = models.head_names(model)

    def scaled(path: tuple[Any, ...], leaf: Array) -> Array:
        return factor * leaf if ".".join(str(entry.key) for entry in path[:-1]) in heads else leaf

    return {**variables, "params": jax.tree_util.tree_map_with_path(scaled, variables["params"])}


def init_state(
    model: Module,
    optimizer: optax.GradientTransformation,
    key: Array,
    *,
    image_size: int,
    in_channels: int = 1,
    ema: float,
    head_scale: float = 1.0,
    zeroed: str = "",
    hardest: Hardest | None = None,
) -> TrainState:
    """The state before the first step: sides and channels of the network's input, fields of a `TrainConfig`, and hard systems."""
    variables = layers.init_variables(model, key, image_size=image_size, in_channels=in_channels)
    if head_scale != 1:
        variables = with_smaller_head(model, variables, factor=head_scale)
    variables["params"] = layers.zeroed(variables["params"], zeroed)
    return TrainState(
        step=jnp.int32(0),
        opt_state=optimizer.init(variables["params"]),
        average=jax.tree.map(jnp.copy, variables) if ema else None,
        hardest=hardest,
        loss_sum=jnp.float32(0),
        first_bad=jnp.int32(-1),
        **variables,
    )
