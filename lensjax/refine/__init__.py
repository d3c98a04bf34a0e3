"""Refinement: descend through the renderer to what the pixels hold, and say how sure the answer is."""

from lensjax.refine.covariance import cramer_rao
from lensjax.refine.solution import Solution
from lensjax.refine.solve import model_image, refine
from lensjax.refine.starts import from_moments, from_params

__all__ = ["Solution", "cramer_rao", "from_moments", "from_params", "model_image", "refine"]
