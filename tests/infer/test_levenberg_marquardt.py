"""Levenberg–Marquardt on problems with known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.infer.levenberg_marquardt import AT_BOUND, CONVERGED, NOT_FINITE, STATUS, STUCK, descend
from lensjax.infer.objective import Normal

WIDE = jnp.full(2, -100.0), jnp.full(2, 100.0)


def rosenbrock(fit):
    """Residuals 10 (y − x²) and 1 − x: the minimum is (1, 1), at the end of a bent valley."""

    def residual(at):
        return jnp.stack([10.0 * (at[1] - at[0] ** 2), 1.0 - at[0]])

    value, jacobian = residual(fit), jax.jacfwd(residual)(fit)
    return Normal(value @ value, jacobian.T @ jacobian, jacobian.T @ value)


@pytest.mark.parametrize("alike", [False, True])
def test_follows_a_bent_valley_to_its_end(alike):
    descent = descend(rosenbrock, jnp.array([-1.2, 1.0]), *WIDE, steps=100, tolerance=1e-12, alike=alike)
    np.testing.assert_allclose(descent.fit, [1.0, 1.0], atol=1e-3)
    assert descent.code == CONVERGED


def test_stops_at_a_bound_and_says_so():
    descent = descend(rosenbrock, jnp.array([-1.2, 1.0]), WIDE[0], jnp.array([0.5, 100.0]), steps=100, tolerance=1e-12)
    assert descent.fit[0] == pytest.approx(0.5)
    assert descent.code == AT_BOUND


def test_out_of_steps_is_stuck():
    assert descend(rosenbrock, jnp.array([-1.2, 1.0]), *WIDE, steps=3, tolerance=1e-12).code == STUCK


@pytest.mark.parametrize("start", [[jnp.nan, 1.0], [1.0, jnp.nan]])
def test_a_start_that_is_not_a_number_ends_at_once(start):
    descent = descend(rosenbrock, jnp.array(start), *WIDE, steps=50, tolerance=1e-6)
    assert descent.code == NOT_FINITE
    assert descent.steps == 1
    assert not np.isfinite(descent.normal.cost)


def test_a_start_without_a_finite_derivative_ends_at_once():
    def cusp(fit):
        normal = rosenbrock(fit)
        return normal._replace(gradient=normal.gradient / 0.0)

    assert descend(cusp, jnp.array([-1.2, 1.0]), *WIDE, steps=50, tolerance=1e-6).code == NOT_FINITE


def test_not_finite_is_said_at_a_bound_too():
    assert descend(rosenbrock, jnp.array([jnp.nan, 200.0]), *WIDE, steps=50, tolerance=1e-6).code == NOT_FINITE


def test_a_slope_that_no_step_follows_is_stuck():
    """The derivative promises what no step keeps: damping grows until it means nothing."""

    def wrong(fit):
        here = jnp.all(fit == 1.0)
        return Normal(jnp.where(here, 1.0, 2.0), 1e-12 * jnp.eye(2), jnp.full(2, 1e6))

    descent = descend(wrong, jnp.ones(2), jnp.full(2, -1e30), jnp.full(2, 1e30), steps=500, tolerance=1e-6)
    assert descent.steps < 500
    assert descent.code == STUCK


def test_every_code_has_its_words():
    assert set(STATUS) == {CONVERGED, STUCK, AT_BOUND, NOT_FINITE}
    assert len(set(STATUS.values())) == 4


def test_flat_direction_is_left_alone():
    def flat(fit):
        return Normal((fit[0] - 3.0) ** 2, jnp.diag(jnp.array([1.0, 0.0])), jnp.stack([fit[0] - 3.0, 0.0 * fit[1]]))

    descent = descend(flat, jnp.array([0.0, 7.0]), *WIDE, steps=50, tolerance=1e-8)
    np.testing.assert_allclose(descent.fit, [3.0, 7.0], atol=1e-3)
