"""Estimates of noisy images of a problem, with truth: errors in units of the stated ones, coverage, success, wrong modes.

    python benchmarks/noise.py [--problem sis2023] [--sigma 1 3 10] [--n 300] [--unknown] [--out results/noise]

Images are floats with white noise about a sky of 0, as a sky-subtracted frame has them: neither rounded nor cut. --unknown does not tell
the estimate its noise, which it then measures. A wrong mode is a fit with a parameter more than 6 stated errors off. Prints one block for
each noise and writes OUT.csv, one row an image.
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from tqdm import tqdm

from lensjax import estimate, metrics, problems, trained
from lensjax.infer import Solution
from lensjax.problems import Problem

FAR = 6.0
MEDIAN = metrics.MEDIAN_ABSOLUTE


def light(problem: Problem, key: jax.Array, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (n, P) and images (n, size, size) in grey levels, neither rounded nor noisy; float64."""
    with jax.enable_x64(True):
        params = jax.jit(problem.sample, static_argnums=1)(key, n).astype(jnp.float64)
        return np.asarray(params), np.asarray(jax.jit(problem.render_batch)(params))


def main() -> None:
    """Draws, estimates, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", default="sis2023", choices=problems.names())
    parser.add_argument("--sigma", type=float, nargs="+", default=[1.0, 3.0, 10.0], help="noise of a pixel [grey levels] (1 3 10)")
    parser.add_argument("--n", type=int, default=300, help="images of each noise (300)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--unknown", action="store_true", help="do not tell the estimate its noise")
    parser.add_argument("--out", type=Path, default=Path("results/noise"), help="OUT.csv")
    flags = parser.parse_args()
    problem = problems.get(flags.problem)
    estimator = trained.load(problem=problem.name)
    tables = []
    for sigma in flags.sigma:
        truth, images = light(problem, jax.random.key(flags.seed), flags.n)
        images = images + np.random.default_rng(flags.seed).normal(scale=sigma, size=images.shape)
        variance = None if flags.unknown else sigma**2
        observations = [estimate.Observation(image, rounded=False, variance=variance) for image in images]
        began = time.perf_counter()
        fits = tqdm(estimate.solve_each(problem, observations, estimator=estimator), total=flags.n, desc=f"σ = {sigma:g}", unit="image")
        solution = Solution.stack([outcome.solution for _, outcome in fits if outcome.solution is not None])
        seconds = time.perf_counter() - began
        error = metrics.symmetric_error(solution.params, truth, problem=problem)
        z = np.where(np.isfinite(solution.errors), error / solution.errors, np.nan)
        wrong = ~(np.nanmax(np.abs(z), axis=1) <= FAR)
        success = solution.success
        used = np.abs(z[success & ~wrong])
        print(f"σ = {sigma:g} grey levels, {flags.n} images, {seconds / flags.n:.2f} s an image")
        print(f"  success {success.mean():.1%}; wrong modes {wrong.mean():.1%}, with success {(wrong & success).mean():.1%}")
        print(f"{'':26}" + "".join(f"{name:>11}" for name in problem.names) + f"{'all':>9}")
        for label, values in (
            ("median z / 0.674", np.nanmedian(used, axis=0) / MEDIAN),
            ("within 1 error (.683)", np.nanmean(np.where(np.isnan(used), np.nan, used < 1.0), axis=0)),
            ("within 2 errors (.954)", np.nanmean(np.where(np.isnan(used), np.nan, used < 2.0), axis=0)),
        ):
            print(f"  {label:24}" + "".join(f"{value:11.3f}" for value in values) + f"{np.nanmean(values):9.3f}")
        table = pd.DataFrame(truth, columns=problem.names)
        for k, name in enumerate(problem.names):
            table[f"{name} z"] = z[:, k]
        tables.append(table.assign(noise=sigma, success=success, chi2=solution.chi2, status=solution.status))
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(tables).to_csv(flags.out.with_suffix(".csv"), index=False)
    print(f"{flags.out.with_suffix('.csv')} written")


if __name__ == "__main__":
    main()
