"""Errors up to symmetry against cases done by hand and a brute-force search."""

import itertools

import jax
import numpy as np
import pytest

from lensjax import metrics, problems
from lensjax.errors import BadInput

SIS = problems.get("sis2023")
PM = problems.get("pm2022")
TRUTH = np.array([[30.0, -40.0, 12.0, 20.0, 8.0, 30.0]])


def symmetric(predicted, truth=TRUTH, problem=SIS):
    return metrics.symmetric_error(predicted, truth, problem=problem)


def test_raw_error_is_the_plain_difference():
    predicted = np.array([[31.0, -42.0, 12.0, 8.0, 20.0, 300.0]])
    np.testing.assert_array_equal(metrics.raw_error(predicted, TRUTH, problem=SIS), [[1.0, -2.0, 0.0, -12.0, 12.0, 270.0]])


@pytest.mark.parametrize(
    "predicted",
    [
        [30.0, -40.0, 12.0, 20.0, 8.0, 30.0],
        [30.0, -40.0, 12.0, 20.0, 8.0, 210.0],
        [30.0, -40.0, 12.0, 20.0, 8.0, -150.0],
        [30.0, -40.0, 12.0, 8.0, 20.0, 120.0],
        [30.0, -40.0, 12.0, 8.0, 20.0, -60.0],
    ],
    ids=["same", "half turn on", "half turn back", "axes exchanged", "axes exchanged, half turn back"],
)
def test_every_description_of_the_true_image_has_no_error(predicted):
    np.testing.assert_allclose(symmetric(np.array([predicted])), 0.0, atol=1e-12)


def test_error_is_signed_and_belongs_to_the_nearest_description():
    predicted = np.array([[29.0, -38.0, 12.5, 8.25, 19.5, 118.0]])
    np.testing.assert_allclose(symmetric(predicted), [[-1.0, 2.0, 0.5, 0.25, -0.5, -2.0]], atol=1e-12)


@pytest.mark.parametrize("true, predicted, error", [(1.0, 179.0, -2.0), (179.0, 1.0, 2.0), (0.0, 178.5, -1.5)])
def test_theta_wraps_at_half_a_turn(true, predicted, error):
    truth, guess = TRUTH.copy(), TRUTH.copy()
    truth[0, 5], guess[0, 5] = true, predicted
    np.testing.assert_allclose(symmetric(guess, truth)[0, 5], error, atol=1e-12)


def test_theta_of_a_round_source_is_not_counted():
    truth = np.array([[30.0, -40.0, 12.0, 9.0, 9.0, 77.0], TRUTH[0]])
    predicted = truth + 0.5
    error = symmetric(predicted, truth)
    assert np.isnan(error[0, 5])
    np.testing.assert_allclose(error[0, :5], 0.5, atol=1e-12)
    np.testing.assert_allclose(error[1], 0.5, atol=1e-12)
    assert metrics.summary(error, names=SIS.names).count.tolist() == [2, 2, 2, 2, 2, 1]


def test_brute_force_search_agrees():
    rng = np.random.default_rng(0)
    low = np.array([p.low for p in SIS.parameters])
    high = np.array([p.high for p in SIS.parameters])
    truth = rng.uniform(low, high, (200, 6))
    predicted = rng.uniform(low, high, (200, 6)) * [1, 1, 1, 1, 1, 3]
    expected = np.empty_like(truth)
    for row, (guess, true) in enumerate(zip(predicted, truth, strict=True)):
        best = np.inf
        for swap, turns in itertools.product((False, True), range(-3, 5)):
            other = true.copy()
            if swap:
                other[3], other[4] = true[4], true[3]
            other[5] = true[5] + 90.0 * swap + 180.0 * turns
            error = guess - other
            distance = np.sum((error / (high - low)) ** 2)
            if distance < best:
                best, expected[row] = distance, error
    np.testing.assert_allclose(symmetric(predicted, truth), expected, atol=1e-9)


def test_symmetric_error_is_never_further_than_the_raw_one():
    rng = np.random.default_rng(1)
    truth = np.array(SIS.sample(jax.random.key(3), 100), dtype=float)
    predicted = truth + rng.normal(0, 20, truth.shape)
    width = np.array([p.high - p.low for p in SIS.parameters])
    raw = metrics.raw_error(predicted, truth, problem=SIS)
    fair = symmetric(predicted, truth)
    assert np.all(np.nansum((fair / width) ** 2, axis=1) <= np.sum((raw / width) ** 2, axis=1) + 1e-12)


def test_errors_keep_double_precision():
    predicted = TRUTH + 1e-9
    np.testing.assert_allclose(symmetric(predicted), 1e-9, rtol=1e-4)


def test_only_the_ring_is_compared_where_chi_cannot_be_told():
    truth = np.array([[30.0, -40.0, 21.0, 20.0, 8.0, 30.0, 0.7]])  # theta_E 30
    predicted = np.array([[30.0, -40.0, 16.0, 20.0, 8.0, 30.0, 0.5]])  # theta_E 32
    error = symmetric(predicted, truth, PM)
    np.testing.assert_allclose(error[0, :6], [0, 0, 1.0, 0, 0, 0], atol=1e-9)
    assert np.isnan(error[0, 6])


def test_summary_by_hand():
    error = np.array([[1.0, np.nan, np.nan], [-3.0, 2.0, np.nan], [5.0, np.nan, np.nan]])
    result = metrics.summary(error, names=("a", "b", "c"))
    np.testing.assert_allclose(result.mean, [1.0, 2.0, np.nan])
    np.testing.assert_allclose(result.mae, [3.0, 2.0, np.nan])
    np.testing.assert_allclose(result.median, [3.0, 2.0, np.nan])
    np.testing.assert_allclose(result.mse, [35 / 3, 4.0, np.nan])
    np.testing.assert_allclose(result.std, [np.std([1, -3, 5]), 0.0, np.nan])
    np.testing.assert_allclose(result.absolute_std, [np.std([1, 3, 5]), 0.0, np.nan])
    assert result.count.tolist() == [3, 1, 0]
    assert result.overall_mae == pytest.approx(2.5)
    assert result.overall_median == pytest.approx(2.5)
    assert result.overall_mse == pytest.approx((35 / 3 + 4) / 2)


def test_summary_of_no_images_is_nan_without_warnings(recwarn):
    result = metrics.summary(np.empty((0, 2)), names=("a", "b"))
    assert np.all(np.isnan(result.mae)) and np.isnan(result.overall_mae) and result.count.tolist() == [0, 0]
    assert not recwarn.list


def test_normalised_error_and_share():
    error = np.array([[1.0, -6.0], [np.nan, 2.0], [3.0, 1.0], [0.2, 1.0]])
    bound = np.array([[0.5, 1.0], [1.0, 0.0], [0.5, np.inf], [0.1, -1.0]])
    z = metrics.normalised(error, bound)
    np.testing.assert_allclose(z, [[2.0, 6.0], [np.nan, np.nan], [6.0, np.nan], [2.0, np.nan]])
    np.testing.assert_allclose(metrics.share(z), [2 / 3, 0.0])
    np.testing.assert_allclose(metrics.share(z, below=10.0), [1.0, 1.0])


def test_expected_absolute_errors_of_a_normal_estimator():
    z = np.random.default_rng(2).normal(size=200_000)
    assert np.mean(np.abs(z)) == pytest.approx(metrics.EXPECTED_ABSOLUTE, abs=0.005)
    assert np.median(np.abs(z)) == pytest.approx(metrics.MEDIAN_ABSOLUTE, abs=0.005)


@pytest.mark.parametrize("shapes", [((3, 6), (2, 6)), ((3, 5), (3, 5)), ((6,), (6,))])
def test_shapes_that_do_not_fit_are_refused_in_words(shapes):
    predicted, truth = (np.zeros(shape) for shape in shapes)
    for error in (metrics.raw_error, metrics.symmetric_error):
        with pytest.raises(BadInput, match=r"expected \(images, 6\) for both, the parameters of sis2023"):
            error(predicted, truth, problem=SIS)


def test_names_that_do_not_fit_are_refused_in_words():
    with pytest.raises(BadInput, match=r"expected \(images, 2\)"):
        metrics.summary(np.zeros((4, 3)), names=("a", "b"))
