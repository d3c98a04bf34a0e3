"""Parameters in the frame of an image: their images turn, grow and move as they do."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.observation.frame import Frame
from lensjax.observation.grid import pixel_points
from lensjax.problems.amplitudes import Amplitudes
from lensjax.problems.framed import into_frame, out_of_frame

_TWO = ([3.0, -5.0], [1.0, 4.0], [0.6, -0.28], [0.8, -0.96], [30.0, 6.0], [0.3, 0.0])
FRAMES = Frame(*(jnp.asarray(column, jnp.float32) for column in _TWO))


def problem_of(name):
    return problems.get(name)


@pytest.mark.parametrize("name", [*problems.names(), *problems.composed_names()])
def test_into_the_frame_and_out_again(name):
    problem = problem_of(name)
    params = problem.sample(jax.random.key(0), 2)
    within = jax.vmap(lambda row, frame: into_frame(problem, row, frame))(params, FRAMES)
    back = np.asarray(jax.vmap(lambda row, frame: out_of_frame(problem, row, frame))(within, FRAMES))
    width = np.array([parameter.high - parameter.low for parameter in problem.parameters])
    assert np.abs((back - params) / width).max() < 1e-5
    assert np.abs((np.asarray(within) - params) / width).max() > 0.01


@pytest.mark.parametrize("name", [pytest.param("sis2023", marks=pytest.mark.slow), "pm2022"])
def test_the_image_of_turned_and_enlarged_parameters(name):
    """Seen at the places of the frame, it is the image itself."""
    problem = problem_of(name)
    params = problem.sample(jax.random.key(3), 1)[0]
    frame = jax.tree.map(lambda leaf: leaf[0], FRAMES)
    x, y = (2.5 * axis for axis in pixel_points(32, 32))
    light = jax.jit(lambda row, x, y: problem.light(problem.to_fit(row, method="raytrace"), x, y, method="raytrace", free_shift=False)[0])
    grown = problem.field / 20 / float(frame.size)
    u, v = grown * (frame.cos * x + frame.sin * y), grown * (frame.cos * y - frame.sin * x)
    ours, theirs = light(params, x, y), light(into_frame(problem, params, frame), u, v)
    assert ours.max() > 50.0
    np.testing.assert_allclose(theirs, ours, atol=0.15)  # the centre of light is taken on a grid


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "cluster2sie2026" else pytest.mark.slow) for name in problems.composed_names()]
)
def test_the_image_of_moved_turned_and_enlarged_parameters(name):
    problem = problem_of(name)
    whole = replace(problem.composition, prior=None)
    params = jax.jit(problem.composition.draw)(jax.random.key(5))
    frame = jax.tree.map(lambda leaf: leaf[0], FRAMES)
    grown = problem.field / 20 / float(frame.size)
    x, y = (problem.field / 32.0 * axis for axis in pixel_points(32, 32))
    u, v = (grown * place for place in (
        frame.cos * (x - frame.x) + frame.sin * (y - frame.y), frame.cos * (y - frame.y) - frame.sin * (x - frame.x)))  # fmt: skip

    @jax.jit
    def light(row, x, y):
        system = whole.system(row)
        ax, ay = system.lens.deflection(x, y)
        return system.source.light(x - ax - system.x, y - ay - system.y)

    ours, theirs = light(params, x, y), light(into_frame(problem, params, frame), u, v)
    assert ours.max() > 0
    np.testing.assert_allclose(theirs, ours, rtol=2e-3, atol=1e-3 * float(ours.max()))


def test_directions_stay_within_their_period():
    problem = problem_of("sis2023")
    frame = Frame(*map(jnp.float32, (0.0, 0.0, -1.0, 0.0, 20.0, 0.0)))
    for theta in (0.0, 1e-6, 90.0, 179.9999):
        turned = out_of_frame(problem, jnp.array([50.0, 0.0, 20.0, 9.0, 5.0, theta]), frame)[5]
        assert 0.0 <= turned < 180.0
        assert min(abs(turned - theta), 180.0 - abs(turned - theta)) < 1e-3


@pytest.mark.parametrize("name", ["sis2023", "sie2026", pytest.param("cluster2sie2026", marks=pytest.mark.slow)])
def test_amplitudes_in_the_frame_are_those_of_the_lens_in_the_frame(name):
    """Turned and scaled by their spin and order, they are what the turned and enlarged lens has."""
    problem = problem_of(name)
    table = Amplitudes(problem, 4, "xi", "raw", source=name != "sis2023")
    params = problem.sample(jax.random.key(7), 2)
    within = jax.vmap(lambda row, frame: into_frame(problem, row, frame))(params, FRAMES)
    expected = np.asarray(table.of(within)[0])
    found = np.asarray(jax.vmap(lambda row, frame: into_frame(table, row, frame))(table.of(params)[0], FRAMES))
    assert np.abs((found - expected) / (np.abs(expected) + 1e-3 * np.abs(expected).max(axis=0))).max() < 5e-3
    back = np.asarray(jax.vmap(lambda row, frame: out_of_frame(table, row, frame))(jnp.asarray(found), FRAMES))
    np.testing.assert_allclose(back, table.of(params)[0], rtol=1e-3, atol=1e-5)
