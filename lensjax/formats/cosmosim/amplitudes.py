"""Roulette amplitudes, one row an image, in the columns of CosmoSim's `--outfile` and `--roulette`.

    filename,source,x,y,sigma,sigma2,theta,luminosity,n_sersic,lensX,lensY,centreX,centreY,reletaX,reletaY,offsetX,offsetY,xiX,xiY
    alpha[0][1],alpha[1][0],alpha[1][2],alpha[2][1],…    then beta[…][…] likewise: m = 0…nterms, s = (m+1) mod 2, …, m+1 step 2

Lengths are pixels, angles degrees. `centre` is the centre of light that was brought to the middle, (0, 0) where none was;
lens = −centre; `releta` and `xi` are the source and the reference point ξ seen from it; `offset` is how far the source place of ξ is
from the source. Amplitudes are those at ξ, in the lens's frame.
"""

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from lensjax.errors import BadInput
from lensjax.formats.cosmosim import strings as cosmosim_strings
from lensjax.formats.cosmosim import table as cosmosim
from lensjax.formats.cosmosim.table import _listed, _Row, _shown, number
from lensjax.formats.scene import Light, Scene

Point = tuple[float, float]

_POINTS = ("lens", "centre", "releta", "offset", "xi")
_LIGHT = ("x", "y", "sigma", "sigma2", "theta", "luminosity", "n_sersic")
_NOT_ML = ("source", "centreX", "centreY", "reletaX", "reletaY", "offsetX", "offsetY")
_MOST_TERMS = 200


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

    @property
    def nterms(self) -> int:
        """Order M of the series."""
        return self.alpha.shape[0] - 1

    def lights(self) -> tuple[Light, ...]:
        """The source's members, about its place (0, 0).

        Raises:
            BadInput: an unknown source, or none.
        """
        where = f"{self.filename}: source"
        if "/" in self.source:
            return cosmosim_strings.constellation(self.source, where=where)
        kind = cosmosim_strings.LIGHTS.get(self.source.strip().lower())
        if kind is None:
            shown = _shown(self.source) if self.source.strip() else "empty"
            near = cosmosim_strings.nearest(self.source, cosmosim_strings.LIGHTS.values())
            raise BadInput(f"{where} is {shown}; one of CosmoSim's sources is allowed{near}")
        size = (self.sigma, self.sigma2, self.theta)
        return (cosmosim_strings.shaped(kind, 0.0, 0.0, size, self.n_sersic, self.luminosity),)


def of_scene(
    scene: Scene, alpha: np.ndarray, beta: np.ndarray, *, xi: Point, centre: Point = (0.0, 0.0), offset: Point = (0.0, 0.0)
) -> Amplitudes:
    """The record of a scene.

    Args:
        scene: the image.
        alpha, beta: (M+1, M+2) amplitudes by [m, s].
        xi: the reference point, in the lens's frame [px].
        centre: the centre of light that was brought to the middle; (0, 0) where none was [px].
        offset: source place of `xi` less the source's place [px].
    """
    first = scene.lights[0]
    about = [replace(light, x=round(light.x - scene.x, 10), y=round(light.y - scene.y, 10)) for light in scene.lights]
    several = scene.source == "Constellation"
    return Amplitudes(
        filename=scene.filename,
        source=cosmosim_strings.constellation_text(about) if several else cosmosim_strings.light_name(first.kind),
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
    kept = [name for name in first if not (ml and name in _NOT_ML)]
    return kept + [f"{kind}[{m}][{s}]" for kind in ("alpha", "beta") for m, s in orders(nterms)]


class Writer:
    """A table that is written row by row, and there whole when the block ends, or not at all.

        with Writer("roulette.csv", nterms=16) as table:
            table.append(record)

    Args:
        path: where; folders are made.
        nterms: order of the series: amplitudes of records beyond it are left out, those a record lacks are 0.
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
        """One more row; what is not finite is left empty."""
        cells = {name: _text(getattr(record, name)) for name in _LIGHT}
        for point in _POINTS:
            for axis, value in zip("XY", getattr(record, point), strict=True):
                cells[point + axis] = _text(value)
        cells |= {"filename": record.filename, "source": record.source}
        amplitudes = [_text(v) for kind in (record.alpha, record.beta) for v in self._picked(kind)]
        self._write([*(cells[name] for name in self._columns[: -len(amplitudes)]), *amplitudes])

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
        return BadInput(f"{self.path}: cannot be written: {error.strerror or error}")


def write(path: str | Path, records: Iterable[Amplitudes], nterms: int, *, ml: bool = False) -> None:
    """Writes a table; the file is there whole or not at all.

    Raises:
        BadInput: it cannot be written there.
    """
    with Writer(path, nterms, ml=ml) as table:
        for record in records:
            table.append(record)


def read(path: str | Path) -> list[Amplitudes]:
    """The rows of a table, with amplitudes up to the highest m that it has.

    Headings may be alpha[m][s] or alpha[m,s]; amplitudes that are missing are 0, as are points and a source's place; other columns
    are passed over.

    Raises:
        BadInput: what `cosmosim.read` refuses, no amplitudes, a heading with m or s that there are none of, no xiX or xiY, or a cell
            that is not a finite number.
    """
    table = cosmosim.read(path)
    found = _headings(table)
    nterms = max(m for _, m, _ in found.values())
    missing = next((name for name in ("xiX", "xiY") if name not in table.columns), None)
    if missing is not None:
        raise BadInput(f"{table.path}: line 1: there is no column {missing}; it has {_listed(table.columns)}")
    values = np.zeros((2, len(table), nterms + 1, nterms + 2))
    for name, (kind, m, s) in found.items():
        values[kind, :, m, s] = _column(table, name)
    return [_record(_Row(table, i), values[0, i], values[1, i]) for i in range(len(table))]


def _headings(table: cosmosim.Dataset) -> dict[str, tuple[int, int, int]]:
    """Columns of amplitudes, with kind (0 alpha, 1 beta), m and s."""
    found: dict[str, tuple[int, int, int]] = {}
    taken: dict[tuple[int, int, int], str] = {}
    for name in table.columns:
        if not name.startswith(("alpha[", "beta[")):
            continue
        match = re.fullmatch(r"(alpha|beta)\[ *([0-9]{1,4}) *(?:\]\[|,) *([0-9]{1,4}) *\]", name)
        where = f"{table.path}: line 1: column {_shown(name)}"
        if match is None:
            raise BadInput(f"{where}: m and s are not whole numbers; alpha[m][s] or alpha[m,s] is allowed")
        kind, m, s = int(match[1] == "beta"), int(match[2]), int(match[3])
        if m > _MOST_TERMS:
            raise BadInput(f"{where}: m is {m}; 0…{_MOST_TERMS} is allowed")
        if s > m + 1 or (m + s) % 2 == 0:
            raise BadInput(f"{where}: s is {s}; {', '.join(map(str, range((m + 1) % 2, m + 2, 2)))} is allowed with m = {m}")
        if (kind, m, s) in taken:
            raise BadInput(f"{where}: it is there as {taken[kind, m, s]} too; once is allowed")
        found[name] = taken_as = (kind, m, s)
        taken[taken_as] = name
    if not found:
        raise BadInput(f"{table.path}: line 1: there are no columns alpha[m][s]; it has {_listed(table.columns)}")
    return found


def _column(table: cosmosim.Dataset, name: str) -> np.ndarray:
    """A column's numbers; 0 where a cell is empty."""
    values = np.array([cosmosim_strings.finite(cell) if cell.strip() else 0.0 for cell in table.columns[name]])
    bad = np.flatnonzero(np.isnan(values))
    if len(bad):
        raise _Row(table, int(bad[0])).refusal(name, "a finite number")
    return values


def _record(row: _Row, alpha: np.ndarray, beta: np.ndarray) -> Amplitudes:
    text = row.text("source")
    kind = "Constellation" if "/" in text else cosmosim_strings.LIGHTS.get(text.lower(), "")

    def one(name: str, default: float) -> float:
        return row.number(name) if row.text(name) else default

    def used(name: str, default: float, kinds: tuple[str, ...]) -> float:
        value = one(name, default)
        allowed, words = cosmosim_strings.RANGES[name]
        if kind in kinds and not allowed(value):
            raise row.refusal(name, words)
        return value

    def point(name: str) -> Point:
        return one(f"{name}X", 0.0), one(f"{name}Y", 0.0)

    sersic, elliptical = ("SersicSphere", "SersicEllipsoid"), ("Ellipsoid", "SersicEllipsoid")
    sized = (*elliptical, "Spherical", "SersicSphere", "Triangle")
    sigma = used("sigma", math.nan if kind in sized else 0.0, sized)
    return Amplitudes(
        filename=row.dataset.filenames[row.index],
        source=text,
        x=one("x", 0.0),
        y=one("y", 0.0),
        sigma=sigma,
        sigma2=used("sigma2", math.nan if kind in elliptical else sigma, elliptical),
        theta=one("theta", 0.0),
        luminosity=used("luminosity", cosmosim_strings.luminosity_of(kind), sersic),
        n_sersic=used("n_sersic", 4.0, sersic),
        lens=point("lens"),
        centre=point("centre"),
        releta=point("releta"),
        offset=point("offset"),
        xi=(row.number("xiX"), row.number("xiY")),
        alpha=alpha,
        beta=beta,
    )


def _text(value: float) -> str:
    return number(value) if math.isfinite(value) else ""
