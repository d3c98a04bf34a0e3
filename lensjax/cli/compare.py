"""`lensjax compare`: two folders of images, or all pairs within one."""

import argparse
import re
from pathlib import Path
from typing import Any

_EPILOG = """examples:
  lensjax compare theirs ours                    images of the same name in two folders
  lensjax compare theirs ours --out report       also compare.csv, and pictures A | B | A - B of the pairs that differ most
  lensjax compare images                         all pairs among the images of one folder: which are the same picture?
  lensjax compare a.png b.png

Differences are in grey levels. Names that only one folder has are listed."""


def add(commands: Any, command: Any) -> None:
    """Adds the command."""
    parser: argparse.ArgumentParser = command(commands, "compare", "how alike images are", _EPILOG, run)
    parser.add_argument("first", type=Path, metavar="A", help="a folder of images, or an image")
    parser.add_argument("second", type=Path, nargs="?", metavar="B", help="another; without it all pairs within A")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for compare.csv and pictures of differences")
    parser.add_argument("--tolerance", type=_levels, default=0.0, metavar="T", help="largest difference of equal pixels [grey levels] (0)")
    parser.add_argument("--worst", type=_count, default=20, metavar="N", help="pictures of differences that are written (20)")
    parser.add_argument("--limit", type=_count, default=20, metavar="N", help="pairs that are printed, those that differ most (20)")


def _levels(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 256:
        raise argparse.ArgumentTypeError(f"{text!r}; a number of grey levels from 0 to 255 is allowed")
    return value


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r}; a whole number, 0 or more, is allowed")
    return int(text)


def run(options: argparse.Namespace) -> None:
    """The command."""
    import numpy as np
    from tqdm import tqdm

    from lensjax.files import whole as files
    from lensjax.report import compare

    if options.out is not None:
        files.check_folder(options.out)
    a = compare.found(options.first)
    b = a if options.second is None else compare.found(options.second)
    only_a: list[str] = []
    only_b: list[str] = []
    total = len(a) * (len(a) - 1) // 2 if options.second is None else min(len(a), len(b))
    with tqdm(total=total, unit="pair", disable=None, leave=False, delay=2) as bar:
        if options.second is None:
            pairs = compare.among(a, on_pair=lambda pair: bar.update())
        else:
            pairs, only_a, only_b = compare.folders(a, b, on_pair=lambda pair: bar.update())
    rows = compare.table(pairs, options.tolerance)
    unequal = rows[~rows["equal"]].sort_values("rms", ascending=False)
    if len(unequal) and options.limit > 0:
        print(unequal.head(options.limit).drop(columns="equal").to_string(index=False, float_format=lambda value: f"{value:.4g}"))
        if len(unequal) > options.limit:
            print(f"... and {len(unequal) - options.limit} more")
    for names, here, there in ((only_a, options.first, options.second), (only_b, options.second, options.first)):
        if names:
            print(f"only in {here}, not in {there}: {', '.join(names[:10])}" + (f" and {len(names) - 10} more" if len(names) > 10 else ""))
    same = int(rows["equal"].sum())
    print(f"{same} of {len(rows)} pairs equal" + (f" (to {options.tolerance:g} grey levels)" if options.tolerance else ""))
    print(f"mean |difference| {rows['mean'].mean():.4g}, median rms {np.median(rows['rms']):.4g}, largest {rows['largest'].max():.4g}")
    if options.out is not None:
        pictures = compare.write(options.out, pairs, a, b, tolerance=options.tolerance, worst=options.worst)
        print(f"compare.csv and {pictures} picture{'s' * (pictures != 1)} in {options.out}")
