"""What is drawn into images lies where closed forms, the lens equation and the images themselves say."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from contourpy import contour_generator

from lensjax.dataset import render, systems
from lensjax.formats.scene import Light, Mass, Scene
from lensjax.report import annotate
from lensjax.roulette import region

SIS, SIE, PM = Mass("SIS", 30.0), Mass("SIE", 30.0, 0.6, 25.0), Mass("PM", 30.0)
GROUP = (Mass("SIE", 25.0, 0.7, 40.0, -22.0, 6.0), Mass("SIS", 18.0, x=35.0, y=-10.0), Mass("PM", 9.0, x=10.0, y=45.0))


def make(masses, *, x=22.0, y=9.0, **more):
    masses = masses if isinstance(masses, tuple) else (masses,)
    lens = "Cluster" if len(masses) > 1 else masses[0].kind
    light = Light("Ellipsoid", x, y, 8.0, 5.0, 30.0)
    return Scene("a.png", "1", lens, masses, "Ellipsoid", (light,), x, y, **{"imagesize": 160, "model": "Roulette", **more})


def drawn(scene, part, *, centre=(0.0, 0.0), n=None):
    """(x, y, weight) of the pixels in a part's colour, seen from the lens [px]: the dark edge of a line left out."""
    n = n or scene.imagesize
    blank = np.zeros((n, n), np.float32)
    weight = annotate.scene(blank, scene, np.array(centre), parts=(part,)).sum(axis=-1)
    i, j = np.nonzero(weight)
    return j - n / 2 + centre[0], n / 2 - i + centre[1], weight[i, j]


def distance(x, y, curves):
    """Of each point to the nearest of the curves' points, and of each of these to the nearest pixel (both [px])."""
    points = np.concatenate(curves)
    apart = np.hypot(points[:, :1] - x, points[:, 1:] - y)
    return apart.min(axis=0), apart.min(axis=1)


def contours(scene, half):
    """Lines on which det A = 0, the deflection's slopes by differences."""
    along = np.linspace(-half, half, 700) + 1e-3
    h = 1e-3
    with jax.enable_x64(True):
        lens = systems.lens_of(scene)

        def source(x, y):
            return np.stack([x, y]) - np.array(lens.deflection(jnp.asarray(x), jnp.asarray(y)))

        x, y = np.meshgrid(along, along)
        across, up = ((source(x + a, y + b) - source(x - a, y - b)) / (2 * h) for a, b in ((h, 0.0), (0.0, h)))
    determinant = across[0] * up[1] - across[1] * up[0]
    return contour_generator(along, along, np.clip(determinant, -5.0, 5.0)).lines(0.0)


@pytest.mark.parametrize("n", [160, 161])
@pytest.mark.parametrize("mass", [SIS, PM], ids=["SIS", "PM"])
def test_critical_curve_is_the_einstein_ring(mass, n):
    centre = (7.3, -4.6)
    x, y, weight = drawn(make(mass, imagesize=n), "critical curve", centre=centre)
    radius = np.hypot(x, y)
    assert np.abs(radius - 30.0).max() < 1.5
    assert np.average(radius, weights=weight) == pytest.approx(30.0, abs=0.02)
    np.testing.assert_allclose([np.average(x, weights=weight), np.average(y, weights=weight)], 0.0, atol=0.1)
    assert np.diff(np.sort(np.arctan2(y, x))).max() < 0.06  # no gap


def test_critical_curve_of_an_sie():
    x, y, weight = drawn(make(SIE), "critical curve")
    o, f = np.deg2rad(25.0), 0.6
    u, v = np.cos(o) * x + np.sin(o) * y, np.cos(o) * y - np.sin(o) * x
    level = np.hypot(u / np.sqrt(f), v * np.sqrt(f))
    assert np.average(level, weights=weight) == pytest.approx(30.0, abs=0.05)
    assert np.abs(level - 30.0).max() < 1.5 / np.sqrt(f)
    assert np.abs(u).max() == pytest.approx(30.0 * np.sqrt(f), abs=1.5) and np.abs(v).max() == pytest.approx(30.0 / np.sqrt(f), abs=1.5)


@pytest.mark.slow
def test_critical_curves_of_a_cluster_are_those_of_its_lens():
    scene = make(GROUP, imagesize=200)
    x, y, _ = drawn(scene, "critical curve")
    to_curve, to_pixel = distance(x, y, contours(scene, 110.0))
    assert to_curve.max() < 1.7 and to_pixel.max() < 1.0


@pytest.mark.slow
def test_the_search_holds_all_of_a_cluster():
    """Members far apart and of all kinds: as long as what a search of twice the square finds."""
    masses = (Mass("SIE", 40.0, 0.3, 10.0, -150.0, 20.0), Mass("PM", 60.0, x=100.0, y=-80.0), Mass("SIS", 25.0, x=120.0, y=140.0))
    found = annotate.lines_of(make(masses))[0]
    expected = contours(make(masses), 634.0)

    def length(curves):
        return sum(np.hypot(*np.diff(curve, axis=0).T).sum() for curve in curves)

    assert length(found) == pytest.approx(length(expected), rel=2e-3)
    for curve in found:
        np.testing.assert_allclose(curve[0], curve[-1], atol=1e-6)  # closed: not cut off by the square


def test_caustic_of_an_sie_has_its_cusps_and_cut_where_kormann_says():
    """Kormann et al. (1994): cusps on the axes; the cut reaches θ_E √f/f' arsinh(f'/f) and θ_E √f/f' arcsin f'."""
    mass, f, flat = replace(SIE, einsteinradius=60.0), 0.6, 0.8
    _, (caustic,), (cut,) = annotate.lines_of(make(mass))
    o = np.deg2rad(25.0)
    turn = np.array([[np.cos(o), np.sin(o)], [-np.sin(o), np.cos(o)]])
    cusps = 60.0 * np.abs([np.sqrt(f) * (1 - np.arcsinh(flat / f) / flat), (1 - f * np.arcsin(flat) / flat) / np.sqrt(f)])
    reach = 60.0 * np.sqrt(f) / flat * np.array([np.arcsinh(flat / f), np.arcsin(flat)])
    np.testing.assert_allclose(np.abs(turn @ caustic.T).max(axis=1), cusps, rtol=1e-6)
    np.testing.assert_allclose(np.abs(turn @ cut.T).max(axis=1), reach, rtol=1e-4)
    x, y, _ = drawn(make(mass), "caustic")
    to_curve, _ = distance(x, y, [caustic, cut])
    assert to_curve.max() < 1.7
    assert distance(x, y, [caustic])[1].max() < 1.0  # whole; the cut is dashed
    gaps = distance(x, y, [cut])[1]
    assert (gaps < 1.0).mean() > 0.5 and gaps.max() > 1.0


def test_caustic_that_is_a_point_is_a_dot():
    x, y, weight = drawn(make(PM), "caustic", centre=(5.25, 3.5))
    assert 5 < len(x) < 60
    np.testing.assert_allclose([np.average(x, weights=weight), np.average(y, weights=weight)], 0.0, atol=0.05)


@pytest.mark.parametrize("masses", [SIS, PM, SIE, pytest.param(GROUP, marks=pytest.mark.slow)], ids=["SIS", "PM", "SIE", "cluster"])
def test_rim_of_convergence(masses):
    """The distance to the rim that the renderer uses is zero on it, positive just inside, negative just outside."""
    scene = make(masses, x=10.0, y=38.0)
    xi, rim = annotate.reference_point(scene), annotate.convergence_rim(scene)
    with jax.enable_x64(True):
        lens = systems.lens_of(scene)
        inside = [
            np.asarray(region.inside(*jnp.asarray(scale * (rim - xi).T), jnp.asarray(xi[0]), jnp.asarray(xi[1]), lens))
            for scale in (1.0, 0.99, 1.01)
        ]
    np.testing.assert_allclose(inside[0], 0.0, atol=1e-9)
    assert (inside[1] > 0).all() and (inside[2] < 0).all()


def test_masked_by_a_circle_that_is_not_the_rim():
    plain, masked = (make(SIE, x=-8.0, y=40.0, mask=mask) for mask in (False, True))
    xi = annotate.reference_point(masked)
    assert np.ptp(np.hypot(*(annotate.convergence_rim(masked) - xi).T)) > 5.0
    outer = []
    for scene in (plain, masked):
        x, y, _ = drawn(scene, "convergence ring", centre=xi)
        outer.append(np.abs(np.hypot(*(np.stack([x, y], -1) - xi).T) - np.hypot(*xi)) < 1.0)
    assert outer[1].sum() > outer[0].sum() + 30
    ring = [drawn(make(SIS, mask=mask), "convergence ring") for mask in (False, True)]
    np.testing.assert_array_equal(ring[0], ring[1])


@pytest.mark.parametrize(
    ("masses", "centred", "cropsize"),
    [(SIS, False, 0), pytest.param(GROUP, False, 101, marks=pytest.mark.slow), (PM, True, 0), (SIE, True, 91)],
)
def test_reference_point_is_where_the_image_is_brightest(masses, centred, cropsize):
    """The middle of the source, the brightest there is, is seen at ξ."""
    scene = make(masses, x=14.0, y=9.0, centred=centred, cropsize=cropsize, mask=True, nterms=8)
    (made,) = render.render([scene])
    n = made.image.shape[0]
    x, y, weight = drawn(scene, "reference point", centre=made.centre, n=n)
    cross = np.average(x, weights=weight) - made.centre[0], np.average(y, weights=weight) - made.centre[1]
    # The logarithm of a Gaussian is a paraboloid, and stays nearly one in its image.
    i, j = np.unravel_index(made.image.argmax(), made.image.shape)
    down, along = np.mgrid[-2:3, -2:3].reshape(2, -1)
    level = np.log(made.image[i + down, j + along])
    terms = np.stack([np.ones(25), along, down, along**2, along * down, down**2], axis=-1)
    _, p, q, aa, ab, bb = np.linalg.lstsq(terms, level, rcond=None)[0]
    top = np.linalg.solve([[2 * aa, ab], [ab, 2 * bb]], [-p, -q])
    np.testing.assert_allclose(cross, [j + top[0] - n / 2, n / 2 - i - top[1]], atol=0.15)


def test_source_is_marked_where_it_is():
    for centre in ((0.0, 0.0), (-11.25, 6.5)):
        x, y, weight = drawn(make(SIS), "source", centre=centre, n=80)
        assert np.average(x, weights=weight) == pytest.approx(22.0, abs=0.05)
        assert np.average(y, weights=weight) == pytest.approx(9.0, abs=0.05)


def test_every_member_of_a_constellation_is_marked():
    lights = (Light("Spherical", -30.0, 20.0, 5.0, 5.0), Light("Spherical", 40.0, -10.0, 5.0, 5.0))
    x, y, weight = drawn(replace(make(SIS), source="Constellation", lights=lights), "source")
    left = x < 0
    for half, place in ((left, (-30.0, 20.0)), (~left, (40.0, -10.0))):
        np.testing.assert_allclose([np.average(k[half], weights=weight[half]) for k in (x, y)], place, atol=0.05)


@pytest.mark.parametrize("coloured", [False, True])
def test_what_is_not_drawn_over_stays(coloured):
    rng = np.random.default_rng(3)
    image = rng.uniform(0, 255, (160, 160, 3) if coloured else (160, 160)).astype(np.float32)
    before = image.copy()
    made = annotate.scene(image, make(SIS), np.zeros(2))
    assert made.shape == (160, 160, 3) and made.min() >= 0 and made.max() <= 255
    np.testing.assert_array_equal(image, before)
    as_colour = image if coloured else np.repeat(image[..., None], 3, axis=-1)
    same = (made == as_colour).all(axis=-1)
    assert 0.8 < same.mean() < 0.99
    np.testing.assert_array_equal(annotate.scene(image, make(SIS), np.zeros(2), parts=()), as_colour)


def test_each_part_has_its_colour():
    for part in annotate.PARTS:
        made = annotate.scene(np.full((600, 600), 255.0), make(SIE), np.zeros(2), parts=(part,))
        assert (np.abs(made - annotate.COLOURS[part]).max(axis=-1) < 3).sum() > 10, part


@pytest.mark.slow
def test_curves_outside_of_the_picture():
    image = np.full((64, 64), 7.0, np.float32)
    for masses in (Mass("SIS", 5e4), Mass("SIE", 4000.0, 0.01), GROUP):
        made = annotate.scene(image, make(masses, x=3e4, y=-2e5), np.array([300.0, 450.0]), parts=("critical curve", "source"))
        np.testing.assert_array_equal(made, 7.0)
    assert np.isfinite(annotate.scene(image, make(Mass("SIS", 1e300), x=1e300), np.zeros(2))).all()


def test_lens_without_mass_has_no_curves():
    image = np.zeros((64, 64))
    for masses in (Mass("SIE", 0.0, 0.5), (Mass("SIS", 0.0), Mass("PM", 0.0, x=5.0))):
        assert not annotate.scene(image, make(masses), np.zeros(2), parts=("critical curve", "caustic")).any()
        assert annotate.scene(image, make(masses), np.zeros(2), parts=("reference point",)).any()


def test_source_behind_the_middle_of_the_lens():
    for masses in (SIS, PM, SIE):
        assert np.isfinite(annotate.scene(np.zeros((64, 64)), make(masses, x=0.0, y=0.0, mask=True), np.zeros(2))).all()


@pytest.mark.slow
def test_same_from_several_threads():
    scenes = [make(masses, x=float(x)) for masses in (SIS, SIE, GROUP) for x in (5, 15, 25, 35)]
    image = np.full((160, 160), 90.0, np.float32)
    alone = [annotate.scene(image, scene, np.zeros(2)) for scene in scenes]
    annotate._lines.cache_clear()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda scene: annotate.scene(image, scene, np.zeros(2)), scenes))
    np.testing.assert_array_equal(alone, together)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="part is 'ring'"):
        annotate.scene(np.zeros((8, 8)), make(SIS), np.zeros(2), parts=("ring",))
    with pytest.raises(ValueError, match="shape"):
        annotate.scene(np.zeros((8, 9)), make(SIS), np.zeros(2))
