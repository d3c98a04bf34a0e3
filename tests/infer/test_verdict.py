"""Verdicts on residuals: noise passes, patches and excess do not."""

import numpy as np
import pytest

from lensjax.infer import verdict
from lensjax.infer.verdict import against_noise, against_rounding, chi2_is_noise, coherent_patch, objections
from lensjax.problems.base import Parameter

MASK = np.ones((100, 100), bool)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=MASK.shape)


def test_noise_has_no_coherent_patch() -> None:
    assert sum(coherent_patch(noise(seed), MASK) is not None for seed in range(300)) <= 1


def test_noise_is_a_success() -> None:
    residual = noise(0)
    residuals = against_noise(residual, MASK, chi2=float((residual**2).sum()), degrees=MASK.sum() - 10)
    assert residuals == [] and objections(residuals, converged=True) == []


@pytest.mark.parametrize(("side", "level"), [(1, 6.5), (3, 2.5), (9, 0.9), (17, 0.5)])
def test_a_patch_is_found_at_its_place(side: int, level: float) -> None:
    residual = noise(1)
    residual[40 : 40 + side, 60 : 60 + side] += level * np.sign(level)
    patch = coherent_patch(residual, MASK)
    assert patch is not None
    assert abs(patch.place[0] - 40 - side // 2) <= max(side, 3) and abs(patch.place[1] - 60 - side // 2) <= max(side, 3)


def test_masked_residuals_do_not_count() -> None:
    residual, mask = noise(2), MASK.copy()
    residual[10:20, 10:20], mask[10:20, 10:20] = 50.0, False
    assert coherent_patch(residual, mask) is None


def test_chi2_of_noise_is_told_from_an_excess_of_ten_per_cent() -> None:
    assert chi2_is_noise(10_400.0, 10_000) and not chi2_is_noise(11_000.0, 10_000)


def test_every_objection_has_its_words() -> None:
    residual = 1.1 * noise(3)
    chi2 = float((residual**2).sum())
    residuals = against_noise(residual, MASK, chi2=chi2, degrees=MASK.sum())
    words = objections(residuals, converged=False, at_bounds=("q",), rivals=("theta_E 3",), needless=True)
    assert [word.split(":")[0] for word in words] == [
        "the descent did not converge",
        "residuals above the noise",
        "at the end of its range",
        "another solution explains the image as well",
        "no lens needed",
    ]


def test_rounding_is_judged_pixel_by_pixel() -> None:
    residual = np.full(MASK.shape, 0.5)
    assert against_rounding(residual) == []
    residual[:2, :2] = 0.8
    assert against_rounding(residual) == ["the model does not explain 4 pixels"]


def test_parameters_beyond_their_range_are_named() -> None:
    """By more than five of their errors; one without an error at all if it lies beyond; directions never."""
    table = (Parameter("a", "px", 0.0, 10.0), Parameter("b", "px", 5.0, 50.0), Parameter("t", "deg", 0.0, 180.0, period=180.0))
    at = lambda a, b, error: verdict.outside(table, np.array([a, b, 200.0]), np.array([1.0, error, 1.0]))  # noqa: E731
    assert at(5.0, 20.0, 1.0) == [] and at(-4.9, 4.0, 0.3) == []
    assert at(-5.1, 4.0, 0.1) == ["a", "b"]
    assert at(5.0, 20.0, np.inf) == [] and at(5.0, 51.0, np.inf) == ["b"]
