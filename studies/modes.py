"""Why the 2023 thesis's MnasNet always predicted the mean: after the first evaluation it was trained in evaluation mode.

    python studies/modes.py [--model mnasnet1_0] [--steps 1000] [--batch 16] [--out docs/study_modes.png]

Cosmo-ML sets training mode once, before the first epoch. Each evaluation leaves the network in evaluation mode, and training continues
in it: dropout is off, and BatchNorm normalises by its running statistics, which are constant. Here a network is trained for --steps
steps in training mode, and then for as many more, on the same images, in three ways: in training mode; in evaluation mode; and in
evaluation mode with a BatchNorm that averages over 10 steps, as in the other networks, instead of MnasNet's 3300. sis2023 with encoded
targets, as in networks.py; prints the mean loss of every tenth of the steps and saves the curves. About 20 minutes on two cores.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import commandline
import jax
import matplotlib
import numpy as np
from networks import guess, initial_state, run_of, stepped

from lensjax.train import config as configs
from lensjax.train.config import TrainConfig
from lensjax.train.state import TrainState

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

SHORT = 0.9
"""Fraction of the running statistics that is kept at a step in most networks (PyTorch's momentum of 0.1)."""


def trained(model: Any, config: TrainConfig, state: TrainState, label: str, *, train: bool) -> tuple[TrainState, np.ndarray]:
    """State and losses after `config.steps` more steps, in training mode or not. The memory of `state` is not reused."""
    mode = SimpleNamespace(apply=lambda variables, image, **options: model.apply(variables, image, **{**options, "train": train}))
    state, losses, _ = stepped(mode, config, jax.tree.map(jax.numpy.copy, state), label)
    return state, losses


def main() -> None:
    """The program."""
    parser = commandline.of_runs(__doc__, steps=1000, image_size=64, batch=16, out="docs/study_modes.png")
    parser.add_argument("--model", default="mnasnet1_0", metavar="NAME", help="MnasNet of any width (mnasnet1_0)")
    options = parser.parse_args()
    if not options.model.startswith("mnasnet"):
        parser.error(f"--model: the value is {options.model}; expected a MnasNet, such as mnasnet1_0")
    config = run_of(options.model, steps=options.steps, size=options.image_size, batch=options.batch, rate=3e-4)
    config = replace(config, schedule="constant", warmup_steps=0, head_scale=0.02)
    model: Any = configs.make_model(config, configs.make_problem(config))
    middle = guess(config)
    print(f"guess {middle:.3f}\nmean loss of each tenth of {options.steps} steps")
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    ends = np.cumsum([len(part) for part in np.array_split(np.arange(options.steps), 10)])

    def show(label: str, losses: np.ndarray, colour: str, after: bool) -> None:
        tenths = [part.mean() for part in np.array_split(losses, 10)]
        print(f"{label:48}" + "".join(f"{loss:7.3f}" for loss in tenths), flush=True)
        axes.plot(ends + after * options.steps, tenths, "o-" if after else "o:", ms=4, color=colour, label=label)

    for name, network, colour in (("", model, "tab:blue"), (", memory of 10 steps", model.clone(norm_momentum=SHORT), "tab:green")):
        state, losses = trained(network, config, initial_state(network, config), f"before{name}", train=True)
        show(f"training mode{name}", losses, colour, after=False)
        if not name:
            show("then training mode", trained(network, config, state, "training mode", train=True)[1], colour, after=True)
        losses = trained(network, config, state, f"evaluation mode{name}", train=False)[1]
        show(f"then evaluation mode{name}", losses, colour if name else "tab:red", after=True)
    axes.axhline(middle, color="black", ls="--", lw=1, label="best constant estimate")
    axes.axvline(options.steps, color="grey", lw=1)
    axes.set(
        xlabel="step", ylabel="mean absolute error of the targets", title=f"{options.model}, {options.image_size}×{options.image_size}"
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, dpi=130)
    print(options.out)


if __name__ == "__main__":
    main()
