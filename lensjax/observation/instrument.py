"""The instrument: which points of the sky an image's pixels see, and how it blurs them."""

from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from lensjax._internal.tree import register
from lensjax.errors import BadInput
from lensjax.observation import psf as psfs
from lensjax.observation.grid import axis


@dataclass(frozen=True)
class CentreOfLight:
    """Where the centre of light is taken; hashable.

    Attributes:
        canvas: side of the square about the system's origin whose light counts, in the unit of lengths.
        samples: points on a side of the grid about the light. None takes a point for each unit of the canvas; so do lenses that are not
            axisymmetric, and series without a window, whose light may lie anywhere.
    """

    canvas: int
    samples: int | None = None


@register
@dataclass(frozen=True)
class Instrument:
    """How an image is taken; build it by `instrument`, which checks. Hashable where it has no PSF.

    Pixel (row i, column j) stands for the point x = (j − middle[1]) s, y = (middle[0] − i) s, with s the pixel scale. A pixel's value
    is the mean of the light over its `supersampling`² points, convolved with the PSF: a surface brightness per pixel.

    Attributes:
        shape: rows and columns of the image.
        pixel_scale: side of a pixel in the unit of the system's lengths: 1 where these are pixels, else for example arcseconds. Programs
            take it as an argument, so that one serves images of all scales.
        middle: row and column, fractions included, of the system's origin, or of its centre of light.
        supersampling: points on a side of a pixel.
        refinement: points on a side of each of the steepest pixels, in place of `supersampling`; 0 for none.
        refined: how many pixels are the steepest.
        centring: how the centre of light is found that is moved to `middle`; None where the origin stays there.
        psf: point spread function (h, w), odd sides and sum 1, in pixels of the image; None for none.
    """

    shape: tuple[int, int] = field(metadata={"static": True})
    pixel_scale: float = 1.0
    middle: tuple[float, float] = field(default=(0.0, 0.0), metadata={"static": True})
    supersampling: int = field(default=1, metadata={"static": True})
    refinement: int = field(default=0, metadata={"static": True})
    refined: int = field(default=0, metadata={"static": True})
    centring: CentreOfLight | None = field(default=None, metadata={"static": True})
    psf: Array | None = None

    @property
    def margin(self) -> tuple[int, int]:
        """Rows and columns beyond each edge whose light the PSF brings into the image."""
        return (0, 0) if self.psf is None else (self.psf.shape[0] // 2, self.psf.shape[1] // 2)

    def points(self, *, dtype: DTypeLike = jnp.float32) -> tuple[Array, Array]:
        """x (1, n) and y (m, 1): all points of the image and its margin, `supersampling` to a pixel along each axis."""
        k = self.supersampling
        y, x = (
            axis((n + 2 * edge) * k, step=self.pixel_scale / k, origin=(edge + middle + 0.5) * self.pixel_scale, dtype=dtype)
            for n, edge, middle in zip(self.shape, self.margin, self.middle, strict=True)
        )
        return x[None, :], -y[:, None]


def instrument(
    shape: tuple[int, int],
    *,
    pixel_scale: float = 1.0,
    middle: tuple[float, float] | None = None,
    supersampling: int = 1,
    refinement: int = 0,
    refined: int | None = None,
    centring: CentreOfLight | None = None,
    psf: np.ndarray | None = None,
) -> Instrument:
    """An instrument, checked.

    Args:
        shape: rows and columns of the image.
        pixel_scale: side of a pixel in the unit of the system's lengths.
        middle: row and column of the system's origin; by default half the shape, as in `conventions`.
        supersampling: points on a side of a pixel.
        refinement: points on a side of each of the steepest pixels; 0 for none.
        refined: how many pixels these are; by default one in 25.
        centring: how the centre of light is found that is moved to `middle`; None leaves the origin there.
        psf: point spread function with odd sides; normalised to a sum of 1.

    Raises:
        BadInput: a number out of range, or a PSF that cannot be used or is larger than the image.
    """
    rows, columns = (int(n) for n in shape)
    if rows < 1 or columns < 1:
        raise BadInput(column="shape", value=f"{rows}×{columns} px", expected="one row and one column or more")
    if not (np.isfinite(pixel_scale) and pixel_scale > 0):
        raise BadInput(column="pixel_scale", value=pixel_scale, expected="a length above 0")
    if supersampling < 1:
        raise BadInput(column="supersampling", value=supersampling, expected="1 or more")
    if refinement and refinement <= supersampling:
        raise BadInput(column="refinement", value=refinement, expected=f"0, or more than the supersampling of {supersampling}")
    spread = None if psf is None else psfs.checked(psf)
    if spread is not None and (spread.shape[0] > rows or spread.shape[1] > columns):
        raise BadInput(
            f"the PSF has {spread.shape[0]}×{spread.shape[1]} px", column="psf", value=spread.shape,
            expected=f"at most the image's {rows}×{columns} px",
        )  # fmt: skip
    count = -(-rows * columns // 25) if refined is None else refined
    return Instrument(
        shape=(rows, columns),
        pixel_scale=float(pixel_scale),
        middle=(rows / 2, columns / 2) if middle is None else (float(middle[0]), float(middle[1])),
        supersampling=int(supersampling),
        refinement=int(refinement),
        refined=min(count, rows * columns) if refinement else 0,
        centring=centring,
        psf=None if spread is None else jnp.asarray(spread, jnp.result_type(float)),
    )


def places(taken: Instrument) -> tuple[np.ndarray, np.ndarray]:
    """x (W,) and y (H,) of an instrument's pixels, float64."""
    x = (np.arange(taken.shape[1]) - taken.middle[1]) * taken.pixel_scale
    return x, (taken.middle[0] - np.arange(taken.shape[0])) * taken.pixel_scale


def of_field(field: int, size: int, *, supersampling: int = 1, centring: CentreOfLight | None = None) -> Instrument:
    """The instrument of `size` pixels on a side that show the field of `field` native pixels, as `grid.pixel_points` places them.

    Raises:
        BadInput: as in `instrument`.
    """
    middle = (size + size / field - 1.0) / 2
    return instrument(
        (size, size), pixel_scale=field / size, middle=(middle, middle), supersampling=supersampling, centring=centring
    )  # fmt: skip
