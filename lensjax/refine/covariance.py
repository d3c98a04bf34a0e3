"""Errors: the Fisher matrix, the Cramér–Rao bound, and how errors carry over to the parameters of files."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.conventions import ROUNDING_VARIANCE
from lensjax.image.grid import pixel_points
from lensjax.problems import Problem
from lensjax.problems.observables import from_fit, shape_of
from lensjax.refine.objective import sharp
from lensjax.source.gaussian import Gaussian

ROUND = 4.0
"""A source is round where its ellipticity is less than so many times its own error."""


@partial(jax.jit, static_argnames=("problem", "method", "free_shift"))
def _information(problem: Problem, fit: Array, x: Array, y: Array, *, method: str, free_shift: bool) -> Array:
    def light(f: Array, x: Array, y: Array) -> tuple[Array, Array]:
        return problem.light(f, x, y, method=method, free_shift=free_shift)

    return sharp(light, fit, jnp.zeros(jnp.broadcast_shapes(x.shape, y.shape), fit.dtype), x, y).matrix


@partial(jax.jit, static_argnames="problem")
def parameters_of(problem: Problem, fit: Array) -> tuple[Array, Array]:
    """Fit coordinates (F,) → parameters and source shape (P + 3,), and their Jacobian (P + 3, F).

    The shape is the source's log size and ellipticity (e cos 2θ, e sin 2θ).
    """

    def values_at(f: Array) -> Array:
        system, _ = from_fit(f, problem.lens_of)
        assert isinstance(system.source, Gaussian)
        return jnp.concatenate([problem.from_system(system), jnp.stack(shape_of(system.source))])

    return values_at(fit), jax.jacfwd(values_at)(fit)


def inverse(matrix: np.ndarray, *, fitted: int) -> np.ndarray:
    """Inverse of the first `fitted` rows and columns of a Fisher matrix, the rest zero; infinite where it is singular."""
    part = np.asarray(matrix, np.float64)[:fitted, :fitted]
    scale = np.sqrt(np.maximum(np.diag(part), 1e-300))
    whole = np.zeros_like(np.asarray(matrix, np.float64))
    try:
        whole[:fitted, :fitted] = np.linalg.inv(part / np.outer(scale, scale)) / np.outer(scale, scale)
    except np.linalg.LinAlgError:
        whole[:fitted, :fitted] = np.inf
    return whole


def fisher(problem: Problem, fit: np.ndarray, *, method: str | None = None, free_shift: bool = True) -> np.ndarray:
    """JᵀJ (8, 8) [grey²] of an image in fit coordinates (8,), in float64; times 1/variance it is the Fisher matrix.

    Pixels within 1 px of the window's edge, whose step has no derivative, are left out.
    """
    with jax.enable_x64(True):
        at = jnp.asarray(fit, jnp.float64)
        x, y = pixel_points(problem.image_size, problem.field, dtype=at.dtype)
        method = method or problem.camera.method
        return np.asarray(_information(problem, at, x, y, method=method, free_shift=free_shift))


def errors_of(problem: Problem, values: np.ndarray, jacobian: np.ndarray, covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Errors of the parameters from the covariance of the fit.

    Args:
        problem: whose parameters they are.
        values, jacobian: from `parameters_of`.
        covariance: of the fit coordinates (F, F).

    Returns:
        1σ errors (P,), infinite where the image does not tell (theta of a round source, and `problem.without_image`);
        covariance (P, P), with NaN there; and whether the source is round.
    """
    count = len(problem.parameters)
    spread = jacobian @ covariance @ jacobian.T
    e = values[-2:]
    is_round = bool(e @ e < ROUND**2 * np.trace(spread[-2:, -2:]))
    errors = np.sqrt(np.maximum(np.diag(spread)[:count], 0.0))
    if is_round:  # the larger axis is the larger whichever way the ellipticity errs: the axes carry its error in full
        for k in (k for k, name in enumerate(problem.names) if name in ("sigma", "sigma2")):
            errors[k] = np.hypot(errors[k], values[k] * np.sqrt(np.trace(spread[-2:, -2:])))
    blind = [problem.names.index(name) for name in problem.without_image]
    if is_round and "theta" in problem.names:
        blind.append(problem.names.index("theta"))
    errors[blind] = np.inf
    spread = spread[:count, :count].copy()
    spread[blind, :] = np.nan
    spread[:, blind] = np.nan
    return errors, spread, is_round


def cramer_rao(
    problem: Problem,
    params: np.ndarray,
    *,
    method: str | None = None,
    free_shift: bool = True,
    variance: float = ROUNDING_VARIANCE,
) -> np.ndarray:
    """The Cramér–Rao bound: the least standard deviation of any unbiased estimate, were the noise white.

    Args:
        problem: what is seen, and how.
        params: systems (N, P) in file units.
        method: how the images are made; the problem's own by default.
        free_shift: whether the place of the whole image is unknown and fitted along.
        variance: of the noise, grey levels squared; by default that of rounding to whole levels.

    Returns:
        (N, P) in file units: inf where an image does not tell the parameter.
    """
    method = method or problem.camera.method
    bounds = []
    with jax.enable_x64(True):
        to_fit = jax.jit(lambda p: problem.to_fit(p, method=method))
        for row in np.atleast_2d(np.asarray(params, np.float64)):
            fit = to_fit(row)
            matrix = fisher(problem, fit, method=method, free_shift=free_shift)
            covariance = shift_aware_inverse(matrix, free_shift) * variance
            values, jacobian = (np.asarray(part) for part in parameters_of(problem, fit))
            bounds.append(errors_of(problem, values, jacobian, covariance)[0])
    return np.stack(bounds)


def shift_aware_inverse(matrix: np.ndarray, free_shift: bool) -> np.ndarray:
    """Inverse of the Fisher matrix; coordinates 0 and 1, the place of the image, are out where they are not fitted."""
    if free_shift:
        return inverse(matrix, fitted=len(matrix))
    order = np.r_[2 : len(matrix), 0, 1]
    back = np.argsort(order)
    return inverse(matrix[np.ix_(order, order)], fitted=len(matrix) - 2)[np.ix_(back, back)]
