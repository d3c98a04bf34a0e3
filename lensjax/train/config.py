"""The settings of a training run: one frozen record, checked at construction."""

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from flax.linen import Module

from lensjax import models, problems
from lensjax._internal.words import did_you_mean, listed, shown
from lensjax._internal.words import name as printable
from lensjax.errors import BadInput, at
from lensjax.files.read import read_json
from lensjax.files.whole import write_text
from lensjax.problems.amplitudes import POINTS, SCALES, Answered, amplitudes
from lensjax.problems.base import Problem
from lensjax.simulate import METHODS
from lensjax.train import augment, hard, targets
from lensjax.train.heads import HEADS
from lensjax.train.split import sizes
from lensjax.train.standard import Standard
from lensjax.train.stream import MIXED
from lensjax.train.task import LOSSES, Targets, Task

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float16": jnp.float16}
FRAMES = ("image", "canonical")
TARGETS = ("encoded", "raw", "polar", "amplitudes")

PLATEAU, SCHEDULE_FREE = "plateau", "schedule_free_adamw"
"""The schedule whose rate depends on the loss, and the optimizer that keeps an average of its own, with a constant rate."""

OPTIMIZERS = ("adam", "adamw", "lion", "rmsprop", SCHEDULE_FREE, "sgd")
SCHEDULES = ("constant", "cosine", PLATEAU, "step", "thesis")
OPEN_ENDED = ("constant", PLATEAU)
"""Schedules that do not depend on the number of steps."""

MAY_CHANGE = ("checkpoint_every", "data_workers", "keep_checkpoints", "log_every", "patience")
"""Fields that may change when a run is resumed: its numbers do not depend on them."""

OF_DATA = ("augment", "data_images", "data_workers", "split", "standardise")
"""Fields of runs with a data set alone."""

_TARGETS: dict[str, Targets] = {"raw": "raw", "polar": "polar"}
_LONG_LIST = 20
_TYPES = {"int": "a whole number", "float": "a number", "bool": "True or False", "str": "text"}


@dataclass(frozen=True)
class TrainConfig:
    """One training run. Its results depend on these fields, the software and the processor alone.

    Attributes:
        model: name of the network, see `models.names()`.
        problem: name of the inference problem, see `problems.names()` and `problems.composed_names()`.
        image_size: pixels on a side of the images.
        method: how images are rendered: "roulette", "ring", "raytrace" or "mixed"; composed problems trace rays, whatever it says.
        integer: whether the prior draws whole numbers, as the thesis did; composed problems never do.
        native: whether images are rendered in the problem's own pixels, rounded to grey levels, and averaged to `image_size` as the pixels
            of a file are; otherwise they are rendered in pixels of `image_size`.
        data: folder of a data set (dataset.csv, and images/ or the images beside it), or a CSV file; empty for the endless stream. Its
            images are of the problem's field, or of `image_size`; `method`, `integer` and `native` then have no effect.
        split: which rows of the table are for what, in its order: for training, for the test and for validation, as droulette takes
            them. Each is a count, or a share below 1; one may be empty and takes the rest. Runs are evaluated on the validation images
            as they train, without any on those of the test.
        data_images: how many of the training images are used, the first ones; 0 for all.
        data_workers: processes that read images beside the program's own; 0 for a thread in the program.
        augment: "none"; "exact" to mirror the images of the data set, to turn them by 90, 180 or 270° and, where parameters are places
            in the image, to move them by whole pixels, anew in every step and their parameters with them; "any" to turn them by any
            angle, which interpolates their pixels.
        standardise: whether targets in file units are measured from their mean over the training images and divided by their spread.
        frame: "image", or "canonical" to show the network each image in the frame of its own light, and to learn the answer there: moved
            to its centre of light, turned to its principal axes, and divided by its spread along both.
        targets: "encoded" to learn the problem's well-scaled encoding, "raw" for file units, "polar" for file units with places as distance
            and direction [deg], "amplitudes" for the roulette amplitudes of the lens.
        order: largest m of the amplitudes; without effect on other targets, as the next three are.
        point: where amplitudes are taken: "xi", the image of the source's centre, or "centre", the image's middle.
        amplitude_scale: "raw", "standardised" by mean and spread over the prior, or "scaled": dimensionless by the distance to the lens.
        with_source: whether the source's size, index and flux are answered beside the amplitudes; of composed problems.
        cluster_labels: "lens" for amplitudes of a cluster as it is, or "cosmosim" for the labels that CosmoSim 3.3 writes, which take all
            members to stand at the origin of its coordinates.
        weights: factors on the loss of each target, such as "1,1,2,1,1,0.5"; empty for equal ones.
        by_ellipticity: whether the loss of an ellipse's direction is multiplied by its ellipticity; with raw or polar targets.
        up_to_symmetry: whether the loss is that to the nearest of the parameter sets that show the same image.
        head: what the network says: "point", one set of targets; "gaussian", their mean and covariance; "mixture", several Gaussians. The
            last two are trained by their likelihood, whatever `loss` says.
        components: Gaussians of a mixture.
        batch_size: images in a step.
        accumulate: parts of a batch whose gradients are taken one after the other and averaged; a divisor of `batch_size`. A part's images
            need the memory of a batch, and normalisation and dropout work within it.
        hard: share of each batch drawn near the systems with the largest recent losses, see `train.hard`; the rest, and every evaluation,
            is of the prior.
        steps: steps of the whole run.
        patience: evaluations in a row without a better test error, up to symmetry, after which the run ends early; 0 for never.
        optimizer: "adam", "adamw", "lion", "rmsprop", "schedule_free_adamw" or "sgd". The schedule-free one averages the parameters
            itself, needs `schedule` "constant" and `ema` 0, and profits from a warm-up.
        learning_rate: the peak of the schedule.
        schedule: "constant", "cosine" (to zero at the last step), "plateau" (half the rate after 3 evaluation intervals in a row whose
            mean training loss is not the lowest yet), "step" (a tenth of the rate after 30, 60 and 90 % of the steps) or "thesis" (a
            tenth of the rate in the second half).
        warmup_steps: steps of linear growth from zero, before the schedule.
        weight_decay: decay of kernels: decoupled for adamw and lion, added to the gradient for the others.
        loss: "l1" or "l2", of the targets.
        init: folder with exported weights of the same network, the initial weights of the run; empty for random ones. A last layer with
            another number of outputs is initialised, but for the means of a Gaussian or mixture head of the same targets.
        head_scale: factor on the random initial weights of the heads. With few outputs torchvision's are too large in MnasNet, EfficientNet
            and Inception; 0.02 works there.
        zeroed: regular expression for the beginning of the names of parameters that are initially zero; empty for none. It has no effect
            on weights from `init`. ".*norm[12].scale" is the initialisation of the authors of Swin v2.
        frozen: the same for parameters that stay constant.
        slowed, slow_factor: the same for parameters that learn at `slow_factor` times the rate.
        clip_norm: larger gradients are scaled down to this global norm; 0 to keep all.
        ema: decay of the moving average of the weights, used for evaluation and export; 0 for none.
        extra_layers: two more fully connected layers before the output.
        hidden: widths of fully connected layers before the output, such as "128,64"; empty for none. Not with `extra_layers`.
        remat: whether activations are computed again for the gradient instead of kept: less memory, more time; no effect on a CPU.
        dtype: type of the network's arithmetic; its parameters are float32 always.
        seed: seed of everything random.
        eval_every: steps from one evaluation to the next.
        eval_size: images of the test set; as many of the training stream are evaluated too, and up to 1024 of these give batch
            normalisations the statistics of an evaluation.
        checkpoint_every: steps from one checkpoint to the next.
        keep_checkpoints: newest checkpoints kept.
        log_every: steps between reports of progress.
        bitwise: whether images are equal to the last bit for any number of devices: each device then renders the whole batch, not its part.
    """

    model: str = "compact"
    problem: str = "sis2023"
    image_size: int = 400
    method: str = "roulette"
    integer: bool = True
    native: bool = False
    data: str = ""
    split: str = ",0.2,0.05"
    data_images: int = 0
    data_workers: int = 0
    augment: str = "none"
    standardise: bool = False
    frame: str = "image"
    targets: str = "encoded"
    order: int = 4
    point: str = "xi"
    amplitude_scale: str = "scaled"
    with_source: bool = False
    cluster_labels: str = "lens"
    weights: str = ""
    by_ellipticity: bool = False
    up_to_symmetry: bool = False
    head: str = "point"
    components: int = 4
    batch_size: int = 10
    accumulate: int = 1
    hard: float = 0.0
    steps: int = 1_000_000
    patience: int = 0
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
                raise BadInput(column=field.name, value=value, expected=_TYPES[getattr(field.type, "__name__", "")])
        for name, known in (
            ("problem", (*problems.names(), *problems.composed_names())),
            ("method", (*METHODS, MIXED)),
            ("augment", augment.KINDS),
            ("frame", FRAMES),
            ("targets", TARGETS),
            ("point", POINTS),
            ("amplitude_scale", SCALES),
            ("cluster_labels", targets.CLUSTER_LABELS),
            ("head", HEADS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("loss", LOSSES),
            ("dtype", DTYPES),
        ):
            if getattr(self, name) not in known:
                raise _unknown(name, getattr(self, name), known)
        if not models.known(self.model):
            raise _unknown("model", self.model, models.names())
        targets.check(self)
        if models.reads(self.model) == "shapelets" and self.frame != "canonical":
            raise BadInput(column="frame", value=self.frame, expected=f"canonical: model {self.model} reads images in their own frame")
        for name in ("zeroed", "frozen", "slowed"):
            try:
                re.compile(getattr(self, name))
            except re.error as error:
                raise BadInput(column=name, value=getattr(self, name), expected="a regular expression", hint=str(error)) from None
        for name in ("image_size", "order", "components", "batch_size", "accumulate", "steps", "eval_every", "eval_size",
                     "checkpoint_every", "keep_checkpoints", "log_every"):  # fmt: skip
            if getattr(self, name) < 1:
                raise BadInput(column=name, value=getattr(self, name), expected="1 or more")
        if self.batch_size % self.accumulate:
            raise BadInput(column="accumulate", value=self.accumulate, expected=f"a divisor of batch_size, {self.batch_size}")
        if self.hard and not 1 <= hard.count(self.hard, self.batch_size) < self.batch_size:
            expected = f"0, or a share of 1 to {self.batch_size - 1} of the {self.batch_size} images of a batch"
            raise BadInput(column="hard", value=self.hard, expected=expected)
        if self.hard and self.data:
            raise BadInput(column="hard", value=self.hard, expected="0 with a data set, whose images are given")
        sizes(self.split)
        for name in ("data_images", "data_workers", "warmup_steps", "weight_decay", "clip_norm", "slow_factor", "patience", "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise BadInput(column=name, value=getattr(self, name), expected="0 or more")
        if self.hidden and (self.extra_layers or not re.fullmatch(r"[1-9][0-9]{0,5}(,[1-9][0-9]{0,5})*", self.hidden)):
            raise BadInput(column="hidden", value=self.hidden, expected='widths such as "128,64", and extra_layers False')
        for name in ("learning_rate", "head_scale"):
            if not 0 < getattr(self, name) < math.inf:
                raise BadInput(column=name, value=getattr(self, name), expected="a positive number")
        if not 0 <= self.ema < 1:
            raise BadInput(column="ema", value=self.ema, expected="0 or more and below 1")
        if self.optimizer == SCHEDULE_FREE:
            for name, value in (("ema", 0.0), ("schedule", "constant")):
                if getattr(self, name) != value:
                    expected = f"{shown(value)}: optimizer {self.optimizer} averages the parameters itself"
                    raise BadInput(column=name, value=getattr(self, name), expected=expected)
        if self.warmup_steps >= self.steps:
            raise BadInput(column="warmup_steps", value=self.warmup_steps, expected=f"a number below steps, {self.steps}")
        if self.seed >= 2**32:
            raise BadInput(column="seed", value=self.seed, expected="a number below 2**32")


def from_mapping(values: Mapping[str, Any]) -> TrainConfig:
    """A config from a mapping of its fields; missing fields take their defaults.

    Raises:
        BadInput: a field is unknown, or its value is out of range.
    """
    for name in values:
        check_field(name)
    return TrainConfig(**values)


def check_field(name: str) -> None:
    """Raises BadInput, with the nearest field, where no field has this name."""
    known = [field.name for field in dataclasses.fields(TrainConfig)]
    if name not in known:
        near = did_you_mean(name, known)
        expected = "" if near else f"one of {listed(known, most=len(known))}"
        raise BadInput("no such config field", column=printable(name), expected=expected, hint=near)


def _unknown(column: str, value: str, known: Iterable[str]) -> BadInput:
    """The error for a name that is not in a table: with the nearest name, and with all names where they are few or none is near."""
    known = sorted(known)
    near = did_you_mean(value, known)
    expected = "" if near and len(known) > _LONG_LIST else f"one of {listed(known, most=len(known))}"
    return BadInput(column=column, value=value, expected=expected, hint=near)


def write(config: TrainConfig, path: Path) -> None:
    """The config as a JSON file."""
    write_text(path, _json(config))


def is_written(config: TrainConfig, path: Path) -> bool | None:
    """Whether `path` is what `write` wrote of this config; None where there is no file."""
    try:
        return path.read_text("utf-8", "replace") == _json(config)
    except OSError:
        return None


def _json(config: TrainConfig) -> str:
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def read(path: Path) -> TrainConfig:
    """The config that `write` wrote.

    Raises:
        BadInput: no such file, not JSON, or not a config.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        raise BadInput("not a config", path=path, expected="a JSON object")
    with at(path=path):
        return from_mapping(values)


def check_same_run(old: TrainConfig, new: TrainConfig, *, path: Path) -> None:
    """Raises BadInput where a run of config `old`, from file `path`, cannot be resumed with config `new`.

    The fields `MAY_CHANGE` may differ. With an open-ended schedule so may `steps`, which then only says when to stop.
    """
    free = {*MAY_CHANGE, "steps"} if old.schedule in OPEN_ENDED else set(MAY_CHANGE)
    for field in dataclasses.fields(TrainConfig):
        before, now = getattr(old, field.name), getattr(new, field.name)
        if before != now and field.name not in free:
            why = " (steps can change with schedule constant or plateau only)" if field.name == "steps" else ""
            hint = f"choose another --workdir for the new run{why}"
            raise BadInput(path=path, column=field.name, value=now, expected=f"{shown(before)}, as this run has", hint=hint)


def same_targets(one: TrainConfig, other: TrainConfig) -> bool:
    """Whether networks of two configs learn the same targets, in the same units."""
    fields = ("problem", "frame", "targets", "order", "point", "amplitude_scale", "with_source", "cluster_labels", "standardise")
    return not one.standardise and all(getattr(one, name) == getattr(other, name) for name in fields)


def widths(hidden: str) -> tuple[int, ...]:
    """The field `hidden` as numbers."""
    return tuple(int(width) for width in hidden.split(",") if width)


def make_problem(config: TrainConfig) -> Problem:
    """The config's problem; how a composed problem is rendered and drawn is its own."""
    size = {} if config.native else {"image_size": config.image_size}
    if config.problem in problems.composed_names():
        problem = problems.get(config.problem, origin=config.cluster_labels == "cosmosim", **size)
    else:
        method = "ring" if config.method == MIXED else config.method
        problem = problems.get(config.problem, integer=config.integer, method=method, **size)
    if config.native and problem.field % config.image_size:
        expected = f"a divisor of the images' {problem.field} px"
        raise BadInput(column="image_size", value=config.image_size, expected=expected)
    return problem


def make_task(config: TrainConfig, problem: Problem, standard: Standard | None = None) -> Task:
    """What the config's network is shown, and what it answers; `standard` of a config that standardises targets.

    Raises:
        BadInput: `weights` has not one number for each target.
    """
    table = None
    if config.targets == "amplitudes":
        table = amplitudes(
            problem,
            order=config.order,
            point=config.point,
            scale=config.amplitude_scale,
            source=config.with_source,
            gathered=config.cluster_labels == "cosmosim",
        )
    task = Task(
        problem,
        size=config.image_size,
        frame="canonical" if config.frame == "canonical" else "image",
        reads=models.reads(config.model),
        targets=_TARGETS.get(config.targets, "encoded"),
        standard=standard,
        amplitudes=table,
        head=config.head,
        components=config.components,
        loss=config.loss,
        weights=tuple(float(number) for number in config.weights.split(",") if number),
        by_ellipticity=config.by_ellipticity,
        up_to_symmetry=config.up_to_symmetry,
    )
    if task.weights and len(task.weights) != task.width:
        raise BadInput(column="weights", value=config.weights, expected=f"{task.width} numbers, one for each target")
    return task


def answered(config: TrainConfig) -> Answered:
    """The table of the numbers that the config's network answers."""
    return make_task(config, make_problem(config)).answered


def make_model(config: TrainConfig, problem: Problem) -> Module:
    """The config's network, with the outputs that its head needs for the targets."""
    task = make_task(config, problem)
    height, _, channels = task.input_shape
    return models.create(
        config.model,
        num_outputs=task.outputs,
        in_channels=channels,
        extra_layers=widths(config.hidden) or config.extra_layers,
        image_size=height,
        dtype=DTYPES[config.dtype],
        remat=config.remat,
    )
