"""Three lenses that others have published, fitted as `lensjax estimate` fits them: without a person, beside what was published.

    python benchmarks/published_lenses.py DIR [DIR ...] [--only NAME] [--source KIND] [--shear fit] [--out results/published]

J0946+1006: slacs0946+1006_{data,noise_map,psf,mask_extra_galaxies}.fits of PyAutoLabs/autolens_assistant (HST, 0.05″; two rings of two
sources, of which the fit has one). cosmos-web: cosmos_web_ring_F277W_*.fits from there (JWST NIRCam, 0.06″), with its light fitted, and
once more with the light of cosmos_web_ring_F277W_lens_light_model.fits taken off beforehand, where that is there. mock: data.fits,
noise_map.fits, psf.fits and tracer.json, which has the truth, of PyAutoLabs/autolens_profiling, dataset/imaging/hst. Masks are 1 on the
galaxies that are left out. Cases whose files are in no DIR are skipped.

Prints a table. "arcs" is χ² per pixel where the modelled arcs are brighter than twice the noise. ln L is −½ Σ (r²/σ² + ln 2πσ²) of the
whole model, lens light too, over all pixels within 3.5″ that are not masked: that of PyAutoLens. The answer counts a part of the arcs'
light as an error of the model; "highest" is ln L where the fit goes on from it without. The mock's published one is the highest
likelihood of a nested search (Nautilus, results/searches/nautilus/imaging/mge/hst there), not its evidence, which is 31690.47.
Writes OUT.png with data, arcs, model and residuals.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import matplotlib
import numpy as np
from astropy.io import fits
from real_lenses import panels

from lensjax.infer.fit import descend_from
from lensjax.observation.instrument import instrument
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage
from lensjax.pipeline import belief
from lensjax.pipeline.arcs import radius, sigma_of
from lensjax.pipeline.options import Options
from lensjax.pipeline.run import GalaxyFit, fit_galaxy

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

MASK = 3.5
"""Radius [arcsec] of the circle over which the likelihood is summed."""


@dataclass(frozen=True)
class Case:
    """A published lens.

    Attributes:
        name: its name.
        stem: what the names of its files begin with.
        scale: side of a pixel [arcsec].
        theta_e: published Einstein radius [arcsec]; None where tracer.json has it.
        light: ending of the file of the lens's light that is taken off beforehand; empty where it is fitted.
        log_l: published highest likelihood.
        seconds: published time, and where.
    """

    name: str
    stem: str
    scale: float
    theta_e: float | None
    light: str = ""
    log_l: float | None = None
    seconds: str = ""


CASES = (
    Case("J0946+1006", "slacs0946+1006_", 0.05, 1.38),
    Case("cosmos-web", "cosmos_web_ring_F277W_", 0.06, 0.771),
    Case("cosmos-web, light given", "cosmos_web_ring_F277W_", 0.06, 0.771, "lens_light_model"),
    Case("mock", "", 0.05, None, "", 31786.78, "831 s, A100"),
)


def found(case: Case, folders: list[Path]) -> Path | None:
    """The folder that has a case's files; None without."""
    wanted = [f"{case.stem}{part}.fits" for part in ("data", "noise_map", "psf", case.light) if part]
    wanted += ["tracer.json"] if case.theta_e is None else []
    return next((folder for folder in folders if all((folder / name).is_file() for name in wanted)), None)


def read(case: Case, folder: Path) -> SkyImage:
    """A case's image, without its lens's light where that is given."""

    def part(name: str) -> np.ndarray:
        return np.asarray(fits.getdata(folder / f"{case.stem}{name}.fits"), np.float64)[::-1]

    data, noise, psf = part("data"), part("noise_map"), part("psf")
    data = data - part(case.light) if case.light else data
    left_out = folder / f"{case.stem}mask_extra_galaxies.fits"
    used = part("mask_extra_galaxies") == 0 if left_out.is_file() else np.ones(data.shape, bool)
    unit = float(2.0 ** np.round(np.log2(np.median(noise))))
    middle = (0.5 * (data.shape[0] - 1), 0.5 * (data.shape[1] - 1))
    taken = instrument(data.shape, pixel_scale=case.scale, middle=middle, supersampling=2, psf=psf / psf.sum())
    return SkyImage(case.name, observe(data / unit, noise / unit, mask=used, taken_by=taken), None, unit)


def of_tracer(path: Path) -> float:
    """θ_E of the first galaxy's mass in tracer.json: PyAutoLens's is √q (2/(1 + q)) times smaller, as a circle of the same area."""
    mass = json.loads(path.read_text())["arguments"]["galaxies"]["values"][0]["arguments"]["mass"]["arguments"]
    e = float(np.hypot(*mass["ell_comps"]["values"]))
    q = (1.0 - e) / (1.0 + e)
    return float(mass["einstein_radius"] * np.sqrt(q) * 2.0 / (1.0 + q))


def sharp(fit: GalaxyFit) -> GalaxyFit:
    """A fit that goes on to the highest likelihood: without the part of the arcs' light that counts as an error of the model."""
    assert fit.best is not None and fit.image.lens_light is not None
    own, mask = fit.window, np.asarray(fit.seen.mask)
    light = np.zeros(mask.shape) if fit.light is None else fit.light.image
    sigma = np.ones(mask.shape)
    sigma[own.inside] = sigma_of(fit.image.observed)[own.rows, own.columns]
    seen = replace(fit.seen, noise=GaussianNoise(jnp.asarray(sigma, fit.seen.data.dtype)))
    found = descend_from(fit.problem, [seen], [[fit.best.numbers]], beliefs=[belief.of(fit.problem, fit.light)])[0]
    if not found:
        return fit
    best = found[0]
    nuisance = np.where(mask, np.asarray(seen.data, np.float64) - best.model - best.residual * sigma, 0.0)
    front = np.zeros(fit.image.observed.data.shape)
    front[own.rows, own.columns] = (light + nuisance)[own.inside]
    return replace(fit, best=best, seen=seen, image=replace(fit.image, lens_light=front * fit.image.scale))


def log_likelihood(image: SkyImage, fit: GalaxyFit) -> float:
    """ln L of the whole model in the file's unit, over the pixels within `MASK` arcsec that are not masked."""
    assert fit.best is not None and fit.image.lens_light is not None
    seen, own = image.observed, fit.window
    arcs = np.zeros(seen.data.shape)
    arcs[own.rows, own.columns] = fit.best.model[own.inside]
    data, sigma = np.asarray(seen.data, np.float64), sigma_of(seen)
    inside = np.asarray(seen.mask) & (radius(seen.instrument) <= MASK)
    residual = (data - arcs - fit.image.lens_light / image.scale) / sigma
    return float(-0.5 * (residual**2 + np.log(2.0 * np.pi * (sigma * image.scale) ** 2))[inside].sum())


def of_arcs(fit: GalaxyFit) -> float:
    """χ² per pixel of the arcs, with the noise of the data."""
    assert fit.best is not None
    bright = np.asarray(fit.seen.mask) & (fit.best.model > 2.0 * fit.window.sigma)
    return float(((fit.best.residual * sigma_of(fit.seen) / fit.window.sigma)[bright] ** 2).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="cases whose names begin so")
    parser.add_argument("--source", default="auto", help="of the pipeline (auto)")
    parser.add_argument("--shear", choices=("fit", "none"), default="fit", help="external shear")
    parser.add_argument("--out", type=Path, default=Path("results/published"))
    arguments = parser.parse_args()
    chosen = [case for case in CASES if not arguments.only or any(case.name.startswith(start) for start in arguments.only)]
    where = [(case, folder) for case in chosen if (folder := found(case, arguments.folders)) is not None]
    if not where:
        parser.error("no DIR has the files of a case; --help names them")
    figure, axes = plt.subplots(len(where), 4, figsize=(8.0, 2.1 * len(where)), squeeze=False)
    print("| lens | θ_E | published | difference | arcs | ln L | highest | published | s | published | |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    for (case, folder), row in zip(where, axes, strict=True):
        image = read(case, folder)
        start = time.perf_counter()
        fit = fit_galaxy(image, Options(source=arguments.source, lens_light=not case.light, shear=arguments.shear == "fit"))
        seconds = time.perf_counter() - start
        truth = of_tracer(folder / "tracer.json") if case.theta_e is None else case.theta_e
        k = fit.solution.names.index("theta_E")
        radius, error = fit.solution.params[0, k], fit.solution.errors[0, k]
        numbers = ("", "", "")
        if fit.best is not None:
            numbers = (f"{of_arcs(fit):.2f}", f"{log_likelihood(image, fit):.1f}", f"{log_likelihood(image, sharp(fit)):.1f}")
        theirs = "" if case.log_l is None else f"{case.log_l:.1f}"
        verdict = f"{'success' if fit.solution.success[0] else 'no success'}: {fit.solution.status[0]}"
        cells = (case.name, f"{radius:.4f} ± {error:.4f}", f"{truth:.4f}", f"{radius / truth - 1.0:+.1%}", *numbers, theirs)
        print("| " + " | ".join((*cells, f"{seconds:.0f}", case.seconds, verdict)) + " |", flush=True)
        panels(case.name, fit, row, f"{radius:.3f}, published {truth:.3f}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(arguments.out.with_suffix(".png"), dpi=60)
    print(f"{arguments.out.with_suffix('.png')}; {jnp.zeros(1).devices()}")


if __name__ == "__main__":
    main()
