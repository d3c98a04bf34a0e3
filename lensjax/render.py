"""Scenes, as files describe them, to images.

`lookup` says how the source is read: "exact" takes its light where the lens equation leads, "cosmosim" reproduces the pixels of
CosmoSim 3.3 (see `lensjax.lattice`). Scenes of one make are rendered together, so that their order and number do not matter.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import lattice, roulette, simulate
from lensjax.formats import images
from lensjax.formats.scene import Light, Mass, Scene
from lensjax.lens import SIE, SIS, Lens, PointMass, cluster, sampled
from lensjax.simulate import Camera, System
from lensjax.source import Picture, Source, Triangle, constellation, sersic
from lensjax.source.gaussian import elliptical, spherical

LOOKUPS = ("exact", "cosmosim")
CHUNK = 16
"""Scenes rendered at once; a last chunk that is not full is filled up, so that nothing is compiled again for it."""


@dataclass(frozen=True)
class Rendered:
    """One image.

    Attributes:
        index: which scene.
        image: (n, n) or (n, n, 3) grey levels, not rounded, of lookup "exact"; rounded of "cosmosim".
        centre: (2,) where the middle of the image lies, seen from the lens [px].
    """

    index: int
    image: np.ndarray
    centre: np.ndarray


def lens_of(scene: Scene) -> Lens:
    """The lens; leaves are Python numbers."""
    if scene.lens != "Cluster":
        return _single(scene.masses[0])
    return cluster([(_single(mass), mass.x, mass.y) for mass in scene.masses])


def _single(mass: Mass) -> Lens:
    if mass.kind == "SIE":
        return SIE(mass.einsteinradius, mass.ellipseratio, np.deg2rad(mass.orientation))
    return (PointMass if mass.kind == "PM" else SIS)(mass.einsteinradius)


def source_of(scene: Scene) -> Source:
    """The source, about the scene's (x, y)."""
    if scene.source != "Constellation":
        return _light(scene.lights[0])
    return constellation([(_light(light), light.x, light.y) for light in scene.lights])


def _light(light: Light) -> Source:
    # As arrays of the run's dtype: what is computed from them does not depend on how Python rounds.
    sigma, sigma2, theta = (jnp.asarray(v) for v in (light.sigma, light.sigma2, np.deg2rad(light.theta)))
    if light.kind == "Spherical":
        return spherical(sigma)
    if light.kind == "Ellipsoid":
        return elliptical(sigma, sigma2, theta)
    if light.kind in ("SersicSphere", "SersicEllipsoid"):
        if light.kind == "SersicSphere":
            sigma2, theta = sigma, jnp.zeros_like(theta)
        return sersic(sigma, sigma2, theta, jnp.asarray(light.n_sersic), jnp.asarray(light.luminosity))
    if light.kind == "Triangle":
        return Triangle(sigma, theta)
    values = _picture(light.picture)
    # As wide as four standard deviations of a Gaussian of that size would be.
    return Picture(jnp.asarray(values), 4.0 * sigma / max(values.shape[:2]))


@lru_cache(maxsize=64)
def _picture(path: str) -> np.ndarray:
    return images.read_colour(path) / 255.0


def system_of(scene: Scene) -> System:
    """The system; its numbers have the dtype of the run (float32 unless `jax.enable_x64`)."""
    lens = lens_of(scene)
    if scene.sampled:
        lens = _sampled(lens, scene.imagesize)
    tree = System(lens=lens, source=source_of(scene), x=scene.x, y=scene.y)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.result_type(float)), tree)


def _sampled(lens: Lens, size: int) -> Lens:
    """The lens's potential at the pixels of the canvas, and a spline through it."""
    along = np.arange(size) - size / 2
    with jax.enable_x64(True):
        lens = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), lens)
        psi = np.asarray(lens.potential(jnp.asarray(along[None, :]), jnp.asarray(-along[:, None])))
        found = sampled(jnp.asarray(psi))
    return jax.tree.map(np.asarray, found)


def camera_of(scene: Scene) -> Camera:
    """How the scene is seen."""
    size = scene.cropsize if 0 < scene.cropsize < scene.imagesize else scene.imagesize
    return Camera(
        method=scene.model.lower(),
        terms=scene.nterms,
        window="circle" if scene.mask else "none",
        size=size,
        field=size,
        centred=scene.centred,
        canvas=scene.imagesize,
        samples=None,
    )


def render(scenes: Sequence[Scene], *, lookup: str = "exact") -> Iterator[Rendered]:
    """The images of all scenes, kind by kind.

    Raises:
        ValueError: another lookup than `LOOKUPS`.
        BadInput: a picture that cannot be read.
    """
    if lookup not in LOOKUPS:
        raise ValueError(f"lookup is {lookup!r}; known: {', '.join(LOOKUPS)}")
    if lookup == "exact":
        yield from _each(scenes, _exact, camera_of)
    else:
        with jax.enable_x64(True):
            yield from _each(scenes, lattice.images, lambda scene: (camera_of(scene), _shape(scene)))


def _shape(scene: Scene) -> tuple[tuple[str, bool], ...]:
    """What of a source decides how CosmoSim draws it."""
    return tuple((light.kind, light.theta != 0) for light in scene.lights)


def _each(scenes: Sequence[Scene], draw: Callable, static_of: Callable) -> Iterator[Rendered]:
    kinds: dict[object, list[int]] = {}
    systems: dict[int, System] = {}
    for i, scene in enumerate(scenes):
        system = system_of(scene)
        shapes = tuple(np.shape(leaf) for leaf in jax.tree.leaves(system))
        kinds.setdefault((jax.tree.structure(system), shapes, static_of(scene)), []).append(i)
        systems[i] = jax.tree.map(np.asarray, system)
    for (_, _, static), members in kinds.items():
        for begin in range(0, len(members), CHUNK):
            chunk = members[begin : begin + CHUNK]
            filled = chunk + chunk[-1:] * (CHUNK - len(chunk)) if len(members) > 1 else chunk
            batch = jax.tree.map(lambda *leaves: np.stack(leaves), *(systems[i] for i in filled))
            lights = np.stack([_numbers(scenes[i]) for i in filled])
            drawn, centre = (np.asarray(a) for a in draw(batch, lights, static))
            for k, i in enumerate(chunk):
                yield Rendered(i, drawn[k], centre[k])


def _numbers(scene: Scene) -> np.ndarray:
    """(L, 5), see `lattice.images`."""
    rows = [(one.sigma, one.sigma2, np.deg2rad(one.theta), one.n_sersic, one.luminosity) for one in scene.lights]
    return np.array(rows, jnp.result_type(float))


@partial(jax.jit, static_argnames="camera")
def _exact(systems: System, lights: Array, camera: Camera) -> tuple[Array, Array]:
    def one(system: System) -> tuple[Array, Array]:
        centre = simulate.shift(system, camera)
        return simulate.image_about(system, camera, centre), centre

    return simulate.in_chunks(one, systems)


def expansions(scenes: Sequence[Scene], centres: np.ndarray) -> list["Amplitudes"]:
    """Reference point and amplitudes of each scene, in float64.

    Args:
        scenes: N scenes.
        centres: (N, 2) where the middle of each image lies, seen from the lens [px].
    """
    found: list[Amplitudes | None] = [None] * len(scenes)
    with jax.enable_x64(True):
        kinds: dict[object, list[int]] = {}
        systems = [system_of(scene) for scene in scenes]
        for i, (scene, system) in enumerate(zip(scenes, systems, strict=True)):
            key = jax.tree.structure(system.lens), tuple(map(np.shape, jax.tree.leaves(system.lens)))
            kinds.setdefault((key, scene.nterms, scene.xireference), []).append(i)
        for (_, terms, at_xi), members in kinds.items():
            for begin in range(0, len(members), CHUNK):
                chunk = members[begin : begin + CHUNK]
                filled = chunk + chunk[-1:] * (CHUNK - len(chunk)) if len(members) > 1 else chunk
                lenses = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(systems[i].lens for i in filled))
                eta = jnp.asarray([[scenes[i].x, scenes[i].y] for i in filled], jnp.float64)
                about = jnp.asarray(centres[np.asarray(filled)], jnp.float64)
                numbers = [np.asarray(a) for a in _expanded(lenses, eta, about, terms, at_xi)]
                for k, i in enumerate(chunk):
                    found[i] = Amplitudes(*(number[k] for number in numbers))
    return [item for item in found if item is not None]


@dataclass(frozen=True)
class Amplitudes:
    """The roulettes of one image.

    Attributes:
        xi: (2,) the point they are about, seen from the lens [px].
        offset: (2,) where in the source plane its light comes from, seen from the source's centre [px].
        alpha, beta: (terms + 1, terms + 2), entry [m, s].
    """

    xi: np.ndarray
    offset: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray


@partial(jax.jit, static_argnames=("terms", "at_xi"))
def _expanded(lenses: Lens, eta: Array, centre: Array, terms: int, at_xi: bool) -> tuple[Array, ...]:
    def one(lens: Lens, eta: Array, centre: Array) -> tuple[Array, ...]:
        xi = jnp.stack(lens.primary_image(eta[0], eta[1])) if at_xi else centre
        alpha, beta = roulette.amplitudes(lens, xi[0], xi[1], terms=terms)
        offset = xi - jnp.stack(lens.deflection(xi[0], xi[1])) - eta
        return xi, offset, alpha, beta

    return jax.vmap(one)(lenses, eta, centre)


