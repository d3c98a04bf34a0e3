"""The page's scenes: checked, and as systems."""

from dataclasses import replace
from math import radians

import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.explore import state
from lensjax.explore.state import Light, Member, Scene
from lensjax.explore.tour import STEPS
from lensjax.lens import SIE, SIS, Cluster, PointMass
from lensjax.lens.base import inverse_magnification


@pytest.mark.parametrize("kind, lens", [("point mass", PointMass), ("SIS", SIS), ("SIE", SIE)])
def test_one_lens_at_the_origin_is_of_its_kind(kind, lens):
    system = state.system_of(Scene((Member(kind, 50.0, 0.6, 90.0),), Light(x=3.0, y=-4.0)))
    assert isinstance(system.lens, lens)
    assert (float(system.lens.theta_e), float(system.x), float(system.y)) == (50.0, 3.0, -4.0)
    if kind == "SIE":
        assert float(system.lens.orientation) == pytest.approx(radians(90.0))


def test_members_add_up_wherever_they_stand():
    members = (Member("SIS", 40.0, x=30.0), Member("point mass", 20.0, x=-50.0, y=10.0), Member("SIE", 30.0, 0.5, 20.0, y=-60.0))
    lens = state.lens_of(Scene(members))
    alone = [state.lens_of(Scene((replace(member, x=0.0, y=0.0),))) for member in members]
    at = np.float32(12.0), np.float32(-7.0)
    parts = [own.deflection(at[0] - m.x, at[1] - m.y) for own, m in zip(alone, members, strict=True)]
    np.testing.assert_allclose(np.asarray(lens.deflection(*at)), np.sum(parts, axis=0), rtol=2e-5)


def test_numbers_of_members_up_to_a_power_of_two_share_a_program():
    def structure(count):
        lens = state.lens_of(Scene(tuple(Member("SIS", 10.0, x=5.0 * k + 1.0) for k in range(count))))
        assert isinstance(lens, Cluster)
        return [len(group) for group in lens.groups]

    assert structure(3) == structure(4) != structure(5)
    far = state.lens_of(Scene(tuple(Member("SIS", 10.0, x=5.0 * k + 1.0) for k in range(3)))).groups[0]
    assert np.hypot(far.x[3], far.y[3]) > 1e3  # the massless one limits no roulette


@pytest.mark.parametrize("kind", [kind for kind in state.SOURCE_USES if kind != "picture"])
def test_sources_are_no_brighter_than_the_brightest_grey_level_by_much(kind):
    along = np.linspace(-60.0, 60.0, 121, dtype=np.float32) + 0.25
    light = np.asarray(state.source_of(Light(kind, sigma=15.0)).light(along[None, :], along[:, None]))
    assert np.isfinite(light).all() and 0.6 < light.max() < 2.5


def test_direction_and_axis_ratio_turn_a_source():
    light = state.source_of(Light("Gaussian", sigma=20.0, ratio=0.5, theta=90.0)).light(np.float32([10.0, 0.0]), np.float32([0.0, 10.0]))
    np.testing.assert_allclose(light, np.exp(-0.5 * np.array([1.0, 0.25])), rtol=1e-5)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"members": ()}, "lenses: the value is 0; expected 1 to 32"),
        ({"members": (Member("SIS", float("nan")),)}, "Einstein radius: the value is nan; expected a number from 0 to 150 px"),
        ({"members": (Member("SIE", 10.0, 0.0),)}, "Axis ratio f: the value is 0.0; expected a number from 0.2 to 1"),
        ({"members": (Member("NFW"),)}, "lens: the value is 'NFW'; expected one of point mass, SIS, SIE"),
        ({"source": Light(sigma="12")}, "Size: the value is '12'; expected a number from 1 to 100 px"),
        ({"source": Light("picture")}, "no picture yet"),
        ({"terms": 2.5}, "Roulette terms: the value is 2.5; expected a whole number"),
        ({"terms": 51}, "expected a number from 1 to 50"),
    ],
)
def test_scenes_that_cannot_be_drawn_say_why(change, words):
    with pytest.raises(BadInput) as caught:
        state.check(replace(Scene(), **change))
    assert words in str(caught.value)


def test_orders_on_offer():
    assert [state.order_near(n) for n in (1, 12, 13, 14, 40, 50)] == [1, 12, 12, 15, 30, 50]


def test_the_tour_has_six_steps_that_can_be_drawn():
    assert len(STEPS) == 6
    for step in STEPS:
        state.system_of(step.scene)
    ring, arcs = STEPS[1].scene, STEPS[3].scene
    assert (ring.source.x, ring.source.y) == (0.0, 0.0)  # behind the lens
    lens = state.lens_of(arcs)
    assert isinstance(lens, SIE) and np.isfinite(inverse_magnification(lens, np.float32(30.0), np.float32(5.0)))
