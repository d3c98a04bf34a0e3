"""Tables of the roulette amplitudes of scenes, and images rendered from such tables."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np

from lensjax import roulette, simulate
from lensjax.conventions import GREY_LEVELS
from lensjax.dataset import render, systems
from lensjax.dataset.journal import Journal, fingerprint
from lensjax.dataset.render import Rendered
from lensjax.errors import BadInput
from lensjax.files import whole as files
from lensjax.formats.cosmosim import amplitudes as tables
from lensjax.formats.cosmosim.amplitudes import Amplitudes
from lensjax.formats.scene import Light, Scene
from lensjax.lens import Lens
from lensjax.observation.instrument import Instrument
from lensjax.simulate import System, Trace

JOURNAL = ".lensjax-amplitudes"

_PICTURE_SIGMA = 20.0  # px


def write(
    scenes: Sequence[Scene],
    centres: np.ndarray,
    path: Path,
    *,
    ml: bool = False,
    journal: Path | None = None,
    on_row: Callable[[int], None] = lambda count: None,
) -> None:
    """Writes CosmoSim's table of amplitudes; in the order of the scenes. A run that was interrupted resumes.

    Args:
        scenes: N scenes; the table reaches to the highest of their `nterms`.
        centres: (N, 2) the point at each image's centre, as `write.write` returns.
        path: where; the file is there whole or not at all.
        ml: without the columns that CosmoSim's `--mldata` leaves out.
        journal: the file that keeps rows until all are there; by default beside `path`.
        on_row: called with the number of rows that are computed.

    Raises:
        BadInput: it cannot be written there.
    """
    files.check_file(path)
    journal = path.with_name(f"{JOURNAL}-{path.name}") if journal is None else journal
    files.make_folder(journal.parent)
    terms = max(scene.nterms for scene in scenes)
    with Journal(journal, fingerprint([centres.tolist(), *scenes])) as rows:
        positions = {}
        for position, entry in rows:
            match entry:
                case [int(index), [_, _], [_, _], list(), list()] if 0 <= index < len(scenes):
                    positions[index] = position
        if positions:
            on_row(len(positions))
        for row in render.expansions(scenes, centres, only=set(range(len(scenes))) - set(positions)):
            entry = [row.index, *(np.asarray(part, np.float64).tolist() for part in (row.xi, row.offset, row.alpha, row.beta))]
            positions[row.index] = rows.add(entry)
            on_row(len(positions))
        with tables.Writer(path, terms, ml=ml) as table:
            for i, scene in enumerate(scenes):
                table.append(_record(scene, centres[i], rows.at(positions[i])))
        rows.finished = True


def _record(scene: Scene, centre: np.ndarray, entry: object) -> Amplitudes:
    """A row of the table from an entry of the journal."""
    assert isinstance(entry, list)
    _, xi, offset, alpha, beta = entry
    return tables.of_scene(
        scene, np.array(alpha), np.array(beta), xi=tuple(xi), centre=(float(centre[0]), float(centre[1])), offset=tuple(offset)
    )


def scenes_of(records: Sequence[Amplitudes], *, size: int, mask: bool, terms: int | None = None, picture: str = "") -> tuple[Scene, ...]:
    """Scenes whose lens is known by its amplitudes alone, with the same point at the image's centre.

    Args:
        records: rows of a table of amplitudes.
        size: pixels on a side.
        mask: whether images are dark outside the circle about the reference point through the lens's centre.
        terms: order up to which amplitudes are used; all of them by default.
        picture: the file of sources that are pictures.

    Raises:
        BadInput: an unknown source.
    """
    scenes = []
    for i, record in enumerate(records):
        lights = tuple(pictured(light, picture) for light in record.lights())
        nterms = record.nterms if terms is None else min(terms, record.nterms)
        source = "Constellation" if len(lights) > 1 else lights[0].kind
        scene = Scene(
            record.filename, str(i + 1), "SIS", (), source, lights, 0.0, 0.0, model="Roulette", nterms=nterms, imagesize=size, mask=mask
        )
        scenes.append(scene)
    return tuple(scenes)


def resimulated(records: Sequence[Amplitudes], scenes: Sequence[Scene], only: Collection[int] | None = None) -> Iterator[Rendered]:
    """Images rendered from amplitudes.

    Args:
        records: rows of a table of amplitudes.
        scenes: theirs, see `scenes_of`.
        only: indices of the rows to render; all by default.

    Raises:
        BadInput: an image with pixels that are not finite.
    """
    for i, (record, scene) in enumerate(zip(records, scenes, strict=True)):
        if only is not None and i not in only:
            continue
        used = scene.nterms + 1
        xi = (record.xi[0] - record.lens[0], record.xi[1] - record.lens[1])
        alpha, beta = (table[:used, : used + 1] for table in (record.alpha, record.beta))
        # A series takes the place of the lens: roulette images use no more of one.
        lens = cast(Lens, roulette.from_amplitudes(alpha, beta, xi=xi, offset=record.offset, scale=scale(alpha, beta, xi)))
        zero = jnp.zeros(())
        system = System(lens, systems.source_of(scene), zero, zero)
        centre = -np.array(record.lens)
        image = np.asarray(_image(system, jnp.asarray(centre), systems.instrument_of(scene), systems.trace_of(scene)))
        if not np.isfinite(image).all():
            raise BadInput("its image has pixels that are not finite", path=record.filename, hint="--nterms takes fewer amplitudes")
        yield Rendered(i, image, centre)


def identity(records: Sequence[Amplitudes]) -> str:
    """A fingerprint of the records, on which images depend besides their scenes."""
    return fingerprint((record.lens, record.xi, record.offset, record.alpha.tolist(), record.beta.tolist()) for record in records)


def pictured(light: Light, picture: str) -> Light:
    """A source that is a picture gets its file, and the size of other sources where it has none; other sources stay."""
    if light.kind != "Image":
        return light
    return replace(light, picture=light.picture or picture, sigma=light.sigma or _PICTURE_SIGMA)


def scale(alpha: np.ndarray, beta: np.ndarray, xi: tuple[float, float]) -> float:
    """The largest length [px], up to |ξ|, at which no term of a series is larger than |ξ|."""
    size = max(float(np.hypot(*xi)), 1.0)
    length = size
    for m in range(1, len(alpha)):
        largest = float(np.hypot(alpha[m], beta[m]).max())
        if largest > 0:
            length = min(length, math.exp((math.log(size) + math.lgamma(m + 1) - math.log(largest)) / m))
    return length


@partial(jax.jit, static_argnames="trace")
def _image(system: System, centre: jax.Array, instrument: Instrument, trace: Trace) -> jax.Array:
    return GREY_LEVELS * simulate.image_about(system, instrument, centre, trace=trace)
