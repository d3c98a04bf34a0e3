"""How the image of a galaxy is fitted, and the problem that it is."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from lensjax._internal.words import did_you_mean, listed
from lensjax.errors import BadInput
from lensjax.problems.compose import Composition
from lensjax.problems.galaxy import THETA_E, Mass, galaxy

SourceModel = Literal["auto", "richer", "shapelets", "sersic", "multi_gaussian", "pixels"]

MOST_CLUMPS = 3
"""Sérsic profiles of a source at most."""

SMALLEST, LARGEST = 0.4, 2.6
"""Einstein radii that are tried [arcsec], unless the options say otherwise."""

ENDS = (0.8, 20.0)
"""Least and most that `largest_theta_e` may be."""

_REACH, _OUTER = 3.5, 3.2  # arcsec from the lens, with `LARGEST`: what is looked at, and the arcs that are fitted

ORDER, OTHER_ORDERS = 8, (4, 12)
"""Of shapelets: of those that are fitted, and of a simpler and a richer source that these are compared with."""


@dataclass(frozen=True)
class Options:
    """How an image is fitted.

    Attributes:
        mass: the mass's profile.
        multipoles: orders of the multipoles beside an "epl".
        source: the source's; "auto" is few Sérsic profiles where these explain the arcs, or else shapelets; "richer" goes beyond shapelets
            where those do not explain the arcs; "pixels" begins where shapelets end.
        lens_light: whether the lens galaxy's light is fitted; otherwise it is off already.
        mass_error: relative error of theta_E, since no galaxy is exactly of the mass's profile, beside that of the pixels, in quadrature.
            By default about the difference of two published values of one lens (median 1.15 %, Bolton et al. 2008 and Tan et al. 2024).
        shear: whether there is external shear.
        largest_theta_e: largest Einstein radius that is tried [arcsec]. What lies more than 1.35 times as far from the lens is not
            looked at.
    """

    mass: Mass = "sie"
    multipoles: tuple[int, ...] = ()
    source: SourceModel = "auto"
    lens_light: bool = True
    mass_error: float = 0.01
    shear: bool = True
    largest_theta_e: float = LARGEST

    def __post_init__(self) -> None:
        for column, value, kinds in (("mass", self.mass, Mass), ("source", self.source, SourceModel)):
            if value not in get_args(kinds):
                hint = did_you_mean(value, get_args(kinds))
                raise BadInput(column=column, value=value, expected=f"one of {listed(get_args(kinds))}", hint=hint)
        if not 0.0 <= self.mass_error < 1.0:
            raise BadInput(column="mass_error", value=self.mass_error, expected="a number of 0 or more and below 1")
        low, high = ENDS
        if not low <= self.largest_theta_e <= high:
            raise BadInput(column="largest_theta_e", value=self.largest_theta_e, expected=f"from {low:g} to {high:g} arcsec")

    @property
    def tried(self) -> tuple[float, float]:
        """The smallest and the largest Einstein radius that are tried [arcsec]."""
        return SMALLEST, self.largest_theta_e

    @property
    def reach(self) -> float:
        """How far from the lens an image is looked at [arcsec]."""
        return self.largest_theta_e / LARGEST * _REACH

    @property
    def outer(self) -> float:
        """How far from the lens arcs are fitted [arcsec]."""
        return self.largest_theta_e / LARGEST * _OUTER

    def galaxy(self, **others: Any) -> Composition:
        """The problem `galaxy` with this mass, shear and range of Einstein radii, and with other arguments."""
        most = max(1.0, self.largest_theta_e / LARGEST) * THETA_E[1]
        return galaxy(mass=self.mass, multipoles=self.multipoles, shear=self.shear, largest_theta_e=most, **others)


def answers_of(options: Options) -> tuple[Composition, ...]:
    """All problems whose parameters the answer may have; `problem_of` first."""
    found = [problem_of(options)]
    if options.source in ("auto", "richer"):
        found += [options.galaxy(clumps=count) for count in range(1, MOST_CLUMPS + 1)]
    if options.source == "richer":
        found.append(options.galaxy(source="pixels"))
    return tuple(found)


def problem_of(options: Options) -> Composition:
    """What is fitted: the problem `galaxy` with these options; of "auto" and "richer" that with shapelets."""
    source = "shapelets" if options.source in ("auto", "richer") else options.source
    return options.galaxy(source=source, n_max=ORDER)
