"""`--lookup cosmosim` against images that CosmoSim 3.3.0 made; tests/data/cosmosim/README.md says how."""

import csv
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from lensjax.dataset import render
from lensjax.formats.cosmosim import rows as cosmosim_rows
from lensjax.formats.cosmosim import table as tables

DATA = Path(__file__).parents[1] / "data" / "cosmosim"
with (DATA / "dataset.csv").open(newline="") as _file:
    ROWS = list(csv.DictReader(_file))


@pytest.fixture(scope="module")
def made():
    """Scenes, and their images by file name."""
    scenes = cosmosim_rows.scenes(tables.read(DATA / "dataset.csv"), settings={}).scenes
    return scenes, {scenes[one.index].filename: one for one in render.render(scenes, lookup="cosmosim")}


def theirs(row) -> np.ndarray:
    with Image.open(DATA / row["filename"]) as image:
        return np.asarray(image, float)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['lens']} {row['model']} {row['source']} {row['filename'][6:8]}")
def test_pixels_are_cosmosims(made, row):
    """Equal pixel for pixel, but for one on the other side of a lattice line; OpenCV's corners of a triangle are not drawn after."""
    image, expected = made[1][row["filename"]].image, theirs(row)
    assert image.shape == expected.shape and (image == np.round(image)).all() and expected.max() > 100
    assert np.abs(image - expected).mean() <= (0.2 if row["source"] == "Triangle" else 0.01)


def test_every_kind_is_there():
    kinds = {(row["lens"], row["model"]) for row in ROWS}
    assert kinds >= {(lens, model) for lens in ("PM", "SIS", "SIE") for model in ("Raytrace", "Roulette")} | {("Cluster", "Raytrace")}
    assert {row["source"] for row in ROWS} >= {"Spherical", "Ellipsoid", "SersicSphere", "SersicEllipsoid", "Triangle"}
    for name in ("centred", "mask"):
        assert {row[name] for row in ROWS} == {"0", "1"}
    assert len({row["cropsize"] for row in ROWS}) > 2


def test_the_middle_is_the_centre_of_light_of_their_image(made):
    """Of what CosmoSim shows uncentred: the same scene, centred, is that image moved."""
    scenes, images = made
    row = next(row for row in ROWS if row["centred"] == "1" and row["cropsize"] == row["imagesize"])
    grey, size = theirs(row), int(row["imagesize"])
    along = np.arange(size) - size / 2
    middle = np.array([(grey.sum(0) * along).sum(), -(grey.sum(1) * along).sum()]) / grey.sum()
    assert np.abs(middle).max() < 0.1
    assert np.abs(images[row["filename"]].centre).max() > 1.0
    plain = next(row for row in ROWS if row["centred"] == "0")
    np.testing.assert_array_equal(images[plain["filename"]].centre, 0.0)


def test_a_source_half_a_pixel_off():
    """The bias of the truncated look-up: the exact image of a source at (x + ½, y − ½) is nearer than that at (x, y)."""
    scene = cosmosim_rows.single({"imagesize": 96, "einsteinradius": 15, "sigma": 6, "x": 9.3, "y": 4.1}).scenes[0]
    lattice = next(iter(render.render([scene], lookup="cosmosim"))).image
    off = {}
    for shift in ((0.0, 0.0), (0.5, -0.5), (-0.5, 0.5)):
        moved = cosmosim_rows.single({"imagesize": 96, "einsteinradius": 15, "sigma": 6, "x": 9.3 + shift[0], "y": 4.1 + shift[1]}).scenes[
            0
        ]
        exact = next(iter(render.render([moved]))).image
        lit = exact > 1
        off[shift] = np.abs(exact - lattice)[lit].mean()
    assert off[0.5, -0.5] < 0.6 * off[0.0, 0.0] < 0.6 * off[-0.5, 0.5]


def test_amplitudes_are_cosmosims():
    """Those of point mass and SIS; of an SIE, whose reference point CosmoSim finds to 0.02 px, about the point that it found."""
    with (DATA / "roulette.csv").open(newline="") as file:
        theirs = {row["filename"]: row for row in csv.DictReader(file)}
    scenes = [
        scene
        for scene in cosmosim_rows.scenes(tables.read(DATA / "dataset.csv"), settings={"xireference": "0"}).scenes
        if scene.filename in theirs
    ]
    points = np.array([[float(theirs[scene.filename][name]) for name in ("xiX", "xiY")] for scene in scenes])
    found = {one.index: one for one in render.expansions(scenes, points)}
    assert {scene.masses[0].kind for scene in scenes} == {"PM", "SIS", "SIE"}
    for i, scene in enumerate(scenes):
        row = theirs[scene.filename]
        np.testing.assert_array_equal(found[i].xi, points[i])
        for m in range(scene.nterms + 1):
            s = range((m + 1) % 2, m + 2, 2)
            size = np.hypot(found[i].alpha[m], found[i].beta[m]).max()
            for kind in ("alpha", "beta"):
                expected = [float(row[f"{kind}[{m}][{k}]"]) for k in s]
                np.testing.assert_allclose(getattr(found[i], kind)[m, list(s)], expected, rtol=0, atol=1e-9 * size)
        if scene.masses[0].kind != "SIE":  # offsetX is right there, offsetY is not
            np.testing.assert_allclose(found[i].offset, 0.0, atol=1e-9)
            assert float(row["offsetX"]) == pytest.approx(0.0, abs=1e-9)


def test_nothing_of_double_precision_is_left_behind():
    scene = cosmosim_rows.single({"imagesize": 32}).scenes[0]
    next(iter(render.render([scene], lookup="cosmosim")))
    assert not jax.config.jax_enable_x64
    assert next(iter(render.render([scene]))).image.dtype == np.float32
