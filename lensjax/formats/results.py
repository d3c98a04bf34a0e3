"""Tables of estimates, one row an image, written and read.

For each parameter <name>, <name>_err (1σ; inf where the image does not identify it) and <name>_network; then chi2, success, status;
then for each parameter <name>_low and <name>_high (certified bounds), and method, fit, violated, shift_x, shift_y. Tables of telescopes'
images have <name>_east_of_north too, the position angle on the sky of a direction. Cells of unknown values are empty. Units are those of
CosmoSim's columns: pixels, degrees, chi in percent; arcseconds in place of pixels for telescopes' images.
"""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from lensjax._internal.numbers import finite
from lensjax._internal.numbers import shortest as number
from lensjax.errors import BadInput
from lensjax.files.whole import writable, write_text
from lensjax.formats.cosmosim import table as tables
from lensjax.formats.cosmosim.parameters import PERCENT
from lensjax.formats.cosmosim.table import Row

_SUFFIXES = ("", "_err", "_network", "_low", "_high")
_AFTER = ("chi2", "success", "status")
_LAST = ("method", "fit", "violated", "shift_x", "shift_y")


class Fit(Protocol):
    """The fit of N images: the part of a `refine.Solution` that a table has."""

    @property
    def params(self) -> np.ndarray: ...
    @property
    def errors(self) -> np.ndarray: ...
    @property
    def lowest(self) -> np.ndarray: ...
    @property
    def highest(self) -> np.ndarray: ...
    @property
    def chi2(self) -> np.ndarray: ...
    @property
    def success(self) -> np.ndarray: ...
    @property
    def status(self) -> Sequence[str]: ...
    @property
    def method(self) -> Sequence[str]: ...
    @property
    def kind(self) -> Sequence[str]: ...
    @property
    def violated(self) -> np.ndarray: ...
    @property
    def shift(self) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Result:
    """The estimate of one image. Unknown values are NaN, None or empty.

    Attributes:
        filename: name of the image.
        params: (P,) parameters in the problem's units.
        errors: (P,) their 1σ errors; inf where the image does not identify one.
        network: (P,) the network's estimate.
        low, high: (P,) certified bounds.
        chi2: mean squared residual over the noise variance.
        success: whether the fit can be trusted; None without a fit.
        status: in words.
        method: how the lens equation was solved.
        fit: "interval" or "least squares".
        violated: pixels that do not round to the observed value.
        shift: (2,) point at the image's centre, relative to the lens [px].
        angles: position angles on the sky [deg, from north through east].
        covariance: (P, P); NaN for parameters that the image does not identify. It is in no CSV file.
    """

    filename: str
    params: np.ndarray
    errors: np.ndarray
    network: np.ndarray
    low: np.ndarray
    high: np.ndarray
    chi2: float = math.nan
    success: bool | None = None
    status: str = ""
    method: str = ""
    fit: str = ""
    violated: float = math.nan
    shift: tuple[float, float] = (math.nan, math.nan)
    angles: tuple[float, ...] = ()
    covariance: np.ndarray | None = None


@dataclass(frozen=True)
class Results:
    """A table of estimates.

    Attributes:
        names: names of the P parameters.
        rows: the images.
    """

    names: tuple[str, ...]
    rows: tuple[Result, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.rows)


def columns(names: Sequence[str], angles: Sequence[str] = ()) -> list[str]:
    """Headings for parameters of these names, of which `angles` have a position angle on the sky."""
    own = [name + suffix for name in names for suffix in ("", "_err", "_network")]
    bounds = [name + suffix for name in names for suffix in ("_low", "_high")]
    return ["filename", *own, *_AFTER, *bounds, *_LAST, *(f"{name}_east_of_north" for name in angles)]


def of_network(filename: str, network: np.ndarray, errors: np.ndarray | None = None, *, angles: Sequence[float] = ()) -> Result:
    """The row of an image with the estimate (P,) of a network alone, its errors (P,) where the network has any, and angles on the sky."""
    unknown = np.full(np.shape(network), np.nan)
    known = unknown if errors is None else errors
    return Result(filename, network, known, network, unknown, unknown, status="network", angles=tuple(angles))


def of_fit(filename: str, fit: Fit, *, index: int = 0, network: np.ndarray | None = None, angles: Sequence[float] = ()) -> Result:
    """The row of an image that was fitted.

    Args:
        filename: name of the image.
        fit: the fit of one image or several.
        index: index of the image.
        network: (P,) the network's estimate, or None.
        angles: position angles on the sky [deg].
    """
    return Result(
        filename=filename,
        params=fit.params[index],
        errors=fit.errors[index],
        network=np.full(fit.params[index].shape, np.nan) if network is None else network,
        low=fit.lowest[index],
        high=fit.highest[index],
        chi2=float(fit.chi2[index]),
        success=bool(fit.success[index]),
        status=fit.status[index],
        method=fit.method[index],
        fit=fit.kind[index],
        violated=float(fit.violated[index]),
        shift=(float(fit.shift[index][0]), float(fit.shift[index][1])),
        angles=tuple(angles),
    )


def failed(filename: str, reason: str, *, names: Sequence[str], network: np.ndarray | None = None) -> Result:
    """The row of an image that could not be estimated: success False, no numbers, and the reason in words."""
    unknown = np.full(len(names), np.nan)
    return Result(filename, unknown, unknown, unknown if network is None else network, unknown, unknown, success=False, status=reason)


def write(path: str | Path, rows: Sequence[Result], *, names: Sequence[str], angles: Sequence[str] = ()) -> None:
    """Writes the table, with position angles on the sky of the parameters `angles`; the file is there whole or not at all.

    Raises:
        BadInput: it cannot be written there.
    """
    write_text(Path(path), _line(columns(names, angles)) + "".join(_line(_cells(row, names, angles)) for row in rows))


def append(path: str | Path, row: Result, *, names: Sequence[str], angles: Sequence[str] = ()) -> None:
    """One more row at the end of a table that `write` began; it is in the file when this returns.

    Raises:
        BadInput: it cannot be written there.
    """
    with writable(Path(path)), Path(path).open("a", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(_line(_cells(row, names, angles)))


def read(path: str | Path) -> Results:
    """A table of estimates.

    Raises:
        BadInput: not a CSV file, no column <name>_err beside a column <name>, or a cell that is not a number.
    """
    table = tables.read(path, inside=False)
    names = tuple(name for name in table.columns if f"{name}_err" in table.columns)
    if not names:
        raise BadInput("no estimates", path=path, line=1, expected="for each parameter a column <name> and a column <name>_err")
    return Results(names, tuple(_row(Row(table, i), names) for i in range(len(table))))


def _row(row: Row, names: Sequence[str]) -> Result:
    cells = {column: cells[row.index].strip() for column, cells in row.table.columns.items()}
    numeric = [name + suffix for name in names for suffix in _SUFFIXES] + ["chi2", "violated", "shift_x", "shift_y"]
    for column in numeric:
        text = cells.get(column, "")
        if text and math.isnan(finite(text)) and not (column.endswith("_err") and text == "inf"):
            raise row.error(column, "a number or an empty cell")
    if cells.get("success", "") not in ("", "True", "False"):
        raise row.error("success", "True or False")
    return _of_cells({**cells, "filename": row.table.filenames[row.index]}, names)


def _of_cells(cells: dict[str, str], names: Sequence[str]) -> Result:
    def value(column: str) -> float:
        text = cells.get(column, "")
        try:
            return float(text) if text else math.nan
        except ValueError:
            return math.nan

    def values(suffix: str) -> np.ndarray:
        return np.array([value(name + suffix) / (100.0 if name in PERCENT else 1.0) for name in names])

    success = cells.get("success", "")
    return Result(
        filename=cells["filename"],
        params=values(""),
        errors=values("_err"),
        network=values("_network"),
        low=values("_low"),
        high=values("_high"),
        chi2=value("chi2"),
        success=success == "True" if success else None,
        status=cells.get("status", ""),
        method=cells.get("method", ""),
        fit=cells.get("fit", ""),
        violated=value("violated"),
        shift=(value("shift_x"), value("shift_y")),
    )


def _cells(row: Result, names: Sequence[str], angles: Sequence[str]) -> list[str]:
    cells = {
        "filename": row.filename,
        "chi2": _text(row.chi2, "{:.6g}"),
        "success": "" if row.success is None else str(bool(row.success)),
        "status": row.status,
        "method": row.method,
        "fit": row.fit,
        "violated": _text(row.violated, "{:.0f}"),
        "shift_x": "" if math.isnan(row.shift[0]) else number(row.shift[0]),
        "shift_y": "" if math.isnan(row.shift[1]) else number(row.shift[1]),
    }
    for suffix, values in zip(_SUFFIXES, (row.params, row.errors, row.network, row.low, row.high), strict=True):
        for name, value in zip(names, values, strict=True):
            cells[name + suffix] = _text(float(value) * (100.0 if name in PERCENT else 1.0), "{:.10g}")
    known = row.angles or (math.nan,) * len(angles)
    cells |= {f"{name}_east_of_north": _text(value, "{:.8g}") for name, value in zip(angles, known, strict=True)}
    return [cells[column] for column in columns(names, angles)]


def _line(cells: Sequence[str]) -> str:
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerow(cells)
    return content.getvalue()


def _text(value: float, form: str) -> str:
    """The number as text; NaN as nothing."""
    return "" if math.isnan(value) else form.format(value)
