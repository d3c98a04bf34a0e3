"""Every way into `lensjax simulate`, as scenes.

A table in CosmoSim's columns, a table in the columns of 2023, CosmoSim's dataset.toml, a small TOML file (problem, n, seed, method), a
problem's prior, or a table of amplitudes. Each file is read once; its content decides what it is.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, cast

import jax
import numpy as np
from jax import Array

from lensjax import problems
from lensjax._internal.numbers import whole, whole_expected
from lensjax._internal.words import did_you_mean, listed
from lensjax.dataset import amplitudes, composed_scenes
from lensjax.errors import BadInput, at
from lensjax.files import images
from lensjax.files.read import read_toml
from lensjax.formats.cosmosim import amplitudes as amplitude_tables
from lensjax.formats.cosmosim import draw as cosmosim_draw
from lensjax.formats.cosmosim import names, parameters, rows, table, toml
from lensjax.formats.cosmosim.amplitudes import Amplitudes
from lensjax.formats.cosmosim.overlaid import as_cells
from lensjax.formats.cosmosim.table import Table
from lensjax.formats.scene import Light, Mass, Origin, Scene
from lensjax.problems import Problem
from lensjax.problems.axisymmetric import AxisymmetricProblem
from lensjax.simulate import METHODS

_MANY = 10_000  # rows that take long to check
_KEYS = {"problem": str, "n": int, "seed": int, "method": str}  # of a small TOML file
_PLACES = ("x", "y", "R", "phi")
_OF_SOURCE = ("source", "lightprofile", "sigma", "sigma2", "theta", "luminosity", "n_sersic")
_OF_AMPLITUDES = ("imagesize", "cropsize", "mask", "nterms", *_OF_SOURCE)


@dataclass(frozen=True)
class Request:
    """What to simulate.

    Attributes:
        csv, toml, roulette: a table of systems, a TOML file, a table of amplitudes.
        problem, n, seed, method, size: name of a problem, number of images, seed, trace of the light, pixels on a side.
        settings: values from the command line, by the names of CosmoSim's columns.
        picture: the file of sources that are pictures.
        skip_bad: whether to skip rows that cannot be used.
        quantise: whether images will be 8-bit PNG; otherwise float TIFF.
        as_cosmosim: whether a problem's systems are rendered as by CosmoSim, and written in its columns.
    """

    csv: Path | None = None
    toml: Path | None = None
    roulette: Path | None = None
    problem: str | None = None
    n: int | None = None
    seed: int | None = None
    method: str | None = None
    size: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    picture: Path | None = None
    skip_bad: bool = False
    quantise: bool = True
    as_cosmosim: bool = False


@dataclass(frozen=True)
class Plan:
    """What a request means: the scenes, and how to write their table.

    Attributes:
        scenes: the images.
        warnings: what is not used, or read as something else.
        write_table: (path, scenes) → writes the table of the images; None without a table.
        records: the amplitudes that the images are rendered from, one a scene; empty where their lenses are known.
        of_problem: whether they are systems of a problem, with its instrument.
    """

    scenes: tuple[Scene, ...]
    warnings: tuple[str, ...] = ()
    write_table: Callable[[Path, Sequence[Scene]], None] | None = None
    records: tuple[Amplitudes, ...] = ()
    of_problem: bool = False


def draw(request: Request, *, on_many: Callable[[str], None] = lambda line: None) -> Plan:
    """The scenes of a request, with the file names that images will have.

    Args:
        request: what to draw.
        on_many: called with a line on progress where checking a table's rows takes long.

    Raises:
        BadInput: a file that cannot be read or used, or parts of the request that contradict each other.
    """
    if request.roulette is not None:
        plan = _of_amplitudes(request, request.roulette)
    else:
        loaded = None if request.toml is None else read_toml(request.toml)
        rows_of_csv = None if request.csv is None else table.read(request.csv)
        if rows_of_csv is not None and len(rows_of_csv) >= _MANY:
            on_many(f"{request.csv}: {len(rows_of_csv)} rows; they are checked before the first image")
        of_problem = _is_of_problem(request, rows_of_csv, loaded)
        plan = (_of_problem if of_problem else _of_cosmosim)(request, rows_of_csv, loaded)
    scenes = _named(plan.scenes, ".png" if request.quantise else ".tif")
    if request.picture is not None:
        pictures = [tuple(amplitudes.pictured(light, str(request.picture)) for light in scene.lights) for scene in scenes]
        scenes = tuple(replace(scene, lights=lights) for scene, lights in zip(scenes, pictures, strict=True))
    _check_pictures(scenes, request.quantise)
    return replace(plan, scenes=scenes)


def sample(problem: Problem, seed: int, n: int) -> np.ndarray:
    """n draws from a problem's prior, (n, P), rounded to the decimals that tables keep."""
    return np.round(np.asarray(problem.sample(jax.random.key(seed), n), np.float64), 6)


def problem_scenes(
    problem: AxisymmetricProblem,
    values: np.ndarray,
    filenames: Sequence[str],
    *,
    terms: Sequence[int],
    methods: Sequence[str],
    size: int | None = None,
    origins: Sequence[Origin | None] | None = None,
    as_cosmosim: bool = False,
) -> tuple[Scene, ...]:
    """A problem's systems as scenes, with its instrument.

    Args:
        problem: the problem.
        values: parameters (N, P).
        filenames: names of the images.
        terms, methods: order of the series and trace of each row.
        size: pixels on a side; by default one for each pixel of the field.
        origins: the rows that they come from.
        as_cosmosim: whether they are rendered as by CosmoSim: masked by a circle, centred over the pixels of the canvas.
    """
    centring, field = problem.instrument.centring, problem.field
    canvas = field if centring is None else centring.canvas
    kind = problems.lens_kind(problem.name)
    radii = np.asarray(problem.theta_e(cast(Array, values)))  # NumPy's numbers stay float64
    scenes = []
    for i, row in enumerate(values):
        p = dict(zip(problem.names, map(float, row), strict=True))
        radius = float(radii[i])
        x, y, sigma, sigma2, theta = (p[name] for name in ("x", "y", "sigma", "sigma2", "theta"))
        if as_cosmosim:
            x, y, radius, sigma, sigma2, theta = (float(f"{value:.9g}") for value in (x, y, radius, sigma, sigma2, theta))
        scene = Scene(
            filename=filenames[i],
            index=str(i + 1),
            lens=kind,
            masses=(Mass(kind, radius),),
            source="Ellipsoid",
            lights=(Light("Ellipsoid", x, y, sigma, sigma2, theta, luminosity=names.luminosity_of("Ellipsoid")),),
            x=x,
            y=y,
            model="Roulette" if methods[i] == "roulette" else "Raytrace",
            nterms=terms[i],
            imagesize=canvas,
            cropsize=field if field < canvas else 0,
            centred=centring is not None,
            origin=None if origins is None else origins[i],
        )
        if as_cosmosim:
            scenes.append(replace(scene, mask=True))
        else:
            window = "" if methods[i] == "raytrace" else "region"
            samples = None if centring is None else centring.samples
            scenes.append(replace(scene, window=window, size=size or field, samples=samples, double=True))
    return tuple(scenes)


def _is_of_problem(request: Request, rows_of_csv: Table | None, loaded: Mapping[str, Any] | None) -> bool:
    """Whether the request is for systems of a problem; otherwise for CosmoSim's."""
    if request.problem is not None:
        return True
    if loaded is not None:
        small = not any(isinstance(value, dict) for value in loaded.values())
        return rows_of_csv is None and small and (bool(loaded) or not request.settings)
    if rows_of_csv is not None:
        of_2023 = "einsteinR" in rows_of_csv.columns and not any(name in rows_of_csv.columns for name in parameters.NOT_OF_2023)
        return of_2023 and not request.settings and not request.as_cosmosim
    return not request.settings and not request.as_cosmosim


def _of_problem(request: Request, rows_of_csv: Table | None, loaded: Mapping[str, Any] | None) -> Plan:
    unfit = ["--picture"] * (request.picture is not None) + [f"--{name}" for name in request.settings]
    if unfit:
        raise BadInput("goes with CosmoSim's files, not with --problem", column=unfit[0])
    if rows_of_csv is not None and loaded is not None:
        raise BadInput("--csv and --toml contradict each other with --problem", expected="one of the two")
    if request.as_cosmosim and (request.size is not None or request.method == "ring"):
        flag = "--size" if request.size is not None else "--method ring"
        raise BadInput("does not go with --lookup cosmosim and --roulette-csv, which know roulettes and ray tracing, 400×400", column=flag)
    small = {} if loaded is None else _checked_keys(str(request.toml), loaded)
    name = request.problem or small.get("problem") or ("sis2023" if rows_of_csv is not None else None)
    if name is None:
        raise BadInput("nothing to simulate", hint="give --csv FILE, or --problem NAME with --n N, or --toml FILE")
    method = request.method or small.get("method")
    if name in problems.cosmosim_names():
        return _of_composed(request, name, small, method)
    problem = problems.thesis(name)
    if rows_of_csv is not None:
        _refuse_draw(request, "--problem or --toml")
        filenames: Sequence[str] = rows_of_csv.filenames
        values = parameters.params(rows_of_csv, problem=name, names=problem.names)
        terms = parameters.terms(rows_of_csv, default=problem.trace.terms)
        methods = parameters.methods(rows_of_csv, default="roulette")
        methods = methods if method is None else (method,) * len(rows_of_csv)
        origins = [Origin(rows_of_csv.path, line) for line in rows_of_csv.lines]
    else:
        filenames, values = _drawn(request, small, problem)
        origins, terms, methods = None, (problem.trace.terms,) * len(values), (method or "roulette",) * len(values)
    scenes = problem_scenes(
        problem, values, filenames, terms=terms, methods=methods, size=request.size, origins=origins, as_cosmosim=request.as_cosmosim
    )  # fmt: skip

    def write_table(path: Path, scenes: Sequence[Scene]) -> None:
        if request.as_cosmosim:
            rows.write(path, scenes, rows_of_csv)
            return
        written = [scene.filename for scene in scenes]
        parameters.write(
            path, written, values, problem=name, names=problem.names, nterms=terms, methods=methods, origin=rows_of_csv
        )  # fmt: skip

    return Plan(scenes, write_table=write_table, of_problem=not request.as_cosmosim)


def _of_composed(request: Request, name: str, small: Mapping[str, Any], method: str | None) -> Plan:
    """Systems of a problem whose images CosmoSim draws."""
    if request.csv is not None:
        raise BadInput(f"its columns are CosmoSim's, which need no --problem {name}", path=request.csv)
    if method not in (None, "raytrace"):
        raise BadInput(column="--method", value=method, expected=f"raytrace, as problem {name} is defined")
    if request.size is not None:
        raise BadInput(f"does not go with problem {name}, whose images have 256 px", column="--size")
    problem = problems.get(name)
    filenames, values = _drawn(request, small, problem)
    return Plan(composed_scenes.scenes(problem.composition, values, filenames), write_table=rows.write)


def _drawn(request: Request, small: Mapping[str, Any], problem: Problem) -> tuple[list[str], np.ndarray]:
    """File names and parameters (N, P) of as many draws as are to be made."""
    n = request.n or small.get("n")
    if n is None:
        raise BadInput("the flag is missing", column="--n", expected="the number of images to draw")
    seed = request.seed if request.seed is not None else small.get("seed", 0)
    return [f"image-{i + 1:06}.png" for i in range(n)], sample(problem, seed, n)


def _checked_keys(path: str, loaded: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a small TOML file."""
    expected = {
        "problem": f"one of {listed(problems.command_names())}",
        "n": whole_expected(1, 1_000_000),
        "seed": whole_expected(0, 2**32 - 1),
        "method": f"one of {listed(METHODS)}",
    }
    good: dict[str, Callable[[Any], bool]] = {
        "problem": lambda value: value in problems.command_names(),
        "n": lambda value: 1 <= value <= 1_000_000,
        "seed": lambda value: 0 <= value < 2**32,
        "method": lambda value: value in METHODS,
    }
    for key, value in loaded.items():
        if key not in _KEYS:
            raise BadInput(f"unknown key {key!r}", path=path, value=key, expected=listed(_KEYS), hint=did_you_mean(key, _KEYS))
        if type(value) is not _KEYS[key] or not good[key](value):
            known = {"problem": problems.command_names(), "method": METHODS}.get(key, ())
            raise BadInput(path=path, column=key, value=value, expected=expected[key], hint=did_you_mean(str(value), known))
    return dict(loaded)


def _of_cosmosim(request: Request, rows_of_csv: Table | None, loaded: Mapping[str, Any] | None) -> Plan:
    """Scenes of CosmoSim's files: CSV cell > command line > TOML > default."""
    for flag, value in (("--method", request.method), ("--size", request.size)):
        if value is not None:
            raise BadInput("goes with a problem, not with CosmoSim's files", column=flag, hint="there use -L and -Z")
    flags = request.settings
    with at(path=request.toml):
        description = None if loaded is None else toml.described(str(request.toml), loaded)
    below = {} if description is None else toml.settings(description)
    settings = {**{name: value for name, value in below.items() if name not in _replaced(flags)}, **flags}
    if rows_of_csv is not None:
        _refuse_draw(request, "--toml")
        parsed = rows.scenes(rows_of_csv, settings=settings, skip_bad=request.skip_bad)
    elif description is not None and (request.n is not None or _varies(description)):
        random = cosmosim_draw.draw(description, n=request.n, seed=request.seed or 0)
        columns = {name: cells for name, cells in random.columns.items() if name not in _replaced(flags)}
        columns |= {name: (flags[name],) * len(random) for name in ("lens", "cluster", "model") if name in flags}
        parsed = rows.scenes(replace(random, columns=columns), settings=settings, skip_bad=request.skip_bad)
    else:
        for flag, value in (("--n", request.n), ("--seed", request.seed)):
            if value is not None:
                raise BadInput("goes with --problem, or with --toml and a file with ranges", column=flag)
        where = str(request.toml or "command line")
        filename = table.checked_filename(str(settings.pop("filename", "test.png")), path=where)
        parsed = rows.single(settings, filename=filename, origin=where)
    if not parsed.scenes:
        first = parsed.refused[0]
        raise BadInput("no row can be used", path=first.path, hint=f"the first: {first}")
    warnings = [
        *(() if description is None else description.warnings),
        *parsed.warnings,
        *(f"left out: {error}" for error in parsed.refused),
    ]
    return Plan(parsed.scenes, tuple(warnings), lambda path, scenes: rows.write(path, scenes, rows_of_csv))


def _refuse_draw(request: Request, others: str) -> None:
    for flag, value in (("--n", request.n), ("--seed", request.seed)):
        if value is not None:
            raise BadInput(f"goes with {others}", column=flag, hint="the rows of --csv are the images")


def _of_amplitudes(request: Request, path: Path) -> Plan:
    flags = ("csv", "n", "seed", "problem", "method", "size", "skip_bad", "as_cosmosim")
    unfit = [name for name in request.settings if name not in _OF_AMPLITUDES]
    unfit += [name for name in flags if getattr(request, name) not in (None, False)]
    if unfit:
        flag = {"as_cosmosim": "lookup or --roulette-csv"}.get(unfit[0], unfit[0]).replace("_", "-")
        raise BadInput("does not go with --roulette, whose table describes the lenses", column=f"--{flag}")
    below = {} if request.toml is None else toml.settings(toml.read(request.toml))
    settings = as_cells({**{name: value for name, value in below.items() if name in _OF_AMPLITUDES}, **request.settings}, rows.SETTINGS)
    records = tuple(amplitude_tables.read(path, settings={name: settings[name] for name in _OF_SOURCE if name in settings}))
    limits = {"imagesize": (16, 8192), "cropsize": (16, 8192), "nterms": (1, 200)}
    numbers = {name: _whole(name, settings[name], *ends) for name, ends in limits.items() if name in settings}
    scenes = amplitudes.scenes_of(
        records,
        size=numbers.get("cropsize") or numbers.get("imagesize") or 512,
        mask=settings.get("mask", "").lower() in names.YES,
        terms=numbers.get("nterms"),
        picture=str(request.picture or ""),
    )
    return Plan(scenes, records=records)


def _whole(name: str, text: str, low: int, high: int) -> int:
    value = whole(text, low, high)
    if value is None:
        raise BadInput(column=f"--{name}", value=text, expected=whole_expected(low, high))
    return value


def _replaced(flags: Mapping[str, str]) -> set[str]:
    """Settings of a TOML file that flags replace: the same ones, all of a place, and a cluster where they name a lens."""
    replaced = set(flags)
    if replaced & {*_PLACES}:
        replaced |= {"R", "phi"} if "y" in replaced or "phi" not in replaced else {*_PLACES}
    if "lens" in replaced and flags["lens"].lower() != "cluster":
        replaced.add("cluster")
    return replaced


def _varies(description: toml.Description) -> bool:
    """Whether a TOML file describes many images: a number of them, a range or a list, a place or a cluster to be drawn."""
    return any(
        key in ("size", "count")
        or key.endswith(("-min", "-max"))
        or (key == "position" and value.strip().lower() != "cartesian")
        or (isinstance(value, list) and len(value) > 1)
        for values in description.tables.values()
        for key, value in values.items()
    )


def _named(scenes: Sequence[Scene], suffix: str) -> tuple[Scene, ...]:
    """The scenes with the suffix of the written files; refuses two images at one path, and an image at the path of another's folder."""
    taken: dict[str, Scene] = {}
    for scene in scenes:
        stem, own = os.path.splitext(scene.filename)
        name = (stem if own.lower() in images.SUFFIXES else scene.filename) + suffix
        if name in taken:
            other = taken[name]
            at = "" if other.origin is None else f" of line {other.origin.line}"
            raise scene.error(f"{scene.filename!r} and {other.filename!r}{at} would both be written to {name}", column="filename")
        taken[name] = scene
    for name, scene in taken.items():
        above = next((str(folder) for folder in PurePosixPath(name).parents if str(folder) in taken), None) if "/" in name else None
        if above is not None:
            raise scene.error(f"{scene.filename!r} would be written in {above}, which is an image's name too", column="filename")
    return tuple(scene if scene.filename == name else replace(scene, filename=name) for name, scene in taken.items())


def _check_pictures(scenes: Sequence[Scene], quantise: bool) -> None:
    """Refuses pictures that are missing or cannot be read, and colours where images are not 8-bit PNG."""
    lights = {light.picture: scene for scene in scenes for light in scene.lights if light.kind == "Image"}
    if "" in lights:
        raise lights[""].error("the source is a picture", hint="give its file with --picture FILE")
    coloured = [images.read_colour(path).ndim == 3 for path in sorted(lights)]
    if not quantise and (any(coloured) or any(light.kind == "Triangle" for scene in scenes for light in scene.lights)):
        raise BadInput("an image is coloured", column="--no-quantise", hint="coloured images are written as PNG only")
