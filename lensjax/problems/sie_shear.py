"""Mock observations of a single galaxy lens: SIE with external shear, Sérsic source, a PSF and white noise; 100×100 px.

The PSF is Gaussian, of FWHM 2 to 3 px; the noise has a standard deviation of 2 to 8 grey levels. The source's flux is drawn so that its
arcs have a peak of some tens to hundreds of grey levels.
"""

from functools import cache

from lensjax.problems.components import sersic, shear, sie
from lensjax.problems.compose import Composition, compose
from lensjax.problems.images import ComposedProblem

SIZE = 100
"""Pixels on a side of an image."""


@cache
def sie_shear() -> Composition:
    """An SIE of θ_E 10…35 px near the middle, shear of 0.1 at most, a source of 2…6 px."""
    parts = [
        sie(theta_e=(10.0, 35.0), reach=2.0, q=0.4),
        shear(),
        sersic(radius=(2.0, 6.0), index=(0.7, 4.0), reach=8.0, flux=(1e3, 1.2e4)),
    ]
    return compose("sie_shear", parts)


def imaged(problem: Composition) -> ComposedProblem:
    """The problem with its images."""
    return ComposedProblem(model=problem, field=SIZE, image_size=SIZE, supersampling=2, seeing=(2.0, 3.0), noise=(2.0, 8.0))
