"""Why AlexNet stuck at the mean: many seeds at once at each batch size and learning rate, and what has become of their units.

    python studies/alexnet.py [--rates 1e-4,1e-3] [--seeds 4] [--images 2000] [--width 0.125] [--out results/alexnet.png]
    python studies/alexnet.py --full       # the thesis's size: 400×400 pixels, full width; wants a GPU

The 2023 thesis found AlexNet at a rate of 1e-3 still at the mean after ten epochs, in 20 % of runs at batch 10 and in 72 % at batch 100,
and never at 1e-4 or less. This study trains as the thesis did (prior sis2023, targets in file units, L1 loss, Adam), on fresh images and
from random weights. All seeds of a setting train in one program: a step, vmapped over the seeds' states. Runs of both batch sizes see
equally many images, as in the thesis's epochs. On a CPU a step of the whole network takes seconds: --width is a factor on all its widths.
The default takes eight minutes of one core.

A run is stuck where its loss on 128 test images, without dropout, is 0.95 or more of that of a constant estimate, the mean of the prior.
Columns, for each setting:

    stuck    how many seeds are stuck
    dead     how many of all have a layer without a unit (a channel, in convolutions) that is above zero for any test image: the output is
             the same for all of them, nothing before that layer has a gradient from them, and the run cannot leave the mean
    where    the first such layer, of most dead runs; otherwise the layer with the largest share of units that are zero for all test images
    off      that share in this layer: mean over the seeds
    loss     test loss over that of the mean: the median over the seeds, the lowest and the highest
    spread   standard deviation of the outputs over the images, over that of the targets: median over the seeds
    peak     largest training loss of a step over that of the mean: median over the seeds

The second table changes one thing at a time at the batch size and rate of --probe. Prints both tables, draws the losses, and keeps all
evaluations in a CSV file beside the figure. A setting that is in it already is not trained again.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from commandline import at_least
from flax.linen import Conv, Dense, Module
from jax import Array
from matplotlib import colormaps
from matplotlib.figure import Figure
from tqdm import tqdm

from lensjax.files import whole as files
from lensjax.report.figures import save
from lensjax.report.tables import Table, text_table
from lensjax.train import TrainConfig, optim, sharding, stream
from lensjax.train import config as configs
from lensjax.train.state import TrainState, init_state, keys
from lensjax.train.step import make_train_step

STUCK = 0.95
TEST = 128
EVALUATIONS = 5
LAYERS = ("features.0", "features.3", "features.6", "features.8", "features.10", "classifier.1", "classifier.4")
OUTPUT = "classifier.6"
SMALL = {"seeds": 4, "images": 2000, "image_size": 64, "width": 0.125}
FULL = {"seeds": 10, "images": 1_000_000, "image_size": 400, "width": 1.0}
COLUMNS = ("stuck", "dead", "where", "off", "loss", "spread", "peak")


@dataclass(frozen=True)
class Setting:
    """A training that all seeds share, at any rate.

    Attributes:
        warmup: share of the steps over which the rate grows.
        at_mean: whether the outputs begin near the targets' mean.
        he: whether weights begin √6 times as large, as He et al. (2015) draw them, and biases at zero; torchvision's shrink the signal in
            every layer.
    """

    batch: int
    steps: int
    image_size: int
    width: float
    targets: str = "raw"
    dropout: float = 0.5
    warmup: float = 0.0
    at_mean: bool = False
    he: bool = False


AS_IT_IS = "as it is"
CHANGES: dict[str, dict[str, Any]] = {
    AS_IT_IS: {},
    "no dropout": {"dropout": 0.0},
    "outputs begin at the mean": {"at_mean": True},
    "encoded targets, of order one": {"targets": "encoded"},
    "warm-up over half the steps": {"warmup": 0.5},
    "He's initial weights": {"he": True},
}
"""What the second table changes."""


@cache
def programs(setting: Setting) -> tuple[Callable[..., TrainState], Callable[..., tuple[TrainState, Array]], Callable[..., Array]]:
    """(start, step, measures) of all seeds at once.

    start: keys → states. step: states, keys, rate → states, losses (S,). measures: states → test loss, spread, units off in each of
    LAYERS, (S, 9). Losses are over that of the mean.
    """
    config = TrainConfig(
        model="alexnet", image_size=setting.image_size, method="ring", targets=setting.targets, batch_size=setting.batch,
        steps=setting.steps,
    )  # fmt: skip
    problem, mesh = configs.make_problem(config), sharding.make_mesh()
    task = configs.make_task(config, problem)
    model: Module = configs.make_model(config, problem).clone(width=setting.width, dropout=setting.dropout)
    test = jax.jit(lambda key: stream.batch(problem, key, 0, batch_size=TEST))(jax.random.key(2))
    target = task.target(test["params"], None).values[:, 0]
    mean = task.target(problem.sample(jax.random.key(1), 20_000), None).values[:, 0].mean(axis=0)
    guess = jnp.abs(target - mean).mean()

    def adam(rate: Array | float) -> optax.GradientTransformation:
        warmup = round(setting.warmup * setting.steps)
        return optax.adam(optim.schedule("constant", peak=rate, steps=setting.steps, warmup_steps=warmup))

    def start(key: Array) -> TrainState:
        state = init_state(model, adam(0.0), key, image_size=setting.image_size, ema=0.0)
        params = dict(state.params)
        if setting.he:
            params = {name: {"kernel": 6**0.5 * layer["kernel"], "bias": 0 * layer["bias"]} for name, layer in params.items()}
        if setting.at_mean:
            params[OUTPUT] = {**params[OUTPUT], "bias": params[OUTPUT]["bias"] + mean}
        return replace(state, params=params)

    def step(state: TrainState, random: Any, rate: Array) -> tuple[TrainState, Array]:
        state, loss = make_train_step(config, problem, model, adam(rate), mesh)(state, random)
        return state, loss / guess

    def measures(state: TrainState) -> Array:
        output, found = model.apply(
            state.variables, test["image"], train=False, mutable=["intermediates"],
            capture_intermediates=lambda module, _: isinstance(module, Conv | Dense),
        )  # fmt: skip
        before = [found["intermediates"][name]["__call__"][0] for name in LAYERS]
        off = [(values <= 0).all(axis=tuple(range(values.ndim - 1))).mean() for values in before]
        spread = (output.std(axis=0) / target.std(axis=0)).mean()
        return jnp.stack([jnp.abs(output - target).mean() / guess, spread, *off])

    return jax.jit(jax.vmap(start)), jax.jit(jax.vmap(step, in_axes=(0, 0, None)), donate_argnums=0), jax.jit(jax.vmap(measures))


def trained(setting: Setting, *, rate: float, seeds: int, label: str) -> pd.DataFrame:
    """Trains seeds 0, 1, … of a setting at once; a row for each evaluation and seed, with the training loss and its largest so far."""
    start, step, measures = programs(setting)
    random = jax.vmap(keys)(jnp.arange(seeds, dtype=jnp.uint32))
    states = start(random.init)
    due = np.unique(np.linspace(0, setting.steps, EVALUATIONS + 1).round().astype(int))
    losses, measured = [], [measures(states)]
    for done in tqdm(range(1, setting.steps + 1), desc=label, unit="step", disable=None, leave=False):
        states, loss = step(states, random, jnp.float32(rate))
        losses.append(loss)
        if done in due:
            measured.append(measures(states))
    training = np.asarray(jnp.stack(losses))
    return pd.DataFrame(
        {"seed": seed, "step": after, "training": training[max(after - 1, 0), seed], "peak": training[: max(after, 1), seed].max()}
        | dict(zip(("loss", "spread", *LAYERS), values[seed].tolist(), strict=True))
        for after, values in zip(due, np.asarray(jnp.stack(measured)), strict=True)
        for seed in range(seeds)
    )


def cells(run: pd.DataFrame) -> tuple[str, ...]:
    """The columns of a table for the rows of a setting."""
    last = run[run["step"] == run["step"].max()]
    off = last[list(LAYERS)].to_numpy()
    dead = (off == 1).any(axis=1)
    where = int(np.bincount((off[dead] == 1).argmax(axis=1)).argmax() if dead.any() else off.mean(axis=0).argmax())
    loss = last["loss"]
    return (
        f"{(~(loss < STUCK)).sum()} of {len(last)}",
        f"{dead.sum()} of {len(last)}",
        LAYERS[where],
        f"{100 * off[:, where].mean():.0f} %",
        f"{loss.median():.2f} ({loss.min():.2f}–{loss.max():.2f})",
        f"{last['spread'].median():.3f}",
        f"{last['peak'].median():.3g}",
    )


def draw(rows: pd.DataFrame, options: argparse.Namespace) -> Figure:
    """Test losses of all seeds for each batch size, and the share of units off in each layer in the end."""
    rows = rows[rows["change"] == AS_IT_IS]
    page = Figure(figsize=(4.6 * (len(options.batches) + 1), 4.4), layout="constrained")
    *curves, layers = page.subplots(1, len(options.batches) + 1)
    colours = dict(zip(options.rates, colormaps["viridis"](np.linspace(0, 0.92, len(options.rates))), strict=True))
    for panel, batch in zip(curves, options.batches, strict=True):
        for rate, colour in colours.items():
            of_rate = rows[(rows["batch"] == batch) & (rows["rate"] == rate)]
            for k, (_, run) in enumerate(of_rate.groupby("seed")):
                panel.plot(run["step"], run["loss"], "-", lw=1.2, color=colour, label=f"{rate:g}" if k == 0 else None)
        panel.axhline(1.0, color="black", ls="--", lw=1)
        panel.set(title=f"batch {batch}", xlabel="step", yscale="log")
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter("{x:g}")
    curves[0].set_ylabel("test loss over that of the mean")
    curves[0].legend(title="learning rate", fontsize=8)
    ends = rows[rows["step"] == rows.groupby("batch")["step"].transform("max")]
    for batch, style in zip(options.batches, ("o-", "s--", "^:") * len(options.batches), strict=False):
        for rate, colour in colours.items():
            shares = ends[(ends["batch"] == batch) & (ends["rate"] == rate)][list(LAYERS)].mean()
            label = f"batch {batch}" if rate == options.rates[0] else None
            layers.plot(range(len(LAYERS)), 100 * shares, style, ms=4, lw=1.2, color=colour, label=label)
    layers.set_xticks(range(len(LAYERS)), LAYERS, rotation=30, ha="right", fontsize=8)
    layers.set(ylabel="units that are zero for all images [%]", ylim=(0, 103), title="in the end, mean over the seeds")
    layers.legend(fontsize=8)
    for panel in (*curves, layers):
        panel.grid(alpha=0.3)
    return page


def positive(text: str) -> float:
    """A type of argparse: a number above zero."""
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError
    return value


def several(kind: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """A type of argparse: values with commas in between."""

    def values(text: str) -> tuple[Any, ...]:
        return tuple(kind(word) for word in text.split(","))

    return values


def arguments() -> argparse.Namespace:
    """The program's options; sizes that are not given are those of --full or small ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=several(at_least(1)), default=(10, 100), metavar="N,...", help="images in a step (10,100)")
    rates = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
    parser.add_argument("--rates", type=several(positive), default=rates, metavar="X,...", help="learning rates (1e-4 to 3e-2)")
    for flag, least, meaning in (
        ("--seeds", 1, "runs of each setting"),
        ("--images", 1, "images that each run sees"),
        ("--image-size", 63, "pixels on a side"),
    ):
        name = flag[2:].replace("-", "_")
        parser.add_argument(flag, type=at_least(least), metavar="N", help=f"{meaning} ({SMALL[name]}; with --full {FULL[name]})")
    parser.add_argument("--width", type=positive, metavar="X", help="factor on channels and hidden units (0.125; with --full 1)")
    parser.add_argument("--probe", type=several(positive), default=(10, 1e-2), metavar="BATCH,RATE", help="of the second table (10,1e-2)")
    parser.add_argument("--full", action="store_true", help="the thesis's size")
    parser.add_argument("--out", type=Path, default=Path("results/alexnet.png"), metavar="FILE", help="the figure")
    options = parser.parse_args()
    if len(options.probe) != 2 or options.probe[0] != int(options.probe[0]):
        parser.error("--probe: expected a batch size and a rate, such as 10,1e-2")
    for name, value in (FULL if options.full else SMALL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def main() -> None:
    """The program."""
    options = arguments()
    path = options.out.with_suffix(".csv")
    rows = pd.read_csv(path) if path.is_file() else pd.DataFrame()

    def evaluated(batch: int, rate: float, change: str) -> pd.DataFrame:
        """The rows of a setting, from the file or from a training that is then in the file."""
        nonlocal rows
        steps = max(options.images // batch, EVALUATIONS)
        own = {"batch": batch, "rate": rate, "change": change, "width": options.width, "size": options.image_size, "steps": steps,
               "seeds": options.seeds}  # fmt: skip
        known = rows[(rows[list(own)] == pd.Series(own)).all(axis=1)] if len(rows) else rows
        if len(known):
            return known
        setting = Setting(batch=batch, steps=steps, image_size=options.image_size, width=options.width, **CHANGES[change])
        run = trained(setting, rate=rate, seeds=options.seeds, label=f"batch {batch}, rate {rate:g}, {change}").assign(**own)
        rows = pd.concat([rows, run], ignore_index=True)
        files.write_text(path, rows.to_csv(index=False))
        return run

    size = f"width {options.width:g}, {options.image_size}×{options.image_size} pixels, {options.images} images"
    runs = {(batch, rate): evaluated(batch, rate, AS_IT_IS) for batch in options.batches for rate in options.rates}
    table = tuple((str(batch), f"{rate:g}", *cells(run)) for (batch, rate), run in runs.items())
    print(text_table(Table(("batch", "rate", *COLUMNS), table, f"AlexNet: {size}.")))
    save(draw(pd.concat(runs.values()), options), options.out)
    batch, rate = int(options.probe[0]), options.probe[1]
    table = tuple((change, *cells(evaluated(batch, rate, change))) for change in CHANGES)
    print()
    print(text_table(Table(("change", *COLUMNS), table, f"One change at a time: batch {batch}, rate {rate:g}, {size}.")))
    print(f"{path}, {options.out}")


if __name__ == "__main__":
    main()
