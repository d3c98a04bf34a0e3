"""Richer sources for arcs that the first does not explain."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.infer.fit import Optimum
from lensjax.infer.levenberg_marquardt import CONVERGED
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import Observed, observe
from lensjax.pipeline import belief, upgrade
from lensjax.pipeline.options import Options
from lensjax.problems.galaxy import galaxy

SHAPELETS = galaxy(source="shapelets", n_max=2)


def arcs_of(*, seed: int) -> tuple[Observed, np.ndarray]:
    """A small lens with two clumps behind it, and numbers of a fit with shapelets near it."""
    taken = instrument((24, 24), pixel_scale=0.15)
    problem = galaxy(source="sersic")
    render = jax.jit(lambda params: problem.image(params, taken))
    image = np.zeros((24, 24))
    for x, y in ((0.15, 0.05), (-0.1, 0.2)):
        at = dict.fromkeys(problem.names, 0.0)
        at |= {"theta_E": 1.0, "q": 0.8, "phi": 30.0, "source_x": x, "source_y": y, "source_R": 0.08, "source_n": 1.0, "source_q": 0.9}
        at |= {"source_flux": 3.0}
        image += np.asarray(render(jnp.asarray([at[name] for name in problem.names])), np.float64)
    noise = 0.02 * image.max()
    seen = observe(image + noise * np.random.default_rng(seed).normal(size=image.shape), noise, taken_by=taken)
    own = {"x": 0.0, "y": 0.0, "theta_E": 1.0, "q": 0.8, "phi": 30.0, "gamma1": 0.0, "gamma2": 0.0}
    own |= {"source_x": 0.02, "source_y": 0.12, "source_beta": 0.12}
    params = [own.get(name, 1.0) for name in SHAPELETS.names]
    return seen, np.asarray(jax.jit(SHAPELETS.encode)(jnp.asarray(params)), np.float64)


def optimum(seen: Observed, numbers: np.ndarray) -> Optimum:
    """An optimum at numbers, whose model is the data."""
    nothing = np.zeros((1, 1))
    return Optimum(numbers, np.ones(6), nothing, 1.0, 1.0, 576, CONVERGED, np.asarray(seen.data, np.float64), nothing)


def test_a_part_has_what_the_rest_says_of_the_nuisance() -> None:
    """χ² over a nuisance is the same with all pixels, and in a part whose nuisance has been told of the others."""
    rng = np.random.default_rng(0)
    layers = rng.normal(size=(3, 24, 24))
    data = rng.normal(size=(24, 24)) + np.tensordot(rng.normal(size=3), layers, axes=1)
    taken = instrument((24, 24), middle=(12, 12))
    seen = replace(observe(data, 2.0, taken_by=taken), nuisance=jnp.asarray(layers, jnp.float32))
    part = upgrade.cropped(seen, 5.0)
    assert part.data.shape == (11, 11) and part.instrument.middle == (5, 5) and upgrade.cropped(seen, 12.0) is seen
    model = np.zeros((24, 24))
    model[9:16, 8:15] = rng.normal(size=(7, 7))

    def chi2(observed: Observed, light: np.ndarray) -> float:
        spread = np.asarray(observed.nuisance, np.float64).reshape(3, -1)
        off = (np.asarray(observed.data, np.float64) - light).ravel()
        return float(off @ np.linalg.solve(4.0 * np.eye(off.size) + spread.T @ spread, off))

    difference = chi2(seen, model) - chi2(seen, np.zeros((24, 24)))
    assert chi2(part, model[7:18, 7:18]) - chi2(part, np.zeros((11, 11))) == pytest.approx(difference, rel=1e-4)


def test_a_grid_holds_what_the_arcs_are_traced_back_to() -> None:
    seen, numbers = arcs_of(seed=0)
    grid = galaxy(source="pixels", source_pixels=upgrade.SIDE)
    last = upgrade.Rung(SHAPELETS, optimum(seen, numbers), None, False)  # type: ignore[arg-type]
    begin, known = upgrade.on_grid(last, grid, seen, belief.of(grid, None))
    at = dict(zip(grid.names, np.asarray(jax.jit(grid.decode)(jnp.asarray(begin), jnp.ones(grid.linear))).tolist(), strict=True))
    assert at["theta_E"] == pytest.approx(1.0, rel=1e-4) and at["q"] == pytest.approx(0.8, abs=1e-3)
    half = 0.5 * (upgrade.SIDE - 1) * at["source_pixel"]
    for x, y in ((0.15, 0.05), (-0.1, 0.2)):
        assert abs(x - at["source_x"]) < 0.7 * half and abs(y - at["source_y"]) < 0.7 * half
    kept = [name for name, precision in zip(grid.names, known.precision, strict=False) if precision > 1e5]
    assert kept == ["source_x", "source_y", "source_pixel"]


def test_the_words_name_the_source() -> None:
    rung = upgrade.Rung(SHAPELETS, None, None, True)  # type: ignore[arg-type]
    assert rung.words == "source of 6 shapelets"
    assert replace(rung, problem=galaxy(source="pixels")).words == "source of 25×25 pixels"


@pytest.mark.slow
def test_pixels_explain_what_few_shapelets_do_not() -> None:
    seen, numbers = arcs_of(seed=2)
    best = upgrade.ladder(SHAPELETS, seen, lambda problem: belief.of(problem, None), optimum(seen, numbers), options=Options())
    assert best is not None and best.explained
    k = best.problem.names.index("theta_E")
    radius = float(best.problem.decode(jnp.asarray(best.optimum.numbers), jnp.ones(best.problem.linear))[k])
    assert radius == pytest.approx(1.0, abs=0.01)
