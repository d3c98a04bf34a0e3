"""The inputs of a reconstruction: an image file, and the row of a table that describes its lens.

Tables are results.csv of `lensjax estimate`, tables of a problem, and tables in CosmoSim's columns with lenses of any kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from lensjax import problems, simulate
from lensjax.dataset import amplitudes, systems
from lensjax.errors import BadInput
from lensjax.files import images
from lensjax.formats.cosmosim import parameters, rows, table
from lensjax.formats.scene import Light, Scene
from lensjax.observation.instrument import Instrument
from lensjax.problems import Problem
from lensjax.reconstruct.sample import field_of_light, half_width
from lensjax.simulate import System, Trace

_WIDEST = 800  # px, of the source of a problem
_SIZE = 20.0  # px, of the stand-in for a source that is a picture


@dataclass(frozen=True)
class Inputs:
    """The inputs of a reconstruction; float64.

    Attributes:
        channels: grey levels (n, n), row 0 at the top: one image, or red, green and blue.
        system: the lens, and the place of the source.
        centre: (2,) the point at the image's centre, relative to the lens [px].
        instrument: how the image was taken.
        trace: how the lens equation is solved, and the window.
        field: side of the part of the source plane that holds the light [px].
    """

    channels: tuple[np.ndarray, ...]
    system: System
    centre: np.ndarray
    instrument: Instrument
    trace: Trace
    field: int


def from_table(image: Path, params: Path, *, problem: str | None = None, field: int | None = None, picture: Path | None = None) -> Inputs:
    """The inputs of one image. To be called with 64-bit types enabled.

    Args:
        image: the image; its row is the one that has this path, or its name, as filename.
        params: the table.
        problem: name of the problem that the table is of; None reads tables in CosmoSim's columns as such, others as "sis2023".
        field: side of the part of the source plane to show [px]; None takes the part that holds the light.
        picture: the source of a row whose source is an Image.

    Raises:
        BadInput: a file that cannot be read, no such row, or a row or an image that cannot be used.
    """
    dataset_table = table.read(params, inside=False)
    name = str(image)
    row = dataset_table.row(name if name in dataset_table.filenames else image.name)
    if problem is None and any(column in row.columns for column in parameters.NOT_OF_2023):
        return _of_scene(image, row, field, picture)
    return _of_problem(image, row, problems.thesis(problem or "sis2023"), field)


def _of_problem(image: Path, row: table.Table, problem: Problem, field: int | None) -> Inputs:
    """The inputs of a row of a problem's table."""
    channels = _channels(image, problem.field)
    if "chi" in problem.names and "chi" not in row.columns:
        raise BadInput("there is no such column", path=row.path, line=1, column="chi", hint=f"problem {problem.name} needs it")
    params = parameters.params(row, problem=problem.name, names=problem.names)[0]
    method = _method(row, problem)
    trace = Trace.named(method, terms=parameters.terms(row, default=problem.trace.terms)[0])
    system = problem.system(jnp.asarray(params, jnp.float64))
    centre = _place(row, ("shift_x", "shift_y"))
    if centre is None:
        centre = np.asarray(problem.centre(system, method=method))
    sigma, sigma2 = (float(params[problem.names.index(name)]) for name in ("sigma", "sigma2"))
    return Inputs(channels, system, centre, problem.instrument, trace, field or min(2 * half_width(sigma, sigma2), _WIDEST))


def _of_scene(image: Path, row: table.Table, field: int | None, picture: Path | None) -> Inputs:
    """The inputs of a row in CosmoSim's columns."""
    settings = {}
    if not (_text(row, "imagesize") or _text(row, "cropsize")):
        settings["imagesize"] = images.read_colour(image).shape[1]
    scene = rows.scenes(row, settings=settings).scenes[0]
    centre = _place(row, ("centreX", "centreY"))
    scene, pictures = _with_picture(scene, picture, needed=scene.centred and centre is None)
    instrument, trace = systems.instrument_of(scene), systems.trace_of(scene)
    channels = _channels(image, instrument.shape[0])
    if scene.reflines:
        channels = tuple(without_reference_lines(channel) for channel in channels)
    system = systems.system_of(scene, pictures)
    if centre is None:
        centre = np.asarray(jax.jit(simulate.image_centre, static_argnames="trace")(system, instrument, trace=trace))
    field = field or field_of_light(np.max(channels, axis=0), system, centre=centre, instrument=instrument, trace=trace)
    return Inputs(channels, system, centre, instrument, trace, field)


def _with_picture(scene: Scene, picture: Path | None, *, needed: bool) -> tuple[Scene, list[jax.Array]]:
    """The scene with the files of its pictures, and these. Without a file, and where none is needed, a Gaussian takes its place."""
    if not any(light.kind == "Image" for light in scene.lights):
        return scene, []
    if picture is not None:
        scene = replace(scene, lights=tuple(amplitudes.pictured(light, str(picture)) for light in scene.lights))
        return scene, [jnp.asarray(images.read_colour(light.picture) / 255.0) for light in scene.lights if light.kind == "Image"]
    if needed:
        raise scene.error("the centre of the image depends on its source, a picture", hint="give its file with --picture FILE")
    return replace(scene, lights=(Light("Spherical", scene.x, scene.y, _SIZE, _SIZE),)), []


def _channels(path: Path, size: int) -> tuple[np.ndarray, ...]:
    """The grey levels of an image (size, size): one array, or one for each colour."""
    loaded = images.read(path, size=size)
    if loaded.bits == 8 and loaded.coloured:
        levels = images.levels_of(loaded)
        return tuple(levels[..., k] for k in range(3))
    return (images.grey_of(loaded).values,)


def without_reference_lines(image: np.ndarray) -> np.ndarray:
    """An image (n, n) without its reference lines: each covered pixel becomes the mean of its neighbours on both sides."""
    centre = image.shape[0] // 2
    filled = np.array(image)
    filled[centre] = 0.5 * (filled[centre - 1] + filled[centre + 1])
    filled[:, centre] = 0.5 * (filled[:, centre - 1] + filled[:, centre + 1])
    return filled


def _method(row: table.Table, problem: Problem) -> str:
    """How the image of a one-row table was made: results.csv says method, dataset.csv says model."""
    word = _text(row, "method")
    if word and word not in simulate.METHODS:
        expected = ", ".join(simulate.METHODS)
        raise BadInput(path=row.path, line=row.lines[0], column="method", value=word, expected=f"one of {expected}")
    return word or parameters.methods(row, default=problem.trace.name)[0]


def _place(row: table.Table, columns: Sequence[str]) -> np.ndarray | None:
    """The place (2,) in two columns of a one-row table; None where both are empty."""
    if not any(_text(row, name) for name in columns):
        return None
    return np.array([parameters.value(row, name) for name in columns])


def _text(row: table.Table, column: str) -> str:
    """A cell of a one-row table; empty where there is no such column."""
    return row.columns.get(column, ("",))[0].strip()
