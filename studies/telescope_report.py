"""The figure of a fit of a telescope's image, from a lens that is simulated, written as FITS and fitted by the command line.

    python studies/telescope_report.py [--seed 0] [--out results/telescope_report]

The lens is one of the problem galaxy: an SIE with shear and a Sérsic source, 81×81 pixels of 0.05 arcsec, a Gaussian PSF of 2 px FWHM, and
white noise of 1/40 of the brightest pixel. North is 20° from the columns, east to its left; a star is masked. Writes OUT/lens.fits,
OUT/results.csv and OUT/report/, and OUT.png: all panels of the report in one figure. Prints each parameter beside the truth.
"""

import argparse
import csv
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from lensjax import problems
from lensjax.cli.main import main as command
from lensjax.dataset import telescope
from lensjax.files import fits
from lensjax.observation import psf
from lensjax.observation.instrument import instrument
from lensjax.report import figures
from lensjax.report.telescope_figures import overview
from lensjax.report.telescope_view import view_of

SHAPE, SCALE, TURN, DEPTH = (81, 81), 0.05, 20.0, 40.0
TRUTH = {
    "x": 0.03, "y": -0.02, "theta_E": 1.2, "q": 0.7, "phi": 30.0, "gamma1": 0.03, "gamma2": -0.02, "source_x": 0.08, "source_y": 0.09,
    "source_R": 0.12, "source_n": 1.5, "source_q": 0.6, "source_phi": 110.0, "source_flux": 1.0, "sky": 0.0,
}  # fmt: skip


def simulate(path: Path, seed: int) -> dict[str, float]:
    """Writes the image with its noise, PSF and mask, and returns the true parameters."""
    problem = problems.composed("galaxy", sky=True)
    taken = instrument(SHAPE, pixel_scale=SCALE, supersampling=4, psf=psf.gaussian(2.0, size=13))
    light = np.asarray(problem.image(jnp.asarray([TRUTH[name] for name in problem.names], jnp.float32), taken), np.float64)
    unit = 1.0 / light.max()
    noise = 1.0 / DEPTH
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    star = np.exp(-0.5 * ((rows - 12.0) ** 2 + (columns - 16.0) ** 2) / 4.0)
    data = light * unit + 3.0 * star + np.random.default_rng(seed).normal(scale=noise, size=SHAPE)
    mask = (np.hypot(rows - 12.0, columns - 16.0) > 7.0).astype(float)
    cos, sin = SCALE / 3600 * np.cos(np.radians(TURN)), SCALE / 3600 * np.sin(np.radians(TURN))
    place = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.2, "CRPIX1": 41.0, "CRPIX2": 41.0}
    header = place | {"CD1_1": -cos, "CD1_2": sin, "CD2_1": sin, "CD2_2": cos, "BUNIT": "electron/s"}
    parts = {"SCI": data, "ERR": np.full(SHAPE, noise), "MASK": mask, "PSF": np.asarray(taken.psf)}
    fits.write(path, [fits.Part(name, values[::-1], header if name == "SCI" else {}) for name, values in parts.items()])
    return {**TRUTH, "source_flux": unit}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the noise (0)")
    parser.add_argument("--out", type=Path, default=Path("results/telescope_report"), metavar="PATH", help="(results/telescope_report)")
    options = parser.parse_args()
    image, results = options.out / "lens.fits", options.out / "results.csv"
    truth = simulate(image, options.seed)
    words = ["--noise", "[ERR]", "--psf", "[PSF]", "--mask", "[MASK]", "--out", str(results), "--report", str(options.out / "report")]
    if command(["estimate", f"{image}[SCI]", *words]):
        raise SystemExit(1)
    with results.open(newline="") as file:
        row = next(csv.DictReader(file))
    for name, value in truth.items():
        print(f"{name:<12} {float(row[name]):9.4f} ± {float(row[f'{name}_err']):.4f}   true {value:.4f}")
    problem = problems.composed("galaxy", sky=True)
    seen = telescope.read(Path(f"{image}[SCI]"), telescope.Taken(noise="[ERR]", psf="[PSF]", mask="[MASK]"))
    view = view_of(problem, np.array([float(row[name]) for name in problem.names]), seen)
    title = rf"simulated lens: $\theta_E$ = {float(row['theta_E']):.4f} ± {float(row['theta_E_err']):.4f} arcsec (true {truth['theta_E']})"
    figures.save(overview(view, title), options.out.with_suffix(".png"), dpi=90)


if __name__ == "__main__":
    main()
