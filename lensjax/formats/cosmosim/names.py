"""Names of lenses, sources and models in CosmoSim's files, today's and those of 2023."""

import re

from lensjax._internal.words import did_you_mean, one_of
from lensjax.errors import BadInput

LENSES = ("PM", "PointMass", "SIS", "SIE", "Cluster")
"""Names of lenses, for messages."""

SOURCES = ("Spherical", "Ellipsoid", "SersicSphere", "SersicEllipsoid", "Triangle", "Image (Einstein)")
"""Names of sources, for messages."""

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

ELLIPTICAL = ("Ellipsoid", "SersicEllipsoid")
"""Sources with two sizes and a direction."""

SERSIC = ("SersicSphere", "SersicEllipsoid")
"""Sources with a Sérsic profile."""

OF_PROFILE = {
    "sersic": {"Spherical": "SersicSphere", "Ellipsoid": "SersicEllipsoid"},
    "gaussian": {"SersicSphere": "Spherical", "SersicEllipsoid": "Ellipsoid"},
}
"""The kind that a kind of source becomes, by the profile of its light in small letters."""

MODELS = {"raytrace": "Raytrace", "roulette": "Roulette"}
"""Models by their names in small letters."""

YES, NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
"""Words for a switch, in small letters."""

OF_2023 = {
    "p": ("PM", "Raytrace", False),
    "r": ("PM", "Roulette", False),
    "s": ("SIS", "Roulette", False),
    "sr": ("SIS", "Roulette", False),
    "ss": ("SIS", "Roulette", True),
    "pss": ("SIS", "Raytrace", True),
    "fs": ("SIS", "Raytrace", False),
    "rs": ("SIS", "Roulette", False),
    "point mass (exact)": ("PM", "Raytrace", False),
    "point mass (roulettes)": ("PM", "Roulette", False),
    "sis (rotated)": ("SIS", "Roulette", False),
    "sis (roulettes)": ("SIS", "Roulette", False),
    "sampled sis": ("SIS", "Roulette", True),
    "puresampled sis": ("SIS", "Raytrace", True),
    "psifunctionsis": ("SIS", "Raytrace", False),
    "roulette sis": ("SIS", "Roulette", False),
    "roulette sis (new)": ("SIS", "Roulette", False),
}
"""Lens, model and whether it is sampled, by the names of 2023, in the column lens, config or model."""

_LENS_WORDS = {**MASSES, "cluster": "Cluster"}
_CONFIGS = ("raypm", "raysis", "raysie", "roulpm", "roulsis", "roulsie")
_CONFIG = re.compile(r"(ray|raytrace|roul|roulette)?[ _-]*(sampled|sam|s(?=pm|sis|sie|cluster))?[ _-]*(pm|pointmass|sis|sie|cluster)?")
_LUMINOSITY = {"SersicEllipsoid": 20.0, "Ellipsoid": 20.0}


def lens_kind(name: str) -> str | None:
    """The lens of a name, old names included; None where no lens has it."""
    word = name.strip().lower()
    return OF_2023[word][0] if word in OF_2023 else _LENS_WORDS.get(word)


def light_name(kind: str) -> str:
    """CosmoSim's name of a kind of source."""
    return "Image (Einstein)" if kind == "Image" else kind


def luminosity_of(kind: str) -> float:
    """CosmoSim's luminosity of a source whose file has none."""
    return _LUMINOSITY.get(kind, 10.0)


def config(text: str) -> tuple[str, str, bool]:
    """Lens, model ("" where the word has none), and whether the lens is sampled, of an old `config` such as "raysie" or "roulsis".

    Raises:
        BadInput: an unknown word.
    """
    word = text.strip().lower()
    if word in OF_2023:
        return OF_2023[word]
    match = _CONFIG.fullmatch(word)
    if match is None or not word:
        raise BadInput(value=text, expected=one_of(_CONFIGS), hint=did_you_mean(word, _CONFIGS))
    how, sampled, lens = match.groups()
    model = "" if how is None else "Raytrace" if how.startswith("ray") else "Roulette"
    return _LENS_WORDS.get(lens or "", ""), model, sampled is not None
