"""`lensjax sheet`: the images of a folder or a table on one."""

import argparse
import re
from pathlib import Path
from typing import Any

from lensjax.errors import BadInput

_SHEET = """examples:
  lensjax sheet images --out sheet.png                        PNG, TIFF and JPEG files of the folder
  lensjax sheet images/dataset.csv --out sheet.png --columns 10 --thumbnail 96

Of more than --most images, so many evenly spread ones are shown, and the sheet says so."""


def add(commands: Any, command: Any) -> None:
    """Adds the command to `commands`; `command`(commands, name, line, epilog, run) makes its parser."""
    parser = command(commands, "sheet", "a contact sheet of many images", _SHEET, _sheet)
    parser.add_argument("images", type=Path, metavar="DIR_OR_CSV", help="a folder, or a table with a column filename")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the sheet, a PNG file")
    parser.add_argument("--columns", type=_within(1, 1000), metavar="N", help="images in a row (as many as make the sheet about 4:3)")
    parser.add_argument("--thumbnail", type=_within(16, 2000), default=128, metavar="PX", help="side of a thumbnail (128)")
    parser.add_argument("--most", type=_within(1, 100_000), default=400, metavar="N", help="images shown (400)")


def _within(low: int, high: int) -> Any:
    def check(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r}; a whole number from {low} to {high} is allowed")
        return int(text)

    return check


def _sheet(options: argparse.Namespace) -> None:
    from lensjax.files import images
    from lensjax.files import whole as files
    from lensjax.report import sheet

    files.check_file(options.out)
    if options.out.suffix.lower() != ".png":
        raise BadInput(f"--out {options.out}: the sheet is written as PNG; a name that ends in .png is asked for")
    paths = _paths(options.images, options.out)
    made = sheet.contact_sheet(paths, columns=options.columns, thumbnail=options.thumbnail, most=options.most)
    images.write_png(options.out, made)
    shown = min(len(paths), options.most)
    count = f"{shown} image{'s' * (shown != 1)}" + (f" of {len(paths)}" if shown < len(paths) else "")
    print(f"{options.out}: {count}, {made.shape[1]}×{made.shape[0]} pixels")


def _paths(given: Path, out: Path) -> list[Path]:
    """The images that a table names, or those in a folder, numbers in their order; a sheet that was made before left out."""
    from lensjax.formats.cosmosim import table as cosmosim
    from lensjax.report import sheet

    if not given.is_dir():
        if given.exists() and given.suffix.lower() in sheet.SUFFIXES:
            raise BadInput(f"{given}: this is an image; a folder or a table is asked for")
        table = cosmosim.read(given)
        paths = [given.parent / name for name in table.filenames]
        missing = next((k for k, path in enumerate(paths) if not path.is_file()), None)
        if missing is not None:
            raise BadInput(f"{given}: line {table.lines[missing]}, column filename: there is no file {paths[missing]}")
        return paths
    try:
        inside = list(given.iterdir())
    except OSError as error:
        raise BadInput(f"{given}: the folder cannot be read: {error.strerror or error}") from None
    found = [path for path in inside if path.suffix.lower() in sheet.SUFFIXES and path.resolve() != out.resolve()]
    if not found:
        raise BadInput(f"{given}: no images in this folder; {', '.join(sheet.SUFFIXES)} are looked for")
    return sorted(found, key=lambda path: [int(part) if part.isdecimal() else part for part in re.split(r"([0-9]+)", path.name)])
