"""Weights that PyTorch trained, as variables of the same network here.

Every layer bears PyTorch's name, so that a tensor's name follows from a leaf's path. PyTorch has other words for kernels, scales and
running statistics, and another order of a kernel's axes; everything else is the same.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import DictKey

from lensjax import models
from lensjax.errors import BadInput

First = Literal["sum", "fresh"]

_WORDS = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
_TABLES = ("num_batches_tracked", "relative_position_index", "relative_coords_table")
"""Names of PyTorch's counters and fixed tables."""
_OLD_NAMES = (
    (re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$"), r"\1\2"),
    (re.compile(r"^(.*\.mlp)\.linear_1\.(\w+)$"), r"\1.0.\2"),
    (re.compile(r"^(.*\.mlp)\.linear_2\.(\w+)$"), r"\1.3.\2"),
)
"""Former names of torchvision that its published weights still have: those of DenseNet and of ViT."""
_COSMO_ML = {
    "alexnet": ("classifier.6", "classifier.8", "classifier.10"),
    "squeezenet": ("classifier.5", "classifier.7", "classifier.9"),
    "densenet": ("classifier.0", "classifier.2", "classifier.4"),
    "efficientnet": ("classifier.1", "classifier.3", "classifier.5"),
    "mnasnet": ("classifier.1", "classifier.3", "classifier.5"),
    "vit": ("heads.pre_logits1", "heads.pre_logits2", "heads.head"),
    "swin": ("head.0", "head.2", "head.4"),
} | dict.fromkeys(("inception", "resnet", "resnext", "wide"), ("fc.0", "fc.2", "fc.4"))
"""What the 2023 thesis's code calls two extra layers and the last one, by the first word of a network's name."""
_SHOWN = 5
_HEADS = ("extra", "extra0", "extra1", "output")


def torch_name(path: tuple[str, ...]) -> str:
    """PyTorch's name of the leaf at `path`, without the collection ("params", "batch_stats")."""
    return ".".join((*path[:-1], _WORDS.get(path[-1], path[-1])))


def _present_name(name: str) -> str:
    """torchvision's present name of a tensor."""
    for pattern, replacement in _OLD_NAMES:
        name = pattern.sub(replacement, name)
    return name


def _with_extra_layers(tensors: Mapping[str, np.ndarray], name: str) -> Mapping[str, np.ndarray]:
    """Tensors with our names for the extra layers of a network of Cosmo-ML's, or as they are where they have none."""
    theirs = _COSMO_ML.get(re.split(r"[_0-9]", name)[0], ())
    if not theirs or not all(f"{layer}.weight" in tensors for layer in theirs):
        return tensors
    ours = dict(zip(theirs, ("extra0", "extra1", "output"), strict=True))
    if name.startswith("squeezenet"):
        ours["classifier.1"] = "extra"  # a convolution
    renamed = {}
    for key, value in tensors.items():
        layer, _, leaf = key.rpartition(".")
        renamed[f"{ours.get(layer, layer)}.{leaf}"] = value
    return renamed


def droulettes_widths(tensors: Mapping[str, np.ndarray], name: str) -> tuple[int, ...]:
    """Widths of the fully connected layers that droulette puts before a network's output; empty where the head is not droulette's.

    Its head takes the place of the last layer: linear, ReLU, dropout, linear, ReLU, dropout, linear.
    """
    heads = models.head_names(models.create(name, num_outputs=1, image_size=448))
    for head in heads:
        names = [f"{head}.{index}.weight" for index in (0, 3, 6)]
        if all(name in tensors and np.ndim(tensors[name]) == 2 for name in names):
            return tuple(len(tensors[name]) for name in names[:2])
    return ()


def _with_droulettes_head(tensors: Mapping[str, np.ndarray], heads: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Tensors with our names for the layers of droulette's head."""
    ours = {f"{head}.{index}": layer for head in heads for index, layer in ((0, "extra0"), (3, "extra1"), (6, "output"))}
    renamed = {}
    for key, value in tensors.items():
        layer, _, leaf = key.rpartition(".")
        renamed[f"{ours.get(layer, layer)}.{leaf}"] = value
    return renamed


def _transposed(name: str, tensor: np.ndarray, leaf: str) -> np.ndarray:
    """A tensor with its axes in our order."""
    if leaf != "kernel":
        return tensor
    if tensor.ndim == 4:
        return tensor.transpose(2, 3, 1, 0)
    if tensor.ndim == 2:
        return tensor.transpose()
    raise BadInput(f"tensor {name} has {tensor.ndim} axes", expected="2 or 4 for a kernel")


def _torch_shape(shape: tuple[int, ...], leaf: str) -> list[int]:
    """A leaf's shape with the axes in PyTorch's order."""
    if leaf != "kernel":
        return list(shape)
    return [shape[-1], shape[-2], *shape[:-2]]


def shapes(
    name: str, *, num_outputs: int, in_channels: int, image_size: int, extra_layers: bool | tuple[int, ...] = False
) -> dict[tuple[str, ...], jax.ShapeDtypeStruct]:
    """The shape of each leaf of a network's variables, by its path; nothing is computed."""
    net = models.create(name, num_outputs=num_outputs, in_channels=in_channels, image_size=image_size, extra_layers=extra_layers)
    tree = jax.eval_shape(lambda key: _init(net, key, image_size, in_channels), jax.random.key(0))
    return _flat(tree)


def _init(net: Any, key: jax.Array, image_size: int, in_channels: int) -> dict[str, Any]:
    variables = net.init({"params": key}, jnp.zeros((1, image_size, image_size, in_channels)), train=False)
    return {part: variables[part] for part in ("params", "batch_stats") if part in variables}


def _flat(tree: Any) -> dict[tuple[str, ...], Any]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {tuple(str(entry.key) for entry in path if isinstance(entry, DictKey)): leaf for path, leaf in leaves}


def convert(
    tensors: Mapping[str, np.ndarray],
    name: str,
    *,
    num_outputs: int,
    in_channels: int = 1,
    image_size: int | None = None,
    extra_layers: bool | tuple[int, ...] = False,
    first: First = "sum",
    seed: int = 0,
) -> dict[str, Any]:
    """Variables {"params", "batch_stats"} of the network `name`, with the weights of a PyTorch network.

    The last layer (and those of auxiliary heads) is fresh where it has another number of outputs, or where there are extra layers. A
    first convolution of three channels is summed over colour for `in_channels` = 1, so that a grey image has the same output as three
    equal channels had (scale the image by the mean and deviation of ImageNet's colours, as droulette and torchvision do). A
    position embedding of another number of tokens is interpolated. Networks of the 2023 thesis's code, of
    one channel and with extra layers or without, are converted whole, and so is the head of droulette's networks.

    Args:
        tensors: PyTorch's state_dict: name → array.
        name: one of `models.names()`.
        num_outputs: numbers to regress.
        in_channels: channels of the images.
        image_size: side of the images in pixels; None keeps a position embedding as it is, and the network interpolates it.
        extra_layers: as in `models.create`; the widths of `droulettes_widths` for a head of droulette's.
        first: of a first convolution for another number of channels: "sum" over colour, or "fresh" as in the 2023 thesis.
        seed: of fresh weights.

    Raises:
        BadInput: tensors are missing, surplus or of a wrong shape, as those of another network are.
    """
    if first not in ("sum", "fresh"):
        raise BadInput(column="first", value=first, expected="sum or fresh")
    image_size = image_size or _side(tensors)
    expected = shapes(name, num_outputs=num_outputs, in_channels=in_channels, image_size=image_size, extra_layers=extra_layers)
    tensors = {_present_name(key): np.asarray(value) for key, value in tensors.items() if not key.endswith(_TABLES)}
    net = models.create(name, num_outputs=num_outputs, in_channels=in_channels, image_size=image_size, extra_layers=extra_layers)
    heads = models.head_names(net)
    if isinstance(extra_layers, tuple):
        tensors = _with_droulettes_head(tensors, heads)
    elif extra_layers:
        tensors = dict(_with_extra_layers(tensors, name))
    missing, misshaped, untyped, converted, fresh = [], [], [], {}, []
    surplus = set(tensors)
    outputs = _outputs(tensors, expected, num_outputs)
    for path, leaf in expected.items():
        key = torch_name(path[1:])
        if path[1] in _HEADS and key not in tensors:
            fresh.append(path)
            continue
        if key not in tensors:
            missing.append(key)
            continue
        surplus.discard(key)
        if key in outputs:
            fresh.append(path)
            continue
        try:
            tensor = _transposed(key, tensors[key], path[-1])
        except BadInput as error:
            misshaped.append(str(error))
            continue
        if tensor.shape != leaf.shape:
            adapted = _adapted(tensor, leaf.shape, path[-1], first)
            if adapted is None:
                misshaped.append(f"{key} is {list(tensors[key].shape)}, which does not fit {_torch_shape(leaf.shape, path[-1])}")
                continue
            if adapted is _FRESH:
                fresh.append(path)
                continue
            tensor = adapted
        if not jnp.issubdtype(tensor.dtype, jnp.floating):  # bfloat16 too, which NumPy does not count as one
            untyped.append(f"{key} is {tensor.dtype}, not floating numbers")
            continue
        converted[path] = np.asarray(tensor, leaf.dtype)
    if extra_layers:
        surplus -= {key for key in surplus if key.rpartition(".")[0] in heads}
    problems = [
        f"{what} {_listed(which)}"
        for what, which in (
            ("missing:", missing),
            ("surplus:", sorted(surplus)),
            ("of another shape:", misshaped),
            ("of another type:", untyped),
        )
        if which
    ]
    if problems:
        raise BadInput(f"not the weights of {name}: {'; '.join(problems)}")
    if fresh:

        def initialised(key: jax.Array) -> list[jax.Array]:
            every = _flat(_init(net, key, image_size, in_channels))
            return [every[path] for path in fresh]

        leaves = jax.jit(initialised)(jax.random.key(seed))  # compiled for these leaves alone: the others are never computed
        converted |= {path: np.asarray(leaf) for path, leaf in zip(fresh, leaves, strict=True)}
    return _nested({path: jnp.asarray(converted[path]) for path in expected})


def _side(tensors: Mapping[str, np.ndarray]) -> int:
    """Side of the images that weights are for, in pixels, which only a position embedding shows; 224 without one."""
    embedding, patches = tensors.get("encoder.pos_embedding"), tensors.get("conv_proj.weight")
    if embedding is None or patches is None or np.ndim(embedding) != 3 or np.ndim(patches) != 4:
        return 224
    return math.isqrt(max(np.shape(embedding)[1] - 1, 1)) * np.shape(patches)[-1]


_FRESH = np.zeros(0)


def _adapted(tensor: np.ndarray, shape: tuple[int, ...], leaf: str, first: First) -> np.ndarray | None:
    """The tensor in the shape expected; _FRESH where it must be initialised, None where it cannot fit."""
    if leaf == "kernel" and tensor.ndim == 4 and tensor.shape[:2] + tensor.shape[3:] == shape[:2] + shape[3:]:
        if first == "fresh":
            return _FRESH
        if shape[2] == 1 and tensor.shape[2] == 3:
            return tensor.sum(axis=2, keepdims=True)
        return None
    if leaf == "pos_embedding" and tensor.ndim == 3 and tensor.shape[::2] == shape[::2]:
        from lensjax.models.vit import interpolated

        return np.asarray(interpolated(jnp.asarray(tensor), shape[1]))
    return None


def _outputs(tensors: Mapping[str, np.ndarray], expected: Mapping[tuple[str, ...], Any], num_outputs: int) -> set[str]:
    """Names of tensors of last layers that have another number of outputs: both weight and bias, all else alike."""
    names = set()
    for path, leaf in expected.items():
        key = torch_name(path[1:])
        if path[-1] != "bias" or key not in tensors or leaf.shape != (num_outputs,) or tensors[key].shape == leaf.shape:
            continue
        weight = key.removesuffix("bias") + "weight"
        ours = expected.get((*path[:-1], "kernel"))
        theirs = tensors.get(weight)
        if ours is None or theirs is None or theirs.ndim not in (2, 4):
            continue
        if _transposed(weight, theirs, "kernel").shape[:-1] == ours.shape[:-1] and theirs.shape[0] == tensors[key].shape[0]:
            names |= {key, weight}
    return names


def _nested(flat: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {"params": {}, "batch_stats": {}}
    for path, leaf in flat.items():
        level = tree
        for step in path[:-1]:
            level = level.setdefault(step, {})
        level[path[-1]] = leaf
    return tree


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
