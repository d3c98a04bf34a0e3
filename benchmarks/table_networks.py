"""The cost of each network: parameters, multiply-adds, memory, and the time of an estimate and of a training step.

    python benchmarks/table_networks.py [NAME ...] [--image-size 400] [--batch 2] [--dtype float32] [--no-time] [--out FILE]

One grey channel, six outputs. Multiply-adds are half of XLA's count of floating-point operations for one image, forward. A training
step is forward, backward and Adam's update; its memory is that of weights, gradient and Adam's moments, and of what XLA keeps for the
batch. Times are medians of three calls after one to warm up, of fewer where one takes seconds. With --no-time nothing is compiled,
which takes seconds for each network. On an accelerator --batch and --dtype bfloat16 give the step's images a second, and with --peak
TFLOPS the fraction of the device's peak rate. An interrupted table resumes after its last line.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

from lensjax import models
from lensjax.errors import BadInput
from lensjax.files import whole as files
from lensjax.train.config import DTYPES
from lensjax.train.layers import init_variables

OUTPUTS = 6
LONG = 4.0
"""Seconds of timed calls after which no further call is timed."""
HEAD = ("network", "parameters [M]", "multiply-adds [G]", "estimate [ms]", "training step [ms]", "images/s", "memory of a step [GiB]")


def programs(name: str, size: int, batch: int, dtype: Any) -> tuple[Any, Callable[..., Any], Callable[..., Any], Any]:
    """(shapes of the variables, estimate, training step, optimizer)."""
    net = models.create(name, num_outputs=OUTPUTS, image_size=size, dtype=dtype)
    shapes = jax.eval_shape(lambda key: init_variables(net, key, image_size=size), jax.random.key(0))
    adam = optax.adam(1e-4)

    def estimate(variables: Any, image: jax.Array) -> Any:
        return net.apply(variables, image, train=False)

    def step(variables: Any, moments: Any, image: jax.Array) -> Any:
        def loss(params: Any) -> tuple[Any, Any]:
            out, updates = net.apply(
                {"params": params, "batch_stats": variables["batch_stats"]}, image, train=True,
                rngs={"dropout": jax.random.key(0)}, mutable=["batch_stats"],
            )  # fmt: skip
            return jnp.abs(out).mean(), updates.get("batch_stats", {})

        (value, stats), gradient = jax.value_and_grad(loss, has_aux=True)(variables["params"])
        change, moments = adam.update(gradient, moments)
        return {"params": optax.apply_updates(variables["params"], change), "batch_stats": stats}, moments, value

    return shapes, estimate, step, adam


def seconds(call: Callable[[], Any]) -> float:
    """Median of three calls after one; fewer where they take long."""
    jax.block_until_ready(call())
    times: list[float] = []
    while len(times) < 3 and sum(times) < LONG:
        began = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def row(name: str, *, size: int, batch: int, dtype: Any, timed: bool, peak: float) -> list[str]:
    """One line of the table."""
    shapes, estimate, step, adam = programs(name, size, batch, dtype)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))
    image = jax.ShapeDtypeStruct((1, size, size, 1), jnp.float32)
    with patch.object(jax, "default_backend", lambda: "gpu"):  # on a CPU groups of channels are joined, with zeros between them
        work = jax.jit(estimate).lower(shapes, image).cost_analysis()["flops"] / 2
    jax.clear_caches()
    cells = [f"`{name}`", f"{parameters / 1e6:.2f}", f"{work / 1e9:.2f}"]
    if not timed:
        return cells
    variables = jax.tree.map(lambda leaf: 0.01 * jax.random.normal(jax.random.key(leaf.size), leaf.shape), shapes["params"])
    variables = {"params": variables, "batch_stats": jax.tree.map(lambda leaf: jnp.ones(leaf.shape), shapes["batch_stats"])}
    images = jax.random.uniform(jax.random.key(1), (batch, size, size, 1))
    forward = jax.jit(estimate)
    single = seconds(lambda: forward(variables, images[:1]))
    moments = adam.init(variables["params"])
    compiled = jax.jit(step).lower(variables, moments, images).compile()
    whole = seconds(lambda: compiled(variables, moments, images)[2])
    memory = 16 * parameters + compiled.memory_analysis().temp_size_in_bytes
    cells += [f"{1e3 * single:.0f}", f"{1e3 * whole:.0f}", f"{batch / whole:.1f}", f"{memory / 2**30:.2f}"]
    return [*cells, f"{100 * 6 * work * batch / whole / 1e12 / peak:.0f} %"] if peak else cells


def measured(path: Path | None, head: list[str]) -> dict[str, str]:
    """Lines of an earlier table with the same head, by the network's name."""
    lines = path.read_text().splitlines() if path and path.is_file() else []
    return {line.split("`")[1]: line for line in lines[len(head) :] if "`" in line} if lines[: len(head)] == head else {}


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks (default: all)")
    parser.add_argument("--image-size", type=int, default=400, metavar="N", help="pixels on a side (400)")
    parser.add_argument("--batch", type=int, default=2, metavar="N", help="images of a training step (2)")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of the arithmetic (float32)")
    parser.add_argument("--no-time", action="store_true", help="sizes and multiply-adds alone")
    parser.add_argument("--peak", type=float, default=0.0, metavar="TFLOPS", help="peak rate of the device, for the fraction of it")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also writes the table there, in Markdown")
    options = parser.parse_args()
    head = HEAD[:3] if options.no_time else HEAD + (("share of peak",) if options.peak else ())
    device = jax.devices()[0].device_kind
    lines = [
        f"{options.image_size}×{options.image_size}, one channel, six outputs"
        + ("" if options.no_time else f"; training batch {options.batch}, {options.dtype}, on {device}, jax {jax.__version__}"),
        "",
        "| " + " | ".join(head) + " |",
        "|---" + "|---:" * (len(head) - 1) + "|",
    ]
    done = measured(options.out, lines)
    print("\n".join(lines), flush=True)
    for name in tqdm(options.names or models.names(), unit="network", disable=None, leave=False):
        if name in done:
            lines.append(done[name])
            tqdm.write(lines[-1])
            continue
        try:
            dtype, timed = DTYPES[options.dtype], not options.no_time
            cells = row(name, size=options.image_size, batch=options.batch, dtype=dtype, timed=timed, peak=options.peak)
        except BadInput as error:
            parser.error(str(error)) if options.names else tqdm.write(f"skipped: {error}")
            continue
        except Exception as error:  # out of memory is a result too
            cells = [f"`{name}`", f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"]
        lines.append("| " + " | ".join(cells) + " |")
        tqdm.write(lines[-1])
        if options.out:
            files.write_text(options.out, "\n".join(lines) + "\n")
        jax.clear_caches()


if __name__ == "__main__":
    main()
