"""The three sets that the CosmoSim group trained on in July 2026: an SIE, two SIEs, four SISs, each with a round Sérsic source.

Images are 512 px, centred on their light and cropped to 256 px. The lens's place in the image is unknown and fitted. Lengths are pixels,
y up. phi is the direction of the mass's long axis: CosmoSim's `orientation` is phi − 90°. Flux is in grey levels times px², a thousand
times CosmoSim's luminosity.
"""

from functools import cache

from lensjax.problems.components import Component, sersic, sie, sis
from lensjax.problems.compose import Composition, compose

SIZE = 256
"""Pixels on a side of an image."""

_REACH = 150.0  # px from the image's middle to a lens, or to the source


def _source(sigma: tuple[float, float], luminosity: tuple[float, float]) -> Component:
    flux = (1e3 * luminosity[0], 1e3 * luminosity[1])
    return sersic(radius=sigma, index=(0.8, 7.0), reach=_REACH, q=None, flux=flux)


@cache
def sie2026() -> Composition:
    """An SIE: θ_E 2.5…75 px, axis ratio 0.1…0.9; sigma 1…5 px."""
    return compose("sie2026", [sie(theta_e=(2.5, 75.0), reach=_REACH, q=0.1), _source((1.0, 5.0), (10.0, 20.0))])


@cache
def cluster2sie2026() -> Composition:
    """Two SIEs: θ_E 3…75 px; sigma 5…50 px."""
    members = [sie(prefix=f"lens{k}_", theta_e=(3.0, 75.0), reach=_REACH, q=0.1) for k in (1, 2)]
    return compose("cluster2sie2026", [*members, _source((5.0, 50.0), (20.0, 80.0))], exchangeable=((0, 1),))


@cache
def cluster4sis2026() -> Composition:
    """Four SISs: θ_E 20…75 px; sigma 1…4 px."""
    members = [sis(prefix=f"lens{k}_", theta_e=(20.0, 75.0), reach=_REACH) for k in (1, 2, 3, 4)]
    return compose("cluster4sis2026", [*members, _source((1.0, 4.0), (20.0, 100.0))], exchangeable=((0, 1, 2, 3),))
