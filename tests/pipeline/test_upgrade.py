"""Richer sources for arcs that the first does not explain."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.infer.evidence import strength_of
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import Observed, observe
from lensjax.pipeline import belief, upgrade
from lensjax.problems.galaxy import galaxy

SHAPELETS = galaxy(source="shapelets", n_max=2)


def arcs_of(*, seed: int) -> tuple[Observed, np.ndarray]:
    """A small lens with two clumps behind it, and numbers of a fit with shapelets near it."""
    taken = instrument((24, 24), pixel_scale=0.15)
    problem = galaxy(source="sersic")
    image = np.zeros((24, 24))
    for x, y in ((0.15, 0.05), (-0.1, 0.2)):
        at = dict.fromkeys(problem.names, 0.0)
        at |= {"theta_E": 1.0, "q": 0.8, "phi": 30.0, "source_x": x, "source_y": y, "source_R": 0.08, "source_n": 1.0, "source_q": 0.9}
        at |= {"source_flux": 3.0}
        image += np.asarray(problem.image(jnp.asarray([at[name] for name in problem.names]), taken), np.float64)
    noise = 0.02 * image.max()
    seen = observe(image + noise * np.random.default_rng(seed).normal(size=image.shape), noise, taken_by=taken)
    own = {"x": 0.0, "y": 0.0, "theta_E": 1.0, "q": 0.8, "phi": 30.0, "gamma1": 0.0, "gamma2": 0.0}
    own |= {"source_x": 0.02, "source_y": 0.12, "source_beta": 0.12}
    params = [own.get(name, 1.0) for name in SHAPELETS.names]
    return seen, np.asarray(SHAPELETS.encode(jnp.asarray(params)), np.float64)


def test_a_grid_holds_what_the_arcs_are_traced_back_to() -> None:
    seen, numbers = arcs_of(seed=0)
    grid = galaxy(source="pixels", source_pixels=upgrade.SIDE)
    begin, known = upgrade.on_grid(SHAPELETS, grid, seen, numbers, belief.of(grid, None))
    at = dict(zip(grid.names, np.asarray(grid.decode(jnp.asarray(begin), jnp.ones(grid.linear))).tolist(), strict=True))
    assert at["theta_E"] == pytest.approx(1.0, rel=1e-4) and at["q"] == pytest.approx(0.8, abs=1e-3)
    half = 0.5 * (upgrade.SIDE - 1) * at["source_pixel"]
    for x, y in ((0.15, 0.05), (-0.1, 0.2)):
        assert abs(x - at["source_x"]) < 0.7 * half and abs(y - at["source_y"]) < 0.7 * half
    kept = [name for name, precision in zip(grid.names, known.precision, strict=False) if precision > 1e5]
    assert kept == ["source_x", "source_y", "source_pixel"]


def test_evidence_from_equations_is_that_of_the_layers() -> None:
    seen, numbers = arcs_of(seed=1)
    own = belief.of(SHAPELETS, None)
    first = upgrade.evidence_of(SHAPELETS, seen, own, numbers)
    plain = strength_of(SHAPELETS, seen, numbers)
    assert first.strength == pytest.approx(plain.strength, rel=1e-4) and first.comparable == pytest.approx(plain.comparable, abs=1e-3)
    again = upgrade.evidence_of(SHAPELETS, seen, upgrade.strengthened(SHAPELETS, seen, own, numbers), numbers)
    assert again.strength == pytest.approx(1.0, rel=1e-3) and again.comparable == pytest.approx(first.comparable, abs=1e-2)


def test_the_words_name_the_source() -> None:
    rung = upgrade.Rung(SHAPELETS, None, None, True)  # type: ignore[arg-type]
    assert rung.words == "source of 6 shapelets"
    assert replace(rung, problem=galaxy(source="pixels")).words == "source of 25×25 pixels"


@pytest.mark.slow
def test_pixels_explain_what_few_shapelets_do_not() -> None:
    seen, numbers = arcs_of(seed=2)
    best = upgrade.ladder(SHAPELETS, seen, lambda problem: belief.of(problem, None), numbers, mass="sie")
    assert best is not None and best.explained
    k = best.problem.names.index("theta_E")
    radius = float(best.problem.decode(jnp.asarray(best.optimum.numbers), jnp.ones(best.problem.linear))[k])
    assert radius == pytest.approx(1.0, abs=0.01)
