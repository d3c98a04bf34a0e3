"""Fits of mock lenses as real ones look, with truth: lens light, clumps, PSF, photons, from the image alone.

    python benchmarks/galaxy_mocks.py [--n 100] [--first 0] [--sn 100] [--mass sie] [--radii 0.6 2] [--seed 1]
        [--fit pipeline] [--out results/galaxy_mocks] [--plot]

galaxy_images.py says how they are drawn, without LensJAX's renderer. --sn is the arcs' total signal to noise: 300, 100, 30 and 10 make a
ladder. --radii are the smallest and the largest θ_E; the pipeline tries 1.3 times the largest, at least 2.6″. --fit truth fits the model
that a mock was drawn with, from its truth: what the pixels hold. --fit estimate fits all light at once. --fit network asks the packaged
network alone, all of whose answers count as success. --fit MODULE:FUNCTION takes another fit, a function of an observation whose result
has a `solution`.

Prints the error of θ_E, how many fits are wrong (θ_E further than 3 % and 6 stated errors from the truth) and say success, how many say
success at all, the coverage of the stated errors of those, and the time. A parameter that the fit calls not identifiable counts
in no coverage. Writes OUT-SN.csv, one row a mock, which resumes; --plot writes OUT-SN.png.
"""

import argparse
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from galaxy_fits import fit_of, from_truth, pipeline, rows, solved
from galaxy_images import RADII, lens

COMPARED = ("theta_E", "q", "phi", "gamma1", "gamma2")
OFF = 0.03
"""Relative error of θ_E that is too large."""

FAR = 6.0
"""Stated errors from the truth, beyond which a fit is wrong."""


def row_of(number: int, *, seed: int, sn: float, mass: str, fit: str, radii: tuple[float, float] = RADII) -> dict[str, object]:
    """One mock: truth, fit, errors and verdict."""
    mock = lens(np.random.default_rng([seed, number]), sn=sn, mass=mass, radii=radii)
    run = (lambda _: from_truth(mock)) if fit == "truth" else fit_of(fit)
    if fit == "pipeline":
        run = partial(pipeline, largest_theta_e=1.3 * max(radii[1], RADII[1]))
    solution, seconds = solved(run, mock.observed)
    found: dict[str, object] = {f"{name} true": value for name, value in mock.truth.items()}
    for name in COMPARED:
        k = solution.names.index(name)
        found |= {name: solution.params[0, k], f"{name} error": solution.errors[0, k]}
    verdict = {"chi2": solution.chi2[0], "success": bool(solution.success[0]), "status": solution.status[0], "seconds": seconds}
    return found | verdict


def offsets(table: pd.DataFrame) -> np.ndarray:
    """(N, 5) fit less truth of each parameter; directions by the shorter way."""
    off = np.stack([table[name] - table[f"{name} true"] for name in COMPARED], axis=-1)
    phi = COMPARED.index("phi")
    off[:, phi] -= 180.0 * np.round(off[:, phi] / 180.0)
    return off


def wrong(table: pd.DataFrame) -> np.ndarray:
    """(N,) whether θ_E is further than `OFF` and `FAR` errors from the truth, or there is no fit."""
    relative = np.abs(offsets(table)[:, 0] / table["theta_E true"])
    far = np.abs(offsets(table)[:, 0]) > FAR * table["theta_E error"].fillna(0.0)
    return np.asarray((relative > OFF) & far | table["theta_E"].isna())


def summary(table: pd.DataFrame) -> str:
    """The table that is printed."""
    off, success = offsets(table), table["success"].to_numpy(bool)
    errors = np.stack([table[f"{name} error"] for name in COMPARED], axis=-1)
    relative = np.abs(off[:, 0] / table["theta_E true"]).fillna(np.inf)
    lines = [
        f"{len(table)} mocks, arcs' signal to noise {table['sn'].iloc[0]:g}, fit {table['fit'].iloc[0]}",
        f"theta_E, median error:          {np.median(relative):7.2%}",
        f"theta_E off by more than {OFF:.0%}:    {np.mean(relative > OFF):7.1%}",
        f"theta_E off by more than 10%:   {np.mean(relative > 0.1):7.1%}",
        f"success reported:               {success.mean():7.1%}",
        f"wrong and success reported:     {np.mean(wrong(table) & success):7.1%}",
        f"seconds a mock, median:         {table['seconds'].median():7.1f}",
    ]
    if success.any():
        z = np.where(np.isfinite(errors), np.abs(off) / np.where(errors > 0, errors, np.nan), np.nan)[success]
        known = np.isfinite(z)
        lines.append(f"{'of those with success':24}" + "".join(f"{name:>9}" for name in COMPARED))
        counts = np.maximum(known.sum(axis=0), 1)
        middle = [np.median(column[seen]) / 0.6745 if seen.any() else np.nan for column, seen in zip(z.T, known.T, strict=True)]
        for label, values in (
            ("median z / 0.674", middle),
            ("within 1 error (.683)", (known & (z < 1.0)).sum(axis=0) / counts),
            ("within 2 errors (.954)", (known & (z < 2.0)).sum(axis=0) / counts),
            ("identified", known.mean(axis=0)),
        ):
            lines.append(f"{label:24}" + "".join(f"{value:9.3f}" for value in values))
    return "\n".join(lines)


def plot(table: pd.DataFrame, path: Path, *, seed: int, sn: float, mass: str, radii: tuple[float, float]) -> None:
    """The first mocks, errors of θ_E, and errors in units of the stated ones."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 6, figsize=(13, 7), layout="constrained")
    for k, (upper, lower) in enumerate(axes[:2].T):
        mock = lens(np.random.default_rng([seed, k]), sn=sn, mass=mass, radii=radii)
        upper.imshow(np.arcsinh(np.asarray(mock.observed.data)), cmap="gray")
        lower.imshow(mock.arcs, cmap="gray")
        upper.set_title(f"{k}: θ_E {mock.truth['theta_E']:.2f}″")
        upper.axis("off")
        lower.axis("off")
    grid = axes[0, 0].get_gridspec()
    for axis in axes[2]:
        axis.remove()
    first, second = figure.add_subplot(grid[2, :3]), figure.add_subplot(grid[2, 3:])
    success = table["success"].to_numpy(bool)
    relative = 100.0 * offsets(table)[:, 0] / table["theta_E true"]
    for chosen, label in ((success, "success"), (~success, "no success")):
        first.plot(table["theta_E true"][chosen], np.clip(relative[chosen], -20, 20), ".", label=label)
    first.set(xlabel="true θ_E [arcsec]", ylabel="error of θ_E [%]")
    first.legend(frameon=False)
    errors = np.stack([table[f"{name} error"] for name in COMPARED], axis=-1)
    z = (offsets(table) / np.where(np.isfinite(errors) & (errors > 0), errors, np.nan))[success].ravel()
    if np.isfinite(z).any():
        second.hist(np.clip(z[np.isfinite(z)], -5, 5), np.linspace(-5, 5, 41), density=True, label="with success")
    at = np.linspace(-5, 5, 200)
    second.plot(at, np.exp(-0.5 * at**2) / np.sqrt(2 * np.pi), label="normal")
    second.set(xlabel="(fit − truth) / stated error", ylabel="density")
    second.legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Draws, fits, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100, help="mocks (100)")
    parser.add_argument("--first", type=int, default=0, help="number of the first (0)")
    parser.add_argument("--sn", type=float, default=100.0, help="total signal to noise of the arcs (100)")
    parser.add_argument("--mass", choices=("sie", "epl"), default="sie", help="of the mocks; the fit's is its own")
    parser.add_argument("--radii", type=float, nargs=2, default=RADII, metavar=("LOW", "HIGH"), help="of the mocks [arcsec] (0.6 2)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fit", default="pipeline", metavar="pipeline|estimate|network|truth|MODULE:FUNCTION")
    parser.add_argument("--out", type=Path, default=Path("results/galaxy_mocks"), help="OUT-SN.csv and OUT-SN.png")
    parser.add_argument("--plot", action="store_true", help="write a figure too")
    flags = parser.parse_args()
    if flags.fit != "truth":
        fit_of(flags.fit)
    own = {"seed": flags.seed, "sn": flags.sn, "mass": flags.mass, "fit": flags.fit}
    radii = (flags.radii[0], flags.radii[1])
    if not 0.0 < radii[0] < radii[1]:
        parser.error(f"--radii {radii[0]:g} {radii[1]:g}: expected the smallest above 0, and a larger one")
    settings = own | ({} if radii == RADII else {"radii": f"{radii[0]:g} to {radii[1]:g}"})
    path = flags.out.with_name(f"{flags.out.name}-{flags.sn:g}.csv")
    table = rows(path, settings, range(flags.first, flags.first + flags.n), lambda number: row_of(number, **own, radii=radii))
    print(summary(table))
    print(f"{path}; {jax.devices()[0].device_kind}")
    if flags.plot:
        plot(table, path.with_suffix(".png"), seed=flags.seed, sn=flags.sn, mass=flags.mass, radii=radii)


if __name__ == "__main__":
    main()
