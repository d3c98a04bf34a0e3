"""The thesis's systems in images of any size and brightness: the lens stands anywhere, and the source has any flux."""

from functools import cache

import jax.numpy as jnp
from jax import Array

from lensjax.problems import components
from lensjax.problems.compose import Composition, compose

_REACH = 200.0  # px from the image's middle to the lens along each axis
CHI = 0.5  # for which einsteinR is stated: θ_E = einsteinR / χ

NAMES = ("x", "y", "einsteinR", "sigma", "sigma2", "theta")
"""Parameters that `parameters_of` gives; pm2022 has chi too."""


@cache
def free(problem: str) -> Composition:
    """The composition of "sis2023" or "pm2022": lens_x, lens_y, lens_theta_E and an elliptical Gaussian source."""
    if problem == "sis2023":
        lens = components.sis(prefix="lens_", theta_e=(4.0, 130.0), reach=_REACH)
    else:
        lens = components.point_mass(prefix="lens_", theta_e=(10.0, 180.0), reach=_REACH)
    return compose(problem, [lens, components.gaussian(sigma=(1.0, 80.0), reach=2 * _REACH, q=0.05)])


def parameters_of(problem: str, params: Array) -> Array:
    """Parameters of the composition → those of the problem: the source relative to the lens, sigma ≥ sigma2, and χ = ½."""
    lens_x, lens_y, theta_e, x, y, size, q, phi, _ = params
    root = jnp.sqrt(q)
    chi = (jnp.full_like(x, CHI),) if problem == "pm2022" else ()
    return jnp.stack([x - lens_x, y - lens_y, CHI * theta_e, size / root, size * root, phi, *chi])
