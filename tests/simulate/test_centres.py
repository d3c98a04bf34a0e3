"""The pixel at a lens's centre: as bright as the image is there, in either precision, and with finite gradients."""

from contextlib import nullcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import simulate
from lensjax.lens import SIE, SIS, PointMass, cluster
from lensjax.light.gaussian import spherical
from lensjax.observation.instrument import instrument
from lensjax.simulate import System

INSTRUMENT = instrument((128, 128))


def made(name: str, theta_e, x, y, sigma) -> System:
    lens = {
        "PM": lambda: PointMass(theta_e),
        "SIS": lambda: SIS(theta_e),
        "SIE": lambda: SIE(theta_e, jnp.asarray(0.7), jnp.asarray(0.5)),
        "cluster": lambda: cluster([(PointMass(theta_e), 0.0, 0.0), (SIS(0.1 * theta_e), 7.0, -12.0)]),
    }[name]()
    return System(lens, spherical(sigma), x, y)


@pytest.mark.parametrize("double", [False, True], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ["PM", "SIS", "SIE", "cluster"])
def test_the_centre_is_as_dark_as_what_is_about_it(name, double):
    """`lensjax simulate -E 40 -s 6 -x 5 -y 3 -Z 128`; with no deflection at the centre its pixel was at 159."""
    with jax.enable_x64(True) if double else nullcontext():

        def draw(numbers):
            return 255.0 * simulate.image(made(name, *numbers), INSTRUMENT)

        numbers = jnp.asarray([40.0, 5.0, 3.0, 6.0])
        image = np.asarray(jax.jit(draw)(numbers))
        assert image.max() > 250 and image[60:69, 60:69].max() < 0.05
        both = np.asarray(jax.jit(jax.vmap(draw))(jnp.stack([numbers, 1.1 * numbers])))
        np.testing.assert_allclose(both[0], image, atol=2e-3)
        slopes = np.asarray(jax.jit(jax.jacfwd(draw))(numbers))
        assert np.isfinite(slopes).all() and np.abs(slopes[64, 64]).max() < 0.05
        gradient = jax.jit(jax.grad(lambda numbers: (draw(numbers) ** 2).sum()))(numbers)
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("lens", "direction"),
    [(SIS(jnp.float32(9.0)), 0.0), (SIE(jnp.float32(9.0), jnp.float32(0.4), jnp.float32(1.1)), 1.1)],
    ids=["SIS", "SIE"],
)
def test_deflection_at_an_isothermal_centre_is_a_limit(lens, direction):
    """From the right, of an SIE from along its orientation."""
    at, near = (np.array(lens.deflection(jnp.float32(r * np.cos(direction)), jnp.float32(r * np.sin(direction)))) for r in (0.0, 0.5))
    np.testing.assert_allclose(at, near, atol=1e-5)
