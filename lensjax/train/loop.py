"""The training loop, and how a run is restored."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.linen import Module
from jax import Array

from lensjax._internal.words import one_of
from lensjax.errors import BadInput
from lensjax.files import whole
from lensjax.problems.base import Problem
from lensjax.train import config as configs
from lensjax.train import data as datasets
from lensjax.train import evaluation, hard, initial, logs, optim, predictors, sharding, statistics
from lensjax.train.checkpoint import Checkpoints, Damaged
from lensjax.train.config import TrainConfig
from lensjax.train.data import DataSet
from lensjax.train.feed import Feed
from lensjax.train.logs import Progress
from lensjax.train.standard import Standard
from lensjax.train.state import TrainState, init_state, keys
from lensjax.train.step import make_render, make_train_step


class Diverged(RuntimeError):
    """The loss or a gradient is not finite."""


class Stopped(RuntimeError):
    """The run was asked to stop before its last step; its state is in a checkpoint, from which it resumes."""

    def __init__(self, step: int) -> None:
        super().__init__(f"step {step}: stopped, with a checkpoint")
        self.step = step


class Run(NamedTuple):
    """A run, restored or just trained.

    Attributes:
        config: its settings.
        problem: its problem.
        model: its network.
        variables: the network's variables for estimates: the moving average where one is kept.
        step: steps done.
    """

    config: TrainConfig
    problem: Problem
    model: Module
    variables: dict[str, Any]
    step: int


def train(
    config: TrainConfig,
    workdir: Path,
    *,
    on_start: Callable[[int], None] = lambda step: None,
    on_log: Callable[[Progress], None] = lambda progress: None,
    on_evaluation: Callable[[evaluation.Row], None] = lambda row: None,
    on_notice: Callable[[str], None] = lambda line: None,
    stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Trains to the last step, or until `config.patience` is exhausted. Where `workdir` holds checkpoints, the run resumes from the newest.

    On the same software and hardware a run that was killed and then resumed ends with the same parameters and
    the same evaluation.csv, bit for bit, as one without a break; log.csv holds times, which differ. Where the folder vanishes, or
    config.json is changed, while the run continues, they are written anew, the folder with a checkpoint.

    Args:
        config: settings of the run.
        workdir: folder of the run: config.json, log.csv, evaluation.csv, checkpoints/, and data.json where the config has a data set.
        on_start: called with the step at which the run begins or resumes.
        on_log: called with each new row of log.csv: every `log_every` steps, and where the run ends early.
        on_evaluation: called with each new row of evaluation.csv.
        on_notice: called with a line where the newest checkpoint is damaged and an older one is used, a large data set is checked, a file
            is written anew, or the run ends early.
        stop: whether to write a checkpoint and stop; read after every step, and with several processes every `log_every` steps. They all
            stop at the same step where one of them is to stop.

    Raises:
        Stopped: `stop` said so before the last step.
        BadInput: the folder holds another run or cannot be written to, the config does not fit the machine, or its data set cannot be used.
        Diverged: the loss or a gradient is not finite; the message has the step and the seed of its batch.
    """
    workdir = Path(workdir)
    mesh = sharding.make_mesh()
    sharding.check_batch(config.batch_size, mesh, accumulate=config.accumulate)
    problem = configs.make_problem(config)
    datasets.check(config)
    model = configs.make_model(config, problem)
    optimizer = optim.make_optimizer(config)
    first = sharding.is_first_process()
    whole.check_folder(workdir)
    _check_folder(workdir, config)
    weights = _initial_weights(config, model, workdir / "checkpoints")

    initialise = _initializer(config, model, optimizer, mesh)
    # Wrong names of layers are reported before anything is compiled or written.
    jax.eval_shape(lambda: initialise(jax.random.key(0)))
    run_keys = keys(config.seed)
    data, standard = _data(config, problem, workdir, on_notice)
    feed = None if data is None else Feed(data, mesh, batch_size=config.batch_size, seed=config.seed, workers=config.data_workers)
    train_step = make_train_step(config, problem, model, optimizer, mesh, standard=standard)
    if data is None or feed is None:
        render = make_render(config, problem, mesh)
        predictions = predictors.of_stream(config, problem, model, mesh, run_keys)
        statistics_of = statistics.of_stream(config, render, model, mesh, run_keys)
    else:
        predictions = predictors.of_data(config, problem, model, mesh, feed, data.rows.watched, standard)
        statistics_of = statistics.of_data(config, problem, model, mesh, feed, standard, run_keys)

    with Checkpoints(workdir / "checkpoints", keep=config.keep_checkpoints) as checkpoints:
        state = _start(config, initialise, optimizer, run_keys.init, mesh, checkpoints, weights, on_notice)
        step = int(state.step)
        if step > config.steps:
            raise BadInput(f"this run has done {step} steps", path=workdir, column="steps", value=config.steps, expected=f"{step} or more")
        table = workdir / "evaluation.csv"
        rows = [row for row in evaluation.read_rows(table) if _is_kept(int(row["Step"]), step, config)]
        if first:
            configs.write(config, workdir / "config.json")
            evaluation.write_rows(table, rows)
        log_table = logs.Log(workdir / "log.csv", done=step) if first else None
        learning_rate, answered = optim.make_schedule(config), configs.answered(config)
        on_start(step)
        rendering = None
        if step < config.steps and data is None:
            rendering = logs.Rendering(lambda: render(run_keys.stream, state.step))
        ended = evaluation.exhausted(rows, config.patience)

        pending: list[Array] = []  # losses not yet fetched, one for each step
        logged, losses, seconds = step, [], 0.0
        began = None
        batches = None if feed is None else feed.training(step)
        while step < config.steps and not ended:
            state, loss = train_step(state, run_keys) if batches is None else train_step(state, run_keys, next(batches))
            began = began or time.perf_counter()  # the first call compiles before it returns
            pending.append(loss)
            step += 1
            log = step % config.log_every == 0 or step == config.steps
            evaluate = _is_evaluated(step, config)
            stopping = step < config.steps and sharding.any_process(stop, ask=log)
            log = log or stopping
            save = stopping or step % config.checkpoint_every == 0 or step == config.steps
            if not (log or evaluate or save):
                continue

            losses += _fetch(pending, state, config)
            pending = []
            seconds += time.perf_counter() - began
            if sharding.any_process(lambda: configs.is_written(config, workdir / "config.json") is None, ask=True):
                on_notice(f"{workdir}: the run's folder has vanished; it is written anew")
                if first:
                    configs.write(config, workdir / "config.json")
                    evaluation.write_rows(table, rows)
                checkpoints.reopen()
                save = True
            elif first and not configs.is_written(config, workdir / "config.json"):
                on_notice(f"{workdir / 'config.json'}: changed during the run; it is written anew")
                configs.write(config, workdir / "config.json")
            if log:
                progress = Progress(
                    step=step,
                    loss=float(np.mean(losses)),
                    images=(step - logged) * config.batch_size,
                    seconds=seconds,
                    rendering=0.0 if rendering is None else rendering.share(seconds / (step - logged)),
                    memory=logs.memory(),
                    learning_rate=float(learning_rate(step - 1)),
                )
                if log_table is not None:
                    log_table.append(progress)
                on_log(progress)
                logged, losses, seconds = step, [], 0.0
            if evaluate:
                if rendering is not None:
                    rendering.measure()
                state = state.with_statistics(statistics_of(state.variables, step))
                test, training = predictions(state.variables, step)
                row = evaluation.row(
                    answered,
                    epoch=-(-step // config.eval_every),
                    step=step,
                    loss=float(state.loss_sum) * config.batch_size,
                    test=test,
                    training=training,
                )
                rows.append(row)
                if first:
                    evaluation.write_rows(table, rows)
                on_evaluation(row)
                ended = evaluation.exhausted(rows, config.patience)
            if save or ended:
                checkpoints.save(step, state.saved)
            if stopping and not ended:
                raise Stopped(step)
            began = time.perf_counter()
        if ended:
            on_notice(f"step {step}: no better test error in {config.patience} evaluations; the run ends here")
    return Run(config, problem, model, state.variables, step)


def restore_run(workdir: Path, *, step: int | None = None, on_notice: Callable[[str], None] = lambda line: None) -> Run:
    """A run from its folder, at its newest whole checkpoint or at that of `step`; nothing is written.

    `on_notice` is called with a line where the newest one is damaged and an older one is used.

    Raises:
        BadInput: the folder holds no run, or no such checkpoint.
    """
    workdir = Path(workdir)
    config = configs.read(workdir / "config.json")
    folder = workdir / "checkpoints"
    if not folder.is_dir():
        raise BadInput("no checkpoint yet", path=workdir)
    problem = configs.make_problem(config)
    model = configs.make_model(config, problem)
    optimizer = optim.make_optimizer(config)
    with Checkpoints(folder, read_only=True) as checkpoints:
        steps = checkpoints.steps()
        if not steps:
            raise BadInput("no checkpoint yet", path=workdir)
        if step is not None and step not in steps:
            raise BadInput(f"no checkpoint of step {step}", path=workdir, value=step, expected=f"step {one_of(map(str, steps))}")
        mesh = sharding.make_mesh()
        abstract = _abstract_state(_initializer(config, model, optimizer, mesh), keys(config.seed).init, mesh)
        step, state = _newest_whole(checkpoints, steps if step is None else [step], abstract, on_notice)
    return Run(config, problem, model, state.variables, step)


def _data(config: TrainConfig, problem: Problem, workdir: Path, on_notice: Callable[[str], None]) -> tuple[DataSet | None, Standard | None]:
    """The run's data set, checked, and what its targets are measured in; the run's folder has a record of both."""
    if not config.data:
        return None, None
    data = datasets.read(config, problem)
    standard = data.standard() if config.standardise else None
    fingerprint = datasets.checked(data, on_many=on_notice)
    datasets.record(workdir, fingerprint, standard, write=sharding.is_first_process())
    return data, standard


def _check_folder(workdir: Path, config: TrainConfig) -> None:
    """Raises BadInput where the folder holds another run."""
    path = workdir / "config.json"
    if path.exists():
        configs.check_same_run(configs.read(path), config, path=path)


def _initializer(
    config: TrainConfig, model: Module, optimizer: optax.GradientTransformation, mesh: jax.sharding.Mesh
) -> Callable[[Array], TrainState]:
    problem = configs.make_problem(config)
    side, _, channels = configs.make_task(config, problem).input_shape
    return jax.jit(
        lambda key: init_state(
            model,
            optimizer,
            key,
            image_size=side,
            in_channels=channels,
            ema=config.ema,
            head_scale=config.head_scale,
            zeroed=config.zeroed,
            hardest=hard.nothing(problem) if config.hard else None,
        ),
        out_shardings=sharding.replicated(mesh),
    )


def _abstract_state(initialise: Callable[[Array], TrainState], key: Array, mesh: jax.sharding.Mesh) -> TrainState:
    """Shapes, types and shardings of the state."""
    shapes = jax.eval_shape(initialise, key)
    where = sharding.replicated(mesh)
    abstract: TrainState = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where), shapes)
    return abstract


def _initial_weights(config: TrainConfig, model: Module, folder: Path) -> dict[str, Any] | None:
    """The weights of `config.init`; None where it is empty, or where `folder` already holds a checkpoint."""
    if not config.init:
        return None
    if folder.is_dir():
        with Checkpoints(folder, read_only=True) as checkpoints:
            if checkpoints.steps():
                return None
    return initial.load(config, model)


def _start(
    config: TrainConfig,
    initialise: Callable[[Array], TrainState],
    optimizer: optax.GradientTransformation,
    key: Array,
    mesh: jax.sharding.Mesh,
    checkpoints: Checkpoints,
    weights: dict[str, Any] | None,
    on_notice: Callable[[str], None],
) -> TrainState:
    """State of the newest whole checkpoint; without one the initial state, with `weights` if given. Damaged checkpoints are set aside."""
    steps = checkpoints.steps()
    if steps:
        step, state = _newest_whole(checkpoints, steps, _abstract_state(initialise, key, mesh), on_notice)
        for damaged in steps[steps.index(step) + 1 :]:
            if sharding.is_first_process():
                checkpoints.set_aside(damaged)
        return state
    state = initialise(key)
    if weights is None:
        return state
    weights, notice = initial.joined(config, weights, {name: getattr(state, name) for name in weights})
    if notice:
        on_notice(notice)
    weights = jax.device_put(weights, sharding.replicated(mesh))
    average = None if state.average is None else jax.tree.map(jnp.copy, weights)
    opt_state = jax.jit(optimizer.init, out_shardings=sharding.replicated(mesh))(weights["params"])
    return replace(state, average=average, opt_state=opt_state, **weights)


def _newest_whole(
    checkpoints: Checkpoints, steps: list[int], abstract: TrainState, on_notice: Callable[[str], None]
) -> tuple[int, TrainState]:
    """The newest of `steps` whose checkpoint can be read, and its state.

    Raises:
        BadInput: none can be read.
    """
    damage: list[str] = []
    for step in reversed(steps):
        try:
            saved = checkpoints.restore(step, abstract.saved)
        except Damaged as error:
            damage.append(str(error))
            continue
        if damage:
            on_notice(f"{damage[0]}; the checkpoint of step {step} is used instead")
        return step, TrainState(**{"hardest": None} | saved)
    raise BadInput(damage[0], hint="no older checkpoint can be read")


def _is_evaluated(step: int, config: TrainConfig) -> bool:
    return step % config.eval_every == 0 or step == config.steps


def _is_kept(step: int, done: int, config: TrainConfig) -> bool:
    """Whether a row from before the run was resumed is kept: rows after the checkpoint are computed again."""
    return step <= done and _is_evaluated(step, config)


def _fetch(pending: list[Array], state: TrainState, config: TrainConfig) -> list[float]:
    """The losses of the last steps, which ended in `state`.

    Raises:
        Diverged: one of them, or of the gradients, is not finite.
    """
    losses, step, bad = jax.device_get((pending, state.step, state.first_bad))
    if bad >= 0:
        loss = float(losses[bad - step])
        raise Diverged(
            f"step {bad} diverged: its loss is {loss}, with gradients not all finite; its batch is that of seed {config.seed}, step {bad}"
        )
    return [float(loss) for loss in losses]
