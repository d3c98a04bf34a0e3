"""Uploaded files: names, sizes, broken ones."""

import pickle

import numpy as np
import pytest
from PIL import Image

from lensjax.errors import BadInput
from lensjax.explore import upload
from lensjax.explore.fit import image_of


@pytest.fixture
def folder():
    kept = upload.Folder()
    yield kept
    kept.remove()


@pytest.mark.parametrize(
    "name, plain",
    [
        ("lens.png", "lens.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/shadow", "shadow"),
        ("..", "image"),
        (".bashrc", "bashrc"),
        ("", "image"),
        ("a\0b\nc.png", "a_b_c.png"),
        ("lens[SCI].fits", "lens_SCI_.fits"),
        ("x" * 300 + ".png", "x" * 76 + ".png"),
    ],
)
def test_names_stay_in_the_folder(folder, name, plain):
    assert upload.plain_name(name) == plain
    path = folder.keep(name, b"content")
    assert path.resolve().is_relative_to(folder.path.resolve()) and path.read_bytes() == b"content"


def test_the_folder_goes_with_its_files(folder):
    path = folder.keep("a.png", b"1")
    assert folder.keep("a.png", b"2") != path
    folder.remove()
    assert not folder.path.exists()


def test_files_that_are_empty_or_too_large_are_refused(folder, monkeypatch):
    with pytest.raises(BadInput, match="a.png: the file is empty"):
        folder.keep("a.png", b"")
    monkeypatch.setattr(upload, "LARGEST_FILE", 1 << 20)
    with pytest.raises(BadInput, match="a.png: the file has 2 MB; expected at most 1 MB"):
        folder.keep("a.png", bytes(2 << 20))
    assert not list(folder.path.iterdir())


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("broken.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "broken.png: "),
        ("text.png", b"hello", "text.png: not an image file; expected PNG"),
        ("evil.npy", pickle.dumps({"a": 1}), "evil.npy: not an image file"),
    ],
)
def test_broken_files_are_refused_in_one_line_without_their_folder(folder, name, content, words):
    with pytest.raises(BadInput) as caught:
        image_of(folder.keep(name, content))
    message = str(caught.value)
    assert words in message and "\n" not in message and str(folder.path) not in message


class Trap:
    """What raises where it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise RuntimeError('unpickled')",))


def test_pickled_arrays_are_never_loaded(folder, tmp_path):
    np.save(tmp_path / "trap.npy", np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(BadInput, match="cannot be read"):
        image_of(folder.keep("trap.npy", (tmp_path / "trap.npy").read_bytes()))


def file_of(tmp_path, array, name="a.png"):
    Image.fromarray(array).save(tmp_path / name)
    return (tmp_path / name).read_bytes()


def test_images_with_too_many_pixels_are_refused(folder, tmp_path):
    content = file_of(tmp_path, np.zeros((17, upload.LARGEST_SIDE + 1), np.uint8))
    with pytest.raises(BadInput, match="2049×17 pixels; expected at most 2048 on a side"):
        image_of(folder.keep("wide.png", content))


def test_pictures_keep_their_shape_and_colours(folder, tmp_path):
    tall = np.zeros((300, 100, 3), np.uint8)
    tall[:150, :, 0] = 255
    picture = upload.picture(folder.keep("tall.png", file_of(tmp_path, tall)))
    assert picture.shape == (128, 128, 3) and picture[..., 1:].max() == 0.0
    columns = np.flatnonzero(picture[10, :, 0] > 0.5)
    assert len(columns) == pytest.approx(128 / 3, abs=1) and picture[120, 64, 0] < 0.1


def test_pictures_of_any_unit_are_stretched(folder, tmp_path):
    np.save(tmp_path / "a.npy", np.arange(400.0).reshape(20, 20) * 1e-9)
    picture = upload.picture(folder.keep("a.npy", (tmp_path / "a.npy").read_bytes()))
    assert picture.max() == pytest.approx(1.0, abs=0.01) and picture.min() == 0.0
    np.save(tmp_path / "a.npy", np.full((20, 20), 7.5))
    with pytest.raises(BadInput, match="the same everywhere"):
        upload.picture(folder.keep("a.npy", (tmp_path / "a.npy").read_bytes()))
