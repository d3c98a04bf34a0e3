"""What refinement hands over."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Solution:
    """Refined parameters of N images, in file units; numpy arrays throughout.

    Attributes:
        names: names of the P parameters.
        params: (N, P) parameters, the canonical one of the equivalent sets (sigma ≥ sigma2, theta in [0, 180)).
        errors: (N, P) 1σ errors; inf where the image does not tell the parameter.
        covariance: (N, P, P); NaN in the rows and columns of such parameters.
        lowest, highest: (N, P) certified bounds from the interval fit; NaN where there is none.
        bound: (N, P) Cramér–Rao bound at the solution, for the noise assumed.
        fit: (N, 8) fit coordinates.
        shift: (N, 2) place seen from the lens that stands at the image's centre [px].
        chi2: (N,) mean squared residual over the noise variance: of the lit pixels where grey levels are rounded, else of all.
        violated: (N,) pixels that do not round to the observed value.
        slack: (N,) what the interval fit allowed pixels beyond ½ [grey]; NaN where there is none.
        kind: "interval" or "least squares", for each image.
        method: how the lens equation was solved, for each image.
        success: (N,) whether the descent converged and the model explains the image.
        status: one line each: converged, stuck, at a bound; whether residuals are above the noise; what the image does not tell.
    """

    names: tuple[str, ...]
    params: np.ndarray
    errors: np.ndarray
    covariance: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    bound: np.ndarray
    fit: np.ndarray
    shift: np.ndarray
    chi2: np.ndarray
    violated: np.ndarray
    slack: np.ndarray
    kind: tuple[str, ...]
    method: tuple[str, ...]
    success: np.ndarray
    status: tuple[str, ...]
