"""What the fit of the thesis's problems claims about images of another kind: success means it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from lensjax import estimate, metrics, problems
from lensjax.infer import unlensed
from lensjax.lens import SIE, Shear, cluster
from lensjax.light.gaussian import elliptical
from lensjax.simulate import System, image
from lensjax.train import stream

pytestmark = pytest.mark.computes

PROBLEM = problems.get("sis2023", image_size=200)  # the same field in pixels of four: quicker


@pytest.fixture(scope="module")
def own() -> np.ndarray:
    _, images = stream.exact_images(PROBLEM, jax.random.key(2), 3)
    return np.asarray(images, np.float64)


@pytest.mark.slow
def test_errors_of_noisy_images_hold() -> None:
    """Images whose window's edge moves with the fit: pixels that come and go must not stop it."""
    with jax.enable_x64(True):
        params = np.asarray(PROBLEM.sample(jax.random.key(7), 36), np.float64)[[5, 23, 35]]
        images = np.asarray(PROBLEM.render_batch(jnp.asarray(params)))
    solution = solve(images + np.random.default_rng(7).normal(scale=3.0, size=images.shape), rounded=False, variance=9.0)
    z = metrics.symmetric_error(solution.params, params, problem=PROBLEM) / solution.errors
    assert solution.success.all(), solution.status
    assert np.nanmax(np.abs(z)) < 5.0


def solve(images: np.ndarray, **options: object) -> estimate.Solution:
    return estimate.solve(PROBLEM, np.asarray(images, np.float32), None, **options)  # type: ignore[arg-type]


def of_lens(lens: object) -> np.ndarray:
    system = System(lens, elliptical(jnp.float32(12.0), jnp.float32(9.0), jnp.float32(0.5)), jnp.float32(25.0), jnp.float32(10.0))
    return np.round(np.clip(255.0 * image(system, problems.get("sis2023", image_size=200, method="raytrace").instrument), 0, 255))


def blurred(own: np.ndarray) -> np.ndarray:
    return np.round(ndimage.gaussian_filter(own[0], 2.0))


def elliptical_lens(_own: np.ndarray) -> np.ndarray:
    return of_lens(SIE(jnp.float32(50.0), jnp.float32(0.85), jnp.float32(0.3)))


def sheared_lens(_own: np.ndarray) -> np.ndarray:
    lenses = (SIE(jnp.float32(50.0), jnp.float32(1.0), jnp.float32(0.0)), Shear(jnp.float32(0.05), jnp.float32(0.02)))
    return of_lens(cluster([(lens, 0.0, 0.0) for lens in lenses]))


@pytest.mark.parametrize("image_from", [pytest.param(f, marks=pytest.mark.slow) for f in (blurred, elliptical_lens, sheared_lens)])
def test_other_lenses_and_a_blur_are_no_success(own: np.ndarray, image_from: Callable[[np.ndarray], np.ndarray]) -> None:
    solution = solve(image_from(own)[None])
    assert not solution.success[0]
    assert "the model does not explain" in solution.status[0] or "above the noise" in solution.status[0]


@pytest.mark.slow
def test_noise_that_is_given_decides(own: np.ndarray) -> None:
    noisy = own[:1] + np.random.default_rng(0).normal(scale=3.0, size=own[:1].shape)
    solution = solve(noisy, rounded=False, variance=9.0)
    assert solution.success.all(), solution.status
    assert (np.abs(solution.chi2 - 1.0) < 0.05).all()


@pytest.mark.slow
def test_an_image_without_a_lens_needs_none() -> None:
    x, y = 2.0 * np.arange(200) - 199.0, 199.0 - 2.0 * np.arange(200)[:, None]
    light = 255 * np.exp(-0.5 * ((x - 3) ** 2 / 14**2 + (y + 2) ** 2 / 9**2))
    solution = solve(np.round(light)[None])
    assert not solution.success[0] and "no lens needed" in solution.status[0]
    assert not np.isfinite(solution.lowest).any() and not np.isfinite(solution.highest).any()


@pytest.mark.slow
def test_a_gaussian_is_told_from_a_weak_lens(own: np.ndarray) -> None:
    lit = own[0] > 0
    assert not unlensed.explains(own[0], lit, variance=1 / 12, rounded=True)
