"""The elliptical power law: the SIE at slope 2, derivatives, float32 at its singular points; and NFW and multipoles at theirs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import ndimage
from scipy.special import hyp2f1

from lensjax import roulette
from lensjax.lens import EPL, NFW, SIE, Multipole, epl, hessian, inverse_magnification
from lensjax.lens.epl import critical_radius


@jax.jit
def parts(lens, x, y):
    """Potential, deflection, convergence and second derivatives (7, N)."""
    return jnp.stack([lens.potential(x, y), *lens.deflection(x, y), lens.convergence(x, y), *hessian(lens, x, y)])


def points(n: int = 200) -> np.ndarray:
    """(2, n), from 0.1 to 150 px from the centre, in all directions."""
    rng = np.random.default_rng(2)
    radius, angle = np.exp(rng.uniform(np.log(0.1), np.log(150), n)), rng.uniform(0, 2 * np.pi, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)])


def tessore(x: np.ndarray, y: np.ndarray, theta_e: float, q: float, phi: float, gamma: float) -> np.ndarray:
    """(2, n) α of Tessore & Metcalf (2015, eq. 13) with SciPy's hypergeometric function of a complex argument."""
    z = (x + 1j * y) * np.exp(-1j * phi)
    t, b, f = gamma - 1.0, theta_e * np.sqrt(q), (1.0 - q) / (1.0 + q)
    w = q * z.real + 1j * z.imag
    turn = w / np.abs(w)
    alpha = 2 * b / (1 + q) * (b / np.abs(w)) ** (t - 1) * turn * hyp2f1(1, t / 2, 2 - t / 2, -f * turn**2) * np.exp(1j * phi)
    return np.stack([alpha.real, alpha.imag])


@pytest.mark.parametrize("q", [0.3, 0.8, 1.0])
def test_a_slope_of_2_is_the_sie(q: float) -> None:
    with jax.enable_x64(True):
        x, y = points()
        ours = jax.tree.map(jnp.asarray, epl(37.0, q, 0.4, 2.0))
        theirs = SIE(*map(jnp.asarray, (37.0, q, 0.4 - np.pi / 2)))
        np.testing.assert_allclose(parts(ours, x, y), parts(theirs, x, y), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype, tolerance", [(jnp.float64, 1e-12), (jnp.float32, 4e-6)], ids=["float64", "float32"])
def test_the_series_of_few_terms_is_exact(dtype: jnp.dtype, tolerance: float) -> None:
    """Relative to |α|, at slopes 1.5…2.5 and q ≥ 0.2. The exact lens is that of the rounded ellipticity."""
    deflection = jax.jit(lambda lens, x, y: jnp.stack(lens.deflection(x, y)))
    with jax.enable_x64(dtype == jnp.float64):
        for q in (0.2, 0.35, 0.6, 0.9):
            for gamma in (1.5, 1.75, 2.0, 2.25, 2.5):
                x, y = np.asarray(points(), dtype)
                lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), epl(37.0, q, 0.4, gamma))
                found = np.asarray(deflection(lens, jnp.asarray(x), jnp.asarray(y)), float)
                e1, e2 = float(lens.e1), float(lens.e2)
                e, phi = np.hypot(e1, e2), 0.5 * np.arctan2(e2, e1)
                exact = tessore(x.astype(float), y.astype(float), 37.0, (1 - e) / (1 + e), phi, float(lens.gamma))
                assert (np.abs(found - exact) / np.hypot(*exact)).max() < tolerance


@jax.jit
def deflection_of(p: jax.Array) -> jax.Array:
    return jnp.stack(EPL(p[2], p[3], p[4], p[5]).deflection(p[0], p[1]))


@pytest.mark.parametrize("order", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("e1, e2, gamma", [(0.3, -0.2, 2.3), (0.0, 0.0, 1.6), (0.0, 0.0, 2.0)])
def test_derivatives(e1: float, e2: float, gamma: float, order: int) -> None:
    with jax.enable_x64(True):
        check_grads(deflection_of, (jnp.array([20.0, -7.0, 30.0, e1, e2, gamma]),), order=order, modes=("fwd",), rtol=1e-5)


SINGULAR = {
    "EPL": lambda p: EPL(p[2], p[3], p[4], 2.0 + p[5]),
    "NFW": lambda p: NFW(p[2], p[2], p[3], p[4]),
    "multipole": lambda p: Multipole(p[3], p[4], 4),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_finite_at_the_centre_on_the_ring_and_for_the_round_lens_in_float32(name: str) -> None:
    def total(p: jax.Array) -> jax.Array:
        lens = SINGULAR[name](p)
        ax, ay = lens.deflection(p[0], p[1])
        return lens.potential(p[0], p[1]) + ax + ay + lens.convergence(p[0], p[1])

    places = [(0.0, 0.0), (1e-6, 0.0), (0.0, 37.0), (37.0, 0.0), (18.5, 0.0)]
    shapes = [(0.0, 0.0), (0.6, 0.0), (-0.1, 0.2)]
    p = jnp.array([(*at, 37.0, *shape, slope) for at in places for shape in shapes for slope in (-0.5, 0.0, 0.5)], jnp.float32)
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(total)))(p)
    assert value.dtype == slope.dtype == jnp.float32
    assert np.isfinite(value).all() and np.isfinite(slope).all()


def test_a_lens_without_mass_does_nothing() -> None:
    zero = jnp.zeros((), jnp.float32)
    lens = EPL(zero, zero, zero, jnp.float32(1.7))
    x, y = jnp.asarray(points(20), jnp.float32)
    value, slope = jax.jvp(lambda t: jnp.stack(EPL(t, zero, zero, lens.gamma).deflection(x, y)), (zero,), (jnp.ones_like(zero),))
    assert np.abs(value).max() < 1e-6 and np.isfinite(slope).all()


@pytest.mark.parametrize("lens", [NFW(40.0, 12.0, 0.2, -0.1), Multipole(1.3, -0.4, 3)], ids=["NFW", "multipole"])
def test_deflection_and_convergence_are_those_of_the_potential(lens: NFW | Multipole) -> None:
    with jax.enable_x64(True):
        lens = jax.tree.map(jnp.asarray, lens)
        x, y = points()
        by_x, by_y = jax.jit(jax.grad(lambda x, y: lens.potential(x, y).sum(), (0, 1)))(jnp.asarray(x), jnp.asarray(y))
        psi, ax, ay, kappa, xx, _, yy = parts(lens, x, y)
        np.testing.assert_allclose([by_x, by_y], [ax, ay], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(kappa, 0.5 * (xx + yy), rtol=1e-9, atol=1e-9)


def test_an_nfw_halo_in_float32_near_its_centre_and_scale_radius() -> None:
    """To 2e-6 of its deflection at radii from 1e-4 to 30 scale radii, where closed forms lose all digits."""
    radius = np.float32(np.concatenate([np.geomspace(0.004, 1200.0, 300), 40.0 + np.linspace(-2, 2, 41)]))
    with jax.enable_x64(True):
        exact = NFW(jnp.asarray(40.0), jnp.asarray(12.0)).deflection(jnp.asarray(radius, float), jnp.zeros(len(radius)))[0]
        exact = np.asarray(exact)
    single = NFW(jnp.float32(40.0), jnp.float32(12.0)).deflection(jnp.asarray(radius), jnp.zeros(len(radius), jnp.float32))[0]
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, exact, rtol=2e-6)


def test_roulette_amplitudes_of_a_power_law_are_those_of_the_sie_at_slope_2() -> None:
    with jax.enable_x64(True):
        ours = jax.tree.map(jnp.asarray, epl(37.0, 0.6, 0.4, 2.0))
        theirs = SIE(*map(jnp.asarray, (37.0, 0.6, 0.4 - np.pi / 2)))
        found, expected = (jax.jit(lambda lens: roulette.amplitudes(lens, 31.0, -22.0, terms=4))(lens) for lens in (ours, theirs))
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("lens", [epl(37.0, 0.6, 0.4, 2.3), NFW(40.0, 12.0, 0.2, -0.1), Multipole(1.3, -0.4, 3)])
def test_first_roulette_amplitudes_are_the_deflection_and_the_shear(lens) -> None:
    with jax.enable_x64(True):
        lens = jax.tree.map(jnp.asarray, lens)
        alpha, beta = jax.jit(lambda lens: roulette.amplitudes(lens, 31.0, -22.0, terms=1))(lens)
        _, ax, ay, kappa, xx, xy, yy = parts(lens, jnp.asarray([31.0]), jnp.asarray([-22.0]))[:, 0]
        np.testing.assert_allclose([alpha[0, 1], beta[0, 1]], [-ax, -ay], rtol=1e-10)
        np.testing.assert_allclose([alpha[1, 0], alpha[1, 2], beta[1, 2]], [-kappa, -0.5 * (xx - yy), -xy], atol=1e-10)


@pytest.mark.parametrize("gamma", [1.7, 2.0, 2.4])
def test_the_area_within_the_critical_curve(gamma: float) -> None:
    along = np.linspace(-60, 60, 801)
    lens = epl(30.0, 0.6, 0.3, gamma)
    determinant = jax.jit(inverse_magnification)(lens, *np.meshgrid(np.float32(along), np.float32(along)))
    outside, _ = ndimage.label(np.asarray(determinant) > 0)
    area = (outside != outside[0, 0]).sum() * (along[1] - along[0]) ** 2
    ratio = float(jax.jit(critical_radius)(lens.e1, lens.e2, jnp.float32(gamma)))
    assert np.sqrt(area / np.pi) == pytest.approx(30.0 * ratio, rel=2e-4) and (ratio == pytest.approx(1.0, abs=1e-5)) == (gamma == 2.0)


@pytest.mark.parametrize("wrong", [lambda: EPL(1.0, 0.8, 0.7, 2.0), lambda: epl(1.0, 1.2, 0.0, 2.0), lambda: EPL(1.0, 0.0, 0.0, 3.0),
                                   lambda: NFW(0.0, 1.0), lambda: Multipole(1.0, 0.0, 1)])  # fmt: skip
def test_numbers_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="expected"):
        wrong()
