"""Composed problems as networks see them: stream, encoding, symmetries, PSF and noise."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import metrics, problems
from lensjax.errors import BadInput
from lensjax.train import stream

NAMES = [pytest.param(name, marks=() if name == "sie2026" else pytest.mark.slow) for name in problems.composed_names()]


@pytest.mark.parametrize("name", NAMES)
def test_stream_and_encoding(name: str) -> None:
    problem = problems.get(name)
    problem = replace(problem, image_size=problem.field // 4)
    batch = jax.jit(lambda key: stream.batch(problem, key, 3, batch_size=6))(jax.random.key(0))
    image, params, target = (np.asarray(batch[key]) for key in ("image", "params", "target"))
    assert image.shape == (6, problem.image_size, problem.image_size, 1) and image.dtype == np.float32
    assert np.isfinite(image).all() and np.median(image.max(axis=(1, 2, 3))) > 0.004 and image.std(axis=0).max() > 0.01
    assert params.shape == (6, len(problem.names)) and np.isfinite(target).all() and np.abs(target).max() < 12.0
    np.testing.assert_allclose(problem.decode(jnp.asarray(target)), params, rtol=2e-4, atol=2e-3)


def test_a_row_depends_on_its_own_key_alone() -> None:
    problem = problems.get("sie_shear", image_size=50)
    first, second = (problem.sample(jax.random.key(1), n) for n in (2, 5))
    np.testing.assert_array_equal(first, second[:2])


def test_images_of_the_sets_of_2026_are_centred_and_whole_levels() -> None:
    problem = problems.get("sie2026")
    image = np.asarray(stream.batch(problem, jax.random.key(2), 0, batch_size=8)["image"][..., 0]) * 255.0
    np.testing.assert_allclose(image, np.rint(image), atol=1e-3)
    x, y = np.meshgrid(np.arange(256) - 128.0, 128.0 - np.arange(256))
    whole = image[:, [0, -1]].max(axis=(1, 2)) + image[:, :, [0, -1]].max(axis=(1, 2)) == 0  # nothing is cut off by the crop
    centre = np.stack([(image * x).sum((1, 2)), (image * y).sum((1, 2))]) / image.sum((1, 2))
    assert whole.sum() >= 2 and np.abs(centre[:, whole]).max() < 1.0


def test_noise_and_psf_are_what_the_conditions_say() -> None:
    problem = problems.get("sie_shear")
    taken = jax.tree.map(lambda leaf: leaf[0], problem.conditions(jax.random.key(4), 1))
    assert 2.0 <= float(taken.fwhm) <= 3.0 and 2.0 <= float(taken.sigma) <= 8.0
    psf = np.asarray(problem.psf(taken.fwhm))
    assert psf.sum() == pytest.approx(1.0, abs=1e-5) and psf.max() == psf[psf.shape[0] // 2, psf.shape[1] // 2]
    half = np.arange(psf.shape[0]) - psf.shape[0] // 2
    width = np.sqrt((psf * half[:, None] ** 2).sum() - 1.0 / 12.0)  # the pixel's own
    assert width == pytest.approx(float(taken.fwhm) / 2.3548, rel=0.01)
    params = problem.sample(jax.random.key(5), 1)[0]
    noisy, clean = problem.record(params, taken), problem.record(params, taken._replace(sigma=jnp.zeros(())))
    residual = np.asarray(noisy - clean) / float(taken.sigma)
    assert residual.std() == pytest.approx(1.0, abs=0.05) and abs(residual.mean()) < 0.05


def test_members_of_a_cluster_have_no_order() -> None:
    problem = problems.get("cluster4sis2026")
    truth = np.asarray(problem.sample(jax.random.key(6), 3), np.float64)
    members = truth[:, :12].reshape(3, 4, 3)[:, [2, 0, 3, 1]].reshape(3, 12)
    shuffled = np.concatenate([members, truth[:, 12:]], axis=1)
    assert np.asarray(problem.equivalents(jnp.asarray(truth))).shape == (24, *truth.shape)
    assert np.abs(metrics.raw_error(shuffled, truth, problem=problem)).max() > 1.0
    np.testing.assert_allclose(metrics.symmetric_error(shuffled, truth, problem=problem), 0.0, atol=1e-9)


def test_a_round_lens_has_no_direction() -> None:
    problem = problems.get("sie_shear")
    truth = np.asarray(problem.sample(jax.random.key(7), 2), np.float64)
    q, phi = problem.names.index("q"), problem.names.index("phi")
    truth[0, q] = 1.0
    error = metrics.symmetric_error(truth + 0.1, truth, problem=problem)
    assert np.isnan(error[0, phi]) and np.isfinite(error[1, phi])


def test_an_image_size_divides_the_field() -> None:
    with pytest.raises(BadInput, match="a divisor of 256, 16 or more"):
        problems.get("sie2026", image_size=100)


def test_images_of_galaxies_have_light_that_no_parameter_tells() -> None:
    """A part of the galaxy and companions, drawn by the noise's key; and noise of photons, as much as the exposure says."""
    problem = problems.get("galaxy")
    params = problem.sample(jax.random.key(0), 1)[0]
    taken = jax.tree.map(lambda leaf: leaf[0], problem.conditions(jax.random.key(1), 1))
    light = np.asarray(problem.exposed(params, taken))
    others = light - np.asarray(problem.render(params, psf=problem.psf(taken.fwhm)))
    assert others.min() > -1e-2 and others.max() > 1.0
    again = np.asarray(problem.exposed(params, taken._replace(key=taken.key + 1)))
    assert np.abs(again - light).max() > 1.0
    noise = (np.asarray(problem.record(params, taken)) - light) / np.sqrt(1.0 + light / float(taken.exposure))
    assert noise.std() == pytest.approx(1.0, abs=0.03) and 5.0 <= float(taken.exposure) <= 30.0
    seen = problem.observed(np.asarray(problem.record(params, taken)), taken)
    np.testing.assert_allclose(seen.noise.sigma(jnp.asarray(light)), np.sqrt(1.0 + light / float(taken.exposure)), rtol=1e-4)
