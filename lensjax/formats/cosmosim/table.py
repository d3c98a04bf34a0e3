"""Tables of images in CSV files, one row an image.

Besides CSV proper (commas, UTF-8), files of spreadsheets are read where they are unambiguous: semicolons or tabs between cells,
with decimal points or decimal commas; a first line `sep=;`; UTF-16 with its mark; Latin-1; a heading such as `Filename`.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lensjax._internal import numbers
from lensjax._internal.words import did_you_mean, listed, shown
from lensjax.errors import BadInput
from lensjax.files.read import read_bytes
from lensjax.formats.cosmosim.ranges import LENGTH, PLACE, Range

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
_DECIMAL_POINT = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Cells:
    """The cells of a CSV file, before they are checked.

    Attributes:
        header: the headings; "" for a column without one.
        rows: the cells of every row, as many as there are headings.
        lines: line of the file at which each row begins, counted from 1.
    """

    header: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]


@dataclass(frozen=True)
class Table:
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

    def row(self, filename: str) -> "Table":
        """The table with the row of one image alone.

        Raises:
            BadInput: no row has this name.
        """
        if filename not in self.filenames:
            raise BadInput(f"no row has the filename {shown(filename)}", path=self.path, value=filename)
        i = self.filenames.index(filename)
        columns = {name: (cells[i],) for name, cells in self.columns.items()}
        return Table(self.path, (filename,), (self.lines[i],), columns)

    def missing(self, column: str) -> BadInput:
        """The error of a missing column."""
        return _missing(self.path, column, self.columns)

    def check_spelling(self, known: Sequence[str], others: Iterable[str] = ()) -> None:
        """Refuses a misspelt heading: its cells would not be read, and defaults used instead.

        Args:
            known: headings that are read; one that the table has is not misspelt.
            others: headings that are known but not read.

        Raises:
            BadInput: a heading is misspelt.
        """
        accepted = {*known, *others}
        for name in self.columns:
            near = [] if name in accepted else [word for word in known if _misspelt(name, word)]
            meant = next(iter(near), None)
            if meant is not None and not any(word in self.columns for word in near):
                raise BadInput(
                    "unknown column", path=self.path, line=1, column=name, value=name, hint=f"did you mean {meant}? (otherwise rename it)"
                )


@dataclass(frozen=True)
class Row:
    """One row of a table: its cells as text and numbers, and the errors of its cells."""

    table: Table
    index: int

    @property
    def line(self) -> int:
        """The line of the file."""
        return self.table.lines[self.index]

    def text(self, column: str) -> str:
        """The cell without spaces about it; empty where there is no such column."""
        cells = self.table.columns.get(column)
        return "" if cells is None else cells[self.index].strip()

    def error(self, column: str, expected: str, *, hint: str = "") -> BadInput:
        """The error of a cell with another value than expected."""
        return BadInput(path=self.table.path, line=self.line, column=column, value=self.text(column), expected=expected, hint=hint)

    def number(self, column: str, *, default: float | None = None) -> float:
        """The cell's number; `default` where there is no such column."""
        if default is not None and column not in self.table.columns:
            return default
        value = numbers.finite(self.text(column))
        if math.isnan(value):
            raise self.error(column, "a finite number")
        return value

    def whole(self, column: str, low: int, high: int, *, default: int) -> int:
        """The cell's whole number, which may be written 16.0; `default` where there is no such column."""
        if column not in self.table.columns:
            return default
        value = numbers.whole(self.text(column).removesuffix(".0"), low, high)
        if value is None:
            raise self.error(column, numbers.whole_expected(low, high))
        return value

    def inside(self, column: str, limits: Range) -> float:
        """The cell's number, which is one of a range."""
        value = self.number(column)
        if not limits.contains(value):
            raise self.error(column, limits.expected)
        return value

    def length(self, column: str) -> float:
        """A positive length [px]."""
        return self.inside(column, LENGTH)

    def place(self, column: str) -> float:
        """A coordinate [px]."""
        return self.inside(column, PLACE)


def read(path: str | Path, *, inside: bool = True) -> Table:
    """The rows of a CSV file with a column `filename`.

    Args:
        path: the file.
        inside: whether file names that lead out of the folder are refused.

    Raises:
        BadInput: not a CSV file, a column twice, none called filename, no rows, a row that is longer or shorter than the
            header, or a file name that is empty, there twice, or leads out of the folder.
    """
    cells = read_cells(path)
    header = list(cells.header)
    if "filename" not in header:
        named = [k for k, name in enumerate(header) if name.lower() == "filename"]
        if len(named) != 1:
            raise _missing(path, "filename", header)
        header[named[0]] = "filename"
    if not cells.rows:
        raise BadInput("no rows below the header", path=path, expected="one row for each image")
    by_column = list(zip(*cells.rows, strict=True))
    columns = {name: by_column[k] for k, name in enumerate(header) if name}
    first: dict[str, int] = {}
    for line, text in zip(cells.lines, columns["filename"], strict=True):
        name = checked_filename(text, path=path, line=line) if inside else text
        if name in first:
            raise BadInput(
                path=path, line=line, column="filename", value=text, expected=f"a name that no other row has (line {first[name]} has it)"
            )
        first[name] = line
    return Table(str(path), tuple(first), tuple(cells.lines), columns)


def read_cells(path: str | Path) -> Cells:
    """Header, rows, and the line at which each row begins.

    Decimal commas between semicolons or tabs become decimal points.

    Raises:
        BadInput: it cannot be read, is not CSV, has a column twice, or a row that is longer or shorter than the header.
    """
    text = _decoded(read_bytes(path, "a CSV file"), path)
    first, _, rest = text.partition("\n")
    begin, delimiter = 1, ""
    match = re.fullmatch(r'"?sep=(.)"?\s*', first)
    if match is not None:
        text, begin, delimiter = rest, 2, match[1]
        if delimiter not in _DELIMITERS:
            raise BadInput(path=path, line=1, column="sep", value=delimiter, expected="a comma, a semicolon or a tab")
    delimiter = delimiter or _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    skipped = begin - 1
    header: tuple[str, ...] = ()
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if not header:
                header = _checked_header(row, path, begin)
            elif row:
                if len(row) != len(header):
                    raise BadInput(f"{len(row)} cells; the header has {len(header)}", path=path, line=begin, value=len(row))
                rows.append(row)
                lines.append(begin)
            begin = reader.line_num + 1 + skipped
    except csv.Error as error:
        raise BadInput(f"not CSV: {error}", path=path, line=begin) from None
    if not header:
        raise BadInput("the file is empty", path=path, expected="a header and one row for each image")
    if delimiter != ",":
        _use_decimal_points(rows, lines, header, path)
    return Cells(header, rows, lines)


def checked_filename(text: str, *, path: str | Path | None = None, line: int | None = None) -> str:
    """A file name that stays in its folder, in one form only.

    Args:
        text: the name.
        path, line: where it stands, for messages.

    Raises:
        BadInput: it is empty or too long, has control characters, or leads out of the folder.
    """
    if _PLAIN_NAME.fullmatch(text):
        return text
    name = PurePosixPath(text)
    problem, expected = "", "the name of an image file"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        expected = "a name without control characters"
    elif text.strip():
        if name.is_absolute() or ".." in name.parts or "\\" in text or re.match("[A-Za-z]:", text) or not name.name:
            problem, expected = f"{shown(text)} leads out of the folder", "a name within it"
        elif any(len(part.encode("utf-8", "surrogatepass")) > 200 for part in name.parts):
            expected = "a name of up to 200 bytes"
        else:
            return str(name)
    raise BadInput(problem, path=path, line=line, column="filename", value=text.strip() and text, expected=expected)


def _missing(path: str | Path, column: str, columns: Iterable[str]) -> BadInput:
    near = did_you_mean(column, columns, 0.75)
    hint = f"{near} The columns are {listed(columns)}" if near else f"the columns are {listed(columns)}"
    return BadInput("there is no such column", path=path, line=1, column=column, hint=hint)


def _decoded(content: bytes, path: str | Path) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, or Latin-1 where no byte differs from what Windows writes."""
    utf_16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        if utf_16 or any(byte < 32 and byte not in b"\t\n\r" or 127 <= byte < 160 for byte in set(content)):
            raise BadInput(f"not text in UTF-8 (byte {error.start})", path=path, expected="a CSV file") from None
        text = content.decode("latin-1")
    if "\0" in text:
        raise BadInput("not a text file (it has zero bytes)", path=path, expected="a CSV file")
    return text


def _delimiter(text: str) -> str:
    """The delimiter of the cells: the one that gives a heading filename; otherwise a comma, if there is one."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    counts: dict[str, int] = {}
    for delimiter in _DELIMITERS:
        names = [name.strip().strip('"').lower() for name in header.split(delimiter)]
        if "filename" in names:
            return delimiter
        counts[delimiter] = len(names)
    return "," if counts[","] > 1 else max(counts, key=lambda delimiter: counts[delimiter])


def _use_decimal_points(rows: list[list[str]], lines: Sequence[int], header: Sequence[str], path: str | Path) -> None:
    """Turns decimal commas into points, unless the file has numbers with points too."""
    commas = [(i, k) for i, row in enumerate(rows) for k, cell in enumerate(row) if "," in cell and _DECIMAL_COMMA.fullmatch(cell.strip())]
    if not commas:
        return
    for i, row in enumerate(rows):
        point = next((cell for cell in row if "." in cell and _DECIMAL_POINT.fullmatch(cell.strip())), None)
        if point is not None:
            at, column = commas[0]
            other = f"decimal points throughout, as in line {lines[i]} ({point.strip()}), or decimal commas"
            raise BadInput(path=path, line=lines[at], column=header[column], value=rows[at][column].strip(), expected=other)
    for i, k in commas:
        rows[i][k] = rows[i][k].replace(",", ".")


def _checked_header(row: Sequence[str], path: str | Path, line: int) -> tuple[str, ...]:
    names = tuple(name.strip() for name in row)
    twice = next((name for k, name in enumerate(names) if name and name in names[:k]), None)
    if twice is not None:
        raise BadInput(path=path, line=line, column=twice, value=twice, expected="each column once (it is there twice)")
    return names


def _misspelt(name: str, known: str) -> bool:
    """Whether a heading is a known one in other letters' case, or with a letter or two wrong, missing, surplus or exchanged."""
    if name.lower() == known.lower():
        return True
    if len(known) < 5:
        return len(known) == 4 and sorted(name) == sorted(known)
    most = 1 if len(known) < 8 else 2
    return abs(len(name) - len(known)) <= most and _distance(name, known, most) <= most


def _distance(a: str, b: str, most: int) -> int:
    """Letters that are wrong, missing, surplus, or exchanged with their neighbour; `most` + 1 for more than `most`."""
    rows = [list(range(len(b) + 1))]
    for i, letter in enumerate(a):
        row = [i + 1]
        for j, other in enumerate(b):
            cost = min(rows[-1][j] + (letter != other), rows[-1][j + 1] + 1, row[j] + 1)
            if i and j and letter == b[j - 1] and a[i - 1] == other:
                cost = min(cost, rows[-2][j - 1] + 1)
            row.append(cost)
        if min(row) > most + 1:
            return most + 1
        rows.append(row)
    return min(rows[-1][-1], most + 1)
