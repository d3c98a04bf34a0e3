"""Instrument, PSF, noise models and observations against scipy, numerical integrals and drawn samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from lensjax.errors import BadInput
from lensjax.light import sersic
from lensjax.observation import psf as psfs
from lensjax.observation.grid import pixel_points
from lensjax.observation.instrument import instrument
from lensjax.observation.noise import GaussianNoise, PoissonNoise, Rounded8Bit, log_likelihood
from lensjax.observation.observed import observe
from lensjax.simulate.exposure import exposure


def lopsided(height: int, width: int) -> np.ndarray:
    kernel = np.random.default_rng(1).random((height, width))
    return kernel / kernel.sum()


def test_images_of_all_pixel_scales_share_a_program() -> None:
    points = jax.jit(lambda observed: observed.instrument.points())
    for scale in (0.04976, 0.05, 0.11):
        seen = observe(np.zeros((6, 9)), 1.0, pixel_scale=scale, supersampling=2)
        x, y = points(seen)
        np.testing.assert_allclose(x[0], ((np.arange(18) + 0.5) / 2 - 0.5 - 4.5) * scale, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(y[:, 0], (3.0 - ((np.arange(12) + 0.5) / 2 - 0.5)) * scale, rtol=1e-6, atol=1e-7)
    assert points._cache_size() == 1


@pytest.mark.parametrize("size", [(3, 5), (7, 7), (9, 5), (21, 21)])
def test_convolution_is_that_of_scipy(size: tuple[int, int]) -> None:
    kernel = lopsided(*size)
    image = np.random.default_rng(2).random((40 + size[0] - 1, 33 + size[1] - 1))
    expected = signal.convolve2d(image, kernel, mode="valid")
    with jax.enable_x64(True):
        found = psfs.convolve(jnp.asarray(image), jnp.asarray(kernel))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    single = psfs.convolve(jnp.asarray(image, jnp.float32), jnp.asarray(kernel, jnp.float32))
    np.testing.assert_allclose(single, expected, atol=1e-5)


def test_points_are_those_of_the_conventions() -> None:
    x, y = instrument((64, 64)).points()
    of_grid = pixel_points(64, 64)
    np.testing.assert_array_equal(x, of_grid[0])
    np.testing.assert_array_equal(y, of_grid[1])


def test_points_of_coarse_pixels_are_those_of_the_grid() -> None:
    scale = 400 / 200
    middle = 200 / 2 - 0.5 + 0.5 / scale
    x, y = instrument((200, 200), pixel_scale=scale, middle=(middle, middle), supersampling=2).points()
    of_grid = pixel_points(200, 400, oversample=2)
    np.testing.assert_allclose(x, of_grid[0], atol=1e-4)
    np.testing.assert_allclose(y, of_grid[1], atol=1e-4)


def test_light_beyond_the_edge_reaches_the_image_through_the_psf() -> None:
    kernel = psfs.gaussian(4.0)
    taken = instrument((31, 21), psf=kernel)
    bright = lambda x, y: jnp.exp(-0.5 * ((x - 9.0) ** 2 + y**2) / 4.0)  # noqa: E731
    found = np.asarray(exposure(bright, taken))
    j, i = np.meshgrid(np.arange(21 + 40) - 20, np.arange(31 + 40) - 20)
    wide = np.exp(-0.5 * ((j - 10.5 - 9.0) ** 2 + (15.5 - i) ** 2) / 4.0)
    expected = signal.convolve2d(wide, kernel, mode="same")[20:-20, 20:-20]
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize(("n", "sigma"), [(1.0, 0.7), (4.0, 3.0)])
def test_refined_pixels_hold_the_flux_of_a_cusp(n: float, sigma: float) -> None:
    source = sersic(jnp.float32(sigma), jnp.float32(sigma), jnp.float32(0.0), jnp.float32(n), jnp.float32(1.0))
    coarse, fine = instrument((65, 65)), instrument((65, 65), refinement=16, refined=64)
    flux = jax.jit(lambda taken: exposure(source.light, taken).sum())
    truth, plain, refined = (float(flux(taken)) for taken in (instrument((65, 65), supersampling=33), coarse, fine))
    assert abs(refined / truth - 1.0) < 0.02
    assert abs(refined / truth - 1.0) < 0.2 * abs(plain / truth - 1.0)


def test_gradients_of_refined_pixels_agree_with_differences() -> None:
    taken = instrument((33, 33), refinement=6, refined=30, psf=psfs.gaussian(2.5))
    weight = np.random.default_rng(3).random((33, 33))

    @jax.jit
    def value(at: jax.Array) -> jax.Array:
        source = sersic(at[0], at[0], at[1], at[2], jnp.asarray(1.0))  # off the pixels' middles: no two are equally steep
        return (exposure(lambda x, y: source.light(x - 0.31, y + 0.17), taken, dtype=at.dtype) * weight).sum()

    with jax.enable_x64(True):
        at = jnp.array([4.0, 0.3, 2.0])
        gradient = jax.jit(jax.grad(value))(at)
        step = 1e-5
        for k in (0, 2):
            unit = jnp.eye(3)[k] * step
            assert float(gradient[k]) == pytest.approx(float(value(at + unit) - value(at - unit)) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("noise", [GaussianNoise(jnp.float32(0.3)), PoissonNoise(jnp.float32(0.1), jnp.float32(20.0))])
def test_draws_have_the_stated_mean_and_deviation(noise: GaussianNoise | PoissonNoise) -> None:
    image = jnp.full((300, 300), 2.0, jnp.float32)
    drawn = np.asarray(noise.draw(jax.random.key(0), image))
    sigma = float(noise.sigma(image)[0, 0])
    assert drawn.mean() == pytest.approx(2.0, abs=5 * sigma / 300)
    assert drawn.std() == pytest.approx(sigma, rel=0.02)


def test_the_likelihood_is_that_of_scipy() -> None:
    from scipy.stats import norm

    image, data = jnp.asarray([[1.0, 2.0], [3.0, 4.0]]), jnp.asarray([[1.5, 2.0], [2.0, 9.0]])
    mask = jnp.asarray([[True, True], [True, False]])
    noise = PoissonNoise(jnp.float32(0.5), jnp.float32(2.0))
    sigma = np.sqrt(0.25 + np.asarray(image) / 2.0)
    expected = norm.logpdf(np.asarray(data), np.asarray(image), sigma)[np.asarray(mask)].sum()
    assert float(log_likelihood(noise, data, image, mask)) == pytest.approx(expected, rel=1e-5)


def test_rounding_cuts_and_rounds() -> None:
    image = jnp.asarray([[-3.0, 1.4], [254.6, 400.0]])
    np.testing.assert_array_equal(Rounded8Bit().draw(jax.random.key(0), image), [[0.0, 1.0], [255.0, 255.0]])
    np.testing.assert_allclose(Rounded8Bit().expected(image), [[0.0, 1.4], [254.6, 255.0]], rtol=1e-6)


def test_pixels_without_value_or_noise_are_masked() -> None:
    data, noise = np.ones((4, 5)), np.full((4, 5), 0.1)
    data[0, 0], noise[1, 1], noise[2, 2], noise[3, 3] = np.nan, 0.0, -1.0, np.inf
    seen = observe(data, noise)
    assert int((~seen.mask).sum()) == 4
    assert np.isfinite(np.asarray(seen.data)).all() and np.isfinite(np.asarray(seen.noise.sigma(seen.data))).all()


def test_an_uneven_sum_of_a_psf_is_normalised_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="sum of 2"):
        assert psfs.checked(2.0 * lopsided(3, 3)).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("column", "options"),
    [
        ("noise", {"noise": 0.0}),
        ("noise", {"noise": np.nan}),
        ("noise", {"noise": np.ones((3, 3))}),
        ("noise", {"noise": np.zeros((8, 9))}),
        ("mask", {"mask": np.ones((9, 8), bool)}),
        ("image", {"mask": np.zeros((8, 9), bool)}),
        ("psf", {"psf": np.ones((4, 5)) / 20}),
        ("psf", {"psf": np.ones((11, 11)) / 121}),
        ("psf", {"psf": np.zeros((3, 3))}),
        ("psf", {"psf": np.full((3, 3), np.nan)}),
        ("pixel_scale", {"pixel_scale": 0.0}),
        ("supersampling", {"supersampling": 0}),
    ],
)
def test_what_does_not_go_together_is_refused(column: str, options: dict) -> None:
    with pytest.raises(BadInput) as caught:
        observe(np.ones((8, 9)), **{"noise": 1.0, **options})
    assert caught.value.column == column
