"""A folder of images made from scenes: the images, their table, and where asked their amplitudes.

A run that was interrupted goes on where it was: a journal in the folder says which images of which task are there.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import jax
import numpy as np

from lensjax import __version__, roulette, simulate
from lensjax.dataset import render, systems
from lensjax.errors import BadInput
from lensjax.files import images
from lensjax.files import whole as files
from lensjax.formats.cosmosim import amplitudes as roulette_csv
from lensjax.formats.cosmosim.amplitudes import Amplitudes
from lensjax.formats.scene import Light, Scene
from lensjax.image.centre import reference_lines
from lensjax.simulate import Camera, System

JOURNAL = ".lensjax-journal"
_WRITERS = 2  # threads that compress images while the next are rendered
_WAITING = 64  # images that may wait for them
_PICTURE_SIGMA = 20.0  # px


def write(
    scenes: Sequence[Scene],
    out: Path,
    *,
    lookup: str = "exact",
    quantise: bool = True,
    finish: Callable[[int, np.ndarray, np.ndarray], np.ndarray] | None = None,
    finishing: str = "",
    on_image: Callable[[int], None] = lambda count: None,
) -> np.ndarray:
    """Renders scenes and writes their images.

    Args:
        scenes: N scenes; `filename` says where each goes in `out`.
        out: the folder.
        lookup: "exact" or "cosmosim", see `systems.LOOKUPS`.
        quantise: whether images are 8-bit PNG; otherwise 32-bit float TIFF.
        finish: (scene's number, image, centre) → image, before it is written.
        finishing: what `finish` does: a run goes on only where an interrupted one did the same.
        on_image: called with the number of images that are there, whenever there are more.

    Returns:
        (N, 2) where the middle of each image lies, seen from the lens [px].

    Raises:
        BadInput: an image cannot be written, or has pixels that are not finite.
    """
    for scene in scenes:
        files.check_file(out / scene.filename)
    files.make_folder(out)
    centres = np.zeros((len(scenes), 2))
    with _Journal(out / JOURNAL, _task(scenes, lookup, quantise, finishing)) as journal:
        left = []
        for i, scene in enumerate(scenes):
            known = journal.done.get(scene.filename)
            if known is None or not (out / scene.filename).is_file():
                left.append(i)
            else:
                centres[i] = known
        count = len(scenes) - len(left)
        if count:
            on_image(count)
        with ThreadPoolExecutor(_WRITERS) as pool:
            waiting: list[tuple[int, Future[None]]] = []

            def settle(keep: int) -> None:
                nonlocal count
                while len(waiting) > keep:
                    i, job = waiting.pop(0)
                    job.result()
                    journal.add(scenes[i].filename, centres[i])
                    count += 1
                    on_image(count)

            try:
                for one in render.render(scenes, lookup=lookup, only=set(left)):
                    i = one.index
                    scene, centres[i] = scenes[i], one.centre
                    if not np.isfinite(one.image).all():
                        raise scene.error("its image has pixels that are not finite")
                    waiting.append((i, pool.submit(_save, out / scene.filename, one.image, scene, one.centre, quantise, finish, i)))
                    settle(_WAITING)
                settle(0)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        journal.finished = True
    return centres


def _save(path: Path, image: np.ndarray, scene: Scene, centre: np.ndarray, quantise: bool, finish: Callable | None, i: int) -> None:
    if scene.reflines:
        image = reference_lines(image)
    if finish is not None:
        image = finish(i, image, centre)
    if quantise:
        images.write_png(path, image)
    elif image.ndim == 3:
        raise scene.error("a coloured image is written as PNG only (--quantise)")
    else:
        images.write_tiff(path, image)


def write_amplitudes(
    scenes: Sequence[Scene], centres: np.ndarray, path: Path, *, ml: bool = False, on_row: Callable[[int], None] = lambda count: None
) -> None:
    """Writes CosmoSim's table of amplitudes; in the order of the scenes.

    Args:
        scenes: N scenes; the table reaches to the highest of their `nterms`.
        centres: (N, 2) where the middle of each image lies, as `write` returns.
        path: where; the file is there whole or not at all.
        ml: without the columns that CosmoSim's `--mldata` leaves out.
        on_row: called with the number of rows that are there.

    Raises:
        BadInput: it cannot be written there.
    """
    terms = max(scene.nterms for scene in scenes)
    early: dict[int, Amplitudes] = {}
    expected = 0
    with roulette_csv.Writer(path, terms, ml=ml) as table:
        for one in render.expansions(scenes, centres):
            early[one.index] = roulette_csv.of_scene(
                scenes[one.index],
                one.alpha,
                one.beta,
                xi=(float(one.xi[0]), float(one.xi[1])),
                centre=(float(centres[one.index, 0]), float(centres[one.index, 1])),
                offset=(float(one.offset[0]), float(one.offset[1])),
            )
            while expected in early:
                table.append(early.pop(expected))
                expected += 1
                on_row(expected)


def resimulated(
    records: Sequence[Amplitudes], *, size: int, mask: bool, terms: int | None = None, picture: str = ""
) -> Iterator[tuple[int, np.ndarray]]:
    """(number, grey levels (size, size[, 3])) of images made from amplitudes alone, in the middle what was in the middle.

    Args:
        records: rows of a table of amplitudes.
        size: pixels on a side.
        mask: whether images are dark outside the circle about the reference point through the lens's centre.
        terms: order up to which amplitudes are used; all of them by default.
        picture: the file of sources that are pictures.

    Raises:
        BadInput: an unknown source, or an image that has pixels that are not finite.
    """
    for i, record in enumerate(records):
        lights = tuple(pictured(light, picture) for light in record.lights())
        source = "Constellation" if len(lights) > 1 else lights[0].kind
        scene = Scene(
            record.filename, str(i + 1), "SIS", (), source, lights, 0.0, 0.0,
            model="Roulette", nterms=record.nterms if terms is None else min(terms, record.nterms), imagesize=size, mask=mask,
        )  # fmt: skip
        used = scene.nterms + 1
        xi = (record.xi[0] - record.lens[0], record.xi[1] - record.lens[1])
        alpha, beta = (table[:used, : used + 1] for table in (record.alpha, record.beta))
        lens = roulette.from_amplitudes(alpha, beta, xi=xi, offset=record.offset, scale=_scale(alpha, beta, xi))
        zero = np.zeros(())
        system = System(lens, systems.source_of(scene), zero, zero)
        camera = replace(systems.camera_of(scene), centred=True)
        image = np.asarray(_draw(system, -np.array(record.lens), camera))
        if not np.isfinite(image).all():
            raise BadInput(f"{record.filename}: its image has pixels that are not finite; --nterms takes fewer amplitudes")
        yield i, image


def pictured(light: Light, picture: str) -> Light:
    """A source that is a picture with its file, and with the size of other sources where it has none."""
    if light.kind != "Image":
        return light
    return replace(light, picture=light.picture or picture, sigma=light.sigma or _PICTURE_SIGMA)


def _scale(alpha: np.ndarray, beta: np.ndarray, xi: tuple[float, float]) -> float:
    """The largest length [px], up to |ξ|, at which no term of a series is larger than |ξ|."""
    size = max(float(np.hypot(*xi)), 1.0)
    scale = size
    for m in range(1, len(alpha)):
        largest = float(np.hypot(alpha[m], beta[m]).max())
        if largest > 0:
            scale = min(scale, math.exp((math.log(size) + math.lgamma(m + 1) - math.log(largest)) / m))
    return scale


@partial(jax.jit, static_argnames="camera")
def _draw(system: System, middle: jax.Array, camera: Camera) -> jax.Array:
    return simulate.image_about(system, camera, middle)


def _task(scenes: Sequence[Scene], lookup: str, quantise: bool, finishing: str) -> str:
    """A fingerprint of what is to be done."""
    content = json.dumps([__version__, lookup, quantise, finishing, [asdict(scene) for scene in scenes]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


class _Journal:
    """The images that are there, one a line, after a first line that says of which task; gone when all is done.

    Attributes:
        done: where the middle lies, by file name.
        finished: set when nothing is left to do.
    """

    def __init__(self, path: Path, task: str):
        self.path, self.finished = path, False
        self.done: dict[str, tuple[float, float]] = {}
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
        self._continued = bool(lines) and lines[0] == task
        for line in lines[1:] if self._continued else []:
            try:
                name, x, y = json.loads(line)
                self.done[name] = (float(x), float(y))
            except (ValueError, TypeError):  # the line that was being written when the run was killed
                continue
        self._task = task

    def __enter__(self) -> "_Journal":
        try:
            self._file = self.path.open("a" if self._continued else "w")
            if not self._continued:
                self._file.write(self._task + "\n")
            else:
                self._file.write("\n")
        except OSError as error:
            raise BadInput(f"{self.path}: cannot be written: {error.strerror or error}") from None
        return self

    def add(self, name: str, centre: np.ndarray) -> None:
        try:
            self._file.write(json.dumps([name, float(centre[0]), float(centre[1])]) + "\n")
            self._file.flush()
        except OSError as error:
            raise BadInput(f"{self.path}: cannot be written: {error.strerror or error}") from None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._file.close()
            if self.finished:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            if kind is None:
                raise BadInput(f"{self.path}: cannot be written: {error.strerror or error}") from None
