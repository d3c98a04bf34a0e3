"""Mass models: one a file."""

from lensjax.lens.base import Lens
from lensjax.lens.point_mass import PointMass
from lensjax.lens.sis import SIS

__all__ = ["SIS", "Lens", "PointMass"]
