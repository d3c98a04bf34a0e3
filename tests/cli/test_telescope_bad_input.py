"""`lensjax estimate` with images of telescopes that cannot be used: one line before any fit, exit code 2, and no file."""

from pathlib import Path

import numpy as np
import pytest

from lensjax.cli import main as cli
from lensjax.dataset import telescope_fits
from lensjax.dataset.telescope import Taken
from lensjax.infer import Solution, estimation
from lensjax.infer.estimation import Fitted
from lensjax.observation.sky import SkyImage
from tests.dataset import telescope_files as files
from tests.dataset.test_telescope_fits import PARAMS, PROBLEM, found

fits = pytest.importorskip("astropy.io.fits")

SHAPE, SIGMA = files.SHAPE, files.SIGMA


def header(scale: float):
    """A WCS of this pixel scale [arcsec]."""
    cards = files.sky_header()
    cards["CD1_1"], cards["CD2_2"] = -scale / 3600, scale / 3600
    return cards


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Files of every kind, and no fit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimation, "estimate", lambda *args, **options: pytest.fail("fitted"))
    flat, kernel = np.ones(SHAPE), files.kernel()
    holes = np.where(np.isin(np.arange(SHAPE[1]), [3, 4]), np.nan, SIGMA) * flat
    files.write(
        Path("a.fits"), BIG=np.ones((51, 51)), LONG=np.ones((25, 3)), EVEN=np.ones((6, 6)), HOLED=np.where(kernel > 0.5, np.nan, kernel),
        DARK=0 * kernel, NEGATIVE=-kernel, CUBE=np.ones((4, *SHAPE)), VAR=SIGMA**2 * flat, WHT=flat / SIGMA**2, TURNED=np.ones(SHAPE[::-1]),
        ZERO=0 * flat, MINUS=-flat, ALL=np.full(SHAPE, np.nan), HOLES=holes,
    )  # fmt: skip
    files.write(Path("nan.fits"), np.full(SHAPE, np.nan))
    files.write(Path("near.fits"), header=header(0.001))
    files.write(Path("far.fits"), header=header(3.0))
    files.write(Path("small.fits"), np.ones((9, 30)))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns([fits.Column("A", "E", array=np.ones(3))])]).writeto("table.fits")
    fits.PrimaryHDU().writeto("none.fits")
    Path("cut.fits").write_bytes(Path("a.fits").read_bytes()[:9000])
    Path("words.fits").write_text("no image\n")
    np.savez("a.npz", complex=np.ones(SHAPE, complex), cube=np.ones((3, *SHAPE)), image=files.sky(), words=np.array("x"))
    for name, text in (("empty", ""), ("blank", "\n"), ("comment", "# Region file format: DS9\nimage\n"), ("wrong", "image\ncircle(1,\n")):
        Path(f"{name}.reg").write_text(text)
    Path("outside.reg").write_text("image\ncircle(900,900,3)\n")
    return tmp_path


LINES = [
    # PSFs
    ("a.fits --noise [ERR] --psf [BIG]", "a.fits: psf: the PSF has 51×51 px; expected at most the image's 24×30 px"),
    ("a.fits --noise [ERR] --psf [LONG]", "the PSF has 25×3 px; expected at most the image's 24×30 px"),
    ("a.fits --noise [ERR] --psf [EVEN]", "the PSF has 6×6 px; expected odd sides, so that one pixel is the middle"),
    ("a.fits --noise [ERR] --psf [HOLED]", "psf: 1 of its pixels are not finite; expected finite numbers"),
    ("a.fits --noise [ERR] --psf [DARK]", "psf: the value is 'a sum of 0'; expected a sum above 0"),
    ("a.fits --noise [ERR] --psf [NEGATIVE]", "expected a sum above 0"),
    ("a.fits --noise [ERR] --psf [CUBE]", "a.fits[CUBE]: [CUBE] is no image with two axes: 4 × 24 × 30"),
    ("a.fits --noise [ERR] --psf a.reg", "a.reg: no such file"),
    # masks
    ("a.fits --noise [ERR] --mask [ZERO]", "--mask: the mask leaves no pixel; expected one pixel or more that is used"),
    ("a.fits --noise [ERR] --mask [ALL]", "--mask: the mask leaves no pixel"),
    ("a.fits --noise [ERR] --mask [TURNED]", "--mask: [TURNED] has 30×24 px; expected the image's 24×30 px"),
    ("a.fits --noise [ERR] --mask outside.reg", "--mask: the mask leaves no pixel"),
    ("a.fits --noise [ERR] --mask empty.reg", "empty.reg: no regions in this file; expected a DS9 region file"),
    ("a.fits --noise [ERR] --mask blank.reg", "blank.reg: no regions in this file"),
    ("a.fits --noise [ERR] --mask comment.reg", "comment.reg: no regions in this file"),
    ("a.fits --noise [ERR] --mask wrong.reg", "wrong.reg: "),
    # noise
    ("a.fits --noise [VAR]", "this looks like variances; expected standard deviations; give --noise-is variance"),
    ("a.fits --noise [WHT]", "this looks like weights (1/variance); expected standard deviations; give --noise-is weight"),
    ("a.fits --noise [TURNED]", "--noise: [TURNED] has 30×24 px; expected the image's 24×30 px"),
    ("a.fits --noise [ZERO]", "--noise: no pixel that is used has a noise; expected finite numbers above 0"),
    ("a.fits --noise [MINUS]", "--noise: no pixel that is used has a noise"),
    ("a.fits --noise [ALL]", "--noise: no pixel that is used has a noise"),
    ("a.fits --noise 0", "--noise"),
    ("a.fits --noise nan", "--noise"),
    ("a.fits --exposure -5 --background 1", "--exposure: the value is '-5'; expected a positive number or a file"),
    ("a.fits --exposure 0 --background 1", "--exposure: the value is '0'"),
    ("a.fits --exposure [MINUS] --background 1", "--exposure: no pixel that is used has a noise; expected finite numbers above 0"),
    ("a.fits --exposure 5 --background -1", "--background: the value is '-1'"),
    ("a.fits --exposure 5 --background [ZERO]", "--background: no pixel that is used has a noise"),
    # pixel scales
    (
        "near.fits --noise [ERR]",
        "--pixel-scale: the image shows 0.03×0.024 arcsec; expected a field that holds an Einstein radius of 0.3",
    ),
    ("far.fits --noise [ERR]", "--pixel-scale: pixels of 3 arcsec; expected pixels of up to 1.5 arcsec, as Einstein radii are 0.3 to 3"),
    ("a.fits --noise [ERR] --pixel-scale 0.0001", "the image shows 0.003×0.0024 arcsec"),
    ("a.fits --noise [ERR] --pixel-scale -0.05", "--pixel-scale"),
    ("a.fits --noise [ERR] --pixel-scale 0", "--pixel-scale"),
    ("a.fits --noise [ERR] --multipoles 4", "--multipoles: only --lens epl has multipoles"),
    (
        "a.fits --noise [ERR] --largest-theta-e 50",
        "--largest-theta-e: the value is '50'; expected an Einstein radius from 0.8 to 20 arcsec",
    ),
    ("a.fits --noise [ERR] --shear no", "expected one of fit, none"),
    ("a.fits --noise [ERR] --shear none --no-refine", "--shear: does not go with --no-refine"),
    ("a.fits --noise [ERR] --mass-error 1", "--mass-error: the value is '1'; expected a share from 0 to 0.99"),
    ("a.fits --noise [ERR] --mass-error 0.02 --source sersic --lens-light none", "--mass-error: not with --source sersic"),
    ("a.fits --noise [ERR] --lens epl --multipoles 5", "expected one of 3, 4, 3,4"),
    ("a.fits --noise [ERR] --source pixels --posterior 20", "--posterior: no draws of a grid of pixels"),
    # images
    (
        "a.fits[CUBE] --noise 1",
        "4 × 24 × 30; expected an image of two dimensions; plane K of 4 is FILE[CUBE][K]",
    ),
    ("a.fits[CUBE][5] --noise 1", "no plane 5; expected a plane from 1 to 4"),
    ("nan.fits --noise [ERR]", "nan.fits: no pixel is finite; expected an image"),
    ("small.fits --noise 1", "the image has 30×9 pixels; expected 16 to 8192 on a side"),
    ("table.fits --noise 1", "no image with two axes in this file; expected a FITS file with an image"),
    ("none.fits --noise 1", "no image with two axes in this file"),
    ("cut.fits --noise 1", "cut.fits: "),
    ("words.fits --noise 1", "words.fits: not an image file; expected PNG, TIFF, JPEG, BMP, FITS or NPY"),
    (
        "a.npz[cube] --problem galaxy --noise 1 --pixel-scale 0.05",
        "an array of shape (3, 24, 30); expected an image with two axes",
    ),
    ("a.npz[complex] --problem galaxy --noise 1 --pixel-scale 0.05", "a.npz[complex]: values of type complex128; expected numbers"),
    ("a.npz[words] --problem galaxy --noise 1 --pixel-scale 0.05", "a.npz[words]: "),
    (
        "a.npz[none] --problem galaxy --noise 1 --pixel-scale 0.05",
        "no array [none] in this file; expected one of complex",
    ),
]


@pytest.mark.parametrize(("words", "says"), LINES)
def test_one_line_before_any_fit(folder, capsys, words: str, says: str) -> None:
    before = sorted(folder.rglob("*"))
    assert cli.main(["estimate", *words.split(), "--out", "r.json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("lensjax: ") and err.count("\n") == 1, err
    assert says in err
    assert sorted(folder.rglob("*")) == before


def seen(name: str, taken: Taken) -> SkyImage:
    image = telescope_fits.read(Path(name), taken, PROBLEM)
    assert isinstance(image, SkyImage), image
    return image


def test_what_is_masked_is_counted(folder) -> None:
    """Pixels without a number, a noise or an exposure; the rest is used."""
    data, exposure = files.sky(), np.full(SHAPE, 500.0)
    data[2, :4], exposure[5, :6] = np.nan, -1.0
    files.write(Path("b.fits"), data, TIME=exposure)
    remarks = seen("b.fits", Taken(exposure="[TIME]", background=str(SIGMA))).remarks
    assert remarks == ("4 pixels not finite, masked", "6 pixels without a usable noise, masked")
    image = seen("a.fits", Taken(noise="[HOLES]"))
    assert image.remarks == ("48 pixels without a usable noise, masked",) and int(np.asarray(image.observed.mask).sum()) == 24 * 28


@pytest.mark.parametrize("kind", [">i2", "<u2", ">i4", ">f4", ">f8", "u1"])
def test_integers_and_other_byte_orders_are_numbers(folder, kind: str) -> None:
    levels = np.clip(np.round(files.sky() * 100 + 20), 0, 250)
    np.save("b.npy", levels.astype(kind))
    fits.PrimaryHDU(levels.astype(kind), header=files.sky_header()).writeto("b.fits")
    for name, rows in (("b.npy", levels), ("b.fits", levels[::-1])):
        image = seen(name, Taken(noise="2", pixel_scale=0.05))
        np.testing.assert_array_equal(np.asarray(image.observed.data) * image.scale, rows)


def test_a_psf_beside_its_middle_is_named(folder) -> None:
    psf = np.zeros((9, 9))
    psf[1, 4] = 1.0
    files.write(Path("b.fits"), ASIDE=psf)
    assert seen("b.fits", Taken(noise="[ERR]", psf="[ASIDE]")).remarks == ("the PSF's brightest pixel lies 3 px beside its middle",)


def test_a_ring_beyond_the_field_is_no_success(folder, monkeypatch) -> None:
    """The fit of an image with a wrong pixel scale: θ_E is 0.4, and half the longer side 0.15."""
    monkeypatch.setattr(estimation, "estimate", lambda problem, observed: Fitted(found(), None))
    image = seen("a.fits", Taken(noise="[ERR]"))
    assert telescope_fits.fitted(PROBLEM, image).solution.success[0]
    close = seen("a.fits", Taken(noise="[ERR]", pixel_scale=0.01))
    solution: Solution = telescope_fits.fitted(PROBLEM, close).solution
    assert not solution.success[0] and "; theta_E reaches beyond the field; pixel scale 0.01 arcsec, while" in solution.status[0]
    np.testing.assert_array_equal(solution.params[0, :5], PARAMS[:5])
