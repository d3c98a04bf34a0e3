"""`lensjax doctor`: what is wrong with a file, before you spend hours on it."""

from dataclasses import dataclass
from pathlib import Path

from lensjax.cli import arguments

_EPILOG = """examples:
  lensjax doctor dataset.csv                              a table of systems: unread columns, targets that no image shows, …
  lensjax doctor dataset.toml problem.toml                what CosmoSim and droulette would ignore, or stop at
  lensjax doctor roulette.csv                             a table of roulette amplitudes
  lensjax doctor testing-predicted.csv --labels testing.csv     predictions that are the labels

  error    a program stops, or does something other than the file says
  warning  the program runs, but the result is probably not intended
  note     worth knowing

The command changes no file. The exit code is 0 with any findings, and 2 if a file cannot be read or is of no known kind."""


@dataclass(frozen=True)
class Options:
    """The command's flags."""

    file: list[Path]
    labels: Path | None


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command(
        "doctor", "Check a table or a TOML file before it is used.", _EPILOG, lambda flags: run(arguments.options_of(Options, flags))
    )
    command.add_argument("file", nargs="+", type=Path, metavar="FILE", help="a CSV or TOML file of CosmoSim, droulette or Cosmo-ML")
    command.add_argument("--labels", type=Path, metavar="FILE", help="the true values for a table of predictions")


def run(options: Options) -> None:
    """The command."""
    import textwrap

    from lensjax import doctor

    examined = [(path, doctor.examine(path, labels=options.labels)) for path in options.file]
    for path, findings in examined:
        severity = ""
        for finding in findings:
            if finding.severity != severity:
                severity = finding.severity
                print(f"{severity}s")
            print(f"  {finding.place}")
            for line in (*textwrap.wrap(finding.what, 116), *textwrap.wrap(f"→ {finding.do}", 116)):
                print(f"      {line}")
        print(f"{path}: {doctor.counted(findings)}")
