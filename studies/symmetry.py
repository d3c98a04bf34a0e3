"""Equivalent sets of parameters: how exchanging a source's axes changes an image, and a network's score.

    python studies/symmetry.py [--n 200] [--seed 2023] [--out docs/study_symmetry.png]

(sigma, sigma2, theta) and (sigma2, sigma, theta + 90°) are the same ellipse, as are theta and theta + 180°. Draws systems of prior sis2023
and renders each with both (roulette of 50 terms): by way of the problem's encoding, from the numbers as they stand, in float32 and float64,
and with CosmoSim 3.3's pixels, which draw the source upright on whole pixels and whole grey levels and turn it afterwards. Prints the
differences of the images, before and after rounding to 8 bit.

Then the thesis's raw error, which compares sigma with sigma and theta with theta, of an estimate that is right except that it does not
know which axis the label calls sigma. Half of the images have the names exchanged, and there

    always the longer axis first    costs |sigma − sigma2| and 90°, in the other half nothing
    the medians, in between         cost ½ |sigma − sigma2| and 45° each time

the same on average: no network can do better, even with longer training. Beside it the packaged network, raw and to the nearest of the
equivalent sets, and the errors of the thesis's best network.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure
from tqdm import tqdm

from lensjax import metrics, problems, simulate, trained
from lensjax.conventions import GREY_LEVELS
from lensjax.dataset import render
from lensjax.formats.scene import Light, Mass, Scene
from lensjax.lens import SIS
from lensjax.light.gaussian import elliptical
from lensjax.observation.detector import quantise
from lensjax.problems import Problem
from lensjax.report.figures import save
from lensjax.report.tables import Table, text_table
from lensjax.simulate import System

THESIS = {"sigma": 0.14, "sigma2": 0.14, "theta": 1.79}
SHAPE = ("sigma", "sigma2", "theta")
ZOOM = 240


def exchanged(params: np.ndarray) -> np.ndarray:
    """(N, 6): the axes exchanged, and theta + 90°, not brought back below 180°."""
    other = params.copy()
    other[:, 3], other[:, 4], other[:, 5] = params[:, 4], params[:, 3], params[:, 5] + 90.0
    return other


def half_turned(params: np.ndarray) -> np.ndarray:
    """(N, 6): theta + 180°."""
    return params + np.array([0.0, 0.0, 0.0, 0.0, 0.0, 180.0], params.dtype)


def by_problem(problem: Problem, params: np.ndarray) -> np.ndarray:
    """Images (N, n, n) by way of the problem's encoding, not rounded."""
    return np.asarray(jax.jit(problem.render_batch)(jnp.asarray(params)))


def by_numbers(problem: Problem, params: np.ndarray) -> np.ndarray:
    """Images (N, n, n) of sigma, sigma2 and theta as they stand, not rounded."""

    def image_of(row: Array) -> Array:
        x, y, einstein_r, sigma, sigma2, theta = row
        source = elliptical(sigma, sigma2, jnp.deg2rad(theta))
        system = System(lens=SIS(theta_e=2.0 * einstein_r), source=source, x=x, y=y)
        return GREY_LEVELS * simulate.image(system, problem.instrument, trace=problem.trace)

    return np.asarray(jax.jit(lambda rows: simulate.in_chunks(image_of, rows))(jnp.asarray(params)))


def by_numbers_double(problem: Problem, params: np.ndarray) -> np.ndarray:
    """As `by_numbers`, in float64."""
    with jax.enable_x64(True):
        return by_numbers(problem, params)


def by_cosmosim(problem: Problem, params: np.ndarray) -> np.ndarray:
    """Images (N, n, n) with CosmoSim 3.3's pixels."""
    canvas = problem.instrument.centring.canvas
    scenes = []
    for x, y, einstein_r, sigma, sigma2, theta in params:
        light = Light("Ellipsoid", x, y, sigma, sigma2, theta)
        scenes.append(
            Scene(
                "", "", "SIS", (Mass("SIS", 2.0 * einstein_r),), "Ellipsoid", (light,), x, y, model="Roulette", nterms=problem.trace.terms,
                imagesize=canvas, cropsize=problem.image_size, centred=True, mask=True,
            )
        )  # fmt: skip
    rendered = sorted(render.render(scenes, lookup="cosmosim"), key=lambda drawn: drawn.index)
    return np.stack([drawn.image for drawn in rendered]).astype(np.float32)


def apart(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float, str]:
    """Largest difference, largest after rounding, fraction of pixels that round differently [1e-6], images identical after rounding."""
    a8, b8 = (np.clip(np.rint(images), 0, 255) for images in (a, b))
    same = (a8 == b8).all(axis=(1, 2)).sum()
    return float(np.abs(a - b).max()), float(np.abs(a8 - b8).max()), 1e6 * float((a8 != b8).mean()), f"{same} of {len(a)}"


def scores(problem: Problem, truth: np.ndarray, images: np.ndarray) -> dict[str, np.ndarray]:
    """Mean |error| (6,) of estimates, raw and to the nearest equivalent set."""
    longer = np.where((truth[:, 3] >= truth[:, 4])[:, None], truth, exchanged(truth))
    longer[:, 5] %= 180.0
    between = truth.copy()
    between[:, 3] = between[:, 4] = 0.5 * (truth[:, 3] + truth[:, 4])
    between[:, 5] = np.where(truth[:, 5] < 90.0, truth[:, 5] + 45.0, truth[:, 5] - 45.0)  # between theta and theta ± 90°
    predicted = trained.load(problem=problem.name).predict(np.asarray(quantise(jnp.asarray(images))))

    def mean(error: np.ndarray) -> np.ndarray:
        return np.nanmean(np.abs(error), axis=0)

    means = {}
    for name, params in (("right, longer axis first", longer), ("right, in between", between), ("packaged network", predicted)):
        means[f"{name}: raw"] = mean(metrics.raw_error(params, truth, problem=problem))
        if name != "right, in between":
            means[f"{name}: nearest set"] = mean(metrics.symmetric_error(params, truth, problem=problem))
    return means


def figure(problem: Problem, pair: np.ndarray, images: np.ndarray, rough: np.ndarray, scores: dict[str, np.ndarray]) -> Figure:
    """Two sets of parameters and their images; the difference; mean errors."""
    page = Figure(figsize=(11.0, 7.8), layout="constrained")
    parts = page.subfigures(2, 1)
    panels = parts[0].subplots(1, 4)
    middle, half = images.shape[1] // 2, ZOOM // 2
    window = slice(middle - half, middle + half)
    for panel, image, row in zip(panels, images[:, window, window], pair, strict=False):
        bar = parts[0].colorbar(panel.imshow(image, cmap="magma", vmin=0, vmax=255), ax=panel, shrink=0.8, location="bottom")
        bar.set_label("grey levels", fontsize=9)
        panel.set_title(f"sigma = {row[3]:.1f} px, sigma2 = {row[4]:.1f} px,\ntheta = {row[5] % 180:.0f}°", fontsize=10)
    for panel, gap, title in (
        (panels[2], images[0] - images[1], "difference,\nlight at real places, float32"),
        (panels[3], rough[0] - rough[1], "difference,\nCosmoSim 3.3's pixels"),
    ):
        most = float(f"{max(np.abs(gap).max(), 1e-12):.1g}")
        shown = panel.imshow(gap[window, window], cmap="RdBu_r", vmin=-most, vmax=most, interpolation="nearest")
        bar = parts[0].colorbar(shown, ax=panel, shrink=0.8, location="bottom")
        bar.set_label("grey levels", fontsize=9)
        bar.set_ticks([-most, 0.0, most], labels=[f"−{most:g}", "0", f"{most:g}"])
        panel.set_title(title, fontsize=10)
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    parts[0].suptitle("One source, two sets of parameters, one image\n", fontsize=12)
    bars = parts[1].subplots(1, 3)
    means = {
        "right estimate,\nraw": scores["right, longer axis first: raw"],
        "network,\nraw": scores["packaged network: raw"],
        "network,\nnearest set": scores["packaged network: nearest set"],
    }
    for panel, name in zip(bars, SHAPE, strict=True):
        k = problem.names.index(name)
        heights = [*(errors[k] for errors in means.values()), THESIS[name]]
        drawn_bars = panel.bar(range(len(heights)), heights, color=["0.35", "C1", "C0", "0.75"])
        panel.bar_label(drawn_bars, labels=[f"{height:.3g}" for height in heights], fontsize=9, padding=2)
        panel.set_xticks(range(len(heights)), [*means, "thesis,\nraw"], fontsize=8)
        panel.set(ylim=(0, 1.15 * max(heights)), ylabel=f"mean |error| [{problem.parameters[k].unit}]")
        panel.set_title(name, fontsize=11)
    parts[1].suptitle("The cost to a score that ignores it\n", fontsize=12)
    return page


def main() -> None:
    """Renders, compares, scores, draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=200, help="systems (default 200)")
    parser.add_argument("--cosmosim", type=int, default=20, help="of them with CosmoSim's pixels too (default 20)")
    parser.add_argument("--seed", type=int, default=2023)
    parser.add_argument("--out", type=Path, default=Path("docs/study_symmetry.png"))
    options = parser.parse_args()
    rows, kept = [], {}
    ways: dict[str, tuple[Callable[[Problem, np.ndarray], np.ndarray], int]] = {
        "encoded, float32": (by_problem, options.n),
        "as they stand, float32": (by_numbers, options.n),
        "as they stand, float64": (by_numbers_double, options.n),
        "CosmoSim 3.3's pixels": (by_cosmosim, min(options.cosmosim, options.n)),
    }
    problem = problems.get("sis2023", integer=False)
    params = np.asarray(problem.sample(jax.random.key(options.seed), options.n), np.float64)
    for way, (rendered, n) in tqdm(ways.items(), unit="way"):
        images = rendered(problem, params[:n])
        for name, change in (("axes exchanged, theta + 90°", exchanged), ("theta + 180°", half_turned)):
            others = rendered(problem, change(params[:n]))
            rows.append((way, name, *apart(images, others)))
            if change is exchanged:
                kept[way] = (images, others)
    columns = ("parameters", "change", "unrounded", "8 bit", "pixels [1e-6]", "identical")
    caption = "Largest difference [grey levels]; pixels that round differently; images identical in 8 bit."
    print(text_table(Table(columns, tuple(rows), caption)))
    means = scores(problem, params, kept["encoded, float32"][0])
    table = tuple((name, *map(float, errors), float(errors.mean())) for name, errors in means.items())
    print()
    print(text_table(Table(("mean |error|", *problem.names, "mean of six"), table, "The same systems.")))
    errors = ", ".join(f"{name} {value}" for name, value in THESIS.items())
    print(f"Thesis, VGG-19-BN, raw: {errors}; less than any estimate can reach where the two images are the same.")
    n = min(options.cosmosim, options.n)
    best = int(np.argmax([abs(np.log(row[3] / row[4])) * (row[3] * row[4]) ** 0.25 for row in params[:n]]))
    pair = np.stack([params[best], exchanged(params[best : best + 1])[0]])
    images = np.stack([image[best] for image in kept["as they stand, float32"]])
    rough = np.stack([image[best] for image in kept["CosmoSim 3.3's pixels"]])
    save(figure(problem, pair, images, rough, means), options.out, dpi=110)
    print(f"figure: {options.out}")


if __name__ == "__main__":
    main()
