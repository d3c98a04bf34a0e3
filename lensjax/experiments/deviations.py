"""Deviations of several runs' estimates from the truth, and histograms of all of them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lensjax import metrics
from lensjax.errors import BadInput
from lensjax.experiments import evaluate
from lensjax.files.read import readable
from lensjax.problems.amplitudes import Answered
from lensjax.report import figures
from lensjax.train import TrainConfig, restore_run
from lensjax.train import config as configs


@dataclass(frozen=True)
class Deviations:
    """Deviations, predicted − true, of one run.

    Attributes:
        problem: what its network answers.
        raw: deviations (N, P) in file units.
        symmetric: the same up to symmetry, NaN for the angle of a round source.
    """

    problem: Answered
    raw: NDArray[np.float64]
    symmetric: NDArray[np.float64]


def deviations_of(folder: Path, config: TrainConfig, *, n: int) -> Deviations | None:
    """The deviations of a run: of its predictions.csv if that is not older than evaluation.csv, otherwise of `n` fresh images.

    None, with a line on stderr, where there is neither a table nor a checkpoint.

    Raises:
        BadInput: predictions.csv is not a table of the run's problem.
    """
    problem = configs.answered(config)
    path = folder / "predictions.csv"
    if path.is_file() and path.stat().st_mtime >= (folder / "evaluation.csv").stat().st_mtime:
        truth, predicted = _read(path, problem)
    else:
        try:
            run = restore_run(folder, on_notice=lambda line: print(line, file=sys.stderr))
        except BadInput as error:
            print(f"{error}: left out of the histograms", file=sys.stderr)
            return None
        truth, predicted = evaluate.predict(run, jax.random.fold_in(jax.random.key(0), evaluate.FRESH), n=n)
    raw = metrics.raw_error(predicted, truth, problem=problem)
    return Deviations(problem, np.asarray(raw), np.asarray(metrics.symmetric_error(predicted, truth, problem=problem)))


def draw_deviations(runs: Mapping[str, Deviations | None], folder: Path) -> None:
    """deviation-raw.png and deviation-symmetric.png, and with -5 the same within ±5, as files in the folder."""
    known = {label: run for label, run in runs.items() if run is not None}
    if not known:
        return
    units = {parameter.name: parameter.unit for run in known.values() for parameter in run.problem.parameters}
    for kind, words in (("raw", "raw"), ("symmetric", "up to symmetry")):
        errors = {}
        for label, run in known.items():
            values = run.raw if kind == "raw" else run.symmetric
            table = pd.DataFrame(values, columns=list(run.problem.names)).reindex(columns=list(units))
            errors[label] = table.to_numpy()
        for limit, suffix, more in ((None, "", ""), (5.0, "-5", ", within ±5")):
            figure = figures.overlaid(errors, names=list(units), units=list(units.values()), limit=limit, title=f"deviation, {words}{more}")
            figures.save(figure, folder / f"deviation-{kind}{suffix}.png")


def _read(path: Path, problem: Answered) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(truth, predicted), each (N, P), from a predictions.csv."""
    with readable(path, "a table of predictions"):
        try:
            table = pd.read_csv(path)
            truth, predicted = (table[[f"{name} ({what})" for name in problem.names]] for what in ("Ground Truth", "Predicted"))
            return truth.to_numpy(np.float64), predicted.to_numpy(np.float64)
        except (KeyError, ValueError) as error:  # also what pandas cannot parse
            reason = " ".join(str(error).split())[:120]
            raise BadInput(f"not the predictions of {problem.name}: {reason}", path=path, hint="run lensjax evaluate again") from None
