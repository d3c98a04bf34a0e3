"""The geometry of the interval fit, on sets whose middle and extent are known."""

import numpy as np
import pytest
from scipy.optimize import linprog

from lensjax.infer import interval
from lensjax.infer.interval import _centre, _Constraints, _cutting_planes, _least_slack, _sample


def polytope(rows, bounds):
    rows = np.asarray(rows, float)
    return _Constraints(rows, np.asarray(bounds, float), np.arange(len(rows)))


def random_polytope(dimension=6, count=400, seed=0):
    """Half-spaces tangent to balls of radius 1…3 about the origin."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, dimension))
    rows /= np.linalg.norm(rows, axis=1)[:, None]
    return polytope(rows, rng.uniform(1.0, 3.0, count))


def test_cutting_planes_find_the_optimum_of_the_whole_problem():
    limits = random_polytope()
    for seed in range(5):
        cost = np.random.default_rng(seed).standard_normal(6)
        working = np.zeros(len(limits.rows), bool)
        working[:3] = True
        answer, _ = _cutting_planes(cost, limits.rows, limits.bounds, np.full(6, 50.0), working)
        whole = linprog(cost, A_ub=limits.rows, b_ub=limits.bounds, bounds=[(-50, 50)] * 6)
        assert cost @ answer == pytest.approx(whole.fun, abs=1e-7)


def test_centre_is_that_of_the_largest_ball():
    box = polytope(np.concatenate([np.eye(3), -np.eye(3)]), [4.0, 2.0, 3.0, 0.0, 0.0, -1.0])
    z, radius, _ = _centre(box, 100.0)
    assert radius == pytest.approx(1.0)
    assert z[1] == pytest.approx(1.0) and z[2] == pytest.approx(2.0)


def test_an_empty_set_has_a_negative_radius_and_a_least_slack():
    empty = polytope([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [-0.3, -0.3, 1.0, 1.0])
    assert _centre(empty, 10.0)[1] == pytest.approx(-0.3)
    assert _least_slack(empty, 10.0) == pytest.approx(0.3)


def test_samples_are_uniform():
    """A simplex has mean 1/(d + 1) and known covariance; a long box shows that directions adapt."""
    simplex = polytope(np.concatenate([-np.eye(4), np.ones((1, 4))]), [0.0] * 4 + [1.0])
    points = _sample(simplex, np.full(4, 0.2), seed=1)
    assert (points @ simplex.rows.T <= simplex.bounds + 1e-9).all()
    np.testing.assert_allclose(points.mean(axis=0), 0.2, atol=0.012)
    np.testing.assert_allclose(np.diag(np.cov(points.T)), 4 / 25 / 6, rtol=0.15)
    box = polytope(np.concatenate([np.eye(2), -np.eye(2)]), [1000.0, 1.0, 1000.0, 1.0])
    spread = _sample(box, np.zeros(2), seed=1).std(axis=0)
    np.testing.assert_allclose(spread, np.array([1000.0, 1.0]) / np.sqrt(3), rtol=0.15)


def test_violated_pixels():
    image = np.array([0.0, 0.0, 3.0, 3.0, 5.0])
    grey = np.array([0.4, 0.6, 3.49, 2.4, 5.0])
    everywhere = np.full(5, np.inf)
    assert interval.violated_pixels(grey, everywhere, image) == 2
    assert interval.violated_pixels(grey, np.array([1.0, -1.0, 1.0, 1.0, -1.0]), image) == 2  # 2.4, and 5 that is cut off
