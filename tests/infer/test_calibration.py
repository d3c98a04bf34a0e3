"""Calibration on toys whose error bars are known: right, too small, and off."""

import numpy as np
import pytest

from lensjax.infer import calibration

MOCKS, DRAWS, PERIODS = 300, 200, (None, None, 180.0)


def toy(spread: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pulls (N, P), ranks (N, P) and shares of nearer draws (N,): a normal prior of 1, noise of 1, and half the sum as the best answer, of
    variance ½; of errors `spread` times as wide as they should be, `shift` of them off. The third parameter is an angle across its cut."""
    random = np.random.default_rng(5)
    pulls, ranks, nearer = [], [], []
    for k in range(MOCKS):
        truth = random.normal(size=3)
        best = 0.5 * (truth + random.normal(size=3)) + shift * 0.5**0.5
        width = spread * 0.5**0.5
        draws = best + width * random.normal(size=(DRAWS, 3))
        turned, middle = (np.mod(part + [0.0, 0.0, 180.0], 180.0) if part.ndim == 1 else part for part in (truth, best))
        truth = np.array([truth[0], truth[1], turned[2]])
        middle = np.array([best[0], best[1], middle[2]])
        draws[:, 2] %= 180.0
        pulls.append(calibration.deviations(middle, truth, PERIODS) / width)
        ranks.append(calibration.rank(truth, draws, middle, PERIODS, seed=k))
        nearer.append(calibration.nearer(truth, draws, middle, PERIODS, seed=k))
    return np.array(pulls), np.array(ranks), np.array(nearer)


def test_right_error_bars_are_not_flagged() -> None:
    pulls, ranks, nearer = toy()
    assert min(calibration.chance(ranks[:, k]) for k in range(3)) > calibration.FLAGGED
    assert calibration.chance(nearer) > calibration.FLAGGED
    for credibility in (calibration.credibility_of_pulls(pulls), calibration.credibility_of_ranks(ranks)):
        for level in calibration.LEVELS:
            low, high = calibration.band(level, 3 * MOCKS)
            assert low - 0.01 <= calibration.within(credibility, level).mean() <= high + 0.01


@pytest.mark.parametrize(("spread", "shift"), [(0.5, 0.0), (2.0, 0.0), (1.0, 0.7)], ids=["too sure", "too wide", "off"])
def test_wrong_error_bars_are_flagged(spread: float, shift: float) -> None:
    pulls, ranks, nearer = toy(spread, shift)
    assert max(calibration.chance(ranks[:, k]) for k in range(3)) < calibration.FLAGGED
    assert calibration.chance(nearer) < calibration.FLAGGED
    if shift == 0.0:
        share = calibration.within(calibration.credibility_of_pulls(pulls), 0.68)
        np.testing.assert_allclose(share, {0.5: 0.381, 2.0: 0.953}[spread], atol=0.08)


def test_only_known_errors_count() -> None:
    credibility = np.array([[0.1, np.nan], [0.6, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(calibration.within(credibility, 0.5), [0.5, np.nan])
    assert np.isnan(calibration.chance(np.array([0.5, np.nan])))


def test_parameters_that_do_not_vary_do_not_count() -> None:
    draws = np.random.default_rng(0).normal(size=(100, 2))
    draws[:, 1] = 3.0
    share = calibration.nearer(np.array([0.1, 3.0]), draws, np.array([0.0, 3.0]), (None, None), seed=0)
    assert 0.0 < share < 1.0
