"""Lines on the image and on the source plane, quick enough to follow the mouse."""

from dataclasses import dataclass
from typing import Any

import contourpy
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.ndimage import map_coordinates

from lensjax.explore.state import FIELD, Scene
from lensjax.lens import SIE, SIS, Lens, PointMass, curves, inverse_magnification
from lensjax.roulette.region import rim

_POINTS = 200  # on a side of the grid that is searched for critical curves of clusters
_REACH = 0.75  # of the field: half the grid's side
_FEWEST = 8  # points of a curve; fewer are noise about a centre
_DIRECTIONS = 120


@dataclass(frozen=True)
class Outlines:
    """Lines as points (k, 2) [px].

    Attributes:
        critical: critical curves, on the image.
        caustics: the same in the source plane.
        cuts: lines in the source plane across which an image vanishes into an isothermal centre.
        region: rim of the region where the roulette converges, on the image.
    """

    critical: tuple[np.ndarray, ...]
    caustics: tuple[np.ndarray, ...]
    cuts: tuple[np.ndarray, ...]
    region: np.ndarray


def outlines_of(scene: Scene, lens: Lens, centre: np.ndarray) -> Outlines:
    """The lines of a scene's lens, about the reference point `centre` (2,) [px]."""
    region = np.asarray(_region(lens, *jnp.asarray(centre, jnp.float32)))
    if isinstance(lens, SIS | SIE | PointMass):
        critical = curves.all_critical_curves(lens)
        caustics = curves.caustics(lens, critical)
    else:
        critical, caustics = _by_contours(lens)
    isothermal = any(member.kind != "point mass" and member.theta_e > 0 for member in scene.members)
    cuts = curves.cuts(lens, points=_DIRECTIONS) if isothermal else []
    return Outlines(tuple(critical), tuple(caustics), tuple(cuts), region)


@jax.jit
def _region(lens: Lens, x: Array, y: Array) -> Array:
    around = jnp.linspace(0.0, 2.0 * jnp.pi, _DIRECTIONS + 1, dtype=x.dtype)
    cos, sin = jnp.cos(around), jnp.sin(around)
    distance = rim(cos, sin, x, y, lens)
    return jnp.stack([x + distance * cos, y + distance * sin], axis=-1)


@jax.jit
def _grid(lens: Lens, along: Array) -> Array:
    """(3, n, n): det A, and where light of each point comes from."""
    x, y = jnp.meshgrid(along, along)
    ax, ay = lens.deflection(x, y)
    return jnp.stack([inverse_magnification(lens, x, y), x - ax, y - ay])


def _by_contours(lens: Lens) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Critical curves and caustics, to a fraction of the grid's step."""
    half = _REACH * FIELD
    along = np.linspace(-half, half, _POINTS, dtype=np.float32) + np.float32(0.013)  # seldom at a lens's centre
    determinant, x, y = np.asarray(_grid(lens, jnp.asarray(along)), np.float64)
    # Near singular centres det A diverges; only its changes of sign matter.
    lines: Any = contourpy.contour_generator(along, along, np.clip(determinant, -10.0, 10.0)).lines(0.0)
    critical = [np.asarray(line) for line in lines if len(line) >= _FEWEST]
    step = (along[-1] - along[0]) / (_POINTS - 1)
    caustics = []
    for line in critical:
        at = (line[:, ::-1] - along[0]).T / step
        caustics.append(np.stack([map_coordinates(part, at, order=1, mode="nearest") for part in (x, y)], axis=-1))
    return critical, caustics
