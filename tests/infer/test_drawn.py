"""Starts from draws of the prior."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.infer import drawn
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.problems import components
from lensjax.problems.compose import Composition, compose

TAKEN = instrument((48, 48))


def two_lenses() -> Composition:
    members = [components.sis(prefix=f"lens{k}_", theta_e=(5.0, 10.0), reach=8.0) for k in (1, 2)]
    return compose("two lenses", [*members, components.gaussian(sigma=(1.0, 3.0), reach=4.0)], exchangeable=((0, 1),))


@pytest.fixture(scope="module", autouse=True)
def few():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn, "DRAWS", 2000)
        drawn.library.cache_clear()
        yield
        drawn.library.cache_clear()


def seen(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """True numbers, and an image whose brightest pixel is 1."""
    problem = two_lenses()
    params = problem.draw(jax.random.key(seed))
    image = np.asarray(problem.image(params, TAKEN), np.float64)
    return np.asarray(problem.encode(params)), image / image.max()


@pytest.mark.parametrize("seed", [5, 6])
def test_the_nearest_look_like_the_image(seed) -> None:
    problem = two_lenses()
    _, image = seen(seed)
    rows = drawn.nearest(problem, observe(image, 0.01, taken_by=TAKEN), count=8)
    assert rows.shape == (8, problem.size)

    def likeness(numbers: np.ndarray) -> float:
        other = np.asarray(problem.layers(jnp.asarray(numbers, jnp.float32), TAKEN)[0], np.float64)
        return float((image * other).sum() / np.linalg.norm(image) / np.linalg.norm(other))

    numbers, _ = drawn.library(problem, TAKEN, None)
    near, any_of_them = [likeness(row) for row in rows[:4]], [likeness(row) for row in numbers[:40]]
    assert np.median(near) > np.quantile(any_of_them, 0.9)


def test_flux_does_not_matter_and_saturation_does() -> None:
    problem = two_lenses()
    _, image = seen(7)
    first = drawn.nearest(problem, observe(image, 0.01, taken_by=TAKEN), count=4)
    again = drawn.nearest(problem, observe(300.0 * image, 3.0, taken_by=TAKEN), count=4)
    np.testing.assert_array_equal(first, again)
    assert drawn.library(problem, TAKEN, 0.01)[1].max() <= np.float32(0.01)


def test_a_dark_image_has_no_starts() -> None:
    problem = two_lenses()
    assert drawn.nearest(problem, observe(np.zeros((48, 48)), 1.0, taken_by=TAKEN), count=4).shape == (0, problem.size)


def test_belief_is_the_priors_mean_and_spread() -> None:
    belief = drawn.belief(two_lenses())
    mean, spread = np.asarray(belief.mean), np.asarray(belief.precision) ** -0.5
    both = slice(0, 3), slice(3, 6)
    assert np.abs(mean[both[0]] - mean[both[1]]).max() < 0.2 * spread.min() + 0.1  # members have no order
    assert (spread > 0).all()
