"""The most probable strength of a penalty: by its definition, by MacKay's condition, and for a source of pixels behind a lens."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.infer import fit
from lensjax.infer.evidence import most_probable, strength_of
from lensjax.light.pixels import regularisation
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.problems import components, galaxy_components
from lensjax.problems.compose import compose


@pytest.mark.parametrize("penalty", ["identity", "gradient", "curvature"])
def test_it_is_the_maximum_of_the_evidence(penalty: str) -> None:
    rng = np.random.default_rng(1)
    size = 6
    basis = rng.normal(size=(size**2, 60))
    x = np.linspace(-2, 2, size)
    data = np.exp(-(x[:, None] ** 2 + x**2)).ravel() @ basis + rng.normal(size=60)
    gram, right, r = basis @ basis.T, basis @ data, regularisation(size, penalty)
    rank = np.linalg.matrix_rank(r)

    def logarithm(strength: float) -> float:
        a = np.linalg.solve(gram + strength * r, right)
        cost = ((a @ basis - data) ** 2).sum() + strength * a @ r @ a
        return -0.5 * cost + 0.5 * rank * np.log(strength) - 0.5 * np.linalg.slogdet(gram + strength * r)[1]

    best = most_probable(gram, right, r, square=float(data @ data))
    others = best.strength * np.exp(np.linspace(-3, 3, 13))
    assert max(map(logarithm, others)) <= logarithm(best.strength) + 1e-6
    a = np.linalg.solve(gram + best.strength * r, right)
    freedom = np.trace(np.linalg.solve(gram + best.strength * r, gram))
    assert best.freedom == pytest.approx(freedom, rel=1e-4)
    # MacKay's condition, less the directions on which the penalty says nothing.
    assert best.strength * a @ r @ a == pytest.approx(freedom - (size**2 - rank), rel=2e-3)


def test_models_of_other_amplitudes_compare_by_the_density_of_the_data() -> None:
    """ln N(d; 0, 1 + Bᵀ (λR)⁻¹ B), of any basis and any definite penalty."""
    rng = np.random.default_rng(2)
    data = rng.normal(size=30)
    for count, penalty in ((4, "identity"), (9, "curvature")):
        basis = rng.normal(size=(count, 30))
        r = np.eye(4) if penalty == "identity" else regularisation(3, penalty, closed=True)
        best = most_probable(basis @ basis.T, basis @ data, r, square=float(data @ data))
        spread = np.eye(30) + basis.T @ np.linalg.solve(best.strength * r, basis)
        density = -0.5 * data @ np.linalg.solve(spread, data) - 0.5 * np.linalg.slogdet(spread)[1]
        assert best.comparable == pytest.approx(density, abs=1e-3)
    assert most_probable(basis @ basis.T, basis @ data, regularisation(3, "curvature"), square=float(data @ data)).comparable == -np.inf


def test_a_source_of_pixels_is_as_rough_as_the_image_says() -> None:
    """A mock of a bright source: noise of residuals at the most probable strength, and a source nearer to the truth than at others."""
    taken = instrument((30, 30))

    def problem_of(strength: float):
        grid = galaxy_components.pixels(10, pixel=0.8, reach=2.0, strength=strength)
        return compose("pixels", [components.sis(theta_e=(6.0, 9.0), reach=1.0), grid])

    truth = compose("blob", [components.sis(theta_e=(6.0, 9.0), reach=1.0), components.gaussian(sigma=(1.0, 2.0), reach=2.0, q=None)])
    params = jnp.asarray([0.1, -0.2, 7.0, 0.4, 0.3, 1.3, 200.0])
    image = np.asarray(jax.jit(lambda params: truth.image(params, taken))(params))
    seen = observe(image + 0.3 * np.random.default_rng(0).normal(size=image.shape), 0.3, taken_by=taken)
    start = problem_of(1.0)
    numbers = np.asarray(start.encode(jnp.concatenate([params[:5], jnp.ones(100)])))
    factor = strength_of(start, seen, numbers)
    x, y = np.meshgrid(np.arange(10) - 4.5, 4.5 - np.arange(10))
    expected = 200.0 / (2 * np.pi * 1.3**2) * np.exp(-0.5 * 0.8**2 * (x**2 + y**2) / 1.3**2)

    layers = np.asarray(jax.jit(lambda numbers: start.layers(numbers, taken))(jnp.asarray(numbers)), float).reshape(100, -1)
    gram, penalty = layers @ layers.T / 0.3**2, np.asarray(start.penalty(fit.total_flux(seen)), float)
    data = np.asarray(seen.data, float).ravel()

    def solved(strength: float) -> tuple[float, float]:
        """chi² over the pixels, and the source's rms error."""
        source = np.linalg.solve(gram + strength * penalty, layers @ data / 0.3**2)
        off = (source.reshape(10, 10) - expected)[2:-2, 2:-2]
        return float(((source @ layers - data) ** 2).mean()) / 0.3**2, float(np.sqrt((off**2).mean()))

    chi2, error = solved(factor.strength)
    assert 0.8 < chi2 < 1.1 and 5 < factor.freedom < 100
    assert error < solved(100.0 * factor.strength)[1] and error < solved(1e-3 * factor.strength)[1]
    assert strength_of(problem_of(factor.strength), seen, numbers).strength == pytest.approx(1.0, rel=0.01)


def test_a_nuisance_is_marginalised_over() -> None:
    """With a layer of great uncertainty, the evidence does not depend on how much of it there is."""
    problem = compose("grid", [galaxy_components.pixels(4, pixel=1.5, closed=True)])
    layer = np.random.default_rng(3).normal(size=(1, 8, 8))
    data = np.random.default_rng(4).normal(size=(8, 8)) + 1.0
    found, strengths = [], []
    for amount in (0.0, 3.0):
        seen = replace(observe(data + amount * layer[0], 1.0), nuisance=jnp.asarray(1e3 * layer, jnp.float32))
        found.append(strength_of(problem, seen, np.zeros(2)))
        strengths.append(found[-1].strength / float(fit.total_flux(seen)) ** 2)
    assert found[1].comparable == pytest.approx(found[0].comparable, abs=0.1)
    assert strengths[1] == pytest.approx(strengths[0], rel=0.05)


def test_without_a_penalty_there_is_nothing_to_choose() -> None:
    problem = compose("plain", [components.sis(), components.gaussian()])
    with pytest.raises(BadInput, match="penalty"):
        strength_of(problem, observe(np.ones((8, 8)), 1.0), np.zeros(problem.size))
