"""Critical curves, caustics and cuts against closed forms and against det A by differences of the deflection."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.lens import SIE, SIS, PointMass, Shear, cluster
from lensjax.lens.curves import all_critical_curves, caustics, critical_curves, cuts


def area(curve: np.ndarray) -> float:
    x, y = curve.T
    return 0.5 * abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def determinant(lens, curve: np.ndarray, h: float = 1e-4) -> np.ndarray:
    """det A at the points (k, 2), by differences of the lens equation, of fourth order."""
    with jax.enable_x64(True):
        lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), lens)

        def source(x, y):
            return np.stack([x, y]) - np.array(lens.deflection(jnp.asarray(x), jnp.asarray(y)))

        x, y = curve.T
        across = (8 * (source(x + h, y) - source(x - h, y)) - source(x + 2 * h, y) + source(x - 2 * h, y)) / (12 * h)
        up = (8 * (source(x, y + h) - source(x, y - h)) - source(x, y + 2 * h) + source(x, y - 2 * h)) / (12 * h)
    return across[0] * up[1] - across[1] * up[0]


@pytest.mark.parametrize("f", [0.35, 0.8, 1.0])
def test_critical_curve_of_an_sie_is_an_ellipse(f):
    """Semi-axes θ_E √f along the orientation and θ_E/√f across it, of the area of a circle of radius θ_E."""
    theta_e, o = 40.0, 0.6
    (curve,) = critical_curves(SIE(theta_e, f, o), half=100.0)
    u, v = np.cos(o) * curve[:, 0] + np.sin(o) * curve[:, 1], np.cos(o) * curve[:, 1] - np.sin(o) * curve[:, 0]
    np.testing.assert_allclose((u / np.sqrt(f)) ** 2 + (v * np.sqrt(f)) ** 2, theta_e**2, rtol=1e-9)
    assert np.abs(u).max() == pytest.approx(theta_e * np.sqrt(f), rel=1e-4)
    assert np.abs(v).max() == pytest.approx(theta_e / np.sqrt(f), rel=1e-4)
    assert area(curve) == pytest.approx(np.pi * theta_e**2, rel=1e-4)
    np.testing.assert_allclose(curve[0], curve[-1], atol=1e-9)


def test_caustic_of_an_sis_is_a_point_and_its_cut_a_circle():
    lens = SIS(40.0)
    critical = critical_curves(lens, half=100.0)
    (caustic,) = caustics(lens, critical)
    np.testing.assert_allclose(np.hypot(*critical[0].T), 40.0, rtol=1e-10)
    np.testing.assert_allclose(caustic, 0.0, atol=1e-9)
    (cut,) = cuts(lens)
    np.testing.assert_allclose(np.hypot(*cut.T), 40.0, atol=2e-3)
    np.testing.assert_allclose(cut[0], cut[-1], atol=1e-9)


def test_point_mass_has_a_ring_and_no_cut():
    lens = PointMass(30.0)
    (curve,) = critical_curves(lens, half=80.0)
    np.testing.assert_allclose(np.hypot(*curve.T), 30.0, rtol=1e-8)
    assert cuts(lens) == []


@pytest.mark.parametrize("f", [0.35, 0.8])
def test_caustic_and_cut_of_an_sie(f):
    """Kormann et al. (1994): the astroid and the cut by the angle φ about the lens, in the SIE's axes."""
    theta_e, o = 40.0, 0.6
    lens, flat = SIE(theta_e, f, o), np.sqrt(1 - f**2)

    def level(curve):
        return np.array([np.cos(o) * curve[:, 0] + np.sin(o) * curve[:, 1], np.cos(o) * curve[:, 1] - np.sin(o) * curve[:, 0]])

    def alpha(phi):
        return theta_e * np.sqrt(f) / flat * np.array([np.arcsinh(flat / f * np.cos(phi)), np.arcsin(flat * np.sin(phi))])

    critical = critical_curves(lens, half=100.0)
    u, v = level(critical[0])
    phi = np.arctan2(v, u)
    radius = theta_e * np.sqrt(f) / np.sqrt(np.cos(phi) ** 2 + f**2 * np.sin(phi) ** 2)
    expected = radius * np.array([np.cos(phi), np.sin(phi)]) - alpha(phi)
    (caustic,) = caustics(lens, critical)
    np.testing.assert_allclose(level(caustic), expected, atol=1e-8)
    # The cusps lie on the axes.
    along = theta_e * np.sqrt(f) * (1 - np.arcsinh(flat / f) / flat)
    across = theta_e / np.sqrt(f) * (1 - f * np.arcsin(flat) / flat)
    np.testing.assert_allclose(np.abs(level(caustic)).max(axis=1), np.abs([along, across]), rtol=1e-3)

    (cut,) = cuts(lens, points=720)
    phi = 2 * np.pi * np.arange(721) / 720
    np.testing.assert_allclose(level(cut), -alpha(phi - o), atol=2e-3)


@pytest.mark.slow
def test_curves_of_a_cluster():
    lens = cluster([(SIE(25.0, 0.6, 0.3), -20.0, 5.0), (SIS(18.0), 30.0, -8.0), (Shear(0.05, 0.03), 0.0, 0.0)])
    critical = critical_curves(lens, half=110.0)
    assert critical
    for curve in critical:
        np.testing.assert_allclose(determinant(lens, curve), 0.0, atol=1e-6)
    assert len(cuts(lens)) == 2
    inner, outer = sorted((np.ptp(cut[:, 0]), np.ptp(cut[:, 1])) for cut in cuts(lens))
    assert inner[0] == pytest.approx(36.0, abs=2e-2) and inner[1] == pytest.approx(36.0, abs=2e-2)  # a circle of radius 18
    assert len(caustics(lens, critical)) == len(critical)


def test_two_critical_curves_of_two_lenses_far_apart():
    """Each nearly its own circle: two SIS 300 px apart, shear 18/(2·300) on each other."""
    lens = cluster([(SIS(18.0), -150.0, 0.0), (SIS(18.0), 150.0, 0.0)])
    curves = critical_curves(lens, half=220.0)
    assert len(curves) == 2
    for curve in curves:
        np.testing.assert_allclose(determinant(lens, curve), 0.0, atol=1e-6)
        assert area(curve) == pytest.approx(np.pi * 18.0**2, rel=0.1)


def test_nothing_is_critical_outside_the_square():
    assert critical_curves(SIS(40.0), half=20.0, points=100) == []


def test_all_critical_curves_need_no_bounds():
    """One lens in closed form, wherever it stands; none without mass; and none of a massless lens's cuts."""
    lens = SIE(40.0, 0.5, 0.6)
    (curve,) = all_critical_curves(lens)
    np.testing.assert_allclose(determinant(lens, curve), 0.0, atol=1e-6)
    massless = (SIS(0.0), 5.0, 5.0)
    (moved,) = all_critical_curves(cluster([massless, (lens, 300.0, -200.0)]))
    np.testing.assert_allclose(moved - [300.0, -200.0], curve, atol=1e-4)
    assert all_critical_curves(cluster([massless])) == all_critical_curves(SIS(0.0)) == []
    assert cuts(SIS(0.0)) == [] and len(cuts(cluster([massless, (lens, 300.0, -200.0)]))) == 1
