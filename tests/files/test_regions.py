"""DS9 region files as masks."""

import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.files import regions

pytest.importorskip("regions")
fits = pytest.importorskip("astropy.io.fits")

SHAPE = (20, 30)
X, Y = np.meshgrid(np.arange(30) + 1.0, np.arange(20) + 1.0)  # DS9 counts pixels from 1
CIRCLE = np.hypot(X - 12, Y - 8) < 4.2
SKY = fits.Header(
    {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 0.0, "CRPIX1": 12.0, "CRPIX2": 8.0,
        "CDELT1": -1 / 3600, "CDELT2": 1 / 3600,
    }
)  # fmt: skip


def mask(tmp_path, text: str, header=None) -> np.ndarray:
    (tmp_path / "a.reg").write_text(text)
    return regions.mask(tmp_path / "a.reg", SHAPE, header)


def test_regions_in_pixels(tmp_path) -> None:
    np.testing.assert_array_equal(mask(tmp_path, "image\ncircle(12,8,4.2)\n"), CIRCLE)
    np.testing.assert_array_equal(mask(tmp_path, "# Region file\nimage\n-circle(12,8,4.2)\n"), ~CIRCLE)
    both = mask(tmp_path, "image\nbox(12,8,12,12,0)\n-circle(12,8,4.2) # color=red\n")
    box = (np.abs(X - 12) < 6) & (np.abs(Y - 8) < 6)
    np.testing.assert_array_equal(both[Y[:, 0] > 2.5], (box & ~CIRCLE)[Y[:, 0] > 2.5])
    assert not both[7, 11] and both[7, 6]
    np.testing.assert_array_equal(mask(tmp_path, "image\ncircle(12,8,4.2)\ncircle(25,15,2)\n"), CIRCLE | (np.hypot(X - 25, Y - 15) < 2))
    assert not mask(tmp_path, "image\ncircle(112,8,4)\n").any()


def test_regions_on_the_sky(tmp_path) -> None:
    text = 'fk5\n-circle(150.0,0.0,4.2")\n'
    np.testing.assert_array_equal(mask(tmp_path, text, SKY), ~CIRCLE)
    with pytest.raises(BadInput, match="a region is on the sky, and the image has no WCS"):
        mask(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no regions"),
        ("image\npoint(3,4)\n", "has no area"),
        ("image\ncircle(a,b)\n", "regions"),
        ("physical\ncircle(3,4,2)\n", "region"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        mask(tmp_path, text)
    assert "\n" not in str(caught.value) and "a.reg" in str(caught.value)
