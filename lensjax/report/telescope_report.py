"""The report of `lensjax estimate` for images of telescopes: figures as fits finish, and pages at the end.

FOLDER/report.html is the page; of more than `PER_PAGE` lenses, the first of several. FOLDER/lenses has for each image NAME-PANEL.png,
NAME-row.png (its row of a contact sheet), NAME.pdf (all panels) and, written last, NAME.json with what the page says. Nothing stays in
memory from one image to the next, and a run that resumes draws what is missing.
"""

import io
import json
import logging
import os
import shlex
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from lensjax import __version__
from lensjax.dataset.journal import fingerprint
from lensjax.dataset.telescope_fits import stems
from lensjax.errors import BadInput
from lensjax.estimate import Estimate
from lensjax.files.whole import check_file, write_bytes
from lensjax.observation.sky import SkyImage
from lensjax.problems.compose import Composition
from lensjax.report import telescope_figures as figures
from lensjax.report.page import png, write_template
from lensjax.report.telescope_record import Lens, Picture, lens_of
from lensjax.report.telescope_view import View, view_of

PER_PAGE = 96
"""Lenses on a page."""

PER_SHEET = 12
"""Lenses on a contact sheet."""

_FOLDER = "lenses"
_NAME, _LINE, _LINES = 22, 34, 9  # letters of the name and of a line beside a row of a contact sheet, and lines
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TelescopeReport:
    """A report in a folder.

    Attributes:
        folder: where.
        stems: names of an image's files without endings, by the name of the image.
        command: the command line.
        results: the table of all results.
        name: name of the first page, without ending.
    """

    folder: Path
    stems: dict[str, str]
    command: str
    results: Path
    name: str = "report"

    @property
    def path(self) -> Path:
        """The first page."""
        return self.folder / f"{self.name}.html"

    def check(self) -> None:
        """Whether the report can be written.

        Raises:
            BadInput: it cannot.
        """
        check_file(self.path)
        check_file(self.folder / _FOLDER / "lens.json")

    def drawn(self, filename: str, estimate: Estimate) -> bool:
        """Whether the figures of this estimate are there."""
        lens = self._read(filename)
        return lens is not None and lens.key == _key(estimate)

    def draw(self, filename: str, problem: Composition, image: SkyImage | BadInput, estimate: Estimate) -> None:
        """Draws one image and its estimate. Figures that fail cost nothing else: the page says so.

        Args:
            filename: name of the image.
            problem: what was fitted to it.
            image: the image, or why it cannot be read.
            estimate: its estimate.

        Raises:
            BadInput: a file cannot be written.
        """
        stem, key, solution = self.stems[filename], _key(estimate), estimate.solution
        view: View | None = None
        panels: list[Picture] = []
        if isinstance(image, BadInput) or solution is None:
            lens = Lens(key, filename, stem, flags=(estimate.error or str(image),))
        else:
            problems = []
            try:
                view = view_of(problem, solution.params[0], image)
                for panel in figures.panels_of(view):
                    file = f"{stem}-{panel.key}.png"
                    self._save(file, png(figures.figure_of(panel), dpi=160, colours=None))
                    panels.append(Picture(f"{_FOLDER}/{file}", panel.title, panel.words, f"{filename}: {panel.title}, {panel.words}"))
                self._save(f"{stem}.pdf", figures.pdf(figures.overview(view, filename)))
            except BadInput:
                raise
            except Exception as error:
                _log.debug("a figure failed", exc_info=True)
                problems.append(f"figures cannot be drawn: {' '.join(str(error).split()) or type(error).__name__}")
            lens = lens_of(
                key, filename, stem,
                problem=problem, image=image, solution=solution, angles=estimate.angles, panels=panels, problems=problems,
            )  # fmt: skip
        row = figures.row_of(view, _lines(lens), good=lens.success)
        self._save(f"{stem}-row.png", png(row, dpi=figures.DPI, colours=None))
        self._save(f"{stem}.json", json.dumps(asdict(lens)).encode())

    def write(self, filenames: Sequence[str]) -> None:
        """Writes contact sheets and pages of images that are drawn.

        Args:
            filenames: their names.

        Raises:
            BadInput: they cannot be written.
        """
        pages = [(self.name if not k else f"{self.name}-{k // PER_PAGE + 1}", k) for k in range(0, len(filenames), PER_PAGE)]
        good = sum(lens.success for name in filenames if (lens := self._read(name)) is not None)
        for page, first in pages:
            names = filenames[first : first + PER_PAGE]
            lenses = [self._read(name) or Lens("", name, self.stems[name], flags=("not drawn",)) for name in names]
            sheets = []
            for k in range(0, len(lenses), PER_SHEET):
                own = lenses[k : k + PER_SHEET]
                sheets.append((f"{page}-sheet-{k // PER_SHEET + 1}.png", own[0].name, own[-1].name))
                self._write_sheet(self.folder / sheets[-1][0], own)
            write_template(
                self.folder / f"{page}.html", "telescope.html",
                lenses=lenses, sheets=sheets, columns=figures.COLUMNS, total=len(filenames), good=good, first=first + 1,
                pages=[(f"{name}.html", start + 1, name == page) for name, start in pages] if len(pages) > 1 else [],
                results=self.results.name, table=Path(os.path.relpath(self.results, self.folder)).as_posix(),
                command=self.command, version=__version__, folder=_FOLDER, link=quote,
            )  # fmt: skip

    def _write_sheet(self, path: Path, lenses: Sequence[Lens]) -> None:
        """Writes the contact sheet of some lenses."""
        rows = [Image.open(io.BytesIO(png(figures.heading(), dpi=figures.DPI))).convert("RGB")]
        files = [self.folder / _FOLDER / f"{lens.stem}-row.png" for lens in lenses]
        rows += [Image.open(file).convert("RGB") for file in files if file.is_file()]
        sheet = Image.new("RGB", (rows[0].width, sum(row.height + 1 for row in rows)), "#d5d9de")
        top = 0
        for row in rows:
            sheet.paste(row, (0, top))
            top += row.height + 1
        content = io.BytesIO()
        sheet.save(content, "PNG", optimize=True)
        write_bytes(path, content.getvalue())

    def _read(self, filename: str) -> Lens | None:
        try:
            return Lens.of_json(json.loads((self.folder / _FOLDER / f"{self.stems[filename]}.json").read_bytes()))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _save(self, name: str, content: bytes) -> None:
        write_bytes(self.folder / _FOLDER / name, content)


def report_of(
    folder: Path, filenames: Sequence[str], *, shard: tuple[int, int] | None, words: Sequence[str], results: Path
) -> TelescopeReport:
    """The report of a run of `lensjax estimate`.

    Args:
        folder: where.
        filenames: names of all images.
        shard: which part of how many these are: it has a page of its own, and figures beside those of the others; None for all.
        words: the command line after `lensjax`.
        results: the table of all results.

    Raises:
        BadInput: it cannot be written there.
    """
    name = "report" if shard is None else "report-{}-of-{}".format(*shard)
    report = TelescopeReport(folder, stems(filenames), shlex.join(["lensjax", *words]), results, name)
    report.check()
    return report


def _key(estimate: Estimate) -> str:
    """A name for an estimate: another one for other numbers or words."""
    solution = estimate.solution
    numbers = [] if solution is None else [part.tolist() for part in (solution.params, solution.errors, solution.chi2)]
    return fingerprint([numbers, solution and solution.status, estimate.error, dict(estimate.angles)])


def _lines(lens: Lens) -> list[str]:
    """The text beside a row of a contact sheet."""
    lines = [_short(lens.name), "success" if lens.success else "no success"]
    lines += [f"θ$_E$ = {lens.radius[0]}″ ± {lens.radius[1]}″"] if lens.radius else []
    lines += [f"χ²/ν = {lens.chi2[0]}"] if lens.chi2 else []
    said = [] if lens.success else [line for flag in lens.flags if flag != "converged" for line in textwrap.wrap(flag, _LINE)]
    left = _LINES - len(lines)
    return [*lines, *(said if len(said) <= left else [*said[: left - 1], "…"])]


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME // 2]}…{name[-_NAME // 2 + 1 :]}"
