"""Critical curves, caustics and cuts of any lens."""

from collections.abc import Callable
from typing import Any

import contourpy
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.lens.base import Lens, inverse_magnification
from lensjax.lens.cluster import Cluster, padded
from lensjax.lens.point_mass import PointMass
from lensjax.lens.sie import SIE
from lensjax.lens.sis import SIS

_BLOCK = 512  # points of a line that are worked on at once
_CUT = 1e-3  # px: how near to an isothermal centre its cut is taken
_GRIDS = (256, 512, 1024)  # points on a side that a search may take, so that programs are shared


def critical_curves(lens: Lens, *, half: float, points: int = 800) -> list[np.ndarray]:
    """The closed lines on which det A = 0, as float64 points (k, 2) [px].

    Contours of a grid, each point then brought onto the curve by two steps of Newton's method along the gradient.

    Args:
        lens: any lens.
        half: half the side of the square to search, about the origin [px].
        points: grid points on a side; features smaller than 2 half/points can be missed.
    """
    along = np.linspace(-half, half, points) + 1e-3 * half / points  # never at a lens's centre
    with jax.enable_x64(True):
        lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), lens)
        value = np.asarray(_determinant(lens, jnp.asarray(along)[None, :], jnp.asarray(along)[:, None]))
        # Near singular centres det A diverges; only its changes of sign matter.
        lines: Any = contourpy.contour_generator(along, along, np.clip(value, -10.0, 10.0)).lines(0.0)
        curves = []
        for line in lines:
            if len(line) < 8:
                continue
            nearer = _in_blocks(_brought_on, lens, line)
            step = np.hypot(*(nearer - line).T)
            curves.append(np.where((step < 4.0 * half / points)[:, None], nearer, line))
    return curves


def critical_ellipse(lens: SIS | SIE | PointMass, *, points: int = 360) -> np.ndarray:
    """The critical curve of a single lens (points + 1, 2) [px]: semi-axes θ_E √f along its orientation and θ_E/√f across it."""
    f, orientation = (float(lens.f), float(lens.orientation)) if isinstance(lens, SIE) else (1.0, 0.0)
    around = 2.0 * np.pi * np.arange(points + 1) / points
    u, v = float(lens.theta_e) * np.sqrt(f) * np.cos(around), float(lens.theta_e) / np.sqrt(f) * np.sin(around)
    cos, sin = np.cos(orientation), np.sin(orientation)
    return np.stack([cos * u - sin * v, sin * u + cos * v], axis=-1)


def all_critical_curves(lens: Lens) -> list[np.ndarray]:
    """All critical curves of an SIS, SIE or point mass, or of a cluster of these; none without mass.

    Those of a single lens have a closed form. For several, `critical_curves` searches as far as necessary: where det A = 0, the Hessian
    of ψ has a norm of 1 or more. At a distance s that of an SIE is θ_E/(√f s) or less, that of a point mass θ_E²/s²: beyond the s at
    which these add up to 1, from all members, nothing is critical.
    """
    if not isinstance(lens, Cluster):
        assert isinstance(lens, SIS | SIE | PointMass)
        return [critical_ellipse(lens)] if lens.theta_e > 0 else []
    groups = jax.tree.map(np.asarray, lens).groups
    members = [jax.tree.map(lambda leaf, i=i: leaf[i], group) for group in groups for i in range(len(group))]
    members = [member for member in members if member.lens.theta_e > 0]
    if len(members) < 2:
        return [critical_ellipse(member.lens) + np.array([member.x, member.y]) for member in members]
    roots = [float(np.sqrt(member.lens.f)) if isinstance(member.lens, SIE) else 1.0 for member in members]
    isothermal = sum(float(m.lens.theta_e) / root for m, root in zip(members, roots, strict=True) if not isinstance(m.lens, PointMass))
    squares = sum(float(m.lens.theta_e) ** 2 for m in members if isinstance(m.lens, PointMass))
    farthest = max(float(np.hypot(m.x, m.y)) for m in members)
    half = 1.02 * farthest + 0.51 * (isothermal + np.sqrt(isothermal**2 + 4.0 * squares))
    step = min(2.0, min(float(m.lens.theta_e) * root for m, root in zip(members, roots, strict=True)) / 3.0)
    points = next((points for points in _GRIDS if 2.0 * half <= points * step), _GRIDS[-1])
    return critical_curves(padded(lens), half=half, points=points)


def _in_blocks(function: Callable[[Lens, Array], Array], lens: Lens, points: np.ndarray) -> np.ndarray:
    """`function` of the points (k, 2), in blocks of one size, so that it is compiled once for lines of all lengths."""
    padded = np.concatenate([points, np.repeat(points[-1:], -len(points) % _BLOCK, axis=0)])
    blocks = np.split(padded, len(padded) // _BLOCK)
    return np.concatenate([np.asarray(function(lens, jnp.asarray(block))) for block in blocks])[: len(points)]


@jax.jit
def _determinant(lens: Lens, x: Array, y: Array) -> Array:
    return inverse_magnification(lens, x, y)


@jax.jit
def _brought_on(lens: Lens, points: Array) -> Array:
    def nearer(_: int, point: Array) -> Array:
        value, gradient = jax.value_and_grad(lambda p: inverse_magnification(lens, p[0], p[1]))(point)
        return jnp.asarray(point - value * gradient / jnp.maximum((gradient * gradient).sum(), 1e-20))

    on_curve: Array = jax.vmap(lambda point: jax.lax.fori_loop(0, 2, nearer, point))(points)
    return on_curve


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
        return [np.zeros(2)] if lens.theta_e > 0 else []
    places = []
    for group in lens.groups if isinstance(lens, Cluster) else ():
        if isinstance(group.lens, SIS | SIE):
            massive = np.asarray(group.lens.theta_e) > 0
            places += list(np.stack([group.x, group.y], axis=-1)[massive])
    return places


def _to_source(lens: Lens, curve: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), lens)
        return _in_blocks(_source_points, lens, np.asarray(curve, np.float64))


@jax.jit
def _source_points(lens: Lens, points: Array) -> Array:
    return points - jnp.stack(lens.deflection(points[:, 0], points[:, 1]), axis=-1)
