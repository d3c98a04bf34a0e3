"""Inference problems: one a file, looked up by name here."""

import difflib
from typing import Any

from lensjax.errors import BadInput
from lensjax.problems import pm2022, sis2023
from lensjax.problems.base import Parameter, Problem

__all__ = ["Parameter", "Problem", "get", "names"]

_PROBLEMS = {"sis2023": sis2023.problem, "pm2022": pm2022.problem}


def names() -> list[str]:
    """Names of the problems."""
    return sorted(_PROBLEMS)


def get(name: str, **options: Any) -> Problem:
    """The problem called `name`; options as in its file: image_size, integer, method, terms, centred.

    Raises:
        BadInput: no such problem, or an option out of range.
    """
    if name not in _PROBLEMS:
        near = difflib.get_close_matches(name, _PROBLEMS, n=1) or names()
        raise BadInput(f"problem is {name!r}; did you mean {near[0]!r}? Known: {', '.join(names())}")
    return _PROBLEMS[name](**options)
