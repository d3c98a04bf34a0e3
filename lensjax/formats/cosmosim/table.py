"""Tables of systems in CosmoSim's CSV columns, as the 2023 thesis used them.

    index,filename,source,lens,chi,R,phi,einsteinR,sigma,sigma2,theta,nterms,x,y

Lengths are pixels, angles degrees, `chi` = D_L/D_S in percent, `einsteinR` the lens-plane radius. What is read of a row:

    filename                image, within the table's folder
    x, y                    place of the source; where there are none, R and phi
    einsteinR               or, where there is none, CosmoSim 3.3's einsteinradius = θ_E = einsteinR / chi
    chi                     50 where it is missing
    sigma, sigma2, theta    the ellipse; a spherical source ("s") needs sigma alone
    source, lens            "e" or "s"; a lens of the problem's kind
    nterms, model           how the image was made: terms of the series; Roulette, Ring or Raytrace

All other columns are carried along, and change nothing.
"""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from lensjax.errors import BadInput
from lensjax.files.whole import write_bytes

COLUMNS = (
    "index", "filename", "source", "lens", "chi", "R", "phi", "einsteinR", "sigma", "sigma2", "theta", "nterms", "x", "y",
)  # fmt: skip
"""Columns that are written, in order."""

PERCENT = ("chi",)
"""Parameters that files state in percent."""

_LARGEST = 10_000.0
"""Largest length [px] that is taken for one: beyond it no image shows anything."""

_LENSES = {
    "sis2023": ("SIS", ("sis", "s", "ss", "fs", "rs", "pss")),
    "pm2022": ("PM", ("pm", "pointmass", "point mass", "p", "r")),
}
_ELLIPTICAL = ("e", "ellipsoid")
_SPHERICAL = ("s", "spherical")
_METHODS = ("roulette", "ring", "raytrace")


@dataclass(frozen=True)
class Dataset:
    """A table of N images.

    Attributes:
        path: the file, for messages.
        filenames: name of each image, relative to the images' folder, with "/" between folders.
        lines: line of the file at which each row begins, counted from 1.
        columns: every column as text, by name, in the file's order.
    """

    path: str
    filenames: tuple[str, ...]
    lines: tuple[int, ...]
    columns: Mapping[str, tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.filenames)

    def row(self, filename: str) -> "Dataset":
        """The table with the row of one image alone.

        Raises:
            BadInput: there is none.
        """
        if filename not in self.filenames:
            raise BadInput(f"{self.path}: no row has the filename {filename!r}")
        i = self.filenames.index(filename)
        columns = {name: (cells[i],) for name, cells in self.columns.items()}
        return Dataset(self.path, (filename,), (self.lines[i],), columns)


def read(path: str | Path, *, inside: bool = True) -> Dataset:
    """The rows of a CSV file with a column `filename`.

    Args:
        path: the file.
        inside: whether file names that lead out of the folder are refused.

    Raises:
        BadInput: not a CSV file, a column twice, none called filename, no rows, a row that is longer or shorter than the
            header, or a file name that is empty, there twice, or leads out of the folder.
    """
    path = Path(path)
    header, rows, lines = _rows(path)
    if "filename" not in header:
        raise BadInput(f"{path}: line 1: there is no column filename; it has {_listed(header)}")
    if not rows:
        raise BadInput(f"{path}: no rows below the header; one for each image is asked for")
    columns = {name: tuple(row[k] for row in rows) for k, name in enumerate(header) if name}
    names: dict[str, int] = {}
    for line, text in zip(lines, columns["filename"], strict=True):
        name = _checked_name(path, line, text) if inside else text
        if name in names:
            first = names[name]
            raise BadInput(f"{path}: line {line}, column filename: {text!r} is in line {first} too; once is allowed")
        names[name] = line
    return Dataset(str(path), tuple(names), tuple(lines), columns)


def params(dataset: Dataset, *, problem: str, names: Sequence[str]) -> np.ndarray:
    """Parameters (N, P) of a problem, in the problem's units.

    Where the problem has no chi, einsteinR is brought to chi = 50 %, for the same θ_E.

    Args:
        dataset: the table.
        problem: "sis2023" or "pm2022".
        names: names of the P parameters, among x, y, einsteinR, sigma, sigma2, theta, chi.

    Raises:
        BadInput: a column is missing, or a value is not a number, not finite, or out of range; or a lens or source of another
            kind.
    """
    missing = missing_columns(dataset)
    if missing:
        raise BadInput(f"{dataset.path}: line 1: there is no column {missing[0]}; it has {_listed(dataset.columns)}")
    return np.array([_params(_Row(dataset, i), problem, names) for i in range(len(dataset))], np.float64)


def missing_columns(dataset: Dataset) -> list[str]:
    """Columns that `params` needs and the table has not."""
    has = dataset.columns
    wanted = [] if "R" in has and "phi" in has else ["x", "y"]
    wanted += [] if "einsteinradius" in has else ["einsteinR"]
    wanted += ["sigma"]
    if not ("source" in has and all(text.strip().lower() in _SPHERICAL for text in has["source"])):
        wanted += ["sigma2", "theta"]
    return [name for name in wanted if name not in has]


def terms(dataset: Dataset, *, default: int) -> tuple[int, ...]:
    """Terms of the series of each row (N,): column nterms, where there is one.

    Raises:
        BadInput: not a whole number from 2 to 500.
    """
    found = []
    for i in range(len(dataset)):
        row = _Row(dataset, i)
        value = row.number("nterms", default=default)
        if not (2 <= value <= 500 and value == int(value)):
            raise row.refusal("nterms", "a whole number from 2 to 500")
        found.append(int(value))
    return tuple(found)


def methods(dataset: Dataset, *, default: str) -> tuple[str, ...]:
    """How each row's lens equation is solved (N,): column model, where there is one.

    Raises:
        BadInput: another word than Roulette, Ring or Raytrace.
    """
    found = []
    for i in range(len(dataset)):
        row = _Row(dataset, i)
        word = row.text("model").lower() or default
        if word not in _METHODS:
            raise row.refusal("model", "Roulette, Ring or Raytrace")
        found.append(word)
    return tuple(found)


def value(dataset: Dataset, column: str) -> float:
    """The number in a column of a table's first row.

    Raises:
        BadInput: there is no such column, or no finite number in it.
    """
    if column not in dataset.columns:
        raise BadInput(f"{dataset.path}: line 1: there is no column {column}; it has {_listed(dataset.columns)}")
    return _Row(dataset, 0).number(column)


def write(
    path: str | Path,
    filenames: Sequence[str],
    values: np.ndarray,
    *,
    problem: str,
    names: Sequence[str],
    nterms: Sequence[int],
    methods: Sequence[str],
    origin: Dataset | None = None,
) -> None:
    """Writes a table of N systems.

    Args:
        path: where; the file is there whole or not at all.
        filenames: name of each image.
        values: parameters (N, P) in the problem's units.
        problem: "sis2023" or "pm2022".
        names: names of the P parameters.
        nterms: terms of the series, for each row.
        methods: how each row's lens equation was solved; a column `model` says so where one is not "roulette".
        origin: the table they came from: its cells stand as they are, its other columns are kept.

    Raises:
        BadInput: it cannot be written there.
    """
    kept = {} if origin is None else dict(origin.columns)
    extra = [name for name in kept if name not in COLUMNS]
    if any(method != "roulette" for method in methods) and "model" not in extra:
        extra.append("model")
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([*COLUMNS, *extra])
    for i, row in enumerate(np.asarray(values, np.float64)):
        cells = {name: number(value * 100.0 if name in PERCENT else value) for name, value in zip(names, row, strict=True)}
        x, y = row[list(names).index("x")], row[list(names).index("y")]
        cells = {
            "index": str(i + 1),
            "source": "e",
            "lens": _LENSES[problem][0],
            "chi": "50",
            "R": number(round(math.hypot(x, y), 6)),
            "phi": number(round(math.degrees(math.atan2(y, x)) % 360.0, 6)),
            "nterms": str(nterms[i]),
            **cells,
            **{name: column[i] for name, column in kept.items()},
            "filename": filenames[i],
        }
        if "model" in extra:
            cells["model"] = methods[i].capitalize()
        writer.writerow([cells[name] for name in (*COLUMNS, *extra)])
    write_bytes(Path(path), content.getvalue().encode())


def number(value: float) -> str:
    """The shortest text that is this number when it is read again; whole numbers without a point."""
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e15 else repr(float(value))


def _rows(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows, and the line at which each row begins."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (IsADirectoryError, PermissionError, OSError) as error:
        raise BadInput(f"{path}: the file cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not text in UTF-8 (byte {error.start}); a CSV file is asked for") from None
    if "\0" in text:
        raise BadInput(f"{path}: not a text file (it has zero bytes); a CSV file is asked for")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    rows, lines = [], []
    begin = 1
    try:
        for row in reader:
            if not header:
                header = _checked_header(path, begin, row)
            elif row:
                if len(row) != len(header):
                    raise BadInput(f"{path}: line {begin}: {len(row)} cells; the header has {len(header)}")
                rows.append(row)
                lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{path}: line {begin}: not CSV: {error}") from None
    if not header:
        raise BadInput(f"{path}: the file is empty; a header and one row for each image are asked for")
    return header, rows, lines


def _checked_header(path: Path, line: int, row: list[str]) -> list[str]:
    names = [name.strip() for name in row]
    twice = next((name for k, name in enumerate(names) if name and name in names[:k]), None)
    if twice is not None:
        raise BadInput(f"{path}: line {line}: column {_shown(twice)} is there twice")
    return names


def _checked_name(path: Path, line: int, text: str) -> str:
    """A file name that stays in its folder, in one form only."""
    where = f"{path}: line {line}, column filename"
    if not text.strip():
        raise BadInput(f"{where}: it is empty; the name of an image file is asked for")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise BadInput(f"{where}: {_shown(text)} has control characters; none are allowed")
    name = PurePosixPath(text)
    if name.is_absolute() or ".." in name.parts or "\\" in text or re.match("[A-Za-z]:", text) or not name.name:
        raise BadInput(f"{where}: {_shown(text)} leads out of the folder; a name within it is allowed")
    if any(len(part.encode()) > 200 for part in name.parts):
        raise BadInput(f"{where}: {_shown(text)} is too long; up to 200 bytes are allowed")
    return str(name)


def _shown(text: str) -> str:
    """A value for a message: quoted, in one line, not too long."""
    return ascii(text) if len(text) <= 60 else f"{ascii(text[:60])}…"


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    shown = [name if name.isprintable() and len(name) <= 60 else _shown(name) for name in names if name]
    return (", ".join(shown[:20]) + (", …" if len(shown) > 20 else "")) or "none"


@dataclass(frozen=True)
class _Row:
    """One row of a table, and what it is called in messages."""

    dataset: Dataset
    index: int

    def text(self, column: str) -> str:
        """The cell without spaces about it; empty where there is no such column."""
        cells = self.dataset.columns.get(column)
        return "" if cells is None else cells[self.index].strip()

    def refusal(self, column: str, allowed: str) -> BadInput:
        text = self.text(column)
        value = _shown(text) if text else "empty"
        return BadInput(
            f"{self.dataset.path}: line {self.dataset.lines[self.index]}, column {column}: the value is {value}; {allowed} is allowed"
        )

    def number(self, column: str, *, default: float | None = None) -> float:
        """The cell's number; `default` where there is no such column."""
        if column not in self.dataset.columns and default is not None:
            return default
        text = self.text(column)
        try:
            value = math.nan if "_" in text else float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.refusal(column, "a finite number")
        return value

    def length(self, column: str) -> float:
        """A positive length [px]."""
        value = self.number(column)
        if not 0.0 < value <= _LARGEST:
            raise self.refusal(column, f"a length above 0 and up to {_LARGEST:g} px")
        return value

    def place(self, column: str) -> float:
        """A coordinate [px]."""
        value = self.number(column)
        if abs(value) > _LARGEST:
            raise self.refusal(column, f"a place within ±{_LARGEST:g} px")
        return value


def _params(row: _Row, problem: str, names: Sequence[str]) -> list[float]:
    has = row.dataset.columns
    _check_kind(row, problem)
    spherical = row.text("source").lower() in _SPHERICAL
    chi = row.number("chi", default=50.0)
    if not 1.0 <= chi <= 100.0:
        raise row.refusal("chi", "1…100 percent")
    if "x" in has and "y" in has:
        x, y = row.place("x"), row.place("y")
    else:
        distance, phi = row.place("R"), math.radians(row.number("phi"))
        x, y = distance * math.cos(phi), distance * math.sin(phi)
    own_chi = "chi" in names
    if "einsteinR" in has:
        radius = row.length("einsteinR") * (1.0 if own_chi else 50.0 / chi)
    else:
        radius = row.length("einsteinradius") * (chi / 100.0 if own_chi else 0.5)
    sigma = row.length("sigma")
    values = {
        "x": x,
        "y": y,
        "einsteinR": radius,
        "sigma": sigma,
        "sigma2": sigma if spherical else row.length("sigma2"),
        "theta": 0.0 if spherical else row.number("theta"),
        "chi": chi / 100.0,
    }
    return [values[name] for name in names]


def _check_kind(row: _Row, problem: str) -> None:
    """Refuses rows whose lens or source is of another kind than the problem's."""
    source, lens = row.text("source").lower(), row.text("lens").lower()
    written, known = _LENSES[problem]
    if source and source not in (*_ELLIPTICAL, *_SPHERICAL):
        raise row.refusal("source", 'an elliptical ("e") or spherical ("s") Gaussian')
    if lens and lens not in known:
        raise row.refusal("lens", f"for problem {problem} a lens {written} ({', '.join(known[1:])})")
    if row.text("lightprofile").lower() not in ("", "gaussian"):
        raise row.refusal("lightprofile", "Gaussian")
    if row.text("cluster"):
        raise row.refusal("cluster", "an empty cell")
