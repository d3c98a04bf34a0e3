"""Estimates image by image: one that fails ends nothing and changes nothing."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import estimate, problems, trained
from lensjax.errors import BadInput
from lensjax.estimate import Observation, solve_each
from lensjax.infer import Solution, from_moments, lattice, solve
from lensjax.infer.estimation import Fitted

pytestmark = pytest.mark.computes

PROBLEM = problems.get("sis2023", method="raytrace")
TRUTH = np.array([[90.0, 60.0, 20.0, 12.0, 7.0, 30.0], [-30.0, 40.0, 40.0, 12.0, 8.0, 10.0], [100.0, -80.0, 25.0, 12.0, 9.0, 70.0]])
GUESS = TRUTH * np.array([1.05, 0.95, 1.1, 1.1, 0.95, 1.1]) + np.array([4.0, -4.0, 0, 0, 0, 3.0])


@pytest.fixture(scope="module")
def observations() -> list[Observation]:
    with jax.enable_x64(True):
        images = np.asarray(jax.jit(PROBLEM.render_batch)(jnp.asarray(TRUTH)))
    return [Observation(image, rounded=False, variance=1.0) for image in images]


def network(images: np.ndarray) -> np.ndarray:
    """A network that knows the nearest of the three images."""
    shown = [np.nanargmin([abs(np.nansum(image) - total) for total in network.totals]) for image in images]
    return GUESS[shown]


@pytest.fixture(scope="module")
def answers(observations):
    """{index: estimate} of some observations, from the network's answers."""
    network.totals = [observation.data.sum() for observation in observations]

    def of(some) -> list[estimate.Estimate]:
        pairs = list(
            solve_each(
                PROBLEM, some, estimator=SimpleNamespace(answers=lambda images: trained.Answers(network(images), None)), search_on=False
            )
        )
        assert [index for index, _ in pairs] == list(range(len(pairs)))
        return [one for _, one in pairs]

    return of


@pytest.fixture(scope="module")
def expected(answers, observations) -> list[Solution]:
    return [one.solution for one in answers(observations)]


def assert_same(first: Solution, second: Solution) -> None:
    for field in dataclasses.fields(Solution):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name), err_msg=field.name)


def test_each_image_is_estimated(expected):
    whole = Solution.stack(expected)
    assert whole.success.all() and whole.status == ("converged",) * 3
    np.testing.assert_allclose(whole.params, TRUTH, rtol=1e-3)


def test_an_answer_does_not_depend_on_the_neighbours(answers, observations, expected):
    assert_same(answers(observations[2:])[0].solution, expected[2])
    for one, other in zip(answers(observations[::-1])[::-1], expected, strict=True):
        assert_same(one.solution, other)


@pytest.mark.parametrize("bad", [np.nan, pytest.param(np.inf, marks=pytest.mark.slow)])
def test_pixels_that_are_not_finite_fail_their_own_image_alone(answers, observations, expected, bad):
    data = observations[0].data.copy()
    data[3, 4] = data[5, 6] = bad
    first, failed, *others = answers([observations[0], dataclasses.replace(observations[0], data=data), *observations[1:]])
    assert failed.solution.status == ("failed: 2 pixels are not finite numbers",)
    assert not failed.solution.success[0] and np.isnan(failed.solution.params).all() and failed.error is None
    for one, other in zip([first, *others], expected, strict=True):
        assert_same(one.solution, other)


def test_an_error_of_any_kind_is_a_row(answers, observations, expected, monkeypatch):
    inside = solve._finish

    def breaking(problem, image, *rest):
        if np.array_equal(image, np.float32(observations[1].data)):
            raise np.linalg.LinAlgError("Eigenvalues\ndid not converge")
        return inside(problem, image, *rest)

    monkeypatch.setattr(solve, "_finish", breaking)
    first, failed, last = answers(observations)
    assert failed.solution.status == ("failed: Eigenvalues did not converge",)
    assert_same(first.solution, expected[0])
    assert_same(last.solution, expected[2])


def test_what_cannot_be_read_or_has_another_size_is_an_estimate_without_numbers(answers, observations, expected):
    missing, small = BadInput("b.png: no such file"), Observation(np.zeros((10, 20)))
    unread, first, misfit = answers([missing, observations[0], small])
    assert unread == estimate.Estimate(None, None, "b.png: no such file")
    assert misfit == estimate.Estimate(None, None, "the image has shape (10, 20); expected two dimensions of 16 or more")
    assert_same(first.solution, expected[0])


def test_images_are_taken_as_they_are_needed(observations):
    taken = []

    def reader():
        for k in range(100):
            taken.append(k)
            yield Observation(observations[0].data)

    predict = SimpleNamespace(answers=lambda images: trained.Answers(np.arange(len(images))[:, None], None))
    estimates = solve_each(PROBLEM, reader(), estimator=predict, refined=False)
    index, first = next(estimates)
    assert (index, first.solution, first.error) == (0, None, None) and first.network == 0
    assert len(taken) <= 16
    with pytest.raises(ValueError, match="expected one"):
        next(solve_each(PROBLEM, reader(), refined=False))


def test_starts_are_finite_for_noise_about_a_subtracted_sky(observations):
    """Second moments that weigh noise by the square of its distance were negative for some of these."""
    negative = 0
    x = np.arange(400) - 200.0
    for seed in range(40):
        image = observations[0].data + np.random.default_rng(seed).normal(0.0, 5.0, (400, 400))
        total = image.sum()
        mean = image.sum(axis=0) @ x / total
        negative += image.sum(axis=0) @ (x - mean) ** 2 / total < 0
        starts = from_moments(image)
        assert np.isfinite(starts).all()
        assert np.abs(starts[:, :2]).max() < 20.0
    assert negative > 0
    for image in (np.random.default_rng(0).normal(0.0, 5.0, (400, 400)), np.full((400, 400), np.nan), np.full((400, 400), -1.0)):
        assert np.isfinite(from_moments(image)).all()


def test_a_composed_problem_is_fitted_from_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the image has the network's size; any other is fitted from its pixels alone, and the failure of a fit is its own row."""
    problem, guesses = problems.get("sie2026"), []

    def fitted(whole, image, *, guess):
        guesses.append(guess)
        if image.max() > 1.0:
            raise ValueError("too bright")
        return Fitted(Solution.failed(whole.names, "nothing to see", coordinates=whole.size), None)

    monkeypatch.setattr(lattice, "estimate", fitted)
    estimator = SimpleNamespace(answers=lambda images: trained.Answers(np.full((len(images), len(problem.names)), 3.0), None))
    seen = [Observation(level * np.ones((side, side)), cosmosim=True) for side, level in ((256, 1.0), (64, 1.0), (256, 2.0))]
    found = [one for _, one in solve_each(problem, [*seen, BadInput("gone")], estimator=estimator)]
    assert guesses[1] is None and all((guesses[k] == 3.0).all() for k in (0, 2))
    assert [one.network is None for one in found] == [False, True, False, True]
    assert [one.solution.status[0] for one in found[:3]] == [
        f"failed: {words}" for words in ("nothing to see", "nothing to see", "too bright")
    ]
    assert found[3].error == "gone" and Solution.stack([one.solution for one in found[:3]]).fit.shape == (3, problem.coordinates)
