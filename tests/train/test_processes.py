"""A run of two processes, and one that goes on with other numbers of devices: its losses are those of one process but for rounding.

Every run is a process of its own, since JAX counts its devices once.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

FIELDS = {"optimizer": "sgd", "learning_rate": 0.02, "hard": 0.25}
"""Plain gradient descent: Adam's first steps are the signs of the gradients, which blow rounding up. Every device keeps the
hard systems."""

# What the network is asked for stands in each image, so that nothing is rendered.
PROGRAM = """
import json
import sys
from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp

from lensjax import models
from lensjax.train import Stopped, TrainConfig, sharding, stream, train
from lensjax.train.config import from_mapping


class Small(nn.Module):
    num_outputs: int

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.BatchNorm(use_running_average=not train)(image.reshape(image.shape[0], -1))
        return nn.Dense(self.num_outputs)(nn.tanh(nn.Dense(16)(x)))


def render(problem, params, shown):
    target = problem.encode(params)
    return 255.0 * jnp.zeros((len(params), 16, 16)).at[:, : target.shape[-1], :4].set(target[:, :, None])


stream.render = render
models.create = lambda name, *, num_outputs, **options: Small(num_outputs)
sharding.initialize()
workdir, until, fields = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
losses, asked = {}, iter(range(1, 100))
config = from_mapping({
    "problem": "pm2022", "image_size": 16, "batch_size": 16, "steps": 8, "eval_every": 4, "eval_size": 16, "checkpoint_every": 8,
    "log_every": 1, **fields,
})
try:
    train(
        config, workdir, on_log=lambda progress: losses.update({progress.step: progress.loss}), stop=lambda: next(asked) >= until,
    )
except Stopped as stopped:
    assert stopped.step == until
if sharding.is_first_process():
    print(json.dumps(losses))
"""


def begin(workdir, fields, *, devices=1, until=100, job=None):
    """Starts a run, or goes on with it, up to the step `until`; `job` are its variables where it has several processes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "JAX_COORDINATOR_"))}
    flags = f"{environment.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(workdir), str(until), json.dumps(fields)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)} | (job or {}),
    )  # fmt: skip


def losses_of(process):
    """The losses that a run prints, by step."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return {int(step): loss for step, loss in json.loads(out.splitlines()[-1]).items()}


def assert_close(found, wanted):
    assert list(found) == list(wanted)
    np.testing.assert_allclose(list(found.values()), list(wanted.values()), rtol=1e-5)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The losses of one process with one device."""
    found = losses_of(begin(tmp_path_factory.mktemp("alone"), FIELDS))
    assert list(found) == list(range(1, 9)) and found[8] < 0.9 * found[1]
    return found


@pytest.mark.slow
def test_two_processes_train_as_one(unbroken, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    job = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    both = [begin(tmp_path, FIELDS, job=job | {"JAX_PROCESS_ID": str(k)}) for k in range(2)]
    first = losses_of(both[0])
    both[1].communicate(timeout=60)
    assert both[1].returncode == 0
    assert_close(first, unbroken)
    assert (tmp_path / "checkpoints" / "8").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 8])
def test_a_run_begun_on_four_devices_goes_on_with_another_number(unbroken, tmp_path, after):
    begun = losses_of(begin(tmp_path, FIELDS, devices=4, until=3))
    rest = losses_of(begin(tmp_path, FIELDS, devices=after))
    assert list(begun) == [1, 2, 3]
    assert_close(begun | rest, unbroken)
