"""FITS files of a fit, read back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.formats import model_images
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage, wcs_of
from lensjax.problems import components
from lensjax.problems.compose import compose
from tests.dataset import telescope_files as files

fits = pytest.importorskip("astropy.io.fits")

PARTS = [
    components.sis(unit="arcsec", theta_e=(0.1, 3.0), reach=1.0),
    components.gaussian(unit="arcsec", sigma=(0.01, 1.0), reach=1.0),
    components.gaussian(role="lens light", prefix="light_", unit="arcsec", sigma=(0.01, 1.0), reach=1.0, q=None),
]
PROBLEM = compose("test", PARTS, sky=True)
PARAMS = np.array([0.02, 0.0, 0.3, 0.06, -0.03, 0.05, 0.7, 20.0, 0.02, 0.0, 0.1, 0.02, 0.05, 0.01])
UNIT = 2.0**-20
TAKEN = instrument(files.SHAPE, pixel_scale=files.SCALE, supersampling=2, psf=files.kernel())
FLUXES = np.r_[np.ones(len(PARAMS) - 3), np.full(3, UNIT)]


def seen(**options: object) -> tuple[SkyImage, np.ndarray]:
    """An observation in units of 2⁻²⁰, and its residual."""
    model = np.asarray(PROBLEM.image(jnp.asarray(PARAMS, jnp.float32), TAKEN), np.float64)
    noise = np.random.default_rng(0).normal(scale=files.SIGMA, size=files.SHAPE)
    mask = np.ones(files.SHAPE, bool)
    mask[3, 4] = False
    return SkyImage("a.fits", observe(model + noise, files.SIGMA, mask=mask, taken_by=TAKEN), scale=UNIT, **options), noise


def test_extensions_have_the_image_s_unit_and_wcs(tmp_path) -> None:
    from astropy.wcs import WCS

    header = files.sky_header()
    image, noise = seen(wcs=wcs_of(header, files.SHAPE), unit="electron/s", remarks=("noise measured",))
    model_images.write(tmp_path / "out" / "a.fits", PROBLEM, PARAMS * FLUXES, image)
    assert [child.name for child in (tmp_path / "out").iterdir()] == ["a.fits"]
    with fits.open(tmp_path / "out" / "a.fits") as file:
        names = [part.name for part in file]
        assert names == ["PRIMARY", "MODEL", "LENS_LIGHT", "ARCS", "RESIDUAL", "SOURCE"]
        parts = {part.name: np.asarray(part.data, np.float64) for part in file[1:]}
        headers = {part.name: part.header for part in file}
        words = str(headers["PRIMARY"]["HISTORY"])
    assert "theta_E = 0.3" in words and "noise measured" in words and "problem test" in words
    np.testing.assert_allclose(parts["MODEL"], parts["ARCS"] + parts["LENS_LIGHT"] + 0.01 * UNIT, rtol=1e-5)
    expected = noise[::-1] * UNIT
    masked = np.isnan(parts["RESIDUAL"])
    assert np.argwhere(masked).tolist() == [[files.SHAPE[0] - 1 - 3, 4]]
    np.testing.assert_allclose(parts["RESIDUAL"][~masked], expected[~masked], atol=1e-5 * UNIT)
    for name in ("MODEL", "ARCS", "RESIDUAL"):
        assert headers[name]["BUNIT"] == "electron/s"
        assert WCS(headers[name]).pixel_to_world(11, 7).separation(WCS(header).pixel_to_world(11, 7)).arcsec < 1e-6


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_source_stands_where_it_is_on_the_sky(tmp_path, mirrored: bool) -> None:
    """The brightest pixel of SOURCE has the coordinates of the source's place without a lens, and all its light is there."""
    from astropy.wcs import WCS

    header = files.sky_header(mirrored=mirrored)
    image, _ = seen(wcs=wcs_of(header, files.SHAPE))
    model_images.write(tmp_path / "a.fits", PROBLEM, PARAMS * FLUXES, image)
    values, own = fits.getdata(tmp_path / "a.fits", "SOURCE", header=True)
    row, column = np.unravel_index(np.argmax(values), values.shape)
    place = WCS(header).pixel_to_world(files.SHAPE[1] / 2 + 0.06 / files.SCALE, files.SHAPE[0] / 2 - 1 - 0.03 / files.SCALE)
    step = 3600 * abs(np.linalg.det([[own["CD1_1"], own["CD1_2"]], [own["CD2_1"], own["CD2_2"]]])) ** 0.5
    assert WCS(own).pixel_to_world(column, row).separation(place).arcsec < step
    assert values.sum() * step**2 == pytest.approx(0.02 * UNIT, rel=0.02)
    assert step < 0.2 * files.SCALE


def test_without_lens_light_and_without_a_wcs(tmp_path) -> None:
    bare = compose("bare", PARTS[:2])
    image, _ = seen()
    model_images.write(tmp_path / "a.fits", bare, (PARAMS * FLUXES)[[*range(8), 11]], image)
    with fits.open(tmp_path / "a.fits") as file:
        assert [part.name for part in file[1:]] == ["MODEL", "ARCS", "RESIDUAL", "SOURCE"]
        assert file["MODEL"].header["CUNIT1"].strip() == "arcsec" and file["MODEL"].header["CDELT1"] == files.SCALE
        np.testing.assert_array_equal(file["MODEL"].data, file["ARCS"].data)


def test_the_source_s_field_follows_its_size() -> None:
    for sigma in (0.02, 0.5):
        params = np.array(PARAMS)
        params[5] = sigma
        made = model_images.images_of(PROBLEM, params, seen()[0])
        assert made.taken is not None and made.source is not None
        half = 100 * made.taken.pixel_scale
        assert 2.5 * sigma < half < 12 * sigma or half == pytest.approx(15 * files.SCALE)
    assert jax.config.read("jax_enable_x64") is False
