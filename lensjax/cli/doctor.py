"""`lensjax doctor`: what is wrong with a file, before hours are spent on it."""

from dataclasses import dataclass
from pathlib import Path

from lensjax.cli import arguments

_EPILOG = """examples:
  lensjax doctor dataset.csv                              a table of systems: columns that are not read, targets that no image holds, …
  lensjax doctor dataset.toml problem.toml                what CosmoSim and droulette would pass over, or stop at
  lensjax doctor roulette.csv
  lensjax doctor testing-predicted.csv --labels testing.csv     predictions that are the labels

  error    a program stops, or makes something else than the file says
  warning  it goes through, but hardly as meant
  note     to know

Nothing is changed. The exit code is 0 whatever is found, and 2 where a file cannot be read or is of no known kind."""


@dataclass(frozen=True)
class Options:
    """The command's flags."""

    file: list[Path]
    labels: Path | None


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command(
        "doctor", "what is wrong with a table or a TOML file", _EPILOG, lambda flags: run(arguments.options_of(Options, flags))
    )
    command.add_argument("file", nargs="+", type=Path, metavar="FILE", help="a CSV or TOML file of CosmoSim's, droulette's or Cosmo-ML's")
    command.add_argument("--labels", type=Path, metavar="FILE", help="the true values that a table of predictions belongs to")


def run(options: Options) -> None:
    """The command."""
    import textwrap

    from lensjax.doctor import examine as doctor

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
