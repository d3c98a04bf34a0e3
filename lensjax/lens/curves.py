"""Critical curves, caustics and cuts of any lens."""

from collections.abc import Callable
from typing import Any

import contourpy
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.lens.base import Lens, inverse_magnification
from lensjax.lens.cluster import Cluster
from lensjax.lens.sie import SIE
from lensjax.lens.sis import SIS

_BLOCK = 512  # points of a line that are worked on at once
_CUT = 1e-3  # px: how near to an isothermal centre its cut is taken


def critical_curves(lens: Lens, *, half: float, points: int = 800) -> list[np.ndarray]:
    """The closed lines on which det A = 0, as float64 points (k, 2) [px].

    Contours of a grid, each point then brought onto the curve by two steps of Newton's method along the gradient.

    Args:
        lens: any lens.
        half: half the side of the square about the origin that is searched [px].
        points: grid points on a side; features smaller than 2 half/points can be missed.
    """
    along = np.linspace(-half, half, points) + 1e-3 * half / points  # never at a lens's centre
    with jax.enable_x64(True):
        lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), lens)
        value = np.asarray(_determinant(lens, jnp.asarray(along)[None, :], jnp.asarray(along)[:, None]))
        # Near singular centres det A runs away; only where it changes sign matters.
        lines: Any = contourpy.contour_generator(along, along, np.clip(value, -10.0, 10.0)).lines(0.0)
        found = []
        for line in lines:
            if len(line) < 8:
                continue
            nearer = _in_blocks(_brought_on, lens, line)
            step = np.hypot(*(nearer - line).T)
            found.append(np.where((step < 4.0 * half / points)[:, None], nearer, line))
    return found


def _in_blocks(function: Callable[[Lens, Array], Array], lens: Lens, points: np.ndarray) -> np.ndarray:
    """`function` of the points (k, 2), so many at a time that it is compiled once for lines of all lengths."""
    padded = np.concatenate([points, np.repeat(points[-1:], -len(points) % _BLOCK, axis=0)])
    blocks = np.split(padded, len(padded) // _BLOCK)
    return np.concatenate([np.asarray(function(lens, jnp.asarray(block))) for block in blocks])[: len(points)]


@jax.jit
def _determinant(lens: Lens, x: Array, y: Array) -> Array:
    return inverse_magnification(lens, x, y)


@jax.jit
def _brought_on(lens: Lens, points: Array) -> Array:
    def one(point: Array) -> Array:
        for _ in range(2):
            value, slope = jax.value_and_grad(lambda p: inverse_magnification(lens, p[0], p[1]))(point)
            point = point - value * slope / jnp.maximum((slope * slope).sum(), 1e-20)
        return point

    return jax.vmap(one)(points)


def caustics(lens: Lens, critical: list[np.ndarray]) -> list[np.ndarray]:
    """The critical curves in the source plane, (k, 2) each."""
    return [_to_source(lens, curve) for curve in critical]


def cuts(lens: Lens, *, points: int = 400) -> list[np.ndarray]:
    """The lines in the source plane across which an image appears at, or vanishes into, the centre of an isothermal lens."""
    around = 2.0 * np.pi * np.arange(points + 1) / points
    circle = _CUT * np.stack([np.cos(around), np.sin(around)], axis=-1)
    return [_to_source(lens, circle + centre) for centre in _isothermal_centres(lens)]


def _isothermal_centres(lens: Lens) -> list[np.ndarray]:
    if isinstance(lens, SIS | SIE):
        return [np.zeros(2)]
    if isinstance(lens, Cluster):
        groups = [group for group in lens.groups if isinstance(group.lens, SIS | SIE)]
        return [np.array([x, y]) for group in groups for x, y in zip(np.asarray(group.x), np.asarray(group.y), strict=True)]
    return []


def _to_source(lens: Lens, curve: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), lens)
        return _in_blocks(_source_points, lens, np.asarray(curve, np.float64))


@jax.jit
def _source_points(lens: Lens, points: Array) -> Array:
    return points - jnp.stack(lens.deflection(points[:, 0], points[:, 1]), axis=-1)
