"""`lensjax estimate`: images to parameters."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lensjax._internal.words import counted
from lensjax.cli import arguments
from lensjax.errors import BadInput

_READ_AT_ONCE = 64

_EPILOG = """examples:
  lensjax estimate image-000001.png image-000002.png --out results.csv
  lensjax estimate --csv images/dataset.csv --images images --out results.csv --report report
  lensjax estimate image.png --out results.csv --no-network         descent alone, from the image's moments
  lensjax estimate images/*.png --out results.csv --no-refine       the network alone

results.csv has for each parameter its value, <name>_err (1 sigma; inf where the image does not tell it) and
<name>_network; then chi2, success, status; then certified bounds <name>_low, <name>_high, and how they were found."""


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command("estimate", "images to parameters, with errors", _EPILOG, run)
    command.add_argument("image", nargs="*", type=Path, metavar="IMAGE", help="400×400 grey images")
    command.add_argument("--csv", type=Path, metavar="FILE", help="table with a column filename, instead of IMAGE...")
    command.add_argument("--images", type=Path, metavar="DIR", help="folder of the table's images (the table's own)")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="results.csv")
    command.choice(
        "--problem",
        arguments.PROBLEMS,
        default="sis2023",
        help="kind of system (sis2023)",
    )
    command.add_argument("--weights", type=Path, metavar="DIR", help="network to use (the one that ships)")
    command.add_argument("--no-refine", action="store_true", help="the network's answer as it is")
    command.add_argument("--no-network", action="store_true", help="descend from the image's moments")
    command.choice(
        "--method",
        ("auto", *arguments.METHODS),
        default="auto",
        help="how the image was made (auto: tried)",
    )
    command.add_argument(
        "--shift",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the place of the image in its frame is fitted along (default), or is where the problem puts it",
    )
    command.add_argument(
        "--noise",
        type=arguments.positive,
        metavar="SIGMA",
        help="noise of a pixel [grey levels], in place of rounding",
    )
    command.add_argument("--report", type=Path, metavar="DIR", help="write DIR/report.html: image, model, residual, source")
    command.add_argument("--seed", type=arguments.SEED, default=0, metavar="S", help="seed of the bounds' sampling (0)")


def run(options: argparse.Namespace) -> None:
    from lensjax._internal.progress import Progress

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
    from lensjax.formats.cosmosim import parameters

    problem = problems.get(options.problem)
    truth = None
    if table is not None and not parameters.missing_columns(table):
        truth = parameters.params(table, problem=problem.name, names=problem.names)
    for path in paths:
        images.read(path, size=problem.field)
    estimator = None if options.no_network else _estimator(options)
    rows: list[results.Result] = []
    found: list[dict[str, Any]] = []
    with Progress(len(paths), "image") as bar:
        for first in range(0, len(paths), _READ_AT_ONCE):
            part = slice(first, first + _READ_AT_ONCE)
            answers = _answers(options, problem, estimator, paths[part], bar)
            for filename, answer in zip(filenames[part], answers, strict=True):
                if answer["solution"] is None:
                    rows.append(results.of_network(filename, answer["network"]))
                else:
                    rows.append(results.of_fit(filename, answer["solution"], index=answer["index"], network=answer["network"]))
            found += answers
    results.write(options.out, rows, names=problem.names)
    if options.report is not None:
        _report(options, problem, filenames, paths, found)
    refined = [answer["solution"] for answer in found if answer["solution"] is not None]
    if refined:
        done = sum(bool(answer["solution"].success[answer["index"]]) for answer in found)
        print(f"{counted(len(paths), 'image')}, {done} refined with success; {options.out}")
    else:
        print(f"{counted(len(paths), 'image')} by the network alone; {options.out}")
    if truth is not None:
        _print_errors(problem, truth, found)


def _images_wanted(options: argparse.Namespace) -> tuple[Any, list[str], list[Path]]:
    """The table, if there is one, and the name and path of every image."""
    from lensjax.formats.cosmosim import table as tables

    if options.csv is not None:
        if options.image:
            raise BadInput(f"{options.image[0]} and --csv: images are named either one by one or by a table")
        folder = options.csv.parent if options.images is None else options.images
        if not folder.is_dir():
            raise BadInput(f"--images {folder}: no such folder")
        table = tables.read(options.csv)
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
    """What is known of each image: {"network", "solution", "index"}, as `results.of_fit` takes it."""
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
