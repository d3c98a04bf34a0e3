"""Light that is not lensed, and images of a source behind a lens: which explanation is the more probable one."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.infer import fit
from lensjax.infer.fit import Optimum
from lensjax.observation.instrument import Instrument, instrument
from lensjax.observation.observed import Observed, observe
from lensjax.pipeline import belief, flags, unlensed
from lensjax.problems.compose import Composition
from lensjax.problems.galaxy import galaxy

LENS = {"theta_E": 1.0, "q": 0.8, "phi": 30.0, "gamma1": 0.02, "gamma2": -0.01, "source_x": 0.3, "source_y": 0.1, "source_R": 0.08}
LENS |= {"source_n": 1.0, "source_q": 0.8, "source_flux": 3.0}
GALAXIES = {
    f"galaxy{k}_{name}": value
    for k, own in ((1, (1.3, 0.4, 0.2, 0.7, 80.0, 3.0)), (2, (-0.7, -0.2, 0.15, 0.9, 10.0, 1.0)))
    for name, value in zip(("x", "y", "R", "q", "phi", "flux"), own, strict=True)
} | {"galaxy1_n": 1.0, "galaxy2_n": 2.0}


@cache
def taken() -> Instrument:
    return instrument((40, 40), pixel_scale=0.1, supersampling=2)


def seen(problem: Composition, at: dict[str, float]) -> Observed:
    params = jnp.asarray([at.get(name, 0.0) for name in problem.names])
    image = np.asarray(jax.jit(problem.image, static_argnums=1)(params, taken()), np.float64)
    noise = 0.01 * image.max()
    return observe(image + noise * np.random.default_rng(0).normal(size=image.shape), noise, taken_by=taken())


def fitted(own: Observed, problem: Composition, at: dict[str, float]) -> Optimum:
    start = jnp.asarray([(at | {"source_beta": 0.1}).get(name, 0.0) for name in problem.names])
    return fit.descend_from(problem, [own], [[np.asarray(problem.encode(start), np.float64)]], beliefs=[belief.of(problem, None)])[0][0]


def gain(own: Observed, problem: Composition, at: dict[str, float] = LENS) -> float:
    best = fitted(own, problem, at)
    return unlensed.gain(problem, own, belief.of(problem, None), best.numbers, best.model)


@pytest.mark.slow
@pytest.mark.parametrize("source", [{"source": "sersic"}, {"source": "shapelets", "n_max": 4}])
def test_two_images_of_a_source_are_no_galaxies(source) -> None:
    assert gain(seen(galaxy(source="sersic"), LENS), galaxy(**source)) < -20.0


def test_two_galaxies_are_no_images_of_a_source() -> None:
    own = seen(unlensed._galaxies(2), GALAXIES)
    problem = galaxy(source="shapelets", n_max=4)
    found = gain(own, problem)
    assert found > 20.0 and flags.words_of_light(-1.0) == []


def test_one_galaxy_beside_another_is_no_image_of_a_source() -> None:
    """The lens puts the counter-image where it is too faint to be seen."""
    one = GALAXIES | {"galaxy1_x": 1.8}
    problem = galaxy(source="sersic")
    found = gain(seen(unlensed._galaxies(1), one), problem, LENS | {"source_x": 0.95, "source_y": 0.25, "source_R": 0.15})
    assert found > 0.0


def test_a_galaxys_arms_are_no_images_of_a_source() -> None:
    """Smooth light on both sides of a galaxy, which a lens with a large source explains too."""
    arms = {"source_beta": 0.35, "source_a0_0": 1.0, "source_a2_0": 0.8, "source_a0_2": -0.3, "source_a1_1": 0.5, "source_a3_1": 0.2}
    found = gain(seen(unlensed._shapelets(), arms), galaxy(source="shapelets", n_max=4))
    assert found > 20.0
    assert flags.words_of_light(found) == [f"the arcs may be light that is not lensed: ln E is {found:.3g} higher without a lens"]


def test_a_ring_is_no_galaxys_light() -> None:
    at = LENS | {"source_x": 0.0, "source_y": 0.0}
    problem = galaxy(source="sersic")
    assert gain(seen(problem, at), problem, at) < -20.0
