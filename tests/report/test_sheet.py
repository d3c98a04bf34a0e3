"""Contact sheets: what is on them, and what cannot be."""

import numpy as np
import pytest
from PIL import Image

from lensjax.cli import main as cli
from lensjax.errors import BadInput
from lensjax.files import images
from lensjax.report import sheet


def pictures(folder, count, *, size=40, suffix=".png"):
    """Images of one grey level each, 10, 11, ...; their paths."""
    paths = [folder / f"image-{i + 1}{suffix}" for i in range(count)]
    for i, path in enumerate(paths):
        (images.write_png if suffix == ".png" else images.write_tiff)(path, np.full((size, size), 10.0 + i))
    return paths


def levels(made, rows, columns, thumbnail):
    """The grey level in the middle of every thumbnail (rows, columns), from the sheet's size alone."""
    pitch_x, pitch_y = (made.shape[1] - 6) // columns, (made.shape[0] - 6) // rows
    middle = 6 + thumbnail // 2
    return made[middle::pitch_y, middle::pitch_x][:rows, :columns]


def run(*words):
    options = cli.parser().parse(["sheet", *map(str, words)])
    options.run(options)


def test_images_in_rows(tmp_path):
    made = sheet.contact_sheet(pictures(tmp_path, 7), columns=3, thumbnail=64)
    assert made.ndim == 2 and made.dtype == np.uint8 and made.shape[1] == 3 * 70 + 6
    seen = levels(made, 3, 3, 64).ravel()
    np.testing.assert_array_equal(seen[:7], np.arange(10, 17))
    assert (seen[7:] == 255).all()


def test_thumbnails_are_means_over_areas(tmp_path):
    """Whole factors against block means; any other factor keeps the mean of the image."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (96, 96))
    images.write_png(tmp_path / "a.png", image)
    made = sheet.contact_sheet([tmp_path / "a.png"], thumbnail=32)
    expected = image.reshape(32, 3, 32, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(made[6:38, 6:38], expected, atol=0.51)
    odd = sheet.contact_sheet([tmp_path / "a.png"], thumbnail=43)[6:49, 6:49]
    assert odd.mean() == pytest.approx(image.mean(), abs=0.1)


def test_small_and_oblong_images(tmp_path):
    images.write_png(tmp_path / "small.png", np.array([[0.0, 200.0], [100.0, 50.0]]))
    images.write_png(tmp_path / "oblong.png", np.full((50, 200), 7.0))
    small, oblong = (sheet.contact_sheet([tmp_path / f"{name}.png"], thumbnail=32)[6:38, 6:38] for name in ("small", "oblong"))
    np.testing.assert_array_equal(small, np.kron([[0, 200], [100, 50]], np.ones((16, 16))))
    assert (oblong[12:20] == 7).all() and (oblong[:12] != 7).all() and (oblong[20:] != 7).all()


def test_any_coloured_image_makes_it_coloured(tmp_path):
    grey, colour, alike = np.full((20, 20), 90.0), np.full((20, 20, 3), (200.0, 30.0, 60.0)), np.full((20, 20, 3), 90.0)
    for name, image in (("grey", grey), ("colour", colour), ("alike", alike)):
        images.write_png(tmp_path / f"{name}.png", image)
    made = sheet.contact_sheet([tmp_path / "grey.png", tmp_path / "colour.png"], columns=2, thumbnail=20)
    np.testing.assert_array_equal(levels(made, 1, 2, 20), [[[90, 90, 90], [200, 30, 60]]])
    assert sheet.contact_sheet([tmp_path / "grey.png", tmp_path / "alike.png"]).ndim == 2


@pytest.mark.parametrize(("top", "expected"), [(100.0, 100), (0.8, 204), (510.0, 255), (0.0, 0)])
def test_float_images(tmp_path, top, expected):
    image = np.full((30, 30), top)
    image[:10] = -3.0
    images.write_tiff(tmp_path / "a.tif", image)
    made = sheet.contact_sheet([tmp_path / "a.tif"], thumbnail=30)[6:36, 6:36]
    assert (made[:10] == 0).all() and (made[10:] == expected).all()


def test_sixteen_bit(tmp_path):
    Image.fromarray(np.full((30, 30), 257 * 80, np.uint16)).save(tmp_path / "a.png")
    assert (sheet.contact_sheet([tmp_path / "a.png"], thumbnail=30)[6:36, 6:36] == 80).all()


def test_bounded_and_evenly_chosen(tmp_path):
    paths = pictures(tmp_path, 41)
    made = sheet.contact_sheet(paths, columns=5, thumbnail=48, most=5)
    np.testing.assert_array_equal(made[30, 30::54][:5], [10, 20, 30, 40, 50])
    whole = sheet.contact_sheet(paths[:5], columns=5, thumbnail=48)
    assert made.shape[1] == whole.shape[1] and made.shape[0] > whole.shape[0]
    foot = made[whole.shape[0] :]
    assert (foot < 128).any()  # it is written how many of how many
    np.testing.assert_array_equal(made[: whole.shape[0] - 30, :50], whole[: whole.shape[0] - 30, :50])


def test_captions(tmp_path):
    (path,) = pictures(tmp_path, 1)
    by_name, said, other = (sheet.contact_sheet([path], labels=label) for label in (None, ["image-1"], ["χ² = 1"]))
    np.testing.assert_array_equal(by_name, said)
    assert (by_name != other).any()
    font = sheet._font(12)
    shown = sheet._fitted("a-very-long-name-of-an-image-000123", font, 100)
    assert font.getlength(shown) <= 100 and shown.startswith("a-very") and shown.endswith("123") and "…" in shown
    assert sheet._fitted("short", font, 100) == "short"


def test_refused(tmp_path):
    good = pictures(tmp_path, 1)
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.png").write_bytes(good[0].read_bytes()[:60])
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(tmp_path / "nan.tif")
    for name, message in (
        ("text.png", "not an image file"),
        ("cut.png", "cannot be read"),
        ("none.png", "no such file"),
        (".", "this is a folder"),
        ("nan.tif", "not finite"),
    ):
        with pytest.raises(BadInput, match=message) as caught:
            sheet.contact_sheet([*good, tmp_path / name])
        assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
    with pytest.raises(BadInput, match="no images"):
        sheet.contact_sheet([])
    with pytest.raises(BadInput, match="fewer or smaller"):
        sheet.contact_sheet(good * 100, thumbnail=2000)
    with pytest.raises(ValueError, match="labels"):
        sheet.contact_sheet(good, labels=[])
    with pytest.raises(ValueError, match="1 or more"):
        sheet.contact_sheet(good, columns=0)


def test_command_on_a_folder_and_on_a_table(tmp_path, capsys):
    folder = tmp_path / "images"
    paths = pictures(folder, 12)
    (folder / "notes.txt").write_text("no image")
    out = folder / "sheet.png"
    for _ in range(2):  # the second time the sheet of the first is there
        run(folder, "--out", out, "--columns", 4, "--thumbnail", 32)
        assert capsys.readouterr().out == f"{out}: 12 images, 158×{np.asarray(Image.open(out)).shape[0]} pixels\n"
        seen = levels(np.asarray(Image.open(out)), 3, 4, 32)
        np.testing.assert_array_equal(seen.ravel(), np.arange(10, 22))  # image-2 before image-10
    table = folder / "dataset.csv"
    table.write_text("filename,x\n" + "".join(f"{path.name},1\n" for path in reversed(paths)))
    run(table, "--out", tmp_path / "b.png", "--columns", 4, "--thumbnail", 32)
    np.testing.assert_array_equal(levels(np.asarray(Image.open(tmp_path / "b.png")), 3, 4, 32).ravel(), np.arange(10, 22)[::-1])
    capsys.readouterr()
    run(table, "--out", tmp_path / "c.png", "--most", 3)
    assert "3 images of 12" in capsys.readouterr().out


def test_command_on_bad_input(tmp_path):
    pictures(tmp_path, 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "dataset.csv").write_text("filename\nimage-1.png\ngone.png\n")
    for given, out, message in (
        (tmp_path / "none", "a.png", "no such file"),
        (tmp_path / "empty", "a.png", "no images in this folder"),
        (tmp_path / "image-1.png", "a.png", "this is an image"),
        (tmp_path / "dataset.csv", "a.png", "line 3, column filename: there is no file"),
        (tmp_path, "a.jpg", "ends in .png"),
        (tmp_path, ".", "this is a folder"),
    ):
        with pytest.raises(BadInput, match=message):
            run(given, "--out", tmp_path / out)
        assert not (tmp_path / "a.png").exists()
