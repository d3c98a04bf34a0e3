"""Starts of descents: fit coordinates (S, 8) for one image."""

import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.problems.axisymmetric import AxisymmetricProblem
from lensjax.problems.observables import mirrored

_ABOVE_SKY = 5.0  # times the noise by which a pixel must stand out to count as light: 160 000 pixels hold no such noise


def from_params(problem: AxisymmetricProblem, params: Array, *, method: str) -> Array:
    """(2, 8): the system of `params` (P,), for example a network's estimate, and its mirror image (−x, −y)."""
    fit = problem.to_fit(params, method=method)
    return jnp.stack([fit, mirrored(fit)])


def sky_noise(image: np.ndarray) -> float:
    """Noise of the sky: the robust scatter of an image (n, n) about its median."""
    return float(1.4826 * np.median(np.abs(image - np.median(image))))


def pixel_noise(image: np.ndarray) -> float:
    """Noise of a pixel of an image (H, W): that of the sky, or where light fills the frame that of second differences along rows."""
    second = image[:, :-2] - 2.0 * image[:, 1:-1] + image[:, 2:]
    return float(min(sky_noise(image), sky_noise(second) / 6.0**0.5))


def moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre of light (2,) and covariance (2, 2) [px] of an image (H, W); of a dark image the field's middle and W/16 px.

    Negative pixels are noise about a subtracted sky. Only pixels well above the noise count then: second moments weigh noise by the
    square of its distance, and could be negative.
    """
    height, width = image.shape
    x = np.arange(width) - width / 2
    y = height / 2 - np.arange(height)
    image = np.where(np.isfinite(image), image, 0.0)
    if image.min() < 0:
        sky = np.median(image)
        image = np.where(image > max(sky + _ABOVE_SKY * sky_noise(image), 0.0), image, 0.0)
    total = image.sum()
    if total <= 0:
        return np.zeros(2), np.eye(2) * (width / 16) ** 2
    columns, rows = image.sum(axis=0) / total, image.sum(axis=1) / total
    mean = np.array([columns @ x, rows @ y])
    across = (y - mean[1]) @ image @ (x - mean[0]) / total
    spread = np.array(
        [[columns @ (x - mean[0]) ** 2, across], [across, rows @ (y - mean[1]) ** 2]],
    )
    return mean, spread + np.eye(2)


def from_moments(image: np.ndarray, *, directions: int = 8, between: bool = False) -> np.ndarray:
    """(6 · directions, 8): starts without a network, 48 for 8 directions. Each is an ellipse with the image's moments, bent
    towards one direction, weakly or strongly, by a lens of little or of much stretch. `between`: other starts, between these."""
    mean, spread = moments(np.asarray(image, np.float64))
    eigenvalues, axes = np.linalg.eigh(spread)
    log_size = 0.25 * np.log(eigenvalues.prod())
    e = 0.25 * np.log(eigenvalues[1] / eigenvalues[0])
    angle = 2.0 * np.arctan2(axes[1, 1], axes[0, 1])
    shape = [log_size, e * np.cos(angle), e * np.sin(angle)]
    starts = []
    half = 0.5 if between else 0.0
    for turn in (np.arange(directions) + half) * 2.0 * np.pi / directions:
        for distance in (30.0, 90.0, 180.0) if between else (60.0, 140.0, 250.0):
            for g in (0.35, 0.7) if between else (0.2, 0.5):
                bending = 100.0 * g / distance
                lens = [bending * np.cos(turn), bending * np.sin(turn), np.log(g / (1.0 - g))]
                starts.append([*mean, *shape, *lens])
    return np.asarray(starts)
