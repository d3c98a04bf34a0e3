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
Source = Literal["sersic", "shapelets", "multi_gaussian", "pixels"]
LensLight = Literal["none", "sersic", "multi_gaussian"]

UNIT = "arcsec"
THETA_E = (0.3, 3.0)
"""Einstein radii of the prior."""

REACH = 0.2
"""How far the lens lies from the image's origin along each axis, at most."""

_SOURCE_REACH = 1.0  # with Einstein radii up to `THETA_E`, and in proportion to larger ones
_FLATTEST = 0.2  # axis ratio of the prior's ends
_ELLIPTICITY, _SHEAR, _PLACE = 0.3, 0.07, 0.05  # standard deviations of the prior
_MOST_SHEAR = 0.3
_SLOPE, _MULTIPOLE = 0.2, 0.01
_FLUX = (1e-2, 1e6)
_INDEX = (0.3, 6.0)  # of a source's Sérsic profiles
_PIXEL = (0.01, 0.1)  # of a source


def _mass(kind: Mass, multipoles: tuple[int, ...], largest: float) -> Component:
    own: dict[str, Any] = {"unit": UNIT, "theta_e": (THETA_E[0], largest), "reach": REACH, "q": _FLATTEST}
    return components.sie(**own) if kind == "sie" else galaxy_components.epl(multipoles=multipoles, **own)


def source_prefix(number: int) -> str:
    """What the names of a source's profile begin with; the first is number 1."""
    return "source_" if number == 1 else f"source{number}_"


def _clump(number: int, reach: float) -> Component:
    own: dict[str, Any] = {"unit": UNIT, "reach": reach, "q": _FLATTEST, "flux": _FLUX}
    return components.sersic(prefix=source_prefix(number), radius=(0.03, 1.0), index=_INDEX, **own)


def _source(kind: Source, reach: float, *, n_max: int, gaussians: int, pixels: int) -> Component:
    if kind == "sersic":
        return _clump(1, reach)
    if kind == "shapelets":
        return galaxy_components.shapelets(n_max, unit=UNIT, beta=(0.03, 0.5), reach=reach, flux=_FLUX)
    if kind == "pixels":
        return galaxy_components.pixels(pixels, pixel=_PIXEL, unit=UNIT, reach=reach, flux=_FLUX, closed=True)
    return galaxy_components.multi_gaussian(
        gaussians, role="source", prefix="source_", unit=UNIT, sigma=(0.02, 0.6), reach=reach, q=_FLATTEST, flux=_FLUX
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
    clumps: int = 1,
    lens_light: LensLight = "none",
    shear: bool = True,
    multipoles: tuple[int, ...] = (),
    largest_theta_e: float = THETA_E[1],
    n_max: int = 6,
    source_gaussians: int = 7,
    source_pixels: int = 25,
    light_gaussians: int = 12,
    sky: bool = False,
) -> Composition:
    """The problem.

    Prior, in draws and in fits: the lens within `REACH` of the origin, N(0, 0.05″); (e1, e2) of the mass normal of 0.3, truncated at the
    smallest axis ratio; gamma N(2, 0.2) between 1.5 and 2.5; multipoles N(0, 0.01); shear N(0, 0.07). The rest is drawn uniformly, fluxes
    in their logarithm, and free in fits.

    Args:
        mass: "sie", or "epl" with a slope gamma of 1.5 to 2.5.
        source: "sersic", of `clumps` profiles, "shapelets" to order `n_max`, "multi_gaussian" of `source_gaussians` Gaussians, or "pixels",
            a grid of `source_pixels` on a side.
        clumps: Sérsic profiles of the source; the names of all but the first begin with source2_, source3_ ….
        lens_light: "none", "sersic", or "multi_gaussian" of `light_gaussians` Gaussians.
        shear: whether there is external shear.
        multipoles: orders of the multipoles beside an "epl", such as (3, 4).
        largest_theta_e: largest Einstein radius of the prior.
        n_max: largest order of the shapelets.
        source_gaussians, light_gaussians: how many Gaussians.
        source_pixels: pixels on a side of a grid.
        sky: whether a constant sky is fitted.

    Raises:
        BadInput: an unknown kind, clumps of another source, multipoles beside another mass, or no range of Einstein radii.
    """
    for column, value, kinds in (("mass", mass, Mass), ("source", source, Source), ("lens_light", lens_light, LensLight)):
        if value not in get_args(kinds):
            hint = did_you_mean(value, get_args(kinds))
            raise BadInput(column=column, place="problem galaxy", value=value, expected=f"one of {listed(get_args(kinds))}", hint=hint)
    if clumps < 1 or (clumps > 1 and source != "sersic"):
        raise BadInput(column="clumps", place="problem galaxy", value=clumps, expected=f"1 or more of source = sersic; source = {source}")
    if multipoles and mass != "epl":
        raise BadInput(column="multipoles", place="problem galaxy", value=multipoles, expected=f"none beside mass = {mass}")
    if not THETA_E[0] < largest_theta_e < float("inf"):
        raise BadInput(column="largest_theta_e", place="problem galaxy", value=largest_theta_e, expected=f"a number above {THETA_E[0]}")
    lenses = [_mass(mass, multipoles, largest_theta_e), *([components.shear(most=_MOST_SHEAR)] if shear else [])]
    reach = _SOURCE_REACH * max(1.0, largest_theta_e / THETA_E[1])
    others = [_clump(number, reach) for number in range(2, clumps + 1)]
    first = _source(source, reach, n_max=n_max, gaussians=source_gaussians, pixels=source_pixels)
    parts = [*lenses, first, *others, *_light(lens_light, light_gaussians)]
    alike = [tuple(range(len(lenses), len(lenses) + clumps))] if clumps > 1 else []
    uniform = compose("galaxy", parts, sky=sky)
    q = uniform.names.index("q")

    normal = [("x", 0.0, _PLACE), ("y", 0.0, _PLACE)]
    if mass == "epl":
        normal.append(("gamma", 2.0, _SLOPE))
        normal += [(f"{letter}{m}", 0.0, _MULTIPOLE) for m in multipoles for letter in "ab"]
    if shear:
        normal += [("gamma1", 0.0, _SHEAR), ("gamma2", 0.0, _SHEAR)]

    def prior(key: Array) -> Array:
        drawn_key, shape_key, normal_key = jax.random.split(key, 3)
        params = uniform.draw(drawn_key).at[q : q + 2].set(_shape(shape_key))
        for (name, mean, deviation), own in zip(normal, jax.random.split(normal_key, len(normal)), strict=True):
            k = uniform.names.index(name)
            low, high = ((end - mean) / deviation for end in (uniform.parameters[k].low, uniform.parameters[k].high))
            params = params.at[k].set(mean + deviation * jax.random.truncated_normal(own, low, high))
        return params

    normals = [*normal, ("q", 1.0, _ELLIPTICITY)]
    return compose("galaxy", parts, sky=sky, exchangeable=alike, prior=prior, normal=normals)


def _shape(key: Array) -> Array:
    """Axis ratio and direction [deg], with (e1, e2) from the truncated normal distribution."""
    most = (1.0 - _FLATTEST) / (1.0 + _FLATTEST)
    first, second = jax.random.split(key)
    inside = 1.0 - jnp.exp(-0.5 * (most / _ELLIPTICITY) ** 2)
    e = _ELLIPTICITY * jnp.sqrt(-2.0 * jnp.log1p(-inside * jax.random.uniform(first)))
    return jnp.stack([(1.0 - e) / (1.0 + e), 180.0 * jax.random.uniform(second)])
