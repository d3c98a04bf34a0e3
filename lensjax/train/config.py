"""What a training run is: one frozen record, checked where it enters."""

import dataclasses
import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax.linen import Module

from lensjax import models, problems
from lensjax.errors import BadInput
from lensjax.files.whole import write_text
from lensjax.problems import Problem
from lensjax.simulate import METHODS
from lensjax.train import optim
from lensjax.train.optim import LOSSES, OPTIMIZERS, SCHEDULES
from lensjax.train.stream import MIXED

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float16": jnp.float16}
TARGETS = ("encoded", "raw")

MAY_CHANGE = ("checkpoint_every", "keep_checkpoints", "log_every")
"""Fields in which a resumed run may differ from what it began with: its numbers do not depend on them."""


@dataclass(frozen=True)
class TrainConfig:
    """One training run. What it computes depends on these fields, the software and the processor alone.

    Attributes:
        model: name of the network, see `models.names()`.
        problem: name of the inference problem, see `problems.names()`.
        image_size: pixels on a side of the images.
        method: how images are rendered: "roulette", "ring", "raytrace" or "mixed".
        integer: whether the prior draws whole numbers, as the thesis did.
        targets: "encoded" to learn the problem's well-scaled encoding, "raw" for file units.
        batch_size: images in a step.
        steps: steps of the whole run.
        optimizer: "adam", "adamw", "rmsprop" or "sgd".
        learning_rate: the peak of the schedule.
        schedule: "constant", "cosine" (to zero at the last step) or "thesis" (a tenth for the second half).
        warmup_steps: steps of linear growth from zero, before the schedule.
        weight_decay: decay of kernels: decoupled for adamw, added to the gradient for the others.
        loss: "l1" or "l2", of the targets.
        init: folder of exported weights of the same network to start from; empty for a fresh start.
        head_scale: factor on the fresh weights of the layers that answer: torchvision begins those of MnasNet, EfficientNet and Inception
            too large for a few outputs (0.02 serves there).
        zeroed: regular expression for the beginning of the names of parameters that begin at zero in a fresh start; empty for none.
            ".*norm[12].scale" is Swin v2 as its authors begin it: its branches come in one by one.
        frozen: regular expression for the beginning of the names of parameters that do not learn; empty for none.
        slowed: likewise of parameters that learn at `slow_factor` times the rate.
        slow_factor: see `slowed`.
        clip_norm: gradients are scaled down to this global norm; 0 for never.
        ema: decay of the moving average of the weights, used for evaluation and export; 0 for none.
        extra_layers: two more fully connected layers before the output.
        hidden: widths of fully connected layers before the output, such as "128,64"; empty for none. Not with `extra_layers`.
        remat: whether blocks are computed again for the gradient instead of kept: less memory, more time; of no use on a CPU.
        dtype: type of the network's arithmetic; its parameters are float32 always.
        seed: seed of everything random.
        eval_every: steps from one evaluation to the next: an "epoch".
        eval_size: images of the test set, and of the sample of the training stream beside it.
        checkpoint_every: steps from one checkpoint to the next.
        keep_checkpoints: newest checkpoints kept.
        log_every: steps from one report of progress to the next.
        bitwise: whether images are equal to the last bit however many devices share a batch. Then each device renders the whole batch;
            otherwise it renders its share, and the images of several devices differ from those of one by rounding.
    """

    model: str = "compact"
    problem: str = "sis2023"
    image_size: int = 400
    method: str = "roulette"
    integer: bool = True
    targets: str = "encoded"
    batch_size: int = 10
    steps: int = 1_000_000
    optimizer: str = "adam"
    learning_rate: float = 1e-4
    schedule: str = "constant"
    warmup_steps: int = 0
    weight_decay: float = 0.0
    loss: str = "l1"
    init: str = ""
    head_scale: float = 1.0
    zeroed: str = ""
    frozen: str = ""
    slowed: str = ""
    slow_factor: float = 0.1
    clip_norm: float = 0.0
    ema: float = 0.0
    extra_layers: bool = False
    hidden: str = ""
    remat: bool = False
    dtype: str = "float32"
    seed: int = 0
    eval_every: int = 10_000
    eval_size: int = 1000
    checkpoint_every: int = 10_000
    keep_checkpoints: int = 2
    log_every: int = 100
    bitwise: bool = False

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type is float and type(value) is int:
                value = float(value)
                object.__setattr__(self, field.name, value)
            if type(value) is not field.type:
                raise BadInput(f"{field.name} is {value!r}; it must be of type {getattr(field.type, '__name__', field.type)}")
        for name, known in (
            ("problem", problems.names()),
            ("method", (*METHODS, MIXED)),
            ("targets", TARGETS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("loss", LOSSES),
            ("dtype", DTYPES),
        ):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        if not models.known(self.model):
            raise unknown("model", self.model, models.names())
        for name in ("zeroed", "frozen", "slowed"):
            try:
                re.compile(getattr(self, name))
            except re.error as error:
                raise BadInput(f"{name} is {getattr(self, name)!r}; it must be a regular expression: {error}") from None
        for name in ("image_size", "batch_size", "steps", "eval_every", "eval_size", "checkpoint_every",
                     "keep_checkpoints", "log_every"):  # fmt: skip
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("warmup_steps", "weight_decay", "clip_norm", "slow_factor", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if self.hidden and (self.extra_layers or not re.fullmatch(r"[1-9][0-9]{0,5}(,[1-9][0-9]{0,5})*", self.hidden)):
            raise BadInput(column="hidden", value=self.hidden, expected='widths such as "128,64", and extra_layers False')
        if not 0 < self.learning_rate < math.inf:
            raise BadInput(f"learning_rate is {self.learning_rate}; it must be a positive number")
        if not 0 < self.head_scale < math.inf:
            raise BadInput(f"head_scale is {self.head_scale}; it must be a positive number")
        if not 0 <= self.ema < 1:
            raise BadInput(f"ema is {self.ema}; it must be at least 0 and below 1")
        if self.warmup_steps >= self.steps:
            raise BadInput(f"warmup_steps is {self.warmup_steps}; it must be below steps, {self.steps}")
        if self.seed >= 2**32:
            raise BadInput(f"seed is {self.seed}; it must be below 2**32")


def from_mapping(values: Mapping[str, Any]) -> TrainConfig:
    """A config from a mapping of its fields; those left out take their defaults.

    Raises:
        BadInput: an unknown field, or a value that is not allowed.
    """
    for name in values:
        check_field(name)
    return TrainConfig(**values)


def check_field(name: str) -> None:
    """Raises BadInput, with the nearest field, where `name` is none."""
    known = [field.name for field in dataclasses.fields(TrainConfig)]
    if name not in known:
        raise unknown("config field", name, known)


def unknown(what: str, value: str, known: Iterable[str]) -> BadInput:
    """The error for a name that is not in a table: it suggests the nearest, and lists them all."""
    known = sorted(known)
    near = difflib.get_close_matches(str(value), known, n=3, cutoff=0.5)
    guess = f"did you mean {' or '.join(repr(name) for name in near)}? " if near else ""
    return BadInput(f"{what} is {value!r}; {guess}known: {', '.join(known)}")


def write(config: TrainConfig, path: Path) -> None:
    """The config as a JSON file."""
    write_text(path, json.dumps(dataclasses.asdict(config), indent=2) + "\n")


def read(path: Path) -> TrainConfig:
    """The config that `write` wrote.

    Raises:
        BadInput: no such file, not JSON, or not a config.
    """
    try:
        values = json.loads(path.read_text())
        return from_mapping(values)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise BadInput(f"{path}: not a config: {error}") from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def check_same_run(old: TrainConfig, new: TrainConfig, *, path: Path) -> None:
    """Raises BadInput where `new` would not continue the run that `old` in file `path` began.

    `MAY_CHANGE` lists what may differ. `steps` may too where the schedule is constant: there it only says
    when to stop.
    """
    free = {*MAY_CHANGE, "steps"} if old.schedule == "constant" else set(MAY_CHANGE)
    for field in dataclasses.fields(TrainConfig):
        before, now = getattr(old, field.name), getattr(new, field.name)
        if before != now and field.name not in free:
            why = " (steps can change only with the constant schedule)" if field.name == "steps" else ""
            raise BadInput(f"{path}: this run has {field.name} {before!r}, not {now!r}; give another --workdir{why}")


def widths(hidden: str) -> tuple[int, ...]:
    """The field `hidden` as numbers."""
    return tuple(int(width) for width in hidden.split(",") if width)


def make_problem(config: TrainConfig) -> Problem:
    """The problem that the config names."""
    method = "ring" if config.method == MIXED else config.method
    return problems.get(config.problem, image_size=config.image_size, integer=config.integer, method=method)


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """The run's optimizer, with its schedule, layers' rates and clipping."""
    rate = optim.schedule(config.schedule, peak=config.learning_rate, steps=config.steps, warmup_steps=config.warmup_steps)
    direction = OPTIMIZERS[config.optimizer](rate, config.weight_decay)
    direction = optim.by_layer(direction, frozen=config.frozen, slowed=config.slowed, factor=config.slow_factor)
    return optax.chain(optax.clip_by_global_norm(config.clip_norm), direction) if config.clip_norm else direction


def make_model(config: TrainConfig, problem: Problem) -> Module:
    """The network that the config names, with one output for each target."""
    params = jax.ShapeDtypeStruct((len(problem.parameters),), jnp.float32)
    targets = jax.eval_shape(problem.encode, params) if config.targets == "encoded" else params
    return models.create(
        config.model,
        num_outputs=targets.shape[-1],
        extra_layers=widths(config.hidden) or config.extra_layers,
        image_size=config.image_size,
        dtype=DTYPES[config.dtype],
        remat=config.remat,
    )
