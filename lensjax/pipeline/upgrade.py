"""Richer sources, for arcs that the first one does not explain: shapelets of a higher order, then a grid of pixels.

Each begins where the one before it ended, with the strength of its penalty that is the most probable one. It is kept where its evidence is
higher: that counts how well the arcs are explained against how many sources the model could have made (MacKay 1992; Suyu et al. 2006).
BIC would count amplitudes, of which a penalty leaves only some free.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import linalg

from lensjax.infer import evidence, fit, verdict
from lensjax.infer.evidence import Evidence
from lensjax.infer.fit import Belief, Optimum
from lensjax.observation.instrument import places
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.observed import Observed
from lensjax.pipeline.arcs import radius, sigma_of
from lensjax.pipeline.options import Options
from lensjax.problems.compose import Composition

SIDE = 25
"""Points on a side of a source's grid."""

_ORDER = 12  # of the richer shapelets

_KEPT = 1e6  # precision of numbers that a fit must keep
_WITHIN = 0.95  # of the arcs' pixels, traced back: they lie in the inner part of the grid
_PART = 0.7  # of the grid's half width: that inner part
_APART = (0.012, 0.06)  # arcsec between the grid's points
_MARGIN, _STEP, _LEAST = 0.3, 0.5, 2.0  # arcsec beyond the arcs that are looked at, in steps and at least: many images share programs
_STRONGER = 5.0  # in ln E: from which another source is the more probable one


@dataclass(frozen=True)
class Rung:
    """A fit with a source.

    Attributes:
        problem: what was fitted.
        optimum: where it ended.
        evidence: of its source there.
        explained: whether its residuals are noise.
    """

    problem: Composition
    optimum: Optimum
    evidence: Evidence
    explained: bool

    @property
    def words(self) -> str:
        """Which source it is."""
        grid = "source_pixel" in self.problem.names
        return f"source of {SIDE}×{SIDE} pixels" if grid else f"source of {self.problem.linear} shapelets"


def ladder(
    problem: Composition,
    seen: Observed,
    belief_of: Callable[[Composition], Belief],
    start: Optimum,
    *,
    options: Options,
    pixels_only: bool = False,
) -> Rung | None:
    """The most probable fit with a richer source than that of a fit with shapelets; None where the shapelets' own is.

    Args:
        problem: with shapelets.
        seen: the arcs, about the lens.
        belief_of: the belief about a problem's numbers.
        start: where the fit with shapelets ended.
        options: how the image is fitted.
        pixels_only: whether pixels are the answer however probable they are.
    """
    near = about(seen, start.model)
    if near is None:
        return None
    richer, grid = options.galaxy(source="shapelets", n_max=_ORDER), options.galaxy(source="pixels", source_pixels=SIDE)
    best, first = None, climb(near, belief_of(problem), start.numbers, problem)
    if first is None or (first.explained and not pixels_only):
        return None
    for other in (grid,) if pixels_only else (richer, grid):
        last = first if best is None else best
        begin, own = last.optimum.numbers, belief_of(other)
        if other is grid:
            begin, own = on_grid(last, grid, near, own)
        tried = climb(near, own, begin, other)
        if tried is not None and (pixels_only or tried.evidence.comparable > last.evidence.comparable + _STRONGER):
            best = tried
        if best is not None and best.explained:
            break
    if best is None:
        return None
    whole = on(seen, best.problem, best.optimum)
    return replace(best, optimum=whole, explained=_is_noise(best.problem, whole, seen, best.evidence))


def climb(seen: Observed, belief: Belief, begin: np.ndarray, problem: Composition) -> Rung | None:
    """The fit of a problem from numbers (E,), with the most probable penalty; None where it leads nowhere.

    Args:
        seen: the arcs.
        belief: of the problem's numbers.
        begin: its numbers to start from.
        problem: the problem; its source's amplitudes have a penalty.
    """
    strength = jnp.asarray(evidence.strength_of(problem, seen, begin).strength)
    found = fit.descend_from(problem, [seen], [[begin]], beliefs=[belief._replace(strength=strength)])[0]
    if not found:
        return None
    best, probable = found[0], evidence.strength_of(problem, seen, found[0].numbers)
    return Rung(problem, best, probable, _is_noise(problem, best, seen, probable))


def _is_noise(problem: Composition, best: Optimum, seen: Observed, probable: Evidence) -> bool:
    degrees = max(round(best.pixels - problem.size - probable.freedom), 1)
    return not verdict.against_noise(best.residual, np.asarray(seen.mask), chi2=best.chi2, degrees=degrees)


def on_grid(last: Rung, grid: Composition, seen: Observed, belief: Belief) -> tuple[np.ndarray, Belief]:
    """Numbers (E,) of a problem with a grid of pixels, from a fit with the same lens, and the belief that keeps the grid's place.

    The grid holds what the modelled arcs are traced back to.

    Args:
        last: the other fit.
        grid: the problem with a grid.
        seen: the arcs of that fit.
        belief: of the grid's numbers.
    """
    problem, numbers = last.problem, jnp.asarray(last.optimum.numbers)
    bright = last.optimum.model > sigma_of(seen)
    x, y, params = traced(problem, numbers, *map(jnp.asarray, np.meshgrid(*places(seen.instrument))))
    reached, light = np.stack([np.asarray(x, np.float64)[bright], np.asarray(y, np.float64)[bright]]), last.optimum.model[bright]
    middle = np.array([_weighted(part, light) for part in reached])
    reach = np.quantile(np.abs(reached - middle[:, None]).max(axis=0), _WITHIN)
    apart = float(np.clip(2.0 * reach / _PART / (SIDE - 1), *_APART))
    known = dict(zip(problem.names, np.asarray(params).tolist(), strict=True))
    known |= {"source_x": float(middle[0]), "source_y": float(middle[1]), "source_pixel": apart}
    begin = np.array(jax.jit(grid.encode)(jnp.asarray([known.get(name, 0.0) for name in grid.names])), np.float64)
    mean, precision = np.array(belief.mean, np.float64), np.array(belief.precision, np.float64)
    for name in ("source_x", "source_y", "source_pixel"):
        k = grid.names.index(name)
        mean[k], precision[k] = begin[k], _KEPT
    return begin, belief._replace(mean=jnp.asarray(mean), precision=jnp.asarray(precision))


@partial(jax.jit, static_argnames="problem")
def traced(problem: Composition, numbers: Array, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Where points (H, W) are traced back to, and the parameters (P,), with amplitudes of 1."""
    lens = problem.lens(numbers)
    ax, ay = (jnp.zeros_like(x), jnp.zeros_like(y)) if lens is None else lens.deflection(x, y)
    return x - ax, y - ay, problem.decode(numbers, jnp.ones(problem.linear))


def about(seen: Observed, model: np.ndarray) -> Observed | None:
    """The part of an observation with the arcs of a model (H, W), see `cropped`; None where no arc is bright."""
    reach = reach_of(seen, model)
    return cropped(seen, reach) if np.isfinite(reach) else None


def reach_of(seen: Observed, model: np.ndarray) -> float:
    """How far [arcsec] the square about the origin with the arcs of a model (H, W) reaches; infinite where no arc is bright."""
    bright = np.asarray(seen.mask) & (model > sigma_of(seen))
    if not bright.any():
        return np.inf
    reach = _STEP * np.ceil((radius(seen.instrument)[bright].max() + _MARGIN) / _STEP)
    return max(float(reach), _LEAST)


def cropped(seen: Observed, reach: float) -> Observed:
    """The square about the origin that reaches so far, with what the pixels beyond, which have no light of arcs, say of the nuisance."""
    taken, row = seen.instrument, round(seen.instrument.middle[0])
    half = round(min(reach / taken.pixel_scale, row))
    if half >= row:
        return seen
    part = (slice(row - half, row + half + 1), slice(row - half, row + half + 1))
    data, sigma, dtype = np.asarray(seen.data, np.float64), sigma_of(seen), seen.data.dtype
    near = None
    if seen.nuisance is not None:
        beyond = np.array(seen.mask)
        beyond[part] = False
        layers = np.asarray(seen.nuisance, np.float64)
        own = layers[:, beyond] / sigma[beyond]
        factor = np.linalg.cholesky(np.eye(len(own)) + own @ own.T)
        layers = linalg.solve_triangular(factor, layers.reshape(len(own), -1), lower=True).reshape(layers.shape)
        mean = linalg.solve_triangular(factor, own @ (data[beyond] / sigma[beyond]), lower=True)
        data = data - np.tensordot(mean, layers, axes=1)
        near = jnp.asarray(layers[:, part[0], part[1]], dtype)
    taken = replace(taken, shape=(2 * half + 1, 2 * half + 1), middle=(half, half))
    noise = GaussianNoise(jnp.asarray(sigma[part], dtype))
    return Observed(jnp.asarray(data[part], dtype), jnp.asarray(np.asarray(seen.mask)[part]), noise, taken, near)


def on(seen: Observed, problem: Composition, best: Optimum) -> Optimum:
    """An optimum with model, residual and chi² on other pixels."""
    with jax.enable_x64(True):
        model, residual, chi2 = _seen(problem, fit.in_double(seen), jnp.asarray(best.numbers), jnp.asarray(best.amplitudes))
    other, pixels = float(chi2), int(np.asarray(seen.mask).sum())
    return replace(
        best, model=np.asarray(model), residual=np.asarray(residual), chi2=other, cost=best.cost + other - best.chi2, pixels=pixels
    )  # fmt: skip


@partial(jax.jit, static_argnames="problem")
def _seen(problem: Composition, seen: Observed, numbers: Array, amplitudes: Array) -> tuple[Array, Array, Array]:
    """The model (H, W), its whitened residual (H, W) with the best nuisance, and chi² over which the nuisance is marginalised."""
    weight = fit.weight_of(seen, seen.data)
    model = problem.model(numbers, amplitudes, seen.instrument)
    residual = (seen.data - model) * weight
    nuisance = fit.nuisance_of(seen, weight)
    chi2 = (residual**2).sum()
    if nuisance is not None:
        along = nuisance @ residual.reshape(-1)
        residual, chi2 = residual - (along @ nuisance).reshape(residual.shape), chi2 - along @ along
    return model, residual, chi2


def _weighted(values: np.ndarray, weight: np.ndarray) -> float:
    """The weighted median."""
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])
