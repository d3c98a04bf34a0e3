"""A scene as pictures and lines."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from lensjax import simulate
from lensjax.explore import pictures
from lensjax.explore.outlines import outlines_of
from lensjax.explore.render import draw, draw_exact
from lensjax.explore.state import FIELD, Light, Member, Scene, system_of
from lensjax.lens import curves
from lensjax.observation.instrument import instrument
from lensjax.simulate import Trace

SIS_ = Scene((Member("SIS", 60.0),), Light(x=45.0, y=15.0, sigma=16.0), terms=5)
PAIR = Scene((Member("SIE", 50.0, 0.7, 20.0, x=-20.0), Member("SIS", 20.0, x=70.0, y=30.0)), Light(x=30.0, y=20.0), terms=4)
CLUSTER = pytest.param(PAIR, marks=pytest.mark.slow)


def levels(bright):
    return np.clip(np.rint(255.0 * np.asarray(bright, np.float64)), 0, 255)


@pytest.mark.parametrize("scene", [SIS_, replace(SIS_, terms=15), CLUSTER], ids=["12 or fewer", "more", "cluster"])
def test_image_and_roulette_are_those_of_the_simulator(scene):
    frame, system = draw(scene), system_of(scene)
    taken = instrument((FIELD, FIELD))
    np.testing.assert_allclose(frame.exact, levels(simulate.image(system, taken)), atol=1)
    series = levels(simulate.image(system, taken, trace=Trace("series", scene.terms, "region")))
    assert (np.abs(frame.series - series) > 1.0).sum() <= 5  # at the rim of the region
    inside = frame.difference != 0
    np.testing.assert_array_equal(frame.difference[inside], (frame.exact.astype(int) - frame.series)[inside])


def test_more_terms_are_nearer_to_the_exact_image():
    worst = [np.abs(draw(replace(SIS_, terms=terms)).difference).sum() for terms in (2, 5, 12)]
    assert worst[0] > 2 * worst[1] > 4 * worst[2] > 0


def test_the_source_plane_shows_the_source_at_its_place():
    frame = draw_exact(SIS_)
    row, column = np.unravel_index(np.argmax(frame.source), frame.source.shape)
    assert (column - FIELD // 2, FIELD // 2 - row) == (45, 15)
    assert not frame.series.any()  # was not wanted


@pytest.mark.slow
def test_lines_of_one_lens_and_of_a_cluster():
    (critical,) = draw_exact(SIS_).outlines.critical
    np.testing.assert_allclose(np.hypot(*critical.T), 60.0, rtol=1e-5)
    region = draw_exact(SIS_).outlines.region
    centre = np.array(draw_exact(SIS_).centre)
    np.testing.assert_allclose(np.hypot(*(region - centre).T), np.hypot(*centre), rtol=1e-5)
    lens = system_of(PAIR).lens
    outlines = outlines_of(PAIR, lens, np.array([60.0, 30.0]))
    exact = curves.critical_curves(lens, half=250.0, points=500)
    ends = np.concatenate(exact)
    for line in outlines.critical:
        nearest = np.hypot(*(line[:, None, :] - ends[None]).transpose(2, 0, 1)).min(axis=1)
        assert np.median(nearest) < 1.0
    traced = np.concatenate([np.stack(line.T - np.asarray(lens.deflection(*np.float32(line.T))), -1) for line in outlines.critical])
    assert np.median(np.hypot(*(traced - np.concatenate(outlines.caustics)).T)) < 1.0


def test_colours_stay():
    frame = draw(replace(SIS_, source=Light("triangle", x=40.0, y=10.0, sigma=25.0)))
    assert frame.exact.shape == frame.series.shape == frame.source.shape == (FIELD, FIELD, 3)
    assert frame.difference.shape == (FIELD, FIELD)


def decoded(url):
    head, content = url.split(",", 1)
    return head, np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB")).astype(int)


def test_pictures_are_what_the_browser_shows():
    image = draw(SIS_).exact
    head, shown = decoded(pictures.url(image))
    assert head == "data:image/jpeg;base64" and np.abs(shown[..., 0] - image).mean() < 1.0
    _, shown = decoded(pictures.difference_url(np.array([[0, 255], [-255, 10]])))
    assert shown[0, 0].tolist() == [255, 255, 255]
    assert shown[0, 1, 0] > shown[0, 1, 2] and shown[1, 0, 2] > shown[1, 0, 0]


def test_places_on_the_picture_and_back():
    svg = pictures.source_lines(draw(SIS_), SIS_)
    assert "M240.5 185.5h10M245.5 180.5v10" in svg  # the source at (45, 15)
    assert pictures.place_of(245.5, 185.5) == (45.0, 15.0)
