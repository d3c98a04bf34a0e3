"""Clusters: the sum of their members, whatever their number, and the lens equation of the sum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lensjax.lens import SIE, SIS, PointMass, Shear, cluster, hessian, inverse_magnification
from lensjax.lens.cluster import padded


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def mixed() -> list:
    return [
        (SIS(18.0), 20.0, -7.0),
        (PointMass(11.0), -35.0, 4.0),
        (SIE(22.0, 0.6, 0.7), 2.0, 31.0),
        (SIS(9.0), -12.0, -40.0),
        (Shear(0.05, 0.02), 0.0, 0.0),
    ]


@jax.jit
def parts(lens, x, y):
    """Potential, deflection, convergence, second derivatives and 1/μ."""
    second = jnp.stack(hessian(lens, x, y))
    return lens.potential(x, y), jnp.stack(lens.deflection(x, y)), lens.convergence(x, y), second, inverse_magnification(lens, x, y)


@jax.jit
def primary_image(lens, x, y):
    return jnp.stack(lens.primary_image(x, y))


def many(n: int) -> list:
    rng = np.random.default_rng(n)
    return [(SIS(rng.uniform(1, 5)), *rng.uniform(-60, 60, 2)) for _ in range(n)]


def points(n: int = 50) -> np.ndarray:
    return np.random.default_rng(1).uniform(-120, 120, (2, n))


def by_hand(members: list, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(6, n): ψ, α, ψ_xx, ψ_xy, ψ_yy of point masses, SIS, SIEs and shear, summed in numpy."""
    total = np.zeros((6, x.size))
    for lens, at_x, at_y in members:
        dx, dy = x - at_x, y - at_y
        r = np.hypot(dx, dy)
        if isinstance(lens, Shear):
            a, b = lens.gamma1, lens.gamma2
            part = [0.5 * a * (dx**2 - dy**2) + b * dx * dy, a * dx + b * dy, b * dx - a * dy, a + 0 * r, b + 0 * r, -a + 0 * r]
        elif isinstance(lens, PointMass):
            m = lens.theta_e**2
            a = m * (dy**2 - dx**2) / r**4
            part = [m * np.log(r), m * dx / r**2, m * dy / r**2, a, -2 * m * dx * dy / r**4, -a]
        else:
            f, o = (lens.f, lens.orientation) if isinstance(lens, SIE) else (1 - 1e-9, 0.0)
            c, s, flat = np.cos(o), np.sin(o), np.sqrt(1 - f**2)
            u, v = c * dx + s * dy, c * dy - s * dx
            omega = np.sqrt(u**2 + f**2 * v**2)
            size = lens.theta_e * np.sqrt(f)
            au, av = size / flat * np.arctanh(flat * u / omega), size / flat * np.arctan(flat * v / omega)
            ax, ay = c * au - s * av, s * au + c * av
            part = [dx * ax + dy * ay, ax, ay, *(size / (omega * r**2) * np.array([dy**2, -dx * dy, dx**2]))]
        total += np.array(part)
    return total


MANY = pytest.param(many(20) + mixed(), marks=pytest.mark.slow)


@pytest.mark.parametrize("members", [mixed(), mixed()[:1], many(16), many(17), many(60), MANY], ids=len)
def test_sum_of_the_members(members, x64):
    """Up to 16 of a kind are written out, more are looped over: the same sum."""
    lens, (x, y) = cluster(members), points()
    assert len(lens) == len(members)
    psi, ax, ay, xx, xy, yy = by_hand(members, x, y)
    potential, deflection, convergence, second, inverse = parts(lens, x, y)
    np.testing.assert_allclose(potential, psi, rtol=1e-7)
    np.testing.assert_allclose(deflection, [ax, ay], atol=1e-6)
    np.testing.assert_allclose(convergence, 0.5 * (xx + yy), atol=1e-7)
    np.testing.assert_allclose(second, [xx, xy, yy], atol=1e-7)
    np.testing.assert_allclose(inverse, (1 - xx) * (1 - yy) - xy**2, atol=1e-6)


@pytest.mark.slow
def test_slopes_in_every_member(x64):
    """By differences, also in members that are looped over: α_x of an SIS is linear in its θ_E."""
    members, (x, y) = many(20), points(9)

    def deflection(radii, at_x):
        return cluster([(SIS(radii[i]), at_x[i], m[2]) for i, m in enumerate(members)]).deflection(x, y)[0]

    radii = jnp.array([m[0].theta_e for m in members])
    at_x = jnp.array([m[1] for m in members])
    slope, moved = jax.jacrev(deflection, argnums=(0, 1))(radii, at_x)
    dx, dy = x[:, None] - np.array([m[1] for m in members]), y[:, None] - np.array([m[2] for m in members])
    r = np.hypot(dx, dy)
    np.testing.assert_allclose(slope, dx / r, atol=1e-12)
    np.testing.assert_allclose(moved, -np.asarray(radii) * dy**2 / r**3, atol=1e-12)


@pytest.mark.parametrize("members", [mixed(), many(20)], ids=["mixed", "looped over"])
def test_float32(members):
    x, y = points(400).astype(np.float32)
    lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), cluster(members))
    single = lens.deflection(jnp.asarray(x), jnp.asarray(y))
    assert single[0].dtype == jnp.float32
    double = by_hand(members, x.astype(float), y.astype(float))[1:3]
    near = min(np.hypot(x - m[1], y - m[2]).min() for m in members if not isinstance(m[0], Shear))
    assert near > 0.3  # else the rounding of a place, 4e-6 px, shows
    np.testing.assert_allclose(single, double, atol=1e-4 * 20)


@pytest.mark.parametrize("members", [mixed()[:4], pytest.param(many(20), marks=pytest.mark.slow)], ids=["mixed", "looped over"])
def test_finite_at_members_centres_in_float32(members):
    lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), cluster(members))
    centres = np.array([m[1:] for m in members], np.float32).T

    def total(lens, x, y):
        ax, ay = lens.deflection(x, y)
        return (lens.potential(x, y) + ax + ay + lens.convergence(x, y)).sum()

    value, slopes = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2)))(lens, *jnp.asarray(centres))
    assert np.isfinite(value)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


@pytest.mark.parametrize("members", [mixed(), many(20)], ids=["mixed", "looped over"])
@pytest.mark.parametrize("source", [(70.0, 45.0), (-55.0, 80.0)])
def test_primary_image_solves_the_lens_equation(members, source, x64):
    x, y = (np.array([float(v)]) for v in primary_image(cluster(members), *map(jnp.asarray, source)))
    _, ax, ay, *_ = by_hand(members, x, y)
    np.testing.assert_allclose([(x - ax)[0], (y - ay)[0]], source, atol=1e-6)


@pytest.mark.slow
def test_gradient_of_the_primary_image(x64):
    """In the source's place, a member's strength, shape and place, by differences."""

    def image(p):
        members = [(SIS(p[2]), p[3], -7.0), (PointMass(p[4]), -35.0, 4.0), (SIE(p[5], p[6], p[7]), 2.0, p[8])]
        return jnp.stack(cluster(members).primary_image(p[0], p[1]))

    p = jnp.array([70.0, 45.0, 18.0, 20.0, 11.0, 22.0, 0.6, 0.7, 31.0])
    check_grads(jax.jit(image), (p,), order=1, modes=("fwd", "rev"), rtol=1e-6, atol=1e-6, eps=1e-5)


def test_no_members():
    with pytest.raises(ValueError, match="one member"):
        cluster([])


def test_padded_clusters_are_the_same_sum_and_share_one_structure():
    members = [(SIE(20.0, 0.6, 0.5), 5.0, -3.0), (SIS(12.0), -9.0, 4.0), (PointMass(7.0), 0.0, 11.0), (Shear(0.02, 0.01), 0.0, 0.0)]
    x, y = jnp.linspace(-30.0, 30.0, 7)[None, :], jnp.linspace(-25.0, 35.0, 7)[:, None]
    whole = cluster(members)
    for part in ("potential", "convergence", "deflection"):
        value = jax.jit(lambda lens, part=part: getattr(lens, part)(x, y))
        np.testing.assert_allclose(value(padded(whole)), value(whole), rtol=1e-5, atol=1e-4)
    shapes = [jax.tree.map(jnp.shape, padded(cluster(some))) for some in (members[:1], members[1:3], 3 * members[:2])]
    assert shapes[0] == shapes[1] == shapes[2]
