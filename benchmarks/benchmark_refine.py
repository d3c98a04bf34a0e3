"""Descents of (image, start) pairs a second, by how many run at once.

    python benchmarks/benchmark_refine.py [--pairs 512] [--size 100] [--batch 1 8 64 512 memory] [--json FILE]

Images are those of mocks.py (SIE and shear, Sérsic source, PSF, refined sampling), each with twelve starts about its truth. Every pair
descends on the image itself until it converges. A size is that of each device; the devices of the machine share the descents. "memory" is
the size that the memory probe chooses, which `estimate` uses on an accelerator; on a CPU it is 1. Programs are compiled first. Prints one
line for each size: pairs a second, the share of descents that converged, and the devices. Eight devices on a CPU, to try that path:

    XLA_FLAGS=--xla_force_host_platform_device_count=8 python benchmarks/benchmark_refine.py --pairs 96 --batch 1 12
"""

import argparse
import json
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from mocks import drawn, scene

from lensjax.infer import batches, fit
from lensjax.infer.levenberg_marquardt import CONVERGED

STARTS = 12


def main() -> None:
    """Draws, descends, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=512, help="descents that are timed (512)")
    parser.add_argument("--size", type=int, default=100, help="pixels on a side (100)")
    parser.add_argument("--batch", nargs="+", default=["1", "8", "64", "512", "memory"], help="sizes, or memory")
    parser.add_argument("--json", type=Path, default=None, help="append the rows to this file")
    flags = parser.parse_args()
    problem, taken = scene(flags.size, 2.5)
    truths, observations = drawn(problem, taken, n=-(-flags.pairs // STARTS), peak=50.0, seed=1)
    encode = jax.jit(lambda truth: problem.encode(truth))
    about = np.random.default_rng(0).normal(scale=0.1, size=(len(truths), STARTS, problem.size))
    starts = [
        np.asarray(encode(jnp.asarray(truth, jnp.float32))) + near for truth, near in zip(truths, about.astype(np.float32), strict=True)
    ]
    tasks: list[batches.Task] = [((seen, seen.data), rows) for seen, rows in zip(observations, starts, strict=True)]
    static = fit.fine(problem)
    device = jax.devices()[0].device_kind
    for name in flags.batch:
        batch = batches.size_for(fit.descent, tasks[0], static) if name == "memory" else int(name)
        timed = tasks if batch > 8 else tasks[: max(1, 8 * batch // STARTS)]
        count = STARTS * len(timed)
        batches.run(fit.descent, timed if batch > 1 else timed[:1], static=static, batch=batch)  # compile
        began = time.perf_counter()
        ends = batches.run(fit.descent, timed, static=static, batch=batch)
        seconds = time.perf_counter() - began
        converged = float(np.mean(np.concatenate([end.code for end in ends]) == CONVERGED))
        row = {
            "name": f"refine {flags.size} px", "batch": batch, "chosen": name == "memory", "pairs": count,
            "pairs_per_s": count / seconds, "converged": converged, "device": device,
            "devices": 1 if batch == 1 else jax.local_device_count(),
        }  # fmt: skip
        chosen = "(memory)" if name == "memory" else ""
        print(f"batch {batch:5} {chosen:8} {count / seconds:10.1f} pairs/s   {converged:.0%} converged   {row['devices']} × {device}")
        if flags.json is not None:
            with flags.json.open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
