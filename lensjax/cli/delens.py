"""`lensjax delens`: an image and its lens to the undistorted source."""

import argparse
from pathlib import Path

from lensjax.cli import arguments

_EPILOG = """examples:
  lensjax delens image-000001.png --params results.csv --out source.png
  lensjax delens images/test.png --params images/dataset.csv --out source.png
  lensjax delens image.png --params results.csv --out source.png --how invert --noise 3

--params says what the lens is and where the source stands: results.csv of estimate, a table of problem sis2023 or pm2022, or any
table in CosmoSim's columns, with lenses of any kind. Colours are treated one by one.

  sample  each pixel of the source is the mean of the image where its light arrives: at once, and as noisy as the image
  invert  the smooth source whose image is nearest to the image (Suyu et al. 2006): seconds; the better one where there is noise.
          Its pixels are half as wide as the image's. lambda is the weight of smoothness: the most probable one, unless given

Points that the image does not show are transparent. The source's centre is in the middle."""


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command("delens", "image and lens to the undistorted source", _EPILOG, run)
    command.add_argument("image", type=Path, metavar="IMAGE", help="the image")
    command.add_argument("--params", type=Path, required=True, metavar="FILE", help="results.csv of estimate, or dataset.csv")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="the source, a PNG file")
    command.choice(
        "--problem",
        arguments.PROBLEMS,
        help="kind of system (sis2023, unless the columns are CosmoSim's)",
    )
    command.choice(
        "--how",
        ("sample", "invert"),
        default="sample",
        help="see below (sample)",
    )
    command.add_argument("--lambda", dest="strength", type=arguments.positive, metavar="L", help="invert: weight of smoothness")
    command.add_argument(
        "--noise", type=arguments.positive, metavar="SIGMA", help="invert: noise of a pixel [grey levels] (from the residuals)"
    )
    command.choice(
        "--penalty",
        ("curvature", "gradient", "identity"),
        help="invert: what of the source is to be small (curvature)",
    )
    command.add_argument("--size", type=arguments.SIZE, metavar="N", help="pixels on a side of the source")
    command.add_argument("--field", type=arguments.SIZE, metavar="PX", help="side of what is shown of the source plane [px]")
    command.add_argument("--picture", type=Path, metavar="FILE", help="the source Image of a row whose image is centred")


def run(options: argparse.Namespace) -> None:
    from lensjax._internal.progress import Progress
    from lensjax.reconstruct.delens import Options, delens

    chosen = Options(
        image=options.image,
        params=options.params,
        out=options.out,
        problem=options.problem,
        how=options.how,
        strength=options.strength,
        noise=options.noise,
        penalty=options.penalty,
        size=options.size,
        field=options.field,
        picture=options.picture,
    )
    if options.how == "sample":
        lines = delens(chosen)
    else:
        with Progress(None, "step") as progress:
            lines = delens(chosen, progress=progress.update)
    print("\n".join(lines))
