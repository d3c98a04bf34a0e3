"""What networks are shown in the frame of an image's light, and what they answer there."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.errors import BadInput
from lensjax.observation.frame import Frame
from lensjax.problems.amplitudes import amplitudes
from lensjax.train import TrainConfig
from lensjax.train import config as configs
from lensjax.train.task import Target, Task

PROBLEM = problems.get("sis2023", integer=False, method="raytrace")


@pytest.fixture(scope="module")
def drawn():
    """Parameters and 8-bit images."""
    params = PROBLEM.sample(jax.random.key(2), 3)
    return params, jnp.round(jax.jit(PROBLEM.render_batch)(params))


@pytest.mark.parametrize(("reads", "shape"), [pytest.param("pixels", (40, 40, 4), marks=pytest.mark.slow), ("shapelets", (1, 1, 114))])
def test_answers_are_the_targets_turned_back(drawn, reads, shape):
    params, images = drawn
    task = Task(PROBLEM, 40, frame="canonical", reads=reads)
    shown, frames = jax.jit(task.shown)(images)
    assert shown.shape == (3, *shape) == (3, *task.input_shape) and np.isfinite(shown).all()
    targets = task.target(params, frames).values[:, 0]
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


SIE = problems.get("sie2026")


@pytest.mark.parametrize(
    ("problem", "frame", "options"),
    [
        (PROBLEM, "image", {"targets": "raw"}),
        (PROBLEM, "image", {"targets": "polar"}),
        (PROBLEM, "canonical", {"targets": "polar"}),
        (SIE, "canonical", {"targets": "polar"}),
        pytest.param(PROBLEM, "image", {"order": 3, "point": "xi", "scale": "standardised"}, marks=pytest.mark.slow),
        (PROBLEM, "canonical", {"order": 2, "point": "centre", "scale": "scaled"}),
        pytest.param(SIE, "image", {"order": 2, "point": "xi", "scale": "raw"}, marks=pytest.mark.slow),
        pytest.param(SIE, "canonical", {"order": 4, "point": "xi", "scale": "scaled"}, marks=pytest.mark.slow),
        pytest.param(SIE, "canonical", {"order": 2, "point": "xi", "scale": "scaled", "source": True}, marks=pytest.mark.slow),
    ],
)
def test_every_kind_of_target_is_turned_back(problem, frame, options):
    if "order" in options:
        options = {"amplitudes": amplitudes(problem, **options)}
    task = Task(problem, 40, frame=frame, **options)
    params = problem.sample(jax.random.key(4), 3)
    ends = ((-3.0, 4.0), (2.0, 9.0), (1.0, 0.6), (0.0, 0.8), (20.0, 50.0), (0.0, 0.5))
    frames = Frame(*(jnp.array([a, b, a]) for a, b in ends)) if frame == "canonical" else None
    targets = task.target(params, frames)
    truth = task.truth(params)
    assert targets.values.shape == (3, 1, task.width) and truth.shape == (3, len(task.answered.names))
    back = np.asarray(task.answers(targets.values[:, 0], frames))
    assert np.abs((back - truth) / np.abs(truth).max(axis=0)).max() < 5e-4
    if "amplitudes" in options and options["amplitudes"].scale != "raw":
        assert np.abs(np.asarray(targets.values)).max() < 30.0


def test_losses_are_means_over_the_targets():
    output, target = jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[1.0, 0.0], [0.0, 4.0]])
    wanted = Target(target[:, None], jnp.array([[1.0, 1.0], [2.0, 1.0]]))
    np.testing.assert_allclose(Task(PROBLEM, 40, loss="l1").losses(output, wanted), [1.0, 3.0])
    np.testing.assert_allclose(Task(PROBLEM, 40, loss="l2").losses(output, wanted), [2.0, 9.0])


def test_a_loss_up_to_symmetry_takes_the_nearest_set():
    """σ and σ₂ exchanged with θ turned by 90°, and θ beyond 180°, are the same image."""
    params = jnp.array([[80.0, 10.0, 20.0, 12.0, 6.0, 170.0]])
    same = jnp.array([[80.0, 10.0, 20.0, 6.0, 12.0, 80.0], [80.0, 10.0, 20.0, 12.0, 6.0, 350.0]])
    plain, fair = (Task(PROBLEM, 40, targets="raw", up_to_symmetry=fair) for fair in (False, True))
    for row in same:
        assert float(plain.losses(row[None], plain.target(params, None))[0]) > 10.0
        assert float(fair.losses(row[None], fair.target(params, None))[0]) == pytest.approx(0.0, abs=1e-4)
    members = problems.get("cluster4sis2026")
    task = Task(members, 40, up_to_symmetry=True)
    drawn = members.sample(jax.random.key(0), 2)
    other = members.encode(members.equivalents(drawn)[7])
    assert task.target(drawn, None).values.shape[1] == 24
    np.testing.assert_allclose(task.losses(other, task.target(drawn, None)), 0.0, atol=1e-6)


def test_directions_count_by_ellipticity():
    params = jnp.array([[80.0, 10.0, 20.0, 12.0, 4.0, 30.0], [80.0, 10.0, 20.0, 9.0, 9.0, 30.0]])
    task = Task(PROBLEM, 40, targets="raw", by_ellipticity=True)
    np.testing.assert_allclose(task.target(params, None).weights[:, 5], [0.5, 0.0])
    off = params.at[:, 5].add(60.0)
    np.testing.assert_allclose(task.losses(off, task.target(params, None)), [5.0, 0.0], atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "column"),
    [
        ({"weights": "1,x"}, "weights"),
        ({"weights": "1,2", "head": "gaussian"}, "weights"),
        ({"by_ellipticity": True}, "by_ellipticity"),
        ({"by_ellipticity": True, "targets": "raw", "head": "mixture"}, "by_ellipticity"),
        ({"targets": "amplitudes", "frame": "canonical", "amplitude_scale": "raw"}, "amplitude_scale"),
        ({"head": "gauss"}, "head"),
        ({"targets": "amplitudes", "order": 0}, "order"),
        ({"targets": "amplitudes", "with_source": True}, "with_source"),
        ({"targets": "amplitudes", "cluster_labels": "cosmosim"}, "problem"),
        ({"problem": "cluster2sie2026", "cluster_labels": "cosmosim"}, "targets"),
        ({"problem": "cluster2sie2026", "targets": "amplitudes", "cluster_labels": "cosmosim", "data": "set"}, "data"),
    ],
)
def test_fields_that_do_not_fit_each_other_are_named(fields, column):
    with pytest.raises(BadInput) as error:
        TrainConfig(**fields)
    assert error.value.column == column


def test_as_many_weights_as_targets():
    config = TrainConfig(weights="1,2")
    with pytest.raises(BadInput, match="weights.*6 numbers"):
        configs.make_task(config, configs.make_problem(config))


@pytest.mark.parametrize("head", ["gaussian", "mixture"])
def test_heads_have_the_outputs_they_need(head):
    config = TrainConfig(head=head, components=2, image_size=32)
    problem = configs.make_problem(config)
    outputs = configs.make_task(config, problem).outputs
    assert configs.make_model(config, problem).num_outputs == outputs == {"gaussian": 27, "mixture": 56}[head]


def test_a_galaxy_cancels_in_the_image_less_itself_turned() -> None:
    """What is alike about the origin is nothing there, at the field's resolution and in coarser pixels; an arc has both signs."""
    problem = problems.get("galaxy")
    at = {"theta_E": 1.0, "q": 0.8, "source_x": 0.3, "source_R": 0.1, "source_n": 1.0, "source_q": 1.0, "light_R": 0.8, "light_n": 2.0}
    at |= {"light_q": 0.7, "light_phi": 30.0, "light_flux": 200.0}
    for size in (128, 64):
        own = replace(problem, image_size=size)
        for flux in (0.0, 2.0):
            row = jnp.asarray([(at | {"source_flux": flux}).get(name, 0.0) for name in own.names], jnp.float32)
            shown, _ = Task(own, size=32).shown(own.render(row)[None])
            assert shown.shape == (1, 32, 32, 2) and float(shown[0, ..., 0].max()) > 3.0
            inner = np.asarray(shown[0, 1:, 1:, 1])  # the first row and column have no opposite
            if flux == 0.0:
                np.testing.assert_allclose(inner, 0.0, atol=1e-3)
            else:
                assert inner.max() > 1.0 and inner.min() < -1.0
