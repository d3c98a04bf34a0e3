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
from lensjax.light.gaussian import Gaussian, from_shape
from lensjax.observation.instrument import CentreOfLight
from lensjax.problems.axisymmetric import Axisymmetric, AxisymmetricProblem, decode_ellipse, encode_ellipse, problem_of, uniform
from lensjax.problems.base import Parameter
from lensjax.problems.observables import shape_of
from lensjax.simulate import System

CHI = 0.5

PARAMETERS = (
    Parameter("x", "px", -200.0, 200.0),
    Parameter("y", "px", -200.0, 200.0),
    Parameter("einsteinR", "px", 5.0, 50.0),
    Parameter("sigma", "px", 5.0, 57.0),
    Parameter("sigma2", "px", 5.0, 57.0),
    Parameter("theta", "deg", 0.0, 180.0, period=180.0),
)

# Middle and half-width of each number before encoding: x, y, log θ_E, log size, e cos 2θ, e sin 2θ.
_MIDDLE = (0.0, 0.0, 3.7, 2.8, 0.0, 0.0)
_WIDTH = (100.0, 100.0, 0.6, 0.5, 0.5, 0.5)


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


def theta_e(params: Array) -> Array:
    """(..., 6) → θ_E = einsteinR/χ [px]."""
    return params[..., 2] / CHI


def encode(params: Array) -> Array:
    """(x/100, y/100, log θ_E, log √(σσ₂), e cos 2θ, e sin 2θ), each about its middle and of order one; (..., 6) → (..., 6)."""
    x, y, einstein_r, sigma, sigma2, theta = jnp.moveaxis(params, -1, 0)
    plain = jnp.stack([x, y, jnp.log(einstein_r / CHI), *encode_ellipse(sigma, sigma2, theta)], axis=-1)
    return (plain - jnp.asarray(_MIDDLE, plain.dtype)) / jnp.asarray(_WIDTH, plain.dtype)


def _plain(encoded: Array) -> Array:
    return encoded * jnp.asarray(_WIDTH, encoded.dtype) + jnp.asarray(_MIDDLE, encoded.dtype)


def decode(encoded: Array) -> Array:
    """The inverse of `encode`, with sigma ≥ sigma2 and theta in [0, 180)."""
    x, y, log_radius, *shape = jnp.moveaxis(_plain(encoded), -1, 0)
    return jnp.stack([x, y, CHI * jnp.exp(log_radius), *decode_ellipse(*shape)], axis=-1)


def to_system(encoded: Array) -> System:
    """Encoding (6,) → System; smooth everywhere."""
    x, y, log_radius, log_size, e1, e2 = _plain(encoded)
    return System(lens=SIS(theta_e=jnp.exp(log_radius)), source=from_shape(log_size, e1, e2), x=x, y=y)


def from_system(system: System) -> Array:
    """System → parameters, with sigma ≥ sigma2 and theta in [0, 180)."""
    assert isinstance(system.lens, SIS) and isinstance(system.source, Gaussian)
    ellipse = decode_ellipse(*shape_of(system.source))
    return jnp.stack([system.x, system.y, CHI * system.lens.theta_e, *ellipse])


def lens_of(g: Array, distance: Array) -> SIS:
    """θ_E = g |ξ|."""
    return SIS(theta_e=g * distance)


KIND = Axisymmetric(
    name="sis2023",
    parameters=PARAMETERS,
    draw=draw,
    encode=encode,
    decode=decode,
    to_system=to_system,
    from_system=from_system,
    lens_of=lens_of,
    theta_e=theta_e,
)


def problem(
    *, image_size: int = 400, integer: bool = True, method: str = "roulette", terms: int = 50, centred: bool = True
) -> AxisymmetricProblem:
    """The problem; `image_size` below 400 shows the same field in coarser, averaged pixels."""
    centring = CentreOfLight(canvas=1000, samples=96)
    return problem_of(KIND, centring, image_size=image_size, integer=integer, method=method, terms=terms, centred=centred)
