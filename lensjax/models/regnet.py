"""RegNet, layer for layer as torchvision builds it (Radosavovic et al. 2020, "Designing network design spaces")."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.grouped import Conv
from lensjax.models.layers import ConvNorm, SqueezeExcite, extra_widths, make_divisible, output_layer

HEADS = ("fc",)
SMALLEST = 1
"""Side of the smallest image: every layer pads, so that one pixel remains."""

# Blocks, first width, slope and step of the widths (the paper's d, w_0, w_a, w_m), width of a group, squeezed fraction.
_SHAPES = {
    "regnet_y_32gf": (20, 232, 115.89, 2.53, 232, 0.25),
}
_STEM = 32
_ROUND = 8

_conv_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
_inits = {"kernel_init": nn.initializers.normal(0.01), "bias_init": nn.initializers.zeros}
_EXTRA = (512, 256)


def stages(depth: int, first: int, slope: float, step: float, group_width: int) -> list[tuple[int, int, int]]:
    """(width, width of a group, blocks) of each stage (the paper's equations 2 to 4).

    Widths grow by `slope` a block from `first`; each is rounded to first · step^(a whole number), then to a multiple of 8 and of the
    group's width. Blocks of one width are a stage.
    """
    linear = first + slope * np.arange(depth)
    power = np.round(np.log(linear / first) / np.log(step))
    rounded = np.round(first * step**power / _ROUND).astype(int) * _ROUND
    sizes = []
    for width, blocks in zip(*np.unique(rounded, return_counts=True), strict=True):
        group = min(group_width, int(width))
        sizes.append((make_divisible(int(width), group), group, int(blocks)))
    return sizes


class _Block(nn.Module):
    """1×1, 3×3 (in groups) and 1×1 convolutions, squeeze and excitation before the last, beside a shortcut.

    The shortcut is a 1×1 convolution where the sizes differ. Channels are squeezed to `squeeze` times those that come in; 0: they are not.
    """

    features: int
    group_width: int
    stride: int
    squeeze: float
    conv: Callable[..., Any]
    norm: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        part = partial(ConvNorm, self.features, conv=self.conv, norm=self.norm)
        y = part(1, name="f.a")(x)
        y = part(3, stride=self.stride, groups=self.features // self.group_width, name="f.b")(y)
        if self.squeeze:
            y = SqueezeExcite(round(self.squeeze * x.shape[-1]), self.conv, even_bias=True, name="f.se")(y)
        y = part(1, activation=None, name="f.c")(y)
        if self.stride != 1 or x.shape[-1] != self.features:
            x = part(1, stride=self.stride, activation=None, name="proj")(x)
        return nn.relu(x + y)


class RegNet(nn.Module):
    """A 3×3 convolution, stages of residual blocks, means, and one dense layer.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        depth: blocks.
        first: first width of the blocks, before rounding.
        slope: growth of the width with each block, before rounding.
        step: ratio of one stage's width to the one before, before rounding.
        group_width: channels of a group of the 3×3 convolutions.
        squeeze: fraction of a block's channels that squeeze and excitation squeezes them to; 0 for none.
        extra_layers: two more fully connected layers, → 512 → 256, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    depth: int
    first: int
    slope: float
    step: float
    group_width: int
    squeeze: float = 0.0
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1 → (batch, num_outputs) float32."""
        conv = partial(Conv, kernel_init=_conv_init, dtype=self.dtype)
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)
        block = partial(nn.remat(_Block) if self.remat else _Block, squeeze=self.squeeze, conv=conv, norm=norm)

        x = ConvNorm(_STEM, 3, conv, norm, stride=2, name="stem")(image.astype(self.dtype))
        widths = stages(self.depth, self.first, self.slope, self.step, self.group_width)
        for stage, (features, group_width, blocks) in enumerate(widths, start=1):
            for index in range(blocks):
                name = f"trunk_output.block{stage}.block{stage}-{index}"
                x = block(features, group_width, 2 if index == 0 else 1, name=name)(x)
        x = jnp.mean(x, axis=(1, 2))
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="fc", hidden=hidden, dtype=self.dtype, **_inits)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    name: partial(RegNet, depth=depth, first=first, slope=slope, step=step, group_width=group_width, squeeze=squeeze)
    for name, (depth, first, slope, step, group_width, squeeze) in _SHAPES.items()
}
