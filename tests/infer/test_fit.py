"""The general fit: linear amplitudes against scipy, derivatives against differences, mocks with truth."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls

from lensjax.infer import fit
from lensjax.infer.linear import amplitudes_of, joint, projected
from lensjax.observation import psf
from lensjax.observation.instrument import Instrument, instrument
from lensjax.observation.noise import PoissonNoise
from lensjax.observation.observed import observe
from lensjax.problems import components
from lensjax.problems.compose import Composition, compose

PROBLEM = compose(
    "mock", [components.sie(theta_e=(8.0, 14.0), reach=1.0), components.shear(), components.gaussian(sigma=(1.5, 4.0), reach=4.0)], sky=True
)
TAKEN = instrument((48, 52), supersampling=2, psf=psf.gaussian(2.0))
SMALL = compose("small", [components.sis(theta_e=(8.0, 14.0), reach=1.0), components.gaussian(sigma=(1.5, 4.0), reach=4.0)], sky=True)
PLAIN = instrument((40, 44))


@pytest.mark.parametrize("count", [1, 2, 8])
def test_amplitudes_are_those_of_nnls(count: int) -> None:
    rng = np.random.default_rng(count)
    for _ in range(5):
        basis, target = rng.random((40, count)), rng.normal(size=40)
        expected, _ = nnls(basis, target)
        with jax.enable_x64(True):
            found = amplitudes_of(jnp.asarray(basis.T @ basis), jnp.asarray(basis.T @ target), jnp.ones(count, bool))
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_projected_gradient_and_matrix_are_those_of_the_cost() -> None:
    """The cost after the amplitudes are solved for, as a function of the numbers alone: its gradient by differences."""
    with jax.enable_x64(True):
        params = PROBLEM.draw(jax.random.key(1)).astype(jnp.float64)
        q = PROBLEM.encode(params) + 0.03
        data = PROBLEM.image(params, PLAIN)
        weight = jnp.ones(PLAIN.shape)
        evaluate = jax.jit(lambda at: joint(lambda p: PROBLEM.layers(p, PLAIN), at, data, weight, PROBLEM.nonnegative))
        normal = projected(evaluate(q), PROBLEM.size)
        step = 1e-5
        for k in range(PROBLEM.size):
            unit = step * jnp.eye(PROBLEM.size)[k]
            difference = float(evaluate(q + unit).cost - evaluate(q - unit).cost) / (4 * step)
            assert float(normal.gradient[k]) == pytest.approx(difference, rel=2e-4, abs=1e-6 * float(jnp.abs(normal.gradient).max()))
        assert np.linalg.eigvalsh(np.asarray(normal.matrix)).min() > -1e-8


def mock(seed: int, problem: Composition = PROBLEM, taken: Instrument = TAKEN) -> tuple[np.ndarray, np.ndarray]:
    """True parameters, and an image whose peak is 1."""
    params = np.asarray(problem.draw(jax.random.key(seed)), np.float64)
    image = np.asarray(problem.image(jnp.asarray(params, jnp.float32), taken), np.float64)
    params[-2] /= image.max()
    return params, image / image.max()


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 4])
def test_a_mock_is_recovered_within_its_errors(batch: int) -> None:
    rng = np.random.default_rng(5)
    params, image = mock(3)
    seen = observe(image + 0.3 + rng.normal(scale=0.02, size=image.shape), 0.02, taken_by=TAKEN)
    truth = np.asarray(PROBLEM.encode(jnp.asarray(params, jnp.float32)), np.float64)
    starts = truth + 0.1 * rng.normal(size=(4, len(truth)))
    best = fit.descend_from(PROBLEM, [seen], fit.search(PROBLEM, [seen], [starts], batch=batch), batch=batch)[0][0]
    assert abs(best.chi2 - best.pixels) < 4 * np.sqrt(2 * best.pixels)
    z = (best.numbers - truth) / np.sqrt(np.diag(best.covariance)[: len(truth)])
    assert np.abs(z).max() < 4.0 and 0.2 < np.sqrt((z**2).mean()) < 2.0
    assert best.amplitudes[1] == pytest.approx(0.3, abs=0.01)


def test_many_at_once_and_one_by_one_give_the_same_fit() -> None:
    params, image = mock(4, SMALL, PLAIN)
    rng = np.random.default_rng(6)
    seen = observe(image + rng.normal(scale=0.02, size=image.shape), 0.02, taken_by=PLAIN)
    starts = np.asarray(SMALL.encode(jnp.asarray(params, jnp.float32))) + 0.05 * rng.normal(size=(3, SMALL.size))
    first, second = (fit.descend_from(SMALL, [seen], [starts], batch=batch)[0][0] for batch in (1, 3))
    error = np.sqrt(np.diag(first.covariance)[: SMALL.size])
    assert (np.abs(first.numbers - second.numbers) < 0.02 * error).all()


@pytest.mark.slow
def test_photon_noise_is_weighed_by_the_model() -> None:
    params, image = mock(7)
    noise = PoissonNoise(jnp.float32(0.01), jnp.float32(400.0))
    data = np.asarray(noise.draw(jax.random.key(0), jnp.asarray(image, jnp.float32)))
    seen = observe(data, noise, taken_by=TAKEN)
    best = fit.descend_from(PROBLEM, [seen], [[np.asarray(PROBLEM.encode(jnp.asarray(params, jnp.float32)))]])[0][0]
    assert abs(best.chi2 - best.pixels) < 5 * np.sqrt(2 * best.pixels)


def test_rows_of_a_power_of_two_of_pixels_are_fitted_as_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """They get one more column, which is masked; the fit is the same, and its model has the image's shape.

    Both go on to the minimum of float64: descents in float32 end a rounding apart, which a finish to 0.001 of χ² keeps.
    """
    monkeypatch.setattr(fit, "_EXACT_TOLERANCE", 0.0)
    taken = instrument((40, 32))
    params, image = mock(3, SMALL, taken)
    seen = observe(image + np.random.default_rng(0).normal(size=taken.shape) * 0.02, np.full(taken.shape, 0.02), taken_by=taken)
    start = [np.asarray(SMALL.encode(jnp.asarray(params, jnp.float32))) + 0.02]
    (optimum,) = fit.descend_from(SMALL, [seen], [start])[0]
    monkeypatch.setattr(fit, "quick_rows", lambda observed: observed)
    (plain,) = fit.descend_from(SMALL, [seen], [start])[0]
    assert optimum.model.shape == optimum.residual.shape == taken.shape and optimum.pixels == plain.pixels == 1280
    assert optimum.chi2 == pytest.approx(plain.chi2, rel=1e-8) and 1000 < optimum.chi2 < 1600
    np.testing.assert_allclose(optimum.numbers, plain.numbers, atol=1e-6)
    np.testing.assert_allclose(optimum.residual, plain.residual, atol=1e-5)


def test_masked_pixels_do_not_count() -> None:
    params, image = mock(8)
    rng = np.random.default_rng(8)
    data = image + rng.normal(scale=0.02, size=image.shape)
    mask = np.ones(image.shape, bool)
    mask[:6] = False
    spoiled = np.where(mask, data, 1e4)
    start = [np.asarray(PROBLEM.encode(jnp.asarray(params, jnp.float32)))]
    best = fit.descend_from(PROBLEM, [observe(spoiled, 0.02, mask=mask, taken_by=TAKEN)], [start])[0][0]
    assert best.pixels == mask.sum() and abs(best.chi2 - best.pixels) < 4 * np.sqrt(2 * best.pixels)
    assert (best.residual[~mask] == 0).all()


def test_a_coarse_copy_keeps_light_and_place() -> None:
    taken = instrument((200, 300), psf=psf.gaussian(5.0))
    x, y = np.meshgrid(np.arange(300) - 150.0, 100.0 - np.arange(200))
    image = np.exp(-0.5 * ((x - 20) ** 2 + (y + 11) ** 2) / 15.0**2)
    small = fit.coarse(observe(image, 0.1, taken_by=taken))
    px, py = replace(small.instrument, psf=None).points()
    data = np.asarray(small.data)
    assert max(small.instrument.shape) <= 110
    assert (data * np.asarray(px)).sum() / data.sum() == pytest.approx(20.0, abs=0.05)
    assert (data * np.asarray(py)).sum() / data.sum() == pytest.approx(-11.0, abs=0.05)
