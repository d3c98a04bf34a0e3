"""CosmoSim 3.3's own pixels, for those who must compare with images that it made.

CosmoSim draws the source on a lattice of whole pixels, rounded to whole grey levels, and rotates that raster (bilinear, weights of
1/32 px). Every image pixel gets the lattice point to the lower right of where its light comes from (`floor`). So images are half a pixel
off in the source plane, at (x + ½, y − ½), and rough by about a grey level. The axes of its Sérsic profiles are exchanged. The centre of
light is that of the rounded image, which is moved by it (bilinear again, by OpenCV 5 without steps) and cropped. The search for the
reference point of an SIE or a cluster ends once its step is below 0.02 px. Take float64: at float32 some pixels read the next lattice
point.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from lensjax import roulette
from lensjax._internal.tree import register
from lensjax.conventions import GREY_LEVELS
from lensjax.lens import SIS, Cluster, Lens, PointMass
from lensjax.lens.base import safe_norm
from lensjax.lens.cluster import total
from lensjax.lens.sie import rotated
from lensjax.light import Constellation, Source, Triangle
from lensjax.observation.centre import centroid
from lensjax.observation.detector import quantise
from lensjax.observation.grid import pixel_points
from lensjax.simulate import System, Trace

_STEPS = 32.0  # OpenCV's positions between two pixels
_FIXED = 1024.0  # and its fixed-point unit
_NEAR = 0.02  # px, the step at which the search for a reference point ends
_PATIENCE = 200
_LINE = 2.45  # px from a triangle's side to the edge of OpenCV's lines of width 3
_LINE_LEVEL = 192.0
_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, where OpenCV makes grey of them


@register
@dataclass(frozen=True)
class GaussianProfile:
    """A Gaussian as CosmoSim draws it.

    Attributes:
        sigma, sigma2: standard deviations [px] along and across `theta`, scalars.
        theta: direction [rad], scalar.
    """

    sigma: Array
    sigma2: Array
    theta: Array

    def level(self, x: Array, y: Array) -> Array:
        """Grey levels before rotation, not rounded."""
        return GREY_LEVELS * jnp.exp(-0.5 * ((x / self.sigma) ** 2 + (y / self.sigma2) ** 2))

    def light(self, x: Array, y: Array) -> Array:
        return self.level(*rotated(x, y, self.theta)) / GREY_LEVELS

    def extent(self, cos: Array, sin: Array) -> Array:
        return 5.0 * jnp.maximum(self.sigma, self.sigma2)


@register
@dataclass(frozen=True)
class SersicProfile:
    """A Sérsic profile as CosmoSim draws it: its axes exchanged, its b_n = 1.992 n − 0.3271.

    Attributes:
        sigma, sigma2: half-light semi-axes [px], scalars.
        theta: direction [rad], scalar.
        n: index.
        luminosity: CosmoSim's.
    """

    sigma: Array
    sigma2: Array
    theta: Array
    n: Array
    luminosity: Array

    def level(self, x: Array, y: Array) -> Array:
        """Grey levels before rotation, not rounded."""
        rho = jnp.sqrt((x / self.sigma2) ** 2 + (y / self.sigma) ** 2)
        b = 1.992 * self.n - 0.3271
        power = 2.0 * self.n * jnp.log(b) - b - jax.scipy.special.gammaln(2.0 * self.n)
        peak = 1e3 * self.luminosity / (2.0 * 3.141592 * self.sigma * self.sigma2 * self.n) * jnp.exp(power)
        return peak * jnp.exp(-b * (rho ** (1.0 / self.n) - 1.0))

    def light(self, x: Array, y: Array) -> Array:
        return self.level(*rotated(x, y, self.theta)) / GREY_LEVELS

    def extent(self, cos: Array, sin: Array) -> Array:
        return 5.0 ** jnp.maximum(self.n, 1.0) * jnp.maximum(self.sigma, self.sigma2)


def image(system: System, *, canvas: int, size: int, trace: Trace, centred: bool = True) -> tuple[Array, Array]:
    """(n, n[, 3]) whole grey levels, and (2,) the point at the image's centre, relative to the lens [px].

    Args:
        system: lens and source; a Gaussian or Sérsic source as `GaussianProfile` or `SersicProfile`.
        canvas: side of the uncropped image [px].
        size: side n of the image [px].
        trace: how the lens equation is solved, and the window.
        centred: whether the centre of light of the canvas is moved to the image's centre.
    """
    x, y = pixel_points(canvas, canvas, dtype=jnp.result_type(system.x))
    raster = _raster(system.source, x, y)
    pixels = _looked_up(system, raster, x, y, trace)
    grey = pixels if pixels.ndim == 2 else jnp.round(pixels @ jnp.asarray(_LUMA, pixels.dtype))
    centre = jnp.zeros(2, x.dtype)
    if centred:
        centre = jnp.stack(centroid(grey, x, y))
        pixels = _moved(pixels, centre)
    cut = (canvas - size) // 2
    return pixels[cut : cut + size, cut : cut + size], centre


def _looked_up(system: System, raster: Array, x: Array, y: Array, trace: Trace) -> Array:
    """The lattice's value for every pixel."""
    n = x.size
    kept = jnp.ones((n, n), bool)
    if trace.map == "series":
        xi_x, xi_y = _reference(system.lens, system.x, system.y)
        dx, dy = jnp.broadcast_arrays(x - xi_x, y - xi_y)
        if trace.window != "none":
            kept = roulette.circle(dx, dy, xi_x, xi_y) >= 0
        bx, by = roulette.source_offset(dx, dy, xi_x, xi_y, system.lens, terms=trace.terms)
        last = n - 2
    else:
        ax, ay = system.lens.deflection(x, y)
        bx, by = x - ax - system.x, y - ay - system.y
        kept = _off_centres(system.lens, *jnp.broadcast_arrays(x, y))
        last = n - 1
    row, column = jnp.floor(n / 2 - by), jnp.floor(bx + n / 2)
    kept = kept & (row >= 0) & (row <= last) & (column >= 0) & (column <= last)
    at = [jnp.where(kept, number, 0).astype(jnp.int32) for number in (row, column)]
    level = raster[at[0], at[1]]
    return jnp.where(kept[..., None] if level.ndim == 3 else kept, level, 0.0)


def _reference(lens: Lens, x: Array, y: Array) -> tuple[Array, Array]:
    """The reference point ξ: of lenses that have no closed form the last step of ξ ← η + α(ξ)."""
    if isinstance(lens, SIS | PointMass):
        return lens.primary_image(x, y)
    eta = jnp.stack([x, y])

    def mapped(at: Array) -> Array:
        return eta + jnp.stack(lens.deflection(at[0], at[1]))

    def moving(state: tuple[Array, Array, Array]) -> Array:
        count, before, at = state
        return (count < _PATIENCE) & (safe_norm(*(at - before))[0] >= _NEAR)

    count = jnp.int32(1)
    _, _, xi = jax.lax.while_loop(moving, lambda state: (state[0] + 1, state[2], mapped(state[2])), (count, eta, mapped(eta)))
    return xi[0], xi[1]


def _off_centres(lens: Lens, x: Array, y: Array) -> Array:
    """Where pixels show light: not at the very centre of a lens, or of a cluster's member."""
    if isinstance(lens, Cluster):
        nearest = total(lens, x, y, lambda _, dx, dy: (safe_norm(dx, dy)[0],), join=jnp.minimum)[0]
    else:
        nearest = safe_norm(x, y)[0]
    return nearest > 0


def _raster(source: Source, x: Array, y: Array) -> Array:
    """The source on the lattice of the points x (1, n), y (n, 1): whole grey levels (n, n[, 3])."""
    if isinstance(source, Constellation):
        parts = [_moved(_raster(member, x, y), -jnp.stack([source.x[k], source.y[k]])) for k, member in enumerate(source.members)]
        if any(part.ndim == 3 for part in parts):
            parts = [part if part.ndim == 3 else part[..., None] * jnp.ones(3) for part in parts]
        return jnp.minimum(sum(parts[1:], parts[0]), GREY_LEVELS)
    if isinstance(source, Triangle):
        level = _triangle(x.size, source.sigma)
    elif isinstance(source, GaussianProfile | SersicProfile):
        level = quantise(source.level(*jnp.broadcast_arrays(x, y)))
    else:
        return quantise(GREY_LEVELS * source.light(x, y))
    result: Array = jax.lax.cond(source.theta != 0.0, _rotated, lambda level, theta: level, level, source.theta)
    return result


def _triangle(n: int, sigma: Array) -> Array:
    """Lines of red, green and blue between corners on whole pixels, the red one on top (n, n, 3)."""
    row, column = jnp.meshgrid(jnp.arange(n, dtype=sigma.dtype), jnp.arange(n, dtype=sigma.dtype), indexing="ij")
    angle = 2.0 * jnp.pi / 3.0 * jnp.arange(3, dtype=sigma.dtype)
    across, down = jnp.trunc(n // 2 + sigma * jnp.cos(angle) + 1e-9), jnp.trunc(n // 2 - sigma * jnp.sin(angle) + 1e-9)
    level = jnp.zeros((n, n, 3), sigma.dtype)
    for k in reversed(range(3)):
        ex, ey = across[(k + 1) % 3] - across[k], down[(k + 1) % 3] - down[k]
        dx, dy = column - across[k], row - down[k]
        along = jnp.clip((dx * ex + dy * ey) / jnp.maximum(ex * ex + ey * ey, 1.0), 0.0, 1.0)
        on = (dx - along * ex) ** 2 + (dy - along * ey) ** 2 <= _LINE**2
        level = jnp.where(on[..., None], _LINE_LEVEL * jax.nn.one_hot(k, 3, dtype=sigma.dtype), level)
    return level


def _rotated(level: Array, theta: Array) -> Array:
    """The raster rotated counter-clockwise about (n/2, n/2), in OpenCV 4's fixed-point numbers."""
    n = level.shape[0]
    row, column = jnp.meshgrid(jnp.arange(n, dtype=theta.dtype), jnp.arange(n, dtype=theta.dtype), indexing="ij")
    cosine, sine, centre = jnp.cos(theta), jnp.sin(theta), n / 2

    def place(by_column: Array, by_row: Array) -> Array:
        begin = by_row * row + centre * (1.0 - by_column - by_row)
        fixed = jnp.round(_FIXED * begin) + jnp.round(_FIXED * by_column * column)
        return jnp.floor((fixed + 0.5 * _FIXED / _STEPS) * (_STEPS / _FIXED)) / _STEPS

    return jnp.floor(_between(level, place(sine, cosine), place(cosine, -sine)) + 0.5)


def _moved(level: Array, by: Array) -> Array:
    """The raster with the point `by` (x, y) [px] at its centre."""
    n = level.shape[0]
    row, column = jnp.meshgrid(jnp.arange(n, dtype=by.dtype) - by[1], jnp.arange(n, dtype=by.dtype) + by[0], indexing="ij")
    return jnp.round(_between(level, row, column))


def _between(level: Array, row: Array, column: Array) -> Array:
    """Bilinear (n, n[, 3]); dark beyond the edge."""
    if level.ndim == 3:
        return jnp.stack([_between(level[..., k], row, column) for k in range(level.shape[2])], axis=-1)
    value: Array = jax.scipy.ndimage.map_coordinates(level, [row, column], order=1, mode="constant", cval=0.0)
    return value
