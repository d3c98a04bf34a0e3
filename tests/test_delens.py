"""Delensing: the source read from an image is the source that made it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import delens, problems
from lensjax.image.detector import quantise
from lensjax.image.grid import pixel_points

ROWS = {
    "sis2023": [(90.0, -60.0, 20.0, 18.0, 9.0, 30.0), (30.0, 20.0, 8.0, 6.0, 6.0, 0.0)],
    "pm2022": [(60.0, 45.0, 20.0, 12.0, 7.0, 120.0, 0.4)],
}


def read_back(name, params, method, size=400):
    """(source read from the rounded image, the source's own light in grey levels)."""
    problem = problems.get(name, method=method, image_size=size)
    sigma, sigma2 = params[3:5]
    half = delens.half_width(sigma, sigma2)
    with jax.enable_x64(True):
        params = jnp.asarray(params)
        system = problem.to_system(problem.encode(params))
        image = quantise(problem.render(params)) if size == 400 else problem.render(params)
        shift = np.asarray(problem.centre(system, method=method))
        source = delens.undistorted(np.asarray(image), system, shift=shift, field=400, method=method, half=half)
        x, y = pixel_points(2 * half, 2 * half, dtype=jnp.float64)
        return source, 255.0 * np.asarray(system.source.light(x, y))


CASES = [(name, row, method) for name, rows in ROWS.items() for row in rows for method in ("roulette", "raytrace")]


@pytest.mark.parametrize(("name", "params", "method"), CASES)
def test_the_source_comes_back_within_two_grey_levels(name, params, method):
    source, truth = read_back(name, params, method)
    assert source.grey.shape == truth.shape == source.seen.shape
    bright = truth > 30
    assert source.seen[bright].mean() > 0.9
    assert np.abs(source.grey - truth)[source.seen].max() < 2.0


def test_coarse_images_are_read_at_the_right_places():
    source, truth = read_back("sis2023", (90.0, -60.0, 20.0, 30.0, 25.0, 30.0), "raytrace", size=200)
    assert np.abs(source.grey - truth)[source.seen].max() < 2.0


def test_the_middle_pixel_is_the_centre():
    source, _ = read_back("sis2023", ROWS["sis2023"][0], "raytrace")
    m = source.grey.shape[0]
    assert np.unravel_index(source.grey.argmax(), source.grey.shape) == (m // 2, m // 2)
    assert source.grey[m // 2, m // 2] == pytest.approx(255.0, abs=1.0)


def test_what_the_frame_cuts_off_is_not_seen():
    problem = problems.get("sis2023", method="raytrace")
    params = jnp.asarray(ROWS["sis2023"][0])
    system = problem.to_system(problem.encode(params))
    image = np.full((400, 400), 50.0)
    far = np.asarray(system.lens.primary_image(system.x, system.y)) + np.array([200.0, 0.0])
    options = {"field": 400, "method": "raytrace", "half": 40}
    source = delens.undistorted(image, system, shift=far, **options)
    assert 0.3 < source.seen.mean() < 0.7  # the image of the source's centre stands on the frame's left edge
    assert not source.seen[:, :20].any() and source.seen[:, -20:].all()
    np.testing.assert_allclose(source.grey, np.where(source.seen, 50.0, 0.0), rtol=1e-6)
    assert not delens.undistorted(image, system, shift=far + 500, **options).seen.any()


def test_the_window_hides_what_lies_beyond_it():
    near = (28.0, 5.0, 10.0, 20.0, 20.0, 0.0)
    window, _ = read_back("sis2023", near, "ring")
    whole, _ = read_back("sis2023", near, "raytrace")
    assert window.seen.sum() < whole.seen.sum()
    assert not (window.seen & ~whole.seen).any()
