"""Linear amplitudes that are nearly alike, and with a prior, against SciPy's non-negative least squares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls

from lensjax.infer.linear import amplitudes_of, joint, nuisance_root, projected, whitened_nuisance
from lensjax.light.multi_gaussian import widths

X = np.hypot(*np.meshgrid(np.arange(40) - 19.5, np.arange(40) - 19.5)).ravel()


def gaussians(count: int) -> np.ndarray:
    """(1600, count) concentric Gaussians, neighbours of which are nearly alike."""
    sizes = widths(0.6, 25.0, count)
    return np.exp(-0.5 * (X[:, None] / sizes) ** 2) / sizes**2


@pytest.mark.parametrize("dtype, tolerance", [(jnp.float64, 1e-6), (jnp.float32, 2e-4)], ids=["float64", "float32"])
@pytest.mark.parametrize("count", [6, 20])
def test_gaussians_that_are_nearly_alike(count: int, dtype: jnp.dtype, tolerance: float) -> None:
    """The cost above that of the exact solution, relative to the noise's; a de Vaucouleurs profile."""
    rng = np.random.default_rng(count)
    noise = 0.01
    for _ in range(3):
        target = np.exp(-7.67 * ((X / 8.0) ** 0.25 - 1.0)) / 200.0 + noise * rng.normal(size=len(X))
        basis = gaussians(count)
        expected, _ = nnls(basis, target)
        with jax.enable_x64(dtype == jnp.float64):
            rows, data = jnp.asarray(basis.T, dtype), jnp.asarray(target, dtype)
            found = np.asarray(amplitudes_of(rows @ rows.T, rows @ data, jnp.ones(count, bool)), float)
        best, ours = (float(((basis @ a - target) ** 2).sum()) for a in (expected, found))
        assert (found >= 0).all() and ours - best < tolerance * len(X) * noise**2


def test_some_amplitudes_of_any_sign_and_some_not_negative() -> None:
    rng = np.random.default_rng(3)
    basis, target = rng.normal(size=(40, 5)), rng.normal(size=40)
    split = np.concatenate([basis, -basis[:, :2]], axis=1)  # the first two of any sign
    positive, _ = nnls(split, target)
    expected = np.r_[positive[:2] - positive[5:], positive[2:5]]
    with jax.enable_x64(True):
        signs = jnp.asarray([False, False, True, True, True])
        found = amplitudes_of(jnp.asarray(basis.T @ basis), jnp.asarray(basis.T @ target), signs)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_prior_enters_the_cost_its_gradient_and_its_matrix() -> None:
    """Of four bumps that move, with a prior; by differences, and by the same problem with the prior as four more pixels."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(4)
        x = jnp.linspace(-3.0, 3.0, 30).reshape(5, 6)
        data, weight = jnp.asarray(rng.normal(size=(5, 6))), jnp.ones((5, 6))
        root = jnp.asarray(rng.normal(size=(4, 4)))
        penalty = root.T @ root

        def layers(q: jax.Array) -> jax.Array:
            return jnp.stack([jnp.exp(-0.5 * (x - q[0] - k * q[1]) ** 2) for k in range(4)])

        def model(q: jax.Array, a: jax.Array) -> jax.Array:
            return jnp.tensordot(a, layers(q), axes=1)

        q, signed = jnp.asarray([-1.0, 0.7]), (False,) * 4
        evaluate = jax.jit(lambda q: joint(layers, q, data, weight, signed, penalty=penalty))
        equations = evaluate(q)
        other = jax.jit(lambda q: joint(layers, q, data, weight, signed, penalty=penalty, model=model))(q)
        for one, two in zip(equations, other, strict=True):
            np.testing.assert_allclose(one, two, atol=1e-10)

        def longer(q: jax.Array) -> jax.Array:
            return jnp.concatenate([layers(q).reshape(4, 30), root.T], axis=1)[:, None]

        rows = jnp.concatenate([data.ravel(), jnp.zeros(4)])[None]
        whole = jax.jit(lambda q: joint(longer, q, rows, jnp.ones((1, 34)), signed))(q)
        np.testing.assert_allclose(equations.amplitudes, whole.amplitudes, atol=1e-7)
        np.testing.assert_allclose(equations.matrix, whole.matrix, atol=1e-7)
        assert float(equations.cost) == pytest.approx(float(whole.cost)) and float(equations.chi2) < float(equations.cost)
        gradient = projected(equations, 2).gradient
        for k in range(2):
            step = 1e-5 * jnp.eye(2)[k]
            assert float(gradient[k]) == pytest.approx(float(evaluate(q + step).cost - evaluate(q - step).cost) / 4e-5, rel=1e-4)


def test_nuisance_layers_are_integrated_out() -> None:
    """Layers over which the equations are marginalised, against the same as amplitudes with a prior of variance 1."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(7)
        x = jnp.linspace(-3.0, 3.0, 48).reshape(6, 8)
        data, weight = jnp.asarray(rng.normal(size=(6, 8))), jnp.asarray(rng.uniform(0.5, 2.0, size=(6, 8)))
        extra = jnp.asarray(rng.normal(size=(3, 6, 8)))

        def bumps(q: jax.Array) -> jax.Array:
            return jnp.stack([jnp.exp(-0.5 * (x - q[0] - k * q[1]) ** 2) for k in range(2)])

        def all_of(q: jax.Array) -> jax.Array:
            return jnp.concatenate([bumps(q), extra])

        q = jnp.array([0.2, 0.7])
        ours = joint(bumps, q, data, weight, (False, False), nuisance=whitened_nuisance(extra, weight))
        prior = jnp.diag(jnp.array([0.0, 0.0, 1.0, 1.0, 1.0]))
        theirs = joint(all_of, q, data, weight, (False,) * 5, penalty=prior)
        np.testing.assert_allclose(ours.amplitudes, theirs.amplitudes[:2], rtol=1e-8)
        np.testing.assert_allclose(ours.chi2, theirs.cost, rtol=1e-9)
        first, second = projected(ours, 2), projected(theirs, 2)
        np.testing.assert_allclose(first.matrix, second.matrix, rtol=1e-7)
        np.testing.assert_allclose(first.gradient, second.gradient, rtol=1e-7, atol=1e-9)


def test_the_root_whitens_as_the_nuisance_does() -> None:
    with jax.enable_x64(True):
        rng = np.random.default_rng(8)
        own = whitened_nuisance(jnp.asarray(rng.normal(size=(3, 5, 6))), jnp.ones((5, 6)))
        root = nuisance_root(own)
        half = jnp.eye(30) - root.T @ root
        np.testing.assert_allclose(half @ half, jnp.eye(30) - own.T @ own, atol=1e-10)
