"""Devices and hosts that share a batch: no other file knows how many they are."""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from lensjax._internal import numbers
from lensjax.errors import BadInput

AXIS = "batch"

Tree = TypeVar("Tree")


def initialize() -> None:
    """Joins the other processes of this job, one for each host or GPU; does nothing in a job of one process.

    The job is described by `srun`'s environment (SLURM_STEP_NUM_TASKS), or by JAX_COORDINATOR_ADDRESS,
    JAX_NUM_PROCESSES and JAX_PROCESS_ID. Call this function before any other of JAX.
    """
    if "JAX_COORDINATOR_ADDRESS" in os.environ:
        count, index = _whole("JAX_NUM_PROCESSES", 1), _whole("JAX_PROCESS_ID", 0)
        jax.distributed.initialize(os.environ["JAX_COORDINATOR_ADDRESS"], num_processes=count, process_id=index)
    elif _whole("SLURM_STEP_NUM_TASKS", 1, default="1") > 1:
        try:
            jax.distributed.initialize()
        except (ValueError, RuntimeError, KeyError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise BadInput(
                f"the tasks of this SLURM step cannot connect to each other: {reason}",
                column="SLURM_STEP_NUM_TASKS",
                hint="start the program with srun, or unset SLURM_STEP_NUM_TASKS",
            ) from None


def _whole(variable: str, low: int, *, default: str = "") -> int:
    """A whole number from `low` from an environment variable."""
    text = os.environ.get(variable, default)
    number = numbers.whole(text, low, 10**6)
    if number is None:
        raise BadInput(column=variable, value=text, expected=numbers.whole_expected(low, 10**6))
    return number


def is_first_process() -> bool:
    """Whether this is the process that writes files."""
    return jax.process_index() == 0


def any_process(flag: Callable[[], bool], *, ask: bool) -> bool:
    """Whether `flag` holds in any process of this job.

    Several processes ask each other only where `ask` is true, which it must be in all of them or in none.
    """
    if jax.process_count() == 1:
        return flag()
    if not ask:
        return False
    return bool(np.any(multihost_utils.process_allgather(np.int32(flag()))))


def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The devices along one axis; by default all devices of all processes."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """The same array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh, size: int) -> NamedSharding:
    """A leading axis of length `size` split over the devices; replicated where their number does not divide it."""
    return NamedSharding(mesh, PartitionSpec(AXIS)) if size % mesh.size == 0 else replicated(mesh)


def placed(array: np.ndarray, mesh: Mesh, *, parts: bool) -> jax.Array:
    """A host array on the devices, in parts along its leading axis; or whole on each device, from processes that all have it whole.

    In parts, each process gives its own part of the whole, in the order of the processes.
    """
    where = split(mesh, array.shape[0] * jax.process_count()) if parts else replicated(mesh)
    whole: jax.Array = jax.make_array_from_process_local_data(where, array)
    return whole


def computed_apart(function: Callable[..., Tree], mesh: Mesh, *trees: Any) -> Tree:
    """Inside jit: `function` of trees of arrays with one leading axis, each device computing its part of it.

    With one device, or where the number of devices does not divide that axis, it is computed whole.
    """
    if mesh.size == 1 or jax.tree.leaves(trees)[0].shape[0] % mesh.size:
        return function(*trees)
    part = PartitionSpec(AXIS)
    joined: Tree = jax.shard_map(function, mesh=mesh, in_specs=(part,) * len(trees), out_specs=part, check_vma=False)(*trees)
    return joined


def split_batch(tree: Tree, mesh: Mesh) -> Tree:
    """Inside jit: splits the leading axis of every array over the devices; every device computes the arrays themselves whole.

    Computed in parts they would be compiled for other shapes, which round differently: the last bits would depend on the number of devices.
    """
    whole: Tree = jax.lax.optimization_barrier(jax.lax.with_sharding_constraint(tree, replicated(mesh)))
    return split_over(whole, mesh)


def split_over(tree: Tree, mesh: Mesh) -> Tree:
    """Inside jit: every array of a tree with its leading axis split over the devices, where their number divides it."""
    constrained: Tree = jax.tree.map(lambda array: jax.lax.with_sharding_constraint(array, split(mesh, array.shape[0])), tree)
    return constrained


def check_batch(batch_size: int, mesh: Mesh, *, accumulate: int = 1) -> None:
    """Raises BadInput where the devices cannot share a batch, or each of its `accumulate` parts, evenly."""
    if batch_size % (mesh.size * accumulate):
        parts = f", the number of devices, times accumulate, {accumulate}" if accumulate > 1 else ", the number of devices"
        raise BadInput(column="batch_size", value=batch_size, expected=f"a multiple of {mesh.size}{parts}")
