"""Tables of text and numbers, and how their cells are written."""

import textwrap
from dataclasses import dataclass

import numpy as np

from lensjax.errors import BadInput

Cell = str | float
"""A cell of a table: text, or a number."""


@dataclass(frozen=True)
class Table:
    """A table of text and numbers.

    Attributes:
        columns: headings.
        rows: cells, as many as headings in each row; numbers are shown to three figures, NaN as a dash.
        caption: what the table says, one or two sentences.

    Raises:
        BadInput: a row with another number of cells than there are headings.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise BadInput(
                    f"table row {number} has {len(row)} cells", value=len(row), expected=f"{len(self.columns)} cells, one a heading"
                )

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers, and are aligned to the right."""
        return tuple(any(not isinstance(row[column], str) for row in self.rows) for column in range(len(self.columns)))

    @property
    def cells(self) -> list[list[str]]:
        """The rows as text."""
        return [[text_of(value) for value in row] for row in self.rows]


def text_of(value: Cell) -> str:
    """A cell: text as it is; a number to three figures, a whole one whole, NaN as a dash."""
    if isinstance(value, str):
        return value
    if np.isnan(value):
        return "-"
    if isinstance(value, int | np.integer) or np.isinf(value):
        return str(value)
    if value == 0:
        return "0"
    power = int(np.floor(np.log10(abs(value))))
    return f"{value:.2e}" if power < -4 or power > 5 else f"{value:.{max(2 - power, 0)}f}"


def text_table(table: Table) -> str:
    """The table as plain text: aligned columns, numbers to the right, caption above, wrapped."""
    cells = [list(table.columns), *table.cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]

    def line(row: list[str]) -> str:
        aligned = zip(row, widths, table.numeric, strict=True)
        return "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in aligned).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([*textwrap.wrap(table.caption, 88), line(cells[0]), rule, *map(line, cells[1:])])
