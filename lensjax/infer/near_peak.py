"""Starts from the light about an image's peak: for axisymmetric lenses, and sources that are one Gaussian.

The peak is where the source's centre is seen. Of a given lens it tells the rest: the logarithm of a Gaussian's light is a quadratic form of
the place in the source plane, whose three elements are a linear least-squares fit. So only the direction, distance and strength of the lens
are searched for: on a grid, then by descents that take in fainter and fainter pixels, farther and farther from the peak.
"""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import roulette
from lensjax.conventions import GREY_LEVELS
from lensjax.infer import levenberg_marquardt
from lensjax.infer.objective import Normal
from lensjax.infer.starts import from_moments, sky_noise
from lensjax.light.gaussian import Gaussian
from lensjax.observation.grid import pixel_points
from lensjax.problems.axisymmetric import AxisymmetricProblem
from lensjax.problems.observables import to_fit
from lensjax.simulate import System

_DIRECTIONS, _DISTANCES, _STRENGTHS = 24, 10, 9  # of the grid
_NEAREST, _FARTHEST = 18.0, 330.0  # px, from the peak to the lens
_LEVELS = (0.24, 0.06, 0.016)  # of the brightest pixel, down to which light counts
_OTHER_LEVELS = (0.6, 0.24, 0.08, 0.016)
_ABOVE_NOISE = 4.0  # times the sky's noise, which light must exceed
_PIXELS = 300  # drawn from those above a level
_STEPS, _TOLERANCE = 40, 1e-2  # of a descent; grey²
_SAME = 0.1  # distance in the five numbers, within which two starts are one
_LONG = 30  # terms from which the exact lens equation serves
_SCALE = 100.0  # px, by which offsets are divided: squares of order one
_LOWEST, _HIGHEST = (-1000.0, -1000.0, -20.0, 1.0, -6.0), (1000.0, 1000.0, 20.0, 7.0, 6.0)

# Five numbers: the peak (x, y) [px], direction [rad], log distance of the lens from it, log g/(1 − g); see `problems.observables`.


def without_network(problem: AxisymmetricProblem, image: np.ndarray, *, again: bool = False) -> np.ndarray:
    """(S, 8): starts for one image (n, n) from the image alone; `again`: more and other ones, for a second search."""
    near = from_light(problem, image, other=again)
    if again:
        return np.concatenate([near, from_moments(image, between=True)])
    return near if len(near) else from_moments(image)[::6]


def from_light(problem: AxisymmetricProblem, image: np.ndarray, *, count: int = 8, other: bool = False) -> np.ndarray:
    """Starts for one image, the most promising first, in fit coordinates.

    Args:
        problem: its lens is axisymmetric, its source one Gaussian.
        image: (n, n) grey levels of any brightness, n the problem's image size; pixels that are not finite count as dark.
        count: starts; distinct ones, and the same again where there are fewer.
        other: whether to take other pixels, for a second search.

    Returns:
        (count, 8), see `problems.observables`; (0, 8) where the image shows no light above its noise, or none that a lens explains.
    """
    image = np.where(np.isfinite(image), np.asarray(image, np.float64), 0.0)
    noise = sky_noise(image)
    brightest = image.max()
    if not brightest > _ABOVE_NOISE * noise:
        return np.zeros((0, 8))
    x, y = (np.asarray(points) for points in pixel_points(problem.image_size, problem.field, dtype=jnp.float32))
    x, y = np.broadcast_to(x, image.shape), np.broadcast_to(y, image.shape)
    at_peak = image >= brightest - 0.5 - 3.0 * noise
    peak = np.array([x[at_peak].mean(), y[at_peak].mean()])
    random = np.random.default_rng(0)
    levels = _OTHER_LEVELS if other else _LEVELS
    lit = [_drawn(random, image, x, y, least=max(level * brightest, _ABOVE_NOISE * noise)) for level in levels]

    trace = problem.trace
    terms = trace.terms if trace.map == "series" and trace.terms < _LONG else 0
    grid = _grid(peak)
    costs, _ = _costs(problem, terms, *lit[0], grid)
    by_direction = np.reshape(costs, (_DIRECTIONS, -1))
    numbers = grid.reshape(_DIRECTIONS, -1, 5)[np.arange(_DIRECTIONS), by_direction.argmin(axis=1)]
    ends = []
    for pixels in lit:
        numbers = np.asarray(_descents(problem, terms, *pixels, numbers))
        ends.append(numbers)
    numbers = np.concatenate(ends)
    costs, forms = (np.asarray(part) for part in _costs(problem, terms, *lit[-1], numbers))
    kept = _distinct(costs, numbers, count)
    if not kept:
        return np.zeros((0, 8))
    fits = np.asarray(_fits(problem, numbers, forms), np.float64)[kept]
    return fits[np.arange(count) % len(fits)]


def _drawn(
    random: np.random.Generator, image: np.ndarray, x: np.ndarray, y: np.ndarray, *, least: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places and grey levels (`_PIXELS`,) of pixels above a level, drawn at random; some twice where there are fewer."""
    places = np.flatnonzero(image >= least)
    chosen = random.choice(places, _PIXELS, replace=len(places) < _PIXELS)
    bright = np.float32(GREY_LEVELS / image.max()) * image.flat[chosen]
    return x.flat[chosen], y.flat[chosen], bright.astype(np.float32)


@lru_cache(maxsize=1)
def _lenses() -> np.ndarray:
    """(C, 3): direction, log distance, log g/(1 − g)."""
    directions = 2.0 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    distances = np.linspace(np.log(_NEAREST), np.log(_FARTHEST), _DISTANCES)
    g = np.linspace(0.04, 0.92, _STRENGTHS)
    return np.stack(np.meshgrid(directions, distances, np.log(g / (1.0 - g)), indexing="ij"), axis=-1).reshape(-1, 3)


def _grid(peak: np.ndarray) -> np.ndarray:
    """(C, 5) with the peak (2,)."""
    lenses = _lenses()
    return np.concatenate([np.broadcast_to(peak, (len(lenses), 2)), lenses], axis=1).astype(np.float32)


def _system(problem: AxisymmetricProblem, numbers: Array, form: Array) -> tuple[System, Array]:
    """The system of five numbers and a source's form (3,), and ξ (2,)."""
    distance, g = jnp.exp(numbers[3]), jax.nn.sigmoid(numbers[4])
    xi = distance * jnp.stack([jnp.cos(numbers[2]), jnp.sin(numbers[2])])
    rest = jax.nn.sigmoid(-numbers[4])
    return System(problem.lens_of(g, distance), Gaussian(form[0], form[1], form[2]), rest * xi[0], rest * xi[1]), xi


def _residual(problem: AxisymmetricProblem, terms: int, x: Array, y: Array, grey: Array, numbers: Array) -> tuple[Array, Array]:
    """Residuals (M,) [grey] of pixels at the best form (3,) of the source, and that form; infinite where no form has a peak.

    The series of few terms has a window; the exact equation (`terms` 0) takes every pixel.
    """
    system, xi = _system(problem, numbers, jnp.zeros(3, x.dtype))
    dx, dy = x - numbers[0], y - numbers[1]
    if terms:
        bx, by = roulette.source_offset(dx, dy, xi[0], xi[1], system.lens, terms=terms)
        seen = roulette.inside(dx, dy, xi[0], xi[1], system.lens) >= 0
    else:
        ax, ay = system.lens.deflection(dx + xi[0], dy + xi[1])
        bx, by = dx + xi[0] - ax - system.x, dy + xi[1] - ay - system.y
        seen = jnp.ones(x.shape, bool)
    bx, by = bx / _SCALE, by / _SCALE
    columns = jnp.stack([bx * bx, 2.0 * bx * by, by * by])
    weight = jnp.where(seen, grey, 0.0)  # an error of the light is that of its logarithm times the light
    weighted = weight * columns
    matrix, right = weighted @ weighted.T, weighted @ (weight * -2.0 * jnp.log(grey / GREY_LEVELS))
    scale = jnp.sqrt(jnp.diagonal(matrix)) + 1e-12
    form = jnp.linalg.solve(matrix / jnp.outer(scale, scale) + 1e-6 * jnp.eye(3, dtype=x.dtype), right / scale) / scale
    peaked = (form[0] * form[2] > form[1] ** 2) & (form[0] > 0)
    model = jnp.where(seen, GREY_LEVELS * jnp.exp(-0.5 * form @ columns), 0.0)
    return jnp.where(peaked, grey - model, jnp.inf), form / _SCALE**2


@partial(jax.jit, static_argnums=(0, 1))
def _costs(problem: AxisymmetricProblem, terms: int, x: Array, y: Array, grey: Array, numbers: Array) -> tuple[Array, Array]:
    """Mean squared residuals (C,) [grey²], infinite where there is none, and forms (C, 3) of numbers (C, 5)."""

    def of(row: Array) -> tuple[Array, Array]:
        residual, form = _residual(problem, terms, x, y, grey, row)
        cost = jnp.mean(residual**2)
        return jnp.where(jnp.isfinite(cost), cost, jnp.inf), form

    costs: tuple[Array, Array] = jax.lax.map(of, numbers, batch_size=32)
    return costs


@partial(jax.jit, static_argnums=(0, 1))
def _descents(problem: AxisymmetricProblem, terms: int, x: Array, y: Array, grey: Array, numbers: Array) -> Array:
    """Where descents from numbers (C, 5) end."""
    bounds = jnp.asarray(_LOWEST, x.dtype), jnp.asarray(_HIGHEST, x.dtype)

    def evaluate(row: Array) -> Normal:
        residual, push = jax.linearize(lambda at: _residual(problem, terms, x, y, grey, at)[0], row)
        columns = jax.vmap(push)(jnp.eye(5, dtype=row.dtype))
        mean = 1.0 / len(x)
        return Normal(mean * (residual @ residual), mean * (columns @ columns.T), mean * (columns @ residual))

    def end(row: Array) -> Array:
        fit = levenberg_marquardt.descend(evaluate, row, *bounds, steps=_STEPS, tolerance=_TOLERANCE).fit
        return jnp.where(jnp.isfinite(fit).all(), fit, row)

    ends: Array = jax.lax.map(end, numbers)
    return ends


@partial(jax.jit, static_argnums=0)
def _fits(problem: AxisymmetricProblem, numbers: Array, forms: Array) -> Array:
    """Fit coordinates (C, 8) of numbers (C, 5) and forms (C, 3)."""

    def of(row: Array, form: Array) -> Array:
        system, xi = _system(problem, row, form)
        return to_fit(system, xi - row[:2])

    return jax.vmap(of)(numbers, forms)


def _distinct(costs: np.ndarray, numbers: np.ndarray, count: int) -> list[int]:
    """Rows of at most `count` distinct numbers, the lowest costs first."""
    kept: list[int] = []
    for k in np.argsort(costs):
        if len(kept) == count or not np.isfinite(costs[k]):
            break
        if all(np.abs(numbers[k] - numbers[other]).max() > _SAME for other in kept):
            kept.append(int(k))
    return kept
