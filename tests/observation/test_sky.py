"""Directions and scales on the sky, for both parities, against astropy's own coordinates."""

import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage, header_about, header_scale, position_angle, wcs_of

fits = pytest.importorskip("astropy.io.fits")

SHAPE = (40, 60)
SCALE = 0.05  # arcsec


def header(*, mirrored: bool = False, turned: float = 0.0, scale: tuple[float, float] = (SCALE, SCALE), declination: float = 40.0):
    """North up and east left, or east right, then the array turned by `turned` degrees."""
    cos, sin = np.cos(np.radians(turned)), np.sin(np.radians(turned))
    plain = np.diag([1.0 if mirrored else -1.0, 1.0])
    matrix = plain @ np.array([[cos, -sin], [sin, cos]]) @ np.diag(scale) / 3600.0
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": declination, "CRPIX1": 7.0, "CRPIX2": 33.0}
    cards |= {f"CD{i + 1}_{j + 1}": matrix[i, j] for i in range(2) for j in range(2)}
    return fits.Header(cards)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turned", [0.0, 30.0, 137.0, -90.0])
def test_position_angles_of_both_parities(mirrored: bool, turned: float) -> None:
    """A vector at φ of the array points to north through east, as the two points' coordinates say."""
    from astropy.wcs import WCS

    cards = header(mirrored=mirrored, turned=turned)
    wcs = wcs_of(cards, SHAPE)
    assert wcs is not None and wcs.mirrored == mirrored
    assert wcs.pixel_scale == pytest.approx(SCALE, rel=1e-6)
    x, y = (SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2
    for phi in (0.0, 20.0, 90.0, 155.0):
        ahead = (x + np.cos(np.radians(phi)), y + np.sin(np.radians(phi)))
        here, there = WCS(cards).pixel_to_world([x, ahead[0]], [y, ahead[1]])
        expected = here.position_angle(there).deg
        off = position_angle(phi, wcs) - expected
        assert abs(off - 180.0 * round(off / 180.0)) < 1e-3


def test_position_angles_in_words() -> None:
    """North up: +y is north. East is left, or right in a mirrored image."""
    plain, other = wcs_of(header(), SHAPE), wcs_of(header(mirrored=True), SHAPE)
    assert plain is not None and other is not None
    assert position_angle(30.0, plain) == pytest.approx(120.0, abs=1e-3)  # from +x: φ − 90°
    assert position_angle(30.0, other) == pytest.approx(60.0, abs=1e-3)
    assert position_angle(90.0, plain) % 180.0 == pytest.approx(0.0, abs=1e-3) or position_angle(90.0, plain) > 179.999


@pytest.mark.parametrize("way", ["CROTA2", "PC"])
def test_other_ways_to_write_the_same(way: str) -> None:
    """CDELT with CROTA2 (Calabretta & Greisen 2002, eq. 189) and with PC, against the CD matrix that they stand for."""
    cos, sin, step = np.cos(np.radians(25.0)), np.sin(np.radians(25.0)), SCALE / 3600
    whole = header()
    for i, j in ((1, 1), (1, 2), (2, 1), (2, 2)):
        del whole[f"CD{i}_{j}"]
    whole.update({"CDELT1": -step, "CDELT2": step})
    whole.update({"CROTA2": 25.0} if way == "CROTA2" else {"PC1_1": cos, "PC1_2": sin, "PC2_1": -sin, "PC2_2": cos})
    wcs = wcs_of(whole, SHAPE)
    assert wcs is not None and not wcs.mirrored
    np.testing.assert_allclose(wcs.matrix, SCALE * np.array([[-cos, -sin], [-sin, cos]]), atol=1e-5 * SCALE)


@pytest.mark.parametrize("kind", ["galactic", "SIP", "cube", "DEC first"])
def test_wcs_of_other_kinds(kind: str) -> None:
    """Axes that are not RA and DEC, distortion, a third axis: angles from north of ICRS, and the same sky when it is written."""
    from astropy.wcs import WCS

    cards = header(turned=30.0)
    if kind == "galactic":
        cards.update({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"})
    elif kind == "SIP":
        sip = {"A_ORDER": 2, "A_2_0": 1e-5, "B_ORDER": 2, "B_0_2": -1e-5}
        cards.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"} | sip)
    elif kind == "cube":
        cards.update({"WCSAXES": 3, "CTYPE3": "WAVE", "CUNIT3": "m", "CRPIX3": 1.0, "CRVAL3": 5e-7, "CD3_3": 1e-9})
    else:
        rows = [[cards[f"CD{i}_{j}"] for j in (1, 2)] for i in (2, 1)]
        cards.update({"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": 40.0, "CRVAL2": 150.0})
        cards.update({f"CD{i + 1}_{j + 1}": rows[i][j] for i in range(2) for j in range(2)})
    wcs = wcs_of(cards, SHAPE)
    assert wcs is not None and not wcs.mirrored
    flat = WCS(cards).celestial
    x, y = (SHAPE[1] - 1) / 2, (SHAPE[0] - 1) / 2
    here, there = flat.pixel_to_world(x, y).icrs, flat.pixel_to_world(x + 0.6, y + 0.8).icrs
    off = position_angle(np.degrees(np.arctan2(0.8, 0.6)), wcs) - here.position_angle(there).deg
    assert abs(off - 180.0 * round(off / 180.0)) < 0.02
    assert (wcs.right_ascension, wcs.declination) == pytest.approx((here.ra.deg, here.dec.deg))
    again = WCS(fits.Header(wcs.header)).pixel_to_world(3.0, 35.0).icrs
    assert again.separation(flat.pixel_to_world(3.0, 35.0).icrs).arcsec < 1e-6


def test_pixels_that_are_not_square() -> None:
    with pytest.raises(BadInput, match=r"pixels of 0\.05×0\.06 arcsec; expected square pixels"):
        wcs_of(header(scale=(0.05, 0.06)), SHAPE)
    sheared = header()
    sheared.update({"CD1_2": -0.2 * SCALE / 3600, "CD2_1": 0.2 * SCALE / 3600})
    with pytest.raises(BadInput, match="sheared"):
        wcs_of(sheared, SHAPE)
    singular = header()
    singular.update({"CD1_1": 1e-5, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": 1e-5})
    with pytest.raises(BadInput, match="WCS"):
        wcs_of(singular, SHAPE)


def test_scales_without_a_sky() -> None:
    assert wcs_of(fits.Header(), SHAPE) is None and header_scale(fits.Header()) is None
    assert header_scale(fits.Header({"PIXSCALE": 0.06})) == 0.06
    assert header_scale(fits.Header({"CD1_1": 0.0, "CD1_2": 2e-5, "CD2_1": 2e-5, "CD2_2": 0.0})) == pytest.approx(0.072)
    assert header_scale(fits.Header({"CDELT1": 1.0, "CDELT2": 1.0})) is None  # FITS's default says nothing
    with pytest.raises(BadInput, match="square"):
        header_scale(fits.Header({"CD1_1": 1e-5, "CD2_2": 2e-5}))


@pytest.mark.parametrize("mirrored", [False, True])
def test_another_image_about_the_same_origin(mirrored: bool) -> None:
    """The same point has the same coordinates on the sky in both, and without a WCS the same arcseconds."""
    from astropy.wcs import WCS

    cards = header(mirrored=mirrored, turned=40.0)
    observed = observe(np.zeros(SHAPE), 1.0, taken_by=instrument(SHAPE, pixel_scale=SCALE))
    image = SkyImage("a", observed, wcs_of(cards, SHAPE))
    own = header_about(image, shape=(9, 9), pixel_scale=0.02, middle=(3.0, 5.0))
    x, y = 0.31, -0.12  # arcsec from the origin
    row, column = SHAPE[0] / 2 - y / SCALE, SHAPE[1] / 2 + x / SCALE
    there = WCS(cards).pixel_to_world(column, SHAPE[0] - 1 - row)
    here = WCS(fits.Header(own)).pixel_to_world(5.0 + x / 0.02, 9 - 1 - (3.0 - y / 0.02))
    assert here.separation(there).arcsec < 1e-5
    plain = WCS(fits.Header(header_about(SkyImage("a", observed), shape=(9, 9), pixel_scale=0.02, middle=(3.0, 5.0))))
    ends = plain.pixel_to_world_values(5.0 + x / 0.02, 9 - 1 - (3.0 - y / 0.02))
    np.testing.assert_allclose(np.array(ends), [x, y], atol=1e-9)
