"""Errors: the Fisher matrix, the Cramér–Rao bound, and errors of the parameters from those of the fit."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.conventions import ROUNDING_VARIANCE
from lensjax.infer.objective import sharp
from lensjax.light.gaussian import Gaussian
from lensjax.observation.grid import pixel_points
from lensjax.problems.axisymmetric import AxisymmetricProblem
from lensjax.problems.observables import from_fit, shape_of

ROUND = 4.0
"""A source counts as round where its ellipticity is less than this many times its error."""

_UNRESOLVED = 1e-12  # eigenvalues of a scaled information matrix below this are rounding of float64


@partial(jax.jit, static_argnames=("problem", "method", "free_shift"))
def _information(problem: AxisymmetricProblem, fit: Array, x: Array, y: Array, *, method: str, free_shift: bool) -> Array:
    def light(f: Array, x: Array, y: Array) -> tuple[Array, Array]:
        return problem.light(f, x, y, method=method, free_shift=free_shift)

    return sharp(light, fit, jnp.zeros(jnp.broadcast_shapes(x.shape, y.shape), fit.dtype), x, y).matrix


@partial(jax.jit, static_argnames="problem")
def parameters_of(problem: AxisymmetricProblem, fit: Array) -> tuple[Array, Array]:
    """Fit coordinates (F,) → parameters and source shape (P + 3,), and their Jacobian (P + 3, F).

    The shape is the source's log size and ellipticity (e cos 2θ, e sin 2θ).
    """

    def values_at(f: Array) -> tuple[Array, Array]:
        system, _ = from_fit(f, problem.lens_of)
        assert isinstance(system.source, Gaussian)
        values = jnp.concatenate([problem.from_system(system), jnp.stack(shape_of(system.source))])
        return values, values

    jacobian, values = jax.jacfwd(values_at, has_aux=True)(fit)
    return values, jacobian


def inverse(matrix: np.ndarray, *, fitted: int) -> np.ndarray:
    """Inverse of the first `fitted` rows and columns of an information matrix, the rest zero.

    Along directions in which the matrix is no more than rounding, the variance is huge, `1/_UNRESOLVED` of the scale of the coordinates:
    a parameter that depends on them has an error beyond any range. The inverse is NaN where the matrix is not finite.
    """
    whole = np.zeros_like(np.asarray(matrix, np.float64))
    part = np.asarray(matrix, np.float64)[:fitted, :fitted]
    if not np.isfinite(part).all():
        whole[:fitted, :fitted] = np.nan
        return whole
    scaled, scale = _scaled(part)
    eigenvalues, axes = np.linalg.eigh(scaled)
    if eigenvalues[0] > _UNRESOLVED:
        inverted = np.linalg.inv(scaled)
    else:
        inverted = axes / np.maximum(eigenvalues, _UNRESOLVED) @ axes.T
    whole[:fitted, :fitted] = inverted / np.outer(scale, scale)
    return whole


def conditioning(matrix: np.ndarray, *, free_shift: bool) -> float:
    """The least eigenvalue of an information matrix scaled to a unit diagonal: 1 where coordinates are independent, 0 where singular."""
    part = np.asarray(matrix, np.float64)
    part = part if free_shift else part[2:, 2:]
    return float(np.linalg.eigvalsh(_scaled(part)[0])[0]) if np.isfinite(part).all() else 0.0


def _scaled(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matrix with each positive diagonal element scaled to 1, and the scale (F,) of each coordinate."""
    diagonal = np.diag(matrix)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    return matrix / np.outer(scale, scale), scale


def fisher(problem: AxisymmetricProblem, fit: np.ndarray, *, method: str | None = None, free_shift: bool = True) -> np.ndarray:
    """JᵀJ (8, 8) [grey²] of an image in fit coordinates (8,), in float64; times 1/variance it is the Fisher matrix.

    Pixels within 1 px of the window's edge, whose step has no derivative, are left out.
    """
    with jax.enable_x64(True):
        at = jnp.asarray(fit, jnp.float64)
        x, y = pixel_points(problem.image_size, problem.field, dtype=at.dtype)
        method = method or problem.trace.name
        return np.asarray(_information(problem, at, x, y, method=method, free_shift=free_shift))


def errors_of(
    problem: AxisymmetricProblem, values: np.ndarray, jacobian: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Errors of the parameters from the covariance of the fit.

    Args:
        problem: whose parameters they are.
        values, jacobian: from `parameters_of`.
        covariance: of the fit coordinates (F, F).

    Returns:
        1σ errors (P,), infinite where the image does not identify the parameter: for theta of a round source, for
        `problem.without_image`, and where the error exceeds the parameter's whole range or is not positive, as with a singular
        information matrix; covariance (P, P), with NaN there; and whether the source is round.
    """
    count = len(problem.parameters)
    spread = jacobian @ covariance @ jacobian.T
    shape_variance = np.trace(spread[-2:, -2:])
    e = values[-2:]
    is_round = not e @ e >= ROUND**2 * shape_variance
    variance = np.diag(spread)[:count].copy()
    if is_round:  # sigma is the larger axis for any direction of the ellipticity's error: the axes carry that error in full
        for k in (k for k, name in enumerate(problem.names) if name in ("sigma", "sigma2")):
            variance[k] += values[k] ** 2 * shape_variance
    width = np.array([parameter.high - parameter.low for parameter in problem.parameters])
    unidentified = ~((variance > 0) & (variance <= width**2))
    unidentified |= np.isin(problem.names, (*problem.without_image, *(("theta",) if is_round else ())))
    errors = np.sqrt(np.where(unidentified, np.inf, variance))
    spread = spread[:count, :count].copy()
    spread[unidentified, :] = np.nan
    spread[:, unidentified] = np.nan
    return errors, spread, is_round


def cramer_rao(
    problem: AxisymmetricProblem,
    params: np.ndarray,
    *,
    method: str | None = None,
    free_shift: bool = True,
    variance: float = ROUNDING_VARIANCE,
) -> np.ndarray:
    """The Cramér–Rao bound: the least standard deviation of any unbiased estimate under white noise.

    Args:
        problem: the systems and how their images are taken.
        params: systems (N, P) in file units.
        method: how the images are rendered; the problem's own by default.
        free_shift: whether the place of the whole image is unknown and fitted too.
        variance: of the noise, grey levels squared; by default that of rounding to whole levels.

    Returns:
        (N, P) in file units; inf where an image does not identify the parameter.
    """
    method = method or problem.trace.name
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
    """Inverse of the Fisher matrix, without coordinates 0 and 1, the place of the image, where they are not fitted."""
    if free_shift:
        return inverse(matrix, fitted=len(matrix))
    order = np.r_[2 : len(matrix), 0, 1]
    back = np.argsort(order)
    return inverse(matrix[np.ix_(order, order)], fitted=len(matrix) - 2)[np.ix_(back, back)]
