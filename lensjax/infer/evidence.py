"""The strength of a penalty on linear amplitudes that is the most probable one (MacKay 1992; Suyu et al. 2006, MNRAS 371, 983).

With the whitened data d and layers B, G = B Bᵀ and b = B d, the amplitudes a of strength λ minimise |Bᵀa − d|² + λ aᵀ R a, and

    2 ln E(λ) = −min(|Bᵀa − d|² + λ aᵀ R a) + rank(R) ln λ − ln det(G + λ R) + const.

One decomposition of G and R together gives this for all λ. Where R is definite the constant is that of the data alone, so that sources of
different kinds compare by their evidence. For sources of thousands of points `reconstruct.invert` estimates the same by
random probes.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar

from lensjax.errors import BadInput
from lensjax.infer.fit import in_double, nuisance_of, total_flux, weight_of
from lensjax.infer.linear import amplitudes_of
from lensjax.observation.observed import Observed
from lensjax.problems.compose import Composition

_RANGE = 25.0  # of ln λ to each side of the λ that balances the data and the penalty
_GRID = 101
_NOTHING = 1e-10  # of an eigenvalue of the penalty, relative: it says nothing there


class Evidence(NamedTuple):
    """The most probable strength λ of a penalty.

    Attributes:
        strength: λ.
        logarithm: ln E there, but for a constant that depends on neither λ nor the amplitudes.
        freedom: how many amplitudes the data determine.
        comparable: ln E with the determinant of R, so that models of other amplitudes and penalties compare with it; −inf where R is not
            definite.
    """

    strength: float
    logarithm: float
    freedom: float
    comparable: float = -np.inf


def most_probable(gram: np.ndarray, right: np.ndarray, penalty: np.ndarray, *, square: float) -> Evidence:
    """The most probable strength.

    Args:
        gram: G (K, K).
        right: b (K,).
        penalty: R (K, K).
        square: |d|².

    Raises:
        ValueError: a penalty without effect.
    """
    if not np.trace(penalty) > 0:
        raise ValueError("the penalty is zero")
    size = np.sqrt(np.maximum(np.diag(gram), 1e-12 * np.diag(gram).max()))
    g, r, b = gram / np.outer(size, size), penalty / np.outer(size, size), right / size
    balance = np.trace(g) / np.trace(r)
    whole = g + balance * r
    mu, axes = eigh(balance * r, whole + 1e-12 * np.trace(whole) / len(b) * np.eye(len(b)))
    mu = np.clip(mu, 0.0, 1.0)
    rank, squares = int((mu > _NOTHING).sum()), (axes.T @ b) ** 2
    constant = -np.linalg.slogdet(axes)[1]  # half of ln det(G + balance R)

    def minus(log: float) -> float:
        inner = (1.0 - mu) + np.exp(log) * mu
        return float(0.5 * (square - (squares / inner).sum() - rank * log + np.log(inner).sum()) + constant)

    grid = np.linspace(-_RANGE, _RANGE, _GRID)
    best = grid[np.argmin([minus(log) for log in grid])]
    step = grid[1] - grid[0]
    log = float(minimize_scalar(minus, bounds=(best - step, best + step), method="bounded").x)
    inner = (1.0 - mu) + np.exp(log) * mu
    most, of_penalty = -minus(log), -np.inf
    if rank == len(b):
        of_penalty = most + constant + 0.5 * float(np.log(mu).sum())  # the decomposition's own determinant is in both, and falls out
    return Evidence(float(np.exp(log) * balance), most, float(((1.0 - mu) / inner).sum()), of_penalty)


def strength_of(problem: Composition, observed: Observed, numbers: np.ndarray) -> Evidence:
    """The factor by which the penalties of a problem should be stronger, for an observation and numbers (E,).

    Amplitudes that must not be negative, and would be, count as zero. The observation's nuisance is marginalised over.

    Raises:
        BadInput: no amplitude of the problem has a penalty.
    """
    with jax.enable_x64(True):
        wide = in_double(observed)
        penalty = problem.penalty(total_flux(wide))
        if penalty is None:
            raise BadInput("no amplitude has a penalty", column="problem", value=problem.name)
        gram, right, square = map(np.asarray, _linear(problem, wide, jnp.asarray(numbers, jnp.float64)))
        kept = np.asarray(amplitudes_of(jnp.asarray(gram) + penalty, jnp.asarray(right), jnp.asarray(problem.nonnegative))) != 0
        inside = np.ix_(kept, kept)
        return most_probable(gram[inside], right[kept], np.asarray(penalty)[inside], square=float(square))


@partial(jax.jit, static_argnames="problem")
def _linear(problem: Composition, observed: Observed, numbers: Array) -> tuple[Array, Array, Array]:
    """G (K, K), b (K,) and |d|² at numbers (E,)."""
    weight = weight_of(observed, observed.data)
    basis = (problem.layers(numbers, observed.instrument) * weight).reshape(problem.linear, -1)
    data = (observed.data * weight).reshape(-1)
    gram, right, square = basis @ basis.T, basis @ data, data @ data
    nuisance = nuisance_of(observed, weight)
    if nuisance is not None:
        shared, along = basis @ nuisance.T, nuisance @ data
        gram, right, square = gram - shared @ shared.T, right - shared @ along, square - along @ along
    return gram, right, square
