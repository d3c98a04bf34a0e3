"""Judging a run: what is written, that it is true, and what is refused."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from absl import logging

from lensjax import metrics, problems
from lensjax.errors import BadInput
from lensjax.experiments import evaluate
from lensjax.files.images import write_png
from lensjax.formats.cosmosim import parameters
from lensjax.infer import Solution
from lensjax.train import TrainConfig, evaluation, train
from lensjax.train import config as configs
from lensjax.train.checkpoint import Checkpoints
from lensjax.train.optim import make_optimizer
from lensjax.train.state import init_state, keys

ROOT = Path(__file__).parents[2]
CONFIG = TrainConfig(model="compact", image_size=32, method="ring", batch_size=4, steps=40, eval_every=20, eval_size=6)
NAMES = ("x", "y", "einsteinR", "sigma", "sigma2", "theta")


def make_run(folder, config=CONFIG):
    """The folder of a run as training leaves it, with an untrained network."""
    problem = configs.make_problem(config)
    model = configs.make_model(config, problem)
    start = partial(init_state, model, make_optimizer(config), image_size=config.image_size, ema=config.ema)
    state = jax.jit(start)(jax.random.key(0))
    configs.write(config, folder / "config.json")
    with Checkpoints(folder / "checkpoints") as checkpoints:
        checkpoints.save(config.steps, state.saved)
    truth = np.asarray(problem.sample(jax.random.key(1), config.eval_size), np.float32)
    rows = []
    for epoch, wrong in ((1, 8.0), (2, 2.0)):
        said = evaluation.Predictions(predicted=truth + np.float32(wrong), truth=truth)
        rows.append(evaluation.row(problem, epoch=epoch, step=20 * epoch, loss=1.0, test=said, training=said))
    evaluation.write_rows(folder / "evaluation.csv", rows)
    return folder


@pytest.fixture(autouse=True)
def _quiet():
    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    yield
    logging.set_verbosity(before)


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """(folder, what was printed) of a run judged by 37 images: more than a batch, and not whole batches."""
    folder = make_run(tmp_path_factory.mktemp("run"))
    return folder, evaluate.evaluate(folder, n=37, seed=5, refine=False)


def test_predictions_are_in_the_columns_of_the_thesis(judged):
    folder, _ = judged
    table = pd.read_csv(folder / "predictions.csv")
    truth, predicted = [f"{n} (Ground Truth)" for n in NAMES], [f"{n} (Predicted)" for n in NAMES]
    assert list(table) == ["Index", *truth, *predicted]
    assert list(table["Index"]) == list(range(37))
    assert not table.isna().any(axis=None)
    radius = np.hypot(table["x (Ground Truth)"], table["y (Ground Truth)"])
    assert radius.between(25.9, 200.1).all() and len(set(radius)) > 20
    assert (table[truth].to_numpy() != table[predicted].to_numpy()).any()


def test_summary_belongs_to_the_predictions(judged):
    folder, text = judged
    table, summary = pd.read_csv(folder / "predictions.csv"), pd.read_csv(folder / "summary.csv")
    assert list(summary["Parameter"]) == [*NAMES, "mean"] and set(summary["Estimate"]) == {"network"}
    error = np.stack([table[f"{n} (Predicted)"] - table[f"{n} (Ground Truth)"] for n in NAMES], axis=1)
    np.testing.assert_allclose(summary["MAE (Raw)"][:6], np.abs(error).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(summary["MSE (Raw)"][:6], (error**2).mean(axis=0), rtol=1e-9)
    assert summary["MAE (Raw)"][6] == pytest.approx(np.abs(error).mean())
    truth = np.stack([table[f"{n} (Ground Truth)"] for n in NAMES], axis=1)
    fair = metrics.symmetric_error(truth + error, truth, problem=problems.get("sis2023"))
    np.testing.assert_allclose(summary["MAE (up to Symmetry)"][:6], np.nanmean(np.abs(fair), axis=0), rtol=1e-6)
    counted = [37] * 5 + [int((table["sigma (Ground Truth)"] != table["sigma2 (Ground Truth)"]).sum())]
    assert list(summary["Counted (up to Symmetry)"][:6]) == counted
    assert "compact after 40 steps, 37 fresh images" in text
    assert f"{summary['MAE (Raw)'][6]:.1f}" in text


def test_figures_are_drawn(judged):
    folder, _ = judged
    expected = {f"{measure}{log}.png" for measure in ("mae", "mse") for log in ("", "-log")}
    expected |= {f"network-deviation-{kind}{zoom}.png" for kind in ("raw", "symmetric") for zoom in ("", "-5")}
    expected |= {"network-scatter.png", "network-scatter-raw.png"}
    found = {path.name: path.stat().st_size for path in (folder / "figures").iterdir()}
    assert set(found) == expected and min(found.values()) > 5000


def test_the_seed_decides_the_images(judged):
    folder, _ = judged
    table = pd.read_csv(folder / "predictions.csv")
    run = evaluate.restore_run(folder)
    for seed, same in ((5, True), (6, False)):
        key = jax.random.fold_in(jax.random.key(seed), evaluate.FRESH)
        truth, predicted = evaluate.predict(run, key, n=2)
        assert np.array_equal(truth[:, 0], table["x (Ground Truth)"][:2]) == same
        assert np.allclose(predicted[:, 0], table["x (Predicted)"][:2], rtol=1e-4) == same


def test_no_run_draws_from_the_key_of_the_fresh_images():
    def words(key):
        return tuple(np.asarray(jax.random.key_data(key)).tolist())

    trained = {words(key) for seed in range(20) for key in jax.tree.leaves(keys(seed))}
    judged = {words(jax.random.fold_in(jax.random.key(seed), evaluate.FRESH)) for seed in range(20)}
    assert len(trained) == 100 and len(judged) == 20 and not trained & judged


def test_history_gives_means_over_images(judged):
    folder, _ = judged
    history = evaluate.read_history(folder / "evaluation.csv", image_count=CONFIG.eval_size)
    assert list(history["epoch"]) == [1, 2]
    np.testing.assert_allclose(history["MAE test"], [8.0, 2.0], rtol=1e-5)
    np.testing.assert_allclose(history["MSE training"], [64.0, 4.0], rtol=1e-5)


def solved(truth, problem):
    """A Solution that knows the truth."""
    n, p = truth.shape
    exact, zeros = truth + 0.25, np.zeros(n)
    words = tuple(f"converged {i}" for i in range(n))
    arrays = {"params": exact, "errors": np.ones((n, p)), "covariance": np.tile(np.eye(p), (n, 1, 1)),
              "lowest": exact, "highest": exact, "bound": np.full((n, p), 0.125), "fit": np.zeros((n, 8)),
              "shift": np.zeros((n, 2)), "chi2": zeros, "violated": zeros, "slack": zeros, "success": zeros == 0}  # fmt: skip
    return Solution(names=problem.names, kind=("interval",) * n, method=("ring",) * n, status=words, **arrays)


@pytest.mark.slow
def test_refining_is_shown_the_same_systems_at_native_resolution(judged, monkeypatch):
    folder, _ = judged
    truth = pd.read_csv(folder / "predictions.csv")[[f"{n} (Ground Truth)" for n in NAMES]].to_numpy()
    seen = []

    def solve(problem, images, network, *, progress):
        assert problem.image_size == 400 and problem.trace.name == "ring"
        assert np.isfinite(network).all() and (network[:, 3:5] >= 5).all()
        first = sum(len(part) for part in seen)
        expected = np.asarray(problem.render(truth[first].astype(np.float32)))
        assert np.abs(images[0] - expected).max() <= 0.51
        assert (images == np.round(images)).all() and images.max() > 100
        seen.append(images)
        progress(len(images))
        return solved(truth[first : first + len(images)], problem)

    monkeypatch.setattr(evaluate.estimate, "solve", solve)
    text = evaluate.evaluate(folder, n=37, seed=5, refine=True)
    assert [len(part) for part in seen] == [32, 5]
    table, summary = pd.read_csv(folder / "predictions.csv"), pd.read_csv(folder / "summary.csv")
    for k, name in enumerate(NAMES):
        np.testing.assert_allclose(table[f"{name} (Refined)"], truth[:, k] + 0.25, atol=1e-6)
    assert list(table["status"]) == [f"converged {i}" for i in [*range(32), *range(5)]]
    refined = summary[summary["Estimate"] == "refined"]
    np.testing.assert_allclose(refined["MAE (up to Symmetry)"], 0.25, rtol=1e-6)
    np.testing.assert_allclose(refined["Median Error over Bound"][:6], 2.0, rtol=1e-5)
    np.testing.assert_allclose(refined["Share within 5 Bounds"][:6], 1.0)
    assert (folder / "figures" / "refined-scatter.png").exists()
    assert "refined" in text and "within 5" in text


@pytest.mark.slow
def test_refined_parameters_are_nearly_the_true_ones(tmp_path):
    folder = make_run(tmp_path, replace(CONFIG, targets="raw"))
    evaluate.evaluate(folder, n=3, seed=0, refine=True)
    summary = pd.read_csv(folder / "summary.csv").set_index(["Estimate", "Parameter"])
    network, refined = (summary.loc[who]["MAE (up to Symmetry)"] for who in ("network", "refined"))
    assert (refined[list(NAMES)] < 0.05).all() and (refined < 0.1 * network).all()


@pytest.mark.slow
def test_a_composed_problem_is_trained_and_refined(tmp_path):
    config = replace(CONFIG, problem="sie_shear", image_size=25, batch_size=2, steps=2, eval_every=2, eval_size=2, checkpoint_every=2)
    train(config, tmp_path / "run")
    text = evaluate.evaluate(tmp_path / "run", n=4, seed=0, refine=True)
    table = pd.read_csv(tmp_path / "run" / "predictions.csv")
    problem = problems.get("sie_shear")
    truth, found, error = (
        np.stack([table[f"{name} ({kind})"] for name in problem.names], axis=1) for kind in ("Ground Truth", "Refined", "Refined 1 sigma")
    )
    z = np.abs(metrics.symmetric_error(found, truth, problem=problem)) / error
    assert table["success"].sum() >= 3 and np.nanmax(z[table["success"]]) < 5.0
    assert "source_flux" in text and "refined" in text


def refusal(folder):
    with pytest.raises(BadInput) as caught:
        evaluate.evaluate(folder, n=2, seed=0, refine=False)
    line = str(caught.value)
    assert "\n" not in line and str(folder) in line
    return line


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    assert "no such folder" in refusal(tmp_path / "nowhere")
    assert "config.json: no such file" in refusal(tmp_path)
    configs.write(CONFIG, tmp_path / "config.json")
    assert "no checkpoint yet" in refusal(tmp_path)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda text: None, "evaluation.csv: no such file"),
        (lambda text: text.replace("MAE (Test Set)", "other"), "line 2, column MAE (Test Set): the value is empty; expected a number"),
        (lambda text: text.replace("8.0", "eight"), "the value is 'eight'; expected a number"),
    ],
    ids=["missing", "column missing", "not a number"],
)
def test_an_unreadable_history_is_refused(change, words, judged, tmp_path):
    folder = Path(shutil.copytree(judged[0], tmp_path / "run"))
    table = folder / "evaluation.csv"
    text = change(table.read_text())
    table.unlink()
    if text is not None:
        table.write_text(text)
    assert words in refusal(folder)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--workdir=nowhere"], "nowhere: no such folder"),
        pytest.param([], "--workdir: missing; expected the folder", marks=pytest.mark.slow),
        pytest.param(["--workdir=nowhere", "--n=many"], "many", marks=pytest.mark.slow),
    ],
)
def test_program_refuses_in_one_line_with_code_2(arguments, words, tmp_path):
    done = program(*arguments, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr and done.stderr.count("\n") == 1 and not done.stdout


def test_program_explains_itself():
    done = program("--help", folder=ROOT)
    assert done.returncode == 0, done.stderr
    assert "--workdir" in done.stdout and "predictions.csv" in done.stdout


def program(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "experiments.evaluate", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_of_a_data_set_is_judged_by_its_test_images(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "draw", lambda *figures: None)
    problem = problems.get("sis2023", image_size=32)
    values = np.asarray(problem.sample(jax.random.key(3), 20), np.float64)
    for i in range(20):
        write_png(tmp_path / "set" / f"{i}.png", np.full((32, 32), 5.0 * i))
    parameters.write(
        tmp_path / "set" / "dataset.csv", [f"{i}.png" for i in range(20)], values, problem="sis2023", names=NAMES,
        nterms=[50] * 20, methods=["roulette"] * 20,
    )  # fmt: skip
    folder = make_run(tmp_path / "run", replace(CONFIG, data=str(tmp_path / "set"), split="5,9,6"))
    text = evaluate.evaluate(folder, n=1000, seed=0, refine=False)
    assert "compact after 40 steps, 9 of 9 test images of" in text and "dataset.csv, not trained on" in text
    table = pd.read_csv(folder / "predictions.csv")
    np.testing.assert_allclose(table[[f"{name} (Ground Truth)" for name in NAMES]], values[5:14], rtol=1e-5, atol=1e-4)
    with pytest.raises(BadInput, match="^--refine: not with a data set; lensjax estimate"):
        evaluate.evaluate(folder, n=9, seed=0, refine=True)
