"""The share of a training step's operations that draw and render the images, as XLA counts them.

    python benchmarks/rendering_share.py [NAME.py ...] [--compiled] [--batch N]

NAME.py: configs of lensjax/experiments/configs/ (default: vgg19bn.py, the thesis's best network at 400×400). Two programs are counted with
the config's batch, in shapes alone, so that no weights are made: the step of a run (draw, render, forward, backward, optimizer), and its
draw and rendering. Without --compiled the programs are counted as they are lowered, which takes seconds; with it after XLA's
optimizations, for this machine's device. Functions such as exp and log count as one operation.

XLA counts the body of a loop once. The rendering of sis2023 has loops over numbers of the prior only, in batches of up to 64, which
are the largest counted here. The count says what the work is, not how long it takes: a matrix unit does the network's operations many
times faster than others. The time is measured in every run, see the column "Rendering Share" of its log.csv.
"""

import argparse
import dataclasses
import runpy
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp

from lensjax.errors import BadInput
from lensjax.experiments import commandline
from lensjax.report.tables import Table, text_table
from lensjax.simulate.chunks import IMAGES
from lensjax.train import config as configs
from lensjax.train import optim, sharding
from lensjax.train.config import TrainConfig
from lensjax.train.state import init_state, keys
from lensjax.train.step import make_render, make_train_step


def lowered(config: TrainConfig) -> tuple[Any, Any]:
    """(the rendering, the whole step) of a run, lowered from shapes."""
    problem = configs.make_problem(config)
    model, optimizer = configs.make_model(config, problem), optim.make_optimizer(config)
    mesh = sharding.make_mesh(jax.devices()[:1])
    side, _, channels = configs.make_task(config, problem).input_shape
    state = jax.eval_shape(
        lambda key: init_state(model, optimizer, key, image_size=side, in_channels=channels, ema=config.ema), jax.random.key(0)
    )
    run_keys = keys(config.seed)
    with patch.object(jax, "default_backend", lambda: "gpu"):  # on a CPU groups of channels are joined, with zeros between them
        whole = make_train_step(config, problem, model, optimizer, mesh).lower(state, run_keys)
        rendering = make_render(config, problem, mesh).lower(run_keys.stream, jax.ShapeDtypeStruct((), jnp.int32))
    return rendering, whole


def operations(program: Any, *, compiled: bool) -> float:
    """Floating-point operations of a lowered program, those of functions such as exp included."""
    counted = (program.compile() if compiled else program).cost_analysis()
    return float(counted["flops"] + max(counted.get("transcendentals", 0.0), 0.0))


def row(name: str, *, compiled: bool, batch: int | None) -> tuple[str, ...]:
    """One line of the table: operations are those of one image."""
    config = commandline.train_config(runpy.run_path(commandline.find_config(name))["get_config"]())
    config = dataclasses.replace(config, batch_size=min(batch or config.batch_size, IMAGES), accumulate=1)
    rendering, whole = (operations(program, compiled=compiled) / config.batch_size for program in lowered(config))
    return (
        name, config.model, f"{config.image_size}×{config.image_size}, {config.batch_size}",
        f"{rendering / 1e9:.3g}", f"{whole / 1e9:.4g}", f"{100 * rendering / whole:.2g} %",
    )  # fmt: skip


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["vgg19bn.py"], metavar="NAME.py", help="configs (vgg19bn.py)")
    parser.add_argument("--compiled", action="store_true", help="count the optimized programs")
    parser.add_argument("--batch", type=int, metavar="N", help="images in a step (the config's)")
    options = parser.parse_args()
    try:
        rows = tuple(row(name, compiled=options.compiled, batch=options.batch) for name in options.names)
    except BadInput as error:
        parser.error(str(error))
    print(text_table(Table(("config", "network", "image, batch", "rendering [GFLOP]", "step [GFLOP]", "share"), rows)))


if __name__ == "__main__":
    main()
