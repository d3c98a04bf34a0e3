"""Errors of estimates: raw as in the thesis, up to symmetry, and in units of the Cramér–Rao bound.

The raw error and the error up to symmetry are different measures: quote both, and never compare one with the
other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lensjax.errors import BadInput
from lensjax.problems.amplitudes import Answered

EXPECTED_ABSOLUTE = float(np.sqrt(2.0 / np.pi))
"""Mean of |z| for a standard normal z: the expected absolute error of an estimator at its 1σ bound."""

MEDIAN_ABSOLUTE = 0.6744897501960817
"""Median of |z| for a standard normal z."""


@dataclass(frozen=True)
class Summary:
    """Errors of many images, one number for each parameter. NaN errors do not count; without any other error the number is NaN.

    Attributes:
        names: names of the parameters, (P,).
        mean: mean signed error, (P,), in the parameter's unit like all but `mse` and `count`.
        std: standard deviation of the signed error, (P,).
        mae: mean absolute error, (P,).
        absolute_std: standard deviation of the absolute error, (P,).
        median: median absolute error, (P,).
        mse: mean squared error, (P,), in the unit's square.
        count: errors that were counted, (P,).
    """

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    mae: NDArray[np.float64]
    absolute_std: NDArray[np.float64]
    median: NDArray[np.float64]
    mse: NDArray[np.float64]
    count: NDArray[np.int64]

    @property
    def overall_mae(self) -> float:
        """Mean over the parameters of the mean absolute error: the thesis's score."""
        return float(_over_rows(np.mean, self.mae[:, None])[0])

    @property
    def overall_median(self) -> float:
        """Mean over the parameters of the median absolute error."""
        return float(_over_rows(np.mean, self.median[:, None])[0])

    @property
    def overall_mse(self) -> float:
        """Mean over the parameters of the mean squared error."""
        return float(_over_rows(np.mean, self.mse[:, None])[0])


def raw_error(predicted: ArrayLike, truth: ArrayLike, *, problem: Answered) -> NDArray[np.float64]:
    """predicted − truth, (N, P), with no symmetry and no wrapping of angles: the thesis's error.

    Args:
        predicted: parameters (N, P) in file units.
        truth: parameters (N, P) in file units.
        problem: the problem they belong to.

    Raises:
        BadInput: the shapes do not fit each other or the problem.
    """
    predicted, truth = _checked(predicted, truth, problem)
    return predicted - truth


def symmetric_error(predicted: ArrayLike, truth: ArrayLike, *, problem: Answered) -> NDArray[np.float64]:
    """Error to the nearest of the parameter sets that show the true image, (N, P), signed.

    Nearest is the least sum over parameters of (error / width of the prior)², periodic parameters wrapped.
    Parameters that no image identifies are set to their conventional values on both sides. The error is NaN, and does not
    count, for a direction of what is round and for a parameter that is pure convention (chi of pm2022).

    Args:
        predicted: parameters (N, P) in file units; periodic ones may lie in any period.
        truth: parameters (N, P) in file units.
        problem: the problem they belong to.

    Raises:
        BadInput: the shapes do not fit each other or the problem.
    """
    predicted, truth = _checked(predicted, truth, problem)
    width = np.array([parameter.high - parameter.low for parameter in problem.parameters])
    with jax.enable_x64(True):  # float32 would add its own rounding to errors of a thousandth of a pixel
        undefined, predicted, candidates = map(np.asarray, _sets(problem, jnp.asarray(predicted), jnp.asarray(truth)))
    error = _wrap(predicted - candidates, problem.period)
    error[:, undefined] = np.nan
    distance = np.nansum((error / width) ** 2, axis=-1)
    nearest: NDArray[np.float64] = np.take_along_axis(error, np.argmin(distance, axis=0)[None, :, None], axis=0)[0]
    nearest[:, _convention_alone(problem)] = np.nan
    return nearest


def distances(draws: ArrayLike, best: ArrayLike, *, problem: Answered) -> NDArray[np.float64]:
    """How far draws are from the best answers, up to symmetry; NaN for the direction of a best answer that is round.

    Args:
        draws: parameters (S, N, P) in file units.
        best: parameters (N, P) in file units.
        problem: the problem they belong to.

    Returns:
        (S, N, P).
    """
    draws = np.asarray(draws)
    rows = draws.reshape(-1, draws.shape[-1])
    error = symmetric_error(rows, np.tile(np.asarray(best), (len(draws), 1)), problem=problem)
    return np.abs(error).reshape(draws.shape)


@partial(jax.jit, static_argnums=0)
def _sets(problem: Answered, predicted: jax.Array, truth: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Which parameters of the truth mean nothing, the canonical sets of predictions, and all sets that show the true images."""
    return problem.undefined(truth), problem.canonical(predicted), problem.equivalents(problem.canonical(truth))


def summary(error: ArrayLike, *, names: Sequence[str]) -> Summary:
    """Mean, spread, absolute and squared errors of each parameter.

    Args:
        error: signed errors (N, P); NaN does not count.
        names: names of the P parameters.

    Raises:
        BadInput: not as many names as columns.
    """
    error = np.asarray(error, dtype=np.float64)
    if error.ndim != 2 or error.shape[1] != len(names):
        raise BadInput(f"errors have shape {error.shape}", expected=f"(images, {len(names)})")
    absolute = np.abs(error)
    return Summary(
        names=tuple(names),
        mean=_over_rows(np.mean, error),
        std=_over_rows(np.std, error),
        mae=_over_rows(np.mean, absolute),
        absolute_std=_over_rows(np.std, absolute),
        median=_over_rows(np.median, absolute),
        mse=_over_rows(np.mean, error**2),
        count=np.sum(~np.isnan(error), axis=0),
    )


def normalised(error: ArrayLike, bound: ArrayLike) -> NDArray[np.float64]:
    """z = |error| / bound, (N, P): the error in units of the bound of its image.

    Args:
        error: errors (N, P).
        bound: 1σ bounds (N, P) in the same units, e.g. Cramér–Rao; z is NaN where a bound is not positive.
    """
    error, bound = np.asarray(error, dtype=np.float64), np.asarray(bound, dtype=np.float64)
    usable = np.isfinite(bound) & (bound > 0)
    return np.where(usable, np.abs(error) / np.where(usable, bound, 1.0), np.nan)


def share(z: ArrayLike, *, below: float = 5.0) -> NDArray[np.float64]:
    """Fraction 0…1 of the images with a normalised error (N, P) less than `below`, for each parameter (P,)."""
    z = np.asarray(z, dtype=np.float64)
    return _over_rows(np.mean, np.where(np.isnan(z), np.nan, z < below))


def _checked(predicted: ArrayLike, truth: ArrayLike, problem: Answered) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    predicted, truth = np.asarray(predicted, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    width = len(problem.parameters)
    if predicted.shape != truth.shape or predicted.ndim != 2 or predicted.shape[1] != width:
        raise BadInput(
            f"predicted parameters have shape {predicted.shape} and true ones {truth.shape}",
            expected=f"(images, {width}) for both, the parameters of {problem.name}",
        )
    return predicted, truth


def _wrap(error: NDArray[np.float64], period: Sequence[float | None]) -> NDArray[np.float64]:
    """Errors (..., P) of periodic parameters brought to [−period/2, period/2)."""
    error = error.copy()
    for column, length in enumerate(period):
        if length is not None:
            error[..., column] = np.mod(error[..., column] + length / 2, length) - length / 2
    return error


def _convention_alone(problem: Answered) -> NDArray[np.bool_]:
    """Parameters (P,) that the problem's convention sets to one value for all systems."""
    ends = jnp.asarray([[p.low for p in problem.parameters], [p.high for p in problem.parameters]])
    low, high = np.asarray(problem.canonical(ends))
    return np.asarray(low == high)


def _over_rows(statistic: Callable[[NDArray[np.float64]], np.floating], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """`statistic` of each column's numbers without NaN; NaN, without a warning, for a column of NaN."""
    kept = [column[~np.isnan(column)] for column in values.T]
    return np.array([statistic(column) if column.size else np.nan for column in kept])
