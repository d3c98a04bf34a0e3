import dataclasses
import json

import jax
import numpy as np
import pytest
import safetensors.numpy

from lensjax import trained
from lensjax.errors import BadInput
from lensjax.train import TrainConfig, export_weights, load_weights
from lensjax.train import config as configs
from lensjax.train.layers import init_variables

CONFIG = TrainConfig(model="compact", image_size=32, method="ring")


@pytest.fixture(scope="module")
def variables():
    model = configs.make_model(CONFIG, configs.make_problem(CONFIG))
    shapes = jax.eval_shape(lambda key: init_variables(model, key, image_size=32), jax.random.key(0))
    numbers = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: numbers.normal(size=leaf.shape).astype(leaf.dtype), shapes)


@pytest.fixture
def folder(tmp_path, variables):
    return export_weights(tmp_path / "weights", variables, dataclasses.asdict(CONFIG), {"MAE": 0.5})


def rewrite(folder, change):
    path = folder / "weights.safetensors"
    tensors = safetensors.numpy.load_file(path)
    change(tensors)
    safetensors.numpy.save_file(tensors, path)


def test_roundtrip(folder, variables):
    found, config = load_weights(folder)
    assert config == dataclasses.asdict(CONFIG)
    assert jax.tree.structure(found) == jax.tree.structure(variables)
    jax.tree.map(np.testing.assert_array_equal, found, variables)


def test_half_the_space(tmp_path, folder, variables):
    halved = export_weights(tmp_path / "half", variables, dataclasses.asdict(CONFIG), half=True)
    whole, half = ((path / "weights.safetensors").stat().st_size for path in (folder, halved))
    assert half < 0.55 * whole
    found = load_weights(halved)[0]
    jax.tree.map(np.testing.assert_array_equal, found["batch_stats"], variables["batch_stats"])
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(found))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=5e-4, atol=1e-7), found["params"], variables["params"])
    variables = jax.tree.map(lambda leaf: leaf * 1e6, variables)
    with pytest.raises(ValueError, match="params/.* does not fit float16"):
        export_weights(tmp_path / "large", variables, dataclasses.asdict(CONFIG), half=True)
    assert not (tmp_path / "large").exists()


def test_names_are_flat_and_scores_stand_beside(folder):
    tensors = safetensors.numpy.load_file(folder / "weights.safetensors")
    assert {"params/Conv_0/kernel", "batch_stats/BatchNorm_0/mean"} <= set(tensors)
    assert json.loads((folder / "config.json").read_text())["metrics"] == {"MAE": 0.5}
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "weights.safetensors"]


def test_fields_left_out_take_their_defaults(tmp_path, variables):
    export_weights(tmp_path, variables, {"model": "compact", "image_size": 32})
    assert load_weights(tmp_path)[1] == dataclasses.asdict(TrainConfig(model="compact", image_size=32))


def test_export_refuses_what_is_no_config(tmp_path, variables):
    with pytest.raises(BadInput, match="did you mean image_size"):
        export_weights(tmp_path, variables, {"imagesize": 32})
    assert not list(tmp_path.iterdir())


def test_missing_tensor(folder):
    rewrite(folder, lambda tensors: tensors.pop("params/Conv_1/kernel"))
    with pytest.raises(BadInput, match=r"weights.safetensors: tensor params/Conv_1/kernel: missing; expected float32\[3, 3, "):
        load_weights(folder)


def test_surplus_tensor(folder):
    rewrite(folder, lambda tensors: tensors.update({"params/Conv_99/kernel": np.zeros(3, np.float32)}))
    with pytest.raises(BadInput, match="weights.safetensors: tensor params/Conv_99/kernel: surplus"):
        load_weights(folder)


def test_misshaped_tensor(folder):
    def change(tensors):
        tensors["params/Dense_0/bias"] = np.zeros(3, np.float32)

    rewrite(folder, change)
    with pytest.raises(BadInput, match=r"weights.safetensors: tensor params/Dense_0/bias: float32\[3\]; expected float32\["):
        load_weights(folder)


def test_tensor_of_another_type(folder):
    def change(tensors):
        tensors["params/Dense_0/bias"] = tensors["params/Dense_0/bias"].astype(np.float64)

    rewrite(folder, change)
    with pytest.raises(BadInput, match="weights.safetensors: tensor params/Dense_0/bias: float64"):
        load_weights(folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(BadInput, match=f"{name}: no such file"):
        load_weights(folder)


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe\x00garbage", b"[]"])
def test_unreadable_file(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(BadInput, match=name):
        load_weights(folder)


def test_cut_file(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadInput, match="weights.safetensors: not a safetensors file"):
        load_weights(folder)


@pytest.mark.parametrize("value", [{"model": "nothing"}, {"image_size": "32"}, {"colour": 1}])
def test_config_of_another_network(folder, value):
    content = json.loads((folder / "config.json").read_text())
    content["config"] |= value
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match="config.json: "):
        load_weights(folder)


def test_config_is_believed_over_the_tensors(folder):
    """Another image size is another network: its first fully connected layer has other weights."""
    content = json.loads((folder / "config.json").read_text())
    content["config"]["image_size"] = 64
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match="weights.safetensors: tensor params/Dense_0/kernel: "):
        load_weights(folder)


@pytest.mark.slow  # draws a thousand clusters, for the spreads of their amplitudes
def test_networks_of_cosmosims_labels_are_read_again(tmp_path):
    config = TrainConfig(model="compact", problem="cluster4sis2026", image_size=32, targets="amplitudes", cluster_labels="cosmosim")
    model = configs.make_model(config, configs.make_problem(config))
    shapes = jax.eval_shape(lambda key: init_variables(model, key, image_size=32), jax.random.key(0))
    export_weights(tmp_path, jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes), dataclasses.asdict(config))
    found = trained.network(tmp_path, problem="cluster4sis2026")
    assert found.task.amplitudes is not None and found.task.amplitudes.about is not None
    assert found.predict(np.full((1, 256, 256), 7.0)).shape == (1, len(found.task.amplitudes.names))


def test_a_last_layer_with_another_number_of_outputs_is_read_where_it_may(folder, variables):
    config = dataclasses.replace(CONFIG, problem="pm2022", targets="amplitudes", order=2)
    model = configs.make_model(config, configs.make_problem(config))
    found = load_weights(folder, model=model, image_size=32, other_head=True)[0]
    assert found["params"]["Dense_1"]["bias"].shape == variables["params"]["Dense_1"]["bias"].shape
    np.testing.assert_array_equal(found["params"]["Dense_0"]["kernel"], variables["params"]["Dense_0"]["kernel"])
    with pytest.raises(BadInput, match="tensor params/Dense_1"):
        load_weights(folder, model=model, image_size=32)
    with pytest.raises(BadInput, match="tensor params/Dense_0/kernel"):
        load_weights(folder, model=model, image_size=64, other_head=True)
