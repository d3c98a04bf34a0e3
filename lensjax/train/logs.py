"""log.csv, what a run has reported; the memory that it uses, and the share of a step that is rendering."""

import csv
import io
import math
import resource
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from lensjax.errors import BadInput
from lensjax.files import whole
from lensjax.files.read import readable

COLUMNS = ("Step", "Loss", "Images/s", "Rendering Share", "Memory [MiB]", "Seconds", "Learning Rate")
"""Columns of log.csv, see `Progress`; Seconds are those since the row before."""

_MIB = 2**20


@dataclass(frozen=True)
class Progress:
    """Progress since the last report.

    Attributes:
        step: steps done.
        loss: mean loss since the last report.
        images: images trained on since the last report.
        seconds: time they took, without evaluations and checkpoints.
        rendering: time of rendering a batch alone, over the mean time of a step; NaN where it was not measured. See `Rendering`.
        memory: most bytes used so far, see `memory`.
        learning_rate: of the last step.
    """

    step: int
    loss: float
    images: int
    seconds: float
    rendering: float
    memory: int
    learning_rate: float

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds


class Log:
    """The table log.csv of a run, which grows by a row with each report."""

    def __init__(self, path: Path, *, done: int) -> None:
        """Begins the table, or resumes it at step `done`: rows of later steps are dropped, since they are computed again.

        Raises:
            BadInput: the file cannot be read or written, or is another table.
        """
        self._path = path
        self._text = _text([COLUMNS, *(_cells(row) for row in read(path) if row.step <= done)])
        whole.write_text(path, self._text)

    def append(self, progress: Progress) -> None:
        """One more row; it is in the file when this returns. A file that is no longer what was written is written anew.

        Raises:
            BadInput: it cannot be written.
        """
        line, before = _text([_cells(progress)]), len(self._text)
        self._text += line
        if not self._path.is_file() or self._path.stat().st_size != before:
            whole.write_text(self._path, self._text)
            return
        with whole.writable(self._path), self._path.open("a", encoding="ascii", newline="") as file:
            file.write(line)


def read(path: Path) -> list[Progress]:
    """The rows of a log.csv; an empty list without the file. A last line that was cut, by a kill or a full disk, is left out.

    Raises:
        BadInput: the file cannot be read, is another table, or a cell is not a number.
    """
    if not path.exists():
        return []
    with readable(path, "a CSV file"):
        text = path.read_text("utf-8", "replace")
    header, *rows = list(csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))) or [[]]
    if header and tuple(header) != COLUMNS:
        raise BadInput("not a log of a run", path=path, line=1, expected=f"the columns {', '.join(COLUMNS)}", hint="move the file away")
    return [_progress(cells, path, line) for line, cells in enumerate(rows, start=2)]


def memory() -> int:
    """The most bytes used so far: of the fullest device of this process; where devices do not count, as CPUs, of the process itself."""
    counts = [device.memory_stats() or {} for device in jax.local_devices()]
    used = [int(count["peak_bytes_in_use"]) for count in counts if "peak_bytes_in_use" in count]
    unit = 1 if sys.platform == "darwin" else 1024
    return max(used) if used else unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class Rendering:
    """How long the rendering of one batch takes: the program that renders, alone, from the draw to what the network is shown.

    Within a step it may overlap with other work, so that the share of the step is an upper estimate, up to the scatter of clocks.
    """

    def __init__(self, render: Callable[[], Any], *, kept: int = 3) -> None:
        """Compiles `render` and times it `kept` times; later calls of `measure` replace the oldest time."""
        jax.block_until_ready(render())
        self._render = render
        self._times: deque[float] = deque(maxlen=kept)
        for _ in range(kept):
            self.measure()

    def measure(self) -> None:
        """Times the rendering of one more batch."""
        began = time.perf_counter()
        jax.block_until_ready(self._render())
        self._times.append(time.perf_counter() - began)

    def share(self, step: float) -> float:
        """The median of the times over `step`, the seconds of a step."""
        return statistics.median(self._times) / step if step > 0 else math.nan


def _cells(row: Progress) -> tuple[str, ...]:
    numbers = (row.loss, row.rate, row.rendering, row.memory / _MIB, row.seconds, row.learning_rate)
    return (str(row.step), *(f"{number:.7g}" for number in numbers))


def _progress(cells: list[str], path: Path, line: int) -> Progress:
    """A row from its cells."""
    if len(cells) != len(COLUMNS):
        raise BadInput(f"{len(cells)} cells", path=path, line=line, expected=f"{len(COLUMNS)}, one for each column")
    numbers = {}
    for column, cell in zip(COLUMNS, cells, strict=True):
        try:
            numbers[column] = int(cell) if column == "Step" else float(cell)
        except ValueError:
            raise BadInput(path=path, line=line, column=column, value=cell, expected="a number") from None
    seconds = numbers["Seconds"]
    return Progress(
        step=int(numbers["Step"]),
        loss=numbers["Loss"],
        images=round(numbers["Images/s"] * seconds),
        seconds=seconds,
        rendering=numbers["Rendering Share"],
        memory=round(numbers["Memory [MiB]"] * _MIB),
        learning_rate=numbers["Learning Rate"],
    )


def _text(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
