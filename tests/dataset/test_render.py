"""Scenes to images, against light traced in numpy in float64."""

import math
from dataclasses import replace

import jax
import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.special import gamma, gammaincinv

from lensjax.dataset import render, systems
from lensjax.formats.scene import Light, Mass, Scene
from lensjax.simulate.chunks import SCENES

SIZE = 96
ROUNDING = 0.51  # half a grey level, and a little for float32


def scene(lens="SIS", source="Spherical", *, x=6.3, y=-4.1, masses=None, lights=None, **more) -> Scene:
    """A scene with numbers that belong to its kinds."""
    masses = masses or (Mass(lens, 17.3, 0.6, 35.0) if lens == "SIE" else Mass(lens, 17.3),)
    lights = lights or (
        Light(source, x, y, 7.1, 7.1) if source in ("Spherical", "SersicSphere") else Light(source, x, y, 8.3, 3.9, 28.0, 2.2, 4.0),
    )
    return Scene(
        **{"filename": "a.png", "index": "1", "imagesize": SIZE} | more,
        lens=lens, masses=masses, source=source, lights=lights, x=x, y=y,
    )  # fmt: skip


def deflection(masses, x, y) -> tuple[np.ndarray, np.ndarray]:
    """The lens's deflection; of an SIE as Kormann, Schneider & Bartelmann 1994 write it, by arcsin and arsinh of f'/r."""
    ax, ay = np.zeros(np.broadcast(x, y).shape), np.zeros(np.broadcast(x, y).shape)
    for mass in masses:
        dx, dy = np.broadcast_arrays(x - mass.x, y - mass.y)
        turn = np.deg2rad(mass.orientation) if mass.kind == "SIE" else 0.0
        at_centre = np.hypot(dx, dy) <= 1e-4  # there the limit from the right, of an SIE from along its orientation
        dx, dy = np.where(at_centre, 1e-4 * np.cos(turn), dx), np.where(at_centre, 1e-4 * np.sin(turn), dy)
        r = np.hypot(dx, dy)
        if mass.kind == "PM":
            u, v = mass.einsteinradius**2 * dx / r**2, mass.einsteinradius**2 * dy / r**2
        elif mass.kind == "SIS" or mass.ellipseratio == 1.0:
            u, v = mass.einsteinradius * dx / r, mass.einsteinradius * dy / r
        else:
            f, turn = mass.ellipseratio, np.exp(1j * np.deg2rad(mass.orientation))
            at = (dx + 1j * dy) / turn / r
            flat = np.sqrt(1 - f * f)
            bent = mass.einsteinradius * np.sqrt(f) / flat * (np.arcsinh(flat * at.real / f) + 1j * np.arcsin(flat * at.imag)) * turn
            u, v = bent.real, bent.imag
        ax, ay = ax + u, ay + v
    return ax, ay


def light(lights, x, y) -> np.ndarray:
    """Grey levels at points of the source plane."""
    total = np.zeros(np.broadcast(x, y).shape)
    for one in lights:
        dx, dy, turn = x - one.x, y - one.y, np.deg2rad(one.theta)
        u, v = np.cos(turn) * dx + np.sin(turn) * dy, np.cos(turn) * dy - np.sin(turn) * dx
        square = (u / one.sigma) ** 2 + (v / one.sigma2) ** 2
        if one.kind.startswith("Sersic"):
            n = one.n_sersic
            b = gammaincinv(2 * n, 0.5)
            peak = 1e3 * one.luminosity * b ** (2 * n) / (2 * np.pi * one.sigma * one.sigma2 * n * np.exp(b) * gamma(2 * n))
            total = total + peak * np.exp(-b * (square ** (0.5 / n) - 1))
        else:
            total = total + 255.0 * np.exp(-0.5 * square)
    return total


def points(size, middle=(0.0, 0.0)) -> tuple[np.ndarray, np.ndarray]:
    along = np.arange(size) - size / 2
    return along[None] + middle[0], -along[:, None] + middle[1]


def seen(scene: Scene, x, y, *, soft: bool = False) -> np.ndarray:
    """Grey levels at points of the image; with the rim of the mask softened over a pixel, as the centre of light is taken."""
    if scene.model == "Raytrace":
        ax, ay = deflection(scene.masses, x, y)
        return light(scene.lights, x - ax, y - ay)
    (mass,) = scene.masses
    eta, radius, terms = complex(scene.x, scene.y), mass.einsteinradius, scene.nterms
    if mass.kind == "SIS":
        xi = eta + radius * eta / abs(eta)
    else:
        xi = eta / 2 + np.sqrt(abs(eta) ** 2 / 4 + radius**2) * eta / abs(eta)
    delta = x + 1j * y - xi
    if mass.kind == "SIS":
        w, series = delta / xi, np.zeros(delta.shape, complex)
        for j in range(terms + 1):
            for k in range(terms + 1 - j):
                if j + k > 0:
                    series = series + falling(0.5, j) / math.factorial(j) * falling(-0.5, k) / math.factorial(k) * w**j * np.conj(w) ** k
        source = delta - radius * xi / abs(xi) * series
    else:
        source = delta - radius**2 * sum((-1) ** m * np.conj(delta) ** m / np.conj(xi) ** (m + 1) for m in range(1, terms + 1))
    bright = light(scene.lights, source.real + scene.x, source.imag + scene.y)
    depth = abs(xi) - np.abs(delta)
    return bright * (np.clip(depth + 0.5, 0.0, 1.0) if soft else depth >= 0) if scene.mask else bright


def falling(a: float, n: int) -> float:
    return math.prod(a - i for i in range(n))


def reference(scene: Scene) -> np.ndarray:
    """Grey levels, not rounded."""
    middle = (0.0, 0.0)
    if scene.centred:
        x, y = points(scene.imagesize)
        grey = seen(scene, x, y, soft=True)
        middle = ((grey * x).sum() / grey.sum(), (grey * y).sum() / grey.sum())
    return seen(scene, *points(scene.cropsize or scene.imagesize, middle))


def images(scenes, **how) -> list[np.ndarray]:
    """Each scene's image, in the scenes' order."""
    found = {one.index: one.image for one in render.render(scenes, **how)}
    assert sorted(found) == list(range(len(scenes)))
    return [found[i] for i in range(len(scenes))]


def drawn(lens: str, source: str, n: int, **more) -> list[Scene]:
    """Scenes of one kind with random numbers."""
    rng = np.random.default_rng([len(lens), len(source), n])
    found = []
    for _ in range(n):
        radius, (x, y) = rng.uniform(5, 25), rng.uniform(-15, 15, 2)
        mass = Mass(lens, radius, rng.uniform(0.2, 1), rng.uniform(0, 360)) if lens == "SIE" else Mass(lens, radius)
        sigma, sigma2 = rng.uniform(1.5, 12, 2)
        if source == "Spherical":
            one = Light(source, x, y, sigma, sigma)
        else:
            one = Light(source, x, y, sigma, sigma2, rng.uniform(1, 179), rng.uniform(0.8, 3), rng.uniform(1, 5))
        found.append(scene(lens, source, x=x, y=y, masses=(mass,), lights=(one,), **more))
    return found


@pytest.mark.parametrize("source", ["Spherical", "Ellipsoid"])
@pytest.mark.parametrize("lens", ["PM", "SIS", "SIE"])
def test_exact_pixels_round_to_the_reference(lens, source):
    """Every pixel of the 8-bit image, in float32."""
    scenes = drawn(lens, source, 12)
    for one, image in zip(scenes, images(scenes), strict=True):
        assert image.dtype == np.float32
        expected = reference(one)
        off = np.abs(np.clip(np.rint(image), 0, 255) - expected)
        assert expected.max() > 200 and off.max() <= ROUNDING


CLUSTER = (Mass("SIS", 9.5, x=-11.3, y=4.2), Mass("SIE", 7.0, 0.5, 70.0, 12.1, -6.4), Mass("PM", 5.0, x=3.3, y=15.7))
PAIR = (Light("Spherical", 1.0, 9.0, 4.0, 4.0), Light("Ellipsoid", -6.0, -2.5, 6.0, 2.5, 115.0))
MIXED = {
    "SIS": scene(),
    "centred": scene("SIE", "Ellipsoid", centred=True),
    "centred and cropped": scene("PM", centred=True, imagesize=120, cropsize=61),
    "cropped": scene("SIS", "Ellipsoid", cropsize=50),
    "cluster": scene("Cluster", masses=CLUSTER),
    "constellation": scene(source="Constellation", lights=PAIR, x=2.0, y=3.0),
    "cluster, constellation": scene("Cluster", "Constellation", masses=CLUSTER, lights=PAIR, x=2.0, y=3.0, centred=True),
    "SIS, series": scene(model="Roulette", nterms=7, x=9.0, mask=True),
    "SIS, longer series": scene("SIS", "Ellipsoid", model="Roulette", nterms=30, x=-14.0, mask=True, centred=True),
    "PM, series": scene("PM", "Ellipsoid", model="Roulette", nterms=16, x=9.0, mask=True),
    "PM, without the mask": scene("PM", model="Roulette", nterms=5, x=19.0),
    "Sérsic": scene("SIE", "SersicEllipsoid"),
    "round Sérsic": scene("PM", "SersicSphere"),
}


@pytest.fixture(scope="module")
def mixed():
    """Three scenes of every kind, those of a kind apart; and their images, rendered together."""
    scenes = []
    for k in range(3):
        for name, one in MIXED.items():
            masses = tuple(replace(mass, einsteinradius=mass.einsteinradius * (1 + 0.1 * k)) for mass in one.masses)
            scenes.append(replace(one, filename=f"{name} {k}.png", masses=masses))
    return scenes, images(scenes)


@pytest.mark.parametrize("k", range(len(MIXED)), ids=list(MIXED))
def test_mixed_kinds_come_back_under_their_own_number(mixed, k):
    scenes, made = mixed
    for i in range(k, len(scenes), len(MIXED)):
        expected, image = reference(scenes[i]), made[i]
        assert image.shape == expected.shape
        close = np.abs(image - expected) <= 0.05
        if scenes[i].model == "Roulette" and scenes[i].mask:  # a pixel at the mask's edge may fall on either side of it
            assert (~close).sum() <= 2
        elif scenes[i].source.startswith("Sersic"):  # whose b_n is a series, and whose cusp is steep
            assert np.abs(image - expected).max() <= 0.2
        else:
            assert close.all(), np.abs(image - expected).max()


def test_kinds_leave_nothing_with_each_other(mixed):
    """The same pixels as if there were no other kinds."""
    scenes, made = mixed
    for k in range(len(MIXED)):
        alone = images(scenes[k :: len(MIXED)])
        for a, b in zip(alone, made[k :: len(MIXED)], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("lookup", systems.LOOKUPS)
def test_a_chunk_that_is_not_full(lookup):
    """Gives the same as a full one, and nothing is compiled again for it."""
    scenes = drawn("SIE", "Ellipsoid", SCENES + 5, imagesize=32)
    before = render._images._cache_size()
    every = images(scenes, lookup=lookup)
    assert render._images._cache_size() == before + 1
    few = images(scenes[-5:], lookup=lookup)
    assert render._images._cache_size() == before + 1
    for a, b in zip(every[-5:], few, strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(every, (images([one], lookup=lookup)[0] for one in scenes[:3]), strict=False):
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_scenes_are_rendered_as_they_are_asked_for():
    """A chunk at a time: a set of any size fits the memory."""
    scenes = drawn("SIS", "Spherical", SCENES + 1, imagesize=16)
    taken = render.render(scenes)
    assert next(taken).index == 0
    taken.close()


def test_the_centre_is_where_the_light_is():
    one = scene("SIE", "Ellipsoid", centred=True)
    (given,) = render.render([one])
    x, y = points(SIZE)
    grey = seen(one, x, y)
    np.testing.assert_allclose(given.centre, [(grey * x).sum() / grey.sum(), (grey * y).sum() / grey.sum()], atol=1e-3)
    (given,) = render.render([scene()])
    np.testing.assert_array_equal(given.centre, 0.0)


@pytest.mark.parametrize("lens", ["SIS", "PM", "SIE"])
def test_a_source_behind_the_very_centre(lens):
    """A ring where it is one; a roulette has a reference point all the same."""
    for model in ("Raytrace", "Roulette"):
        one = scene(lens, x=0.0, y=0.0, model=model, mask=True)
        (image,) = images([one])
        assert np.isfinite(image).all() and image.max() > 200


def test_sampled_lenses_are_the_lens_away_from_its_centre():
    one = scene("SIS", x=12.0, y=-8.0)
    (image,) = images([replace(one, sampled=True)])
    x, y = points(SIZE)
    away = np.hypot(x, y) > 8
    assert np.abs(image - reference(one))[away].max() <= ROUNDING


def test_a_picture_is_a_source(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (9, 13)).astype(np.uint8)
    colours = rng.integers(0, 256, (7, 7, 3)).astype(np.uint8)
    x, y = points(SIZE)
    ax, ay = deflection((Mass("SIS", 17.3),), x, y)
    for name, picture in (("grey.png", pixels), ("colour.png", colours)):
        Image.fromarray(picture).save(tmp_path / name)
        one = scene(source="Image", lights=(Light("Image", 6.3, -4.1, 10.0, 0.0, picture=str(tmp_path / name)),))
        (image,) = images([one])
        assert image.shape == (SIZE, SIZE, *picture.shape[2:])
        height, width = picture.shape[:2]
        side = 4 * 10.0 / max(height, width)
        at = np.stack([(height - 1) / 2 - (y - ay + 4.1) / side, (x - ax - 6.3) / side + (width - 1) / 2])
        for k, channel in enumerate(np.moveaxis(picture.reshape(height, width, -1).astype(float), -1, 0)):
            expected = map_coordinates(channel, at, order=1, mode="constant")
            inside = (at >= 0.01).all(0) & (at[0] <= height - 1.01) & (at[1] <= width - 1.01)
            outside = (at <= -1.01).any(0) | (at[0] >= height + 0.01) | (at[1] >= width + 0.01)
            found = image.reshape(SIZE, SIZE, -1)[..., k]
            assert inside.sum() > 500 and np.abs(found - expected)[inside].max() <= 0.1
            assert (found[outside] == 0).all()


def test_another_lookup_is_refused():
    with pytest.raises(ValueError, match="nearest.*exact, cosmosim"):
        next(render.render([scene()], lookup="nearest"))


# Amplitudes


def amplitudes(mass: Mass, xi: complex, terms: int) -> np.ndarray:
    """A_s^m = α_s^m + iβ_s^m of a point mass or SIS (terms + 1, terms + 2), closed forms in falling factorials."""
    xi = xi - complex(mass.x, mass.y)
    out = np.zeros((terms + 1, terms + 2), complex)
    for m in range(terms + 1):
        if mass.kind == "PM":
            out[m, m + 1] = mass.einsteinradius**2 * (-1) ** (m + 1) * math.factorial(m) / xi.conjugate() ** (m + 1)
            continue
        for s in range((m + 1) % 2, m + 2, 2):
            k = (m + 1 - s) // 2
            size = -(2.0 if s else 1.0) * math.comb(m + 1, k) * falling(0.5, k) * falling(0.5, m + 1 - k)
            out[m, s] = size * mass.einsteinradius * abs(xi) ** -m * (xi / abs(xi)) ** s
    return out


def assert_amplitudes(found: render.Amplitudes, expected: np.ndarray) -> None:
    """Every one to 1e-10 of the largest of its order."""
    off = np.abs(found.alpha + 1j * found.beta - expected) / np.abs(expected).max(axis=1, keepdims=True)
    assert found.alpha.shape == expected.shape and off.max() < 1e-10


def expanded(scenes, centres=None) -> list[render.Amplitudes]:
    centres = np.zeros((len(scenes), 2)) if centres is None else centres
    found = {one.index: one for one in render.expansions(scenes, centres)}
    assert sorted(found) == list(range(len(scenes)))
    return [found[i] for i in range(len(scenes))]


def test_expansions_against_closed_forms():
    """Kinds and orders in turn, more of one than a chunk holds; after one another in a process that has compiled none of them."""
    jax.clear_caches()
    rng = np.random.default_rng(1)
    scenes = []
    for k in range(2 * SCENES + 6):
        lens, (x, y) = ("SIS", "PM")[k % 2], rng.uniform(10, 40, 2)
        scenes.append(scene(lens, x=x, y=y, masses=(Mass(lens, rng.uniform(5, 40)),), nterms=(50, 6, 50)[k % 3]))
    for one, found in zip(scenes, expanded(scenes), strict=True):
        (mass,), eta = one.masses, complex(one.x, one.y)
        if mass.kind == "SIS":
            xi = eta + mass.einsteinradius * eta / abs(eta)
        else:
            xi = eta / 2 + np.sqrt(abs(eta) ** 2 / 4 + mass.einsteinradius**2) * eta / abs(eta)
        np.testing.assert_allclose(found.xi, [xi.real, xi.imag], rtol=1e-13)
        np.testing.assert_allclose(found.offset, 0.0, atol=1e-12)
        assert_amplitudes(found, amplitudes(mass, xi, one.nterms))


def test_expansions_of_a_cluster_about_an_image_of_the_centre():
    masses = (Mass("SIS", 9.5, x=-11.3, y=4.2), Mass("PM", 5.0, x=3.3, y=15.7), Mass("SIS", 3.0, x=20.0, y=1.0))
    (found,) = expanded([scene("Cluster", masses=masses, x=13.0, nterms=20)])
    ax, ay = deflection(masses, *found.xi)
    np.testing.assert_allclose(found.xi - [ax, ay], [13.0, -4.1], atol=1e-9)
    assert_amplitudes(found, sum(amplitudes(mass, complex(*found.xi), 20) for mass in masses))


def test_expansions_about_the_middle_of_the_image():
    """Without xireference; the offset says where its light comes from."""
    scenes = [scene("SIS", nterms=9, xireference=False), scene("SIS", nterms=9), scene("PM", nterms=9, xireference=False)]
    centres = np.array([[21.0, -13.0], [7.0, 7.0], [-18.0, 5.0]])
    found = expanded(scenes, centres)
    for i in (0, 2):
        np.testing.assert_allclose(found[i].xi, centres[i], rtol=1e-14)
        ax, ay = deflection(scenes[i].masses, *centres[i])
        np.testing.assert_allclose(found[i].offset, centres[i] - [ax, ay] - [6.3, -4.1], atol=1e-12)
        assert_amplitudes(found[i], amplitudes(scenes[i].masses[0], complex(*centres[i]), 9))
    eta = complex(6.3, -4.1)
    np.testing.assert_allclose(complex(*found[1].xi), eta + 17.3 * eta / abs(eta), rtol=1e-13)


def test_first_amplitudes_of_an_sie_are_its_deflection_and_shear():
    """A_1^0 = −α, and A_0^1 = −κ, A_2^1 = −γ by differences of the closed deflection."""
    one = scene("SIE", x=14.0, nterms=3)
    (found,) = expanded([one])
    x, y = found.xi
    ax, ay = deflection(one.masses, x, y)
    assert found.alpha[0, 1] == pytest.approx(-ax) and found.beta[0, 1] == pytest.approx(-ay)
    h = 1e-4
    (xx, xy), (yx, yy) = (
        [(b - a) / (2 * h) for a, b in zip(deflection(one.masses, x - dx, y - dy), deflection(one.masses, x + dx, y + dy), strict=True)]
        for dx, dy in ((h, 0.0), (0.0, h))
    )
    assert found.alpha[1, 0] == pytest.approx(-0.5 * (xx + yy), rel=1e-6)
    assert found.alpha[1, 2] == pytest.approx(-0.5 * (xx - yy), rel=1e-6) and found.beta[1, 2] == pytest.approx(-xy, rel=1e-6)
    assert xy == pytest.approx(yx, rel=1e-6)
