"""Composed problems: tables, numbers without bounds, and images linear in the fluxes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import simulate
from lensjax.errors import BadInput
from lensjax.observation import psf
from lensjax.observation.instrument import instrument
from lensjax.problems import components
from lensjax.problems.compose import Composition, compose

WHOLE = compose(
    "all",
    [
        components.sie(),
        components.shear(),
        components.sis(prefix="second_"),
        components.sersic(),
        components.gaussian(role="lens light", prefix="light_"),
        components.gaussian(prefix="round_", q=None),
    ],
    sky=True,
)
DRAW = jax.jit(WHOLE.draw)


def test_names_stand_in_the_order_of_the_components_with_the_amplitudes_last() -> None:
    assert WHOLE.names[:7] == ("x", "y", "theta_E", "q", "phi", "gamma1", "gamma2")
    assert WHOLE.names[-4:] == ("source_flux", "light_flux", "round_flux", "sky")
    assert WHOLE.linear == 4 and WHOLE.nonnegative == (True, True, True, False)
    assert WHOLE.size + WHOLE.linear == len(WHOLE.names)


@pytest.mark.parametrize("seed", range(5))
def test_draws_lie_within_their_bounds_and_survive_the_way_there_and_back(seed: int) -> None:
    params = DRAW(jax.random.key(seed))
    again = jax.jit(lambda params: WHOLE.decode(WHOLE.encode(params), WHOLE.amplitudes(params)))(params)
    for name, parameter, before, after in zip(WHOLE.names, WHOLE.parameters, params, again, strict=True):
        assert parameter.low <= before <= parameter.high, name
        assert float(after) == pytest.approx(float(before), rel=2e-4, abs=2e-3), name


def test_layers_have_flux_1() -> None:
    lights = [
        components.sersic(radius=(3.0, 4.0), index=(0.8, 1.5), reach=2.0),
        components.gaussian(prefix="b_", sigma=(2.0, 3.0), reach=2.0),
    ]
    problem = compose("lights", lights)
    taken = instrument((161, 161), refinement=8, refined=200)
    draw = jax.jit(lambda key: problem.layers(problem.encode(problem.draw(key)), taken))
    for seed in range(3):
        layers = draw(jax.random.key(seed))
        np.testing.assert_allclose(layers.sum(axis=(1, 2)), 1.0, atol=2e-3)


def test_the_mass_is_long_along_phi() -> None:
    lens_of = compose("lens", [components.sie(), components.gaussian()])
    numbers = lens_of.encode(jnp.asarray([0.0, 0.0, 20.0, 0.5, 30.0, 0.0, 0.0, 3.0, 0.9, 0.0, 1.0]))
    lens = lens_of.lens(numbers)
    assert lens is not None
    at = lambda degrees: float(lens.convergence(10 * jnp.cos(jnp.deg2rad(degrees)), 10 * jnp.sin(jnp.deg2rad(degrees))))  # noqa: E731
    assert at(30.0) > at(75.0) > at(120.0)


def test_gradients_are_finite_for_a_round_lens_and_a_round_source_at_its_centre() -> None:
    taken = instrument((33, 33))
    numbers = jnp.zeros(WHOLE.size, jnp.float32)
    jacobian = jax.jit(jax.jacfwd(lambda q: WHOLE.layers(q, taken)))(numbers)
    assert np.isfinite(np.asarray(jacobian)).all()


def test_without_a_lens_the_light_stays_where_it_is() -> None:
    bare = WHOLE.unlensed()
    assert bare.lens(jnp.zeros(bare.size)) is None and bare.linear == WHOLE.linear


@pytest.mark.parametrize("parts", [[components.sie()], [components.gaussian(), components.gaussian()]])
def test_no_light_and_names_twice_are_refused(parts: list[components.Component]) -> None:
    with pytest.raises(BadInput):
        compose("wrong", parts)


def test_a_composition_is_static_under_jit() -> None:
    assert isinstance(hash(WHOLE), int) and isinstance(WHOLE, Composition)


def test_a_system_is_rendered_as_the_problem_is() -> None:
    """Two lenses and shear, two sources and the lens's own light, through a PSF: `simulate.image` against the sum of the layers."""
    taken = instrument((40, 44), pixel_scale=1.5, supersampling=2, psf=psf.gaussian(2.5))
    params = DRAW(jax.random.key(3)).at[-1].set(0.0)

    @jax.jit
    def both(params: jax.Array) -> tuple[jax.Array, jax.Array]:
        return simulate.image(WHOLE.system(params), taken), WHOLE.image(params, taken)

    image, expected = both(params)
    assert image.shape == (40, 44) and float(expected.max()) > 0.0
    np.testing.assert_allclose(image, expected, rtol=1e-3, atol=1e-5 * float(expected.max()))


def test_light_alone_is_no_system() -> None:
    problem = WHOLE.unlensed()
    with pytest.raises(ValueError, match="no source"):
        problem.system(problem.draw(jax.random.key(0)))
