"""The source plane: the grid of a reconstruction, and where the rays of an image's pixels meet the plane."""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.observation.instrument import Instrument
from lensjax.simulate import System, Trace, light

_RIM = 2.0
"""Pixels this close to a window's edge [px] are not read: the pixels about them may lie outside it."""


@dataclass(frozen=True)
class Grid:
    """Pixels of the source plane, about the source's centre; hashable.

    Attributes:
        size: pixels on a side.
        field: side [native px]; with `size` = `field` pixel (m/2, m/2) is the source's centre.
    """

    size: int
    field: int

    def index(self, x: Array, y: Array) -> tuple[Array, Array]:
        """(row, column), in parts, at which points of the source plane stand: the inverse of `observation.grid.pixel_points`."""
        scale = self.size / self.field
        return (self.field / 2 + 0.5 - y) * scale - 0.5, (x + self.field / 2 + 0.5) * scale - 0.5


@dataclass(frozen=True)
class Reconstruction:
    """A source as it would look without the lens.

    Attributes:
        grey: (m, m) grey levels; laid out as `Grid`; x right, y up. 0 where the image does not show it.
        mask: (m, m) whether the image shows that point of the source.
    """

    grey: np.ndarray
    mask: np.ndarray


@register
@dataclass(frozen=True)
class Rays:
    """Where the light of an image's pixels comes from; k × k points a pixel.

    Attributes:
        x, y: (n k, n k) places in the source plane, relative to the source's centre [px].
        visible: (n k, n k) whether the image shows light from there: not outside the window, nor at its rim.
        stretch: (n k, n k) length in the source plane of one image pixel, in the direction of largest stretch: 1 without a lens.
    """

    x: Array
    y: Array
    visible: Array
    stretch: Array


@register
@dataclass(frozen=True)
class _Place:
    """A source whose light at each point is the point itself, and 1 where anything is shown."""

    def light(self, x: Array, y: Array) -> Array:
        x, y = jnp.broadcast_arrays(x, y)
        return jnp.stack([x, y, jnp.ones_like(x)], axis=-1)

    def extent(self, cos: Array, sin: Array) -> Array:
        return jnp.ones(())


@partial(jax.jit, static_argnames=("trace", "split"))
def rays(system: System, centre: Array, *, instrument: Instrument, trace: Trace, split: int = 1) -> Rays:
    """The rays of an image's pixels.

    Args:
        system: the lens, and the place of the source; its light is not used.
        centre: (2,) the point at the image's centre, relative to the lens [px].
        instrument: how the image was taken; its supersampling and its PSF are not used.
        trace: how the lens equation is solved, and the window.
        split: points on a side of a pixel.
    """
    dtype = jnp.result_type(system.x)
    centre = jnp.asarray(centre, dtype)
    x, y = replace(instrument, supersampling=split, psf=None).points(dtype=dtype)
    shown, inside = light(replace(system, source=_Place()), x + centre[0], y + centre[1], trace=trace)
    beta_x, beta_y, lit = (shown[..., k] for k in range(3))
    pixel = instrument.pixel_scale
    stretch = _stretch(beta_x, beta_y, split) / pixel
    finite = jnp.isfinite(stretch) & jnp.isfinite(beta_x) & jnp.isfinite(beta_y)
    return Rays(
        x=jnp.where(finite, beta_x, 0.0),
        y=jnp.where(finite, beta_y, 0.0),
        visible=finite & (lit > 0.5) & (inside >= _RIM * jnp.maximum(1.0, pixel)),
        stretch=jnp.where(finite, stretch, jnp.inf),
    )


def _stretch(x: Array, y: Array, split: int) -> Array:
    """Largest singular value of the map's Jacobian, by differences over a pixel to either side: jumps at a lens's centre count too."""

    def derivatives(values: Array) -> tuple[Array, Array]:
        padded = jnp.pad(values, split, mode="edge")
        interior = slice(split, -split)
        return (
            0.5 * (padded[2 * split :, interior] - padded[: -2 * split, interior]),
            0.5 * (padded[interior, 2 * split :] - padded[interior, : -2 * split]),
        )

    (a, b), (c, d) = derivatives(x), derivatives(y)
    # (p + q)² is the larger eigenvalue of MᵀM; complex notation avoids the difference of squares.
    p, q = jnp.hypot(a + d, b - c), jnp.hypot(a - d, b + c)
    return 0.5 * (p + q)
