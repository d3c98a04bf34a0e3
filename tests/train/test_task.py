"""What networks are shown in the frame of an image's light, and what they answer there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.errors import BadInput
from lensjax.train import TrainConfig
from lensjax.train import config as configs
from lensjax.train.task import Task

PROBLEM = problems.get("sis2023", integer=False, method="raytrace")


@pytest.fixture(scope="module")
def drawn():
    """Parameters and 8-bit images."""
    params = PROBLEM.sample(jax.random.key(2), 3)
    return params, jnp.round(jax.jit(PROBLEM.render_batch)(params))


@pytest.mark.parametrize(("reads", "shape"), [("pixels", (40, 40, 4)), ("shapelets", (1, 1, 114))])
def test_answers_are_the_targets_turned_back(drawn, reads, shape):
    params, images = drawn
    task = Task(PROBLEM, 40, frame="canonical", reads=reads)
    shown, frames = jax.jit(task.shown)(images)
    assert shown.shape == (3, *shape) == (3, *task.input_shape) and np.isfinite(shown).all()
    targets = task.targets(params, frames)
    back = np.asarray(task.answers(targets, frames))
    expected = np.asarray(PROBLEM.decode(PROBLEM.encode(params)))  # sigma ≥ sigma2
    np.testing.assert_allclose(back, expected, rtol=1e-3, atol=2e-3)
    assert np.abs(np.asarray(targets - PROBLEM.encode(params))).max() > 0.1


@pytest.mark.parametrize("reads", ["pixels", "shapelets"])
def test_a_network_answers_a_turned_image_with_the_turned_answer(drawn, reads):
    """Whatever its weights are: here its outputs are sums of what it is shown."""
    _, images = drawn
    task = Task(PROBLEM, 40, frame="canonical", reads=reads)

    @jax.jit
    def answer(images):
        shown, frames = task.shown(images)
        flat = shown.reshape(len(shown), -1)
        weights = 0.3 * jax.random.normal(jax.random.key(1), (flat.shape[1], 6)) / flat.shape[1] ** 0.5
        return task.answers(flat @ weights, frames)

    straight, turned = (np.asarray(answer(i)) for i in (images, jnp.rot90(images, axes=(1, 2))))
    x, y, *rest, theta = straight.T
    expected = np.stack([-y, x, *rest, (theta + 90.0) % 180.0], axis=1)
    difference = np.abs(turned - expected)
    difference[:, 5] = np.minimum(difference[:, 5], 180.0 - difference[:, 5])
    assert difference.max() < 0.05


def test_the_plain_frame_shows_the_image(drawn):
    task = Task(PROBLEM, 100)
    shown, frames = task.shown(drawn[1])
    assert frames is None and shown.shape == (3, 100, 100, 1)
    np.testing.assert_allclose(shown[0, 5, 7, 0], np.asarray(drawn[1])[0, 20:24, 28:32].mean() / 255.0, rtol=1e-5, atol=1e-7)


def test_a_network_of_shapelets_needs_the_canonical_frame():
    with pytest.raises(BadInput, match="frame.*image.*canonical"):
        TrainConfig(model="shapelets")
    config = TrainConfig(model="shapelets", frame="canonical", native=True, image_size=100)
    problem = configs.make_problem(config)
    assert problem.image_size == 400
    assert configs.make_task(config, problem).input_shape == (1, 1, 114)


def test_an_image_size_that_native_pixels_cannot_be_averaged_to():
    with pytest.raises(BadInput, match="image_size.*90.*divisor"):
        configs.make_problem(TrainConfig(native=True, image_size=90))
