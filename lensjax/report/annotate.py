"""Curves and points of a lens system, drawn into its image as CosmoSim's `getAnnotated` does.

critical curve     light blue line
caustic            orange line, a dot where it is a point; the cut of an isothermal lens is dashed
reference point    green cross at ξ
convergence ring   green line, the rim of the region in which the roulette series about ξ converges; where a scene is masked by a
                   circle that is not that rim, the circle is dashed
source             pink diagonal cross, one for each member of a constellation

Caustic and source lie in the source plane, drawn at the same scale about the same lens. The colours are Okabe and Ito's, on a dark
edge, so that colour-blind readers can distinguish them, on bright light too; shapes and dashes differ as well. A sampled lens
is drawn as the exact one.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, PathPatch
from matplotlib.path import Path
from matplotlib.patheffects import Normal, Stroke
from matplotlib.transforms import Affine2D

from lensjax.dataset import systems
from lensjax.formats.scene import Scene
from lensjax.lens import Cluster, Lens, curves
from lensjax.lens.cluster import padded
from lensjax.roulette import region

COLOURS = {
    "critical curve": (86, 180, 233),
    "caustic": (230, 159, 0),
    "reference point": (0, 158, 115),
    "convergence ring": (0, 158, 115),
    "source": (204, 121, 167),
}
"""Red, green and blue of each part, 0…255."""

PARTS = tuple(COLOURS)
"""Parts of a system that can be drawn."""

_AROUND = np.linspace(0.0, 2.0 * np.pi, 361)
_DIRECTIONS = np.stack([np.cos(_AROUND), np.sin(_AROUND)], axis=-1)
_POINT = 0.5  # px: a caustic that is nowhere wider is drawn as a dot
_EDGE = (0.0, 0.0, 0.0, 0.5)
_FAR = 1e5  # image sides: lines farther away are not drawn
_DPI = 64  # a power of two: the canvas has exactly the image's size


def scene(image: np.ndarray, scene: Scene, centre: np.ndarray, *, parts: Sequence[str] = PARTS) -> np.ndarray:
    """An image with parts of its system drawn in.

    Args:
        image: (n, n) or (n, n, 3) grey levels 0…255.
        scene: the scene of the image.
        centre: (2,) the point at the image's centre, relative to the lens [px].
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
        raise ValueError(f"the image has shape {shape}; expected (n, n) or (n, n, 3)")
    colours = np.array(np.broadcast_to(image if len(shape) == 3 else np.asarray(image)[..., None], (*shape[:2], 3)), np.float32)
    overlay = _Overlay(shape[0], centre)
    for part, draw in _DRAWERS.items():
        if part in parts:
            draw(overlay, scene)
    ink = overlay.pixels()
    opacity = ink[..., 3:] / np.float32(255.0)
    return np.where(opacity > 0, colours + opacity * (ink[..., :3] - colours), colours)


class _Overlay:
    """A transparent layer over an image, for lines through points of the image plane, relative to the lens [px]; anti-aliased."""

    def __init__(self, size: int, centre: np.ndarray) -> None:
        self._figure = Figure(figsize=(size / _DPI, size / _DPI), dpi=_DPI, frameon=False)
        self._canvas = FigureCanvasAgg(self._figure)
        self._farthest = _FAR * size
        # The overlay's pixels are areas with y up from the lower edge, the image's are points: hence the half pixels.
        self._to_overlay = Affine2D().translate(*(np.array([0.5, -0.5]) + size / 2 - np.asarray(centre, float)))
        self.width = float(np.clip(size / 300.0, 1.0, 4.0))

    def line(self, points: np.ndarray, part: str, *, dashed: bool = False) -> None:
        """A line through points (k, 2), without a seam where it is closed."""
        if not self._drawable(points):
            return
        width = 72.0 / _DPI * self.width
        line = PathPatch(
            Path(points, closed=bool(np.allclose(points[0], points[-1], rtol=0.0, atol=1e-6))),
            fill=False,
            edgecolor=_colour(part),
            linewidth=width,
            linestyle=(0.0, (5.0, 3.0)) if dashed else "solid",
            capstyle="butt" if dashed else "round",
            joinstyle="round",
            snap=False,
            path_effects=[Stroke(linewidth=2.2 * width, foreground=_EDGE), Normal()],
            transform=self._to_overlay,
        )
        self._figure.add_artist(line)

    def cross(self, point: np.ndarray, part: str, *, diagonal: bool = False) -> None:
        """A cross of two lines at a point (2,)."""
        arm = 4.0 * self.width + 1.0
        for direction in np.array([[1.0, 1.0], [1.0, -1.0]]) * np.sqrt(0.5) if diagonal else np.eye(2):
            self.line(np.stack([point - arm * direction, point + arm * direction]), part)

    def dot(self, point: np.ndarray, part: str) -> None:
        """A disc about a point (2,)."""
        if self._drawable(point):
            for colour, radius in ((_EDGE, 2.8 * self.width), (_colour(part), 2.2 * self.width)):
                disc = Circle(tuple(point), radius, facecolor=colour, linewidth=0.0, snap=False, transform=self._to_overlay)
                self._figure.add_artist(disc)

    def pixels(self) -> np.ndarray:
        """(size, size, 4) float32: red, green, blue and opacity, 0…255; row 0 is the top."""
        self._canvas.draw()
        return np.array(self._canvas.buffer_rgba(), np.float32)

    def _drawable(self, points: np.ndarray) -> bool:
        return bool(np.isfinite(points).all() and np.abs(points).max() <= self._farthest)


def _colour(part: str) -> tuple[float, float, float]:
    red, green, blue = COLOURS[part]
    return red / 255.0, green / 255.0, blue / 255.0


def _draw_critical(overlay: _Overlay, scene: Scene) -> None:
    for curve in lines_of(scene)[0]:
        overlay.line(curve, "critical curve")


def _draw_caustics(overlay: _Overlay, scene: Scene) -> None:
    _, caustics, cuts = lines_of(scene)
    for cut in cuts:
        overlay.line(cut, "caustic", dashed=True)
    for caustic in caustics:
        if np.ptp(caustic, axis=0).max() < _POINT:
            overlay.dot(caustic.mean(axis=0), "caustic")
        else:
            overlay.line(caustic, "caustic")


def _draw_reference(overlay: _Overlay, scene: Scene) -> None:
    overlay.cross(reference_point(scene), "reference point")


def _draw_ring(overlay: _Overlay, scene: Scene) -> None:
    xi, rim = reference_point(scene), convergence_rim(scene)
    overlay.line(rim, "convergence ring")
    circle = xi + np.hypot(*xi) * _DIRECTIONS
    if scene.model == "Roulette" and scene.mask and np.abs(circle - rim).max() > _POINT:
        overlay.line(circle, "convergence ring", dashed=True)


def _draw_source(overlay: _Overlay, scene: Scene) -> None:
    places = [(light.x, light.y) for light in scene.lights] if scene.source == "Constellation" else [(scene.x, scene.y)]
    for place in places:
        overlay.cross(np.array(place), "source", diagonal=True)


_DRAWERS: dict[str, Callable[[_Overlay, Scene], None]] = {
    "convergence ring": _draw_ring,
    "critical curve": _draw_critical,
    "caustic": _draw_caustics,
    "reference point": _draw_reference,
    "source": _draw_source,
}
"""In the order in which they are drawn, the last on top."""


def reference_point(scene: Scene) -> np.ndarray:
    """ξ (2,), relative to the lens [px]."""
    with jax.enable_x64(True):
        return np.asarray(_primary_image(_shared(systems.lens_of(scene)), jnp.asarray([scene.x, scene.y], jnp.float64)))


@jax.jit
def _primary_image(lens: Lens, place: Array) -> Array:
    return jnp.stack(lens.primary_image(place[0], place[1]))


def convergence_rim(scene: Scene) -> np.ndarray:
    """The rim (361, 2) of the region in which the roulette series about ξ converges, relative to the lens [px]."""
    xi = reference_point(scene)
    with jax.enable_x64(True):
        cos, sin, xi_x, xi_y = map(jnp.asarray, (*_DIRECTIONS.T, *xi))
        distance = np.asarray(region.rim(cos, sin, xi_x, xi_y, systems.lens_of(scene)))
    rim: np.ndarray = xi + distance[:, None] * _DIRECTIONS
    return rim


def lines_of(scene: Scene) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Critical curves, caustics and cuts of a scene's lens, points (k, 2) each [px]."""
    # Scenes of one lens share its lines.
    return _lines(Scene("", "", scene.lens, scene.masses, "", (), 0.0, 0.0))


@lru_cache(maxsize=256)
def _lines(bare: Scene) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    with jax.enable_x64(True):
        lens = systems.lens_of(bare)
        critical = curves.all_critical_curves(lens)
        return critical, curves.caustics(_shared(lens), critical), curves.cuts(_shared(lens))


def _shared(lens: Lens) -> Lens:
    """The lens in the form in which lenses of other numbers of members share its compiled programs."""
    return padded(lens) if isinstance(lens, Cluster) else lens
