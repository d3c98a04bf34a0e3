"""Images of lens galaxies as telescopes take them, on which networks train: 128×128 px of 0.05″, with the lens's own light.

The mass is an SIE with external shear, the source a Sérsic profile behind it, the lens's light another one about as the mass. The PSF is
Gaussian, of FWHM 0.09″ to 0.18″. The noise is that of photons and of the sky, whose rms in a pixel is one grey level; arcs have a total
signal to noise of about 30 to 1000. The image is about the lens's light. Networks see arsinh of it in units of that rms, so that faint arcs
count beside a bright galaxy, and beside it the same of the image less the image turned by 180°, in which the galaxy cancels. There is light
that no parameter tells: a part of the galaxy that is not centred, and up to two companions.
"""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.problems import components
from lensjax.problems.compose import Composition, compose
from lensjax.problems.galaxy import UNIT
from lensjax.problems.images import ComposedProblem

SIZE, PIXEL = 128, 0.05
"""Pixels on a side of an image, and the side of a pixel [arcsec]."""

THETA_E = (0.5, 2.2)
"""Einstein radii [arcsec]."""

_REACH, _SOURCE_REACH, _FLATTEST, _MOST_SHEAR = 0.2, 1.5, 0.3, 0.2
_RADIUS, _INDEX = (0.04, 0.5), (0.5, 4.0)  # of the source
_LIGHT_RADIUS, _LIGHT_INDEX = (0.2, 3.5), (1.0, 6.0)
_PLACE, _ELLIPTICITY, _SHEAR = 0.03, 0.15, 0.05  # standard deviations: of the mass's place about the light, of its (e1, e2), of the shear
_LIGHT_PLACE, _LIGHT_ELLIPTICITY = 0.01, 0.08  # of the light about the image's middle, and of its (e1, e2) about the mass's
_LIGHT_SIZE = (0.4, 1.6)  # of the light's half-light radius over theta_E
_BEHIND = 0.5  # how far the source lies from the lens, in Einstein radii, at most
_SIGNAL, _PER_SIGNAL = (30.0, 1000.0), 0.1  # of arcs, and the flux over the radius that has a signal to noise of 1
_BRIGHT = (60.0, 6000.0)  # flux of the lens's light over its squared radius
_PART, _PART_RADIUS, _PART_BRIGHT = 0.03, (0.05, 2.0), (5.0, 1500.0)  # of a part of the galaxy: its place about the middle, and as above
_COMPANIONS, _SHARE, _APART, _COMPANION_RADIUS = 2, 0.5, (0.8, 3.2), (0.03, 0.4)  # how many at most, each in this share of the images
_COMPANION_SIGNAL = (3.0, 500.0)


@cache
def galaxy() -> Composition:
    """A lens galaxy and a source; lengths are arcseconds, fluxes are in units of the sky's rms in a pixel times arcsec²."""
    shape: dict[str, Any] = {"unit": UNIT, "q": _FLATTEST}
    parts = [
        components.sie(theta_e=THETA_E, reach=_REACH, **shape),
        components.shear(most=_MOST_SHEAR),
        components.sersic(radius=_RADIUS, index=_INDEX, reach=_SOURCE_REACH, flux=_ends(_SIGNAL, _RADIUS, 1, _PER_SIGNAL), **shape),
        components.sersic(
            role="lens light", prefix="light_", radius=_LIGHT_RADIUS, index=_LIGHT_INDEX, reach=_REACH,
            flux=_ends(_BRIGHT, _LIGHT_RADIUS, 2, 1.0), **shape,
        ),
    ]  # fmt: skip
    uniform = compose("galaxy", parts)

    def prior(key: Array) -> Array:
        keys = jax.random.split(key, 9)
        at = dict(zip(uniform.names, uniform.draw(keys[0]), strict=True))
        at["theta_E"] = _log(keys[1], *THETA_E)
        e, lit = _ELLIPTICITY * jax.random.normal(keys[2], (2,)), _LIGHT_ELLIPTICITY * jax.random.normal(keys[3], (2,))
        at["q"], at["phi"] = _shape(e)
        at["light_q"], at["light_phi"] = _shape(e + lit)
        at["gamma1"], at["gamma2"] = _MOST_SHEAR * jnp.tanh(_SHEAR / _MOST_SHEAR * jax.random.normal(keys[4], (2,)))
        lit_place = _LIGHT_PLACE * jax.random.normal(keys[6], (2,))
        place = jnp.clip(lit_place + _PLACE * jax.random.normal(keys[5], (2,)), -_REACH, _REACH)
        at["x"], at["y"] = place
        at["light_x"], at["light_y"] = jnp.clip(lit_place, -_REACH, _REACH)
        away, angle, size = jax.random.uniform(keys[7], (3,))
        away, angle = _BEHIND * at["theta_E"] * jnp.sqrt(away), 2.0 * jnp.pi * angle
        at["source_x"], at["source_y"] = place[0] + away * jnp.cos(angle), place[1] + away * jnp.sin(angle)
        at["light_R"] = jnp.clip(at["theta_E"] * (_LIGHT_SIZE[0] + size * (_LIGHT_SIZE[1] - _LIGHT_SIZE[0])), *_LIGHT_RADIUS)
        signal_key, bright_key, radius_key = jax.random.split(keys[8], 3)
        at["source_R"] = _log(radius_key, *_RADIUS)
        at["source_flux"] = _PER_SIGNAL * at["source_R"] * _log(signal_key, *_SIGNAL)
        at["light_flux"] = at["light_R"] ** 2 * _log(bright_key, *_BRIGHT)
        return jnp.stack([at[name] for name in uniform.names])

    return compose("galaxy", parts, prior=prior)


@cache
def clutter() -> Composition:
    """Light in the field that is not lensed: a part of the galaxy, and companions."""
    names = ["part_", *(f"companion{k}_" for k in range(1, _COMPANIONS + 1))]
    parts = [components.sersic(role="lens light", prefix=name, unit=UNIT, q=_FLATTEST, reach=4.0, radius=(0.01, 4.0)) for name in names]
    uniform = compose("clutter", parts)

    def prior(key: Array) -> Array:
        own, others, chances = jax.random.split(key, 3)
        at = dict(zip(uniform.names, uniform.draw(own), strict=True))
        place_key, radius_key, bright_key, *keys = jax.random.split(others, 3 + _COMPANIONS)
        at["part_x"], at["part_y"] = _PART * jax.random.normal(place_key, (2,))
        at["part_R"] = _log(radius_key, *_PART_RADIUS)
        at["part_flux"] = at["part_R"] ** 2 * _log(bright_key, *_PART_BRIGHT)
        there = jnp.where(jax.random.uniform(chances, (_COMPANIONS,)) < _SHARE, 1.0, 0.0)
        for k, (name, each) in enumerate(zip(names[1:], keys, strict=True)):
            away_key, angle_key, size_key, flux_key = jax.random.split(each, 4)
            away = jax.random.uniform(away_key, minval=_APART[0], maxval=_APART[1])
            angle = jax.random.uniform(angle_key, maxval=2.0 * jnp.pi)
            at[f"{name}x"], at[f"{name}y"] = away * jnp.cos(angle), away * jnp.sin(angle)
            at[f"{name}R"] = _log(size_key, *_COMPANION_RADIUS)
            at[f"{name}flux"] = there[k] * _PER_SIGNAL * at[f"{name}R"] * _log(flux_key, *_COMPANION_SIGNAL)
        return jnp.stack([at[name] for name in uniform.names])

    return compose("clutter", parts, prior=prior)


def imaged(problem: Composition) -> ComposedProblem:
    """The problem with its images."""
    return ComposedProblem(
        model=problem, field=SIZE, image_size=SIZE, pixel=PIXEL, seeing=(1.8, 3.6), noise=(1.0, 1.0),
        exposure=(5.0, 30.0), clutter=clutter(), stretch=2.0, turned=True,
    )  # fmt: skip


def _ends(factor: tuple[float, float], radius: tuple[float, float], power: int, scale: float) -> tuple[float, float]:
    """The least and the largest of scale · factor · radius^power."""
    low, high = (scale * own * size**power for own, size in zip(factor, radius, strict=True))
    return low, high


def _log(key: Array, low: float, high: float) -> Array:
    """A number whose logarithm is uniform."""
    return jnp.exp(jax.random.uniform(key, minval=jnp.log(low), maxval=jnp.log(high)))


def _shape(e: Array) -> tuple[Array, Array]:
    """Axis ratio, `_FLATTEST` at least, and direction [deg] of an ellipticity (2,)."""
    most = (1.0 - _FLATTEST) / (1.0 + _FLATTEST)
    length = jnp.minimum(jnp.hypot(e[0], e[1]), most)
    return (1.0 - length) / (1.0 + length), jnp.degrees(0.5 * jnp.arctan2(e[1], e[0])) % 180.0
