"""Compares training runs: their last evaluations and their speed in a table, and the thesis's figures of all of them.

    lensjax compare-runs RUN... [--csv FILE] [--figure FILE] [--effects FILE] [--figures DIR] [--n 1000]

A RUN is the folder of a run, or a folder of such folders, as a sweep makes it. The table has the fields in which the
runs differ, the steps, and errors of the test set: MAE, MSE and R² raw, as in the thesis; with * up to symmetry. R² is the mean over the
parameters of 1 − MSE/variance, with the variance of the prior. images/s and hours are those of training without evaluations and
checkpoints, from log.csv. Numbers that an earlier version did not write are missing. Best MAE* first.

--effects: a second table, of what each field does: MAE* of runs that differ in it alone, seeds included, which shows what chance does; and
a figure of these pairs of runs.

--figures: the curves of MAE and MSE (the test set's, and dashed the training set's) and of the loss, each linear and logarithmic, and
histograms of the deviation of each parameter, all and within ±5, raw and up to symmetry. Deviations are those of a run's predictions.csv
where `lensjax evaluate` wrote it after the last evaluation, otherwise of --n fresh images that its network now estimates.

Exit code 0: done; 2: bad input; 1: anything else.
"""

import dataclasses
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from absl import flags, logging
from numpy.typing import NDArray

from lensjax.errors import BadInput
from lensjax.experiments import commandline, effects
from lensjax.experiments.deviations import deviations_of, draw_deviations
from lensjax.files import whole
from lensjax.problems.amplitudes import Answered
from lensjax.report import figures
from lensjax.report.tables import Table, text_table
from lensjax.train import TrainConfig, logs
from lensjax.train import config as configs
from lensjax.train.evaluation import Row, read_rows
from lensjax.train.logs import Progress

_DRAWS = 2000  # of the prior, for its variance


@dataclass(frozen=True)
class Evaluated:
    """A run that has been evaluated at least once.

    Attributes:
        folder: its folder.
        config: its settings.
        rows: of its evaluation.csv, the last one last.
        log: of its log.csv; empty without one.
    """

    folder: Path
    config: TrainConfig
    rows: tuple[Row, ...]
    log: tuple[Progress, ...] = ()

    def number(self, row: int, column: str) -> float:
        """A cell of a row of evaluation.csv; NaN where it is empty or an earlier version did not write the column.

        Raises:
            BadInput: it is not a number.
        """
        text = self.rows[row].get(column) or "nan"
        try:
            return float(text)
        except ValueError:
            line = row % len(self.rows) + 2
            raise BadInput(path=self.folder / "evaluation.csv", line=line, column=column, value=text, expected="a number") from None

    def curve(self, column: str) -> NDArray[np.float64]:
        """A column of evaluation.csv."""
        return np.array([self.number(row, column) for row in range(len(self.rows))])


def define_flags() -> None:
    """The program's flags."""
    flags.DEFINE_string("csv", None, "Write the table to this file too.")
    flags.DEFINE_string("figure", None, "Write the curves of MAE* of all runs to this file, PNG.")
    flags.DEFINE_string("effects", None, "Print what each field does, and draw it into this file, PNG.")
    flags.DEFINE_string("figures", None, "Write the thesis's figures, of all runs, into this folder.")
    flags.DEFINE_integer("n", 1000, "Fresh images for the deviations of a run without predictions.csv.")


def main() -> None:
    """The program."""
    logging.set_verbosity(logging.ERROR)  # Orbax warns of a read-only folder, which is intended
    options = flags.FLAGS
    for path in (options.csv, options.figure, options.effects):
        if path is not None:
            whole.check_file(Path(path))
    if options.figures is not None:
        whole.check_folder(Path(options.figures))
    commandline.check_at_least("--n", options.n, 1)
    runs = found([Path(argument) for argument in commandline.positional()])
    frame = table_of(runs)
    print(text_table(Table(tuple(frame.columns), tuple(frame.itertuples(index=False, name=None)))))
    if options.csv is not None:
        whole.write_text(Path(options.csv), frame.to_csv(index=False))
    if options.figure is not None:
        draw(runs, Path(options.figure))
    if options.effects is not None:
        pairs = effects.paired(frame, varied_fields(runs), error="MAE*")
        if not pairs:
            raise BadInput("no two runs differ in one field alone", column="--effects", expected="runs of a sweep")
        print()
        print(text_table(effects.table(pairs, error="MAE*")))
        figures.save(effects.figure(pairs, error="MAE*"), Path(options.effects))
    if options.figures is not None:
        draw_all(runs, Path(options.figures), n=options.n)


def found(paths: Sequence[Path]) -> list[Evaluated]:
    """The runs of some folders, and of the folders in them.

    Raises:
        BadInput: there is none in one of them, or a file of one cannot be read.
    """
    if not paths:
        raise BadInput("no run is named", expected="folders of runs: lensjax compare-runs RUN...")
    runs = []
    for path in paths:
        if not path.is_dir():
            raise BadInput("no such folder", path=path, expected="the folder of a run, or of several")
        folders = [path] if (path / "config.json").exists() else sorted(each.parent for each in path.glob("*/config.json"))
        evaluated = [
            Evaluated(
                folder,
                configs.read(folder / "config.json"),
                tuple(read_rows(folder / "evaluation.csv")),
                tuple(logs.read(folder / "log.csv")),
            )
            for folder in folders
        ]
        for run in evaluated:
            if not run.rows:
                print(f"{run.folder}: not evaluated yet, left out", file=sys.stderr)
        runs += [run for run in evaluated if run.rows]
        if not any(run.rows for run in evaluated):
            raise BadInput("no run that has been evaluated", path=path, expected="a folder that lensjax train has written")
    return runs


def table_of(runs: Sequence[Evaluated]) -> pd.DataFrame:
    """A row for each run, the best first."""
    varied = varied_fields(runs)
    rows = []
    for run in runs:
        n = run.config.eval_size
        raw, fair = mean_squares(run)
        spread = _variance(configs.answered(run.config))
        seconds = sum(row.seconds for row in run.log)
        rows.append(
            {"run": str(run.folder)}
            | {field: str(getattr(run.config, field)) for field in varied}
            | {
                "steps": int(run.rows[-1]["Step"]),
                "MAE": run.number(-1, "MAE (Test Set)"),
                "MSE": run.number(-1, "tMSELoss (Test Set)") / n,
                "R2": mean(1.0 - raw / spread),
                "MAE*": run.number(-1, "Symmetric MAE (Test Set)"),
                "MSE*": mean(fair),
                "R2*": mean(1.0 - fair / spread),
                "images/s": sum(row.images for row in run.log) / seconds if seconds else math.nan,
                "hours": seconds / 3600.0 if seconds else math.nan,
            }
        )
    return pd.DataFrame(rows).sort_values("MAE*", ignore_index=True)


def varied_fields(runs: Sequence[Evaluated]) -> list[str]:
    """The fields in which runs differ."""
    names = [field.name for field in dataclasses.fields(TrainConfig) if field.name not in configs.MAY_CHANGE]
    return [name for name in names if len({getattr(run.config, name) for run in runs}) > 1]


def mean_squares(run: Evaluated) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean squared errors (P,) of the last evaluation's test set, raw and up to symmetry; NaN where they are unknown."""
    n = run.config.eval_size
    names = configs.answered(run.config).names
    mean, deviation = (np.array([run.number(-1, f"{name} (Error {what} - Test Set)") for name in names]) for what in ("Mean", "StDev"))
    fair = np.array([run.number(-1, f"{name} (SqError Mean up to Symmetry - Test Set)") for name in names])
    # A deviation with n − 1 degrees of freedom; of one image it is NaN.
    return mean**2 + (deviation**2 * (n - 1) / n if n > 1 else 0.0), fair


def mean(values: NDArray[np.float64]) -> float:
    """The mean of the known ones; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


@cache
def _variance(problem: Answered) -> NDArray[np.float64]:
    """The variance (P,) of each parameter over the prior; drawn once for all runs of a problem."""
    drawn: NDArray[np.float64] = np.asarray(problem.sample(jax.random.key(0), _DRAWS), np.float64)
    return np.asarray(drawn.var(axis=0))


def draw(runs: Sequence[Evaluated], path: Path) -> None:
    """The test set's MAE up to symmetry of all runs over the steps, as a PNG file."""
    named = labelled(runs)
    steps = {name: run.curve("Step") for name, run in named.items()}
    errors = {name: run.curve("Symmetric MAE (Test Set)") for name, run in named.items()}
    figures.save(figures.lines(errors, x=steps, x_label="steps", y_label="MAE up to symmetry (test set)", log=True), path)


def labelled(runs: Sequence[Evaluated]) -> dict[str, Evaluated]:
    """The runs by labels for a figure: what they differ in where that tells them apart, otherwise their folders."""
    varied = varied_fields(runs)
    labels = [", ".join(f"{field} {getattr(run.config, field)}" for field in varied) or run.folder.name for run in runs]
    names = labels if len(set(labels)) == len(labels) else [str(run.folder) for run in runs]
    return dict(zip(names, runs, strict=True))


def draw_all(runs: Sequence[Evaluated], folder: Path, *, n: int) -> None:
    """The figures of --figures, as PNG files in the folder, see the top."""
    named = labelled(runs)
    steps = {name: run.curve("Step") for name, run in named.items()}
    for measure, words, totals in (("MAE", "absolute", False), ("MSE", "squared", True)):
        column = "tMSELoss ({} Set)" if totals else "MAE ({} Set)"
        curves = [
            {name: run.curve(column.format(part)) / (run.config.eval_size if totals else 1) for name, run in named.items()}
            for part in ("Test", "Training")
        ]
        # More curves would share colours.
        dashed, title = (curves[1], "test set, and dashed training set") if len(runs) <= figures.COLOURS else (None, "test set")
        y_label = f"mean {words} error, raw"
        figure = figures.linear_and_log(curves[0], x=steps, x_label="steps", y_label=y_label, dashed=dashed, title=title)
        figures.save(figure, folder / f"{measure.lower()}.png")
    logged = {name: run.log for name, run in named.items() if run.log}
    if logged:
        losses = {name: [row.loss for row in log] for name, log in logged.items()}
        along = {name: [row.step for row in log] for name, log in logged.items()}
        figures.save(figures.linear_and_log(losses, x=along, x_label="steps", y_label="loss"), folder / "loss.png")
    draw_deviations({name: deviations_of(run.folder, run.config, n=n) for name, run in named.items()}, folder)


if __name__ == "__main__":
    define_flags()
    commandline.run(main, positional=True)
