"""Images of telescopes: what their files hold, and what is refused."""

import re
from pathlib import Path

import numpy as np
import pytest

from lensjax.dataset.telescope import Taken, read
from lensjax.errors import BadInput
from lensjax.observation.noise import PoissonNoise
from tests.dataset import telescope_files as files

fits = pytest.importorskip("astropy.io.fits")

SHAPE, SIGMA = files.SHAPE, files.SIGMA
ERR = Taken(noise="[ERR]")


def data_of(image) -> np.ndarray:
    """The data in the file's unit and order."""
    return np.asarray(image.observed.data, np.float64)[::-1] * image.scale


def refused(path: Path | str, taken: Taken, words: str) -> str:
    with pytest.raises(BadInput) as caught:
        read(Path(path), taken)
    line = str(caught.value)
    assert words in line and "\n" not in line, line
    return line


def test_an_image_with_its_noise_psf_unit_and_wcs(tmp_path) -> None:
    data = files.sky()
    image = read(files.write(tmp_path / "a.fits", data), Taken(noise="[ERR]", psf="[psf]"))
    np.testing.assert_allclose(data_of(image), data, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(image.observed.noise.level) * image.scale, np.full(SHAPE, SIGMA), rtol=1e-6)
    np.testing.assert_allclose(np.asarray(image.observed.instrument.psf)[::-1], files.kernel(), rtol=1e-6)
    assert image.unit == "electron/s" and image.remarks == () and np.asarray(image.observed.mask).all()
    assert image.wcs is not None and not image.wcs.mirrored
    assert image.observed.instrument.pixel_scale == pytest.approx(files.SCALE, rel=1e-6)
    assert np.log2(image.scale) == round(np.log2(image.scale))
    explicit = read(Path(f"{tmp_path}/a.fits[SCI]"), Taken(noise=f"{tmp_path}/a.fits[2]"))
    np.testing.assert_array_equal(data_of(explicit), data_of(image))
    other = read(files.write(tmp_path / "m.fits", header=files.sky_header(mirrored=True)), ERR)
    assert other.wcs is not None and other.wcs.mirrored


@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e20])
def test_any_unit_is_held_in_single_precision(tmp_path, unit: float) -> None:
    data = files.sky() * unit
    image = read(files.write(tmp_path / "a.fits", data, ERR=np.full(SHAPE, SIGMA * unit)), ERR)
    np.testing.assert_allclose(data_of(image), data, rtol=1e-6)
    assert 0.5 <= np.median(np.asarray(image.observed.noise.level)) <= 2.0


def test_integers_other_byte_orders_and_compressed_files(tmp_path) -> None:
    levels = np.round(files.sky() * 1000)
    for name, kind in (("a", ">i2"), ("b", "<i4"), ("c", ">f8"), ("d", "<f4")):
        path = files.write(tmp_path / f"{name}.fits", levels.astype(kind), ERR=np.full(SHAPE, 1000 * SIGMA))
        np.testing.assert_allclose(data_of(read(path, ERR)), levels, rtol=1e-6)
    scaled = fits.ImageHDU(levels / 8.0 + 7.0, header=files.sky_header())
    scaled.scale("int16", bscale=0.125, bzero=7.0)
    fits.HDUList([fits.PrimaryHDU(), scaled]).writeto(tmp_path / "e.fits")
    np.testing.assert_allclose(data_of(read(tmp_path / "e.fits", Taken(noise="2.5"))), levels / 8.0 + 7.0, rtol=1e-6)
    small = fits.CompImageHDU(levels.astype(np.int16), header=files.sky_header(), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), small]).writeto(tmp_path / "f.fits.fz")
    np.testing.assert_allclose(data_of(read(tmp_path / "f.fits.fz", Taken(noise="20"))), levels, rtol=1e-6)


def test_pixels_that_are_not_finite_are_masked_and_counted(tmp_path) -> None:
    data, noise = files.sky(), np.full(SHAPE, SIGMA)
    data[0, 3], data[5, 5], noise[7, 7], noise[8, 8] = np.nan, np.inf, 0.0, np.nan
    image = read(files.write(tmp_path / "a.fits", data, ERR=noise), ERR)
    assert image.remarks == ("2 pixels not finite, masked", "2 pixels without a usable noise, masked")
    mask = np.asarray(image.observed.mask)[::-1]
    assert sorted(map(tuple, np.argwhere(~mask).tolist())) == [(0, 3), (5, 5), (7, 7), (8, 8)]
    files.write(tmp_path / "b.fits", np.full(SHAPE, np.nan))
    refused(tmp_path / "b.fits", ERR, "no pixel is finite")


def test_cubes(tmp_path) -> None:
    planes = np.stack([files.sky(seed=k) for k in range(3)])
    path = files.write(tmp_path / "a.fits", planes)
    line = refused(f"{path}[SCI]", Taken(noise="0.02"), "expected an image of two dimensions")
    assert "3 × 24 × 30" in line and "FILE[SCI][K]" in line
    image = read(Path(f"{path}[SCI][2]"), Taken(noise="0.02"))
    np.testing.assert_allclose(data_of(image), planes[1], rtol=1e-6)
    assert image.wcs is not None
    refused(f"{path}[SCI][4]", Taken(noise="0.02"), "no plane 4; expected a plane from 1 to 3")
    fits.writeto(tmp_path / "b.fits", planes)
    refused(tmp_path / "b.fits", Taken(noise="0.02"), "FILE[0][K]")


def test_noise_maps_in_other_units(tmp_path) -> None:
    path = files.write(tmp_path / "a.fits", VAR=np.full(SHAPE, SIGMA**2), WHT=np.full(SHAPE, SIGMA**-2))
    refused(path, Taken(noise="[VAR]"), "looks like variances; expected standard deviations; give --noise-is variance")
    refused(path, Taken(noise="[WHT]"), "looks like weights (1/variance); expected standard deviations; give --noise-is weight")
    for name, kind in (("VAR", "variance"), ("WHT", "weight")):
        image = read(path, Taken(noise=f"[{name}]", noise_is=kind))
        np.testing.assert_allclose(np.asarray(image.observed.noise.level) * image.scale, np.full(SHAPE, SIGMA), rtol=1e-5)
        assert image.remarks == ()
    assert "times the scatter" in read(path, Taken(noise="3.0")).remarks[0]
    refused(path, Taken(noise="[PSF]"), "--noise: [PSF] has 5×5 px; expected the image's 24×30 px")
    refused(path, Taken(noise="[NONE]"), "no extension [NONE]")
    refused(path, Taken(noise="-1"), "expected a positive number or a file")


def test_noise_of_photons(tmp_path) -> None:
    time = np.full(SHAPE, 500.0)
    time[3, 4] = 0.0
    path = files.write(tmp_path / "a.fits", TIME=time)
    image = read(path, Taken(exposure="[TIME]", background="[ERR]"))
    noise = image.observed.noise
    assert isinstance(noise, PoissonNoise)
    sigma = np.asarray(noise.sigma(image.observed.data), np.float64)[::-1] * image.scale
    mask = np.asarray(image.observed.mask)[::-1]
    assert np.argwhere(~mask).tolist() == [[3, 4]] and image.remarks == ("1 pixel without a usable noise, masked",)
    np.testing.assert_allclose(sigma[mask], np.sqrt(SIGMA**2 + np.maximum(files.sky(), 0) / 500.0)[mask], rtol=1e-5)


def test_noise_that_is_measured(tmp_path) -> None:
    pytest.importorskip("photutils")
    data = files.sky((64, 70)) + 0.5
    image = read(files.write(tmp_path / "a.fits", data), Taken())
    said = re.fullmatch(r"noise measured from the sky: (\S+) \(rms, \d+ % of the pixels\); sky of (\S+) subtracted", image.remarks[0])
    assert said is not None and float(said[2]) == pytest.approx(0.5, abs=0.01)
    assert float(said[1]) == pytest.approx(float(np.asarray(image.observed.noise.level)) * image.scale, rel=1e-3)
    assert float(np.asarray(image.observed.noise.level)) * image.scale == pytest.approx(SIGMA, rel=0.15)
    assert abs(np.median(data_of(image))) < 0.01
    photons = read(tmp_path / "a.fits", Taken(exposure="100"))
    assert isinstance(photons.observed.noise, PoissonNoise) and "measured from the sky" in photons.remarks[0]


def test_masks(tmp_path) -> None:
    use = np.zeros(SHAPE)
    use[2:5, 1:9] = 1.0
    flags = np.zeros(SHAPE, np.int32)
    flags[0, 0] = 16
    path = files.write(tmp_path / "a.fits", MASK=use, DQ=flags, NONE=0 * use)
    for text, expected in (("[MASK]", use > 0), ("[dq]", flags == 0), (f"{path}[DQ,1]", flags == 0)):
        image = read(path, Taken(noise="[ERR]", mask=text))
        np.testing.assert_array_equal(np.asarray(image.observed.mask)[::-1], expected)
    refused(path, Taken(noise="[ERR]", mask="[NONE]"), "--mask: the mask leaves no pixel")
    refused(path, Taken(noise="[NONE]", mask="[MASK]"), "no pixel that is used has a noise")
    pytest.importorskip("regions")
    (tmp_path / "a.reg").write_text("image\n-circle(21,7,3.1)\n")
    mask = np.asarray(read(path, Taken(noise="[ERR]", mask=str(tmp_path / "a.reg"))).observed.mask)[::-1]
    x, y = np.meshgrid(np.arange(SHAPE[1]) + 1, np.arange(SHAPE[0]) + 1)
    np.testing.assert_array_equal(mask, np.hypot(x - 21, y - 7) >= 3.1)


def test_psfs_that_cannot_be_used(tmp_path) -> None:
    path = files.write(tmp_path / "a.fits", BIG=np.ones((51, 51)), EVEN=np.ones((4, 4)), HALF=files.kernel() / 2)
    refused(path, Taken(noise="[ERR]", psf="[BIG]"), "a.fits: psf: the PSF has 51×51 px; expected at most the image's 24×30 px")
    refused(path, Taken(noise="[ERR]", psf="[EVEN]"), "expected odd sides")
    image = read(path, Taken(noise="[ERR]", psf="[HALF]"))
    assert image.remarks == ("the PSF has a sum of 0.5; it was normalised to 1",)
    np.testing.assert_allclose(np.asarray(image.observed.instrument.psf).sum(), 1.0, rtol=1e-6)


def test_pixel_scales(tmp_path) -> None:
    plain = files.write(tmp_path / "a.fits", header=fits.Header())
    refused(plain, ERR, "a.fits: --pixel-scale: the file has no pixel scale; expected arcseconds per pixel")
    given = Taken(noise="[ERR]", pixel_scale=0.1)
    assert read(plain, given).observed.instrument.pixel_scale == 0.1
    assert read(plain, given).remarks == () and read(plain, given).wcs is None
    assert read(files.write(tmp_path / "b.fits"), given).remarks == ("pixel scale 0.1 arcsec, while the file's is 0.05",)
    flat = files.sky_header()
    flat["CD2_2"] *= 1.5
    refused(files.write(tmp_path / "c.fits", header=flat), ERR, "pixels of 0.05×0.075 arcsec; expected square pixels")
    image = read(tmp_path / "c.fits", given)
    assert image.wcs is None and image.remarks[0].startswith("the file's WCS is not used")


def test_arrays_of_numpy_lie_as_the_image_does(tmp_path) -> None:
    """A map made from the array of a FITS file, and saved by NumPy, belongs to the same pixels."""
    data = files.sky()
    noise = SIGMA * (1.0 + np.arange(SHAPE[0])[:, None] / SHAPE[0] + np.zeros(SHAPE))
    path = files.write(tmp_path / "a.fits", data, ERR=noise)
    np.save(tmp_path / "noise.npy", noise)
    np.savez(tmp_path / "all.npz", image=data, noise=noise, psf=files.kernel(), words=np.array("x"))
    one, two = read(path, ERR), read(path, Taken(noise=str(tmp_path / "noise.npy")))
    np.testing.assert_array_equal(np.asarray(one.observed.noise.level), np.asarray(two.observed.noise.level))
    whole = read(Path(f"{tmp_path}/all.npz[image]"), Taken(noise="[noise]", psf="[psf]", pixel_scale=0.05))
    mixed = read(Path(f"{tmp_path}/all.npz[image]"), Taken(noise=f"{path}[ERR]", psf=f"{path}[PSF]", pixel_scale=0.05))
    for image in (whole, mixed):
        np.testing.assert_allclose(np.asarray(image.observed.data) * image.scale, data, rtol=1e-6)
        np.testing.assert_allclose(np.asarray(image.observed.noise.level) * image.scale, noise, rtol=1e-6)
        np.testing.assert_allclose(np.asarray(image.observed.instrument.psf), files.kernel(), rtol=1e-6)
    refused(f"{tmp_path}/all.npz[none]", Taken(noise="1", pixel_scale=1.0), "no array [none] in this file")
    np.savez(tmp_path / "objects.npz", image=np.array([[{}]], object))
    refused(tmp_path / "objects.npz", Taken(noise="1", pixel_scale=1.0), "cannot be read")
