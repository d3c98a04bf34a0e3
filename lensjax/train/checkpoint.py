"""Checkpoints: the only file that knows Orbax.

A checkpoint is written under a temporary name and renamed when it is whole. A process killed at any moment
therefore leaves only whole checkpoints, and the next process deletes the unfinished one. Saving waits until
the checkpoint is whole, because the next step reuses the memory of the state.
"""

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp


class Damaged(ValueError):
    """A checkpoint that cannot be read."""


class Checkpoints:
    """The checkpoints of one folder; a context manager."""

    def __init__(self, folder: Path, *, keep: int = 1, read_only: bool = False) -> None:
        """Opens a folder of checkpoints and, unless `read_only`, creates it and deletes unfinished ones."""
        self._folder = folder.absolute()
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=None if read_only else keep,
                create=not read_only,
                read_only=read_only,
                cleanup_tmp_directories=not read_only,
                enable_async_checkpointing=False,
            ),
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._manager.close()

    def steps(self) -> list[int]:
        """Steps of the checkpoints, oldest first."""
        return sorted(self._manager.all_steps())

    def latest(self) -> int | None:
        """Step of the newest checkpoint; None without checkpoints."""
        return max(self.steps(), default=None)

    def save(self, step: int, tree: Any) -> None:
        """Writes a tree of arrays as the checkpoint of `step`, and deletes the oldest ones that are not to be kept."""
        self._manager.save(step, args=ocp.args.StandardSave(tree), force=True)

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
