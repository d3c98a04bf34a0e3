"""What is known of a lens before its arcs are looked at: its mass lies about its light, and external shear is small."""

import jax.numpy as jnp
import numpy as np

from lensjax.infer.fit import Belief
from lensjax.pipeline.lens_light import LensLight
from lensjax.problems.components import E_MAX
from lensjax.problems.compose import Composition

PLACE, ELLIPTICITY, SHEAR, SLOPE, MULTIPOLE = 0.04, 0.1, 0.03, 0.1, 0.01
"""Standard deviations: of the mass's place about that of the light [arcsec], of its (e1, e2) about `FOLLOWS` times the light's, of the
shear's components, of the slope about 2 (Bolton et al. 2008, ApJ 682, 964; Koopmans et al. 2006), and of multipoles."""

FOLLOWS = 0.8

_ALONE = np.sqrt(2.0) * ELLIPTICITY  # the same of (e1, e2) about 0 where the light is not known

_SOURCE_ELLIPTICITY = 0.3
_SIZE = (0.12, 0.5)  # of a source [arcsec], and standard deviation of its logarithm
_INDEX = (1.2, 1.0)  # of a source's Sérsic profiles
_RADIUS = (1.1, 0.7)  # the same of Einstein radii: wide, but no lens vanishes


def of(problem: Composition, light: LensLight | None, *, firm: float = 1.0) -> Belief:
    """The belief about the numbers of a problem `galaxy`; without the lens's light its mass is believed to be nearly round.

    Args:
        problem: the problem.
        light: the lens galaxy's light.
        firm: factor on its precision. A search needs a firmer belief than an answer: of many ways to trace arcs back, most are of lenses
            that hardly exist.
    """
    known = {"x": (0.0, PLACE), "y": (0.0, PLACE), "gamma1": (0.0, SHEAR), "gamma2": (0.0, SHEAR), "gamma": (2.0, SLOPE)}
    for name in problem.names[: problem.size]:
        if name == "theta_E" or name.endswith(("_beta", "_R")):
            size, spread = _RADIUS if name == "theta_E" else _SIZE
            known[name] = (size, size * (np.exp(spread) - 1.0))
        elif name.endswith("_n"):
            known[name] = _INDEX
        elif name[1:].isdigit() and name[0] in "ab":
            known[name] = (0.0, MULTIPOLE)
    if light is not None:
        known |= {"x": (light.place[0], PLACE), "y": (light.place[1], PLACE)}
    own = problem.parameters[: problem.size]
    middle, step = np.array([0.5 * (parameter.low + parameter.high) for parameter in own]), np.zeros(problem.size)
    for k, parameter in enumerate(own):
        if parameter.name in known:
            middle[k], step[k] = known[parameter.name]
    mean = np.array(problem.encode(jnp.asarray(middle)), np.float64)
    width = np.abs(np.array(problem.encode(jnp.asarray(middle + step)), np.float64) - mean)
    for q, _, first in problem.round_shapes():
        mean[first : first + 2], width[first : first + 2] = 0.0, _SOURCE_ELLIPTICITY / E_MAX
        if own[q].name == "q":
            width[first : first + 2] = (_ALONE if light is None else ELLIPTICITY) / E_MAX
            if light is not None:
                e = FOLLOWS * np.array(light.ellipticity) / E_MAX
                mean[first : first + 2] = e / np.sqrt(1.0 - e @ e)
    return Belief(jnp.asarray(mean), jnp.asarray(np.where(width > 0, firm / np.where(width > 0, width, 1.0) ** 2, 0.0)))


def strain(q: float, phi: float, shear: tuple[float, float], light: LensLight | None) -> float:
    """How far a lens is from what is believed of it, in standard deviations: of its (e1, e2) about the light's, and of its shear.

    Args:
        q, phi: axis ratio and direction [deg] of the mass.
        shear: gamma1 and gamma2; 0 where there is none.
        light: the lens galaxy's light; None without.
    """
    e, angle = (1.0 - q) / (1.0 + q), np.radians(2.0 * phi)
    own = np.array([e * np.cos(angle), e * np.sin(angle)])
    if light is None:
        off = own / _ALONE
    else:
        off = (own - FOLLOWS * np.array(light.ellipticity)) / ELLIPTICITY
    return float(np.sqrt(off @ off + np.sum(np.square(shear)) / SHEAR**2))
