"""Networks and fits on the CosmoSim group's sets of July 2026, scored as droulette scores its networks.

    python -m CosmoSim --toml dataset.toml --rnd --csvfile dataset.csv --outfile roulette.csv --directory images -C -Z 512 -z 256
    python benchmarks/cosmosim2026.py DIR [--problem sie2026|cluster2sie2026|cluster4sis2026] [--n 200] [--network DIR] [--network-alone]
        [--without-lattice] [--out results/cosmosim2026]

DIR has dataset.csv, roulette.csv and images/. R² of a column is 1 − MSE/variance over the images, with labels standardised; its mean over
the columns is the number of droulette's log: 0.051, 0.179 and 0.456 for the group's networks. "scaled" takes amplitudes α_s^m |ξ|^(m−1),
of order one. Behind a mean stand the central 68 % of its bootstrap over the images: few lenses near ξ decide the amplitudes of m = 3 and 4.
A network may answer parameters or amplitudes; fits start from one that answers parameters. A table says which columns an
image identifies. CosmoSim's amplitudes of a cluster leave out where its members stand, so that no image holds them: a second score is
against those of the true lens, and a third says how far these follow the labels. Images hold an answer where the stated errors of their
fits are below a third of the spread of every label over the set. Writes OUT.csv, one row an image.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from lensjax import problems, trained
from lensjax.dataset import fit_amplitudes
from lensjax.files.whole import write_text
from lensjax.formats.cosmosim import table as tables
from lensjax.infer import Solution, lattice
from lensjax.problems.compose import Composition
from lensjax.problems.cosmosim2026 import cluster2sie2026, cluster4sis2026, sie2026
from lensjax.problems.tables import params_of

ORDER = 4
PROBLEMS = {"sie2026": sie2026, "cluster2sie2026": cluster2sie2026, "cluster4sis2026": cluster4sis2026}
SOURCE = {"sigma": "sigma", "n": "n_sersic", "luminosity": "luminosity"}
"""Numbers of the source, and their columns in dataset.csv."""
ANSWERED = 1 / 3
"""Of a label's spread over the set: the stated error below which an image holds an answer."""
LABELS = {"sie2026": ("sigma",), "cluster2sie2026": tuple(SOURCE), "cluster4sis2026": tuple(SOURCE)}
"""Which of them are labels of the group's networks, beside the amplitudes and their place."""


def r_squared(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """1 − MSE/variance of each column, (N, C) → (C,); columns of no variance are NaN."""
    variance = truth.var(axis=0)
    return 1.0 - ((predicted - truth) ** 2).mean(axis=0) / np.where(variance > 0, variance, np.nan)


def interval(predicted: np.ndarray, truth: np.ndarray, *, draws: int = 500) -> tuple[float, float]:
    """The central 68 % of the mean R² over columns, (N, C) each, when the images are drawn anew from themselves (bootstrap)."""
    rng = np.random.default_rng(0)
    rows = rng.integers(len(truth), size=(draws, len(truth)))
    low, high = np.percentile([np.nanmean(r_squared(predicted[own], truth[own])) for own in rows], [16, 84])
    return float(low), float(high)


def identified(table: pd.DataFrame, columns: list[str]) -> str:
    """Which columns an image identifies: its error, from the Fisher information with the lattice's noise, beside the spread over the set.

    An image without a fit, or whose fit does not determine the column, has an infinite error.
    """
    lines = [f"{'column':14}{'spread':>12}{'median error':>14}{'known to spread/10':>19}{'unknown (error > spread)':>27}"]
    for name in columns:
        error = stated(table, name)
        spread = float(table[f"{name} true"].std())
        lines.append(f"{name:14}{spread:12.4g}{np.median(error):14.3g}{(error < spread / 10).mean():19.0%}{(error > spread).mean():27.0%}")
    return "\n".join(lines)


def stated(table: pd.DataFrame, name: str) -> np.ndarray:
    """(N,) errors that fits state of a column; inf where they state none."""
    error = table[f"{name} err"].to_numpy(float) if f"{name} err" in table else np.full(len(table), np.inf)
    return np.where(np.isfinite(error), error, np.inf)


def answered(table: pd.DataFrame, names: list[str]) -> np.ndarray:
    """(N,) which images hold an answer: their fits state errors of all labels that are below a third of the labels' spread over the set."""
    return np.all([stated(table, name) < ANSWERED * table[f"{name} true"].std() for name in names], axis=0)


def labels_of(system: pd.Series, label: pd.Series, names: list[str]) -> dict[str, float]:
    """The true labels of an image, and |ξ|, which makes amplitudes dimensionless."""
    row = {f"{name} true": float(label[name]) for name in ("xiX", "xiY", *names)}
    row |= {f"{name} true": float(system[column]) for name, column in SOURCE.items()}
    if "einsteinradius" in system:
        row["theta_E true"] = float(system["einsteinradius"])
    return row | {"xi": float(np.hypot(label["xiX"] - label["lensX"], label["xiY"] - label["lensY"]))}


def true_lens(problem: Composition, params: np.ndarray) -> dict[str, float]:
    """Reference point and amplitudes of the true cluster, members where they stand."""
    fit = Solution.failed(problem.names, "", coordinates=problem.size)
    fit = replace(fit, params=params[None], errors=np.ones((1, len(params))), covariance=np.eye(len(params))[None])
    answers = answers_of(problem, fit)
    return {f"{name} lens": answers[name] for name in ("xiX", "xiY", *fit_amplitudes.columns(ORDER))}


def answers_of(problem: Composition, solution: Solution) -> dict[str, float]:
    """What a fit says of the labels, each with its error."""
    fitted = fit_amplitudes.of_solution(problem, solution, ORDER)
    found, errors = (dict(zip(problem.names, values[0], strict=True)) for values in (solution.params, solution.errors))
    row = {"xiX": fitted.xi[0], "xiY": fitted.xi[1], "xiX err": fitted.xi_errors[0], "xiY err": fitted.xi_errors[1]}
    for kind, values, own in (("alpha", fitted.alpha, fitted.alpha_errors), ("beta", fitted.beta, fitted.beta_errors)):
        for m, s in ((m, s) for m in range(ORDER + 1) for s in range(ORDER + 2)):
            row |= {f"{kind}[{m}][{s}]": values[m, s], f"{kind}[{m}][{s}] err": own[m, s]}
    for name in ("theta_E", "phi", "q"):
        if name in found:
            row |= {name: found[name], f"{name} err": errors[name]}
    return row | of_source(found) | {f"{name} err": value for name, value in of_source(errors).items()}


def of_source(values: dict[str, float]) -> dict[str, float]:
    """Size, index and luminosity as CosmoSim has them."""
    return {"sigma": values["source_R"], "n": values["source_n"], "luminosity": values["source_flux"] / 1e3}


def main() -> None:
    """Estimates, scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--problem", choices=PROBLEMS, default="sie2026")
    parser.add_argument("--table", type=Path, help="score this table of an earlier run instead")
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="index of the first image (0)")
    parser.add_argument("--network", type=Path, metavar="DIR", help="exported weights: each fit starts from their estimate too")
    parser.add_argument("--network-alone", action="store_true", help="score the network's answers, without fits")
    parser.add_argument("--without-lattice", action="store_true", help="rounding as the only noise")
    parser.add_argument("--out", type=Path, default=Path("results/cosmosim2026"))
    flags = parser.parse_args()
    if flags.table is not None:
        score(pd.read_csv(flags.table), LABELS[flags.problem])
        return
    if flags.network_alone and flags.network is None:
        parser.error("--network-alone: expected --network DIR too")
    systems, labels = (pd.read_csv(flags.folder / name) for name in ("dataset.csv", "roulette.csv"))
    problem, names = PROBLEMS[flags.problem](), fit_amplitudes.columns(ORDER)
    network = None if flags.network is None else trained.network(flags.network, problem=flags.problem)
    if network is not None and network.task.amplitudes is not None and not flags.network_alone:
        parser.error("--network: expected one that answers parameters, for fits to start from; or --network-alone")
    clusters = flags.problem in problems.cluster_names()
    if clusters:
        of_systems, of_labels = (tables.read(flags.folder / name) for name in ("dataset.csv", "roulette.csv"))
        truths = params_of(problems.get(flags.problem), of_systems, amplitudes=of_labels)
    chosen = range(flags.first, min(flags.first + flags.n, len(systems)))
    rows = []
    for k in tqdm(chosen, unit="image"):
        system, label = systems.iloc[k], labels.iloc[k]
        pixels = np.asarray(Image.open(flags.folder / "images" / system["filename"]).convert("L"))
        row = labels_of(system, label, names)
        if clusters:
            row |= true_lens(problem, truths[k])
        began = time.perf_counter()
        guess = None if network is None else network.predict(pixels[None])[0]
        if flags.network_alone and guess is not None and network is not None and network.task.amplitudes is not None:
            values = dict(zip(network.task.amplitudes.names, (float(value) for value in guess), strict=True))
            row |= values | (of_source(values) if "source_R" in values else {}) | {"success": False, "status": "the network alone"}
        else:
            if flags.network_alone:
                solution = Solution.failed(problem.names, "the network alone", coordinates=problem.size)
                solution = replace(solution, params=np.asarray(guess, np.float64)[None])
            else:
                solution = lattice.estimate(problem, pixels, guess=guess, lattice=not flags.without_lattice).solution
            row |= {"success": bool(solution.success[0]), "status": solution.status[0]}
            row |= answers_of(problem, solution) if np.isfinite(solution.params).all() else {}
        rows.append({"filename": system["filename"], "seconds": time.perf_counter() - began, **row})
    table = pd.DataFrame(rows)
    write_text(flags.out.with_suffix(".csv"), table.to_csv(index=False))
    score(table, LABELS[flags.problem])


def score(table: pd.DataFrame, labels: tuple[str, ...]) -> None:
    """Prints the scores of a table; `labels` of the source count in the mean."""
    names = fit_amplitudes.columns(ORDER)
    order = [int(name.split("[")[1][0]) for name in names]
    success = table["success"].to_numpy()
    columns = ["xiX", "xiY", *names]
    known = np.isfinite(table[columns].to_numpy(float)).all(axis=1)
    print(f"{len(table)} images; success {success.mean():.1%}; median seconds {table['seconds'].median():.1f}")
    if "theta_E" in table:
        error = np.abs(table["theta_E"] / table["theta_E true"] - 1.0).to_numpy()
        for label, part in (("successes", error[success]), ("all images", error)):
            if not np.isfinite(part).any():
                print(f"|Δθ_E|/θ_E, {label}: none")
                continue
            within, largest = (part < 0.01).mean(), np.nanmax(part)
            print(f"|Δθ_E|/θ_E, {label}: median {np.nanmedian(part):.3%}, within 1 % {within:.1%}, largest {largest:.2%}")
    of_sources = [name for name in SOURCE if name in table]
    if "xiX err" in table and np.isfinite(table["xiX err"]).any():  # a network alone states no errors
        print(identified(table, [*columns, *of_sources]))
    scale = np.array([0, 0, *(m - 1 for m in order)] + [0] * len(of_sources), float)
    scored = [*columns, *of_sources]

    counted = np.array([name in (*columns, *labels) for name in scored])

    def scores(part: pd.DataFrame, found: str, truth: str, factor: np.ndarray | float) -> tuple[dict[str, float], tuple[float, float]]:
        """R² of each column, labels of the source always against CosmoSim's, and the interval of the mean over the labels."""
        own = part[[f"{name}{found}" if name in columns else name for name in scored]].to_numpy() * factor
        true = part[[f"{name} {truth if name in columns else 'true'}" for name in scored]].to_numpy() * factor
        return dict(zip(scored, r_squared(own, true), strict=True)), interval(own[:, counted], true[:, counted])

    told = known & answered(table, [name for name, own in zip(scored, counted, strict=True) if own])
    for label, used in (("successes", success), ("images that hold an answer", told), ("all images", known)):
        if not used.any():
            continue
        part = table[used]
        scales = part["xi"].to_numpy()[:, None] ** scale
        # A constant for images that gave no numbers would be the mean, of R² 0; they are few and left out.
        kinds = [("", "true", "raw", 1.0), ("", "true", "scaled", scales)]
        if "xiX lens" in table:
            kinds += [("", "lens", "raw, against the true lens", 1.0), ("", "lens", "scaled, against the true lens", scales)]
            kinds += [(" lens", "true", "raw, of the true lens itself", 1.0)]
        for found, truth, kind, weight in kinds:
            each, (least, most) = scores(part, found, truth, weight)
            mean = np.nanmean(np.array(list(each.values()))[counted])
            low = np.nanmean([each[name] for name, m in zip(columns, (0, 0, *order), strict=True) if m <= 2])
            of_labels = f"mean of the labels {mean:6.3f} ({least:.3f} to {most:.3f})"
            print(f"R², {label}, {kind:7}: {of_labels}, of amplitudes and their place to m = 2 {low:6.3f}")
            print("   " + "  ".join(f"{name} {value:.3f}" for name, value in each.items()))
        found_values, true_values = part[columns].to_numpy(), part[[f"{name} true" for name in columns]].to_numpy()
        relative = np.nanmedian(np.abs(found_values - true_values) / np.maximum(np.abs(true_values), 1e-12), axis=0)
        print(f"median relative error of the amplitudes, {label}: {np.median(relative):.2%}; {used.mean():.1%} of the images")


if __name__ == "__main__":
    main()
