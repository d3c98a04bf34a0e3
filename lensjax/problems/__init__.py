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
    "Parameter", "Problem", "command_names", "composed", "composed_names", "cosmosim_names", "get", "imaged", "lens_kind", "names",
    "telescope_names",
]  # fmt: skip

_PROBLEMS = {"sis2023": "SIS", "pm2022": "PM"}
"""Modules of the problems, and the name of each lens in files."""


_COSMOSIM = ("cluster2sie2026", "cluster4sis2026", "sie2026")
_COMPOSED = dict.fromkeys(_COSMOSIM, "cosmosim2026") | {"sie_shear": "sie_shear"}
"""Modules of the problems that are composed of components."""

_TELESCOPE = {"galaxy": "galaxy"}
"""Modules of the composed problems whose images telescopes take."""


def cosmosim_names() -> list[str]:
    """Names of the composed problems whose images CosmoSim draws."""
    return list(_COSMOSIM)


def command_names() -> list[str]:
    """Names of the problems that `lensjax simulate` and `lensjax estimate` take."""
    return [*names(), *cosmosim_names()]


def telescope_names() -> list[str]:
    """Names of the composed problems whose images telescopes take; lengths are arcseconds."""
    return sorted(_TELESCOPE)


def composed_names() -> list[str]:
    """Names of the composed problems that networks train on."""
    return sorted(_COMPOSED)


def composed(name: str) -> "Composition":
    """The composed problem called `name`.

    Raises:
        BadInput: no such problem.
    """
    modules = _COMPOSED | _TELESCOPE
    if name not in modules:
        known = sorted(modules)
        raise BadInput(column="problem", value=name, expected=f"one of {listed(known)}", hint=did_you_mean(name, known))
    problem: Composition = getattr(import_module(f"lensjax.problems.{modules[name]}"), name)()
    return problem


def imaged(name: str, *, image_size: int | None = None) -> "Imaged":
    """The composed problem called `name` with the images that networks train on; of the problem's own size by default.

    Raises:
        BadInput: no such problem, or an image size that does not divide the field's.
    """
    whole = composed(name)
    taken: Imaged = import_module(f"lensjax.problems.{_COMPOSED[name]}").imaged(whole)
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
