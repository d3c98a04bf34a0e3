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
    picture = images.grey_of(images.read(path, size=SIZE))
    assert picture.rounded and picture.values.dtype == np.float32
    np.testing.assert_array_equal(picture.values[3, :4], [0, 1, 255, 255])
    assert [child.name for child in path.parent.iterdir()] == ["a.png"]


def test_tiff_holds_floats(tmp_path):
    exact = np.random.default_rng(0).uniform(-1, 200, (SIZE, SIZE)).astype(np.float32)
    images.write_tiff(tmp_path / "a.tif", exact)
    picture = images.grey_of(images.read(tmp_path / "a.tif", size=SIZE))
    assert not picture.rounded
    np.testing.assert_array_equal(picture.values, exact)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_grey_is_grey_however_it_is_stored(tmp_path, mode):
    Image.fromarray(GREY).convert(mode).save(tmp_path / "a.png")
    picture = images.grey_of(images.read(tmp_path / "a.png", size=SIZE))
    assert picture.rounded
    np.testing.assert_array_equal(picture.values, GREY)


def test_a_lossy_file_is_not_taken_for_rounded(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.jpg", quality=90)
    assert not images.grey_of(images.read(tmp_path / "a.jpg", size=SIZE)).rounded


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
        images.grey_of(images.read(path, size=SIZE))
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
    refused(tmp_path / "a.tif", "2 images")


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        images.write_png(tmp_path / "file" / "a.png", GREY)


def test_unseen_pixels_are_transparent(tmp_path):
    seen = np.ones((SIZE, SIZE), bool)
    seen[0, 0] = False
    images.write_png(tmp_path / "a.png", GREY + 1, mask=seen)
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image)
    assert image.mode == "LA" and tuple(pixels[0, 0]) == (0, 0) and pixels[0, 1, 1] == 255


def fits_file(path, *parts):
    """A FITS file of arrays; the first one is the primary, None an empty one."""
    fits = pytest.importorskip("astropy.io.fits")
    units = [fits.PrimaryHDU(parts[0])] + [fits.ImageHDU(part, name=name) for name, part in parts[1:]]
    fits.HDUList(units).writeto(path)
    return path


SKY = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16, np.int32, np.uint8, np.uint16, ">f4", ">i2"])
def test_fits_of_any_number_type_with_its_rows_turned_over(tmp_path, kind):
    picture = images.read(fits_file(tmp_path / "a.fits", SKY.astype(kind)))
    np.testing.assert_array_equal(picture.values, SKY[::-1])
    assert picture.kind == "FITS" and picture.values.dtype == np.float32 and picture.values.flags.c_contiguous
    assert picture.rounded == (kind is np.uint8)


def test_scaled_integers_of_fits(tmp_path):
    fits = pytest.importorskip("astropy.io.fits")
    unit = fits.PrimaryHDU(SKY.copy())
    unit.scale("int16", bscale=0.5, bzero=7)
    unit.writeto(tmp_path / "a.fits")
    np.testing.assert_array_equal(images.read(tmp_path / "a.fits").values, SKY[::-1])


def test_extensions_of_fits(tmp_path):
    path = fits_file(tmp_path / "a.fits", None, ("CUBE", np.zeros((2, 3, 4))), ("SCI", SKY), ("ERR", SKY + 100))
    np.testing.assert_array_equal(images.read(path).values, SKY[::-1])
    for name in ("[ERR]", "[err,1]", "[3]"):
        np.testing.assert_array_equal(images.read(f"{path}{name}").values, SKY[::-1] + 100)
    for name, words in (("[9]", "no extension [9]"), ("[DQ]", "3 (ERR)"), ("[0]", "no image"), ("[CUBE]", "no image with two axes")):
        with pytest.raises(BadInput) as caught:
            images.read(f"{path}{name}")
        assert words in str(caught.value) and "\n" not in str(caught.value)
    images.write_png(tmp_path / "b.png", GREY)
    with pytest.raises(BadInput, match="no FITS file"):
        images.read(tmp_path / "b.png[1]")
    with pytest.raises(BadInput, match="no such file"):
        images.read(tmp_path / "c.fits[1]")


def test_axes_of_length_one_and_zipped_fits(tmp_path):
    import gzip

    path = fits_file(tmp_path / "a.fits", SKY[None, None])
    np.testing.assert_array_equal(images.read(path).values, SKY[::-1])
    (tmp_path / "a.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(images.read(tmp_path / "a.fits.gz").values, SKY[::-1])
    (tmp_path / "b.fits.gz").write_bytes(gzip.compress(path.read_bytes())[:-20])
    with pytest.raises(BadInput, match="cut short"):
        images.read(tmp_path / "b.fits.gz")


def test_fits_without_astropy(tmp_path, monkeypatch):
    import sys

    path = fits_file(tmp_path / "a.fits", SKY)
    monkeypatch.setitem(sys.modules, "astropy.io", None)
    with pytest.raises(BadInput, match=r"read by astropy, which is not installed; pip install 'lensjax\[fits\]'"):
        images.read(path)


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", SKY)
    picture = images.read(tmp_path / "a.npy")
    np.testing.assert_array_equal(picture.values, SKY)
    assert picture.kind == "NPY" and picture.floating and not picture.rounded
    np.save(tmp_path / "b.npy", GREY)
    assert images.grey_of(images.read(tmp_path / "b.npy", size=SIZE)).rounded
    np.save(tmp_path / "c.npy", np.array([[{}]], object), allow_pickle=True)
    np.save(tmp_path / "d.npy", SKY.astype(complex))
    np.save(tmp_path / "e.npy", np.zeros(5))
    for name, words in (("c", "cannot be read"), ("d", "values of type complex128"), ("e", "an array of shape (5,)")):
        with pytest.raises(BadInput) as caught:
            images.read(tmp_path / f"{name}.npy")
        assert words in str(caught.value)


def test_what_a_picture_says_of_its_file(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.jpg", quality=90)
    assert images.read(tmp_path / "a.jpg").lossy
    Image.fromarray(GREY).save(tmp_path / "a.bmp")
    picture = images.read(tmp_path / "a.bmp")
    assert (picture.kind, picture.bits, picture.lossy, picture.coloured) == ("BMP", 8, False, False)
    Image.fromarray(GREY.astype(np.uint16) * 200).save(tmp_path / "deep.png")
    picture = images.read(tmp_path / "deep.png")
    assert picture.bits == 16 and not picture.rounded
    np.testing.assert_array_equal(picture.values, GREY.astype(np.float32) * 200)
    _transparent().save(tmp_path / "t.png")
    assert images.read(tmp_path / "t.png").transparent
    _colour().save(tmp_path / "c.png")
    assert images.read(tmp_path / "c.png").coloured and images.read_colour(tmp_path / "c.png").shape == (SIZE, SIZE, 3)
