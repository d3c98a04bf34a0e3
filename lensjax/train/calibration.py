"""How far the error bars of a network with a Gaussian or mixture head can be trusted, on fresh images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from flax.linen import Module
from jax import Array

from lensjax import metrics
from lensjax.errors import BadInput
from lensjax.files.whole import write_text
from lensjax.problems.amplitudes import Answered
from lensjax.report import figures
from lensjax.train import config as configs
from lensjax.train import heads, stream
from lensjax.train.config import TrainConfig
from lensjax.train.export import WEIGHTS, load_weights
from lensjax.train.task import Task

LEVELS = (0.683, 0.954, 0.997)
"""Shares of a Gaussian within one, two and three standard deviations."""

_BATCH = 64
_DRAWS = 400  # from each image's belief
_FRESH = 2000  # purpose of the key of the images; a run's own keys have other purposes


@dataclass(frozen=True)
class Options:
    """Options of `lensjax calibrate`.

    Attributes:
        folder: of a run of `lensjax train`, or of exported weights.
        n: fresh images.
        seed: of the images.
        out: the table; a figure is written beside it.
    """

    folder: Path
    n: int
    seed: int
    out: Path


@dataclass(frozen=True)
class Calibration:
    """How credible the truth was.

    Attributes:
        names: of the numbers that the network answers, (V,).
        credibility: (N, V): the share of an image's belief that lies nearer to its best answer than the truth does; uniform in 0…1 for
            error bars that are right. NaN where the truth has no meaning, as the direction of a round source.
        likelihood: mean log-likelihood of the truth over the targets, in nats.
        wider: factor on all spreads that would make that likelihood largest: above 1 where the network is too sure.
    """

    names: tuple[str, ...]
    credibility: np.ndarray
    likelihood: float
    wider: float

    def within(self, level: float) -> np.ndarray:
        """The share (V,) of images whose truth lies within the central `level` of the belief."""
        return metrics.share(self.credibility, below=level)


def calibrate(options: Options, *, progress: Callable[[int], None] = lambda done: None) -> list[str]:
    """Writes the table and the figure, and returns the lines to print.

    Raises:
        BadInput: the folder holds no network, or one whose head says points alone.
    """
    config, model, variables = _network(options.folder)
    if config.head == "point":
        expected = "gaussian or mixture: a network with error bars"
        raise BadInput(path=options.folder, column="head", value=config.head, expected=expected)
    found = measure(config, model, variables, n=options.n, seed=options.seed, progress=progress)
    shares = [found.within(level) for level in LEVELS]
    rows = [["parameter", *(f"within {level:.1%}" for level in LEVELS)]]
    rows += [[name, *(f"{share[k]:.4f}" for share in shares)] for k, name in enumerate(found.names)]
    write_text(options.out, "".join(",".join(row) + "\n" for row in rows))
    picture = options.out.with_suffix(".png")
    levels = np.linspace(0.0, 1.0, 51)
    curves = {name: np.array([found.within(level)[k] for level in levels]) for k, name in enumerate(found.names)}
    along, up = "share of the belief", "share of images whose truth lies within"
    figure = figures.lines(curves | {"right": levels}, x=levels, x_label=along, y_label=up)
    figures.save(figure, picture)
    width = max(len(row[0]) for row in rows)
    lines = ["  ".join([row[0].ljust(width), *(cell.rjust(12) for cell in row[1:])]) for row in rows]
    return [
        *lines,
        f"log-likelihood of the truth: {found.likelihood:.3f} nats a target; it is largest with all errors {found.wider:.2f} times as wide",
        f"{options.out}, {picture}",
    ]


def measure(
    config: TrainConfig, model: Module, variables: Any, *, n: int, seed: int = 0, progress: Callable[[int], None] = lambda done: None
) -> Calibration:
    """The calibration of a network on `n` fresh images of its own stream."""
    problem = configs.make_problem(config)
    task = configs.make_task(config, problem)
    key = jax.random.fold_in(jax.random.key(seed), _FRESH)
    mixed = config.method == stream.MIXED
    outputs, targets, shares = [], [], []
    for step in range(-(-n // _BATCH)):
        output, target, truth, best, draws = jax.device_get(_batch(task, model, mixed, variables, key, jnp.int32(step)))
        shares.append(_credibility(task.answered, truth, best, draws))
        outputs.append(output)
        targets.append(target)
        progress(min(_BATCH, n - step * _BATCH))
    output, target = (jnp.asarray(np.concatenate(parts)[:n]) for parts in (outputs, targets))

    @jax.jit
    def cost(logarithm: Array) -> Array:
        each = jax.vmap(
            lambda values: heads.negative_log_likelihood(
                config.head, output, values, components=config.components, wider=jnp.exp(logarithm).astype(output.dtype)
            ),
            in_axes=1,
        )(target)
        return each.min(axis=0).mean()

    best = scipy.optimize.minimize_scalar(lambda x: float(cost(jnp.float32(x))), bounds=(-2.0, 4.0), method="bounded")
    likelihood = -float(cost(jnp.float32(0.0)))
    return Calibration(task.answered.names, np.concatenate(shares)[:n], likelihood, float(np.exp(best.x)))


def _network(folder: Path) -> tuple[TrainConfig, Module, Any]:
    if (folder / WEIGHTS).exists():
        variables, fields = load_weights(folder)
        config = configs.from_mapping(fields)
        return config, configs.make_model(config, configs.make_problem(config)), variables
    from lensjax.train.loop import restore_run  # its checkpoints need Orbax, which is slow to import

    run = restore_run(folder)
    return run.config, run.model, run.variables


@partial(jax.jit, static_argnums=(0, 1, 2))
def _batch(task: Task, model: Module, mixed: bool, variables: Any, key: Array, step: Array) -> tuple[Array, ...]:
    """Outputs, targets (B, K, E), truth (B, V), best answers (B, V) and draws (S, B, V) of one batch."""
    params, shown = stream.draw(task.problem, key, step, batch_size=_BATCH, mixed=mixed)
    inputs, frame = task.shown(stream.render(task.problem, params, shown))
    output: Any = model.apply(variables, inputs, train=False)
    draws = task.draws(output, frame, jax.random.fold_in(key, -1 - step), count=_DRAWS)
    return output, task.target(params, frame).values, task.truth(params), task.answers(output, frame), draws


def _credibility(answered: Answered, truth: np.ndarray, best: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """(B, V) for truth and best answers (B, V) and draws (S, B, V); distances are up to symmetry."""
    off = np.abs(metrics.symmetric_error(best, truth, problem=answered))
    spread = metrics.distances(draws, best, problem=answered)
    return np.where(np.isnan(off), np.nan, (spread < off).mean(axis=0))
