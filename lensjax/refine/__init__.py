"""Refinement: fit the parameters of an image through the renderer, with errors."""

from lensjax.refine.covariance import cramer_rao
from lensjax.refine.solution import Solution
from lensjax.refine.solve import model_image, refine, refine_each
from lensjax.refine.starts import from_moments, from_params

__all__ = ["Solution", "cramer_rao", "from_moments", "from_params", "model_image", "refine", "refine_each"]
