"""The lensing operator L: the source on a grid to the image that a detector records, and back."""

import math
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.errors import BadInput
from lensjax.observation.grid import block_mean
from lensjax.observation.instrument import Instrument
from lensjax.reconstruct.grid import Grid, Rays, rays
from lensjax.simulate import System, Trace

_STEEPEST = 4.0
"""Pixels spread over more source pixels than this, near a lens's centre, are not used: they only show errors of the lens."""

_LEAST = 0.3
"""The image shows a point of the grid where the density of rays is this fraction of that without a lens."""


@register
@dataclass(frozen=True)
class Lensing:
    """The operator L from a source (m, m) to an image (n, n); build it by `lensing`.

    Attributes:
        corner: (2, n k, n k) row and column of the grid's point next to each ray, above it and to its left.
        part: (2, n k, n k) how far on from there the ray is, 0…1, in rows and columns.
        used: (n, n) 1 for pixels that the model explains; 0 for dark ones, at a window's rim, or from elsewhere in the source plane.
        lands: (n k, n k) 1 for rays that meet the grid, 0 for the rest.
        active: (m, m) 1 for the points on which the used pixels depend, and those between; elsewhere the source is 0.
        mask: (m, m) whether the rays are dense enough that the image, not the penalty, determines a point.
        psf: (q, q) point spread function, of sum 1, or None; q is odd.
    """

    corner: Array
    part: Array
    used: Array
    lands: Array
    active: Array
    mask: Array
    psf: Array | None


def lensing(
    system: System,
    *,
    centre: np.ndarray,
    instrument: Instrument,
    trace: Trace,
    grid: Grid,
    psf: np.ndarray | None = None,
    usable: np.ndarray | None = None,
) -> Lensing:
    """The operator of a lens.

    Args:
        system: the lens and the place of the source.
        centre: (2,) the point at the image's centre, relative to the lens [px].
        instrument: how the image was taken; a pixel's light is the mean over `supersampling` × `supersampling` rays.
        trace: how the lens equation is solved, and the window.
        grid: the source's points.
        psf: (q, q) point spread function in image pixels, q odd; light from beyond the grid is not modelled.
        usable: (n, n) bool, pixels that may be used.

    Raises:
        BadInput: a point spread function of another shape, or without a positive sum.
    """
    dtype = jnp.result_type(system.x)
    blur = None if psf is None else jnp.asarray(_checked(psf), dtype)
    traced = rays(system, jnp.asarray(centre, dtype), instrument=instrument, trace=trace, split=instrument.supersampling)
    mask = jnp.ones((), bool) if usable is None else jnp.asarray(usable)
    operator: Lensing = _lensing(traced, mask, blur, grid, instrument.supersampling, instrument.pixel_scale)
    return operator


def _checked(values: np.ndarray) -> np.ndarray:
    psf: np.ndarray = np.asarray(values, np.float64)
    if psf.ndim != 2 or psf.shape[0] != psf.shape[1] or psf.shape[0] % 2 == 0:
        raise BadInput(f"the point spread function has the shape {psf.shape}", value=psf.shape, expected="a square of odd side")
    if not (np.isfinite(psf).all() and psf.sum() > 0):
        raise BadInput("the point spread function has no positive finite sum", expected="finite values with a positive sum")
    psf = psf / psf.sum()
    return psf


@partial(jax.jit, static_argnames=("grid", "split", "pixel"))
def _lensing(traced: Rays, usable: Array, psf: Array | None, grid: Grid, split: int, pixel: float) -> Lensing:
    dtype = traced.x.dtype
    place = jnp.stack(grid.index(traced.x, traced.y))
    lands = traced.visible & ((place >= 0) & (place <= grid.size - 1)).all(0)
    corner = jnp.clip(jnp.floor(place), 0, grid.size - 2)
    covered = block_mean((lands & (traced.stretch < _STEEPEST)).astype(dtype), split) > 1.0 - 0.5 / split**2
    everywhere = jnp.ones((grid.size, grid.size), dtype)
    operator = Lensing(
        corner=corner.astype(jnp.int32),
        part=jnp.clip(place - corner, 0.0, 1.0),
        used=(covered & usable).astype(dtype),
        lands=lands.astype(dtype),
        active=everywhere,
        mask=everywhere > 0,
        psf=psf,
    )
    # On a fine grid there are points between those that rays meet.
    weight = transpose(operator, jnp.ones_like(operator.used))
    spacing = pixel * grid.size / grid.field
    window = 2 * math.ceil(spacing) + 1
    total = jax.lax.reduce_window(weight, jnp.zeros((), dtype), jax.lax.add, (window, window), (1, 1), "SAME")
    return replace(operator, active=(total > 1e-6).astype(dtype), mask=total > _LEAST * (window / spacing) ** 2)


def forward(operator: Lensing, source: Array) -> Array:
    """L s: (m, m) → (n, n)."""
    (i, j), (v, u) = operator.corner, operator.part
    s = source * operator.active
    upper = (1.0 - u) * s[i, j] + u * s[i, j + 1]
    lower = (1.0 - u) * s[i + 1, j] + u * s[i + 1, j + 1]
    bright = operator.lands * ((1.0 - v) * upper + v * lower)
    bright = block_mean(bright, bright.shape[0] // operator.used.shape[0])
    if operator.psf is not None:
        bright = jax.scipy.signal.convolve2d(bright, operator.psf, mode="same")
    return operator.used * bright


def transpose(operator: Lensing, image: Array) -> Array:
    """Lᵀ d: (n, n) → (m, m)."""
    source: Array = jax.linear_transpose(partial(forward, operator), jnp.zeros_like(operator.active))(image)[0]
    return source
