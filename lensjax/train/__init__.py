"""Training: state, step, loop, checkpoints and the weights that come out."""

from lensjax.train.config import TrainConfig
from lensjax.train.export import export_weights, load_weights
from lensjax.train.loop import Diverged, restore_run, train

__all__ = ["Diverged", "TrainConfig", "export_weights", "load_weights", "restore_run", "train"]
