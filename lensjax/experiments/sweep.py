"""Trains every member of a grid of settings, each in its own folder. Started again, the sweep resumes.

    lensjax sweep --config rates.py|FILE.toml [--base NAME.py] [--workdir DIR] [--count | --member K]

A bare config name is looked up in lensjax/experiments/sweeps/. It has `config`, the name of a training config, and `grid`, for each field
to vary the values that it takes; the members are all combinations. With `vary`, a second such table, only one of its fields at a time
differs from its first value, in all combinations of the grid. A TOML file may hold the same, or be droulette's experimentbatch.toml,
ml.toml or problem.toml (droulette.py in this folder says what each key becomes): the members then begin with the training config --base,
by default base.py, and every key that has no effect here is named on stderr.

Without --member the members are trained one after another, and one that fails does not end the sweep; with it, only the member K, counted
from 0, as a task of a SLURM array does (slurm/sweep.sbatch). --count prints how many members there are.

Each member's folder is DIR/NAME (DIR: runs/<config name>), NAME from the varied fields. Exit code 0: all are done; 2: bad input; 75: ended
early by SIGTERM or SIGUSR1; 1: a member failed.
"""

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from lensjax._internal.words import did_you_mean, shown
from lensjax.errors import BadInput, at
from lensjax.experiments import commandline, droulette
from lensjax.experiments.members import Member, of_grid, one_at_a_time
from lensjax.files.read import read_toml
from lensjax.train.config import check_field

SWEEPS = Path(__file__).parent / "sweeps"
KEYS = ("config", "vary", "grid")


def define_flags() -> None:
    """The program's flags."""
    flags.DEFINE_string("config", None, "The sweep: NAME.py of lensjax/experiments/sweeps/, or a path to a .py or .toml file.")
    flags.DEFINE_string("base", "base.py", "Training config that the members of droulette's files begin with.")
    flags.DEFINE_string("workdir", None, "Folder of the sweep; default runs/<config name>.")
    flags.DEFINE_integer("member", None, "Train this member alone, counted from 0.")
    flags.DEFINE_bool("count", False, "Print the number of members, and end.")
    flags.mark_flag_as_required("config")


def main() -> None:
    """The program."""
    options = flags.FLAGS
    path = Path(options.config)
    base, found = load(path, base=options.base)
    if options.count:
        print(len(found))
        return
    workdir = Path(options.workdir or Path("runs") / path.stem)
    if options.member is not None:
        if not 0 <= options.member < len(found):
            raise BadInput(column="--member", value=options.member, expected=f"a whole number from 0 to {len(found) - 1}")
        sys.stdout.flush()
        os.execv(sys.executable, command(base, found[options.member], workdir))
    sys.exit(all_of(base, found, workdir))


def load(path: Path, *, base: str = "base.py") -> tuple[str, list[Member]]:
    """The path of the training config, and the members, of a sweep's file; keys of droulette's without effect are named on stderr.

    Raises:
        BadInput: the file cannot be read, is no sweep, or a value in it cannot be used.
    """
    if path.suffix != ".toml":
        get_config = runpy.run_path(str(path)).get("get_config")
        if not callable(get_config):
            raise BadInput(
                "no function get_config", path=path, expected="one that returns config and grid, as in lensjax/experiments/sweeps/rates.py"
            )
        return of_parts(ConfigDict(get_config()))
    loaded = read_toml(path)
    if {*KEYS} & set(loaded):
        with at(path=path):
            return of_parts(ConfigDict(loaded))
    of_base = commandline.find_config(base)
    found, notices = droulette.members(path, commandline.train_config(runpy.run_path(of_base)["get_config"]()))
    for notice in notices:
        print(f"sweep: {path.name}: {notice}", file=sys.stderr)
    return of_base, found


def of_parts(config: ConfigDict) -> tuple[str, list[Member]]:
    """The path of the training config, and the members, of a sweep's config; the errors of `parts`."""
    of_base, vary, grid = parts(config)
    return of_base, one_at_a_time(vary, grid) if vary else of_grid(grid)


Values = dict[str, tuple[Any, ...]]


def parts(config: ConfigDict) -> tuple[str, Values, Values]:
    """The path of the training config, and the values of each field of `vary`, empty without one, and of the grid.

    Raises:
        BadInput: one is missing, a field is unknown, or has no values.
    """
    unknown = [key for key in config if key not in KEYS]
    if unknown:
        raise BadInput(f"unknown key {unknown[0]!r}", column="--config", expected="config and grid", hint=did_you_mean(unknown[0], KEYS))
    for key, kind, expected in (
        ("config", str, "the name of a training config"),
        ("grid", ConfigDict, "values for each field to vary"),
        ("vary", ConfigDict, "values for each field to vary, one field at a time"),
    ):
        if key not in config and key != "vary":
            raise BadInput("missing", column=key, expected=expected)
        if key in config and not isinstance(config[key], kind):
            raise BadInput(column=key, value=shown(config[key]), expected=expected)
    vary, grid = (dict(config[key].items()) if key in config else {} for key in ("vary", "grid"))
    for key, fields in (("vary", vary), ("grid", grid)):
        for field, values in fields.items():
            check_field(field)
            if not isinstance(values, tuple | list) or not len(values):
                raise BadInput(column=f"{key}.{field}", value=shown(values), expected="a tuple of values")
            if key == "grid" and field in vary:
                raise BadInput(column=f"vary.{field}", expected="a field that the grid does not vary")
    return commandline.find_config(config.config), _tuples(vary), _tuples(grid)


def _tuples(fields: Mapping[str, Sequence[Any]]) -> Values:
    return {field: tuple(values) for field, values in fields.items()}


def command(base: str, member: Member, workdir: Path) -> list[str]:
    """The command that trains a member."""
    settings = [f"--config.{field}={value}" for field, value in member.settings.items()]
    return [sys.executable, "-m", "lensjax.experiments.train", f"--config={base}", f"--workdir={workdir / member.folder}", *settings]


def all_of(base: str, found: Sequence[Member], workdir: Path) -> int:
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
        print(f"sweep: member {k} of {len(found)}: {member.folder}", flush=True)
        child = subprocess.Popen(command(base, member, workdir))
        code = child.wait()
        if stopped:
            return commandline.EX_TEMPFAIL
        if code:
            failed.append(f"{member.folder} (exit code {code})")
    for line in failed:
        print(f"sweep: failed: {line}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    define_flags()
    commandline.run(main, configs=SWEEPS)
