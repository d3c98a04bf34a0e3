"""How sure a network is of its answers: the covariance of its head, in the table, and as calibrated networks are."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from lensjax import estimate, trained
from lensjax.cli.main import main
from lensjax.dataset import estimates
from lensjax.formats import results
from lensjax.problems import get
from lensjax.train import config as configs
from lensjax.train import heads
from lensjax.train.config import TrainConfig
from lensjax.train.export import export_weights
from lensjax.train.layers import init_variables

CONFIG = TrainConfig(model="compact", problem="sis2023", image_size=50, targets="raw", head="gaussian")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network of random weights, whose errors are some pixels wide."""
    model = configs.make_model(CONFIG, configs.make_problem(CONFIG))
    variables = jax.device_get(init_variables(model, jax.random.key(0), image_size=50))
    return export_weights(tmp_path_factory.mktemp("gaussian"), variables, dataclasses.asdict(CONFIG))


@pytest.fixture(scope="module")
def images():
    problem = get("sis2023", method="raytrace")
    params = jnp.array([[90.0, 60.0, 20.0, 12.0, 7.0, 30.0], [-30.0, 40.0, 40.0, 12.0, 8.0, 10.0]])
    return np.round(np.asarray(jax.jit(problem.render_batch)(params)))


def test_errors_are_those_of_the_heads_covariance(weights, images):
    found = trained.load(weights)
    values, errors = found.answers(images)
    np.testing.assert_array_equal(values, found.predict(images))
    shown, _ = found.task.shown(jnp.asarray(images, jnp.float32))
    output = found.model.apply(found.variables, shown, train=False)
    held = heads.belief("gaussian", output, targets=found.task.width, components=1)
    spread = np.sqrt(np.diagonal(held.covariances[:, 0], axis1=1, axis2=2))
    np.testing.assert_allclose(values[:, :3], held.means[:, 0, :3], rtol=1e-5)
    np.testing.assert_allclose(errors[:, :3], spread[:, :3], rtol=0.15)  # of 400 draws


def test_a_table_has_them_also_when_a_run_resumes(weights, images, tmp_path):
    for k, image in enumerate(images):
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f"{k}.png")
    words = ["estimate", str(tmp_path / "0.png"), str(tmp_path / "1.png"), "--no-refine", "--weights", str(weights), "--out"]
    assert main([*words, str(tmp_path / "whole.csv")]) == 0
    rows = list(results.read(tmp_path / "whole.csv"))
    assert all(np.isfinite(row.errors[:3]).all() and (row.errors > 0).all() for row in rows)
    entry = estimates._to_entry(estimate.Estimate(rows[0].params, None, None, network_errors=rows[0].errors))
    again = estimates._from_entry(entry, get("sis2023"))
    assert again is not None
    np.testing.assert_array_equal(again.network_errors, rows[0].errors)


def test_networks_that_say_a_point_have_none():
    answers = trained.load(problem="sie2026").answers(np.zeros((1, 256, 256)))
    assert answers.errors is None and answers.values.shape == (1, 10)
