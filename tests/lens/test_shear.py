"""Shear and sheet against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lensjax.lens import SIS, Shear, Sheet, cluster, hessian, inverse_magnification
from lensjax.lens.base import shear

LENSES = {"shear": (Shear(0.12, -0.2), 0.12, -0.2, 0.0), "sheet": (Sheet(0.3), 0.0, 0.0, 0.3)}


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def points() -> np.ndarray:
    return np.random.default_rng(3).uniform(-150, 150, (2, 40))


@pytest.mark.parametrize("name", LENSES)
def test_closed_forms(name):
    """ψ = ½ νᵀ H ν and α = H ν with H = [[κ + γ₁, γ₂], [γ₂, κ − γ₁]]."""
    lens, gamma1, gamma2, kappa = LENSES[name]
    lens = jax.tree.map(jnp.asarray, lens)
    x, y = points()
    form = np.array([[kappa + gamma1, gamma2], [gamma2, kappa - gamma1]])
    np.testing.assert_allclose(lens.potential(x, y), 0.5 * np.einsum("in,ij,jn->n", [x, y], form, [x, y]), rtol=1e-12)
    np.testing.assert_allclose(lens.deflection(x, y), form @ [x, y], rtol=1e-12)
    np.testing.assert_allclose(lens.convergence(x, y), kappa, rtol=1e-15)
    np.testing.assert_allclose([float(h[0]) for h in hessian(lens, x, y)], form[[0, 0, 1], [0, 1, 1]], rtol=1e-12)
    np.testing.assert_allclose(np.transpose(shear(lens, x, y)), np.tile([gamma1, gamma2], (x.size, 1)), atol=1e-15)
    np.testing.assert_allclose(inverse_magnification(lens, x, y), np.linalg.det(np.eye(2) - form), rtol=1e-12)
    np.testing.assert_allclose(lens.primary_image(x, y), np.linalg.solve(np.eye(2) - form, np.stack([x, y])), rtol=1e-12)


def test_convergence_has_the_points_shape():
    for lens, _, _, _ in LENSES.values():
        assert jax.tree.map(jnp.asarray, lens).convergence(jnp.zeros((5, 1)), jnp.zeros((1, 7))).shape == (5, 7)


def test_gradient_of_the_primary_image():
    def image(p):
        return jnp.stack([*Shear(p[2], p[3]).primary_image(p[0], p[1]), *Sheet(p[4]).primary_image(p[0], p[1])])

    check_grads(image, (jnp.array([60.0, 25.0, 0.12, -0.2, 0.3]),), order=1, modes=("fwd", "rev"), rtol=1e-6)


def test_einstein_radius_in_a_sheet():
    """An SIS of θ_E in a sheet κ has its ring at θ_E/(1 − κ)."""
    lens = cluster([(SIS(30.0), 0.0, 0.0), (Sheet(0.25), 0.0, 0.0)])
    ring = np.array([[40.0, 0.0], [0.0, 40.0]])
    np.testing.assert_allclose(lens.deflection(*jnp.asarray(ring)), ring, atol=1e-12)
    np.testing.assert_allclose(inverse_magnification(lens, *jnp.asarray(ring)), 0.0, atol=1e-12)
