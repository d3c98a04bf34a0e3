"""`lensjax train | evaluate | sweep | compare-runs | demo`: the programs of lensjax/experiments, whose flags are those of a config."""

import runpy
import sys
from collections.abc import Sequence

from lensjax.cli import arguments

PROGRAMS = {
    "train": ("train", "Train a network, or resume its run."),
    "evaluate": ("evaluate", "Evaluate a trained network: tables and figures."),
    "sweep": ("sweep", "Train a grid of settings, each in its own folder."),
    "compare-runs": ("compare", "Compare training runs in a table, the best first, and in figures."),
    "demo": ("demo", "Estimate and refine 64 fresh images: a small worked example."),
}
"""Command to (module, description)."""


def add(parser: arguments.Parser) -> None:
    """Adds the commands to the list of `lensjax --help`; each reads its own words, see `run`."""
    for name, (_, line) in PROGRAMS.items():
        parser.commands[name] = arguments.Parser(f"{parser.prog} {name}", line, "")


def run(name: str, words: Sequence[str]) -> None:
    """As `python -m lensjax.experiments.MODULE WORDS`, in this process; the program ends it by SystemExit where it failed."""
    module, _ = PROGRAMS[name]
    sys.argv = [module, *words]
    runpy.run_module(f"lensjax.experiments.{module}", run_name="__main__", alter_sys=True)
