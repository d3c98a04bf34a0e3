"""Scenes of a problem's parameters are the systems that the problem itself renders."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.dataset import draw, render, systems
from lensjax.simulate import METHODS

SLOW = {("sis2023", "raytrace"), ("pm2022", "roulette")}
CASES = [
    pytest.param(name, method, marks=pytest.mark.slow if (name, method) in SLOW else ()) for name in problems.names() for method in METHODS
]


@pytest.mark.parametrize(("name", "method"), CASES)
def test_scenes_of_a_problem(name, method):
    """chi of pm2022 included, whose θ_E is einsteinR/chi."""
    problem = problems.get(name, method=method, image_size=50)
    values = draw.sample(problem, 5, 3)
    scenes = draw.problem_scenes(
        problem, values, ["a.png", "b.png", "c.png"], terms=[problem.trace.terms] * 3, methods=[method] * 3, size=50
    )
    assert {(systems.instrument_of(scene), systems.trace_of(scene)) for scene in scenes} == {(problem.instrument, problem.trace)}
    with jax.enable_x64(True):
        expected = np.asarray(jax.jit(problem.render_batch)(jnp.asarray(values)))
        np.testing.assert_allclose(
            [systems.lens_of(scene).theta_e for scene in scenes],
            [problem.system(jnp.asarray(row)).lens.theta_e for row in values],
            rtol=1e-13,
        )
    made = {one.index: one.image for one in render.render(scenes)}
    assert expected.max() > 10
    for i in range(3):
        np.testing.assert_allclose(made[i], expected[i], atol=1e-8)
