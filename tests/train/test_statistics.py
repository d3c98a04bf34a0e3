"""Statistics of batch normalisations, against those of the batches themselves."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import models
from lensjax.train import TrainConfig, evaluation, sharding, statistics, train
from lensjax.train.config import make_model, make_problem
from lensjax.train.layers import init_variables
from lensjax.train.state import keys
from lensjax.train.step import make_render

CONFIG = TrainConfig(image_size=20, method="ring", batch_size=12, steps=6, eval_size=24, eval_every=6, checkpoint_every=6)


def parts(config: TrainConfig):
    """A network with statistics that fit nothing, the function that takes them anew, and the images of each step."""
    problem, mesh, run_keys = make_problem(config), sharding.make_mesh(jax.devices()[:1]), keys(config.seed)
    model, render = make_model(config, problem), make_render(config, problem, mesh)
    variables = init_variables(model, jax.random.key(1), image_size=config.image_size)
    return (
        model,
        variables,
        statistics.of_stream(config, render, model, mesh, run_keys),
        lambda k: render(run_keys.stream, jnp.int32(k))["input"],
    )


def test_of_one_batch_an_evaluation_is_as_training_was() -> None:
    model, variables, taken, images = parts(replace(CONFIG, eval_size=12))
    fresh = {**variables, "batch_stats": taken(variables, 5)}
    x = images(4)
    trained, _ = model.apply(variables, x, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(model.apply(fresh, x, train=False), trained, rtol=1e-4, atol=1e-5)
    assert np.abs(model.apply(variables, x, train=False) - trained).max() > 0.01


@pytest.mark.parametrize("accumulate", [1, 3])
def test_they_are_over_all_batches(accumulate: int) -> None:
    model, variables, taken, images = parts(replace(CONFIG, accumulate=accumulate))
    own = taken(variables, 5)["BatchNorm_0"]
    seen = jnp.concatenate([images(k).reshape(12, 20, 20, 1) for k in (3, 4)])
    _, inner = model.apply(variables, seen, train=False, capture_intermediates=True)
    before = inner["intermediates"]["Conv_0"]["__call__"][0]
    np.testing.assert_allclose(own["mean"], before.mean(axis=(0, 1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(own["var"], before.var(axis=(0, 1, 2)), rtol=1e-3, atol=1e-7)


def test_means_and_spreads_of_inputs_stay() -> None:
    config = replace(CONFIG, model="shapelets", frame="canonical", image_size=40)
    problem, mesh = make_problem(config), sharding.make_mesh(jax.devices()[:1])
    model = make_model(config, problem)
    variables = init_variables(model, jax.random.key(1), image_size=1, in_channels=114)
    assert not statistics.has_normalisations(variables["batch_stats"]) and variables["batch_stats"]
    taken = statistics.of_stream(config, make_render(config, problem, mesh), model, mesh, keys(0))
    assert taken(variables, 3) is variables["batch_stats"]
    assert statistics.has_normalisations(
        jax.eval_shape(lambda: init_variables(models.create("resnet18", num_outputs=2, image_size=32), jax.random.key(0), image_size=32))[
            "batch_stats"
        ]
    )


@pytest.mark.slow
def test_a_run_ends_with_those_of_its_averaged_weights(tmp_path) -> None:
    config = replace(CONFIG, ema=0.9)
    run = train(config, tmp_path)
    problem, mesh, run_keys = make_problem(config), sharding.make_mesh(), keys(config.seed)
    taken = statistics.of_stream(config, make_render(config, problem, mesh), run.model, mesh, run_keys)
    jax.tree.map(np.testing.assert_array_equal, run.variables["batch_stats"], taken(run.variables, 6))
    assert len(evaluation.read_rows(tmp_path / "evaluation.csv")) == 1
