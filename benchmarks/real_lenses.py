"""Images of real lenses, fitted as `lensjax estimate` fits them, beside published Einstein radii.

    python benchmarks/real_lenses.py DIR [--published FILE] [--column theta_E] [--subtracted] [--network] [--lens sie] [--shear fit]
        [--only NAME ...] [--out results/real]

DIR has NAME_image.fits, NAME_noise.fits and NAME_psf.fits for each lens (arrays whose first row is at the bottom), or NAME.npz with image,
noise and psf, and with lens_light_subtracted and mask for --subtracted. FILE, by default DIR/published.csv, has a column name, the
published theta_E [arcsec], and any others of theta_E to compare with; of NAME.npz their own params are taken where there is no FILE.
Prints a line a lens, and the medians. Writes OUT.csv, row by row: started again, it resumes. OUT.png shows every fit. --network asks the
packaged network alone, all of whose answers count as success.
"""

import argparse
import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from galaxy_fits import network_of

from lensjax import trained
from lensjax.dataset import telescope
from lensjax.dataset.telescope import Taken
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage
from lensjax.pipeline.options import Options
from lensjax.pipeline.run import GalaxyFit, fit_galaxy
from lensjax.pipeline.window import small_psf

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

FAR = 0.10
"""Relative difference from the published Einstein radius, from which a fit is wrong."""


def names_of(folder: Path) -> list[str]:
    """Names of the lenses in a folder."""
    return sorted({*(p.name.removesuffix("_image.fits") for p in folder.glob("*_image.fits")), *(p.stem for p in folder.glob("*.npz"))})


def read(folder: Path, name: str, *, scale: float, subtracted: bool) -> SkyImage:
    """A lens's image."""
    packed = folder / f"{name}.npz"
    if not packed.exists():
        part = {kind: str(folder / f"{name}_{kind}.fits") for kind in ("noise", "psf")}
        return telescope.read(folder / f"{name}_image.fits", Taken(**part, pixel_scale=scale))
    with np.load(packed, allow_pickle=False) as arrays:
        data = arrays["lens_light_subtracted" if subtracted else "image"][::-1].astype(float)
        noise, psf = arrays["noise"][::-1].astype(float), arrays["psf"][::-1].astype(float)
        mask = arrays["mask"][::-1] > 0 if subtracted else np.isfinite(data)
        step = float(abs(np.linalg.det(arrays["transform_pix2angle"])) ** 0.5) if "transform_pix2angle" in arrays else scale
    unit = float(2.0 ** np.round(np.log2(np.median(noise[noise > 0]))))
    taken = instrument(data.shape, pixel_scale=step, supersampling=2, psf=small_psf(psf, min(data.shape)))
    return SkyImage(name, observe(data / unit, noise / unit, mask=mask, taken_by=taken), None, unit)


def published_of(folder: Path, file: Path | None, names: list[str]) -> dict[str, dict[str, float]]:
    """Published Einstein radii [arcsec] by lens and column."""
    file = folder / "published.csv" if file is None else file
    if file.exists():
        with file.open() as lines:
            rows = {row["name"]: row for row in csv.DictReader(lines)}
        return {n: {c: float(v) for c, v in rows[n].items() if c.startswith("theta_E") and v} for n in names if n in rows}
    found = {}
    for name in names:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            params = json.loads(str(arrays["params"]))
        found[name] = {"theta_E": float(params["theta_E"])}
    return found


def lenses(arguments: argparse.Namespace, names: list[str]) -> Iterator[tuple[str, Any, float]]:
    """Each lens's name, its fit or what has the network's `solution`, and time [s]."""
    estimator = trained.load(problem="galaxy") if arguments.network else None
    options = Options(mass=arguments.lens, lens_light=not arguments.subtracted, shear=arguments.shear == "fit")
    for name in names:
        image = read(arguments.folder, name, scale=arguments.pixel_scale, subtracted=arguments.subtracted)
        start = time.perf_counter()
        found = fit_galaxy(image, options) if estimator is None else network_of(estimator, image)
        yield name, found, time.perf_counter() - start


def panels(name: str, fit: GalaxyFit, row: np.ndarray, title: str) -> None:
    """Draws data, arcs, model and residual of one fit."""
    mask, sigma, data = np.asarray(fit.seen.mask), fit.window.sigma, np.asarray(fit.seen.data)
    model = np.zeros_like(data) if fit.best is None else fit.best.model
    images = (
        (np.arcsinh(fit.window.data / np.median(sigma) / 3.0), None, None), (np.where(mask, data / sigma, np.nan), -4, 10),
        (model / sigma, -4, 10), (np.where(mask, (data - model) / sigma, np.nan), -5, 5),
    )  # fmt: skip
    for axes, (image, low, high), cmap in zip(row, images, ("magma", "magma", "magma", "RdBu_r"), strict=True):
        axes.imshow(image, vmin=low, vmax=high, cmap=cmap)
        axes.axis("off")
    row[0].set_title(f"{name}: {title}", fontsize=7, loc="left")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--published", type=Path, metavar="FILE")
    parser.add_argument("--column", default=None, help="of the published theta_E (the first)")
    parser.add_argument("--subtracted", action="store_true", help="images whose lens light is off already, of NAME.npz")
    parser.add_argument("--pixel-scale", type=float, default=0.05, help="of FITS files without one [arcsec] (0.05)")
    parser.add_argument("--lens", choices=("sie", "epl"), default="sie")
    parser.add_argument("--shear", choices=("fit", "none"), default="fit", help="external shear")
    parser.add_argument("--network", action="store_true", help="ask the packaged network alone")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("results/real"))
    arguments = parser.parse_args()
    names = [name for name in names_of(arguments.folder) if not arguments.only or name in arguments.only]
    known = published_of(arguments.folder, arguments.published, names)
    columns = list(dict.fromkeys(column for row in known.values() for column in row))
    column = arguments.column or columns[0]
    table = arguments.out.with_suffix(".csv")
    table.parent.mkdir(parents=True, exist_ok=True)
    heads = ["name", "theta_E", "theta_E_err", "q", "phi", "gamma1", "gamma2", "success", "seconds", "status"]
    if not table.exists():
        table.write_text(",".join(heads) + "\n")
    with table.open() as lines:
        done = {row["name"]: row for row in csv.DictReader(lines)}
    lines_of_three = -(-len(names) // 3)
    figure, axes = plt.subplots(lines_of_three, 12, figsize=(24.0, 2.1 * lines_of_three), squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    axes = axes.reshape(-1, 4)
    left = [name for name in names if name not in done]
    for name, fit, seconds in lenses(arguments, left):
        values = dict(zip(fit.solution.names, fit.solution.params[0].tolist(), strict=True))
        error = float(fit.solution.errors[0][fit.solution.names.index("theta_E")])
        row = {**{k: f"{values[k]:.5g}" for k in heads[1:] if k in values}, "name": name, "theta_E_err": f"{error:.3g}"}
        row |= {"success": str(bool(fit.solution.success[0])), "seconds": f"{seconds:.1f}", "status": fit.solution.status[0]}
        with table.open("a", newline="") as lines:
            csv.DictWriter(lines, heads).writerow(row)
        done[name] = row
        truth = known.get(name, {}).get(column, np.nan)
        radius = values["theta_E"]
        off = 100.0 * (radius / truth - 1.0)
        print(f"{name} {radius:.3f} published {truth:.3f} {off:+.1f} % {seconds:.0f} s {row['status']}")
        if not isinstance(fit, GalaxyFit):
            continue
        if fit.findings is not None:
            print("   ", fit.findings, flush=True)
        verdict = "success" if fit.solution.success[0] else "flagged"
        panels(name, fit, axes[names.index(name)], f"{radius:.3f}, published {truth:.3f}; {verdict}")
    if left and not arguments.network:
        figure.tight_layout()
        figure.savefig(arguments.out.with_suffix(".png"), dpi=60)
    summary(names, done, known, columns, column)


def summary(names: list[str], done: dict[str, dict[str, str]], known: dict[str, dict[str, float]], columns: list[str], column: str) -> None:
    """Prints how far the Einstein radii lie from the published ones."""
    rows = [(done[name], known[name]) for name in names if name in done and column in known.get(name, {})]
    ours = np.array([float(row["theta_E"]) for row, _ in rows])
    errors = np.array([float(row["theta_E_err"]) for row, _ in rows])
    truth = np.array([own[column] for _, own in rows])
    good = np.array([row["success"] == "True" for row, _ in rows])
    print(f"\n| against {column} | lenses | median |Δθ_E|/θ_E | off by more than {100 * FAR:.0f} % | of these not flagged | flagged |")
    print("|---|---:|---:|---:|---:|---:|")
    others = [c for c in columns if c != column and "low" not in c and "high" not in c]
    theirs = {c: np.array([own.get(c, np.nan) for _, own in rows]) for c in others}
    for what, values in ({"LensJAX": ours} | theirs).items():
        off = np.abs(values / truth - 1.0)
        wrong = ~(off <= FAR)
        flagged, missed = (f"{(~good).sum()}", f"{(wrong & good).sum()}") if what == "LensJAX" else ("", "")
        print(f"| {what} | {len(off)} | {100 * np.nanmedian(off):.1f} % | {wrong.sum()} | {missed} | {flagged} |")
    if good.any():
        off, within = np.abs(ours / truth - 1.0)[good], np.mean(np.abs(ours - truth)[good] < errors[good])
        print(f"Of the {good.sum()} successes: median {100 * np.median(off):.1f} %, within one error {within:.0%}.")
    print(f"Median {np.median([float(row['seconds']) for row, _ in rows]):.0f} s a lens.")


if __name__ == "__main__":
    main()
