"""Batches of descents: sizes, order, and the same results for every size."""

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
        monkeypatch.setattr(batches.jax, "devices", lambda: [Device(limit)])
        task = ((jnp.zeros(side, jnp.float32),), np.zeros((1, side), np.float32))
        return batches.size_for(shifted, task, {"factor": 1.0})

    assert size(1 << 20, 100) == 2 * size(1 << 19, 100) > size(1 << 20, 400) > 1
