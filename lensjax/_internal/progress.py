"""Progress of long work: a bar on a terminal, a plain line now and then in a log."""

import sys
import time
from types import TracebackType
from typing import TextIO

from tqdm import tqdm

LINE_EVERY = 30.0
"""Seconds between two lines in a log."""


class Progress:
    """Counts the finished ones of `total` items called `unit`.

        with Progress(1000, "image") as progress:
            progress.update(16)

    Args:
        total: number of items; None where it is unknown.
        unit: name of an item, in the singular.
        doing: what is done with them, in a participle, such as "drawn".
        out: where to write; by default stderr.
        every: seconds between two lines where `out` is not a terminal.
    """

    def __init__(self, total: int | None, unit: str, *, doing: str = "", out: TextIO | None = None, every: float = LINE_EVERY) -> None:
        self.total, self.unit, self.done = total, unit, 0
        self._doing = f" {doing}" if doing else ""
        self._out = sys.stderr if out is None else out
        self._every, self._begin = every, time.monotonic()
        self._last, self._resumed = self._begin, 0
        terminal = self._out.isatty()
        self._bar = tqdm(total=total, desc=doing or None, unit=unit, file=self._out, dynamic_ncols=True) if terminal else None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def resume(self, count: int) -> None:
        """Counts `count` items of an earlier run."""
        self._resumed = count
        self.update(count)

    def reach(self, count: int) -> None:
        """Sets the number of finished items; the first call may count those of an earlier run."""
        if self.done == 0 and count > 1:
            self.resume(count)
        else:
            self.update(count - self.done)

    def note(self, words: str) -> None:
        """Says what is being done with the item at hand: behind the bar, or in a log where its last line is long ago."""
        now = time.monotonic()
        if self._bar is not None:
            self._bar.set_postfix_str(words)
        elif now - self._last >= self._every:
            self._last = now
            of = "" if self.total is None else f" of {self.total}"
            print(f"{self.unit} {self.done + 1}{of}: {words}", file=self._out, flush=True)

    def update(self, count: int = 1) -> None:
        """Counts `count` more items."""
        self.done += count
        if self._bar is not None:
            self._bar.update(count)
            return
        now = time.monotonic()
        if now - self._last >= self._every and self.done > self._resumed:
            self._last = now
            rate = (self.done - self._resumed) / (now - self._begin)
            of = "" if self.total is None else f"/{self.total}"
            remaining = "" if self.total is None else f", {clock((self.total - self.done) / rate)} left"
            print(f"{self.done}{of} {self.unit}s{self._doing}, {rate:.3g}/s{remaining}", file=self._out, flush=True)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"
