"""`lensjax simulate`: parameters to images."""

import argparse
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from lensjax._internal.words import counted
from lensjax.cli import arguments, scenes
from lensjax.errors import BadInput

_TOML_KEYS = ("problem", "n", "seed", "method")

_EPILOG = """examples:
  lensjax simulate --problem sis2023 --n 100 --out images          systems drawn from the thesis's prior
  lensjax simulate --csv dataset.csv --out images                  the systems of a table, in CosmoSim's columns
  lensjax simulate --toml dataset.toml --n 20 --out images         a CosmoSim dataset.toml, or keys problem, n, seed, method
  lensjax simulate --csv dataset.csv --toml defaults.toml -C -Z 600 -z 400 --roulette-csv roulette.csv --out images
  lensjax simulate --roulette roulette.csv -Z 400 --out images     images from amplitudes alone

Writes one image for each row, and OUT/dataset.csv; started again after an interruption it goes on. What holds for an image:
cell of the CSV file, else command line, else TOML file, else default. `lensjax doctor FILE` says what CosmoSim would have read
otherwise. A table of 2023 (columns einsteinR and chi) is taken for problem sis2023: 400×400, centred, 50 terms, unless options
of CosmoSim's are given."""


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command("simulate", "parameters to images", _EPILOG, run)
    command.add_argument("--csv", type=Path, metavar="FILE", help="table of systems, one a row")
    command.add_argument("--toml", type=Path, metavar="FILE", help="CosmoSim's dataset.toml; or problem, n, seed and method")
    command.choice(
        "--problem",
        arguments.PROBLEMS,
        help="kind of system; with --csv by default sis2023",
    )
    command.add_argument("--n", type=arguments.COUNT, metavar="N", help="images to draw from the problem's prior")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the images and dataset.csv")
    command.add_argument("--seed", type=arguments.SEED, metavar="S", help="seed of the draw (0)")
    command.add_argument(
        "--quantise",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="8-bit PNG (default), or 32-bit float TIFF",
    )
    command.choice(
        "--method",
        arguments.METHODS,
        help="how light is traced (roulette, or the column model)",
    )
    command.add_argument("--size", type=arguments.SIZE, default=400, metavar="N", help="pixels on a side of the same field (400)")
    command.choice(
        "--lookup",
        ("exact", "cosmosim"),
        default="exact",
        help="exact light, or CosmoSim's own pixels to compare with (exact)",
    )
    command.add_argument("--roulette-csv", type=Path, metavar="FILE", help="also writes the roulette amplitudes, as CosmoSim does")
    scenes.add_arguments(command)


def run(options: argparse.Namespace) -> None:
    from lensjax._internal.progress import Progress
    from lensjax.files import whole as files
    from lensjax.formats.cosmosim import parameters
    from lensjax.formats.cosmosim import table as tables

    if scenes.asked_for(options):
        scenes.simulate(options)
        return
    problem_name, n, seed, method = _wanted(options)
    files.check_file(options.out / "dataset.csv")
    origin = None
    if options.csv is not None:
        origin = tables.read(options.csv)
        suffix = ".png" if options.quantise else ".tif"
        filenames = _image_names(origin, suffix)

    from lensjax import problems

    problem = problems.get(problem_name, image_size=options.size)
    names = problem.names
    if origin is None:
        suffix = ".png" if options.quantise else ".tif"
        filenames = [f"image-{i + 1:06}{suffix}" for i in range(n)]
        values = drawn(problem, seed, n)
        terms, methods = (problem.camera.terms,) * n, (method or "roulette",) * n
    else:
        values = parameters.params(origin, problem=problem_name, names=names)
        terms = parameters.terms(origin, default=problem.camera.terms)
        methods = parameters.methods(origin, default="roulette")
        methods = methods if method is None else (method,) * len(origin)
    for name in filenames:
        files.check_file(options.out / name)
    with Progress(len(filenames), "image") as bar:
        for index, image in _rendered(problem_name, options.size, values, terms, methods):
            _write_image(options.out / filenames[index], image, options.quantise)
            bar.update(1)
    parameters.write(
        options.out / "dataset.csv",
        filenames,
        values,
        problem=problem_name,
        names=names,
        nterms=terms,
        methods=methods,
        origin=origin,
    )
    print(f"{counted(len(filenames), 'image')} and dataset.csv in {options.out}")


def _wanted(options: argparse.Namespace) -> tuple[str, int, int, str | None]:
    """(problem, n, seed, method) from the flags and the TOML file; flags win."""
    given = [name for name in ("csv", "toml") if getattr(options, name) is not None]
    if len(given) == 2:
        raise BadInput("--csv and --toml: one of them is allowed")
    if options.csv is not None:
        for flag in ("n", "seed"):
            if getattr(options, flag) is not None:
                raise BadInput(f"--{flag} goes with --problem or --toml; --csv says which systems there are")
        return options.problem or "sis2023", 0, 0, options.method
    settings = _toml(options.toml) if options.toml is not None else {}
    problem = options.problem or settings.get("problem")
    n = options.n or settings.get("n")
    if problem is None:
        raise BadInput("what is to be simulated? Give --csv FILE, or --problem NAME with --n N, or --toml FILE")
    if n is None:
        raise BadInput("--n is missing: how many images are to be drawn")
    seed = options.seed if options.seed is not None else settings.get("seed", 0)
    return problem, n, seed, options.method or settings.get("method")


def _toml(path: Path) -> dict[str, Any]:
    """A TOML file of the keys in `_TOML_KEYS`, checked as the flags of the same names are."""
    import difflib
    import tomllib

    try:
        settings = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except OSError as error:
        raise BadInput(f"{path}: the file cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"{path}: not a TOML file: {error}") from None
    for key in settings:
        if key not in _TOML_KEYS:
            near = difflib.get_close_matches(key, _TOML_KEYS, n=1, cutoff=0.5)
            guess = f"did you mean {near[0]}? " if near else ""
            raise BadInput(f"{path}: key {key!r} is not supported so far; {guess}known: {', '.join(_TOML_KEYS)}")
    checks = {
        "problem": arguments.one_of(arguments.PROBLEMS),
        "method": arguments.one_of(arguments.METHODS),
        "n": arguments.COUNT,
        "seed": arguments.SEED,
    }
    for key, value in settings.items():
        wanted = str if key in ("problem", "method") else int
        if type(value) is not wanted:
            raise BadInput(f"{path}: {key} is {value!r}; {'text' if wanted is str else 'a whole number'} is allowed")
        try:
            checks[key](str(value))
        except argparse.ArgumentTypeError as error:
            raise BadInput(f"{path}: {key}: {error}") from None
    return settings


def _image_names(origin: Any, suffix: str) -> list[str]:
    """Names of the images that the rows of a table ask for, with the suffix of what is written."""
    from pathlib import PurePosixPath

    taken: dict[str, int] = {}
    for line, name in zip(origin.lines, origin.filenames, strict=True):
        given = PurePosixPath(name)
        where = f"{origin.path}: line {line}, column filename"
        if suffix == ".png" and given.suffix.lower() not in ("", ".png"):
            raise BadInput(f"{where}: {name!r}; images are written as PNG, so .png or no suffix is allowed")
        known = given.suffix.lower() in (".png", ".tif", ".tiff")
        if suffix == ".png" and known:
            written = name
        else:
            written = str(given.with_suffix(suffix)) if known else name + suffix
        if written in taken:
            raise BadInput(f"{where}: {name!r} and line {taken[written]} would both be written to {written}")
        taken[written] = line
    return list(taken)


def drawn(problem: Any, seed: int, n: int) -> Any:
    """n draws from the prior, (n, P), with no more figures than the table states."""
    import jax
    import numpy as np

    return np.round(np.asarray(problem.sample(jax.random.key(seed), n), np.float64), 6)


def _rendered(problem: str, size: int, values: Any, terms: Sequence[int], methods: Sequence[str]) -> Iterator[Any]:
    """(index, grey levels (n, n)) of every row, those that are made alike together; in float64, so that rounding is exact."""
    import jax
    import numpy as np

    from lensjax import problems, simulate

    render = _renderer()
    for kind in dict.fromkeys(zip(terms, methods, strict=True)):
        made = problems.get(problem, image_size=size, terms=kind[0], method=kind[1])
        mine = [i for i, other in enumerate(zip(terms, methods, strict=True)) if other == kind]
        chunk = min(simulate.CHUNK, len(mine))
        for first in range(0, len(mine), chunk):
            part = mine[first : first + chunk]
            rows = np.stack([values[part[min(k, len(part) - 1)]] for k in range(chunk)])
            with jax.enable_x64(True):
                images = np.asarray(render(made, rows))
            for i, image in zip(part, images, strict=False):
                if not np.isfinite(image).all():
                    raise BadInput(f"row {i + 1} of the table: its image has pixels that are not finite")
                yield i, image


@cache
def _renderer() -> Any:
    """(problem, rows (N, P)) → images (N, n, n), compiled once a process."""
    import jax

    return jax.jit(lambda problem, rows: problem.render_batch(rows), static_argnums=0)


def _write_image(path: Path, image: Any, quantise: bool) -> None:
    import jax
    import numpy as np

    from lensjax.files import images
    from lensjax.image import detector

    if quantise:
        with jax.enable_x64(True):  # rounding to float32 first would move halves
            images.write_png(path, np.asarray(detector.quantise(image)))
    else:
        images.write_tiff(path, image)
