"""Evaluates a trained network on fresh images, or on the test images of its data set, with the tables and figures of the 2023 thesis.

    lensjax evaluate --workdir DIR [--refine] [--n 1000] [--seed 0]

DIR is the folder of a run of `lensjax train`. Written into it:

    predictions.csv   Index, then each parameter's true and predicted value; with --refine its refined value too
    summary.csv       mean absolute and squared error, raw as in the thesis and up to symmetry
    figures/          histograms of the deviation (all, within ±5), loss curves (linear, logarithmic), scatter

Exit code 0: done; 2: bad input; 1: anything else.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from absl import flags, logging
from numpy.typing import NDArray
from tqdm import tqdm

from lensjax import estimate, metrics
from lensjax.conventions import GREY_LEVELS
from lensjax.errors import BadInput
from lensjax.experiments import commandline
from lensjax.files import whole as files
from lensjax.infer import Solution
from lensjax.infer.estimation import estimate_each, starts_from_image
from lensjax.problems.amplitudes import Answered
from lensjax.problems.base import Conditions, Problem
from lensjax.report import figures
from lensjax.report.tables import Table, text_table
from lensjax.train import config as configs
from lensjax.train import data as datasets
from lensjax.train import evaluation, restore_run, sharding, stream
from lensjax.train.data import DataSet
from lensjax.train.evaluation import read_rows
from lensjax.train.feed import Feed
from lensjax.train.loop import Run
from lensjax.train.step import make_predict, make_predict_given

FRESH = 1000
"""Purpose of the fresh images' key; a run's own keys have the purposes 0, 1 … of `train.state.keys`."""

BATCH = 32


@dataclass(frozen=True)
class Estimates:
    """Estimates of one method.

    Attributes:
        name: "network" or "refined".
        params: parameters (N, P) in file units.
        bound: Cramér–Rao bound (N, P); None where it is unknown.
    """

    name: str
    params: NDArray[np.float64]
    bound: NDArray[np.float64] | None = None


def main() -> None:
    """The program."""
    logging.set_verbosity(logging.ERROR)  # Orbax warns of a read-only folder, which is intended
    options = flags.FLAGS
    if options.workdir is None:
        raise BadInput("missing", column="--workdir", expected="the folder of a run of `lensjax train`")
    commandline.check_at_least("--n", options.n, 1)
    commandline.check_at_least("--seed", options.seed, 0)
    workdir = Path(options.workdir)
    if workdir.is_dir():
        jax.config.update("jax_compilation_cache_dir", str(workdir / "compiled"))
    print(evaluate(workdir, n=options.n, seed=options.seed, refine=options.refine))


def define_flags() -> None:
    """The program's flags; not at import, since other programs have flags of the same names."""
    flags.DEFINE_string("workdir", None, "Folder of the run; required.")
    flags.DEFINE_bool("refine", False, "Also refine the network's estimates on the pixels.")
    flags.DEFINE_integer("n", 1000, "Fresh images to evaluate on, or test images of the run's data set.")
    flags.DEFINE_integer("seed", 0, "Seed of the fresh images.")


def evaluate(workdir: Path, *, n: int, seed: int, refine: bool) -> str:
    """Writes all files into the folder of a run, and returns the summary as text.

    Raises:
        BadInput: no run there, no checkpoint yet, or an evaluation.csv or a data set that cannot be read.
    """
    if not workdir.is_dir():
        raise BadInput("no such folder", path=workdir, expected="the folder of a run of `lensjax train`, for --workdir")
    run = restore_run(workdir, on_notice=lambda line: print(line, file=sys.stderr))
    history = read_history(workdir / "evaluation.csv", image_count=run.config.eval_size)
    key = jax.random.fold_in(jax.random.key(seed), FRESH)
    answered = configs.answered(run.config)
    if refine and run.config.targets == "amplitudes":
        raise BadInput(column="--refine", value=True, expected="a network that answers a system's parameters, not amplitudes")

    data = datasets.read(run.config, run.problem) if run.config.data else None
    if data is None:
        truth, predicted = predict(run, key, n=n)
    elif refine:
        raise BadInput("not with a data set", column="--refine", hint="lensjax estimate --weights refines the estimates of image files")
    else:
        datasets.record(workdir, datasets.checked(data), None, write=False)
        truth, predicted = predict_files(run, workdir, data, n=n)
    estimates = [Estimates("network", predicted)]
    table = predictions_table(answered, truth, predicted)
    if refine:
        solution = refined(run.problem, key, predicted, mixed=run.config.method == stream.MIXED)
        estimates.append(Estimates("refined", solution.params, solution.bound))
        table = table.join(solution_table(solution))

    files.write_text(workdir / "predictions.csv", table.to_csv(index=False))
    summary = summary_table(answered, truth, estimates)
    files.write_text(workdir / "summary.csv", summary.to_csv(index=False))
    draw(answered, workdir / "figures", history, truth, estimates)
    images = f"{n} fresh images" if data is None else f"{len(truth)} of {len(data.rows.test)} test images of {data.table}, not trained on"
    heading = f"{workdir}: {run.config.model} after {run.step} steps, {images}"
    return f"{heading}\n\n{text_table(printed(summary))}"


def read_history(path: Path, *, image_count: int) -> pd.DataFrame:
    """The curves of evaluation.csv: epoch, and mean absolute and mean squared errors of both sets.

    Raises:
        BadInput: no such file, or a column or a number is missing.
    """
    if not path.exists():
        raise BadInput("no such file", path=path, hint="`lensjax train` writes it")
    rows = read_rows(path)

    def column(name: str) -> NDArray[np.float64]:
        values = []
        for line, row in enumerate(rows, start=2):
            try:
                values.append(float(row[name]))
            except (KeyError, TypeError, ValueError):
                raise BadInput(path=path, line=line, column=name, value=row.get(name) or "", expected="a number") from None
        return np.array(values)

    return pd.DataFrame(
        {
            "epoch": column("Epoch"),
            "MAE training": column("MAE (Training Set)"),
            "MAE test": column("MAE (Test Set)"),
            "MAE test, up to symmetry": column("Symmetric MAE (Test Set)"),
            # The thesis's totals are sums over images.
            "MSE training": column("tMSELoss (Training Set)") / image_count,
            "MSE test": column("tMSELoss (Test Set)") / image_count,
        }
    )


def predict(run: Run, key: jax.Array, *, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(truth, predicted), each (n, P) in file units, for the first n images of a stream."""
    step_of = make_predict(run.config, run.problem, run.model, sharding.make_mesh(), batch_size=BATCH)
    truth, predicted = [], []
    with tqdm(total=n, unit="image", desc="network", disable=None) as bar:
        for step in range(-(-n // BATCH)):
            batch = jax.device_get(step_of(run.variables, key, jnp.int32(step)))
            predicted.append(batch[0])
            truth.append(batch[1])
            bar.update(min(BATCH, n - bar.n))
    return np.concatenate(truth)[:n].astype(np.float64), np.concatenate(predicted)[:n].astype(np.float64)


def predict_files(run: Run, workdir: Path, data: DataSet, *, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(truth, predicted), each (M, P) in file units, for the first n images of a data set's test part, which may have fewer."""
    mesh = sharding.make_mesh()
    standard = datasets.recorded(run.config, workdir, count=len(run.problem.parameters))
    step_of = make_predict_given(run.config, run.problem, run.model, mesh, standard=standard)
    feed = Feed(data, mesh, batch_size=run.config.batch_size, seed=run.config.seed)
    rows = data.rows.test[:n]
    found = evaluation.gathered(
        (step_of(run.variables, batch) for batch in tqdm(feed.images(rows, batch_size=BATCH), unit="batch", disable=None)), size=len(rows)
    )
    return found.truth.astype(np.float64), found.predicted.astype(np.float64)


def refined(problem: Problem, key: jax.Array, predicted: NDArray[np.float64], *, mixed: bool = False) -> Solution:
    """Solutions for the same images at the field's own resolution, from the network's estimates (N, P); `mixed` as in `stream.batch`."""
    native = replace(problem, image_size=problem.field)
    exact = native.exact
    if exact is None:
        return fitted(native, key, predicted)
    n = len(predicted)
    draw_images = jax.jit(lambda step: stream.batch(native, key, step, batch_size=BATCH, mixed=mixed)["image"][..., 0])
    # An untrained network may predict a negative size: its estimates are clipped to the prior's bounds.
    low, high = (np.array([getattr(p, side) for p in native.parameters]) for side in ("low", "high"))
    starts = np.clip(np.nan_to_num(predicted), low, high)
    solutions = []
    with tqdm(total=n, unit="image", desc="refine", disable=None) as bar:
        for step in range(-(-n // BATCH)):
            part = slice(step * BATCH, min((step + 1) * BATCH, n))
            images = np.rint(np.asarray(draw_images(jnp.int32(step)))[: part.stop - part.start] * GREY_LEVELS)
            solutions.append(estimate.solve(exact, images, starts[part], progress=bar.update))
    return Solution.concatenate(solutions)


def fitted(native: Problem, key: jax.Array, predicted: NDArray[np.float64]) -> Solution:
    """As `refined`, for a composed problem: fits from the network's estimates and from the bright pixels."""
    whole = native.composition
    n = len(predicted)
    draw_images = jax.jit(lambda step: _drawn(native, key, step))
    starts = whole.within(predicted)
    solutions = []
    with tqdm(total=n, unit="image", desc="refine", disable=None) as bar:
        for step in range(-(-n // BATCH)):
            images, taken = jax.device_get(draw_images(jnp.int32(step)))
            part = slice(step * BATCH, min((step + 1) * BATCH, n))
            observations = [native.observed(images[i], type(taken)(*(leaf[i] for leaf in taken))) for i in range(part.stop - part.start)]
            rows = [
                np.concatenate([np.asarray(whole.encode(jnp.asarray(start)))[None], starts_from_image(whole, observed, count=11)])
                for start, observed in zip(starts[part], observations, strict=True)
            ]
            for outcome in estimate_each(whole, observations, starts=rows):
                solutions.append(outcome.solution)
                bar.update()
    return Solution.stack(solutions)


def _drawn(problem: Problem, key: jax.Array, step: jax.Array) -> tuple[jax.Array, Conditions]:
    """Images (B, n, n) in grey levels of one step of the stream, and what each was taken under."""
    params, shown = stream.draw(problem, key, step, batch_size=BATCH)
    return stream.render(problem, params, shown), shown


def predictions_table(problem: Answered, truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> pd.DataFrame:
    """The thesis's columns: Index, <name> (Ground Truth) …, <name> (Predicted) …"""
    return pd.DataFrame(
        {"Index": np.arange(len(truth))}
        | {f"{name} (Ground Truth)": truth[:, k] for k, name in enumerate(problem.names)}
        | {f"{name} (Predicted)": predicted[:, k] for k, name in enumerate(problem.names)}
    )


def solution_table(solution: Solution) -> pd.DataFrame:
    """<name> (Refined) …, <name> (Refined 1 sigma) …, and how the fit went."""
    return pd.DataFrame(
        {f"{name} (Refined)": solution.params[:, k] for k, name in enumerate(solution.names)}
        | {f"{name} (Refined 1 sigma)": solution.errors[:, k] for k, name in enumerate(solution.names)}
        | {
            "chi2": solution.chi2,
            "kind": solution.kind,
            "success": solution.success,
            "status": solution.status,
        }
    )


def summary_table(problem: Answered, truth: NDArray[np.float64], estimates: Sequence[Estimates]) -> pd.DataFrame:
    """A row for each parameter of each method, and one for the mean over the parameters; NaN where a number is undefined."""
    rows = []
    for method in estimates:
        raw = metrics.summary(metrics.raw_error(method.params, truth, problem=problem), names=problem.names)
        error = metrics.symmetric_error(method.params, truth, problem=problem)
        fair = metrics.summary(error, names=problem.names)
        z = metrics.normalised(error, np.full_like(error, np.nan) if method.bound is None else method.bound)
        rows += [
            {
                "Estimate": method.name,
                "Parameter": parameter.name,
                "Unit": parameter.unit,
                "MAE (Raw)": raw.mae[k],
                "MSE (Raw)": raw.mse[k],
                "MAE (up to Symmetry)": fair.mae[k],
                "MSE (up to Symmetry)": fair.mse[k],
                "Median (up to Symmetry)": fair.median[k],
                "Counted (up to Symmetry)": int(fair.count[k]),
                "Median Error over Bound": metrics.summary(z, names=problem.names).median[k],
                "Share within 5 Bounds": metrics.share(z)[k],
            }
            for k, parameter in enumerate(problem.parameters)
        ]
        rows.append(
            {
                "Estimate": method.name,
                "Parameter": "mean",
                "Unit": "",
                "MAE (Raw)": raw.overall_mae,
                "MSE (Raw)": raw.overall_mse,
                "MAE (up to Symmetry)": fair.overall_mae,
                "MSE (up to Symmetry)": fair.overall_mse,
                "Median (up to Symmetry)": fair.overall_median,
                "Counted (up to Symmetry)": int(fair.count.sum()),
            }
        )
    return pd.DataFrame(rows)


def printed(summary: pd.DataFrame) -> Table:
    """The summary for a terminal, under shorter headings."""
    columns = {
        "Estimate": "estimate",
        "Parameter": "parameter",
        "Unit": "unit",
        "MAE (Raw)": "MAE",
        "MSE (Raw)": "MSE",
        "MAE (up to Symmetry)": "MAE*",
        "MSE (up to Symmetry)": "MSE*",
        "Median (up to Symmetry)": "median*",
        "Counted (up to Symmetry)": "counted*",
        "Median Error over Bound": "median/bound",
        "Share within 5 Bounds": "within 5",
    }
    known = [name for name in columns if not summary[name].isna().all()]
    rows = tuple(tuple(row) for row in summary[known].itertuples(index=False, name=None))
    caption = "MAE, MSE: raw, as in the thesis. *: up to symmetry, theta of elliptical sources only. Never compare the two."
    return Table(tuple(columns[name] for name in known), rows, caption)


def draw(
    problem: Answered,
    folder: Path,
    history: pd.DataFrame,
    truth: NDArray[np.float64],
    estimates: Sequence[Estimates],
) -> None:
    """All figures, as PNG files in the folder."""
    named = {"names": problem.names, "units": [parameter.unit for parameter in problem.parameters]}
    for measure, label in (("MAE", "mean absolute error"), ("MSE", "mean squared error")):
        series = {c.removeprefix(f"{measure} "): history[c] for c in history if c.startswith(measure)}
        for log, suffix in ((False, ""), (True, "-log")):
            figure = figures.lines(
                series,
                x=history["epoch"],
                x_label="epoch",
                y_label=f"{label} (mean over parameters)",
                log=log,
            )
            figures.save(figure, folder / f"{measure.lower()}{suffix}.png")
    for method in estimates:
        error = metrics.symmetric_error(method.params, truth, problem=problem)
        raw = metrics.raw_error(method.params, truth, problem=problem)
        for kind, values, words in (("raw", raw, "raw"), ("symmetric", error, "up to symmetry")):
            for limit, suffix in ((None, ""), (5.0, "-5")):
                figure = figures.histograms(values, **named, limit=limit, title=f"{method.name}: deviation, {words}")
                figures.save(figure, folder / f"{method.name}-deviation-{kind}{suffix}.png")
        # The true values are those of the equivalent set nearest to the prediction.
        figure = figures.scatter(method.params, method.params - error, **named, title=f"{method.name}: up to symmetry")
        figures.save(figure, folder / f"{method.name}-scatter.png")
        figure = figures.scatter(method.params, truth, **named, title=f"{method.name}: raw")
        figures.save(figure, folder / f"{method.name}-scatter-raw.png")


if __name__ == "__main__":
    define_flags()
    commandline.run(main)
