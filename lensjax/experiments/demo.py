"""A small worked example: fresh images like the thesis's, a network's estimates, the refined estimates, and the limit.

    lensjax demo [--n 64] [--seed 0] [--out demo] [--weights DIR]

Prints a table of errors and writes demo/report.html. Exit code 0: done; 2: bad input; 1: anything else.
"""

import textwrap
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from numpy.typing import NDArray
from tqdm import tqdm

from lensjax import estimate, metrics, problems, trained
from lensjax.conventions import GREY_LEVELS
from lensjax.experiments import commandline
from lensjax.infer import Solution, cramer_rao, model_image
from lensjax.metrics import EXPECTED_ABSOLUTE, MEDIAN_ABSOLUTE
from lensjax.observation.grid import pixel_points
from lensjax.problems import Problem
from lensjax.problems.axisymmetric import AxisymmetricProblem
from lensjax.report.figures import histograms, model_comparison, scatter
from lensjax.report.page import Illustration, Section, write_page
from lensjax.report.tables import Table, text_table
from lensjax.train import stream

THESIS = {"x": 1.89, "y": 1.20, "einsteinR": 0.49, "sigma": 0.14, "sigma2": 0.14, "theta": 1.79}
"""Mean absolute errors of the 2023 thesis's best network, VGG-19-BN, without symmetry, on its own test images."""

SHOWN = 12
"""Systems shown with their images."""


def main() -> None:
    """The program."""
    options = flags.FLAGS
    commandline.check_at_least("--n", options.n, 1)
    commandline.check_at_least("--seed", options.seed, 0)
    demo(Path(options.out), n=options.n, seed=options.seed, network=trained.load(options.weights))


def define_flags() -> None:
    """The program's flags; not at import, since other programs have flags of the same names."""
    flags.DEFINE_integer("n", 64, "Images to draw.")
    flags.DEFINE_integer("seed", 0, "Seed of the images.")
    flags.DEFINE_string("out", "demo", "Folder for report.html.")
    flags.DEFINE_string("weights", None, "Folder of the network's weights; by default the packaged ones.")


def demo(folder: Path, *, n: int, seed: int, network: trained.Estimator) -> None:
    """Prints the table and writes folder/report.html."""
    problem = problems.thesis("sis2023")
    print(f"{n} images: drawing, estimating, refining. A minute or two, most of it compilation.\n", flush=True)
    began = time.perf_counter()
    truth, images = stream.exact_images(problem, jax.random.key(seed), n)
    drawn = time.perf_counter()
    predicted = network.predict(images)
    estimated = time.perf_counter()
    with tqdm(total=n, unit="image", desc="refine", disable=None) as bar:
        solution = estimate.solve(problem, images, predicted, progress=bar.update)
    solved = time.perf_counter()
    bound = cramer_rao(problem, truth)

    timing = (
        f"Drawing {n} images took {drawn - began:.1f} s, the network {estimated - drawn:.1f} s, refining "
        f"{solved - estimated:.1f} s, compilation included."
    )
    table = errors_table(problem, truth, predicted, solution, bound)
    verdict = verdict_of(problem, truth, solution, bound)
    sections = [
        Section("About this page", (introduction(n, seed), timing)),
        Section("Errors", (table, verdict)),
        Section("Where the errors lie", tuple(error_figures(problem, truth, predicted, solution))),
        Section("Image, model, residual and source", tuple(system_figures(problem, truth, images, solution))),
    ]
    path = write_page(
        folder / "report.html",
        title="LensJAX: from lensed images to lens and source",
        sections=sections,
    )
    print(text_table(table))
    for paragraph in (verdict, timing, f"With images: {path}"):
        print("\n" + textwrap.fill(paragraph, 88))


def errors_table(
    problem: Problem,
    truth: NDArray[np.float64],
    predicted: NDArray[np.float32],
    solution: Solution,
    bound: NDArray[np.float64],
) -> Table:
    """Mean and median absolute errors of the network, refined, at the bound, and the thesis's."""
    errors = [metrics.symmetric_error(params, truth, problem=problem) for params in (predicted, solution.params)]
    of_network, of_refined = (metrics.summary(error, names=problem.names) for error in errors)
    known = metrics.summary(np.where(np.isfinite(bound), bound, np.nan), names=problem.names)
    rows = [
        (
            f"{p.name} [{p.unit}]",
            of_network.mae[k],
            of_network.median[k],
            of_refined.mae[k],
            of_refined.median[k],
            EXPECTED_ABSOLUTE * known.mae[k],
            EXPECTED_ABSOLUTE * known.median[k],
            THESIS[p.name],
        )
        for k, p in enumerate(problem.parameters)
    ]
    return Table(
        columns=("parameter", "network", "median", "refined", "median", "bound", "median", "thesis, raw"),
        rows=tuple(rows),
        caption=(
            "Mean absolute errors, each with the median beside it, up to symmetry; theta of elliptical sources only. Bound: the least "
            "error of an unbiased estimate under white noise (Cramér–Rao). Thesis: its best network, VGG-19-BN; raw errors "
            "on its own images, a different measure from the others."
        ),
    )


def verdict_of(problem: Problem, truth: NDArray[np.float64], solution: Solution, bound: NDArray[np.float64]) -> str:
    """One paragraph: in how many images the model agrees with every pixel, and how the errors compare with the bound."""
    z = metrics.normalised(metrics.symmetric_error(solution.params, truth, problem=problem), bound)
    median = float(np.median(z[np.isfinite(z)])) / MEDIAN_ABSOLUTE if np.isfinite(z).any() else float("nan")
    fraction = metrics.share(z.reshape(-1, 1))[0]
    exact = int(np.sum(solution.violated == 0))
    count = len(truth)
    return (
        f"In {exact} of {count} images every pixel of the refined model rounds to the observed one. The median error is "
        f"{median:.2f} times that of an efficient estimator under white noise of variance 1/12 (the Cramér–Rao bound), and "
        f"{100 * fraction:.1f} % of the errors are within five bounds. It can be below one because rounding is not noise "
        "but an interval: the true value of each pixel lies within half a grey level of the stored one."
    )


def introduction(n: int, seed: int) -> str:
    """A paragraph about the images and the network."""
    return (
        f"{n} systems were drawn with seed {seed} from the prior of the 2023 thesis (a singular isothermal sphere in front of an "
        "elliptical Gaussian source) and rendered through the roulette series of 50 terms as 8-bit images of 400×400 pixels. A "
        "small network estimates the six parameters; the estimate is then refined by descending through the same "
        "renderer until the model explains the image."
    )


def error_figures(problem: Problem, truth: NDArray[np.float64], predicted: NDArray[np.float32], solution: Solution) -> list[Illustration]:
    """Histograms and scatter of the network's and the refined parameters."""
    names, units = problem.names, [parameter.unit for parameter in problem.parameters]
    figures = []
    for params, who in ((predicted, "The network alone"), (solution.params, "Refined")):
        error = metrics.symmetric_error(params, truth, problem=problem)
        figures += [
            Illustration(
                histograms(error, names=names, units=units),
                f"{who}: deviation from the truth, up to symmetry.",
                wide=True,
            ),
            Illustration(
                scatter(params, params - error, names=names, units=units),
                f"{who}: against the true value, that of the equivalent set nearest to it.",
                wide=True,
            ),
        ]
    return figures


def system_figures(
    problem: AxisymmetricProblem, truth: NDArray[np.float64], images: NDArray[np.float32], solution: Solution
) -> list[Illustration | Table]:
    """The first systems: image, model, image − model and the undistorted source, each with its parameters."""
    nearest = solution.params - metrics.symmetric_error(solution.params, truth, problem=problem)
    figures: list[Illustration | Table] = []
    for i in range(min(SHOWN, len(images))):
        model = model_image(problem, solution.fit[i], method=solution.method[i])
        field = int(20 * np.ceil(8 * solution.params[i, problem.names.index("sigma")] / 20))
        source = source_image(problem, solution.params[i], field=field)
        pixels = "every pixel as observed" if solution.violated[i] == 0 else f"{solution.violated[i]} pixels off"
        figure = model_comparison(
            images[i : i + 1],
            model[None],
            source[None],
            titles=[f"system {i}: {solution.status[i]}; {pixels}"],
            field=problem.field,
            source_field=field,
        )
        words = f"System {i}: image, model, image − model, and the source without the lens."
        figures += [Illustration(figure, words, wide=True), values(problem, nearest[i], solution, i)]
    return figures


def source_image(problem: Problem, params: NDArray[np.float64], *, field: int, size: int = 160) -> NDArray[np.float32]:
    """The undistorted source (size, size) in grey levels, over a square of `field` px about its centre."""
    x, y = pixel_points(size, field)
    source = problem.system(jnp.asarray(params, jnp.float32)).source
    return np.asarray(GREY_LEVELS * source.light(x, y))


def values(problem: Problem, true: NDArray[np.float64], solution: Solution, i: int) -> Table:
    """True and refined value of each parameter of system i."""
    rows = []
    for k, parameter in enumerate(problem.parameters):
        error = solution.errors[i, k]
        if np.isfinite(error):
            digits = int(np.clip(1 - np.floor(np.log10(max(error, 1e-6))), 0, 6))
            cells = (f"{true[k]:.{digits}f}", f"{solution.params[i, k]:.{digits}f} ± {error:.{digits}f}")
        else:
            cells = ("-", "not identified")
        rows.append((f"{parameter.name} [{parameter.unit}]", *cells))
    return Table(("parameter", "true", "refined ± 1σ"), tuple(rows))


if __name__ == "__main__":
    define_flags()
    commandline.run(main)
