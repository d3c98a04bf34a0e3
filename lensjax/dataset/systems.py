"""Scenes, as files describe them, to systems and instruments.

All numbers of these systems are numpy arrays in float64, so that a system does not depend on JAX's precision; rendering casts them.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.files import images
from lensjax.formats.scene import Light, Mass, Scene
from lensjax.lens import SIE, SIS, Lens, PointMass, cluster, sampled
from lensjax.light import Gaussian, Picture, Sersic, Source, Triangle, constellation, sersic
from lensjax.light.gaussian import elliptical, spherical
from lensjax.observation.grid import pixel_points
from lensjax.observation.instrument import CentreOfLight, Instrument, of_field
from lensjax.simulate import System, Trace, lattice

LOOKUPS = ("exact", "cosmosim")
"""How the source is sampled: at the points of the lens equation, or as CosmoSim 3.3 does (see `simulate.lattice`)."""

Tree = TypeVar("Tree")

# Compiled: a constructor is then one call instead of one for each operation.
_spherical = jax.jit(spherical)
_elliptical = jax.jit(elliptical)
_sersic = jax.jit(sersic)


def instrument_of(scene: Scene) -> Instrument:
    """The instrument of a scene."""
    field = scene.cropsize if 0 < scene.cropsize < scene.imagesize else scene.imagesize
    size = scene.size or field
    centring = CentreOfLight(scene.imagesize, scene.samples) if scene.centred else None
    return of_field(field, size, supersampling=1 if size >= field else 2, centring=centring)


def trace_of(scene: Scene) -> Trace:
    """How light is traced in a scene."""
    series = scene.model == "Roulette"
    window = scene.window or ("circle" if scene.mask and series else "none")
    return Trace("series" if series else "exact", scene.nterms, window)


def lens_of(scene: Scene) -> Lens:
    """The lens of a scene, exact even where the scene has it sampled."""
    with jax.enable_x64(True):
        if scene.lens == "Cluster":
            return _numbers(cluster([(_member(mass), mass.x, mass.y) for mass in scene.masses]))
        return _member(scene.masses[0])


def source_of(scene: Scene, pictures: Sequence[Array | np.ndarray] | None = None, *, lookup: str = "exact") -> Source:
    """The source of a scene, about its own centre.

    Args:
        scene: the scene.
        pictures: values 0…1 of its sources that are pictures, in their order; by default they are read from their files.
        lookup: one of `LOOKUPS`; the profiles of "cosmosim" are drawn by `simulate.lattice` only.

    Raises:
        BadInput: a picture that cannot be read.
    """
    if pictures is None:
        pictures = [picture(light.picture) for light in scene.lights if light.kind == "Image"]
    remaining = [cast(Array, values) for values in pictures]
    with jax.enable_x64(True):
        members = [_light(light, remaining, lookup) for light in scene.lights]
        if scene.source != "Constellation":
            return members[0]
        places = [(light.x - scene.x, light.y - scene.y) for light in scene.lights]
        return _numbers(constellation([(member, x, y) for member, (x, y) in zip(members, places, strict=True)]))


def system_of(scene: Scene, pictures: Sequence[Array | np.ndarray] | None = None, *, lookup: str = "exact") -> System:
    """The system of a scene; arguments as in `source_of`."""
    lens = lens_of(scene)
    if scene.sampled:
        with jax.enable_x64(True):
            lens = _numbers(_sampled(lens, scene.imagesize))
    return System(lens, source_of(scene, pictures, lookup=lookup), _number(scene.x), _number(scene.y))


def picture(path: str) -> np.ndarray:
    """A picture's values 0…1, float32 (h, w[, 3]); the same array each time, as long as the file does not change.

    Raises:
        BadInput: it cannot be read.
    """
    return _picture(path, os.stat(path).st_mtime_ns if os.path.exists(path) else 0)


@lru_cache(maxsize=8)
def _picture(path: str, changed: int) -> np.ndarray:
    return images.read_colour(path) / np.float32(255.0)


def on_grid(lens: Lens, size: int) -> Lens:
    """The lens of `lens`'s potential sampled at the pixels of an image, as sampled lenses of files are."""
    dtype = jnp.result_type(*jax.tree.leaves(lens))
    return sampled(lens.potential(*pixel_points(size, size, dtype=dtype)))


_sampled = jax.jit(on_grid, static_argnums=1)


def _member(mass: Mass) -> Lens:
    radius, ratio = _number(mass.einsteinradius), _number(mass.ellipseratio)
    if mass.kind == "SIE":
        return SIE(radius, ratio, _number(np.deg2rad(mass.orientation)))
    return PointMass(radius) if mass.kind == "PM" else SIS(radius)


def _light(light: Light, pictures: list[Array], lookup: str) -> Source:
    """One source; takes the first of `pictures` where it is a picture."""
    sigma, sigma2, theta = _number(light.sigma), _number(light.sigma2), _number(np.deg2rad(light.theta))
    if light.kind == "Triangle":
        return Triangle(sigma, theta)
    if light.kind == "Image":
        values = pictures.pop(0)
        # As wide as four standard deviations of a Gaussian of that size would be.
        return Picture(values, 4.0 * sigma / max(values.shape[:2]))
    circular = light.kind in ("Spherical", "SersicSphere")
    across = sigma if circular else sigma2
    index, luminosity = _number(light.n_sersic), _number(light.luminosity)
    if light.kind in ("Spherical", "Ellipsoid"):
        if lookup == "cosmosim":
            return lattice.GaussianProfile(sigma, across, theta)
        gaussian: Gaussian = _spherical(sigma) if circular else _elliptical(sigma, sigma2, theta)
        return _numbers(gaussian)
    if lookup == "cosmosim":
        return lattice.SersicProfile(sigma, across, theta, index, luminosity)
    profile: Sersic = _sersic(sigma, across, _number(0.0) if circular else theta, index, luminosity)
    return _numbers(profile)


def _number(value: float) -> Array:
    return cast(Array, np.asarray(value, np.float64))


def _numbers(tree: Tree) -> Tree:
    """The tree with numpy arrays as its leaves."""
    return cast(Tree, jax.tree.map(np.asarray, tree))
