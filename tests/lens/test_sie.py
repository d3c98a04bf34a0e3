"""The SIE against Kormann's own form in numpy, through the round lens f = 1, in float32, at its centre, and its lens equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lensjax.lens import SIE, hessian, inverse_magnification, magnification
from lensjax.lens.base import shear


@jax.jit
def parts(lens, x, y):
    """Potential, deflection and convergence."""
    return lens.potential(x, y), jnp.stack(lens.deflection(x, y)), lens.convergence(x, y)


@jax.jit
def second(lens, x, y):
    """Second derivatives, shear, 1/μ and μ."""
    return jnp.stack(hessian(lens, x, y)), jnp.stack(shear(lens, x, y)), inverse_magnification(lens, x, y), magnification(lens, x, y)


@jax.jit
def primary_image(p):
    """Of (x, y, theta_e, f, orientation)."""
    return jnp.stack(SIE(p[2], p[3], p[4]).primary_image(p[0], p[1]))


@jax.jit
def deflection_and_slope(x, y, theta_e, f, orientation):
    """α and ∂α/∂f."""
    return jax.jvp(lambda f: jnp.stack(SIE(theta_e, f, orientation).deflection(x, y)), (f,), (jnp.ones_like(f),))


SHAPES = [(37.0, 0.3, 0.35), (50.0, 0.7, 2.0), (25.0, 0.95, -1.1), (40.0, 0.999, 4.0)]


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def points(n: int = 64, seed: int = 0) -> np.ndarray:
    """(2, n), from 1 to 150 px from the centre."""
    rng = np.random.default_rng(seed)
    radius, angle = np.exp(rng.uniform(0, np.log(150), n)), rng.uniform(0, 2 * np.pi, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)])


def kormann(x: np.ndarray, y: np.ndarray, theta_e: float, f: float, orientation: float) -> tuple[np.ndarray, ...]:
    """(ψ, α_x, α_y, κ) by atan and atanh of the ellipse's radius ω; f < 1, the longer axis of the mass along v."""
    turn = np.array([[np.cos(orientation), np.sin(orientation)], [-np.sin(orientation), np.cos(orientation)]])
    u, v = np.tensordot(turn, np.stack([x, y]), 1)
    flat, omega = np.sqrt(1 - f**2), np.sqrt(u**2 + f**2 * v**2)
    along = theta_e * np.sqrt(f) / flat * np.arctanh(flat * u / omega)
    across = theta_e * np.sqrt(f) / flat * np.arctan(flat * v / omega)
    ax, ay = np.tensordot(turn.T, np.stack([along, across]), 1)
    return u * along + v * across, ax, ay, theta_e * np.sqrt(f) / (2 * omega)


def slope_at_round(x: np.ndarray, y: np.ndarray, theta_e: float, orientation: float) -> np.ndarray:
    """(2, n): ∂α/∂f at f = 1, from the first terms of Kormann's form in 1 − f."""
    angle = np.arctan2(y, x) - orientation
    c, s = np.cos(angle), np.sin(angle)
    along, across = theta_e * c * (c**2 / 3 - 0.5), theta_e * s * (0.5 - s**2 / 3)
    co, so = np.cos(orientation), np.sin(orientation)
    return np.stack([co * along - so * across, so * along + co * across])


@pytest.mark.parametrize("shape", SHAPES)
def test_kormanns_form(shape, x64):
    x, y = points()
    psi, ax, ay, kappa = kormann(x, y, *shape)
    lens = SIE(*map(jnp.asarray, shape))
    potential, deflection, convergence = parts(lens, x, y)
    np.testing.assert_allclose(potential, psi, rtol=1e-12)
    np.testing.assert_allclose(deflection, [ax, ay], atol=1e-11 * shape[0])
    np.testing.assert_allclose(convergence, kappa, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_derivatives_of_the_potential(shape, x64):
    """∇ψ = α and κ = ½ ∇²ψ by differences of Kormann's ψ and α, det A = (1 − κ)² − γ², and κ = γ everywhere for this lens."""
    lens, (x, y), h = SIE(*map(jnp.asarray, shape)), points(), 1e-4

    def slope(k: int, axis: int) -> np.ndarray:
        dx, dy = (h, 0) if axis == 0 else (0, h)
        return (kormann(x + dx, y + dy, *shape)[k] - kormann(x - dx, y - dy, *shape)[k]) / (2 * h)

    tolerance = {"rtol": 1e-6, "atol": 1e-6}
    _, deflection, convergence = parts(lens, x, y)
    (xx, xy, yy), gamma, inverse, mu = second(lens, x, y)
    np.testing.assert_allclose(deflection, [slope(0, 0), slope(0, 1)], **tolerance)
    np.testing.assert_allclose([xx, xy, xy, yy], [slope(1, 0), slope(1, 1), slope(2, 0), slope(2, 1)], **tolerance)
    np.testing.assert_allclose(convergence, 0.5 * (slope(1, 0) + slope(2, 1)), **tolerance)
    kappa = kormann(x, y, *shape)[3]
    np.testing.assert_allclose(np.hypot(*gamma), kappa, rtol=1e-10)
    np.testing.assert_allclose(inverse, 1 - 2 * kappa, atol=1e-10 * kappa.max())
    np.testing.assert_allclose(mu * (1 - 2 * kappa), 1.0, rtol=1e-8)


@pytest.mark.parametrize("f", [1.0, 1 - 1e-7, 1 - 1e-6, 1 - 1e-4, 0.999, 0.99, 1 + 1e-4])
@pytest.mark.parametrize("orientation", [0.0, 0.8])
def test_through_the_round_lens_in_float32(f, orientation):
    """Value and gradient in f of float32 are within 1e-4 θ_E of α = θ_E ν/r + (f − 1) ∂α/∂f, up to the next term in 1 − f."""
    theta_e, (x, y) = 37.0, points()
    single = [jnp.asarray(value, jnp.float32) for value in (x, y, theta_e, f, orientation)]
    value, slope = deflection_and_slope(*single)
    assert value.dtype == slope.dtype == jnp.float32
    r, first = np.hypot(x, y), slope_at_round(x, y, theta_e, orientation)
    room = 1e-4 * theta_e
    np.testing.assert_allclose(value, theta_e * np.stack([x, y]) / r + (f - 1) * first, atol=room + theta_e * (1 - f) ** 2)
    np.testing.assert_allclose(slope, first, atol=room + 2 * theta_e * abs(1 - f))


@pytest.mark.parametrize("f", [0.9, 0.9994, 0.9996, 0.99995])
def test_slope_in_f_beside_the_round_lens(f, x64):
    """On both sides of where the series takes over from atan and asinh, against differences of Kormann's form."""
    x, y = points()
    h = 0.02 * (1 - f)
    by_hand = np.array(kormann(x, y, 37.0, f + h, 0.8)[1:3]) - np.array(kormann(x, y, 37.0, f - h, 0.8)[1:3])
    _, slope = deflection_and_slope(*map(jnp.asarray, (x, y, 37.0, f, 0.8)))
    np.testing.assert_allclose(slope, by_hand / (2 * h), atol=37.0 * 1e-4 * (1 - f) + 1e-11 / h)


def test_orientation_does_not_matter_for_the_round_lens(x64):
    x, y = points()
    slope = jax.jit(jax.jacfwd(lambda o: jnp.stack(SIE(jnp.asarray(37.0), jnp.asarray(1.0), o).deflection(x, y))))(jnp.asarray(0.5))
    np.testing.assert_allclose(slope, 0.0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_to_a_ten_thousandth_of_the_einstein_radius(shape):
    x, y = np.asarray(points(1000), np.float32)
    single = SIE(*map(jnp.float32, shape)).deflection(jnp.asarray(x), jnp.asarray(y))
    assert single[0].dtype == jnp.float32
    rounded = [float(np.float32(value)) for value in shape]
    _, ax, ay, _ = kormann(x.astype(float), y.astype(float), *rounded)
    np.testing.assert_allclose(single, [ax, ay], atol=1e-4 * shape[0])


def test_finite_at_the_centre_and_on_the_axes_in_float32():
    def total(p):
        lens = SIE(p[2], p[3], p[4])
        ax, ay = lens.deflection(p[0], p[1])
        px, py = lens.primary_image(p[0], p[1])
        return lens.potential(p[0], p[1]) + ax + ay + lens.convergence(p[0], p[1]) + px + py

    places = [(0.0, 0.0), (1e-6, 0.0), (0.0, 30.0), (30.0, 0.0)]
    p = jnp.array([(*at, 37.0, f, 0.0) for at in places for f in (0.2, 0.7, 1.0)], jnp.float32)
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(total)))(p)
    assert value.dtype == jnp.float32
    assert np.isfinite(value).all()
    assert np.isfinite(slope).all()
    assert np.isfinite(jax.jit(jax.vmap(jax.jacfwd(total)))(p)).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("source", [(60.0, 25.0), (9.0, -14.0), (-35.0, 2.0), (1.0, 2.0)])
def test_primary_image_solves_the_lens_equation(shape, source, x64):
    x, y = (float(v) for v in primary_image(jnp.asarray([*source, *shape])))
    _, ax, ay, _ = kormann(np.array(x), np.array(y), *shape)
    np.testing.assert_allclose([x - ax, y - ay], source, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_primary_image_of_a_source_near_the_centre(shape, x64):
    """The search is slow there, and slower the rounder the lens: a thousandth of a pixel is what it ends within."""
    x, y = (float(v) for v in primary_image(jnp.asarray([1e-3, 2e-3, *shape])))
    _, ax, ay, _ = kormann(np.array(x), np.array(y), *shape)
    np.testing.assert_allclose([x - ax, y - ay], [1e-3, 2e-3], atol=1e-3)


@pytest.mark.parametrize("shape", SHAPES[:3])
def test_gradient_of_the_primary_image(shape, x64):
    """In the source's place and every parameter of the lens, by differences."""
    p = jnp.array([60.0, 25.0, *shape])
    check_grads(primary_image, (p,), order=1, modes=("fwd", "rev"), rtol=1e-6, atol=1e-6, eps=1e-5)
