"""Rendering: against an independent numpy renderer in float64, chunking, centring, finite gradients in float32."""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems, simulate
from lensjax.lens import SIS, PointMass
from lensjax.light.gaussian import elliptical
from lensjax.observation.detector import quantise
from lensjax.observation.grid import block_mean, pixel_points
from lensjax.observation.instrument import CentreOfLight, instrument
from lensjax.simulate import System, Trace


def numpy_sis(x, y, theta_e, sigma, sigma2, theta, px, py):
    """Grey levels of an SIS and an elliptical Gaussian at points (px, py), written down afresh."""
    r = np.hypot(px, py)
    bx, by = px - theta_e * px / r - x, py - theta_e * py / r - y
    t = np.deg2rad(theta)
    u, v = np.cos(t) * bx + np.sin(t) * by, np.cos(t) * by - np.sin(t) * bx
    return 255 * np.exp(-0.5 * (u / sigma) ** 2 - 0.5 * (v / sigma2) ** 2)


PARAMS = np.array([[60.0, 25.0, 20.0, 12.0, 7.0, 30.0], [-40.0, 10.0, 45.0, 9.0, 9.0, 0.0], [20.0, -150.0, 8.0, 30.0, 14.0, 171.0]])


@pytest.mark.parametrize("params", PARAMS)
def test_raytrace_against_numpy(params):
    j = np.arange(400)
    px, py = np.meshgrid(j - 200.0, 200.0 - j)
    problem = problems.get("sis2023", method="raytrace", centred=False)
    with np.errstate(invalid="ignore"), jax.enable_x64(True):
        expected = numpy_sis(params[0], params[1], 2 * params[2], *params[3:], px, py)
        got = np.asarray(problem.render(jnp.asarray(params)))
    away = np.hypot(px, py) > 0
    np.testing.assert_allclose(got[away], expected[away], atol=1e-9)
    assert np.isfinite(got).all()
    single = np.asarray(problem.render(jnp.asarray(params, jnp.float32)))
    np.testing.assert_allclose(single[away], expected[away], atol=0.02)


def test_centred_image_has_its_light_in_the_middle():
    problem = problems.get("sis2023", method="raytrace")
    with jax.enable_x64(True):
        image = np.asarray(problem.render(jnp.asarray(PARAMS[2])))
    j = np.arange(400)
    assert (image.sum(0) @ (j - 200.0)) / image.sum() == pytest.approx(0.0, abs=2e-3)
    assert (image.sum(1) @ (200.0 - j)) / image.sum() == pytest.approx(0.0, abs=2e-3)


@pytest.mark.parametrize("lens", [SIS, pytest.param(PointMass, marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", ["ring", "raytrace", "roulette"])
def test_centre_of_light_is_that_of_the_whole_canvas(lens, method):
    """From few points about the light, on any side of the lens, as from all pixels of a canvas; round, long, and cut by the canvas."""

    def centre(row, *, samples):
        source = elliptical(row[3], row[4], row[5])
        system, trace = System(lens(row[2]), source, row[0], row[1]), Trace.named(method, terms=12)
        return jnp.stack(simulate.centre_of_light(system, CentreOfLight(500, samples=samples), trace=trace))

    rows = np.array([
        [60.0, 25.0, 20.0, 12.0, 12.0, 0.0], [-40.0, 10.0, 45.0, 9.0, 22.0, 1.1], [0.0, 0.0, 30.0, 14.0, 8.0, 0.4],
        [-30.0, -150.0, 16.0, 40.0, 14.0, 2.9], [180.0, -150.0, 60.0, 30.0, 20.0, 0.7],
    ])  # fmt: skip
    with jax.enable_x64(True):
        few, every = (np.asarray(jax.lax.map(partial(centre, samples=samples), jnp.asarray(rows))) for samples in (96, None))
    np.testing.assert_allclose(few, every, atol=0.1)


def test_roulette_agrees_with_the_exact_equation_where_it_converges():
    with jax.enable_x64(True):
        images = [np.asarray(problems.get("sis2023", method=method).render(jnp.asarray(PARAMS[2]))) for method in ("roulette", "ring")]
    np.testing.assert_allclose(*images, atol=1e-3)


def test_window_is_the_ring():
    system = System(SIS(jnp.float32(80.0)), elliptical(*map(jnp.float32, (40.0, 40.0, 0.0))), jnp.float32(30.0), jnp.float32(0.0))
    taken, ring = instrument((400, 400)), Trace.named("ring")
    masked = np.asarray(simulate.image(system, taken, trace=ring))
    whole = np.asarray(simulate.image(system, taken, trace=ring, whole=True))
    x, y = (np.asarray(part) for part in pixel_points(400, 400))
    within = np.hypot(x - 110.0, y) <= 110.0
    np.testing.assert_array_equal(masked[~within], 0.0)
    np.testing.assert_array_equal(masked[within], whole[within])
    assert whole[~within].max() > 0.4


@pytest.mark.parametrize("method", ["roulette", "ring", "raytrace"])
def test_equal_theta_e_gives_the_same_image(method):
    """The thesis's open question: einsteinR and chi enter through einsteinR/chi alone. (pm2022 has chi.)"""
    problem = problems.get("pm2022", method=method)
    base = jnp.array([40.0, 20.0, 20.0, 15.0, 8.0, 50.0, 0.5], jnp.float32)
    other = base.at[2].set(16.0).at[6].set(0.4)
    first, second = (np.asarray(quantise(problem.render(p))) for p in (base, other))
    np.testing.assert_array_equal(first, second)


def test_any_batch_size_gives_the_same_images():
    problem = problems.get("sis2023", image_size=100, method="ring")
    params = problem.sample(jax.random.key(0), 37)
    together = np.asarray(jax.jit(problem.render_batch)(params))
    alone = jax.jit(problem.render)
    for k in (0, 16, 36):
        np.testing.assert_allclose(together[k], alone(params[k]), atol=2e-3)


@cache
def value_and_gradient(method):
    """Mean square of an image and its gradient, compiled once a method."""
    problem = problems.get("sis2023", image_size=50, method=method)
    return jax.jit(jax.value_and_grad(lambda params: jnp.square(problem.render(params)).mean()))


@pytest.mark.parametrize("method", ["roulette", "ring", "raytrace"])
@pytest.mark.parametrize("special", ["plain", "round", "source behind the lens", "no lens"])
def test_gradients_are_finite_in_float32(method, special):
    params = {
        "plain": [60.0, 25.0, 20.0, 12.0, 7.0, 30.0],
        "round": [60.0, 25.0, 20.0, 9.0, 9.0, 30.0],
        "source behind the lens": [0.0, 0.0, 20.0, 12.0, 7.0, 30.0],
        "no lens": [60.0, 25.0, 1e-3, 12.0, 7.0, 30.0],
    }[special]
    value, gradient = value_and_gradient(method)(jnp.array(params, jnp.float32))
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_gradient_against_finite_differences():
    problem = problems.get("sis2023", image_size=50, method="raytrace")
    with jax.enable_x64(True):
        params = jnp.asarray(PARAMS[2])
        target = jax.jit(problem.render)(params + jnp.array([1.0, -1.0, 0.5, 0.2, 0.1, 2.0]))

        @jax.jit
        def loss(p):
            return jnp.square(problem.render(p) - target).mean()

        gradient = jax.jit(jax.grad(loss))(params)
        for k in range(6):
            step = jnp.zeros(6).at[k].set(1e-4)
            assert gradient[k] == pytest.approx(float((loss(params + step) - loss(params - step)) / 2e-4), rel=1e-4)


@pytest.mark.slow
def test_coarse_pixels_are_means_of_fine_ones():
    fine, coarse = problems.get("sis2023", method="raytrace"), problems.get("sis2023", method="raytrace", image_size=100)
    params = jnp.asarray(PARAMS[2], jnp.float32)
    np.testing.assert_allclose(coarse.render(params), block_mean(fine.render(params), 4), atol=0.5)


def test_quantise_rounds_and_clips():
    np.testing.assert_array_equal(quantise(jnp.array([-3.0, 0.49, 0.51, 254.6, 300.0])), [0, 0, 1, 255, 255])


@pytest.mark.parametrize("method", ["ring", *(pytest.param(method, marks=pytest.mark.slow) for method in ("raytrace", "roulette"))])
def test_gradient_of_a_centred_image_against_finite_differences(method):
    problem = problems.get("sis2023", method=method, image_size=100)

    def brightness(params):
        return jnp.square(problem.render(params)).mean()

    gradient = np.asarray(jax.jit(jax.grad(brightness))(jnp.asarray(PARAMS[0], jnp.float32)))
    with jax.enable_x64(True):
        exact, step = jax.jit(brightness), 1e-4
        up, down = (np.array([exact(jnp.asarray(PARAMS[0] + sign * step * row)) for row in np.eye(6)]) for sign in (1, -1))
    np.testing.assert_allclose(gradient, (up - down) / (2 * step), rtol=1e-3, atol=1e-3 * np.abs(gradient).max())


def test_the_lens_shines_in_front():
    """Its light is neither deflected nor cut by the window, and the centre of light stays that of the source."""
    bare = System(SIS(jnp.float32(80.0)), elliptical(*map(jnp.float32, (12.0, 8.0, 0.4))), jnp.float32(30.0), jnp.float32(-20.0))
    own = elliptical(*map(jnp.float32, (5.0, 5.0, 0.0)))
    taken, ring = instrument((400, 400), centring=CentreOfLight(1000, samples=96)), Trace.named("ring")
    both, one = (np.asarray(simulate.image(system, taken, trace=ring)) for system in (replace(bare, lens_light=own), bare))
    centre = np.asarray(simulate.image_centre(bare, taken, trace=ring))
    x, y = (np.asarray(part) for part in pixel_points(400, 400))
    np.testing.assert_allclose(both - one, np.exp(-0.5 * ((x + centre[0]) ** 2 + (y + centre[1]) ** 2) / 25.0), atol=4e-6)
