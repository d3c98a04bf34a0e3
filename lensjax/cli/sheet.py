"""`lensjax sheet`: the images of a folder or a table on one sheet."""

import re
from dataclasses import dataclass
from pathlib import Path

from lensjax._internal.words import counted
from lensjax.cli import arguments, values
from lensjax.errors import BadInput

_EPILOG = """examples:
  lensjax sheet images --out sheet.png                        PNG, TIFF and JPEG files of the folder
  lensjax sheet images/dataset.csv --out sheet.png --columns 10 --thumbnail 96

Of more than --most images, an evenly spread selection is shown, and the sheet says so."""


@dataclass(frozen=True)
class Options:
    """The command's flags."""

    images: Path
    out: Path
    columns: int | None
    thumbnail: int
    most: int


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command(
        "sheet", "Put many images on one contact sheet.", _EPILOG, lambda flags: run(arguments.options_of(Options, flags))
    )
    command.add_argument("images", type=Path, metavar="DIR_OR_CSV", help="a folder, or a table with a column filename")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="the sheet, a PNG file")
    columns = "images in a row (by default as many as make the sheet about 4:3)"
    command.add_argument("--columns", type=values.whole(1, 1000), metavar="N", help=columns)
    command.add_argument("--thumbnail", type=values.whole(16, 2000), default=128, metavar="PX", help="side of a thumbnail (128)")
    command.add_argument("--most", type=values.whole(1, 100_000), default=400, metavar="N", help="images shown (400)")


def run(options: Options) -> None:
    """The command."""
    from lensjax.files import images
    from lensjax.files import whole as files
    from lensjax.report import sheet

    files.check_file(options.out)
    if options.out.suffix.lower() != ".png":
        raise BadInput(column="--out", value=str(options.out), expected="a name that ends in .png: the sheet is written as PNG")
    paths = _paths(options.images, options.out)
    pixels = sheet.contact_sheet(paths, columns=options.columns, thumbnail=options.thumbnail, most=options.most)
    images.write_png(options.out, pixels)
    shown = min(len(paths), options.most)
    count = counted(shown, "image") + (f" of {len(paths)}" if shown < len(paths) else "")
    print(f"{options.out}: {count}, {pixels.shape[1]}×{pixels.shape[0]} pixels")


def _paths(place: Path, out: Path) -> list[Path]:
    """The images that a table names, or those in a folder sorted by the numbers in their names, without an earlier sheet."""
    from lensjax.files.images import SUFFIXES
    from lensjax.formats.cosmosim import table as tables

    if not place.is_dir():
        if place.exists() and place.suffix.lower() in SUFFIXES:
            raise BadInput("this is an image", path=place, expected="a folder or a table")
        table = tables.read(place)
        paths = [place.parent / name for name in table.filenames]
        missing = next((k for k, path in enumerate(paths) if not path.is_file()), None)
        if missing is not None:
            raise BadInput(
                f"there is no file {paths[missing]}", path=place, line=table.lines[missing], column="filename", value=str(paths[missing])
            )
        return paths
    try:
        inside = list(place.iterdir())
    except OSError as error:
        raise BadInput(f"the folder cannot be read: {error.strerror or error}", path=place) from None
    images = [path for path in inside if path.suffix.lower() in SUFFIXES and path.resolve() != out.resolve()]
    if not images:
        raise BadInput("no images in this folder", path=place, expected=f"files that end in {', '.join(SUFFIXES)}")
    return sorted(images, key=lambda path: [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", path.name)])
