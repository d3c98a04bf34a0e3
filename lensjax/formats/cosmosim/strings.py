"""Several lenses or sources in one cell of CosmoSim's files.

    cluster         SIS/x/y/R_E;SIE/x/y/R_E/f/orientation;PointMass/x/y/R_E
    constellation   mode/x/y/sigma/sigma2/theta/n_sersic/luminosity;…    a Triangle's theta is its fifth field

Lengths are pixels, angles degrees, y points up. CosmoSim 3.3 moves a constellation's members down by y, and gives Sérsic ellipsoids
in it neither index nor luminosity; here they are what the fields say.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from lensjax._internal.numbers import finite
from lensjax._internal.numbers import shortest as number
from lensjax._internal.words import did_you_mean, one_of, shown
from lensjax.errors import BadInput
from lensjax.formats.cosmosim.names import LIGHTS, MASSES, ROUND, SOURCES, light_name, luminosity_of
from lensjax.formats.cosmosim.ranges import RANGES
from lensjax.formats.scene import Light, Mass

_MEMBERS = ("SIS", "SIE", "PointMass")
_FIELDS = ("x", "y", "sigma", "sigma2", "theta", "n_sersic", "luminosity")
_NEEDED = {"Spherical": 3, "SersicSphere": 3, "Ellipsoid": 5, "SersicEllipsoid": 5, "Triangle": 4, "Image": 2}


def shaped(kind: str, x: float, y: float, size: Sequence[float], n_sersic: float, luminosity: float) -> Light:
    """A source of a kind, with the parts of the shape (sigma, sigma2, theta) that the kind has."""
    sigma, sigma2, theta = size
    if kind == "Image":
        sigma = sigma2 = theta = 0.0
    elif kind in ROUND:
        sigma2, theta = sigma, 0.0
    elif kind == "Triangle":
        sigma2 = sigma
    return Light(kind, x, y, sigma, sigma2, theta, n_sersic, luminosity)


def cluster(text: str) -> tuple[Mass, ...]:
    """The lenses of a cluster.

    Raises:
        BadInput: an unknown lens, too few or too many numbers, or a number that is out of range. Its `place` says which member and
            which character of the string.
    """
    return tuple(_mass(member) for member in _members(text))


def constellation(text: str) -> tuple[Light, ...]:
    """The sources of a constellation, about its place.

    Trailing fields that a source does not use may be missing.

    Raises:
        BadInput: an unknown source, too few or too many numbers, or a number that is out of range. Its `place` says which member and
            which character of the string.
    """
    return tuple(_light(member) for member in _members(text))


def cluster_text(masses: Iterable[Mass]) -> str:
    """The string of a cluster."""
    return ";".join(_mass_text(mass) for mass in masses)


def constellation_text(lights: Iterable[Light]) -> str:
    """The string of a constellation."""
    return ";".join(_light_text(light) for light in lights)


class _Member:
    """One member's fields, and their places in the string."""

    def __init__(self, text: str, place: int, begin: int):
        self.fields = text.split("/")
        self.place = place
        lengths = [len(field) + 1 for field in self.fields]
        self.begins = [begin + sum(lengths[:k]) for k in range(len(lengths))]

    def error(self, field: int, name: str, expected: str, *, problem: str = "", hint: str = "") -> BadInput:
        value = self.fields[field].strip()
        what = problem or f"{name} is {shown(value) if value else 'empty'}"
        place = f"member {self.place}, character {self.begins[field] + 1}"
        return BadInput(what, place=place, value=value, expected=expected, hint=hint)

    def kind(self, names: Mapping[str, str], known: Sequence[str]) -> str:
        word = self.fields[0].strip()
        if word.lower() not in names:
            raise self.error(0, "the kind", one_of(known), hint=did_you_mean(word, known))
        return names[word.lower()]

    def check_count(self, least: int, most: int, expected: str) -> None:
        count = len(self.fields) - 1
        if not least <= count <= most:
            raise self.error(0, "", expected, problem=f"{count} numbers after {shown(self.fields[0].strip())}")

    def number(self, field: int, name: str) -> float:
        value = finite(self.fields[field])
        if math.isnan(value):
            raise self.error(field, name, "a finite number")
        if not RANGES[name].contains(value):
            raise self.error(field, name, RANGES[name].expected)
        return value


def _members(text: str) -> list[_Member]:
    begin, members = 0, []
    for k, part in enumerate(text.split(";")):
        members.append(_Member(part, k + 1, begin))
        begin += len(part) + 1
    return members


def _mass(member: _Member) -> Mass:
    kind = member.kind(MASSES, _MEMBERS)
    if kind == "SIE":
        member.check_count(5, 5, "SIE/x/y/R_E/f/orientation")
    else:
        member.check_count(3, 3, f"{member.fields[0].strip()}/x/y/R_E")
    x, y = member.number(1, "x"), member.number(2, "y")
    radius = member.number(3, "einsteinradius")
    if kind != "SIE":
        return Mass(kind, radius, x=x, y=y)
    return Mass(kind, radius, member.number(4, "ellipseratio"), member.number(5, "orientation"), x, y)


def _light(member: _Member) -> Light:
    kind = member.kind(LIGHTS, SOURCES)
    expected = "Triangle/x/y/sigma/theta" if kind == "Triangle" else f"{light_name(kind)}/{'/'.join(_FIELDS)}"
    member.check_count(_NEEDED[kind], len(_FIELDS), expected)
    names = ("x", "y", "sigma", "theta") if kind == "Triangle" else _FIELDS
    unused = {"Image": _FIELDS[2:], "Spherical": _FIELDS[3:], "SersicSphere": ("sigma2", "theta"), "Ellipsoid": _FIELDS[5:]}
    values = {"sigma": 0.0, "sigma2": 0.0, "theta": 0.0, "n_sersic": 4.0, "luminosity": luminosity_of(kind)}
    for k, name in enumerate(names[: len(member.fields) - 1], start=1):
        if name not in unused.get(kind, ()):
            values[name] = member.number(k, name)
        elif name in ("n_sersic", "luminosity"):
            value = finite(member.fields[k])
            values[name] = value if RANGES[name].contains(value) else values[name]
    shape = (values["sigma"], values["sigma2"], values["theta"])
    return shaped(kind, values["x"], values["y"], shape, values["n_sersic"], values["luminosity"])


def _mass_text(mass: Mass) -> str:
    fields = [mass.x, mass.y, mass.einsteinradius]
    if mass.kind == "SIE":
        fields += [mass.ellipseratio, mass.orientation]
    return "/".join(["PointMass" if mass.kind == "PM" else mass.kind, *map(number, fields)])


def _light_text(light: Light) -> str:
    fields = [light.x, light.y]
    if light.kind == "Triangle":
        fields += [light.sigma, light.theta]
    elif light.kind != "Image":
        fields += [light.sigma, light.sigma2, light.theta, light.n_sersic, light.luminosity]
    return "/".join([light_name(light.kind), *map(number, fields)])
