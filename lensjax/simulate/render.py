"""Lens and source to image: differentiable, and quick for any number of images.

How the lens equation is solved is a name, the `method`:

roulette   the series of `terms` terms about the primary image (CosmoSim's "Roulette")
ring       the exact lens equation, dark where the series does not converge: the limit of many terms
raytrace   the exact lens equation, whole image (CosmoSim's "Raytrace")

What is left dark of the first two is another name, the `window`:

region     the region of convergence is kept: for point mass and SIS, the disc within the convergence ring
circle     the circle about the reference point through the lens's centre, whatever the lens (CosmoSim's mask)
none       all is shown, also where the series diverges
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lensjax import roulette
from lensjax._internal.fence import fenced
from lensjax._internal.tree import register
from lensjax.conventions import GREY_LEVELS
from lensjax.image.centre import centroid
from lensjax.image.grid import block_mean, pixel_points
from lensjax.lens import Axisymmetric, Lens
from lensjax.lens.base import direction, safe_norm
from lensjax.source import Source, is_coloured

METHODS = ("roulette", "ring", "raytrace")
WINDOWS = ("region", "circle", "none")

CHUNK = 64
"""Images rendered at once: enough to keep any device busy, and little memory."""


@register
@dataclass(frozen=True)
class System:
    """A lens at the origin and a source behind it.

    Attributes:
        lens: mass model.
        source: light model, about its own centre.
        x, y: position of the source's centre in the source plane [px], scalars.
    """

    lens: Lens
    source: Source
    x: Array
    y: Array


@dataclass(frozen=True)
class Camera:
    """How a system becomes an image; hashable, static under jit.

    Attributes:
        method: one of `METHODS`.
        terms: order of the roulette series.
        window: one of `WINDOWS`.
        size: pixels on a side of the image.
        field: the part of the canvas that the image shows, in native pixels: the crop.
        oversample: points on a side of a pixel, averaged.
        centred: whether the centre of light of the canvas is moved to the image's centre.
        canvas: side of the uncropped image, in native pixels, over which the centre of light is taken.
        samples: points on a side of the grid, drawn about all the light there is, over which the centre of light is taken; None
            takes the canvas's own pixels, as it is where light may lie anywhere: for lenses that are not axisymmetric, and for
            roulettes without a window.
    """

    method: str = "roulette"
    terms: int = 50
    window: str = "region"
    size: int = 400
    field: int = 400
    oversample: int = 1
    centred: bool = True
    canvas: int = 1000
    samples: int | None = 96


_STEEPEST = 1e30
"""Largest power of an offset, in units of the reference point's distance, that a diverging series is carried to."""


def light(system: System, x: Array, y: Array, *, method: str, terms: int = 50, window: str = "region") -> tuple[Array, Array]:
    """Light seen at image-plane points, and how far inside the window each lies.

    Args:
        system: lens and source.
        x, y: points [px], seen from the lens; they broadcast against each other.
        method: one of `METHODS`.
        terms: order of the roulette series (method "roulette").
        window: one of `WINDOWS`.

    Returns:
        (light, inside): light 0…1 as if there were no window, colours on a last axis (3,) where the source has any, and the distance
        [px] to the window's edge, positive inside; +inf where nothing is cut. The image is the light where inside ≥ 0. Far outside
        (more than a tenth of the ring's radius), where a series means nothing, its light is 0.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; known: {', '.join(METHODS)}")
    if window not in WINDOWS:
        raise ValueError(f"window is {window!r}; known: {', '.join(WINDOWS)}")
    inside = jnp.asarray(jnp.inf, x.dtype)
    if method != "raytrace":
        xi_x, xi_y = system.lens.primary_image(system.x, system.y)
        dx, dy = x - xi_x, y - xi_y
        if window == "region":
            inside = roulette.inside(dx, dy, xi_x, xi_y, system.lens)
        elif window == "circle":
            inside = roulette.circle(dx, dy, xi_x, xi_y)
    if method == "roulette":
        radius = jnp.sqrt(xi_x * xi_x + xi_y * xi_y)
        if window == "none":
            usable = dx * dx + dy * dy < (_STEEPEST ** (1.0 / terms) * radius) ** 2
        else:
            usable = inside > -0.1 * radius
        dx, dy = jnp.where(usable, dx, 0.0), jnp.where(usable, dy, 0.0)
        bx, by = roulette.source_offset(dx, dy, xi_x, xi_y, system.lens, terms=terms)
        # Far outside the region a series may overflow: no light.
        usable &= jnp.isfinite(bx) & jnp.isfinite(by)
        bx, by = jnp.where(usable, bx, 0.0), jnp.where(usable, by, 0.0)
        return kept_where(usable, system.source.light(bx, by)), inside
    ax, ay = system.lens.deflection(x, y)
    return system.source.light(x - ax - system.x, y - ay - system.y), inside


def kept_where(kept: Array, bright: Array) -> Array:
    """`bright`, with or without colours on its last axis, where `kept` (..., n, n) is true; 0 elsewhere."""
    return jnp.where(kept[..., None] if bright.ndim > jnp.ndim(kept) else kept, bright, 0.0)


def _bounds(
    lens: Axisymmetric, source: Source, distance: Array, cos: Array, sin: Array, camera: Camera, reach: Array | float
) -> tuple[Array, Array, Array]:
    """(behind, ahead, aside) [px], seen from the lens towards a source at `distance` along (cos, sin): all light lies there, but for
    its outermost traces."""
    largest = jnp.asarray(0.75 * camera.canvas, distance.dtype)  # more than half a diagonal
    behind, ahead, aside = (largest,) * 3
    if camera.method != "roulette":
        along, across = source.extent(cos, sin), source.extent(-sin, cos)
        behind, ahead = lens.image_radius(along - distance), lens.image_radius(along + distance)
        nearest = jnp.maximum(distance - along, 0.0)
        aside = across * (1.0 + (lens.image_radius(nearest) - nearest) / jnp.sqrt(nearest * nearest + across * across))
    if camera.method != "raytrace" and camera.window != "none":
        middle, reach = lens.image_radius(distance), jnp.maximum(reach, 0.0)
        behind = jnp.minimum(behind, reach)
        ahead = jnp.minimum(ahead, 2.0 * middle + reach)
        aside = jnp.minimum(aside, middle + reach)
    return jnp.minimum(behind, largest), jnp.minimum(ahead, largest), jnp.minimum(aside, largest)


def centre_of_light(system: System, camera: Camera, *, reach: Array | float = 0.0) -> tuple[Array, Array]:
    """Centre of light (x, y) [px] of the whole canvas, seen from the lens.

    The rim of the window is softened over one step of the grid, so that the answer is smooth in every parameter. `reach` as
    in `image`.
    """
    dtype = jnp.result_type(system.x)
    lens, everywhere = system.lens, (camera.method, camera.window) == ("roulette", "none")
    if camera.samples is not None and isinstance(lens, Axisymmetric) and not everywhere:
        cos, sin = direction(system.x, system.y)
        behind, ahead, aside = _bounds(lens, system.source, safe_norm(system.x, system.y)[0], cos, sin, camera, reach)
        t = (2.0 * jnp.arange(camera.samples, dtype=dtype) + 1.0) / camera.samples - 1.0
        u = 0.5 * ((ahead - behind) + (ahead + behind) * t[None, :])
        # Denser towards the axis: a counter-image at an isothermal lens's centre is a needle along it.
        square = t[:, None] ** 2
        v, weight = aside * t[:, None] * (0.4 + 0.6 * square), 0.4 + 1.8 * square
        x, y = cos * u - sin * v, sin * u + cos * v
        step = jnp.sqrt((ahead + behind) * 2.0 * aside) / camera.samples
    else:
        u, v = x, y = pixel_points(camera.canvas, camera.canvas, dtype=dtype)
        cos, sin, step, weight = jnp.ones((), dtype), jnp.zeros((), dtype), jnp.ones((), dtype), jnp.ones((), dtype)
    bright, inside = light(system, x, y, method=camera.method, terms=camera.terms, window=camera.window)
    bright = bright.sum(-1) if is_coloured(system.source) else bright
    depth = jnp.minimum(inside + reach, 0.5 * camera.canvas - jnp.maximum(jnp.abs(x + 0.5), jnp.abs(y - 0.5)))
    kept = jnp.clip(depth / step + 0.5, 0.0, 1.0)
    along, across = centroid(bright * kept * weight, u, v)
    return cos * along - sin * across, sin * along + cos * across


def image(system: System, camera: Camera, *, reach: Array | float = 0.0) -> Array:
    """One image in grey levels 0…255, not rounded.

    Args:
        system: lens and source; its dtype is the image's.
        camera: how it is seen.
        reach: pixels up to this distance [px] outside the convergence ring are kept too; inf keeps the whole image.

    Returns:
        (size, size) grey levels, (size, size, 3) of a coloured source; row 0 is the top.
    """
    return image_about(system, camera, shift(system, camera, reach=reach), reach=reach)


def shift(system: System, camera: Camera, *, reach: Array | float = 0.0) -> Array:
    """Where the middle of the image lies (2,), seen from the lens [px]: the centre of light, or the lens itself."""
    if not camera.centred:
        return jnp.zeros(2, jnp.result_type(system.x))
    return jnp.stack(centre_of_light(system, camera, reach=reach))


def image_about(system: System, camera: Camera, centre: Array, *, reach: Array | float = 0.0) -> Array:
    """As `image`, with `centre` (2,), seen from the lens [px], in the middle."""
    x, y = pixel_points(camera.size, camera.field, oversample=camera.oversample, dtype=jnp.result_type(system.x))
    if camera.centred:
        # The barrier keeps XLA from spreading what makes the centre and the system through the image's own loop.
        system, centre = jax.lax.optimization_barrier((system, centre))  # type: ignore[no-untyped-call]
        x, y = x + centre[0], y + centre[1]
    bright, inside = light(system, x, y, method=camera.method, terms=camera.terms, window=camera.window)
    kept = jnp.broadcast_to(inside + reach >= 0, (y.size, x.size))
    bright = kept_where(kept, bright)
    if bright.ndim == 3:
        colours = [block_mean(bright[..., k], camera.oversample) for k in range(3)]
        return GREY_LEVELS * jnp.stack(colours, axis=-1)
    return GREY_LEVELS * block_mean(bright, camera.oversample)


def in_chunks(function: Callable[[Any], Any], inputs: Any, *, chunk: int = CHUNK) -> Any:
    """`function` over the leading axis of every array in `inputs`, `chunk` at a time: any batch size is quick and fits the memory.

    The results do not depend on `chunk` but for rounding. Each chunk is fenced: a loop's body that ends in writing its share of
    the result runs on one core alone on a CPU.
    """
    length = jax.tree.leaves(inputs)[0].shape[0]
    whole = length // chunk * chunk
    if length <= chunk:
        return jax.vmap(function)(inputs)
    rows = jax.tree.map(lambda leaf: leaf[:whole].reshape(-1, chunk, *leaf.shape[1:]), inputs)
    done = jax.lax.map(lambda row: fenced(jax.vmap(function), row), rows)
    done = jax.tree.map(lambda leaf: leaf.reshape(whole, *leaf.shape[2:]), done)
    if whole == length:
        return done
    rest = jax.vmap(function)(jax.tree.map(lambda leaf: leaf[whole:], inputs))
    return jax.tree.map(lambda first, last: jnp.concatenate([first, last]), done, rest)
