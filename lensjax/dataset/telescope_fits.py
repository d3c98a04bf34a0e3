"""Fits of telescopes' images: in the units of their files, with angles on the sky, and the files that a fit leaves."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from lensjax._internal.progress import Progress
from lensjax.dataset import telescope, telescope_field
from lensjax.dataset.telescope import Taken
from lensjax.errors import BadInput, at
from lensjax.estimate import Estimate
from lensjax.formats import coolest, model_images
from lensjax.infer import estimation
from lensjax.infer.estimation import Fitted
from lensjax.infer.posterior import Mode
from lensjax.infer.solution import Solution
from lensjax.observation.sky import SkyImage, Wcs, position_angle
from lensjax.pipeline.options import Options
from lensjax.pipeline.run import GalaxyFit, fit_galaxy
from lensjax.problems.base import Problem
from lensjax.problems.compose import Composition

_log = logging.getLogger(__name__)


class Report(Protocol):
    """What draws images and their estimates one by one, such as `report.telescope_report.TelescopeReport`."""

    def drawn(self, filename: str, estimate: Estimate) -> bool:
        """Whether an estimate is drawn already."""
        ...

    def draw(self, filename: str, problem: Composition, image: SkyImage | BadInput, estimate: Estimate) -> None:
        """Draws an image, or why it cannot be read, and its estimate."""
        ...

    def write(self, filenames: Sequence[str]) -> None:
        """Writes the pages of images that are drawn."""
        ...


class Draws(Protocol):
    """What writes draws from posteriors, such as `report.posterior_files.Draws`."""

    def write(self, stem: str, mode: Mode, say: Callable[[str], None] = ...) -> str:
        """Writes the draws of one fit, in files of this name, and returns their diagnostics in words."""
        ...


@dataclass(frozen=True)
class Files:
    """The files that a fit leaves.

    Attributes:
        problem: the problem.
        stems: names of an image's files without endings, by the name of the image.
        models: folder of FITS files with model, arcs, residual and source; None for none.
        coolest: folder of COOLEST files; None for none.
        draws: what writes draws from the posterior; None for none.
    """

    problem: Composition = field(repr=False)  # its repr has addresses of functions, and so no use in a task's name
    stems: dict[str, str]
    models: Path | None
    coolest: Path | None
    draws: Draws | None = None

    def sample(self, filename: str, solution: Solution, mode: Mode | None, say: Callable[[str], None] = lambda words: None) -> Solution:
        """Writes draws from the posterior of a fit, where they are wanted; its solution, whose status has their diagnostics.

        Args:
            filename: of the image.
            solution: of the fit.
            mode: what draws are taken about; None where nothing could be fitted.
            say: called with words about what is done.

        Raises:
            BadInput: they cannot be written.
        """
        if self.draws is None or mode is None:
            return solution
        try:
            words = self.draws.write(self.stems[filename], mode, say)
        except BadInput:
            raise
        except Exception as error:  # the failure of draws must not cost the fit
            _log.debug("a posterior failed", exc_info=True)
            words = f"posterior failed: {' '.join(str(error).split()) or type(error).__name__}"
        return replace(solution, status=tuple(f"{status}; {words}" for status in solution.status))

    def write(self, filename: str, image: SkyImage, solution: Solution) -> None:
        """Writes the files of one fit.

        Raises:
            BadInput: one cannot be written, or COOLEST has no such component.
        """
        stem = self.stems[filename]
        if self.models is not None:
            path = self.models / f"{stem}.fits"
            model_images.write(path, self.problem, solution.params[0], image, words=solution.status[0])
        if self.coolest is not None:
            coolest.write(self.coolest, stem, self.problem, solution, image)


def stems(filenames: Sequence[str]) -> dict[str, str]:
    """For each image a name for files about it, such as lens_SCI for lens.fits[SCI]; no two are the same."""
    short = [_plain(Path(name).name) for name in filenames]
    chosen = short if len(set(short)) == len(short) else [_plain(name) for name in filenames]
    made: dict[str, str] = {}
    for name, stem in zip(filenames, chosen, strict=True):
        number = 2
        own = stem
        while own in made.values():
            own, number = f"{stem}_{number}", number + 1
        made[name] = own
    return made


def _plain(name: str) -> str:
    bare = re.sub(r"\.(fits|fit|fts|fz|gz|npy|npz|png|tiff?)(?=$|\[|\.)", "", name, flags=re.IGNORECASE)
    return re.sub(r"[^\w.+-]+", "_", bare).strip("._") or "image"


def read(path: Path, taken: Taken, problem: Composition) -> SkyImage | BadInput:
    """A telescope's image, or the error of reading it, or why it cannot show a lens of the problem."""
    try:
        image = telescope.read(path, taken)
        with at(path=path):
            telescope_field.check(problem, image)
        return image
    except BadInput as error:
        return error


def each(
    problem: Composition,
    images: Iterator[SkyImage | BadInput],
    filenames: Sequence[str],
    leaves: Files | None,
    report: Report | None = None,
    options: Options | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Iterator[tuple[int, Estimate]]:
    """Each image's fit, when its files are written and its figures are drawn. The failure of one image is its own row.

    Args:
        problem: what is fitted.
        images: the images, or why one cannot be read.
        filenames: their names.
        leaves: the files that a fit leaves.
        report: what draws it.
        options: of the pipeline; None fits everything at once, from the bright pixels.
        say: called with words about what is done with an image.

    Raises:
        BadInput: a file about a fit cannot be written.
    """
    for k, image in enumerate(images):
        estimate, shown, own = _estimate(problem, image, filenames[k], leaves, options, say)
        if report is not None:
            report.draw(filenames[k], own, shown, estimate)
        yield k, estimate


def draw_missing(
    problem: Composition,
    paths: Sequence[Path],
    filenames: Sequence[str],
    taken: Taken,
    report: Report,
    estimates: Sequence[Estimate],
    options: Options | None = None,
) -> None:
    """Draws those of the first images whose estimates are known but not drawn. Fits of the pipeline are done again for that.

    Raises:
        BadInput: a file cannot be written.
    """
    missing = [k for k, estimate in enumerate(estimates) if not report.drawn(filenames[k], estimate)]
    if not missing:
        return
    with Progress(len(missing), "earlier fit", doing="drawn") as progress:
        for k in missing:
            image, drawn = read(paths[k], taken, problem), problem
            if options is not None:
                _, image, drawn = _estimate(problem, image, filenames[k], None, options, progress.note)
            report.draw(filenames[k], drawn, image, estimates[k])
            progress.update()


def _estimate(
    problem: Composition,
    image: SkyImage | BadInput,
    filename: str,
    leaves: Files | None,
    options: Options | None,
    say: Callable[[str], None],
) -> tuple[Estimate, SkyImage | BadInput, Composition]:
    """An image's estimate, the image as it was fitted, and what was fitted to it."""
    if isinstance(image, BadInput):
        return Estimate(None, None, str(image)), image, problem
    try:
        if options is None:
            found = fitted(problem, image)
            solution, mode = found.solution, None if found.best is None else Mode(problem, image, found.best)
        else:
            whole = fit_galaxy(image, options, say)
            problem, leaves = whole.problem, None if leaves is None else replace(leaves, problem=whole.problem)
            drawn = leaves is not None and leaves.draws is not None
            mode = _mode(whole, image) if drawn else None
            solution, image = telescope_field.judged(whole.solution, image), whole.image
        solution = solution if leaves is None else leaves.sample(filename, solution, mode, say)
    except BadInput:
        raise
    except Exception as error:  # the failure of one image must not cost the others their solutions
        _log.debug("an image failed", exc_info=True)
        solution = Solution.failed(problem.names, " ".join(str(error).split()) or type(error).__name__, coordinates=problem.size)
    if leaves is not None and np.isfinite(solution.params).all():
        leaves.write(filename, image, solution)
    return Estimate(None, solution, None, sky_angles(problem, solution, image)), image, problem


def _mode(fit: GalaxyFit, image: SkyImage) -> Mode | None:
    """What draws of a pipeline's fit are taken about."""
    if fit.best is None:
        return None
    seen, best = fit.near()
    return Mode(fit.problem, replace(image, observed=seen), best, fit.window.offset, fit.belief, fit.beyond)


def fitted(problem: Composition, image: SkyImage) -> Fitted:
    """The fit of an image, from its bright pixels; fluxes are in the file's unit, and the status has the image's remarks."""
    found = estimation.estimate(problem, image.observed)
    solution = telescope_field.judged(estimation.in_unit(problem, found.solution, image.scale), image)
    return replace(found, solution=replace(solution, status=tuple("; ".join((words, *image.remarks)) for words in solution.status)))


def angle_names(answers: Sequence[Problem | Composition]) -> tuple[str, ...]:
    """Names of the parameters, of any of the problems, that are directions of a line."""
    parameters = [parameter for problem in answers for parameter in problem.parameters]
    return tuple(dict.fromkeys(own.name for own in parameters if own.unit == "deg" and own.period == 180.0))


def sky_angles(problem: Composition, solution: Solution, image: SkyImage) -> dict[str, float]:
    """Position angles [deg, from north through east] of a solution's directions, by name; NaN without a WCS, or a fit."""
    return angles_of(problem, solution.params[0], image.wcs)


def angles_of(problem: Problem | Composition, params: np.ndarray, wcs: Wcs | None) -> dict[str, float]:
    """Position angles [deg, from north through east] of the directions among parameters (P,), by name; NaN without a WCS, or a value."""
    values = dict(zip(problem.names, params.tolist(), strict=True))
    names = angle_names([problem])
    return {name: np.nan if wcs is None or np.isnan(values[name]) else position_angle(values[name], wcs) for name in names}
