"""Sources of few Sérsic profiles: as many as the arcs need, and not more."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.infer import fit
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import Observed, observe
from lensjax.pipeline import belief, clumps
from lensjax.pipeline.options import Options
from lensjax.pipeline.run import moved
from lensjax.problems.galaxy import galaxy

LENS = {"theta_E": 1.0, "q": 0.8, "phi": 30.0, "gamma1": 0.02, "gamma2": -0.01}
CLUMPS = (
    {"x": 0.15, "y": 0.05, "R": 0.12, "n": 1.0, "q": 0.8, "phi": 20.0, "flux": 3.0},
    {"x": -0.15, "y": 0.2, "R": 0.1, "n": 0.8, "q": 0.7, "phi": 100.0, "flux": 2.0},
)
KNOWN = partial(belief.of, light=None)


def seen(count: int) -> Observed:
    """A lens of 1 arcsec with so many clumps behind it, 32×32 pixels of 0.12 arcsec."""
    taken = instrument((32, 32), pixel_scale=0.12, supersampling=2)
    problem = galaxy(source="sersic", clumps=count)
    at = dict(LENS)
    for prefix, own in zip(("source_", "source2_"), CLUMPS[:count], strict=False):
        at |= {f"{prefix}{name}": value for name, value in own.items()}
    params = jnp.asarray([at.get(name, 0.0) for name in problem.names])
    image = np.asarray(jax.jit(problem.image, static_argnums=1)(params, taken), np.float64)
    noise = 0.02 * image.max()
    return observe(image + noise * np.random.default_rng(0).normal(size=image.shape), noise, taken_by=taken)


def begin() -> np.ndarray:
    """Numbers of a fit with shapelets whose lens is a little off."""
    problem = galaxy(source="shapelets", n_max=2)
    at = LENS | {"theta_E": 1.03, "q": 0.85, "source_x": 0.0, "source_y": 0.1, "source_beta": 0.15}
    return np.asarray(problem.encode(jnp.asarray([at.get(name, 0.0) for name in problem.names])), np.float64)


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_as_many_profiles_as_there_are(count: int) -> None:
    found = clumps.fewest(galaxy(source="shapelets", n_max=2), seen(count), KNOWN, begin(), options=Options())
    assert found is not None and found.words == ("source of 1 Sérsic profile", "source of 2 Sérsic profiles")[count - 1]
    values = found.problem.decode(jnp.asarray(found.optimum.numbers), jnp.asarray(found.optimum.amplitudes))
    at = dict(zip(found.problem.names, np.asarray(values).tolist(), strict=True))
    assert at["theta_E"] == pytest.approx(1.0, abs=0.02) and at["q"] == pytest.approx(0.8, abs=0.08)
    places = sorted((at[f"{prefix}x"], at[f"{prefix}y"]) for prefix in ("source_", "source2_")[:count])
    np.testing.assert_allclose(places, sorted((own["x"], own["y"]) for own in CLUMPS[:count]), atol=0.05)


def test_another_profile_is_added_to_two_lenses() -> None:
    problem = galaxy(source="sersic")
    at = LENS | {f"source_{name}": value for name, value in CLUMPS[0].items()}
    rows = []
    for theta_e in (1.0, 1.01, 1.1, 1.3):
        values = [(at | {"theta_E": theta_e}).get(name, 0.0) for name in problem.names]
        rows.append(np.asarray(problem.encode(jnp.asarray(values)), np.float64))
    kept = clumps._of_other_lenses(problem, rows)
    assert [own is row for own, row in zip(kept, rows[::2], strict=False)] == [True, True] and len(kept) == 2


def test_no_profiles_where_none_explain_the_arcs() -> None:
    own = seen(1)
    spiral = np.sin(np.arange(32)[:, None] * 0.9) * np.cos(np.arange(32) * 1.1)
    other = observe(
        np.asarray(own.data) + 0.5 * np.abs(spiral) * float(own.data.max()), np.asarray(own.noise.sigma(own.data)), taken_by=own.instrument
    )
    assert clumps.fewest(galaxy(source="shapelets", n_max=2), other, KNOWN, begin(), options=Options()) is None


def test_the_evidence_is_that_of_a_normal_likelihood() -> None:
    """With numbers that the belief holds fast, the evidence of one flux is the integral over it, known in closed form."""
    own, problem = seen(1), galaxy(source="sersic")
    at = LENS | {f"source_{name}": value for name, value in CLUMPS[0].items()}
    numbers = np.asarray(problem.encode(jnp.asarray([at.get(name, 0.0) for name in problem.names])), np.float64)
    fast = fit.Belief(jnp.asarray(numbers), jnp.full(problem.size, 1e12))
    with jax.enable_x64(True):
        layer = np.asarray(problem.layers(jnp.asarray(numbers), own.instrument)[0], np.float64).ravel()
        flux = float(fit.total_flux(fit.in_double(own)))
    sigma, data = float(np.asarray(own.noise.sigma(own.data)).flat[0]), np.asarray(own.data, np.float64).ravel()
    free, along = layer @ layer / sigma**2 + flux**-2, layer @ data / sigma**2
    expected = 0.5 * (along**2 / free - data @ data / sigma**2 - np.log(free * flux**2))
    # At the flux's best value the prior of the flux itself, ½ (flux/total)², is not in the cost of the fit.
    best = along / (free - flux**-2)
    assert clumps.laplace(problem, own, fast, numbers) == pytest.approx(expected, abs=0.5 * (best / flux) ** 2 + 0.05)


def test_all_sources_move_with_the_origin() -> None:
    problem = galaxy(source="sersic", clumps=2)
    params = np.zeros((1, len(problem.names)))
    params[0, problem.names.index("gamma1")] = 0.1
    own = dict(zip(problem.names, moved(problem, params, (1.0, 2.0))[0].tolist(), strict=True))
    assert (own["source_x"], own["source_y"]) == (own["source2_x"], own["source2_y"]) == pytest.approx((0.9, 2.2))


@pytest.mark.parametrize("arguments", [{"source": "shapelets", "clumps": 2}, {"clumps": 0}])
def test_clumps_are_those_of_a_sersic_source(arguments) -> None:
    with pytest.raises(BadInput, match="clumps"):
        galaxy(**arguments)
