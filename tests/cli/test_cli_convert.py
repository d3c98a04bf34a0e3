"""`lensjax convert`: what it writes starts a run, and what it refuses."""

import numpy as np
import pytest
import safetensors.numpy

from lensjax import models
from lensjax.cli import main as cli
from lensjax.models import torch_weights
from lensjax.train.export import load_weights

NAME, SIDE = "squeezenet1_1", 32


@pytest.fixture(scope="module")
def tensors():
    """PyTorch's tensors of the network, by name."""
    random, found = np.random.default_rng(0), {}
    for path, leaf in torch_weights.shapes(NAME, num_outputs=1000, in_channels=3, image_size=SIDE).items():
        value = 0.1 * random.standard_normal(leaf.shape, np.float32)
        found[torch_weights.torch_name(path[1:])] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
    return {name: np.ascontiguousarray(value) for name, value in found.items()}


@pytest.fixture(scope="module")
def file(tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    safetensors.numpy.save_file(tensors, path)
    return path


def run(*words):
    return cli.main(["convert", *(str(word) for word in words)])


def test_what_it_writes_starts_a_run(file, tensors, tmp_path, capsys):
    out = tmp_path / "imagenet"
    assert run(file, "--model", NAME, "--image-size", SIDE, "--out", out) == 0
    assert "squeezenet1_1" in capsys.readouterr().out
    net = models.create(NAME, num_outputs=6, image_size=SIDE)
    variables, config = load_weights(out, model=net, image_size=SIDE)
    assert (config["model"], config["problem"], config["image_size"]) == (NAME, "sis2023", SIDE)
    kernel = variables["params"]["features.0"]["kernel"]
    np.testing.assert_allclose(kernel[:, :, 0], tensors["features.0.weight"].sum(axis=1).transpose(1, 2, 0), rtol=1e-5, atol=1e-6)


def test_first_layer_and_last_layer(file, tensors, tmp_path):
    for seed in (1, 2):
        assert run(file, "--model", NAME, "--image-size", SIDE, "--first", "fresh", "--seed", seed, "--out", tmp_path / str(seed)) == 0
    net = models.create(NAME, num_outputs=6, image_size=SIDE)
    one, two = (load_weights(tmp_path / name, model=net, image_size=SIDE)[0]["params"] for name in "12")
    assert (one["features.0"]["kernel"] != two["features.0"]["kernel"]).any()
    assert (one["classifier.1"]["kernel"] != two["classifier.1"]["kernel"]).any()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--model", "squeezenet1_2"], "did you mean squeezenet1_1"),
        (["--model", "resnet18"], "net.safetensors: not the weights of resnet18: missing: "),
        (["--model", "vit_b_16", "--image-size", "100"], "multiple of 16"),
        (["--model", NAME, "--problem", "sis2024"], "sis2023"),
        (["--model", NAME, "--image-size", "0"], "--image-size"),
    ],
)
def test_one_line_and_nothing_written(file, tmp_path, capsys, words, says):
    assert run(file, "--out", tmp_path / "out", *words) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and says in err and out == "" and not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04", b"\x80\x02cos\nsystem\n."])
def test_what_is_no_file_of_weights(tmp_path, capsys, content):
    path = tmp_path / "net.pth"
    path.write_bytes(content)
    for name in (path, tmp_path / "none.pth"):
        assert run(name, "--model", NAME, "--out", tmp_path / "out") == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and str(name) in err and not (tmp_path / "out").exists()


def test_out_that_is_a_file(file, tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    assert run(file, "--model", NAME, "--image-size", SIDE, "--out", tmp_path / "taken") == 2
    assert "taken is a file; expected a folder" in capsys.readouterr().err and (tmp_path / "taken").read_text() == "mine"


def test_droulettes_head_is_recognised(tmp_path):
    """Three layers in place of the last one, after a network of three colours."""
    name, random = "shufflenet_v2_x0_5", np.random.default_rng(0)
    tensors = {}
    for path, leaf in torch_weights.shapes(name, num_outputs=1000, in_channels=3, image_size=SIDE).items():
        value = random.standard_normal(leaf.shape, np.float32)
        tensors[torch_weights.torch_name(path[1:])] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
    width = len(tensors.pop("fc.weight"))
    del tensors["fc.bias"]
    for index, (rows, columns) in zip((0, 3, 6), ((128, width), (64, 128), (40, 64)), strict=True):
        tensors |= {f"fc.{index}.weight": np.ones((rows, columns), np.float32), f"fc.{index}.bias": np.full(rows, index, np.float32)}
    safetensors.numpy.save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, tmp_path / "model.safetensors")
    out = tmp_path / "out"
    assert run(tmp_path / "model.safetensors", "--model", name, "--image-size", SIDE, "--out", out) == 0
    variables, config = load_weights(
        out, model=models.create(name, num_outputs=6, extra_layers=(128, 64), image_size=SIDE), image_size=SIDE
    )
    assert config["hidden"] == "128,64"
    np.testing.assert_array_equal(variables["params"]["extra1"]["bias"], 3.0)
    assert variables["params"]["output"]["kernel"].shape == (64, 6)
