"""Fits of problems to images of any size and brightness, or drawn by CosmoSim."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from lensjax.conventions import GREY_LEVELS, ROUNDING_VARIANCE
from lensjax.infer import estimation, lattice, verdict
from lensjax.infer.estimation import Fitted
from lensjax.infer.solution import Solution
from lensjax.infer.starts import pixel_noise
from lensjax.observation.instrument import Instrument, instrument
from lensjax.observation.observed import observe
from lensjax.problems.base import Problem
from lensjax.problems.compose import Composition


def estimate(
    problem: Problem, image: np.ndarray, *, variance: float | None, rounded: bool, cosmosim: bool, guess: np.ndarray | None = None
) -> Solution:
    """The solution of one image (H, W) in grey levels, by exact ray tracing.

    Args:
        problem: whose parameters are stated.
        image: of any size.
        variance: noise variance of a pixel; None for rounding's, or else for what is measured.
        rounded: whether grey levels are whole: then each pixel is judged by its rounding.
        cosmosim: whether CosmoSim drew the image, with a source on whole pixels.
        guess: parameters of the composition from which a fit of such an image starts too, such as a network's.
    """
    whole = problem.composition
    image = np.asarray(image, np.float64)
    if cosmosim:
        fitted = lattice.estimate(whole, image, guess=guess)
    else:
        noise = ROUNDING_VARIANCE if rounded else max(pixel_noise(image) ** 2, ROUNDING_VARIANCE) if variance is None else variance
        cut = rounded and bool((image >= GREY_LEVELS).sum() > 1)
        observed = observe(image, noise**0.5, mask=image < GREY_LEVELS if cut else None)
        fitted = estimation.estimate(whole, observed)
        if rounded and fitted.best is not None:
            needless = estimation.unlensed(whole, [observed], None)[0] <= fitted.best.chi2 + verdict.AS_GOOD
            growth = lattice.correlation(fitted.best.residual, image > 0)  # neighbours are rounded alike where light changes slowly
            fitted = replace(fitted, best=replace(fitted.best, covariance=fitted.best.covariance * growth))
            assert fitted.best is not None
            residuals = verdict.against_rounding(np.where(observed.mask, fitted.best.model - image, 0.0))
            solution = estimation.solution_of(whole, fitted.best, residuals, others=fitted.others, needless=needless)
            fitted = Fitted(solution, fitted.best, fitted.others)
    return _stated(problem, fitted)


def _stated(problem: Problem, fitted: Fitted) -> Solution:
    """The solution in the problem's own parameters, with errors by their derivatives."""
    found = fitted.solution
    if problem.names == problem.composition.names:
        return found
    if fitted.best is None:
        return replace(Solution.failed(problem.names, "", coordinates=problem.coordinates), status=found.status)
    with jax.enable_x64(True):
        at = jnp.asarray(found.params[0])
        values, jacobian = np.asarray(problem.stated(at)), np.asarray(jax.jacfwd(problem.stated)(at))
    known = np.isfinite(found.errors[0])
    spread = np.where(np.isfinite(found.covariance[0]), found.covariance[0], 0.0)
    covariance = jacobian @ spread @ jacobian.T
    unknown = (np.abs(jacobian[:, ~known]) > 0).any(axis=1) | np.isin(problem.names, problem.without_image)
    errors = np.where(unknown, np.inf, np.sqrt(np.maximum(np.diag(covariance), 0.0)))
    covariance[unknown, :] = np.nan
    covariance[:, unknown] = np.nan
    nothing = np.full((1, len(values)), np.nan)
    lens = found.params[0, :2]
    return replace(
        found, names=problem.names, params=values[None], errors=errors[None], covariance=covariance[None], lowest=nothing, highest=nothing,
        bound=errors[None], fit=np.full((1, problem.coordinates), np.nan), shift=-lens[None],
    )  # fmt: skip


def model_image(problem: Problem, params: np.ndarray, centre: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The model (H, W) of an estimate of an image (H, W), in its grey levels; float32.

    Args:
        problem: one of an axisymmetric lens.
        params: (P,) its parameters.
        centre: (2,) the place at the image's centre, relative to the lens [px].
        image: the image, whose light gives the flux.
    """
    x, y, einstein_r, sigma, sigma2, theta = params[:6]
    at = [-centre[0], -centre[1], 2.0 * einstein_r, x - centre[0], y - centre[1], (sigma * sigma2) ** 0.5, sigma2 / sigma, theta, 1.0]
    whole = problem.composition
    layer = np.asarray(_layer(whole, jnp.asarray(at, jnp.float32), instrument((image.shape[0], image.shape[1]))), np.float64)
    used = np.isfinite(image) & (image < GREY_LEVELS)
    return np.asarray(layer * (layer[used] @ image[used]) / max(layer[used] @ layer[used], 1e-30))


@partial(jax.jit, static_argnames="whole")
def _layer(whole: Composition, params: jax.Array, taken: Instrument) -> jax.Array:
    return whole.image(params, taken)
