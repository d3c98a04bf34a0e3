"""Image files: what is read, what is refused."""

import numpy as np
import pytest
from PIL import Image

from lensjax.errors import BadInput
from lensjax.files import images

SIZE = 16
GREY = (np.arange(SIZE * SIZE, dtype=np.uint8).reshape(SIZE, SIZE)) // 2


def test_png_holds_rounded_grey_levels(tmp_path):
    path = tmp_path / "sub" / "a.png"
    images.write_png(path, np.array([[0.4, 0.6, 254.6, 300.0] * 4] * 16))
    picture = images.read(path, size=SIZE)
    assert picture.rounded and picture.grey.dtype == np.float32
    np.testing.assert_array_equal(picture.grey[3, :4], [0, 1, 255, 255])
    assert [child.name for child in path.parent.iterdir()] == ["a.png"]


def test_tiff_holds_floats(tmp_path):
    exact = np.random.default_rng(0).uniform(-1, 200, (SIZE, SIZE)).astype(np.float32)
    images.write_tiff(tmp_path / "a.tif", exact)
    picture = images.read(tmp_path / "a.tif", size=SIZE)
    assert not picture.rounded
    np.testing.assert_array_equal(picture.grey, exact)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_grey_is_grey_however_it_is_stored(tmp_path, mode):
    Image.fromarray(GREY).convert(mode).save(tmp_path / "a.png")
    picture = images.read(tmp_path / "a.png", size=SIZE)
    assert picture.rounded
    np.testing.assert_array_equal(picture.grey, GREY)


def test_a_lossy_file_is_not_taken_for_rounded(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.jpg", quality=90)
    assert not images.read(tmp_path / "a.jpg", size=SIZE).rounded


def _colour():
    pixels = np.stack([GREY] * 3, axis=-1)
    pixels[2, 3, 1] += 1
    return Image.fromarray(pixels)


def _transparent():
    pixels = np.stack([GREY, np.full_like(GREY, 255)], axis=-1)
    pixels[2, 3, 1] = 254
    return Image.fromarray(pixels)


def _float(value):
    pixels = GREY.astype(np.float32)
    pixels[2, 3] = value
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("suffix", "make", "words"),
    [
        (".png", lambda: Image.fromarray(GREY[:8]), ("16×8", "16×16")),
        (".png", _colour, ("colour",)),
        (".png", _transparent, ("transparent",)),
        (".png", lambda: Image.fromarray(GREY.astype(np.uint16) * 200), ("more than 8 bits",)),
        (".tif", lambda: Image.fromarray(GREY.astype(np.int32)), ("more than 8 bits",)),
        (".png", lambda: Image.fromarray(GREY * 0), ("black",)),
        (".png", lambda: Image.fromarray(GREY * 0 + 7), ("7 everywhere",)),
        (".tif", lambda: _float(np.nan), ("row 2, column 3", "nan")),
        (".tif", lambda: _float(np.inf), ("row 2, column 3", "inf")),
        (".tif", lambda: Image.fromarray(GREY.astype(np.float32) / 255), ("0…255",)),
        (".jpg", lambda: Image.fromarray(GREY).convert("CMYK"), ("CMYK",)),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, suffix, make, words):
    path = tmp_path / f"a{suffix}"
    make().save(path)
    refused(path, *words)


def refused(path, *words):
    with pytest.raises(BadInput) as caught:
        images.read(path, size=SIZE)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    for word in words:
        assert word in message


def test_files_that_are_no_images(tmp_path):
    refused(tmp_path / "none.png", "no such file")
    refused(tmp_path, "folder")
    (tmp_path / "empty.png").write_bytes(b"")
    refused(tmp_path / "empty.png", "0 bytes")
    (tmp_path / "text.png").write_text("filename,x\n")
    refused(tmp_path / "text.png", "not an image")
    images.write_png(tmp_path / "whole.png", np.random.default_rng(1).uniform(0, 255, (SIZE, SIZE)))
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:120])
    refused(tmp_path / "cut.png", "cannot be read")


def test_several_pictures_in_one_file(tmp_path):
    frames = [Image.fromarray(GREY), Image.fromarray(GREY.T)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    refused(tmp_path / "a.tif", "2 pictures")


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        images.write_png(tmp_path / "file" / "a.png", GREY)


def test_unseen_pixels_are_transparent(tmp_path):
    seen = np.ones((SIZE, SIZE), bool)
    seen[0, 0] = False
    images.write_png(tmp_path / "a.png", GREY + 1, seen=seen)
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image)
    assert image.mode == "LA" and tuple(pixels[0, 0]) == (0, 0) and pixels[0, 1, 1] == 255
