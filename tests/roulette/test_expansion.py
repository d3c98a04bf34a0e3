"""Maps of a lens and of its amplitudes alone, against Taylor polynomials by Cauchy's integral in numpy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from lensjax import roulette
from lensjax.lens import SIE, SIS, PointMass, Shear, Sheet, cluster
from lensjax.roulette import Expansion, amplitudes, from_amplitudes
from lensjax.roulette.expansion import expansion_change

expansion = jax.jit(roulette.expansion, static_argnames="terms")
source_offset = jax.jit(roulette.source_offset, static_argnames="terms")

XI = (80.0, -45.0)
PARTS = {
    "SIS": [("SIS", (40.0,), 0.0, 0.0)],
    "PM": [("PM", (40.0,), 0.0, 0.0)],
    "SIE": [("SIE", (40.0, 0.6, 0.5), 0.0, 0.0)],
    "SIE, flat": [("SIE", (30.0, 0.3, 2.2), 0.0, 0.0)],
    "cluster": [
        ("SIE", (25.0, 0.7, 0.3), -10.0, 5.0),
        ("SIS", (15.0,), 15.0, 8.0),
        ("PM", (10.0,), -4.0, 20.0),
        ("Shear", (0.05, 0.1), 0.0, 0.0),
    ],
}
REACH = 0.85
KINDS = {"SIS": SIS, "PM": PointMass, "SIE": SIE, "Shear": Shear}


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def made(name: str, dtype=jnp.float64):
    """The lens of PARTS[name]."""
    members = [(KINDS[kind](*numbers), x, y) for kind, numbers, x, y in PARTS[name]]
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), members[0][0] if len(members) == 1 else cluster(members))


def logarithm(values: np.ndarray) -> np.ndarray:
    """ln along a closed line (last axis) about which it has no branch point, real where the line begins."""
    return np.log(np.abs(values)) + 1j * np.unwrap(np.angle(values), axis=-1)


def deflection(part: tuple, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """α of complex x and y along closed lines that begin at real ones."""
    kind, numbers, at_x, at_y = part
    x, y = x - at_x, y - at_y
    if kind == "Shear":
        return np.array([numbers[0] * x + numbers[1] * y, numbers[1] * x - numbers[0] * y])
    square = x * x + y * y
    if kind == "PM":
        return numbers[0] ** 2 * np.array([x, y]) / square
    if kind == "SIS":
        return numbers[0] * np.array([x, y]) * np.exp(-0.5 * logarithm(square))
    theta_e, f, o = numbers
    c, s, flat = np.cos(o), np.sin(o), np.sqrt(1 - f * f)
    u, v = c * x + s * y, c * y - s * x
    omega = np.exp(0.5 * logarithm(u * u + f * f * v * v))
    size = theta_e * np.sqrt(f) / flat
    along = size * 0.5 * (logarithm(omega + flat * u) - logarithm(omega - flat * u))  # artanh(f'u/ω)
    across = size * 0.5j * (log_ratio(omega - 1j * flat * v, omega + 1j * flat * v))  # arctan(f'v/ω)
    return np.array([c * along - s * across, s * along + c * across])


def log_ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """ln(a/b) along a closed line, its imaginary part within ±π where the line begins."""
    return logarithm(a / b)


def reach(parts: list, direction: np.ndarray) -> np.ndarray:
    """How far (n,) from ξ along directions (2, n) the series converges: |t|² = Q(ξ)/Q(δ) of the nearest member's r² and ω²."""
    out = np.full(direction.shape[1], np.inf)
    for kind, numbers, x, y in parts:
        if kind == "Shear":
            continue
        f, o = numbers[1:] if kind == "SIE" else (1.0, 0.0)
        turn = np.array([[np.cos(o), np.sin(o)], [-np.sin(o), np.cos(o)]])
        at, along = turn @ [XI[0] - x, XI[1] - y], turn @ direction
        for q in (1.0, f * f):
            out = np.minimum(out, np.sqrt((at[0] ** 2 + q * at[1] ** 2) / (along[0] ** 2 + q * along[1] ** 2)))
    return out


def offsets(parts: list, share: float, n: int = 30) -> np.ndarray:
    """(2, n): up to `share` of the way to the edge of convergence."""
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 2 * np.pi, n)
    direction = np.stack([np.cos(angle), np.sin(angle)])
    return direction * reach(parts, direction) * share * np.sqrt(rng.uniform(0, 1, n))


def polynomial(parts: list, delta: np.ndarray, terms: int) -> np.ndarray:
    """(2, n): the Taylor polynomial of degree `terms` in δ of β(ξ + δ) − β(ξ), each coefficient in t of α(ξ + tδ) an integral over a
    circle within the region of convergence."""
    size = reach(parts, delta)
    inner = np.sqrt(size)[:, None] * np.exp(2j * np.pi * np.arange(1024) / 1024)
    total = delta.copy()
    for part in parts:
        along = deflection(part, XI[0] + inner * delta[0][:, None], XI[1] + inner * delta[1][:, None])
        coefficients = np.fft.fft(along, axis=-1)[..., : terms + 1] / 1024 / np.sqrt(size)[:, None] ** np.arange(terms + 1)
        total -= coefficients[..., 1:].sum(-1).real
    return total


@pytest.mark.parametrize("terms", [1, 5, 20, 50])
@pytest.mark.parametrize("name", PARTS)
def test_maps_are_the_taylor_polynomial(name, terms):
    """The closed form of the lens and the map of its amplitudes."""
    lens, delta = made(name), offsets(PARTS[name], REACH)
    expected = polynomial(PARTS[name], delta, terms)
    at = tuple(map(jnp.asarray, XI))
    closed = source_offset(*delta, *at, lens, terms=terms)
    np.testing.assert_allclose(closed, expected, atol=1e-9)
    by_amplitudes = source_offset(*delta, *at, expansion(lens, *at, terms=terms), terms=terms)
    np.testing.assert_allclose(by_amplitudes, expected, atol=1e-9)


def test_the_reference_itself():
    """Cauchy's integral of the SIS against its binomial series D = δ − θ_E e^{i arg ξ} Σ C(½,j) C(−½,l) w^j w̄^l."""
    delta = offsets(PARTS["SIS"], REACH)
    w, terms = (delta[0] + 1j * delta[1]) / complex(*XI), 20

    def binomial(a: float, j: int) -> float:
        return math.prod((a - i) / (i + 1) for i in range(j))

    total = sum(binomial(0.5, j) * binomial(-0.5, k - j) * w**j * w.conj() ** (k - j) for k in range(1, terms + 1) for j in range(k + 1))
    expected = delta[0] + 1j * delta[1] - 40.0 * complex(*XI) / abs(complex(*XI)) * total
    np.testing.assert_allclose(polynomial(PARTS["SIS"], delta, terms), [expected.real, expected.imag], atol=1e-11)


@pytest.mark.parametrize("name", PARTS)
def test_float32_carries_fifty_terms(name):
    """Nearly to the edge of convergence: rounding does not add up to more than 1e-4 of the lens's strength, 40 px.

    Amplitudes carry it within the largest circle about ξ that lies in the region: farther out, where the region is longer in one
    direction than in another, those of degree 50 are Fourier coefficients of a function that spans many powers of ten.
    """
    single, delta = made(name, jnp.float32), offsets(PARTS[name], 0.97, 200).astype(np.float32)
    at = tuple(jnp.float32(v) for v in XI)
    shape = expansion(single, *at, terms=50)
    assert shape.alpha.dtype == jnp.float32
    angle = np.linspace(0, np.pi, 181)
    circle = 0.97 * reach(PARTS[name], np.stack([np.cos(angle), np.sin(angle)])).min()
    for taken, points in ((single, delta), (shape, delta[:, np.hypot(*delta) < circle])):
        assert points.shape[1] > 60
        got = source_offset(*map(jnp.asarray, points), *at, taken, terms=50)
        assert got[0].dtype == jnp.float32
        assert np.abs(np.asarray(got) - polynomial(PARTS[name], points.astype(float), 50)).max() < 4e-3


@pytest.mark.parametrize("terms", [5, pytest.param(30, marks=pytest.mark.slow)])
def test_differentiable_in_the_amplitudes(terms):
    """The map is linear in them: slopes are exact differences. By Horner's rule and by powers."""
    at = tuple(map(jnp.asarray, XI))
    shape, delta = expansion(made("SIE"), *at, terms=terms), offsets(PARTS["SIE"], REACH, 4)

    def mapped(alpha, beta):
        lens = Expansion(alpha, beta, shape.scale, *at, shape.offset_x, shape.offset_y)
        return jnp.stack(source_offset(*delta, *at, lens, terms=terms))

    check_grads(jax.jit(mapped), (shape.alpha, shape.beta), order=1, modes=("fwd", "rev"), rtol=1e-6, eps=1e-2)
    m, s = np.indices(shape.alpha.shape)
    real = (m >= 1) & (s <= m + 1) & ((m + 1 - s) % 2 == 0)
    slopes = jax.jit(jax.jacrev(mapped, argnums=(0, 1)))(shape.alpha, shape.beta)
    assert (np.abs(slopes[0]).max(axis=(0, 1)) > 0)[real].all()
    assert (np.asarray(slopes[0])[..., ~real] == 0).all()


@pytest.mark.parametrize("name", ["SIS", *(pytest.param(name, marks=pytest.mark.slow) for name in ("SIE", "cluster"))])
def test_differentiable_in_lens_place_and_offset(name):
    at = jnp.array(XI)

    def offset(lens, at, delta):
        shape = expansion(lens, at[0], at[1], terms=3)
        return jnp.stack([*source_offset(delta[0], delta[1], at[0], at[1], lens, terms=3), *expansion_change(shape, *delta)])

    lens = made(name)
    offset = jax.jit(offset)
    for delta in (jnp.array([30.0, 20.0]), jnp.array([0.0, 0.0])):
        check_grads(offset, (lens, at, delta), order=1, modes=("fwd", "rev"), rtol=1e-5, atol=1e-6, eps=1e-5)


@pytest.mark.parametrize("name", ["PM", "SIE", "cluster"])
def test_from_amplitudes(name):
    """Amplitudes as files hold them make the same map, whatever unit of length it keeps them in."""
    lens, at, delta = made(name), tuple(map(jnp.asarray, XI)), offsets(PARTS[name], REACH)
    alpha, beta = map(np.asarray, amplitudes(lens, *at, terms=16))
    expected = polynomial(PARTS[name], delta, 16)
    for scale in (20.0, 92.0, 300.0):
        shape = from_amplitudes(alpha, beta, xi=XI, scale=scale)
        assert shape.terms == 16
        np.testing.assert_allclose(source_offset(*delta, *at, shape, terms=16), expected, atol=1e-9)
    moved = from_amplitudes(alpha, beta, xi=XI, offset=(3.0, -2.0), scale=92.0)
    np.testing.assert_allclose(source_offset(*delta, *at, moved, terms=16), expected + [[3.0], [-2.0]], atol=1e-9)
    np.testing.assert_allclose(moved.primary_image(jnp.asarray(1.0), jnp.asarray(2.0)), XI)


def test_about_another_point_than_the_centres_image():
    """With the source's centre given, the offset is β(ξ) − η: the map then gives β − η near any ξ."""
    lens, at = made("SIE"), tuple(map(jnp.asarray, XI))
    shape = expansion(lens, *at, terms=50, source=(jnp.asarray(21.0), jnp.asarray(-6.0)))
    delta = offsets(PARTS["SIE"], 0.4)
    got = source_offset(*delta, *at, shape, terms=50)
    x, y = XI[0] + delta[0], XI[1] + delta[1]
    np.testing.assert_allclose(got, np.array([x, y]) - np.array(lens.deflection(x, y)) - [[21.0], [-6.0]], atol=1e-9)


def test_shear_and_sheet_have_one_term():
    lens = cluster([(Shear(0.1, -0.3), 0.0, 0.0), (Sheet(0.2), 0.0, 0.0)])
    delta, at = offsets(PARTS["SIS"], 3.0), tuple(map(jnp.asarray, XI))
    expected = delta - np.array([[0.3, -0.3], [-0.3, 0.1]]) @ delta
    for terms in (1, 20):
        np.testing.assert_allclose(source_offset(*delta, *at, lens, terms=terms), expected, rtol=1e-12)
        np.testing.assert_allclose(source_offset(*delta, *at, expansion(lens, *at, terms=terms), terms=terms), expected, rtol=1e-9)
