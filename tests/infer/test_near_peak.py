"""Starts from the light about an image's peak: near the truth, for both lenses, with noise, or none where there is no light."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import estimate, metrics, problems
from lensjax.infer.near_peak import from_light, without_network
from lensjax.train import stream

PARAMS = {"sis2023": [60.0, 71.0, 56.0, 12.0, 25.0, 40.0], "pm2022": [-73.0, 37.0, 40.0, 22.0, 11.0, 9.0, 0.69]}


def image(name: str, *, noise: float = 0.0, side: int = 100) -> np.ndarray:
    problem = problems.get(name, image_size=side)
    with jax.enable_x64(True):
        grey = np.asarray(jax.jit(problem.render)(jnp.asarray(PARAMS[name])))
    return np.rint(grey) + noise * np.random.default_rng(3).normal(size=grey.shape)


@pytest.mark.parametrize("name", PARAMS)
@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_the_first_start_is_near_the_truth(name: str, noise: float) -> None:
    problem = problems.get(name, image_size=100)
    starts = from_light(problem, image(name, noise=noise))
    assert starts.shape == (8, 8) and np.isfinite(starts).all()
    found = np.asarray(problem.from_fit(jnp.asarray(starts[0], jnp.float32)))[None]
    truth = np.array([PARAMS[name]])
    error = np.abs(metrics.symmetric_error(found, truth, problem=problem))[0]
    allowed = 0.02 if noise == 0 else 0.25
    assert (error[:2] < allowed * np.hypot(*truth[0, :2])).all() and (error[3:5] < allowed * truth[0, 3:5].max()).all()


def test_no_light_gives_no_start() -> None:
    problem = problems.get("sis2023", image_size=100)
    for dark in (np.zeros((100, 100)), np.full((100, 100), np.nan), np.full((100, 100), -1.0)):
        assert from_light(problem, dark).shape == (0, 8)
        assert np.isfinite(without_network(problem, dark)).all() and len(without_network(problem, dark)) == 8


def test_both_searches_have_starts_of_one_shape() -> None:
    problem = problems.get("sis2023", image_size=100)
    lit, dark = image("sis2023"), np.zeros((100, 100))
    assert without_network(problem, lit).shape == without_network(problem, dark).shape == (8, 8)
    assert without_network(problem, lit, again=True).shape == (56, 8)


@pytest.mark.slow
def test_point_masses_are_found_without_a_network() -> None:
    """Two thirds were, from the image's moments alone."""
    truth, images = stream.exact_images(problems.get("pm2022", method="roulette"), jax.random.key(5), 24)
    problem = problems.get("pm2022")
    solution = estimate.solve(problem, images, None)
    assert solution.success.sum() >= 20
    z = np.abs(metrics.symmetric_error(solution.params, truth, problem=problem) / solution.errors)[solution.success, :2]
    assert z.max() < 5.0
