"""Inference problems, one in each file, looked up by name. Names and lenses are available without JAX."""

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lensjax._internal.words import did_you_mean, listed
from lensjax.errors import BadInput

if TYPE_CHECKING:
    from lensjax.problems.base import Parameter, Problem
    from lensjax.problems.compose import Composition
    from lensjax.problems.images import Imaged

__all__ = [
    "Parameter", "Problem", "command_names", "composed", "composed_names", "cosmosim_names", "get", "imaged", "imaged_names", "lens_kind",
    "names",
]  # fmt: skip

_PROBLEMS = {"sis2023": "SIS", "pm2022": "PM"}
"""Modules of the problems, and the name of each lens in files."""


_COSMOSIM = ("cluster2sie2026", "cluster4sis2026", "sie2026")
_IMAGED = dict.fromkeys(_COSMOSIM, "cosmosim2026") | {"sie_shear": "sie_shear"}
_COMPOSED = _IMAGED | {"galaxy": "galaxy"}
"""Modules of the problems that are composed of components; `_IMAGED` are those with images of their own, on which networks train."""


def cosmosim_names() -> list[str]:
    """Names of the composed problems whose images CosmoSim draws."""
    return list(_COSMOSIM)


def command_names() -> list[str]:
    """Names of the problems that `lensjax simulate` and `lensjax estimate` take."""
    return [*names(), *cosmosim_names()]


def composed_names() -> list[str]:
    """Names of the composed problems, which `composed` gives."""
    return sorted(_COMPOSED)


def imaged_names() -> list[str]:
    """Names of the composed problems with images of their own, which `imaged` gives: networks train on them."""
    return sorted(_IMAGED)


def composed(name: str, **options: Any) -> "Composition":
    """The composed problem called `name`; options as in its file, such as those of `galaxy.galaxy`.

    Raises:
        BadInput: no such problem, or an option that cannot be used.
    """
    if name not in _COMPOSED:
        known = composed_names()
        raise BadInput(column="problem", value=name, expected=f"one of {listed(known)}", hint=did_you_mean(name, known))
    problem: Composition = getattr(import_module(f"lensjax.problems.{_COMPOSED[name]}"), name)(**options)
    return problem


def imaged(name: str, *, image_size: int | None = None) -> "Imaged":
    """The composed problem called `name` with the images that networks train on; of the problem's own size by default.

    Raises:
        BadInput: no such problem, or an image size that does not divide the field's.
    """
    if name not in _IMAGED:
        known = imaged_names()
        raise BadInput(column="problem", value=name, expected=f"one of {listed(known)}", hint=did_you_mean(name, known))
    whole = composed(name)
    taken: Imaged = import_module(f"lensjax.problems.{_IMAGED[name]}").imaged(whole)
    if image_size is None:
        return taken
    if image_size < 16 or taken.field % image_size:
        raise BadInput(column="image_size", place=f"problem {name}", value=image_size, expected=f"a divisor of {taken.field}, 16 or more")
    return replace(taken, image_size=image_size)


def names() -> list[str]:
    """Names of the problems."""
    return sorted(_PROBLEMS)


def lens_kind(name: str) -> str:
    """The name in files of the lens of problem `name`, one of `formats.scene.LENSES`.

    Raises:
        BadInput: no such problem.
    """
    if name not in _PROBLEMS:
        raise BadInput(column="problem", value=name, expected=f"one of {listed(names())}", hint=did_you_mean(name, names()))
    return _PROBLEMS[name]


def get(name: str, **options: Any) -> "Problem":
    """The problem called `name`; options as in its file: image_size, integer, method, terms, centred.

    Raises:
        BadInput: no such problem, or an option out of range.
    """
    lens_kind(name)
    problem: Problem = import_module(f"lensjax.problems.{name}").problem(**options)
    return problem


def __getattr__(name: str) -> Any:
    if name not in ("Parameter", "Problem"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("lensjax.problems.base"), name)
