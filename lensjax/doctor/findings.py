"""Findings, and their sentences.

Checks give a code and values. For each code sayings.toml has a severity and two sentences: what is wrong, and what to do.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from lensjax._internal import words

SEVERITIES = ("error", "warning", "note")
"""error: a program stops, or does something other than the file says; warning: the result is probably unintended; note: worth knowing."""


@dataclass(frozen=True)
class Saying:
    """The sentences for one code.

    Attributes:
        severity: one of `SEVERITIES`.
        what: what is wrong, and what a program does with it; names in braces stand for values.
        do: what to do about it, likewise.
    """

    severity: str
    what: str
    do: str


@cache
def sayings() -> Mapping[str, Saying]:
    """The sentences of every code."""
    text = resources.files("lensjax.doctor").joinpath("sayings.toml").read_text("utf-8")
    return {code: Saying(**saying) for code, saying in tomllib.loads(text).items()}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        code: one of `sayings`.
        path: the file.
        line: line of the file, counted from 1; None for the whole file or a whole column.
        further_lines: number of further lines with the same finding.
        columns: columns of a table.
        key: table and key of a TOML file, such as "[lens] mode".
        values: the values of the names in braces.
        hint: a remark, such as "did you mean sigma?".
    """

    code: str
    path: str
    line: int | None = None
    further_lines: int = 0
    columns: tuple[str, ...] = ()
    key: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    hint: str = ""

    @property
    def severity(self) -> str:
        """One of `SEVERITIES`."""
        return sayings()[self.code].severity

    @property
    def what(self) -> str:
        """What is wrong, and what a program does with it."""
        hint = f" {self.hint[0].upper()}{self.hint[1:]}{'' if self.hint.endswith(('?', '.', ')')) else '.'}" if self.hint else ""
        return sayings()[self.code].what.format(**self.values) + hint

    @property
    def do(self) -> str:
        """What to do about it."""
        return sayings()[self.code].do.format(**self.values)

    @property
    def place(self) -> str:
        """File, line, column or key, such as "data.csv: line 7 and 2 more, column sigma"."""
        line = "" if self.line is None else f"line {self.line}" + (f" and {self.further_lines} more" if self.further_lines else "")
        columns = ", ".join(map(words.name, self.columns))
        columns = f"column{'s' * (len(self.columns) > 1)} {columns}" if columns else ""
        inner = ", ".join(part for part in (line, columns, self.key) if part)
        return f"{self.path}: {inner}" if inner else self.path


def counted(findings: Iterable[Finding]) -> str:
    """ "2 errors, 1 warning", or "nothing to report"."""
    severities = [finding.severity for finding in findings]
    return ", ".join(words.counted(severities.count(kind), kind) for kind in SEVERITIES if kind in severities) or "nothing to report"


def misspelt(name: str, known: Iterable[str]) -> str:
    """ "did you mean sigma?" for an unknown name; empty where it is probably a name of the user's own.

    A known name with a word before or after it (z_lens, sigma_v) is the user's own.
    """
    near = words.nearest(name, known, cutoff=0.8)
    return "" if near is None or near in re.split("[_-]", name) else f"did you mean {near}?"
