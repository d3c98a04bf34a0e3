"""The report of `lensjax estimate`: images, the models of the estimates, and the sources read from the images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from lensjax import metrics, simulate
from lensjax._internal.words import counted
from lensjax.conventions import GREY_LEVELS
from lensjax.infer import Solution, free
from lensjax.observation.instrument import instrument
from lensjax.problems import Problem
from lensjax.reconstruct.grid import Grid
from lensjax.reconstruct.sample import half_width, sample
from lensjax.report.figures import model_comparison
from lensjax.report.page import Illustration, Section, write_page
from lensjax.report.tables import Cell, Table, text_table

SHOWN = 24
"""Images that a report shows."""

_WIDEST = 800  # px, of a source
_EMPTY = 16  # px, where there is no source to show
_image = jax.jit(simulate.image_about, static_argnames="trace")


@dataclass(frozen=True)
class Record:
    """What a report shows of one image.

    Attributes:
        filename: name of the image.
        image: (n, n) grey levels, n the problem's native size; None where it could not be read.
        network: (P,) the network's estimate in file units; None without a network.
        solution: the refined estimate, of this image alone; None without refinement.
        error: why the image could not be used; None where it could.
    """

    filename: str
    image: np.ndarray | None
    network: np.ndarray | None = None
    solution: Solution | None = None
    error: str | None = None


def write_report(folder: Path, problem: Problem, records: Sequence[Record], *, total: int, results: Path) -> Path:
    """Writes folder/report.html and returns its path.

    Args:
        folder: where to write.
        problem: the problem of the estimates, at native size.
        records: the first images, up to `SHOWN`; further ones are not shown.
        total: images that were estimated.
        results: the table that has them all.

    Raises:
        BadInput: it cannot be written there.
    """
    content = [item for record in records[:SHOWN] for item in _content(problem, record)]
    if total > SHOWN:
        content.append(f"The first {SHOWN} of {total} images; {results} has them all.")
    sections = [Section("Images, models and sources", tuple(content))]
    return write_page(folder / "report.html", title=f"Estimates of {counted(total, 'image')}", sections=sections)


def errors_table(problem: Problem, truth: np.ndarray, *, network: np.ndarray | None, refined: np.ndarray | None) -> str:
    """Errors of estimates against the true parameters, as a table in plain text.

    Args:
        problem: the problem of the estimates.
        truth: true parameters (N, P) in file units.
        network: the network's estimates (N, P), or None.
        refined: the refined estimates (N, P), or None; rows of NaN do not count.
    """
    summaries = {
        name: metrics.summary(metrics.symmetric_error(values, truth, problem=problem), names=problem.names)
        for name, values in (("network", network), ("refined", refined))
        if values is not None
    }
    rows: list[tuple[Cell, ...]] = []
    for k, parameter in enumerate(problem.parameters):
        errors = [float(value) for summary in summaries.values() for value in (summary.mae[k], summary.median[k])]
        rows.append((parameter.name, parameter.unit, *errors))
    headings = (f"{name}: {kind}" for name in summaries for kind in ("mean", "median"))
    caption = f"absolute error up to symmetry, {counted(len(truth), 'image')}"
    return text_table(Table(("parameter", "unit", *headings), tuple(rows), caption))


def _content(problem: Problem, record: Record) -> list[str | Illustration]:
    """The figure of one image, and a line of numbers."""
    if record.image is None:
        error = record.error or "no image"
        return [error if record.filename in error else f"{record.filename}: {error}"]
    image = np.asarray(record.image, np.float64)
    centre: np.ndarray | None
    if record.solution is not None:
        (params,), (errors,), (centre,) = record.solution.params, record.solution.errors, record.solution.shift
        (method,), (status,) = record.solution.method, record.solution.status
        numbers = "; ".join(f"{name} {p:.6g} ± {e:.2g}" for name, p, e in zip(problem.names, params, errors, strict=True))
    elif record.network is not None:
        params, centre, method, status = record.network, None, problem.trace.name, "network"
        numbers = "; ".join(f"{name} {value:.4g}" for name, value in zip(problem.names, params, strict=True))
    else:
        params, centre, method, status = np.full(len(problem.names), np.nan), None, "", f"failed: {record.error}"
    if np.isfinite(params).all():
        free_fit = record.solution is not None and not np.isfinite(record.solution.fit).all()
        model, source = model_and_source(problem, image, params, centre, method, free_fit=free_fit)
        line = f"{status}: {numbers}"
    else:
        model, source, line = np.full_like(image, np.nan), np.full((_EMPTY, _EMPTY), np.nan), status
    figure = model_comparison(image[None], model[None], source[None], titles=[f"{record.filename}: {status}"])
    shows = (
        "image, model, their difference, and the source read from the image" if np.isfinite(params).all() else "image without an estimate"
    )
    return [Illustration(figure, f"{record.filename}: {shows}.", wide=True), line]


def model_and_source(
    problem: Problem, image: np.ndarray, params: np.ndarray, centre: np.ndarray | None, method: str, *, free_fit: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The model (H, W) and the source (m, m), NaN where the image does not show it, in grey levels.

    Where the point at the image's centre is not known, the problem's instrument decides. `free_fit`: whether the estimate is one of an
    image of any size and brightness, see `infer.free`; the source of one that is not square is not drawn.
    """
    trace = problem.traced(method)
    side = image.shape[0]
    if free_fit and image.shape != (side, side):
        assert centre is not None
        return free.model_image(problem, params, centre, image), np.full((_EMPTY, _EMPTY), np.nan)
    taken = instrument((side, side), centring=problem.instrument.centring)
    with jax.enable_x64(True):
        system = problem.system(jnp.asarray(params, jnp.float64))
        centre = np.asarray(simulate.image_centre(system, taken, trace=trace) if centre is None else centre, np.float64)
        if free_fit:
            model = free.model_image(problem, params, centre, image)
        else:
            model = np.asarray(GREY_LEVELS * _image(system, taken, jnp.asarray(centre), trace=trace))
        sigma, sigma2 = (float(params[problem.names.index(name)]) for name in ("sigma", "sigma2"))
        widest = min(2 * half_width(sigma, sigma2), _WIDEST)
        source = sample(image, system, centre=centre, instrument=taken, trace=trace, grid=Grid(widest, widest))
    return model, np.where(source.mask, source.grey, np.nan)
