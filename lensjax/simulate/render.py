"""Systems to images: differentiable, and quick for any number of images."""

import jax
import jax.numpy as jnp
from jax import Array

from lensjax import roulette
from lensjax.lens import Axisymmetric
from lensjax.lens.base import direction, safe_norm
from lensjax.light import Source, is_coloured
from lensjax.light.base import mixed
from lensjax.observation.centre import centroid
from lensjax.observation.grid import pixel_points
from lensjax.observation.instrument import CentreOfLight, Instrument
from lensjax.simulate.exposure import Brightness, exposure
from lensjax.simulate.system import System
from lensjax.simulate.trace import Trace

_EXACT = Trace()
_LARGEST_CONSTANT = 1024  # points on a side of a grid that is kept in a program: 4 MB for each coordinate

_STEEPEST = 1e30
"""Largest power of an offset, in units of the reference point's distance, that a diverging series is carried to."""


def light(system: System, x: Array, y: Array, *, trace: Trace, at: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
    """Light of the source at image-plane points, and how far inside the window each lies.

    Args:
        system: lens and source.
        x, y: points relative to the lens [px]; they broadcast against each other.
        trace: how the lens equation is solved, and the window.
        at: the same points for the lens, where x and y as it is given them are not the quickest for the rest.

    Returns:
        (light, inside): light 0…1 as if there were no window, colours on a last axis (3,) where the source has any, and the distance
        [px] to the window's edge, positive inside; +inf where nothing is cut. The image is the light where inside ≥ 0. Far outside
        (more than a tenth of the ring's radius), where a series means nothing, its light is 0.
    """
    inside = jnp.asarray(jnp.inf, x.dtype)
    if trace.map == "series" or trace.window != "none":
        xi_x, xi_y = system.lens.primary_image(system.x, system.y)
        dx, dy = x - xi_x, y - xi_y
        if trace.window == "region":
            inside = roulette.inside(dx, dy, xi_x, xi_y, system.lens)
        elif trace.window == "circle":
            inside = roulette.circle(dx, dy, xi_x, xi_y)
    if trace.map == "series":
        radius = jnp.sqrt(xi_x * xi_x + xi_y * xi_y)
        if trace.window == "none":
            usable = dx * dx + dy * dy < (_STEEPEST ** (1.0 / trace.terms) * radius) ** 2
        else:
            usable = inside > -0.1 * radius
        dx, dy = jnp.where(usable, dx, 0.0), jnp.where(usable, dy, 0.0)
        bx, by = roulette.source_offset(dx, dy, xi_x, xi_y, system.lens, terms=trace.terms)
        # Far outside the region a series may overflow: no light.
        usable &= jnp.isfinite(bx) & jnp.isfinite(by)
        bx, by = jnp.where(usable, bx, 0.0), jnp.where(usable, by, 0.0)
        return kept_where(usable, system.source.light(bx, by)), inside
    ax, ay = system.lens.deflection(*(at or (x, y)))
    return system.source.light(x - ax - system.x, y - ay - system.y), inside


def kept_where(kept: Array, bright: Array) -> Array:
    """`bright`, with or without colours on its last axis, where `kept` (..., n, n) is true; 0 elsewhere."""
    return jnp.where(kept[..., None] if bright.ndim > jnp.ndim(kept) else kept, bright, 0.0)


def _reach(whole: Array | bool, like: Array) -> Array:
    """How far outside the window pixels are shown [px]: not at all, or without end."""
    return jnp.where(whole, jnp.inf, 0.0).astype(like.dtype)


def _check_single(system: System) -> None:
    if jnp.ndim(system.x) or jnp.ndim(system.y):
        raise ValueError(f"x and y of a system must be scalars, not of shape {jnp.shape(system.x)}; map over a batch with jax.vmap")


def _bounds(
    lens: Axisymmetric, source: Source, distance: Array, cos: Array, sin: Array, *, canvas: int, trace: Trace, whole: Array | bool
) -> tuple[Array, Array, Array]:
    """(behind, ahead, aside) [px], measured from the lens towards a source at `distance` along (cos, sin): all light lies there, but for
    its outermost traces."""
    largest = jnp.asarray(0.75 * canvas, distance.dtype)  # more than half a diagonal
    behind, ahead, aside = (largest,) * 3
    if trace.map == "exact":
        along, across = source.extent(cos, sin), source.extent(-sin, cos)
        behind, ahead = lens.image_radius(along - distance), lens.image_radius(along + distance)
        nearest = jnp.maximum(distance - along, 0.0)
        aside = across * (1.0 + (lens.image_radius(nearest) - nearest) / jnp.sqrt(nearest * nearest + across * across))
    if trace.window != "none":
        radius, reach = lens.image_radius(distance), _reach(whole, distance)
        behind = jnp.minimum(behind, reach)
        ahead = jnp.minimum(ahead, 2.0 * radius + reach)
        aside = jnp.minimum(aside, radius + reach)
    return jnp.minimum(behind, largest), jnp.minimum(ahead, largest), jnp.minimum(aside, largest)


def centre_of_light(system: System, centring: CentreOfLight, *, trace: Trace = _EXACT, whole: Array | bool = False) -> tuple[Array, Array]:
    """Centre of the source's light (x, y) on the whole canvas, relative to the lens [px]; the lens's own light does not count.

    The rim of the window is softened over one step of the grid, so that the centre is smooth in every parameter. `whole` as
    in `image`.
    """
    dtype = jnp.result_type(system.x)
    _check_single(system)
    canvas, samples = centring.canvas, centring.samples
    lens, everywhere = system.lens, (trace.map, trace.window) == ("series", "none")
    if samples is not None and isinstance(lens, Axisymmetric) and not everywhere:
        cos, sin = direction(system.x, system.y)
        distance = safe_norm(system.x, system.y)[0]
        behind, ahead, aside = _bounds(lens, system.source, distance, cos, sin, canvas=canvas, trace=trace, whole=whole)
        t = (2.0 * jnp.arange(samples, dtype=dtype) + 1.0) / samples - 1.0
        u = 0.5 * ((ahead - behind) + (ahead + behind) * t[None, :])
        # Denser towards the axis: a counter-image at an isothermal lens's centre is a needle along it.
        square = t[:, None] ** 2
        v, weight = aside * t[:, None] * (0.4 + 0.6 * square), 0.4 + 1.8 * square
        x, y = cos * u - sin * v, sin * u + cos * v
        step = jnp.sqrt((ahead + behind) * 2.0 * aside) / samples
    else:
        u, v = x, y = pixel_points(canvas, canvas, dtype=dtype)
        cos, sin, step, weight = jnp.ones((), dtype), jnp.zeros((), dtype), jnp.ones((), dtype), jnp.ones((), dtype)
    bright, inside = light(system, x, y, trace=trace)
    bright = bright.sum(-1) if is_coloured(system.source) else bright
    depth = jnp.minimum(inside + _reach(whole, inside), 0.5 * canvas - jnp.maximum(jnp.abs(x + 0.5), jnp.abs(y - 0.5)))
    kept = jnp.clip(depth / step + 0.5, 0.0, 1.0)
    along, across = centroid(bright * kept * weight, u, v)
    return cos * along - sin * across, sin * along + cos * across


def image(system: System, instrument: Instrument, *, trace: Trace = _EXACT, whole: Array | bool = False) -> Array:
    """One image, not rounded.

    Args:
        system: lens, source, and the lens's own light; its dtype is the image's.
        instrument: how the image is taken.
        trace: how the lens equation is solved, and the window.
        whole: whether the image is shown without its window; may be traced.

    Returns:
        (H, W) of the instrument's `shape`, (H, W, 3) of a coloured source, in the unit of the light: times `GREY_LEVELS` grey levels.
        Row 0 is the top.

    Raises:
        ValueError: a batch of systems instead of one.
    """
    if instrument.centring is not None:
        centre = image_centre(system, instrument, trace=trace, whole=whole)
        return image_about(system, instrument, centre, trace=trace, whole=whole)
    _check_single(system)
    return _exposed(system, _seen(system, trace, whole, _constant_points(system, instrument, trace)), instrument)


def image_centre(system: System, instrument: Instrument, *, trace: Trace = _EXACT, whole: Array | bool = False) -> Array:
    """The point (2,) at the image's middle, relative to the lens [px]: the centre of light, or the lens itself."""
    if instrument.centring is None:
        return jnp.zeros(2, jnp.result_type(system.x))
    return jnp.stack(centre_of_light(system, instrument.centring, trace=trace, whole=whole))


def image_about(system: System, instrument: Instrument, centre: Array, *, trace: Trace = _EXACT, whole: Array | bool = False) -> Array:
    """As `image`, with the point `centre` (2,), relative to the lens [px], at the image's middle."""
    _check_single(system)
    # The barrier keeps XLA from moving the computation of the centre and the system into the image's own loop.
    system, centre = jax.lax.optimization_barrier((system, centre))
    seen = _seen(system, trace, whole)
    return _exposed(system, lambda x, y: seen(x + centre[0], y + centre[1]), instrument)


def _exposed(system: System, seen: Brightness, instrument: Instrument) -> Array:
    """The image (H, W[, 3]) of a system's light."""
    dtype = jnp.result_type(system.x)
    if not any(is_coloured(light) for light in (system.source, system.lens_light) if light is not None):
        return exposure(seen, instrument, dtype=dtype)
    return jnp.moveaxis(exposure(lambda x, y: jnp.moveaxis(seen(x, y), -1, 0), instrument, dtype=dtype), 0, -1)


def _constant_points(system: System, instrument: Instrument, trace: Trace) -> tuple[Array, Array] | None:
    """The points of an image as whole arrays (m, n) of constants, where that is quicker for the lens.

    About an axisymmetric lens all images without a centre of their own have the same radii. XLA takes their roots once, when it
    compiles: images of SIS and point mass take half the time.
    """
    same_radii = isinstance(system.lens, Axisymmetric) and trace.map == "exact"
    if not same_radii or max(instrument.shape) * instrument.supersampling > _LARGEST_CONSTANT:
        return None
    with jax.ensure_compile_time_eval():
        x, y = jnp.broadcast_arrays(*instrument.points(dtype=jnp.result_type(system.x)))
    return x, y


def _seen(system: System, trace: Trace, whole: Array | bool, at: tuple[Array, Array] | None = None) -> Brightness:
    """The light at points relative to the lens: the source's within the window, and the lens's own; `at` as in `light`, of the grid."""

    def brightness(x: Array, y: Array) -> Array:
        refined = x.ndim > 2  # points of single pixels
        bright, inside = light(system, x, y, trace=trace, at=None if refined else at)
        if trace.window != "none":
            kept = jnp.broadcast_to(inside + _reach(whole, inside) >= 0, jnp.broadcast_shapes(x.shape, y.shape))
            bright = kept_where(kept, bright)
        if system.lens_light is None:
            return bright
        return mixed([(system.source, bright), (system.lens_light, system.lens_light.light(x, y))])

    return brightness
