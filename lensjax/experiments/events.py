"""A run's numbers as events for TensorBoard, an optional extra."""

from pathlib import Path
from typing import Any

from lensjax.errors import BadInput
from lensjax.files.whole import writable
from lensjax.train.evaluation import Row
from lensjax.train.logs import Progress


class Events:
    """The callbacks of one run, which write into a folder of events."""

    def __init__(self, folder: Path) -> None:
        """Events for `folder`, which the first one creates.

        Raises:
            BadInput: tensorboardX is not installed.
        """
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            problem = "events are written by tensorboardX, which is not installed"
            raise BadInput(problem, column="--tensorboard", hint="pip install 'lensjax[tensorboard]'") from None
        self._make = SummaryWriter
        self._folder = folder
        self._writer: Any = None

    def start(self, step: int) -> None:
        """The run begins, or resumes, at `step`: events of later steps no longer count."""
        with writable(self._folder):
            self._writer = self._make(str(self._folder), purge_step=step + 1)

    def log(self, progress: Progress) -> None:
        """A row of log.csv."""
        numbers = {
            "training/loss": progress.loss,
            "training/learning rate": progress.learning_rate,
            "speed/images per second": progress.rate,
            "speed/share of rendering": progress.rendering,
            "speed/memory [MiB]": progress.memory / 2**20,
        }
        self._add(numbers, progress.step)

    def evaluation(self, row: Row) -> None:
        """A row of evaluation.csv."""
        numbers = {f"evaluation/{name}": float(text) for name, text in row.items() if name not in ("Epoch", "Step") and text}
        self._add(numbers, int(row["Step"]))

    def end(self) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()

    def _add(self, numbers: dict[str, float], step: int) -> None:
        if not self._folder.is_dir():  # it has vanished
            self.start(step - 1)
        with writable(self._folder):
            for name, number in numbers.items():
                self._writer.add_scalar(name, number, step)
            self._writer.flush()
