"""Sampled potentials against the smooth lens that the samples are of, a cored isothermal sphere with shear."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lensjax.lens import hessian, sampled

SIDE = 200.0
THETA_E, CORE, TILT = 30.0, 25.0, 0.1


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def smooth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(6, ...): ψ = θ_E √(r² + c²) + g x y and α, ψ_xx, ψ_xy, ψ_yy."""
    root = np.sqrt(x**2 + y**2 + CORE**2)
    return np.array(
        [
            THETA_E * root + TILT * x * y,
            THETA_E * x / root + TILT * y,
            THETA_E * y / root + TILT * x,
            THETA_E * (root**2 - x**2) / root**3,
            TILT - THETA_E * x * y / root**3,
            THETA_E * (root**2 - y**2) / root**3,
        ]
    )


def grid(n: int, side: float = SIDE) -> tuple[np.ndarray, np.ndarray]:
    along = (np.arange(n) - n / 2) * side / n
    return along[None, :] + 0 * along[:, None], -along[:, None] + 0 * along[None, :]


def points(share: float = 0.8, n: int = 400) -> np.ndarray:
    return np.random.default_rng(5).uniform(-share, share, (2, n)) * SIDE / 2


def errors(n: int, at: np.ndarray) -> np.ndarray:
    """Largest error of ψ, α and ψ''."""
    lens = sampled(smooth(*grid(n))[0], side=SIDE)
    got = np.array([lens.potential(*at), *lens.deflection(*at), *hessian(lens, *map(jnp.asarray, at))])
    off = np.abs(got - smooth(*at)).max(axis=1)
    return np.array([off[0], off[1:3].max(), off[3:].max()])


def test_passes_through_the_samples(x64):
    psi = np.random.default_rng(0).normal(0, 1, (12, 12))
    lens = sampled(psi, side=SIDE)
    np.testing.assert_allclose(lens.potential(*grid(12)), psi, atol=1e-11)


@pytest.mark.slow
def test_error_falls_as_the_sixth_power_of_the_step(x64):
    """ψ as h⁶, α as h⁵, ψ'' as h⁴, within the field; and small at one sample a pixel."""
    found = np.array([errors(n, points()) for n in (50, 100, 200)])
    rates = np.log2(found[:-1] / found[1:])
    assert (rates[1] > [5.5, 4.6, 3.6]).all(), rates
    assert (found[-1] < THETA_E * np.array([1e-7, 1e-7, 1e-7])).all(), found[-1]


@pytest.mark.slow
def test_up_to_the_outermost_samples(x64):
    """The field's corners, between the first and the last sample of a row and a column."""
    n = 200
    x = np.array([-SIDE / 2, -SIDE / 2 + 0.4, SIDE / 2 - 1.1, SIDE / 2 - 1.0])
    at = np.stack([g.ravel() for g in np.meshgrid(x, -x)])
    assert (errors(n, at) < THETA_E * np.array([1e-6, 1e-6, 1e-5])).all(), errors(n, at)


def test_the_spline_is_its_own_polynomial(x64):
    """A polynomial of fifth degree in x and in y comes out exactly, also beyond the grid's edge."""
    rng = np.random.default_rng(2)
    coefficients = rng.normal(0, 1, (6, 6))
    value = np.polynomial.polynomial.polyval2d
    x, y = (g / SIDE for g in grid(16))
    lens = sampled(value(x, y, coefficients), side=SIDE)
    at = np.random.default_rng(3).uniform(-0.55, 0.55, (2, 50))
    np.testing.assert_allclose(lens.potential(*(SIDE * at)), value(*at, coefficients), atol=1e-8)


def test_convergence_is_half_the_laplacian(x64):
    lens, at = sampled(smooth(*grid(200))[0], side=SIDE), points()
    _, _, _, xx, _, yy = smooth(*at)
    np.testing.assert_allclose(lens.convergence(*map(jnp.asarray, at)), 0.5 * (xx + yy), atol=1e-6)


def test_side_is_that_of_the_image(x64):
    """Without a side, samples are pixels: row 0 is the top, column 0 the left."""
    x, y = grid(100, 100.0)
    lens = sampled(smooth(x, y)[0])
    np.testing.assert_allclose(lens.deflection(17.3, -22.8), smooth(np.array(17.3), np.array(-22.8))[1:3], atol=1e-5)


def test_float32():
    at = np.asarray(points(), np.float32)
    lens = sampled(jnp.asarray(smooth(*grid(100))[0], jnp.float32), side=SIDE)
    got = lens.deflection(*map(jnp.asarray, at))
    assert got[0].dtype == jnp.float32
    np.testing.assert_allclose(got, smooth(*at.astype(float))[1:3], atol=1e-4 * THETA_E)


def test_differentiable_in_the_samples(x64):
    """The deflection is linear in the samples: its slope along another potential is that potential's deflection."""
    psi, at = jnp.asarray(smooth(*grid(24))[0]), points(n=7)
    other = np.cos(grid(24)[0] / 40.0) * np.sin(grid(24)[1] / 30.0)

    @jax.jit
    def deflection(psi):
        return jnp.stack(sampled(psi, side=SIDE).deflection(*at))

    _, slope = jax.jvp(deflection, (psi,), (jnp.asarray(other),))
    h = 1e-3
    np.testing.assert_allclose(slope, (deflection(psi + h * other) - deflection(psi - h * other)) / (2 * h), atol=1e-9)
    check_grads(lambda psi: (deflection(psi) ** 2).sum(), (psi,), order=1, modes=("rev",), rtol=1e-5)


@pytest.mark.slow
def test_primary_image(x64):
    """Solves the lens equation of the smooth lens; its gradient in the source's place is the inverse of A."""
    lens, source = sampled(smooth(*grid(200))[0], side=SIDE), (38.0, 21.0)
    x, y = (np.array(float(v)) for v in lens.primary_image(*map(jnp.asarray, source)))
    _, ax, ay, xx, xy, yy = smooth(x, y)
    np.testing.assert_allclose([x - ax, y - ay], source, atol=1e-5)
    slope = jax.jit(jax.jacrev(lambda eta: jnp.stack(lens.primary_image(eta[0], eta[1]))))(jnp.array(source))
    np.testing.assert_allclose(slope, np.linalg.inv([[1 - xx, -xy], [-xy, 1 - yy]]), rtol=1e-5)


def test_finite_beyond_the_field():
    lens = sampled(jnp.asarray(smooth(*grid(32))[0], jnp.float32), side=SIDE)
    for value in (*lens.deflection(jnp.float32(140.0), jnp.float32(-140.0)), lens.convergence(jnp.float32(140.0), jnp.float32(0.0))):
        assert np.isfinite(value)


@pytest.mark.parametrize("shape", [(7, 7), (8, 9), (64,)])
def test_not_a_grid(shape):
    with pytest.raises(ValueError, match="square grid"):
        sampled(np.zeros(shape))
