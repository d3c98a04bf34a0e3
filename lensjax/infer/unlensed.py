"""Whether an image is explained without a lens: by one elliptical Gaussian of any peak."""

import numpy as np
from scipy import optimize

from lensjax.infer.starts import moments
from lensjax.infer.verdict import ROUNDED, chi2_is_noise, coherent_patch

_STRIDE = 4  # pixels of the fit, along each axis
_HOPELESS = 4.0  # times the noise variance, left by the fit on few pixels, from which the whole image is not tried
_NUMBERS = 6  # of the Gaussian


def explains(image: np.ndarray, lit: np.ndarray, *, variance: float, rounded: bool) -> bool:
    """Whether one elliptical Gaussian explains an image (n, n) over its lit pixels (n, n).

    Args:
        image: the image.
        lit: pixels that count.
        variance: noise variance of a pixel.
        rounded: whether the image is rounded to whole levels: then every pixel of the model must round to it.
    """
    model = gaussian_model(image, variance=variance)
    if model is None:
        return False
    residual = np.asarray(image, np.float64) - model
    if rounded:
        return bool(np.abs(residual).max() <= ROUNDED)
    whitened = residual / np.sqrt(variance)
    degrees = int(lit.sum()) - _NUMBERS
    return coherent_patch(whitened, lit) is None and chi2_is_noise(float((whitened[lit] ** 2).sum()), degrees)


def gaussian_model(image: np.ndarray, *, variance: float) -> np.ndarray | None:
    """The best elliptical Gaussian (n, n) of an image (n, n), over its lit pixels; None where it leaves more than noise of `variance`.

    On images cut at a highest level, the pixels there say only that the light is no less.
    """
    image = np.asarray(image, np.float64)
    n = image.shape[-1]
    mean, spread = moments(image)
    inverse = np.linalg.inv(spread)
    x, y = np.meshgrid(np.arange(n) - n / 2, n / 2 - np.arange(n))
    top = float(image.max())
    if top <= 0:
        return None
    cut = image >= top if (image >= top).sum() > 1 else np.zeros(image.shape, bool)

    def light(p: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        dx, dy = x - p[1], y - p[2]
        along, across = np.exp(p[3]), np.exp(p[5])
        return np.asarray(np.exp(p[0] - 0.5 * ((along * dx + p[4] * dy) ** 2 + (across * dy) ** 2)))

    factor = np.linalg.cholesky(inverse).T
    start = np.array([np.log(top), *mean, np.log(factor[0, 0]), factor[0, 1], np.log(factor[1, 1])])

    def fitted(thin: slice, begin: np.ndarray) -> tuple[np.ndarray, float]:
        grid = (thin, thin)
        near = (light(begin, x[grid], y[grid]) > 1e-3 * top) | (image[grid] > 1e-3 * top)
        px, py, data, above = x[grid][near], y[grid][near], image[grid][near], cut[grid][near]

        def residual(p: np.ndarray) -> np.ndarray:
            model = light(p, px, py)
            return np.asarray(np.where(above, np.minimum(model, top), model) - data)

        with np.errstate(over="ignore", invalid="ignore"):
            result = optimize.least_squares(residual, begin, max_nfev=30)
        return result.x, float((result.fun**2).mean()) / variance

    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(light(start, x, y)).all():
            return None
        rough, excess = fitted(slice(None, None, _STRIDE), start)
        if not excess < _HOPELESS:
            return None
        best, _ = fitted(slice(None), rough)
        model = light(best, x, y)
    return np.minimum(model, top) if cut.any() else model
