"""Fits of mock observations with truth, from the image alone: SIE and shear, Sérsic source, PSF, white noise.

    python benchmarks/mocks.py [--n 200] [--seed 1] [--size 100] [--fwhm 2.5] [--peak 50] [--out results/mocks]

Prints how many fits reach the right mode (no parameter further than 6 errors from the truth), how many of the others say so, the median
error in units of the stated one, the coverage of 68 % and 95 % bars, and the time. Writes OUT.csv, one row a mock, and OUT.png.
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pandas as pd
from tqdm import tqdm

from lensjax.infer.estimation import estimate_each
from lensjax.observation import psf
from lensjax.observation.instrument import Instrument, instrument
from lensjax.observation.observed import Observed, observe
from lensjax.problems import components
from lensjax.problems.compose import Composition, compose

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

FAR = 6.0
"""Stated errors from the truth, beyond which a fit stands in a wrong mode."""


def scene(size: int, fwhm: float) -> tuple[Composition, Instrument]:
    """The problem, and the instrument with a PSF."""
    scale = size / 100
    problem = compose(
        "mocks",
        [
            components.sie(theta_e=(10.0 * scale, 35.0 * scale), reach=2.0 * scale, q=0.4),
            components.shear(),
            components.sersic(radius=(2.0 * scale, 6.0 * scale), index=(0.7, 4.0), reach=8.0 * scale),
        ],
    )
    return problem, instrument((size, size), supersampling=2, refinement=8, refined=size * size // 50, psf=psf.gaussian(fwhm))


def drawn(problem: Composition, taken: Instrument, *, n: int, peak: float, seed: int) -> tuple[np.ndarray, list[Observed]]:
    """True parameters (n, P), and observations whose brightest pixel is 1, with white noise of 1/peak."""
    render = jax.jit(lambda params: problem.image(params, taken))
    noise = np.random.default_rng(seed)
    truths, observations = [], []
    for k in range(n):
        truth = np.asarray(problem.draw(jax.random.fold_in(jax.random.key(seed), k)), np.float64)
        image = np.asarray(render(jnp.asarray(truth, jnp.float32)), np.float64)
        truth[-1] /= image.max()
        image = image / image.max() + noise.normal(scale=1.0 / peak, size=image.shape)
        truths.append(truth)
        observations.append(observe(image, 1.0 / peak, taken_by=taken))
    return np.stack(truths), observations


def main() -> None:
    """Draws, fits, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="mocks (200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=100, help="pixels on a side (100)")
    parser.add_argument("--fwhm", type=float, default=2.5, help="of the PSF [px] (2.5)")
    parser.add_argument("--peak", type=float, default=50.0, help="signal to noise of the brightest pixel (50)")
    parser.add_argument("--batch", type=int, default=None, help="descents at once (as suits the device)")
    parser.add_argument("--out", type=Path, default=Path("results/mocks"), help="OUT.csv and OUT.png")
    flags = parser.parse_args()

    problem, taken = scene(flags.size, flags.fwhm)
    truths, observations = drawn(problem, taken, n=flags.n, peak=flags.peak, seed=flags.seed)
    next(estimate_each(problem, observations[:1], batch=flags.batch))  # compile, in part
    rows, z, right = [], [], []
    began = time.perf_counter()
    fits = tqdm(estimate_each(problem, observations, batch=flags.batch), total=flags.n, unit="mock")
    for truth, solution in zip(truths, (outcome.solution for outcome in fits), strict=True):
        error = solution.params[0] - truth
        for j, parameter in enumerate(problem.parameters):
            if parameter.period:
                error[j] -= parameter.period * np.round(error[j] / parameter.period)
        z.append(np.where(np.isfinite(solution.errors[0]), error / solution.errors[0], np.nan))
        right.append(bool(np.nanmax(np.abs(z[-1])) < FAR) if np.isfinite(z[-1]).any() else False)
        rows.append(
            {name: value for name, value in zip(problem.names, truth, strict=True)}
            | {f"{name} z": value for name, value in zip(problem.names, z[-1], strict=True)}
            | {"right": right[-1], "success": bool(solution.success[0]), "chi2": solution.chi2[0], "status": solution.status[0]}
        )
    seconds = time.perf_counter() - began
    table = pd.DataFrame(rows)
    z, right, success = np.array(z), np.array(right), table["success"].to_numpy()
    print(f"right mode:                       {right.mean():7.1%}")
    print(f"success reported:                 {success.mean():7.1%}")
    print(f"wrong mode and success reported:  {(~right & success).mean():7.1%}")
    used = z[right]
    print(f"{'':24}" + "".join(f"{name:>13}" for name in problem.names) + f"{'all':>9}")
    for label, values in (
        ("median z / 0.674", np.nanmedian(np.abs(used), axis=0) / 0.6745),
        ("within 1 error (.683)", np.nanmean(np.where(np.isnan(used), np.nan, np.abs(used) < 1.0), axis=0)),
        ("within 2 errors (.954)", np.nanmean(np.where(np.isnan(used), np.nan, np.abs(used) < 2.0), axis=0)),
    ):
        print(f"{label:24}" + "".join(f"{value:13.3f}" for value in values) + f"{np.mean(values):9.3f}")
    print(f"seconds a mock: {seconds / flags.n:.2f}; {jax.devices()[0].device_kind}")
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(flags.out.with_suffix(".csv"), index=False)
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    axis.hist(np.clip(used[np.isfinite(used)], -5, 5), np.linspace(-5, 5, 51), density=True, label="fits")
    at = np.linspace(-5, 5, 200)
    axis.plot(at, np.exp(-0.5 * at**2) / np.sqrt(2 * np.pi), label="normal")
    axis.set(xlabel="(fit − truth) / stated error", ylabel="density")
    axis.legend(frameon=False)
    figure.savefig(flags.out.with_suffix(".png"), dpi=130)


if __name__ == "__main__":
    main()
