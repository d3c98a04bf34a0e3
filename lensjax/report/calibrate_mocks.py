"""Fits of mocks, and what they say of error bars, as files."""

from pathlib import Path
from typing import Any

from lensjax._internal.progress import Progress
from lensjax.dataset import mocks
from lensjax.files.whole import check_folder, write_text
from lensjax.infer import nuts
from lensjax.problems.compose import Composition
from lensjax.report import figures
from lensjax.report import mocks as report


def run(problem: Composition, folder: Path, **options: Any) -> list[str]:
    """Fits mocks and writes coverage.csv, mocks.csv and calibration.png.

    Args:
        problem: what mocks show.
        folder: of the files.
        options: fields of `mocks.Mocks`.

    Returns:
        The lines to print.

    Raises:
        BadInput: the folder cannot be written to, a mock cannot be drawn, or draws are wanted and blackjax is missing.
    """
    wanted = mocks.Mocks(**options)
    check_folder(folder)
    mocks.taken_by(wanted)
    if wanted.draws:
        nuts.check()
    with Progress(wanted.n, "mock") as progress:
        rows = mocks.rows(problem, wanted, folder, progress=progress)
    found = report.result(problem.names, [parameter.period for parameter in problem.parameters], rows)
    write_text(folder / "coverage.csv", report.table(found))
    write_text(folder / "mocks.csv", report.each(problem.names, rows))
    figures.save(report.figure(found), folder / "calibration.png")
    mocks.finish(folder)
    return [*report.lines(found), f"{folder / 'coverage.csv'}, {folder / 'mocks.csv'}, {folder / 'calibration.png'}"]
