"""Systems of the composed problems whose images CosmoSim draws, as scenes of CosmoSim's canvas."""

from collections.abc import Sequence

import numpy as np

from lensjax.formats.scene import Light, Mass, Scene
from lensjax.problems.compose import Composition
from lensjax.problems.cosmosim2026 import CANVAS, SIZE

_TERMS = 4  # of the amplitudes that the group's tables have


def scenes(problem: Composition, values: np.ndarray, filenames: Sequence[str]) -> tuple[Scene, ...]:
    """Parameters (N, P) as scenes: 512 px, centred on their light, cropped to 256 px."""
    return tuple(_scene(problem, row.tolist(), name, i) for i, (row, name) in enumerate(zip(values, filenames, strict=True), start=1))


def _scene(problem: Composition, row: Sequence[float], filename: str, index: int) -> Scene:
    """One row; a single lens stands at the origin, as in CosmoSim's tables."""
    p = dict(zip(problem.names, row, strict=True))
    prefixes = [name.removesuffix("theta_E") for name in problem.names if name.endswith("theta_E")]
    alone = len(prefixes) == 1
    origin = (p["x"], p["y"]) if alone else (0.0, 0.0)
    masses = tuple(_mass(p, prefix, origin) for prefix in prefixes)
    x, y = p["source_x"] - origin[0], p["source_y"] - origin[1]
    sigma = p["source_R"]
    light = Light("SersicSphere", x, y, sigma, sigma, n_sersic=p["source_n"], luminosity=p["source_flux"] / 1e3)
    return Scene(
        filename=filename, index=str(index), lens=masses[0].kind if alone else "Cluster", masses=masses, source="SersicSphere",
        lights=(light,), x=x, y=y, nterms=_TERMS, imagesize=CANVAS, cropsize=SIZE, centred=True,
    )  # fmt: skip


def _mass(p: dict[str, float], prefix: str, origin: tuple[float, float]) -> Mass:
    """One lens; CosmoSim's orientation is at right angles to the mass's long axis."""
    x, y, radius = p[f"{prefix}x"] - origin[0], p[f"{prefix}y"] - origin[1], p[f"{prefix}theta_E"]
    if f"{prefix}q" not in p:
        return Mass("SIS", radius, x=x, y=y)
    return Mass("SIE", radius, p[f"{prefix}q"], (p[f"{prefix}phi"] - 90.0) % 180.0, x, y)
