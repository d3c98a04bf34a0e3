"""Batches of descents: sizes, order, and the same results for every size and number of devices."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

from lensjax.infer import batches

GIB = 1 << 30


def shifted(offset: Array, start: Array, *, factor: float) -> dict[str, Array]:
    return {"sum": (start * factor + offset).sum(), "end": start * factor + offset}


@pytest.mark.parametrize("batch", [1, 2, 4, 64])
def test_results_are_those_of_each_start_alone(batch: int) -> None:
    rng = np.random.default_rng(0)
    tasks = [((np.float32(k),), rng.normal(size=(count, 3)).astype(np.float32)) for k, count in enumerate((2, 0, 5))]
    ends = batches.run(shifted, tasks, static={"factor": 2.0}, batch=batch)
    for k, (_, starts) in enumerate(tasks):
        np.testing.assert_allclose(ends[k]["end"], 2.0 * starts + k, rtol=1e-6)
        np.testing.assert_allclose(ends[k]["sum"], (2.0 * starts + k).sum(axis=1), rtol=1e-5)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="on a CPU alone")
def test_a_cpu_runs_one_after_another() -> None:
    task = ((jnp.float32(0.0),), np.zeros((3, 2), np.float32))
    assert batches.size_for(shifted, task, {"factor": 1.0}) == 1


@pytest.mark.parametrize(("free", "each", "size"), [(64 * GIB, GIB // 64, 2048), (GIB, 2 * GIB, 1), (64 * GIB, 1, 8192), (0, 100, 1)])
def test_as_many_as_memory_holds(free: int, each: int, size: int) -> None:
    assert batches.within(free, each) == size


def test_the_probe_sees_the_memory_of_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that tells its memory: twice as much holds twice as many, and larger images fewer."""

    class Device:
        def __init__(self, limit: int) -> None:
            self.limit = limit

        def memory_stats(self) -> dict[str, int]:
            return {"bytes_limit": self.limit, "bytes_in_use": 0}

    def size(limit: int, side: int) -> int:
        monkeypatch.setattr(batches.jax, "default_backend", lambda: "gpu")
        monkeypatch.setattr(batches.jax, "local_devices", lambda: [Device(limit)])
        task = ((jnp.zeros(side, jnp.float32),), np.zeros((1, side), np.float32))
        return batches.size_for(shifted, task, {"factor": 1.0})

    assert size(1 << 20, 100) == 2 * size(1 << 19, 100) > size(1 << 20, 400) > 1


SEVERAL = """
import jax
import numpy as np

from lensjax.infer import batches


def slow(offset, start):
    return jax.lax.while_loop(lambda value: (value < offset).any(), lambda value: value + 1.0, start)


def device(offset, start):
    return jax.lax.axis_index("pairs")


assert jax.local_device_count() == 8
rng = np.random.default_rng(0)
tasks = [((np.float32(k),), rng.normal(size=(count, 3)).astype(np.float32)) for k, count in enumerate((2, 0, 19, 9))]
alone = batches.run(slow, tasks, static={}, batch=1)
for batch in (2, 64):
    for first, second in zip(alone, batches.run(slow, tasks, static={}, batch=batch)):
        np.testing.assert_array_equal(first, second)
shares = np.concatenate(batches.run(device, tasks, static={}, batch=2))
assert shares.tolist() == [row % 16 // 2 for row in range(30)], shares
"""


def test_several_devices_share_the_descents() -> None:
    """In a process of its own, since JAX counts its devices once."""
    root = Path(__file__).parents[2]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    subprocess.run(
        [sys.executable, "-c", SEVERAL], cwd=root, check=True, timeout=300,
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(root)},
    )  # fmt: skip
