"""CosmoSim's dataset.toml: how to draw the parameters of many images, or what those of one image are.

Every number k may be a range k-min, k-max, from which it is drawn evenly, or a list, of which one is drawn; a fixed k wins. Ranges that are
not given are CosmoSim's (in parentheses). Lengths are pixels, angles degrees.

    [simulator]   model or models, config or configs, size (10000 rows), nterms, imagesize, cropsize, centred, xireference, sampled
    [lens]        mode or modes, einstein (10…50), ellipseratio, orientation; einsteinradius for einstein; cluster, a string; amplitudefile
    [cluster]     count (2 or more), maxrelativelocation (1.2): members of [lens] within maxrelativelocation θ_E of the middle
    [source]      mode, a name or a constellation's string; sigma (1…60), sigma2 (1…40), theta (0…179), n_sersic (1…5),
                  luminosity (1…20) with luminosity-lambda (2), lightprofile, position
    [position]    x, y (−100…100), phi (0…359), r-min, r-max, r-relativemax (1.2)
    [dataset]     directory
    [annotation]  reflines, criticalcurves
    [resimulation] drawmode
    [management]  filename, index, maxcount, showmask, mask, join, family, psiplot, kappaplot, apparent, actual

`position` says how the source is placed: by x and y ("cartesian"); or at phi and a radius drawn evenly, from r-min (θ_E) to r-max
(2.5 r-min) in "polar", from r-min (1) to r-relativemax θ_E in "relative", and from r-min (1) to r-relativemax times the distance of the
critical curve in direction phi in "critical". That distance is θ_E for PM and SIS, θ_E √f/√(cos² + f² sin²) of phi − orientation for an
SIE; for a cluster both θ_E and it are the largest distance of a member from the middle plus its θ_E.

Luminosities thin out exponentially, as CosmoSim's documentation has it: with t in 0…1 of density ∝ exp(−λ t), min + (max − min) t.
(CosmoSim's own come out even, whatever λ is: it passes its draw through the distribution's own cumulative function.)
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lensjax.errors import BadInput
from lensjax.formats.cosmosim import rows, strings
from lensjax.formats.cosmosim.table import Dataset, _shown, number
from lensjax.formats.scene import MODELS, Mass

_TABLES_OF_ITS_OWN = ("simulator", "lens", "source", "position", "dataset")
_FIGURES = 6  # decimals that drawn numbers keep: what is written is what is rendered

_WHOLE: dict[str, tuple[int, int]] = {
    "size": (1, 10_000_000),
    "nterms": (1, 200),
    "imagesize": (16, 8192),
    "cropsize": (0, 8192),
    "count": (2, 1000),
    "maxcount": (1, 10_000_000),
}
_RADIUS: strings.Range = (lambda v: 0.0 <= v <= 1e4, "a radius 0…10000 px")
_FACTOR: strings.Range = (lambda v: 0.0 < v <= 1000.0, "a number above 0 and up to 1000")
_ONE_NUMBER: dict[str, strings.Range] = {
    "r-min": _RADIUS,
    "r-max": _RADIUS,
    "r-relativemax": _FACTOR,
    "luminosity-lambda": _FACTOR,
    "maxrelativelocation": _FACTOR,
}
_RANGED: dict[str, dict[str, tuple[float, float] | None]] = {
    "lens": {"einstein": (10, 50), "einsteinradius": (10, 50), "ellipseratio": None, "orientation": None},
    "source": {"sigma": (1, 60), "sigma2": (1, 40), "theta": (0, 179), "n_sersic": (1, 5), "luminosity": (1, 20)},
    "position": {"x": (-100, 100), "y": (-100, 100), "phi": (0, 359)},
}
_FLAGS = (
    "centred", "xireference", "sampled", "reflines", "criticalcurves", "showmask", "mask", "join", "family", "psiplot",
    "kappaplot", "apparent", "actual",
)  # fmt: skip
_POSITIONS = ("cartesian", "polar", "relative", "critical")

_KEYS: dict[str, tuple[str, ...]] = {
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
        warnings: what is passed over, or read otherwise than CosmoSim reads it.
    """

    path: str
    tables: Mapping[str, Mapping[str, Any]]
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Rows that it asks for."""
        return self.tables.get("simulator", {}).get("size", 10_000)

    @property
    def drawmode(self) -> str | None:
        """What a picture made from amplitudes is drawn about: "xi", "centre" or "origin"; None where nothing says so."""
        mode = self.tables.get("resimulation", {}).get("drawmode")
        return None if mode is None else mode.strip().lower()


def is_cosmosim(path: str | Path) -> bool:
    """Whether a TOML file has one of the tables simulator, lens, source, position and dataset.

    Raises:
        BadInput: it is no TOML file, or cannot be read.
    """
    loaded = _load(Path(path))
    return any(isinstance(loaded.get(name), dict) for name in _TABLES_OF_ITS_OWN)


def read(path: str | Path) -> Description:
    """A dataset.toml.

    Raises:
        BadInput: not a TOML file, a table or key that there is none of, or a value of the wrong type or out of range.
    """
    path = Path(path)
    tables: dict[str, dict[str, Any]] = {}
    warnings: list[str] = []
    loaded = _load(path)
    for name, table in loaded.items():
        if name == "r-relativemax":
            warnings.append(f"{path}: r-relativemax at the top level: used; its place is [position]")
            _check_one(f"{path}: r-relativemax", name, table)
            continue
        if name not in _KEYS:
            every = [f"[{t}] {k}" for t in _KEYS for k in _keys(t)]
            home = next((f"; did you mean {full}?" for full in every if full.endswith(f" {name}")), None)
            raise BadInput(f"{path}: {_key(name)}: unknown table or key{home or strings.nearest(name, _KEYS)}")
        if not isinstance(table, dict):
            raise BadInput(f"{path}: {name}: the value is {_value(table)}; a table [{name}] is allowed")
        tables[name] = _checked(path, name, table, warnings)
    _check_clusters(path, tables)
    if "r-relativemax" in loaded:
        tables.setdefault("position", {}).setdefault("r-relativemax", loaded["r-relativemax"])
    return Description(str(path), tables, tuple(warnings))


def settings(description: Description) -> dict[str, object]:
    """Values that the file fixes, by column name: all of one image, or what stands where rows have none.

    What is drawn for each row (a range, a list of several) is not among them.
    """
    found: dict[str, object] = {}
    for table, keys in description.tables.items():
        for key, value in keys.items():
            if table in ("cluster", "resimulation") or key in _NOT_SETTINGS or key.endswith(("-min", "-max")):
                continue
            if key in ("modes", "models", "configs") and key[:-1] in keys:
                continue
            if isinstance(value, list):
                if len(value) > 1:
                    continue
                value = value[0]
            if (table, key) != ("lens", "einstein") or "einsteinradius" not in keys:
                found[_COLUMN_OF.get((table, key), key)] = value
    return found


def draw(description: Description, *, n: int | None = None, seed: int = 0) -> Dataset:
    """Rows drawn at random, in the columns and the order of CosmoSim's generator.

    Row i is the same whatever n is. Columns that the file says nothing of, and that have no range of their own, are not there:
    `settings` and defaults stand for them.

    Args:
        description: the file.
        n: rows; as many as the file asks for, where it is None.
        seed: for the random numbers, 0 or more.
    """
    count = description.size if n is None else n
    drawn = [_row(description.tables, i, np.random.default_rng((seed, i))) for i in range(count)]
    names = list(drawn[0]) if drawn else []
    return Dataset(
        path=f"{description.path} (rows drawn from it)",
        filenames=tuple(row["filename"] for row in drawn),
        lines=tuple(range(2, count + 2)),
        columns={name: tuple(row[name] for row in drawn) for name in names},
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except OSError as error:
        raise BadInput(f"{path}: the file cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise BadInput(f"{path}: not a TOML file: too many brackets in brackets") from None
    except ValueError as error:
        raise BadInput(f"{path}: not a TOML file: {ascii(str(error)[:200])[1:-1]}") from None


def _keys(table: str) -> list[str]:
    """Every key of a table."""
    ranged = _RANGED.get(table, {})
    return [*_KEYS[table], *ranged, *(f"{name}-{end}" for name in ranged for end in ("min", "max"))]


def _key(name: str) -> str:
    return name if name.isprintable() and 0 < len(name) <= 60 else _shown(name)


def _value(value: object) -> str:
    """A value for a message, in one line."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**60:
        return "a number of more than 60 figures"
    return _shown(value) if isinstance(value, str) else _shown(str(value))[1:-1]


def _checked(path: Path, name: str, table: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    """The keys of a table that are used."""
    known = _keys(name)
    kept = {}
    for key, value in table.items():
        where = f"{path}: [{name}] {_key(key)}"
        if key not in known:
            raise BadInput(f"{where}: unknown key{strings.nearest(key, known)}")
        if (name, key) == ("lens", "cluster") and isinstance(value, dict):
            warnings.append(f"{path}: [lens.cluster]: passed over, as CosmoSim does; [cluster] is what draws clusters")
        elif key == "chi":
            warnings.append(f"{where}: passed over; θ_E and all places are in the same pixels")
        else:
            _check(where, name, key, value)
            kept[key] = value
    if "maxrelativelocation" in kept:
        warnings.append(f"{path}: [cluster] maxrelativelocation: used; CosmoSim 3.3 takes 1.2 whatever it is")
    if "amplitudefile" in kept:
        warnings.append(f"{path}: [lens] amplitudefile: passed over; amplitudes are computed from the lens")
    if name == "position" and "r-relativemax" in kept:
        warnings.append(f"{path}: [position] r-relativemax: used; CosmoSim 3.3 takes 1.2 whatever it is")
    if name == "cluster" and "count" not in kept:
        raise BadInput(f"{path}: [cluster] count: it is missing; a whole number from 2 to 1000 is allowed")
    _check_ranges(path, name, kept)
    return kept


def _check(where: str, table: str, key: str, value: object) -> None:
    base = key.removesuffix("-min").removesuffix("-max")
    if key in _WHOLE:
        least, most = _WHOLE[key]
        if type(value) is not int or not least <= value <= most:
            raise BadInput(f"{where}: the value is {_value(value)}; a whole number from {least} to {most} is allowed")
    elif key in _FLAGS:
        if not isinstance(value, bool):
            raise BadInput(f"{where}: the value is {_value(value)}; true or false is allowed")
    elif key in _ONE_NUMBER:
        _check_one(where, key, value)
    elif base in _RANGED.get(table, {}):
        for one in _listed_values(where, value) if key == base else [value]:
            _check_number(where, one, strings.RANGES["einsteinradius" if base == "einstein" else base])
    elif key == "index":
        if type(value) not in (int, str):
            raise BadInput(f"{where}: the value is {_value(value)}; a whole number or text is allowed")
    else:
        several = key in ("mode", "modes", "model", "models", "config", "configs")
        for one in _listed_values(where, value) if several else [value]:
            if not isinstance(one, str) or not one.strip():
                raise BadInput(f"{where}: the value is {_value(one)}; text is allowed")
            _check_word(where, table, key, one)


def _check_one(where: str, key: str, value: object) -> None:
    _check_number(where, value, _ONE_NUMBER[key])


def _check_number(where: str, value: object, allowed: strings.Range) -> None:
    good, words = allowed
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{where}: the value is {_value(value)}; {words} is allowed")
    if abs(value) > 1e300 or math.isnan(value) or not good(float(value)):
        raise BadInput(f"{where}: the value is {_value(value)}; {words} is allowed")


def _listed_values(where: str, value: object) -> list[Any]:
    """A list's members, or the one value."""
    if not isinstance(value, list):
        return [value]
    if not value:
        raise BadInput(f"{where}: the list is empty; one value or more is allowed")
    return value


def _check_word(where: str, table: str, key: str, word: str) -> None:
    known: Sequence[str]
    if key in ("position", "lightprofile", "drawmode"):
        known = {"position": _POSITIONS, "lightprofile": ("Gaussian", "Sersic"), "drawmode": ("xi", "centre", "origin")}[key]
    elif key in ("model", "models"):
        known = MODELS
    elif (table, key) == ("lens", "cluster"):
        strings.cluster(word, where=where)
        return
    elif table == "lens" and key in ("mode", "modes"):
        known = rows.LENS_NAMES
    elif table == "source" and key == "mode":
        if "/" in word:
            strings.constellation(word, where=where)
            return
        known = rows.SOURCE_NAMES
    elif key in ("config", "configs"):
        rows.config(word, where=where)
        return
    else:
        return
    if key in ("mode", "modes"):
        good = rows.lens_kind(word) is not None if table == "lens" else word.strip().lower() in strings.LIGHTS
    else:
        good = word.strip().lower() in {name.lower() for name in known}
    if not good:
        shown = ", ".join(known)
        raise BadInput(f"{where}: the value is {_shown(word)}; {shown} are allowed{strings.nearest(word, known)}")


def _check_ranges(path: Path, name: str, table: dict[str, Any]) -> None:
    """Refuses ranges that end before they begin, or have one end only where the other has no default."""
    for base, default in _RANGED.get(name, {}).items():
        low, high = f"{base}-min", f"{base}-max"
        if base in table or not (low in table or high in table):
            continue
        if default is None and not (low in table and high in table):
            missing = high if low in table else low
            raise BadInput(f"{path}: [{name}] {missing}: it is missing; {low} and {high} together are allowed")
        least, most = _ends(table, base, default or (0.0, 0.0))
        if least > most:
            key, value = (low, f"up to {base}-max = {most:g}") if low in table else (high, f"{base}-min = {least:g} or more")
            raise BadInput(f"{path}: [{name}] {key}: the value is {_value(table[key])}; {value} is allowed")
    if name == "position" and table.get("r-min", 0) > table.get("r-max", math.inf):
        raise BadInput(f"{path}: [position] r-min: the value is {_value(table['r-min'])}; up to r-max = {table['r-max']} is allowed")


def _check_clusters(path: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuses a cluster without members, and one of clusters."""
    lens = tables.get("lens", {})
    key = "mode" if "mode" in lens else "modes"
    modes = lens.get(key, [])
    clusters = "Cluster" in [rows.lens_kind(mode) for mode in (modes if isinstance(modes, list) else [modes])]
    if clusters and "cluster" in tables:
        raise BadInput(f"{path}: [lens] {key}: the value is 'Cluster'; with [cluster], PM, SIS and SIE are allowed")
    if clusters and "cluster" not in lens:
        raise BadInput(f"{path}: [lens] {key}: the value is 'Cluster'; with a table [cluster] or a key cluster it is allowed")


def _row(tables: Mapping[str, Mapping[str, Any]], i: int, rng: np.random.Generator) -> dict[str, str]:
    """One row's cells, in the order of the columns."""
    simulator, lens = tables.get("simulator", {}), tables.get("lens", {})
    row = {"index": str(i + 1), "filename": f"image-{i + 1:06d}.png"}
    for column in ("model", "config"):
        choices = simulator.get(column, simulator.get(f"{column}s"))
        if choices is not None:
            row[column] = _chosen(choices, rng)
    modes = lens.get("mode", lens.get("modes"))
    cluster = lens.get("cluster")
    if "cluster" in tables:
        masses = tuple(_member(tables, modes, rng) for _ in range(tables["cluster"]["count"]))
        row["cluster"] = strings.cluster_text(masses)
    elif cluster is not None:
        masses = strings.cluster(cluster)
        row["cluster"] = cluster
    else:
        values = _lens_values(lens, rng)
        row |= {name: "" if value is None else number(value) for name, value in values.items()}
        if modes is not None:
            row["lens"] = _chosen(modes, rng)
        masses = (_mass(row.get("lens", rows.DEFAULTS["lens"]), values, (0.0, 0.0)),)
    return row | _source(tables, masses, rng)


def _lens_values(lens: Mapping[str, Any], rng: np.random.Generator) -> dict[str, float | None]:
    given = any(key in lens for key in ("einstein", "einstein-min", "einstein-max"))
    return {
        "einsteinradius": _uniform(lens, "einstein" if given else "einsteinradius", (10, 50), rng),
        "ellipseratio": _uniform(lens, "ellipseratio", None, rng),
        "orientation": _uniform(lens, "orientation", None, rng),
    }


def _mass(mode: str, values: Mapping[str, float | None], at: tuple[float, float]) -> Mass:
    """A lens of a mode, with defaults where nothing was drawn."""
    full = {name: float(rows.DEFAULTS[name]) if value is None else value for name, value in values.items()}
    kind = rows.lens_kind(mode) or "SIS"
    if kind != "SIE":
        return Mass(kind, full["einsteinradius"], x=at[0], y=at[1])
    return Mass(kind, full["einsteinradius"], full["ellipseratio"], full["orientation"], *at)


def _member(tables: Mapping[str, Mapping[str, Any]], modes: object, rng: np.random.Generator) -> Mass:
    """A member of a cluster, within so many of its own θ_E of the middle."""
    values = _lens_values(tables.get("lens", {}), rng)
    mode = rows.DEFAULTS["lens"] if modes is None else _chosen(modes, rng)
    radius = values["einsteinradius"]
    assert radius is not None
    distance = rng.uniform(0.0, tables["cluster"].get("maxrelativelocation", 1.2) * radius)
    return _mass(mode, values, _polar(distance, rng.uniform(0.0, 360.0)))


def _source(tables: Mapping[str, Mapping[str, Any]], masses: Sequence[Mass], rng: np.random.Generator) -> dict[str, str]:
    source = tables.get("source", {})
    name = _chosen(source.get("mode", "e"), rng)
    values = {key: _uniform(source, key, default, rng) for key, default in _RANGED["source"].items() if key != "luminosity"}
    values["luminosity"] = _luminosity(source, rng)
    x, y = _place(tables, source.get("position", "cartesian"), masses, rng)
    place = {"R": round(math.hypot(x, y), _FIGURES), "phi": round(math.degrees(math.atan2(y, x)) % 360.0, _FIGURES)}
    cells = {**place, **values, "x": x, "y": y}
    return {"source": name, **{key: number(value) for key, value in cells.items() if value is not None}}


def _place(tables: Mapping[str, Mapping[str, Any]], how: str, masses: Sequence[Mass], rng: np.random.Generator) -> tuple[float, float]:
    position = tables.get("position", {})
    how = how.strip().lower()
    if how == "cartesian":
        x, y = (_uniform(position, axis, (-100, 100), rng) for axis in "xy")
        assert x is not None and y is not None
        return x, y
    phi = _uniform(position, "phi", (0, 359), rng)
    assert phi is not None
    if how == "polar":
        least = position.get("r-min", _reach(masses, None))
        most = position.get("r-max", 2.5 * least)
    else:
        least = position.get("r-min", 1.0)
        most = position.get("r-relativemax", 1.2) * _reach(masses, phi if how == "critical" else None)
    return _polar(rng.uniform(min(least, most), max(least, most)), phi)


def _reach(masses: Sequence[Mass], phi: float | None) -> float:
    """θ_E of a lens, or, in a direction [degrees], how far its critical curve is [px]; of several, the largest distance and θ_E."""
    if len(masses) > 1:
        return max(math.hypot(mass.x, mass.y) + mass.einsteinradius for mass in masses)
    mass = masses[0]
    if phi is None or mass.kind != "SIE":
        return mass.einsteinradius
    f, angle = mass.ellipseratio, math.radians(phi - mass.orientation)
    return mass.einsteinradius * math.sqrt(f) / math.hypot(math.cos(angle), f * math.sin(angle))


def _polar(radius: float, phi: float) -> tuple[float, float]:
    angle = math.radians(phi)
    return round(radius * math.cos(angle), _FIGURES) + 0.0, round(radius * math.sin(angle), _FIGURES) + 0.0


def _uniform(table: Mapping[str, Any], key: str, default: tuple[float, float] | None, rng: np.random.Generator) -> float | None:
    """A fixed value, one of a list, or one of a range; None where nothing is said and there is no default."""
    if key in table:
        fixed = table[key]
        return float(fixed[int(rng.integers(len(fixed)))] if isinstance(fixed, list) else fixed)
    if default is None and f"{key}-min" not in table:
        return None
    low, high = _ends(table, key, default or (0.0, 0.0))
    return _kept(rng.uniform(low, high), low, high)


def _luminosity(source: Mapping[str, Any], rng: np.random.Generator) -> float | None:
    """As `_uniform`, but with a density that falls exponentially along the range."""
    if "luminosity" in source:
        return _uniform(source, "luminosity", None, rng)
    low, high = _ends(source, "luminosity", (1, 20))
    rate = source.get("luminosity-lambda", 2.0)
    share = -math.log1p(rng.random() * math.expm1(-rate)) / rate
    return _kept(low + (high - low) * share, low, high)


def _ends(table: Mapping[str, Any], key: str, default: tuple[float, float]) -> tuple[float, float]:
    return float(table.get(f"{key}-min", default[0])), float(table.get(f"{key}-max", default[1]))


def _kept(value: float, low: float, high: float) -> float:
    """A drawn number with the figures that are written, within its range."""
    return min(max(round(value, _FIGURES), low), high)


def _chosen(choices: object, rng: np.random.Generator) -> str:
    return str(choices[int(rng.integers(len(choices)))] if isinstance(choices, list) else choices)
