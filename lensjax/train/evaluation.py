"""Evaluations of a network in the course of training, as rows of a table with the columns of the 2023 thesis.

The first columns have the names and the meaning of Cosmo-ML's: totals are sums over images. Then follow the
means, and the errors up to symmetry, which the thesis did not have.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from lensjax import metrics
from lensjax.errors import BadInput
from lensjax.files.read import readable
from lensjax.files.whole import write_text
from lensjax.problems.amplitudes import Answered
from lensjax.train.step import Predict

Row = dict[str, str]

JUDGED = "Symmetric MAE (Test Set)"
"""The column by which a run is judged."""


@dataclass(frozen=True)
class Predictions:
    """Predictions of a network for some images, and the truth.

    Attributes:
        predicted: parameters (N, P) in file units.
        truth: true parameters (N, P).
    """

    predicted: NDArray[np.float32]
    truth: NDArray[np.float32]


def predict(step_of: Predict, variables: Any, key: Array, *, steps: Iterable[int], size: int) -> Predictions:
    """Predictions for the first `size` images of the given steps of a stream; copied to the host once, at the end."""
    return gathered((step_of(variables, key, jnp.int32(step)) for step in steps), size=size)


def gathered(batches: Iterable[tuple[Array, Array]], *, size: int) -> Predictions:
    """The first `size` of the predictions and truths of some batches; copied to the host once, at the end."""
    batches = jax.device_get(list(batches))
    predicted, truth = (np.concatenate(column)[:size] for column in zip(*batches, strict=True))
    return Predictions(predicted=predicted, truth=truth)


def recent_steps(step: int, count: int) -> list[int]:
    """The last `count` of the steps before `step`; repeated from the first step where there were fewer."""
    return [index % step for index in range(max(step - count, 0), max(step, count))]


def row(problem: Answered, *, epoch: int, step: int, loss: float, test: Predictions, training: Predictions) -> Row:
    """One row of the table.

    Args:
        problem: what the predictions are of.
        epoch: number of the evaluation, from 1.
        step: steps done.
        loss: the loss summed over the images trained on since the last evaluation.
        test, training: predictions for the test set, and for a sample of the training stream.
    """
    names = problem.names
    sets = {"Training Set": training, "Test Set": test}
    errors = {title: metrics.raw_error(images.predicted, images.truth, problem=problem) for title, images in sets.items()}
    raw = {title: metrics.summary(error, names=names) for title, error in errors.items()}
    fair = metrics.summary(metrics.symmetric_error(test.predicted, test.truth, problem=problem), names=names)
    values: dict[str, float] = {"tLoss": loss}
    for title, error in errors.items():
        values[f"tMSELoss ({title})"] = raw[title].overall_mse * len(error)
        values[f"tMAELoss ({title})"] = raw[title].overall_mae * len(error)
    for title in ("Test Set", "Training Set"):
        spreads = np.std(errors[title], axis=0, ddof=1), np.std(np.abs(errors[title]), axis=0, ddof=1)
        for statistic, column in (
            ("Error Mean", raw[title].mean),
            ("Error StDev", spreads[0]),
            ("AbsError Mean", raw[title].mae),
            ("AbsError StDev", spreads[1]),
        ):
            values |= {f"{name} ({statistic} - {title})": value for name, value in zip(names, column, strict=True)}
    for title, numbers in raw.items():
        values[f"MAE ({title})"] = numbers.overall_mae
    for name, value in zip(names, fair.mae, strict=True):
        values[f"{name} (AbsError Mean up to Symmetry - Test Set)"] = value
    for name, value in zip(names, fair.median, strict=True):
        values[f"{name} (AbsError Median up to Symmetry - Test Set)"] = value
    values[JUDGED] = fair.overall_mae
    for name, value in zip(names, fair.mse, strict=True):
        values[f"{name} (SqError Mean up to Symmetry - Test Set)"] = value
    return {"Epoch": str(epoch), "Step": str(step)} | {key: repr(float(v)) for key, v in values.items()}


def exhausted(rows: list[Row], patience: int) -> bool:
    """Whether the last `patience` rows have no better test error, up to symmetry, than the best before them; False where it is 0."""
    if not 0 < patience < len(rows):
        return False
    errors = np.nan_to_num([float(values[JUDGED]) for values in rows], nan=np.inf, posinf=np.inf)
    return bool(errors[-patience:].min() >= errors[:-patience].min())


def read_rows(path: Path) -> list[Row]:
    """The rows of a table; an empty list where there is no file.

    Raises:
        BadInput: the file cannot be read, or a row has no step.
    """
    if not path.exists():
        return []
    with readable(path, "a CSV file"), path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for line, values in enumerate(rows, start=2):
        if not (values.get("Step") or "").isdigit():
            raise BadInput(path=path, line=line, column="Step", value=values.get("Step") or "", expected="a whole number")
    return rows


def write_rows(path: Path, rows: list[Row]) -> None:
    """All rows as one file; a column that a row does not have, such as one of an earlier version, is empty there."""
    text = io.StringIO()
    columns = list(dict.fromkeys(column for row in rows for column in row)) or ["Epoch", "Step"]
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def scores(path: Path) -> dict[str, float]:
    """The mean absolute errors in the last row of a table, and its step; empty where the table has no row."""
    rows = read_rows(path)
    return {
        name: float(value)
        for name, value in (rows[-1] if rows else {}).items()
        if name == "Step" or (" (" in name and name.partition(" (")[0].endswith("MAE"))
    }
