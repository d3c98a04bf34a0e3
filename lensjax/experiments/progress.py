"""Progress of a run: a table that stays in its place on a terminal, plain lines in a file or a pipe."""

import math
import os
import sys
from typing import TextIO

from lensjax._internal.progress import clock
from lensjax.report.tables import Table, text_table
from lensjax.train.evaluation import Row
from lensjax.train.logs import Progress

_UP_AND_ERASE = "\x1b[{}F\x1b[J"
_SETS = {
    "test": ("MAE (Test Set)", "{} (AbsError Mean - Test Set)"),
    "training": ("MAE (Training Set)", "{} (AbsError Mean - Training Set)"),
    "test, up to symmetry": ("Symmetric MAE (Test Set)", "{} (AbsError Mean up to Symmetry - Test Set)"),
}
"""Columns of evaluation.csv: of the mean, and of one parameter."""


class Watch:
    """The callbacks of one run."""

    def __init__(self, steps: int, *, out: TextIO | None = None, quiet: bool = False) -> None:
        """Watches a run of `steps` steps; with `quiet`, for all processes but the first, nothing is printed."""
        self._steps = steps
        self._out = out or sys.stdout
        self._quiet = quiet
        self._last = 0
        self._live = self._out.isatty() and os.environ.get("TERM") != "dumb"
        self._progress, self._errors = "", ""  # the two parts of the table
        self._lines = 0  # of the table, where it stands on the terminal

    def start(self, step: int) -> None:
        """The run begins, or resumes, at `step`."""
        self._last = step
        self._say(f"step {step}/{self._steps}  {'resumes' if step else 'begins'}")

    def log(self, progress: Progress) -> None:
        """A row of log.csv."""
        left = clock((self._steps - progress.step) * progress.seconds / (progress.step - self._last))
        self._last = progress.step
        self._progress = _progress_table(progress, self._steps, left)
        if self._live:
            self._draw()
        else:
            self._say(
                f"step {progress.step}/{self._steps}  loss {progress.loss:.5g}  {_rate(progress.rate)} images/s  "
                f"rendering {_share(progress.rendering)}  memory {_size(progress.memory)}  {left} left"
            )

    def evaluation(self, row: Row) -> None:
        """A row of evaluation.csv."""
        self._errors = _error_table(row)
        if self._live:
            self._draw()
        else:
            mean = {name: f"{float(row[columns[0]]):.4g}" for name, columns in _SETS.items()}
            self._say(
                f"epoch {row['Epoch']}  step {row['Step']}  MAE: test {mean['test']}, training {mean['training']}, "
                f"test up to symmetry {mean['test, up to symmetry']}"
            )

    def notice(self, line: str) -> None:
        """A warning for the user."""
        if self._quiet:
            return
        self._erase()
        print(line, file=sys.stderr, flush=True)
        if self._live:
            self._draw()

    def end(self) -> None:
        """The run has ended, or was interrupted: the table stays where it is."""
        self._lines = 0

    def _draw(self) -> None:
        """The table in the place of the one before, cut at the edge of the terminal: a line that wraps could not be erased."""
        columns, rows = _size_of(self._out)
        table = "\n\n".join(part for part in (self._progress, self._errors) if part)
        lines = [line[: columns - 1] for line in table.splitlines()][: rows - 1]
        self._erase()
        self._write("".join(f"{line}\n" for line in lines))
        self._lines = len(lines)

    def _erase(self) -> None:
        if self._lines:
            self._write(_UP_AND_ERASE.format(self._lines))
            self._lines = 0

    def _say(self, line: str) -> None:
        self._erase()
        self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        """A run outlives the reader of its output."""
        if self._quiet:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError:
            self._quiet = True
            if self._out is sys.stdout:  # nor does its end fail
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


def _progress_table(progress: Progress, steps: int, left: str) -> str:
    cells: dict[str, str] = {
        "step": f"{progress.step}/{steps}",
        "done": f"{100 * progress.step / steps:.1f} %",
        "loss": f"{progress.loss:.5g}",
        "images/s": _rate(progress.rate),
        "rendering": _share(progress.rendering),
        "memory": _size(progress.memory),
        "learning rate": f"{progress.learning_rate:.3g}",
        "time left": left,
    }
    return text_table(Table(tuple(cells), (tuple(cells.values()),)))


def _error_table(row: Row) -> str:
    names = [key.removesuffix(" (AbsError Mean - Test Set)") for key in row if key.endswith(" (AbsError Mean - Test Set)")]
    rows: list[tuple[str | float, ...]] = [
        (name, float(row[mean]), *(float(row[one.format(parameter)]) for parameter in names)) for name, (mean, one) in _SETS.items()
    ]
    return text_table(Table((f"mean |error| at step {row['Step']}", "all", *names), tuple(rows)))


def _rate(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _share(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{100 * value:.1f} %" if value >= 0.01 else f"{100 * value:.2g} %"


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"


def _size_of(out: TextIO) -> tuple[int, int]:
    """Columns and rows of a terminal."""
    try:
        columns, rows = os.get_terminal_size(out.fileno())
    except (OSError, ValueError, AttributeError):
        columns, rows = 80, 24
    return columns or 80, rows or 24
