"""Trained networks: read, packaged or of a folder, and asked what images show and how sure they are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import metrics, problems
from lensjax.errors import BadInput
from lensjax.problems import Problem
from lensjax.problems.amplitudes import Answered
from lensjax.problems.framed import Change, changed_back
from lensjax.simulate.chunks import PREDICTIONS
from lensjax.train.augment import changed_image
from lensjax.train.config import from_mapping, make_model, make_problem, make_task
from lensjax.train.export import WEIGHTS, load_weights, read_standard
from lensjax.train.task import Task

if TYPE_CHECKING:
    import flax.linen as nn

PACKAGED = Path(__file__).parent / "weights"
"""Folder of the packaged networks, one for each problem."""

_DRAWS = 400  # of what a network believes of an image


class Answers(NamedTuple):
    """What networks answer.

    Attributes:
        values: (N, V) in file units.
        errors: (N, V) how sure they are, 1σ: the central 68.3 % of what they believe; inf where the answer has no meaning, as the
            direction of a round source. None of networks that say one point.
    """

    values: np.ndarray
    errors: np.ndarray | None


@dataclass(frozen=True)
class Estimator:
    """A trained network and the problem it solves.

    Attributes:
        problem: at native resolution.
        model, variables: the network.
        task: what the network is shown, and what it answers.
        others: further networks with the same answers, of which the mean is taken, as in Lakshminarayanan et al. (2017).
    """

    problem: Problem
    model: "nn.Module"
    variables: Mapping[str, Any]
    task: Task
    others: tuple["Estimator", ...] = ()

    def predict(self, images: np.ndarray) -> np.ndarray:
        """What the networks answer, (N, V) in file units, of images (N, n, n) in grey levels, n the problem's native size.

        One that is shown images as they are and answers amplitudes is asked eight times, of each image turned by quarters of a turn and
        mirrored. The answer is the mean of what it says, turned back, and so turns with the image as amplitudes do.
        """
        return self._asked(images, draws=0).values

    def answers(self, images: np.ndarray) -> Answers:
        """What the networks answer, and how sure they are, of images as in `predict`."""
        sure = all(each.task.head != "point" for each in (self, *self.others))
        return self._asked(images, draws=_DRAWS if sure else 0)

    def _asked(self, images: np.ndarray, *, draws: int) -> Answers:
        """What the networks answer of images; with draws of what they believe also how sure they are."""
        images = np.asarray(images, np.float32)
        outputs, errors = [], []
        for first in range(0, len(images), PREDICTIONS):
            batch = images[first : first + PREDICTIONS]
            missing = PREDICTIONS - len(batch)
            padded = np.pad(batch, ((0, missing), (0, 0), (0, 0)))
            said = [_predict(each.model, each.task, each.variables, padded, draws) for each in (self, *self.others)]
            best = np.mean([np.asarray(values) for values, _ in said], axis=0)
            outputs.append(best[: len(batch)])
            if draws:
                held = np.concatenate([np.asarray(believed) for _, believed in said])
                errors.append(_spread(self.task.answered, best, held)[: len(batch)])
        return Answers(np.concatenate(outputs), np.concatenate(errors) if draws else None)


def _spread(answered: Answered, best: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """1σ (B, V) of draws (S, B, V) about the best answers (B, V): 68.3 % lie nearer, up to symmetry. Infinite without a meaning."""
    found = np.quantile(metrics.distances(draws, best, problem=answered), 0.683, axis=0)
    return np.where(np.isnan(found), np.inf, found)


@partial(jax.jit, static_argnums=(0, 1, 4))
def _predict(model: "nn.Module", task: Task, variables: Mapping[str, Any], images: Array, draws: int) -> tuple[Array, Array]:
    """Answers (B, V) to images, and draws (S, B, V), about as many as wanted, of what the network believes of them."""

    def answers(images: Array, key: Array, count: int) -> tuple[Array, Array]:
        shown, frame = task.shown(images)
        output: Any = model.apply(variables, shown, train=False)
        best = task.answers(output, frame)
        if not count:
            return best, jnp.zeros((0, *best.shape), best.dtype)
        return best, task.draws(output, frame, key, count=count)

    def of_view(view: tuple[Change, Array]) -> tuple[Array, Array]:
        change, key = view
        seen = jax.vmap(lambda image: changed_image(task.problem, image, change))(images)
        best, believed = answers(seen, key, draws // 8)
        rows = jnp.concatenate([best[None], believed]).reshape(-1, best.shape[-1])
        back: Array = jax.vmap(lambda row: changed_back(task.answered, row, change))(rows)
        back = back.reshape(-1, *best.shape)
        return back[0], back[1:]

    key = jax.random.key(0)
    if task.amplitudes is None or task.frame != "image":
        return answers(images, key, draws)
    cos, sin = jnp.tile(jnp.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]], images.dtype), 2)
    still = jnp.zeros(8, images.dtype)
    best, believed = jax.lax.map(of_view, (Change(jnp.arange(8) < 4, cos, sin, still, still), jax.random.split(key, 8)))
    return best.mean(axis=0), believed.reshape(-1, *best.shape[1:])


def load(folder: str | Path | None = None, *, problem: str = "sis2023") -> Estimator:
    """The network, packaged or of a folder written by `lensjax train --export`, that answers the parameters of a problem.

    Raises:
        BadInput: the folder has no weights, or those of another problem or network, or of one that answers amplitudes.
    """
    found = network(folder, problem=problem)
    if found.task.amplitudes is not None:
        expected = "weights of a network that answers a system's parameters"
        path = PACKAGED / problem if folder is None else folder
        raise BadInput(path=path, column="targets", value="amplitudes", expected=expected, hint="--no-refine writes its amplitudes")
    return found


def network(folder: str | Path | None = None, *, problem: str = "sis2023") -> Estimator:
    """As `load`, also of networks that answer amplitudes. The mean of several is taken where the folder holds one folder for each.

    Raises:
        BadInput: the folder has no weights, or those of another problem or network; or its networks do not answer the same amplitudes.
    """
    folder = PACKAGED / problem if folder is None else Path(folder)
    folders = exported(folder)
    if not folders:
        raise BadInput("no weights.safetensors in this folder", path=folder, expected="a folder written by `lensjax train --export`")
    first, *others = (_one(each, problem) for each in folders)
    for path, other in zip(folders[1:], others, strict=True):
        if first.task.amplitudes is None or other.task.amplitudes != first.task.amplitudes:
            expected = f"amplitudes as those of {folders[0].name}; only of these is a mean taken"
            raise BadInput("another kind of answers", path=path / "config.json", column="targets", expected=expected)
    return replace(first, others=tuple(others))


def exported(folder: Path) -> list[Path]:
    """The folders of exported weights that a folder stands for: itself, or those in it; none where it holds no weights."""
    if (folder / WEIGHTS).exists():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{WEIGHTS}"))


def _one(folder: Path, problem: str) -> Estimator:
    """The network of one folder of exported weights."""
    variables, fields_of_config = load_weights(folder)
    config = from_mapping(fields_of_config)
    if config.problem != problem:
        raise BadInput(f"weights for problem {config.problem}", path=folder, expected=f"weights for problem {problem}")
    trained = make_problem(config)
    native = problems.get(problem, origin=config.cluster_labels == "cosmosim")
    if native.field % config.image_size:
        raise BadInput(path=folder, column="image_size", value=config.image_size, expected=f"a divisor of the images' {native.field} px")
    return Estimator(
        problem=native,
        model=make_model(config, trained),
        variables=variables,
        task=make_task(config, native, read_standard(folder, config)),
    )
