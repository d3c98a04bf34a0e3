"""Whether error bars are right, from mocks with truth: coverage, pulls, ranks and expected coverage.

Of errors that are right, the truth lies as often within an interval as its level says. Among draws from a right posterior the truth has
any rank with the same chance (simulation-based calibration; Talts et al. 2018, arXiv:1804.06788), and the share of draws that lie nearer
to a random point than the truth does is uniform (TARP; Lemos et al. 2023, arXiv:2302.03026).
"""

from collections.abc import Sequence

import numpy as np
from scipy import special, stats

LEVELS = (0.5, 0.68, 0.95)
"""Levels of the intervals in tables."""

FLAGGED = 1e-3
"""Chance that right error bars are flagged by a test."""


def deviations(values: np.ndarray, truth: np.ndarray, periods: Sequence[float | None]) -> np.ndarray:
    """values (..., P) − truth (..., P); of periodic parameters the shortest."""
    off: np.ndarray = np.asarray(values, np.float64) - truth
    for k, period in enumerate(periods):
        if period is not None:
            off[..., k] -= period * np.round(off[..., k] / period)
    return off


def rank(truth: np.ndarray, draws: np.ndarray, middle: np.ndarray, periods: Sequence[float | None], *, seed: int) -> np.ndarray:
    """The rank (P,) of the truth (P,) among draws (S, P), as a number between 0 and 1.

    Args:
        truth: true parameters.
        draws: nearly independent draws.
        middle: (P,) place opposite to which periodic parameters are cut, which the truth had no part in.
        periods: periods of the parameters, None without one.
        seed: of the random place within a rank.
    """
    below = (deviations(draws, middle, periods) < deviations(truth, middle, periods)).sum(axis=0)
    return np.asarray((below + np.random.default_rng(seed).random(len(truth))) / (len(draws) + 1))


def nearer(truth: np.ndarray, draws: np.ndarray, middle: np.ndarray, periods: Sequence[float | None], *, seed: int) -> float:
    """The share of draws (S, P) that lie nearer to a random point than the truth (P,) does.

    Parameters are in units of the draws' spread about `middle` (P,); the point is a draw of a unit normal in these. Parameters that
    do not vary do not count.
    """
    random = np.random.default_rng(seed)
    off = deviations(draws, middle, periods)
    width = off.std(axis=0)
    used = width > 1e-12 * np.maximum(np.abs(off).max(axis=0), 1e-300)
    mean = off.mean(axis=0)
    point = random.normal(size=len(truth))

    def distance(rows: np.ndarray) -> np.ndarray:
        scaled = (rows - mean)[..., used] / width[used] - point[used]
        return np.asarray((scaled**2).sum(axis=-1))

    below = int((distance(off) < distance(deviations(truth, middle, periods))).sum())
    return float((below + random.random()) / (len(draws) + 1))


def credibility_of_pulls(pulls: np.ndarray) -> np.ndarray:
    """The level of the central normal interval at whose end the truth lies: 2 Φ(|pull|) − 1."""
    return np.asarray(2.0 * special.ndtr(np.abs(pulls)) - 1.0)


def credibility_of_ranks(ranks: np.ndarray) -> np.ndarray:
    """The level of the central interval at whose end a rank lies."""
    return np.asarray(np.abs(2.0 * ranks - 1.0))


def within(credibility: np.ndarray, level: float) -> np.ndarray:
    """The share (P,) of rows (N, P) whose truth lies within the central interval of a level; NaN rows do not count."""
    known = np.isfinite(credibility)
    inside = (known & (credibility <= level)).sum(axis=0)
    return np.asarray(np.where(known.sum(axis=0) > 0, inside / np.maximum(known.sum(axis=0), 1), np.nan))


def band(level: float, count: int) -> tuple[float, float]:
    """Within what a share of `count` rows lies, in 95 of 100 cases, where errors are right."""
    low, high = stats.binom.interval(0.95, max(count, 1), level)
    return float(low / max(count, 1)), float(high / max(count, 1))


def chance(uniform: np.ndarray) -> float:
    """The chance that numbers that should be uniform in 0…1 are so far from it: for their place and for their spread about ½.

    Twice the smaller chance of two Kolmogorov–Smirnov tests, of the numbers and of |2u − 1|. NaN below 5 numbers.
    """
    values = np.asarray(uniform, np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 5:
        return float("nan")
    tests = [stats.kstest(part, "uniform").pvalue for part in (values, np.abs(2.0 * values - 1.0))]
    return float(min(1.0, 2.0 * min(tests)))
