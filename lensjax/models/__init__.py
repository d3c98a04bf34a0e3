"""The networks by name: one file a family, each with a table VARIANTS of its members."""

import difflib
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from lensjax.errors import BadInput
from lensjax.models import compact, vgg

# Each family, and the side of the smallest image that leaves every layer at least one pixel.
_FAMILIES = ((compact, 1), (vgg, 32))
_VARIANTS: dict[str, Callable[..., nn.Module]] = {
    name: make for family, _ in _FAMILIES for name, make in family.VARIANTS.items()
}
_SMALLEST = {name: side for family, side in _FAMILIES for name in family.VARIANTS}


def names() -> list[str]:
    """Names that `create` takes."""
    return list(_VARIANTS)


def create(
    name: str,
    *,
    num_outputs: int,
    in_channels: int = 1,
    extra_layers: bool = False,
    image_size: int = 400,
    dtype: DTypeLike = jnp.float32,
) -> nn.Module:
    """The network called `name`, to be called on images (batch, image_size, image_size, in_channels).

    Flax takes the sizes from the first image; `in_channels` and `image_size` are only checked here.

    Args:
        name: one of `names()`.
        num_outputs: numbers to regress.
        in_channels: channels of the images.
        extra_layers: two more fully connected layers before the output.
        image_size: side of the images in pixels.
        dtype: type of the arithmetic; parameters and outputs stay float32.

    Raises:
        BadInput: unknown name, image too small for the network, or a number below one.
    """
    if name not in _VARIANTS:
        near = difflib.get_close_matches(name, _VARIANTS, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(_VARIANTS)}"
        raise BadInput(f"model {name!r} is unknown; {hint}")
    for what, number in (("num_outputs", num_outputs), ("in_channels", in_channels)):
        if number < 1:
            raise BadInput(f"model {name}: {what} is {number}; it must be 1 or more")
    if image_size < _SMALLEST[name]:
        raise BadInput(
            f"model {name}: image_size is {image_size} pixels; the smallest it takes is {_SMALLEST[name]}"
        )
    return _VARIANTS[name](num_outputs=num_outputs, extra_layers=extra_layers, dtype=dtype)
