"""Compares training runs: their last evaluations in a table, and their curves in a figure.

    python -m experiments.compare RUN... [--csv FILE] [--figure FILE]

A RUN is the folder of a run of experiments.train, or a folder of such folders, as a sweep makes it. The table has the fields in which the
runs differ, the steps, and errors of the test set: MAE and MSE raw, as in the thesis; MAE up to symmetry (MAE*); and R², raw, the mean over
the parameters of 1 − MSE/variance, with the variance of the prior. Best MAE* first.

Exit code 0: done; 2: bad input; 1: anything else.
"""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from absl import flags

from experiments import commandline
from lensjax.errors import BadInput
from lensjax.files import whole
from lensjax.problems.images import AnyProblem
from lensjax.report import figures
from lensjax.report.tables import Table, text_table
from lensjax.train import TrainConfig
from lensjax.train import config as configs
from lensjax.train.evaluation import Row, read_rows

_DRAWS = 2000  # of the prior, for its variance


@dataclass(frozen=True)
class Evaluated:
    """A run that has been evaluated at least once.

    Attributes:
        folder: its folder.
        config: its settings.
        rows: of its evaluation.csv, the last one last.
    """

    folder: Path
    config: TrainConfig
    rows: tuple[Row, ...]


def define_flags() -> None:
    """The program's flags."""
    flags.DEFINE_string("csv", None, "Write the table to this file too.")
    flags.DEFINE_string("figure", None, "Write the curves of all runs to this file, PNG.")


def main() -> None:
    """The program."""
    options = flags.FLAGS
    for path in (options.csv, options.figure):
        if path is not None:
            whole.check_file(Path(path))
    runs = found([Path(argument) for argument in commandline.positional()])
    frame = table_of(runs)
    print(text_table(Table(tuple(frame.columns), tuple(frame.itertuples(index=False, name=None)))))
    if options.csv is not None:
        whole.write_text(Path(options.csv), frame.to_csv(index=False))
    if options.figure is not None:
        draw(runs, Path(options.figure))


def found(paths: Sequence[Path]) -> list[Evaluated]:
    """The runs of some folders, and of the folders in them.

    Raises:
        BadInput: there is none in one of them, or a file of one cannot be read.
    """
    if not paths:
        raise BadInput("no run is named", expected="folders of experiments.train: python -m experiments.compare RUN...")
    runs = []
    for path in paths:
        if not path.is_dir():
            raise BadInput("no such folder", path=path, expected="the folder of a run, or of several")
        folders = [path] if (path / "config.json").exists() else sorted(each.parent for each in path.glob("*/config.json"))
        evaluated = [
            Evaluated(folder, configs.read(folder / "config.json"), tuple(read_rows(folder / "evaluation.csv"))) for folder in folders
        ]
        for run in evaluated:
            if not run.rows:
                print(f"{run.folder}: not evaluated yet, left out", file=sys.stderr)
        runs += [run for run in evaluated if run.rows]
        if not any(run.rows for run in evaluated):
            raise BadInput("no run that has been evaluated", path=path, expected="a folder that experiments.train has written")
    return runs


def table_of(runs: Sequence[Evaluated]) -> pd.DataFrame:
    """A row for each run, the best first."""
    varied = varied_fields(runs)
    rows = []
    for run in runs:
        last = run.rows[-1]
        n = run.config.eval_size
        rows.append(
            {"run": str(run.folder)}
            | {field: str(getattr(run.config, field)) for field in varied}
            | {
                "steps": int(last["Step"]),
                "MAE": float(last["MAE (Test Set)"]),
                "MSE": float(last["tMSELoss (Test Set)"]) / n,
                "MAE*": float(last["Symmetric MAE (Test Set)"]),
                "R2": r2(run.config, last),
            }
        )
    return pd.DataFrame(rows).sort_values("MAE*", ignore_index=True)


def varied_fields(runs: Sequence[Evaluated]) -> list[str]:
    """The fields in which runs differ."""
    names = [field.name for field in dataclasses.fields(TrainConfig) if field.name not in configs.MAY_CHANGE]
    return [name for name in names if len({getattr(run.config, name) for run in runs}) > 1]


def r2(config: TrainConfig, row: Row) -> float:
    """The mean of R² over the parameters, raw, from a row of evaluation.csv."""
    problem = configs.make_problem(config)
    n = config.eval_size
    values = []
    for name, spread in zip(problem.names, _variance(problem), strict=True):
        mean, deviation = (float(row[f"{name} (Error {what} - Test Set)"]) for what in ("Mean", "StDev"))
        values.append(1.0 - (mean**2 + deviation**2 * (n - 1) / n) / spread)
    return float(np.mean(values))


@cache
def _variance(problem: AnyProblem) -> tuple[float, ...]:
    """The variance of each parameter over the prior; drawn once for all runs of a problem."""
    return tuple(np.asarray(problem.sample(jax.random.key(0), _DRAWS), np.float64).var(axis=0).tolist())


def draw(runs: Sequence[Evaluated], path: Path) -> None:
    """The test set's MAE up to symmetry of all runs over the steps, as a PNG file."""
    varied = varied_fields(runs)

    def label(run: Evaluated) -> str:
        return ", ".join(f"{field} {getattr(run.config, field)}" for field in varied) or run.folder.name

    labels = [label(run) for run in runs]
    names = labels if len(set(labels)) == len(labels) else [str(run.folder) for run in runs]
    steps = {name: [int(row["Step"]) for row in run.rows] for name, run in zip(names, runs, strict=True)}
    errors = {name: [float(row["Symmetric MAE (Test Set)"]) for row in run.rows] for name, run in zip(names, runs, strict=True)}
    figures.save(figures.lines(errors, x=steps, x_label="steps", y_label="MAE up to symmetry (test set)", log=True), path)


if __name__ == "__main__":
    define_flags()
    commandline.run(main, positional=True)
