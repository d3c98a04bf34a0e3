"""ResNet, ResNeXt and wide ResNet, layer for layer as torchvision builds them (He et al. 2016, "Deep residual learning for image
recognition"; Xie et al. 2017, "Aggregated residual transformations for deep neural networks"; Zagoruyko & Komodakis 2016, "Wide
residual networks"). A bottleneck's stride is at its 3×3 convolution ("ResNet v1.5").
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.grouped import Conv
from lensjax.models.layers import extra_widths, output_layer

HEADS = ("fc",)
SMALLEST = 1
"""Side of the smallest image: every layer pads, so that one pixel remains."""

# Blocks in each of the four stages, bottlenecks or pairs of 3×3 convolutions, groups, width of a group at 64 channels.
_SHAPES = {
    "resnet18": ((2, 2, 2, 2), False, 1, 64),
    "resnet34": ((3, 4, 6, 3), False, 1, 64),
    "resnet50": ((3, 4, 6, 3), True, 1, 64),
    "resnet101": ((3, 4, 23, 3), True, 1, 64),
    "resnet152": ((3, 8, 36, 3), True, 1, 64),
    "resnext50_32x4d": ((3, 4, 6, 3), True, 32, 4),
    "resnext101_32x8d": ((3, 4, 23, 3), True, 32, 8),
    "resnext101_64x4d": ((3, 4, 23, 3), True, 64, 4),
    "wide_resnet50_2": ((3, 4, 6, 3), True, 1, 128),
    "wide_resnet101_2": ((3, 4, 23, 3), True, 1, 128),
}
_CHANNELS = (64, 128, 256, 512)
_EXPANSION = 4
_EXTRA = (256, 128)

_conv_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class _Block(nn.Module):
    """Convolutions beside a shortcut, which is a 1×1 convolution where the sizes differ.

    A bottleneck has 1×1, 3×3 (of `inner` channels, in groups) and 1×1 convolutions, any other block two 3×3.
    """

    features: int
    inner: int
    stride: int
    bottleneck: bool
    groups: int
    conv: Callable[..., Any]
    norm: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        wide = partial(self.conv, kernel_size=(3, 3), padding=1)
        layers = (
            (
                partial(self.conv, self.inner, (1, 1)),
                partial(wide, self.inner, strides=self.stride, feature_group_count=self.groups),
                partial(self.conv, self.features, (1, 1)),
            )
            if self.bottleneck
            else (partial(wide, self.features, strides=self.stride), partial(wide, self.features))
        )
        y = x
        for index, layer in enumerate(layers, start=1):
            y = self.norm(name=f"bn{index}")(layer(name=f"conv{index}")(y))
            if index < len(layers):
                y = nn.relu(y)
        if self.stride != 1 or x.shape[-1] != self.features:
            x = self.conv(self.features, (1, 1), strides=self.stride, name="downsample.0")(x)
            x = self.norm(name="downsample.1")(x)
        return nn.relu(x + y)


class ResNet(nn.Module):
    """A 7×7 convolution, a maximum, four stages of residual blocks, means, and one dense layer.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        depths: blocks in each of the four stages.
        bottleneck: blocks are bottlenecks; else two 3×3 convolutions.
        groups: groups of a bottleneck's 3×3 convolution.
        group_width: channels of a group where the stage has 64 channels (bottlenecks only).
        extra_layers: two more fully connected layers, → 256 → 128, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    depths: tuple[int, int, int, int]
    bottleneck: bool = True
    groups: int = 1
    group_width: int = 64
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1 → (batch, num_outputs) float32."""
        conv = partial(Conv, padding=0, use_bias=False, kernel_init=_conv_init, dtype=self.dtype)
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)
        block = partial(nn.remat(_Block) if self.remat else _Block, bottleneck=self.bottleneck, groups=self.groups, conv=conv, norm=norm)

        x = conv(64, (7, 7), strides=2, padding=3, name="conv1")(image.astype(self.dtype))
        x = nn.relu(norm(name="bn1")(x))
        x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for stage, (channels, depth) in enumerate(zip(_CHANNELS, self.depths, strict=True), start=1):
            for index in range(depth):
                x = block(
                    features=channels * _EXPANSION if self.bottleneck else channels,
                    inner=channels * self.group_width // 64 * self.groups,
                    stride=2 if stage > 1 and index == 0 else 1,
                    name=f"layer{stage}.{index}",
                )(x)
        x = jnp.mean(x, axis=(1, 2))
        return output_layer(x, self.num_outputs, name="fc", hidden=extra_widths(self.extra_layers, _EXTRA), dtype=self.dtype)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    name: partial(ResNet, depths=depths, bottleneck=bottleneck, groups=groups, group_width=group_width)
    for name, (depths, bottleneck, groups, group_width) in _SHAPES.items()
}
