"""Checkpoints: the only file that knows Orbax.

A checkpoint is written under a temporary name and renamed when it is whole. A process killed at any moment
therefore leaves only whole checkpoints, and the next process deletes the unfinished one. Saving waits until
the checkpoint is whole, because the next step reuses the memory of the state.
"""

import errno
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp

from lensjax.errors import BadInput

_REASONS = tuple(os.strerror(getattr(errno, name)) for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "ENOENT", "ESTALE", "EIO"))


class Damaged(ValueError):
    """A checkpoint that cannot be read."""


class Checkpoints:
    """The checkpoints of one folder; a context manager."""

    def __init__(self, folder: Path, *, keep: int = 1, read_only: bool = False) -> None:
        """Opens a folder of checkpoints and, unless `read_only`, creates it and deletes unfinished ones."""
        self._folder = folder.absolute()
        self._options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            create=not read_only,
            read_only=read_only,
            cleanup_tmp_directories=not read_only,
            enable_async_checkpointing=False,
        )
        self._manager = ocp.CheckpointManager(self._folder, options=self._options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._manager.close()

    def reopen(self) -> None:
        """Creates the folder anew where it has vanished; all processes of a job do it at the same step."""
        self._manager.close()
        self._manager = ocp.CheckpointManager(self._folder, options=self._options)

    def steps(self) -> list[int]:
        """Steps of the checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def latest(self) -> int | None:
        """Step of the newest checkpoint; None without checkpoints."""
        return max(self.steps(), default=None)

    def save(self, step: int, tree: Any) -> None:
        """Writes a tree of arrays as the checkpoint of `step`, and deletes the oldest ones that are not to be kept.

        Raises:
            BadInput: it cannot be written; the older ones are as they were.
        """
        try:
            with _silent():
                self._manager.save(step, args=ocp.args.StandardSave(tree), force=True)
        except (OSError, ValueError) as error:  # a ValueError where its writer of arrays fails
            kept = self.latest()
            hint = "there is no older one" if kept is None else f"that of step {kept} is whole, and the run resumes from it"
            raise BadInput(f"the checkpoint cannot be written: {_reason(error)}", path=self._folder / str(step), hint=hint) from None

    def restore(self, step: int, like: Any) -> Any:
        """The tree saved at `step`, in the structure, shapes, types and shardings of `like`.

        Raises:
            Damaged: it cannot be read, or holds another tree.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        try:
            return self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        except (MemoryError, jax.errors.JaxRuntimeError):
            raise
        except Exception as error:  # Orbax raises all kinds where a file was cut
            raise Damaged(f"{self._folder / str(step)}: the checkpoint is damaged, or not one of this run") from error

    def set_aside(self, step: int) -> Path:
        """Moves the checkpoint of `step` to `damaged/` beside the folder, and returns its new path."""
        target = self._folder.with_name("damaged") / str(step)
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            shutil.rmtree(target)
        (self._folder / str(step)).rename(target)
        self._manager.reload()
        return target


@contextmanager
def _silent() -> Iterator[None]:
    """Orbax logs each error with its traceback before it raises it."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _reason(error: Exception) -> str:
    """The system's words for what failed, from the many that Orbax adds; otherwise the beginning of its own."""
    text = " ".join(str(error).split())
    return next((reason for reason in _REASONS if reason in text), text[:200])
