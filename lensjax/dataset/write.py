"""A folder of images rendered from scenes.

An interrupted run resumes: a journal in the folder lists the images of the task that are written.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from lensjax._internal.progress import Progress
from lensjax.dataset import amplitudes as amplitude_tables
from lensjax.dataset import render
from lensjax.dataset.draw import Plan
from lensjax.dataset.journal import Journal, fingerprint
from lensjax.dataset.render import Rendered
from lensjax.errors import BadInput
from lensjax.files import images
from lensjax.files import whole as files
from lensjax.formats.scene import Scene
from lensjax.observation.centre import reference_lines

JOURNAL = ".lensjax-journal"
TABLE = "dataset.csv"
WAITING = 64
"""Images that may wait to be compressed and written while the next are rendered."""

_WRITERS = 2  # threads

Finish = Callable[[int, np.ndarray, np.ndarray], np.ndarray]
"""(index of the scene, image, centre) → image, before it is written."""

Images = Callable[[Collection[int]], Iterator[Rendered]]
"""Indices of the scenes to render → their images."""


def write(
    scenes: Sequence[Scene],
    out: Path,
    *,
    lookup: str = "exact",
    quantise: bool = True,
    images_of: Images | None = None,
    finish: Finish | None = None,
    variant: str = "",
    on_image: Callable[[int], None] = lambda count: None,
    afterwards: Callable[[np.ndarray], None] = lambda centres: None,
    waiting: int = WAITING,
) -> np.ndarray:
    """Renders scenes and writes their images.

    Args:
        scenes: N scenes; `filename` is the path of each image within `out`.
        out: the folder.
        lookup: "exact" or "cosmosim", see `render`.
        quantise: whether images are 8-bit PNG; otherwise 32-bit float TIFF.
        images_of: renders the images; by default `render.render`.
        finish: changes each image before it is written.
        variant: a name for what `images_of` and `finish` do: a run resumes only where the interrupted one had the same.
        on_image: called with the number of images written so far, whenever it grows.
        afterwards: called with the centres when all images are written; writes the tables. A run interrupted there resumes too.
        waiting: images that may wait to be written.

    Returns:
        (N, 2) the point at each image's centre, relative to the lens [px].

    Raises:
        BadInput: an image cannot be written, or has pixels that are not finite.
    """
    _check_places(scenes, out)
    files.make_folder(out)
    with Journal(out / JOURNAL, fingerprint([lookup, quantise, variant, *scenes])) as journal:
        centres = _restored(journal, scenes, out)
        remaining = {i for i in range(len(scenes)) if np.isnan(centres[i, 0])}
        count = len(scenes) - len(remaining)
        if count:
            on_image(count)
        with ThreadPoolExecutor(_WRITERS) as pool:
            jobs: list[tuple[int, Future[None]]] = []

            def settle(most: int) -> None:
                nonlocal count
                while len(jobs) > most:
                    i, job = jobs.pop(0)
                    job.result()
                    journal.add([scenes[i].filename, float(centres[i, 0]), float(centres[i, 1])])
                    count += 1
                    on_image(count)

            try:
                rendering = render.render(scenes, lookup=lookup, only=remaining) if images_of is None else images_of(remaining)
                for rendered in rendering:
                    i = rendered.index
                    scene, centres[i] = scenes[i], rendered.centre
                    if not np.isfinite(rendered.image).all():
                        raise scene.error("its image has pixels that are not finite")
                    jobs.append((i, pool.submit(_save, out / scene.filename, rendered, scene, quantise, finish)))
                    settle(waiting)
                settle(0)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        afterwards(centres)
        journal.finished = True
    return centres


def _restored(journal: Journal, scenes: Sequence[Scene], out: Path) -> np.ndarray:
    """The centres (N, 2) of the images that an interrupted run has written; NaN for the others."""
    centres = np.full((len(scenes), 2), np.nan)
    indices = {scene.filename: i for i, scene in enumerate(scenes)}
    for _, entry in journal:
        match entry:
            case [str(name), int() | float() as x, int() | float() as y] if name in indices and (out / name).is_file():
                centres[indices[name]] = x, y
    return centres


def check(plan: Plan, out: Path, others: Sequence[Path] = ()) -> None:
    """Refuses, before anything is written, a dataset with a file that cannot be written.

    Args:
        plan: the images and tables to write.
        out: the folder.
        others: further files that belong to the dataset: amplitudes, a contact sheet.

    Raises:
        BadInput: a file cannot be written at its place.
    """
    _check_places(plan.scenes, out)
    files.check_file(out / TABLE)
    for path in others:
        files.check_file(path)
        if path.resolve() == (out / TABLE).resolve():
            raise BadInput("the table of the images is written there", path=path, expected="another name")


def dataset(
    plan: Plan,
    out: Path,
    *,
    lookup: str = "exact",
    quantise: bool = True,
    finish: Finish | None = None,
    variant: str = "",
    amplitudes: Path | None = None,
    ml: bool = False,
    afterwards: Callable[[], None] = lambda: None,
) -> None:
    """Writes a dataset: its images, its table of amplitudes if `amplitudes` is a path, and its own table. An interrupted run resumes.

    Args:
        plan: the images and tables to write.
        out: the folder.
        lookup, quantise, finish, variant: as in `write`.
        amplitudes: path of the table of amplitudes; None writes none.
        ml: see `amplitudes.write`.
        afterwards: writes further files of the dataset.

    Raises:
        BadInput: something cannot be written, or an image has pixels that are not finite.
    """
    images_of = partial(amplitude_tables.resimulated, plan.records, plan.scenes) if plan.records else None
    variant = f"{variant} {amplitude_tables.identity(plan.records)}" if plan.records else variant
    with Progress(len(plan.scenes), "image") as progress:

        def write_tables(centres: np.ndarray) -> None:
            if amplitudes is not None:
                with Progress(len(plan.scenes), "amplitude row") as bar:
                    journal = out / amplitude_tables.JOURNAL
                    amplitude_tables.write(plan.scenes, centres, amplitudes, ml=ml, journal=journal, on_row=bar.reach)
            if plan.write_table is not None:
                plan.write_table(out / TABLE, plan.scenes)
            afterwards()

        write(
            plan.scenes,
            out,
            lookup=lookup,
            quantise=quantise,
            images_of=images_of,
            finish=finish,
            variant=variant,
            on_image=progress.reach,
            afterwards=write_tables,
        )


def _check_places(scenes: Sequence[Scene], out: Path) -> None:
    """Refuses, before hours of work, images that cannot be written at their paths."""
    for folder in dict.fromkeys(os.path.dirname(scene.filename) for scene in scenes):
        files.check_folder(out / folder)
    if out.is_dir():
        for scene in scenes:
            if os.path.isdir(os.path.join(out, scene.filename)):
                files.check_file(out / scene.filename)


def _save(path: Path, rendered: Rendered, scene: Scene, quantise: bool, finish: Finish | None) -> None:
    image = reference_lines(rendered.image) if scene.reflines else rendered.image
    if finish is not None:
        image = finish(rendered.index, image, rendered.centre)
    if quantise:
        images.write_png(path, image)
    elif image.ndim == 3:
        raise scene.error("a coloured image is written as PNG only (--quantise)")
    else:
        images.write_tiff(path, image)
