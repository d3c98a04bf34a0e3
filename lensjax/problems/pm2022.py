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
from lensjax.light.gaussian import Gaussian, from_shape
from lensjax.observation.instrument import CentreOfLight
from lensjax.problems.axisymmetric import Axisymmetric, AxisymmetricProblem, decode_ellipse, encode_ellipse, problem_of, uniform
from lensjax.problems.base import Parameter
from lensjax.problems.observables import shape_of
from lensjax.simulate import System

CHI = 0.5

PARAMETERS = (
    Parameter("x", "px", -100.0, 100.0),
    Parameter("y", "px", -100.0, 100.0),
    Parameter("einsteinR", "px", 10.0, 50.0),
    Parameter("sigma", "px", 1.0, 60.0),
    Parameter("sigma2", "px", 1.0, 40.0),
    Parameter("theta", "deg", 0.0, 180.0, period=180.0),
    Parameter("chi", "", 0.3, 0.7),
)

# Middle and half-width of each number before encoding: x, y, log θ_E, log size, e cos 2θ, e sin 2θ.
_MIDDLE = (0.0, 0.0, 4.0, 2.8, 0.0, 0.0)
_WIDTH = (60.0, 60.0, 0.5, 0.7, 0.7, 0.7)


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


def theta_e(params: Array) -> Array:
    """(..., 7) → θ_E = einsteinR/chi [px]."""
    return params[..., 2] / params[..., 6]


def encode(params: Array) -> Array:
    """(x, y, log θ_E, log √(σσ₂), e cos 2θ, e sin 2θ), each about its middle and of order one; (..., 7) → (..., 6)."""
    x, y, einstein_r, sigma, sigma2, theta, chi = jnp.moveaxis(params, -1, 0)
    plain = jnp.stack([x, y, jnp.log(einstein_r / chi), *encode_ellipse(sigma, sigma2, theta)], axis=-1)
    return (plain - jnp.asarray(_MIDDLE, plain.dtype)) / jnp.asarray(_WIDTH, plain.dtype)


def _plain(encoded: Array) -> Array:
    return encoded * jnp.asarray(_WIDTH, encoded.dtype) + jnp.asarray(_MIDDLE, encoded.dtype)


def decode(encoded: Array) -> Array:
    """The inverse of `encode` for chi = ½, with sigma ≥ sigma2 and theta in [0, 180); (..., 6) → (..., 7)."""
    x, y, log_radius, *shape = jnp.moveaxis(_plain(encoded), -1, 0)
    sigma, sigma2, theta = decode_ellipse(*shape)
    return jnp.stack([x, y, CHI * jnp.exp(log_radius), sigma, sigma2, theta, jnp.full_like(x, CHI)], axis=-1)


def to_system(encoded: Array) -> System:
    """Encoding (6,) → System; smooth everywhere."""
    x, y, log_radius, log_size, e1, e2 = _plain(encoded)
    return System(lens=PointMass(theta_e=jnp.exp(log_radius)), source=from_shape(log_size, e1, e2), x=x, y=y)


def from_system(system: System) -> Array:
    """System → parameters, with sigma ≥ sigma2 and theta in [0, 180)."""
    assert isinstance(system.lens, PointMass) and isinstance(system.source, Gaussian)
    ellipse = decode_ellipse(*shape_of(system.source))
    return jnp.stack([system.x, system.y, CHI * system.lens.theta_e, *ellipse, jnp.full_like(system.x, CHI)])


def lens_of(g: Array, distance: Array) -> PointMass:
    """θ_E² = g |ξ|²."""
    return PointMass(theta_e=jnp.sqrt(g) * distance)


def canonical(params: Array) -> Array:
    """einsteinR at chi = ½, for the same θ_E."""
    scaled = params.at[..., 2].set(CHI * params[..., 2] / params[..., 6])
    return scaled.at[..., 6].set(CHI)


KIND = Axisymmetric(
    name="pm2022",
    parameters=PARAMETERS,
    draw=draw,
    encode=encode,
    decode=decode,
    to_system=to_system,
    from_system=from_system,
    lens_of=lens_of,
    theta_e=theta_e,
    canonical=canonical,
    without_image=("einsteinR", "chi"),
)


def problem(
    *, image_size: int = 400, integer: bool = True, method: str = "roulette", terms: int = 16, centred: bool = True
) -> AxisymmetricProblem:
    """The problem; `image_size` below 400 shows the same field in coarser, averaged pixels."""
    centring = CentreOfLight(canvas=400)
    return problem_of(KIND, centring, image_size=image_size, integer=integer, method=method, terms=terms, centred=centred)
