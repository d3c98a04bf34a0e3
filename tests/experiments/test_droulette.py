"""droulette's files as sweeps: what each key becomes, and what is said of the others."""

import subprocess
import sys
from pathlib import Path

import pytest

from lensjax.errors import BadInput
from lensjax.experiments import droulette
from lensjax.train import TrainConfig
from lensjax.train.config import from_mapping

ROOT = Path(__file__).parents[2]
BASE = TrainConfig()

BATCH = """
[settings]
device = "cuda"
models = ["resnet50", "swin_t"]
problem = "problem.toml"
[hyperparameters.array]
learning-rate = [1e-3, 1e-4]
batch-size = [32, 50]
weight-decay = [1e-4]
[training]
num-epochs = 50
patience = 10
[dataset]
directory = "data"
[dataset.training]
filename = "train.csv"
predictionfile = "training.csv"
[output]
dirbase = "experiment%%"
"""
ONE = """
[settings]
model = "regnet_y_32gf"
[hyperparameters]
learning-rate = 0.001
batch-size = 32
weight-decay = 1e-4
[training]
num-epochs = 50
"""
PROBLEM = """
[problem]
filename = "roulette.csv"
dataset = "dataset.toml"
variables = ["xiX", "xiY", "alpha[0][1]"]
nterms = 4
[dataset]
roulette = "resim"
[dataset.training]
filename = "train.csv"
size = 10000
[dataset.testing]
filename = "test.csv"
size = 0.2
[dataset.validation]
filename = "validation.csv"
"""
DATASET = """
[simulator]
model = "Raytrace"
size = 20000
imagesize = 512
cropsize = 256
centred = true
nterms = 4
[lens]
mode = "SIE"
einstein-min = 2.5
[source]
mode = "SersicSphere"
"""


@pytest.fixture
def folder(tmp_path):
    for name, text in (("experimentbatch", BATCH), ("ml", ONE), ("problem", PROBLEM), ("dataset", DATASET)):
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


def test_a_batch_is_the_product_of_its_lists(folder):
    found, notices = droulette.members(folder / "experimentbatch.toml", BASE)
    assert len(found) == 8 and len({member.folder for member in found}) == 8
    assert found[1].folder == "model=resnet50,learning_rate=0.001,batch_size=50"
    config = from_mapping(found[1].settings)
    assert (config.model, config.learning_rate, config.batch_size, config.weight_decay) == ("resnet50", 1e-3, 50, 1e-4)
    assert (config.problem, config.image_size, config.method) == ("sie2026", 256, "raytrace")
    assert (config.eval_every, config.steps, config.eval_size) == (200, 50 * 200, 4000)
    assert (config.optimizer, config.loss) == ("adam", "l2")
    assert [member.settings["eval_every"] for member in found[:2]] == [313, 200]  # an epoch is rounded up
    for key in (
        "[settings] device", "[training] patience", "[output] dirbase", "[dataset] directory", "[dataset.training] filename",
        "[dataset.training] predictionfile", "[problem] variables", "[problem] nterms", "[dataset] roulette", "[problem] filename",
        "[lens], [source], [position]", "[simulator] centred", "[simulator] nterms",
    ):  # fmt: skip
        assert any(notice.startswith(f"{key}: ") for notice in notices), key
    assert not any("unknown" in notice or "\n" in notice for notice in notices)


def test_one_experiment_without_its_problem(folder):
    (member,), notices = droulette.members(folder / "ml.toml", BASE)
    assert member.folder == "base"
    assert member.settings == {
        "model": "regnet_y_32gf", "learning_rate": 1e-3, "batch_size": 32, "weight_decay": 1e-4, "optimizer": "adam", "loss": "l2",
    }  # fmt: skip
    assert notices == [
        "problem: sis2023, as in the base config, since no dataset.toml says which",
        "[training] num-epochs: not used: no [dataset.training] size is given; 1000000 steps, as in the base config",
    ]


def test_a_problem_alone(folder):
    (member,), notices = droulette.members(folder / "problem.toml", BASE)
    assert (member.settings["problem"], member.settings["eval_every"], member.settings["eval_size"]) == ("sie2026", 1000, 4000)
    (folder / "dataset.toml").unlink()
    (member,), notices = droulette.members(folder / "problem.toml", BASE)
    assert "problem" not in member.settings and "eval_size" not in member.settings
    assert "[problem] dataset: no file 'dataset.toml' beside problem.toml; what it says is not used" in notices


@pytest.mark.parametrize(("size", "images"), [("", 6000), ("size = 0.25", 5000), ("size = 500", 500)])
def test_a_part_may_be_a_fraction_or_the_rest(folder, size, images):
    path = folder / "problem.toml"
    path.write_text(PROBLEM.replace("size = 0.2", size).replace('"validation.csv"', '"validation.csv"\nsize = 4000'))
    assert droulette.members(path, BASE)[0][0].settings["eval_size"] == images


@pytest.mark.parametrize(
    ("lens", "problem"),
    [
        ('mode = "SIS"\n[cluster]\ncount = 4', "cluster4sis2026"),
        ('mode = "SIE"\n[cluster]\ncount = 2', "cluster2sie2026"),
        ('modes = ["PM"]', "pm2022"),
        ('mode = "SIE"\n[cluster]\ncount = 3', None),
        ('modes = ["SIS", "SIE"]', None),
    ],
)
def test_the_lenses_choose_the_problem(folder, lens, problem):
    (folder / "dataset.toml").write_text(DATASET.replace('mode = "SIE"\neinstein-min = 2.5', lens))
    (member,), notices = droulette.members(folder / "problem.toml", BASE)
    assert member.settings.get("problem") == problem
    assert any("no problem has such lenses" in notice for notice in notices) == (problem is None)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("patience", "patiense", "[training] patiense: unknown, and not used; did you mean patience?"),
        ("weight-decay", "weight-decai", "[hyperparameters.array] weight-decai: unknown, and not used; did you mean weight-decay?"),
        ("predictionfile", "predictonfile", "[dataset.training] predictonfile: unknown, and not used; did you mean predictionfile?"),
        ("[output]", "[outputs]", "outputs: unknown, and not used; did you mean output?"),
    ],
)
def test_unknown_keys_are_named(folder, old, new, said):
    path = folder / "experimentbatch.toml"
    path.write_text(BATCH.replace(old, new))
    assert said in droulette.members(path, BASE)[1]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"swin_t"', '"swin_q"', "model: the value is 'swin_q'; .*did you mean swin"),
        ("[1e-3, 1e-4]", '"fast"', r"\[hyperparameters\] learning-rate: .*expected numbers"),
        ("[1e-3, 1e-4]", "[0.0]", "learning_rate: the value is 0.0; expected a positive number"),
        ("[32, 50]", "[32, 0]", "batch_size: the value is 0; expected 1 or more"),
        ("[32, 50]", "[32.5]", "batch_size: the value is 32.5; expected a whole number"),
        ("num-epochs = 50", "num-epochs = 0", r"\[training\] num-epochs: the value is 0; expected a whole number from 1"),
        ('"problem.toml"', "3", r"\[settings\] problem: the value is 3; expected the name of a file"),
        ('"train.csv"', '"train.csv"\nsize = "all"', r"\[dataset.training\] size: .*expected a number of images"),
    ],
)
def test_values_that_cannot_be_used_are_refused(folder, old, new, said):
    path = folder / "experimentbatch.toml"
    path.write_text(BATCH.replace(old, new))
    with pytest.raises(BadInput, match=f"experimentbatch.toml: {said}") as error:
        droulette.members(path, BASE)
    assert "\n" not in str(error.value)


def test_other_files_are_refused(folder):
    with pytest.raises(BadInput, match="dataset.toml: the file is of no known kind"):
        droulette.members(folder / "dataset.toml", BASE)


def test_the_program_reads_them(folder):
    words = [sys.executable, "-m", "experiments.sweep", f"--config={folder}/experimentbatch.toml", "--base=thesis", "--count"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "8\n"
    assert all(line.startswith("sweep: experimentbatch.toml: [") for line in done.stderr.splitlines()) and "patience" in done.stderr
