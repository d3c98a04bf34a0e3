"""Optimizers, schedules and losses, each looked up by name; and layers that learn more slowly or not at all."""

from collections.abc import Callable
from typing import Any

import jax
import optax

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
    "step": step,
    "thesis": thesis,
}


def schedule(name: str, *, peak: float, steps: int, warmup_steps: int = 0) -> optax.Schedule:
    """Learning rate by step: linear from zero over the warm-up, then the named schedule over the remaining steps."""
    after = SCHEDULES[name](peak, steps - warmup_steps)
    if warmup_steps == 0:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup_steps), after], [warmup_steps])


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


# The constants are PyTorch's defaults; sgd has the usual momentum.
OPTIMIZERS: dict[str, Callable[[optax.Schedule, float], optax.GradientTransformation]] = {
    "adam": _coupled(optax.scale_by_adam),
    "adamw": adamw,
    "lion": lion,
    "rmsprop": _coupled(lambda: optax.scale_by_rms(decay=0.99, eps=1e-8, eps_in_sqrt=False)),
    "sgd": _coupled(lambda: optax.trace(decay=0.9)),
}


def by_layer(
    direction: optax.GradientTransformation, *, frozen: str = "", slowed: str = "", factor: float = 0.1
) -> optax.GradientTransformation:
    """`direction`, except that some layers learn at `factor` times its rate, and some not at all.

    Args:
        direction: update of the other layers.
        frozen: regular expression for the beginning of the names of parameters that stay constant, such as "features.(0|3)"; empty for
            none. A name is the path of a parameter, joined by dots. Running statistics of normalisations are updated all the same.
        slowed: the same for parameters that learn more slowly.
        factor: of their rate.

    Raises:
        BadInput: at initialisation, where an expression matches no parameter's name.
    """
    if not (frozen or slowed):
        return direction

    def labels(params: optax.Params) -> Any:
        still, slow = matched(params, frozen, field="frozen"), matched(params, slowed, field="slowed")
        return jax.tree.map(lambda still, slow: "frozen" if still else "slowed" if slow else "learning", still, slow)

    slower = optax.chain(direction, optax.scale(factor))
    return optax.partition({"frozen": optax.set_to_zero(), "slowed": slower, "learning": direction}, labels)
