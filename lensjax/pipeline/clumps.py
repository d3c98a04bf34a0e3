"""Sources of one to three Sérsic profiles, for arcs that they explain.

Shapelets have dozens of amplitudes, and their series ends: what it leaves out moves the lens. Where a few profiles explain the arcs to
their noise, and their evidence is higher, the lens is better known with them. The evidence is Laplace's (MacKay 1992),

    ln E = −½ (χ² + priors) + ½ ln det P − ½ ln det H,

where P is the inverse variance of the priors, and H is P and the information of the data.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain, pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.compiled import quick_jit
from lensjax.infer import estimation, evidence, fit
from lensjax.infer.fit import Belief, Optimum
from lensjax.observation.instrument import places
from lensjax.observation.observed import Observed
from lensjax.pipeline import arcs, starts, upgrade
from lensjax.pipeline.arcs import sigma_of
from lensjax.pipeline.options import MOST_CLUMPS, Options
from lensjax.problems import components
from lensjax.problems.compose import Composition, compose
from lensjax.problems.galaxy import UNIT, source_prefix

_STRONGER = 3.0  # in ln E: from which another source is the more probable one
_PLACES = 15  # on a side of the grid where another one is looked for
_BRIGHT = 2.0  # times the noise: pixels of what is left
_BLOB = 0.08  # radius of what is looked for there [arcsec]
_WITHIN = (0.02, 0.98)  # of the arcs' light, traced back: that grid
_TRIED, _SIZES = 2, (0.06, 0.15)  # places and radii [arcsec] that are started from
_APART = 0.1  # arcsec between places that are started from
_SIDE = 70  # px of the coarse copy
_FAR = 1.5  # times the pixels: a rough fit's cost from which its profiles are too few
_MORE = 50.0  # by which one more profile lowers a rough fit's cost where the others are too few
_LENSES, _WORSE = 2, 1.25  # fits that another profile is added to: how many, and their costs over that of the best
_SOFT, _FIRM = 0.1, 16.0  # while profiles are too few: part of the arcs' light that is an error of the model, and the belief's factor


@dataclass(frozen=True)
class Clumps:
    """A fit with a source of Sérsic profiles that explains the arcs.

    Attributes:
        problem: what was fitted.
        optimum: where it ended.
        evidence: its ln E.
    """

    problem: Composition
    optimum: Optimum
    evidence: float

    @property
    def words(self) -> str:
        """Which source it is."""
        count = sum(name.endswith("_n") for name in self.problem.names)
        return "source of 1 Sérsic profile" if count == 1 else f"source of {count} Sérsic profiles"


def probable(
    problem: Composition,
    seen: Observed,
    belief_of: Callable[[Composition], Belief],
    kept: Sequence[np.ndarray],
    model: np.ndarray,
    *,
    options: Options,
) -> Clumps | None:
    """The fit of `fewest` from the first start that leads to one; None where none does, or shapelets are more probable.

    Args:
        problem: with shapelets.
        seen: the arcs, about the lens.
        belief_of: the belief about a problem's numbers.
        kept: numbers (E,) of fits with shapelets, best first.
        model: (H, W) of the arcs, roughly.
        options: how the image is fitted.
    """
    near = upgrade.about(seen, model)
    if near is None:
        return None
    for begin in _of_other_lenses(problem, kept):
        few = fewest(problem, near, belief_of, begin, options=options)
        if few is None:
            continue
        known = belief_of(problem)
        found = fit.descend_from(problem, [near], [[begin]], beliefs=[known])[0]
        if found and estimation.is_noise(problem, found[0], near):
            if laplace(problem, near, known, found[0].numbers) > few.evidence + _STRONGER:
                return None
        return replace(few, optimum=upgrade.on(seen, few.problem, few.optimum))
    return None


def fewest(
    problem: Composition, near: Observed, belief_of: Callable[[Composition], Belief], numbers: np.ndarray, *, options: Options
) -> Clumps | None:
    """The most probable fit with a source of `MOST_CLUMPS` Sérsic profiles or fewer that explains the arcs; None where none does.

    A lens that must make up for a profile that is not there yet becomes an absurd one. So each new profile is found with noise that has a
    part of the arcs' light in it, and with a firmer belief; then the fit descends from there without either. It is added to the best two
    lenses, or else to the best two fits of one lens, since the right one need not be the better one before all profiles are there.

    Args:
        problem: of another fit, whose lens is the start.
        near: the arcs, about the lens.
        belief_of: the belief about a problem's numbers.
        numbers: (E,) of that fit.
        options: how the image is fitted.
    """
    best: Clumps | None = None
    for rough, richer in pairwise(chain(_roughly(problem, near, belief_of, numbers, options), [None])):
        if rough is None or rough.cost > _FAR * rough.pixels or (richer is not None and rough.cost > richer.cost + _MORE):
            continue
        known = belief_of(rough.problem)
        found = fit.descend_from(rough.problem, [near], [[rough.numbers]], beliefs=[known])[0]
        if found and estimation.is_noise(rough.problem, found[0], near):
            own = laplace(rough.problem, near, known, found[0].numbers)
            if best is not None and own < best.evidence + _STRONGER:
                break
            best = Clumps(rough.problem, found[0], own)
    return best


def _roughly(
    problem: Composition, near: Observed, belief_of: Callable[[Composition], Belief], numbers: np.ndarray, options: Options
) -> Iterator["_Rough"]:
    """Fits of one profile, then of one more each."""
    soft = arcs.softened(near, _SOFT)
    small = fit.coarse(soft, side=_SIDE)
    pixels = int(np.asarray(small.mask).sum())
    lenses = [(_named(problem, numbers), np.zeros(near.data.shape))]
    for count in range(1, MOST_CLUMPS + 1):
        other = options.galaxy(source="sersic", clumps=count)
        known = belief_of(other)
        firm = known._replace(precision=_FIRM * known.precision)
        begin = np.concatenate([_starts(other, near, params, model, count) for params, model in lenses])
        ends = fit.descents([small], [begin], static=fit.rough(other), beliefs=[firm])[0]
        rough = fit.distinct(ends, len(begin), worse=_WORSE)
        if not rough:
            return
        yield _Rough(other, rough[0], float(np.nanmin(ends.normal.cost)), pixels)
        two = _of_other_lenses(other, rough)
        two = two if len(two) == _LENSES else rough[:_LENSES]
        lenses = [(_named(other, own), _model(other, soft, own, firm)) for own in two]


def _of_other_lenses(problem: Composition, rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The first `_LENSES` of numbers (E,) whose Einstein radii differ."""
    kept: dict[float, np.ndarray] = {}
    for numbers in rows:
        radius = starts.theta_e(problem, numbers)
        if len(kept) < _LENSES and all(starts.another_lens(radius, other) for other in kept):
            kept[radius] = numbers
    return list(kept.values())


@dataclass(frozen=True)
class _Rough:
    """A fit on a coarse copy whose noise has a part of the arcs' light in it, with a firmer belief.

    Attributes:
        problem: what was fitted.
        numbers: (E,) where it ended.
        cost: chi² and the priors there.
        pixels: of the copy.
    """

    problem: Composition
    numbers: np.ndarray
    cost: float
    pixels: int


def laplace(problem: Composition, seen: Observed, belief: Belief, numbers: np.ndarray) -> float:
    """ln E of a fit at numbers (E,), with the most probable penalty. Numbers that nothing is believed of have a variance of 1 in it."""
    with jax.enable_x64(True):
        wide = fit.in_double(seen)
        penalty, flux = problem.penalty(fit.total_flux(wide)), float(fit.total_flux(wide))
        if penalty is None:
            of_amplitudes, strength = np.eye(problem.linear) / flux**2, 1.0
        else:
            strength = evidence.strength_of(problem, seen, numbers).strength
            of_amplitudes = np.asarray(penalty, np.float64) * strength
        known = Belief(*(jnp.asarray(part, jnp.float64) for part in belief._replace(strength=strength)))
        found = jax.tree.map(np.asarray, fit.equations(problem, wide, jnp.asarray(numbers, jnp.float64), known))
    precision = np.asarray(belief.precision, np.float64)
    of_numbers = np.where(precision > 0, precision, 1.0)
    matrix = found.matrix + np.diag(np.r_[of_numbers - precision, np.zeros(problem.linear)])
    if penalty is None:
        matrix[problem.size :, problem.size :] += of_amplitudes
    of_priors = np.log(of_numbers).sum() + np.linalg.slogdet(of_amplitudes)[1]
    return float(0.5 * (of_priors - np.linalg.slogdet(matrix)[1] - found.cost))


@partial(jax.jit, static_argnames="problem")
def _parameters(problem: Composition, numbers: Array) -> Array:
    return problem.decode(numbers, jnp.ones(problem.linear))


def _model(problem: Composition, seen: Observed, numbers: np.ndarray, known: Belief) -> np.ndarray:
    """The model (H, W) at numbers (E,), with the best amplitudes."""
    return np.asarray(_rendered(problem, seen, jnp.asarray(numbers, seen.data.dtype), known), np.float64)


@partial(quick_jit, static_argnames="problem")
def _rendered(problem: Composition, seen: Observed, numbers: Array, known: Belief) -> Array:
    return problem.model(numbers, fit.equations_of(problem, seen, numbers, known).amplitudes, seen.instrument)


def _named(problem: Composition, numbers: np.ndarray) -> dict[str, float]:
    """Parameters by their names."""
    return dict(zip(problem.names, np.asarray(_parameters(problem, jnp.asarray(numbers, jnp.float32))).tolist(), strict=True))


def _starts(problem: Composition, seen: Observed, params: dict[str, float], model: np.ndarray, count: int) -> np.ndarray:
    """Starts (S, E) with the lens and the other profiles of a fit; the last profile is where it explains most of what is left."""
    prefix = source_prefix(count)
    own = params | {f"{prefix}n": 1.0, f"{prefix}q": 0.9, f"{prefix}phi": 0.0}
    rows = []
    for x, y in _brightest(problem, seen, params, model):
        for size in _SIZES:
            at = own | {f"{prefix}x": x, f"{prefix}y": y, f"{prefix}R": size}
            rows.append(jnp.asarray([at.get(name, 1.0) for name in problem.names]))
    return np.asarray(encoded(problem, jnp.stack(rows)), np.float64)


@partial(jax.jit, static_argnames="problem")
def encoded(problem: Composition, rows: Array) -> Array:
    """Numbers (S, E) of parameters (S, P)."""
    numbers: Array = jax.vmap(problem.encode)(rows)
    return numbers


@cache
def _blob(problem: Composition) -> Composition:
    """A small round source behind the lens of a problem."""
    lens_parts = [part for part in problem.components if part.role == "lens"]
    return compose("blob", [*lens_parts, components.gaussian(unit=UNIT, q=None)])


def _brightest(problem: Composition, seen: Observed, params: dict[str, float], model: np.ndarray) -> list[tuple[float, float]]:
    """Places (x, y) in the source plane where a small blob explains most of what a model (H, W) leaves."""
    left = fit.coarse(replace(seen, data=jnp.asarray(np.asarray(seen.data, np.float64) - model, seen.data.dtype)), side=_SIDE)
    blob = _blob(problem)
    at = jnp.asarray([params.get(name, _BLOB if name == "source_sigma" else 0.0) for name in blob.names])
    x, y, _ = upgrade.traced(blob, blob.encode(at), *map(jnp.asarray, np.meshgrid(*places(left.instrument))))
    bent = [np.asarray(part, np.float64) for part in (x, y)]
    data = np.asarray(left.data, np.float64)
    bright = np.asarray(left.mask) & (data > _BRIGHT * sigma_of(left))
    if not bright.any():
        return [(0.0, 0.0)]
    ends = [_quantiles(part[bright], data[bright]) for part in bent]
    grid = np.stack(np.meshgrid(*(np.linspace(low, high, _PLACES) for low, high in ends)), axis=-1).reshape(-1, 2)
    gain = np.asarray(_gains(blob, left, at, jnp.asarray(grid, jnp.float32)), np.float64)
    chosen: list[tuple[float, float]] = []
    for k in np.argsort(-gain):
        x, y = (float(part) for part in grid[k])
        if all(np.hypot(x - other[0], y - other[1]) > _APART for other in chosen):
            chosen.append((x, y))
        if len(chosen) == _TRIED:
            break
    return chosen


def _quantiles(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Values (N,) between which most of the weight (N,) lies."""
    order = np.argsort(values)
    total = np.cumsum(weight[order]) / weight.sum()
    low, high = np.interp(_WITHIN, total, values[order])
    return float(low), float(high)


@partial(jax.jit, static_argnames="problem")
def _gains(problem: Composition, seen: Observed, params: Array, grid: Array) -> Array:
    """By how much a blob at each place (N, 2) lowers chi², (N,); 0 where its light would be negative."""
    weight = fit.weight_of(seen, seen.data)
    data = (seen.data * weight).reshape(-1)
    nuisance = fit.nuisance_of(seen, weight)
    at = [problem.names.index(name) for name in ("source_x", "source_y")]

    def gain(place: Array) -> Array:
        own = params.at[jnp.asarray(at)].set(place)
        layer = (problem.layers(problem.encode(own), seen.instrument)[0] * weight).reshape(-1)
        square, along = layer @ layer, layer @ data
        if nuisance is not None:
            shared = nuisance @ layer
            square, along = square - shared @ shared, along - shared @ (nuisance @ data)
        return jnp.maximum(along, 0.0) ** 2 / jnp.maximum(square, 1e-20)

    gains: Array = jax.lax.map(gain, grid)
    return gains
