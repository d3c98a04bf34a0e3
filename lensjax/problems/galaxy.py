"""Real galaxies as telescopes see them: a mass with shear, a source behind it, and the lens's own light, in arcseconds.

Field, pixels, PSF and noise are those of the observation. theta_E is the radius of the circle with the area inside the critical curve of
the galaxy alone, without the shear; gamma1 and gamma2 are the shear's components about the image's origin.
"""

from functools import cache
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array

from lensjax._internal.words import did_you_mean, listed
from lensjax.errors import BadInput
from lensjax.problems import components, galaxy_components
from lensjax.problems.components import Component
from lensjax.problems.compose import Composition, compose

Mass = Literal["sie", "epl"]
Source = Literal["sersic", "shapelets", "multi_gaussian"]
LensLight = Literal["none", "sersic", "multi_gaussian"]

UNIT = "arcsec"
THETA_E = (0.3, 3.0)
"""Einstein radii of the prior."""

REACH = 0.2
"""How far the lens lies from the image's origin along each axis, at most."""

_SOURCE_REACH = 1.0
_FLATTEST = 0.2  # axis ratio of the prior's ends
_ELLIPTICITY, _SHEAR, _PLACE = 0.3, 0.07, 0.05  # standard deviations of the prior
_MOST_SHEAR = 0.3
_FLUX = (1e-2, 1e6)


def _mass(kind: Mass, multipoles: tuple[int, ...]) -> Component:
    if kind == "sie":
        return components.sie(unit=UNIT, theta_e=THETA_E, reach=REACH, q=_FLATTEST)
    return galaxy_components.epl(unit=UNIT, theta_e=THETA_E, reach=REACH, q=_FLATTEST, multipoles=multipoles)


def _source(kind: Source, n_max: int, gaussians: int) -> Component:
    if kind == "sersic":
        return components.sersic(unit=UNIT, radius=(0.03, 1.0), index=(0.5, 4.0), reach=_SOURCE_REACH, q=_FLATTEST, flux=_FLUX)
    if kind == "shapelets":
        return galaxy_components.shapelets(n_max, unit=UNIT, beta=(0.03, 0.5), reach=_SOURCE_REACH, flux=_FLUX)
    return galaxy_components.multi_gaussian(
        gaussians, role="source", prefix="source_", unit=UNIT, sigma=(0.02, 0.6), reach=_SOURCE_REACH, q=_FLATTEST, flux=_FLUX
    )  # fmt: skip


def _light(kind: LensLight, gaussians: int) -> list[Component]:
    shape: dict[str, Any] = {"role": "lens light", "prefix": "light_", "unit": UNIT, "reach": REACH, "q": 1.0 / 3.0, "flux": _FLUX}
    if kind == "sersic":
        return [components.sersic(radius=(0.1, 5.0), index=(0.5, 8.0), **shape)]
    return [galaxy_components.multi_gaussian(gaussians, sigma=(0.02, 4.0), **shape)] if kind == "multi_gaussian" else []


@cache
def galaxy(
    *,
    mass: Mass = "sie",
    source: Source = "sersic",
    lens_light: LensLight = "none",
    shear: bool = True,
    multipoles: tuple[int, ...] = (),
    n_max: int = 6,
    source_gaussians: int = 7,
    light_gaussians: int = 12,
    sky: bool = False,
) -> Composition:
    """The problem.

    Prior: the lens within `REACH` of the origin, N(0, 0.05″); (e1, e2) normal of 0.3, truncated at the smallest axis ratio; shear N(0,
    0.07); the rest uniform, or in the logarithm where it is a flux.

    Args:
        mass: "sie", or "epl" with a slope gamma of 1.5 to 2.5.
        source: "sersic", "shapelets" to order `n_max`, or "multi_gaussian" of `source_gaussians` Gaussians.
        lens_light: "none", "sersic", or "multi_gaussian" of `light_gaussians` Gaussians.
        shear: whether there is external shear.
        multipoles: orders of the multipoles beside an "epl", such as (3, 4).
        n_max: largest order of the shapelets.
        source_gaussians, light_gaussians: how many Gaussians.
        sky: whether a constant sky is fitted.

    Raises:
        BadInput: an unknown kind, or multipoles beside another mass.
    """
    for column, value, kinds in (("mass", mass, Mass), ("source", source, Source), ("lens_light", lens_light, LensLight)):
        if value not in get_args(kinds):
            hint = did_you_mean(value, get_args(kinds))
            raise BadInput(column=column, place="problem galaxy", value=value, expected=f"one of {listed(get_args(kinds))}", hint=hint)
    if multipoles and mass != "epl":
        raise BadInput(column="multipoles", place="problem galaxy", value=multipoles, expected=f"none beside mass = {mass}")
    lenses = [_mass(mass, multipoles), *([components.shear(most=_MOST_SHEAR)] if shear else [])]
    parts = [*lenses, _source(source, n_max, source_gaussians), *_light(lens_light, light_gaussians)]
    uniform = compose("galaxy", parts, sky=sky)
    q = uniform.names.index("q")

    def prior(key: Array) -> Array:
        drawn_key, place_key, shape_key, shear_key = jax.random.split(key, 4)
        params = uniform.draw(drawn_key)
        place = jnp.clip(_PLACE * jax.random.normal(place_key, (2,)), -REACH, REACH)
        params = params.at[:2].set(place).at[q : q + 2].set(_shape(shape_key))
        if shear:
            first = uniform.names.index("gamma1")
            drawn = jnp.clip(_SHEAR * jax.random.normal(shear_key, (2,)), -_MOST_SHEAR, _MOST_SHEAR)
            params = params.at[first : first + 2].set(drawn)
        return params

    return compose("galaxy", parts, sky=sky, prior=prior)


def _shape(key: Array) -> Array:
    """Axis ratio and direction [deg], with (e1, e2) from the truncated normal distribution."""
    most = (1.0 - _FLATTEST) / (1.0 + _FLATTEST)
    first, second = jax.random.split(key)
    inside = 1.0 - jnp.exp(-0.5 * (most / _ELLIPTICITY) ** 2)
    e = _ELLIPTICITY * jnp.sqrt(-2.0 * jnp.log1p(-inside * jax.random.uniform(first)))
    return jnp.stack([(1.0 - e) / (1.0 + e), 180.0 * jax.random.uniform(second)])
