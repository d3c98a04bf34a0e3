"""Progress of a run: a bar on a terminal, plain lines in a file or a pipe."""

import sys
from typing import TextIO

from tqdm import tqdm

from lensjax._internal.progress import clock
from lensjax.train.evaluation import Row
from lensjax.train.loop import Progress


class Watch:
    """The callbacks of one run."""

    def __init__(self, steps: int, *, out: TextIO | None = None, quiet: bool = False) -> None:
        """Watches a run of `steps` steps; with `quiet`, for all processes but the first, nothing is printed."""
        self._steps = steps
        self._out = out or sys.stdout
        self._quiet = quiet
        self._last = 0
        self._bar: tqdm | None = None

    def start(self, step: int) -> None:
        """The run begins, or resumes, at `step`."""
        self._last = step
        if self._out.isatty() and not self._quiet:
            self._bar = tqdm(total=self._steps, initial=step, unit="step", file=self._out, dynamic_ncols=True)
        else:
            self._say(f"step {step}/{self._steps}  {'resumes' if step else 'begins'}")

    def log(self, progress: Progress) -> None:
        """A log step."""
        rate = progress.images / progress.seconds
        remaining = (self._steps - progress.step) * progress.seconds / (progress.step - self._last)
        self._last = progress.step
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{progress.loss:.4g}", images=f"{rate:.0f}/s")
            self._bar.update(progress.step - self._bar.n)
            return
        self._say(f"step {progress.step}/{self._steps}  loss {progress.loss:.5g}  {rate:.1f} images/s  {clock(remaining)} left")

    def evaluation(self, row: Row) -> None:
        """A row of evaluation.csv."""
        self._say(
            f"epoch {row['Epoch']}  step {row['Step']}  MAE: test {float(row['MAE (Test Set)']):.4g}, "
            f"training {float(row['MAE (Training Set)']):.4g}, "
            f"test up to symmetry {float(row['Symmetric MAE (Test Set)']):.4g}"
        )

    def notice(self, line: str) -> None:
        """A warning for the user."""
        if not self._quiet:
            tqdm.write(line, file=sys.stderr)

    def end(self) -> None:
        """The run has ended, or was interrupted."""
        if self._bar is not None:
            self._bar.close()

    def _say(self, line: str) -> None:
        if not self._quiet:
            tqdm.write(line, file=self._out)
            self._out.flush()
