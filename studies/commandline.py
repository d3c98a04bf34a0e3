"""The command line that studies of training runs share."""

import argparse
from collections.abc import Callable
from pathlib import Path

LEAST_STEPS = 10
"""Tables have ten parts."""


def at_least(least: int) -> Callable[[str], int]:
    """A type of argparse: a whole number, `least` or more."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"the value is {value}; expected {least} or more")
        return value

    number.__name__ = "whole number"
    return number


def of_runs(
    description: str | None, *, steps: int, image_size: int, batch: int, out: str, rate: float | None = None, writes: str = "the figure"
) -> argparse.ArgumentParser:
    """A parser with --steps, --image-size, --batch, --rate (where `rate` is its default) and --out, which a study adds its own flags to."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag, default, least, meaning in (
        ("--steps", steps, LEAST_STEPS, "steps of each run"),
        ("--image-size", image_size, 1, "pixels on a side"),
        ("--batch", batch, 1, "images in a step"),
    ):
        parser.add_argument(flag, type=at_least(least), default=default, metavar="N", help=f"{meaning} ({default})")
    if rate is not None:
        parser.add_argument("--rate", type=float, default=rate, metavar="X", help=f"peak of the learning rate ({rate:g})")
    parser.add_argument("--out", type=Path, default=Path(out), metavar="PATH", help=f"{writes} ({out})")
    return parser
