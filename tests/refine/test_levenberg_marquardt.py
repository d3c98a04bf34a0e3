"""Levenberg–Marquardt on problems with known answers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.refine.levenberg_marquardt import AT_BOUND, CONVERGED, STUCK, descend
from lensjax.refine.objective import Normal

WIDE = jnp.full(2, -100.0), jnp.full(2, 100.0)


def rosenbrock(fit):
    """Residuals 10 (y − x²) and 1 − x: the minimum is (1, 1), at the end of a bent valley."""

    def residual(at):
        return jnp.stack([10.0 * (at[1] - at[0] ** 2), 1.0 - at[0]])

    value, slope = residual(fit), jax.jacfwd(residual)(fit)
    return Normal(value @ value, slope.T @ slope, slope.T @ value)


def test_follows_a_bent_valley_to_its_end():
    found = descend(rosenbrock, jnp.array([-1.2, 1.0]), *WIDE, steps=100, tolerance=1e-12)
    np.testing.assert_allclose(found.fit, [1.0, 1.0], atol=1e-3)
    assert found.code == CONVERGED


def test_stops_at_a_bound_and_says_so():
    found = descend(rosenbrock, jnp.array([-1.2, 1.0]), WIDE[0], jnp.array([0.5, 100.0]), steps=100, tolerance=1e-12)
    assert found.fit[0] == pytest.approx(0.5)
    assert found.code == AT_BOUND


def test_out_of_steps_is_stuck():
    assert descend(rosenbrock, jnp.array([-1.2, 1.0]), *WIDE, steps=3, tolerance=1e-12).code == STUCK


def test_a_start_that_is_not_a_number_does_not_pass_for_success():
    found = descend(rosenbrock, jnp.array([jnp.nan, 1.0]), *WIDE, steps=50, tolerance=1e-6)
    assert not np.isfinite(found.normal.cost) or found.code != CONVERGED


def test_flat_direction_is_left_alone():
    def flat(fit):
        return Normal((fit[0] - 3.0) ** 2, jnp.diag(jnp.array([1.0, 0.0])), jnp.stack([fit[0] - 3.0, 0.0 * fit[1]]))

    found = descend(flat, jnp.array([0.0, 7.0]), *WIDE, steps=50, tolerance=1e-8)
    np.testing.assert_allclose(found.fit, [3.0, 7.0], atol=1e-3)
