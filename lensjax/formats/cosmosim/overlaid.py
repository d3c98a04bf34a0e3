"""A row of a table, over settings of the command line and TOML files, over defaults."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lensjax._internal.numbers import finite, whole, whole_expected
from lensjax._internal.numbers import shortest as number
from lensjax._internal.words import did_you_mean, name, one_of
from lensjax.errors import BadInput, at
from lensjax.formats.cosmosim import names
from lensjax.formats.cosmosim.ranges import RANGES, Range
from lensjax.formats.cosmosim.table import Table
from lensjax.formats.scene import Origin


@dataclass(frozen=True, slots=True)
class Overlaid:
    """A row of a table; empty cells take their value from the settings, or else from the defaults.

    Attributes:
        table: the table.
        index: number of the row.
        columns: the table's cells without spaces about them, by column.
        settings: values from the command line or a TOML file, by column.
        otherwise: settings over defaults, by column.
    """

    table: Table
    index: int
    columns: Mapping[str, Sequence[str]]
    settings: Mapping[str, str]
    otherwise: Mapping[str, str]

    def own(self, column: str) -> str:
        """The row's cell, without settings and defaults."""
        cells = self.columns.get(column)
        return "" if cells is None else cells[self.index]

    def text(self, column: str) -> str:
        cells = self.columns.get(column)
        return (cells[self.index] if cells is not None else "") or self.otherwise.get(column, "")

    @property
    def origin(self) -> Origin:
        return Origin(self.table.path, self.table.lines[self.index])

    def place(self, column: str) -> str:
        """The origin of a value that is not the row's, for messages."""
        of_file = self.own(column) or column not in self.settings or not self.table.lines[self.index]
        return "" if of_file else "from the command line or the TOML file"

    def cell(self, column: str) -> AbstractContextManager[None]:
        """Gives errors from inside the block the place of this cell."""
        return at(path=self.table.path, line=self.table.lines[self.index] or None, column=column, place=self.place(column))

    def error(self, column: str, expected: str, *, hint: str = "") -> BadInput:
        path, line, place = self.table.path, self.table.lines[self.index] or None, self.place(column)
        return BadInput(path=path, line=line, column=column, place=place, value=self.text(column), expected=expected, hint=hint)

    def number(self, column: str, *, default: float | None = None) -> float:
        text = self.text(column)
        if not text and default is not None:
            return default
        value = finite(text)
        if value != value:
            raise self.error(column, "a finite number")
        return value

    def inside(self, column: str, limits: Range | None = None, *, default: float | None = None) -> float:
        """The number, in the range of its column."""
        value = self.number(column, default=default)
        limits = limits or RANGES[column]
        if not limits.contains(value):
            raise self.error(column, limits.expected)
        return value

    def unused(self, column: str, default: float) -> float:
        """The number, or the default where it cannot be used: no image depends on it."""
        value = finite(self.text(column))
        return value if RANGES[column].contains(value) else default

    def whole(self, column: str, low: int, high: int, *, default: int) -> int:
        text = self.text(column)
        if not text:
            return default
        value = whole(text.removesuffix(".0"), low, high)
        if value is None:
            raise self.error(column, whole_expected(low, high))
        return value

    def flag(self, column: str, default: bool) -> bool:
        word = self.text(column).lower()
        if not word:
            return default
        if word not in names.YES and word not in names.NO:
            raise self.error(column, "0, 1, true, false, yes or no")
        return word in names.YES

    def unknown(self, column: str, known: Sequence[str]) -> BadInput:
        return self.error(column, one_of(known), hint=did_you_mean(self.text(column), known))


def as_cells(settings: Mapping[str, object], known: Sequence[str]) -> dict[str, str]:
    """Settings, of known names, as the text of cells, without those that are None or empty.

    Raises:
        BadInput: a setting of an unknown name.
    """
    cells: dict[str, str] = {}
    for key, value in settings.items():
        if key not in known:
            raise BadInput("unknown setting", column=name(str(key)), value=str(key), hint=did_you_mean(str(key), known))
        if value is None or value == "":
            continue
        if isinstance(value, bool):
            cells[key] = str(value).lower()
        elif isinstance(value, int | float):
            cells[key] = number(value) if isinstance(value, float) or abs(value) < 1e300 else "inf"
        else:
            cells[key] = str(value).strip()
    if "ratio" in cells:
        cells.setdefault("ellipseratio", cells["ratio"])
    return cells
