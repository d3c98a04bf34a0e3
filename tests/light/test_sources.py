"""Sérsic, triangle, picture and constellation: total light, axes, corners, which side is up, and slopes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammainc, gammaincinv

from lensjax.lens import SIS
from lensjax.light import Picture, Triangle, constellation, is_coloured, sersic
from lensjax.light.gaussian import elliptical, spherical
from lensjax.light.sersic import half_light
from lensjax.observation.detector import quantise
from lensjax.observation.grid import pixel_points
from lensjax.observation.instrument import instrument
from lensjax.simulate import System, image


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("n", [0.5, 1.0, 2.3, 4.0, 6.0, 10.0])
def test_half_the_light_is_within_b(n, x64):
    """γ(2n, b_n) = ½ Γ(2n)."""
    b = float(half_light(jnp.asarray(n)))
    assert b == pytest.approx(gammaincinv(2 * n, 0.5), rel=1e-9)
    assert gammainc(2 * n, b) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("n", [0.7, 1.0, 2.5, 4.0])
def test_total_light_is_the_luminosity(n, x64):
    """A thousand grey levels a unit, by quadrature along the longer axis: rings of equal light have the area 2π ρ dρ σ σ₂."""
    sigma, sigma2, theta, luminosity = 14.0, 6.0, 0.7, 12.0
    source = sersic(*map(jnp.asarray, (sigma, sigma2, theta, n, luminosity)))
    light = jax.jit(lambda rho: source.light(rho * sigma * jnp.cos(theta), rho * sigma * jnp.sin(theta)))

    def ring(logarithm):  # of ρ
        rho = np.exp(logarithm)
        return 255.0 * float(light(rho)) * 2 * np.pi * rho**2 * sigma * sigma2

    total = quad(ring, -20, 12, limit=200)[0]
    assert total == pytest.approx(1e3 * luminosity, rel=1e-5)
    assert quad(ring, -20, 0, limit=200)[0] == pytest.approx(0.5 * total, rel=2e-5)


def test_total_light_on_a_grid(x64):
    """Of n = 1, without the formula of the rings."""
    along = jnp.arange(-200.0, 200.0) + 0.5
    source = sersic(*map(jnp.asarray, (14.0, 9.0, 0.7, 1.0, 12.0)))
    assert float(source.light(along[None, :], along[:, None]).sum()) * 255.0 == pytest.approx(12e3, rel=2e-3)


@pytest.mark.parametrize("theta", [0.0, 0.5, 2.0])
def test_sersic_has_sigma_along_theta(theta, x64):
    source = sersic(*map(jnp.asarray, (14.0, 6.0, theta, 2.0, 12.0)))
    along, across = np.array([np.cos(theta), np.sin(theta)]), np.array([-np.sin(theta), np.cos(theta)])
    np.testing.assert_allclose(source.light(*(14.0 * along)), source.peak, rtol=1e-12)
    np.testing.assert_allclose(source.light(*(6.0 * across)), source.peak, rtol=1e-12)
    assert float(source.light(*(6.0 * along))) > 1.5 * float(source.light(*(6.0 * across)))


def test_sersic_profile(x64):
    """I_e exp(−b (ρ^{1/n} − 1)); n = ½ is a Gaussian of standard deviation σ/√(2b)."""
    x, y = np.random.default_rng(0).uniform(-30, 30, (2, 50))
    source = sersic(*map(jnp.asarray, (14.0, 14.0, 0.0, 3.0, 12.0)))
    expected = float(source.peak) * np.exp(-gammaincinv(6.0, 0.5) * ((np.hypot(x, y) / 14.0) ** (1 / 3) - 1.0))
    np.testing.assert_allclose(source.light(x, y), expected, rtol=1e-5)


@pytest.mark.parametrize("n", [0.5, 1.0, 4.0, 8.0])
def test_sersic_slopes_at_its_centre_in_float32(n):
    def light(p):
        return sersic(p[2], p[3], p[4], p[5], p[6]).light(p[0], p[1])

    p = jnp.array([0.0, 0.0, 14.0, 6.0, 0.4, n, 12.0], jnp.float32)
    value, slope = jax.jit(jax.value_and_grad(light))(p)
    assert value.dtype == jnp.float32
    assert np.isfinite(value) and np.isfinite(slope).all()
    assert np.isfinite(jax.jit(jax.jacfwd(light))(p)).all()


def test_sersic_extent_holds_the_light(x64):
    """Beyond it not a hundredth of a grey level is left, in any direction."""
    for n in (0.5, 1.0, 4.0):
        source = sersic(*map(jnp.asarray, (14.0, 6.0, 0.4, n, 12.0)))
        along = np.linspace(-200, 200, 401)
        for angle in np.linspace(0, 2 * np.pi, 12):
            cos, sin = np.cos(angle), np.sin(angle)
            reach = float(source.extent(cos, sin))
            assert float(source.light(reach * cos - along * sin, reach * sin + along * cos).max()) * 255.0 < 1e-2


@pytest.mark.parametrize("theta", [0.0, 37.0])
def test_corners_of_the_triangle(theta, x64):
    """At θ, θ + 120° and θ + 240°, where two lines meet; the middles of the sides are red, green and blue."""
    source = Triangle(jnp.asarray(40.0), jnp.asarray(np.deg2rad(theta)))
    corner = 40.0 * np.exp(1j * np.deg2rad(theta + np.array([0.0, 120.0, 240.0])))
    level = 192.0 / 255.0
    two = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]]) * level  # red and blue; red and green; green and blue
    np.testing.assert_allclose(source.light(corner.real, corner.imag), two, atol=1e-12)
    middle = 0.5 * (corner + np.roll(corner, -1))
    np.testing.assert_allclose(source.light(middle.real, middle.imag), level * np.eye(3), atol=1e-12)
    outer = 1.2 * corner
    np.testing.assert_allclose(source.light(outer.real, outer.imag), 0.0)
    np.testing.assert_allclose(source.light(jnp.zeros(1), jnp.zeros(1)), 0.0)
    assert is_coloured(source)


def test_lines_of_the_triangle_are_three_pixels_wide(x64):
    """The light across a side, of full colour, adds up to a width of 3 px."""
    source = Triangle(jnp.asarray(40.0), jnp.asarray(0.0))
    x = np.linspace(-40, 0, 4001)  # across the side at 120° … 240°, x = −20
    green = np.asarray(source.light(x, 0 * x))[:, 1]
    assert np.trapezoid(green, x) == pytest.approx(3.0 * 192.0 / 255.0, rel=1e-3)
    assert np.isfinite(jax.grad(lambda p: source.light(p[0], p[1]).sum())(jnp.array([0.0, 0.0]))).all()


def test_picture_has_its_first_row_on_top(x64):
    """Points at their places, linear between them, dark beyond; the middle of the picture at the origin."""
    values = np.arange(1.0, 13.0).reshape(3, 4)
    source = Picture(jnp.asarray(values), jnp.asarray(2.0))
    x, y = np.meshgrid(2.0 * (np.arange(4) - 1.5), 2.0 * (1.0 - np.arange(3)))
    np.testing.assert_allclose(source.light(x, y), values)
    assert source.light(jnp.asarray(-3.0), jnp.asarray(2.0)) == 1.0  # top left
    assert source.light(jnp.asarray(-3.0), jnp.asarray(-2.0)) == 9.0  # bottom left
    np.testing.assert_allclose(source.light(jnp.asarray(-2.5), jnp.asarray(1.0)), 1.0 + 0.25 + 2.0)
    np.testing.assert_allclose(source.light(jnp.array([20.0, -20.0]), jnp.array([0.0, 0.0])), 0.0)


def test_picture_in_colour_keeps_its_channels(x64):
    values = np.random.default_rng(0).uniform(0, 1, (4, 4, 3))
    source = Picture(jnp.asarray(values), jnp.asarray(1.0))
    x, y = np.meshgrid(np.arange(4) - 1.5, 1.5 - np.arange(4))
    np.testing.assert_allclose(source.light(x, y), values)
    assert is_coloured(source) and not is_coloured(Picture(jnp.asarray(values[..., 0]), jnp.asarray(1.0)))


def test_picture_in_an_image_without_a_lens(x64):
    """An image shows it upright, row for row: pixel (i, j) is the point (j − n/2, n/2 − i)."""
    values = np.random.default_rng(1).uniform(0, 1, (7, 7))
    system = System(SIS(jnp.asarray(0.0)), Picture(jnp.asarray(values), jnp.asarray(1.0)), jnp.asarray(2.0), jnp.asarray(1.0))
    drawn = np.asarray(image(system, instrument((16, 16))))
    np.testing.assert_allclose(drawn[4:11, 7:14], values, atol=4e-12)  # its middle at (2, 1): row 8 − 1, column 8 + 2


def test_constellation_is_the_sum(x64):
    x, y = np.random.default_rng(0).uniform(-40, 40, (2, 50))
    source = constellation([(spherical(jnp.asarray(8.0)), 10.0, 5.0), (elliptical(*map(jnp.asarray, (12.0, 4.0, 0.5))), -20.0, 0.0)])

    def gauss(x, y, sigma, sigma2, theta):
        u, v = np.cos(theta) * x + np.sin(theta) * y, np.cos(theta) * y - np.sin(theta) * x
        return np.exp(-0.5 * ((u / sigma) ** 2 + (v / sigma2) ** 2))

    expected = gauss(x - 10, y - 5, 8.0, 8.0, 0.0) + gauss(x + 20, y, 12.0, 4.0, 0.5)
    np.testing.assert_allclose(source.light(x, y), expected, rtol=1e-12)
    across = np.hypot(12.0 * np.cos(0.5), 4.0 * np.sin(0.5))  # standard deviation of the second along x
    np.testing.assert_allclose(source.extent(-1.0, 0.0), 20.0 + 5 * across, rtol=1e-12)
    np.testing.assert_allclose(source.extent(0.0, 1.0), 5.0 + 40.0, rtol=1e-12)


def test_constellation_of_grey_and_colour(x64):
    source = constellation([(spherical(jnp.asarray(8.0)), 0.0, 0.0), (Triangle(jnp.asarray(40.0), jnp.asarray(0.0)), 0.0, 0.0)])
    assert is_coloured(source)
    np.testing.assert_allclose(source.light(jnp.asarray(40.0), jnp.asarray(0.0)), np.array([1, 0, 1]) * 192 / 255 + np.exp(-12.5))


def test_saturation_is_left_to_the_detector(x64):
    """Two sources in one place are twice as bright; only an 8-bit file cannot say so."""
    source = constellation([(spherical(jnp.asarray(8.0)), 0.0, 0.0)] * 2)
    system = System(SIS(jnp.asarray(0.0)), source, jnp.asarray(0.0), jnp.asarray(0.0))
    drawn = 255.0 * image(system, instrument((64, 64)))
    x, y = pixel_points(64, 64, dtype=jnp.float64)
    np.testing.assert_allclose(drawn, 510.0 * np.exp(-0.5 * (np.asarray(x) ** 2 + np.asarray(y) ** 2) / 64.0), rtol=1e-9)
    assert float(quantise(drawn).max()) == 255.0


def test_constellation_of_none():
    with pytest.raises(ValueError, match="one member"):
        constellation([])
