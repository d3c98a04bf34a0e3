"""One run on one device and on eight, in a process of its own, since JAX counts its devices once.

Both in the same process: on a processor XLA rounds by its number of threads too, and
that grows with the devices.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from jax.sharding import PartitionSpec

from lensjax.errors import BadInput
from lensjax.train import sharding

ROOT = Path(__file__).parents[2]

# Plain gradient descent: Adam's first steps are the signs of the gradients, which blow rounding up.
PROGRAM = """
import sys

import jax
import numpy as np

from lensjax.train import stream
from lensjax.models.compact import Compact
from lensjax.train import TrainConfig, optim, sharding
from lensjax.train import config as configs
from lensjax.train.loop import _initializer
from lensjax.train.state import keys
from lensjax.train.step import make_train_step

config = TrainConfig(
    image_size=32, method="ring", batch_size=16, optimizer="sgd", learning_rate=1e-2, ema=0.9, bitwise=sys.argv[3] == "bitwise"
)
problem = configs.make_problem(config)
model = Compact(num_outputs=6, widths=(8, 8), blocks=(0, 1), hidden=16)
optimizer = optim.make_optimizer(config)
run_keys = keys(config.seed)


rendered = []
render = stream.render


def counting(problem, params, reach):
    jax.debug.callback(lambda rows: rendered.append(len(rows)), params)
    return render(problem, params, reach)


stream.render = counting


def numbers(mesh):
    make = jax.jit(lambda key: sharding.split_batch(stream.batch(problem, key, 3, batch_size=24), mesh))
    batch = make(run_keys.stream)
    assert batch["image"].addressable_shards[0].data.shape[0] == 24 // mesh.size
    found = {f"stream/{name}": np.asarray(array) for name, array in batch.items()}
    state = _initializer(config, model, optimizer, mesh)(run_keys.init)
    step = make_train_step(config, problem, model, optimizer, mesh)
    for index in range(2):
        jax.effects_barrier()
        rendered.clear()
        state, loss = step(state, run_keys)
        jax.effects_barrier()
        found["rendered"] = np.sort(rendered)
        found[f"loss/{index}"] = np.asarray(loss)
    leaves, _ = jax.tree_util.tree_flatten_with_path(state.variables)
    return found | {f"state/{jax.tree_util.keystr(path)}": np.asarray(leaf) for path, leaf in leaves}


assert jax.device_count() == 8
np.savez(sys.argv[1], **numbers(sharding.make_mesh(jax.devices()[:1])))
np.savez(sys.argv[2], **numbers(sharding.make_mesh()))
"""


@pytest.fixture(scope="module", params=["bitwise", "shared"])
def one_and_eight(request, tmp_path_factory):
    """(how, the numbers of one device, those of eight)."""
    folder = tmp_path_factory.mktemp("devices")
    files = [folder / "one.npz", folder / "eight.npz"]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, files), request.param], cwd=ROOT, check=True, timeout=600,
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    found = []
    for path in files:
        with np.load(path) as file:
            found.append(dict(file))
    return request.param, *found


def part(numbers, prefix):
    return {name: array for name, array in numbers.items() if name.startswith(prefix)}


@pytest.mark.slow
def test_images_are_bit_identical_on_one_and_eight_devices(one_and_eight):
    one, eight = (part(numbers, "stream/") for numbers in one_and_eight[1:])
    assert len(one) == 3 and one["stream/image"].std() > 0.01
    for name, array in one.items():
        np.testing.assert_array_equal(eight[name], array, err_msg=name)


@pytest.mark.slow
def test_steps_are_the_same_on_one_and_eight_devices_but_for_rounding(one_and_eight):
    _, one, eight = one_and_eight
    for name, loss in part(one, "loss/").items():
        np.testing.assert_allclose(eight[name], loss, rtol=1e-5, err_msg=name)
    for name, array in part(one, "state/").items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(eight[name], array, rtol=0, atol=1e-5 * scale + 1e-7, err_msg=name)


@pytest.mark.slow
def test_each_device_renders_its_share_only(one_and_eight):
    how, one, eight = one_and_eight
    assert one["rendered"].tolist() == [16]
    assert eight["rendered"].tolist() == ([2] * 8 if how == "shared" else [16])


def test_devices_share_a_batch_evenly():
    mesh = sharding.make_mesh()
    sharding.check_batch(3 * mesh.size, mesh)
    assert sharding.split(mesh, 2 * mesh.size).spec == PartitionSpec("batch")

    class Eight:
        size = 8

    with pytest.raises(BadInput, match="batch_size: the value is 10; expected a multiple of 8, the number of devices"):
        sharding.check_batch(10, Eight())


def test_hosts_find_each_other_by_their_environment(monkeypatch):
    joined = []
    monkeypatch.setattr(sharding.jax.distributed, "initialize", lambda *a, **named: joined.append((a, named)))
    for name in ("SLURM_STEP_NUM_TASKS", "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"):
        monkeypatch.delenv(name, raising=False)
    sharding.initialize()
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    sharding.initialize()
    assert joined == []
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    sharding.initialize()
    assert joined == [((), {})]
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "two")
    with pytest.raises(BadInput, match=r"SLURM_STEP_NUM_TASKS: the value is 'two'; expected a whole number"):
        sharding.initialize()
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "host:1")
    with pytest.raises(BadInput, match="JAX_NUM_PROCESSES"):
        sharding.initialize()
    monkeypatch.setenv("JAX_NUM_PROCESSES", "2")
    monkeypatch.setenv("JAX_PROCESS_ID", "1")
    sharding.initialize()
    assert joined[1:] == [(("host:1",), {"num_processes": 2, "process_id": 1})]
