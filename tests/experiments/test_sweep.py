"""Sweeps and comparisons of runs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from ml_collections import ConfigDict

from lensjax import problems
from lensjax.errors import BadInput
from lensjax.experiments import commandline, compare, deviations, evaluate, sweep
from lensjax.experiments.members import Member
from lensjax.train import TrainConfig, evaluation, logs
from lensjax.train import config as configs

ROOT = Path(__file__).parents[2]


def test_members_are_all_combinations() -> None:
    config = ConfigDict({"config": "smoke.py", "grid": {"seed": (0, 1), "learning_rate": (1e-3, 2e-3, 3e-3)}})
    base, found = sweep.of_parts(config)
    assert Path(base).name == "smoke.py" and len(found) == 6
    assert found[0].settings == {"learning_rate": 1e-3, "seed": 0} and len({member.folder for member in found}) == 6
    words = sweep.command(base, found[-1], Path("runs"))
    assert "--workdir=runs/learning_rate=0.003,seed=1" in words and "--config.seed=1" in words
    assert Member({"hidden": "64,32", "init": "../up/here"}, {"steps": 5}).folder == "hidden=64,32,init=.._up_here"


def test_fields_vary_one_at_a_time_for_each_seed() -> None:
    config = ConfigDict({"config": "smoke.py", "vary": {"loss": ("l1", "l2"), "ema": (0.0, 0.9, 0.99)}, "grid": {"seed": (0, 1)}})
    found = [tuple(member.settings[name] for name in ("loss", "ema", "seed")) for member in sweep.of_parts(config)[1]]
    settings = [("l1", 0.0), ("l1", 0.9), ("l1", 0.99), ("l2", 0.0)]
    assert found == [(*setting, seed) for setting in settings for seed in (0, 1)]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"grid": {"seed": (0,)}}, "config: missing; expected the name of a training config"),
        ({"config": "smoke.py"}, "grid: missing; expected values for each field"),
        ({"config": "smoke.py", "grid": {"sed": (0,)}}, "did you mean seed"),
        ({"config": "smoke.py", "grid": {"seed": ()}}, "grid.seed"),
        ({"config": "smoke.py", "grid": {}, "vary": {"loss": "l1"}}, "vary.loss"),
        ({"config": "smoke.py", "grid": {"seed": (0,)}, "vary": {"seed": (0, 1)}}, "vary.seed: expected a field that the grid does not"),
        ({"config": "smok.py", "grid": {"seed": (0,)}}, "did you mean smoke.py"),
        ({"config": "smoke.py", "grid": {"seed": (0,)}, "batch_size": 1}, "unknown key 'batch_size'"),
    ],
)
def test_a_sweep_that_cannot_be_used_is_refused(config: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        sweep.parts(ConfigDict(config))


def test_a_member_that_fails_does_not_end_the_others(monkeypatch, tmp_path, capfd) -> None:
    ends = {"good": 0, "bad": 2}
    monkeypatch.setattr(
        sweep, "command", lambda base, member, workdir: [sys.executable, "-c", f"raise SystemExit({ends[member.varied['seed']]})"]
    )
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)
    try:
        code = sweep.all_of("smoke.py", [Member({"seed": "bad"}), Member({"seed": "good"})], tmp_path)
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGUSR1), handlers, strict=True):
            signal.signal(number, handler)
    out, err = capfd.readouterr()
    assert code == 1 and "member 1 of 2: seed=good" in out and err == "sweep: failed: seed=bad (exit code 2)\n"


def test_the_example_says_how_many_members_it_has() -> None:
    words = [sys.executable, "-m", "experiments.sweep", "--config=rates.py", "--count"]
    assert subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "6\n"


def test_a_sweep_may_be_a_toml_file(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('config = "smoke.py"\n[grid]\nseed = [0, 1]\n')
    base, found = sweep.load(path)
    assert Path(base).name == "smoke.py" and [member.folder for member in found] == ["seed=0", "seed=1"]
    path.write_text('config = "smoke.py"\n[grid]\nsed = [0, 1]\n')
    with pytest.raises(BadInput, match="mine.toml: sed: .*did you mean seed"):
        sweep.load(path)
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(BadInput, match="empty.py: no function get_config"):
        sweep.load(tmp_path / "empty.py")


def run_with(folder: Path, error: float, **fields: object) -> None:
    """The folder of a run whose predictions are all `error` too large in x, and right otherwise."""
    config = TrainConfig(image_size=32, eval_size=200, steps=20, **fields)  # type: ignore[arg-type]
    problem = problems.get("sis2023", image_size=32)
    truth = np.asarray(problem.sample(jax.random.key(5), 200))
    predicted = truth.copy()
    predicted[:, 0] += error
    said = evaluation.Predictions(predicted=predicted, truth=truth)
    folder.mkdir(parents=True)
    configs.write(config, folder / "config.json")
    evaluation.write_rows(folder / "evaluation.csv", [evaluation.row(problem, epoch=1, step=20, loss=1.0, test=said, training=said)])


@pytest.mark.slow
def test_runs_are_compared(tmp_path) -> None:
    run_with(tmp_path / "sweep" / "one", 12.0, seed=1)
    run_with(tmp_path / "sweep" / "two", 3.0, seed=2)
    frame = compare.table_of(compare.found([tmp_path / "sweep"]))
    assert list(frame.columns) == ["run", "seed", "steps", "MAE", "MSE", "R2", "MAE*", "MSE*", "R2*", "images/s", "hours"]
    assert list(frame["seed"]) == ["2", "1"]
    assert frame["MAE"].tolist() == pytest.approx([0.5, 2.0]) and frame["MSE"].tolist() == pytest.approx([1.5, 24.0])
    variance = pd.Series(problems.get("sis2023").sample(jax.random.key(9), 4000)[:, 0]).var()
    assert frame["R2"][1] == pytest.approx(1.0 - 144.0 / variance / 6.0, abs=2e-3)
    compare.draw(compare.found([tmp_path / "sweep"]), tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000


def logged(folder: Path) -> None:
    """Two rows of log.csv: 100 images in 10 s, and 300 in 20 s."""
    log = logs.Log(folder / "log.csv", done=0)
    for step, images, seconds in ((10, 100, 10.0), (20, 300, 20.0)):
        progress = logs.Progress(step=step, loss=1.0, images=images, seconds=seconds, rendering=0.1, memory=2**20, learning_rate=1e-3)
        log.append(progress)


def test_speed_and_errors_up_to_symmetry_are_compared(tmp_path) -> None:
    run_with(tmp_path / "new", 3.0, seed=1)
    logged(tmp_path / "new")
    run_with(tmp_path / "old", 12.0, seed=2)
    table = pd.read_csv(tmp_path / "old" / "evaluation.csv")
    table.drop(columns=[name for name in table if "SqError" in name]).to_csv(tmp_path / "old" / "evaluation.csv", index=False)
    new, old = compare.table_of(compare.found([tmp_path])).to_dict("records")
    assert new["images/s"] == pytest.approx(400 / 30) and new["hours"] == pytest.approx(30 / 3600)
    assert new["MSE*"] == pytest.approx(1.5, rel=1e-3) and new["R2*"] == pytest.approx(new["R2"])
    assert all(np.isnan(old[name]) for name in ("images/s", "hours", "MSE*", "R2*")) and old["MAE"] == pytest.approx(2.0)
    table["MAE (Test Set)"] = "much"
    table.to_csv(tmp_path / "old" / "evaluation.csv", index=False)
    with pytest.raises(BadInput, match="evaluation.csv: line 2, column MAE .*'much'; expected a number"):
        compare.table_of(compare.found([tmp_path]))


def predicted(folder: Path, error: float) -> None:
    """A predictions.csv, newer than evaluation.csv, whose x is `error` too large."""
    problem = problems.get("sis2023", image_size=32)
    truth = np.asarray(problem.sample(jax.random.key(6), 50), np.float64)
    evaluate.predictions_table(problem, truth, truth + np.eye(6)[0] * error).to_csv(folder / "predictions.csv", index=False)
    os.utime(folder / "evaluation.csv", (0, 0))


@pytest.mark.slow
def test_the_figures_of_several_runs(tmp_path, capsys) -> None:
    for name, error in (("one", 3.0), ("two", 12.0), ("three", 5.0)):
        run_with(tmp_path / name, error, seed=int(error))
    logged(tmp_path / "one")
    predicted(tmp_path / "one", 3.0)
    predicted(tmp_path / "two", 12.0)
    runs = compare.found([tmp_path])
    compare.draw_all(runs, tmp_path / "figures", n=10)
    kinds = [f"deviation-{kind}{suffix}" for kind in ("raw", "symmetric") for suffix in ("", "-5")]
    assert sorted(path.stem for path in (tmp_path / "figures").iterdir()) == sorted(["mae", "mse", "loss", *kinds])
    assert capsys.readouterr().err == f"{tmp_path}/three: no checkpoint yet: left out of the histograms\n"
    found = deviations.deviations_of(tmp_path / "two", runs[0].config, n=10)
    np.testing.assert_allclose(found.raw, np.tile(np.eye(6)[0] * 12.0, (50, 1)), atol=1e-9)
    (tmp_path / "two" / "predictions.csv").write_text("Index,x (Ground Truth)\n1,2\n")
    with pytest.raises(BadInput, match="predictions.csv: not the predictions of sis2023: .*; run lensjax evaluate again"):
        deviations.deviations_of(tmp_path / "two", runs[0].config, n=10)


def test_folders_without_a_run_are_refused(tmp_path) -> None:
    for paths, words in (([], "no run is named"), ([tmp_path / "no"], "no such folder"), ([tmp_path], "no run that has been evaluated")):
        with pytest.raises(BadInput, match=words):
            compare.found(paths)
    assert commandline.positional() == ()
