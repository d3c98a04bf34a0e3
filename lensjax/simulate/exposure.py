"""The light of a system through an instrument: pixels, supersampling, and the PSF."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from lensjax._internal.fence import apart
from lensjax.observation.grid import block_mean
from lensjax.observation.instrument import Instrument
from lensjax.observation.psf import convolve

Brightness = Callable[[Array, Array], Array]
"""Points x, y that broadcast against each other → surface brightness there, with any leading axes."""


def exposure(brightness: Brightness, instrument: Instrument, *, dtype: jnp.dtype | type = jnp.float32) -> Array:
    """The image (..., H, W) of a surface brightness: its mean over each pixel's points, convolved with the PSF.

    Where the instrument refines, the pixels that differ most from their neighbours are sampled again, more finely; which these are has no
    derivative, their values have.

    Args:
        brightness: the light at points, as in the sky, about the instrument's `middle`.
        instrument: how the image is taken.
        dtype: of the image.
    """
    x, y = instrument.points(dtype=dtype)
    fine = brightness(x, y)
    fine = jnp.broadcast_to(fine, (*fine.shape[:-2], y.shape[0], x.shape[1]))
    image = fine if instrument.supersampling == 1 else block_mean(apart(fine), instrument.supersampling)
    if instrument.refinement:
        image = _refined(brightness, instrument, image, dtype=dtype)
    return image if instrument.psf is None else convolve(image, instrument.psf)


def _refined(brightness: Brightness, instrument: Instrument, image: Array, *, dtype: jnp.dtype | type) -> Array:
    """The image with its steepest pixels sampled `refinement`² times; of several images those steepest in their sum."""
    still = jax.lax.stop_gradient(image)
    still = still.sum(axis=tuple(range(still.ndim - 2)))
    level = jnp.pad(still, 1, mode="edge")
    steep = jnp.abs(jnp.stack([level[1:-1, 1:-1] - level[i : i + still.shape[0], j : j + still.shape[1]] for i, j in _NEIGHBOURS])).max(
        axis=0
    )
    _, chosen = jax.lax.top_k(steep.reshape(-1), instrument.refined)
    row, column = chosen // image.shape[-1], chosen % image.shape[-1]
    k = instrument.refinement
    inner = (jnp.arange(k, dtype=dtype) + 0.5) / k - 0.5
    scale = jnp.asarray(instrument.pixel_scale, dtype)
    down = (row.astype(dtype) - jnp.asarray(instrument.margin[0] + instrument.middle[0], dtype))[:, None, None] + inner[None, :, None]
    across = (column.astype(dtype) - jnp.asarray(instrument.margin[1] + instrument.middle[1], dtype))[:, None, None] + inner[None, None, :]
    x, y = jnp.broadcast_arrays(across * scale, -down * scale)
    flat = image.reshape(*image.shape[:-2], -1)
    return flat.at[..., chosen].set(brightness(x, y).mean(axis=(-2, -1))).reshape(image.shape)


_NEIGHBOURS = ((0, 1), (1, 0), (1, 2), (2, 1))
