"""The loop on images that cost nothing: what the network is asked for stands in each of them, in patches."""

import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest

from lensjax import models
from lensjax.conventions import GREY_LEVELS
from lensjax.errors import BadInput
from lensjax.train import Diverged, Stopped, TrainConfig, evaluation, export_weights, optim, restore_run, stream, train
from lensjax.train import config as configs
from lensjax.train.layers import init_variables
from lensjax.train.logs import read
from lensjax.train.state import keys

CONFIG = TrainConfig(
    image_size=16, batch_size=8, steps=12, optimizer="adamw", learning_rate=3e-3, schedule="cosine",
    warmup_steps=2, weight_decay=1e-4, clip_norm=1.0, ema=0.9, eval_every=4, eval_size=12, checkpoint_every=3,
    keep_checkpoints=2, log_every=5,
)  # fmt: skip


HEADS = ("Dense_0",)


class Small(nn.Module):
    """Normalisation, dropout and a layer: all that a network may carry from step to step."""

    num_outputs: int

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.BatchNorm(use_running_average=not train)(image.reshape(image.shape[0], -1))
        x = nn.Dropout(0.1, deterministic=not train)(x)
        return nn.Dense(self.num_outputs)(x)


def cheap_draw(problem, key, step, *, batch_size, mixed=False):
    """Parameters, and what is added to their images: nothing."""
    low, high = (jnp.array([getattr(p, end) for p in problem.parameters]) for end in ("low", "high"))
    draw = jax.random.uniform(jax.random.fold_in(key, step), (batch_size, len(problem.parameters)))
    return jnp.abs(low + (high - low) * draw), jnp.zeros(batch_size)


def cheap_render(problem, params, added):
    """Images that show the encoding itself."""
    target = problem.encode(params)
    image = jnp.zeros((len(params), 16, 16)).at[:, : target.shape[-1], :4].set(target[:, :, None])
    return GREY_LEVELS * (image + added[:, None, None])


def cheap_batch(problem, key, step, *, batch_size):
    """Images (B, 16, 16, 1) and parameters of a step."""
    params, added = cheap_draw(problem, key, step, batch_size=batch_size)
    return {"image": cheap_render(problem, params, added)[..., None] / GREY_LEVELS, "params": params}


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory):
    """Every run compiles anew: the same programs are compiled once."""
    before = jax.config.jax_compilation_cache_dir, jax.config.jax_persistent_cache_min_compile_time_secs
    if before[0] is None:
        jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    yield
    jax.config.update("jax_compilation_cache_dir", before[0])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", before[1])


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setattr(stream, "draw", cheap_draw)
    monkeypatch.setattr(stream, "render", cheap_render)
    monkeypatch.setattr(models, "create", lambda name, *, num_outputs, **options: Small(num_outputs))


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(step):
    def at(progress):
        if progress.step >= step:
            raise Killed

    return at


def content(workdir):
    return (workdir / "evaluation.csv").read_bytes()


def assert_same(found, wanted):
    assert found.step == wanted.step
    jax.tree.map(np.testing.assert_array_equal, found.variables, wanted.variables)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def unbroken(folders):
    """A whole run and its folder; made once."""
    workdir = folders / "unbroken"
    return train(CONFIG, workdir), workdir


def test_a_stopped_run_resumes_with_the_same_numbers(unbroken, tmp_path):
    for begun, step in ((0, 3), (3, 5), (5, 10)):  # at a checkpoint, between two, and between two evaluations
        asked = iter([*[False] * (step - begun - 1), True])
        with pytest.raises(Stopped, match=f"step {step}: stopped") as stopped:
            train(CONFIG, tmp_path, stop=lambda asked=asked: next(asked))
        assert stopped.value.step == step
    assert_same(train(CONFIG, tmp_path), unbroken[0])
    assert content(tmp_path) == content(unbroken[1])
    assert [(row.step, row.images) for row in read(tmp_path / "log.csv")] == [(3, 24), (5, 16), (10, 40), (12, 16)]


AVERAGED = dataclasses.replace(CONFIG, optimizer="schedule_free_adamw", schedule="constant", ema=0.0)
STATEFUL = {
    "schedule-free": dataclasses.replace(AVERAGED, hard=0.25, frozen="BatchNorm_0.bias", slowed="Dense_0.bias"),
    "plateau": dataclasses.replace(CONFIG, schedule="plateau", eval_every=2, hard=0.5, accumulate=2),
}


@pytest.mark.parametrize("name", ["schedule-free", pytest.param("plateau", marks=pytest.mark.slow)])
def test_all_that_a_run_remembers_is_in_its_checkpoints(tmp_path, name):
    config = STATEFUL[name]
    whole = train(config, tmp_path / "unbroken")
    with pytest.raises(Killed):
        train(config, tmp_path / "broken", on_log=kill_at(5))
    assert_same(train(config, tmp_path / "broken"), whole)
    assert content(tmp_path / "broken") == content(tmp_path / "unbroken")
    assert_same(restore_run(tmp_path / "broken"), whole)


def test_hard_examples_change_a_run_after_its_first_step(tmp_path):
    losses = {share: [] for share in (0.0, 0.5)}
    for share, own in losses.items():
        config = dataclasses.replace(CONFIG, hard=share, log_every=1, steps=4)
        train(config, tmp_path / str(share), on_log=lambda progress, own=own: own.append(progress.loss))
    assert losses[0.0][0] == losses[0.5][0] and losses[0.0][2] != losses[0.5][2]


@pytest.mark.parametrize("killed_at", [None, 12, 16])
def test_a_run_without_a_better_test_error_ends_early(tmp_path, monkeypatch, killed_at):
    """Killed before the last row is written, or between it and the checkpoint."""
    row = evaluation.row
    errors = {4: 3.0, 8: 2.0, 12: 2.5, 16: 2.0, 20: 4.0}
    monkeypatch.setattr(evaluation, "row", lambda *a, step, **named: row(*a, step=step, **named) | {evaluation.JUDGED: str(errors[step])})
    config = dataclasses.replace(CONFIG, patience=2, steps=40, checkpoint_every=10)

    def kill(row):
        if int(row["Step"]) == killed_at:
            raise Killed

    if killed_at:
        with pytest.raises(Killed):
            train(config, tmp_path, on_evaluation=kill)
    for _ in range(2):  # the second finds it finished
        said = []
        run = train(config, tmp_path, on_notice=said.append)
        assert run.step == 16 and said == ["step 16: no better test error in 2 evaluations; the run ends here"]
        assert restore_run(tmp_path).step == 16
        assert [row["Step"] for row in evaluation.read_rows(tmp_path / "evaluation.csv")] == ["4", "8", "12", "16"]
    if killed_at is None:
        assert train(dataclasses.replace(config, patience=3), tmp_path).step == 20


@pytest.mark.parametrize(
    ("errors", "patience", "wanted"),
    [([3, 2, 2, 2], 2, True), ([3, 2, 2, 2], 3, False), ([3, 2, 2.5, 1.9], 2, False), ([3, 3], 1, True), ([3, 3], 0, False),
     (["nan", "nan"], 1, True), (["nan", 3], 1, False)],
)  # fmt: skip
def test_patience_counts_rows(errors, patience, wanted):
    assert evaluation.exhausted([{evaluation.JUDGED: str(error)} for error in errors], patience) is wanted


def test_loss_falls(tmp_path):
    losses = []
    config = dataclasses.replace(CONFIG, steps=200, learning_rate=0.02, eval_every=200, checkpoint_every=200)
    train(config, tmp_path, on_log=lambda progress: losses.append(progress.loss))
    assert np.mean(losses[-4:]) < 0.6 * losses[0]


def test_reports(tmp_path):
    starts, logs, rows = [], [], []
    run = train(CONFIG, tmp_path, on_start=starts.append, on_log=logs.append, on_evaluation=rows.append)
    assert starts == [0] and run.step == 12
    assert [(log.step, log.images) for log in logs] == [(5, 40), (10, 40), (12, 16)]
    assert all(log.seconds > 0 and log.rendering > 0 and log.memory > 2**20 for log in logs)
    rates = optim.make_schedule(CONFIG)
    assert [log.learning_rate for log in logs] == [pytest.approx(float(rates(step))) for step in (4, 9, 11)]
    assert [dataclasses.astuple(row) for row in read(tmp_path / "log.csv")] == [
        pytest.approx(dataclasses.astuple(log), 1e-5) for log in logs
    ]
    assert [(row["Epoch"], row["Step"]) for row in rows] == [("1", "4"), ("2", "8"), ("3", "12")]
    assert evaluation.read_rows(tmp_path / "evaluation.csv") == rows


def test_columns_are_the_thesiss(unbroken):
    names = ["x", "y", "einsteinR", "sigma", "sigma2", "theta"]
    wanted = ["Epoch", "Step", "tLoss"]
    wanted += [f"t{what}Loss ({title} Set)" for title in ("Training", "Test") for what in ("MSE", "MAE")]
    for title in ("Test", "Training"):
        for what in ("Error Mean", "Error StDev", "AbsError Mean", "AbsError StDev"):
            wanted += [f"{name} ({what} - {title} Set)" for name in names]
    header = content(unbroken[1]).decode().splitlines()[0].split(",")
    assert header[: len(wanted)] == wanted


def test_row_is_of_the_averaged_weights_on_images_never_trained_on(unbroken):
    """The last row, computed again from the restored run."""
    run = restore_run(unbroken[1])
    key = keys(CONFIG.seed).evaluation
    trained_on = [cheap_batch(run.problem, keys(CONFIG.seed).stream, step, batch_size=8)["params"]
                  for step in range(12)]  # fmt: skip
    images = cheap_batch(run.problem, key, 0, batch_size=12)
    assert not np.isin(images["params"], np.concatenate(trained_on)).any()
    predicted = run.problem.decode(run.model.apply(run.variables, images["image"], train=False))
    error = np.asarray(predicted - images["params"], np.float64)
    row = evaluation.read_rows(unbroken[1] / "evaluation.csv")[-1]
    assert float(row["tMAELoss (Test Set)"]) == pytest.approx(np.abs(error).mean() * 12, rel=1e-4)
    assert float(row["tMSELoss (Test Set)"]) == pytest.approx((error**2).mean() * 12, rel=1e-4)
    assert float(row["sigma (Error StDev - Test Set)"]) == pytest.approx(error[:, 3].std(ddof=1), rel=1e-4)
    mean = np.abs(error[:, 5]).mean()
    assert float(row["theta (AbsError Mean - Test Set)"]) == pytest.approx(mean, rel=1e-4)


def test_rows_of_amplitudes_are_named_after_them(tmp_path):
    config = dataclasses.replace(CONFIG, steps=4, targets="amplitudes", order=1)
    train(config, tmp_path)
    (row,) = evaluation.read_rows(tmp_path / "evaluation.csv")
    assert {f"{name} (AbsError Mean - Test Set)" for name in ("alpha[0][1]", "beta[1][2]")} <= row.keys()
    assert all(np.isfinite(float(value)) for value in row.values() if value)


def test_training_rows_are_of_images_trained_on(unbroken):
    run = restore_run(unbroken[1])
    stream_key = keys(CONFIG.seed).stream
    images = [cheap_batch(run.problem, stream_key, step, batch_size=8) for step in (10, 11)]
    image, params = (np.concatenate([b[name] for b in images])[:12] for name in ("image", "params"))
    error = run.problem.decode(run.model.apply(run.variables, image, train=False)) - params
    row = evaluation.read_rows(unbroken[1] / "evaluation.csv")[-1]
    assert float(row["tMAELoss (Training Set)"]) == pytest.approx(np.abs(error).mean() * 12, rel=1e-4)


@pytest.mark.parametrize("killed_at", [5, 10])
def test_broken_run_ends_as_an_unbroken_one(tmp_path, unbroken, killed_at):
    with pytest.raises(Killed):
        train(CONFIG, tmp_path, on_log=kill_at(killed_at))
    starts = []
    assert [row.step for row in read(tmp_path / "log.csv")] == list(range(5, killed_at + 1, 5))
    run = train(CONFIG, tmp_path, on_start=starts.append)
    assert starts == [killed_at // 3 * 3]
    assert [row.step for row in read(tmp_path / "log.csv")] == [5, 10, 12]
    assert_same(run, unbroken[0])
    assert content(tmp_path) == content(unbroken[1])


def test_rows_after_the_checkpoint_are_dropped(tmp_path, unbroken):
    """Killed between the row of step 8 and the next checkpoint."""

    def stop(row):
        if row["Step"] == "8":
            raise Killed

    with pytest.raises(Killed):
        train(CONFIG, tmp_path, on_evaluation=stop)
    assert [row["Step"] for row in evaluation.read_rows(tmp_path / "evaluation.csv")] == ["4", "8"]
    dropped = []
    train(CONFIG, tmp_path, on_start=lambda step: dropped.append(content(tmp_path).count(b"\n")))
    assert dropped == [2]  # the header and step 4
    assert [row.step for row in read(tmp_path / "log.csv")] == [5, 10, 12]
    assert content(tmp_path) == content(unbroken[1])


def test_finished_run_started_again_changes_nothing(tmp_path, unbroken):
    run, workdir = unbroken
    before = content(workdir)
    logs = []
    assert_same(train(CONFIG, workdir, on_log=logs.append), run)
    assert content(workdir) == before and not logs


def test_restored_run_is_the_run(unbroken):
    run, workdir = unbroken
    found = restore_run(workdir)
    assert found.config == CONFIG and found.problem == run.problem
    assert_same(found, run)
    config, problem, model, variables, step = found
    assert step == 12 and set(variables) == {"params", "batch_stats"}
    assert restore_run(workdir, step=9).step == 9


def test_restoring_what_is_not_there(tmp_path, unbroken):
    with pytest.raises(BadInput, match="config.json: no such file"):
        restore_run(tmp_path)
    with pytest.raises(BadInput, match="no checkpoint of step 5; expected step 9 or 12"):
        restore_run(unbroken[1], step=5)
    shutil.copy(unbroken[1] / "config.json", tmp_path)
    with pytest.raises(BadInput, match="no checkpoint yet"):
        restore_run(tmp_path)


@pytest.mark.parametrize("field", ["zeroed", "frozen", "slowed"])
def test_layers_that_are_not_there_leave_no_folder(tmp_path, unbroken, field):
    with pytest.raises(BadInput, match=f"{field}: the value is 'nothing'; expected the beginning of a parameter's name"):
        train(dataclasses.replace(CONFIG, **{field: "nothing"}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("model", "vgg11"), ("problem", "pm2022"), ("seed", 1), ("batch_size", 16), ("steps", 24)],
)
def test_another_run_is_refused_in_one_line(unbroken, field, value):
    _, workdir = unbroken
    before = content(workdir)
    with pytest.raises(BadInput, match=f"config.json: {field}: the value is .*, as this run has; choose another --workdir") as error:
        train(dataclasses.replace(CONFIG, **{field: value}), workdir)
    assert "\n" not in str(error.value)
    assert content(workdir) == before
    assert json.loads((workdir / "config.json").read_text()) == dataclasses.asdict(CONFIG)


@pytest.mark.parametrize(("step", "log_every"), [(7, 100), (7, 1), (0, 100)])
def test_a_loss_that_is_no_number_names_its_step(tmp_path, monkeypatch, step, log_every):
    def poisoned(problem, key, at, **options):
        params, added = cheap_draw(problem, key, at, **options)
        return params, jnp.where(at == step, jnp.nan, added)

    monkeypatch.setattr(stream, "draw", poisoned)
    config = dataclasses.replace(CONFIG, log_every=log_every, seed=5)
    with pytest.raises(Diverged, match=f"^step {step} diverged: its loss is nan.* seed 5, step {step}$"):
        train(config, tmp_path)
    if step:  # and no bad state was kept: what is kept goes on well
        kept = restore_run(tmp_path)
        assert kept.step <= step
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(kept.variables))


def test_a_gradient_that_is_no_number_is_found_too(tmp_path, monkeypatch):
    class Steep(nn.Module):
        """Its value is zero, its slope infinite."""

        num_outputs: int

        @nn.compact
        def __call__(self, image, *, train):
            weight = self.param("weight", nn.initializers.zeros, (1, self.num_outputs))
            return jnp.sqrt(weight) * image.mean(axis=(1, 2))

    monkeypatch.setattr(models, "create", lambda name, *, num_outputs, **options: Steep(num_outputs))
    with pytest.raises(Diverged, match="^step 0 diverged: its loss is [0-9.]+, with gradients not"):
        train(CONFIG, tmp_path)


def test_start_from_exported_weights(tmp_path, unbroken):
    folder = export_weights(tmp_path / "weights", unbroken[0].variables, dataclasses.asdict(CONFIG))
    config = dataclasses.replace(CONFIG, init=str(folder), learning_rate=1e-12, warmup_steps=0, ema=0.0)
    run = train(config, tmp_path / "run")
    np.testing.assert_allclose(
        run.variables["params"]["Dense_0"]["kernel"],
        unbroken[0].variables["params"]["Dense_0"]["kernel"],
        atol=1e-7,
    )


def test_averages_start_from_exported_weights_too(tmp_path, unbroken):
    folder = export_weights(tmp_path / "weights", unbroken[0].variables, dataclasses.asdict(CONFIG))
    run = train(dataclasses.replace(AVERAGED, init=str(folder), learning_rate=1e-12), tmp_path / "run")
    for name, leaf in run.variables["params"]["Dense_0"].items():
        np.testing.assert_allclose(leaf, unbroken[0].variables["params"]["Dense_0"][name], atol=1e-5)


def test_a_last_layer_for_other_targets_is_initialised(tmp_path, unbroken):
    folder = export_weights(tmp_path / "weights", unbroken[0].variables, dataclasses.asdict(CONFIG))
    config = dataclasses.replace(CONFIG, init=str(folder), targets="amplitudes", order=1, learning_rate=1e-12, warmup_steps=0, ema=0.0)
    notices: list[str] = []
    run = train(config, tmp_path / "run", on_notice=notices.append)
    assert notices == ["the last layer is new: that of the initial weights has another number of outputs"]
    found, before = (variables["params"] for variables in (run.variables, unbroken[0].variables))
    np.testing.assert_allclose(found["BatchNorm_0"]["scale"], before["BatchNorm_0"]["scale"], atol=1e-7)
    assert found["Dense_0"]["kernel"].shape != before["Dense_0"]["kernel"].shape and found["Dense_0"]["kernel"].std() > 0


def test_a_head_with_errors_begins_at_the_points_that_weights_answer(tmp_path, unbroken):
    folder = export_weights(tmp_path / "weights", unbroken[0].variables, dataclasses.asdict(CONFIG))
    config = dataclasses.replace(CONFIG, init=str(folder), head="gaussian", learning_rate=1e-12, warmup_steps=0, ema=0.0)
    notices: list[str] = []
    run = train(config, tmp_path / "run", on_notice=notices.append)
    assert notices == ["the last layer is new but for its means, which are those of the initial weights"]
    before = unbroken[0].variables["params"]["Dense_0"]["kernel"]
    np.testing.assert_allclose(run.variables["params"]["Dense_0"]["kernel"][:, : before.shape[1]], before, atol=1e-7)


def test_a_last_layer_of_a_mixture_begins_no_other_head(tmp_path, unbroken):
    mixture = dataclasses.replace(CONFIG, head="mixture", components=2)
    model = configs.make_model(mixture, configs.make_problem(mixture))
    variables = jax.device_get(init_variables(model, jax.random.key(0), image_size=CONFIG.image_size))
    folder = export_weights(tmp_path / "weights", variables, dataclasses.asdict(mixture))
    notices: list[str] = []
    train(dataclasses.replace(CONFIG, init=str(folder), head="gaussian"), tmp_path / "run", on_notice=notices.append)
    assert notices == ["the last layer is new: that of the initial weights has another number of outputs"]


def test_weights_that_are_not_there_leave_no_folder(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        train(dataclasses.replace(CONFIG, init=str(tmp_path / "weights")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_of_another_network_are_named(tmp_path, unbroken):
    folder = export_weights(tmp_path / "weights", unbroken[0].variables, dataclasses.asdict(CONFIG))
    with pytest.raises(BadInput, match=f"weights: init: weights of {CONFIG.model}; expected weights of vgg11"):
        train(dataclasses.replace(CONFIG, model="vgg11", init=str(folder)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_weights_are_not_wanted_again_when_a_run_goes_on(tmp_path, unbroken):
    folder = export_weights(tmp_path / "weights", unbroken[0].variables, dataclasses.asdict(CONFIG))
    config = dataclasses.replace(CONFIG, init=str(folder))
    first = train(config, tmp_path / "run")
    (folder / "weights.safetensors").unlink()
    again = train(config, tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, again.variables, first.variables)


@pytest.mark.parametrize("step", [4, 5, 6])  # of an evaluation, of a row of the log, of a checkpoint
def test_a_folder_that_vanishes_is_written_anew(tmp_path, unbroken, step):
    notices = []

    def vanish():
        if next(steps) == step:
            (tmp_path / "run").rename(tmp_path / "moved")
        return False

    steps = iter(range(1, 13))
    run = train(CONFIG, tmp_path / "run", stop=vanish, on_notice=notices.append)
    assert_same(run, unbroken[0])
    assert notices == [f"{tmp_path / 'run'}: the run's folder has vanished; it is written anew"]
    assert content(tmp_path / "run") == content(unbroken[1])
    assert [row.step for row in read(tmp_path / "run" / "log.csv")] == [5, 10, 12]
    assert_same(restore_run(tmp_path / "run"), unbroken[0])


def test_settings_that_are_changed_under_a_run_are_written_anew(tmp_path, unbroken):
    notices = []
    path = tmp_path / "config.json"
    train(CONFIG, tmp_path, on_start=lambda step: path.write_text(path.read_text().replace("0", "7")), on_notice=notices.append)
    assert notices == [f"{path}: changed during the run; it is written anew"]
    assert configs.read(path) == CONFIG and content(tmp_path) == content(unbroken[1])


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("part", ["config.json", "log.csv", pytest.param("evaluation.csv", marks=pytest.mark.slow), "checkpoints/6"])
def test_a_full_disk_ends_the_run_in_one_line_and_it_resumes(tmp_path, unbroken, part):
    opened = Path.open
    with pytest.MonkeyPatch.context() as disk:

        def fill(step):
            if part == "log.csv":
                disk.setattr(Path, "open", lambda path, mode="r", **options: full() if mode == "a" else opened(path, mode, **options))
            elif part == "evaluation.csv":
                disk.setattr(Path, "write_bytes", full)
            elif step:
                disk.setattr(ocp.CheckpointManager, "save", full)

        if part == "config.json":
            disk.setattr(Path, "write_bytes", full)
        with pytest.raises(BadInput, match="cannot be written: No space left on device") as error:
            train(CONFIG, tmp_path, on_start=fill, on_log=lambda progress: fill(progress.step))
    assert "\n" not in str(error.value) and str(tmp_path / part) in str(error.value)
    assert ("that of step 3 is whole" in str(error.value)) == part.startswith("checkpoints")
    assert_same(train(CONFIG, tmp_path), unbroken[0])
    assert content(tmp_path) == content(unbroken[1])
    assert [row.step for row in read(tmp_path / "log.csv")] == [5, 10, 12]


def test_settings_that_were_damaged_are_named(tmp_path, unbroken):
    shutil.copytree(unbroken[1], tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text('{"model": ')
    with pytest.raises(BadInput, match="config.json: not a JSON file"):
        train(CONFIG, tmp_path / "run")
