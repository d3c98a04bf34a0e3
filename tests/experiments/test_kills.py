"""A run killed ten times at random moments, some of them within the writing of a checkpoint, ends as an unbroken one."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLS = ("starting",) * 2 + ("running",) * 3 + ("writing",) * 5
SETTINGS = (
    "--config=smoke.py", "--config.steps=200", "--config.eval_every=20", "--config.checkpoint_every=5", "--config.image_size=16",
    "--config.schedule=plateau", "--config.hard=0.25", "--config.accumulate=2",
)  # fmt: skip
"""A run that remembers much: an average of its weights, the losses of an interval, and hard systems."""


class Run:
    """One start of the program; its output goes to a file."""

    def __init__(self, workdir: Path, log: Path, environment: dict[str, str]) -> None:
        self._checkpoints, self._log = workdir / "checkpoints", log
        with log.open("w") as file:
            command = [sys.executable, "-m", "experiments.train", *SETTINGS, f"--workdir={workdir}"]
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)

    def wait_for(self, condition) -> None:
        """Waits until a condition holds; it must hold before the run ends."""
        limit = time.monotonic() + 300
        while not condition():
            assert self._process.poll() is None and time.monotonic() < limit, self._log.read_text()
            time.sleep(0.0005)

    def has_moved_on(self) -> bool:
        """Whether it has said at which step it begins, and has a newer checkpoint since."""
        said = re.match(r"step (\d+)/", self._log.read_text())
        return said is not None and self.newest() > int(said[1])

    def newest(self) -> int:
        """Step of the newest whole checkpoint; 0 where there is none."""
        names = [path.name for path in self._checkpoints.iterdir()] if self._checkpoints.is_dir() else []
        return max((int(name) for name in names if name.isdigit()), default=0)

    def is_writing(self) -> bool:
        """Whether a checkpoint is unfinished."""
        return self._checkpoints.is_dir() and any("tmp" in path.name for path in self._checkpoints.iterdir())

    def kill(self) -> bool:
        """Ends the process by SIGKILL; whether a checkpoint is left unfinished."""
        assert self._process.poll() is None, self._log.read_text()
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        return self.is_writing()

    def finish(self) -> None:
        """Waits for its end, which must be a good one."""
        assert self._process.wait(600) == 0, self._log.read_text()


@pytest.mark.slow
def test_ten_kills_leave_no_trace(tmp_path):
    compiled = os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(tmp_path / "compiled")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": compiled}
    Run(tmp_path / "unbroken", tmp_path / "log", environment).finish()
    chance = random.Random(1)
    kills, unfinished = list(KILLS), 0
    chance.shuffle(kills)
    for moment in kills:
        run = Run(tmp_path / "broken", tmp_path / "log", environment)
        if moment != "starting":
            run.wait_for(run.has_moved_on)
        if moment == "writing":
            run.wait_for(run.is_writing)
        time.sleep(chance.uniform(0.0, {"starting": 5.0, "running": 0.3, "writing": 0.01}[moment]))
        left = run.kill()
        unfinished += left
        print(f"{moment}: killed after checkpoint {run.newest()}{', the next unfinished' if left else ''}", flush=True)
    assert unfinished >= 2
    Run(tmp_path / "broken", tmp_path / "log", environment).finish()
    assert re.search(r"^step \d\d+/200  resumes$", (tmp_path / "log").read_text(), re.M)
    assert (tmp_path / "broken" / "evaluation.csv").read_bytes() == (tmp_path / "unbroken" / "evaluation.csv").read_bytes()
