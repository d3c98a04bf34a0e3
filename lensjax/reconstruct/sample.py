"""An image and its lens to the undistorted source, read from the image itself.

Every pixel is followed back to the source plane, by the very map that made the image; a source pixel is the mean of what arrives in it.
So all images of the source contribute, whatever the lens, and the lens equation need not be solved. `lensjax.reconstruct.invert` models the
image instead, which takes longer and bears noise better.
"""

import math
from dataclasses import dataclass, field, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.ndimage import uniform_filter

from lensjax._internal.tree import register
from lensjax.image.grid import pixel_points
from lensjax.simulate import Camera, System, light

_RIM = 2.0
"""Pixels this close to a window's edge are not read: the pixels about them may lie outside it."""

_LEAST = 0.1
"""A source pixel is seen where the rays fill this share of it, each weighted by how sharp it is."""

_MOST_POINTS = 4000
"""Points on a side that an image is divided into at most."""


@dataclass(frozen=True)
class Source:
    """A source as it would be seen without the lens.

    Attributes:
        grey: (m, m) grey levels; the middle of `Grid` is the source's centre; x right, y up. 0 where not seen.
        seen: (m, m) whether the image shows that point of the source.
    """

    grey: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True)
class Grid:
    """Pixels of the source plane, about the source's centre; hashable.

    Attributes:
        size: pixels on a side.
        field: side [native px]; with `size` = `field` pixel (m/2, m/2) is the source's centre.
    """

    size: int
    field: int

    def index(self, x: Array, y: Array) -> tuple[Array, Array]:
        """(row, column), in parts, at which points of the source plane stand: the inverse of `image.grid.axis`."""
        scale = self.size / self.field
        return (self.field / 2 + 0.5 - y) * scale - 0.5, (x + self.field / 2 + 0.5) * scale - 0.5


@register
@dataclass(frozen=True)
class Rays:
    """Where the light of an image's pixels comes from; k × k points a pixel.

    Attributes:
        x, y: (n k, n k) places in the source plane, seen from the source's centre [px].
        seen: (n k, n k) whether the image shows light from there: not outside the window, nor at its rim.
        stretch: (n k, n k) the longest side, in the source plane, of what is one image pixel long: 1 without a lens.
        pixel: side of an image pixel [native px], static.
    """

    x: Array
    y: Array
    seen: Array
    stretch: Array
    pixel: float = field(metadata={"static": True})


@register
@dataclass(frozen=True)
class _Place:
    """A source that shows at each point where that is, and a 1 where anything is shown at all."""

    def light(self, x: Array, y: Array) -> Array:
        x, y = jnp.broadcast_arrays(x, y)
        return jnp.stack([x, y, jnp.ones_like(x)], axis=-1)

    def extent(self, cos: Array, sin: Array) -> Array:
        return jnp.ones(())


def half_width(sigma: float, sigma2: float) -> int:
    """Half the side [px] of a picture of a Gaussian source: four of the longer standard deviation."""
    return max(8, math.ceil(4.0 * max(sigma, sigma2)))


@partial(jax.jit, static_argnames=("camera", "split"))
def rays(system: System, shift: Array, *, camera: Camera, split: int = 1) -> Rays:
    """The rays of an image's pixels.

    Args:
        system: the lens, and the place of the source; its light is not used.
        shift: (2,) the place seen from the lens that stands at the image's centre [px].
        camera: how the image was made; its `oversample` is not used.
        split: points on a side of a pixel.
    """
    dtype = jnp.result_type(system.x)
    shift = jnp.asarray(shift, dtype)
    x, y = pixel_points(camera.size, camera.field, oversample=split, dtype=dtype)
    there, inside = light(
        replace(system, source=_Place()), x + shift[0], y + shift[1], method=camera.method, terms=camera.terms, window=camera.window
    )
    beta_x, beta_y, shown = (there[..., k] for k in range(3))
    pixel = camera.field / camera.size
    stretch = _stretch(beta_x, beta_y, split) / pixel
    finite = jnp.isfinite(stretch) & jnp.isfinite(beta_x) & jnp.isfinite(beta_y)
    seen = finite & (shown > 0.5) & (inside >= _RIM * max(1.0, pixel))
    return Rays(
        x=jnp.where(finite, beta_x, 0.0),
        y=jnp.where(finite, beta_y, 0.0),
        seen=seen,
        stretch=jnp.where(finite, stretch, jnp.inf),
        pixel=pixel,
    )


def _stretch(x: Array, y: Array, split: int) -> Array:
    """Largest singular value of the map's slopes, by differences over a pixel to either side: jumps at a lens's centre count too."""

    def slopes(values: Array) -> tuple[Array, Array]:
        padded = jnp.pad(values, split, mode="edge")
        middle = slice(split, -split)
        return (
            0.5 * (padded[2 * split :, middle] - padded[: -2 * split, middle]),
            0.5 * (padded[middle, 2 * split :] - padded[middle, : -2 * split]),
        )

    (a, b), (c, d) = slopes(x), slopes(y)
    # (p + q)² is the larger eigenvalue of MᵀM; complex notation keeps the difference of squares apart.
    p, q = jnp.hypot(a + d, b - c), jnp.hypot(a - d, b + c)
    return 0.5 * (p + q)


def split_of(camera: Camera, grid: Grid) -> int:
    """Points on a side of a pixel that leave no holes between them on `grid`."""
    wanted = math.ceil(3.0 * (camera.field / camera.size) / (grid.field / grid.size))
    return max(1, min(max(wanted, 2), 8, _MOST_POINTS // camera.size))


def sample(image: np.ndarray, system: System, *, shift: np.ndarray, camera: Camera, grid: Grid) -> Source:
    """The source, each pixel of it the mean of the image where its rays arrive.

    No light model is used: of `system`, the lens and the place of the source alone. The image is interpolated (cubic) between its
    pixels. Rays whose pixel is spread over s > 1 pixels of the source count s⁻⁴: they hold no detail, and next to others would
    but blur.

    Args:
        image: (n, n) grey levels.
        system: the lens and the place of the source.
        shift: (2,) the place seen from the lens that stands at the image's centre [px].
        camera: how the image was made.
        grid: the source's pixels.
    """
    split = split_of(camera, grid)
    n = camera.size
    dtype = jnp.result_type(system.x)
    found = rays(system, jnp.asarray(shift, dtype), camera=camera, split=split)
    value = np.asarray(jax.image.resize(jnp.asarray(image, dtype), (n * split, n * split), method="cubic"), np.float64)
    weight = np.asarray(found.seen) / np.maximum(np.asarray(found.stretch, np.float64), 1.0) ** 4
    between = (np.arange(n * split) + 0.5) / split - 0.5
    framed = (between >= 0) & (between <= n - 1)
    places = [np.clip(np.asarray(a, np.float64), -1.0, grid.size) for a in grid.index(found.x, found.y)]
    row, column = (np.rint(place).astype(int) for place in places)
    used = framed[:, None] & framed & (weight > 0) & (row >= 0) & (row < grid.size) & (column >= 0) & (column < grid.size)
    at, weight = (row * grid.size + column)[used], weight[used]

    def sums(values: np.ndarray | float) -> np.ndarray:
        return np.bincount(at, weight * values, minlength=grid.size**2).reshape(grid.size, grid.size)

    total = sums(1.0)
    over = 1.0 / np.where(total > 0, total, 1.0)
    mean = sums(value[used]) * over
    seen = total * (camera.field / (n * split)) ** 2 / (grid.field / grid.size) ** 2 >= _LEAST
    # What arrives in a pixel lies about its middle unevenly: the mean is that of the place of the mean.
    for axis, (place, whole) in enumerate(zip(places, (row, column), strict=True)):
        mean = mean - _slope(mean, seen, axis) * sums((place - whole)[used]) * over
    return Source(grey=np.where(seen, mean, 0.0), seen=seen)


def _slope(values: np.ndarray, seen: np.ndarray, axis: int) -> np.ndarray:
    """Change of `values` from pixel to pixel along an axis, by those of the two neighbours that are seen."""
    values, seen = np.moveaxis(values, axis, 0), np.moveaxis(seen, axis, 0)
    both = seen[1:] & seen[:-1]
    step = np.where(both, np.diff(values, axis=0), 0.0)
    total, count = np.zeros_like(values), np.zeros_like(values)
    for side in (slice(1, None), slice(None, -1)):
        total[side] += step
        count[side] += both
    return np.moveaxis(total / np.maximum(count, 1.0), 0, axis)


def undistorted(image: np.ndarray, system: System, *, shift: np.ndarray, field: int, method: str, half: int) -> Source:
    """`sample` in native pixels, half the side of the result being `half` [px].

    Args:
        image: (n, n) grey levels.
        system: the lens and the place of the source.
        shift: (2,) the place seen from the lens that stands at the image's centre [px].
        field: side of the image [native px].
        method: how the image was made, see `simulate`.
        half: half the side of the result [native px]; its pixels are native ones.
    """
    camera = Camera(method=method, size=image.shape[0], field=field)
    return sample(image, system, shift=shift, camera=camera, grid=Grid(2 * half, 2 * half))


def grain(image: np.ndarray) -> float:
    """Standard deviation of an image's noise [grey levels], from what varies from pixel to pixel (Immerkær 1996), by the median."""
    image = np.asarray(image, np.float64)
    across = image[:-2] - 2.0 * image[1:-1] + image[2:]
    detail = across[:, :-2] - 2.0 * across[:, 1:-1] + across[:, 2:]
    return float(np.median(np.abs(detail)) / 0.6745 / 6.0)


def field_of_light(image: np.ndarray, system: System, *, shift: np.ndarray, camera: Camera) -> int:
    """Side [native px] of the square about the source's centre that holds all the light but its traces.

    Traces are what, averaged over 3 × 3 pixels, is fainter than a fiftieth of the brightest, or hardly above the noise.
    """
    found = rays(system, jnp.asarray(shift, jnp.result_type(system.x)), camera=camera)
    good = np.asarray(found.seen & (found.stretch < 2.0))
    noise = grain(image) / 3.0
    image = uniform_filter(np.asarray(image, np.float64), 3)
    faint = np.median(image) + max(0.02 * image.max(), 6.0 * noise)
    reach = np.maximum(np.abs(np.asarray(found.x)), np.abs(np.asarray(found.y)))[good & (image > faint)]
    if reach.size == 0:
        return 2 * half_width(0.0, 0.0)
    return 2 * int(np.clip(math.ceil(1.15 * np.quantile(reach, 0.999) + 2.0), 8, 2 * camera.field))
