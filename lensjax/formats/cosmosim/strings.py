"""Names of lenses and sources in CosmoSim's files, and several of them in one cell.

    cluster         SIS/x/y/R_E;SIE/x/y/R_E/f/orientation;PointMass/x/y/R_E
    constellation   mode/x/y/sigma/sigma2/theta/n_sersic/luminosity;…    a Triangle's theta is its fifth field

Lengths are pixels, angles degrees, y points up. CosmoSim 3.3 moves a constellation's members down by y, and gives Sérsic ellipsoids
in it neither index nor luminosity; here they are what the fields say.
"""

import difflib
import math
from collections.abc import Callable, Iterable, Sequence

from lensjax.errors import BadInput
from lensjax.formats.cosmosim.table import _LARGEST, _shown, number
from lensjax.formats.scene import Light, Mass

MASSES = {"pm": "PM", "pointmass": "PM", "point mass": "PM", "sis": "SIS", "sie": "SIE"}
"""Kind of one lens, by its name in small letters."""

LIGHTS = {
    "spherical": "Spherical",
    "s": "Spherical",
    "ellipsoid": "Ellipsoid",
    "e": "Ellipsoid",
    "sersicsphere": "SersicSphere",
    "sersicellipsoid": "SersicEllipsoid",
    "triangle": "Triangle",
    "t": "Triangle",
    "image (einstein)": "Image",
    "image": "Image",
}
"""Kind of one source, by its name in small letters."""

ROUND = ("Spherical", "SersicSphere")
"""Sources with one size and no direction."""

_LENS_NAMES = ("SIS", "SIE", "PointMass")
_SOURCE_NAMES = ("Spherical", "Ellipsoid", "SersicSphere", "SersicEllipsoid", "Triangle", "Image (Einstein)")
_LUMINOSITY = {"SersicEllipsoid": 20.0, "Ellipsoid": 20.0}
_FIELDS = ("x", "y", "sigma", "sigma2", "theta", "n_sersic", "luminosity")
_NEEDED = {"Spherical": 3, "SersicSphere": 3, "Ellipsoid": 5, "SersicEllipsoid": 5, "Triangle": 4, "Image": 2}

Range = tuple[Callable[[float], bool], str]
"""Whether a finite number is allowed, and in words what is."""

LENGTH: Range = (lambda v: 0.0 < v <= _LARGEST, f"a length above 0 and up to {_LARGEST:g} px")
PLACE: Range = (lambda v: abs(v) <= _LARGEST, f"a place within ±{_LARGEST:g} px")
RATIO: Range = (lambda v: 0.0 < v <= 1.0, "a ratio above 0 and up to 1")
ANGLE: Range = (lambda v: abs(v) <= 1e6, "an angle within ±1000000 degrees")
SERSIC: Range = (lambda v: 0.1 <= v <= 20.0, "an index 0.1…20")
BRIGHTNESS: Range = (lambda v: 0.0 < v <= 1e9, "a luminosity above 0 and up to 1e+09")

RANGES: dict[str, Range] = {
    "x": PLACE,
    "y": PLACE,
    "einsteinradius": LENGTH,
    "ellipseratio": RATIO,
    "orientation": ANGLE,
    "sigma": LENGTH,
    "sigma2": LENGTH,
    "theta": ANGLE,
    "n_sersic": SERSIC,
    "luminosity": BRIGHTNESS,
    "phi": ANGLE,
}
"""What is allowed, by column."""


def nearest(word: str, known: Iterable[str]) -> str:
    """ "; did you mean …?" with the known name that is most like a word; nothing where none is."""
    word = word.strip().lower()[:60]
    names = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word, names, cutoff=0.5)
    swapped = [name for name in found if sorted(name) == sorted(word)]
    return f"; did you mean {names[(swapped + found)[0]]}?" if found else ""


def light_name(kind: str) -> str:
    """CosmoSim's name of a kind of source."""
    return "Image (Einstein)" if kind == "Image" else kind


def finite(text: str) -> float:
    """The number that a text is; NaN where it is none, or not finite."""
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def luminosity_of(kind: str) -> float:
    """CosmoSim's luminosity of a source whose file has none."""
    return _LUMINOSITY.get(kind, 10.0)


def shaped(kind: str, x: float, y: float, size: Sequence[float], n_sersic: float, luminosity: float) -> Light:
    """A source of a kind, with no more of its shape (sigma, sigma2, theta) than the kind has."""
    sigma, sigma2, theta = size
    if kind == "Image":
        sigma = sigma2 = theta = 0.0
    elif kind in ROUND:
        sigma2, theta = sigma, 0.0
    elif kind == "Triangle":
        sigma2 = sigma
    return Light(kind, x, y, sigma, sigma2, theta, n_sersic, luminosity)


def cluster(text: str, *, where: str = "cluster") -> tuple[Mass, ...]:
    """The lenses of a cluster.

    Args:
        text: the string.
        where: what it is called in messages, such as "data.csv: line 7, column cluster".

    Raises:
        BadInput: an unknown lens, too few or too many numbers, or a number that is out of range.
    """
    return tuple(_mass(member) for member in _members(text, where))


def constellation(text: str, *, where: str = "source") -> tuple[Light, ...]:
    """The sources of a constellation, about its place.

    Trailing fields that a source has no use for may be left out.

    Args:
        text: the string.
        where: what it is called in messages, such as "data.csv: line 7, column source".

    Raises:
        BadInput: an unknown source, too few or too many numbers, or a number that is out of range.
    """
    return tuple(_light(member) for member in _members(text, where))


def cluster_text(masses: Iterable[Mass]) -> str:
    """The string of a cluster."""
    return ";".join(_mass_text(mass) for mass in masses)


def constellation_text(lights: Iterable[Light]) -> str:
    """The string of a constellation."""
    return ";".join(_light_text(light) for light in lights)


class _Member:
    """One member's fields, and what they are called in messages."""

    def __init__(self, text: str, where: str, place: int, begin: int):
        self.fields = text.split("/")
        self.where = where
        self.place = place
        lengths = [len(field) + 1 for field in self.fields]
        self.begins = [begin + sum(lengths[:k]) for k in range(len(lengths))]

    def refusal(self, field: int, what: str) -> BadInput:
        return BadInput(f"{self.where}: member {self.place}, character {self.begins[field] + 1}: {what}")

    def kind(self, names: dict[str, str], known: Sequence[str]) -> str:
        word = self.fields[0].strip()
        if word.lower() not in names:
            shown = f"the kind is {_shown(word)}" if word else "the kind is empty"
            raise self.refusal(0, f"{shown}; {', '.join(known)} are allowed{nearest(word, known)}")
        return names[word.lower()]

    def check_count(self, least: int, most: int, wanted: str) -> None:
        found = len(self.fields) - 1
        if not least <= found <= most:
            raise self.refusal(0, f"{found} numbers after {_shown(self.fields[0].strip())}; {wanted} is allowed")

    def number(self, field: int, name: str) -> float:
        allowed, words = RANGES[name]
        text = self.fields[field].strip()
        value = finite(text)
        if math.isnan(value):
            raise self.refusal(field, f"{name} is {_shown(text) if text else 'empty'}; a finite number is allowed")
        if not allowed(value):
            raise self.refusal(field, f"{name} is {_shown(text)}; {words} is allowed")
        return value


def _members(text: str, where: str) -> list[_Member]:
    parts = text.split(";")
    begin, found = 0, []
    for k, part in enumerate(parts):
        found.append(_Member(part, where, k + 1, begin))
        begin += len(part) + 1
    return found


def _mass(member: _Member) -> Mass:
    kind = member.kind(MASSES, _LENS_NAMES)
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
    kind = member.kind(LIGHTS, _SOURCE_NAMES)
    wanted = "Triangle/x/y/sigma/theta" if kind == "Triangle" else f"{light_name(kind)}/{'/'.join(_FIELDS)}"
    member.check_count(_NEEDED[kind], len(_FIELDS), wanted)
    names = ("x", "y", "sigma", "theta") if kind == "Triangle" else _FIELDS
    unused = {"Image": _FIELDS[2:], "Spherical": _FIELDS[3:], "SersicSphere": ("sigma2", "theta"), "Ellipsoid": _FIELDS[5:]}
    values = {"sigma": 0.0, "sigma2": 0.0, "theta": 0.0, "n_sersic": 4.0, "luminosity": luminosity_of(kind)}
    for k, name in enumerate(names[: len(member.fields) - 1], start=1):
        if name not in unused.get(kind, ()):
            values[name] = member.number(k, name)
        elif name in ("n_sersic", "luminosity"):
            text = finite(member.fields[k])
            values[name] = text if RANGES[name][0](text) else values[name]
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
