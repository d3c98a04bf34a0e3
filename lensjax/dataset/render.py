"""Scenes, as files describe them, to images and amplitudes.

Scenes whose systems have the same tree and whose instruments are equal are rendered together: they differ in numbers only.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from lensjax import roulette, simulate
from lensjax.conventions import GREY_LEVELS
from lensjax.dataset import systems
from lensjax.formats.scene import Scene
from lensjax.lens import Lens
from lensjax.light import Picture
from lensjax.observation.instrument import Instrument
from lensjax.simulate import System, Trace, lattice
from lensjax.simulate.chunks import SCENES

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Rendered:
    """One image.

    Attributes:
        index: index of the scene.
        image: (n, n) or (n, n, 3) grey levels; those of lookup "cosmosim" are whole numbers.
        centre: (2,) the point at the image's centre, relative to the lens [px].
    """

    index: int
    image: np.ndarray
    centre: np.ndarray


@dataclass(frozen=True)
class Amplitudes:
    """The roulettes of one image.

    Attributes:
        index: index of the scene.
        xi: (2,) the reference point, relative to the lens [px].
        offset: (2,) where in the source plane its light comes from, relative to the source's centre [px].
        alpha, beta: (terms + 1, terms + 2), entry [m, s].
    """

    index: int
    xi: np.ndarray
    offset: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray


def render(scenes: Sequence[Scene], *, lookup: str = "exact", only: Collection[int] | None = None) -> Iterator[Rendered]:
    """The images of all scenes, group by group, in float32; "cosmosim" and sampled lenses in float64.

    Args:
        scenes: N scenes.
        lookup: one of `systems.LOOKUPS`.
        only: indices of the scenes to render; all by default. Their pixels do not depend on it.

    Raises:
        ValueError: another lookup than `systems.LOOKUPS`.
        BadInput: a picture that cannot be read.
    """
    if lookup not in systems.LOOKUPS:
        raise ValueError(f"lookup is {lookup!r}; known: {', '.join(systems.LOOKUPS)}")
    structures: dict[Hashable, Hashable] = {}

    def kind_of(scene: Scene) -> Hashable:
        kinds = (scene.lens, *(mass.kind for mass in scene.masses), scene.source, *(light.kind for light in scene.lights))
        if kinds not in structures:
            structures[kinds] = jax.tree.structure(_exact(scene, lookup))
        pictures = tuple(light.picture for light in scene.lights if light.kind == "Image")
        taken = scene.imagesize, systems.instrument_of(scene), systems.trace_of(scene)
        return structures[kinds], pictures, scene.sampled, scene.double, taken

    for members in _groups(scenes, kind_of):
        first = scenes[members[0]]
        double = lookup == "cosmosim" or first.sampled or first.double
        remaining = members if only is None else [i for i in members if i in only]
        for chunk in _chunks(remaining):
            padded = _padded(chunk) if len(members) > 1 else chunk
            parts = [_without_pictures(_exact(scenes[i], lookup)) for i in padded]
            stacked = _stacked([numbers for numbers, _ in parts], np.float64 if double else np.float32)
            with jax.enable_x64(True) if double else nullcontext():
                result = _images(
                    stacked, parts[0][1], systems.instrument_of(first), systems.trace_of(first), lookup, first.imagesize, first.sampled,
                )  # fmt: skip
                images, centres = (np.asarray(a) for a in result)
            for k, i in enumerate(chunk):
                yield Rendered(i, images[k], centres[k])


def _exact(scene: Scene, lookup: str) -> System:
    """The scene's system, its lens not sampled yet."""
    return systems.system_of(replace(scene, sampled=False), lookup=lookup)


def _groups(scenes: Sequence[Scene], kind_of: Callable[[Scene], Hashable]) -> list[list[int]]:
    """Indices of the scenes in groups with the same value of `kind_of`, in order."""
    groups: dict[Hashable, list[int]] = {}
    for i, scene in enumerate(scenes):
        groups.setdefault(kind_of(scene), []).append(i)
    return list(groups.values())


def _chunks(members: list[int]) -> Iterator[list[int]]:
    for begin in range(0, len(members), SCENES):
        yield members[begin : begin + SCENES]


def _padded(chunk: list[int]) -> list[int]:
    """The chunk, filled up with its last member to the full size, so that a shorter one compiles no further program."""
    return chunk + chunk[-1:] * (SCENES - len(chunk))


def _stacked(trees: Sequence[Tree], dtype: DTypeLike) -> Tree:
    return cast(Tree, jax.tree.map(lambda *leaves: np.stack(leaves).astype(dtype), *trees))


def _is_picture(part: Any) -> bool:
    return isinstance(part, Picture)


def _without_pictures(system: System) -> tuple[System, tuple[np.ndarray, ...]]:
    """A system without the values of its pictures, and these values: scenes share them, so that they are not stacked."""
    pictures = tuple(part.values for part in jax.tree.leaves(system, is_leaf=_is_picture) if _is_picture(part))
    return _with_pictures(system, (None,) * len(pictures)), pictures


def _with_pictures(system: System, pictures: Sequence[Any]) -> System:
    values = iter(pictures)

    def put(part: Any) -> Any:
        return replace(part, values=next(values)) if _is_picture(part) else part

    return cast(System, jax.tree.map(put, system, is_leaf=_is_picture))


@partial(jax.jit, static_argnames=("trace", "lookup", "canvas", "sampled"))
def _images(
    system: System, pictures: Sequence[Array], instrument: Instrument, trace: Trace, lookup: str, canvas: int, sampled: bool
) -> tuple[Array, Array]:
    """Images of stacked systems in grey levels, and the points at their centres; sampled lenses are sampled on the canvas."""

    def whole(numbers: System) -> System:
        system = _with_pictures(numbers, pictures)
        return replace(system, lens=systems.on_grid(system.lens, canvas)) if sampled else system

    def exact(numbers: System) -> tuple[Array, Array]:
        system = whole(numbers)
        centre = simulate.image_centre(system, instrument, trace=trace)
        if instrument.centring is None:
            return GREY_LEVELS * simulate.image(system, instrument, trace=trace), centre
        return GREY_LEVELS * simulate.image_about(system, instrument, centre, trace=trace), centre

    if lookup == "cosmosim":
        # One at a time: each has a lattice of its own.
        draw = partial(lattice.image, canvas=canvas, size=instrument.shape[0], trace=trace, centred=instrument.centring is not None)
        images, centres = jax.lax.map(lambda numbers: draw(whole(numbers)), system)
    else:
        images, centres = jax.vmap(exact)(system)
    return images, centres


def expansions(scenes: Sequence[Scene], centres: np.ndarray, *, only: Collection[int] | None = None) -> Iterator[Amplitudes]:
    """Reference point and amplitudes of each scene, in float64, group by group.

    Args:
        scenes: N scenes.
        centres: (N, 2) the point at each image's centre, relative to the lens [px]: the reference point of a scene whose
            `xireference` is off.
        only: indices of the scenes to expand; all by default.
    """
    structures: dict[Hashable, Hashable] = {}

    def kind_of(scene: Scene) -> Hashable:
        kinds = (scene.lens, *(mass.kind for mass in scene.masses))
        if kinds not in structures:
            structures[kinds] = jax.tree.structure(systems.lens_of(scene))
        return structures[kinds], scene.imagesize if scene.sampled else 0, scene.nterms, scene.xireference

    for members in _groups(scenes, kind_of):
        first = scenes[members[0]]
        for chunk in _chunks(members if only is None else [i for i in members if i in only]):
            padded = _padded(chunk)
            lens = _stacked([systems.lens_of(scenes[i]) for i in padded], np.float64)
            places = np.array([(scenes[i].x, scenes[i].y) for i in padded], np.float64)
            about = None if first.xireference else centres[np.asarray(padded)].astype(np.float64)
            with jax.enable_x64(True):
                result = _expanded(lens, places, about, first.nterms, first.imagesize if first.sampled else 0)
                parts = [np.asarray(a) for a in result]
            for k, i in enumerate(chunk):
                yield Amplitudes(i, *(part[k] for part in parts))


@partial(jax.jit, static_argnames=("terms", "grid"))
def _expanded(lens: Lens, places: Array, points: Array | None, terms: int, grid: int) -> tuple[Array, ...]:
    """(ξ, offset, α, β) of stacked lenses about `points` (N, 2), or about the images ξ of the sources' `places` where `points` is None."""

    def expanded(lens: Lens, place: Array, point: Array | None) -> tuple[Array, ...]:
        lens = systems.on_grid(lens, grid) if grid else lens
        xi = jnp.stack(lens.primary_image(place[0], place[1])) if point is None else point
        alpha, beta = roulette.amplitudes(lens, xi[0], xi[1], terms=terms)
        return xi, xi - jnp.stack(lens.deflection(xi[0], xi[1])) - place, alpha, beta

    return jax.vmap(expanded)(lens, places, points)
