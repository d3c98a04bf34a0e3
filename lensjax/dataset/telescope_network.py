"""What a network says of telescopes' images: each is shown to it as those it was trained on, and its answer is in the file's units."""

import logging
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from lensjax.dataset import telescope_fits
from lensjax.errors import BadInput
from lensjax.estimate import Estimate
from lensjax.observation.sky import SkyImage
from lensjax.pipeline import window
from lensjax.pipeline.arcs import sigma_of
from lensjax.pipeline.run import moved
from lensjax.problems.images import ComposedProblem
from lensjax.trained import Estimator

_log = logging.getLogger(__name__)
_WIDTHS, _NEAR = (1.0, 2.0, 4.0), 0.05  # px: of the Gaussians that fill gaps, and how much of one must lie on pixels that are used


def each(estimator: Estimator, images: Iterator[SkyImage | BadInput]) -> Iterator[tuple[int, Estimate]]:
    """What a network of problem `galaxy` says of each image."""
    for k, image in enumerate(images):
        try:
            yield k, Estimate(None, None, str(image)) if isinstance(image, BadInput) else asked(estimator, image)
        except Exception as error:  # the failure of one image must not cost the others their answers
            _log.debug("an image failed", exc_info=True)
            yield k, Estimate(None, None, " ".join(str(error).split()) or type(error).__name__)


def asked(estimator: Estimator, image: SkyImage) -> Estimate:
    """What a network of problem `galaxy` says of an image: parameters about the image's origin, fluxes in the file's unit.

    Raises:
        BadInput: the network is of another kind of problem.
    """
    problem = estimator.problem
    if not isinstance(problem, ComposedProblem):
        raise BadInput("no network for telescopes' images", value=problem.name, expected="one of problem galaxy")
    shown, offset, unit = as_trained(image, problem)
    answers = estimator.answers(shown[None])
    values = moved(problem.model, np.asarray(answers.values, np.float64), offset)[0]
    errors = None if answers.errors is None else np.array(answers.errors[0], np.float64)
    fluxes = slice(len(values) - problem.model.linear, None)
    values[fluxes] *= unit * image.scale
    if errors is not None:
        errors[fluxes] *= unit * image.scale
    angles = telescope_fits.angles_of(problem, values, image.wcs)
    return Estimate(values, None, None, angles, errors)


def as_trained(image: SkyImage, problem: ComposedProblem) -> tuple[np.ndarray, tuple[float, float], float]:
    """An image as those that the problem's networks are trained on: about its lens, in the problem's pixels, in units of the sky's noise.

    Args:
        image: the image; lengths are arcseconds.
        problem: the problem.

    Returns:
        (n, n), n the problem's field; x and y of its middle in the image [arcsec]; and what 1 in it is in the image's unit.
        Pixels beyond the image have no light, and those that are not used the light of their neighbours.
    """
    seen = image.observed
    used, taken = np.asarray(seen.mask), seen.instrument
    data = _filled(np.asarray(seen.data, np.float64), used)
    row, column = window.centre_of_lens(data, used, taken)
    # A signal to noise of a pixel as large as the problem's, whatever the image's is.
    unit = float(np.median(sigma_of(seen)[used])) * taken.pixel_scale / problem.pixel
    ratio = problem.pixel / taken.pixel_scale
    count = max(2, int(np.ceil(2.0 * ratio)))
    half = problem.view(problem.field).middle
    at = [(np.arange(problem.field * count) + 0.5) / count - 0.5 - own for own in half]
    points = np.meshgrid(row + at[0] * ratio, column + at[1] * ratio, indexing="ij")
    fine = ndimage.map_coordinates(data, points, order=1, cval=0.0)
    shown = fine.reshape(problem.field, count, problem.field, count).mean(axis=(1, 3)) / unit
    place = ((column - taken.middle[1]) * taken.pixel_scale, (taken.middle[0] - row) * taken.pixel_scale)
    return shown.astype(np.float32), place, unit


def _filled(data: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Data (H, W) whose unused pixels have the mean of the used ones nearby, 0 where there are none."""
    filled = np.where(used, data, 0.0)
    for width in _WIDTHS:
        weight = ndimage.gaussian_filter(used.astype(np.float64), width)
        mean = ndimage.gaussian_filter(np.where(used, data, 0.0), width) / np.maximum(weight, 1e-12)
        near = ~used & (weight > _NEAR)
        filled, used, data = np.where(near, mean, filled), used | near, np.where(near, mean, data)
    return filled
