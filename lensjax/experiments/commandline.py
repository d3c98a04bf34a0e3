"""Shared parts of the programs in this folder: flags, configs looked up by name, and one line for bad input."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import app, flags, logging
from ml_collections import ConfigDict

from lensjax._internal.words import did_you_mean, listed, shown
from lensjax.errors import BadInput
from lensjax.train import TrainConfig
from lensjax.train.config import check_field, from_mapping

CONFIGS = Path(__file__).parent / "configs"

EX_TEMPFAIL = 75
"""Exit code of a run that a signal ended early, as sysexits.h has it: try again later."""


_positional: list[str] = []


def run(main: Callable[[], None], *, positional: bool = False, configs: Path = CONFIGS) -> None:
    """Parses the flags, runs `main` and ends the process. Exit code 0: done; 2: bad input, with one line on stderr.

    Args:
        main: the program.
        positional: whether it takes arguments without a flag, see `positional`.
        configs: folder in which a bare config name is looked up.
    """
    app.run(lambda _: _guarded(main), flags_parser=lambda argv: _parse(argv, positional=positional, configs=configs))


def positional() -> tuple[str, ...]:
    """The arguments without a flag."""
    return tuple(_positional)


def train_config(config: ConfigDict) -> TrainConfig:
    """The frozen, checked form of a config."""
    return from_mapping(config.to_dict())


def find_config(name: str, configs: Path = CONFIGS) -> str:
    """Path of a config file; a bare name is looked up in the folder `configs`.

    Raises:
        BadInput: no such file; the error has the nearest name.
    """
    if Path(name).is_file():
        return name
    bare = name if name.endswith(".py") else f"{name}.py"
    if Path(name).name == name and (configs / bare).is_file():
        return str(configs / bare)
    known = sorted(path.name for path in configs.glob("*.py") if path.name != "__init__.py")
    hint = did_you_mean(Path(bare).name, known, cutoff=0.4)
    raise BadInput(column="--config", value=name, expected=f"a file or one of {listed(known, most=len(known))}", hint=hint)


def check_at_least(flag: str, value: int, least: int) -> None:
    """Raises BadInput where the value of a flag is below `least`."""
    if value < least:
        raise BadInput(column=flag, value=value, expected=f"{least} or more")


def _parse(argv: Sequence[str], *, positional: bool, configs: Path) -> list[str]:
    if {"--help", "-help", "-h"} & set(argv[1:]):
        flags.FLAGS.mark_as_parsed()  # without parsing, since a required flag may be missing
        app.usage(writeto_stdout=True)
        sys.exit(0)
    try:
        # config_flags reads its overrides from sys.argv itself.
        sys.argv = _with_config_paths(argv, configs)
        rest = flags.FLAGS(sys.argv)
        if len(rest) > 1 and not positional:
            raise BadInput(f"unexpected argument {shown(rest[1])}", value=rest[1], hint="try --help")
        _positional[:] = rest[1:]
        return rest[:1]
    except BadInput as error:
        _refuse(str(error))
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        _refuse(" ".join(str(error).split()))
    raise AssertionError("unreachable")


def _with_config_paths(argv: Sequence[str], configs: Path) -> list[str]:
    arguments = list(argv)
    for i, argument in enumerate(argv):
        flag, equals, value = argument.partition("=")
        flag = flag.removeprefix("--") if flag.startswith("--") else flag.removeprefix("-")
        if not argument.startswith("-"):
            continue
        if flag == "config" and equals:
            arguments[i] = f"--config={find_config(value, configs)}"
        elif flag == "config" and i + 1 < len(argv):
            arguments[i + 1] = find_config(argv[i + 1], configs)
        elif flag.startswith(("config.", "noconfig.")):
            check_field(flag.partition(".")[2])
    return arguments


def _guarded(main: Callable[[], None]) -> None:
    logging.set_verbosity(logging.WARNING)
    try:
        main()
    except BadInput as error:
        _refuse(str(error))


def _refuse(line: str) -> None:
    sys.stderr.write(f"{Path(sys.argv[0]).stem}: {line}\n")
    sys.exit(2)
