"""`lensjax calibrate`: how far error bars can be trusted, those of fits and those of networks."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from lensjax import problems
from lensjax.cli import arguments, values
from lensjax.errors import BadInput

_EPILOG = """examples:
  lensjax calibrate --problem galaxy --n 100 --out calibration                     the errors of fits
  lensjax calibrate --problem galaxy --n 100 --posterior 400 --out calibration     and those of posteriors
  lensjax calibrate results/gaussian                                               those of a network
  lensjax calibrate results/gaussian/weights --n 5000 --out calibration.csv

Of fits: --problem draws mocks from the problem's prior, with a Gaussian PSF and white noise, and fits each as `lensjax estimate` does.
OUT is a folder: coverage.csv has the shares of mocks whose truth lies within the central 50, 68 and 95 % of each parameter, mocks.csv
one row a mock, calibration.png coverage and pulls; with --posterior also the ranks of the truth among the draws (simulation-based
calibration) and expected coverage (TARP). Fits that say themselves that they are no success do not count. Started again after an
interruption, the command resumes, also with another --n.

Of a network: FOLDER is that of a run of lensjax train with --config.head=gaussian or mixture, or of its exported weights. The
network sees fresh images of its own problem. Error bars are right where 68.3 % of the true values lie within the central 68.3 % of what
the network believes, and so on. The last line says by which factor all errors would have to grow. OUT is the table; a figure is written
beside it."""


@dataclass(frozen=True)
class Options:
    """The command's flags."""

    folder: Path | None
    problem: str | None
    n: int | None
    seed: int
    out: Path | None
    posterior: int | None
    pixels: int | None
    pixel_scale: float | None
    fwhm: float | None
    peak: float | None


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command("calibrate", "Test error bars on images with truth: those of fits, or of a network.", _EPILOG, _run)
    command.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="of a network: folder of a run, or of exported weights")
    command.choice("--problem", problems.telescope_names(), help="of fits: the problem that mocks are drawn from")
    command.add_argument("--n", type=values.COUNT, metavar="N", help="mocks (100), or a network's fresh images (2000)")
    command.add_argument("--seed", type=values.SEED, default=0, metavar="S", help="seed of the images (0)")
    command.add_argument("--out", type=Path, metavar="OUT", help="folder of mocks (calibration), or a network's table (calibration.csv)")
    group = command.add_argument_group("mocks", "for --problem")
    group.add_argument("--posterior", type=values.DRAWS, metavar="M", help="M draws from the posterior of each fit too (none)")
    group.add_argument("--pixels", type=values.SIZE, metavar="N", help="side of an image [px] (80)")
    group.add_argument("--pixel-scale", type=values.positive, metavar="ARCSEC", help="side of a pixel (0.05)")
    group.add_argument("--fwhm", type=values.positive, metavar="PX", help="of the PSF (2.5)")
    group.add_argument("--peak", type=values.positive, metavar="SNR", help="signal to noise of the brightest pixel, ×/÷ 1.5 (50)")


def _run(flags: argparse.Namespace) -> None:
    options = arguments.options_of(Options, flags)
    if options.folder is not None and options.problem is not None:
        raise BadInput("FOLDER and --problem contradict each other", expected="a network's folder, or the problem of fits")
    if options.problem is not None:
        _fits(options, options.problem)
        return
    if options.folder is None:
        raise BadInput("FOLDER or --problem is missing", hint="see lensjax calibrate --help")
    for name in ("posterior", "pixels", "pixel_scale", "fwhm", "peak"):
        if getattr(options, name) is not None:
            raise BadInput("goes with --problem", column=f"--{name.replace('_', '-')}")
    _network(options, options.folder)


def _network(options: Options, folder: Path) -> None:
    from lensjax._internal.progress import Progress
    from lensjax.train import calibration

    count = options.n or 2000
    with Progress(count, "image") as progress:
        own = calibration.Options(folder, count, options.seed, options.out or Path("calibration.csv"))
        lines = calibration.calibrate(own, progress=progress.update)
    print("\n".join(lines))


def _fits(options: Options, problem: str) -> None:
    from lensjax.report import calibrate_mocks

    given = {name: getattr(options, name) for name in ("pixels", "pixel_scale", "fwhm", "peak")}
    mocks = {name: value for name, value in given.items() if value is not None}
    mocks |= {"n": options.n or 100, "seed": options.seed, "draws": options.posterior or 0}
    print("\n".join(calibrate_mocks.run(problems.composed(problem, sky=True), options.out or Path("calibration"), **mocks)))
