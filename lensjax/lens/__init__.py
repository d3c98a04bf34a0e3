"""Mass models: one a file."""

from lensjax.lens.base import Axisymmetric, Lens, hessian, inverse_magnification, magnification, shear
from lensjax.lens.cluster import Cluster, cluster
from lensjax.lens.epl import EPL, epl
from lensjax.lens.multipole import Multipole
from lensjax.lens.nfw import NFW
from lensjax.lens.point_mass import PointMass
from lensjax.lens.sampled import Sampled, sampled
from lensjax.lens.shear import Shear, Sheet
from lensjax.lens.sie import SIE
from lensjax.lens.sis import SIS

__all__ = [
    "EPL", "NFW", "SIE", "SIS", "Axisymmetric", "Cluster", "Lens", "Multipole", "PointMass", "Sampled", "Shear", "Sheet",
    "cluster", "epl", "hessian", "inverse_magnification", "magnification", "sampled", "shear",
]  # fmt: skip
