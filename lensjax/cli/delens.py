"""`lensjax delens`: an image and its lens to the undistorted source."""

import argparse
from pathlib import Path

from lensjax.cli import arguments, values

_EPILOG = """examples:
  lensjax delens image-000001.png --params results.csv --out source.png
  lensjax delens images/test.png --params images/dataset.csv --out source.png
  lensjax delens image.png --params results.csv --out source.png --how invert --noise 3

--params describes the lens and the position of the source: results.csv of estimate, a table of problem sis2023 or pm2022, or any
table in CosmoSim's columns, with lenses of any kind. Each colour is treated on its own.

  sample  each pixel of the source is the mean of the image where its light arrives: fast, and as noisy as the image
  invert  the smooth source whose lensed image is nearest to the image (Suyu et al. 2006): takes seconds, better for noisy images.
          Its pixels are half as wide as the image's. lambda is the weight of smoothness; by default the most probable one

Points that the image does not show are transparent. The centre of the source is at the centre of the PNG."""


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command("delens", "Reconstruct the undistorted source of an image.", _EPILOG, run)
    command.add_argument("image", type=Path, metavar="IMAGE", help="the image")
    command.add_argument("--params", type=Path, required=True, metavar="FILE", help="results.csv of estimate, or dataset.csv")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="the source, a PNG file")
    command.choice("--problem", arguments.PROBLEMS, help="kind of system (sis2023, unless the columns are CosmoSim's)")
    command.choice("--how", ("sample", "invert"), default="sample", help="see below (sample)")
    command.add_argument("--lambda", dest="strength", type=values.positive, metavar="L", help="invert: weight of smoothness")
    noise = "invert: noise of a pixel [grey levels] (from the residuals)"
    command.add_argument("--noise", type=values.positive, metavar="SIGMA", help=noise)
    penalty = "invert: property of the source that is kept small (curvature)"
    command.choice("--penalty", ("curvature", "gradient", "identity"), help=penalty)
    command.add_argument("--size", type=values.SIZE, metavar="N", help="pixels on a side of the source")
    command.add_argument("--field", type=values.SIZE, metavar="PX", help="side of the part of the source plane that is shown [px]")
    command.add_argument("--picture", type=Path, metavar="FILE", help="the source Image of a row whose image is centred")


def run(flags: argparse.Namespace) -> None:
    """The command."""
    from lensjax._internal.progress import Progress
    from lensjax.reconstruct.delens import Options, delens

    options = arguments.options_of(Options, flags)
    if options.how == "sample":
        lines = delens(options)
    else:
        with Progress(None, "step") as progress:
            lines = delens(options, progress=progress.update)
    print("\n".join(lines))
