"""`lensjax simulate | estimate | delens | ...`: what a user types."""

import argparse
import sys
import traceback
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from lensjax import __version__
from lensjax._internal import compiled
from lensjax.cli import compare as cli_compare
from lensjax.cli import convert as cli_convert
from lensjax.cli import doctor as cli_doctor
from lensjax.cli import scenes as cli_scenes
from lensjax.cli import sheet as cli_sheet
from lensjax.errors import BadInput

# JAX and all that needs it are imported inside the commands: --help and wrong flags are answered at once.

PROBLEMS = ("sis2023", "pm2022")
METHODS = ("roulette", "ring", "raytrace")
_TOML_KEYS = ("problem", "n", "seed", "method")
_MOST = 1_000_000
_READ_AT_ONCE = 64

_TOP = """examples:
  lensjax simulate --problem sis2023 --n 100 --out images
  lensjax estimate --csv images/dataset.csv --images images --out results.csv
  lensjax delens images/image-000001.png --params results.csv --out source.png

exit codes: 0 done, 2 bad input (one line says what), 1 anything else"""

_SIMULATE = """examples:
  lensjax simulate --problem sis2023 --n 100 --out images          systems drawn from the thesis's prior
  lensjax simulate --csv dataset.csv --out images                  the systems of a table, in CosmoSim's columns
  lensjax simulate --toml dataset.toml --n 20 --out images         a CosmoSim dataset.toml, or keys problem, n, seed, method
  lensjax simulate --csv dataset.csv --toml defaults.toml -C -Z 600 -z 400 --roulette-csv roulette.csv --out images
  lensjax simulate --roulette roulette.csv -Z 400 --out images     images from amplitudes alone

Writes one image for each row, and OUT/dataset.csv; started again after an interruption it goes on. What holds for an image:
cell of the CSV file, else command line, else TOML file, else default. `lensjax doctor FILE` says what CosmoSim would have read
otherwise. A table of 2023 (columns einsteinR and chi) is taken for problem sis2023: 400×400, centred, 50 terms, unless options
of CosmoSim's are given."""

_ESTIMATE = """examples:
  lensjax estimate image-000001.png image-000002.png --out results.csv
  lensjax estimate --csv images/dataset.csv --images images --out results.csv --report report
  lensjax estimate image.png --out results.csv --no-network         descent alone, from the image's moments
  lensjax estimate images/*.png --out results.csv --no-refine       the network alone

results.csv has for each parameter its value, <name>_err (1 sigma; inf where the image does not tell it) and
<name>_network; then chi2, success, status; then certified bounds <name>_low, <name>_high, and how they were found."""

_DELENS = """examples:
  lensjax delens image-000001.png --params results.csv --out source.png
  lensjax delens images/test.png --params images/dataset.csv --out source.png
  lensjax delens image.png --params results.csv --out source.png --how invert --noise 3

--params says what the lens is and where the source stands: results.csv of estimate, a table of problem sis2023 or pm2022, or any
table in CosmoSim's columns, with lenses of any kind. Colours are treated one by one.

  sample  each pixel of the source is the mean of the image where its light arrives: at once, and as noisy as the image
  invert  the smooth source whose image is nearest to the image (Suyu et al. 2006): seconds; the better one where there is noise.
          Its pixels are half as wide as the image's. lambda is the weight of smoothness: the most probable one, unless given

Points that the image does not show are transparent. The source's centre is in the middle."""


class _Parser(argparse.ArgumentParser):
    """Wrong flags are bad input like any other: one line."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the words after `lensjax`; by default the process's own.

    Returns:
        The exit code: 0 done, 2 bad input, 1 anything else; both with one line on stderr.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        options = _parser().parse_args(words)
        compiled.keep_compiled_programs()
        options.run(options)
        return 0
    except SystemExit as end:  # --help, --version
        return end.code if isinstance(end.code, int) else 0
    except BadInput as error:
        return _fail(error, 2, debug)
    except KeyboardInterrupt:
        return _fail("interrupted", 1, False)
    except Exception as error:
        hint = "" if debug else " (--debug shows where)"
        return _fail(f"{type(error).__name__}: {error}{hint}", 1, debug)


def _fail(error: object, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print("lensjax: " + " ".join(str(error).split()), file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = _new(_Parser, "lensjax", "From images of lensed galaxies to the lens and the source behind it.", _TOP)
    parser.add_argument("--version", action="version", version=f"lensjax {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    _add_simulate(commands)
    _add_estimate(commands)
    _add_delens(commands)
    for more in (cli_compare, cli_sheet, cli_doctor, cli_convert):
        more.add(commands, _command)
    return parser


def _new(make: Any, name: str, description: str, epilog: str, **more: Any) -> argparse.ArgumentParser:
    return make(
        prog=name,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **more,
    )


def _command(commands: Any, name: str, line: str, epilog: str, run: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=line,
        description=line,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(run=run)
    return parser


def _add_simulate(commands: Any) -> None:
    parser = _command(commands, "simulate", "parameters to images", _SIMULATE, _simulate)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="table of systems, one a row")
    parser.add_argument("--toml", type=Path, metavar="FILE", help="CosmoSim's dataset.toml; or problem, n, seed and method")
    parser.add_argument("--problem", choices=PROBLEMS, help="kind of system; with --csv by default sis2023")
    parser.add_argument("--n", type=_count, metavar="N", help="images to draw from the problem's prior")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the images and dataset.csv")
    parser.add_argument("--seed", type=_seed, metavar="S", help="seed of the draw (0)")
    parser.add_argument(
        "--quantise",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="8-bit PNG (default), or 32-bit float TIFF",
    )
    parser.add_argument("--method", choices=METHODS, help="how light is traced (roulette, or the column model)")
    parser.add_argument("--size", type=_size, default=400, metavar="N", help="pixels on a side of the same field (400)")
    parser.add_argument(
        "--lookup", choices=("exact", "cosmosim"), default="exact", help="exact light, or CosmoSim's own pixels to compare with (exact)"
    )
    parser.add_argument("--roulette-csv", type=Path, metavar="FILE", help="also writes the roulette amplitudes, as CosmoSim does")
    cli_scenes.add_arguments(parser)


def _add_estimate(commands: Any) -> None:
    parser = _command(commands, "estimate", "images to parameters, with errors", _ESTIMATE, _estimate)
    parser.add_argument("image", nargs="*", type=Path, metavar="IMAGE", help="400×400 grey images")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="table with a column filename, instead of IMAGE...")
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of the table's images (the table's own)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="results.csv")
    parser.add_argument("--problem", choices=PROBLEMS, default="sis2023", help="kind of system (sis2023)")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="network to use (the one that ships)")
    parser.add_argument("--no-refine", action="store_true", help="the network's answer as it is")
    parser.add_argument("--no-network", action="store_true", help="descend from the image's moments")
    parser.add_argument("--method", choices=("auto", *METHODS), default="auto", help="how the image was made (auto: tried)")
    parser.add_argument(
        "--shift",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the place of the image in its frame is fitted along (default), or is where the problem puts it",
    )
    parser.add_argument(
        "--noise",
        type=_positive,
        metavar="SIGMA",
        help="noise of a pixel [grey levels], in place of rounding",
    )
    parser.add_argument("--report", type=Path, metavar="DIR", help="write DIR/report.html: image, model, residual, source")
    parser.add_argument("--seed", type=_seed, default=0, metavar="S", help="seed of the bounds' sampling (0)")


def _add_delens(commands: Any) -> None:
    parser = _command(commands, "delens", "image and lens to the undistorted source", _DELENS, _delens)
    parser.add_argument("image", type=Path, metavar="IMAGE", help="the image")
    parser.add_argument("--params", type=Path, required=True, metavar="FILE", help="results.csv of estimate, or dataset.csv")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the source, a PNG file")
    parser.add_argument("--problem", choices=PROBLEMS, help="kind of system (sis2023, unless the columns are CosmoSim's)")
    parser.add_argument("--how", choices=("sample", "invert"), default="sample", help="see below (sample)")
    parser.add_argument("--lambda", dest="strength", type=_positive, metavar="L", help="invert: weight of smoothness")
    parser.add_argument("--noise", type=_positive, metavar="SIGMA", help="invert: noise of a pixel [grey levels] (from the residuals)")
    parser.add_argument(
        "--penalty", choices=("curvature", "gradient", "identity"), help="invert: what of the source is to be small (curvature)"
    )
    parser.add_argument("--size", type=_size, metavar="N", help="pixels on a side of the source")
    parser.add_argument("--field", type=_size, metavar="PX", help="side of what is shown of the source plane [px]")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="the source Image of a row whose image is centred")


def _simulate(options: argparse.Namespace) -> None:
    from lensjax.files import whole as files
    from lensjax.formats.cosmosim import table as cosmosim

    if cli_scenes.asked_for(options):
        cli_scenes.simulate(options, _progress)
        return
    problem_name, n, seed, method = _wanted(options)
    files.check_file(options.out / "dataset.csv")
    origin = None
    if options.csv is not None:
        origin = cosmosim.read(options.csv)
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
        values = cosmosim.params(origin, problem=problem_name, names=names)
        terms = cosmosim.terms(origin, default=problem.camera.terms)
        methods = cosmosim.methods(origin, default="roulette")
        methods = methods if method is None else (method,) * len(origin)
    for name in filenames:
        files.check_file(options.out / name)
    with _progress(len(filenames), "image") as bar:
        for index, image in _rendered(problem_name, options.size, values, terms, methods):
            _write_image(options.out / filenames[index], image, options.quantise)
            bar.update(1)
    cosmosim.write(
        options.out / "dataset.csv",
        filenames,
        values,
        problem=problem_name,
        names=names,
        nterms=terms,
        methods=methods,
        origin=origin,
    )
    print(f"{_images(len(filenames))} and dataset.csv in {options.out}")


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
    checks = {"problem": _one_of(PROBLEMS), "method": _one_of(METHODS), "n": _count, "seed": _seed}
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


def _estimate(options: argparse.Namespace) -> None:
    if options.no_refine and options.no_network:
        raise BadInput("--no-refine and --no-network together leave nothing that could estimate; one is allowed")
    if options.weights is not None and options.no_network:
        raise BadInput("--weights and --no-network contradict each other; one is allowed")
    from lensjax.files import whole as files

    files.check_file(options.out)
    if options.report is not None:
        files.check_file(options.report / "report.html")
    table, filenames, paths = _images_wanted(options)

    from lensjax import problems
    from lensjax.files import images
    from lensjax.formats import results
    from lensjax.formats.cosmosim import table as cosmosim

    problem = problems.get(options.problem)
    truth = None
    if table is not None and not cosmosim.missing_columns(table):
        truth = cosmosim.params(table, problem=problem.name, names=problem.names)
    for path in paths:
        images.read(path, size=problem.field)
    estimator = None if options.no_network else _estimator(options)
    rows: list[dict[str, str]] = []
    found: list[dict[str, Any]] = []
    with _progress(len(paths), "image") as bar:
        for first in range(0, len(paths), _READ_AT_ONCE):
            part = slice(first, first + _READ_AT_ONCE)
            answers = _answers(options, problem, estimator, paths[part], bar)
            for filename, answer in zip(filenames[part], answers, strict=True):
                rows.append(results.row(filename, names=problem.names, **answer))
            found += answers
    results.write(options.out, rows, names=problem.names)
    if options.report is not None:
        _report(options, problem, filenames, paths, found)
    refined = [answer["solution"] for answer in found if answer["solution"] is not None]
    if refined:
        done = sum(bool(answer["solution"].success[answer["index"]]) for answer in found)
        print(f"{_images(len(paths))}, {done} refined with success; {options.out}")
    else:
        print(f"{_images(len(paths))} by the network alone; {options.out}")
    if truth is not None:
        _print_errors(problem, truth, found)


def _images_wanted(options: argparse.Namespace) -> tuple[Any, list[str], list[Path]]:
    """The table, if there is one, and the name and path of every image."""
    from lensjax.formats.cosmosim import table as cosmosim

    if options.csv is not None:
        if options.image:
            raise BadInput(f"{options.image[0]} and --csv: images are named either one by one or by a table")
        folder = options.csv.parent if options.images is None else options.images
        if not folder.is_dir():
            raise BadInput(f"--images {folder}: no such folder")
        table = cosmosim.read(options.csv)
        return table, list(table.filenames), [folder / name for name in table.filenames]
    if options.images is not None:
        raise BadInput("--images goes with --csv FILE, which names the images")
    if not options.image:
        raise BadInput("no images: give IMAGE..., or --csv FILE with --images DIR")
    paths = list(options.image)
    twice = next((path for k, path in enumerate(paths) if path in paths[:k]), None)
    if twice is not None:
        raise BadInput(f"{twice}: named twice; once is allowed")
    names = [path.name for path in paths]
    return None, names if len(set(names)) == len(names) else [str(path) for path in paths], paths


def _estimator(options: argparse.Namespace) -> Any:
    from lensjax import estimate

    if options.weights is None and not (estimate.PACKAGED / options.problem / "weights.safetensors").exists():
        raise BadInput(f"no network ships for problem {options.problem}; give --weights DIR, or --no-network")
    try:
        return estimate.load(options.weights, problem=options.problem)
    except BadInput as error:
        folder = str(options.weights or estimate.PACKAGED / options.problem)
        raise BadInput(str(error) if folder in str(error) else f"{folder}: {error}") from None


def _answers(options: argparse.Namespace, problem: Any, estimator: Any, paths: Sequence[Path], bar: Any) -> list[Any]:
    """What is known of each image: {"network", "solution", "index"}, as `results.row` takes it."""
    import numpy as np

    from lensjax import estimate
    from lensjax.files import images

    pictures = [images.read(path, size=problem.field) for path in paths]
    grey = np.stack([picture.grey for picture in pictures])
    network = None if estimator is None else estimator.predict(grey)
    answers = [{"network": None if network is None else network[i], "solution": None, "index": 0} for i in range(len(paths))]
    if options.no_refine:
        bar.update(len(paths))
        return answers
    for rounded in (True, False):
        mine = [i for i, picture in enumerate(pictures) if (picture.rounded and options.noise is None) == rounded]
        if not mine:
            continue
        solution = estimate.solve(
            problem,
            grey[mine],
            None if network is None else network[mine],
            progress=bar.update,
            methods=None if options.method == "auto" else (options.method,),
            free_shift=options.shift,
            rounded=rounded,
            variance=None if options.noise is None else options.noise**2,
            seed=options.seed,
        )
        for k, i in enumerate(mine):
            answers[i] |= {"solution": solution, "index": k}
    return answers


def _print_errors(problem: Any, truth: Any, found: Sequence[dict[str, Any]]) -> None:
    """A table of how far the estimates are from the table's true parameters."""
    import numpy as np

    from lensjax.report.estimates import errors_table

    network = refined = None
    if found[0]["network"] is not None:
        network = np.stack([answer["network"] for answer in found])
    if found[0]["solution"] is not None:
        refined = np.stack([answer["solution"].params[answer["index"]] for answer in found])
    print(errors_table(problem, truth, network=network, refined=refined))


def _report(options: argparse.Namespace, problem: Any, filenames: Sequence[str], paths: Sequence[Path], found: Sequence[Any]) -> None:
    from lensjax.files import images
    from lensjax.report.estimates import SHOWN, Record, write_report

    records = [
        Record(
            filename,
            images.read(path, size=problem.field).grey,
            answer["network"],
            None if answer["solution"] is None else answer["solution"][answer["index"]],
        )
        for filename, path, answer in list(zip(filenames, paths, found, strict=True))[:SHOWN]
    ]
    write_report(options.report, problem, records, total=len(paths), results=options.out)


def _delens(options: argparse.Namespace) -> None:
    import jax
    import numpy as np

    from lensjax.files import whole as files
    from lensjax.formats.cosmosim import table as cosmosim

    files.check_file(options.out)
    if options.out.suffix.lower() != ".png":
        raise BadInput(f"--out {options.out}: the source is written as PNG; a name that ends in .png is asked for")
    given = {"--lambda": options.strength, "--noise": options.noise, "--penalty": options.penalty}
    unfit = [name for name, value in given.items() if value is not None]
    if options.how == "sample" and unfit:
        raise BadInput(f"{unfit[0]} goes with --how invert")
    table = cosmosim.read(options.params, inside=False)
    name = str(options.image)
    row = table.row(name if name in table.filenames else options.image.name)

    with jax.enable_x64(True):
        of_scene = options.problem is None and any(name in row.columns for name in cli_scenes._NOT_OF_2023)
        channels, system, shift, camera, field = (_seen_scene if of_scene else _seen_problem)(options, row)
        found, told = _sources(options, channels, system, shift, camera, field)
    seen = found[0].seen
    if not seen.any():
        raise BadInput(f"{options.image}: by {options.params} no point of the source is seen in this image")
    _write_source(options.out, np.stack([source.grey for source in found], axis=-1), seen)
    share = 100.0 * seen.mean()
    print(f"{options.out}: {seen.shape[0]}×{seen.shape[1]} pixels, {share:.0f} % of them seen in the image")
    for line in told:
        print(line)


def _seen_problem(options: argparse.Namespace, row: Any) -> tuple[list[Any], Any, Any, Any, int]:
    """(grey images, system, place of the image's middle, camera, side of the source's picture) of a row of a problem's table."""
    from dataclasses import replace

    import jax.numpy as jnp
    import numpy as np

    from lensjax import problems
    from lensjax.formats.cosmosim import table as cosmosim
    from lensjax.reconstruct import sample as delens

    problem = problems.get(options.problem or "sis2023")
    channels = _channels(options.image, problem.field)
    if "chi" in problem.names and "chi" not in row.columns:
        raise BadInput(f"{options.params}: line 1: there is no column chi, which problem {problem.name} needs")
    params = cosmosim.params(row, problem=problem.name, names=problem.names)[0]
    method = _row_method(row, problem)
    camera = replace(problem.camera, method=method, terms=cosmosim.terms(row, default=problem.camera.terms)[0])
    system = problem.to_system(problem.encode(jnp.asarray(params, jnp.float64)))
    shift = _row_shift(row)
    if shift is None:
        shift = np.asarray(problem.centre(system, method=method))
    sigma, sigma2 = (float(params[problem.names.index(name)]) for name in ("sigma", "sigma2"))
    return channels, system, shift, camera, 2 * min(delens.half_width(sigma, sigma2), 400)


def _seen_scene(options: argparse.Namespace, row: Any) -> tuple[list[Any], Any, Any, Any, int]:
    """As `_seen_problem`, of a row in CosmoSim's columns."""
    from dataclasses import replace

    import jax
    import jax.numpy as jnp
    import numpy as np
    from PIL import Image

    from lensjax import simulate
    from lensjax.dataset import render
    from lensjax.dataset import write as dataset
    from lensjax.files import images
    from lensjax.formats.cosmosim import rows as cosmosim_rows
    from lensjax.formats.cosmosim import table as cosmosim
    from lensjax.formats.scene import Light
    from lensjax.reconstruct import sample as delens

    settings = {}
    if not any(row.columns.get(name, ("",))[0].strip() for name in ("imagesize", "cropsize")):
        images.read_colour(options.image)
        with Image.open(options.image) as image:
            settings["imagesize"] = image.width
    scene = cosmosim_rows.scenes(row, settings=settings).scenes[0]
    pictures = []
    centre = [row.columns.get(name, ("",))[0].strip() for name in ("centreX", "centreY")]
    if any(light.kind == "Image" for light in scene.lights):
        if options.picture is not None:
            scene = replace(scene, lights=tuple(dataset.pictured(light, str(options.picture)) for light in scene.lights))
            pictures = [jnp.asarray(images.read_colour(light.picture) / 255.0) for light in scene.lights if light.kind == "Image"]
        elif scene.centred and not any(centre):
            raise BadInput(f"{scene.origin}: the place of a centred image depends on its source, a picture; --picture FILE says which")
        else:
            scene = replace(scene, lights=(Light("Spherical", scene.x, scene.y, 20.0, 20.0),))
    kind = render.kind_of(scene)
    channels = _channels(options.image, kind.camera.size)
    if scene.reflines:
        channels = [_without_lines(channel) for channel in channels]
    system = render.system_of(kind, render.numbers_of(scene), pictures)
    if any(centre):
        shift = np.array([cosmosim.value(row, name) for name in ("centreX", "centreY")])
    else:
        shift = np.asarray(jax.jit(simulate.shift, static_argnames="camera")(system, kind.camera))
    field = options.field or delens.field_of_light(np.max(channels, axis=0), system, shift=shift, camera=kind.camera)
    return channels, system, shift, kind.camera, field


def _channels(path: Path, size: int) -> list[Any]:
    """The grey levels of an image (size, size): one array, or one for each colour."""
    from lensjax.files import images

    try:
        return [images.read(path, size=size).grey]
    except BadInput as refusal:
        try:
            pixels = images.read_colour(path)
        except BadInput:
            raise refusal from None
        if pixels.shape != (size, size, 3) or (pixels == pixels[..., :1]).all():
            raise refusal from None
        return [pixels[..., k] for k in range(3)]


def _without_lines(image: Any) -> Any:
    """An image without its reference lines: what they cover is the mean of what lies to both sides."""
    import numpy as np

    middle = image.shape[0] // 2
    filled = np.array(image)
    filled[middle] = 0.5 * (filled[middle - 1] + filled[middle + 1])
    filled[:, middle] = 0.5 * (filled[:, middle - 1] + filled[:, middle + 1])
    return filled


def _sources(options: argparse.Namespace, channels: Sequence[Any], system: Any, shift: Any, camera: Any, field: int) -> tuple[Any, Any]:
    """The source in each channel, and lines to print about it."""
    from lensjax.reconstruct import invert as inversion
    from lensjax.reconstruct import sample as delens

    field = options.field or field
    if options.how == "sample":
        grid = delens.Grid(options.size or field, field)
        return [delens.sample(image, system, shift=shift, camera=camera, grid=grid) for image in channels], []
    # Half as wide as the image's pixels: lenses enlarge, and what is linear between the grid's points follows the source.
    size = options.size or max(16, min(2 * field * camera.size // camera.field, 400))
    operator = inversion.lensing(system, shift=shift, camera=camera, grid=delens.Grid(size, field))
    if not bool(operator.used.any()):
        raise BadInput(f"{options.image}: by {options.params} no point of the source is seen in this image")
    found = []
    with _progress(None, "step") as bar:
        for image in channels:
            found.append(
                inversion.invert(
                    image,
                    operator,
                    strength=options.strength,
                    noise=options.noise,
                    penalty=options.penalty or "curvature",
                    progress=bar.update,
                )
            )
    names = ("",) if len(found) == 1 else ("red: ", "green: ", "blue: ")
    lines = [
        f"{name}lambda {one.strength:.4g}, noise {one.noise:.3g}, chi2 {one.chi2:.3g} a pixel over {one.used.sum()} pixels, "
        f"{one.iterations} steps, {'converged' if one.converged else 'not converged'}"
        for name, one in zip(names, found, strict=True)
    ]
    return found, lines


def _write_source(path: Path, levels: Any, seen: Any) -> None:
    """Writes grey levels (m, m, 1) or colours (m, m, 3) as PNG, transparent where not seen."""
    import io

    import numpy as np
    from PIL import Image

    from lensjax.files import images
    from lensjax.files import whole as files

    if levels.shape[-1] == 1:
        images.write_png(path, levels[..., 0], seen=seen)
        return
    pixels = np.where(seen[..., None], np.clip(np.rint(levels), 0, 255), 0).astype(np.uint8)
    alpha = np.where(seen, 255, 0).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(np.concatenate([pixels, alpha[..., None]], axis=-1)).save(content, "PNG")
    files.write_bytes(path, content.getvalue())


def _row_method(row: Any, problem: Any) -> str:
    """How the image of a one-row table was made: results.csv says method, dataset.csv says model."""
    from lensjax.formats.cosmosim import table as cosmosim

    word = row.columns.get("method", ("",))[0].strip()
    if word and word not in METHODS:
        raise BadInput(f"{row.path}: line {row.lines[0]}, column method: {word!r}; {', '.join(METHODS)} are allowed")
    return word or cosmosim.methods(row, default=problem.camera.method)[0]


def _row_shift(row: Any) -> Any:
    """The place (2,) that stands at the image's centre, from a one-row table; None where it is not said."""
    import numpy as np

    from lensjax.formats.cosmosim import table as cosmosim

    cells = [row.columns.get(name, ("",))[0].strip() for name in ("shift_x", "shift_y")]
    if not any(cells):
        return None
    return np.array([cosmosim.value(row, name) for name in ("shift_x", "shift_y")])


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _progress(total: int | None, unit: str) -> Any:
    """A bar on a terminal, nothing elsewhere."""
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, file=sys.stderr, disable=not sys.stderr.isatty(), dynamic_ncols=True)


def _one_of(known: Sequence[str]) -> Any:
    def check(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"{text!r}; {', '.join(known)} are allowed")
        return text

    return check


def _whole(text: str, low: int, high: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r}; a whole number from {low} to {high} is allowed")
    return value


def _count(text: str) -> int:
    return _whole(text, 1, _MOST)


def _seed(text: str) -> int:
    return _whole(text, 0, 2**32 - 1)


def _size(text: str) -> int:
    return _whole(text, 16, 2000)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}; a positive number is allowed")
    return value
