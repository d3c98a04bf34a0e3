"""The region of convergence: the error of the series falls with its order inside and grows outside, in every direction."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.lens import SIE, SIS, PointMass, Shear, cluster
from lensjax.roulette import circle, inside, source_offset

XI = np.array([70.0, 40.0])
ORDERS = (20, 40, 80)
ANGLES = np.deg2rad(np.arange(0, 360, 30))


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def rim(lens, direction: np.ndarray) -> np.ndarray:
    """Distance (n,) to the rim along directions (2, n), where `inside` changes its sign."""
    low, high = np.zeros(direction.shape[1]), np.full(direction.shape[1], 1e3)
    depth = jax.jit(inside)
    for _ in range(60):
        middle = 0.5 * (low + high)
        kept = np.asarray(depth(*jnp.asarray(middle * direction), *map(jnp.asarray, XI), lens)) > 0
        low, high = np.where(kept, middle, low), np.where(kept, high, middle)
    return low


def errors(lens, delta: np.ndarray) -> np.ndarray:
    """(orders, n): how far the series is from the exact lens equation [px]."""
    there, here = np.array(lens.deflection(*(XI[:, None] + delta))), np.array(lens.deflection(*XI))
    exact = delta - there + here[:, None]
    return np.array([np.hypot(*(np.array(source_offset(*delta, *map(jnp.asarray, XI), lens, terms=n)) - exact)) for n in ORDERS])


ALONG = np.arctan2(XI[1], XI[0])  # of the reference point
NAMES = ("point mass", "SIS", "SIE, seen along its orientation", "SIE, seen across it", "SIE, aslant", "cluster")


def made(name: str):
    lens = {
        "point mass": PointMass(40.0),
        "SIS": SIS(40.0),
        "SIE, seen along its orientation": SIE(40.0, 0.5, ALONG),
        "SIE, seen across it": SIE(40.0, 0.5, ALONG + np.pi / 2),
        "SIE, aslant": SIE(40.0, 0.35, ALONG + 0.7),
        "cluster": cluster(
            [(SIS(25.0), -20.0, 0.0), (SIE(15.0, 0.6, 1.0), 20.0, 10.0), (PointMass(6.0), 60.0, -20.0), (Shear(0.1, 0.0), 0.0, 0.0)]
        ),
    }[name]
    return jax.tree.map(jnp.asarray, lens)


@pytest.mark.parametrize("name", NAMES)
def test_falls_inside_and_grows_outside(name):
    lens = made(name)
    direction = np.stack([np.cos(ANGLES), np.sin(ANGLES)])
    edge = rim(lens, direction)
    within, beyond = errors(lens, 0.85 * edge * direction), errors(lens, 1.15 * edge * direction)
    real = within[0] > 1e-9  # along the line through the centre an isothermal lens's map is a straight line
    assert real.sum() >= 10
    assert (within[1:, real] < 0.3 * within[:-1, real]).all()
    assert (beyond[1:, real] > beyond[:-1, real]).all()
    # As the share's power: 0.85^60 and 1.15^60 = 4400, but for a factor that swings with the order.
    for found, share in ((within, 0.85), (beyond, 1.15)):
        np.testing.assert_allclose((found[2] / found[0])[real] ** (1 / 60), share, rtol=0.06)


def test_rim_of_an_sie():
    """|δ| = |ξ| or ω(δ) = ω(ξ), whichever is nearer; the lens's centre lies on both."""
    f, o = 0.5, 1.8
    lens = SIE(*map(jnp.asarray, (40.0, f, o)))
    edge = rim(lens, np.stack([np.cos(ANGLES), np.sin(ANGLES)]))
    u, v = np.cos(o) * XI[0] + np.sin(o) * XI[1], np.cos(o) * XI[1] - np.sin(o) * XI[0]
    ellipse = np.hypot(u, f * v) / np.hypot(np.cos(ANGLES - o), f * np.sin(ANGLES - o))
    np.testing.assert_allclose(edge, np.minimum(np.hypot(*XI), ellipse), rtol=1e-9)
    assert inside(*map(jnp.asarray, -XI), *map(jnp.asarray, XI), lens) == pytest.approx(0.0, abs=1e-9)
    assert (edge < 0.8 * np.hypot(*XI)).any() and (edge > 0.999 * np.hypot(*XI)).any()


def test_rim_of_a_cluster_is_the_nearest_members():
    lens = made("cluster")
    to_point_mass = np.hypot(*(XI - [60.0, -20.0]))
    to_sie = np.hypot(*(XI - [20.0, 10.0]))
    edge = rim(lens, np.stack([np.cos(ANGLES), np.sin(ANGLES)]))
    assert edge.max() <= min(to_point_mass, to_sie) * (1 + 1e-9)
    many = cluster([(SIS(2.0), 3.0 * k - 30.0, -2.0 * k) for k in range(21)])
    nearest = min(np.hypot(XI[0] - 3.0 * k + 30.0, XI[1] + 2.0 * k) for k in range(21))
    np.testing.assert_allclose(rim(many, np.stack([np.cos(ANGLES), np.sin(ANGLES)])), nearest, rtol=1e-9)


def test_shear_converges_everywhere():
    assert inside(jnp.asarray(1e6), jnp.asarray(0.0), jnp.asarray(1.0), jnp.asarray(1.0), Shear(0.1, 0.2)) == np.inf


@pytest.mark.parametrize("name", NAMES)
def test_never_more_than_the_distance_to_the_rim(name):
    lens = made(name)
    around = 2 * np.pi * np.arange(3600) / 3600
    edge = rim(lens, np.stack([np.cos(around), np.sin(around)]))
    line = edge * np.stack([np.cos(around), np.sin(around)])
    delta = np.random.default_rng(0).uniform(-60, 60, (2, 200))
    given = np.asarray(inside(*jnp.asarray(delta), *map(jnp.asarray, XI), lens))
    away = np.hypot(delta[0][:, None] - line[0], delta[1][:, None] - line[1]).min(axis=1)
    within = np.hypot(*delta) < np.interp(np.arctan2(delta[1], delta[0]) % (2 * np.pi), around, edge, period=2 * np.pi)
    np.testing.assert_array_equal(given > 0, within)
    assert (given[within] <= away[within] + 1e-3).all()


def test_circle_is_cosmosims_mask():
    delta = np.random.default_rng(2).uniform(-150, 150, (2, 100))
    given = circle(*jnp.asarray(delta), *map(jnp.asarray, XI))
    np.testing.assert_allclose(given, np.hypot(*XI) - np.hypot(*delta), rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_finite_slopes_at_the_reference_point(name):
    lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), made(name))

    def depth(lens, p):
        return inside(p[0], p[1], p[2], p[3], lens)

    slopes = jax.grad(depth, argnums=(0, 1))(lens, jnp.array([0.0, 0.0, *XI], jnp.float32))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
