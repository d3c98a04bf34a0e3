"""The program, run as users run it: killed at the worst moments, misspelt, and to the end."""

import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.experiments import commandline
from lensjax.experiments.events import Events
from lensjax.experiments.progress import Watch
from lensjax.train import TrainConfig, evaluation, load_weights, restore_run
from lensjax.train.config import from_mapping
from lensjax.train.logs import Progress

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    compiled = os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(tmp_path_factory.mktemp("compiled"))
    return os.environ | {
        "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "JAX_COMPILATION_CACHE_DIR": compiled,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }  # fmt: skip


def start(environment, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.train", *arguments],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def kill_when(process, condition):
    """kill -9 as soon as the condition holds; it must hold before the run ends."""
    limit = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def unbroken(environment, tmp_path_factory):
    """The smoke run to its end: (folder, what it printed)."""
    folder = tmp_path_factory.mktemp("unbroken")
    code, out, err = finish(start(environment, "--config=smoke.py", f"--workdir={folder}/run", f"--export={folder}/weights"))
    assert code == 0, err
    return folder, out


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_signal_ends_the_run_with_a_checkpoint_and_it_resumes(environment, unbroken, tmp_path, number):
    arguments = ("--config=smoke.py", f"--workdir={tmp_path}", "--config.checkpoint_every=1000")
    process = start(environment, *arguments)
    assert process.stdout is not None
    while "step 20/60" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(number)
    code, _, err = finish(process)
    assert code == 75 and re.search(r"^train: step \d+: stopped, with a checkpoint; started again", err, re.M)
    code, out, err = finish(start(environment, *arguments))
    assert code == 0 and re.search(r"^step \d+/60  resumes$", out, re.M), err
    assert (tmp_path / "evaluation.csv").read_bytes() == (unbroken[0] / "run" / "evaluation.csv").read_bytes()


@pytest.mark.slow
def test_smoke_runs_and_its_loss_falls(unbroken):
    folder, out = unbroken
    assert "\r" not in out and "\x1b" not in out
    lines = re.findall(r"^step \d+/60  loss (\S+)  \S+ images/s  rendering \S+ %  memory \S+ GiB  \S+ left$", out, re.M)
    losses = [float(loss) for loss in lines]
    assert len(losses) == 6 and losses[-1] < 0.9 * losses[0]
    rows = evaluation.read_rows(folder / "run" / "evaluation.csv")
    assert [(row["Epoch"], row["Step"]) for row in rows] == [("1", "20"), ("2", "40"), ("3", "60")]


@pytest.mark.slow
def test_exported_weights_are_those_of_the_run(unbroken):
    folder, _ = unbroken
    variables, config = load_weights(folder / "weights")
    run = restore_run(folder / "run")
    assert from_mapping(config) == run.config and run.step == 60
    for name in ("params", "batch_stats"):
        np.testing.assert_equal(as_numbers(variables[name]), as_numbers(run.variables[name]))


def as_numbers(tree):
    if isinstance(tree, dict):
        return {name: as_numbers(leaf) for name, leaf in tree.items()}
    return np.asarray(tree)


@pytest.mark.slow
def test_killed_while_it_wrote_and_started_again_it_ends_bit_identical(environment, unbroken, tmp_path):
    folder, _ = unbroken
    run = tmp_path / "run"
    arguments = ["--config=smoke.py", f"--workdir={run}", f"--export={tmp_path}/weights"]
    checkpoints = run / "checkpoints"

    def is_writing_second():
        return (checkpoints / "10").exists() and any("tmp" in path.name for path in checkpoints.glob("20*"))

    kill_when(start(environment, *arguments), is_writing_second)
    assert (checkpoints / "10").exists() and not (checkpoints / "30").exists()

    table = run / "evaluation.csv"

    def has_row_without_checkpoint():
        return table.exists() and b"\n2,40," in table.read_bytes()

    sparse = [*arguments, "--config.checkpoint_every=25"]
    kill_when(start(environment, *sparse), has_row_without_checkpoint)
    assert not (checkpoints / "50").exists()

    code, out, err = finish(start(environment, *arguments))
    assert code == 0, err
    assert re.search(r"^step (25|20|10)/60  resumes$", out, re.M)
    assert table.read_bytes() == (folder / "run" / "evaluation.csv").read_bytes()
    weights = "weights.safetensors"
    assert (tmp_path / "weights" / weights).read_bytes() == (folder / "weights" / weights).read_bytes()


@pytest.mark.slow
def test_a_folder_of_another_run_is_refused(environment, unbroken):
    folder, _ = unbroken
    code, out, err = finish(start(environment, "--config=smoke", f"--workdir={folder}/run", "--config.seed=1"))
    assert code == 2 and out == ""
    assert (
        err
        == f"train: {folder}/run/config.json: seed: the value is 1; expected 0, as this run has; choose another --workdir for the new run\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config=smok.py"], "did you mean smoke.py"),
        (["--config", "vgg19.py"], "did you mean vgg19bn.py"),
        (["--config=smoke.py", "--config.batchsize=4"], "did you mean batch_size"),
        (["--config=smoke.py", "--config.batch_size=four"], "four"),
        (["--config=smoke.py", "--config.model=vgg20"], "vgg"),
        (["--config=smoke.py", "--workdirr=x"], "workdir"),
        (["--config=smoke.py", "--half"], "--half: goes with --export DIR"),
        (["--config=smoke.py", "extra"], "extra"),
        ([], "--config"),
    ],
)
def test_bad_arguments_end_in_one_line_and_code_2(environment, arguments, said):
    code, out, err = finish(start(environment, *arguments))
    assert code == 2 and out == ""
    assert said in err and err.count("\n") == 1 and "Traceback" not in err


def test_layers_that_are_not_there_leave_no_folder(environment, tmp_path):
    own_cache = {name: value for name, value in environment.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    code, out, err = finish(start(own_cache, "--config=smoke.py", "--config.frozen=nothing", f"--workdir={tmp_path}/run"))
    assert (code, out) == (2, "") and "frozen: the value is 'nothing'" in err and err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_named(environment, tmp_path):
    (tmp_path / "file").write_text("")
    code, out, err = finish(start(environment, "--config=smoke.py", f"--workdir={tmp_path}/file/run"))
    assert (code, out) == (2, "") and f"{tmp_path}/file is a file" in err and err.count("\n") == 1


def test_tasks_of_slurm_without_the_rest_are_named(environment, tmp_path):
    lonely = {name: value for name, value in environment.items() if not name.startswith("SLURM_")} | {"SLURM_STEP_NUM_TASKS": "2"}
    code, out, err = finish(start(lonely, "--config=smoke.py", f"--workdir={tmp_path}/run"))
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("train: SLURM_STEP_NUM_TASKS: the tasks of this SLURM step cannot connect to each other")


@pytest.mark.slow
def test_where_the_newest_checkpoint_is_damaged_the_older_one_is_used(environment, unbroken, tmp_path):
    folder, _ = unbroken
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    large = max((path for path in (run / "checkpoints" / "60").rglob("d/*") if path.is_file()), key=lambda path: path.stat().st_size)
    os.truncate(large, 1000)
    code, out, err = finish(start(environment, "--config=smoke.py", f"--workdir={run}", f"--export={tmp_path}/weights"))
    assert code == 0 and "step 50/60  resumes" in out
    said = [line for line in err.splitlines() if "damaged" in line]
    assert said == [f"{run}/checkpoints/60: the checkpoint is damaged, or not one of this run; the checkpoint of step 50 is used instead"]
    assert (tmp_path / "weights" / "weights.safetensors").read_bytes() == (folder / "weights" / "weights.safetensors").read_bytes()
    assert (run / "damaged" / "60").is_dir() and restore_run(run).step == 60


def test_help(environment):
    code, out, _ = finish(start(environment, "--help"))
    assert code == 0 and "--config" in out and "--workdir" in out and "--export" in out


CONFIGS = sorted((ROOT / "lensjax" / "experiments" / "configs").glob("[a-z]*.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_one(path):
    namespace = {}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    config = commandline.train_config(namespace["get_config"]())
    assert isinstance(config, TrainConfig)
    assert path.stem == "base" or f"--config {path.name}" in namespace["__doc__"]


def test_config_files_are_found(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("")
    assert commandline.find_config(str(path)) == str(path)
    assert Path(commandline.find_config("compact")) == ROOT / "lensjax" / "experiments" / "configs" / "compact.py"
    with pytest.raises(BadInput, match="did you mean compact.py"):
        commandline.find_config(str(tmp_path / "compat.py"))


class Terminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def progress(**fields):
    values = {"step": 60, "loss": 0.5, "images": 400, "seconds": 2.0, "rendering": 0.0213, "memory": 2**30, "learning_rate": 1e-3}
    return Progress(**values | fields)


def evaluated(step):
    names = ("x", "y")
    row = {"Epoch": "1", "Step": str(step), "MAE (Test Set)": "3.5", "MAE (Training Set)": "3", "Symmetric MAE (Test Set)": "2.5"}
    for kind in ("Mean - Test Set", "Mean - Training Set", "Mean up to Symmetry - Test Set"):
        row |= {f"{name} (AbsError {kind})": "1.5" for name in names}
    return row


def screen(text):
    """What a terminal shows after a text with "up N lines, and erase the rest"."""
    lines = [""]
    for up, written in re.findall(r"(?:\x1b\[(\d+)F\x1b\[J)|([^\x1b]+)", text):
        if up:
            lines = [*lines[: len(lines) - 1 - int(up)], ""]
        else:
            first, *rest = written.split("\n")
            lines = [*lines[:-1], lines[-1] + first, *rest]
    return lines


def test_a_terminal_gets_a_table_that_stays_in_its_place(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    watch = Watch(100, out=terminal)
    watch.start(20)
    for step in (60, 70, 80):
        watch.log(progress(step=step))
    watch.evaluation(evaluated(80))
    watch.notice("a warning")
    watch.log(progress(step=90, rendering=math.nan))
    watch.end()
    lines = screen(terminal.text)
    assert lines[0] == "step 20/100  resumes" and capsys.readouterr().err == "a warning\n"
    assert sum(line.startswith("step ") for line in lines) == 2 and len(lines) == 11
    assert lines[3].split() == ["90/100", "90.0", "%", "0.5", "200.0", "-", "1.00", "GiB", "0.001", "0:00:02"]
    assert lines[5].split() == ["mean", "|error|", "at", "step", "80", "all", "x", "y"]
    assert lines[7].split() == ["test", "3.50", "1.50", "1.50"] and all(len(line) < 80 for line in lines)


def test_a_terminal_that_cannot_go_back_gets_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    watch = Watch(100, out=terminal)
    watch.start(0)
    watch.log(progress())
    assert "\x1b" not in terminal.text and terminal.text.count("\n") == 2


def test_time_left_counts_from_where_the_run_resumes(capsys):
    watch = Watch(100)
    watch.start(20)
    watch.log(progress(seconds=120.0))
    wanted = "step 20/100  resumes\nstep 60/100  loss 0.5  3.33 images/s  rendering 2.1 %  memory 1.00 GiB  0:02:00 left\n"
    assert capsys.readouterr().out == wanted


def test_a_reader_that_has_gone_does_not_end_the_run():
    class Gone(Terminal):
        def write(self, text):
            raise BrokenPipeError

    watch = Watch(100, out=Gone())
    watch.start(0)
    watch.log(progress())
    watch.end()


def test_events_are_those_of_the_tables(tmp_path):
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import Event

    events = Events(tmp_path)
    events.start(20)
    events.log(progress())
    events.evaluation(evaluated(60))
    events.end()
    (path,) = tmp_path.iterdir()
    found = [Event.FromString(record) for record in records(path.read_bytes())]
    assert any(event.step == 21 and event.session_log.status == 1 for event in found)  # what was written after step 20 no longer counts
    numbers = {value.tag: (event.step, value.simple_value) for event in found for value in event.summary.value}
    assert numbers["training/loss"] == (60, 0.5) and numbers["speed/images_per_second"] == (60, 200.0)
    assert numbers["evaluation/MAE__Test_Set_"] == (60, 3.5)


def records(data):
    """Of a file of events: length (8 bytes), its check (4), the record, its check (4)."""
    while data:
        length = int.from_bytes(data[:8], "little")
        yield data[12 : 12 + length]
        data = data[16 + length :]


def test_events_without_their_writer_are_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(BadInput, match=r"--tensorboard: .*not installed; pip install 'lensjax\[tensorboard\]'"):
        Events(tmp_path)
