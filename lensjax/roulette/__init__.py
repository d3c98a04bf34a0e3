"""The roulette formalism (Clarkson 2016, "Roulettes: a weak lensing formalism for strong lensing", I and II):

the lens equation as a power series about a reference point, and the region where it converges.
"""

from lensjax.roulette.region import inside
from lensjax.roulette.series import source_offset

__all__ = ["inside", "source_offset"]
