"""Inference problems, one in each file, looked up by name. Names and lenses are available without JAX."""

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lensjax._internal.words import did_you_mean, listed
from lensjax.errors import BadInput

if TYPE_CHECKING:
    from lensjax.problems.axisymmetric import AxisymmetricProblem
    from lensjax.problems.base import Parameter, Problem
    from lensjax.problems.compose import Composition

__all__ = [
    "Parameter", "Problem", "cluster_names", "command_names", "composed", "composed_names", "cosmosim_names", "get", "lens_kind", "names",
    "telescope_names", "thesis",
]  # fmt: skip

_PROBLEMS = {"sis2023": "SIS", "pm2022": "PM"}
"""Modules of the problems, and the name of each lens in files."""


_COSMOSIM = ("cluster2sie2026", "cluster4sis2026", "sie2026")
_COMPOSED = dict.fromkeys(_COSMOSIM, "cosmosim2026") | {"galaxy": "galaxy_images", "sie_shear": "sie_shear"}
"""Modules of the problems that are composed of components and have images of their own, on which networks train."""

_CLUSTERS = ("cluster2sie2026", "cluster4sis2026")
"""Problems of `_COSMOSIM` with more than one lens."""

_TELESCOPE = {"galaxy": "galaxy"}
"""Modules of the composed problems whose images telescopes take."""


def cosmosim_names() -> list[str]:
    """Names of the composed problems whose images CosmoSim draws."""
    return list(_COSMOSIM)


def cluster_names() -> list[str]:
    """Names of the problems of `cosmosim_names` with more than one lens."""
    return list(_CLUSTERS)


def command_names() -> list[str]:
    """Names of the problems that `lensjax simulate` and `lensjax estimate` take."""
    return [*names(), *cosmosim_names()]


def composed_names() -> list[str]:
    """Names of the problems that are composed of components and have images of their own."""
    return sorted(_COMPOSED)


def telescope_names() -> list[str]:
    """Names of the composed problems whose images telescopes take: field, pixels and noise are those of the observation."""
    return sorted(_TELESCOPE)


def composed(name: str, **options: Any) -> "Composition":
    """What is fitted to images of a composed problem; options as in the problem's file, such as those of `galaxy.galaxy`.

    Raises:
        BadInput: no such problem, or an option that cannot be used.
    """
    modules = _COMPOSED | _TELESCOPE
    if name not in modules:
        known = sorted(modules)
        raise BadInput(column="problem", value=name, expected=f"one of {listed(known)}", hint=did_you_mean(name, known))
    problem: Composition = getattr(import_module(f"lensjax.problems.{modules[name]}"), name)(**options)
    return problem


def names() -> list[str]:
    """Names of the problems of an axisymmetric lens, which `thesis` gives."""
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
    """The problem called `name`. All have the option `image_size`; those of 2022 and 2023 integer, method, terms and centred too.

    `origin=True`, of those of `cluster_names`: the origin of CosmoSim's coordinates is among their parameters.

    Raises:
        BadInput: no such problem, or an option out of range.
    """
    origin = options.pop("origin", False)
    if origin and name not in _CLUSTERS:
        raise BadInput(column="problem", value=name, expected=f"one of {listed(_CLUSTERS)}, with origin")
    if name not in _COMPOSED:
        return thesis(name, **options)
    place = import_module(f"lensjax.problems.{_COMPOSED[name]}")
    own = getattr(place, name)()
    problem: Problem = place.imaged(place.labelled(own) if origin else own)
    size = options.pop("image_size", problem.field)
    if options:
        raise BadInput("is not an option of this problem", place=f"problem {name}", column=next(iter(options)), expected="image_size alone")
    if size < 16 or problem.field % size:
        raise BadInput(column="image_size", place=f"problem {name}", value=size, expected=f"a divisor of {problem.field}, 16 or more")
    return replace(problem, image_size=size)


def thesis(name: str, **options: Any) -> "AxisymmetricProblem":
    """As `get`, one of `names()`."""
    if name not in _PROBLEMS:
        known = [*names(), *composed_names()]
        raise BadInput(column="problem", value=name, expected=f"one of {listed(known)}", hint=did_you_mean(name, known))
    from lensjax.problems.axisymmetric import problem_of

    return problem_of(import_module(f"lensjax.problems.{name}").KIND, **options)


def __getattr__(name: str) -> Any:
    if name not in ("Parameter", "Problem"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("lensjax.problems.base"), name)
