"""`lensjax calibrate`: how far a network's error bars can be trusted."""

import argparse
from pathlib import Path

from lensjax.cli import arguments, values

_EPILOG = """examples:
  lensjax calibrate results/gaussian
  lensjax calibrate results/gaussian/weights --n 5000 --out calibration.csv

FOLDER is that of a run of experiments.train with --config.head=gaussian or mixture, or of its exported weights. The network sees fresh
images of its own problem. Error bars are right where 68.3 % of the true values lie within the central 68.3 % of what the network
believes, and so on. The last line says by which factor all errors would have to grow. A figure is written beside the table."""


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command("calibrate", "Test the error bars of a network on fresh images.", _EPILOG, run)
    command.add_argument("folder", type=Path, metavar="FOLDER", help="folder of a run, or of exported weights")
    command.add_argument("--n", type=values.COUNT, default=2000, metavar="N", help="fresh images (2000)")
    command.add_argument("--seed", type=values.SEED, default=0, metavar="N", help="seed of the images (0)")
    command.add_argument("--out", type=Path, default=Path("calibration.csv"), metavar="FILE", help="the table (calibration.csv)")


def run(flags: argparse.Namespace) -> None:
    """The command."""
    from lensjax._internal.progress import Progress
    from lensjax.train.calibration import Options, calibrate

    options = arguments.options_of(Options, flags)
    with Progress(options.n, "image") as progress:
        lines = calibrate(options, progress=progress.update)
    print("\n".join(lines))
