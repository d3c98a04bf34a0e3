"""CosmoSim 3.3's own pixels, for those who must compare with images that it made.

It draws the source on a lattice of whole pixels, rounded to whole grey levels, turns that picture (bilinear, weights of 1/32 px),
and gives every image pixel the lattice point to the lower right of where its light comes from (`floor`). Images are so half a pixel
off in the source plane, at (x + ½, y − ½), and rough by about a grey level; its Sérsic profiles have their axes exchanged. The middle is
found in the rounded image, which is moved there (bilinear again) and cropped. Take float64: at float32 some pixels fall on
the lattice's other side.
"""

import jax
import jax.numpy as jnp
from jax import Array

from lensjax import roulette
from lensjax.conventions import GREY_LEVELS
from lensjax.image.centre import centroid
from lensjax.image.detector import quantise
from lensjax.image.grid import pixel_points
from lensjax.lens.base import safe_norm
from lensjax.simulate import Camera, System
from lensjax.source import Constellation, Source

_STEPS = 32.0  # OpenCV's positions between two pixels


def image(
    system: System, lights: Array, kinds: tuple[tuple[str, bool], ...], camera: Camera
) -> tuple[Array, Array]:
    """(n, n[, 3]) whole grey levels, and (2,) where its middle lies, seen from the lens [px].

    Args:
        system: lens and source.
        lights: (L, 7), of each light sigma, sigma2 [px], theta [degrees], Sérsic index, luminosity and place, as files have them.
        kinds: of each light its kind, and whether it is turned.
        camera: how it is seen.
    """
    raster = _raster(system.source, lights, camera.canvas, kinds)
    x, y = pixel_points(camera.canvas, camera.canvas, dtype=jnp.result_type(system.x))
    seen = _looked_up(system, raster, x, y, camera)
    grey = seen if seen.ndim == 2 else seen.mean(-1)
    centre = jnp.zeros(2, x.dtype)
    if camera.centred:
        centre = jnp.stack(centroid(grey, x, y))
        seen = _moved(seen, centre)
    cut = (camera.canvas - camera.size) // 2
    return seen[cut : cut + camera.size, cut : cut + camera.size], centre


def _looked_up(system: System, raster: Array, x: Array, y: Array, camera: Camera) -> Array:
    """The lattice's value for every pixel."""
    n = camera.canvas
    kept = jnp.ones((n, n), bool)
    if camera.method == "roulette":
        xi_x, xi_y = system.lens.primary_image(system.x, system.y)
        dx, dy = jnp.broadcast_arrays(x - xi_x, y - xi_y)
        if camera.window != "none":
            kept = roulette.circle(dx, dy, xi_x, xi_y) >= 0
        bx, by = roulette.source_offset(dx, dy, xi_x, xi_y, system.lens, terms=camera.terms)
        last = n - 2
    else:
        ax, ay = system.lens.deflection(x, y)
        bx, by = x - ax - system.x, y - ay - system.y
        kept = safe_norm(*jnp.broadcast_arrays(x, y))[0] > 0  # nothing is seen at the lens's centre
        last = n - 1
    row, column = jnp.floor(n / 2 - by), jnp.floor(bx + n / 2)
    kept = kept & (row >= 0) & (row <= last) & (column >= 0) & (column <= last)
    at = [jnp.where(kept, number, 0).astype(jnp.int32) for number in (row, column)]
    found = raster[at[0], at[1]]
    return jnp.where(kept[..., None] if found.ndim == 3 else kept, found, 0.0)


def _raster(source: Source, lights: Array, n: int, kinds: tuple[tuple[str, bool], ...]) -> Array:
    """The source on the lattice, whole grey levels (n, n[, 3])."""
    if isinstance(source, Constellation):
        parts = []
        for k, member in enumerate(source.members):
            part = _raster(member, lights[k : k + 1], n, kinds[k : k + 1])
            parts.append(_moved(part, -jnp.stack([source.x[k], source.y[k]])))
        if any(part.ndim == 3 for part in parts):
            parts = [part if part.ndim == 3 else part[..., None] * jnp.ones(3) for part in parts]
        return jnp.minimum(sum(parts[1:], parts[0]), GREY_LEVELS)
    x, y = jnp.broadcast_arrays(*pixel_points(n, n, dtype=lights.dtype))
    ((kind, turned),) = kinds
    sigma, sigma2, theta, index, luminosity = lights[0, :5]
    if kind in ("Spherical", "Ellipsoid"):
        across = sigma if kind == "Spherical" else sigma2
        level = quantise(GREY_LEVELS * jnp.exp(-0.5 * ((x / sigma) ** 2 + (y / across) ** 2)))
    elif kind in ("SersicSphere", "SersicEllipsoid"):
        across = sigma if kind == "SersicSphere" else sigma2
        rho = jnp.sqrt((x / across) ** 2 + (y / sigma) ** 2)  # the axes exchanged, as there
        b = 1.992 * index - 0.3271
        power = 2.0 * index * jnp.log(b) - b - jax.scipy.special.gammaln(2.0 * index)
        peak = 1e3 * luminosity / (2.0 * 3.141592 * sigma * across * index) * jnp.exp(power)
        level = quantise(peak * jnp.exp(-b * (rho ** (1.0 / index) - 1.0)))
    else:
        return quantise(GREY_LEVELS * source.light(x, y))
    return _turned(level, jnp.deg2rad(theta)) if turned and kind in ("Ellipsoid", "SersicEllipsoid") else level


def _turned(level: Array, theta: Array) -> Array:
    """The picture turned counter-clockwise about (n/2, n/2)."""
    n = level.shape[0]
    row, column = jnp.meshgrid(jnp.arange(n) - n / 2, jnp.arange(n) - n / 2, indexing="ij")
    cosine, sine = jnp.cos(theta), jnp.sin(theta)
    return _between(level, sine * column + cosine * row + n / 2, cosine * column - sine * row + n / 2)


def _moved(level: Array, by: Array) -> Array:
    """The picture with the point `by` (x, y) [px] in its middle."""
    n = level.shape[0]
    row, column = jnp.meshgrid(jnp.arange(n) - by[1], jnp.arange(n) + by[0], indexing="ij")
    if level.ndim == 3:
        return jnp.stack([_between(level[..., k], row, column) for k in range(level.shape[2])], axis=-1)
    return _between(level, row, column)


def _between(level: Array, row: Array, column: Array) -> Array:
    """Bilinear, at positions rounded to 1/32 px, whole grey levels; dark beyond the edge."""
    at = [jnp.round(row * _STEPS) / _STEPS, jnp.round(column * _STEPS) / _STEPS]
    return jnp.round(jax.scipy.ndimage.map_coordinates(level, at, order=1, mode="constant", cval=0.0))


