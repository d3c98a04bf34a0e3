"""The frame of an image: against closed forms, and on images moved, turned and enlarged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.observation import shapelets
from lensjax.observation.frame import Frame, coordinates, frame_of, picture, points
from lensjax.observation.grid import pixel_points

SIDE = 192
X, Y = pixel_points(SIDE, 96)


def arc(x, y, *, angle=0.0, scale=1.0, at=(0.0, 0.0)):
    """Light about a bent line, turned [rad], enlarged and moved."""
    cos, sin = np.cos(angle), np.sin(angle)
    dx, dy = (x - at[0]) / scale, (y - at[1]) / scale
    along, across = cos * dx + sin * dy, cos * dy - sin * dx
    return 200.0 * jnp.exp(-0.5 * ((along / 9.0) ** 2 + ((across - 0.02 * along**2) / 3.0) ** 2))


@jax.jit
def found(image):
    return frame_of(image, X, Y)


@pytest.mark.parametrize("angle", [0.0, 0.4, 2.0, 3.3, 5.9])
@pytest.mark.parametrize("scale", [0.8, 1.3])
def test_a_frame_moves_turns_and_grows_with_its_image(angle, scale):
    still = found(arc(X, Y))
    moved = found(arc(X, Y, angle=angle, scale=scale, at=(3.3, -2.6)))
    expected = np.array([3.3, -2.6]) + scale * np.array(
        [np.cos(angle) * still.x - np.sin(angle) * still.y, np.sin(angle) * still.x + np.cos(angle) * still.y]
    )
    np.testing.assert_allclose([moved.x, moved.y], expected, atol=2e-3)
    turn = np.arctan2(moved.sin, moved.cos) - np.arctan2(still.sin, still.cos) - angle
    assert abs((turn + np.pi) % (2 * np.pi) - np.pi) < 1e-3
    assert moved.size / still.size == pytest.approx(scale, rel=1e-3)
    assert moved.stretch == pytest.approx(float(still.stretch), abs=1e-3)


def test_an_ellipse_has_its_axes():
    image = 100.0 * jnp.exp(-0.5 * ((X * 0.8 + Y * 0.6) ** 2 / 64 + (Y * 0.8 - X * 0.6) ** 2 / 16))
    frame = found(image)
    assert frame.stretch == pytest.approx(0.5 * np.log(2.0), abs=1e-4)
    assert abs(frame.cos * 0.6 - frame.sin * 0.8) < 1e-3
    # Light of exp(−r²/2) less than the part f of its peak: ∫(e^(−t) − f) t dt over ∫(e^(−t) − f) dt, to t = −log f.
    t = np.linspace(0.0, -np.log(0.05), 100_001)
    spread = np.sqrt(np.trapezoid((np.exp(-t) - 0.05) * t, t) / np.trapezoid(np.exp(-t) - 0.05, t))
    np.testing.assert_allclose(frame.spreads, [8.0 * spread, 4.0 * spread], rtol=1e-3)


@pytest.mark.parametrize("image", [np.zeros((SIDE, SIDE)), np.eye(SIDE)[:1] * np.ones((SIDE, 1)) * (np.arange(SIDE) == 3)[:, None]])
def test_dark_images_and_single_pixels_have_a_frame(image):
    frame = found(jnp.asarray(image, jnp.float32))
    assert all(np.isfinite(leaf) for leaf in frame) and frame.size > 0
    numbers = shapelets.coefficients(jnp.asarray(image, jnp.float32), frame, X, Y)
    assert np.isfinite(numbers).all()


def test_places_in_the_frame_and_back():
    frame = found(arc(X, Y, angle=1.0))
    u, v = coordinates(frame, jnp.array([1.0, -20.0]), jnp.array([5.0, 7.0]))
    np.testing.assert_allclose(points(frame, u, v), [[1.0, -20.0], [5.0, 7.0]], rtol=1e-4, atol=1e-4)


def test_an_image_and_the_same_moved_and_turned_have_one_picture():
    images = [arc(X, Y), arc(X, Y, angle=2.2, scale=1.2, at=(-4.0, 6.0))]
    one, two = (np.asarray(picture(image, found(image), X, Y, size=32)) for image in images)
    assert np.abs(one - two).max() < 0.02 * one.max()  # bilinear samples of 3-px light
    assert one.max() > 150.0


def test_numbers_of_a_gaussian_are_those_of_the_closed_form():
    """∫exp(−¾ r²)/2π = ⅔; log light −½(u² + v²) = −½ − √2/4 (h₂(√2 u) + h₂(√2 v)), h₂ = He₂/√2."""
    frame = Frame(*map(jnp.float32, (2.0, -1.0, 0.8, 0.6, 6.0, 0.25)))
    u, v = coordinates(frame, X, Y)
    image = 70.0 * jnp.exp(-0.5 * (u * u + v * v))
    found = np.asarray(shapelets.coefficients(image, frame, X, Y, order=4, light_order=4))
    brightest = float(image.max())  # of the pixels, by which they are divided
    degrees = [(i, k) for i in range(5) for k in range(5 - i)]
    shown, logarithm, rest = found[:15], found[15:30], found[30:]
    # He_i(u) under exp(−¾ u²): variance ⅔, so that ⟨He₂⟩ = −⅓ and ⟨He₄⟩ = ⅓.
    moment = {0: 1.0, 2: -1 / 3 / np.sqrt(2), 4: 1 / 3 / np.sqrt(24)}
    wanted = [2 / 3 * moment.get(i, 0.0) * moment.get(k, 0.0) for i, k in degrees]
    np.testing.assert_allclose(shown * brightest / 70.0, wanted, atol=1e-5)
    of = {(0, 0): -0.5 - np.log(brightest / 70.0), (2, 0): -np.sqrt(2) / 4, (0, 2): -np.sqrt(2) / 4}
    np.testing.assert_allclose(logarithm, [of.get(pair, 0.0) for pair in degrees], atol=5e-3)
    np.testing.assert_allclose(rest, [0.25, np.log(6.0), np.log(brightest)], rtol=1e-5)
    assert len(found) == shapelets.count(order=4, light_order=4)


def test_numbers_of_a_spot_with_faint_light_far_away_are_finite():
    image = np.zeros((256, 256), np.float32)
    image[5:8, 4] = 255.0
    image[250, 248:252] = 12.0
    x, y = pixel_points(256, 256)
    frame = frame_of(jnp.asarray(image), x, y)
    assert float(frame.spreads[1]) < 1.0
    assert np.isfinite(np.asarray(shapelets.coefficients(jnp.asarray(image), frame, x, y))).all()
