"""How many devices, and hosts, share a batch: the only file that knows."""

import os
from collections.abc import Callable, Sequence

import jax
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from lensjax._internal import numbers
from lensjax.errors import BadInput

AXIS = "batch"


def initialize() -> None:
    """Joins the other processes of this job, one a host or a GPU; does nothing where there is only this one.

    They are found by `srun`'s environment (SLURM_STEP_NUM_TASKS) or by JAX_COORDINATOR_ADDRESS with
    JAX_NUM_PROCESSES and JAX_PROCESS_ID. Call it before anything else of JAX.
    """
    if "JAX_COORDINATOR_ADDRESS" in os.environ:
        try:
            count, index = int(os.environ["JAX_NUM_PROCESSES"]), int(os.environ["JAX_PROCESS_ID"])
        except (KeyError, ValueError):
            raise BadInput("JAX_COORDINATOR_ADDRESS is set: JAX_NUM_PROCESSES and JAX_PROCESS_ID must be whole numbers") from None
        jax.distributed.initialize(os.environ["JAX_COORDINATOR_ADDRESS"], num_processes=count, process_id=index)
    elif _tasks() > 1:
        try:
            jax.distributed.initialize()
        except (ValueError, RuntimeError, KeyError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise BadInput(
                f"the tasks of this SLURM step did not find each other: {reason}",
                column="SLURM_STEP_NUM_TASKS",
                hint="start the program with srun, or unset SLURM_STEP_NUM_TASKS",
            ) from None


def _tasks() -> int:
    """Tasks of the SLURM step that this process belongs to."""
    text = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    tasks = numbers.whole(text, 1, 10**6)
    if tasks is None:
        raise BadInput(column="SLURM_STEP_NUM_TASKS", value=text, expected=numbers.whole_expected(1, 10**6))
    return tasks


def is_first_process() -> bool:
    """Whether this process is the one that writes files."""
    return jax.process_index() == 0


def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The devices along one axis; by default all of all processes."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """The same array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh, size: int) -> NamedSharding:
    """A leading axis of length `size` split over the devices; replicated where they do not divide it."""
    return NamedSharding(mesh, PartitionSpec(AXIS)) if size % mesh.size == 0 else replicated(mesh)


def computed_apart(function: Callable[..., Array], mesh: Mesh, *arrays: Array) -> Array:
    """Inside jit: `function` of arrays with one leading axis, each device computing its share of it.

    Where the devices do not divide that axis, or there is one alone, it is computed whole.
    """
    if mesh.size == 1 or arrays[0].shape[0] % mesh.size:
        return function(*arrays)
    part = PartitionSpec(AXIS)
    shared: Array = jax.shard_map(function, mesh=mesh, in_specs=(part,) * len(arrays), out_specs=part, check_vma=False)(*arrays)
    return shared


def share(tree: dict[str, Array], mesh: Mesh) -> dict[str, Array]:
    """Inside jit: splits the leading axis of every array over the devices; what comes before is computed whole by every device.

    Split too, it would be compiled for other shapes, which round otherwise: one device would see other last bits than eight.
    """
    whole = jax.lax.optimization_barrier(jax.lax.with_sharding_constraint(tree, replicated(mesh)))
    return {name: split_over(array, mesh) for name, array in whole.items()}


def split_over(array: Array, mesh: Mesh) -> Array:
    """Inside jit: `array` with its leading axis split over the devices, where they divide it."""
    shared: Array = jax.lax.with_sharding_constraint(array, split(mesh, array.shape[0]))
    return shared


def check_batch(batch_size: int, mesh: Mesh) -> None:
    """Raises BadInput where the devices cannot share a batch evenly."""
    if batch_size % mesh.size:
        raise BadInput(f"batch_size is {batch_size}; it must be a multiple of the {mesh.size} devices that share it")
