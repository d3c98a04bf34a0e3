"""The networks by name: one file a family, each with a table VARIANTS of its members."""

import dataclasses
import sys
from types import ModuleType
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from lensjax._internal.words import did_you_mean, listed
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
    shapelets,
    shufflenet,
    squeezenet,
    swin,
    vgg,
    vit,
)

FAMILIES: tuple[ModuleType, ...] = (
    compact, shapelets, alexnet, squeezenet, vgg, googlenet, inception, resnet, regnet, densenet, mobilenet, shufflenet, mnasnet,
    efficientnet, efficientnet_lite, convnext, vit, swin,
)  # fmt: skip

_USUAL_WIDTHS_ONLY = (compact, shapelets, squeezenet, vit)
"""Families whose extra layers have the usual widths only, since they are more than a row of fully connected ones."""

_FAMILY: dict[str, ModuleType] = {name: family for family in FAMILIES for name in family.VARIANTS}


def names() -> list[str]:
    """Names that `create` takes; besides these MnasNet at any width, "mnasnet2_5" for 2.5."""
    return list(_FAMILY)


def known(name: str) -> bool:
    """Whether `create` takes a name."""
    return name in _FAMILY or mnasnet.variant(name) is not None


def reads(name: str) -> Literal["pixels", "shapelets"]:
    """What the network called `name` reads of an image."""
    return "shapelets" if _FAMILY.get(name) is shapelets else "pixels"


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
    """The network called `name`, to be called on images (batch, image_size, image_size, in_channels), or on numbers in that shape.

    Flax takes the sizes from the first image; `in_channels` and `image_size` are only checked here.

    Args:
        name: one of `names()`, as in torchvision.
        num_outputs: numbers to regress.
        in_channels: channels of the images.
        extra_layers: two more fully connected layers before the output, of the network's usual widths, or layers of the widths given.
        image_size: side of the images in pixels.
        dtype: type of the arithmetic; parameters and outputs stay float32.
        remat: in training, compute the activations of a block again for the gradient instead of keeping them: less memory, more time.
            It has no effect on a CPU, where XLA joins the two equal computations.

    Raises:
        BadInput: the name is unknown, the image too small or of a wrong size, a number below 1, or the network has no blocks for `remat`.
    """
    if not known(name):
        near = did_you_mean(name, _FAMILY)
        raise BadInput(column="model", value=name, expected="" if near else f"one of {listed(_FAMILY, most=len(_FAMILY))}", hint=near)
    place = f"model {name}"
    for argument, number in (("num_outputs", num_outputs), ("in_channels", in_channels)):
        if number < 1:
            raise BadInput(column=argument, place=place, value=number, expected="1 or more")
    family: Any = _FAMILY.get(name, mnasnet)
    make: Any = family.VARIANTS.get(name) or mnasnet.variant(name)
    if image_size < family.SMALLEST:
        raise BadInput(column="image_size", place=place, value=image_size, expected=f"{family.SMALLEST} or more")
    expected = family.check_size(name, image_size) if hasattr(family, "check_size") else None
    if expected:
        raise BadInput(column="image_size", place=place, value=image_size, expected=expected)
    if isinstance(extra_layers, tuple) and (family in _USUAL_WIDTHS_ONLY or not extra_layers or min(extra_layers) < 1):
        widths = ", ".join(map(str, extra_layers)) or "none"
        raise BadInput(f"no layers of widths {widths} can precede the output", column="extra_layers", place=place, value=extra_layers)
    net: nn.Module = make(num_outputs=num_outputs, extra_layers=extra_layers, dtype=dtype)
    if not remat:
        return net
    if not any(field.name == "remat" for field in dataclasses.fields(net)):
        raise BadInput("the network has no blocks to rematerialise", column="remat", place=place, value=True, expected="a deeper network")
    return net.clone(remat=True)


def head_names(net: nn.Module) -> tuple[str, ...]:
    """Names of the layers with one output for each number to regress: the last one, and those of auxiliary heads."""
    family: Any = sys.modules[type(net).__module__]
    heads: tuple[str, ...] = getattr(family, "HEADS", ())  # a network of one's own may have none
    return (*(getattr(family, "HEADS_AFTER_EXTRA", heads) if getattr(net, "extra_layers", False) else heads), "output")
