"""Richer sources, for arcs that the first one does not explain: shapelets of a higher order, then a grid of pixels.

Each begins where the one before it ended, with the strength of its penalty that is the most probable one. It is kept where its evidence is
higher: that counts how well the arcs are explained against how many sources the model could have made (MacKay 1992; Suyu et al. 2006).
BIC would count amplitudes, of which a penalty leaves only some free.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.infer import evidence, fit, verdict
from lensjax.infer.evidence import Evidence
from lensjax.infer.fit import Belief, Optimum
from lensjax.infer.linear import Joint
from lensjax.observation.observed import Observed
from lensjax.pipeline.starts import bright_pixels
from lensjax.problems.compose import Composition
from lensjax.problems.galaxy import Mass, galaxy

SIDE = 25
"""Points on a side of a source's grid."""

_ORDER = 12  # of the richer shapelets

_KEPT = 1e6  # precision of numbers that a fit must keep
_WITHIN = 0.95  # of the bright pixels, traced back: they lie in the inner part of the grid
_PART = 0.7  # of the grid's half width: that inner part
_APART = (0.012, 0.06)  # arcsec between the grid's points
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
    numbers: np.ndarray,
    *,
    mass: Mass,
    pixels_only: bool = False,
) -> Rung | None:
    """The most probable fit with a richer source than that of a fit with shapelets; None where the shapelets' own is.

    Args:
        problem: with shapelets.
        seen: the arcs.
        belief_of: the belief about a problem's numbers.
        numbers: where the fit with shapelets ended.
        mass: the mass of the problem.
        pixels_only: whether pixels are the answer however probable they are.
    """
    grid = galaxy(mass=mass, source="pixels", source_pixels=SIDE)
    if pixels_only:
        begin, own = on_grid(problem, grid, seen, numbers, belief_of(grid))
        return climb(seen, own, begin, grid)
    best = climb(seen, belief_of(problem), numbers, problem)
    if best is None:
        return None
    first = best
    richer = galaxy(mass=mass, source="shapelets", n_max=_ORDER)
    for other in (richer, grid):
        if best.explained:
            break
        own, begin = belief_of(other), best.optimum.numbers
        if other is grid:
            begin, own = on_grid(best.problem, grid, seen, begin, own)
        tried = climb(seen, own, begin, other)
        if tried is not None and tried.evidence.comparable > best.evidence.comparable + _STRONGER:
            best = tried
    return None if best is first else best


def climb(seen: Observed, belief: Belief, begin: np.ndarray, problem: Composition) -> Rung | None:
    """The fit of a problem from numbers (E,), with the most probable penalty; None where it leads nowhere.

    Args:
        seen: the arcs.
        belief: of the problem's numbers.
        begin: its numbers to start from.
        problem: the problem; its source's amplitudes have a penalty.
    """
    own = strengthened(problem, seen, belief, begin)
    found = fit.descend_from(problem, [seen], [[begin]], beliefs=[own])[0]
    if not found:
        return None
    best, probable = found[0], evidence_of(problem, seen, own, found[0].numbers)
    degrees = max(round(best.pixels - problem.size - probable.freedom), 1)
    explained = not verdict.against_noise(best.residual, np.asarray(seen.mask), chi2=best.chi2, degrees=degrees)
    return Rung(problem, best, probable, explained)


def strengthened(problem: Composition, seen: Observed, belief: Belief, numbers: np.ndarray) -> Belief:
    """A belief with the most probable strength of the penalty at numbers (E,)."""
    strength = evidence_of(problem, seen, belief, numbers).strength * float(belief.strength)
    return belief._replace(strength=jnp.asarray(strength))


def evidence_of(problem: Composition, seen: Observed, belief: Belief, numbers: np.ndarray) -> Evidence:
    """The evidence of a problem's amplitudes at numbers (E,), and by which factor their penalty should be stronger than the belief's."""
    with jax.enable_x64(True):
        wide, known = jax.tree.map(_double, (seen, belief))
        equations, penalty = _equations(problem, wide, jnp.asarray(numbers, jnp.float64), known)
    return evidence.of_equations(equations, np.asarray(penalty), problem.size)


def _double(leaf: Array) -> Array:
    return jnp.asarray(leaf, jnp.float64) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating) else leaf


@partial(jax.jit, static_argnames="problem")
def _equations(problem: Composition, seen: Observed, numbers: Array, known: Belief) -> tuple[Joint, Array]:
    weight = fit.weight_of(seen, seen.data)
    penalty = problem.penalty(fit.total_flux(seen))
    if penalty is None:
        raise ValueError("the source's amplitudes have no penalty")
    return fit.equations_at(problem, seen, numbers, weight, fit.nuisance_of(seen, weight), known), penalty * known.strength


def on_grid(problem: Composition, grid: Composition, seen: Observed, numbers: np.ndarray, belief: Belief) -> tuple[np.ndarray, Belief]:
    """Numbers (E,) of a problem with a grid of pixels, from those of another with the same lens, and the belief that keeps its place.

    The grid holds what the bright pixels are traced back to.

    Args:
        problem: the other problem.
        grid: the problem with a grid.
        seen: the arcs.
        numbers: of the other problem.
        belief: of the grid's numbers.
    """
    at, light = bright_pixels(seen)
    lens = problem.lens(jnp.asarray(numbers))
    ax, ay = lens.deflection(jnp.asarray(at[0]), jnp.asarray(at[1]))
    traced = at - np.asarray([ax, ay], np.float64)
    middle = np.array([_weighted(part, light) for part in traced])
    reach = np.quantile(np.abs(traced - middle[:, None]).max(axis=0), _WITHIN)
    apart = float(np.clip(2.0 * reach / _PART / (SIDE - 1), *_APART))
    ones = jnp.ones(grid.linear)
    params = np.array(grid.decode(jnp.zeros(grid.size), ones), np.float64)
    old = dict(zip(problem.names, np.asarray(problem.decode(jnp.asarray(numbers), jnp.ones(problem.linear))).tolist(), strict=True))
    old |= {"source_x": float(middle[0]), "source_y": float(middle[1]), "source_pixel": apart}
    for k, name in enumerate(grid.names[: grid.size]):
        params[k] = old[name]
    begin = np.array(grid.encode(jnp.asarray(params)), np.float64)
    mean, precision = np.array(belief.mean, np.float64), np.array(belief.precision, np.float64)
    for name in ("source_x", "source_y", "source_pixel"):
        k = grid.names.index(name)
        mean[k], precision[k] = begin[k], _KEPT
    return begin, belief._replace(mean=jnp.asarray(mean), precision=jnp.asarray(precision))


def _weighted(values: np.ndarray, weight: np.ndarray) -> float:
    """The weighted median."""
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])
