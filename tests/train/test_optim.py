import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lensjax.errors import BadInput
from lensjax.train import optim


def rates(name, steps, **options):
    rate = optim.schedule(name, peak=2.0, steps=steps, **options)
    return np.array([float(rate(step)) for step in range(steps + 1)])


def test_constant_is_constant():
    np.testing.assert_array_equal(rates("constant", 5), 2.0)


def test_thesis_falls_to_a_tenth_at_half():
    values = rates("thesis", 10)
    np.testing.assert_allclose(values[:5], 2.0)
    np.testing.assert_allclose(values[5:], 0.2, rtol=1e-6)


def test_step_falls_three_times():
    values = rates("step", 20)
    np.testing.assert_allclose(values[[0, 5, 6, 11, 12, 17, 18, 20]], [2.0, 2.0, 0.2, 0.2, 0.02, 0.02, 0.002, 0.002], rtol=1e-5)


def test_lion_takes_steps_of_the_rate_whatever_the_gradient():
    optimizer = optim.OPTIMIZERS["lion"](optax.constant_schedule(0.1), 0.0)
    params = {"w": jnp.zeros((1, 3))}
    updates, _ = optimizer.update({"w": jnp.array([[5.0, -1e-3, 0.0]])}, optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], [[-0.1, 0.1, 0.0]], rtol=1e-6)


def test_cosine_is_half_a_cosine_to_zero():
    steps = np.arange(9)
    np.testing.assert_allclose(rates("cosine", 8), 1.0 + np.cos(np.pi * steps / 8), atol=1e-6)


@pytest.mark.parametrize("name", sorted(optim.SCHEDULES))
def test_warm_up_is_linear_and_the_schedule_takes_the_steps_left(name):
    values = rates(name, 20, warmup_steps=4)
    np.testing.assert_allclose(values[:5], [0.0, 0.5, 1.0, 1.5, 2.0], atol=1e-6)
    after = optim.schedule(name, peak=2.0, steps=16)
    np.testing.assert_allclose(values[4:], [float(after(step)) for step in range(17)], atol=1e-6)


@pytest.mark.parametrize("name", sorted(optim.OPTIMIZERS))
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_every_optimizer_descends(name, weight_decay):
    optimizer = optim.OPTIMIZERS[name](optax.cosine_decay_schedule(0.02, 1000), weight_decay)  # Lion circles at a constant rate
    params = {"kernel": jnp.array([[3.0, -2.0]])}
    state = optimizer.init(params)
    for _ in range(1000):
        updates, state = optimizer.update({"kernel": 2 * params["kernel"]}, state, params)
        params = optax.apply_updates(params, updates)
    assert float(jnp.abs(params["kernel"]).max()) < 0.1


@pytest.mark.parametrize("name", sorted(optim.OPTIMIZERS))
def test_kernels_decay_and_biases_do_not(name):
    optimizer = optim.OPTIMIZERS[name](optax.constant_schedule(0.1), 0.5)
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    zero = {"kernel": jnp.zeros((2, 2)), "bias": jnp.zeros(2)}
    updates, _ = optimizer.update(zero, optimizer.init(params), params)
    assert float(updates["kernel"].max()) < 0
    np.testing.assert_array_equal(updates["bias"], 0.0)


def test_adam_takes_pytorchs_first_step():
    """The first step of Adam is rate · g / (|g| + 1e-8), whatever the gradient's size."""
    optimizer = optim.OPTIMIZERS["adam"](optax.constant_schedule(0.1), 0.0)
    params = {"w": jnp.zeros((1, 3))}
    gradient = {"w": jnp.array([[5.0, -0.01, 2e-8]])}
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], [[-0.1, 0.1, -0.1 * 2 / 3]], rtol=1e-4)


PARAMS = {
    "features.0": {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)},
    "features.1": {"kernel": jnp.ones((2, 2))},
    "head": {"bias": jnp.ones(2)},
}


def test_layers_that_learn_slower_or_not_at_all():
    plain = optim.OPTIMIZERS["sgd"](optax.constant_schedule(0.1), 0.0)
    optimizer = optim.by_layer(plain, frozen=r"features\.0", slowed="features", factor=0.2)
    state = optimizer.init(PARAMS)
    updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, PARAMS), state, PARAMS)
    assert float(jnp.abs(updates["features.0"]["kernel"]).max()) == 0.0
    assert float(updates["features.1"]["kernel"][0, 0]) == pytest.approx(-0.02)
    assert float(updates["head"]["bias"][0]) == pytest.approx(-0.1)
    moments = [leaf for leaf in jax.tree.leaves(state) if leaf.ndim]
    assert sum(leaf.size for leaf in moments) == 4 + 2  # none are kept of what is frozen


def test_expression_that_fits_no_layer():
    optimizer = optim.by_layer(optax.sgd(0.1), frozen="backbone")
    with pytest.raises(BadInput, match="frozen: the value is 'backbone'; expected the beginning of a parameter's name, such as features.0"):
        optimizer.init(PARAMS)
