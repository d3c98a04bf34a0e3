"""The values of flags: what each takes, checked as it is read."""

import argparse
import math
import sys
from collections.abc import Callable, Iterable

from lensjax._internal import words
from lensjax._internal.numbers import finite, whole_expected
from lensjax._internal.numbers import whole as whole_number


class Unfit(argparse.ArgumentTypeError):
    """A value of a flag that cannot be used, and what is expected instead."""

    def __init__(self, value: str, expected: str, hint: str = "") -> None:
        super().__init__(f"the value is {value!r}; expected {expected}")
        self.value, self.expected, self.hint = value, expected, hint


def whole(low: int, high: int, expected: str = "") -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def check(text: str) -> int:
        value = whole_number(text, low, high)
        if value is None:
            raise Unfit(text, expected or whole_expected(low, high))
        return value

    return check


def number(low: float, high: float, expected: str) -> Callable[[str], float]:
    """A number from `low` to `high`."""

    def check(text: str) -> float:
        value = finite(text)
        if not low <= value <= high:
            raise Unfit(text, expected)
        return value

    return check


def one_of(known: Iterable[str]) -> Callable[[str], str]:
    """One of several words."""
    names = tuple(known)

    def check(text: str) -> str:
        if text not in names:
            raise Unfit(text, f"one of {', '.join(names)}", words.did_you_mean(text, names))
        return text

    return check


SHARE = number(0.0, 0.99, "a share from 0 to 0.99")

EINSTEIN_RADIUS = number(0.8, 20.0, "an Einstein radius from 0.8 to 20 arcsec")

positive = number(sys.float_info.min, sys.float_info.max, "a positive number")


def noise(text: str) -> float | str:
    """A noise: a positive number; or other words, such as cosmosim or the name of a file."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not 0 < value < math.inf:
        raise Unfit(text, "a positive number, cosmosim, or a file")
    return value


def shard(text: str) -> tuple[int, int]:
    """Which of several equal parts: K/N, K from 1 to N."""
    part, _, parts = text.partition("/")
    count = whole_number(parts, 1, 1_000_000)
    index = None if count is None else whole_number(part, 1, count)
    if count is None or index is None:
        raise Unfit(text, "K/N, part K of N, such as 3/16")
    return index, count


COUNT = whole(1, 1_000_000)
SEED = whole(0, 2**32 - 1)
ORDER = whole(1, 50)
SIZE = whole(16, 2000)
DRAWS = whole(16, 1_000_000)
