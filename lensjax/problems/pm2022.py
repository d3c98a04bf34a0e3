"""The older problem: point mass, elliptical Gaussian source, 400×400 pixels, not cropped, roulette of 16 terms.

Its prior, uniform with both ends included, whole numbers in the original:

    chi 30…70 (percent);  sigma 1…60 px;  sigma2 1…40 px;  theta 0…179°
    einsteinR 10…50 px;  phi 0…359°;  R einsteinR…100 px;  x = R cos phi, y = R sin phi

The image depends on einsteinR and chi through θ_E = einsteinR / chi alone: no image identifies either. Estimates state them for
chi = ½, with infinite errors, and are compared after einsteinR has been brought to chi = ½.
"""

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.lens import PointMass
from lensjax.observation.instrument import CentreOfLight
from lensjax.problems.axisymmetric import Axisymmetric, uniform
from lensjax.problems.base import Parameter

PARAMETERS = (
    Parameter("x", "px", -100.0, 100.0),
    Parameter("y", "px", -100.0, 100.0),
    Parameter("einsteinR", "px", 10.0, 50.0),
    Parameter("sigma", "px", 1.0, 60.0),
    Parameter("sigma2", "px", 1.0, 40.0),
    Parameter("theta", "deg", 0.0, 180.0, period=180.0),
    Parameter("chi", "", 0.3, 0.7),
)


def draw(key: Array, integer: bool) -> Array:
    """One draw from the prior, (7,)."""
    keys = jax.random.split(key, 7)
    einstein_r = uniform(keys[0], 10.0, 50.0, integer)
    distance = uniform(keys[1], einstein_r, 100.0, integer)
    phi = jnp.deg2rad(uniform(keys[2], 0.0, 359.0 if integer else 360.0, integer))
    return jnp.stack(
        [
            distance * jnp.cos(phi),
            distance * jnp.sin(phi),
            einstein_r,
            uniform(keys[3], 1.0, 60.0, integer),
            uniform(keys[4], 1.0, 40.0, integer),
            uniform(keys[5], 0.0, 179.0 if integer else 180.0, integer),
            uniform(keys[6], 30.0, 70.0, integer) / 100.0,
        ]
    )


KIND = Axisymmetric(
    name="pm2022",
    parameters=PARAMETERS,
    draw=draw,
    lens=PointMass,
    radius=lambda g, distance: jnp.sqrt(g) * distance,
    middle=(0.0, 0.0, 4.0, 2.8, 0.0, 0.0),
    width=(60.0, 60.0, 0.5, 0.7, 0.7, 0.7),
    terms=16,
    centring=CentreOfLight(canvas=400),
)
