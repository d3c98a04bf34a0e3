"""Parameters of a problem from a table of images: CosmoSim's columns, those of 2023, or the problem's own names."""

from collections.abc import Sequence

import numpy as np

from lensjax import problems
from lensjax.errors import BadInput
from lensjax.formats.cosmosim import parameters, rows
from lensjax.formats.cosmosim.table import Row, Table
from lensjax.formats.scene import Scene
from lensjax.problems.base import Problem
from lensjax.problems.cosmosim2026 import CANVAS, SIZE

_CAMERA = {"imagesize": CANVAS, "cropsize": SIZE, "centred": True}
_LENS_PLACE = ("lensX", "lensY")


def params_of(problem: Problem, table: Table, *, amplitudes: Table | None = None) -> np.ndarray:
    """Parameters (N, P) of a table's images, in file units.

    Problems of 2023 take the columns of `formats.cosmosim.parameters`; composed problems their own names, or CosmoSim's columns. Images
    of CosmoSim's are centred on their light: where the lens came to lie is in columns lensX and lensY. The systems alone do not say it,
    since programs differ in whether the light that they centre is cut at grey level 255.

    Args:
        problem: whose parameters they are.
        table: the table.
        amplitudes: CosmoSim's second table of the same images, which has lensX and lensY; not needed where the first has them.

    Raises:
        BadInput: a column is missing, a cell is no number or out of range, a system is of another kind, or an image has no row in
            `amplitudes`.
    """
    if problem.name in problems.names():
        return parameters.params(table, problem=problem.name, names=problem.names)
    if all(name in table.columns for name in problem.names):
        return np.array([[Row(table, i).number(name) for name in problem.names] for i in range(len(table))])
    if problem.name not in problems.cosmosim_names():
        raise table.missing(next(name for name in problem.names if name not in table.columns))
    _check_columns(table, problem)
    scenes = rows.scenes(table, settings=_CAMERA).scenes
    values = np.array([_params(problem, Row(table, i), scene) for i, scene in enumerate(scenes)])
    moved = np.array([scene.centred for scene in scenes])
    if moved.any():
        places = _lens_places(table, amplitudes) * moved[:, None]
        for pair in problem.places:
            values[:, list(pair)] += places
    return values


def _check_columns(table: Table, problem: Problem) -> None:
    """Refuses a table without a column that the problem needs, and empty cells there: `rows.scenes` would take defaults."""
    has = table.columns
    alone = "theta_E" in problem.names
    radius = "einsteinR" if "einsteinR" in has and "einsteinradius" not in has else "einsteinradius"
    ratio = "ratio" if "ratio" in has and "ellipseratio" not in has else "ellipseratio"
    place = ("R", "phi") if "R" in has and "phi" in has and "y" not in has else ("x", "y")
    needed = ((radius, ratio, "orientation") if alone else ("cluster",)) + ("sigma", "n_sersic", "luminosity", *place)
    for column in needed:
        if column not in has:
            raise table.missing(column)
        for i, text in enumerate(has[column]):
            if not text.strip():
                raise Row(table, i).error(column, "a string of lenses" if column == "cluster" else "a number")


def _params(problem: Problem, row: Row, scene: Scene) -> list[float]:
    """Parameters of one image that is not moved: the lens, or the cluster, about the origin."""
    prefixes = [name.removesuffix("theta_E") for name in problem.names if name.endswith("theta_E")]
    kind = "SIE" if f"{prefixes[0]}q" in problem.names else "SIS"
    alone = len(prefixes) == 1
    found = [mass.kind for mass in scene.masses]
    if found != [kind] * len(prefixes) or (scene.lens == "Cluster") == alone:
        expected = f"for problem {problem.name} a lens {kind}" if alone else f"for problem {problem.name} {len(prefixes)} lenses {kind}"
        raise row.error("lens" if alone and "lens" in row.table.columns else "cluster", expected)
    if scene.source != "SersicSphere":
        raise row.error("source", f"for problem {problem.name} a source SersicSphere")
    if (scene.imagesize, scene.cropsize) != (CANVAS, SIZE):
        column = "imagesize" if scene.imagesize != CANVAS else "cropsize"
        raise row.error(column, f"for problem {problem.name} images of {CANVAS} px, cropped to {SIZE} px")
    values = {"source_x": scene.x, "source_y": scene.y, "source_R": scene.lights[0].sigma}
    values |= {"source_n": scene.lights[0].n_sersic, "source_flux": 1e3 * scene.lights[0].luminosity}
    for prefix, mass in zip(prefixes, scene.masses, strict=True):
        values |= {f"{prefix}x": mass.x, f"{prefix}y": mass.y, f"{prefix}theta_E": mass.einsteinradius}
        # CosmoSim's orientation is at right angles to the mass's long axis.
        values |= {f"{prefix}q": mass.ellipseratio, f"{prefix}phi": (mass.orientation + 90.0) % 180.0}
    return [values[name] for name in problem.names]


def _lens_places(table: Table, amplitudes: Table | None) -> np.ndarray:
    """Where each image's lens came to lie, (N, 2)."""
    if all(column in table.columns for column in _LENS_PLACE):
        return _numbers(table, range(len(table)))
    if amplitudes is None:
        hint = "roulette.csv beside this table has them: CosmoSim's --outfile, lensjax simulate --roulette-csv"
        raise BadInput("there is no such column", path=table.path, line=1, column=_LENS_PLACE[0], hint=hint)
    for column in _LENS_PLACE:
        if column not in amplitudes.columns:
            raise amplitudes.missing(column)
    at = {name: i for i, name in enumerate(amplitudes.filenames)}
    for i, name in enumerate(table.filenames):
        if name not in at:
            raise Row(table, i).error("filename", f"a name that has a row in {amplitudes.path} too")
    return _numbers(amplitudes, [at[name] for name in table.filenames])


def _numbers(table: Table, indices: Sequence[int]) -> np.ndarray:
    return np.array([[Row(table, i).place(column) for column in _LENS_PLACE] for i in indices])
