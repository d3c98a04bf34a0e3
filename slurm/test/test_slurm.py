"""The jobs of slurm/ under a real SLURM: `make test-slurm`."""

import csv
import os
import sys
from pathlib import Path

import pytest

from slurm.test.cluster import Cluster

ROOT = Path(__file__).parents[2]
SMALL = ("--config", "smoke.py", "--config.image_size=16", "--config.checkpoint_every=100000", "--config.log_every=20")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    environment = {
        "VENV": str(Path(sys.prefix)), "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT),
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }  # fmt: skip
    with Cluster(folder, ROOT, environment) as running:
        yield running


def train(cluster, workdir: Path, *words: str, steps: int, before: tuple[str, ...] = ()) -> str:
    settings = (f"--config.steps={steps}", f"--config.eval_every={steps // 4}")
    output = f"--output={workdir}.out"
    return cluster.submit(output, *before, "slurm/train.sbatch", *SMALL, *settings, "--workdir", str(workdir), *words)


def table(workdir: Path) -> bytes:
    return (workdir / "evaluation.csv").read_bytes()


def steps_said(workdir: Path) -> list[int]:
    """The steps that the job's output names, so far."""
    path = Path(f"{workdir}.out")
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(line.split()[1].split("/")[0]) for line in lines if line.startswith("step ") and "loss" in line]


@pytest.fixture(scope="module")
def unbroken(cluster, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "unbroken"
    job = train(cluster, workdir, steps=2400)
    assert cluster.finish(job) == {"": "COMPLETED"}, Path(f"{workdir}.out").read_text()
    return workdir


def test_a_run_out_of_time_is_queued_again_and_ends_the_same(cluster, unbroken, tmp_path):
    """SLURM's own signal, some time in the first of two minutes."""
    workdir = tmp_path / "limited"
    job = train(cluster, workdir, steps=2400, before=("--time=2", "--signal=B:USR1@95"))
    assert cluster.finish(job, seconds=900) == {"": "COMPLETED"}, Path(f"{workdir}.out").read_text()
    assert cluster.requeues(job) >= 1 and table(workdir) == table(unbroken)


def test_a_run_that_is_told_to_stop_resumes_on_the_queue(cluster, unbroken, tmp_path):
    """The same signal, sent three times at moments of our own."""
    workdir = tmp_path / "signalled"
    job = train(cluster, workdir, steps=2400)
    for k in range(1, 4):
        cluster.wait_for(lambda k=k: max(steps_said(workdir), default=0) >= 500 * k, f"step {500 * k}", seconds=300)
        cluster.signal(job)
        cluster.wait_for(lambda k=k: cluster.requeues(job) == k, "the requeue", seconds=120)
    assert cluster.finish(job) == {"": "COMPLETED"}, Path(f"{workdir}.out").read_text()
    assert "resumes" in Path(f"{workdir}.out").read_text() and table(workdir) == table(unbroken)


def test_a_node_that_dies_costs_the_steps_since_the_checkpoint_alone(cluster, unbroken, tmp_path):
    workdir = tmp_path / "died"
    job = train(cluster, workdir, "--config.checkpoint_every=200", steps=2400, before=("--nodelist=node1",))
    cluster.wait_for(lambda: max(steps_said(workdir), default=0) >= 700, "step 700", seconds=300)
    cluster.kill_node("node1")
    cluster.wait_for(lambda: cluster.requeues(job) == 1, "the requeue", seconds=180)
    cluster.start_node("node1")
    assert cluster.finish(job) == {"": "COMPLETED"}, Path(f"{workdir}.out").read_text()
    assert table(workdir) == table(unbroken)


def test_two_nodes_train_as_one(cluster, unbroken, tmp_path):
    """Each renders its half of the batch: the first rows agree but for rounding, which training then enlarges."""
    workdir = tmp_path / "two"
    short = ("--config.steps=40", "--config.eval_every=20")
    job = train(cluster, workdir, *short, steps=2400, before=("--nodes=2",))
    alone = train(cluster, tmp_path / "one", *short, steps=2400)
    assert cluster.finish(job) == {"": "COMPLETED"}, Path(f"{workdir}.out").read_text()
    assert cluster.finish(alone) == {"": "COMPLETED"}
    losses = [float(next(csv.DictReader((folder / "evaluation.csv").open()))["tLoss"]) for folder in (workdir, tmp_path / "one")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_member_of_a_sweep_that_fails_leaves_the_others_alone(cluster, tmp_path):
    sweep = tmp_path / "grid.py"
    grid = "ConfigDict({'steps': (20,), 'learning_rate': (1e-3, -1.0, 2e-3)})"
    sweep.write_text(
        f"from ml_collections import ConfigDict\n\n\ndef get_config():\n    return ConfigDict({{'config': 'smoke.py', 'grid': {grid}}})\n"
    )
    output = f"--output={tmp_path}/%a.out"
    job = cluster.submit(output, "--array=0-2", "slurm/sweep.sbatch", "--config", str(sweep), "--workdir", str(tmp_path / "runs"))
    assert cluster.finish(job) == {"0": "COMPLETED", "1": "FAILED", "2": "COMPLETED"}
    assert "learning_rate" in (tmp_path / "1.out").read_text()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["learning_rate=0.001,steps=20", "learning_rate=0.002,steps=20"]


def test_a_data_set_in_shards_and_its_estimates_in_parts(cluster, tmp_path):
    out = f"--output={tmp_path}/%x-%a.out"
    job = cluster.submit(out, "--array=0-1", "slurm/generate.sbatch", str(tmp_path / "data"), "--problem", "sis2023", "--n", "3")
    assert cluster.finish(job) == {"0": "COMPLETED", "1": "COMPLETED"}
    shards = [tmp_path / "data" / f"shard-000{k}" / "dataset.csv" for k in (0, 1)]
    assert shards[0].read_text() != shards[1].read_text()
    words = ("--csv", str(shards[0]), "--no-refine")
    job = cluster.submit(out, "--array=1-2", "slurm/estimate.sbatch", str(tmp_path / "results"), *words)
    assert cluster.finish(job) == {"1": "COMPLETED", "2": "COMPLETED"}
    names = [row["filename"] for k in (1, 2) for row in csv.DictReader((tmp_path / "results" / f"part-{k}.csv").open())]
    assert names == ["image-000001.png", "image-000003.png", "image-000002.png"]


assert os.geteuid() == 0, "SLURM starts jobs as their user: run these tests as root"
