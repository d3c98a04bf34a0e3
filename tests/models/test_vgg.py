"""VGG against torchvision: sizes, the logits of stored references, and how training and types behave."""

import importlib.util
import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from lensjax import models
from lensjax.errors import BadInput
from lensjax.models.layers import adaptive_average_pool
from lensjax.models.vgg import VGG

# Trainable parameters of torchvision 0.28's networks, 3 channels, 1000 outputs.
TORCHVISION = {
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
}
REFERENCE = json.loads(Path(__file__).with_name("vgg_reference.json").read_text())


def _formulas():
    """scripts/reference_vgg.py, which filled the weights of the references."""
    path = Path(__file__).parents[2] / "scripts" / "reference_vgg.py"
    spec = importlib.util.spec_from_file_location("reference_vgg", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _shapes(net, *, side=32, channels=3, train=False):
    image = jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    return jax.eval_shape(partial(net.init, train=train), keys, image)


def _count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _torch_names(name):
    """Path in our tree → (PyTorch's name, how its array turns), read off torchvision's order of layers."""
    depth, batch_norm = int(name[3:5]), name.endswith("_bn")
    stages = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}[depth]
    same, found = (), {}
    index = layer = 0
    for stage in stages:
        for _ in range(stage):
            found["params", f"conv{layer}", "kernel"] = f"features.{index}.weight", (2, 3, 1, 0)
            found["params", f"conv{layer}", "bias"] = f"features.{index}.bias", same
            if batch_norm:
                norm, torch_norm = f"norm{layer}", f"features.{index + 1}"
                found["params", norm, "scale"] = f"{torch_norm}.weight", same
                found["params", norm, "bias"] = f"{torch_norm}.bias", same
                found["batch_stats", norm, "mean"] = f"{torch_norm}.running_mean", same
                found["batch_stats", norm, "var"] = f"{torch_norm}.running_var", same
            index += 3 if batch_norm else 2
            layer += 1
        index += 1
    for ours, position in (("dense0", 0), ("dense1", 3), ("output", 6)):
        found["params", ours, "kernel"] = f"classifier.{position}.weight", (1, 0)
        found["params", ours, "bias"] = f"classifier.{position}.bias", same
    return found


def _largest_difference(name):
    """Largest difference from torchvision's logits, in shares of the largest logit."""
    formulas = _formulas()
    net = models.create(name, num_outputs=1000, in_channels=3, image_size=formulas.SIDE)
    shapes = flatten_dict(_shapes(net))
    torch_names = _torch_names(name)
    assert torch_names.keys() == shapes.keys()

    variables: dict = {}
    for (collection, layer, leaf), (torch_name, turn) in torch_names.items():
        shape = shapes[collection, layer, leaf].shape
        torch_shape = tuple(shape[i] for i in np.argsort(turn)) if turn else shape
        value = formulas.tensor(torch_name, torch_shape)
        value = jnp.asarray(value.transpose(turn) if turn else value)
        assert value.shape == shape
        variables.setdefault(collection, {}).setdefault(layer, {})[leaf] = value
    image = jnp.asarray(formulas.image().transpose(0, 2, 3, 1))
    with jax.default_matmul_precision("highest"):
        logits = np.asarray(net.apply(variables, image, train=False), np.float64)[0, : formulas.KEPT]
    expected = np.array(REFERENCE[name])
    return np.abs(logits - expected).max() / np.abs(expected).max()


def test_same_logits_as_torchvision():
    assert _largest_difference("vgg11_bn") < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCHVISION)
def test_same_logits_as_torchvision_all(name):
    assert _largest_difference(name) < 1e-4


@pytest.mark.parametrize("name", TORCHVISION)
def test_same_number_of_parameters_as_torchvision(name):
    net = models.create(name, num_outputs=1000, in_channels=3)
    assert _count(_shapes(net)["params"]) == TORCHVISION[name]


def test_extra_layers_are_two_more():
    plain, extra = (
        _shapes(models.create("vgg11", num_outputs=6, extra_layers=extra), channels=1)["params"]
        for extra in (False, True)
    )
    assert {layer: extra[layer]["kernel"].shape for layer in ("dense2", "dense3", "output")} == {
        "dense2": (4096, 1024),
        "dense3": (1024, 512),
        "output": (512, 6),
    }
    assert extra.keys() - plain.keys() == {"dense2", "dense3"}
    assert plain["output"]["kernel"].shape == (4096, 6)


@pytest.mark.parametrize("side", [32, 100, 400])
@pytest.mark.parametrize("name", ["vgg11", "vgg19_bn"])
def test_any_size_gives_one_row_of_outputs(name, side):
    net = models.create(name, num_outputs=6, image_size=side)
    variables = _shapes(net, side=side, channels=1)
    image = jax.ShapeDtypeStruct((2, side, side, 1), jnp.float32)
    out = jax.eval_shape(partial(net.apply, train=False), variables, image)
    assert (out.shape, out.dtype) == ((2, 6), jnp.float32)


def _small(**options):
    """VGG's layers, few of them: two convolutions and narrow hidden layers."""
    return VGG(**{"num_outputs": 3, "depths": (1, 0, 0, 0, 1), "hidden": 64, **options})


def _drawn(net):
    """Variables at random for images of one channel; by NumPy, since that compiles nothing."""
    random = np.random.default_rng(0)

    def draw(path, like):
        if like.ndim > 1:
            spread = np.sqrt(2 / np.prod(like.shape[:-1]))
            return jnp.asarray(spread * random.standard_normal(like.shape, np.float32))
        return (jnp.ones if path[-1].key in ("scale", "var") else jnp.zeros)(like.shape)

    return jax.tree_util.tree_map_with_path(draw, _shapes(net, channels=1))


IMAGE = np.random.default_rng(1).random((2, 32, 32, 1), np.float32)


@pytest.mark.parametrize(
    "net",
    [
        models.create("vgg11_bn", num_outputs=6, image_size=32).clone(hidden=64),
        _small(num_outputs=6, batch_norm=True, dtype=jnp.bfloat16),
    ],
    ids=["vgg11_bn", "bfloat16"],
)
def test_a_step_of_training_is_finite_and_moves_the_statistics(net):
    variables = _drawn(net)

    def loss(params):
        out, new = net.apply(
            {**variables, "params": params},
            IMAGE,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(2)},
        )
        return jnp.mean((out - 1.0) ** 2), (out, new)

    (value, (out, new)), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(variables["params"])
    assert {leaf.dtype for leaf in jax.tree.leaves((out, new, gradients))} == {jnp.dtype("float32")}
    assert out.shape == (2, 6)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((value, out, new, gradients)))
    # A bias before a normalisation has no effect; everything else must be reached.
    for path, gradient in flatten_dict(gradients).items():
        assert np.any(gradient) or (path[0].startswith("conv") and path[1] == "bias"), path
    before, after = variables["batch_stats"], new["batch_stats"]
    assert all(np.any(before[layer]["mean"] != after[layer]["mean"]) for layer in before)
    assert all(np.any(before[layer]["var"] != after[layer]["var"]) for layer in before)


def test_bfloat16_is_the_type_of_the_arithmetic_only():
    """Parameters are float32 and so is the output, which differs from that of float32, a little."""
    nets = [_small(batch_norm=True, dtype=dtype) for dtype in (jnp.float32, jnp.bfloat16)]
    shapes = _shapes(nets[1], channels=1)
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}
    variables = _drawn(nets[1])
    full, half = (net.apply(variables, IMAGE, train=False) for net in nets)
    assert half.dtype == jnp.float32
    assert 0 < np.abs(full - half).max() < 0.05 * np.abs(full).max()


def test_dropout_acts_in_training_only():
    net = _small()
    variables = _drawn(net)
    first, second = (
        net.apply(variables, IMAGE, train=True, rngs={"dropout": jax.random.key(k)}) for k in (1, 2)
    )
    assert np.all(first != second)
    still = [net.apply(variables, IMAGE, train=False) for _ in range(2)]
    np.testing.assert_array_equal(*still)


def test_first_weights_have_torchvisions_spread():
    """Convolutions √(2/(9 channels out)), fully connected 0.01, biases zero."""
    net = _small(extra_layers=True)
    params = jax.jit(partial(net.init, train=False))(jax.random.key(0), IMAGE)["params"]
    assert np.std(params["conv1"]["kernel"]) == pytest.approx(np.sqrt(2 / (9 * 512)), rel=0.01)
    for layer in ("dense0", "dense2", "dense3"):
        assert np.std(params[layer]["kernel"]) == pytest.approx(0.01, rel=0.02)
    assert not any(np.any(layer["bias"]) for layer in params.values())


@pytest.mark.parametrize("height, width", [(1, 1), (2, 3), (5, 7), (7, 7), (10, 12), (12, 8), (14, 21)])
def test_adaptive_pool_averages_pytorchs_bins(height, width):
    x = np.random.default_rng(0).normal(size=(2, height, width, 3)).astype(np.float32)
    expected = np.empty((2, 7, 7, 3))
    for i in range(7):
        for j in range(7):
            rows = slice(int(np.floor(i * height / 7)), int(np.ceil((i + 1) * height / 7)))
            columns = slice(int(np.floor(j * width / 7)), int(np.ceil((j + 1) * width / 7)))
            expected[:, i, j] = x[:, rows, columns].astype(np.float64).mean(axis=(1, 2))
    np.testing.assert_allclose(adaptive_average_pool(jnp.asarray(x), (7, 7)), expected, rtol=1e-5, atol=1e-6)


def test_adaptive_pool_keeps_the_type():
    x = jnp.ones((1, 12, 12, 2), jnp.bfloat16)
    assert adaptive_average_pool(x, (7, 7)).dtype == jnp.bfloat16


def test_names_are_those_that_create_takes():
    names = models.names()
    assert set(TORCHVISION) | {"compact"} <= set(names)
    assert len(set(names)) == len(names)
    for name in names:
        net = models.create(name, num_outputs=4, in_channels=1, image_size=32, dtype=jnp.bfloat16)
        assert (net.num_outputs, net.extra_layers, net.dtype) == (4, False, jnp.bfloat16)


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"name": "vgg19bn"}, "vgg19_bn"),
        ({"name": "zzz"}, "compact"),
        ({"name": "vgg11", "image_size": 31}, "31 pixels; the smallest it takes is 32"),
        ({"name": "vgg11", "in_channels": 0}, "in_channels is 0"),
        ({"name": "vgg11", "num_outputs": 0}, "num_outputs is 0"),
    ],
)
def test_bad_requests_are_told_in_one_line(asked, said):
    with pytest.raises(BadInput, match=said) as error:
        models.create(**{"num_outputs": 6, **asked})
    assert "\n" not in str(error.value)
