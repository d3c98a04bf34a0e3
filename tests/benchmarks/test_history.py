"""The history of benchmarks: what is kept, and what is drawn."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    '{"name": "sis image", "batch": 16, "images_per_s": 100.0, "gflop_per_s": null}\n',
    "\n",
    '{"name": "sie image", "batch": 16, "images_per_s": 50.0}\n',
]


@pytest.fixture(scope="module")
def history():
    spec = importlib.util.spec_from_file_location("history", ROOT / "benchmarks" / "history.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def now(time, processor="one"):
    return {"time": time, "commit": "abc", "processor": processor, "cores": 2, "jax": "0.10.2", "system": "Linux x86_64"}


def test_rows_are_appended_and_read_in_order_of_time(history, tmp_path):
    path = tmp_path / "history.jsonl"
    assert history.add(path, "render", ROWS, now=now("2026-02-01")) == 2
    assert history.add(path, "render", ROWS, now=now("2026-01-01")) == 2
    history.add(path, "refine", ROWS, now=now("2026-03-01"))
    records = history.read(path, "render")
    assert [record["time"] for record in records] == ["2026-01-01"] * 2 + ["2026-02-01"] * 2
    assert records[0] == {"benchmark": "render", **now("2026-01-01"), "row": json.loads(ROWS[0])}


def test_a_line_for_each_row_and_machine(history):
    rows = [json.loads(ROWS[0]), json.loads(ROWS[2])]
    times = (("2026-01-01", "one"), ("2026-02-01", "two"), ("2026-03-01", "one"))
    records = [{"benchmark": "render", **now(*time), "row": row} for time in times for row in rows]
    lines = history.series(records, "images_per_s", only="sis")
    assert lines == {
        "sis image, 16 (one, 2 cores)": [(0, 100.0), (2, 100.0)],
        "sis image, 16 (two, 2 cores)": [(1, 100.0)],
    }
    assert history.series(records, "gflop_per_s") == {}


def test_the_stamp_names_commit_and_machine(history):
    found = history.stamp()
    assert set(found) == set(now("")) and found["cores"] >= 1 and found["processor"]


def test_plot(history, tmp_path, monkeypatch, capsys):
    path, out = tmp_path / "history.jsonl", tmp_path / "figures" / "history.png"
    history.add(path, "render", ROWS, now=now("2026-01-01T00:00:00+00:00"))
    monkeypatch.setattr(sys, "argv", ["history.py", "--history", str(path), "plot", "render", "--out", str(out)])
    history.main()
    assert out.read_bytes().startswith(b"\x89PNG") and capsys.readouterr().out == f"{out}\n"
    monkeypatch.setattr(sys, "argv", ["history.py", "--history", str(path), "plot", "refine", "--out", str(out)])
    with pytest.raises(SystemExit, match="no images_per_s of refine"):
        history.main()
