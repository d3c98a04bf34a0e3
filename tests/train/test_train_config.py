import dataclasses

import pytest

from lensjax import problems
from lensjax.errors import BadInput
from lensjax.train import TrainConfig
from lensjax.train import config as configs


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("model", "compakt", "did you mean compact"),
        ("problem", "sis2032", "did you mean sis2023"),
        ("method", "raytraced", "raytrace"),
        ("targets", "coded", "encoded"),
        ("optimizer", "adamm", "adamw"),
        ("schedule", "cosin", "cosine"),
        ("loss", "l3", "l1"),
        ("dtype", "bfloat", "bfloat16"),
        ("batch_size", 0, "1 or more"),
        ("steps", 0, "1 or more"),
        ("eval_every", -1, "1 or more"),
        ("batch_size", 2.5, "a whole number"),
        ("integer", 1, "True or False"),
        ("learning_rate", 0.0, "positive"),
        ("learning_rate", float("nan"), "positive"),
        ("learning_rate", float("inf"), "positive"),
        ("weight_decay", -1.0, "0 or more"),
        ("clip_norm", float("nan"), "0 or more"),
        ("warmup_steps", 1_000_000, "below steps"),
        ("ema", 1.0, "below 1"),
        ("head_scale", 0.0, "positive"),
        ("zeroed", "norm[", "regular expression"),
        ("patience", -1, "0 or more"),
        ("seed", 2**32, "below 2**32"),
    ],
)
def test_bad_fields_are_named(field, value, said):
    with pytest.raises(BadInput) as error:
        TrainConfig(**{field: value})
    line = str(error.value)
    assert field in line and said in line and "\n" not in line


def test_whole_numbers_pass_for_floats():
    assert TrainConfig(learning_rate=1) == TrainConfig(learning_rate=1.0)


def test_unknown_field_suggests_the_nearest():
    with pytest.raises(BadInput, match="did you mean batch_size"):
        configs.from_mapping({"batchsize": 4})


def test_file_roundtrip(tmp_path):
    config = TrainConfig(model="compact", image_size=32, ema=0.5, integer=False)
    configs.write(config, tmp_path / "config.json")
    assert configs.read(tmp_path / "config.json") == config


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00", '{"modell": "compact"}', '{"steps": "many"}'])
def test_bad_file_is_named(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="config.json"):
        configs.read(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match="config.json: no such file"):
        configs.read(tmp_path / "config.json")


OTHER = {"problem": "pm2022", "data": "set", "split": "8,1,1", "augment": "any",
         "method": "raytrace", "frame": "canonical", "targets": "polar", "point": "centre",
         "amplitude_scale": "raw", "weights": "1,2,1,1,1,1", "head": "gaussian", "optimizer": "sgd", "loss": "l2",
         "schedule": "cosine", "dtype": "bfloat16", "model": "vgg19_bn", "init": "weights",
         "zeroed": "features", "frozen": "features", "slowed": "features", "hidden": "128,64", "cluster_labels": "cosmosim"}  # fmt: skip


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(TrainConfig)])
def test_what_a_resumed_run_may_change(tmp_path, field):
    needed = {"problem": "cluster2sie2026", "targets": "amplitudes"} if field == "cluster_labels" else {"targets": "raw"}
    old = TrainConfig(schedule="thesis", **needed)
    value = getattr(old, field)
    if isinstance(value, str):
        new = OTHER[field]
    elif isinstance(value, bool):
        new = not value
    else:
        new = value / 2 + 0.1 if isinstance(value, float) else value + 1
    changed = dataclasses.replace(old, **{field: new})
    if field in configs.MAY_CHANGE:
        configs.check_same_run(old, changed, path=tmp_path)
        return
    with pytest.raises(BadInput, match=f": {field}: the value is .*; expected .*, as this run has; choose another --workdir"):
        configs.check_same_run(old, changed, path=tmp_path)


def test_constant_schedule_may_go_on_longer(tmp_path):
    old = TrainConfig(schedule="constant", steps=10)
    configs.check_same_run(old, dataclasses.replace(old, steps=20), path=tmp_path)


@pytest.mark.parametrize("problem", problems.names())
@pytest.mark.parametrize("targets", ["encoded", "raw"])
def test_one_output_for_each_target(problem, targets):
    config = TrainConfig(problem=problem, targets=targets, image_size=32)
    task = configs.make_problem(config)
    outputs = configs.make_model(config, task).num_outputs
    if targets == "raw":
        assert outputs == len(task.parameters)
    else:
        assert outputs >= len(task.parameters) - len(task.without_image)


@pytest.mark.parametrize(("hidden", "extra"), [("128;64", False), ("0", False), (",", False), ("128,64", True)])
def test_widths_before_the_output_are_checked(hidden, extra):
    with pytest.raises(BadInput, match=f"^hidden: the value is '{hidden}'; expected widths such as"):
        TrainConfig(hidden=hidden, extra_layers=extra)
