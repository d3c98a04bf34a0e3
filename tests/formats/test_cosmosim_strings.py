"""Clusters and constellations in one cell: there and back, and what is refused where."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lensjax.errors import BadInput
from lensjax.formats.cosmosim import strings
from lensjax.formats.scene import Light, Mass

PLACES = st.floats(-1e4, 1e4)
SIZES = st.floats(1e-3, 1e4)
ANGLES = st.floats(-720, 720)
MASSES = st.one_of(
    st.builds(Mass, st.sampled_from(["PM", "SIS"]), SIZES, x=PLACES, y=PLACES),
    st.builds(Mass, st.just("SIE"), SIZES, st.floats(0.01, 1), ANGLES, PLACES, PLACES),
)
SERSIC = (st.floats(0.1, 20), st.floats(1e-3, 1e6))
LIGHTS = st.one_of(
    st.builds(Light, st.sampled_from(["Ellipsoid", "SersicEllipsoid"]), PLACES, PLACES, SIZES, SIZES, ANGLES, *SERSIC),
    st.builds(
        lambda kind, x, y, sigma, *sersic: Light(kind, x, y, sigma, sigma, 0.0, *sersic),
        *(st.sampled_from(["Spherical", "SersicSphere"]), PLACES, PLACES, SIZES, *SERSIC),
    ),
    st.builds(lambda x, y, s, theta: Light("Triangle", x, y, s, s, theta), PLACES, PLACES, SIZES, ANGLES),
    st.builds(lambda x, y: Light("Image", x, y, 0.0, 0.0), PLACES, PLACES),
)


def test_a_cluster():
    assert strings.cluster("SIS/1/-2/20; SIE/3.5/4/30/.5/45;PointMass/0/0/1e1") == (
        Mass("SIS", 20, x=1, y=-2),
        Mass("SIE", 30, 0.5, 45, 3.5, 4),
        Mass("PM", 10),
    )


def test_a_constellation():
    text = "s/1/2/5/0/0/4/10;SersicEllipsoid/3/4/5/6/30/2/7;t/0/-1/9/60;Image (Einstein)/1/1;e/0/0/3/2/10"
    assert strings.constellation(text) == (
        Light("Spherical", 1, 2, 5, 5),
        Light("SersicEllipsoid", 3, 4, 5, 6, 30, 2, 7),
        Light("Triangle", 0, -1, 9, 9, 60),
        Light("Image", 1, 1, 0, 0),
        Light("Ellipsoid", 0, 0, 3, 2, 10, 4, 20),
    )


def test_a_triangle_turns_by_its_fifth_field():
    assert strings.constellation("Triangle/0/0/9/60/1/2/3")[0].theta == 60


@settings(max_examples=100)
@given(st.lists(MASSES, min_size=1, max_size=4))
def test_clusters_there_and_back(masses):
    assert strings.cluster(strings.cluster_text(masses)) == tuple(masses)


@settings(max_examples=100)
@given(st.lists(LIGHTS, min_size=1, max_size=4))
def test_constellations_there_and_back(lights):
    assert strings.constellation(strings.constellation_text(lights)) == tuple(lights)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SIS/1/2/20;SEI/1/2/3", ("member 2, character 12", "'SEI'", "did you mean SIE?")),
        ("SIS/1/2/20;", ("member 2, character 12", "empty", "SIS, SIE or PointMass")),
        ("SIS/1/2/20;SIE/1/2/3/1.5/0", ("member 2, character 22", "'1.5'", "a ratio above 0 and up to 1")),
        ("SIE/1/2/3/0/0", ("'0'", "a ratio above 0")),
        ("SIS/1/2/-3", ("member 1, character 9", "'-3'", "a length above 0")),
        ("SIS/nan/2/3", ("character 5", "'nan'", "a finite number")),
        ("SIS/1/20000/3", ("'20000'", "a place within")),
        ("SIS/1/2", ("2 numbers", "SIS/x/y/R_E")),
        ("SIS/1/2/3/4", ("4 numbers", "SIS/x/y/R_E")),
        ("SIE/1/2/3", ("3 numbers", "SIE/x/y/R_E/f/orientation")),
        ("SIS/1_0/2/3", ("'1_0'", "a finite number")),
        ("SIS//2/3", ("x is empty",)),
    ],
)
def test_clusters_that_are_refused(text, words):
    with pytest.raises(BadInput) as caught:
        strings.cluster(text)
    for word in ("member", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sphericl/0/0/1", ("'Sphericl'", "did you mean Spherical?")),
        ("e/0/0/5", ("3 numbers", "Ellipsoid/x/y/sigma/sigma2/theta/n_sersic/luminosity")),
        ("SersicSphere/0/0/5/0/0/0/1", ("n_sersic is '0'", "from 0.1 to 20")),
        ("s/0/0/0", ("sigma is '0'", "a length above 0")),
        ("t/0/0/1/x", ("theta is 'x'", "a finite number")),
        ("s/0/0/1/2/3/4/5/6", ("8 numbers",)),
    ],
)
def test_constellations_that_are_refused(text, words):
    with pytest.raises(BadInput) as caught:
        strings.constellation(text)
    for word in ("member 1, character", *words):
        assert word in str(caught.value)


@settings(max_examples=100)
@given(st.text(alphabet=st.characters(codec="utf-8")) | st.text(alphabet="SIEPM/;.-0123456789est"))
def test_any_text_is_read_or_refused(text):
    for parse in (strings.cluster, strings.constellation):
        try:
            assert parse(text)
        except BadInput as error:
            assert "\n" not in str(error)
