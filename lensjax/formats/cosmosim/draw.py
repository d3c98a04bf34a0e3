"""Rows drawn at random from CosmoSim's dataset.toml, as its generator draws them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lensjax._internal.numbers import shortest as number
from lensjax.formats.cosmosim import names, rows, strings
from lensjax.formats.cosmosim.table import Table
from lensjax.formats.cosmosim.toml import RANGED, Description, ends
from lensjax.formats.scene import Mass

_FIGURES = 6  # decimals of drawn numbers, so that written and rendered ones are equal


def draw(description: Description, *, n: int | None = None, seed: int = 0) -> Table:
    """Rows drawn at random, in the columns and the order of CosmoSim's generator.

    Row i is the same whatever n is. Columns that the file does not mention and that have no default range are missing:
    `settings` and defaults take their place.

    Args:
        description: the file.
        n: number of rows; None takes the number in the file.
        seed: for the random numbers, 0 or more.
    """
    count = description.size if n is None else n
    drawn = [_row(description.tables, i, np.random.default_rng((seed, i))) for i in range(count)]
    columns = list(drawn[0]) if drawn else []
    return Table(
        path=f"{description.path} (rows drawn from it)",
        filenames=tuple(row["filename"] for row in drawn),
        lines=tuple(range(2, count + 2)),
        columns={column: tuple(row[column] for row in drawn) for column in columns},
    )


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
    by_einstein = any(key in lens for key in ("einstein", "einstein-min", "einstein-max"))
    return {
        "einsteinradius": _uniform(lens, "einstein" if by_einstein else "einsteinradius", (10, 50), rng),
        "ellipseratio": _uniform(lens, "ellipseratio", None, rng),
        "orientation": _uniform(lens, "orientation", None, rng),
    }


def _mass(mode: str, values: Mapping[str, float | None], at: tuple[float, float]) -> Mass:
    """A lens of a mode, with defaults where nothing was drawn."""
    full = {name: float(rows.DEFAULTS[name]) if value is None else value for name, value in values.items()}
    kind = names.lens_kind(mode) or "SIS"
    if kind != "SIE":
        return Mass(kind, full["einsteinradius"], x=at[0], y=at[1])
    return Mass(kind, full["einsteinradius"], full["ellipseratio"], full["orientation"], *at)


def _member(tables: Mapping[str, Mapping[str, Any]], modes: object, rng: np.random.Generator) -> Mass:
    """A member of a cluster, within maxrelativelocation of its own θ_E about the cluster's centre."""
    values = _lens_values(tables.get("lens", {}), rng)
    mode = rows.DEFAULTS["lens"] if modes is None else _chosen(modes, rng)
    radius = values["einsteinradius"]
    assert radius is not None
    distance = rng.uniform(0.0, tables["cluster"].get("maxrelativelocation", 1.2) * radius)
    return _mass(mode, values, _polar(distance, rng.uniform(0.0, 360.0)))


def _source(tables: Mapping[str, Mapping[str, Any]], masses: Sequence[Mass], rng: np.random.Generator) -> dict[str, str]:
    source = tables.get("source", {})
    name = _chosen(source.get("mode", "e"), rng)
    values = {key: _uniform(source, key, default, rng) for key, default in RANGED["source"].items() if key != "luminosity"}
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
    """θ_E of a lens, or the distance of its critical curve in a direction [degrees]; of several, the largest distance plus θ_E [px]."""
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
    """A fixed value, one of a list, or one of a range; None where the file has no value and there is no default."""
    if key in table:
        fixed = table[key]
        return float(fixed[int(rng.integers(len(fixed)))] if isinstance(fixed, list) else fixed)
    if default is None and f"{key}-min" not in table:
        return None
    low, high = ends(table, key, default or (0.0, 0.0))
    return _kept(rng.uniform(low, high), low, high)


def _luminosity(source: Mapping[str, Any], rng: np.random.Generator) -> float | None:
    """As `_uniform`, but with a density that falls exponentially along the range."""
    if "luminosity" in source:
        return _uniform(source, "luminosity", None, rng)
    low, high = ends(source, "luminosity", (1, 20))
    rate = source.get("luminosity-lambda", 2.0)
    fraction = -math.log1p(rng.random() * math.expm1(-rate)) / rate
    return _kept(low + (high - low) * fraction, low, high)


def _kept(value: float, low: float, high: float) -> float:
    """A drawn number, rounded to the decimals that are written, within its range."""
    return min(max(round(value, _FIGURES), low), high)


def _chosen(choices: object, rng: np.random.Generator) -> str:
    return str(choices[int(rng.integers(len(choices)))] if isinstance(choices, list) else choices)
