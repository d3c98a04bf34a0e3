"""Fits of telescopes' images: in the units of their files, with angles on the sky."""

from dataclasses import replace

import numpy as np

from lensjax.infer import estimation
from lensjax.infer.estimation import Fitted
from lensjax.infer.solution import Solution
from lensjax.observation.sky import SkyImage, position_angle
from lensjax.problems.compose import Composition


def fitted(problem: Composition, image: SkyImage) -> Fitted:
    """The fit of an image, from its bright pixels; fluxes are in the file's unit, and the status has the image's remarks."""
    found = estimation.estimate(problem, image.observed)
    solution = in_file_unit(problem, found.solution, image.scale)
    return replace(found, solution=replace(solution, status=tuple("; ".join((words, *image.remarks)) for words in solution.status)))


def in_file_unit(problem: Composition, solution: Solution, scale: float) -> Solution:
    """A solution with its linear amplitudes multiplied by `scale`."""
    factor = np.ones(len(problem.names))
    factor[len(factor) - problem.linear :] = scale
    return replace(
        solution,
        params=solution.params * factor,
        errors=solution.errors * factor,
        bound=solution.bound * factor,
        covariance=solution.covariance * np.outer(factor, factor),
    )


def angle_names(problem: Composition) -> tuple[str, ...]:
    """Names of the parameters that are directions of a line."""
    return tuple(parameter.name for parameter in problem.parameters if parameter.unit == "deg" and parameter.period == 180.0)


def sky_angles(problem: Composition, solution: Solution, image: SkyImage) -> tuple[float, ...]:
    """Position angles [deg, from north through east] of a solution's directions; NaN without a WCS, or a fit."""
    values = dict(zip(problem.names, solution.params[0], strict=True))
    known = image.wcs
    return tuple(
        np.nan if known is None or np.isnan(values[name]) else position_angle(values[name], known) for name in angle_names(problem)
    )
