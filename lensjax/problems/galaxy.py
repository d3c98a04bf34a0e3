"""A galaxy that lenses another one, in an image of a telescope: SIE with external shear, a Sérsic source, and a constant sky.

Lengths are arcseconds. The lens's own light is not part of it: its image has it subtracted, or masked.
"""

from functools import cache

from lensjax.problems.components import sersic, shear, sie
from lensjax.problems.compose import Composition, compose

_FLUX = (1e-6, 1e9)  # in units of the image's noise, arcsec²


@cache
def galaxy() -> Composition:
    """θ_E 0.3…3 arcsec within 0.5 arcsec of the middle; a source of 0.02…1 arcsec."""
    parts = [
        sie(unit="arcsec", theta_e=(0.3, 3.0), reach=0.5, q=0.2),
        shear(most=0.3),
        sersic(unit="arcsec", radius=(0.02, 1.0), index=(0.5, 4.0), reach=1.5, q=0.2, flux=_FLUX),
    ]
    return compose("galaxy", parts, sky=True)
