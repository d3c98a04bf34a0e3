"""Runs on data sets of files: what they read, in which order, and what they refuse. Images show the encoding itself, as in test_loop."""

import dataclasses
import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import metrics, models, problems, trained
from lensjax.errors import BadInput
from lensjax.files.images import write_png
from lensjax.formats.cosmosim import parameters
from lensjax.train import Stopped, TrainConfig, data, export_weights, sharding, train
from lensjax.train.config import make_problem
from lensjax.train.evaluation import read_rows
from lensjax.train.export import load_weights
from lensjax.train.feed import Feed

COUNT, SIZE = 40, 16
CONFIG = TrainConfig(
    image_size=SIZE, batch_size=8, steps=12, optimizer="adam", learning_rate=3e-3, split=",8,6", eval_every=4, eval_size=5,
    checkpoint_every=3, log_every=5, augment="exact",
)  # fmt: skip


class Small(nn.Module):
    """Normalisation, dropout and a layer."""

    num_outputs: int

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.BatchNorm(use_running_average=not train)(image.reshape(image.shape[0], -1))
        x = nn.Dropout(0.1, deterministic=not train)(x)
        return nn.Dense(self.num_outputs)(x)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(models, "create", lambda name, *, num_outputs, **options: Small(num_outputs))


def write_set(folder, seed=0):
    """A data set of sis2023 whose images show their row, and its parameters."""
    problem = problems.get("sis2023", image_size=SIZE)
    values = np.asarray(problem.sample(jax.random.key(seed), COUNT), np.float64)
    encoded = np.asarray(problem.encode(jnp.asarray(values, jnp.float32)))
    (folder / "images").mkdir(parents=True)
    for i, row in enumerate(encoded):
        image = np.zeros((SIZE, SIZE))
        image[: len(row), :8] = (100.0 + 40.0 * row)[:, None]
        image[-1, -1] = i
        write_png(folder / "images" / f"{i}.png", image)
    parameters.write(
        folder / "dataset.csv", [f"{i}.png" for i in range(COUNT)], values, problem="sis2023", names=problem.names,
        nterms=[50] * COUNT, methods=["roulette"] * COUNT,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set") / "data")


@pytest.fixture
def config(folder):
    return dataclasses.replace(CONFIG, data=str(folder))


def read(config):
    return data.read(config, make_problem(config))


def feed_of(config, **options):
    return Feed(read(config), sharding.make_mesh(), batch_size=config.batch_size, seed=config.seed, **options)


def indices(batch):
    """Which images a batch has: their last pixel says so."""
    return np.asarray(batch.image)[:, -1, -1].astype(int).tolist()


def test_every_epoch_has_every_training_image_once_in_its_own_order(config):
    batches = feed_of(config).training(0)
    seen = np.concatenate([indices(next(batches)) for _ in range(13)]).reshape(4, 26)  # 26 = 40 − 8 − 6 images for training
    for epoch in seen:
        assert sorted(epoch) == list(range(26))
    assert (seen[0] != seen[1]).any() and (seen[0] != np.arange(26)).any()


def test_a_batch_depends_on_the_seed_and_its_step_alone(config):
    batches = feed_of(config).training(0)
    wanted = [next(batches) for _ in range(6)]
    resumed = feed_of(config).training(4)
    for step in (4, 5):
        jax.tree.map(np.testing.assert_array_equal, next(resumed), wanted[step])
    again = feed_of(config).again([5, 1])
    for step in (5, 1):
        jax.tree.map(np.testing.assert_array_equal, next(again), wanted[step])
    assert indices(next(feed_of(dataclasses.replace(config, seed=1)).training(0))) != indices(wanted[0])
    truth = read(config).params
    np.testing.assert_array_equal(wanted[3].params, truth[indices(wanted[3])])


@pytest.mark.slow
def test_workers_read_the_same_batches(config):
    batches, same = feed_of(config).training(3), feed_of(config, workers=2).training(3)
    for _ in range(5):
        jax.tree.map(np.testing.assert_array_equal, next(same), next(batches))


def test_processes_share_a_batch(config, monkeypatch):
    whole = indices(next(feed_of(config).training(2)))
    monkeypatch.setattr(sharding, "placed", lambda array, mesh, *, parts: array)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    parts = []
    for process in (0, 1):
        monkeypatch.setattr(jax, "process_index", lambda process=process: process)
        parts += indices(next(feed_of(config).training(2)))
    assert parts == whole


@pytest.mark.slow
def test_a_stopped_run_resumes_with_the_same_numbers(small, config, tmp_path):
    unbroken = train(config, tmp_path / "unbroken")
    asked = iter([*[False] * 4, True])
    with pytest.raises(Stopped):
        train(config, tmp_path / "broken", stop=lambda: next(asked))
    resumed = train(config, tmp_path / "broken")
    jax.tree.map(np.testing.assert_array_equal, resumed.variables, unbroken.variables)
    first, second = ((tmp_path / name / "evaluation.csv").read_bytes() for name in ("unbroken", "broken"))
    assert first == second
    other = train(dataclasses.replace(config, augment="none"), tmp_path / "plain")
    assert not np.array_equal(other.variables["params"]["Dense_0"]["bias"], unbroken.variables["params"]["Dense_0"]["bias"])


def test_a_run_is_evaluated_on_images_that_it_did_not_train_on(small, config, tmp_path):
    run = train(dataclasses.replace(config, steps=4), tmp_path)
    rows, truth = read(config).rows, read(config).params
    assert rows.validation == range(34, 40)
    shown = np.stack([read(config).image(i) for i in range(34, 39)])
    output = run.model.apply(run.variables, shown[..., None] / np.float32(255.0), train=False)
    error = metrics.raw_error(np.asarray(run.problem.decode(output)), truth[34:39], problem=run.problem)
    assert float(read_rows(tmp_path / "evaluation.csv")[0]["MAE (Test Set)"]) == pytest.approx(np.abs(error).mean(), rel=1e-4)


def test_a_folder_remembers_its_data(small, config, tmp_path):
    train(dataclasses.replace(config, steps=3, schedule="constant"), tmp_path / "run")
    moved = write_set(tmp_path / "data", seed=0)
    write_png(moved / "images" / "3.png", np.eye(SIZE))
    config_path = tmp_path / "run" / "config.json"
    content = json.loads(config_path.read_text())
    config_path.write_text(json.dumps(content | {"data": str(moved)}))
    with pytest.raises(BadInput, match="data.json: the data are not those that this run began with"):
        train(dataclasses.replace(config, data=str(moved), steps=6, schedule="constant"), tmp_path / "run")


def test_standardised_targets_are_inverted_by_estimates(small, config, tmp_path):
    config = dataclasses.replace(config, model="shapelets", frame="canonical")
    with pytest.raises(BadInput, match="^standardise: the value is True; expected False, or targets raw and frame image"):
        train(dataclasses.replace(config, standardise=True), tmp_path)
    config = dataclasses.replace(config, model="compact", frame="image", targets="raw", standardise=True, steps=2, eval_every=2)
    run = train(config, tmp_path / "run")
    training = read(config).params[:26].astype(np.float64)
    standard = data.recorded(config, tmp_path / "run", count=6)
    assert standard is not None and standard == read(config).standard()
    np.testing.assert_allclose(standard.mean, training.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(standard.spread, training.std(axis=0), rtol=1e-6)
    export_weights(tmp_path / "weights", run.variables, dataclasses.asdict(config), standard=standard)
    load_weights(tmp_path / "weights")
    estimator = trained.load(tmp_path / "weights")
    image = np.full((1, 400, 400), 100.0, np.float32)
    output = run.model.apply(run.variables, np.full((1, SIZE, SIZE, 1), 100.0 / 255.0, np.float32), train=False)
    expected = np.array(standard.mean) + np.array(standard.spread) * np.asarray(output)
    np.testing.assert_allclose(estimator.predict(image), expected, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="standard is given"):
        export_weights(tmp_path / "weights", run.variables, dataclasses.asdict(config))
    path = tmp_path / "weights" / "config.json"
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "standard"}))
    with pytest.raises(BadInput, match="config.json: standard: .*expected mean and spread, 6 numbers each"):
        trained.load(tmp_path / "weights")


def break_image(folder):
    (folder / "images" / "7.png").write_bytes(b"no image")


def resize_image(folder):
    write_png(folder / "images" / "7.png", np.eye(SIZE + 1))


def remove_image(folder):
    (folder / "images" / "7.png").unlink()


def enlarge_first(folder):
    write_png(folder / "images" / "0.png", np.eye(SIZE + 1))


def change_cell(folder):
    text = (folder / "dataset.csv").read_text().splitlines()
    text[8] = text[8].replace(",SIS,50,", ",SIS,many,")
    (folder / "dataset.csv").write_text("\n".join(text) + "\n")


def remove_table(folder):
    (folder / "dataset.csv").unlink()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (break_image, "7.png: not an image file; expected PNG.*; .*dataset.csv, line 9, column filename names it"),
        (resize_image, "7.png: the image has 17×17 pixels; expected 16×16; .*dataset.csv, line 9"),
        (remove_image, "7.png: no such file; .*dataset.csv, line 9"),
        (enlarge_first, "0.png: the image has 17×17 pixels; expected 400×400 or 16×16; .*dataset.csv, line 2"),
        (change_cell, "dataset.csv: line 9, column chi: the value is 'many'; expected a"),
        (remove_table, "data: no dataset.csv in this folder; expected a folder with dataset.csv, or a CSV file"),
    ],
)
def test_what_cannot_be_used_is_named_before_the_first_step(small, tmp_path, damage, said):
    folder = write_set(tmp_path / "set")
    damage(folder)
    with pytest.raises(BadInput, match=said) as error:
        train(dataclasses.replace(CONFIG, data=str(folder)), tmp_path / "run")
    assert "\n" not in str(error.value)


def test_counts_that_the_data_set_does_not_have_are_refused(config):
    assert read(dataclasses.replace(config, data_images=10)).rows.training == range(10)
    with pytest.raises(BadInput, match="data_images: the value is 27; expected 26 or fewer, the images for training"):
        read(dataclasses.replace(config, data_images=27))
    with pytest.raises(BadInput, match="eval_size: the value is 7; expected 6 or fewer, the images for validation"):
        read(dataclasses.replace(config, eval_size=7))


def test_fields_of_data_sets_need_one(tmp_path):
    with pytest.raises(BadInput, match="^augment: the value is 'exact'; expected 'none' without a data set, which field data names"):
        train(dataclasses.replace(CONFIG, split=",0.2,0.05"), tmp_path)
