"""The networks by name: one file a family, each with a table VARIANTS of its members."""

import dataclasses
import difflib
import sys
from types import ModuleType
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from lensjax.errors import BadInput
from lensjax.models import (
    alexnet,
    compact,
    convnext,
    densenet,
    efficientnet,
    efficientnet_lite,
    googlenet,
    inception,
    mnasnet,
    mobilenet,
    regnet,
    resnet,
    shufflenet,
    squeezenet,
    swin,
    vgg,
    vit,
)

FAMILIES: tuple[ModuleType, ...] = (
    compact, alexnet, squeezenet, vgg, googlenet, inception, resnet, regnet, densenet, mobilenet, shufflenet, mnasnet, efficientnet,
    efficientnet_lite, convnext, vit, swin,
)  # fmt: skip

_USUAL_WIDTHS_ONLY = (compact, squeezenet, vit)
"""Families whose extra layers are more than a row of fully connected ones."""

_FAMILY: dict[str, ModuleType] = {name: family for family in FAMILIES for name in family.VARIANTS}


def names() -> list[str]:
    """Names that `create` takes; besides these MnasNet at any width, "mnasnet2_5" for 2.5."""
    return list(_FAMILY)


def known(name: str) -> bool:
    """Whether `create` takes a name."""
    return name in _FAMILY or mnasnet.variant(name) is not None


def create(
    name: str,
    *,
    num_outputs: int,
    in_channels: int = 1,
    extra_layers: bool | tuple[int, ...] = False,
    image_size: int = 400,
    dtype: DTypeLike = jnp.float32,
    remat: bool = False,
) -> nn.Module:
    """The network called `name`, to be called on images (batch, image_size, image_size, in_channels).

    Flax takes the sizes from the first image; `in_channels` and `image_size` are only checked here.

    Args:
        name: one of `names()`, as in torchvision.
        num_outputs: numbers to regress.
        in_channels: channels of the images.
        extra_layers: two more fully connected layers before the output, of the network's usual widths, or layers of the widths named.
        image_size: side of the images in pixels.
        dtype: type of the arithmetic; parameters and outputs stay float32.
        remat: in training, what a block computes is computed again for the gradient instead of kept: less memory, more time. On a CPU
            XLA finds both computations equal and keeps the first: nothing is won there.

    Raises:
        BadInput: unknown name, image of a size that the network does not take, a number below one, or `remat` of a network without
            blocks.
    """
    if not known(name):
        near = difflib.get_close_matches(name, _FAMILY, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(_FAMILY)}"
        raise BadInput(f"model {name!r} is unknown; {hint}")
    for what, number in (("num_outputs", num_outputs), ("in_channels", in_channels)):
        if number < 1:
            raise BadInput(f"model {name}: {what} is {number}; it must be 1 or more")
    family: Any = _FAMILY.get(name, mnasnet)
    make: Any = family.VARIANTS.get(name) or mnasnet.variant(name)
    if image_size < family.SMALLEST:
        raise BadInput(f"model {name}: image_size is {image_size} pixels; the smallest it takes is {family.SMALLEST}")
    wrong = family.check_size(name, image_size) if hasattr(family, "check_size") else None
    if wrong:
        raise BadInput(f"model {name}: image_size is {image_size} pixels; {wrong} is allowed")
    if isinstance(extra_layers, tuple) and (family in _USUAL_WIDTHS_ONLY or not extra_layers or min(extra_layers) < 1):
        raise BadInput(f"model {name}: takes no layers of widths {extra_layers} before its output")
    net: nn.Module = make(num_outputs=num_outputs, extra_layers=extra_layers, dtype=dtype)
    if not remat:
        return net
    if not any(field.name == "remat" for field in dataclasses.fields(net)):
        raise BadInput(f"model {name}: has no blocks to rematerialise; remat is for the deeper networks")
    return net.clone(remat=True)


def head_names(net: nn.Module) -> tuple[str, ...]:
    """Names of the layers with one output for each number to regress: the last one, and those of auxiliary heads."""
    family: Any = sys.modules[type(net).__module__]
    extra: Any = getattr(net, "extra_layers", False)
    return (*(getattr(family, "HEADS_AFTER_EXTRA", family.HEADS) if extra else family.HEADS), "output")
