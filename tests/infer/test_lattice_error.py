"""Fits of images on CosmoSim's lattice, drawn by `simulate.lattice`, which equals CosmoSim pixel for pixel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.infer import lattice
from lensjax.lens import SIE
from lensjax.problems.cosmosim2026 import cluster2sie2026, cluster4sis2026, sie2026
from lensjax.simulate import System, Trace
from lensjax.simulate import lattice as pixels


def drawn(theta_e: float, f: float, orientation: float, x: float, y: float, *, sigma: float, n: float) -> tuple[np.ndarray, np.ndarray]:
    """The image (128, 128), and the lens's place in it (2,)."""
    with jax.enable_x64(True):
        source = pixels.SersicProfile(*(jnp.asarray(v) for v in (sigma, sigma, 0.0, n, 15.0)))
        lens = SIE(jnp.asarray(theta_e), jnp.asarray(f), jnp.deg2rad(orientation))
        system = System(lens, source, jnp.asarray(x), jnp.asarray(y))
        image, centre = pixels.image(system, canvas=256, size=128, trace=Trace())
        return np.asarray(image), -np.asarray(centre)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theta_e", "f", "orientation", "x", "y", "sigma", "n"),
    [(20.0, 0.6, 30.0, 6.0, -5.0, 4.0, 1.5), (14.0, 0.35, 110.0, -3.0, 2.0, 3.0, 2.5)],
)
def test_an_sie_is_found_within_one_per_cent(theta_e, f, orientation, x, y, sigma, n) -> None:
    image, place = drawn(theta_e, f, orientation, x, y, sigma=sigma, n=n)
    fitted = lattice.estimate(sie2026(), image)
    found = dict(zip(fitted.solution.names, fitted.solution.params[0], strict=True))
    assert fitted.solution.success[0], fitted.solution.status[0]
    assert found["theta_E"] == pytest.approx(theta_e, rel=0.01)
    assert found["q"] == pytest.approx(f, abs=0.02)
    assert abs((found["phi"] - orientation - 90.0 + 90.0) % 180.0 - 90.0) < 2.0
    assert (found["x"], found["y"]) == pytest.approx(tuple(place), abs=0.5)
    assert (found["source_x"] - found["x"], found["source_y"] - found["y"]) == pytest.approx((x, y), abs=0.4)


def test_a_dark_image_is_no_success() -> None:
    solution = lattice.estimate(sie2026(), np.zeros((128, 128))).solution
    assert not solution.success[0] and solution.status[0] == "failed: no light stands out of the noise"


def test_correlated_residuals_are_measured() -> None:
    rng = np.random.default_rng(0)
    lit = np.ones((200, 200), bool)
    white = rng.normal(size=lit.shape)
    blocks = np.repeat(np.repeat(rng.normal(size=(100, 100)), 2, axis=0), 2, axis=1)
    assert lattice.correlation(white, lit) == pytest.approx(1.0, abs=0.3)
    assert lattice.correlation(blocks, lit) == pytest.approx(4.0, rel=0.15)


def test_variance_of_parameters_grows_with_correlated_errors() -> None:
    rng = np.random.default_rng(0)
    slopes = rng.normal(size=(400, 5))
    white, shared = rng.normal(size=(2, 400, 64, 1))
    covariance = np.linalg.inv(64.0 * slopes.T @ slopes)
    scores = (white * slopes[:, None]).sum(axis=1)
    assert lattice.growth(covariance, scores) == pytest.approx(1.0, abs=0.6)
    together = (shared[:, :1] * slopes[:, None]).sum(axis=1) * 64.0
    assert lattice.growth(covariance, together) == pytest.approx(64.0, rel=0.6)


def test_rounding_on_average() -> None:
    rng = np.random.default_rng(1)
    model = np.array([0.0, 0.2, 0.45, 0.8, 1.4, 7.3, 200.6])
    for spread in (0.02, 0.2, 0.5, 3.0):
        drawn_levels = np.maximum(np.round(model + spread * rng.normal(size=(40_000, len(model)))), 0.0)
        level = np.full(len(model), (spread**2 + lattice.ROUNDING_VARIANCE) ** 0.5)
        far = model > 3.0 * spread  # nearer to zero a wide error is cut there
        np.testing.assert_allclose(lattice.rounded(model, level)[far], drawn_levels.mean(axis=0)[far], atol=0.06 * max(1.0, spread))


@pytest.mark.parametrize(("problem", "count"), [(sie2026, 10), (cluster2sie2026, 15), (cluster4sis2026, 17)])
def test_the_sets_have_their_parameters(problem, count: int) -> None:
    assert len(problem().names) == count and problem() is problem()
