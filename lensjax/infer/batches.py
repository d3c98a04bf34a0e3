"""Many descents at once, as suits the device.

On a CPU, batched gradients are several times slower than one descent after another. An accelerator is busy only with many at once: as many
as its memory holds, which the compiled program of a few tells. Several accelerators of a machine share the descents.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial, update_wrapper
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from lensjax._internal.compiled import quick_to_compile

Task = tuple[tuple[Any, ...], np.ndarray]
"""Arguments that several starts share, and the starts (S, E)."""

_PROBE = 8  # descents in the program whose memory is measured
_SHARE = 0.7  # of the free memory that a batch may take
_MOST = 8192
_UNKNOWN = 64  # descents at once where an accelerator does not tell its memory


@lru_cache(maxsize=64)
def _program(one: Callable[..., Any], static: tuple[tuple[str, Any], ...], devices: int) -> Any:
    """`one` compiled: of one start (0 devices), or of a batch that so many devices share."""
    function = update_wrapper(partial(one, **dict(static)), one)
    if not devices:
        return jax.jit(function, compiler_options=quick_to_compile())
    batch = jax.vmap(function)
    if devices == 1:
        return jax.jit(batch)
    # Each device ends its own descents: none waits in its loop for those of another.
    mesh = Mesh(np.array(jax.local_devices()[:devices]), ("pairs",))
    rows = PartitionSpec("pairs")
    return jax.jit(jax.shard_map(batch, mesh=mesh, in_specs=rows, out_specs=rows, check_vma=False))


@lru_cache(maxsize=64)
def _bytes_each(one: Callable[..., Any], static: tuple[tuple[str, Any], ...], structure: Any, leaves: tuple[Any, ...]) -> int:
    """Memory that one descent of a batch takes on the device."""
    shapes = [jax.ShapeDtypeStruct((_PROBE, *shape), dtype) for shape, dtype in leaves]
    used = _program(one, static, 1).lower(*jax.tree.unflatten(structure, shapes)).compile().memory_analysis()
    return int((used.temp_size_in_bytes + used.argument_size_in_bytes + used.output_size_in_bytes) // _PROBE)


def within(free: int, each: int) -> int:
    """The largest power of two of descents of `each` bytes that fit into `free` bytes with room to spare; from 1 up to a few thousand."""
    fitting = min(max(int(_SHARE * free) // max(each, 1), 1), _MOST)
    return 1 << (fitting.bit_length() - 1)


def size_for(one: Callable[..., Any], task: Task, static: Mapping[str, Any]) -> int:
    """How many descents run at once on a device: one on a CPU, as many as memory holds on an accelerator."""
    if jax.default_backend() == "cpu":
        return 1
    memory = jax.local_devices()[0].memory_stats()
    if not memory or "bytes_limit" not in memory:
        return _UNKNOWN
    shared, starts = task
    leaves, structure = jax.tree.flatten((*shared, jnp.asarray(starts[0])))
    kinds = tuple((np.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    each = _bytes_each(one, tuple(static.items()), structure, kinds)
    return within(memory["bytes_limit"] - memory.get("bytes_in_use", 0), each)


def run(one: Callable[..., Any], tasks: Sequence[Task], *, static: Mapping[str, Any], batch: int | None = None) -> list[Any]:
    """Results of each task, trees of NumPy arrays with a leading axis (S,) for its S starts.

    Args:
        one: (*shared, start, **static) → a tree of arrays; jit-able. Keep it a function of a module: its programs are kept by it.
        tasks: the tasks; their arguments have one structure and one set of shapes. At least one has a start.
        static: arguments that are part of the program; hashable.
        batch: descents at once on each device of this machine; by default as suits the device. 1 is one after another on one device.
    """
    first = next(task for task in tasks if len(task[1]))
    batch = size_for(one, first, static) if batch is None else batch
    owner = np.repeat(np.arange(len(tasks)), [len(starts) for _, starts in tasks])
    starts = np.concatenate([part for _, part in tasks if len(part)])
    key = tuple(static.items())
    if batch == 1:
        single = _program(one, key, 0)
        parts = [_on_host(single(*tasks[task][0], jnp.asarray(start))) for task, start in zip(owner.tolist(), starts, strict=True)]
        whole = jax.tree.map(lambda *leaves: np.stack(leaves), *parts)
    else:
        devices = jax.local_device_count()
        together = _program(one, key, devices)
        shared = jax.tree.map(lambda *leaves: jnp.asarray(np.stack([np.asarray(leaf) for leaf in leaves])), *(task[0] for task in tasks))
        size = devices * min(batch, 1 << (-(-len(owner) // devices) - 1).bit_length())  # few sizes, so few programs
        parts = []
        for begin in range(0, len(owner), size):
            rows = np.minimum(np.arange(begin, begin + size), len(owner) - 1)
            pairs = jax.tree.map(lambda leaf, rows=rows: leaf[owner[rows]], shared)
            parts.append(_on_host(together(*pairs, jnp.asarray(starts[rows]))))
        whole = jax.tree.map(lambda *leaves: np.concatenate(leaves)[: len(owner)], *parts)
    return [jax.tree.map(lambda leaf, task=task: leaf[owner == task], whole) for task in range(len(tasks))]


def _on_host(tree: Any) -> Any:
    return jax.tree.map(np.asarray, jax.device_get(tree))
