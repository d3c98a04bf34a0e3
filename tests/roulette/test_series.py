"""The roulette map: against the sum over the amplitudes, the exact lens equation, and finite differences."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lensjax.lens import SIS, PointMass
from lensjax.roulette import inside, source_offset

XI = (80.0, -45.0)


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def offsets(share: float, n: int = 40) -> np.ndarray:
    """Random offsets (2, n) up to `share` of the way to the convergence ring."""
    rng = np.random.default_rng(1)
    angle, radius = rng.uniform(0, 2 * np.pi, n), np.hypot(*XI) * share * np.sqrt(rng.uniform(0, 1, n))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)])


def exact(lens, delta: np.ndarray) -> np.ndarray:
    there = np.array(lens.deflection(XI[0] + delta[0], XI[1] + delta[1]))
    return delta - there + np.array(lens.deflection(*XI))[:, None]


def by_amplitudes(lens, delta: np.ndarray, terms: int) -> np.ndarray:
    """The roulette map summed term by term from the amplitudes A_s^m = α_s^m + iβ_s^m (Clarkson 2016, II), in numpy."""
    xi = complex(*XI)
    z = delta[0] + 1j * delta[1]
    r, theta = np.abs(z), np.angle(z)
    total = z.copy()
    for m in range(1, terms + 1):
        for s in range(m + 1, -1, -2):
            k = (m + 1 - s) // 2
            if isinstance(lens, PointMass):
                a = lens.theta_e**2 * (-1) ** (m + 1) * math.factorial(m) / np.conj(xi) ** (m + 1) if s == m + 1 else 0.0
            else:
                falling = [np.prod([0.5 - i for i in range(n)]) for n in (k, m + 1 - k)]
                unit = -(2.0 if s else 1.0) * math.comb(m + 1, k) * falling[0] * falling[1]
                a = unit * lens.theta_e * abs(xi) ** -m * np.exp(1j * s * np.angle(xi))
            weight = s / (m + 1)
            total = total + r**m / math.factorial(m) * 0.5 * (
                (1 + weight) * a * np.exp(-1j * (s - 1) * theta) + (1 - weight) * np.conj(a) * np.exp(1j * (s + 1) * theta)
            )
    return np.array([total.real, total.imag])


@pytest.mark.parametrize("lens", [SIS(40.0), PointMass(40.0)], ids=["sis", "pm"])
@pytest.mark.parametrize("terms", [2, 5, 16])
def test_equals_the_sum_over_amplitudes(lens, terms):
    delta = offsets(0.9)
    got = source_offset(*map(jnp.asarray, delta), *map(jnp.asarray, XI), lens, terms=terms)
    np.testing.assert_allclose(got, by_amplitudes(lens, delta, terms), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("lens", [SIS(40.0), PointMass(40.0)], ids=["sis", "pm"])
def test_converges_to_the_exact_map_inside_the_ring(lens):
    delta = offsets(0.7)
    errors = []
    for terms in (5, 10, 20, 40, 80):
        got = np.array(source_offset(*map(jnp.asarray, delta), *map(jnp.asarray, XI), lens, terms=terms))
        errors.append(np.abs(got - exact(lens, delta)).max())
    assert all(later < 0.5 * earlier for earlier, later in zip(errors, errors[1:], strict=False))
    assert errors[-1] < 1e-9
    # A series in w falls as |w|^N: 0.7^40 and 0.7^80 are 4e5 apart.
    assert errors[-1] / errors[-2] < 1e-4


@pytest.mark.parametrize("kind", [SIS, PointMass])
def test_gradients_against_finite_differences(kind):
    @jax.jit
    def offset(at):
        return jnp.stack(source_offset(at[0], at[1], at[2], at[3], kind(at[4]), terms=50))

    for dx, dy in [(0.0, 0.0), *offsets(0.8, 4).T, tuple(-0.9 * np.array(XI))]:
        check_grads(offset, (jnp.array([dx, dy, *XI, 40.0]),), order=1, modes=("fwd", "rev"), rtol=1e-5)


@pytest.mark.parametrize("lens", [SIS(jnp.float32(40.0)), PointMass(jnp.float32(40.0))], ids=["sis", "pm"])
def test_float32_carries_fifty_terms(lens):
    delta = offsets(1.0, 400)
    single = source_offset(*jnp.asarray(delta, jnp.float32), *(jnp.float32(v) for v in XI), lens, terms=50)
    double = source_offset(*map(jnp.asarray, delta), *map(jnp.asarray, XI), type(lens)(jnp.float64(40.0)), terms=50)
    assert single[0].dtype == jnp.float32
    np.testing.assert_allclose(np.asarray(single), np.asarray(double), rtol=1e-5, atol=2e-4)


def test_ring_passes_through_the_lens_centre():
    xi_x, xi_y = map(jnp.asarray, XI)
    assert inside(-xi_x, -xi_y, xi_x, xi_y, SIS(jnp.asarray(40.0))) == pytest.approx(0.0, abs=1e-12)
    assert inside(jnp.asarray(0.0), jnp.asarray(0.0), xi_x, xi_y, SIS(jnp.asarray(40.0))) == pytest.approx(math.hypot(*XI), abs=1e-5)
    assert inside(xi_x * 1.01, xi_y * 1.01, xi_x, xi_y, SIS(jnp.asarray(40.0))) < 0
    assert np.isfinite(jax.grad(lambda d: inside(d, jnp.asarray(0.0), xi_x, xi_y, SIS(jnp.asarray(40.0))))(0.0))
