"""The cells of a CSV file, findings about them, and checks of the names of image files."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lensjax._internal import numbers, words
from lensjax.doctor.findings import Finding
from lensjax.errors import BadInput
from lensjax.formats.cosmosim.names import NO, YES
from lensjax.formats.cosmosim.table import checked_filename, read_cells


@dataclass(frozen=True)
class Table:
    """A CSV file of N rows.

    Attributes:
        path: the file.
        lines: line of each row.
        columns: cells without spaces about them, by heading.
    """

    path: str
    lines: tuple[int, ...]
    columns: Mapping[str, tuple[str, ...]]

    @staticmethod
    def read(path: str | Path) -> "Table":
        """The table of a file.

        Raises:
            BadInput: it is no CSV file, or has no rows.
        """
        cells = read_cells(path)
        if not cells.rows:
            raise BadInput("no rows below the header", path=path, expected="one row for each image")
        columns = zip(cells.header, zip(*cells.rows, strict=True), strict=True)
        return Table(str(path), tuple(cells.lines), {name: tuple(cell.strip() for cell in column) for name, column in columns if name})

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, name: str) -> tuple[str, ...]:
        """Cells of a column; empty ones where there is no such column."""
        return self.columns.get(name, ("",) * len(self))

    def text(self, name: str, default: str = "") -> np.ndarray:
        """Cells (N,), the default where they are empty or there is no such column."""
        return np.array([cell or default for cell in self.cells(name)], object)

    def numbers(self, name: str, default: float = math.nan) -> np.ndarray:
        """Cells (N,) as numbers; the default where they are empty, NaN where they are not numbers."""
        return np.array([numbers.finite(cell) if cell else default for cell in self.cells(name)])

    def empty(self, name: str) -> np.ndarray:
        """Which cells (N,) are empty."""
        return np.array([not cell for cell in self.cells(name)])

    def yes(self, name: str) -> np.ndarray:
        """Which cells (N,) set a flag."""
        return np.array([cell.lower() in YES for cell in self.cells(name)])

    def no(self, name: str) -> np.ndarray:
        """Which cells (N,) clear a flag."""
        return np.array([cell.lower() in NO for cell in self.cells(name)])

    def in_header(self, code: str, **values: object) -> Finding:
        """A finding about the header."""
        return Finding(code, self.path, line=1, values=values)

    def in_columns(self, code: str, *columns: str, hint: str = "", **values: object) -> Finding:
        """A finding about whole columns."""
        return Finding(code, self.path, columns=columns, values=values, hint=hint)

    def in_rows(self, code: str, column: str, rows: np.ndarray, *, hint: str = "", **values: object) -> Iterator[Finding]:
        """A finding about one column in the rows of a mask (N,); none where the mask is empty."""
        if rows.all() and len(rows) > 1:
            yield self.in_columns(code, column, hint=hint, **values)
        elif rows.any():
            line, further = self.lines[int(np.argmax(rows))], int(rows.sum()) - 1
            yield Finding(code, self.path, line=line, further_lines=further, columns=(column,), values=values, hint=hint)


def check_filenames(table: Table) -> Iterator[Finding]:
    """Names that occur twice, leave their folder, or do not name an image file."""
    if "filename" not in table:
        yield Finding("filename-missing", table.path, line=1, hint=words.did_you_mean("filename", table.columns, 0.8))
        return
    folders = [folder.rstrip("/") for folder in table.cells("directory")]
    names = [f"{folder}/{name}" if folder else name for folder, name in zip(folders, table.cells("filename"), strict=True)]
    first: dict[str, int] = {}
    outside, in_folder, bare, twice = (np.zeros(len(table), bool) for _ in range(4))
    for k, name in enumerate(names):
        try:
            name = checked_filename(name)
            in_folder[k] = "/" in name
            bare[k] = "." not in name.rsplit("/", 1)[-1]
        except BadInput:
            outside[k] = True
        twice[k] = first.setdefault(name, k) != k and bool(name)

    yield from table.in_rows("filename-outside", "filename", outside, value=words.shown(names[int(np.argmax(outside))]))
    again = names[int(np.argmax(twice))]
    yield from table.in_rows("filename-twice", "filename", twice, value=words.shown(again), line=table.lines[first.get(again, 0)])
    yield from table.in_rows("filename-in-folder", "filename", in_folder)
    yield from table.in_rows("filename-without-extension", "filename", bare)
