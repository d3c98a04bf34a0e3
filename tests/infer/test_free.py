"""The thesis's systems in images of any size and brightness, and as CosmoSim draws them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import metrics, problems, simulate
from lensjax.estimate import Observation, solve_each
from lensjax.infer import free
from lensjax.observation.instrument import instrument
from lensjax.simulate import lattice

PARAMS = {"sis2023": [11.0, -7.0, 10.0, 5.0, 3.5, 50.0], "pm2022": [-14.0, 9.0, 7.0, 4.0, 3.0, 20.0, 0.5]}


def image(name: str, *, peak: float, side: int = 96) -> np.ndarray:
    """Grey levels (side, side + 8), not rounded: the image centred on its light, off the middle of the frame."""
    problem = problems.get(name, method="raytrace")
    with jax.enable_x64(True):
        system = problem.system(jnp.asarray(PARAMS[name]))
        grey = np.asarray(simulate.image(system, instrument((side, side), centring=problem.instrument.centring)))
    return peak * np.pad(grey, ((0, 0), (8, 0)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sis2023", "pm2022"])
def test_a_faint_image_of_another_size_is_found(name: str) -> None:
    problem = problems.get(name)
    solution = free.estimate(problem, np.rint(image(name, peak=150.0)), variance=None, rounded=True, cosmosim=False)
    assert solution.success[0], solution.status[0]
    error = metrics.symmetric_error(solution.params, np.array([PARAMS[name]]), problem=problem)[0]
    known = np.isfinite(solution.errors[0])
    assert known.sum() == (6 if name == "sis2023" else 5) and np.abs(error / solution.errors[0])[known].max() < 5.0
    model = free.model_image(problem, solution.params[0], solution.shift[0], np.rint(image(name, peak=150.0)))
    assert np.abs(model - image(name, peak=150.0)).max() < 1.0


@pytest.mark.slow
def test_noise_of_the_sky_is_measured() -> None:
    noisy = image("sis2023", peak=200.0) + np.random.default_rng(1).normal(scale=4.0, size=(96, 104))
    problem = problems.get("sis2023")
    solution = free.estimate(problem, noisy, variance=None, rounded=False, cosmosim=False)
    error = metrics.symmetric_error(solution.params, np.array([PARAMS["sis2023"]]), problem=problem)[0]
    assert solution.success[0] and np.abs(error / solution.errors[0]).max() < 4.5 and 0.8 < solution.chi2[0] < 1.2


@pytest.mark.slow
def test_any_shape_goes_the_way_of_estimate() -> None:
    """A blob without a lens, and an image too small: rows with their reasons."""
    x, y = np.meshgrid(np.arange(60) - 30.0, 30.0 - np.arange(50))
    blob = np.rint(200.0 * np.exp(-0.5 * (x**2 + y**2) / 25.0))
    outcomes = dict(solve_each(problems.get("sis2023"), [Observation(blob), Observation(blob[:8])]))
    assert outcomes[0].solution is not None and not outcomes[0].solution.success[0]
    assert "no lens needed" in outcomes[0].solution.status[0]
    assert outcomes[1].error == "the image has shape (8, 60); expected two dimensions of 16 or more"


@pytest.mark.slow
def test_images_that_cosmosim_drew() -> None:
    """`simulate.lattice` equals CosmoSim pixel for pixel; its source is half a pixel off."""
    params = [14.0, -9.0, 16.0, 7.0, 4.0, 50.0]
    problem = problems.get("sis2023", method="raytrace")
    with jax.enable_x64(True):
        system = problem.system(jnp.asarray(params))
        grey, _ = lattice.image(system, canvas=256, size=160, trace=problem.trace)
    solution = free.estimate(problem, np.asarray(grey), variance=None, rounded=True, cosmosim=True)
    error = metrics.symmetric_error(solution.params, np.array([params]), problem=problem)[0]
    assert solution.success[0], solution.status[0]
    assert np.abs(error / solution.errors[0]).max() < 5.0 and np.abs(error[:3]).max() < 0.3
