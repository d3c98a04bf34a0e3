"""An observation: data, noise, mask and instrument, which go together."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.errors import BadInput
from lensjax.observation.instrument import Instrument, instrument
from lensjax.observation.noise import GaussianNoise, Noise, checked_level, usable


@register
@dataclass(frozen=True)
class Observed:
    """What was seen; build it by `observe`, which checks.

    Attributes:
        data: (H, W) in any unit of surface brightness; 0 where the mask is False.
        mask: (H, W) True where a pixel is used.
        noise: its noise model.
        instrument: how it was taken.
        nuisance: (K, H, W) light by which the data may differ from any model, such as that of a lens galaxy about its best fit: each layer
            with an amplitude whose prior is normal, of standard deviation 1. Fits marginalise over them. None for none.
    """

    data: Array
    mask: Array
    noise: Noise
    instrument: Instrument
    nuisance: Array | None = None


def observe(
    data: np.ndarray,
    noise: Noise | np.ndarray | float,
    *,
    mask: np.ndarray | None = None,
    taken_by: Instrument | None = None,
    psf: np.ndarray | None = None,
    pixel_scale: float = 1.0,
    supersampling: int = 1,
) -> Observed:
    """An observation, checked: pixels that are not finite, or whose noise is not a number above 0, are masked.

    Args:
        data: (H, W).
        noise: a noise model, or the standard deviation of white noise, a number or (H, W).
        mask: (H, W), True where a pixel is used; by default all.
        taken_by: the instrument; by default one of the data's shape with the options below.
        psf, pixel_scale, supersampling: as in `instrument`.

    Raises:
        BadInput: shapes that do not go together, noise or a PSF that cannot be used, or no pixel left.
    """
    values = np.asarray(data, np.float64)
    if values.ndim != 2:
        raise BadInput(column="image", value=f"an array of shape {values.shape}", expected="an array of two dimensions")
    size = f"{values.shape[0]}×{values.shape[1]} px"
    used = np.isfinite(values)
    if mask is not None:
        if np.shape(mask) != values.shape:
            raise BadInput(column="mask", value=" × ".join(map(str, np.shape(mask))) + " px", expected=f"the image's {size}")
        used &= np.asarray(mask, bool)
    if isinstance(noise, int | float | np.ndarray | np.generic):
        level = checked_level(noise)
        if level.ndim == 2:
            if level.shape != values.shape:
                raise BadInput(column="noise", value=f"{level.shape[0]}×{level.shape[1]} px", expected=f"the image's {size}")
            used &= usable(level)
            level = np.where(usable(level), level, 1.0)
        noise = GaussianNoise(jnp.asarray(level, jnp.result_type(float)))
    if taken_by is None:
        taken_by = instrument(
            (values.shape[0], values.shape[1]), pixel_scale=pixel_scale, supersampling=supersampling, psf=psf
        )  # fmt: skip
    elif taken_by.shape != values.shape:
        raise BadInput(column="instrument", value=f"{taken_by.shape[0]}×{taken_by.shape[1]} px", expected=f"the image's {size}")
    if not used.any():
        raise BadInput("no pixel can be used: all are masked or not finite", column="image")
    dtype = jnp.result_type(float)
    return Observed(jnp.asarray(np.where(used, values, 0.0), dtype), jnp.asarray(used), noise, taken_by)


def quick_rows(observed: Observed) -> Observed:
    """The same with one more column, which is masked, where rows have a power of two of pixels and no PSF follows.

    XLA writes loops for CPUs that take derivatives of such images five times slower than those for others.
    """
    rows, columns = observed.instrument.shape
    if columns & (columns - 1) or observed.instrument.psf is not None:
        return observed

    def padded(leaf: Array) -> Array:
        own = jnp.shape(leaf)[-2:] == (rows, columns)
        return jnp.pad(leaf, [(0, 0)] * (leaf.ndim - 1) + [(0, 1)], mode="edge") if own else leaf

    wide: Observed = jax.tree.map(padded, observed)
    taken = replace(observed.instrument, shape=(rows, columns + 1))
    return replace(wide, mask=wide.mask.at[:, -1].set(False), instrument=taken)
