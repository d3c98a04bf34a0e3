"""The lens galaxy's light: taken off, with and without arcs on it."""

import numpy as np
import pytest

from lensjax.observation import psf
from lensjax.observation.instrument import Instrument, instrument
from lensjax.pipeline import lens_light

SIGMA = 0.02


@pytest.fixture(scope="module")
def taken() -> Instrument:
    return instrument((81, 81), pixel_scale=0.05, supersampling=2, psf=psf.gaussian(2.2, size=9), middle=(40.0, 40.0))


def points(taken: Instrument) -> tuple[np.ndarray, np.ndarray]:
    x = (np.arange(taken.shape[1]) - taken.middle[1]) * taken.pixel_scale
    y = (taken.middle[0] - np.arange(taken.shape[0])) * taken.pixel_scale
    return x[None, :], y[:, None]


def galaxy(taken: Instrument) -> np.ndarray:
    """An exponential disc of axis ratio 0.7 in the direction of 30 degrees, its boxes of 3 %."""
    x, y = points(taken)
    phi = np.radians(30.0)
    u, v = np.cos(phi) * x + np.sin(phi) * y, np.cos(phi) * y - np.sin(phi) * x
    radius = np.hypot(u * np.sqrt(0.7), v / np.sqrt(0.7))
    return 3.0 * np.exp(-np.hypot(radius, 0.1) / 0.5) * (1.0 + 0.03 * np.cos(4.0 * np.arctan2(v, u * 0.7)))


def arc(taken: Instrument) -> np.ndarray:
    x, y = points(taken)
    angle = np.arctan2(y, x)
    return 0.3 * np.exp(-0.5 * ((np.hypot(x, y) - 1.0) / 0.06) ** 2 - 0.5 * ((angle - 0.8) / 0.4) ** 2)


def fitted(taken: Instrument, data: np.ndarray) -> lens_light.LensLight:
    sigma, used = np.full(taken.shape, SIGMA), np.ones(taken.shape, bool)
    return lens_light.fit(data, sigma, used, taken, reach=2.0, start=np.array([0.0, 0.0, 0.01, 0.0]))


def test_a_galaxy_alone_is_noise_without_its_light(taken: Instrument) -> None:
    data = galaxy(taken) + SIGMA * np.random.default_rng(0).normal(size=taken.shape)
    light = fitted(taken, data)
    x, y = points(taken)
    away = np.hypot(x, y) > 0.25
    assert ((data - light.image)[away] ** 2).mean() < 1.15 * SIGMA**2
    assert np.abs(light.place).max() < 0.01
    q = (1.0 - np.hypot(*light.ellipticity)) / (1.0 + np.hypot(*light.ellipticity))
    assert abs(q - 0.7) < 0.03 and abs(np.degrees(0.5 * np.arctan2(light.ellipticity[1], light.ellipticity[0])) - 30.0) < 3.0
    assert light.arcs[away].mean() < 0.2


def test_an_arc_is_left(taken: Instrument) -> None:
    data = galaxy(taken) + arc(taken) + SIGMA * np.random.default_rng(1).normal(size=taken.shape)
    light = fitted(taken, data)
    left, truth = data - light.image, arc(taken)
    bright = truth > 0.05
    assert light.arcs[bright].mean() > 0.95
    assert abs(left[bright].sum() / truth[bright].sum() - 1.0) < 0.05


def test_a_whole_ring_is_left(taken: Instrument) -> None:
    """Light that rises outwards is no sum of Gaussians about the middle."""
    x, y = points(taken)
    ring = 0.3 * np.exp(-0.5 * ((np.hypot(x, y) - 1.0) / 0.06) ** 2)
    data = galaxy(taken) + ring + SIGMA * np.random.default_rng(2).normal(size=taken.shape)
    left = data - fitted(taken, data).image
    bright = ring > 0.1
    assert abs(left[bright].sum() / ring[bright].sum() - 1.0) < 0.1


def test_layers_say_how_far_the_light_may_be_off(taken: Instrument) -> None:
    light = fitted(taken, galaxy(taken) + SIGMA * np.random.default_rng(3).normal(size=taken.shape))
    assert light.layers.shape[1:] == taken.shape and np.isfinite(light.layers).all()
    spread = np.sqrt((light.layers**2).sum(axis=0))
    x, y = points(taken)
    ring = np.abs(np.hypot(x, y) - 0.8) < 0.2
    assert 0.01 < np.median(spread[ring] / light.image[ring]) < 0.5
