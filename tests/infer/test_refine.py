"""Refinement end to end, on images whose parameters are known, and the Cramér–Rao bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import estimate, problems
from lensjax.infer import cramer_rao, from_moments, model_image, multistart, refine
from lensjax.infer.covariance import fisher
from lensjax.infer.levenberg_marquardt import Descent
from lensjax.infer.objective import Normal
from lensjax.infer.starts import moments
from lensjax.observation.detector import quantise

TRUTH = np.array(
    [
        [60.0, 45.0, 20.0, 14.0, 7.0, 30.0],
        [-30.0, 40.0, 40.0, 8.0, 12.0, 100.0],
        [100.0, -80.0, 25.0, 11.0, 11.0, 0.0],  # round: no theta
    ]
)
# The same pictures, with sigma ≥ sigma2.
CANONICAL = np.array([TRUTH[0], [-30.0, 40.0, 40.0, 12.0, 8.0, 10.0], TRUTH[2]])


def images(method: str) -> np.ndarray:
    with jax.enable_x64(True):
        render = jax.jit(problems.get("sis2023", method=method).render_batch)
        return np.asarray(render(jnp.asarray(TRUTH)))


@pytest.fixture(scope="module")
def whole() -> np.ndarray:
    return images("raytrace")


@pytest.fixture(scope="module")
def solution(whole):
    problem = problems.get("sis2023", method="raytrace")
    guess = TRUTH * np.array([1.05, 0.95, 1.1, 1.1, 0.95, 1.1]) + np.array([4.0, -4.0, 0, 0, 0, 3.0])
    return estimate.solve(problem, np.round(whole), guess)


def test_interval_fit_finds_the_truth(solution):
    assert solution.kind == ("interval",) * 3
    assert solution.method == ("raytrace",) * 3
    assert solution.success.all()
    assert (solution.violated == 0).all()
    bound = cramer_rao(problems.get("sis2023", method="raytrace"), TRUTH)
    error = np.abs(solution.params - CANONICAL)
    identified = np.isfinite(bound)
    assert (error[identified] < bound[identified]).all()
    assert np.median(error[identified] / bound[identified]) < 0.3 * 0.674


def test_certified_bounds_hold_the_truth_and_are_tight(solution):
    identified = np.isfinite(solution.errors)
    assert (CANONICAL >= solution.lowest - 1e-9)[identified].all()
    assert (CANONICAL <= solution.highest + 1e-9)[identified].all()
    half = 0.5 * (solution.highest - solution.lowest)
    assert (half[:2] > solution.errors[:2]).all()  # a standard deviation lies within the set
    assert (half[:2, 0] < 0.5).all()


def test_a_round_source_has_no_angle(solution):
    assert np.isinf(solution.errors[2, 5])
    assert solution.status[2] == "converged; not identifiable: theta"
    assert np.isnan(solution.covariance[2, 5]).all()
    assert (solution.lowest[2, 5], solution.highest[2, 5]) == (0.0, 180.0)
    assert np.isfinite(solution.errors[:2]).all() and np.isfinite(solution.errors[2, :5]).all()


def test_model_image_rounds_to_the_observed_one(solution, whole):
    problem = problems.get("sis2023")
    model = model_image(problem, solution.fit[0], method=solution.method[0])
    np.testing.assert_array_equal(np.asarray(quantise(model)), np.round(whole[0]))


@pytest.mark.slow
def test_noise_falls_back_on_least_squares_with_honest_errors(whole):
    """The first image is left out: light at the lens's very centre, where the exact map is not smooth, traps least squares."""
    noisy = whole[1:] + np.random.default_rng(0).normal(0.0, 3.0, whole[1:].shape)
    problem = problems.get("sis2023", method="raytrace")
    fit = estimate.solve(problem, noisy, TRUTH[1:], rounded=False, variance=9.0, search_on=False)
    assert fit.kind == ("least squares",) * 2
    np.testing.assert_allclose(fit.chi2, 1.0, atol=0.05)
    identified = np.isfinite(fit.errors)
    pull = (np.abs(fit.params - CANONICAL[1:]) / fit.errors)[identified]
    assert pull.max() < 4.5 and 0.2 < np.median(pull) < 1.5
    assert np.isnan(fit.lowest).all()


def test_cramer_rao_against_finite_differences():
    problem = problems.get("sis2023", method="raytrace", centred=False)
    params = TRUTH[0]
    with jax.enable_x64(True):
        render = jax.jit(problem.render)
        columns = []
        for k in range(6):
            step = np.zeros(6)
            step[k] = 1e-4
            columns.append((np.asarray(render(params + step)) - np.asarray(render(params - step))).ravel() / 2e-4)
    expected = np.sqrt(np.diag(np.linalg.inv(np.array(columns) @ np.array(columns).T)) / 12.0)
    # Without a centring the lens stands in the middle of the image, whose place is known.
    bound = cramer_rao(problem, params, free_shift=False)[0]
    np.testing.assert_allclose(bound, expected, rtol=1e-3)
    wider = cramer_rao(problem, params, free_shift=True)[0]
    assert (wider > bound).all()


def test_cramer_rao_scales_with_the_noise_and_knows_the_round_source():
    problem = problems.get("sis2023", method="ring")
    once, more = (cramer_rao(problem, TRUTH, variance=v) for v in (1.0, 4.0))
    assert np.isinf(once[2, 5]) and np.isfinite(once[:2]).all()
    np.testing.assert_allclose(more[:2], 2.0 * once[:2], rtol=1e-9)


def test_fisher_matrix_is_symmetric_and_positive():
    problem = problems.get("sis2023")
    with jax.enable_x64(True):
        fit = jax.jit(lambda params: problem.to_fit(params, method="ring"))(jnp.asarray(TRUTH[1]))
        matrix = fisher(problem, fit, method="ring")
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-10)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_moments_of_a_known_ellipse():
    with jax.enable_x64(True):
        problem = problems.get("sis2023", method="raytrace", centred=False)
        image = np.asarray(jax.jit(problem.render)(jnp.array([50.0, 30.0, 1e-6, 20.0, 10.0, 0.0])))
    mean, spread = moments(image)
    np.testing.assert_allclose(mean, [50.0, 30.0], atol=0.01)
    np.testing.assert_allclose(np.diag(spread) - 1.0, [400.0, 100.0], rtol=0.01)
    starts = from_moments(image)
    assert starts.shape == (48, 8)
    assert np.isfinite(from_moments(np.zeros((400, 400)))).all()


def test_shapes_that_do_not_fit_are_refused():
    problem = problems.get("sis2023")
    with pytest.raises(ValueError, match="images have shape"):
        refine(problem, np.zeros((2, 100, 100)), np.zeros((2, 1, 8)))
    with pytest.raises(ValueError, match="starts have shape"):
        refine(problem, np.zeros((2, 400, 400)), np.zeros((1, 1, 8)))


@pytest.mark.slow
def test_without_a_network_the_thesis_images():
    """No network: starts from the image alone, on images with the roulette's cut and its spurious images."""
    problem = problems.get("sis2023")
    rounded = np.round(images("roulette"))
    fit = estimate.solve(problem, rounded, None)
    assert fit.kind == ("interval",) * 3
    bound = cramer_rao(problem, TRUTH)
    identified = np.isfinite(bound)
    assert ((np.abs(fit.params - CANONICAL) / bound)[identified] < 1.0).all()


def test_the_order_of_candidates_is_not_changed_by_its_neighbours(monkeypatch):
    """Descents run in groups of one method: another image's first candidate settled which method came first."""
    problem = problems.get("sis2023", image_size=100)
    nothing = Normal(np.zeros(16), np.zeros((16, 8, 8)), np.zeros((16, 8)))
    monkeypatch.setattr(multistart, "model_of", lambda problem, fit, *rest: (np.zeros((100, 100)), np.zeros((100, 100))))
    monkeypatch.setattr(
        multistart,
        "_polish",
        lambda light, images, x, y, starts, count, **_: Descent(starts, nothing, np.zeros(16, int), np.zeros(16, int)),
    )
    first, second, third = (
        multistart.Candidate(np.full(8, k), method, 0.0) for k, method in enumerate(("roulette", "raytrace", "roulette"))
    )
    with jax.enable_x64(True):
        optima = multistart.descend(problem, np.zeros((2, 100, 100)), [[first], [second, third]], True)
    assert [[optimum.method for optimum in row] for row in optima] == [["roulette"], ["raytrace", "roulette"]]
    assert [[optimum.descent.fit[0] for optimum in row] for row in optima] == [[0], [1, 2]]


@pytest.mark.slow
def test_a_ring_and_a_dark_image_have_no_error_of_zero():
    """A source on the axis, and nothing at all: the information matrix is singular or nearly so."""
    truth = np.array([[0.05, 0.05, 25.0, 9.0, 7.0, 20.0], [0.0, 0.0, 20.0, 15.0, 15.0, 0.0]])
    with jax.enable_x64(True):
        problem = problems.get("sis2023", method="raytrace")
        rings = np.round(np.asarray(jax.jit(problem.render_batch)(jnp.asarray(truth))))
    guess = truth + np.array([1.0, -1.0, 0.5, 0.5, 0.2, 3.0])
    fit = estimate.solve(problem, np.concatenate([rings, 0.0 * rings[:1]]), np.concatenate([guess, guess[:1]]), search_on=False)
    assert (fit.errors > 0).all() and (fit.bound > 0).all()
    for i in range(3):
        unidentified = [name for name, error in zip(fit.names, fit.errors[i], strict=True) if np.isinf(error)]
        assert ("not identifiable: " + " ".join(unidentified) in fit.status[i]) == bool(unidentified)
        assert np.isnan(fit.covariance[i][np.isinf(fit.errors[i])]).all()


@pytest.mark.slow
def test_weak_lenses_have_bounds_that_hold_or_are_open() -> None:
    """Along a valley float32 ends early, and a set that lets the lens vanish is wider than its linearisation."""
    problem = problems.get("sis2023")
    truth = np.array([[156.462357, -21.989347, 3.4, 43.0, 43.0, 3.0], [27.095259, -108.673119, 1.0, 7.0, 6.0, 46.0]])
    with jax.enable_x64(True):
        images = np.asarray(quantise(jax.jit(problems.get("sis2023", method="roulette").render_batch)(jnp.asarray(truth))), np.float32)
    solution = estimate.solve(problem, images, None)
    assert solution.kind == ("interval", "interval") and solution.success.all()
    assert np.abs(solution.params[0, :5] - truth[0, :5]).max() < 0.05
    held = (solution.lowest[0] <= truth[0]) & (truth[0] <= solution.highest[0])
    assert held[:5].all()
    assert np.isinf(solution.lowest[1]).all() and "bounds open" in solution.status[1]
