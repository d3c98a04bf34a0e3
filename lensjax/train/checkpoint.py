"""Checkpoints: the only file that knows Orbax.

A checkpoint is written under a temporary name and renamed when it is whole, so a process killed at any
moment leaves whole checkpoints only; the next one clears away what it left unfinished. Saving waits until
the checkpoint is whole, since the step after takes over the memory of the state.
"""

from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp


class Checkpoints:
    """The checkpoints of one folder; a context manager."""

    def __init__(self, folder: Path, *, keep: int = 1, read_only: bool = False) -> None:
        """Opens a folder of checkpoints and, unless `read_only`, makes it and clears away unfinished ones."""
        self._manager = ocp.CheckpointManager(
            folder.absolute(),
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
        """Steps of the checkpoints that are there, oldest first."""
        return sorted(self._manager.all_steps())

    def latest(self) -> int | None:
        """Step of the newest checkpoint; None where there is none."""
        return max(self.steps(), default=None)

    def save(self, step: int, tree: Any) -> None:
        """Writes a tree of arrays as the checkpoint of `step`, and drops the oldest beyond those to keep."""
        self._manager.save(step, args=ocp.args.StandardSave(tree), force=True)

    def restore(self, step: int, like: Any) -> Any:
        """The tree saved at `step`, in the structure, shapes, types and shardings of `like`."""
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        return self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
