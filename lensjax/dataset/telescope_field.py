"""Whether the field of an image goes with the lenses of a problem, as it does not where the pixel scale is wrong."""

from dataclasses import replace

import numpy as np

from lensjax.errors import BadInput
from lensjax.infer.solution import Solution
from lensjax.observation.sky import SkyImage
from lensjax.problems.compose import Composition

_RESOLVED = 0.5  # of the largest Einstein radius: the largest pixel with which a lens is more than a few pixels


def check(problem: Composition, image: SkyImage) -> None:
    """Whether an image can show a lens of a problem.

    Raises:
        BadInput: the smallest Einstein ring of the prior does not fit into it, or the largest is a few pixels.
    """
    (low, high), _ = problem.lens_range
    taken = image.observed.instrument
    height, width = (side * taken.pixel_scale for side in taken.shape)
    if 0.5 * min(height, width) < low:
        raise BadInput(
            f"the image shows {width:.3g}×{height:.3g} arcsec", column="--pixel-scale", value=taken.pixel_scale,
            expected=f"a field that holds an Einstein radius of {low:g} arcsec",
        )  # fmt: skip
    if taken.pixel_scale > _RESOLVED * high:
        raise BadInput(
            f"pixels of {taken.pixel_scale:.4g} arcsec", column="--pixel-scale", value=taken.pixel_scale,
            expected=f"pixels of up to {_RESOLVED * high:g} arcsec, as Einstein radii are {low:g} to {high:g}",
        )  # fmt: skip


def judged(solution: Solution, image: SkyImage) -> Solution:
    """A solution of one image: without success where an Einstein radius is larger than half the image, with words in `status`."""
    taken = image.observed.instrument
    half = 0.5 * max(taken.shape) * taken.pixel_scale
    radii = zip(solution.names, solution.params[0], strict=True)
    beyond = [name for name, value in radii if name.endswith("theta_E") and np.isfinite(value) and value > half]
    if not beyond:
        return solution
    words = tuple(f"{words}; {beyond[0]} reaches beyond the field" for words in solution.status)
    return replace(solution, success=np.zeros_like(solution.success), status=words)
