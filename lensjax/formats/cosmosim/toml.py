"""CosmoSim's dataset.toml: how to draw the parameters of many images (`draw`), or what those of one image are.

Every number k may be a range k-min, k-max, from which it is drawn uniformly, or a list, of which one is drawn; a fixed k comes first.
Ranges that the file does not have are CosmoSim's (in parentheses). Lengths are pixels, angles degrees.

    [simulator]   model or models, config or configs, size (10000 rows), nterms, imagesize, cropsize, centred, xireference, sampled
    [lens]        mode or modes, einstein (10…50), ellipseratio, orientation; einsteinradius for einstein; cluster, a string; amplitudefile
    [cluster]     count (2 or more), maxrelativelocation (1.2): members of [lens] within maxrelativelocation θ_E of the centre
    [source]      mode, a name or a constellation's string; sigma (1…60), sigma2 (1…40), theta (0…179), n_sersic (1…5),
                  luminosity (1…20) with luminosity-lambda (2), lightprofile, position
    [position]    x, y (−100…100), phi (0…359), r-min, r-max, r-relativemax (1.2)
    [dataset]     directory
    [annotation]  reflines, criticalcurves
    [resimulation] drawmode
    [management]  filename, index, maxcount, showmask, mask, join, family, psiplot, kappaplot, apparent, actual

`position` says how the source is placed: by x and y ("cartesian"); or at phi and a radius drawn uniformly, from r-min (θ_E) to r-max
(2.5 r-min) in "polar", from r-min (1) to r-relativemax θ_E in "relative", and from r-min (1) to r-relativemax times the distance of the
critical curve in direction phi in "critical". That distance is θ_E for PM and SIS, θ_E √f/√(cos² + f² sin²) of phi − orientation for an
SIE; for a cluster both θ_E and it are the largest distance of a member from the centre plus its θ_E.

The density of luminosities falls exponentially, as CosmoSim's documentation says: they are min + (max − min) t, with t in 0…1 of density
∝ exp(−λ t).
(CosmoSim's own are uniform for any λ: it passes its draw through the distribution's own cumulative function.)
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensjax._internal.numbers import whole_expected
from lensjax._internal.words import did_you_mean, name, one_of
from lensjax.errors import BadInput, at
from lensjax.files.read import read_toml
from lensjax.formats.cosmosim import names, strings
from lensjax.formats.cosmosim.ranges import RANGES, Range
from lensjax.formats.scene import MODELS

_TABLES_OF_ITS_OWN = ("simulator", "lens", "source", "position", "dataset")

_WHOLE: dict[str, tuple[int, int]] = {
    "size": (1, 10_000_000),
    "nterms": (1, 200),
    "imagesize": (16, 8192),
    "cropsize": (0, 8192),
    "count": (2, 1000),
    "maxcount": (1, 10_000_000),
}
_RADIUS = Range(lambda v: 0.0 <= v <= 1e4, "a radius from 0 to 10000 px")
_FACTOR = Range(lambda v: 0.0 < v <= 1000.0, "a number above 0 and up to 1000")
_ONE_NUMBER: dict[str, Range] = {
    "r-min": _RADIUS,
    "r-max": _RADIUS,
    "r-relativemax": _FACTOR,
    "luminosity-lambda": _FACTOR,
    "maxrelativelocation": _FACTOR,
}
RANGED: dict[str, dict[str, tuple[float, float] | None]] = {
    "lens": {"einstein": (10, 50), "einsteinradius": (10, 50), "ellipseratio": None, "orientation": None},
    "source": {"sigma": (1, 60), "sigma2": (1, 40), "theta": (0, 179), "n_sersic": (1, 5), "luminosity": (1, 20)},
    "position": {"x": (-100, 100), "y": (-100, 100), "phi": (0, 359)},
}
"""Keys that may be ranges, by table, with their default range."""

_FLAGS = (
    "centred", "xireference", "sampled", "reflines", "criticalcurves", "showmask", "mask", "join", "family", "psiplot",
    "kappaplot", "apparent", "actual",
)  # fmt: skip
_POSITIONS = ("cartesian", "polar", "relative", "critical")

TABLES: dict[str, tuple[str, ...]] = {
    "simulator": (
        "model", "models", "config", "configs", "size", "nterms", "imagesize", "cropsize", "centred", "xireference", "sampled",
    ),
    "lens": ("mode", "modes", "cluster", "amplitudefile", "chi"),
    "cluster": ("count", "maxrelativelocation"),
    "source": ("mode", "lightprofile", "position", "luminosity-lambda"),
    "position": ("r-min", "r-max", "r-relativemax"),
    "dataset": ("directory",),
    "annotation": ("reflines", "criticalcurves"),
    "resimulation": ("drawmode",),
    "management": (
        "filename", "index", "maxcount", "showmask", "mask", "join", "family", "psiplot", "kappaplot", "apparent", "actual",
    ),
}  # fmt: skip
"""Keys that are no ranges, by table."""

_COLUMN_OF = {
    ("lens", "mode"): "lens",
    ("lens", "modes"): "lens",
    ("lens", "amplitudefile"): "amplitudes",
    ("lens", "einstein"): "einsteinradius",
    ("source", "mode"): "source",
    ("simulator", "models"): "model",
    ("simulator", "configs"): "config",
}
_NOT_SETTINGS = ("size", "position", "drawmode", "chi", *_ONE_NUMBER)


@dataclass(frozen=True)
class Description:
    """A checked dataset.toml.

    Attributes:
        path: the file, for messages.
        tables: keys and values of every table that is used.
        warnings: keys that are not used, or read differently from CosmoSim.
    """

    path: str
    tables: Mapping[str, Mapping[str, Any]]
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The number of rows to draw."""
        return int(self.tables.get("simulator", {}).get("size", 10_000))

    @property
    def drawmode(self) -> str | None:
        """The centre of images rendered from amplitudes: "xi", "centre" or "origin"; None where the file does not say."""
        mode = self.tables.get("resimulation", {}).get("drawmode")
        return None if mode is None else mode.strip().lower()


def is_cosmosim(path: str | Path) -> bool:
    """Whether a TOML file has one of the tables simulator, lens, source, position and dataset.

    Raises:
        BadInput: it is no TOML file, or cannot be read.
    """
    loaded = read_toml(path)
    return any(isinstance(loaded.get(name), dict) for name in _TABLES_OF_ITS_OWN)


def read(path: str | Path) -> Description:
    """A dataset.toml.

    Raises:
        BadInput: not a TOML file, an unknown table or key, or a value of the wrong type or out of range.
    """
    with at(path=path):
        return described(path, read_toml(path))


def described(path: str | Path, loaded: Mapping[str, Any]) -> Description:
    """As `read`, of a file that is loaded already.

    Raises:
        BadInput: an unknown table or key, or a value of the wrong type or out of range.
    """
    tables: dict[str, dict[str, Any]] = {}
    warnings: list[str] = []
    for key, table in loaded.items():
        if key == "r-relativemax":
            warnings.append(f"{path}: r-relativemax at the top level: used; its place is [position]")
            _check_number(key, table, _FACTOR)
            continue
        if key not in TABLES:
            every = [f"[{t}] {k}" for t in TABLES for k in keys(t)]
            home = next((f"did you mean {full}?" for full in every if full.endswith(f" {key}")), "")
            raise BadInput("unknown table or key", column=name(key), value=key, hint=home or did_you_mean(key, TABLES))
        if not isinstance(table, dict):
            raise BadInput(column=key, value=table, expected=f"a table [{key}]")
        tables[key] = _checked(path, key, table, warnings)
    _check_clusters(tables)
    if "r-relativemax" in loaded:
        tables.setdefault("position", {}).setdefault("r-relativemax", loaded["r-relativemax"])
    return Description(str(path), tables, tuple(warnings))


def keys(table: str) -> list[str]:
    """Every key of a table."""
    ranged = RANGED.get(table, {})
    return [*TABLES[table], *ranged, *(f"{key}-{end}" for key in ranged for end in ("min", "max"))]


def settings(description: Description) -> dict[str, object]:
    """Values that the file fixes, by column name: all of one image, or the values of empty cells.

    Values that are drawn for each row (a range, a list of several) are not included.
    """
    fixed: dict[str, object] = {}
    for table, values in description.tables.items():
        for key, value in values.items():
            if table in ("cluster", "resimulation") or key in _NOT_SETTINGS or key.endswith(("-min", "-max")):
                continue
            if key in ("modes", "models", "configs") and key[:-1] in values:
                continue
            if isinstance(value, list):
                if len(value) > 1:
                    continue
                value = value[0]
            if (table, key) != ("lens", "einstein") or "einsteinradius" not in values:
                fixed[_COLUMN_OF.get((table, key), key)] = value
    return fixed


def ends(table: Mapping[str, Any], key: str, default: tuple[float, float]) -> tuple[float, float]:
    """Least and largest value of a range."""
    return float(table.get(f"{key}-min", default[0])), float(table.get(f"{key}-max", default[1]))


def _checked(path: str | Path, table: str, values: Mapping[str, Any], warnings: list[str]) -> dict[str, Any]:
    """The keys of a table that are used."""
    known = keys(table)
    kept = {}
    for key, value in values.items():
        column = f"[{table}] {name(key)}"
        if key not in known:
            raise BadInput("unknown key", column=column, value=key, hint=did_you_mean(key, known))
        if (table, key) == ("lens", "cluster") and isinstance(value, dict):
            warnings.append(f"{path}: [lens.cluster]: not used, as in CosmoSim; the table [cluster] draws clusters")
        elif key == "chi":
            warnings.append(f"{path}: {column}: not used; θ_E and all places are in the same pixels")
        else:
            _check(column, table, key, value)
            kept[key] = value
    if "maxrelativelocation" in kept:
        warnings.append(f"{path}: [cluster] maxrelativelocation: used; CosmoSim 3.3 always takes 1.2")
    if "amplitudefile" in kept:
        warnings.append(f"{path}: [lens] amplitudefile: not used; amplitudes are computed from the lens")
    if table == "position" and "r-relativemax" in kept:
        warnings.append(f"{path}: [position] r-relativemax: used; CosmoSim 3.3 always takes 1.2")
    if table == "cluster" and "count" not in kept:
        raise BadInput("the key is missing", column="[cluster] count", expected=whole_expected(*_WHOLE["count"]))
    _check_ranges(table, kept)
    return kept


def _check(column: str, table: str, key: str, value: object) -> None:
    base = key.removesuffix("-min").removesuffix("-max")
    if key in _WHOLE:
        low, high = _WHOLE[key]
        if type(value) is not int or not low <= value <= high:
            raise BadInput(column=column, value=value, expected=whole_expected(low, high))
    elif key in _FLAGS:
        if not isinstance(value, bool):
            raise BadInput(column=column, value=value, expected="true or false")
    elif key in _ONE_NUMBER:
        _check_number(column, value, _ONE_NUMBER[key])
    elif base in RANGED.get(table, {}):
        for number in _values(column, value) if key == base else [value]:
            _check_number(column, number, RANGES["einsteinradius" if base == "einstein" else base])
    elif key == "index":
        if type(value) not in (int, str):
            raise BadInput(column=column, value=value, expected="a whole number or text")
    else:
        several = key in ("mode", "modes", "model", "models", "config", "configs")
        for word in _values(column, value) if several else [value]:
            if not isinstance(word, str) or not word.strip():
                raise BadInput(column=column, value=word, expected="text")
            _check_word(column, table, key, word)


def _check_number(column: str, value: object, limits: Range) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e300
    if not number or not limits.contains(float(value)):  # type: ignore[arg-type]
        raise BadInput(column=column, value=value, expected=limits.expected)


def _values(column: str, value: object) -> list[Any]:
    """A list's members, or a list of the value."""
    if not isinstance(value, list):
        return [value]
    if not value:
        raise BadInput("the list is empty", column=column, value=value, expected="one value or more")
    return value


def _check_word(column: str, table: str, key: str, word: str) -> None:
    known: Sequence[str]
    with at(column=column):
        if (table, key) == ("lens", "cluster"):
            strings.cluster(word)
            return
        if (table, key) == ("source", "mode") and "/" in word:
            strings.constellation(word)
            return
        if key in ("config", "configs"):
            names.config(word)
            return
    understood = word.strip().lower()
    if key in ("position", "lightprofile", "drawmode"):
        known = {"position": _POSITIONS, "lightprofile": ("Gaussian", "Sersic"), "drawmode": ("xi", "centre", "origin")}[key]
        good = understood in {text.lower() for text in known}
    elif key in ("model", "models"):
        known, good = MODELS, understood in names.MODELS
    elif table == "lens" and key in ("mode", "modes"):
        known, good = names.LENSES, names.lens_kind(word) is not None
    elif table == "source" and key == "mode":
        known, good = names.SOURCES, understood in names.LIGHTS
    else:
        return
    if not good:
        raise BadInput(column=column, value=word, expected=one_of(known), hint=did_you_mean(word, known))


def _check_ranges(table: str, values: Mapping[str, Any]) -> None:
    """Refuses ranges with a least above the largest value, or with one end only where the other has no default."""
    for base, default in RANGED.get(table, {}).items():
        low, high = f"{base}-min", f"{base}-max"
        if base in values or not (low in values or high in values):
            continue
        if default is None and not (low in values and high in values):
            missing = high if low in values else low
            raise BadInput("the key is missing", column=f"[{table}] {missing}", expected=f"{low} and {high} together")
        least, most = ends(values, base, default or (0.0, 0.0))
        if least > most:
            key, expected = (low, f"up to {base}-max = {most:g}") if low in values else (high, f"{base}-min = {least:g} or more")
            raise BadInput(column=f"[{table}] {key}", value=values[key], expected=expected)
    if table == "position" and values.get("r-min", 0) > values.get("r-max", math.inf):
        raise BadInput(column="[position] r-min", value=values["r-min"], expected=f"up to r-max = {values['r-max']}")


def _check_clusters(tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuses a cluster without members, and a cluster of clusters."""
    lens = tables.get("lens", {})
    key = "mode" if "mode" in lens else "modes"
    modes = lens.get(key, [])
    if "Cluster" not in [names.lens_kind(mode) for mode in (modes if isinstance(modes, list) else [modes])]:
        return
    if "cluster" in tables:
        raise BadInput(column=f"[lens] {key}", value="Cluster", expected="PM, SIS or SIE, beside a table [cluster]")
    if "cluster" not in lens:
        raise BadInput(column=f"[lens] {key}", value="Cluster", expected="a table [cluster] or a key cluster beside it")
