"""CosmoSim's dataset.toml: keys that CosmoSim 3.3 ignores, stops at, or reads in another way, and targets that no image shows."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lensjax._internal import numbers, words
from lensjax.doctor.cells import refused
from lensjax.doctor.findings import Finding
from lensjax.doctor.keys import is_number, table_of, unknown_tables, values_of
from lensjax.doctor.systems import HIGHEST_ORDER, NAMES, SMALLEST_SOURCE
from lensjax.errors import BadInput
from lensjax.formats.cosmosim import toml as cosmosim
from lensjax.formats.cosmosim.names import ELLIPTICAL, LIGHTS, SERSIC
from lensjax.formats.cosmosim.rows import DEFAULTS

_DEFAULT_RANGES = {key: ends for keys in cosmosim.RANGED.values() for key, ends in keys.items() if ends is not None}
_COMMAND_LINE = {"imagesize": 512, "directory": "./", "maxrelativelocation": 1.2, "r-relativemax": 1.2}
"""CosmoSim's values where it ignores the file."""

_FIXED = (
    ("lens", "mode", "lens"), ("lens", "einsteinradius", "einsteinradius"), ("lens", "ellipseratio", "ellipseratio"),
    ("lens", "orientation", "orientation"), ("source", "mode", "source"), ("source", "sigma", "sigma"), ("source", "sigma2", "sigma2"),
    ("source", "theta", "theta"), ("simulator", "model", "model"),
)  # fmt: skip
"""Table, key and column of values that CosmoSim's command line has too."""

_PLACED_BY = {
    "polar": ("phi", "phi-min", "phi-max", "r-min", "r-max"),
    "relative": ("phi", "phi-min", "phi-max", "r-min", "r-relativemax"),
    "critical": ("phi", "phi-min", "phi-max", "r-min", "r-relativemax"),
    "cartesian": ("x", "x-min", "x-max", "y", "y-min", "y-max"),
}
"""Keys of [position] that are read, by [source] position."""


@dataclass(frozen=True)
class _Dataset:
    """The content of a dataset.toml.

    Attributes:
        path: the file.
        tables: every table that CosmoSim knows; empty ones where the file has none.
    """

    path: str
    tables: Mapping[str, Mapping[str, Any]]

    def finding(self, code: str, table: str, *keys: str, **values: object) -> Finding:
        """A finding about keys of one table, or about the table itself."""
        return Finding(code, self.path, key=" ".join((f"[{table}]", *keys)), values=values)

    @cached_property
    def draws(self) -> bool:
        """Whether the file describes many drawn rows; otherwise one image."""
        every = [(key, value) for table in self.tables.values() for key, value in table.items()]
        return any(key == "size" or key.endswith(("-min", "-max")) or isinstance(value, list) for key, value in every)

    @cached_property
    def lenses(self) -> list[Any]:
        """Names of lenses."""
        return values_of(self.tables["lens"].get("mode", self.tables["lens"].get("modes")))

    @cached_property
    def models(self) -> list[Any]:
        """Names of models."""
        return values_of(self.tables["simulator"].get("model", self.tables["simulator"].get("models")))

    @cached_property
    def kinds(self) -> set[str]:
        """Kinds of the sources that are drawn."""
        return source_kinds(self.tables["source"])

    def has(self, table: str, key: str) -> bool:
        """Whether the file has a key or one end of its range."""
        return any(name in self.tables[table] for name in (key, f"{key}-min", f"{key}-max"))

    def ends(self, table: str, key: str) -> tuple[float, float] | None:
        """Least and largest value of a key; None where the file does not fix them."""
        keys = self.tables[table]
        fixed = [value for value in values_of(keys.get(key)) if is_number(value)]
        if fixed:
            return min(fixed), max(fixed)
        low, high = _DEFAULT_RANGES.get(key, (None, None)) if self.draws else (None, None)
        low, high = keys.get(f"{key}-min", low), keys.get(f"{key}-max", high)
        return (min(low, high), max(low, high)) if is_number(low) and is_number(high) else None


def check_dataset(path: Path, loaded: Mapping[str, Any]) -> Iterator[Finding]:
    """All checks of a dataset.toml."""
    known = {table: cosmosim.keys(table) for table in cosmosim.TABLES}
    unknown = list(unknown_tables(str(path), loaded, known, "CosmoSim", top=("r-relativemax",)))
    yield from unknown
    if not unknown:
        try:
            cosmosim.read(path)
        except BadInput as error:
            yield refused(error, str(path), key=error.column or "")
    dataset = _Dataset(str(path), {table: table_of(loaded, table) for table in cosmosim.TABLES})
    for check in (_ignored, _positions, _names, _stops, _wrong, _not_shown, _sizes, _off_canvas):
        yield from check(dataset)


def source_kinds(source: Mapping[str, Any]) -> set[str]:
    """Kinds of the sources that a table [source] draws, by their names and profile."""
    kinds = {LIGHTS.get(mode.lower(), "") for mode in values_of(source.get("mode", "e")) if isinstance(mode, str)}
    sersic_of = dict(zip(("Spherical", "Ellipsoid"), SERSIC, strict=True))
    profile = str(source.get("lightprofile", "")).lower()
    if profile == "sersic":
        kinds = {sersic_of.get(kind, kind) for kind in kinds}
    elif profile == "gaussian":
        gaussian_of = {sersic: gaussian for gaussian, sersic in sersic_of.items()}
        kinds = {gaussian_of.get(kind, kind) for kind in kinds}
    return kinds - {""}


def _ignored(dataset: _Dataset) -> Iterator[Finding]:
    """Keys that CosmoSim accepts and does not use."""
    simulator, source = dataset.tables["simulator"], dataset.tables["source"]
    for table, key in (("simulator", "imagesize"), ("dataset", "directory")):
        value = dataset.tables[table].get(key, _COMMAND_LINE[key])
        if value != _COMMAND_LINE[key]:
            yield dataset.finding(f"{key}-ignored" if dataset.draws else "size-ignored", table, key, value=value)
    fixed = [
        f"[{table}] {key}"
        for table, key, column in _FIXED
        if key in dataset.tables[table]
        and not isinstance(dataset.tables[table][key], list)
        and _text(dataset.tables[table][key]) != DEFAULTS[column]
    ]
    if fixed:
        yield Finding("fixed-ignored", dataset.path, key=", ".join(fixed))
    if "nterms" in simulator and dataset.draws:
        yield dataset.finding("nterms-not-written", "simulator", "nterms")
    if dataset.draws and dataset.has("lens", "einsteinradius") and not dataset.has("lens", "einstein"):
        yield dataset.finding("einsteinradius-not-drawn", "lens", "einsteinradius")
    if "chi" in dataset.tables["lens"]:
        yield dataset.finding("chi-ignored", "lens", "chi")
    for table, key in (("cluster", "maxrelativelocation"), ("position", "r-relativemax")):
        if dataset.tables[table].get(key, _COMMAND_LINE[key]) != _COMMAND_LINE[key]:
            yield dataset.finding(f"{key}-ignored", table, key)
    if "luminosity-lambda" in source:
        yield dataset.finding("luminosity-lambda-ignored", "source", "luminosity-lambda")
    for table, key, code in (
        ("management", "showmask", "no-effect"), ("management", "criticalcurves", "no-effect"), ("management", "actual", "actual-stops"),
        ("annotation", "criticalcurves", "no-effect"), ("annotation", "reflines", "reflines-drawn"),
    ):  # fmt: skip
        if dataset.tables[table].get(key) is True:
            yield dataset.finding(code, table, key)


def _text(value: object) -> object:
    """A number as the text of a cell; anything else as it is."""
    return numbers.shortest(value) if is_number(value) else value


def _positions(dataset: _Dataset) -> Iterator[Finding]:
    """How sources are placed."""
    how = dataset.tables["source"].get("position", "cartesian")
    shown = words.shown(how)
    if how not in tuple(_PLACED_BY):
        yield dataset.finding("position-unknown", "source", "position", value=shown)
    read = _PLACED_BY.get(str(how), _PLACED_BY["cartesian"])
    for key, value in dataset.tables["position"].items():
        if key in cosmosim.keys("position") and key not in read:
            yield dataset.finding("position-key-ignored", "position", key, value=shown)
        elif key in ("r-min", "r-max") and not is_number(value):
            yield dataset.finding("radius-not-a-number", "position", key)


def _names(dataset: _Dataset) -> Iterator[Finding]:
    """Names of lenses, models and sources that CosmoSim does not know."""
    sources = values_of(dataset.tables["source"].get("mode"))
    for table, key, column, values in (
        ("lens", "mode", "lens", dataset.lenses), ("simulator", "model", "model", dataset.models), ("source", "mode", "source", sources),
    ):  # fmt: skip
        for name in values:
            if isinstance(name, str) and name not in NAMES[column] and "/" not in name:
                hint = words.did_you_mean(name, NAMES[column])
                details = {"value": words.shown(name), "known": ", ".join(NAMES[column])}
                yield Finding("name-unknown", dataset.path, key=f"[{table}] {key}", values=details, hint=hint)
    if any("/" in name for name in sources if isinstance(name, str)):
        yield dataset.finding("source-constellation", "source", "mode")
    if "Image" in dataset.kinds:
        yield dataset.finding("source-picture", "source", "mode")


def _stops(dataset: _Dataset) -> Iterator[Finding]:
    """Entries at which CosmoSim 3.3 stops."""
    lens, cluster = dataset.tables["lens"], dataset.tables["cluster"]
    for table, keys in cosmosim.RANGED.items():
        for key in keys:
            if isinstance(dataset.tables[table].get(key), list):
                yield dataset.finding("list-of-numbers", table, key, value=key)
    if cluster:
        count = cluster.get("count", 1)
        if not is_number(count) or count < 2:
            yield dataset.finding("cluster-count", "cluster", "count")
        if lens.get("mode") not in ("SIS", "SIE"):
            yield dataset.finding("cluster-members", "lens", "mode")
    if isinstance(lens.get("cluster"), dict):
        yield dataset.finding("lens-cluster-table", "lens.cluster")
    if dataset.tables["simulator"].get("xireference") is False:
        yield dataset.finding("xireference-off", "simulator", "xireference")


def _wrong(dataset: _Dataset) -> Iterator[Finding]:
    """Entries that CosmoSim 3.3 renders black or wrongly."""
    simulator, lens = dataset.tables["simulator"], dataset.tables["lens"]
    roulette = "Roulette" in dataset.models
    if roulette and not isinstance(lens.get("cluster"), dict) and (dataset.tables["cluster"] or "cluster" in lens):
        yield dataset.finding("cluster-roulette", "simulator", "model")
    for key in ("ellipseratio", "orientation"):
        if "SIE" in dataset.lenses and dataset.draws and key not in lens and not (f"{key}-min" in lens and f"{key}-max" in lens):
            yield dataset.finding("SIE-incomplete", "lens", key, value=key)
    kind = "SIE" if "SIE" in dataset.lenses else "SIS"
    nterms = simulator.get("nterms")
    if is_number(nterms) and nterms > HIGHEST_ORDER[kind]:
        code = "order-rendered" if roulette else "order-written"
        yield dataset.finding(code, "simulator", "nterms", value=kind, most=HIGHEST_ORDER[kind])
    if simulator.get("sampled") is True and roulette:
        yield dataset.finding("sampled-roulette", "simulator", "sampled")
    ratio = dataset.ends("lens", "ellipseratio")
    if ratio and ratio[1] > 1:
        yield dataset.finding("ratio-above-1", "lens", "ellipseratio")
    if "SersicEllipsoid" in dataset.kinds and not _always_round(dataset):
        yield dataset.finding("sersic-axes", "source", "mode")


def _always_round(dataset: _Dataset) -> bool:
    """Whether sigma and sigma2 are fixed to the same number."""
    sigma, sigma2 = dataset.ends("source", "sigma"), dataset.ends("source", "sigma2")
    return sigma is not None and sigma == sigma2 and sigma[0] == sigma[1]


def _not_shown(dataset: _Dataset) -> Iterator[Finding]:
    """Drawn values that no image shows."""
    kinds = dataset.kinds
    elliptical = kinds & set(ELLIPTICAL)
    sersic, sie = bool(kinds & set(SERSIC)), "SIE" in dataset.lenses
    for table, key, code, visible in (
        ("source", "sigma2", "drawn-unseen-shape", elliptical),
        ("source", "theta", "drawn-unseen-shape", elliptical or "Triangle" in kinds),
        ("source", "n_sersic", "drawn-unseen-profile", sersic),
        ("source", "luminosity", "drawn-unseen-profile", sersic),
        ("lens", "ellipseratio", "drawn-unseen-lens", sie),
        ("lens", "orientation", "drawn-unseen-lens", sie),
    ):
        if dataset.draws and not visible and dataset.has(table, key) and (kinds or table == "lens"):
            yield dataset.finding(code, table, key)
    sigma, sigma2, theta = (dataset.ends("source", key) for key in ("sigma", "sigma2", "theta"))
    if dataset.draws and elliptical and sigma and sigma2:
        if _always_round(dataset):
            yield dataset.finding("drawn-round", "source", "theta")
        elif sigma[0] < sigma2[1] and sigma[1] > sigma2[0]:
            yield dataset.finding("drawn-axes-exchanged", "source", "sigma")
    if elliptical and theta and (theta[0] < 0 or theta[1] > 180):
        yield dataset.finding("theta-beyond-180", "source", "theta")


def _sizes(dataset: _Dataset) -> Iterator[Finding]:
    """Sizes of sources: ranges, and sizes that are too small or too large for the canvas."""
    source, size = dataset.tables["source"], dataset.tables["simulator"].get("imagesize", _COMMAND_LINE["imagesize"])
    large = False
    for key, drawn in (("sigma", dataset.kinds - {"Image"}), ("sigma2", dataset.kinds & set(ELLIPTICAL))):
        low, high = _DEFAULT_RANGES[key]
        for end, other, sign, default in ((f"{key}-min", f"{key}-max", 1, high), (f"{key}-max", f"{key}-min", -1, low)):
            value = source.get(end)
            if other not in source and key not in source and is_number(value) and sign * (value - default) > 0:
                yield dataset.finding("range-reversed", "source", end, value=default)
        ends = dataset.ends("source", key)
        if drawn and ends and ends[0] < SMALLEST_SOURCE:
            yield dataset.finding("source-small", "source", key)
        large |= bool(drawn & {"Spherical", "Ellipsoid"}) and ends is not None and is_number(size) and 3 * ends[1] > size / 2
    if large:
        yield dataset.finding("source-large", "source", "sigma", value=size)


def _off_canvas(dataset: _Dataset) -> Iterator[Finding]:
    """Images that may lie beyond the canvas."""
    position, how = dataset.tables["position"], dataset.tables["source"].get("position", "cartesian")
    size = dataset.tables["simulator"].get("imagesize", _COMMAND_LINE["imagesize"])
    radius = dataset.ends("lens", "einstein" if dataset.has("lens", "einstein") else "einsteinradius")
    if not is_number(size) or radius is None:
        return
    reach = radius[1]
    if how == "polar":
        least = position.get("r-min", reach)
        most = position.get("r-max", 2.5 * least if is_number(least) else 0.0)
        reach += most if is_number(most) else 0.0
    elif how in ("relative", "critical"):
        reach += 1.2 * radius[1]
    else:
        x, y = dataset.ends("position", "x"), dataset.ends("position", "y")
        reach = max(_reach(x, y, radius[1]), _reach(y, x, radius[1])) if x and y else reach
    if reach > size / 2:
        yield dataset.finding("image-off-canvas", "position", far=f"{reach:.4g}", value=size)


def _reach(along: tuple[float, float], across: tuple[float, float], radius: float) -> float:
    """Largest coordinate of an image η (1 + θ_E/|η|), along one axis of a rectangle of places η."""
    far = max(map(abs, along))
    near = 0.0 if across[0] <= 0 <= across[1] else min(map(abs, across))
    distance = math.hypot(far, near)
    return far * (1 + radius / distance) if distance else radius
