"""Where an image lies on the sky: pixel scale, north and east, and the header of its WCS.

Directions in an image are degrees from the column axis (+x, to the right) towards +y (up, the next row of a FITS array). Position angles
on the sky are degrees from north through east. In most images east is to the left; in a mirrored one it is to the right, and the
determinant of the CD matrix is positive.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensjax.errors import BadInput
from lensjax.observation.observed import Observed

_SQUARE = 0.01  # relative difference of the sides of a pixel, or of its corners' angles, that is still square
_DEGREES = (1e-3 / 3600.0, 10.0 / 3600.0)  # of a pixel, within which a matrix without a named projection is taken for degrees
_SCALE_CARDS = ("PIXSCALE", "PIXSCAL1", "PIXELSCL")  # arcsec
_CLOSE = 0.01  # relative difference of two pixel scales that are the same


@dataclass(frozen=True)
class Wcs:
    """The world coordinates of an image.

    Attributes:
        matrix: ((∂E/∂x, ∂E/∂y), (∂N/∂x, ∂N/∂y)) [arcsec per px] in the middle of the image: how far east and north one pixel to the
            right, and one up, lies.
        right_ascension, declination: ICRS of the image's middle [deg].
        header: cards of the WCS, as written by astropy, for an array whose first row is at the bottom.
    """

    matrix: tuple[tuple[float, float], tuple[float, float]]
    right_ascension: float
    declination: float
    header: dict[str, Any]

    @property
    def mirrored(self) -> bool:
        """Whether east is to the right where north is up."""
        return float(np.linalg.det(np.array(self.matrix))) > 0

    @property
    def pixel_scale(self) -> float:
        """Side of a pixel [arcsec]."""
        return float(abs(np.linalg.det(np.array(self.matrix))) ** 0.5)


@dataclass(frozen=True)
class SkyImage:
    """An observation, and what its file says of it.

    Attributes:
        name: name of the image, such as that of its file.
        observed: data, noise, mask and instrument; lengths are arcseconds where the pixel scale is.
        wcs: where it lies on the sky; None where the file does not say.
        scale: what 1 in `observed` is in the file's unit: a power of two about the noise, so that single precision holds any unit.
        unit: the data's unit, as in the file; empty where it is unknown.
        remarks: what was assumed or measured, in words.
        lens_light: (H, W) light of the lens galaxy that was taken off the data, in the file's unit; None where none was.
    """

    name: str
    observed: Observed
    wcs: Wcs | None = None
    scale: float = 1.0
    unit: str = ""
    remarks: tuple[str, ...] = ()
    lens_light: np.ndarray | None = None


def position_angle(phi: float, wcs: Wcs) -> float:
    """Position angle [deg, from north through east, in [0, 180)] of a line in the direction `phi` [deg from +x towards +y]."""
    (east_x, east_y), (north_x, north_y) = wcs.matrix
    x, y = math.cos(math.radians(phi)), math.sin(math.radians(phi))
    angle = math.degrees(math.atan2(east_x * x + east_y * y, north_x * x + north_y * y)) % 180.0
    return angle if angle < 180.0 else 0.0


def wcs_of(header: Any, shape: tuple[int, int]) -> Wcs | None:
    """The WCS of a FITS header, for an image of this shape (H, W); None without one on the sky.

    Raises:
        BadInput: it cannot be computed, or its pixels are not square.
    """
    from astropy.wcs import WCS

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = WCS(header)
            if not whole.has_celestial:
                return None
            flat = whole.celestial
            middle = ((shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0)
            centre = flat.pixel_to_world(*middle).icrs
            columns = []
            for x, y in ((0.5, 0.0), (0.0, 0.5)):
                ahead = flat.pixel_to_world(middle[0] + x, middle[1] + y).icrs
                behind = flat.pixel_to_world(middle[0] - x, middle[1] - y).icrs
                (east, north), (west, south) = centre.spherical_offsets_to(ahead), centre.spherical_offsets_to(behind)
                columns.append(((east - west).to_value("arcsec"), (north - south).to_value("arcsec")))
            cards = dict(flat.to_header(relax=True))
    except Exception as error:  # astropy raises many kinds on damaged headers
        raise BadInput(f"the WCS cannot be used: {ascii(' '.join(str(error).split())[:200])[1:-1]}", hint="give --pixel-scale") from None
    (east_x, north_x), (east_y, north_y) = columns
    matrix = ((float(east_x), float(east_y)), (float(north_x), float(north_y)))
    check_square(np.array(matrix))
    return Wcs(matrix, float(centre.ra.deg), float(centre.dec.deg), cards)


def check_square(matrix: np.ndarray) -> None:
    """Whether pixels are square, for a matrix (2, 2) of the change of place by one pixel along each axis [arcsec].

    Raises:
        BadInput: they are not, or the matrix is singular or not finite.
    """
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
        raise BadInput("the WCS has no pixel scale: its matrix is singular", hint="give --pixel-scale")
    long, short = np.linalg.svd(matrix, compute_uv=False)
    if long > (1.0 + _SQUARE) * short:
        across, up = np.hypot(*matrix)
        sheared = "" if abs(across - up) > _SQUARE * up else ", and sheared"
        raise BadInput(f"pixels of {across:.5g}×{up:.5g} arcsec{sheared}", expected="square pixels", hint="resample the image")


def header_scale(header: Any) -> float | None:
    """Pixel scale [arcsec] of a header without a WCS on the sky: of its CD or CDELT, or of a card PIXSCALE; None without any.

    Raises:
        BadInput: pixels are not square.
    """
    from astropy.wcs import WCS

    for card in _SCALE_CARDS:
        value = header.get(card)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e3:
            return float(value)
    if not any(key in header for key in ("CD1_1", "CDELT1")):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            matrix = np.asarray(WCS(header, naxis=2).pixel_scale_matrix, np.float64)
        except Exception:  # astropy raises many kinds on damaged headers
            return None
    scale = abs(np.linalg.det(matrix)) ** 0.5
    if not _DEGREES[0] <= scale <= _DEGREES[1]:
        return None
    check_square(3600.0 * matrix)
    return float(3600.0 * scale)


def differ(scale: float, other: float) -> bool:
    """Whether two pixel scales are not the same."""
    return abs(scale - other) > _CLOSE * other


def header_about(image: SkyImage, *, shape: tuple[int, int], pixel_scale: float, middle: tuple[float, float]) -> dict[str, Any]:
    """Cards of the WCS of another image about the same origin, parallel to the observed one: a tangent plane.

    Without a WCS on the sky, linear coordinates [arcsec] about the origin.

    Args:
        image: the observed image.
        shape: (H, W) of the other image.
        pixel_scale: its pixel scale [arcsec].
        middle: its row, counted from the top, and column of the origin.
    """
    cards: dict[str, Any] = {"CRPIX1": middle[1] + 1.0, "CRPIX2": shape[0] - middle[0]}
    if image.wcs is None:
        unit = {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR", "CUNIT1": "arcsec", "CUNIT2": "arcsec"}
        return cards | unit | {"CRVAL1": 0.0, "CRVAL2": 0.0, "CDELT1": pixel_scale, "CDELT2": pixel_scale}
    ra, dec = _origin(image)
    matrix = np.array(image.wcs.matrix) / image.wcs.pixel_scale * pixel_scale / 3600.0
    cards |= {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg", "CRVAL1": ra, "CRVAL2": dec, "RADESYS": "ICRS"}
    return cards | {f"CD{i + 1}_{j + 1}": float(matrix[i, j]) for i in range(2) for j in range(2)}


def _origin(image: SkyImage) -> tuple[float, float]:
    """ICRS right ascension and declination [deg] of the system's origin in an image with a WCS.

    Raises:
        ValueError: the image has none.
    """
    if image.wcs is None:
        raise ValueError("the image has no WCS")
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    taken = image.observed.instrument
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = WCS(Header(image.wcs.header)).pixel_to_world(taken.middle[1], taken.shape[0] - 1 - taken.middle[0]).icrs
    return float(place.ra.deg), float(place.dec.deg)
