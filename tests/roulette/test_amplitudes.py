"""Roulette amplitudes against closed forms, against mpmath, and of a user's own lens.

tests/reference/reference_sie_amplitudes.py writes sie_amplitudes.json.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from lensjax.lens import SIE, SIS, PointMass, Shear, Sheet, cluster, hessian, sampled
from lensjax.roulette import amplitudes

XI = 80.0 - 45.0j
REFERENCE = json.loads((Path(__file__).parent / "sie_amplitudes.json").read_text())


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def found(lens, xi: complex, terms: int) -> np.ndarray:
    """A_s^m = α_s^m + iβ_s^m, (terms + 1, terms + 2)."""
    lens = jax.tree.map(jnp.asarray, lens)
    alpha, beta = amplitudes(lens, jnp.asarray(xi.real), jnp.asarray(xi.imag), terms=terms)
    assert alpha.dtype == beta.dtype == jnp.float64
    return np.asarray(alpha) + 1j * np.asarray(beta)


def falling(n: int) -> float:
    return math.prod(0.5 - i for i in range(n))


def of_point_mass(theta_e: float, xi: complex, terms: int) -> np.ndarray:
    """A_{m+1}^m = θ_E² (−1)^{m+1} m!/ξ̄^{m+1}, all others 0."""
    out = np.zeros((terms + 1, terms + 2), complex)
    for m in range(terms + 1):
        out[m, m + 1] = theta_e**2 * (-1) ** (m + 1) * math.factorial(m) / xi.conjugate() ** (m + 1)
    return out


def of_sis(theta_e: float, xi: complex, terms: int) -> np.ndarray:
    """A_s^m = −2^{1−[s=0]} C(m+1, k) θ_E (½)_k (½)_{m+1−k} |ξ|^{−m} e^{is arg ξ}, k = (m+1−s)/2, falling factorials."""
    out = np.zeros((terms + 1, terms + 2), complex)
    for m in range(terms + 1):
        for s in range((m + 1) % 2, m + 2, 2):
            k = (m + 1 - s) // 2
            size = -(2.0 if s else 1.0) * math.comb(m + 1, k) * falling(k) * falling(m + 1 - k)
            out[m, s] = size * theta_e * abs(xi) ** -m * (xi / abs(xi)) ** s
    return out


CLOSED = {"point mass": (PointMass, of_point_mass), "SIS": (SIS, of_sis)}


def assert_close(got: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Every amplitude to `tolerance` of the largest of its order m; what is not there exactly 0."""
    assert got.shape == expected.shape
    m, s = np.indices(got.shape)
    none = (s > m + 1) | ((m + 1 - s) % 2 == 1)
    assert (got[none] == 0).all()
    off = np.abs(got - expected) / np.abs(expected).max(axis=1, keepdims=True)
    assert off.max() < tolerance, (off.max(), np.unravel_index(off.argmax(), off.shape))


@pytest.mark.parametrize("terms", [1, 5, 50])
@pytest.mark.parametrize("xi", [XI, -3.0 + 0.5j, 0.0 + 120.0j])
@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name, xi, terms):
    kind, closed = CLOSED[name]
    assert_close(found(kind(40.0), xi, terms), closed(40.0, xi, terms), 1e-10)


@pytest.mark.parametrize("order", [("SIS", "point mass"), ("point mass", "SIS", "point mass")], ids=", ".join)
def test_kinds_in_turn(order):
    """Compiled one after another in a process that has compiled none of them, each keeps its own numbers."""
    jax.clear_caches()
    for name in order:
        kind, closed = CLOSED[name]
        assert_close(found(kind(40.0), XI, 50), closed(40.0, XI, 50), 1e-10)


@pytest.mark.parametrize("reference", REFERENCE, ids=lambda r: f"f={r['theta_e, f, orientation, x, y'][1]}")
def test_sie_against_mpmath(reference):
    *shape, x, y = reference["theta_e, f, orientation, x, y"]
    rows = np.array(reference["m, s, alpha, beta"])
    terms = int(rows[:, 0].max())
    expected = np.zeros((terms + 1, terms + 2), complex)
    expected[rows[:, 0].astype(int), rows[:, 1].astype(int)] = rows[:, 2] + 1j * rows[:, 3]
    assert terms == 20
    assert_close(found(SIE(*shape), complex(x, y), terms), expected, 1e-10)


def test_round_sie_is_the_sis():
    assert_close(found(SIE(40.0, 1.0, 0.6), XI, 50), of_sis(40.0, XI, 50), 1e-10)


def test_cluster_is_the_sum_about_each_members_own_place():
    """CosmoSim 3.3 forgets to take the members' places off."""
    lens = cluster([(SIS(30.0), 12.0, -5.0), (PointMass(20.0), -25.0, 8.0), (SIS(7.0), 3.0, 40.0)])
    expected = of_sis(30.0, XI - (12 - 5j), 30) + of_point_mass(20.0, XI - (-25 + 8j), 30) + of_sis(7.0, XI - (3 + 40j), 30)
    assert_close(found(lens, XI, 30), expected, 1e-10)


def test_shear_and_sheet():
    """A_1^0 = −(ψ_x + iψ_y), A_0^1 = −κ, A_2^1 = −(γ₁ + iγ₂), nothing above."""
    got = found(cluster([(Shear(0.1, -0.3), 0.0, 0.0), (Sheet(0.2), 0.0, 0.0)]), XI, 6)
    x, y = XI.real, XI.imag
    expected = np.zeros((7, 8), complex)
    expected[0, 1] = -complex(0.3 * x - 0.3 * y, -0.3 * x + 0.1 * y)
    expected[1, 0], expected[1, 2] = -0.2, -(0.1 - 0.3j)
    np.testing.assert_allclose(got, expected, atol=1e-13)


@pytest.mark.parametrize("several", [False, True], ids=["SIE", "cluster"])
def test_first_orders_are_deflection_convergence_and_shear(several):
    lens = jax.tree.map(jnp.asarray, SIE(40.0, 0.6, 0.7))
    lens = cluster([(lens, 12.0, -5.0), (PointMass(20.0), -25.0, 8.0)]) if several else lens
    got, at = found(lens, XI, 2), (jnp.asarray(XI.real), jnp.asarray(XI.imag))
    ax, ay = lens.deflection(*at)
    xx, xy, yy = hessian(lens, *at)
    assert got[0, 1] == pytest.approx(-complex(ax, ay), rel=1e-12)
    assert got[1, 0] == pytest.approx(-0.5 * float(xx + yy), rel=1e-12)
    assert got[1, 2] == pytest.approx(-complex(0.5 * (xx - yy), xy), rel=1e-12)
    np.testing.assert_allclose(got[:, 0].imag, 0.0, atol=1e-15)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Own:
    """A user's own lens: an SIS and a point mass, of which LensJAX knows the potential alone."""

    sis: Array
    mass: Array

    def potential(self, x, y):
        square = x * x + y * y
        return self.sis * jnp.sqrt(square) + 0.5 * self.mass**2 * jnp.log(square)


def test_a_users_own_lens():
    """By jax.experimental.jet."""
    expected = of_sis(30.0, XI, 12) + of_point_mass(20.0, XI, 12)
    assert_close(found(Own(30.0, 20.0), XI, 12), expected, 1e-10)


def test_sampled_to_the_order_that_the_samples_hold():
    """To m = 3, of a field sampled once a pixel."""
    side = 160
    along = np.arange(side) - side / 2
    x, y = np.meshgrid(along, -along)
    # A charge outside the field: smooth within.
    psi = 40.0 * np.hypot(x + 150.0, y - 20.0)
    got = found(sampled(psi), 10.3 + 4.7j, 3)
    expected = of_sis(40.0, 160.3 - 15.3j, 3)
    for m, tolerance in enumerate((1e-9, 1e-8, 1e-5, 1e-3)):
        assert np.abs(got - expected)[m].max() < tolerance * np.abs(expected[m]).max()


def test_many_points_at_once():
    points = np.array([[80.0, -30.0, 5.0], [-45.0, 60.0, 5.0]])
    alpha, beta = amplitudes(SIS(jnp.asarray(40.0)), *jnp.asarray(points), terms=8)
    assert alpha.shape == beta.shape == (3, 9, 10)
    for k in range(3):
        assert_close(np.asarray(alpha[k]) + 1j * np.asarray(beta[k]), of_sis(40.0, complex(*points[:, k]), 8), 1e-12)


@pytest.mark.parametrize("name", CLOSED)
def test_float32_to_thirty_orders(name):
    kind, closed = CLOSED[name]
    alpha, beta = amplitudes(kind(jnp.float32(40.0)), jnp.float32(XI.real), jnp.float32(XI.imag), terms=30)
    assert alpha.dtype == beta.dtype == jnp.float32
    assert_close(np.asarray(alpha, float) + 1j * np.asarray(beta, float), closed(40.0, XI, 30), 3e-5)


def test_slope_in_the_lens():
    """The SIS's amplitudes are linear in θ_E; those of the point mass in its square."""
    for kind, slope in ((SIS, 1.0), (PointMass, 2.0)):
        given = jax.jacfwd(lambda t, kind=kind: amplitudes(kind(t), jnp.asarray(XI.real), jnp.asarray(XI.imag), terms=20)[0])(
            jnp.asarray(40.0)
        )
        expected = CLOSED["SIS" if kind is SIS else "point mass"][1](40.0, XI, 20)
        off = np.abs(given - slope / 40.0 * expected.real) / np.abs(expected).max(axis=1, keepdims=True)
        assert off.max() < 1e-10
