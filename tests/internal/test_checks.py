"""Numbers out of range are refused where they are given; traced ones are not looked at."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.lens import SIE
from lensjax.light import sersic
from lensjax.light.gaussian import elliptical, spherical


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SIE(jnp.float32(20.0), jnp.float32(5.0), jnp.float32(0.0)), "SIE: f is 5; expected an axis ratio above 0 and up to 1"),
        (lambda: SIE(20.0, 0.0, 0.0), "SIE: f is 0"),
        (lambda: SIE(jnp.ones(3), np.array([0.5, -0.1, 1.0]), jnp.zeros(3)), "SIE: f is -0.1"),
        (lambda: SIE(20.0, float("nan"), 0.0), "SIE: f is nan"),
        (lambda: sersic(*map(jnp.asarray, (5.0, 5.0, 0.0, -1.0, 10.0))), "sersic: n is -1; expected a number above 0"),
        (lambda: sersic(*map(jnp.asarray, (5.0, 5.0, 0.0, 1.0, -10.0))), "sersic: luminosity is -10"),
        (lambda: sersic(*map(jnp.asarray, (5.0, 0.0, 0.0, 1.0, 10.0))), "sersic: sigma2 is 0"),
        (lambda: spherical(jnp.asarray(0.0)), "spherical: sigma is 0; expected a length above 0"),
        (lambda: elliptical(*map(jnp.asarray, (5.0, -2.0, 0.0))), "elliptical: sigma2 is -2"),
    ],
)
def test_numbers_out_of_range(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_good_and_traced_numbers_pass():
    numbers = jnp.array([20.0, 1.0, 0.3])
    lens = SIE(*numbers)
    again = jax.tree.map(lambda leaf: -leaf, lens)  # trees of anything are made without the constructor
    assert float(again.f) == -1.0 and float(sersic(*map(jnp.asarray, (5.0, 5.0, 0.0, 1.0, 0.0))).peak) == 0.0

    def through(p):
        return SIE(p[0], p[1], p[2]).potential(jnp.asarray(3.0), jnp.asarray(4.0))

    assert np.isfinite(jax.jit(jax.grad(through))(numbers)).all()
    assert jax.vmap(through)(jnp.stack([numbers, numbers])).shape == (2,)
