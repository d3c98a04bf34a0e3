"""Point mass and SIS against their closed forms in float64, and safe in float32 where they are singular."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.lens import SIE, SIS, Axisymmetric, PointMass

LENSES = {"sis": SIS, "point mass": PointMass}


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", LENSES)
def test_deflection_is_the_gradient_of_the_potential(name, x64):
    lens = LENSES[name](jnp.asarray(37.0))
    x, y = np.random.default_rng(0).uniform(-150, 150, (2, 64))
    step = 1e-4
    for k, component in enumerate(lens.deflection(x, y)):
        dx, dy = (step, 0) if k == 0 else (0, step)
        slope = (lens.potential(x + dx, y + dy) - lens.potential(x - dx, y - dy)) / (2 * step)
        np.testing.assert_allclose(component, slope, rtol=1e-7, atol=1e-7)


def test_closed_forms(x64):
    x, y = np.array([30.0, -12.0, 0.0]), np.array([40.0, 5.0, -8.0])
    r = np.hypot(x, y)
    np.testing.assert_allclose(SIS(20.0).deflection(x, y), [20 * x / r, 20 * y / r], rtol=1e-14)
    np.testing.assert_allclose(PointMass(20.0).deflection(x, y), [400 * x / r**2, 400 * y / r**2], rtol=1e-14)
    np.testing.assert_allclose(SIS(20.0).convergence(x, y), 10 / r, rtol=1e-14)
    np.testing.assert_allclose(PointMass(20.0).convergence(x, y), 0.0)


@pytest.mark.parametrize("name", LENSES)
@pytest.mark.parametrize("source", [(60.0, 25.0), (3.0, -4.0), (1e-3, 0.0), (0.0, 0.0)])
def test_primary_image_solves_the_lens_equation(name, source, x64):
    lens = LENSES[name](jnp.asarray(37.0))
    x, y = lens.primary_image(jnp.asarray(source[0]), jnp.asarray(source[1]))
    ax, ay = lens.deflection(x, y)
    np.testing.assert_allclose([x - ax, y - ay], source, atol=1e-11)


@pytest.mark.parametrize("name", LENSES)
@pytest.mark.parametrize("source", [60.0, 3.0, -3.0, -30.0])
def test_image_radius_solves_the_lens_equation_along_the_axis(name, source, x64):
    lens = LENSES[name](jnp.asarray(37.0))
    radius = lens.image_radius(jnp.asarray(source))
    assert radius > 0
    np.testing.assert_allclose(radius - lens.deflection(radius, jnp.zeros(()))[0], source, atol=1e-11)


def test_an_isothermal_lens_shows_no_counter_image_of_a_far_source():
    assert SIS(jnp.asarray(37.0)).image_radius(jnp.asarray(-40.0)) == 0
    assert PointMass(jnp.asarray(37.0)).image_radius(jnp.asarray(-40.0)) > 0


def test_which_lenses_are_axisymmetric():
    one = jnp.ones(())
    assert all(isinstance(lens(one), Axisymmetric) for lens in LENSES.values())
    assert not isinstance(SIE(one, one, one), Axisymmetric)


@pytest.mark.parametrize("name", LENSES)
def test_finite_at_the_centre_in_float32(name):
    def total(at):
        lens = LENSES[name](at[2])
        ax, ay = lens.deflection(at[0], at[1])
        px, py = lens.primary_image(at[0], at[1])
        return lens.potential(at[0], at[1]) + ax + ay + px + py

    at = jnp.array([0.0, 0.0, 37.0], jnp.float32)
    assert np.isfinite(total(at))
    assert np.isfinite(jax.grad(total)(at)).all()
    assert np.isfinite(jax.jacfwd(total)(at)).all()
