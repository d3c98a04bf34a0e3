"""Errors of refined parameters against the Cramér–Rao bound, for fresh images of a problem.

    python benchmarks/limit.py [--n 1000] [--no-network] [--method roulette|ring|raytrace] [--weak] [--out results/limit]

Prints, per parameter and over all: the error up to symmetry as mean, median and in units of each image's Cramér–Rao
bound (z), for the network alone, for least squares and for the interval fit; the fraction of images with z < 5; violated
pixels; how often the certified bounds contain the truth; and the time of each stage. Images are rendered in float64 and
rounded to 8 bit; the place of the whole image is fitted too. Writes OUT.csv, one row for each image, and OUT.png.
"""

import argparse
import time
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from tqdm import tqdm

from lensjax import estimate, metrics, problems, trained
from lensjax.infer import Solution, cramer_rao
from lensjax.observation.detector import quantise
from lensjax.problems import Problem
from lensjax.train import stream

NORMAL_MEDIAN = 0.6745
CHUNK = 48


def contains(problem: Problem, solution: Solution, truth: np.ndarray) -> np.ndarray:
    """Whether the certified bounds contain one of the truth's equivalent sets (N,); False without bounds."""
    held = np.zeros(len(truth), bool)
    for other in np.asarray(problem.equivalents(jnp.asarray(truth))):
        inside = np.ones(len(truth), bool)
        for k, period in enumerate(problem.period):
            value = other[:, k]
            if period:
                with np.errstate(invalid="ignore"):  # open bounds hold any period
                    middle = np.nan_to_num(0.5 * (solution.lowest[:, k] + solution.highest[:, k]))
                value = middle + (value - middle + period / 2) % period - period / 2
            room = 1e-9 * (1.0 + np.abs(value))
            inside &= (value >= solution.lowest[:, k] - room) & (value <= solution.highest[:, k] + room)
        held |= inside
    return held


def table(problem: Problem, errors: dict[str, np.ndarray], bound: np.ndarray) -> str:
    """One block for each quantity, one row for each estimator, one column for each parameter."""
    lines = []

    def block(title: str, of: dict[str, np.ndarray]) -> None:
        lines.append(f"{title:34}" + "".join(f"{name:>11}" for name in problem.names))
        lines.extend(f"  {name:32}" + "".join(f"{value:11.4f}" for value in values) for name, values in of.items())

    finite = np.where(np.isfinite(bound), bound, np.nan)
    expected = 0.7979 * finite
    absolute = {name: np.abs(error) for name, error in errors.items()}
    block(
        "median |error|",
        {**{k: np.nanmedian(v, axis=0) for k, v in absolute.items()}, "Cramér–Rao": np.nanmedian(expected, axis=0)},
    )
    block(
        "mean |error|",
        {**{k: np.nanmean(v, axis=0) for k, v in absolute.items()}, "Cramér–Rao": np.nanmean(expected, axis=0)},
    )
    block("median z / 0.674", {k: np.nanmedian(v / finite, axis=0) / NORMAL_MEDIAN for k, v in absolute.items()})
    block(
        "fraction of images with z < 5",
        {k: np.nanmean(np.where(np.isnan(v / finite), np.nan, v / finite < 5.0), axis=0) for k, v in absolute.items()},
    )
    return "\n".join(lines)


def weakened(problem: Problem, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same systems with a tenth of einsteinR, and their 8-bit images."""
    truth = truth.copy()
    truth[:, problem.names.index("einsteinR")] *= 0.1
    with jax.enable_x64(True):
        return truth, np.asarray(quantise(jax.jit(problem.render_batch)(jnp.asarray(truth))), np.float32)


def main() -> None:
    """Draws, estimates, refines, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problem", default="sis2023", choices=problems.names())
    parser.add_argument("--n", type=int, default=1000, help="images (default 1000)")
    parser.add_argument("--seed", type=int, default=2023)
    parser.add_argument("--method", default="roulette", help="how the images are rendered (default: as the thesis did)")
    parser.add_argument("--no-network", action="store_true", help="start from the images alone")
    parser.add_argument("--weights", default=None, help="folder of weights (default: the packaged ones)")
    parser.add_argument("--no-least-squares", action="store_true", help="leave out the run without the interval fit")
    parser.add_argument("--weak", action="store_true", help="lenses of a tenth of the prior's einsteinR: 0.5 to 5 px")
    parser.add_argument("--out", type=Path, default=Path("results/limit"), help="OUT.csv and OUT.png")
    arguments = parser.parse_args()

    rendering = problems.get(arguments.problem, method=arguments.method)
    problem = problems.get(arguments.problem)
    truth, images = stream.exact_images(rendering, jax.random.key(arguments.seed), arguments.n)
    if arguments.weak:
        truth, images = weakened(rendering, truth)
    bound = cramer_rao(rendering, truth)
    network, seconds = None, {}
    if not arguments.no_network:
        estimator = trained.load(arguments.weights, problem=arguments.problem)
        estimator.predict(images[:1])
        began = time.perf_counter()
        network = estimator.predict(images)
        seconds["network"] = time.perf_counter() - began

    def solve(rounded: bool, label: str) -> Solution:
        parts = []
        rows = range(0, arguments.n, CHUNK)
        first_starts = None if network is None else network[:CHUNK]
        estimate.solve(problem, images[:CHUNK], first_starts, rounded=rounded, search_on=rounded)  # compile
        began = time.perf_counter()
        for first in tqdm(rows, desc=label, unit=f"×{CHUNK} images"):
            part = slice(first, first + CHUNK)
            start = None if network is None else network[part]
            # Least squares takes rounding for noise, which it is not: its verdict would search each image again.
            parts.append(estimate.solve(problem, images[part], start, rounded=rounded, search_on=rounded))
        seconds[label] = time.perf_counter() - began
        return Solution.concatenate(parts)

    errors = {}
    if network is not None:
        errors["network alone"] = metrics.symmetric_error(network, truth, problem=problem)
    if not arguments.no_least_squares:
        plain = solve(False, "least squares")
        errors["least squares"] = metrics.symmetric_error(plain.params, truth, problem=problem)
    solution = solve(True, "interval fit")
    errors["interval fit"] = metrics.symmetric_error(solution.params, truth, problem=problem)

    held = contains(problem, solution, truth)
    z = np.abs(errors["interval fit"]) / bound
    well = (z[:, [problem.names.index(name) for name in ("x", "y", "einsteinR")]] < 5.0).all(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no image identifies some parameters: no finite bound
        print(table(problem, errors, bound))
    print()
    for name, value in (("network", network), ("interval fit", solution.params)):
        if value is not None:
            raw = np.abs(metrics.raw_error(value, truth, problem=problem))
            each = "  ".join(f"{p} {v:.3f}" for p, v in zip(problem.names, raw.mean(axis=0), strict=True))
            print(f"the thesis's raw error, {name}: {raw.mean():.3f}   ({each})")
    print(f"images with an interval fit:            {np.mean([k == 'interval' for k in solution.kind]):8.2%}")
    print(f"no violated pixel:                      {(solution.violated == 0).mean():8.2%}")
    print(f"z < 5 in x, y and einsteinR:            {well.mean():8.2%}")
    print(f"certified bounds contain the truth:     {held.mean():8.2%} of all images")
    open_ended = np.isinf(solution.lowest).all(axis=1)
    print(f"no lens needed, bounds open:            {open_ended.mean():8.2%}")
    print(f"success reported:                       {solution.success.mean():8.2%}")
    for label, took in seconds.items():
        print(f"{label + ':':28}{1e3 * took / arguments.n:10.1f} ms an image")
    if "least squares" in seconds:
        alone = 1e3 * (seconds["interval fit"] - seconds["least squares"]) / arguments.n
        print(f"{'the interval fit by itself:':28}{alone:10.1f} ms an image")

    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(truth, columns=problem.names)
    for label, error in errors.items():
        for k, name in enumerate(problem.names):
            frame[f"{name} error, {label}"] = error[:, k]
    for k, name in enumerate(problem.names):
        frame[f"{name} bound"], frame[f"{name} err"] = bound[:, k], solution.errors[:, k]
    frame = frame.assign(
        kind=solution.kind, method=solution.method, status=solution.status, violated=solution.violated,
        chi2=solution.chi2, slack=solution.slack, contained=held,
    )  # fmt: skip
    frame.to_csv(arguments.out.with_suffix(".csv"), index=False)
    _figure(problem, errors, bound, arguments.out.with_suffix(".png"))
    print(f"{arguments.out.with_suffix('.csv')} and .png written")


def _figure(problem: Problem, errors: dict[str, np.ndarray], bound: np.ndarray, path: Path) -> None:
    """Histograms of z for each estimator."""
    figure, axes = plt.subplots(2, -(-len(problem.names) // 2), figsize=(11, 6), layout="constrained", sharey=True)
    edges = np.logspace(-4, 4, 65)
    for k, (name, axis) in enumerate(zip(problem.names, axes.flat, strict=False)):
        for label, error in errors.items():
            z = np.abs(error[:, k]) / bound[:, k]
            z = np.clip(z[np.isfinite(z)], edges[0], edges[-1])
            axis.hist(z, edges, histtype="step", linewidth=1.5, label=label)
        axis.axvline(NORMAL_MEDIAN, color="0.5", linestyle=":", label="median at the bound")
        axis.set(xscale="log", title=name, xlabel="z = |error| / Cramér–Rao bound")
    for axis in axes[:, 0]:
        axis.set_ylabel("images")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
