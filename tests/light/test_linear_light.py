"""Light of many linear amplitudes: each basis is its light, has the flux it claims, and finite derivatives at its centre."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.light import Gaussian, LinearSource, MultiGaussian, Pixels, Shapelets
from lensjax.light.multi_gaussian import widths
from lensjax.light.pixels import regularisation, roughness
from lensjax.light.shapelets import orders

RNG = np.random.default_rng(0)
WIDTHS, FLUXES = jnp.asarray(widths(1.5, 6.0, 3), jnp.float32), jnp.asarray([1.0, 2.0, 3.0])
LIGHTS: dict[str, LinearSource] = {
    "multi-Gaussian": MultiGaussian(*map(jnp.float32, (1.25, 0.0, 0.8)), WIDTHS, FLUXES),
    "shapelets": Shapelets(jnp.float32(3.0), jnp.asarray(RNG.normal(size=15), jnp.float32), 4),
    "pixels": Pixels(jnp.asarray(RNG.random(49), jnp.float32), jnp.float32(2.0)),
}
LINE = jnp.linspace(-40.0, 40.0, 321)


@pytest.mark.parametrize("name", LIGHTS)
def test_the_light_is_the_weighted_basis_and_its_sum_the_flux(name: str) -> None:
    light = LIGHTS[name]
    assert isinstance(light, LinearSource)
    bright, basis = jax.jit(lambda light: (light.light(LINE[None, :], LINE[:, None]), light.basis(LINE[None, :], LINE[:, None])))(light)
    assert basis.shape == (len(light.amplitudes), *bright.shape)
    np.testing.assert_allclose(jnp.tensordot(light.amplitudes, basis, 1), bright, atol=2e-6 * float(jnp.abs(bright).max()))
    assert float(bright.sum()) * 0.25**2 == pytest.approx(float(light.flux()), rel=1e-3)
    along = float(light.extent(jnp.float32(1.0), jnp.float32(0.0)))
    assert float(jnp.abs(bright[:, np.abs(LINE) > along]).max()) < 1e-3 * float(jnp.abs(bright).max())


@pytest.mark.parametrize("name", LIGHTS)
def test_derivatives_are_finite_at_the_centre(name: str) -> None:
    slopes = jax.jit(jax.jacfwd(lambda light, x: light.light(x, x)))(LIGHTS[name], jnp.zeros((), jnp.float32))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_shapelets_are_orthogonal_with_one_norm() -> None:
    light = LIGHTS["shapelets"]
    basis = light.basis(LINE[None, :], LINE[:, None]).reshape(15, -1)
    np.testing.assert_allclose(4 * np.pi * 3.0**2 * (basis @ basis.T) * 0.25**2, np.eye(15), atol=2e-5)
    assert orders(2) == ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))


def test_one_gaussian_of_many_is_a_gaussian() -> None:
    form = (1.25, 0.1, 0.808)
    many = MultiGaussian(*map(jnp.float32, form), jnp.asarray([2.0]), jnp.asarray([7.0]))
    one = Gaussian(*(jnp.float32(part / 4.0) for part in form), peak=jnp.float32(7.0 / (2 * np.pi * 4.0)))
    np.testing.assert_allclose(many.light(LINE, 0.3 * LINE), one.light(LINE, 0.3 * LINE), atol=1e-6)


@pytest.mark.parametrize("penalty, nothing", [("identity", 0), ("gradient", 1), ("curvature", 4)])
def test_a_penalty_says_nothing_of_constant_or_linear_light(penalty: str, nothing: int) -> None:
    matrix = regularisation(5, penalty)
    assert np.linalg.matrix_rank(matrix) == 25 - nothing
    ramp = np.add.outer(np.arange(5.0), 2.0 * np.arange(5.0)).ravel()
    assert (abs(ramp @ matrix @ ramp) < 1e-9) == (penalty == "curvature")
    light = np.float32(RNG.random((5, 5)))
    rough = roughness(jnp.asarray(light), jnp.ones((5, 5)), penalty)
    assert light.ravel() @ matrix @ light.ravel() == pytest.approx(float(rough), rel=1e-5)


@pytest.mark.parametrize("penalty", ["identity", "gradient", "curvature"])
def test_a_closed_penalty_counts_the_steps_across_the_edge(penalty: str) -> None:
    matrix = regularisation(5, penalty, closed=True)
    assert np.linalg.matrix_rank(matrix) == 25
    inside = np.zeros((9, 9))
    inside[2:-2, 2:-2] = RNG.random((5, 5))
    open_ = inside.ravel() @ regularisation(9, penalty) @ inside.ravel()
    light = inside[2:-2, 2:-2].ravel()
    assert light @ matrix @ light == pytest.approx(open_, rel=1e-12)


@pytest.mark.parametrize("wrong", [lambda: widths(2.0, 1.0, 3), lambda: widths(1.0, 2.0, 0), lambda: regularisation(4, "cubic")])
def test_wrong_numbers_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="expected|known"):
        wrong()
