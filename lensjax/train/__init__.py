"""Training: state, step, loop, checkpoints and the weights that come out."""

from importlib import import_module
from typing import TYPE_CHECKING

from lensjax.train.config import TrainConfig
from lensjax.train.export import export_weights, load_weights

if TYPE_CHECKING:
    from lensjax.train.loop import Diverged, Stopped, restore_run, train

__all__ = ["Diverged", "Stopped", "TrainConfig", "export_weights", "load_weights", "restore_run", "train"]


def __getattr__(name: str) -> object:
    """A name of the training loop, imported when it is first used: its checkpoints need Orbax, which is slow to import."""
    if name not in __all__:
        raise AttributeError(f"module 'lensjax.train' has no attribute {name!r}")
    value = getattr(import_module("lensjax.train.loop"), name)
    globals()[name] = value
    return value
