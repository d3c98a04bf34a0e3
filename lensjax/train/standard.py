"""Mean and spread of targets over a training set."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from lensjax.errors import BadInput


class Standard(NamedTuple):
    """Mean and spread (standard deviation) of each parameter over a training set, in file units."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def of_json(cls, content: Any, *, count: int, path: Path) -> "Standard":
        """The record in the object "standard" of a JSON file; `count` numbers each.

        Raises:
            BadInput: it has none.
        """
        own: Any = content.get("standard") if isinstance(content, dict) else None
        try:
            standard = cls(*(tuple(map(float, own[field])) for field in cls._fields))
            if {len(values) for values in standard} == {count} and all(map(math.isfinite, sum(standard, ()))):
                return standard
        except (KeyError, TypeError, ValueError):
            pass
        raise BadInput(path=path, column="standard", value=own, expected=f"mean and spread, {count} numbers each")
