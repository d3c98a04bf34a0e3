"""`lensjax estimate` killed by the system and started again: the same bytes as a run that nothing broke."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lensjax.cli.main import main

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_killed_refinement_resumes_to_the_same_bytes(tmp_path):
    data = tmp_path / "data"
    assert main(["simulate", "--problem", "sis2023", "--n", "24", "--seed", "5", "--out", str(data)]) == 0
    words = ["estimate", "--csv", str(data / "dataset.csv"), "--images", str(data), "--out"]
    assert main([*words, str(tmp_path / "unbroken.csv")]) == 0

    out = tmp_path / "killed.csv"
    settings = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-m", "lensjax", *words, str(out)], env=settings, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None and (not out.exists() or out.read_bytes().count(b"\n") < 6):
            time.sleep(0.02)
        assert process.poll() is None, "the run ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    rows = out.read_bytes().count(b"\n") - 1
    assert 5 <= rows < 24

    assert main([*words, str(out)]) == 0
    assert out.read_bytes() == (tmp_path / "unbroken.csv").read_bytes()
