"""`lensjax simulate`: parameters to images."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lensjax._internal.words import counted
from lensjax.cli import arguments, cosmosim_flags, values
from lensjax.conventions import METHODS
from lensjax.errors import BadInput

if TYPE_CHECKING:
    import numpy as np

    from lensjax.dataset.draw import Plan
    from lensjax.dataset.write import Finish

_EPILOG = """examples:
  lensjax simulate --problem sis2023 --n 100 --out images          systems drawn from the thesis's prior
  lensjax simulate --problem sie2026 --n 100 --out images --roulette-csv roulette.csv          as CosmoSim's set of July 2026
  lensjax simulate --csv dataset.csv --out images                  the systems of a table, in CosmoSim's columns
  lensjax simulate --toml dataset.toml --n 20 --out images         a CosmoSim dataset.toml, or keys problem, n, seed, method
  lensjax simulate --csv dataset.csv --toml defaults.toml -C -Z 600 -z 400 --roulette-csv roulette.csv --out images
  lensjax simulate --roulette roulette.csv -Z 400 --out images     images from amplitudes alone
  lensjax simulate --roulette predicted.csv -S SersicSphere -s 3 --set n_sersic=2 --set luminosity=10 -Z 400 --out images

Writes one image for each row, and OUT/dataset.csv. Started again after an interruption, it resumes. The value of a column is the
cell of the CSV file, else the command line's, else the TOML file's, else a default. `lensjax doctor FILE` lists what CosmoSim
reads differently. A table of 2023 (columns einsteinR and chi) is read as problem sis2023 (400×400, centred, 50 terms), unless
there are flags for CosmoSim's columns."""


@dataclass(frozen=True)
class Options:
    """The command's flags."""

    csv: Path | None
    toml: Path | None
    problem: str | None
    n: int | None
    out: Path
    seed: int | None
    quantise: bool
    method: str | None
    size: int | None
    lookup: str
    roulette_csv: Path | None
    settings: dict[str, str]
    picture: Path | None
    skip_bad: bool
    roulette: Path | None
    mldata: bool
    annotate: bool
    sheet: Path | None


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command("simulate", "Render images of lens systems.", _EPILOG, lambda flags: run(arguments.options_of(Options, flags)))
    command.add_argument("--csv", type=Path, metavar="FILE", help="table of systems, one a row")
    command.add_argument("--toml", type=Path, metavar="FILE", help="CosmoSim's dataset.toml; or problem, n, seed and method")
    command.choice("--problem", arguments.ALL_PROBLEMS, help="kind of system; with --csv by default sis2023")
    command.add_argument("--n", type=values.COUNT, metavar="N", help="number of images to draw")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the images and dataset.csv")
    command.add_argument("--seed", type=values.SEED, metavar="S", help="seed of the draw (0)")
    quantise = "8-bit PNG (default), or 32-bit float TIFF"
    command.add_argument("--quantise", action=argparse.BooleanOptionalAction, default=True, help=quantise)
    command.choice("--method", METHODS, help="how a problem's light is traced (roulette, or the table's column model)")
    command.add_argument("--size", type=values.SIZE, metavar="N", help="pixels on a side of a problem's image, same field (400)")
    lookup = "exact light, or CosmoSim's own pixels to compare with (exact)"
    command.choice("--lookup", ("exact", "cosmosim"), default="exact", help=lookup)
    command.add_argument("--roulette-csv", type=Path, metavar="FILE", help="also write the roulette amplitudes, as CosmoSim does")
    command.add_argument("--mldata", action="store_true", help="omit from --roulette-csv the columns that CosmoSim's --mldata omits")
    command.add_argument("--roulette", type=Path, metavar="FILE", help="images from a table of amplitudes alone")
    command.add_argument("--picture", type=Path, metavar="FILE", help="the picture of a source Image")
    command.add_argument("--skip-bad", action="store_true", help="skip rows that cannot be used, and list them")
    command.add_argument("--annotate", action="store_true", help="draw critical curve, caustic, reference point, ring and source")
    command.add_argument("--sheet", type=Path, metavar="FILE", help="write a contact sheet of the images, PNG")
    cosmosim_flags.add(command)


def run(options: Options) -> None:
    """The command."""
    from lensjax.dataset import draw, write
    from lensjax.files import images

    request = draw.Request(
        csv=options.csv, toml=options.toml, roulette=options.roulette, problem=options.problem, n=options.n, seed=options.seed,
        method=options.method, size=options.size, settings=options.settings, picture=options.picture, skip_bad=options.skip_bad,
        quantise=options.quantise, as_cosmosim=options.lookup == "cosmosim" or options.roulette_csv is not None,
    )  # fmt: skip
    if options.mldata and options.roulette_csv is None:
        problem = "does not go with --roulette" if options.roulette is not None else "goes with --roulette-csv"
        raise BadInput(problem, column="--mldata")
    plan = draw.draw(request, on_many=_say)
    if options.annotate and (plan.records or plan.of_problem):
        raise BadInput(f"does not go with {'--roulette' if plan.records else '--problem'}", column="--annotate")
    others = [path for path in (options.roulette_csv, options.sheet) if path is not None]
    write.check(plan, options.out, others)
    for warning in plan.warnings:
        _say(warning)

    def write_sheet() -> None:
        if options.sheet is not None:
            from lensjax.report import sheet

            images.write_png(options.sheet, sheet.contact_sheet([options.out / scene.filename for scene in plan.scenes]))

    write.dataset(
        plan,
        options.out,
        lookup=options.lookup,
        quantise=options.quantise,
        finish=_annotator(plan, options.annotate),
        variant="annotated" if options.annotate else "",
        amplitudes=options.roulette_csv,
        ml=options.mldata,
        afterwards=write_sheet,
    )
    written = [counted(len(plan.scenes), "image"), *map(str, others)]
    print(f"{', '.join(written)}{' and dataset.csv' if plan.write_table else ''} in {options.out}")


def _say(line: str) -> None:
    print(f"lensjax: {line}", file=sys.stderr, flush=True)


def _annotator(plan: "Plan", everything: bool) -> "Finish | None":
    """Draws curves into the images; None where no scene has any."""
    if not everything and not any(scene.criticalcurves for scene in plan.scenes):
        return None
    from lensjax.report import annotate

    def finish(i: int, image: "np.ndarray", centre: "np.ndarray") -> "np.ndarray":
        scene = plan.scenes[i]
        if everything:
            return annotate.scene(image, scene, centre)
        return annotate.scene(image, scene, centre, parts=("critical curve",)) if scene.criticalcurves else image

    return finish
