"""Masks drawn in DS9: region files, in pixels of the image or on the sky."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lensjax.errors import BadInput
from lensjax.files.read import read_bytes

SUFFIX = ".reg"
"""Ending of region files."""


def mask(path: str | Path, shape: tuple[int, int], header: Any = None) -> np.ndarray:
    """The mask (H, W) of a region file, True where a pixel is used; the first row at the bottom, as in FITS.

    Used are pixels with their middle in one of the regions, or all where every region is excluded; and not in an excluded region, whose
    line begins with "-".

    Args:
        path: the file.
        shape: of the image.
        header: a FITS header with the image's WCS, for regions on the sky; None without.

    Raises:
        BadInput: it cannot be read, has no area, is on the sky while the image has no WCS, or the package regions is not installed.
    """
    text = read_bytes(path, "a DS9 region file").decode("utf-8", "replace")
    found = _parsed(path, text)
    if not found:
        raise BadInput("no regions in this file", path=path, expected="a DS9 region file")
    inside: list[np.ndarray] = []
    outside = np.zeros(shape, bool)
    for region in found:
        area = _area(path, region, shape, header)
        if region.meta.get("include", True):
            inside.append(area)
        else:
            outside |= area
    return np.asarray((np.any(inside, axis=0) if inside else np.ones(shape, bool)) & ~outside)


def _parsed(path: str | Path, text: str) -> list[Any]:
    try:
        from regions import Regions
    except ImportError:
        problem = "region files are read by the package regions, which is not installed"
        raise BadInput(problem, path=path, hint="pip install 'lensjax[real]'") from None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = list(Regions.parse(text, format="ds9"))
        except Exception as error:  # the parser raises many kinds
            raise BadInput(f"the regions cannot be read: {_line(error)}", path=path, expected="a DS9 region file") from None
    if said:  # a region of a kind that the parser leaves out would be missing in the mask
        raise BadInput(f"a region cannot be used: {_line(said[0].message)}", path=path, expected="regions in image or sky coordinates")
    return found


def _area(path: str | Path, region: Any, shape: tuple[int, int], header: Any) -> np.ndarray:
    """Pixels (H, W) with their middle in a region."""
    from regions import SkyRegion

    kind = type(region).__name__
    try:
        if isinstance(region, SkyRegion):
            if header is None:
                expected = "regions in image coordinates, or an image with a WCS"
                raise BadInput("a region is on the sky, and the image has no WCS", path=path, expected=expected)
            from astropy.wcs import WCS

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                region = region.to_pixel(WCS(header).celestial)
        area = region.to_mask(mode="center").to_image(shape)
    except BadInput:
        raise
    except NotImplementedError:
        raise BadInput(f"a region of kind {kind} has no area", path=path, expected="circles, ellipses, boxes, polygons") from None
    except Exception as error:  # a shape beyond what can be drawn
        raise BadInput(f"a region of kind {kind} cannot be used: {_line(error)}", path=path) from None
    return np.zeros(shape, bool) if area is None else np.asarray(area) > 0


def _line(error: object) -> str:
    return ascii(" ".join(str(error).split())[:200])[1:-1]
