"""Estimates from the image alone: mocks with truth, and images that the problem does not describe."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.dataset import mocks
from lensjax.infer.estimation import estimate, estimate_each, solution_of, starts_from_image
from lensjax.infer.fit import Optimum
from lensjax.infer.levenberg_marquardt import CONVERGED
from lensjax.observation import psf
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.problems import components
from lensjax.problems.compose import compose

PROBLEM = compose("sie", [components.sie(theta_e=(7.0, 16.0), reach=1.5, q=0.4), components.gaussian(sigma=(1.5, 3.0), reach=5.0, q=None)])
TAKEN = instrument((60, 60), supersampling=2, psf=psf.gaussian(2.0))
SIGMA = 0.02


def image(seed: int) -> tuple[np.ndarray, np.ndarray]:
    params = np.asarray(PROBLEM.draw(jax.random.key(seed)), np.float64)
    light = np.asarray(PROBLEM.image(jnp.asarray(params, jnp.float32), TAKEN), np.float64)
    params[-1] /= light.max()
    return params, light / light.max() + np.random.default_rng(seed).normal(scale=SIGMA, size=light.shape)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mocks_are_recovered_without_a_start(seed: int) -> None:
    params, data = image(seed)
    solution = estimate(PROBLEM, observe(data, SIGMA, taken_by=TAKEN)).solution
    assert solution.success[0], solution.status[0]
    error = solution.params[0] - params
    phi = PROBLEM.names.index("phi")
    error[phi] -= 180.0 * np.round(error[phi] / 180.0)
    assert np.abs(error / solution.errors[0]).max() < 4.5


@pytest.mark.slow
def test_a_fit_beyond_the_prior_leads_to_other_starts() -> None:
    """A round ring shows one guess alone, from which a descent ends with the lens on the wrong side of the source, beyond its reach."""
    lens = components.sis(unit="arcsec", theta_e=(0.6, 1.4), reach=0.1)
    problem = compose("small", [lens, components.gaussian(unit="arcsec", sigma=(0.08, 0.3), reach=0.5, q=None, flux=(1.0, 1e6))])
    truth, seen = mocks.drawn(problem, mocks.Mocks(n=30, seed=4, pixels=40, pixel_scale=0.1, peak=15.0), 0)
    first = estimate(problem, seen, starts=starts_from_image(problem, seen, count=12)).solution
    assert first.status[0] == "converged; at the end of its range: x"
    solution = estimate(problem, seen).solution
    assert solution.success[0], solution.status[0]
    assert np.abs((solution.params[0] - truth) / solution.errors[0]).max() < 4.0


def spiral() -> np.ndarray:
    x, y = np.meshgrid(np.arange(60) - 30.0, 30.0 - np.arange(60))
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    return np.exp(-r / 6.0) * (1.0 + 0.8 * np.cos(2 * angle - r / 2.5))


def blob() -> np.ndarray:
    x, y = np.meshgrid(np.arange(60) - 30.0, 30.0 - np.arange(60))
    return np.exp(-0.5 * ((x - 4) ** 2 + (y + 3) ** 2) / 9.0)


def star() -> np.ndarray:
    frame = np.zeros((60, 60))
    kernel = psf.gaussian(2.0)
    half = kernel.shape[0] // 2
    frame[30 - half : 31 + half, 35 - half : 36 + half] = kernel / kernel.max()
    return frame


@pytest.mark.slow
@pytest.mark.parametrize("other", [pytest.param(spiral, marks=pytest.mark.slow), blob, star])
def test_images_of_another_kind_are_no_success(other) -> None:
    data = other() + np.random.default_rng(5).normal(scale=SIGMA, size=(60, 60))
    solution = estimate(PROBLEM, observe(data, SIGMA, taken_by=TAKEN)).solution
    assert not solution.success[0] and solution.status[0]


def test_noise_alone_is_no_success() -> None:
    data = np.random.default_rng(6).normal(scale=SIGMA, size=(60, 60))
    solution = estimate(PROBLEM, observe(data, SIGMA, taken_by=TAKEN)).solution
    assert not solution.success[0] and np.isnan(solution.params).all()
    assert solution.status[0] == "failed: no light stands out of the noise"


@pytest.mark.slow
def test_many_at_once_and_one_by_one_give_the_same_answers() -> None:
    """The path of an accelerator: images of two kinds and a dark one, in one call, against each image alone."""
    images = [observe(image(seed)[1], SIGMA, taken_by=TAKEN) for seed in (0, 1)]
    dark = observe(np.random.default_rng(6).normal(scale=SIGMA, size=(60, 60)), SIGMA, taken_by=TAKEN)
    together = [end.solution for end in estimate_each(PROBLEM, [images[0], dark, images[1]], batch=16)]
    assert [bool(solution.success[0]) for solution in together] == [True, False, True]
    for solution, observed in ((together[0], images[0]), (together[2], images[1])):
        alone = estimate(PROBLEM, observed, batch=1).solution
        assert (np.abs(solution.params - alone.params) < 0.02 * alone.errors).all()
        np.testing.assert_allclose(solution.errors, alone.errors, rtol=1e-2)


MEMBERS = [components.sis(theta_e=(3.0, 9.0), reach=8.0, prefix=f"{k}_") for k in (1, 2)]
PAIR = compose("pair", [*MEMBERS, components.gaussian(sigma=(1.5, 3.0), reach=5.0)], exchangeable=((0, 1),))


def ended(numbers: np.ndarray, chi2: float) -> Optimum:
    nothing = np.zeros((60, 60))
    return Optimum(numbers, np.ones(1), np.diag(np.full(len(numbers) + 1, 1e-6)), chi2, chi2, 3600, CONVERGED, nothing, nothing)


def test_members_of_a_cluster_in_another_order_are_no_other_solution() -> None:
    params = jnp.asarray(PAIR.draw(jax.random.key(0)), jnp.float32)
    numbers = np.asarray(PAIR.encode(params), np.float64)
    swapped = numbers[[3, 4, 5, 0, 1, 2, *range(6, PAIR.size)]]
    assert PAIR.orders()[1][: PAIR.size] == [3, 4, 5, 0, 1, 2, *range(6, PAIR.size)]
    solution = solution_of(PAIR, ended(numbers, 3600.0), [], others=[ended(swapped, 3601.0)])
    assert "another solution" not in solution.status[0]
    moved = swapped + 0.1 * np.eye(PAIR.size)[0]
    assert "another solution" in solution_of(PAIR, ended(numbers, 3600.0), [], others=[ended(moved, 3601.0)]).status[0]
