"""How many 400×400 images a second are rendered, beside a minimal kernel written by hand, in one run.

    python scripts/benchmark_render.py [--json] [--repeats 15] [--batch 16]

Every row is the median of `repeats` calls after two to warm up, each waited for (block_until_ready); float32. The rows take
turns, so that what else the machine does meets all alike. "Given grid" renders at the pixels' points as they are; "centred"
takes the centre of light of a 1000×1000 canvas first, as the data sets do.
"""

import argparse
import json
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import problems
from lensjax.image.grid import pixel_points
from lensjax.problems import Problem

SIZE = 400


def by_hand(params: Array, x: Array, y: Array) -> Array:
    """The least that an SIS and an elliptical Gaussian take: (x, y, θ_E, σ, σ₂, θ) on full grids x, y (n, n)."""
    sx, sy, theta_e, sigma, sigma2, theta = params
    scale = theta_e / jnp.sqrt(x * x + y * y + 1e-12)
    bx, by = x - scale * x - sx, y - scale * y - sy
    u = (jnp.cos(theta) * bx + jnp.sin(theta) * by) / sigma
    v = (jnp.cos(theta) * by - jnp.sin(theta) * bx) / sigma2
    return 255.0 * jnp.exp(-0.5 * (u * u + v * v))


def medians_ms(calls: list[tuple[Callable[..., object], tuple]], *, repeats: int) -> list[float]:
    """Median time of each call [ms]; they take turns, so that what else the machine does meets all alike."""
    for function, inputs in calls:
        for _ in range(2):
            jax.block_until_ready(function(*inputs))
    times = np.zeros((repeats, len(calls)))
    for repeat in range(repeats):
        for k, (function, inputs) in enumerate(calls):
            began = time.perf_counter()
            jax.block_until_ready(function(*inputs))
            times[repeat, k] = time.perf_counter() - began
    return [1e3 * float(value) for value in np.median(times, axis=0)]


def rows(batch: int) -> list[tuple[str, int, Callable[..., object], tuple]]:
    """(name, images a call, function, inputs)."""
    sis = problems.get("sis2023")
    pm = problems.get("pm2022")
    params = sis.sample(jax.random.key(0), 64)
    pm_params = pm.sample(jax.random.key(0), 64)
    plain = params.at[:, 2].multiply(2.0).at[:, 5].set(jnp.deg2rad(params[:, 5]))
    x, y = pixel_points(SIZE, SIZE)
    full_x, full_y = jnp.broadcast_to(x, (SIZE, SIZE)), jnp.broadcast_to(y, (SIZE, SIZE))
    hand = jax.jit(jax.vmap(by_hand, in_axes=(0, None, None)))
    listed = [
        ("sis by hand, given grid", 1, jax.jit(by_hand), (plain[0], full_x, full_y)),
        ("sis by hand, given grid", batch, hand, (plain[:batch], full_x, full_y)),
        ("sis by hand, given grid", 64, hand, (plain, full_x, full_y)),
    ]

    def add(name: str, problem: Problem, params: Array, *, gradient: bool = False) -> None:
        def residual(row: Array, target: Array) -> Array:
            return jnp.square(problem.render(row) - target).mean()

        if gradient:
            target = problem.render(params[1])
            step = jax.value_and_grad(residual)
            mapped = jax.jit(lambda rows: jax.lax.map(lambda row: step(row, target), rows))
            listed.append((f"{name} value and gradient", 1, jax.jit(step), (params[0], target)))
            listed.append((f"{name} value and gradient", batch, mapped, (params[:batch],)))
            vmapped = jax.jit(jax.vmap(step, in_axes=(0, None)))
            listed.append((f"{name} value and gradient, vmap", batch, vmapped, (params[:batch], target)))
            return
        render = jax.jit(problem.render_batch)
        listed.append((f"{name} image", 1, jax.jit(problem.render), (params[0],)))
        for size in (batch, 64):
            listed.append((f"{name} image", size, render, (params[:size],)))

    for centred in (False, True):
        where = "centred" if centred else "given grid"
        for method, label in (("raytrace", "sis exact"), ("ring", "sis exact within the ring"), ("roulette", "sis roulette 50")):
            add(f"{label}, {where},", problems.get("sis2023", method=method, centred=centred), params)
        add(f"pm roulette 16, {where},", problems.get("pm2022", centred=centred), pm_params)
    add("sis exact, given grid,", problems.get("sis2023", method="raytrace", centred=False), params, gradient=True)
    add("sis roulette 50, given grid,", problems.get("sis2023", centred=False), params, gradient=True)
    return listed


def main() -> None:
    """Measures, and prints a table or one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    parser.add_argument("--repeats", type=int, default=15, help="timed calls a row (default 15)")
    parser.add_argument("--batch", type=int, default=16, help="images in a batch (default 16)")
    arguments = parser.parse_args()
    device = jax.devices()[0].device_kind
    if not arguments.json:
        print(f"{SIZE}×{SIZE} float32 on {device}, jax {jax.__version__}, medians of {arguments.repeats}")
        print(f"{'':58}{'batch':>6}{'ms/image':>10}{'images/s':>10}")
    listed = rows(arguments.batch)
    taken = medians_ms([(function, inputs) for _, _, function, inputs in listed], repeats=arguments.repeats)
    for (name, batch, _, _), whole in zip(listed, taken, strict=True):
        each = whole / batch
        if arguments.json:
            record = {"name": name, "batch": batch, "ms": each, "images_per_s": 1e3 / each, "device": device}
            print(json.dumps(record), flush=True)
        else:
            print(f"{name:58}{batch:6d}{each:10.3f}{1e3 / each:10.0f}", flush=True)


if __name__ == "__main__":
    main()
