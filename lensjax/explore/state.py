"""The scene of the page: what the controls say, checked, as a `System`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np

from lensjax import light
from lensjax._internal.words import listed
from lensjax.errors import BadInput
from lensjax.lens import SIE, SIS, Lens, PointMass, cluster
from lensjax.lens.cluster import Group, padded
from lensjax.light.gaussian import elliptical, quadratic_form
from lensjax.light.sersic import half_light
from lensjax.simulate import System

FIELD = 400
"""Side of the image and of the source plane [px]; both have the lens plane's origin in the middle."""

MOST_MEMBERS = 32
"""Members of a cluster at most."""

LensKind = Literal["point mass", "SIS", "SIE"]
SourceKind = Literal["Gaussian", "Sérsic", "several Gaussians", "shapelets", "triangle", "picture"]
Method = Literal["exact", "roulette"]

_SHAPELETS = 3  # largest order
_WIDE = 3.0  # times sigma: the halo of the source of several Gaussians
_FAR = 1e4  # px
_BRIGHT = 0.1  # half-light radii, at which a Sérsic source has the brightest grey level


class Control(NamedTuple):
    """A number that a slider and a field set: name for people, unit, ends, and the slider's step."""

    label: str
    unit: str
    low: float
    high: float
    step: float


LENS = {
    "theta_e": Control("Einstein radius", "px", 0.0, 150.0, 1.0),
    "f": Control("Axis ratio f", "", 0.2, 1.0, 0.01),
    "orientation": Control("Orientation", "deg", 0.0, 180.0, 1.0),
    "x": Control("Lens x", "px", -200.0, 200.0, 1.0),
    "y": Control("Lens y", "px", -200.0, 200.0, 1.0),
}
SOURCE = {
    "x": Control("Source x", "px", -200.0, 200.0, 1.0),
    "y": Control("Source y", "px", -200.0, 200.0, 1.0),
    "sigma": Control("Size", "px", 1.0, 100.0, 0.5),
    "ratio": Control("Axis ratio", "", 0.1, 1.0, 0.01),
    "theta": Control("Direction", "deg", 0.0, 180.0, 1.0),
    "index": Control("Sérsic index n", "", 0.5, 6.0, 0.1),
    "halo": Control("Share of the halo", "", 0.0, 1.0, 0.01),
    "skew": Control("Asymmetry", "", 0.0, 1.0, 0.01),
}
TERMS = Control("Roulette terms", "", 1, 50, 1)
ANY_TERMS = 12
"""Orders up to which one compiled program renders roulettes of every order."""
ORDERS: tuple[int, ...] = (*range(1, ANY_TERMS + 1), 15, 20, 30, 50)
"""Orders on offer; each of those above `ANY_TERMS` is a program of its own."""

LENS_USES: dict[str, tuple[str, ...]] = {
    "point mass": ("theta_e", "x", "y"),
    "SIS": ("theta_e", "x", "y"),
    "SIE": ("theta_e", "f", "orientation", "x", "y"),
}
"""The numbers that each kind of lens has."""

SOURCE_USES: dict[str, tuple[str, ...]] = {
    "Gaussian": ("x", "y", "sigma", "ratio", "theta"),
    "Sérsic": ("x", "y", "sigma", "ratio", "theta", "index"),
    "several Gaussians": ("x", "y", "sigma", "ratio", "theta", "halo"),
    "shapelets": ("x", "y", "sigma", "theta", "skew"),
    "triangle": ("x", "y", "sigma", "theta"),
    "picture": ("x", "y", "sigma"),
}
"""The numbers that each kind of source has."""


@dataclass(frozen=True)
class Member:
    """One lens.

    Attributes:
        kind: its mass model.
        theta_e: Einstein radius [px].
        f: axis ratio of an SIE's critical curve.
        orientation: direction of an SIE's short axis of that curve [deg].
        x, y: its place [px].
    """

    kind: LensKind = "SIS"
    theta_e: float = 60.0
    f: float = 0.7
    orientation: float = 30.0
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True)
class Light:
    """The source.

    Attributes:
        kind: its profile.
        x, y: its place in the source plane [px].
        sigma: its size along `theta` [px]: a standard deviation, half-light radius, scale, distance of a triangle's corners, or half the
            longer side of a picture.
        ratio: size across `theta` over `sigma`.
        theta: direction [deg].
        index: Sérsic index.
        halo: share of the light at the centre that the wider of several Gaussians has.
        skew: how far shapelets are from a Gaussian.
        picture: (h, w) or (h, w, 3) levels 0…1 of a picture.
    """

    kind: SourceKind = "Gaussian"
    x: float = 25.0
    y: float = 12.0
    sigma: float = 12.0
    ratio: float = 0.6
    theta: float = 40.0
    index: float = 1.0
    halo: float = 0.4
    skew: float = 0.5
    picture: np.ndarray | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Scene:
    """What tab "Explore" shows.

    Attributes:
        members: the lenses, one or more.
        source: the source.
        method: how the large image is rendered.
        terms: order of the roulette.
    """

    members: tuple[Member, ...] = (Member(),)
    source: Light = Light()  # noqa: RUF009 (frozen)
    method: Method = "exact"
    terms: int = 10


def order_near(value: float) -> int:
    """The order on offer that is nearest."""
    distances = [abs(order - value) for order in ORDERS]
    return ORDERS[distances.index(min(distances))]


def check(scene: Scene) -> Scene:
    """The scene, where all of it can be rendered.

    Raises:
        BadInput: a number that is not finite or out of range, an unknown kind, too many members, or a picture that is missing.
    """
    if not 1 <= len(scene.members) <= MOST_MEMBERS:
        raise BadInput(column="lenses", value=len(scene.members), expected=f"1 to {MOST_MEMBERS}")
    for member in scene.members:
        _check_kind("lens", member.kind, get_args(LensKind))
        _check_numbers(member, LENS)
    _check_kind("source", scene.source.kind, get_args(SourceKind))
    _check_kind("method", scene.method, get_args(Method))
    _check_numbers(scene.source, SOURCE)
    _check_number(TERMS, scene.terms)
    if int(scene.terms) != scene.terms:
        raise BadInput(column=TERMS.label, value=scene.terms, expected="a whole number")
    if scene.source.kind == "picture" and scene.source.picture is None:
        raise BadInput("no picture yet", column="source", expected="a picture file", hint="choose one below the list of sources")
    return scene


def _check_kind(column: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BadInput(column=column, value=value, expected=f"one of {listed(known)}")


def _check_numbers(part: Member | Light, controls: Mapping[str, Control]) -> None:
    for own in fields(part):
        if own.name in controls:
            _check_number(controls[own.name], getattr(part, own.name))


def _check_number(control: Control, value: object) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not control.low <= float(value) <= control.high:  # type: ignore[arg-type]
        unit = f" {control.unit}" if control.unit else ""
        raise BadInput(column=control.label, value=value, expected=f"a number from {control.low:g} to {control.high:g}{unit}")


def system_of(scene: Scene) -> System:
    """The system of a scene, float32, its light 1 for the brightest grey level.

    Scenes of one kind of source, and of one lens of a kind or a number of members up to the same power of two, have one structure, so
    that they share compiled programs.

    Raises:
        BadInput: as in `check`.
    """
    check(scene)
    numbers = lens_of(scene), source_of(scene.source), scene.source.x, scene.source.y
    return System(*jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), numbers))


def lens_of(scene: Scene) -> Lens:
    """The lens: one of its kind where it stands at the origin, else a sum."""
    first = scene.members[0]
    if len(scene.members) == 1 and first.x == first.y == 0.0:
        return _mass(first)
    whole = padded(cluster([(_mass(member), member.x, member.y) for member in scene.members]), least=1)
    return replace(whole, groups=tuple(_without_mass_far(group) for group in whole.groups))


def _without_mass_far(group: Group) -> Group:
    """The group, its members without mass far away, where they limit no roulette's region."""
    assert isinstance(group.lens, SIE | PointMass)
    massive = np.asarray(group.lens.theta_e) > 0
    x, y = (jnp.asarray(np.where(massive, places, _FAR)) for places in (group.x, group.y))
    return replace(group, x=x, y=y)


def _mass(member: Member) -> Lens:
    theta_e, f, orientation = (jnp.float32(n) for n in (member.theta_e, member.f, math.radians(member.orientation)))
    if member.kind == "SIE":
        return SIE(theta_e, f, orientation)
    return PointMass(theta_e) if member.kind == "point mass" else SIS(theta_e)


def source_of(source: Light) -> light.Source:
    """The light about its own centre."""
    sigma, across, theta = (jnp.float32(n) for n in (source.sigma, source.sigma * source.ratio, math.radians(source.theta)))
    if source.kind == "Gaussian":
        return elliptical(sigma, across, theta)
    if source.kind == "Sérsic":
        n = jnp.float32(source.index)
        b = half_light(n)
        return light.Sersic(*quadratic_form(sigma, across, theta), n=n, b=b, peak=jnp.exp(b * (_BRIGHT ** (1.0 / n) - 1.0)))
    if source.kind == "several Gaussians":
        widths = np.array([1.0, _WIDE]) * source.sigma * math.sqrt(source.ratio)
        flux = 2.0 * np.pi * widths**2 * np.array([1.0 - source.halo, source.halo])
        unit = quadratic_form(jnp.float32(source.ratio**-0.5), jnp.float32(source.ratio**0.5), theta)
        return light.MultiGaussian(*unit, widths=jnp.float32(widths), amplitudes=jnp.float32(flux))
    if source.kind == "shapelets":
        return _shapelets(source)
    if source.kind == "triangle":
        return light.Triangle(sigma, theta)
    assert source.picture is not None
    return light.Picture(jnp.float32(source.picture), jnp.float32(2.0 * source.sigma / max(source.picture.shape[:2])))


def _shapelets(source: Light) -> light.Shapelets:
    """A Gaussian with odd shapelets along and across `theta`, its brightest point 1."""
    turn, size = math.radians(source.theta), source.skew
    wanted = {(0, 0): 1.0, (1, 0): size * math.cos(turn), (0, 1): size * math.sin(turn)}
    wanted |= {(2, 1): 0.7 * size * math.cos(2.0 * turn), (1, 2): 0.7 * size * math.sin(2.0 * turn)}
    weights = np.array([wanted.get(order, 0.0) for order in light.shapelets.orders(_SHAPELETS)])
    one = light.Shapelets(jnp.float32(source.sigma), jnp.float32(weights), _SHAPELETS)
    along = jnp.linspace(-3.0, 3.0, 41, dtype=jnp.float32) * source.sigma
    brightest = one.light(along[None, :], along[:, None]).max()
    return replace(one, amplitudes=one.amplitudes / brightest)
