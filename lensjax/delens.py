"""An image and its lens to the undistorted source, read from the image itself."""

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.ndimage import map_coordinates

from lensjax.image.grid import pixel_points
from lensjax.simulate import System, light

_RIM = 2.0
"""Pixels this close [px] to a window's edge are not read: the pixels about them may lie outside it."""


@dataclass(frozen=True)
class Source:
    """A source as it would be seen without the lens.

    Attributes:
        grey: (m, m) grey levels; the middle pixel, (m/2, m/2), is the source's centre; x right, y up. 0 where not seen.
        seen: (m, m) whether the image shows that point of the source.
    """

    grey: np.ndarray
    seen: np.ndarray


def half_width(sigma: float, sigma2: float) -> int:
    """Half the side [px] of a picture of a Gaussian source: four of the longer standard deviation."""
    return max(8, math.ceil(4.0 * max(sigma, sigma2)))


def undistorted(
    image: np.ndarray, system: System, *, shift: np.ndarray, field: int, method: str, half: int
) -> Source:
    """The source, each point β of it sampled (bilinear) where its primary image lies.

    No light model is used: of `system`, the lens and the place of the source alone. A point is not seen where its primary image
    lies outside the frame, or outside the convergence ring that `method` leaves dark.

    Args:
        image: (n, n) grey levels.
        system: lens and source.
        shift: (2,) the place seen from the lens that stands at the image's centre [px].
        field: side of the image [native px].
        method: how the image was made, see `simulate`.
        half: half the side of the result [native px]; its pixels are native ones.
    """
    dtype = jnp.result_type(system.x)
    grey, seen = _sample(jnp.asarray(image, dtype), system, jnp.asarray(shift, dtype), field, method, half)
    return Source(grey=np.asarray(grey), seen=np.asarray(seen))


@partial(jax.jit, static_argnames=("field", "method", "half"))
def _sample(
    image: Array, system: System, shift: Array, field: int, method: str, half: int
) -> tuple[Array, Array]:
    n = image.shape[0]
    x, y = pixel_points(2 * half, 2 * half, dtype=image.dtype)
    x, y = jnp.broadcast_arrays(x + system.x, y + system.y)
    nu_x, nu_y = system.lens.primary_image(x, y)
    # The inverse of `image.grid.axis`: the pixel, in parts, at which a point stands.
    column = (nu_x - shift[0] + 0.5 + field / 2) * n / field - 0.5
    row = (0.5 + field / 2 - (nu_y - shift[1])) * n / field - 0.5
    framed = (row >= 0) & (row <= n - 1) & (column >= 0) & (column <= n - 1)
    _, inside = light(system, nu_x, nu_y, method="raytrace" if method == "raytrace" else "ring")
    seen = framed & (inside >= _RIM)
    grey = map_coordinates(image, [row, column], order=1, mode="nearest")
    return jnp.where(seen, grey, 0.0), seen
