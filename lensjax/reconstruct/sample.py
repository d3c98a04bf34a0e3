"""The undistorted source, read from the image itself.

Every pixel is traced to the source plane by the map that rendered the image. A source pixel is the mean of the rays that arrive in it.
So all images of the source contribute, whatever the lens, and the lens equation need not be solved. `lensjax.reconstruct.invert` models
the image instead: it takes longer, and suits noisy images better.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from scipy.ndimage import uniform_filter

from lensjax.observation.instrument import Instrument
from lensjax.reconstruct.grid import Grid, Reconstruction, rays
from lensjax.simulate import System, Trace

_LEAST = 0.1
"""The image shows a source pixel where the rays, each weighted by its sharpness, fill this fraction of it."""

_MOST_POINTS = 4000
"""Largest number of points on a side of an image."""


def half_width(sigma: float, sigma2: float) -> int:
    """Half the side [px] of a picture of a Gaussian source: four of the longer standard deviation."""
    return max(8, math.ceil(4.0 * max(sigma, sigma2)))


def split_of(instrument: Instrument, grid: Grid) -> int:
    """Points on a side of a pixel that leave no holes between them on `grid`."""
    needed = math.ceil(3.0 * instrument.pixel_scale / (grid.field / grid.size))
    return max(1, min(max(needed, 2), 8, _MOST_POINTS // instrument.shape[0]))


def sample(image: np.ndarray, system: System, *, centre: np.ndarray, instrument: Instrument, trace: Trace, grid: Grid) -> Reconstruction:
    """The source, each pixel of it the mean of the image where its rays arrive.

    No light model is used: of `system`, the lens and the place of the source alone. The image is interpolated (cubic) between its
    pixels. Rays whose pixel is spread over s > 1 pixels of the source count s⁻⁴: they hold no detail and would only blur.

    Args:
        image: (n, n) grey levels.
        system: the lens and the place of the source.
        centre: (2,) the point at the image's centre, relative to the lens [px].
        instrument: how the image was taken.
        trace: how the lens equation is solved, and the window.
        grid: the source's pixels.
    """
    split = split_of(instrument, grid)
    n = instrument.shape[0]
    dtype = jnp.result_type(system.x)
    traced = rays(system, jnp.asarray(centre, dtype), instrument=instrument, trace=trace, split=split)
    value = np.asarray(jax.image.resize(jnp.asarray(image, dtype), (n * split, n * split), method="cubic"), np.float64)
    weight = np.asarray(traced.visible) / np.maximum(np.asarray(traced.stretch, np.float64), 1.0) ** 4
    between = (np.arange(n * split) + 0.5) / split - 0.5
    interior = (between >= 0) & (between <= n - 1)
    places = [np.clip(np.asarray(a, np.float64), -1.0, grid.size) for a in grid.index(traced.x, traced.y)]
    row, column = (np.rint(place).astype(int) for place in places)
    used = interior[:, None] & interior & (weight > 0) & (row >= 0) & (row < grid.size) & (column >= 0) & (column < grid.size)
    at, weight = (row * grid.size + column)[used], weight[used]

    def sums(values: np.ndarray | float) -> np.ndarray:
        return np.bincount(at, weight * values, minlength=grid.size**2).reshape(grid.size, grid.size)

    total = sums(1.0)
    over = 1.0 / np.where(total > 0, total, 1.0)
    mean = sums(value[used]) * over
    mask = total * (instrument.pixel_scale / split) ** 2 / (grid.field / grid.size) ** 2 >= _LEAST
    # Rays lie unevenly about the centre of their pixel: the mean of their light is that at the mean of their places.
    for axis, (place, whole) in enumerate(zip(places, (row, column), strict=True)):
        mean = mean - _gradient(mean, mask, axis) * sums((place - whole)[used]) * over
    return Reconstruction(grey=np.where(mask, mean, 0.0), mask=mask)


def _gradient(values: np.ndarray, mask: np.ndarray, axis: int) -> np.ndarray:
    """Change of `values` from pixel to pixel along an axis, from the neighbours on either side that are inside the mask."""
    values, mask = np.moveaxis(values, axis, 0), np.moveaxis(mask, axis, 0)
    both = mask[1:] & mask[:-1]
    step = np.where(both, np.diff(values, axis=0), 0.0)
    total, count = np.zeros_like(values), np.zeros_like(values)
    for side in (slice(1, None), slice(None, -1)):
        total[side] += step
        count[side] += both
    return np.moveaxis(total / np.maximum(count, 1.0), 0, axis)


def noise_level(image: np.ndarray) -> float:
    """Standard deviation of an image's noise [grey levels], from the median variation between neighbouring pixels (Immerkær 1996)."""
    image = np.asarray(image, np.float64)
    across = image[:-2] - 2.0 * image[1:-1] + image[2:]
    detail = across[:, :-2] - 2.0 * across[:, 1:-1] + across[:, 2:]
    return float(np.median(np.abs(detail)) / 0.6745 / 6.0)


def field_of_light(image: np.ndarray, system: System, *, centre: np.ndarray, instrument: Instrument, trace: Trace) -> int:
    """Side [native px] of the square about the source's centre that holds the light.

    Light, averaged over 3 × 3 pixels, that is fainter than a fiftieth of the brightest or hardly above the noise does not count.
    """
    traced = rays(system, jnp.asarray(centre, jnp.result_type(system.x)), instrument=instrument, trace=trace)
    good = np.asarray(traced.visible & (traced.stretch < 2.0))
    noise = noise_level(image) / 3.0
    image = uniform_filter(np.asarray(image, np.float64), 3)
    faint = np.median(image) + max(0.02 * image.max(), 6.0 * noise)
    reach = np.maximum(np.abs(np.asarray(traced.x)), np.abs(np.asarray(traced.y)))[good & (image > faint)]
    if reach.size == 0:
        return 2 * half_width(0.0, 0.0)
    return 2 * int(np.clip(math.ceil(1.15 * np.quantile(reach, 0.999) + 2.0), 8, 2 * round(instrument.shape[0] * instrument.pixel_scale)))
