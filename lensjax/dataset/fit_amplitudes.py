"""Tables of the roulette amplitudes of lenses, fitted or predicted: with errors, and as droulette lays out its predictions."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from lensjax import roulette
from lensjax.files.whole import write_text
from lensjax.formats.cosmosim.amplitudes import orders
from lensjax.infer.solution import Solution
from lensjax.problems.compose import Composition


@dataclass(frozen=True)
class FittedAmplitudes:
    """Amplitudes of one fitted lens at its reference point.

    Attributes:
        xi: (2,) the reference point, relative to the image's middle [px].
        alpha, beta: (M + 1, M + 2) by [m, s], [px^(1 − m)].
        xi_errors, alpha_errors, beta_errors: their 1σ errors; inf where the fit does not determine them.
    """

    xi: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    xi_errors: np.ndarray
    alpha_errors: np.ndarray
    beta_errors: np.ndarray


@partial(jax.jit, static_argnums=(0, 2))
def _values(problem: Composition, params: jax.Array, order: int) -> tuple[jax.Array, jax.Array]:
    """Reference point, α and β in one row, and its Jacobian by the parameters (P,)."""
    x, y = problem.places[0]

    def values(at: jax.Array) -> jax.Array:
        lens = problem.lens(problem.encode(at))
        assert lens is not None
        xi = lens.primary_image(at[x], at[y])
        alpha, beta = roulette.amplitudes(lens, *xi, terms=order)
        return jnp.concatenate([jnp.stack(xi), alpha.reshape(-1), beta.reshape(-1)])

    return values(params), jax.jacfwd(values)(params)


def of_solution(problem: Composition, solution: Solution, order: int) -> FittedAmplitudes:
    """Amplitudes up to `order` of the lens of one solution, at the image of its first source's centre.

    Errors are linear in those of the parameters; parameters that the image does not identify are left out of them, and make all
    amplitudes' errors infinite where they belong to the lens or to the source's place.
    """
    with jax.enable_x64(True):
        row, jacobian = (np.asarray(part) for part in _values(problem, jnp.asarray(solution.params[0], jnp.float64), order))
    matters = (jacobian != 0).any(axis=0)
    covariance = solution.covariance[0]
    if np.isfinite(solution.errors[0][matters]).all() and np.isfinite(jacobian).all():
        used = np.ix_(matters, matters)
        spread = np.einsum("ij,jk,ik->i", jacobian[:, matters], covariance[used], jacobian[:, matters])
        errors = np.sqrt(np.maximum(spread, 0.0))
    else:
        errors = np.where((jacobian != 0).any(axis=1), np.inf, 0.0)
    shape = (order + 1, order + 2)
    count = shape[0] * shape[1]

    def parts(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return values[:2], values[2 : 2 + count].reshape(shape), values[2 + count :].reshape(shape)

    return FittedAmplitudes(*parts(row), *parts(errors))


LIGHT = {"sigma": ("source_R", 1.0), "luminosity": ("source_flux", 1e-3), "n_sersic": ("source_n", 1.0)}
"""droulette's columns of the source: our parameter, and what it is multiplied with."""


def columns(order: int) -> list[str]:
    """Names of the amplitudes as droulette has them, alpha and beta in turn; β of s = 0 is zero and left out."""
    pairs = [(kind, m, s) for m, s in orders(order) for kind in ("alpha", "beta") if kind == "alpha" or s > 0]
    return [f"{kind}[{m}][{s}]" for kind, m, s in pairs]


def _cells(row: FittedAmplitudes, order: int) -> Iterator[tuple[float, float]]:
    """Each amplitude and its error, in the order of `columns`."""
    for m, s in orders(order):
        yield float(row.alpha[m, s]), float(row.alpha_errors[m, s])
        if s > 0:
            yield float(row.beta[m, s]), float(row.beta_errors[m, s])


def paths(results: Path) -> tuple[Path, Path]:
    """The two tables beside a table of results."""
    return results.with_name(f"{results.stem}-amplitudes.csv"), results.with_name(f"{results.stem}-predictions.csv")


def write(
    results: Path, problem: Composition, filenames: Sequence[str], solutions: Sequence[Solution | None], *, order: int
) -> tuple[Path, Path]:
    """Writes both tables beside a table of results: amplitudes with errors, and droulette's predictions.

    Args:
        results: the table of results.
        problem: the fits' problem.
        filenames: (N,) names of the images.
        solutions: (N,) solutions of one image each; None, or one without numbers, is a row of empty cells.
        order: largest m.

    Raises:
        BadInput: they cannot be written there.
    """
    names = columns(order)
    first = ["filename", "xiX", "xiX_err", "xiY", "xiY_err", *(name + suffix for name in names for suffix in ("", "_err")), "success"]
    second = ["filename", *LIGHT, "xiX", "xiY", *names]
    tables: list[list[list[str]]] = [[first], [second]]
    for filename, solution in zip(filenames, solutions, strict=True):
        if solution is None or not np.isfinite(solution.params).all():
            tables[0].append([filename, *[""] * (len(first) - 2), "False"])
            tables[1].append([filename, *[""] * (len(second) - 1)])
            continue
        row = of_solution(problem, solution, order)
        cells = list(_cells(row, order))
        places = [f"{v:.10g}" for pair in zip(row.xi, row.xi_errors, strict=True) for v in pair]
        tables[0].append([filename, *places, *(f"{v:.10g}" for cell in cells for v in cell), str(bool(solution.success[0]))])
        found = dict(zip(problem.names, solution.params[0], strict=True))
        of_light = [factor * found[name] for name, factor in LIGHT.values()]
        tables[1].append([filename, *(f"{v:.10g}" for v in (*of_light, *row.xi, *(value for value, _ in cells)))])
    written = paths(results)
    for path, table in zip(written, tables, strict=True):
        _write(path, table)
    return written


def write_predictions(results: Path, filenames: Sequence[str], names: Sequence[str], answers: Sequence[np.ndarray | None]) -> Path:
    """Writes droulette's table of predictions beside a table of results, of a network that answers amplitudes.

    Args:
        results: the table of results.
        filenames: (N,) names of the images.
        names: (V,) names of the numbers that it answers.
        answers: (N,) its numbers (V,) of each image; None is a row of empty cells.

    Raises:
        BadInput: it cannot be written there.
    """
    light = {heading: (names.index(name), factor) for heading, (name, factor) in LIGHT.items() if name in names}
    of_source = {k for k, _ in light.values()}
    rest = [k for k in range(len(names)) if k not in of_source]
    table = [["filename", *light, *(names[k] for k in rest)]]
    for filename, answer in zip(filenames, answers, strict=True):
        cells = [] if answer is None else [*(factor * answer[k] for k, factor in light.values()), *(answer[k] for k in rest)]
        table.append([filename, *([f"{value:.10g}" for value in cells] or [""] * (len(table[0]) - 1))])
    path = paths(results)[1]
    _write(path, table)
    return path


def _write(path: Path, table: list[list[str]]) -> None:
    content = io.StringIO()
    csv.writer(content, lineterminator="\n").writerows(table)
    write_text(path, content.getvalue())
