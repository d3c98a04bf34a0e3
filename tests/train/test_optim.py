import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lensjax.errors import BadInput
from lensjax.train import TrainConfig, optim
from lensjax.train import config as configs
from lensjax.train.config import SCHEDULE_FREE
from lensjax.train.optim import make_optimizer


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


def test_a_config_knows_every_optimizer_and_schedule():
    assert set(configs.OPTIMIZERS) == set(optim.OPTIMIZERS)
    assert set(configs.SCHEDULES) == set(optim.SCHEDULES)


@pytest.mark.parametrize("name", sorted(optim.SCHEDULES))
def test_warm_up_is_linear_and_the_schedule_takes_the_steps_left(name):
    values = rates(name, 20, warmup_steps=4)
    np.testing.assert_allclose(values[:5], [0.0, 0.5, 1.0, 1.5, 2.0], atol=1e-6)
    after = optim.schedule(name, peak=2.0, steps=16)
    np.testing.assert_allclose(values[4:], [float(after(step)) for step in range(17)], atol=1e-6)


DESCENDING = [
    pytest.param(name, decay, marks=pytest.mark.slow if decay and name != "adamw" else ())
    for name in sorted({*optim.OPTIMIZERS} - {SCHEDULE_FREE})
    for decay in (0.0, 0.1)
]


@pytest.mark.parametrize(("name", "weight_decay"), DESCENDING)
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
    plain, slower = (optim.OPTIMIZERS["sgd"](optax.constant_schedule(rate), 0.0) for rate in (0.1, 0.02))
    optimizer = optim.by_layer(plain, slower, frozen=r"features\.0", slowed="features")
    state = optimizer.init(PARAMS)
    updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, PARAMS), state, PARAMS)
    assert float(jnp.abs(updates["features.0"]["kernel"]).max()) == 0.0
    assert float(updates["features.1"]["kernel"][0, 0]) == pytest.approx(-0.02)
    assert float(updates["head"]["bias"][0]) == pytest.approx(-0.1)
    moments = [leaf for leaf in jax.tree.leaves(state) if leaf.ndim]
    assert sum(leaf.size for leaf in moments) == 4 + 2  # none are kept of what is frozen


def test_expression_that_fits_no_layer():
    optimizer = optim.by_layer(optax.sgd(0.1), optax.sgd(0.02), frozen="backbone")
    with pytest.raises(BadInput, match="frozen: the value is 'backbone'; expected the beginning of a parameter's name, such as features.0"):
        optimizer.init(PARAMS)


def test_plateau_halves_the_rate_after_three_intervals_without_a_lower_mean():
    optimizer = optax.chain(optim.OPTIMIZERS["sgd"](optax.constant_schedule(1.0), 0.0), optim.on_plateau(2))
    update, params = jax.jit(lambda state, loss: optimizer.update(GRADIENT, state, GRADIENT, value=loss)), GRADIENT
    state, factors = optimizer.init(params), []
    losses = [5.0, 3.0, *[4.5, 3.5] * 3, 1.0, 1.0, *[1.0, 1.0] * 3]  # means 4; 4, 4, 4; 1; 1, 1, 1
    for step, loss in enumerate(losses):
        updates, state = update(state, jnp.float32(loss))
        momentum = sum(0.9**k for k in range(step + 1))
        factors.append(float(-updates["w"][0, 0]) / momentum)
    np.testing.assert_allclose(factors, [1.0] * 7 + [0.5] * 8 + [0.25], rtol=1e-5)


GRADIENT = {"w": jnp.ones((1, 1))}


def test_schedule_free_evaluates_the_average_of_its_steps():
    """At a constant rate the average is the plain mean of the iterates z, of which the first is not one (Defazio et al. 2024, eq. 3–5)."""
    optimizer = optim.OPTIMIZERS["schedule_free_adamw"](optax.constant_schedule(0.1), 0.0)
    params, iterates = {"w": jnp.full((1, 1), 2.0)}, []
    state = optimizer.init(params)

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update({"w": 2.0 * params["w"] - 1.0}, state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(200):
        params, state = step(params, state)
        iterates.append(float(state.z["w"][0, 0]))
    average = float(optim.averaged(state, params)["w"][0, 0])
    assert average == pytest.approx(np.mean(iterates), rel=1e-4) == pytest.approx(0.5, abs=0.1)
    assert abs(float(params["w"][0, 0]) - average) > 1e-4


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_averages_of_layers_that_learn_slower_or_not_at_all(clip):
    fields = {"frozen": r"features\.0", "slowed": "features", "slow_factor": 0.2, "clip_norm": clip, "learning_rate": 0.1}
    optimizer = make_optimizer(TrainConfig(optimizer="schedule_free_adamw", **fields))
    state, params = optimizer.init(PARAMS), PARAMS
    for _ in range(3):
        updates, state = optimizer.update(jax.tree.map(jnp.ones_like, PARAMS), state, params)
        params = optax.apply_updates(params, updates)
    average = optim.averaged(state, params)
    np.testing.assert_array_equal(average["features.0"]["kernel"], 1.0)
    steps = -0.1 * np.mean([1, 2, 3])  # each of the rate, whatever the gradient
    np.testing.assert_allclose(average["head"]["bias"], 1.0 + steps, rtol=1e-5)
    np.testing.assert_allclose(average["features.1"]["kernel"], 1.0 + 0.2 * steps, rtol=1e-5)
    assert float(params["head"]["bias"][0]) < float(average["head"]["bias"][0])


def test_every_other_optimizer_evaluates_its_parameters():
    optimizer = optim.OPTIMIZERS["adamw"](optax.constant_schedule(0.1), 0.0)
    assert optim.averaged(optimizer.init(PARAMS), PARAMS) is PARAMS


@pytest.mark.parametrize(("field", "value"), [("ema", 0.9), ("schedule", "cosine")])
def test_schedule_free_takes_no_other_average_and_no_schedule(field, value):
    said = f"^{field}: the value is {value!r}; expected .*: optimizer schedule_free_adamw averages the parameters itself$"
    with pytest.raises(BadInput, match=said):
        TrainConfig(optimizer="schedule_free_adamw", **{field: value})
