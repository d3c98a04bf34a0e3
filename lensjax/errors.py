"""The error of input that the user can correct."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lensjax._internal.words import shown

_NO_VALUE: Any = object()


class BadInput(ValueError):
    """Input that cannot be used: its place, its value, and what is expected instead.

    `str()` is one line, "data.csv: line 7, column sigma: the value is '-3'; expected a length above 0 and up to 10000 px". Command
    lines print that line on stderr and end with exit code 2. Programs read the fields, not the line.

    Attributes:
        problem: what is wrong, in words; empty where `value` and `expected` say it.
        path: the file or folder, or None.
        line: line of the file, counted from 1.
        column: column, key, flag or parameter.
        place: the place within that cell or file, in words, such as "member 2, character 14".
        value: the value there; `has_value` says whether there is one.
        expected: what is expected instead, such as "a number between 0 and 1".
        hint: a remark, such as "did you mean sigma?".
    """

    def __init__(
        self,
        problem: str = "",
        *,
        path: str | Path | None = None,
        line: int | None = None,
        column: str | None = None,
        place: str = "",
        value: object = _NO_VALUE,
        expected: str = "",
        hint: str = "",
    ) -> None:
        self.problem, self.line, self.column, self.place = problem, line, column, place
        self.path = None if path is None else str(path)
        self.value = None if value is _NO_VALUE else value
        self.has_value = value is not _NO_VALUE
        self.expected, self.hint = expected, hint
        super().__init__(str(self))

    def within(
        self, *, path: str | Path | None = None, line: int | None = None, column: str | None = None, place: str = "", hint: str = ""
    ) -> "BadInput":
        """The same error, with the missing parts of its place filled in, and its hint where it has none."""
        return BadInput(
            self.problem,
            path=path if self.path is None else self.path,
            line=line if self.line is None else self.line,
            column=column if self.column is None else self.column,
            place=self.place or place,
            value=self.value if self.has_value else _NO_VALUE,
            expected=self.expected,
            hint=self.hint or hint,
        )

    def __str__(self) -> str:
        inner = [
            f"line {self.line}" if self.line is not None else "",
            ("" if self.column.startswith(("-", "[")) or self.line is None else "column ") + self.column if self.column else "",
            self.place,
        ]
        body = self.problem
        if not body and self.has_value:
            body = "the value is empty" if self.value == "" else f"the value is {shown(self.value)}"
        expected = f"expected {self.expected}" if self.expected else ""
        text = "; ".join(part for part in (body, expected, self.hint) if part)
        where = [self.path or "", ", ".join(part for part in inner if part)]
        return ": ".join(part for part in (*where, text) if part)


@contextmanager
def at(*, path: str | Path | None = None, line: int | None = None, column: str | None = None, place: str = "") -> Iterator[None]:
    """Fills in the missing parts of the place of a `BadInput` from inside the block."""
    try:
        yield
    except BadInput as error:
        raise error.within(path=path, line=line, column=column, place=place) from None
