"""One step of training: a batch in parts."""

import dataclasses

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest

from lensjax.errors import BadInput
from lensjax.train import TrainConfig, sharding
from lensjax.train.config import make_problem
from lensjax.train.state import init_state, keys
from lensjax.train.step import make_train_step

CONFIG = TrainConfig(image_size=20, method="ring", batch_size=12, steps=4)


class Plain(nn.Module):
    """A network without normalisation or dropout, whose gradient is the mean of those of its images."""

    num_outputs: int = 6

    @nn.compact
    def __call__(self, image, *, train):
        return nn.Dense(self.num_outputs)(nn.tanh(nn.Dense(16)(image.reshape(image.shape[0], -1))))


class Counting(nn.Module):
    """Counts the batches that it has seen."""

    num_outputs: int = 6

    @nn.compact
    def __call__(self, image, *, train):
        seen = self.variable("batch_stats", "seen", lambda: np.float32(0))
        if train and not self.is_initializing():
            seen.value = seen.value + 1
        return nn.Dense(self.num_outputs)(image.reshape(image.shape[0], -1))


def after_two_steps(model: nn.Module, config: TrainConfig):
    """State and losses of two steps of plain gradient descent."""
    optimizer = optax.sgd(0.1)
    mesh = sharding.make_mesh(jax.devices()[:1])
    step = make_train_step(config, make_problem(config), model, optimizer, mesh)
    run_keys = keys(3)
    state, losses = init_state(model, optimizer, run_keys.init, image_size=config.image_size, ema=0.0), []
    for _ in range(2):
        state, loss = step(state, run_keys)
        losses.append(float(loss))
    return state, losses


@pytest.mark.slow
def test_a_batch_in_parts_has_the_loss_and_gradient_of_the_whole() -> None:
    whole, losses = after_two_steps(Plain(), CONFIG)
    parts, same = after_two_steps(Plain(), dataclasses.replace(CONFIG, accumulate=3))
    assert same == pytest.approx(losses, rel=1e-5) and losses[0] != losses[1]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6), parts.params, whole.params)


@pytest.mark.slow
def test_every_part_moves_the_running_statistics() -> None:
    state, _ = after_two_steps(Counting(), dataclasses.replace(CONFIG, accumulate=4))
    assert int(state.step) == 2 and float(state.batch_stats["seen"]) == 8.0


def test_parts_that_do_not_divide_the_batch_are_refused() -> None:
    with pytest.raises(BadInput, match="accumulate: the value is 5; expected a divisor of batch_size, 12"):
        dataclasses.replace(CONFIG, accumulate=5)

    class Eight:
        size = 8

    with pytest.raises(BadInput, match="expected a multiple of 8, the number of devices, times accumulate, 3"):
        sharding.check_batch(64, Eight(), accumulate=3)  # type: ignore[arg-type]
