"""`lensjax compare`: two folders of images, or all pairs within one."""

from dataclasses import dataclass
from pathlib import Path

from lensjax._internal.words import counted
from lensjax.cli import arguments, values

_EPILOG = """examples:
  lensjax compare theirs ours                    images of the same name in two folders
  lensjax compare theirs ours --out report       also compare.csv, and images A | B | A - B of the pairs that differ most
  lensjax compare images                         all pairs of the images of one folder: which are equal?
  lensjax compare a.png b.png

Differences are in grey levels. Names that only one folder has are listed."""


@dataclass(frozen=True)
class Options:
    """The command's flags."""

    first: Path
    second: Path | None
    out: Path | None
    tolerance: float
    worst: int
    limit: int


def add(parser: arguments.Parser) -> None:
    """Adds the command."""
    command = parser.command(
        "compare",
        "Compare the images of two folders, or all pairs of one.",
        _EPILOG,
        lambda flags: run(arguments.options_of(Options, flags)),
    )
    command.add_argument("first", type=Path, metavar="A", help="a folder of images, or an image")
    command.add_argument("second", type=Path, nargs="?", metavar="B", help="another; without it all pairs within A")
    command.add_argument("--out", type=Path, metavar="DIR", help="folder for compare.csv and images of differences")
    tolerance = "largest difference of equal pixels [grey levels] (0)"
    levels = values.number(0.0, 255.0, "a number of grey levels from 0 to 255")
    command.add_argument("--tolerance", type=levels, default=0.0, metavar="T", help=tolerance)
    count = values.whole(0, 10**9, "a whole number, 0 or more")
    command.add_argument("--worst", type=count, default=20, metavar="N", help="images of differences that are written (20)")
    command.add_argument("--limit", type=count, default=20, metavar="N", help="pairs that are printed, the most different first (20)")


def run(options: Options) -> None:
    """The command."""
    from tqdm import tqdm

    from lensjax.files import whole as files
    from lensjax.report import compare

    if options.out is not None:
        files.check_folder(options.out)
    a = compare.images_in(options.first)
    b = a if options.second is None else compare.images_in(options.second)
    only_a: list[str] = []
    only_b: list[str] = []
    total = len(a) * (len(a) - 1) // 2 if options.second is None else min(len(a), len(b))
    with tqdm(total=total, unit="pair", disable=None, leave=False, delay=2) as bar:
        if options.second is None:
            pairs = compare.all_pairs(a, on_pair=lambda pair: bar.update())
        else:
            pairs, only_a, only_b = compare.matching_pairs(a, b, on_pair=lambda pair: bar.update())
    for names, here, there in ((only_a, options.first, options.second), (only_b, options.second, options.first)):
        if names:
            print(f"only in {here}, not in {there}: {', '.join(names[:10])}" + (f" and {len(names) - 10} more" if len(names) > 10 else ""))
    print(compare.summary(pairs, tolerance=options.tolerance, limit=options.limit))
    if options.out is not None:
        written = compare.write(options.out, pairs, a, b, tolerance=options.tolerance, worst=options.worst)
        print(f"compare.csv and {counted(written, 'image')} in {options.out}")
