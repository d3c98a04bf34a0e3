"""Errors from information matrices that say little or nothing."""

import numpy as np
import pytest

from lensjax import problems
from lensjax.infer.covariance import conditioning, errors_of, inverse

PROBLEM = problems.get("sis2023")
COUNT = len(PROBLEM.parameters)
VALUES = np.array([60.0, 40.0, 20.0, 14.0, 8.0, 30.0, 2.4, 0.3, 0.2])  # the last three: log size, ellipticity
# The first six coordinates are the parameters, and the source's shape depends on three of them.
JACOBIAN = np.zeros((COUNT + 3, 8))
JACOBIAN[:COUNT, :COUNT] = np.eye(COUNT)
JACOBIAN[COUNT:, 3:6] = 0.01 * np.eye(3)


def information(*, blind: tuple[int, ...] = ()) -> np.ndarray:
    """A regular matrix (8, 8), but that nothing depends on the coordinates `blind`."""
    columns = np.random.default_rng(0).normal(size=(8, 40)) * 10.0 ** np.arange(8)[:, None]
    columns[list(blind)] = 0.0
    return columns @ columns.T


def test_a_regular_matrix_is_inverted():
    matrix = information()
    np.testing.assert_allclose(inverse(matrix, fitted=8) @ matrix, np.eye(8), atol=1e-8)
    assert conditioning(matrix, free_shift=True) > 0.1


@pytest.mark.parametrize("blind", [0, 2])
def test_a_coordinate_without_information_has_an_infinite_error(blind):
    matrix = information(blind=(blind,))
    assert conditioning(matrix, free_shift=True) == pytest.approx(0.0, abs=1e-12)
    errors, covariance, _ = errors_of(PROBLEM, VALUES, JACOBIAN, inverse(matrix, fitted=8))
    others = np.delete(np.arange(COUNT), blind)
    assert np.isinf(errors[blind])
    assert np.isfinite(errors[others]).all() and (errors[others] > 0).all()
    assert np.isnan(covariance[blind]).all() and np.isnan(covariance[:, blind]).all()
    assert np.isfinite(covariance[np.ix_(others, others)]).all()


def test_two_coordinates_that_only_their_sum_matters_of():
    columns = np.random.default_rng(0).normal(size=(8, 40))
    columns[1] = columns[0]
    errors, _, _ = errors_of(PROBLEM, VALUES, JACOBIAN, inverse(columns @ columns.T, fitted=8))
    assert np.isinf(errors[:2]).all() and np.isfinite(errors[2:]).all()


def test_rounding_in_float32_never_makes_an_error_zero():
    """An eigenvalue that rounding makes negative was an error of zero: √max(variance, 0)."""
    columns = np.random.default_rng(0).normal(size=(8, 40)).astype(np.float32)
    columns[1] = columns[0] * np.float32(1.0 + 1e-5)
    matrix = columns @ columns.T
    matrix[0, 1] = matrix[1, 0] = matrix[0, 1] * np.float32(1.0 + 1e-6)
    assert np.linalg.inv(matrix.astype(np.float64))[0, 0] < 0
    errors, _, _ = errors_of(PROBLEM, VALUES, JACOBIAN, inverse(matrix, fitted=8))
    assert np.isinf(errors[:2]).all()


@pytest.mark.parametrize("matrix", [np.zeros((8, 8)), np.full((8, 8), np.nan), np.full((8, 8), np.inf)])
def test_a_matrix_without_any_information(matrix):
    errors, covariance, _ = errors_of(PROBLEM, VALUES, JACOBIAN, inverse(matrix, fitted=8))
    assert np.isinf(errors).all() and np.isnan(covariance).all()
    assert conditioning(np.full((8, 8), np.nan), free_shift=True) == 0.0


def test_an_error_beyond_the_range_of_the_parameter_is_infinite():
    covariance = np.diag([1.0, 1.0, 1e6, 1.0, 1.0, 1.0, 1.0, 1.0])
    errors, _, _ = errors_of(PROBLEM, VALUES, JACOBIAN, covariance)
    assert np.isinf(errors[2]) and np.isfinite(errors[:2]).all()


def test_coordinates_that_are_not_fitted_have_no_variance():
    whole = inverse(information(), fitted=6)
    assert (whole[6:] == 0).all() and (whole[:, 6:] == 0).all()
