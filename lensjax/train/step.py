"""The jitted functions of a run: one step of training, and predictions for one batch.

Both draw and render their own images, or take those of a data set.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax.linen import Module
from jax import Array
from jax.sharding import Mesh

from lensjax.problems.base import Conditions, Problem
from lensjax.train import augment, hard, sharding, stream
from lensjax.train.config import TrainConfig, make_task
from lensjax.train.feed import Batch
from lensjax.train.standard import Standard
from lensjax.train.state import Keys, TrainState
from lensjax.train.task import Task

AUXILIARY = 0.3
"""Weight of the loss of an auxiliary head (Szegedy et al. 2015, section 5)."""

TrainStep = Callable[..., tuple[TrainState, Array]]
Predict = Callable[[Any, Array, Array], tuple[Array, Array]]
PredictGiven = Callable[[Any, Batch], tuple[Array, Array]]
Render = Callable[[Array, Array], dict[str, Array]]
Shown = Conditions | augment.FromFile


def make_train_step(
    config: TrainConfig,
    problem: Problem,
    model: Module,
    optimizer: optax.GradientTransformation,
    mesh: Mesh,
    *,
    standard: Standard | None = None,
) -> TrainStep:
    """The function (state, keys) → (state, loss) of one step, or (state, keys, batch) → (state, loss) with the batch of a data set.

    It reuses the state's memory. `standard` is that of a config that standardises targets.
    It does not wait for the host: `first_bad` of the state records the first loss or gradient that was not finite.
    """
    task = make_task(config, problem, standard)
    optimizer = optax.with_extra_args_support(optimizer)

    def drawn(state: TrainState, keys: Keys, given: Batch | None) -> tuple[Array, Shown]:
        """Parameters (B, P) and how each image is shown (B, ...): draws from the prior, with hard ones among them, or images of files."""
        if given is not None:
            key = jax.random.fold_in(keys.stream, state.step)
            change = augment.draw(problem, key, count=config.batch_size, size=given.image.shape[-1], kind=config.augment)
            return given.params, augment.FromFile(given.image, change)
        mixed = config.method == stream.MIXED
        params, shown = stream.draw(problem, keys.stream, state.step, batch_size=config.batch_size, mixed=mixed)
        if state.hardest is not None:
            key = jax.random.fold_in(keys.hard, state.step)
            params = hard.replaced(state.hardest, key, params, share=config.hard, period=problem.period)
        return params, shown

    def differentiated(params: Any, batch_stats: Any, batch: dict[str, Any], dropout: Array) -> tuple[Array, Array, Any, Any]:
        """Loss, that of each image (B,), running statistics and gradient of a batch."""

        def objective(params: Any) -> tuple[Array, Any]:
            output, updates = model.apply(
                {"params": params, "batch_stats": batch_stats},
                batch["input"],
                train=True,
                rngs={"dropout": dropout},
                mutable=["batch_stats", "auxiliary"],
            )
            each = task.losses(output, batch["target"])
            loss = each.mean()
            outputs = jax.tree.leaves(updates.get("auxiliary", {}))
            total = loss + AUXILIARY * sum(task.losses(auxiliary, batch["target"]).mean() for auxiliary in outputs)
            return total, (loss, each, updates.get("batch_stats", {}))

        (_, (loss, each, after)), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        return loss, each, after, gradient

    def in_parts(state: TrainState, drawn: tuple[Array, Shown], dropout: Array) -> tuple[Array, Array, Any, Any]:
        """As `differentiated`, of a batch whose parts are rendered and differentiated one after the other; means over the parts."""
        parts = jax.tree.map(lambda leaf: leaf.reshape(config.accumulate, -1, *leaf.shape[1:]), drawn)

        def add(carry: tuple[Array, Any, Any], part: tuple[tuple[Array, Shown], Array]) -> tuple[tuple[Array, Any, Any], Array]:
            loss, batch_stats, gradient = carry
            (params, shown), index = part
            batch = _rendered(config, task, params, shown, mesh)
            own, each, batch_stats, change = differentiated(state.params, batch_stats, batch, jax.random.fold_in(dropout, index))
            return (loss + own, batch_stats, jax.tree.map(jnp.add, gradient, change)), each

        nothing = jax.tree.map(jnp.zeros_like, state.params)
        begin = (jnp.zeros((), jnp.float32), state.batch_stats, nothing)
        (loss, batch_stats, gradient), each = jax.lax.scan(add, begin, (parts, jnp.arange(config.accumulate, dtype=jnp.int32)))
        return loss / config.accumulate, each.reshape(-1), batch_stats, jax.tree.map(lambda leaf: leaf / config.accumulate, gradient)

    def train_step(state: TrainState, keys: Keys, given: Batch | None = None) -> tuple[TrainState, Array]:
        dropout = jax.random.fold_in(keys.dropout, state.step)
        systems = drawn(state, keys, given)
        if config.accumulate > 1:
            loss, each, batch_stats, gradient = in_parts(state, systems, dropout)
        else:
            batch = _rendered(config, task, *systems, mesh)
            loss, each, batch_stats, gradient = differentiated(state.params, state.batch_stats, batch, dropout)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params, value=loss)
        params = optax.apply_updates(state.params, updates)
        begins = state.step % config.eval_every == 0
        bad = ~(jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(gradient)))
        after = TrainState(
            step=state.step + 1,
            params=params,
            batch_stats=batch_stats,
            opt_state=opt_state,
            average=None,
            hardest=None if state.hardest is None else hard.updated(state.hardest, systems[0], each),
            loss_sum=jnp.where(begins, 0.0, state.loss_sum) + loss,
            first_bad=jnp.where(bad & (state.first_bad < 0), state.step, state.first_bad),
        )
        if state.average is not None:
            after = replace(after, average=_moved(state.average, after.variables, step=state.step, ema=config.ema))
        return after, loss

    return jax.jit(train_step, donate_argnums=0, out_shardings=sharding.replicated(mesh))


def _rendered(config: TrainConfig, task: Task, params: Array, shown: Shown, mesh: Mesh) -> dict[str, Any]:
    """The network's "input" (B, h, w, c), "params" (B, P), "target" and "frame" of drawn parameters, split over the devices.

    Each device renders its part, or changes its images, or with the config's `bitwise` all of them.
    """

    def seen(params: Array, shown: Shown) -> dict[str, Any]:
        if isinstance(shown, augment.FromFile):
            params, image = augment.taken(task.problem, params, shown)
        else:
            image = stream.render(task.problem, params, shown)
        shown_to_network, frame = task.shown(image)
        return {"input": shown_to_network, "params": params, "target": task.target(params, frame), "frame": frame}

    if config.bitwise or mesh.size == 1:
        return sharding.split_batch(seen(params, shown), mesh)
    return sharding.split_over(sharding.computed_apart(seen, mesh, params, shown), mesh)


def make_render(config: TrainConfig, problem: Problem, mesh: Mesh) -> Render:
    """The function (key, step) → "input" and "target" of the step's batch: the part of a training step that is no network.

    As in the step the parts of `accumulate` are rendered one after the other; they are the leading axis then.
    """
    task = make_task(config, problem)

    def rendered(drawn: tuple[Array, Conditions]) -> dict[str, Array]:
        batch = _rendered(config, task, *drawn, mesh)
        return {"input": batch["input"], "target": batch["target"]}

    def render(key: Array, step: Array) -> dict[str, Array]:
        drawn = stream.draw(problem, key, step, batch_size=config.batch_size, mixed=config.method == stream.MIXED)
        if config.accumulate == 1:
            return rendered(drawn)
        parts = jax.tree.map(lambda leaf: leaf.reshape(config.accumulate, -1, *leaf.shape[1:]), drawn)
        made: dict[str, Array] = jax.lax.map(rendered, parts)
        return made

    return jax.jit(render)


def make_render_given(config: TrainConfig, problem: Problem, mesh: Mesh, *, standard: Standard | None = None) -> Callable[[Batch], Array]:
    """The function from a batch of a data set to the network's input, with the parts of `accumulate` as `make_render` has them."""
    task = make_task(config, problem, standard)

    def render(given: Batch) -> Array:
        shown: Array = _rendered(config, task, given.params, augment.FromFile(given.image), mesh)["input"]
        return shown if config.accumulate == 1 else shown.reshape(config.accumulate, -1, *shown.shape[1:])

    return jax.jit(render)


def _moved(average: Any, variables: Any, *, step: Array, ema: float) -> Any:
    """The moving average one step on; its decay grows to `ema`, so that the initial weights soon lose their influence."""
    done = step.astype(jnp.float32)
    decay = jnp.minimum(ema, (1.0 + done) / (10.0 + done))
    return jax.tree.map(lambda old, new: decay * old + (1.0 - decay) * new, average, variables)


def make_predict(config: TrainConfig, problem: Problem, model: Module, mesh: Mesh, *, batch_size: int) -> Predict:
    """The function (variables, key, step) → (predicted, truth), each (batch_size, V) in file units: what the task answers."""
    task = make_task(config, problem)

    def predict(variables: Any, key: Array, step: Array) -> tuple[Array, Array]:
        params, shown = stream.draw(problem, key, step, batch_size=batch_size, mixed=config.method == stream.MIXED)
        batch = _rendered(config, task, params, shown, mesh)
        output: Any = model.apply(variables, batch["input"], train=False)
        return task.answers(output, batch["frame"]), task.truth(batch["params"])

    return jax.jit(predict, out_shardings=sharding.replicated(mesh))


def make_predict_given(
    config: TrainConfig, problem: Problem, model: Module, mesh: Mesh, *, standard: Standard | None = None
) -> PredictGiven:
    """The function (variables, batch) → (predicted, truth), each (B, P) in file units, for batches of a data set."""
    task = make_task(config, problem, standard)

    def predict(variables: Any, given: Batch) -> tuple[Array, Array]:
        batch = _rendered(config, task, given.params, augment.FromFile(given.image), mesh)
        output: Any = model.apply(variables, batch["input"], train=False)
        return task.answers(output, batch["frame"]), task.truth(batch["params"])

    return jax.jit(predict, out_shardings=sharding.replicated(mesh))
