"""Folders of images: written whole, continued after an interruption, and their amplitudes."""

import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lensjax import roulette
from lensjax.dataset import amplitudes, render
from lensjax.dataset import write as dataset
from lensjax.errors import BadInput
from lensjax.files import images
from lensjax.formats.cosmosim import amplitudes as roulette_csv
from lensjax.formats.cosmosim import rows as cosmosim_rows
from lensjax.formats.scene import Light, Scene

SIZE = 32


def made(filename: str, **settings) -> Scene:
    values = {"imagesize": SIZE, "einsteinradius": 6, "sigma": 2.5, "x": 3.2, "y": -1.4} | settings
    return cosmosim_rows.single(values, filename=filename).scenes[0]


def several(n: int = 24) -> list[Scene]:
    """Of two kinds in turn, a third of them in subfolders."""
    names = [f"{'sub/deep/' if k % 3 == 0 else ''}image-{k:02}.png" for k in range(n)]
    return [made(name, lens=("SIS", "PM")[k % 2], x=3.0 + 0.1 * k, centred=1) for k, name in enumerate(names)]


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def counted(monkeypatch):
    """Names of the images that are rendered and written, in turn."""
    names: list[str] = []
    lock, write_png = threading.Lock(), images.write_png

    def write(path, *rest, **more):
        with lock:
            names.append(Path(path).name)
        write_png(path, *rest, **more)

    monkeypatch.setattr(images, "write_png", write)
    return names


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What an unbroken run gives: files and centres."""
    folder = tmp_path_factory.mktemp("unbroken")
    return (dataset.write(several(), folder), content(folder))


def test_images_are_what_is_rendered(unbroken, tmp_path):
    centres, files = unbroken
    scenes = several()
    assert sorted(files) == sorted(scene.filename for scene in scenes)
    dataset.write(scenes, tmp_path)
    assert content(tmp_path) == files
    for one in render.render(scenes):
        with Image.open(tmp_path / scenes[one.index].filename) as image:
            assert image.mode == "L" and image.size == (SIZE, SIZE)
            np.testing.assert_array_equal(np.asarray(image), np.clip(np.rint(one.image), 0, 255))
        np.testing.assert_array_equal(centres[one.index], one.centre)
    assert np.abs(centres).max() > 0.1


class Stop(Exception):
    pass


def stop_at(k: int):
    def on_image(count: int) -> None:
        if count >= k:
            raise Stop

    return on_image


@pytest.mark.parametrize("k", [1, 7, 17, 23])
def test_resumes_where_it_was(unbroken, tmp_path, counted, k):
    """The same bytes and centres as unbroken, and no image that the journal has is made twice."""
    with pytest.raises(Stop):
        dataset.write(several(), tmp_path, on_image=stop_at(k), waiting=2)
    there = [json.loads(line)[0] for line in (tmp_path / dataset.JOURNAL).read_text().splitlines()[1:]]
    assert len(there) == k
    counted.clear()
    counts: list[int] = []
    centres = dataset.write(several(), tmp_path, on_image=counts.append)
    assert len(counted) == 24 - k and not {Path(name).name for name in there} & {*counted}
    assert counts == list(range(k, 25))
    assert content(tmp_path) == unbroken[1]  # the journal is gone
    np.testing.assert_array_equal(centres, unbroken[0])


def test_one_that_is_left_of_many_is_the_same(unbroken, tmp_path):
    """What an image is rendered together with makes no difference."""
    with pytest.raises(Stop):
        dataset.write(several(), tmp_path, on_image=stop_at(24))
    (tmp_path / "image-23.png").unlink()
    dataset.write(several(), tmp_path)
    assert content(tmp_path) == unbroken[1]


PROGRAM = """
import sys, time
from pathlib import Path
from tests.dataset.test_dataset import several
from lensjax.dataset import write as dataset

def on_image(count):
    print(count, flush=True)
    time.sleep(0.05)

dataset.write(several(), Path(sys.argv[1]), on_image=on_image, waiting=2)
"""


def test_a_killed_process_is_continued(unbroken, tmp_path, counted):
    settings = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path], stdout=subprocess.PIPE, text=True, env=settings)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 6:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    left = len((tmp_path / dataset.JOURNAL).read_text().splitlines()) - 1
    assert 6 <= left < 24
    dataset.write(several(), tmp_path)
    assert len(counted) == 24 - left
    after = {name: bytes for name, bytes in content(tmp_path).items() if ".tmp-" not in name}
    assert after == unbroken[1]


def interrupted(folder: Path, k: int = 8) -> Path:
    """A folder with some images and a journal."""
    with pytest.raises(Stop):
        dataset.write(several(), folder, on_image=stop_at(k))
    return folder / dataset.JOURNAL


CHANGES = {
    "another number": lambda scenes: ([replace(scenes[0], x=9.0), *scenes[1:]], {}),
    "one image more": lambda scenes: ([*scenes, made("more.png")], {}),
    "another look-up": lambda scenes: (scenes, {"lookup": "cosmosim"}),
    "finished otherwise": lambda scenes: (scenes, {"finish": lambda i, image, centre: 255 - image, "variant": "negative"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_task_starts_anew(tmp_path, counted, change):
    interrupted(tmp_path)
    counted.clear()
    scenes, how = CHANGES[change](several())
    dataset.write(scenes, tmp_path, **how)
    assert len(counted) == len(scenes)
    after = content(tmp_path)
    fresh = tmp_path / "fresh"
    dataset.write(scenes, fresh, **how)
    assert after == content(fresh)


def test_what_finish_does_is_part_of_the_task(tmp_path, counted):
    def run(variant):
        dataset.write(several(), tmp_path, finish=lambda i, image, centre: image, variant=variant, on_image=stop_at(20))

    for variant, at_least in (("a", 20), ("b", 20), ("b", 0)):
        counted.clear()
        with pytest.raises(Stop):
            run(variant)
        assert len(counted) >= at_least
    assert len(counted) <= 4


def test_an_image_that_was_taken_away_is_made_again(unbroken, tmp_path, counted):
    journal = interrupted(tmp_path, 24)
    names = [json.loads(line)[0] for line in journal.read_text().splitlines()[1:]]
    (tmp_path / names[2]).unlink()
    counted.clear()
    dataset.write(several(), tmp_path)
    assert counted == [Path(names[2]).name]
    assert content(tmp_path) == unbroken[1]


HALVES = ['["image-0', '["image-05.png", 1.0, ', "", "{}", "5", '[["a"], 1, 2]', '["image-05.png", "x", 2]', "\0\xff"]


@pytest.mark.parametrize("tail", HALVES)
def test_a_line_that_was_not_written_to_its_end(unbroken, tmp_path, counted, tail):
    journal = interrupted(tmp_path)
    with journal.open("a", encoding="latin-1") as file:
        file.write(tail)
    known = len(journal.read_text(errors="replace").split("\n")) - 2
    counted.clear()
    dataset.write(several(), tmp_path)
    assert len(counted) == 24 - known
    assert content(tmp_path) == unbroken[1]


@pytest.mark.parametrize("text", ["", "\n", "no task\n", "\xff\xfe"])
def test_a_journal_that_is_none(unbroken, tmp_path, counted, text):
    (tmp_path / dataset.JOURNAL).write_text(text, encoding="latin-1")
    dataset.write(several(), tmp_path)
    assert len(counted) == 24 and content(tmp_path) == unbroken[1]


def test_a_full_disk_is_said_and_the_run_goes_on_later(unbroken, tmp_path, monkeypatch):
    write_bytes, left = Path.write_bytes, [5]

    def full(path, data):
        if left[0] == 0:
            write_bytes(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        return write_bytes(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(BadInput, match=r"image-\d\d\.png: cannot be written: No space left on device"):
            dataset.write(several(), tmp_path)
    there = content(tmp_path)
    assert all(there[name] == unbroken[1][name] for name in there if name != dataset.JOURNAL)  # nothing half written
    assert len(there) == 5 + 1
    dataset.write(several(), tmp_path)
    assert content(tmp_path) == unbroken[1]


LIMITED = """
import resource, sys
from pathlib import Path
from tests.dataset.test_dataset import several
from lensjax.dataset import write as dataset
from lensjax.errors import BadInput

dataset.write(several(2), Path(sys.argv[1]) / "first")
resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))
dataset.images.write_png = lambda path, image: path.parent.mkdir(parents=True, exist_ok=True) or path.touch()
try:
    dataset.write(several(), Path(sys.argv[1]) / "second")
except BadInput as error:
    print(error)
"""


def test_a_journal_that_cannot_grow(tmp_path):
    """A limit that the system sets: the journal ends within a line."""
    settings = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "JAX_ENABLE_COMPILATION_CACHE": "0"}
    done = subprocess.run([sys.executable, "-c", LIMITED, tmp_path], capture_output=True, text=True, check=False, env=settings)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path}/second/.lensjax-journal: cannot be written: File too large\n"


def test_places_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="file is a file"):
        dataset.write(several(2), tmp_path / "file")
    with pytest.raises(BadInput, match="file is a file"):
        dataset.write(several(2), tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "image-01.png").mkdir()
    with pytest.raises(BadInput, match=r"image-01\.png: this is a folder"):
        dataset.write(several(2), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(BadInput, match="cannot be written to"):
            dataset.write(several(2), tmp_path / "closed")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "image-01.png"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a folder in which nobody can make one")
def test_a_folder_that_cannot_be_made():
    with pytest.raises(BadInput, match="cannot be"):
        dataset.write(several(2), Path("/proc/lensjax"))


def test_pixels_that_are_not_finite(tmp_path, monkeypatch):
    """The image is named, and not written."""
    real = render.render

    def broken(scenes, **how):
        for one in real(scenes, **how):
            yield replace(one, image=np.where(np.eye(SIZE), np.nan, one.image)) if one.index == 3 else one

    monkeypatch.setattr(render, "render", broken)
    with pytest.raises(BadInput, match=r"image-03\.png: its image has pixels that are not finite"):
        dataset.write(several(), tmp_path)
    assert not (tmp_path / "sub" / "deep" / "image-03.png").exists() and (tmp_path / dataset.JOURNAL).exists()


def test_an_error_in_finish_is_not_lost(tmp_path):
    def finish(i, image, centre):
        raise KeyError("finish")

    with pytest.raises(KeyError, match="finish"):
        dataset.write(several(2), tmp_path, finish=finish)
    assert not list(tmp_path.rglob("*.png"))


def test_finish_is_given_the_scenes_own_number(tmp_path):
    """Whatever order they are rendered in; reference lines are there already."""
    scenes = [replace(scene, reflines=True) for scene in several(6)]
    seen = {}

    def finish(i, image, centre):
        assert (image[SIZE // 2] == 127).all() and (image[:, SIZE // 2] == 127).all()
        seen[i] = centre
        return np.full_like(image, i)

    centres = dataset.write(scenes, tmp_path, finish=finish)
    for i, scene in enumerate(scenes):
        with Image.open(tmp_path / scene.filename) as image:
            assert (np.asarray(image) == i).all()
        np.testing.assert_array_equal(seen[i], centres[i])


def test_unrounded_images(tmp_path):
    scene = made("a.tif")
    dataset.write([scene], tmp_path, quantise=False)
    (one,) = render.render([scene])
    with Image.open(tmp_path / "a.tif") as image:
        assert image.mode == "F"
        np.testing.assert_array_equal(np.asarray(image), one.image)
    with pytest.raises(BadInput, match="PNG only"):
        dataset.write([made("b.tif", source="Triangle")], tmp_path, quantise=False)


def test_writing_takes_no_longer_than_rendering_waits(tmp_path, monkeypatch):
    """Slow writing holds rendering up: not more images wait than may."""
    ahead, most = [0, 0], [0]
    write_png, real = images.write_png, render.render

    def slow(path, image):
        time.sleep(0.01)
        write_png(path, image)
        ahead[1] += 1

    def watched(scenes, **how):
        for one in real(scenes, **how):
            ahead[0] += 1
            most[0] = max(most[0], ahead[0] - ahead[1])
            yield one

    monkeypatch.setattr(images, "write_png", slow)
    monkeypatch.setattr(render, "render", watched)
    dataset.write(several(), tmp_path, waiting=4)
    assert most[0] <= 4 + 2 and ahead[1] == 24


# Amplitudes


def rows() -> list[Scene]:
    """Kinds and orders in turn."""
    kinds = [
        {"lens": "SIS", "nterms": 4}, {"lens": "SIE", "ellipseratio": 0.7, "orientation": 25, "nterms": 12}, {"lens": "PM", "nterms": 9},
    ]  # fmt: skip
    return [made(f"{k}.png", model="Roulette", mask=1, x=4.0 + k, centred=k % 2, **kinds[k % 3]) for k in range(7)]


@pytest.mark.slow
def test_amplitudes_in_the_order_of_the_scenes(tmp_path):
    scenes = rows()
    centres = dataset.write(scenes, tmp_path)
    counts: list[int] = []
    amplitudes.write(scenes, centres, tmp_path / "r.csv", on_row=counts.append)
    assert counts == list(range(1, 8))
    records = roulette_csv.read(tmp_path / "r.csv")
    assert [record.filename for record in records] == [scene.filename for scene in scenes]
    expected = {one.index: one for one in render.expansions(scenes, centres)}
    for i, (scene, record) in enumerate(zip(scenes, records, strict=True)):
        terms = scene.nterms
        assert record.nterms == 12  # the highest of all
        np.testing.assert_array_equal(record.alpha[: terms + 1, : terms + 2], expected[i].alpha)
        np.testing.assert_array_equal(record.beta[: terms + 1, : terms + 2], expected[i].beta)
        assert (record.alpha[terms + 1 :] == 0).all() and (record.beta[terms + 1 :] == 0).all()
        np.testing.assert_array_equal(np.add(record.xi, record.centre), expected[i].xi)
        np.testing.assert_allclose(record.centre, centres[i], rtol=1e-15)
        np.testing.assert_allclose(np.negative(record.lens), centres[i], rtol=1e-15)
        np.testing.assert_allclose(record.releta, [scene.x - centres[i, 0], scene.y - centres[i, 1]], atol=1e-12)


def test_a_table_of_amplitudes_is_whole_or_not_there_and_resumes(tmp_path, monkeypatch):
    scenes, centres = rows(), np.arange(14.0).reshape(7, 2)
    amplitudes.write(scenes, centres, tmp_path / "whole.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["whole.csv"]

    def stop(count):
        if count == 3:
            raise Stop

    with pytest.raises(Stop):
        amplitudes.write(scenes, centres, tmp_path / "r.csv", on_row=stop)
    assert not (tmp_path / "r.csv").exists()
    computed, expansions = [], render.expansions
    monkeypatch.setattr(render, "expansions", lambda *args, only, **how: computed.extend(only) or expansions(*args, only=only, **how))
    counts: list[int] = []
    amplitudes.write(scenes, centres, tmp_path / "r.csv", on_row=counts.append)
    assert len(computed) == 4 and counts == [3, 4, 5, 6, 7]
    assert (tmp_path / "r.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv", "whole.csv"]
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        amplitudes.write(scenes, centres, tmp_path / "file" / "r.csv")


def remade(records, **how) -> dict[int, np.ndarray]:
    """Images made from amplitudes alone."""
    return {one.index: one.image for one in amplitudes.resimulated(records, amplitudes.scenes_of(records, **how))}


RESIMULATED = [
    {"lens": "SIS"},
    {"lens": "SIS", "centred": 1, "source": "Ellipsoid", "sigma2": 4.0, "theta": 30},
    {"lens": "PM", "source": "SersicEllipsoid", "sigma2": 4.0, "luminosity": 20, "n_sersic": 1.1},
    {"lens": "SIE", "ellipseratio": 0.75, "orientation": 80, "centred": 1},
    {"cluster": "SIS/-3/2/7;PM/4/-2/5"},
    {"lens": "SIS", "source": "s/1/2/2;e/-3/0/3/1.5/20"},
]


@pytest.mark.slow
def test_images_made_from_amplitudes_alone(tmp_path):
    """Within a grey level of the roulettes' own."""
    common = {"model": "Roulette", "mask": 1, "imagesize": 64, "einsteinradius": 12, "x": 9.0, "nterms": 8}
    scenes = [made(f"{k}.png", **common, **kind) for k, kind in enumerate(RESIMULATED)]
    centres = dataset.write(scenes, tmp_path)
    amplitudes.write(scenes, centres, tmp_path / "r.csv")
    records = roulette_csv.read(tmp_path / "r.csv")
    exact = {one.index: one.image for one in render.render(scenes)}
    found = remade(records, size=64, mask=True)
    assert sorted(found) == list(range(6))
    x, y = np.meshgrid(np.arange(64) - 32.0, 32.0 - np.arange(64))
    for i, record in enumerate(records):
        rim = np.hypot(record.xi[0] - record.lens[0], record.xi[1] - record.lens[1])
        inside = np.abs(np.hypot(x - record.xi[0], y - record.xi[1]) - rim) > 1e-3  # a pixel at the rim may fall on either side
        assert (exact[i] > 100).sum() > 20
        assert np.abs(found[i] - exact[i])[inside].max() < 1.0


def test_images_made_from_amplitudes_about_the_middle(tmp_path):
    """Without xireference the series begins where the centre of light is; near it the image is the exact one."""
    scenes = [
        made(f"{k}.png", imagesize=64, einsteinradius=9, x=14.0, sigma=4.0, nterms=16, centred=1, xireference=0, lens=lens)
        for k, lens in enumerate(("SIS", "PM"))
    ]
    centres = dataset.write(scenes, tmp_path)
    amplitudes.write(scenes, centres, tmp_path / "r.csv")
    records = roulette_csv.read(tmp_path / "r.csv")
    found = remade(records, size=64, mask=False)
    x, y = np.meshgrid(np.arange(64) - 32.0, 32.0 - np.arange(64))
    for one in render.render(scenes):
        np.testing.assert_allclose(records[one.index].xi, 0.0, atol=1e-9)
        near = np.hypot(x, y) < 0.5 * np.hypot(*centres[one.index])
        assert (one.image[near] > 100).sum() > 20
        assert np.abs(found[one.index] - one.image)[near].max() < 1.0


def test_amplitudes_up_to_an_order(tmp_path):
    """As if the table went no further."""
    scenes = [made("a.png", lens="SIS", model="Roulette", mask=1, nterms=n, imagesize=64, einsteinradius=12, x=9.0) for n in (3, 14)]
    for name, scene in zip(("low.csv", "high.csv"), scenes, strict=True):
        amplitudes.write([scene], np.zeros((1, 2)), tmp_path / name)
    low, high = (roulette_csv.read(tmp_path / name) for name in ("low.csv", "high.csv"))
    expected = remade(low, size=64, mask=True)[0]
    found = remade(high, size=64, mask=True, terms=3)[0]
    every = remade(high, size=64, mask=True)[0]
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert np.abs(every - expected).max() > 5


def test_a_small_region_of_convergence_does_not_overflow():
    """Sixty terms, as of a point mass 2 px away, far from the middle: float32 carries them."""
    terms, xi, near = 60, (58.0, 4.0), 2.0
    alpha, beta = np.zeros((2, terms + 1, terms + 2))
    for m in range(terms + 1):
        alpha[m, m + 1] = 9.0 * (-1.0) ** (m + 1) * math.factorial(m) / near ** (m + 1)
    assert 9.0 * (np.hypot(*xi) / near) ** terms > np.finfo(np.float32).max
    scale = amplitudes.scale(alpha, beta, xi)
    assert near < scale < 1.2 * near
    lens = roulette.from_amplitudes(alpha, beta, xi=xi, scale=scale)
    for table in (lens.alpha, lens.beta):
        assert table.dtype == np.float32 and np.abs(table).max() <= np.hypot(*xi) * 1.001


def test_a_source_that_there_is_none_of_is_refused(tmp_path):
    scene = made("a.png", model="Roulette")
    amplitudes.write([scene], np.zeros((1, 2)), tmp_path / "r.csv")
    (record,) = roulette_csv.read(tmp_path / "r.csv")
    with pytest.raises(BadInput, match="'Sperical'.*did you mean Spherical"):
        amplitudes.scenes_of([replace(record, source="Sperical")], size=32, mask=False)


def test_a_picture_as_source(tmp_path):
    """From its file, when its amplitudes are all that is left of the lens."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)).save(tmp_path / "p.png")
    light = amplitudes.pictured(Light("Image", 3.2, -1.4, 0.0, 0.0), str(tmp_path / "p.png"))
    assert (light.picture, light.sigma) == (str(tmp_path / "p.png"), 20.0)
    assert amplitudes.pictured(replace(light, kind="Spherical", sigma=2.0), "q.png").sigma == 2.0
    scene = replace(made("a.png", lens="SIS", source="Image", model="Roulette", mask=1, nterms=20, imagesize=64), lights=(light,))
    amplitudes.write([scene], np.zeros((1, 2)), tmp_path / "r.csv")
    found = remade(roulette_csv.read(tmp_path / "r.csv"), size=64, mask=True, picture=str(tmp_path / "p.png"))[0]
    (exact,) = render.render([scene])
    assert np.abs(found - exact.image).mean() < 0.1 and found.max() > 100
