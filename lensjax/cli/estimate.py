"""`lensjax estimate`: images to parameters."""

import argparse
import sys
from pathlib import Path

from lensjax import problems
from lensjax.cli import arguments, telescope_check, telescope_flags, values
from lensjax.cli.estimate_options import Options, check
from lensjax.conventions import METHODS

_EPILOG = """examples:
  lensjax estimate image-000001.png image-000002.png --out results.csv
  lensjax estimate --csv images/dataset.csv --images images --out results.csv --report report
  lensjax estimate image.png --out results.csv --no-network         start from the image alone, without the network
  lensjax estimate images/*.png --out results.csv --no-refine       the network alone
  lensjax estimate images/*.png --out results.csv --problem sie2026 --amplitudes 4
  lensjax estimate images/*.png --out results.csv --problem cluster4sis2026 --no-refine

Images of 400×400 pixels with a source of peak 255, as the thesis's, have the quickest and most exact fit. Images of another size or
brightness are fitted by exact ray tracing, from their bright pixels.

results.csv has for each parameter its value, <name>_err (1 sigma; inf where the image does not identify it) and
<name>_network; then chi2, success, status; then certified bounds <name>_low, <name>_high, and how they were computed.
--out results.json writes the same numbers as JSON, with units and covariances.
Rows are written as they come. Started again after an interruption, the command resumes. An image that cannot be used
is a row with success False and the reason in status; the exit code is 2 where no image can be read.

The problems sie2026, cluster2sie2026 and cluster4sis2026 are fits of 8-bit images of any size that CosmoSim drew. They need no
network; with --weights DIR they start from its estimate too. --amplitudes M writes the roulette amplitudes of their lenses beside OUT:
OUT-amplitudes.csv with errors, and OUT-predictions.csv as droulette lays out its predictions. With --no-refine the answers of a network
alone are written, that of --weights or the one that ships; OUT-predictions.csv too where it answers amplitudes. <name>_err is how sure
the network is, where it was trained to say so (head gaussian or mixture). Where the folder of
--weights holds a folder for each of several networks of amplitudes, the mean of their answers is written."""


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    line = "Estimate the parameters of images, with errors."
    command = parser.command("estimate", line, f"{_EPILOG}\n\n{telescope_flags.EPILOG}", lambda flags: run(_options(flags)))
    command.add_argument("image", nargs="*", type=Path, metavar="IMAGE", help="grey images of any size from 16×16")
    command.add_argument("--csv", type=Path, metavar="FILE", help="table with a column filename, instead of IMAGE...")
    command.add_argument("--images", type=Path, metavar="DIR", help="folder of the table's images (the table's own)")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="results.csv, or results.json")
    known = (*arguments.ALL_PROBLEMS, *problems.telescope_names())
    command.choice("--problem", known, help="kind of system (sis2023; of FITS files galaxy)")
    weights = "network to start from (sis2023: the one that ships; others: none), or to ask alone"
    command.add_argument("--weights", type=Path, metavar="DIR", help=weights)
    command.add_argument("--no-refine", action="store_true", help="stop at the network's estimate")
    command.add_argument("--no-network", action="store_true", help="start from the image alone, without a network")
    method = "how the image was rendered (auto: try all)"
    command.choice("--method", ("auto", *METHODS), default="auto", help=method)
    shift = "fit the position of the image in its frame too (default), or keep it where the problem puts it"
    command.add_argument("--shift", action=argparse.BooleanOptionalAction, default=True, help=shift)
    noise = "noise of a pixel [grey levels], instead of rounding; cosmosim, for images that CosmoSim drew; or a telescope's noise map"
    command.add_argument("--noise", type=values.noise, metavar="SIGMA|MAP", help=noise)
    command.add_argument("--report", type=Path, metavar="DIR", help="write DIR/report.html: images, models, residuals, sources")
    command.add_argument("--seed", type=values.SEED, default=0, metavar="S", help="seed of the sampling of bounds and posteriors (0)")
    command.add_argument("--amplitudes", type=values.ORDER, metavar="M", help="tables of roulette amplitudes up to order M too")
    command.add_argument("--shard", type=values.shard, metavar="K/N", help="every N-th image from the K-th alone")
    telescope_flags.add(command)


def _options(flags: argparse.Namespace) -> Options:
    flags.telescope = telescope_flags.flags_of(flags)
    return arguments.options_of(Options, flags)


def run(options: Options) -> None:
    """The command."""
    name = telescope_check.problem_of(options.problem, options.image)
    check(options, name)
    from lensjax.dataset import estimates, fit_amplitudes
    from lensjax.files import whole as files

    files.check_file(options.out)
    telescope = name in problems.telescope_names()
    keep = 0
    if options.report is not None and not telescope:  # what draws figures is slow to import
        from lensjax.report import estimate_report as report

        keep = report.SHOWN
        files.check_file(options.report / "report.html")
    composed = telescope or name in problems.cosmosim_names()
    problem, pipeline = telescope_flags.fitting_of(options.telescope) if telescope else (problems.get(name), None)
    if options.csv is not None:
        inputs = estimates.of_table(options.csv, options.images, problem)
    else:
        inputs = estimates.of_paths(options.image)
    every = inputs.filenames
    inputs = inputs if options.shard is None else estimates.part(inputs, *options.shard)
    pages = None
    if options.report is not None and telescope:
        from lensjax.report import telescope_report

        pages = telescope_report.report_of(options.report, every, shard=options.shard, words=options.words, results=options.out)
    # Fits of composed problems start from the bright pixels unless a network is named.
    needs_none = composed or not estimates.ships(name)
    unaided = options.no_network or (needs_none and options.weights is None and not options.no_refine)
    estimator = None if unaided else estimates.network(options.weights, name, amplitudes=options.no_refine)
    rows = estimates.run(
        problem,
        inputs,
        options.out,
        estimator=estimator,
        refined=not options.no_refine,
        methods=None if options.method == "auto" else (options.method,),
        free_shift=options.shift,
        noise=None if telescope else estimates.COSMOSIM if composed else options.noise,
        seed=options.seed,
        keep=keep,
        taken=telescope_flags.taken_of(options.telescope, options.noise) if telescope else None,
        leaves=None
        if isinstance(problem, problems.Problem)
        else telescope_flags.files_of(options.telescope, problem, every, out=options.out, seed=options.seed),
        report=pages,
        options=pipeline,
        on_error=lambda message: print(f"lensjax: {message}", file=sys.stderr, flush=True),
    )
    if options.report is not None and isinstance(problem, problems.Problem):
        records = [report.Record(row.filename, row.image, row.estimate.network, row.estimate.solution, row.estimate.error) for row in rows]
        report.write_report(options.report, problem, records[:keep], total=len(rows), results=options.out)
    print(f"{estimates.summary(rows, refined=not options.no_refine)}; {options.out}")
    if pages is not None:
        print(pages.path)
    if options.amplitudes is not None and isinstance(problem, problems.Problem):
        fitted = [row.estimate.solution for row in rows]
        for path in fit_amplitudes.write(options.out, problem.composition, inputs.filenames, fitted, order=options.amplitudes):
            print(path)
    if estimator is not None and estimator.task.amplitudes is not None:
        predicted = [row.estimate.network for row in rows]
        print(fit_amplitudes.write_predictions(options.out, inputs.filenames, estimator.task.amplitudes.names, predicted))
    if inputs.truth is not None and isinstance(problem, problems.Problem):
        from lensjax.report import estimate_report as report

        network, refined = estimates.parameters_of(rows, problem)
        print(report.errors_table(problem, inputs.truth, network=network, refined=refined))
