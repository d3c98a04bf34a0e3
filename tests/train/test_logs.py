"""The table of a run's progress: grown, cut, continued and refused."""

import dataclasses
import math

import jax.numpy as jnp
import pytest

from lensjax.errors import BadInput
from lensjax.train.logs import COLUMNS, Log, Progress, Rendering, memory, read

ROW = Progress(step=10, loss=0.5, images=80, seconds=4.0, rendering=0.02, memory=3 * 2**20, learning_rate=1e-3)


def rows(*steps):
    return [dataclasses.replace(ROW, step=step) for step in steps]


@pytest.fixture
def path(tmp_path):
    log = Log(tmp_path / "log.csv", done=0)
    for row in rows(10, 20, 30):
        log.append(row)
    return tmp_path / "log.csv"


def test_what_is_written_is_read(path):
    assert read(path) == rows(10, 20, 30) and ROW.rate == 20.0
    assert path.read_text().splitlines()[:2] == [",".join(COLUMNS), "10,0.5,20,0.02,3,4,0.001"]
    assert read(path.with_name("none.csv")) == []


def test_rows_after_the_checkpoint_are_dropped(path):
    log = Log(path, done=25)
    assert read(path) == rows(10, 20)
    log.append(rows(30)[0])
    assert read(path) == rows(10, 20, 30)


def test_a_line_that_was_cut_is_left_out(path):
    whole = path.read_text()
    path.write_text(whole + "40,0.5,2")
    assert read(path) == rows(10, 20, 30)
    Log(path, done=100)
    assert path.read_text() == whole
    path.write_text("")
    assert read(path) == []


@pytest.mark.parametrize("damage", ["removed", "cut", "changed"])
def test_a_file_that_was_touched_is_written_anew(tmp_path, damage):
    path = tmp_path / "run" / "log.csv"
    log = Log(path, done=0)
    log.append(rows(10)[0])
    if damage == "removed":
        path.unlink()
        path.parent.rmdir()
    else:
        path.write_text("cut" if damage == "cut" else path.read_text() + "a note\n")
    log.append(rows(20)[0])
    assert read(path) == rows(10, 20)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Step,Loss\n1,2\n", "line 1: not a log of a run; expected the columns Step, Loss"),
        (",".join(COLUMNS) + "\n1,2\n", "line 2: 2 cells; expected 7"),
        (",".join(COLUMNS) + "\n1,much,1,1,1,1,1\n", "line 2, column Loss: the value is 'much'; expected a number"),
        (",".join(COLUMNS) + "\n1.5,1,1,1,1,1,1\n", "line 2, column Step"),
    ],
)
def test_another_table_is_refused(path, text, said):
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        read(path)


def test_the_share_is_of_the_time_that_rendering_takes(monkeypatch):
    clock, cost = [0.0], [9.0]  # the first call compiles

    def render():
        clock[0] += cost[0]
        cost[0] = 0.02
        return jnp.zeros(3)

    monkeypatch.setattr("lensjax.train.logs.time.perf_counter", lambda: clock[0])
    rendering = Rendering(render)
    assert rendering.share(0.1) == pytest.approx(0.2)
    cost[0] = 0.05
    rendering.measure()
    assert rendering.share(0.1) == pytest.approx(0.2)  # the median of three
    cost[0] = 0.05
    rendering.measure()
    assert rendering.share(0.1) == pytest.approx(0.5)
    assert math.isnan(rendering.share(0.0))


def test_memory_is_that_of_the_process_on_a_cpu():
    assert 50 * 2**20 < memory() < 2**40
