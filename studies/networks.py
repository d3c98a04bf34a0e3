"""Whether each of the thesis's twelve networks learns: a short run of each on fresh images, against the best constant estimate.

    python studies/networks.py [NAME ...] [--steps 150] [--image-size 64] [--batch 16] [--out results/networks]

The problem is sis2023 with encoded targets, each of spread about one; the loss is their mean absolute error. "Guess" is the loss of
the best constant estimate, the median of each target. Prints a line for each network: loss of the first and of the last tenth of the steps,
the loss over that of the guess, and the time of a step; writes OUT.csv, with every tenth step, and OUT.png. A network that is in OUT.csv
already is not trained again.
"""

import time
from dataclasses import replace
from typing import Any

import commandline
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pandas as pd
from tqdm import tqdm

from lensjax.files import whole as files
from lensjax.models import torch_weights
from lensjax.train import config as configs
from lensjax.train import optim, sharding
from lensjax.train.config import TrainConfig
from lensjax.train.state import TrainState, init_state, keys
from lensjax.train.step import make_train_step

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

TWELVE = (
    "alexnet", "squeezenet1_1", "vgg19_bn", "inception_v3", "resnet152", "densenet201", "efficientnet_b7", "efficientnet_v2_l",
    "mnasnet6_0", "convnext_base", "vit_b_16", "swin_v2_b",
)  # fmt: skip
WIDE_HEADS = ("inception_v3", "efficientnet_b7", "efficientnet_v2_l", "mnasnet6_0", "swin_v2_b")
"""Networks whose initial last layer is too large for few outputs: see `run_of`."""
ZEROED = {"swin_v2_b": ".*norm[12].scale"}
"""Parameters that are initially zero, by network."""
SMALLEST = {"inception_v3": 96}
"""Image sizes of networks that need larger images than the others."""


def run_of(name: str, *, steps: int, size: int, batch: int, rate: float) -> TrainConfig:
    """The run.

    torchvision's initial weights of the last layer of EfficientNet and MnasNet grow as the outputs become fewer, up to 0.41 and 0.71 for
    six; Inception's are 0.1 at any number. The outputs then have an initial spread of two to five, and dropout (in Swin the dropped
    blocks, half of the deepest) makes them noise, until the weights have shrunk a hundredfold: a thousand steps of Adam at 3e-4. In
    these networks the last layer starts at a fiftieth of its size. Swin v2's branches end in a normalisation, which torchvision starts
    at one and the network's authors at zero: at one, dropped branches are noise as large as the signal, and 600 steps learn nothing.
    """
    return TrainConfig(
        model=name, image_size=max(size, SMALLEST.get(name, 0)), method="ring", batch_size=batch, steps=steps, optimizer="adamw",
        weight_decay=1e-4, learning_rate=rate, head_scale=0.02 if name in WIDE_HEADS else 1.0, schedule="cosine",
        warmup_steps=steps // 10, clip_norm=1.0, zeroed=ZEROED.get(name, ""),
    )  # fmt: skip


def initial_state(model: Any, config: TrainConfig) -> TrainState:
    """The state before the first step."""
    optimizer = optim.make_optimizer(config)
    return jax.jit(lambda key: init_state(
        model, optimizer, key, image_size=config.image_size, ema=0.0, head_scale=config.head_scale, zeroed=config.zeroed
    ))(keys(config.seed).init)  # fmt: skip


def stepped(model: Any, config: TrainConfig, state: TrainState, label: str) -> tuple[TrainState, np.ndarray, float]:
    """(state, loss of every step, median seconds of a step) after `config.steps` more steps, which reuse the memory of `state`."""
    problem, random = configs.make_problem(config), keys(config.seed)
    step = make_train_step(config, problem, model, optim.make_optimizer(config), sharding.make_mesh())
    losses, times = [], []
    for _ in tqdm(range(config.steps), desc=label, unit="step", disable=None, leave=False):
        began = time.perf_counter()
        state, loss = step(state, random)
        losses.append(float(loss))
        times.append(time.perf_counter() - began)
    return state, np.array(losses), float(np.median(times))


def trained(config: TrainConfig, tensors: dict[str, np.ndarray] | None = None) -> tuple[np.ndarray, float]:
    """(loss of every step, median seconds of a step) of a run with PyTorch's `tensors` as initial weights, or random ones where None."""
    model = configs.make_model(config, configs.make_problem(config))
    state = initial_state(model, config)
    if tensors is not None:
        size, outputs = config.image_size, model.num_outputs
        state = replace(state, **torch_weights.convert(tensors, config.model, num_outputs=outputs, image_size=size, seed=config.seed))
    _, losses, seconds = stepped(model, config, state, config.model)
    return losses, seconds


def guess(config: TrainConfig) -> float:
    """Loss of the best constant estimate."""
    problem = configs.make_problem(config)
    target = np.asarray(problem.encode(problem.sample(jax.random.key(1), 20_000)))
    return float(np.abs(target - np.median(target, axis=0)).mean())


def main() -> None:
    """The program."""
    parser = commandline.of_runs(
        __doc__, steps=150, image_size=64, batch=16, rate=3e-4, out="results/networks", writes="PATH.csv, PATH.png"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks (default: the twelve)")
    options = parser.parse_args()
    table = options.out.with_suffix(".csv")
    rows = pd.read_csv(table) if table.is_file() else pd.DataFrame(columns=["network", "step", "loss", "guess", "seconds"])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    print(f"{'network':20}{'steps':>7}{'first':>9}{'last':>9}{'guess':>9}{'last/guess':>12}{'s a step':>10}")
    for name in options.names or TWELVE:
        if name not in set(rows["network"]):
            config = run_of(name, steps=options.steps, size=options.image_size, batch=options.batch, rate=options.rate)
            losses, seconds = trained(config)
            tenths = np.array_split(losses, 10)
            ends = np.cumsum([len(part) for part in tenths])
            part = {"network": name, "step": ends, "loss": [part.mean() for part in tenths], "guess": guess(config), "seconds": seconds}
            rows = pd.concat([rows, pd.DataFrame(part)] if len(rows) else [pd.DataFrame(part)], ignore_index=True)
            files.write_text(table, rows.to_csv(index=False))
            jax.clear_caches()
        run = rows[rows["network"] == name]
        first, last, middle = run["loss"].iloc[0], run["loss"].iloc[-1], run["guess"].iloc[0]
        line = f"{name:20}{run['step'].iloc[-1]:7d}{first:9.3f}{last:9.3f}{middle:9.3f}{last / middle:12.2f}{run['seconds'].iloc[0]:10.2f}"
        print(line, flush=True)
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for (name, run), colour in zip(rows.groupby("network", sort=False), plt.cm.tab20(jnp.linspace(0, 1, 20)), strict=False):
        axes.plot(run["step"], run["loss"] / run["guess"], "-o", ms=3, color=np.asarray(colour), label=name)
    axes.axhline(1.0, color="black", lw=1, ls="--")
    axes.set(xlabel="step", ylabel="loss over that of the best constant estimate", title="Short runs on endless images")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.legend(fontsize=8, ncols=2)
    axes.grid(alpha=0.3, which="both")
    figure.savefig(options.out.with_suffix(".png"), dpi=130)
    print(f"{table}, {options.out.with_suffix('.png')}")


if __name__ == "__main__":
    main()
