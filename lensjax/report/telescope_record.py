"""What a page says of one fit of a telescope's image, as a record in JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lensjax.infer import Solution
from lensjax.observation.sky import SkyImage
from lensjax.problems.compose import Composition
from lensjax.report.telescope_view import assumed, degrees_of, flags_of
from lensjax.report.values import with_error

_SHOWN = 60  # linear amplitudes of profiles that have several, in a table

Row = tuple[str, str, str, str]
"""Name, value, 1σ error and unit of a parameter."""


@dataclass(frozen=True)
class Picture:
    """A figure: its file relative to the page, title, caption, and text for those who cannot see it."""

    file: str
    title: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Lens:
    """What a page says of one image.

    Attributes:
        key: a name for the estimate, which changes when it does.
        name, stem: of the image, and of its files.
        success: whether the fit can be trusted.
        radius: θ_E and its error [arcsec]; empty without.
        chi2: χ² over degrees of freedom, and how many these are; empty without a fit.
        flags: what the fit says.
        assumed: what it took for granted.
        parameters: a row for each parameter, and for each position angle on the sky.
        amplitudes: a row for each amplitude of profiles that have several.
        omitted: how many of these are left out.
        panels: the figures.
    """

    key: str
    name: str
    stem: str
    success: bool = False
    radius: tuple[str, ...] = ()
    chi2: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    parameters: tuple[Row, ...] = ()
    amplitudes: tuple[Row, ...] = ()
    omitted: int = 0
    panels: tuple[Picture, ...] = ()

    @staticmethod
    def of_json(content: Any) -> "Lens":
        """A record, read back.

        Raises:
            TypeError, KeyError: it is something else.
        """
        words = {name: tuple(content[name]) for name in ("radius", "chi2", "flags", "assumed")}
        rows = {name: tuple(tuple(row) for row in content[name]) for name in ("parameters", "amplitudes")}
        return Lens(**{**content, **words, **rows, "panels": tuple(Picture(**panel) for panel in content["panels"])})


def lens_of(
    key: str,
    name: str,
    stem: str,
    *,
    problem: Composition,
    image: SkyImage,
    solution: Solution,
    angles: Mapping[str, float],
    panels: Sequence[Picture],
    problems: Sequence[str] = (),
) -> Lens:
    """The record of a fit.

    Args:
        key, name, stem: as in `Lens`.
        problem: what was fitted.
        image: to which image.
        solution: the solution, fluxes in the file's unit.
        angles: position angles on the sky of the problem's directions [deg], by name; NaN without a WCS.
        panels: the figures.
        problems: what is wrong with these, in words.
    """
    fitted = bool(np.isfinite(solution.params).all())
    radius: tuple[str, ...] = ()
    own, several, omitted = rows_of(problem, solution, angles, image.unit) if fitted else ((), (), 0)
    for row in own:
        if row[0].endswith("theta_E") and not radius:
            radius = row[1:3]
    degrees, chi2 = degrees_of(problem, image), float(solution.chi2[0])
    return Lens(
        key=key,
        name=name,
        stem=stem,
        success=bool(solution.success[0]),
        radius=radius,
        chi2=(f"{chi2:.3f}", str(degrees), f"{math.sqrt(2.0 / max(degrees, 1)):.3f}") if math.isfinite(chi2) else (),
        flags=(*flags_of(solution, image), *problems),
        assumed=tuple(assumed(image)),
        parameters=own,
        amplitudes=several,
        omitted=omitted,
        panels=tuple(panels),
    )


def rows_of(
    problem: Composition, solution: Solution, angles: Mapping[str, float], unit: str
) -> tuple[tuple[Row, ...], tuple[Row, ...], int]:
    """Rows of the parameters, rows of the amplitudes of profiles that have several, and how many of the latter are left out."""
    light = unit or "data unit"
    several = {parameter.name for part in problem.components for parameter in part.several}
    own: list[Row] = []
    others: list[Row] = []
    for parameter, value, error in zip(problem.parameters, solution.params[0], solution.errors[0], strict=True):
        text, spread = with_error(float(value), float(error))
        row = (parameter.name, text, spread, parameter.unit.replace("light", light))
        (others if parameter.name in several else own).append(row)
        if math.isfinite(angles.get(parameter.name, math.nan)):
            text, _ = with_error(angles[parameter.name], float(error))
            own.append((f"{parameter.name}_east_of_north", text, spread, parameter.unit))
    return tuple(own), tuple(others[:_SHOWN]), len(others[_SHOWN:])
