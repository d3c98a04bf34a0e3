"""Roulette amplitudes, one row an image, in the columns of CosmoSim's `--outfile` and `--roulette`.

    filename,source,x,y,sigma,sigma2,theta,luminosity,n_sersic,lensX,lensY,centreX,centreY,reletaX,reletaY,offsetX,offsetY,xiX,xiY
    alpha[0][1],alpha[1][0],alpha[1][2],alpha[2][1],…    then beta[…][…] likewise: m = 0…nterms, s = (m+1) mod 2, …, m+1 step 2

Lengths are pixels, angles degrees. `centre` is the centre of light of a centred image, otherwise (0, 0); lens = −centre;
`releta` and `xi` are the source and the reference point ξ relative to `centre`; `offset` is the source place of ξ less that of the
source. Amplitudes are those at ξ, in the lens's frame.
"""

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from lensjax._internal import numbers
from lensjax._internal.numbers import shortest as number
from lensjax._internal.words import did_you_mean, listed, one_of
from lensjax.errors import BadInput, at
from lensjax.formats.cosmosim import names, rows, strings
from lensjax.formats.cosmosim import table as tables
from lensjax.formats.cosmosim.overlaid import as_cells
from lensjax.formats.cosmosim.ranges import RANGES
from lensjax.formats.cosmosim.table import Row, Table
from lensjax.formats.scene import Light, Origin, Scene

Point = tuple[float, float]

_POINTS = ("lens", "centre", "releta", "offset", "xi")
_LIGHT = ("x", "y", "sigma", "sigma2", "theta", "luminosity", "n_sersic")
_NOT_ML = ("source", "centreX", "centreY", "reletaX", "reletaY", "offsetX", "offsetY")
_MOST_TERMS = 200
_SHAPE: dict[str, tuple[str, ...]] = {
    "sigma": ("Spherical", "Ellipsoid", "SersicSphere", "SersicEllipsoid", "Triangle"),
    "sigma2": names.ELLIPTICAL,
    "theta": (*names.ELLIPTICAL, "Triangle"),
    "luminosity": names.SERSIC,
    "n_sersic": names.SERSIC,
}
"""Kinds of sources that have a number, by its column."""


@dataclass(frozen=True)
class Amplitudes:
    """One image's roulette amplitudes, about one point.

    Attributes:
        filename: name of the image.
        source: name of the source in files, or a constellation's string; empty where the file has none.
        x, y: place of the source [px].
        sigma, sigma2: its sizes [px].
        theta: its direction [degrees].
        luminosity, n_sersic: its Sérsic profile.
        lens, centre, releta, offset, xi: points (x, y) [px], as the table has them.
        alpha, beta: (M+1, M+2) float64 by [m, s]; 0 where m + s is even.
        origin: the row that they were read from; None without a file.
    """

    filename: str
    source: str
    x: float
    y: float
    sigma: float
    sigma2: float
    theta: float
    luminosity: float
    n_sersic: float
    lens: Point
    centre: Point
    releta: Point
    offset: Point
    xi: Point
    alpha: np.ndarray
    beta: np.ndarray
    origin: Origin | None = field(default=None, compare=False)

    @property
    def nterms(self) -> int:
        """Order M of the series."""
        return len(self.alpha) - 1

    def lights(self) -> tuple[Light, ...]:
        """The source's members, about its place (0, 0).

        Raises:
            BadInput: an unknown source, or none.
        """
        path, line = (self.filename, None) if self.origin is None else (self.origin.path, self.origin.line)
        if "/" in self.source:
            with at(path=path, line=line, column="source"):
                return strings.constellation(self.source)
        kind = names.LIGHTS.get(self.source.strip().lower())
        if kind is None:
            hint = did_you_mean(self.source, names.SOURCES) or ("" if self.source else "--source (-S) gives one for all rows")
            raise BadInput(path=path, line=line, column="source", value=self.source, expected=one_of(names.SOURCES), hint=hint)
        size = (self.sigma, self.sigma2, self.theta)
        return (strings.shaped(kind, 0.0, 0.0, size, self.n_sersic, self.luminosity),)


def of_scene(
    scene: Scene, alpha: np.ndarray, beta: np.ndarray, *, xi: Point, centre: Point = (0.0, 0.0), offset: Point = (0.0, 0.0)
) -> Amplitudes:
    """The record of a scene.

    Args:
        scene: the image.
        alpha, beta: (M+1, M+2) amplitudes by [m, s].
        xi: the reference point, in the lens's frame [px].
        centre: the centre of light of a centred image, otherwise (0, 0) [px].
        offset: source place of `xi` less the source's place [px].
    """
    first = scene.lights[0]
    about = [replace(light, x=round(light.x - scene.x, 10), y=round(light.y - scene.y, 10)) for light in scene.lights]
    several = scene.source == "Constellation"
    return Amplitudes(
        filename=scene.filename,
        source=strings.constellation_text(about) if several else names.light_name(first.kind),
        x=scene.x,
        y=scene.y,
        sigma=first.sigma,
        sigma2=first.sigma2,
        theta=first.theta,
        luminosity=first.luminosity,
        n_sersic=first.n_sersic,
        lens=(0.0 - centre[0], 0.0 - centre[1]),
        centre=centre,
        releta=(scene.x - centre[0], scene.y - centre[1]),
        offset=offset,
        xi=(xi[0] - centre[0], xi[1] - centre[1]),
        alpha=np.asarray(alpha, np.float64),
        beta=np.asarray(beta, np.float64),
    )


def orders(nterms: int) -> list[tuple[int, int]]:
    """Every (m, s) of a series, in the order of the columns."""
    return [(m, s) for m in range(nterms + 1) for s in range((m + 1) % 2, m + 2, 2)]


def columns(nterms: int, *, ml: bool = False) -> list[str]:
    """Headings of a series of this order.

    Args:
        nterms: order of the series.
        ml: without the columns that CosmoSim's `--mldata` leaves out.
    """
    first = ["filename", "source", *_LIGHT, *(point + axis for point in _POINTS for axis in "XY")]
    kept = [column for column in first if not (ml and column in _NOT_ML)]
    return kept + [f"{kind}[{m}][{s}]" for kind in ("alpha", "beta") for m, s in orders(nterms)]


class Writer:
    """A table that is written row by row, and appears whole when the block ends, or not at all.

        with Writer("roulette.csv", nterms=16) as table:
            table.append(record)

    Args:
        path: where; missing folders are created.
        nterms: order of the series: amplitudes of records beyond it are not written, those a record lacks are 0.
        ml: without the columns that CosmoSim's `--mldata` leaves out.

    Raises:
        BadInput: it cannot be written there.
    """

    def __init__(self, path: str | Path, nterms: int, *, ml: bool = False):
        self.path = Path(path)
        self._temporary = self.path.with_name(f"{self.path.name}.tmp-{os.getpid()}")
        self._columns = columns(nterms, ml=ml)
        self._m, self._s = (np.array(k) for k in zip(*orders(nterms), strict=True))
        self._file: IO[str] | None = None

    def __enter__(self) -> "Writer":
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._temporary.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise self._refusal(error) from None
        self._write(self._columns)
        return self

    def append(self, record: Amplitudes) -> None:
        """Writes a row; numbers that are not finite become empty cells."""
        cells = {column: _text(getattr(record, column)) for column in _LIGHT}
        for point in _POINTS:
            for axis, value in zip("XY", getattr(record, point), strict=True):
                cells[point + axis] = _text(value)
        cells |= {"filename": record.filename, "source": record.source}
        amplitudes = [_text(v) for kind in (record.alpha, record.beta) for v in self._picked(kind)]
        self._write([*(cells[column] for column in self._columns[: -len(amplitudes)]), *amplitudes])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._file is not None
        try:
            self._file.close()
            if kind is None:
                os.replace(self._temporary, self.path)
        except OSError as failure:
            raise self._refusal(failure) from None
        finally:
            self._temporary.unlink(missing_ok=True)

    def _picked(self, amplitudes: np.ndarray) -> list[float]:
        has = (self._m < amplitudes.shape[0]) & (self._s < amplitudes.shape[1])
        values = np.zeros(len(self._m))
        values[has] = amplitudes[self._m[has], self._s[has]]
        return values.tolist()

    def _write(self, cells: Sequence[str]) -> None:
        if self._file is None:
            raise RuntimeError("rows are written within a with block")
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        try:
            self._file.write(line.getvalue())
        except OSError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: OSError) -> BadInput:
        return BadInput(f"cannot be written: {error.strerror or error}", path=self.path)


def write(path: str | Path, records: Iterable[Amplitudes], nterms: int, *, ml: bool = False) -> None:
    """Writes a table; the file is there whole or not at all.

    Raises:
        BadInput: it cannot be written there.
    """
    with Writer(path, nterms, ml=ml) as table:
        for record in records:
            table.append(record)


def read(path: str | Path, *, settings: Mapping[str, object] | None = None) -> list[Amplitudes]:
    """The rows of a table, with amplitudes up to the highest m that it has.

    Headings may be alpha[m][s] or alpha[m,s]; amplitudes that are missing are 0, as are points and a source's place; other columns
    are not read.

    Args:
        path: the file.
        settings: values by column name, for empty cells, as for `rows.scenes`; those of the source are used
            (source, lightprofile, sigma, sigma2, theta, luminosity, n_sersic).

    Raises:
        BadInput: what `table.read` refuses, no amplitudes, a heading with an unknown m or s, no xiX or xiY, a cell that is not a
            finite number, or a source that lacks one of its numbers.
    """
    table = tables.read(path)
    fixed = as_cells(settings or {}, rows.SETTINGS)
    places = headings(table.path, table.columns)
    nterms = max(m for _, m, _ in places.values())
    for column in ("xiX", "xiY"):
        if column not in table.columns:
            raise table.missing(column)
    table.check_spelling(("source", *_SHAPE), rows.READ)
    values = np.zeros((2, len(table), nterms + 1, nterms + 2))
    for column, (kind, m, s) in places.items():
        values[kind, :, m, s] = _numbers(table, column)
    return [_record(Row(table, i), fixed, values[0, i], values[1, i]) for i in range(len(table))]


def headings(path: str, columns: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """Columns of amplitudes, with kind (0 alpha, 1 beta), m and s.

    Args:
        path: the file, for messages.
        columns: the headings of the table.

    Raises:
        BadInput: no column of amplitudes, or one with an unknown m or s.
    """
    places: dict[str, tuple[int, int, int]] = {}
    taken: dict[tuple[int, int, int], str] = {}
    for column in columns:
        if not column.startswith(("alpha[", "beta[")):
            continue

        def error(problem: str, expected: str, column: str = column) -> BadInput:
            return BadInput(problem, path=path, line=1, column=column, value=column, expected=expected)

        match = re.fullmatch(r"(alpha|beta)\[ *([0-9]{1,4}) *(?:\]\[|,) *([0-9]{1,4}) *\]", column)
        if match is None:
            raise error("m and s are not whole numbers", "alpha[m][s] or alpha[m,s]")
        kind, m, s = int(match[1] == "beta"), int(match[2]), int(match[3])
        if m > _MOST_TERMS:
            raise error(f"m is {m}", f"0 to {_MOST_TERMS}")
        if s > m + 1 or (m + s) % 2 == 0:
            raise error(f"s is {s}", f"{one_of(map(str, range((m + 1) % 2, m + 2, 2)))} with m = {m}")
        if (kind, m, s) in taken:
            raise error(f"the same amplitude as {taken[kind, m, s]}", "each amplitude once")
        places[column] = (kind, m, s)
        taken[kind, m, s] = column
    if not places:
        hint = f"the columns are {listed(columns)}"
        raise BadInput("there are no columns alpha[m][s]", path=path, line=1, expected="roulette amplitudes", hint=hint)
    return places


def _numbers(table: Table, column: str) -> np.ndarray:
    """A column's numbers; 0 where a cell is empty."""
    values = np.array([numbers.finite(cell) if cell.strip() else 0.0 for cell in table.columns[column]])
    bad = np.flatnonzero(np.isnan(values))
    if len(bad):
        raise Row(table, int(bad[0])).error(column, "a finite number")
    return values


def _record(row: Row, settings: Mapping[str, str], alpha: np.ndarray, beta: np.ndarray) -> Amplitudes:
    source = _with_profile(row.text("source") or settings.get("source", ""), row.text("lightprofile") or settings.get("lightprofile", ""))
    kind = "" if "/" in source else names.LIGHTS.get(source.lower(), "")

    def number_or_0(column: str) -> float:
        return row.number(column) if row.text(column) else 0.0

    def of_source(column: str) -> float:
        """A number of the source's shape; 0 where this source does not have it."""
        text = row.text(column) or settings.get(column, "")
        value = numbers.finite(text or "0")
        if kind in _SHAPE[column] and not (text and RANGES[column].contains(value)):
            hint = (
                ""
                if text
                else f"a source {names.light_name(kind)} needs it: add the column, or give it on the command line or in a TOML file"
            )
            place = "" if row.text(column) or not text else "from the command line or the TOML file"
            raise BadInput(
                path=row.table.path, line=row.line, column=column, place=place, value=text, expected=RANGES[column].expected, hint=hint
            )
        if math.isnan(value):
            raise row.error(column, "a finite number")
        return value

    def point(column: str) -> Point:
        return number_or_0(f"{column}X"), number_or_0(f"{column}Y")

    sigma = of_source("sigma")
    has = {column: bool(row.text(column) or settings.get(column)) for column in ("sigma2", "luminosity", "n_sersic")}
    return Amplitudes(
        filename=row.table.filenames[row.index],
        source=source,
        x=number_or_0("x"),
        y=number_or_0("y"),
        sigma=sigma,
        sigma2=of_source("sigma2") if has["sigma2"] or kind in names.ELLIPTICAL else sigma,
        theta=of_source("theta"),
        luminosity=of_source("luminosity") if has["luminosity"] or kind in names.SERSIC else names.luminosity_of(kind),
        n_sersic=of_source("n_sersic") if has["n_sersic"] or kind in names.SERSIC else 4.0,
        lens=point("lens"),
        centre=point("centre"),
        releta=point("releta"),
        offset=point("offset"),
        xi=(row.number("xiX"), row.number("xiY")),
        alpha=alpha,
        beta=beta,
        origin=Origin(row.table.path, row.line),
    )


def _with_profile(source: str, profile: str) -> str:
    """The name of a source with its light profile from another column."""
    kind = names.LIGHTS.get(source.strip().lower())
    changed = names.OF_PROFILE.get(profile.strip().lower(), {}).get(kind or "")
    return source if changed is None else changed


def _text(value: float) -> str:
    return number(value) if math.isfinite(value) else ""
