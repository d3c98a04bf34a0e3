"""How the lens equation is solved, and which part of the image is shown."""

from dataclasses import dataclass

from lensjax.conventions import METHODS

MAPS = ("exact", "series")
WINDOWS = ("none", "region", "circle")

_NAMES = dict(zip(METHODS, (("series", "region"), ("exact", "region"), ("exact", "none")), strict=True))  # map and window of each


@dataclass(frozen=True)
class Trace:
    """How light is traced; hashable, static under jit.

    Attributes:
        map: "exact" solves the lens equation as it is; "series" by the roulette of `terms` terms about the primary image.
        terms: order of the series; "exact" does not use it.
        window: the part that is shown. "region": the region where the series converges, for point mass and SIS the disc within the
            convergence ring; "circle": the circle about the reference point through the lens's centre, for any lens (CosmoSim's mask);
            "none": the whole image, also where a series diverges.

    Raises:
        ValueError: another map or window, or terms below 1.
    """

    map: str = "exact"
    terms: int = 50
    window: str = "none"

    def __post_init__(self) -> None:
        for name, value, known in (("map", self.map, MAPS), ("window", self.window, WINDOWS)):
            if value not in known:
                raise ValueError(f"{name} is {value!r}; known: {', '.join(known)}")
        if self.terms < 1:
            raise ValueError(f"terms is {self.terms}; it must be 1 or more")

    @classmethod
    def named(cls, name: str, *, terms: int = 50) -> "Trace":
        """The trace that command lines and files call `name`, one of `METHODS`:

        roulette   the series of `terms` terms within its region of convergence (CosmoSim's "Roulette")
        ring       the exact lens equation within the same region: the limit of many terms
        raytrace   the exact lens equation, whole image (CosmoSim's "Raytrace")

        Raises:
            ValueError: another name.
        """
        if name not in _NAMES:
            raise ValueError(f"method is {name!r}; known: {', '.join(METHODS)}")
        return cls(_NAMES[name][0], terms, _NAMES[name][1])

    @property
    def name(self) -> str:
        """The name on command lines and in files: "roulette" of every series, "ring" or "raytrace" of the exact equation."""
        return "roulette" if self.map == "series" else "raytrace" if self.window == "none" else "ring"
