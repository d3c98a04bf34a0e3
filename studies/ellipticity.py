"""How much of a network's error round sources make: its error by ellipticity, and their share of the error of theta.

    python studies/ellipticity.py [--n 2000] [--seed 2023] [--out docs/study_ellipticity.png]

The packaged network on 8-bit images of prior sis2023, whole numbers as in the thesis (roulette of 50 terms). The ellipticity is
|sigma − sigma2| / (sigma + sigma2); at zero theta means nothing. Errors are to the nearest of the sets that show the same image; here
theta's counts for round sources too, where an estimate is off by 22.5° on average, whatever it says. Beside it "axis known": theta's error
to the label of an estimate that is told which axis the label calls sigma. The thesis's raw error can fall as far; a round source costs 45°.

Prints a row for each range of ellipticity: share of the images, mean errors, and the share of all of theta's error that the range makes.
Then mean errors with and without the round sources. The figure has theta's error over ellipticity, and its share made by the rounder ones.
"""

import argparse
from pathlib import Path

import jax
import numpy as np
from commandline import at_least
from matplotlib.figure import Figure

from lensjax import metrics, problems, trained
from lensjax.observation.detector import quantise
from lensjax.problems import Problem
from lensjax.report.figures import BLUE, GREY, ORANGE, save
from lensjax.report.tables import Table, text_table

EDGES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 1.0)
"""Ranges of ellipticity; exactly round sources are a range of their own."""


def ellipticity_of(params: np.ndarray) -> np.ndarray:
    """(N,) of parameters (N, 6)."""
    sigma, sigma2 = params[:, 3], params[:, 4]
    return np.abs(sigma - sigma2) / (sigma + sigma2)


def turned(difference: np.ndarray, period: float) -> np.ndarray:
    """|difference| [deg] of directions that repeat after `period`."""
    return np.abs((difference + 0.5 * period) % period - 0.5 * period)


def theta_errors(problem: Problem, predicted: np.ndarray, truth: np.ndarray, nearest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|error| of theta (N,), twice: to the nearest set, round sources counted; and to the label, its axis known."""
    k = problem.names.index("theta")
    difference = predicted[:, k] - truth[:, k]
    fair = np.where(np.isnan(nearest[:, k]), turned(difference, 90.0), np.abs(nearest[:, k]))
    # Estimates have sigma ≥ sigma2: where the label has not, theta of its other axis is meant.
    return fair, turned(difference + 90.0 * (truth[:, 3] < truth[:, 4]), 180.0)


def figure(ellipticity: np.ndarray, fair: np.ndarray, known: np.ndarray) -> Figure:
    """theta's error over ellipticity, and the share of all error that the rounder sources make."""
    page = Figure(figsize=(11.0, 4.4), layout="constrained")
    scatter, shares = page.subplots(1, 2)
    round_ones = ellipticity == 0
    scatter.plot(ellipticity[~round_ones], fair[~round_ones], ".", ms=3, alpha=0.5, color=BLUE, label="elliptical sources")
    at = EDGES[1] / 4
    jitter = at * np.random.default_rng(0).uniform(0.8, 1.2, round_ones.sum())
    scatter.plot(jitter, fair[round_ones], ".", ms=3, alpha=0.5, color=ORANGE, label="round sources")
    scatter.set(xscale="log", yscale="log", xlim=(0.5 * at, 1), ylim=(1e-3, 90))
    scatter.set(xlabel="ellipticity", ylabel="|error| of theta to the nearest set [°]")
    scatter.set_xticks([at, 0.01, 0.1, 1.0], ["0", "0.01", "0.1", "1"])
    scatter.legend(fontsize=9, loc="lower left")
    order = np.argsort(ellipticity, kind="stable")
    for error, colour, label in ((fair, BLUE, "to the nearest set"), (known, ORANGE, "to the label, axis known")):
        shares.plot(np.linspace(0, 100, len(order) + 1), 100 * np.concatenate([[0], np.cumsum(error[order])]) / error.sum(), color=colour,
                    label=label)  # fmt: skip
    shares.axvline(100 * round_ones.mean(), color=GREY, ls="--", lw=1, label="exactly round")
    shares.set(xlabel="images, the roundest first [%]", ylabel="share of theta's error [%]", xlim=(0, 100), ylim=(0, 102))
    shares.legend(fontsize=9, loc="lower right")
    for panel in (scatter, shares):
        panel.grid(alpha=0.3)
    return page


def main() -> None:
    """Renders, predicts, prints, draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=at_least(100), default=2000, help="images (2000)")
    parser.add_argument("--seed", type=int, default=2023)
    parser.add_argument("--out", type=Path, default=Path("docs/study_ellipticity.png"), metavar="FILE", help="the figure")
    options = parser.parse_args()
    problem = problems.get("sis2023", integer=True)
    params = problem.sample(jax.random.key(options.seed), options.n)
    images = np.asarray(quantise(jax.jit(problem.render_batch)(params)))
    truth = np.asarray(params, np.float64)
    predicted = np.asarray(trained.load(problem=problem.name).predict(images), np.float64)
    nearest = metrics.symmetric_error(predicted, truth, problem=problem)
    fair, known = theta_errors(problem, predicted, truth, nearest)
    others = np.abs(nearest[:, :5])
    ellipticity = ellipticity_of(truth)
    ranges = {"0 (round)": ellipticity == 0}
    ranges |= {f"{low:g} to {high:g}": (ellipticity > low) & (ellipticity <= high) for low, high in zip(EDGES, EDGES[1:], strict=False)}
    rows = [
        (name, 100 * chosen.mean(), *others[chosen].mean(axis=0), fair[chosen].mean(), np.median(fair[chosen]),
         100 * fair[chosen].sum() / fair.sum(), known[chosen].mean(), 100 * known[chosen].sum() / known.sum())
        for name, chosen in ranges.items() if chosen.any()
    ]  # fmt: skip
    columns = ("ellipticity", "images [%]", *problem.names[:5], "theta", "median", "share [%]", "axis known", "share [%]")
    print(text_table(Table(columns, tuple(rows), f"Mean |error| of {options.n} images by ellipticity [px, °].")))
    kept = {"all, theta of round sources counted": ellipticity >= 0, "elliptical sources": ellipticity > 0}
    rows = [
        (name, *others[chosen].mean(axis=0), fair[chosen].mean(), np.mean([*others[chosen].mean(axis=0), fair[chosen].mean()]),
         known[chosen].mean())
        for name, chosen in kept.items()
    ]  # fmt: skip
    print(text_table(Table(("mean |error|", *problem.names, "mean of six", "axis known"), tuple(rows))))
    save(figure(ellipticity, fair, known), options.out)
    print(f"figure: {options.out}")


if __name__ == "__main__":
    main()
