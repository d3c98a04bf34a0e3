"""Trains a network on endless images, or on those of a data set (--config.data=DIR). Started again with the same folder, the run resumes.

    lensjax train --config NAME.py [--config.FIELD=VALUE ...] [--workdir DIR] [--export DIR [--half]]
                                [--tensorboard]

A bare config name is looked up in lensjax/experiments/configs/. The run's folder (default: runs/NAME) receives
config.json, log.csv (loss, speed, memory), evaluation.csv (errors) and checkpoints/; with --tensorboard (the
extra "tensorboard") also tensorboard/. A terminal shows a table that stays in its place, a file or a pipe gets
plain lines. SIGTERM and SIGUSR1 end a run early, with a checkpoint of the step that it has reached. Exit code
0: done, be it by the config's `patience`; 2: bad input; 75: ended early by such a signal; 1: anything else.
"""

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from absl import flags
from ml_collections import config_flags

from lensjax.errors import BadInput
from lensjax.experiments import commandline
from lensjax.experiments.events import Events
from lensjax.experiments.progress import Watch
from lensjax.train import Diverged, Stopped, export_weights, sharding, train
from lensjax.train.data import recorded
from lensjax.train.evaluation import scores

_CONFIG = config_flags.DEFINE_config_file("config", None, "NAME.py of lensjax/experiments/configs/, or a path.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; default runs/<config name>.")
_EXPORT = flags.DEFINE_string("export", None, "Folder for the weights, written at the end.")
_HALF = flags.DEFINE_bool("half", False, "Write the weights of --export as float16, in half the space.")
_TENSORBOARD = flags.DEFINE_bool("tensorboard", False, "Write events for TensorBoard too, into the run's folder.")
flags.mark_flag_as_required("config")


class Signals:
    """Whether one of the signals by which a cluster says that time is up has come; a second one ends the process at once."""

    def __init__(self) -> None:
        self._seen = False
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._note)

    def seen(self) -> bool:
        """Whether one has come."""
        return self._seen

    def _note(self, number: int, frame: object) -> None:
        self._seen = True
        signal.signal(number, signal.SIG_DFL)


def main() -> None:
    """The program."""
    if _HALF.value and not _EXPORT.value:
        raise BadInput("goes with --export DIR, whose weights it halves", column="--half")
    config = commandline.train_config(_CONFIG.value)
    name = Path(config_flags.get_config_filename(flags.FLAGS["config"])).stem
    workdir = Path(_WORKDIR.value or Path("runs") / name)
    _make_repeatable(workdir / "compiled")
    sharding.initialize()
    watch = Watch(config.steps, quiet=not sharding.is_first_process())
    events = [Events(workdir / "tensorboard")] if _TENSORBOARD.value and sharding.is_first_process() else []
    listeners: list[Watch | Events] = [watch, *events]
    signals = Signals()
    try:
        run = train(
            config, workdir, stop=signals.seen,
            on_start=_each([listener.start for listener in listeners]),
            on_log=_each([listener.log for listener in listeners]),
            on_evaluation=_each([listener.evaluation for listener in listeners]),
            on_notice=watch.notice,
        )  # fmt: skip
    except Diverged as error:
        sys.exit(f"train: {error}")
    except Stopped as stopped:
        watch.notice(f"train: {stopped}; started again with the same folder, the run resumes")
        sys.exit(commandline.EX_TEMPFAIL)
    finally:
        for listener in listeners:
            listener.end()
    if _EXPORT.value and sharding.is_first_process():
        export_weights(
            Path(_EXPORT.value),
            run.variables,
            dataclasses.asdict(config),
            scores(workdir / "evaluation.csv"),
            recorded(config, workdir, count=len(run.problem.parameters)),
            half=_HALF.value,
        )


def _each(calls: Sequence[Callable[[Any], None]]) -> Callable[[Any], None]:
    """One callback that calls several."""

    def call(value: Any) -> None:
        for each in calls:
            each(value)

    return call


def _make_repeatable(compiled: Path) -> None:
    """Makes a resumed run compute the very same numbers: sums on a GPU have a fixed order, and the programs compiled by the
    first start are kept, in the folder `compiled` unless the user has set another.
    """
    flags_of_xla = os.environ.get("XLA_FLAGS", "")
    if "--xla_gpu_deterministic_ops" not in flags_of_xla:
        os.environ["XLA_FLAGS"] = f"{flags_of_xla} --xla_gpu_deterministic_ops=true".strip()
    if getattr(jax.config, "jax_compilation_cache_dir", None) is None:
        jax.config.update("jax_compilation_cache_dir", str(compiled))


if __name__ == "__main__":
    commandline.run(main)
