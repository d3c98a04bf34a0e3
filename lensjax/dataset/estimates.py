"""Estimates of image files as a table, row by row. An interrupted run resumes, and a bad image is a row with its reason."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from lensjax import estimate, trained
from lensjax._internal.progress import Progress
from lensjax._internal.words import counted
from lensjax.dataset import telescope_fits, telescope_network
from lensjax.dataset.estimate_table import EstimateTable
from lensjax.dataset.journal import Journal, fingerprint
from lensjax.dataset.telescope import Taken
from lensjax.errors import BadInput
from lensjax.estimate import Estimate, Observation
from lensjax.files import images
from lensjax.files import whole as files
from lensjax.files.place import place_of
from lensjax.formats.cosmosim import parameters, table
from lensjax.infer import Solution
from lensjax.observation.sky import SkyImage
from lensjax.pipeline.options import Options, answers_of
from lensjax.problems.base import Problem
from lensjax.problems.compose import Composition
from lensjax.trained import Estimator

T = TypeVar("T")

COSMOSIM = "cosmosim"
"""Noise of images that CosmoSim drew, with a source on whole pixels."""


@dataclass(frozen=True)
class ImageFiles:
    """Image files to estimate.

    Attributes:
        filenames: their names in the table of results.
        paths: the files.
        truth: (N, P) true parameters in file units; None where they are unknown.
    """

    filenames: tuple[str, ...]
    paths: tuple[Path, ...]
    truth: np.ndarray | None = None


@dataclass(frozen=True)
class Estimated:
    """One image and its estimate.

    Attributes:
        filename: its name in the table.
        estimate: its estimate.
        image: (n, n) grey levels, of the first images alone; None where it could not be read.
    """

    filename: str
    estimate: Estimate
    image: np.ndarray | None = None


def of_table(path: Path, folder: Path | None, problem: Problem | Composition) -> ImageFiles:
    """The images that a table names, with its parameters as the truth where it has them all.

    Args:
        path: the table.
        folder: the images' folder; by default the table's own.
        problem: whose parameters they are.

    Raises:
        BadInput: the table or the folder cannot be used.
    """
    folder = path.parent if folder is None else folder
    if not folder.is_dir():
        raise BadInput("no such folder", path=folder, column="--images")
    rows = table.read(path)
    known = isinstance(problem, Problem) and problem.exact is not None
    complete = known and not parameters.missing_columns(rows)
    truth = parameters.params(rows, problem=problem.name, names=problem.names) if complete else None
    return ImageFiles(rows.filenames, tuple(folder / name for name in rows.filenames), truth)


def of_paths(paths: Sequence[Path]) -> ImageFiles:
    """Images by their paths; the table has their names where these differ, otherwise their paths.

    Raises:
        BadInput: a path is named twice.
    """
    twice = next((path for k, path in enumerate(paths) if path in paths[:k]), None)
    if twice is not None:
        raise BadInput("named twice", path=twice, expected="each image once")
    names = tuple(path.name for path in paths)
    return ImageFiles(names if len(set(names)) == len(names) else tuple(map(str, paths)), tuple(paths))


def part(inputs: ImageFiles, index: int, count: int) -> ImageFiles:
    """Every `count`-th image from the `index`-th, which is counted from 1.

    Raises:
        BadInput: there are fewer images.
    """
    chosen = slice(index - 1, None, count)
    if not inputs.filenames[chosen]:
        raise BadInput(column="--shard", value=f"{index}/{count}", expected=f"a part of {counted(len(inputs.filenames), 'image')}")
    truth = None if inputs.truth is None else inputs.truth[chosen]
    return ImageFiles(inputs.filenames[chosen], inputs.paths[chosen], truth)


def ships(problem: str) -> bool:
    """Whether a network ships for a problem."""
    return bool(trained.exported(trained.PACKAGED / problem))


def network(weights: Path | None, problem: str, *, amplitudes: bool = False) -> Estimator:
    """The network in a folder, or by default the one that ships for a problem; with `amplitudes` also one that answers them.

    Raises:
        BadInput: no network ships for the problem, or that of the folder cannot be used.
    """
    if weights is None and not ships(problem):
        raise BadInput(f"no network ships for problem {problem}", value=problem, hint="give --weights DIR")
    folder = trained.PACKAGED / problem if weights is None else weights
    try:
        return trained.network(folder, problem=problem) if amplitudes else trained.load(folder, problem=problem)
    except BadInput as error:
        raise error if str(folder) in str(error) else error.within(path=folder) from None


def run(
    problem: Problem | Composition,
    inputs: ImageFiles,
    out: Path,
    *,
    estimator: Estimator | None,
    refined: bool = True,
    methods: Sequence[str] | None = None,
    free_shift: bool = True,
    noise: float | str | None = None,
    seed: int = 0,
    keep: int = 0,
    taken: Taken | None = None,
    leaves: telescope_fits.Files | None = None,
    report: telescope_fits.Report | None = None,
    options: Options | None = None,
    on_error: Callable[[str], None] = lambda message: None,
) -> list[Estimated]:
    """Estimates images and writes results.csv row by row, or results.json.

    An interrupted run resumes where the images and all options are the same; otherwise it starts anew.

    Args:
        problem: at native resolution; or a composition, whose images a telescope took.
        inputs: the images.
        out: the table of results; JSON where its name ends in .json.
        estimator, refined, methods, free_shift, seed: as in `estimate.solve_each`.
        noise: noise of a pixel [grey levels] in place of rounding, or `COSMOSIM`.
        keep: how many of the first images to return too.
        taken: how a telescope took the images; None for all others.
        leaves: the files that each fit of a telescope's image leaves.
        report: what draws each fit of a telescope's image; of a run that resumes, earlier ones too.
        options: of the pipeline that fits a telescope's images; None fits everything at once.
        on_error: called with the reason where an image cannot be used.

    Returns:
        Images and their estimates, in their order.

    Raises:
        BadInput: no image can be read, or the table cannot be written.
    """
    if not inputs.paths:
        raise BadInput("no images", hint="give IMAGE..., or --csv FILE with --images DIR")
    files.check_file(out)
    kept: dict[int, np.ndarray] = {}
    settings = (problem.name, refined, methods, free_shift, noise, seed, _identity(estimator), options)
    fitted = [problem] if options is None else answers_of(options)
    answered: Sequence[Any] = fitted if estimator is None else [estimator.task.answered]
    angles = () if taken is None or isinstance(problem, Problem) else telescope_fits.angle_names(answered)
    others = () if taken is None else (taken, leaves, *map(_stamp, taken.files))
    task = fingerprint([settings, others, *zip(inputs.filenames, inputs.paths, map(_stamp, inputs.paths), strict=True)])
    written = EstimateTable(out, answered, angles)
    path = out.with_name(f".{out.name}.lensjax-journal")

    def observation(i: int) -> Observation | SkyImage | BadInput:
        observed: Observation | SkyImage | BadInput
        if taken is not None and isinstance(problem, Composition):
            observed = telescope_fits.read(inputs.paths[i], taken, problem)
        else:
            observed = _observation(inputs.paths[i], noise)
        if i < keep and isinstance(observed, Observation):
            kept[i] = observed.data
        return observed

    def observations(first: int) -> Iterator[Any]:
        return map(observation, range(first, len(inputs.paths)))

    resumed, doing = path.is_file(), "fitted and drawn" if report is not None else ""
    source = None if resumed else _with_any_readable(observations(0))
    files.make_folder(out.parent)
    with Journal(path, task) as journal, Progress(len(inputs.paths), "image", doing=doing) as progress:
        restored = (_from_entry(entry, problem) for _, entry in journal)
        done = [outcome for outcome in restored if outcome is not None][: len(inputs.paths)]
        for i in range(min(keep, len(done))):
            observation(i)
        if done:
            written.begin(inputs.filenames, done)
            progress.resume(len(done))
        if report is not None and taken is not None and isinstance(problem, Composition):
            telescope_fits.draw_missing(problem, inputs.paths, inputs.filenames, taken, report, done, options)
        if source is None:
            source = observations(len(done)) if done else _with_any_readable(observations(0))
        if isinstance(problem, Composition) and estimator is not None:
            outcomes = telescope_network.each(estimator, source)
        elif isinstance(problem, Composition):
            outcomes = telescope_fits.each(problem, source, inputs.filenames[len(done) :], leaves, report, options, progress.note)
        else:
            outcomes = estimate.solve_each(
                problem, source, estimator=estimator, refined=refined, methods=methods, free_shift=free_shift, seed=seed
            )
        first = len(done)
        for k, outcome in outcomes:
            if outcome.error is not None:
                on_error(outcome.error)
            done.append(outcome)
            if first + k == 0:
                written.begin(inputs.filenames, done)
            else:
                written.add(inputs.filenames[first + k], outcome)
            journal.add(_to_entry(outcome))
            progress.update()
        written.end()
        if report is not None:
            report.write(inputs.filenames)
        journal.finished = True
    return [Estimated(name, outcome, kept.get(i)) for i, (name, outcome) in enumerate(zip(inputs.filenames, done, strict=True))]


def summary(rows: Sequence[Estimated], *, refined: bool) -> str:
    """How many images there were, how they were estimated, and how many could not be used."""
    unusable = sum(row.estimate.error is not None for row in rows)
    solutions = [row.estimate.solution for row in rows if row.estimate.solution is not None]
    how = f", {sum(bool(solution.success[0]) for solution in solutions)} refined with success" if refined else " by the network alone"
    return f"{counted(len(rows), 'image')}{how}" + (f"; {unusable} could not be used" if unusable else "")


def parameters_of(rows: Sequence[Estimated], problem: Problem | Composition) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(the network's, the refined) parameters (N, P), NaN for images without; None where no image has any."""
    missing = np.full(len(problem.names), np.nan)
    networks = [row.estimate.network for row in rows]
    solutions = [row.estimate.solution for row in rows]
    of_network = np.stack([missing if p is None else p for p in networks]) if any(p is not None for p in networks) else None
    named = [missing if s is None else s.named(problem.names).params[0] for s in solutions]
    return of_network, np.stack(named) if any(s is not None for s in solutions) else None


def _observation(path: Path, noise: float | str | None) -> Observation | BadInput:
    """An image file's observation, or the error of reading it."""
    try:
        loaded = images.grey_of(images.read(path, smallest=16))
    except BadInput as error:
        return error
    variance = noise**2 if isinstance(noise, float) else None
    return Observation(
        loaded.values, rounded=loaded.rounded and variance is None, variance=variance, cosmosim=noise == COSMOSIM, lossy=loaded.lossy
    )


def _with_any_readable(observations: Iterator[T | BadInput]) -> Iterator[T | BadInput]:
    """The same observations; refuses them where no image can be read."""
    first: list[T | BadInput] = []
    for observation in observations:
        first.append(observation)
        if not isinstance(observation, BadInput):
            return chain(first, observations)
    error = first[0]
    assert isinstance(error, BadInput)
    raise error if len(first) == 1 else BadInput(f"none of {len(first)} images can be read", hint=f"the first: {error}")


def _identity(estimator: Estimator | None) -> str:
    """A fingerprint of the networks' weights."""
    if estimator is None:
        return ""
    digest = hashlib.sha256()
    for each in (estimator, *estimator.others):
        task = each.task
        digest.update(repr((task.size, task.frame, task.reads, task.targets, task.head, task.components)).encode())
        for leaf in jax.tree.leaves(each.variables):
            digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file, which change when the file does."""
    try:
        state = place_of(path).file.stat()
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def _to_entry(outcome: Estimate) -> dict[str, object]:
    """An estimate as a JSON object."""
    solution: dict[str, object] | None = None
    if outcome.solution is not None:
        values = {field.name: getattr(outcome.solution, field.name) for field in fields(Solution)}
        solution = {name: value.tolist() if isinstance(value, np.ndarray) else list(value) for name, value in values.items()}
    network, errors = (None if row is None else row.tolist() for row in (outcome.network, outcome.network_errors))
    rest = {"error": outcome.error, "angles": dict(outcome.angles), "network_errors": errors}
    return {"network": network, "solution": solution, **rest}


def _from_entry(entry: object, problem: Problem | Composition) -> Estimate | None:
    """The estimate of an entry; None where the entry is something else."""
    match entry:
        case {"network": network, "solution": solution, "error": error, "angles": angles, "network_errors": spread}:
            example = Solution.failed(problem.names, "", coordinates=0)
            restored = None
            if isinstance(solution, dict):
                kinds = {field.name: getattr(example, field.name) for field in fields(Solution)}
                values: dict[str, Any] = {
                    name: tuple(solution[name]) if isinstance(kind, tuple) else np.array(solution[name], kind.dtype)
                    for name, kind in kinds.items()
                }
                restored = replace(example, **values)
            own, sure = (None if row is None else np.array(row) for row in (network, spread))
            return Estimate(own, restored, error, angles if isinstance(angles, dict) else {}, sure)
    return None
