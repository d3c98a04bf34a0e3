"""How well delensing reconstructs known sources: sampling against inversion, for several lenses, sources and noise levels.

    python studies/delens.py [--size 200] [--seed 1] [--out docs/study_delens.png]

Each image is rendered by ray tracing and then rounded to 8 bit, or given Gaussian noise of 2 or 10 grey levels and not rounded. The
lens and the source's place are those of the image; the inversion determines noise and λ. Prints the relative error

    √(Σ (reconstructed − true)² / Σ true²)

over the source pixels that the image covers, each method on its own grid, and the time of a run after compilation. OUT shows source, image,
both reconstructions and the residual of the inversion, with a noise of 10 grey levels.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from lensjax import simulate
from lensjax.lens import SIE, SIS, Lens, cluster
from lensjax.light import Picture, Source, constellation, sersic
from lensjax.light.gaussian import elliptical
from lensjax.observation.detector import quantise
from lensjax.observation.grid import pixel_points
from lensjax.observation.instrument import instrument
from lensjax.reconstruct.grid import Grid, Reconstruction
from lensjax.reconstruct.invert import Inversion, invert
from lensjax.reconstruct.operator import lensing
from lensjax.reconstruct.sample import field_of_light, sample
from lensjax.report.figures import save
from lensjax.report.tables import Table, text_table
from lensjax.simulate import System, Trace

NOISES = (0.0, 2.0, 10.0)
SHOWN = 10.0


@dataclass(frozen=True)
class Case:
    """One image and its reconstructions.

    Attributes:
        lens, source: their names.
        noise: [grey levels]; 0 is rounding.
        truth: (m, m) the source, on the inverted one's grid.
        image: (n, n) grey levels.
        sampled, inverted: the reconstructions, the former on a grid half as fine.
        errors: relative errors of the two.
        seconds: time of each.
    """

    lens: str
    source: str
    noise: float
    truth: np.ndarray
    image: np.ndarray
    sampled: Reconstruction
    inverted: Inversion
    errors: tuple[float, float]
    seconds: tuple[float, float]


def number(value: float) -> jax.Array:
    return jnp.asarray(value, jnp.float32)


def lenses() -> dict[str, Lens]:
    sie = SIE(number(40.0), number(0.6), number(0.5))
    members = [
        (SIS(number(24.0)), -26.0, 10.0),
        (SIE(number(20.0), number(0.7), number(1.0)), 30.0, -6.0),
        (SIS(number(9.0)), 2.0, -44.0),
    ]
    return {"SIS": SIS(number(40.0)), "SIE": sie, "cluster": cluster(members)}


def spiral(size: int = 81) -> np.ndarray:
    """A picture of a galaxy with two arms, 0…1."""
    x, y = np.meshgrid(np.arange(size) - size // 2, size // 2 - np.arange(size))
    r, phi = np.hypot(x, y) * 80.0 / (size - 1), np.arctan2(y, x)
    arms = np.cos(phi - 3.2 * np.log(r + 3.0)) ** 6 * np.exp(-(((r - 14.0) / 9.0) ** 2))
    return np.clip(0.9 * np.exp(-((r / 4.0) ** 2)) + 0.7 * arms, 0.0, 1.0)


def sources() -> dict[str, Source]:
    blobs = [
        (5.0, 4.0, 0.0, 0.0, 0.0),
        (3.0, 2.5, 1.0, 16.0, 9.0),
        (6.0, 3.0, 0.4, -14.0, 10.0),
        (2.5, 2.5, 0.0, 6.0, -16.0),
        (4.0, 2.0, 2.2, -13.0, -12.0),
    ]
    return {
        "Gaussian": elliptical(number(12.0), number(7.0), number(0.6)),
        "Sérsic": sersic(number(14.0), number(9.0), number(2.4), number(1.5), number(120.0)),
        "blobs": constellation([(elliptical(*map(number, blob[:3])), *blob[3:]) for blob in blobs]),
        "picture": Picture(jnp.asarray(spiral(), jnp.float32), number(0.75)),
    }


def light_of(source: Source, grid: Grid) -> np.ndarray:
    """Grey levels on a grid, as an image can show them."""
    return np.clip(255.0 * np.asarray(source.light(*pixel_points(grid.size, grid.field))), 0.0, 255.0)


def relative(reconstruction: Reconstruction, truth: np.ndarray) -> float:
    off = (reconstruction.grey - truth)[reconstruction.mask]
    return float(np.sqrt((off**2).sum() / (truth[reconstruction.mask] ** 2).sum()))


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """(result, seconds) of a second run."""
    function()
    begin = time.perf_counter()
    return function(), time.perf_counter() - begin


def study(lens: str, source: str, noise: float, size: int, seed: int) -> Case:
    system = System(lenses()[lens], sources()[source], number(9.0), number(5.0))
    taken = instrument((size, size))
    sharp = jnp.clip(255.0 * simulate.image(system, taken), 0.0, 255.0)
    normal = np.random.default_rng(seed).normal(size=sharp.shape)
    image = np.asarray(quantise(sharp)) if noise == 0 else np.asarray(sharp) + noise * normal
    where = {"centre": np.zeros(2), "instrument": taken, "trace": Trace()}
    field = field_of_light(np.asarray(sharp), system, **where)
    coarse, fine = Grid(field, field), Grid(2 * field, field)
    sampled, sampling = timed(lambda: sample(image, system, grid=coarse, **where))
    inverted, inverting = timed(lambda: invert(image, lensing(system, grid=fine, **where)))
    truth = light_of(system.source, fine)
    errors = relative(sampled, light_of(system.source, coarse)), relative(inverted, truth)
    return Case(lens, source, noise, truth, image, sampled, inverted, errors, (sampling, inverting))


def table(cases: list[Case]) -> Table:
    rows = [
        (
            case.lens,
            case.source,
            "8 bit" if case.noise == 0 else f"{case.noise:g}",
            100.0 * case.errors[0],
            100.0 * case.errors[1],
            case.inverted.noise,
            case.inverted.chi2,
            case.inverted.iterations,
            "yes" if case.inverted.converged else "no",
            *case.seconds,
        )
        for case in cases
    ]
    columns = (
        "lens", "source", "noise", "sampled [%]", "inverted [%]", "fit noise", "chi2", "steps", "converged", "sampled [s]", "inverted [s]"
    )  # fmt: skip
    return Table(columns, tuple(rows), "Error of the reconstructed source, relative to the source.")


def figure(cases: list[Case]) -> Figure:
    """One row for each case: source, image, sampled, inverted, residual."""
    page = Figure(figsize=(10.2, 1.83 * len(cases) + 0.3), layout="constrained")
    panels = page.subplots(len(cases), 5, squeeze=False)
    titles = ("source", "image", "sampled", "inverted", "image − model, in σ")
    for row, case in zip(panels, cases, strict=True):
        sources = [np.where(part.mask, part.grey, np.nan) for part in (case.sampled, case.inverted)]
        for panel, values in zip(row, (case.truth, case.image, *sources), strict=False):
            panel.imshow(values, cmap="magma", vmin=0.0, vmax=max(case.truth.max(), 1.0), interpolation="nearest")
        residual = np.where(case.inverted.used, case.inverted.residual / case.inverted.noise, np.nan)
        bar = page.colorbar(row[4].imshow(residual, cmap="RdBu_r", vmin=-4.0, vmax=4.0, interpolation="nearest"), ax=row[4], shrink=0.9)
        bar.ax.tick_params(labelsize=7)
        noise = "8 bit" if case.noise == 0 else f"noise {case.noise:g}"
        row[0].set_ylabel(f"{case.lens}, {case.source}\n{noise}", fontsize=9)
        for panel, error in zip(row[2:4], case.errors, strict=True):
            panel.text(0.04, 0.96, f"{100 * error:.1f} %", transform=panel.transAxes, color="white", fontsize=9, va="top")
        for panel in row:
            panel.set(xticks=[], yticks=[], facecolor="0.6")
    for panel, title in zip(panels[0], titles, strict=True):
        panel.set_title(title, fontsize=10)
    return page


def main() -> None:
    """Renders, reconstructs, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=200, help="pixels on a side of the images (default 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/study_delens.png"))
    options = parser.parse_args()
    cases = [
        study(lens, source, noise, options.size, options.seed + 100 * k)
        for k, (lens, source) in enumerate((lens, source) for lens in lenses() for source in sources())
        for noise in NOISES
    ]
    print(text_table(table(cases)))
    pairs = [("SIS", "Gaussian"), ("SIE", "Sérsic"), ("cluster", "blobs"), ("SIE", "picture"), ("cluster", "picture")]
    shown = [case for pair in pairs for case in cases if (case.lens, case.source) == pair and case.noise == SHOWN]
    save(figure(shown), options.out, dpi=100)
    print(f"figure: {options.out}")


if __name__ == "__main__":
    main()
