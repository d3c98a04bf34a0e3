"""The members of a sweep."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Member:
    """One run of a sweep.

    Attributes:
        varied: fields of its config that differ between members, in the order of its name.
        fixed: further fields that it sets.
    """

    varied: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """All fields that it sets."""
        return {**self.varied, **self.fixed}

    @property
    def folder(self) -> str:
        """Its folder's name, such as "learning_rate=0.001,seed=0"; characters that a folder should not have become "_"."""
        text = ",".join(f"{name}={value}" for name, value in self.varied.items()) or "base"
        return "".join(c if c.isalnum() or c in "=.,+-_" else "_" for c in text)


def of_grid(grid: Mapping[str, Sequence[Any]]) -> list[Member]:
    """All combinations of the values, the last field varying fastest."""
    return [Member(dict(zip(grid, values, strict=True))) for values in itertools.product(*grid.values())]


def one_at_a_time(vary: Mapping[str, Sequence[Any]], grid: Mapping[str, Sequence[Any]]) -> list[Member]:
    """The first value of each field of `vary`, and each other value of one field alone; each with all combinations of the grid."""
    first = {name: values[0] for name, values in vary.items()}
    settings = [first, *({**first, name: value} for name, values in vary.items() for value in values[1:])]
    return [Member({**setting, **combination.varied}) for setting in settings for combination in of_grid(grid)]
