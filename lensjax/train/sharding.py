"""How many devices, and hosts, share a batch: the only file that knows."""

import os
from collections.abc import Sequence

import jax
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

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
    elif int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        jax.distributed.initialize()


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


def share(tree: dict[str, Array], mesh: Mesh) -> dict[str, Array]:
    """Inside jit: splits the leading axis of every array over the devices.

    What comes before is computed whole by every device. Split too, it would be compiled for other shapes,
    which round otherwise: one device would see other last bits than eight.
    """
    whole = jax.lax.optimization_barrier(jax.lax.with_sharding_constraint(tree, replicated(mesh)))
    return {name: jax.lax.with_sharding_constraint(array, split(mesh, array.shape[0])) for name, array in whole.items()}


def check_batch(batch_size: int, mesh: Mesh) -> None:
    """Raises BadInput where the devices cannot share a batch evenly."""
    if batch_size % mesh.size:
        raise BadInput(f"batch_size is {batch_size}; it must be a multiple of the {mesh.size} devices that share it")
