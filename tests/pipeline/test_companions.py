"""Objects beside a lens: neighbours and stars are found, arcs never are."""

import numpy as np
import pytest

from lensjax.observation.instrument import instrument
from lensjax.pipeline import companions, window
from lensjax.pipeline.companions import Companion
from lensjax.pipeline.window import Window

SIDE, SCALE, SIGMA, PSF = 120, 0.05, 0.02, 0.05


def seen(light: np.ndarray, seed: int = 0) -> Window:
    """A window of 6 arcsec about pixel (60, 60), row 0 at the top."""
    data = light + SIGMA * np.random.default_rng(seed).normal(size=light.shape)
    used = np.ones(light.shape, bool)
    taken = instrument(light.shape, pixel_scale=SCALE, middle=(60, 60))
    return window.around(data, np.full(light.shape, SIGMA), used, taken, (60, 60), reach=3.5)


def points() -> tuple[np.ndarray, np.ndarray]:
    at = (np.arange(SIDE) - 60) * SCALE
    return at[None, :], -at[:, None]


def blob(x: float, y: float, width: float, peak: float, stretch: float = 1.0, angle: float = 0.0) -> np.ndarray:
    """A Gaussian, `stretch` times as long in the direction `angle` [deg]."""
    px, py = points()
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    u, v = c * (px - x) + s * (py - y), c * (py - y) - s * (px - x)
    return peak * np.exp(-0.5 * ((u / stretch) ** 2 + v**2) / width**2)


def arc(radius: float, middle: float, half: float, peak: float = 0.4) -> np.ndarray:
    """An arc about the lens, in the direction `middle` and as far as `half` to each side [deg]."""
    px, py = points()
    turn = (np.degrees(np.arctan2(py, px)) - middle + 180.0) % 360.0 - 180.0
    return peak * np.exp(-0.5 * ((np.hypot(px, py) - radius) / 0.08) ** 2 - 0.5 * (turn / half) ** 2)


def found(light: np.ndarray, seed: int = 0) -> list[Companion]:
    return companions.candidates(seen(light, seed), None, outer=3.2)


LENS = arc(1.4, 20.0, 35.0) + arc(0.8, 200.0, 25.0)


@pytest.mark.parametrize("radius", [1.0, 1.5, 2.2])
@pytest.mark.parametrize("half", [12.0, 40.0, 500.0])
def test_an_arc_is_no_companion(radius: float, half: float) -> None:
    assert found(arc(radius, 70.0, half) + arc(0.6, 250.0, 20.0)) == []


def test_clumps_in_an_arc_are_no_companions() -> None:
    light = LENS + sum(blob(1.4 * np.cos(a), 1.4 * np.sin(a), PSF, 0.2) for a in (0.1, 0.6))
    assert found(light) == []


def test_a_round_counter_image_is_no_companion() -> None:
    assert found(arc(1.5, 0.0, 20.0) + blob(-0.7, 0.0, 0.08, 0.5)) == []


@pytest.mark.parametrize(("width", "peak"), [(0.2, 0.5), (0.12, 0.3), (PSF, 2.0)], ids=["galaxy", "small galaxy", "star"])
def test_a_neighbour_is_found(width: float, peak: float) -> None:
    (own,) = found(LENS + blob(-1.5, 1.2, width, peak))
    np.testing.assert_allclose(own.place, (-1.5, 1.2), atol=0.08)
    assert own.signal > 8.0
    at = np.hypot(*(np.subtract(p, c) for p, c in zip(points(), own.place, strict=True))) < 2.0 * width
    inside = own.region[10:130, 10:130]
    assert inside[at].all() and not inside[LENS > 0.1].any()


def test_one_drawn_out_towards_the_lens_is_found_and_one_about_it_is_not() -> None:
    assert len(found(LENS + blob(-1.5, 1.2, 0.08, 0.5, stretch=2.5, angle=np.degrees(np.arctan2(1.2, -1.5))))) == 1
    assert found(LENS + blob(-1.5, 1.2, 0.08, 0.5, stretch=2.5, angle=np.degrees(np.arctan2(1.2, -1.5)) + 90.0)) == []


def test_two_neighbours_are_found_the_brighter_first() -> None:
    first, second = found(LENS + blob(-1.5, 1.2, 0.15, 0.3) + blob(1.0, -2.0, 0.15, 0.6))
    np.testing.assert_allclose([first.place, second.place], [(1.0, -2.0), (-1.5, 1.2)], atol=0.08)
    assert not (first.region & second.region).any()
    own = seen(LENS)
    left = companions.masked(own, [first, second]).used
    assert (own.used & ~left).sum() == (own.used & (first.region | second.region)).sum()
    assert companions.words([first, second], (0.5, 0.0)).startswith("2 companions at (1.5")
    assert companions.brightest([second, first], within=2.5) == first.signal > second.signal
    assert companions.brightest([second, first], within=2.1) == second.signal and companions.brightest([second], within=1.8) == 0.0


def test_a_companion_that_a_model_takes_for_an_image_is_told_from_another() -> None:
    light = blob(-1.5, 1.2, 0.15, 0.5) + blob(1.0, -2.0, 0.15, 0.6)
    both = found(LENS + light)
    model = seen(LENS + blob(-1.5, 1.2, 0.15, 0.5)).data
    model[71:] = 0.0  # nothing of the one below
    (own,) = companions.lit(both, model, np.full(model.shape, SIGMA))
    assert own.place[1] > 0


def test_one_of_many_stars_has_no_companions() -> None:
    turns = np.radians(np.arange(0.0, 360.0, 60.0))
    assert found(sum(blob(1.8 * np.cos(a), 1.8 * np.sin(a), PSF, 2.0) for a in turns)) == []
    assert len(found(sum(blob(1.8 * np.cos(a), 1.8 * np.sin(a), PSF, 2.0) for a in turns[::2]))) == 3


def test_a_galaxy_that_the_edge_cuts_is_found() -> None:
    (own,) = found(LENS + blob(0.3, 3.0, 0.3, 1.0))
    assert own.place[1] > 2.7
    assert companions.words([own], (0.0, 0.0)).startswith("1 companion at (0.")


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_no_companions(seed: int) -> None:
    assert found(np.zeros((SIDE, SIDE)), seed) == []
