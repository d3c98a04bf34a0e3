"""Problem galaxy and its components: names, prior, layers, and a mock that is fitted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems, simulate
from lensjax.errors import BadInput
from lensjax.infer import fit
from lensjax.infer.levenberg_marquardt import CONVERGED
from lensjax.observation import psf
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.problems import components, galaxy_components
from lensjax.problems.compose import Composition, compose

TAKEN = instrument((40, 40), supersampling=2, psf=psf.gaussian(2.0))
WHOLE = compose(
    "all",
    [
        galaxy_components.epl(theta_e=(8.0, 14.0), reach=1.0, multipoles=(3, 4)),
        components.shear(),
        galaxy_components.nfw(),
        galaxy_components.multipole(4),
        galaxy_components.shapelets(2, beta=(1.5, 2.5), reach=2.0),
        galaxy_components.multi_gaussian(3, q=None),
        galaxy_components.pixels(4, pixel=1.0, prefix="grid_"),
    ],
    sky=True,
)


def test_names_and_amplitudes() -> None:
    assert WHOLE.names[:12] == ("x", "y", "theta_E", "gamma", "a3", "b3", "a4", "b4", "q", "phi", "gamma1", "gamma2")
    assert WHOLE.names[12:22] == ("halo_x", "halo_y", "halo_r_s", "halo_alpha_Rs", "halo_q", "halo_phi", "m4_x", "m4_y", "m4_a", "m4_b")
    assert WHOLE.linear == 6 + 3 + 16 + 1 and WHOLE.nonnegative == (False,) * 6 + (True,) * 3 + (False,) * 17
    assert WHOLE.size + WHOLE.linear == len(WHOLE.names) and WHOLE.names[-17] == "grid_p0_0"
    penalty = np.asarray(WHOLE.penalty(jnp.float32(10.0)))
    np.testing.assert_allclose(penalty[:6, :6], 0.01 * np.eye(6), rtol=1e-6)
    assert not penalty[6:9].any() and penalty[9:25, 9:25].any() and not penalty[25].any()


def test_the_sum_of_the_layers_is_the_image_and_the_systems() -> None:
    @jax.jit
    def all_three(key: jax.Array) -> tuple[jax.Array, ...]:
        params = WHOLE.draw(key)
        numbers, amplitudes = WHOLE.encode(params), WHOLE.amplitudes(params)
        again = WHOLE.decode(numbers, amplitudes)
        summed = jnp.tensordot(amplitudes, WHOLE.layers(numbers, TAKEN), axes=1)
        return params, again, WHOLE.image(params, TAKEN), summed, simulate.image(WHOLE.system(params), TAKEN)

    params, again, image, summed, whole = all_three(jax.random.key(2))
    np.testing.assert_allclose(again, params, rtol=2e-4, atol=2e-3)
    scale = float(jnp.abs(image).max())
    np.testing.assert_allclose(image, summed, atol=2e-5 * scale)
    np.testing.assert_allclose(image, whole, atol=2e-5 * scale)


@pytest.mark.parametrize("mass", ["sie", "epl"])
@pytest.mark.parametrize("double", [False, True])
def test_a_round_lens_knows_which_way_it_becomes_elliptical(mass: str, double: bool) -> None:
    """By differences in float64: where these derivatives vanish, a fit that begins round stays so."""
    problem = problems.composed("galaxy", mass=mass)
    first = problem.names.index("q")
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, 8) + 0.013, np.linspace(-1.5, 1.5, 8) - 0.02)
    params = dict.fromkeys(problem.names, 1.0) | {"x": 0.02, "y": -0.01, "gamma": 2.0, "gamma1": 0.0, "gamma2": 0.0}

    @jax.jit
    def deflection(numbers: jax.Array) -> jax.Array:
        lens = problem.lens(numbers)
        assert lens is not None
        return jnp.stack(lens.deflection(jnp.asarray(x, numbers.dtype), jnp.asarray(y, numbers.dtype)))

    with jax.enable_x64(True):
        wide = jax.jit(problem.encode)(jnp.asarray([params[name] for name in problem.names], jnp.float64))
        steps = [jnp.zeros_like(wide).at[first + k].set(1e-3) for k in (0, 1)]
        expected = [np.asarray(deflection(wide + step) - deflection(wide - step)) / 2e-3 for step in steps]
    with jax.enable_x64(double):
        round_lens = jnp.asarray(np.asarray(wide), jnp.float64 if double else jnp.float32).at[first : first + 2].set(0.0)
        found = np.asarray(jax.jit(jax.jacfwd(deflection))(round_lens))[..., first : first + 2]
    for k in (0, 1):
        assert np.abs(expected[k]).max() > 0.3
        np.testing.assert_allclose(found[..., k], expected[k], atol=(3e-5 if double else 0.02) * np.abs(expected[k]).max())


def test_theta_e_of_a_power_law_is_that_of_its_critical_curve() -> None:
    """At another slope the lens's own θ_E differs; at slope 2 it is the same."""
    problem = compose("lens", [galaxy_components.epl(), components.gaussian()])
    lens_of = jax.jit(lambda gamma: problem.lens(problem.encode(jnp.asarray([0.0, 0.0, 20.0, gamma, 0.5, 30.0, 0.0, 0.0, 3.0, 0.9, 0.0]))))
    own = [float(lens_of(jnp.float32(gamma)).groups[0].lens.theta_e[0]) for gamma in (1.8, 2.0, 2.2)]
    assert own[1] == pytest.approx(20.0, rel=1e-5) and own[0] < 19.8 and own[2] > 20.05


@pytest.mark.parametrize("mass", ["sie", "epl"])
@pytest.mark.parametrize("source", ["sersic", "shapelets", "multi_gaussian"])
@pytest.mark.parametrize("lens_light", ["none", "sersic", "multi_gaussian"])
def test_flags_of_the_galaxy_problem(mass: str, source: str, lens_light: str) -> None:
    problem = problems.composed("galaxy", mass=mass, source=source, lens_light=lens_light)
    names = problem.names
    assert {"theta_E", "q", "phi", "gamma1", "gamma2", "source_x"} < set(names) and ("gamma" in names) == (mass == "epl")
    assert ("light_x" in names) == (lens_light != "none") and problem.lens_range[0] == (0.3, 3.0)
    assert problem is problems.composed("galaxy", mass=mass, source=source, lens_light=lens_light)  # one, so that programs are shared


def test_draws_of_the_galaxy_problem_follow_its_prior() -> None:
    problem = problems.composed("galaxy")
    draws = np.asarray(jax.jit(jax.vmap(problem.draw))(jax.random.split(jax.random.key(0), 4000)))
    for name, parameter, column in zip(problem.names, problem.parameters, draws.T, strict=True):
        assert (column >= parameter.low - 1e-6).all() and (column <= parameter.high + 1e-6).all(), name
    q, phi, gamma1, x = (draws[:, problem.names.index(name)] for name in ("q", "phi", "gamma1", "x"))
    e = (1 - q) / (1 + q)
    assert (e * np.cos(np.deg2rad(2 * phi))).std() == pytest.approx(0.25, abs=0.02)  # 0.3, truncated at 2/3
    assert gamma1.std() == pytest.approx(0.07, abs=0.005) and x.std() == pytest.approx(0.05, abs=0.004)


def test_normal_priors_in_a_fit_are_those_of_the_numbers() -> None:
    """One standard deviation from the middle costs 1, by the number as by the parameter."""
    problem = problems.composed("galaxy", mass="epl", multipoles=(4,))
    mean, weight = (np.asarray(part, float) for part in problem.normal_prior(jnp.float32))
    middle = np.asarray(problem.draw(jax.random.key(0)), float)
    for name, centre, deviation in problem.normal:
        k = problem.names.index(name)
        moved = middle.copy()
        moved[k], moved[problem.names.index("phi")] = ((1 - deviation) / (1 + deviation), 0.0) if name == "q" else (centre + deviation, 0.0)
        number = np.asarray(problem.encode(jnp.asarray(moved, jnp.float32)), float)[k]
        assert weight[k] * (number - mean[k]) ** 2 == pytest.approx(1.0, rel=0.15 if name == "q" else 1e-3), name
    assert (weight > 0).sum() == len(problem.normal) + 1  # two of the ellipse


def test_wrong_flags_are_refused() -> None:
    with pytest.raises(BadInput, match="epl"):
        problems.composed("galaxy", mass="eppl")
    with pytest.raises(BadInput, match="multipoles"):
        problems.composed("galaxy", multipoles=(4,))
    with pytest.raises(BadInput, match="galaxy"):
        problems.get("galaxies")
    assert "galaxy" in problems.telescope_names() and "galaxy" in problems.composed_names()


def fitted(problem: Composition, key: int, *, pixel_scale: float = 1.0) -> tuple[fit.Optimum, np.ndarray]:
    """A mock of a signal-to-noise ratio of 200 at its peak, fitted from near the truth: the fit, and the parameters.

    Its chi² is noise, and so is its distance from the truth in units of its covariance: both are distributed as χ².
    """
    taken = instrument((40, 40), supersampling=2, psf=psf.gaussian(2.0), pixel_scale=pixel_scale, middle=(19.5, 19.5))
    params = jax.jit(problem.draw)(jax.random.key(key))
    image = np.asarray(jax.jit(lambda params: problem.image(params, taken))(params), np.float64)
    rng = np.random.default_rng(key)
    sigma = image.max() / 200.0
    seen = observe(image + sigma * rng.normal(size=image.shape), sigma, taken_by=taken)
    truth = np.asarray(problem.encode(params), np.float64)
    best = fit.descend_from(problem, [seen], [[truth + 0.03 * rng.normal(size=truth.shape)]])[0][0]
    assert best.code == CONVERGED and abs(best.chi2 - best.pixels) < 4 * np.sqrt(2 * best.pixels)
    off, count = best.numbers - truth, problem.size
    assert off @ np.linalg.solve(best.covariance[:count, :count], off) < count + 4 * np.sqrt(2 * count)
    return best, np.asarray(params)


@pytest.mark.slow
def test_a_power_law_with_shapelets_and_lens_light_is_recovered_within_its_errors() -> None:
    lens = galaxy_components.epl(theta_e=(8.0, 14.0), reach=1.0, q=0.5)
    source = galaxy_components.shapelets(3, beta=(1.5, 2.5), reach=2.0, flux=(1e3, 2e3))
    light = galaxy_components.multi_gaussian(5, sigma=(0.7, 12.0), reach=1.0, flux=(1e3, 2e3))
    problem = compose("mock", [lens, components.shear(), source, light])
    best, params = fitted(problem, 3)
    assert best.amplitudes[-5:].sum() == pytest.approx(params[-5:].sum(), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", [{"source": "sersic"}, {"source": "multi_gaussian", "lens_light": "sersic"}], ids=["sersic", "lens light"]
)
def test_a_mock_of_the_galaxy_problem_is_recovered(flags: dict[str, str]) -> None:
    best, params = fitted(problems.composed("galaxy", **flags), 5, pixel_scale=0.1)
    assert best.amplitudes.sum() == pytest.approx(params[-len(best.amplitudes) :].sum(), rel=0.1)
