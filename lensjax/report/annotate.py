"""Curves and points of a lens system, drawn into its image as CosmoSim's `getAnnotated` does.

critical curve     light blue line
caustic            orange line, a dot where it is a point; the cut of an isothermal lens is dashed
reference point    green cross at ξ
convergence ring   green line, the rim of the region in which the roulette series about ξ converges; where a scene is masked by a
                   circle that is not that rim, the circle is dashed
source             pink diagonal cross, one for each member of a constellation

Caustic and source lie in the source plane, drawn at the same scale about the same lens. The colours are Okabe and Ito's, on a dark
edge, so that they can be told apart by colour-blind readers and on bright light; shapes and dashes differ besides. A sampled lens
is drawn as the lens that was sampled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from lensjax._internal.tree import register
from lensjax.dataset import systems
from lensjax.formats.scene import Mass, Scene
from lensjax.lens import base, curves, point_mass, sie

PARTS = ("critical curve", "caustic", "reference point", "convergence ring", "source")
"""What can be drawn."""

COLOURS = {
    "critical curve": (86, 180, 233),
    "caustic": (230, 159, 0),
    "reference point": (0, 158, 115),
    "convergence ring": (0, 158, 115),
    "source": (204, 121, 167),
}
"""Red, green and blue of each part, 0…255."""

_AROUND = np.linspace(0.0, 2.0 * np.pi, 361)
_CIRCLE = np.stack([np.cos(_AROUND), np.sin(_AROUND)], axis=-1)
_CORE = 1e-3  # px: how near to an isothermal centre its cut is taken
_BLOCK = 512  # points of a curve that are taken to the source plane at once: whatever its length, one compiled program
_GRIDS = (256, 512, 1024)
_POINT = 0.5  # px: a caustic that is nowhere wider is drawn as a dot
_EDGE = (0.0, 0.0, 0.0, 0.5)
_FAR = 1e5  # image sides: what lies farther away is left out


@register
@dataclass(frozen=True)
class _Sum:
    """A cluster as one table, each row both an SIE (an SIS has f = 1) and a point mass, one of them without mass; rows without any
    fill it up. So clusters of any kinds, and of as good as any number of members, share compiled programs.

    Attributes:
        members: (n, 6) θ_E as an SIE, f, orientation [rad], θ_E as a point mass, x, y.
    """

    members: Array

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        def one(row: Array) -> tuple[Array, Array]:
            dx, dy = x - row[4], y - row[5]
            ax, ay = sie.deflection(dx, dy, row[0], row[1], row[2])
            bx, by = point_mass.deflection(dx, dy, row[3])
            return ax + bx, ay + by

        ax, ay = jax.vmap(one)(self.members)
        return ax.sum(axis=0), ay.sum(axis=0)

    def potential(self, x: Array, y: Array) -> Array:
        def one(row: Array) -> Array:
            dx, dy = x - row[4], y - row[5]
            return sie.potential(dx, dy, row[0], row[1], row[2]) + point_mass.potential(dx, dy, row[3])

        return jax.vmap(one)(self.members).sum(axis=0)

    def convergence(self, x: Array, y: Array) -> Array:
        return jax.vmap(lambda row: sie.convergence(x - row[4], y - row[5], row[0], row[1], row[2]))(self.members).sum(axis=0)

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return base.fixed_point_image(self, x, y)


def scene(image: np.ndarray, scene: Scene, centre: np.ndarray, *, parts: Sequence[str] = PARTS) -> np.ndarray:
    """An image with parts of its system drawn in.

    Args:
        image: (n, n) or (n, n, 3) grey levels 0…255.
        scene: what the image is of.
        centre: (2,) where the middle of the image lies, seen from the lens [px].
        parts: some of `PARTS`.

    Returns:
        (n, n, 3) float32 grey levels; where nothing is drawn, the image's own.

    Raises:
        ValueError: an unknown part, or an image of another shape.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ValueError(f"part is {unknown[0]!r}; known: {', '.join(PARTS)}")
    shape = np.shape(image)
    if shape[:1] != shape[1:2] or shape[2:] not in ((), (3,)):
        raise ValueError(f"the image has shape {shape}; (n, n) or (n, n, 3) is asked for")
    picture = np.array(np.broadcast_to(image if len(shape) == 3 else np.asarray(image)[..., None], (*shape[:2], 3)), np.float32)
    pen = _Pen(shape[0], centre)
    for part, draw in _DRAWERS.items():
        if part in parts:
            draw(pen, scene)
    ink = pen.drawn()
    share = ink[..., 3:] / np.float32(255.0)
    return np.where(share > 0, picture + share * (ink[..., :3] - picture), picture)


class _Pen:
    """Draws lines through points of the image plane, seen from the lens [px], on a transparent sheet; anti-aliased."""

    def __init__(self, size: int, centre: np.ndarray):
        self._renderer = RendererAgg(size, size, 72)
        self._size = size
        # The sheet's pixels are areas with y up from the lower edge, the image's are points: hence the half pixels.
        self._origin = np.array([0.5, -0.5]) + size / 2 - np.asarray(centre, float)
        self.width = float(np.clip(size / 300.0, 1.0, 4.0))

    def line(self, points: np.ndarray, part: str, *, dashed: bool = False) -> None:
        """A line through points (k, 2), without a seam where it comes back to its beginning."""
        on_sheet = np.asarray(points, float) + self._origin
        if not np.isfinite(on_sheet).all() or np.abs(on_sheet).max() > _FAR * self._size:
            return
        path = Path(on_sheet, closed=bool(np.allclose(points[0], points[-1], rtol=0.0, atol=1e-6)))
        for colour, width in ((_EDGE, 2.2 * self.width), (_unit(COLOURS[part]), self.width)):
            style = self._renderer.new_gc()
            style.set_snap(False)
            style.set_foreground(colour, isRGBA=True)
            style.set_linewidth(width)
            style.set_joinstyle("round")
            style.set_capstyle("butt" if dashed else "round")
            if dashed:
                style.set_dashes(0.0, [5.0 * self.width, 3.0 * self.width])
            self._renderer.draw_path(style, path, IdentityTransform())

    def cross(self, point: np.ndarray, part: str, *, diagonal: bool = False) -> None:
        """A cross of two lines at a point (2,)."""
        arm = 4.0 * self.width + 1.0
        for direction in np.array([[1.0, 1.0], [1.0, -1.0]]) * np.sqrt(0.5) if diagonal else np.eye(2):
            self.line(np.stack([point - arm * direction, point + arm * direction]), part)

    def dot(self, point: np.ndarray, part: str) -> None:
        """A disc about a point (2,)."""
        on_sheet = np.asarray(point, float) + self._origin
        if not np.isfinite(on_sheet).all() or np.abs(on_sheet).max() > _FAR * self._size:
            return
        for colour, radius in ((_EDGE, 2.8 * self.width), (_unit(COLOURS[part]), 2.2 * self.width)):
            style = self._renderer.new_gc()
            style.set_snap(False)
            style.set_linewidth(0.0)
            path = Path(on_sheet + radius * _CIRCLE, closed=True)
            self._renderer.draw_path(style, path, IdentityTransform(), rgbFace=colour)

    def drawn(self) -> np.ndarray:
        """(size, size, 4) float32: red, green, blue and opacity, 0…255; row 0 is the top."""
        return np.asarray(self._renderer.buffer_rgba(), np.float32)


def _unit(colour: tuple[int, int, int]) -> tuple[float, float, float, float]:
    return colour[0] / 255.0, colour[1] / 255.0, colour[2] / 255.0, 1.0


def _draw_critical(pen: _Pen, scene: Scene) -> None:
    for curve in _curves(scene.masses)[0]:
        pen.line(curve, "critical curve")


def _draw_caustics(pen: _Pen, scene: Scene) -> None:
    _, caustics, cuts = _curves(scene.masses)
    for cut in cuts:
        pen.line(cut, "caustic", dashed=True)
    for caustic in caustics:
        if np.ptp(caustic, axis=0).max() < _POINT:
            pen.dot(caustic.mean(axis=0), "caustic")
        else:
            pen.line(caustic, "caustic")


def _draw_reference(pen: _Pen, scene: Scene) -> None:
    pen.cross(reference_point(scene), "reference point")


def _draw_ring(pen: _Pen, scene: Scene) -> None:
    xi = reference_point(scene)
    rim = convergence_rim(scene)
    pen.line(rim, "convergence ring")
    circle = xi + np.hypot(*xi) * _CIRCLE
    if scene.model == "Roulette" and scene.mask and np.abs(circle - rim).max() > _POINT:
        pen.line(circle, "convergence ring", dashed=True)


def _draw_source(pen: _Pen, scene: Scene) -> None:
    places = [(light.x, light.y) for light in scene.lights] if scene.source == "Constellation" else [(scene.x, scene.y)]
    for place in places:
        pen.cross(np.array(place), "source", diagonal=True)


_DRAWERS: dict[str, Callable[[_Pen, Scene], None]] = {
    "convergence ring": _draw_ring,
    "critical curve": _draw_critical,
    "caustic": _draw_caustics,
    "reference point": _draw_reference,
    "source": _draw_source,
}
"""In the order in which they are drawn, the last on top."""


def reference_point(scene: Scene) -> np.ndarray:
    """ξ (2,), seen from the lens [px]."""
    with jax.enable_x64(True):
        place = jnp.asarray([scene.x, scene.y], jnp.float64)
        if scene.lens == "Cluster":
            return np.asarray(_primary_image(_Sum(jnp.asarray(_table(scene.masses))), place))
        return np.asarray(_primary_image(systems.lens_of(scene), place))


@jax.jit
def _primary_image(lens: base.Lens, place: Array) -> Array:
    return jnp.stack(lens.primary_image(place[0], place[1]))


def convergence_rim(scene: Scene) -> np.ndarray:
    """The rim (361, 2) of the region in which the roulette series about ξ converges, seen from the lens [px].

    In the direction d it lies at the smallest of |ξ| and, of an SIE, ω(ξ)/ω(d) over all members, ξ seen from each of them; see
    `lensjax.roulette.region`.
    """
    xi = reference_point(scene)
    reach = np.full(len(_CIRCLE), np.inf)
    for mass in scene.masses:
        seen = xi - (np.array([mass.x, mass.y]) if scene.lens == "Cluster" else 0.0)
        reach = np.minimum(reach, np.hypot(*seen))
        if mass.kind == "SIE":
            turn = np.deg2rad(mass.orientation)
            axes = np.array([[np.cos(turn), np.sin(turn)], [-mass.ellipseratio * np.sin(turn), mass.ellipseratio * np.cos(turn)]])
            reach = np.minimum(reach, np.hypot(*axes @ seen) / np.hypot(*axes @ _CIRCLE.T))
    return xi + reach[:, None] * _CIRCLE


_Curves = tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]


@lru_cache(maxsize=256)
def _curves(masses: tuple[Mass, ...]) -> _Curves:
    """Critical curves, caustics and cuts of a lens, points (k, 2) each [px]."""
    masses = tuple(mass for mass in masses if mass.einsteinradius > 0)
    if not masses:
        return [], [], []
    with jax.enable_x64(True):
        lens = _Sum(jnp.asarray(_table(masses)))
        if len(masses) == 1:
            critical = [_ellipse(masses[0])]
        else:
            half, points = _search(masses)
            critical = curves.critical_curves(lens, half=half, points=points)
        cores = [np.array([mass.x, mass.y]) + _CORE * _CIRCLE for mass in masses if mass.kind != "PM"]
        return critical, [_to_source(lens, curve) for curve in critical], [_to_source(lens, core) for core in cores]


def _ellipse(mass: Mass) -> np.ndarray:
    """The critical curve of a single lens: semi-axes θ_E √f along its orientation and θ_E/√f across it."""
    f = mass.ellipseratio if mass.kind == "SIE" else 1.0
    turn = np.deg2rad(mass.orientation)
    u, v = mass.einsteinradius * np.array([[np.sqrt(f)], [1.0 / np.sqrt(f)]]) * _CIRCLE.T
    return np.stack([mass.x + np.cos(turn) * u - np.sin(turn) * v, mass.y + np.sin(turn) * u + np.cos(turn) * v], axis=-1)


def _table(masses: Sequence[Mass]) -> np.ndarray:
    """The members of a `_Sum`: those given, and as many without mass as make a power of two of them, eight or more."""
    rows = np.zeros((max(8, 1 << (len(masses) - 1).bit_length()) if len(masses) > 1 else 1, 6))
    rows[:, 1] = 1.0
    for row, mass in zip(rows, masses, strict=False):
        f = mass.ellipseratio if mass.kind == "SIE" else 1.0
        isothermal, point = (0.0, mass.einsteinradius) if mass.kind == "PM" else (mass.einsteinradius, 0.0)
        row[:] = isothermal, f, np.deg2rad(mass.orientation), point, mass.x, mass.y
    return rows


def _search(masses: Sequence[Mass]) -> tuple[float, int]:
    """(half the side [px] of a square about the lens that holds all critical curves, grid points on a side to find them with).

    Where det A = 0 the Hessian of ψ has a norm of 1 or more. At a distance s that of an SIE is θ_E/(√f s) or less, that of a point
    mass θ_E²/s²: beyond the s at which these add up to 1, from all members, nothing is critical.
    """
    first = sum(m.einsteinradius / np.sqrt(m.ellipseratio if m.kind == "SIE" else 1.0) for m in masses if m.kind != "PM")
    second = sum(m.einsteinradius**2 for m in masses if m.kind == "PM")
    half = 1.02 * max(np.hypot(m.x, m.y) for m in masses) + 0.51 * (first + np.sqrt(first**2 + 4.0 * second))
    smallest = min(m.einsteinradius * np.sqrt(m.ellipseratio if m.kind == "SIE" else 1.0) for m in masses)
    step = min(2.0, smallest / 3.0)
    return float(half), next((points for points in _GRIDS if 2.0 * half <= points * step), _GRIDS[-1])


def _to_source(lens: base.Lens, curve: np.ndarray) -> np.ndarray:
    padded = np.concatenate([curve, np.repeat(curve[-1:], -len(curve) % _BLOCK, axis=0)])
    blocks = [np.asarray(_source_points(lens, block)) for block in np.split(padded, len(padded) // _BLOCK)]
    return np.concatenate(blocks)[: len(curve)]


@jax.jit
def _source_points(lens: base.Lens, points: Array) -> Array:
    return points - jnp.stack(lens.deflection(points[:, 0], points[:, 1]), axis=-1)
