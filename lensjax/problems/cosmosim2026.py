"""The three sets that the CosmoSim group trained on in July 2026: an SIE, two SIEs, four SISs, each with a round Sérsic source.

Images are 512 px, centred on their light and cropped to 256 px. The lens's place in the image is unknown and fitted. Lengths are pixels,
y up. phi is the direction of the mass's long axis: CosmoSim's `orientation` is phi − 90°. Flux is in grey levels times px², a thousand
times CosmoSim's luminosity.
"""

from dataclasses import replace
from functools import cache, partial

import jax
import jax.numpy as jnp
from jax import Array

from lensjax.conventions import GREY_LEVELS
from lensjax.lens import SIE, SIS, Lens, cluster
from lensjax.observation.centre import centroid
from lensjax.observation.instrument import instrument
from lensjax.problems.components import Component, origin, sersic, sie, sis
from lensjax.problems.compose import Composition, compose
from lensjax.problems.images import ComposedProblem

SIZE = 256
"""Pixels on a side of an image."""

CANVAS = 512
"""Pixels on a side of the canvas whose light is centred, before it is cropped."""

_REACH = 150.0  # px from the image's middle to a lens, or to the source
_STEP = 2  # px of the canvas between points at which its light is taken
_MEMBERS = 1.2  # Einstein radii from the origin to a member of a cluster at most
_STARTS = 10.0  # px from the origin at which CosmoSim begins to look for a cluster's critical curve
_SETTLED = 0.02  # px between its steps at the end
_ROUNDS = 200


def _source(sigma: tuple[float, float], luminosity: tuple[float, float]) -> Component:
    flux = (1e3 * luminosity[0], 1e3 * luminosity[1])
    return sersic(radius=sigma, index=(0.8, 7.0), reach=_REACH, q=None, flux=flux)


@cache
def sie2026() -> Composition:
    """An SIE: θ_E 2.5…75 px, axis ratio 0.1…0.9; sigma 1…5 px."""
    parts = [sie(theta_e=(2.5, 75.0), reach=_REACH, q=0.1), _source((1.0, 5.0), (10.0, 20.0))]

    def prior(key: Array) -> Array:
        return _centred(sie2026(), _drawn(key, members=1, theta_e=(2.5, 75.0), shaped=True, reach=1.2, source=((1.0, 5.0), (10.0, 20.0))))

    return compose("sie2026", parts, prior=prior)


@cache
def cluster2sie2026() -> Composition:
    """Two SIEs: θ_E 3…75 px; sigma 5…50 px."""
    members = [sie(prefix=f"lens{k}_", theta_e=(3.0, 75.0), reach=_REACH, q=0.1) for k in (1, 2)]

    def prior(key: Array) -> Array:
        return _centred(cluster2sie2026(), CLUSTERS["cluster2sie2026"](key))

    return compose("cluster2sie2026", [*members, _source((5.0, 50.0), (20.0, 80.0))], exchangeable=((0, 1),), prior=prior)


@cache
def cluster4sis2026() -> Composition:
    """Four SISs: θ_E 20…75 px; sigma 1…4 px."""
    members = [sis(prefix=f"lens{k}_", theta_e=(20.0, 75.0), reach=_REACH) for k in (1, 2, 3, 4)]

    def prior(key: Array) -> Array:
        return _centred(cluster4sis2026(), CLUSTERS["cluster4sis2026"](key))

    return compose("cluster4sis2026", [*members, _source((1.0, 4.0), (20.0, 100.0))], exchangeable=((0, 1, 2, 3),), prior=prior)


@cache
def labelled(problem: Composition) -> Composition:
    """The problem of a cluster with the origin of CosmoSim's coordinates as its last lens, without mass.

    CosmoSim's labels of a cluster are amplitudes about this origin, as though all members stood there. No image shows where it is.
    """
    members = [k for k, part in enumerate(problem.components) if part.role == "lens"]
    place, count = len(members), sum(len(problem.components[k].parameters) for k in members)

    def prior(key: Array) -> Array:
        system = CLUSTERS[problem.name](key)
        return _centred(labelled(problem), jnp.concatenate([system[:count], jnp.zeros(2), system[count:]]))

    parts = (*problem.components[:place], origin(reach=_REACH), *problem.components[place:])
    return replace(problem, components=parts, prior=prior)


def imaged(problem: Composition) -> ComposedProblem:
    """The problem with the group's images: 256 px, whole grey levels."""
    return ComposedProblem(model=problem, field=SIZE, image_size=SIZE, rounded=True)


def _drawn(
    key: Array, *, members: int, theta_e: tuple[float, float], shaped: bool, reach: float, source: tuple[tuple[float, float], ...]
) -> Array:
    """Parameters (P,) of one system as CosmoSim draws them, about the origin and not yet centred.

    Args:
        key: of the draw.
        members: lenses; one stands at the origin, several up to 1.2 Einstein radii from it.
        theta_e: smallest and largest Einstein radius.
        shaped: whether lenses have an axis ratio and a direction.
        reach: largest distance of the source, in Einstein radii of the one lens, or in units of `critical_distance` of several.
        source: ranges of sigma and luminosity.
    """
    lens_key, place_key, shape_key, source_key = jax.random.split(key, 4)
    radii = jax.random.uniform(lens_key, (members,), minval=theta_e[0], maxval=theta_e[1])
    far, turn = jax.random.uniform(place_key, (2, members))
    far = jnp.where(members > 1, _MEMBERS * radii * far, 0.0)
    columns = [far * jnp.cos(2.0 * jnp.pi * turn), far * jnp.sin(2.0 * jnp.pi * turn), radii]
    if shaped:
        ratio, angle = jax.random.uniform(shape_key, (2, members))
        columns += [0.1 + 0.8 * ratio, 180.0 * angle]
    along, direction, size, index, bright = jax.random.uniform(source_key, (5,))
    phi = 2.0 * jnp.pi * direction
    lens = cluster([(_member(each, shaped=shaped), each[0], each[1]) for each in jnp.stack(columns, axis=-1)])
    most = reach * (radii[0] if members == 1 else critical_distance(lens, jnp.rad2deg(phi)))
    distance = 1.0 + (most - 1.0) * along
    (least_size, most_size), (dimmest, brightest) = source
    light = [
        distance * jnp.cos(phi), distance * jnp.sin(phi), least_size + (most_size - least_size) * size, 1.0 + 4.0 * index,
        1e3 * (dimmest + (brightest - dimmest) * bright),
    ]  # fmt: skip
    return jnp.concatenate([jnp.stack(columns, axis=-1).reshape(-1), jnp.stack(light)])


CLUSTERS = {
    "cluster2sie2026": partial(_drawn, members=2, theta_e=(3.0, 75.0), shaped=True, reach=1.2, source=((5.0, 50.0), (20.0, 80.0))),
    "cluster4sis2026": partial(_drawn, members=4, theta_e=(20.0, 75.0), shaped=False, reach=0.4, source=((1.0, 4.0), (20.0, 100.0))),
}
"""Draws of the clusters' systems, by problem."""


def _member(columns: Array, *, shaped: bool) -> SIE | SIS:
    """A lens of x, y, θ_E and, where it is shaped, axis ratio and direction of the long axis [deg]."""
    return SIE(columns[2], columns[3], jnp.deg2rad(columns[4]) - 0.5 * jnp.pi) if shaped else SIS(columns[2])


def critical_distance(lens: Lens, angle: Array) -> Array:
    """The distance [px] that CosmoSim 3.3 takes for that of a cluster's critical curve in a direction.

    It follows r → |α(r)| from 10 px until r no longer shrinks by 0.02 px, thus mostly takes |α| at 10 px; and its direction is an angle
    in degrees, read as radians. So are its sets of July 2026.
    """

    def deflected(r: Array) -> Array:
        ax, ay = lens.deflection(r * jnp.cos(angle), r * jnp.sin(angle))
        return jnp.sqrt(ax * ax + ay * ay)

    def shrinks(state: tuple[Array, Array, Array]) -> Array:
        before, now, count = state
        return (before - now >= _SETTLED) & (count < _ROUNDS)

    start = jnp.asarray(_STARTS, angle.dtype)
    first = (start, deflected(start), jnp.ones((), jnp.int32))
    _, found, _ = jax.lax.while_loop(shrinks, lambda state: (state[1], deflected(state[1]), state[2] + 1), first)
    return jnp.asarray(found)


def _centred(problem: Composition, params: Array) -> Array:
    """The system (P,), moved so that the centre of light of its canvas is the origin."""
    canvas = instrument((CANVAS // _STEP, CANVAS // _STEP), pixel_scale=_STEP)
    x, y = canvas.points(dtype=params.dtype)
    light = jnp.clip(problem.image(params, canvas), 0.0, GREY_LEVELS)
    middle = centroid(light, x, y)
    for indices in problem.all_places:
        for k, along in zip(indices, middle, strict=True):
            params = params.at[k].add(-along)
    return params
