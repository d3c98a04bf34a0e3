"""The systems of a table: kinds of lens and source, how they are rendered, sizes and places."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lensjax.doctor.table import Table
from lensjax.errors import BadInput
from lensjax.formats.cosmosim import names, rows
from lensjax.formats.cosmosim import table as cosmosim
from lensjax.formats.cosmosim.names import ELLIPTICAL, SERSIC

COLUMNS = (
    "filename", "index", "lens", "model", "sampled", "nterms", "imagesize", "cropsize", "xireference", "centred", "source",
    "lightprofile", "n_sersic", "luminosity", "amplitudes", "einsteinradius", "orientation", "ratio", "ellipseratio", "cluster",
    "sigma", "sigma2", "theta", "x", "y", "phi", "directory", "reflines", "criticalcurves", "maxcount", "showmask", "mask", "join",
    "family", "psiplot", "kappaplot", "apparent", "actual",
)  # fmt: skip
"""Columns that CosmoSim 3.3 reads."""

OLD_COLUMNS = ("einsteinR", "chi", "config", "R")
"""Columns of older tables, and of CosmoSim's generator, that CosmoSim 3.3 ignores."""

NAMES = {
    "lens": ("PM", "PointMass", "SIS", "SIE", "Cluster"),
    "model": ("Raytrace", "Roulette"),
    "source": ("Spherical", "Ellipsoid", "SersicSphere", "SersicEllipsoid", "Image (Einstein)", "Triangle", "s", "e", "t"),
}
"""Names that CosmoSim 3.3 knows, by column."""

SMALLEST_SOURCE = 1.0
"""Size [px] below which a source that is drawn on whole pixels looks different from place to place."""

HIGHEST_ORDER = {"SIE": 5, "SIS": 50, "PM": 50}
"""Order at which CosmoSim's amplitudes end, by lens."""


@dataclass(frozen=True)
class Systems:
    """The systems of the N rows of a table.

    Attributes:
        table: the table.
    """

    table: Table

    @cached_property
    def refusals(self) -> tuple[Mapping[str, str], tuple[BadInput, ...]]:
        """What LensJAX refuses: misspelt columns with a hint for each, and the errors of rows.

        `check_filenames` checks names of files.
        """
        filenames = tuple(f"{k}.png" for k in range(len(self.table)))
        columns = {**self.table.columns, "filename": filenames, "directory": ("",) * len(self.table)}
        misspelt: dict[str, str] = {}
        while True:
            try:
                read = rows.scenes(cosmosim.Table(self.table.path, filenames, self.table.lines, columns), settings={}, skip_bad=True)
            except BadInput as error:
                if error.column not in columns:
                    raise
                misspelt[error.column] = error.hint
                del columns[error.column]
            else:
                return misspelt, read.refused

    @cached_property
    def _named(self) -> list[tuple[str, str]]:
        """Lens and model of each row, by its lens, model and config, names of 2023 included; "" where they do not state it."""
        named = []
        for lens, config, model in zip(*(self.table.cells(name) for name in ("lens", "config", "model")), strict=True):
            kind, how = names.lens_kind(lens) or "", names.MODELS.get(model.lower(), "")
            for word in (lens, config, model):
                try:
                    of_2023 = names.config(word)
                except BadInput:
                    continue
                kind, how = kind or of_2023[0], how or of_2023[1]
            named.append((kind or ("" if lens else "SIS"), how))
        return named

    @cached_property
    def lens(self) -> np.ndarray:
        """PM, SIS, SIE or Cluster; "" where the name is unknown."""
        single = np.array([lens for lens, _ in self._named], object)
        lens: np.ndarray = np.where(self.table.empty("cluster"), single, "Cluster")
        return lens

    @cached_property
    def sie(self) -> np.ndarray:
        """Which lenses (N,) are an SIE."""
        return np.array([lens == "SIE" for lens in self.lens])

    @cached_property
    def roulette(self) -> np.ndarray:
        """Which rows (N,) are rendered by roulettes."""
        return np.array([model == "Roulette" for _, model in self._named])

    @cached_property
    def source(self) -> np.ndarray:
        """Kind of source, as its name says; Constellation of several, "" where the name is unknown."""
        words = self.table.text("source", "Spherical")
        return np.array(["Constellation" if "/" in word else names.LIGHTS.get(word.lower(), "") for word in words], object)

    @cached_property
    def profile(self) -> np.ndarray:
        """Column lightprofile in small letters."""
        return np.array([text.lower() for text in self.table.cells("lightprofile")], object)

    @cached_property
    def elliptical(self) -> np.ndarray:
        """Which sources (N,) are ellipses."""
        return np.isin(self.source, ELLIPTICAL)

    @cached_property
    def sersic(self) -> np.ndarray:
        """Which sources (N,) have a Sérsic profile."""
        named = np.isin(self.source, SERSIC)
        return np.where(self.profile == "", named, (self.profile == "sersic") & (named | np.isin(self.source, ("Spherical", "Ellipsoid"))))

    @cached_property
    def of_2023(self) -> bool:
        """Whether the table has einsteinR and χ, which CosmoSim 3.0 removed."""
        return "einsteinR" in self.table and "einsteinradius" not in self.table

    @cached_property
    def ratio_column(self) -> str:
        """The column of the axis ratio."""
        return "ratio" if "ratio" in self.table and "ellipseratio" not in self.table else "ellipseratio"

    @cached_property
    def einstein_radius(self) -> np.ndarray:
        """θ_E [px]; 0 of a cluster."""
        if not self.of_2023:
            radius = self.table.numbers("einsteinradius", 20.0)
        else:
            chi = self.table.numbers("chi", 50.0 if "chi" in self.table else 100.0) / 100.0
            radius = self.table.numbers("einsteinR") / np.where(chi > 0, chi, np.nan)
        return np.where(self.lens == "Cluster", 0.0, radius)

    @cached_property
    def place(self) -> tuple[np.ndarray, np.ndarray]:
        """Place η (x, y) of the source [px]; polar where there is no column y."""
        radius = "x" if "x" in self.table else "R"
        x, phi = self.table.numbers(radius, 0.0), np.radians(self.table.numbers("phi", 0.0))
        if "y" in self.table and "x" in self.table:
            return x, self.table.numbers("y", 0.0)
        return x * np.cos(phi), x * np.sin(phi)

    @cached_property
    def reach(self) -> np.ndarray:
        """Largest coordinate [px] of the source's outer image: |η| + θ_E from the centre, or a little less for a point mass."""
        x, y = self.place
        distance, radius = np.hypot(x, y), self.einstein_radius
        outer = np.where(self.lens == "PM", distance / 2 + np.sqrt(distance**2 / 4 + radius**2), distance + radius)
        scale = np.where(distance > 0, np.maximum(np.abs(x), np.abs(y)) / np.where(distance > 0, distance, 1.0), 1.0)
        reach: np.ndarray = outer * scale
        return reach

    @cached_property
    def canvas(self) -> np.ndarray:
        """Side of the canvas [px]."""
        return self.table.numbers("imagesize", 1000.0 if self.of_2023 else 512.0)


def sersic_peak(systems: Systems) -> np.ndarray:
    """Grey level (N,) at the centre of a Sérsic source as CosmoSim draws it; 0 for other sources."""
    table = systems.table
    sigma, n = table.numbers("sigma", 20.0), table.numbers("n_sersic", 4.0)
    other = np.where(systems.elliptical, table.numbers("sigma2", 10.0), sigma)
    light = np.where(np.isnan(table.numbers("luminosity")), np.where(systems.elliptical, 20.0, 10.0), table.numbers("luminosity"))
    peak = np.zeros(len(table))
    for k in np.flatnonzero(systems.sersic & (sigma > 0) & (other > 0) & (n >= 0.2) & (n <= 20.0) & (light > 0)):
        power = 2 * n[k] * math.log(1.992 * n[k] - 0.3271) - math.lgamma(2 * n[k])
        peak[k] = 1e3 * light[k] / (2 * math.pi * sigma[k] * other[k] * n[k]) * math.exp(power)
    return peak
