"""The roulette formalism (Clarkson 2016, "Roulettes: a weak lensing formalism for strong lensing", I and II):

the lens equation as a power series about a reference point, its amplitudes, and the region where it converges.
"""

from lensjax.roulette.amplitudes import amplitudes
from lensjax.roulette.expansion import Expansion, expansion, from_amplitudes
from lensjax.roulette.region import circle, inside
from lensjax.roulette.series import source_offset

__all__ = ["Expansion", "amplitudes", "circle", "expansion", "from_amplitudes", "inside", "source_offset"]
