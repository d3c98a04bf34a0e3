"""Scenes, as files describe them, to images.

`lookup` says how the source is read: "exact" takes its light where the lens equation leads, "cosmosim" reproduces the pixels of
CosmoSim 3.3 (see `lensjax.simulate.lattice`). Scenes of one kind are rendered together: all that differs between them are numbers.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import roulette, simulate
from lensjax._internal.tree import register
from lensjax.files import images
from lensjax.formats.scene import Scene
from lensjax.image.grid import pixel_points
from lensjax.lens import SIE, SIS, Lens, PointMass, cluster, sampled
from lensjax.simulate import Camera, System, lattice
from lensjax.source import Picture, Source, Triangle, constellation, sersic
from lensjax.source.gaussian import elliptical, spherical

LOOKUPS = ("exact", "cosmosim")
CHUNK = 16
"""Scenes rendered at once; a last chunk that is not full is filled up, so that nothing is compiled again for it."""


@dataclass(frozen=True)
class Kind:
    """What scenes that are rendered together have in common; hashable, static under jit.

    Attributes:
        masses: kind of each lens.
        cluster: whether the lenses stand at places of their own.
        lights: of each source its kind, and whether it is turned.
        constellation: whether the sources stand at places of their own.
        pictures: the files of sources that are pictures.
        sampled: whether the lens is read from a grid of its potential.
        camera: how they are seen.
        double: whether they are rendered in float64 although nothing else asks for it.
    """

    masses: tuple[str, ...]
    cluster: bool
    lights: tuple[tuple[str, bool], ...]
    constellation: bool
    pictures: tuple[str, ...]
    sampled: bool
    camera: Camera
    double: bool = False


@register
@dataclass(frozen=True)
class Numbers:
    """What differs between scenes of one kind; in files' units.

    Attributes:
        masses: (M, 5) einsteinradius, ellipseratio, orientation [degrees], x, y.
        lights: (L, 7) sigma, sigma2, theta [degrees], n_sersic, luminosity, x, y, the place seen from the source's.
        place: (2,) the source's x and y.
    """

    masses: np.ndarray
    lights: np.ndarray
    place: np.ndarray


@dataclass(frozen=True)
class Rendered:
    """One image.

    Attributes:
        index: which scene.
        image: (n, n) or (n, n, 3) grey levels; those of lookup "cosmosim" are whole numbers.
        centre: (2,) where the middle of the image lies, seen from the lens [px].
    """

    index: int
    image: np.ndarray
    centre: np.ndarray


@dataclass(frozen=True)
class Amplitudes:
    """The roulettes of one image.

    Attributes:
        index: which scene.
        xi: (2,) the point they are about, seen from the lens [px].
        offset: (2,) where in the source plane its light comes from, seen from the source's centre [px].
        alpha, beta: (terms + 1, terms + 2), entry [m, s].
    """

    index: int
    xi: np.ndarray
    offset: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray


def kind_of(scene: Scene) -> Kind:
    """The scene's kind."""
    field = scene.cropsize if 0 < scene.cropsize < scene.imagesize else scene.imagesize
    size = scene.size or field
    camera = Camera(
        method="ring" if (scene.model, scene.window) == ("Raytrace", "region") else scene.model.lower(),
        terms=scene.nterms,
        window=scene.window or ("circle" if scene.mask else "none"),
        size=size,
        field=field,
        oversample=1 if size >= field else 2,
        centred=scene.centred,
        canvas=scene.imagesize,
        samples=scene.samples,
    )
    return Kind(
        masses=tuple(mass.kind for mass in scene.masses),
        cluster=scene.lens == "Cluster",
        lights=tuple((light.kind, light.theta != 0) for light in scene.lights),
        constellation=scene.source == "Constellation",
        pictures=tuple(light.picture for light in scene.lights if light.kind == "Image"),
        sampled=scene.sampled,
        camera=camera,
        double=scene.double,
    )


def numbers_of(scene: Scene) -> Numbers:
    """The scene's numbers, float64."""
    return Numbers(
        masses=np.array([(m.einsteinradius, m.ellipseratio, m.orientation, m.x, m.y) for m in scene.masses], float),
        lights=np.array(
            [(s.sigma, s.sigma2, s.theta, s.n_sersic, s.luminosity, s.x - scene.x, s.y - scene.y) for s in scene.lights], float
        ),
        place=np.array([scene.x, scene.y], float),
    )


def lens_of(kind: Kind, numbers: Numbers) -> Lens:
    """The lens of a scene."""

    def single(i: int) -> Lens:
        radius, ratio, orientation = (jnp.asarray(numbers.masses[i, k]) for k in range(3))
        if kind.masses[i] == "SIE":
            return SIE(radius, ratio, jnp.deg2rad(orientation))
        return (PointMass if kind.masses[i] == "PM" else SIS)(radius)

    if not kind.cluster:
        return single(0)
    return cluster([(single(i), numbers.masses[i, 3], numbers.masses[i, 4]) for i in range(len(kind.masses))])


def _source(kind: Kind, numbers: Numbers, pictures: Sequence[Array]) -> Source:
    left = list(pictures)

    def single(i: int) -> Source:
        sigma, sigma2, theta, index, luminosity = (jnp.asarray(numbers.lights[i, k]) for k in range(5))
        theta = jnp.deg2rad(theta)
        name = kind.lights[i][0]
        if name == "Spherical":
            return spherical(sigma)
        if name == "Ellipsoid":
            return elliptical(sigma, sigma2, theta)
        if name == "SersicSphere":
            return sersic(sigma, sigma, jnp.zeros_like(theta), index, luminosity)
        if name == "SersicEllipsoid":
            return sersic(sigma, sigma2, theta, index, luminosity)
        if name == "Triangle":
            return Triangle(sigma, theta)
        values = left.pop(0)
        # As wide as four standard deviations of a Gaussian of that size would be.
        return Picture(values, 4.0 * sigma / max(values.shape[:2]))

    if not kind.constellation:
        return single(0)
    members = range(len(kind.lights))
    return constellation([(single(i), numbers.lights[i, 5], numbers.lights[i, 6]) for i in members])


def system_of(kind: Kind, numbers: Numbers, pictures: Sequence[Array] = ()) -> System:
    """The system of a scene, in the numbers' dtype."""
    lens = lens_of(kind, numbers)
    if kind.sampled:
        size = kind.camera.canvas
        lens = sampled(lens.potential(*pixel_points(size, size, dtype=numbers.place.dtype)))
    source = _source(kind, numbers, pictures)
    return System(lens=lens, source=source, x=numbers.place[0], y=numbers.place[1])


def source_alone(kind: Kind, numbers: Numbers, lens: Lens) -> System:
    """The system of a scene behind another lens, its source in the middle."""
    source = _source(kind, numbers, [jnp.asarray(_picture(path)) for path in kind.pictures])
    zero = jnp.zeros((), numbers.place.dtype)
    return System(lens=lens, source=source, x=zero, y=zero)


def _picture(path: str) -> np.ndarray:
    return _picture_of(path, os.stat(path).st_mtime_ns if os.path.exists(path) else 0)


@lru_cache(maxsize=8)
def _picture_of(path: str, changed: int) -> np.ndarray:
    return images.read_colour(path) / np.float32(255.0)


def render(scenes: Sequence[Scene], *, lookup: str = "exact", only: Collection[int] | None = None) -> Iterator[Rendered]:
    """The images of all scenes, kind by kind, in float32; "cosmosim" and sampled lenses in float64.

    Args:
        scenes: N scenes.
        lookup: one of `LOOKUPS`.
        only: numbers of the scenes that are wanted; all by default. Their pixels do not depend on it.

    Raises:
        ValueError: another lookup than `LOOKUPS`.
        BadInput: a picture that cannot be read.
    """
    if lookup not in LOOKUPS:
        raise ValueError(f"lookup is {lookup!r}; known: {', '.join(LOOKUPS)}")
    for kind, members in _kinds(scenes).items():
        double = lookup == "cosmosim" or kind.sampled or kind.double
        wanted = members if only is None else [i for i in members if i in only]
        for chunk, numbers in _chunks(scenes, wanted, np.float64 if double else np.float32, full=len(members) > 1):
            with jax.enable_x64(True) if double else nullcontext():
                pictures = tuple(_picture(path) for path in kind.pictures)
                drawn, centres = (np.asarray(a) for a in _draw(numbers, pictures, kind, lookup))
            for k, i in enumerate(chunk):
                yield Rendered(i, drawn[k], centres[k])


def _kinds(scenes: Sequence[Scene]) -> dict[Kind, list[int]]:
    kinds: dict[Kind, list[int]] = {}
    for i, scene in enumerate(scenes):
        kinds.setdefault(kind_of(scene), []).append(i)
    return kinds


def _chunks(scenes: Sequence[Scene], members: list[int], dtype: type, *, full: bool) -> Iterator[tuple[list[int], Numbers]]:
    """Scenes' numbers a chunk at a time; where `full`, a chunk is filled up with its last scene."""
    for begin in range(0, len(members), CHUNK):
        chunk = members[begin : begin + CHUNK]
        filled = chunk + chunk[-1:] * (CHUNK - len(chunk)) if full else chunk
        yield chunk, jax.tree.map(lambda *rows: np.stack(rows).astype(dtype), *(numbers_of(scenes[i]) for i in filled))


@partial(jax.jit, static_argnames=("kind", "lookup"))
def _draw(numbers: Numbers, pictures: tuple[Array, ...], kind: Kind, lookup: str) -> tuple[Array, Array]:
    def exact(numbers: Numbers) -> tuple[Array, Array]:
        system = system_of(kind, numbers, pictures)
        centre = simulate.shift(system, kind.camera)
        return simulate.image_about(system, kind.camera, centre), centre

    def as_cosmosim(numbers: Numbers) -> tuple[Array, Array]:
        system = system_of(kind, numbers, pictures)
        return lattice.image(system, numbers.lights, kind.lights, kind.camera)

    if lookup == "cosmosim":
        return jax.lax.map(as_cosmosim, numbers)  # one at a time: each has a lattice of its own to look in
    return jax.vmap(exact)(numbers)


def expansions(scenes: Sequence[Scene], centres: np.ndarray, *, only: Collection[int] | None = None) -> Iterator[Amplitudes]:
    """Reference point and amplitudes of each scene, in float64, kind by kind.

    Args:
        scenes: N scenes.
        centres: (N, 2) where the middle of each image lies, seen from the lens [px]: the point that the amplitudes are about where a
            scene's `xireference` is off.
        only: numbers of the scenes that are wanted; all by default.
    """
    bare = [replace(scene, lights=()) for scene in scenes]  # sources of any number have no part in it
    kinds: dict[object, tuple[Kind, list[int]]] = {}
    for i, scene in enumerate(scenes):
        kind = kind_of(scene)
        size = kind.camera.canvas if kind.sampled else 0
        key = (kind.masses, kind.cluster, size, scene.nterms, scene.xireference)
        kinds.setdefault(key, (kind, []))[1].append(i)
    for kind, members in kinds.values():
        first = scenes[members[0]]
        wanted = members if only is None else [i for i in members if i in only]
        for chunk, numbers in _chunks(bare, wanted, np.float64, full=True):
            about = centres[np.asarray(chunk + chunk[-1:] * (len(numbers.place) - len(chunk)))].astype(np.float64)
            with jax.enable_x64(True):
                found = _expanded(
                    numbers, about, Kind(kind.masses, kind.cluster, (), False, (), kind.sampled, Camera(canvas=kind.camera.canvas)),
                    first.nterms, first.xireference,
                )  # fmt: skip
                parts = [np.asarray(a) for a in found]
            for k, i in enumerate(chunk):
                yield Amplitudes(i, *(part[k] for part in parts))


@partial(jax.jit, static_argnames=("kind", "terms", "at_xi"))
def _expanded(numbers: Numbers, centres: Array, kind: Kind, terms: int, at_xi: bool) -> tuple[Array, ...]:
    def one(numbers: Numbers, centre: Array) -> tuple[Array, ...]:
        lens = lens_of(kind, numbers)
        if kind.sampled:
            lens = sampled(lens.potential(*pixel_points(kind.camera.canvas, kind.camera.canvas, dtype=centre.dtype)))
        eta = numbers.place
        xi = jnp.stack(lens.primary_image(eta[0], eta[1])) if at_xi else centre
        alpha, beta = roulette.amplitudes(lens, xi[0], xi[1], terms=terms)
        return xi, xi - jnp.stack(lens.deflection(xi[0], xi[1])) - eta, alpha, beta

    return jax.vmap(one)(numbers, centres)
