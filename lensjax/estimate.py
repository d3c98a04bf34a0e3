"""Images to parameters: a network's answer, and the descent from it."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import problems
from lensjax.conventions import GREY_LEVELS
from lensjax.errors import BadInput
from lensjax.image.grid import block_mean
from lensjax.problems import Problem
from lensjax.refine import Solution, from_moments, from_params, refine
from lensjax.train.config import from_mapping, make_model, make_problem
from lensjax.train.export import load_weights

PACKAGED = Path(__file__).parent / "weights"
"""Folder of the networks that ship with the package, one a problem."""

_BATCH = 16
_DOUBTFUL = 1.5  # chi² from which an answer without an interval fit is looked for once more


@dataclass(frozen=True)
class Estimator:
    """A trained network and the problem it solves.

    Attributes:
        problem: at native resolution.
        model, variables: the network.
        image_size: pixels on a side of what the network is shown.
        encoded: whether its outputs are the problem's encoding, rather than file units.
    """

    problem: Problem
    model: nn.Module
    variables: Any
    image_size: int
    encoded: bool

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Parameters (N, P) in file units of images (N, n, n) in grey levels, n the problem's native size."""
        images = np.asarray(images, np.float32)
        outputs = []
        for first in range(0, len(images), _BATCH):
            batch = images[first : first + _BATCH]
            missing = _BATCH - len(batch)
            padded = np.pad(batch, ((0, missing), (0, 0), (0, 0)))
            outputs.append(np.asarray(_predict(self.model, self.image_size, self.variables, padded))[: len(batch)])
        output = np.concatenate(outputs)
        return np.asarray(self.problem.decode(jnp.asarray(output))) if self.encoded else output


@partial(jax.jit, static_argnums=(0, 1))
def _predict(model: nn.Module, size: int, variables: Any, images: Array) -> Array:
    small = block_mean(images, images.shape[-1] // size) / GREY_LEVELS
    output: Any = model.apply(variables, small[..., None], train=False)
    return output


def load(folder: str | Path | None = None, *, problem: str = "sis2023") -> Estimator:
    """The network of a folder written by `experiments.train --export`, or the packaged one.

    Raises:
        BadInput: no weights there, or those of another problem or network.
    """
    folder = PACKAGED / problem if folder is None else Path(folder)
    if not (folder / "weights.safetensors").exists():
        raise BadInput(f"{folder}: no weights.safetensors there; a folder written by `experiments.train --export`")
    variables, fields_of_config = load_weights(folder)
    config = from_mapping(fields_of_config)
    if config.problem != problem:
        raise BadInput(f"{folder}: these weights are for problem {config.problem}, not {problem}")
    trained = make_problem(config)
    native = problems.get(problem)
    if native.field % config.image_size:
        raise BadInput(f"{folder}: trained on {config.image_size} px, which does not divide the images' {native.field}")
    return Estimator(
        problem=native,
        model=make_model(config, trained),
        variables=variables,
        image_size=config.image_size,
        encoded=config.targets == "encoded",
    )


def network_starts(problem: Problem, image: np.ndarray, params: np.ndarray) -> np.ndarray:
    """Starts (5, 8) from a network's answer.

    The answer and its mirror, centred on the light within the convergence ring; the answer, centred on all its light; and answer and
    mirror with place and shape taken from the image's moments.
    """
    row = jnp.asarray(params, jnp.float32)
    within, whole = (np.asarray(_starts(problem, row, method), np.float64) for method in ("ring", "raytrace"))
    seen = within.copy()
    seen[:, :5] = from_moments(image, directions=1)[0, :5]
    return np.concatenate([within, whole[:1], seen])


@partial(jax.jit, static_argnums=(0, 2))
def _starts(problem: Problem, params: Array, method: str) -> Array:
    return from_params(problem, params, method=method)


def solve(
    problem: Problem,
    images: np.ndarray,
    network: np.ndarray | None,
    *,
    search_on: bool = True,
    progress: Callable[[int], None] | None = None,
    **options: Any,
) -> Solution:
    """Refines images from a network's answers, or from their moments alone.

    Args:
        problem: at native resolution.
        images: (N, n, n) grey levels.
        network: (N, P) a network's answers; None starts from moments.
        search_on: whether images that the network's starts lead to no sure answer for (no success, no interval, or without an
            interval fit residuals above the noise) are tried again from moments.
        progress: called with the number of images done since the last call.
        options: passed on to `refine.refine`.
    """
    if network is None:
        starts = np.stack([from_moments(image) for image in images])
        return refine(problem, images, starts, progress=progress, **options)
    starts = np.stack([network_starts(problem, image, row) for image, row in zip(images, network, strict=True)])
    solution = refine(problem, images, starts, progress=progress, **options)
    if options.get("rounded", True):
        doubtful = np.array([kind != "interval" for kind in solution.kind])
    else:
        doubtful = solution.chi2 > _DOUBTFUL
    lost = np.flatnonzero(~solution.success | doubtful)
    if not search_on or lost.size == 0:
        return solution
    again = refine(problem, images[lost], np.stack([from_moments(images[i]) for i in lost]), **options)
    found = np.array([kind == "interval" for kind in again.kind])
    better = found | (again.success & ~solution.success[lost]) | (again.chi2 < solution.chi2[lost])
    return _with_rows(solution, again, lost, better)


def _with_rows(solution: Solution, other: Solution, rows: np.ndarray, take: np.ndarray) -> Solution:
    """`solution` with `other`'s k-th answer in place of row rows[k] where take[k]."""
    changed: dict[str, Any] = {}
    for field in fields(Solution):
        if field.name == "names":
            continue
        old, new = getattr(solution, field.name), getattr(other, field.name)
        merged = list(old) if isinstance(old, tuple) else old.copy()
        for k in np.flatnonzero(take):
            merged[rows[k]] = new[k]
        changed[field.name] = tuple(merged) if isinstance(old, tuple) else merged
    return replace(solution, **changed)
