"""Which labels of the CosmoSim group's sets an image can tell, by the Fisher information of its pixels at the truth.

    python benchmarks/identified.py DIR [--problem sie2026|cluster2sie2026|cluster4sis2026] [--n 200]

DIR has dataset.csv and roulette.csv of CosmoSim. The pixels' noise is rounding and the lattice of whole source pixels; pixels cut at 255
do not count. The prior's spread of each parameter is added to the information, so that an image that says nothing leaves the prior: the
error of each label is the Cramér–Rao bound of a method that knows the right mode. "R² at most" is 1 − mean(error²)/variance, over the
images and the labels' spread over the set; raw amplitudes of high order have their variance from a few images. Errors of amplitudes are
carried over linearly from the parameters, and count as the spread where they exceed it.
"""

import argparse
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from tqdm import tqdm

from lensjax import problems
from lensjax.conventions import GREY_LEVELS
from lensjax.formats.cosmosim import table
from lensjax.infer.lattice import error_map
from lensjax.observation.instrument import Instrument, instrument
from lensjax.problems import Problem
from lensjax.problems.amplitudes import Amplitudes
from lensjax.problems.tables import params_of

ORDER = 4
DRAWS = 2000
"""From the prior, for the spread of its parameters."""


@partial(jax.jit, static_argnums=0)
def derivatives(problem: Problem, params: Array, taken: Instrument) -> tuple[Array, Array]:
    """The image (H, W) of parameters (P,), and its derivatives (H, W, P)."""

    def image(row: Array) -> Array:
        return problem.composition.image(row, taken)

    return image(params), jax.jacfwd(image)(params)


@partial(jax.jit, static_argnums=0)
def labels_of(answers: Amplitudes, params: Array) -> tuple[Array, Array]:
    """Labels (V,) of parameters (P,), and their derivatives (V, P)."""

    def labels(row: Array) -> Array:
        return answers.of(row[None])[0][0]

    return labels(params), jax.jacfwd(labels)(params)


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--problem", choices=problems.cosmosim_names(), default="sie2026")
    parser.add_argument("--n", type=int, default=200, help="images, the first ones (default 200)")
    flags = parser.parse_args()
    problem = problems.get(flags.problem)
    tables = [table.read(flags.folder / name) for name in ("dataset.csv", "roulette.csv")]
    truth = params_of(problem, tables[0], amplitudes=tables[1])[: flags.n]
    answers = Amplitudes(problem, ORDER, "xi", "raw", source=True)
    shape = (problem.field, problem.field)
    taken, number = instrument(shape, supersampling=2), len(problem.names) - problem.composition.linear
    spread = np.asarray(problem.sample(jax.random.key(0), DRAWS), np.float64).std(axis=0)
    values, errors = [], []
    for row in tqdm(truth, unit="image"):
        params = jnp.asarray(row, jnp.float32)
        image, slopes = (np.asarray(part, np.float64) for part in derivatives(problem, params, taken))
        numbers = problem.composition.encode(params[:number])
        level = error_map(problem.composition, taken, SimpleNamespace(numbers=numbers, amplitudes=params[number:]))  # type: ignore[arg-type]
        weight = np.where(image < GREY_LEVELS, level**-2.0, 0.0)
        information = np.einsum("rc,rcp,rcq->pq", weight, slopes, slopes) * np.outer(spread, spread) + np.eye(len(spread))
        covariance = np.linalg.inv(information) * np.outer(spread, spread)
        own, turned = (np.asarray(part, np.float64) for part in labels_of(answers, params))
        values.append(own)
        errors.append(np.sqrt(np.maximum(np.einsum("vp,pq,vq->v", turned, covariance, turned), 0.0)))
    report(answers.names, np.array(values), np.array(errors))


def report(names: tuple[str, ...], values: np.ndarray, errors: np.ndarray) -> None:
    """Prints the table of labels (V,), of their values and errors, each (N, V)."""
    spread = values.std(axis=0)
    errors = np.minimum(np.where(np.isfinite(errors), errors, np.inf), spread)
    print(f"{'label':14}{'spread':>12}{'median error':>14}{'known to spread/10':>20}{'unknown: over spread/2':>24}{'R² at most':>12}")
    for k, name in enumerate(names):
        own = errors[:, k] / spread[k]
        print(f"{name:14}{spread[k]:12.4g}{np.median(errors[:, k]):14.3g}{(own < 0.1).mean():20.0%}{(own > 0.5).mean():24.0%}", end="")
        print(f"{1.0 - (own**2).mean():12.3f}")
    print(f"mean over the labels: R² at most {1.0 - ((errors / spread) ** 2).mean():.3f}, {len(values)} images")


if __name__ == "__main__":
    main()
