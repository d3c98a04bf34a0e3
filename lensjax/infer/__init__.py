"""Refinement: fit the parameters of an image through the renderer, with errors."""

from lensjax.infer.covariance import cramer_rao
from lensjax.infer.near_peak import from_light
from lensjax.infer.solution import Solution
from lensjax.infer.solve import model_image, refine, refine_each
from lensjax.infer.starts import from_moments, from_params

__all__ = ["Solution", "cramer_rao", "from_light", "from_moments", "from_params", "model_image", "refine", "refine_each"]
