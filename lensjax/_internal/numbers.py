"""Numbers in text: of command lines, CSV cells and TOML files."""

import math
import re


def finite(text: str) -> float:
    """The finite number of a text; NaN if it is something else."""
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def whole(text: str, low: int, high: int) -> int | None:
    """The whole number from `low` to `high` of a text; None if it is something else."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip(), re.ASCII):
        return None
    value = int(text)
    return value if low <= value <= high else None


def whole_expected(low: int, high: int) -> str:
    """What `whole` expects, in words."""
    return f"a whole number from {low} to {high}"


def shortest(value: float) -> str:
    """The shortest text that reads back as this number; whole numbers without a point."""
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e15 else repr(float(value))
