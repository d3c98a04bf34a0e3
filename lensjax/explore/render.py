"""A scene as arrays: image, source plane, roulette, and the curves on them. One compiled program for each kind of scene."""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import roulette, simulate
from lensjax._internal.fence import fenced
from lensjax.conventions import GREY_LEVELS
from lensjax.explore.outlines import Outlines, outlines_of
from lensjax.explore.state import ANY_TERMS, FIELD, Scene, system_of
from lensjax.lens import Cluster, Lens
from lensjax.light import Source
from lensjax.light.base import is_coloured
from lensjax.observation.instrument import instrument
from lensjax.roulette.expansion import expansion, expansion_change
from lensjax.simulate import System, Trace

_TAKEN = instrument((FIELD, FIELD))
_LEAST_SCALE = 1.0  # px, unit of length of an expansion


@dataclass(frozen=True)
class Frame:
    """A scene as it is shown; row 0 at the top.

    Attributes:
        exact, series: (n, n) or (n, n, 3) uint8, ray tracing, and the roulette within its region of convergence.
        source: the source plane, without the lens.
        difference: (n, n) int16 grey levels, exact − series within the region; 0 outside.
        outlines: critical curves, caustics, and the rim of the region.
        centre: the reference point ξ of the roulette [px].
    """

    exact: np.ndarray
    series: np.ndarray
    source: np.ndarray
    difference: np.ndarray
    outlines: Outlines
    centre: tuple[float, float]


def draw(scene: Scene) -> Frame:
    """A scene, rendered.

    Raises:
        BadInput: the scene cannot be rendered, see `state.check`.
    """
    return with_roulette(draw_exact(scene), scene)


def draw_exact(scene: Scene) -> Frame:
    """A scene without its roulette: `series` and `difference` are dark.

    Raises:
        BadInput: the scene cannot be rendered, see `state.check`.
    """
    system = system_of(scene)
    exact = np.asarray(_exact(system))
    source = np.asarray(_source(system.source, system.x, system.y))
    centre = np.asarray(_reference(system.lens, system.x, system.y))
    outlines = outlines_of(scene, system.lens, centre)
    nothing = np.zeros(exact.shape[:2], np.int16)
    return Frame(exact, np.zeros_like(exact), source, nothing, outlines, (float(centre[0]), float(centre[1])))


def with_roulette(frame: Frame, scene: Scene) -> Frame:
    """The frame of a scene with its roulette, whose program takes seconds to compile where a lens or an order is new."""
    series, inside = (np.asarray(part) for part in _roulette(system_of(scene), int(scene.terms)))
    difference = np.where(inside, _grey(frame.exact) - _grey(series), 0).astype(np.int16)
    return replace(frame, series=series, difference=difference)


def _grey(levels: np.ndarray) -> np.ndarray:
    """(n, n) int16; of colours the mean."""
    return (levels if levels.ndim == 2 else levels.mean(axis=-1)).astype(np.int16)


def _levels(bright: Array) -> Array:
    return jnp.clip(GREY_LEVELS * bright + 0.5, 0.0, GREY_LEVELS).astype(jnp.uint8)


@jax.jit
def _exact(system: System) -> Array:
    return _levels(simulate.image(system, _TAKEN))


@jax.jit
def _source(source: Source, x: Array, y: Array) -> Array:
    across, down = _TAKEN.points()
    return _levels(source.light(*jnp.broadcast_arrays(across - x, down - y)))


@jax.jit
def _reference(lens: Lens, x: Array, y: Array) -> Array:
    return jnp.stack(lens.primary_image(x, y))


def _roulette(system: System, terms: int) -> tuple[Array, Array]:
    """The roulette (n, n) or (n, n, 3) uint8, and the pixels (n, n) within its region."""
    found: tuple[Array, Array] = _any_order(system, jnp.int32(terms)) if terms <= ANY_TERMS else _of_order(system, terms)
    return found


@partial(jax.jit, static_argnames="terms")
def _of_order(system: System, terms: int) -> tuple[Array, Array]:
    xi = system.lens.primary_image(system.x, system.y)
    x, y = _TAKEN.points()
    inside = roulette.inside(x - xi[0], y - xi[1], *xi, system.lens) > 0
    return _levels(simulate.image(system, _TAKEN, trace=Trace("series", terms, "region"))), inside


@jax.jit
def _any_order(system: System, terms: Array) -> tuple[Array, Array]:
    """Roulettes of every order up to `ANY_TERMS`: amplitudes above it are zero."""
    xi = system.lens.primary_image(system.x, system.y)
    x, y = _TAKEN.points()
    dx, dy = jnp.broadcast_arrays(x - xi[0], y - xi[1])
    inside = roulette.inside(dx, dy, *xi, system.lens) > 0
    series = expansion(system.lens, *xi, terms=ANY_TERMS, scale=jnp.maximum(_nearest(system.lens, *xi), _LEAST_SCALE))
    kept = (jnp.arange(ANY_TERMS + 1) <= terms)[:, None]
    series = replace(series, alpha=jnp.where(kept, series.alpha, 0.0), beta=jnp.where(kept, series.beta, 0.0))
    dx, dy = jnp.where(inside, dx, 0.0), jnp.where(inside, dy, 0.0)
    ax, ay = expansion_change(series, dx, dy)
    # One complex array: of a pair XLA would compute the series again for each part of the light.
    offset = fenced(jax.lax.complex, dx - ax, dy - ay)
    bright = system.source.light(offset.real, offset.imag)
    shown = inside[..., None] if is_coloured(system.source) else inside
    return _levels(jnp.where(shown, bright, 0.0)), inside


def _nearest(lens: Lens, x: Array, y: Array) -> Array:
    """Distance of the nearest lens from (x, y) [px]."""
    if not isinstance(lens, Cluster):
        return jnp.hypot(x, y)
    return jnp.stack([jnp.hypot(x - group.x, y - group.y).min() for group in lens.groups]).min()
