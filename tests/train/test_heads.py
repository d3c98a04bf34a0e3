"""Heads that say how sure they are, against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lensjax.train import heads

TARGETS, COMPONENTS = 4, 3


@pytest.mark.parametrize("head", ["gaussian", "mixture"])
def test_likelihood_is_that_of_the_mixture(head):
    output = 0.7 * jax.random.normal(jax.random.key(0), (5, heads.outputs(head, TARGETS, components=COMPONENTS)))
    target = jax.random.normal(jax.random.key(1), (5, TARGETS))
    found = heads.negative_log_likelihood(head, output, target, components=COMPONENTS)
    held = heads.belief(head, output, targets=TARGETS, components=COMPONENTS)
    for row in range(5):
        parts = [
            float(w) * stats.multivariate_normal(np.asarray(m, float), np.asarray(c, float)).pdf(np.asarray(target[row], float))
            for w, m, c in zip(held.weights[row], held.means[row], held.covariances[row], strict=True)
        ]
        assert float(found[row]) == pytest.approx(-np.log(sum(parts)) / TARGETS, rel=2e-3, abs=2e-3)
    np.testing.assert_allclose(held.weights.sum(axis=1), 1.0, rtol=1e-5)


def test_the_best_is_the_likeliest_component():
    output = jax.random.normal(jax.random.key(3), (6, heads.outputs("mixture", TARGETS, components=COMPONENTS)))
    held = heads.belief("mixture", output, targets=TARGETS, components=COMPONENTS)
    best = heads.best("mixture", output, targets=TARGETS, components=COMPONENTS)
    np.testing.assert_array_equal(best, held.means[np.arange(6), np.argmax(held.weights, axis=1)])
    assert len(set(np.argmax(held.weights, axis=1).tolist())) > 1


@pytest.mark.parametrize("head", ["gaussian", "mixture"])
def test_a_descent_finds_a_known_covariance(head):
    """Outputs that are free numbers, fitted to draws by their likelihood, end at the draws' mean and covariance."""
    covariance = np.array([[1.0, 0.6], [0.6, 0.5]])
    draws = jnp.asarray(np.random.default_rng(0).multivariate_normal([2.0, -1.0], covariance, 4000), jnp.float32)
    output = jnp.zeros((1, heads.outputs(head, 2, components=1)))

    def step(at, _):
        loss = lambda o: heads.negative_log_likelihood(head, jnp.tile(o, (4000, 1)), draws, components=1).mean()  # noqa: E731
        return at - 0.3 * jax.grad(loss)(at), None

    output = jax.jit(lambda o: jax.lax.scan(step, o, None, length=400)[0])(output)
    held = heads.belief(head, output, targets=2, components=1)
    np.testing.assert_allclose(held.means[0, 0], draws.mean(axis=0), atol=2e-2)
    np.testing.assert_allclose(held.covariances[0, 0], np.cov(np.asarray(draws).T), atol=3e-2)


@pytest.mark.parametrize("head", [pytest.param("gaussian", marks=pytest.mark.slow), "mixture"])
def test_gradients_are_finite_far_away(head):
    output = 50.0 * jax.random.normal(jax.random.key(0), (3, heads.outputs(head, TARGETS, components=COMPONENTS)))
    value, gradient = jax.value_and_grad(
        lambda o: heads.negative_log_likelihood(head, o, jnp.zeros((3, TARGETS)), components=COMPONENTS).mean()
    )(output)
    assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize("head", ["gaussian", "mixture"])
def test_means_continue_those_of_a_point(head):
    weights = jax.random.normal(jax.random.key(0), (7, TARGETS))
    fresh = jax.random.normal(jax.random.key(1), (7, heads.outputs(head, TARGETS, components=COMPONENTS)))
    row = jax.random.normal(jax.random.key(2), (1, 7))
    output = row @ heads.continued(head, weights, fresh, components=COMPONENTS)
    held, before = (heads.belief(head, o, targets=TARGETS, components=COMPONENTS) for o in (output, row @ fresh))
    np.testing.assert_allclose(held.means, jnp.broadcast_to(row @ weights, held.means.shape), atol=1e-5)
    np.testing.assert_allclose(held.covariances, before.covariances, rtol=1e-4)
    np.testing.assert_allclose(held.weights, before.weights, rtol=1e-5)
