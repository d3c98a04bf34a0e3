"""The problem of the 2023 thesis: SIS lens, elliptical Gaussian source, 400×400 pixels centred on the light, 8 bit.

χ = D_L/D_S is ½ throughout, so that the ring in the image has radius θ_E = einsteinR / χ = 2 einsteinR. The prior, uniform with
both ends included, whole numbers in the thesis's version:

    einsteinR 5…50 px;  phi 0…359°;  R 26…200 px;  s_max = int(0.4 − 0.05 einsteinR + 0.282 R)
    where s_max < 5: einsteinR and R, now 28…200, are drawn again
    sigma, sigma2  5…s_max px;  theta 0…179°;  x = R cos phi, y = R sin phi

In the continuous version s_max is not rounded either, and angles cover the full circle.
"""

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.lens import SIS
from lensjax.observation.instrument import CentreOfLight
from lensjax.problems.axisymmetric import Axisymmetric, uniform
from lensjax.problems.base import Parameter

PARAMETERS = (
    Parameter("x", "px", -200.0, 200.0),
    Parameter("y", "px", -200.0, 200.0),
    Parameter("einsteinR", "px", 5.0, 50.0),
    Parameter("sigma", "px", 5.0, 57.0),
    Parameter("sigma2", "px", 5.0, 57.0),
    Parameter("theta", "deg", 0.0, 180.0, period=180.0),
)


def largest_size(einstein_r: Array, distance: Array) -> Array:
    """s_max [px] before it is cut to a whole number."""
    return 0.4 - 0.05 * einstein_r + 0.282 * distance


def draw(key: Array, integer: bool) -> Array:
    """One draw from the prior, (6,)."""
    lens_key, phi_key, size_key, size2_key, theta_key = jax.random.split(key, 5)

    def pair(attempt: Array, nearest: float) -> tuple[Array, Array]:
        radius_key, distance_key = jax.random.split(jax.random.fold_in(lens_key, attempt))
        return uniform(radius_key, 5.0, 50.0, integer), uniform(distance_key, nearest, 200.0, integer)

    def again(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        attempt = state[0] + 1
        return attempt, *pair(attempt, 28.0)

    _, einstein_r, distance = jax.lax.while_loop(
        lambda state: largest_size(state[1], state[2]) < 5.0, again, (jnp.int32(0), *pair(jnp.int32(0), 26.0))
    )
    s_max = largest_size(einstein_r, distance)
    phi = jnp.deg2rad(uniform(phi_key, 0.0, 359.0 if integer else 360.0, integer))
    return jnp.stack(
        [
            distance * jnp.cos(phi),
            distance * jnp.sin(phi),
            einstein_r,
            uniform(size_key, 5.0, jnp.floor(s_max) if integer else s_max, integer),
            uniform(size2_key, 5.0, jnp.floor(s_max) if integer else s_max, integer),
            uniform(theta_key, 0.0, 179.0 if integer else 180.0, integer),
        ]
    )


KIND = Axisymmetric(
    name="sis2023",
    parameters=PARAMETERS,
    draw=draw,
    lens=SIS,
    radius=lambda g, distance: g * distance,
    middle=(0.0, 0.0, 3.7, 2.8, 0.0, 0.0),
    width=(100.0, 100.0, 0.6, 0.5, 0.5, 0.5),
    terms=50,
    centring=CentreOfLight(canvas=1000, samples=96),
)
