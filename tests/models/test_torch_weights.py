"""What becomes of PyTorch's tensors: grey from colour, another head, and another network's weights refused."""

import re

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from lensjax import models
from lensjax.errors import BadInput
from lensjax.models import torch_weights
from tests.models.test_zoo import state_dict

NAME, SIDE = "squeezenet1_1", 64


@pytest.fixture(scope="module")
def tensors():
    return state_dict(NAME, SIDE)


def answer(variables, image, num_outputs):
    net = models.create(NAME, num_outputs=num_outputs, image_size=SIDE)
    return np.asarray(jax.jit(lambda v, x: net.apply(v, x, train=False))(variables, image))


@pytest.mark.slow
def test_grey_gives_what_three_equal_channels_gave(tensors):
    colour = torch_weights.convert(tensors, NAME, num_outputs=1000, in_channels=3, image_size=SIDE)
    grey = torch_weights.convert(tensors, NAME, num_outputs=1000, in_channels=1, image_size=SIDE)
    image = jax.random.uniform(jax.random.key(0), (1, SIDE, SIDE, 1))
    np.testing.assert_allclose(answer(grey, image, 1000), answer(colour, jnp.repeat(image, 3, axis=-1), 1000), rtol=1e-4, atol=1e-5)


def test_head_is_fresh_for_other_outputs_and_the_rest_is_taken_over(tensors):
    first, again, other = (torch_weights.convert(tensors, NAME, num_outputs=6, image_size=SIDE, seed=seed) for seed in (1, 1, 2))
    kernels = [v["params"]["classifier.1"]["kernel"] for v in (first, again, other)]
    assert kernels[0].shape[-1] == 6 and (kernels[0] == kernels[1]).all() and (kernels[0] != kernels[2]).any()
    kernel = tensors["features.3.squeeze.weight"].transpose(2, 3, 1, 0)
    leaves = {p: v for p, v in torch_weights._flat(first).items() if torch_weights.torch_name(p[1:]) == "features.3.squeeze.weight"}
    np.testing.assert_array_equal(next(iter(leaves.values())), kernel)


def test_fresh_first_layer(tensors):
    found = torch_weights.convert(tensors, NAME, num_outputs=6, image_size=SIDE, first="fresh")
    kernel = found["params"]["features.0"]["kernel"]
    assert kernel.shape[2] == 1 and not np.allclose(kernel, tensors["features.0.weight"].transpose(2, 3, 1, 0).sum(2, keepdims=True))


def test_extra_layers_stand_in_for_the_last(tensors):
    found = torch_weights.convert(tensors, NAME, num_outputs=6, image_size=SIDE, extra_layers=True)
    assert "output" in found["params"] and "classifier.1" not in found["params"]


def test_another_networks_weights_are_refused(tensors):
    with pytest.raises(BadInput, match=r"resnet18: missing: bn1.running_mean, .* and [0-9]+ more; surplus: classifier.1.bias, "):
        torch_weights.convert(tensors, "resnet18", num_outputs=6, image_size=SIDE)
    lacking = {key: value for key, value in tensors.items() if key != "features.0.bias"}
    with pytest.raises(BadInput, match="missing: features.0.bias$"):
        torch_weights.convert(lacking, NAME, num_outputs=6, image_size=SIDE)
    with pytest.raises(BadInput, match="surplus: fc.weight$"):
        torch_weights.convert({**tensors, "fc.weight": np.zeros((2, 2), np.float32)}, NAME, num_outputs=6, image_size=SIDE)
    with pytest.raises(BadInput, match=r"of another shape: features.0.weight is \[64, 3, 5, 5\], which does not fit \[64, 1, 3, 3\]$"):
        wrong = {**tensors, "features.0.weight": np.zeros((64, 3, 5, 5), np.float32)}
        torch_weights.convert(wrong, NAME, num_outputs=6, image_size=SIDE)
    with pytest.raises(BadInput, match=r"of another type: features.0.bias is int64, not floating numbers$"):
        torch_weights.convert({**tensors, "features.0.bias": np.zeros(64, np.int64)}, NAME, num_outputs=6, image_size=SIDE)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16])
def test_weights_of_any_floating_type_become_float32(tensors, dtype):
    found = torch_weights.convert({k: v.astype(dtype) for k, v in tensors.items()}, NAME, num_outputs=1000, in_channels=3, image_size=SIDE)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {jnp.dtype("float32")}
    expected = tensors["features.0.weight"].astype(dtype).astype(np.float32).transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(found["params"]["features.0"]["kernel"], expected)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("squeezenet1_1", {"extra": "classifier.1", "extra0": "classifier.5", "extra1": "classifier.7", "output": "classifier.9"}),
        ("resnet18", {"extra0": "fc.0", "extra1": "fc.2", "output": "fc.4"}),
        pytest.param(
            "efficientnet_b0", {"extra0": "classifier.1", "extra1": "classifier.3", "output": "classifier.5"}, marks=pytest.mark.slow
        ),
    ],
)
def test_networks_of_the_thesis_with_extra_layers_are_taken_over_whole(name, layers):
    random, expected, tensors = np.random.default_rng(0), {}, {}
    for path, leaf in torch_weights.shapes(name, num_outputs=6, in_channels=1, image_size=SIDE, extra_layers=True).items():
        value = expected[path] = random.standard_normal(leaf.shape, np.float32)
        if path[-1] == "kernel":
            value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
        layer, _, word = torch_weights.torch_name(path[1:]).rpartition(".")
        tensors[f"{layers.get(layer, layer)}.{word}"] = value
    found = torch_weights._flat(torch_weights.convert(tensors, name, num_outputs=6, image_size=SIDE, extra_layers=True))
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value)


@pytest.mark.parametrize(
    ("name", "old"),
    [
        pytest.param("densenet121", lambda key: re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key), marks=pytest.mark.slow),
        pytest.param("vit_b_32", lambda key: key.replace("mlp.0", "mlp.linear_1").replace("mlp.3", "mlp.linear_2"), marks=pytest.mark.slow),
    ],
)
def test_names_that_published_weights_still_have(name, old):
    tensors = state_dict(name, 96)
    published = {old(key): value for key, value in tensors.items()}
    assert len(published.keys() - tensors.keys()) > 40
    found, expected = (torch_weights.convert(t, name, num_outputs=1000, in_channels=3) for t in (published, tensors))
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: np.array_equal(a, b), found, expected)))


@pytest.mark.slow
def test_position_embedding_is_interpolated():
    name = "vit_b_32"
    found = state_dict(name, 96)
    converted = torch_weights.convert(found, name, num_outputs=6, image_size=160)
    embedding = torch_weights._flat(converted)["params", "encoder", "pos_embedding"]
    assert embedding.shape == (1, 26, 768)
    np.testing.assert_array_equal(embedding[:, 0], found["encoder.pos_embedding"][:, 0])
    # Corners are kept where the ends of both grids coincide.
    np.testing.assert_allclose(embedding[0, [1, 5, 21, 25]], found["encoder.pos_embedding"][0, [1, 3, 7, 9]], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_position_embedding_is_interpolated_where_it_is_used():
    name = "vit_b_32"
    tensors = state_dict(name, 96)
    kept, changed = (torch_weights.convert(tensors, name, num_outputs=6, image_size=size) for size in (None, 160))
    embeddings = [v["params"]["encoder"]["pos_embedding"] for v in (kept, changed)]
    assert [e.shape[1] for e in embeddings] == [10, 26]
    net = models.create(name, num_outputs=6, image_size=160)
    image = jax.random.uniform(jax.random.key(0), (1, 160, 160, 1))
    kept["params"]["heads.head"] = changed["params"]["heads.head"] = {"kernel": jnp.ones((768, 6)), "bias": jnp.zeros(6)}
    answers = [net.apply(v, image, train=False) for v in (kept, changed)]
    np.testing.assert_allclose(*answers, rtol=1e-5)


def droulettes(name, outputs, side=64):
    """A state_dict as droulette saves it: three colours, and three layers in place of the last one."""
    tensors = state_dict(name, side)
    rng = np.random.default_rng(0)
    width = tensors.pop("fc.weight").shape[1]
    del tensors["fc.bias"]
    for index, (rows, columns) in zip((0, 3, 6), ((128, width), (64, 128), (outputs, 64)), strict=True):
        tensors[f"fc.{index}.weight"] = rng.normal(size=(rows, columns)).astype(np.float32) / columns**0.5
        tensors[f"fc.{index}.bias"] = rng.normal(size=rows).astype(np.float32)
    return tensors


@pytest.mark.slow
def test_droulettes_head_is_kept():
    name, side = "shufflenet_v2_x0_5", 64
    tensors = droulettes(name, 6)
    widths = torch_weights.droulettes_widths(tensors, name)
    assert widths == (128, 64) and torch_weights.droulettes_widths(state_dict(name, side), name) == ()
    options = {"num_outputs": 6, "image_size": side}
    found = torch_weights.convert(tensors, name, extra_layers=widths, **options)
    image = jax.random.uniform(jax.random.key(0), (1, side, side, 1))
    net = models.create(name, extra_layers=widths, **options)
    ours = np.asarray(jax.jit(lambda v, x: net.apply(v, x, train=False))(found, image))[0]

    # What goes into the head, by a last layer that passes it on.
    width = tensors["fc.0.weight"].shape[1]
    plain = {key: value for key, value in tensors.items() if not key.startswith("fc.")}
    plain |= {"fc.weight": np.eye(width, dtype=np.float32), "fc.bias": np.zeros(width, np.float32)}
    passed = torch_weights.convert(plain, name, num_outputs=width, image_size=side)
    body = models.create(name, num_outputs=width, image_size=side)
    x = np.asarray(jax.jit(lambda v, x: body.apply(v, x, train=False))(passed, image))[0]
    for index in (0, 3):
        x = np.maximum(tensors[f"fc.{index}.weight"] @ x + tensors[f"fc.{index}.bias"], 0)
    np.testing.assert_allclose(ours, tensors["fc.6.weight"] @ x + tensors["fc.6.bias"], rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_heads_are_named():
    """By each family, for `head_scale` and conversion: the layers whose size goes with the number of outputs."""
    for family in models.FAMILIES:
        name = next(iter(family.VARIANTS))
        for extra in (False, True):
            options = {"in_channels": 1, "image_size": 299 if name == "inception_v3" else 224, "extra_layers": extra}
            leaves = torch_weights.shapes(name, num_outputs=7919, **options)
            sized = {".".join(path[1:-1]) for path, leaf in leaves.items() if leaf.shape[-1:] == (7919,)}
            heads = set(models.head_names(models.create(name, num_outputs=7919, **options)))
            layers = {".".join(path[1:-1]) for path in leaves}
            assert heads & layers == sized, name
