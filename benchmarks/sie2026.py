"""Fits of the CosmoSim group's SIE set of July 2026, scored as droulette scores its networks.

    lensjax simulate --toml dataset.toml --lookup cosmosim ...   or CosmoSim 3.3.0 itself:
    python -m CosmoSim --toml dataset.toml --rnd --csvfile dataset.csv --outfile roulette.csv --directory images -C -Z 512 -z 256
    python benchmarks/sie2026.py DIR [--n 200] [--network DIR] [--network-alone] [--without-lattice] [--out results/sie2026]

DIR has dataset.csv, roulette.csv and images/. R² of a column is 1 − MSE/variance over the images, with labels standardised; its mean over
the columns is the number of droulette's log, 0.051 for the group's network. "scaled" takes amplitudes α_s^m |ξ|^(m−1), of order one.
A table says which columns an image identifies.
Writes OUT.csv, one row an image.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from lensjax import estimate
from lensjax.dataset import fit_amplitudes
from lensjax.infer import Solution, lattice
from lensjax.problems.cosmosim2026 import sie2026

ORDER = 4


def r_squared(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """1 − MSE/variance of each column, (N, C) → (C,); columns of no variance are NaN."""
    variance = truth.var(axis=0)
    return 1.0 - ((predicted - truth) ** 2).mean(axis=0) / np.where(variance > 0, variance, np.nan)


def identified(table: pd.DataFrame, columns: list[str]) -> str:
    """Which columns an image identifies: its error, from the Fisher information with the lattice's noise, beside the spread over the set.

    An image without a fit, or whose fit does not determine the column, has an infinite error.
    """
    lines = [f"{'column':14}{'spread':>12}{'median error':>14}{'known to spread/10':>19}{'unknown (error > spread)':>27}"]
    for name in columns:
        error = table[f"{name} err"].to_numpy(float) if f"{name} err" in table else np.full(len(table), np.inf)
        error = np.where(np.isfinite(error), error, np.inf)
        spread = float(table[f"{name} true"].std())
        lines.append(f"{name:14}{spread:12.4g}{np.median(error):14.3g}{(error < spread / 10).mean():19.0%}{(error > spread).mean():27.0%}")
    return "\n".join(lines)


def main() -> None:
    """Fits, scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--table", type=Path, help="score this table of an earlier run instead")
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="index of the first image (0)")
    parser.add_argument("--network", type=Path, metavar="DIR", help="exported weights: each fit starts from their estimate too")
    parser.add_argument("--network-alone", action="store_true", help="score the network's estimates, without fits")
    parser.add_argument("--without-lattice", action="store_true", help="rounding as the only noise")
    parser.add_argument("--out", type=Path, default=Path("results/sie2026"))
    flags = parser.parse_args()
    if flags.table is not None:
        score(pd.read_csv(flags.table))
        return
    systems, labels = (pd.read_csv(flags.folder / name) for name in ("dataset.csv", "roulette.csv"))
    problem, names = sie2026(), fit_amplitudes.columns(ORDER)
    estimator = None if flags.network is None else estimate.load(flags.network, problem="sie2026")
    if flags.network_alone and estimator is None:
        parser.error("--network-alone: expected --network DIR too")
    chosen = range(flags.first, min(flags.first + flags.n, len(systems)))
    rows = []
    for k in tqdm(chosen, unit="image"):
        system, label = systems.iloc[k], labels.iloc[k]
        pixels = np.asarray(Image.open(flags.folder / "images" / system["filename"]).convert("L"))
        guess = None if estimator is None else estimator.predict(pixels[None])[0]
        began = time.perf_counter()
        if flags.network_alone and guess is not None:
            solution = Solution.failed(problem.names, "the network alone", coordinates=problem.size)
            solution = replace(solution, params=np.asarray(guess, np.float64)[None])
        else:
            solution = lattice.estimate(problem, pixels, guess=guess, lattice=not flags.without_lattice).solution
        seconds = time.perf_counter() - began
        row = {"filename": system["filename"], "success": bool(solution.success[0]), "status": solution.status[0], "seconds": seconds}
        row |= {f"{name} true": label[name] for name in ("xiX", "xiY", *names)}
        row |= {
            "sigma true": system["sigma"],
            "theta_E true": system["einsteinradius"],
            "n true": system["n_sersic"],
            "luminosity true": system["luminosity"],
            "xi": np.hypot(label["xiX"] - label["lensX"], label["xiY"] - label["lensY"]),
        }
        if np.isfinite(solution.params).all():
            fitted = fit_amplitudes.of_solution(problem, solution, ORDER)
            found = dict(zip(problem.names, solution.params[0], strict=True))
            row |= {"xiX": fitted.xi[0], "xiY": fitted.xi[1], "sigma": found["source_R"], "theta_E": found["theta_E"]}
            for kind, values in (("alpha", fitted.alpha), ("beta", fitted.beta)):
                row |= {f"{kind}[{m}][{s}]": values[m, s] for m in range(ORDER + 1) for s in range(ORDER + 2)}
            e = dict(zip(problem.names, solution.errors[0], strict=True))
            row |= {"theta_E err": e["theta_E"], "phi err": e["phi"], "q err": e["q"], "sigma err": e["source_R"]}
            row |= {"n": found["source_n"], "n err": e["source_n"], "luminosity": found["source_flux"] / 1e3}
            row |= {"luminosity err": e["source_flux"] / 1e3, "xiX err": fitted.xi_errors[0], "xiY err": fitted.xi_errors[1]}
            for kind, values in (("alpha", fitted.alpha_errors), ("beta", fitted.beta_errors)):
                row |= {f"{kind}[{m}][{s}] err": values[m, s] for m in range(ORDER + 1) for s in range(ORDER + 2)}
        rows.append(row)
    table = pd.DataFrame(rows)
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(flags.out.with_suffix(".csv"), index=False)
    score(table)


def score(table: pd.DataFrame) -> None:
    """Prints the scores of a table."""
    names = fit_amplitudes.columns(ORDER)
    order = [int(name.split("[")[1][0]) for name in names]
    success = table["success"].to_numpy()
    error = np.abs(table["theta_E"] / table["theta_E true"] - 1.0).to_numpy()
    print(f"{len(table)} images; success {success.mean():.1%}; median seconds {table['seconds'].median():.1f}")
    for label, part in (("successes", error[success]), ("all images", error)):
        if not np.isfinite(part).any():
            print(f"|Δθ_E|/θ_E, {label}: none")
            continue
        print(f"|Δθ_E|/θ_E, {label}: median {np.nanmedian(part):.3%}, within 1 % {(part < 0.01).mean():.1%}, largest {np.nanmax(part):.2%}")
    columns = ["xiX", "xiY", *names]
    if "q err" in table and np.isfinite(table["q err"]).any():  # a network alone states no errors
        print(identified(table, [*columns, "sigma", "luminosity", "n"]))
    scale = np.concatenate([np.zeros(2), np.array(order, float) - 1.0])
    for label, used in (("successes", success), ("all images", np.isfinite(error))):
        if not used.any():
            continue
        part = table[used]
        found, truth = part[columns].to_numpy(), part[[f"{name} true" for name in columns]].to_numpy()
        factor = part["xi"].to_numpy()[:, None] ** np.where(np.arange(len(columns)) < 2, 0.0, scale)
        # A constant for images that gave no numbers would be the mean, of R² 0; they are few and left out.
        for kind, weight in (("raw", 1.0), ("scaled", factor)):
            each = r_squared(found * weight, truth * weight)
            print(
                f"R², {label}, {kind:7}: mean {np.nanmean(each):7.3f}   "
                + "  ".join(f"{n} {v:.3f}" for n, v in zip(columns, each, strict=True))
            )
        sigma = r_squared(part[["sigma"]].to_numpy(), part[["sigma true"]].to_numpy())[0]
        relative = np.nanmedian(np.abs(found - truth) / np.maximum(np.abs(truth), 1e-12), axis=0)
        print(f"sigma, {label}: R² {sigma:.3f}; median relative error of the amplitudes {np.median(relative):.2%}")


if __name__ == "__main__":
    main()
