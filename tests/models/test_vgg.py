"""VGG, and what all networks share: how training and types behave, the pool of any size, names. `test_zoo` has torchvision's logits."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from lensjax import models
from lensjax.errors import BadInput
from lensjax.models.layers import adaptive_average_pool
from lensjax.models.vgg import VGG


def _shapes(net, *, side=32, channels=3, train=False):
    image = jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    return jax.eval_shape(partial(net.init, train=train), keys, image)


def test_extra_layers_are_two_more():
    plain, extra = (_shapes(models.create("vgg11", num_outputs=6, extra_layers=extra), channels=1)["params"] for extra in (False, True))
    assert {layer: extra[layer]["kernel"].shape for layer in ("extra0", "extra1", "output")} == {
        "extra0": (4096, 1024),
        "extra1": (1024, 512),
        "output": (512, 6),
    }
    assert extra.keys() - plain.keys() == {"extra0", "extra1", "output"}
    assert plain["classifier.6"]["kernel"].shape == (4096, 6)


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
        pytest.param(models.create("vgg11_bn", num_outputs=6, image_size=32).clone(hidden=64), marks=pytest.mark.slow),
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
        assert np.any(gradient) or (path[0].startswith("features") and path[1] == "bias"), path
    before, after = variables["batch_stats"], new["batch_stats"]
    assert all(np.any(before[layer]["mean"] != after[layer]["mean"]) for layer in before)
    assert all(np.any(before[layer]["var"] != after[layer]["var"]) for layer in before)


@pytest.mark.slow
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
    first, second = (net.apply(variables, IMAGE, train=True, rngs={"dropout": jax.random.key(k)}) for k in (1, 2))
    assert np.all(first != second)
    still = [net.apply(variables, IMAGE, train=False) for _ in range(2)]
    np.testing.assert_array_equal(*still)


@pytest.mark.slow
def test_first_weights_have_torchvisions_spread():
    """Convolutions √(2/(9 channels out)), fully connected 0.01, biases zero."""
    net = _small(extra_layers=True)
    params = jax.jit(partial(net.init, train=False))(jax.random.key(0), IMAGE)["params"]
    assert np.std(params["features.6"]["kernel"]) == pytest.approx(np.sqrt(2 / (9 * 512)), rel=0.01)
    for layer in ("classifier.0", "extra0", "extra1"):
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
    assert {"compact", "vgg11", "vgg19_bn"} <= set(names)
    assert len(set(names)) == len(names)
    for name in names:
        net = models.create(name, num_outputs=4, in_channels=1, image_size=224, dtype=jnp.bfloat16)
        assert (net.num_outputs, net.extra_layers, net.dtype) == (4, False, jnp.bfloat16)


@pytest.mark.parametrize(
    "asked, said",
    [
        ({"name": "vgg19bn"}, "vgg19_bn"),
        ({"name": "zzz"}, "compact"),
        ({"name": "vgg11", "image_size": 31}, "image_size, model vgg11: the value is 31; expected 32 or more"),
        ({"name": "vgg11", "in_channels": 0}, "in_channels, model vgg11: the value is 0; expected 1 or more"),
        ({"name": "vgg11", "num_outputs": 0}, "num_outputs, model vgg11: the value is 0; expected 1 or more"),
    ],
)
def test_bad_requests_are_told_in_one_line(asked, said):
    with pytest.raises(BadInput, match=said) as error:
        models.create(**{"num_outputs": 6, **asked})
    assert "\n" not in str(error.value)
