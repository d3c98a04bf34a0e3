"""Optimizers, schedules and losses, each looked up by name; and layers that learn more slowly or not at all.

Updates take the loss of the step as `value`, which the schedule "plateau" reads.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax
import optax.contrib

from lensjax.train.config import PLATEAU, SCHEDULE_FREE, TrainConfig
from lensjax.train.layers import matched


def constant(peak: float, steps: int) -> optax.Schedule:
    """The same rate throughout."""
    return optax.constant_schedule(peak)


def cosine(peak: float, steps: int) -> optax.Schedule:
    """Half a cosine from the peak to zero."""
    return optax.cosine_decay_schedule(peak, steps)


def thesis(peak: float, steps: int) -> optax.Schedule:
    """The peak for the first half of the steps, a tenth of it for the second."""
    return optax.piecewise_constant_schedule(peak, {steps // 2: 0.1})


def step(peak: float, steps: int) -> optax.Schedule:
    """A tenth of the rate after each of 30, 60 and 90 % of the steps, as for ResNet (He et al. 2016)."""
    return optax.piecewise_constant_schedule(peak, {round(share * steps): 0.1 for share in (0.3, 0.6, 0.9)})


SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "constant": constant,
    "cosine": cosine,
    PLATEAU: constant,  # but for `on_plateau`
    "step": step,
    "thesis": thesis,
}


def schedule(name: str, *, peak: float, steps: int, warmup_steps: int = 0) -> optax.Schedule:
    """Learning rate by step: linear from zero over the warm-up, then the named schedule over the remaining steps."""
    after = SCHEDULES[name](peak, steps - warmup_steps)
    if warmup_steps == 0:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup_steps), after], [warmup_steps])


def on_plateau(interval: int) -> optax.GradientTransformationExtraArgs:
    """Halves the updates, for good, after 3 intervals in a row whose mean loss is not the lowest yet.

    Its state, with the losses of an unfinished interval, is part of the optimizer's.

    Args:
        interval: steps of an interval.
    """
    return optax.contrib.reduce_on_plateau(factor=0.5, patience=3, accumulation_size=interval)


def kernels(params: optax.Params) -> optax.Params:
    """Which parameters decay: those with two axes or more, not biases and scales."""
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _coupled(
    direction: Callable[[], optax.GradientTransformation],
) -> Callable[[optax.Schedule, float], optax.GradientTransformation]:
    """The decay enters the gradient, as L2 regularisation does (PyTorch's `weight_decay`)."""

    def make(rate: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
        decay = [optax.add_decayed_weights(weight_decay, mask=kernels)] if weight_decay else []
        return optax.chain(*decay, direction(), optax.scale_by_learning_rate(rate))

    return make


def adamw(rate: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """Adam with decoupled decay (Loshchilov & Hutter 2019)."""
    return optax.adamw(rate, weight_decay=weight_decay, mask=kernels)


def lion(rate: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """Lion (Chen et al. 2023): the sign of a moving average, with decoupled decay; its rate is 3 to 10 times smaller than Adam's."""
    return optax.lion(rate, weight_decay=weight_decay, mask=kernels)


def schedule_free_adamw(rate: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """Schedule-free AdamW (Defazio et al. 2024): an average of the parameters takes the place of a falling rate.

    The parameters of a step, at which gradients are taken, are nine tenths the average and one tenth the newest. The average itself,
    `averaged`, is what to evaluate. The constants are the authors'.
    """
    base = optax.chain(
        optax.scale_by_rms(decay=0.999, eps=1e-8, eps_in_sqrt=False, bias_correction=True),
        optax.add_decayed_weights(weight_decay, mask=kernels),
        optax.scale_by_learning_rate(rate),
    )
    return optax.contrib.schedule_free(base, rate, b1=0.9)


def averaged(state: optax.OptState, params: optax.Params) -> optax.Params:
    """The parameters to evaluate: the average that a schedule-free optimizer keeps; `params` themselves with any other.

    Args:
        state: the optimizer's state, with or without `by_layer`.
        params: the parameters at which gradients are taken.
    """

    def is_own(node: Any) -> bool:
        return isinstance(node, optax.contrib.ScheduleFreeState)

    def is_absent(node: Any) -> bool:
        return isinstance(node, optax.MaskedNode)

    for own in filter(is_own, jax.tree.leaves(state, is_leaf=is_own)):
        theirs = jax.tree.map(lambda z, leaf: z if is_absent(z) else leaf, own.z, params, is_leaf=is_absent)
        average = optax.contrib.schedule_free_eval_params(own, theirs)
        params = jax.tree.map(lambda new, leaf: leaf if is_absent(new) else new, average, params, is_leaf=is_absent)
    return params


# The constants are PyTorch's defaults; sgd has the usual momentum.
OPTIMIZERS: dict[str, Callable[[optax.Schedule, float], optax.GradientTransformation]] = {
    "adam": _coupled(optax.scale_by_adam),
    "adamw": adamw,
    "lion": lion,
    "rmsprop": _coupled(lambda: optax.scale_by_rms(decay=0.99, eps=1e-8, eps_in_sqrt=False)),
    SCHEDULE_FREE: schedule_free_adamw,
    "sgd": _coupled(lambda: optax.trace(decay=0.9)),
}


def by_layer(
    direction: optax.GradientTransformation, slower: optax.GradientTransformation, *, frozen: str = "", slowed: str = ""
) -> optax.GradientTransformation:
    """`direction`, except that some layers learn by `slower`, and some not at all.

    Args:
        direction: update of the other layers.
        slower: update of the slowed ones.
        frozen: regular expression for the beginning of the names of parameters that stay constant, such as "features.(0|3)"; empty for
            none. A name is the path of a parameter, joined by dots. Running statistics of normalisations are updated all the same.
        slowed: the same for parameters that learn more slowly.

    Raises:
        BadInput: at initialisation, where an expression matches no parameter's name.
    """
    if not (frozen or slowed):
        return direction

    def labels(params: optax.Params) -> Any:
        still, slow = matched(params, frozen, field="frozen"), matched(params, slowed, field="slowed")
        return jax.tree.map(lambda still, slow: "frozen" if still else "slowed" if slow else "learning", still, slow)

    return optax.partition({"frozen": optax.set_to_zero(), "slowed": slower, "learning": direction}, labels)


def make_schedule(config: TrainConfig) -> optax.Schedule:
    """The learning rate by step, counted from 0."""
    return schedule(config.schedule, peak=config.learning_rate, steps=config.steps, warmup_steps=config.warmup_steps)


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """The run's optimizer, with schedule, rates of the layers, and clipping; its update takes the step's loss as `value`."""
    rate = make_schedule(config)
    make = OPTIMIZERS[config.optimizer]
    slower = make(lambda step: config.slow_factor * rate(step), config.weight_decay)
    parts = [by_layer(make(rate, config.weight_decay), slower, frozen=config.frozen, slowed=config.slowed)]
    if config.clip_norm:
        parts.insert(0, optax.clip_by_global_norm(config.clip_norm))
    if config.schedule == PLATEAU:
        parts.append(on_plateau(config.eval_every))
    return optax.chain(*parts) if len(parts) > 1 else parts[0]
