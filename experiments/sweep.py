"""Trains every member of a grid of settings, each in its own folder. Started again, the sweep resumes.

    python -m experiments.sweep --config rates.py [--workdir DIR] [--count | --member K]

A bare config name is looked up in experiments/sweeps/. It has `config`, the name of a training config, and `grid`, for each field to vary
the values that it takes; the members are all combinations. Without --member they are trained one after another, and one that fails does not
end the sweep; with it, only the member K, counted from 0, as a task of a SLURM array does (slurm/sweep.sbatch). --count prints how
many members there are.

Each member's folder is DIR/NAME (DIR: runs/<config name>), NAME from the varied fields. Exit code 0: all are done; 2: bad input; 75: ended
early by SIGTERM or SIGUSR1; 1: a member failed.
"""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from experiments import commandline
from lensjax._internal.words import shown
from lensjax.errors import BadInput
from lensjax.train.config import check_field

SWEEPS = Path(__file__).parent / "sweeps"


def define_flags() -> None:
    """The program's flags."""
    config_flags.DEFINE_config_file("config", None, "The sweep: NAME.py of experiments/sweeps/, or a path.")
    flags.DEFINE_string("workdir", None, "Folder of the sweep; default runs/<config name>.")
    flags.DEFINE_integer("member", None, "Train this member alone, counted from 0.")
    flags.DEFINE_bool("count", False, "Print the number of members, and end.")
    flags.mark_flag_as_required("config")


def main() -> None:
    """The program."""
    options = flags.FLAGS
    name = Path(config_flags.get_config_filename(options["config"])).stem
    base, grid = parts(options.config)
    found = list(members(grid))
    if options.count:
        print(len(found))
        return
    workdir = Path(options.workdir or Path("runs") / name)
    if options.member is not None:
        if not 0 <= options.member < len(found):
            raise BadInput(column="--member", value=options.member, expected=f"a whole number from 0 to {len(found) - 1}")
        sys.stdout.flush()
        os.execv(sys.executable, command(base, found[options.member], workdir))
    sys.exit(all_of(base, found, workdir))


def parts(config: ConfigDict) -> tuple[str, dict[str, tuple[Any, ...]]]:
    """The name of the training config, and the values of each field.

    Raises:
        BadInput: one is missing, a field is unknown, or has no values.
    """
    unknown = [key for key in config if key not in ("config", "grid")]
    if unknown:
        raise BadInput(f"unknown key {unknown[0]!r}", column="--config", expected="config and grid")
    for key, kind, expected in (("config", str, "the name of a training config"), ("grid", ConfigDict, "values for each field to vary")):
        if key not in config:
            raise BadInput("missing", column=key, expected=expected)
        if not isinstance(config[key], kind):
            raise BadInput(column=key, value=shown(config[key]), expected=expected)
    grid = dict(config.grid.items())
    for field, values in grid.items():
        check_field(field)
        if not isinstance(values, tuple | list) or not len(values):
            raise BadInput(column=f"grid.{field}", value=shown(values), expected="a tuple of values")
    return commandline.find_config(config.config), {field: tuple(values) for field, values in grid.items()}


def members(grid: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """All combinations of the values, the last field varying fastest."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def folder_name(member: Mapping[str, Any]) -> str:
    """The name of a member's folder, such as "learning_rate=0.001,seed=0"; characters that a folder should not have become "_"."""
    text = ",".join(f"{field}={value}" for field, value in member.items()) or "base"
    return "".join(c if c.isalnum() or c in "=.,+-_" else "_" for c in text)


def command(base: str, member: Mapping[str, Any], workdir: Path) -> list[str]:
    """The command that trains a member."""
    settings = [f"--config.{field}={value}" for field, value in member.items()]
    return [sys.executable, "-m", "experiments.train", f"--config={base}", f"--workdir={workdir / folder_name(member)}", *settings]


def all_of(base: str, found: Sequence[Mapping[str, Any]], workdir: Path) -> int:
    """Trains all members one after another, and returns the exit code."""
    failed, stopped = [], False
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, stop)
    for k, member in enumerate(found):
        print(f"sweep: member {k} of {len(found)}: {folder_name(member)}", flush=True)
        child = subprocess.Popen(command(base, member, workdir))
        code = child.wait()
        if stopped:
            return commandline.EX_TEMPFAIL
        if code:
            failed.append(f"{folder_name(member)} (exit code {code})")
    for line in failed:
        print(f"sweep: failed: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    define_flags()
    commandline.run(main, configs=SWEEPS)
