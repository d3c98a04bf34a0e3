"""Gaussian sources: against the definition, and smooth through the round one."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lensjax.light.gaussian import elliptical, from_shape, spherical
from lensjax.problems.observables import shape_of


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def test_elliptical_has_sigma_along_theta():
    theta = np.deg2rad(30.0)
    source = elliptical(jnp.asarray(12.0), jnp.asarray(5.0), jnp.asarray(theta))
    along, across = np.array([np.cos(theta), np.sin(theta)]), np.array([-np.sin(theta), np.cos(theta)])
    assert source.light(*(12.0 * along)) == pytest.approx(np.exp(-0.5))
    assert source.light(*(5.0 * across)) == pytest.approx(np.exp(-0.5))
    assert source.light(*(24.0 * along)) == pytest.approx(np.exp(-2.0))


def test_round_is_spherical():
    x, y = np.random.default_rng(0).normal(0, 10, (2, 30))
    expected = np.exp(-0.5 * (x**2 + y**2) / 49.0)
    for source in (
        spherical(jnp.asarray(7.0)),
        elliptical(jnp.asarray(7.0), jnp.asarray(7.0), jnp.asarray(1.2)),
        from_shape(jnp.log(7.0), jnp.asarray(0.0), jnp.asarray(0.0)),
    ):
        np.testing.assert_allclose(source.light(x, y), expected, rtol=1e-12)


@pytest.mark.parametrize("e", [0.0, 1e-9, 0.009999, 0.010001, 0.3, 1.2])
def test_shape_and_axes_agree_and_invert(e):
    log_size, angle = 2.5, np.deg2rad(70.0)
    shape = np.array([log_size, e * np.cos(2 * angle), e * np.sin(2 * angle)])
    source = from_shape(*map(jnp.asarray, shape))
    other = elliptical(jnp.exp(log_size + e), jnp.exp(log_size - e), jnp.asarray(angle))
    np.testing.assert_allclose([source.xx, source.xy, source.yy], [other.xx, other.xy, other.yy], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(shape_of(source), shape, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("e", [(0.0, 0.0), pytest.param((1e-3, 0.0), marks=pytest.mark.slow), (0.0099, 0.0), (0.4, -0.3)])
def test_gradients_against_finite_differences(e):
    @jax.jit
    def light(shape):
        return from_shape(shape[0], shape[1], shape[2]).light(3.0, -4.0)

    check_grads(light, (jnp.array([2.0, *e]),), order=2, modes=("fwd", "rev"), rtol=1e-4)


def test_float32_gradients_are_finite_for_the_round_source():
    with jax.enable_x64(False):
        slope = jax.jacrev(lambda s: jnp.stack(shape_of(from_shape(s[0], s[1], s[2]))))(jnp.array([2.0, 0.0, 0.0], jnp.float32))
        np.testing.assert_allclose(slope, np.eye(3), atol=1e-5)


@pytest.mark.parametrize("peak", [1.0, 3.5])
def test_flux_is_the_integral_of_the_light(peak: float) -> None:
    source = replace(elliptical(jnp.asarray(3.0), jnp.asarray(5.0), jnp.asarray(0.4)), peak=jnp.asarray(peak))
    x, y = jnp.meshgrid(jnp.arange(-40.0, 41.0), jnp.arange(-40.0, 41.0))
    assert float(source.flux()) == pytest.approx(float(source.light(x, y).sum()), rel=1e-4)
