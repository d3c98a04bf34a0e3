"""MobileNet v2 and v3, layer for layer as torchvision builds them (Sandler et al. 2018, "MobileNetV2: inverted residuals and linear
bottlenecks"; Howard et al. 2019, "Searching for MobileNetV3").
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.grouped import Conv
from lensjax.models.layers import ConvNorm, SqueezeExcite, dense, extra_widths, make_divisible, output_layer

HEADS = ("classifier.1", "classifier.3")
SMALLEST = 1
"""Side of the smallest image: every layer pads, so that one pixel remains."""

# v2's stages: expansion, channels, blocks, stride of the first.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class Bottleneck(NamedTuple):
    """A block of v3: its kernel, channels inside and out, with squeeze and excitation or not, hard swish or ReLU, stride."""

    kernel: int
    expanded: int
    features: int
    squeeze: bool
    swish: bool
    stride: int


_SMALL = (
    Bottleneck(3, 16, 16, True, False, 2),
    Bottleneck(3, 72, 24, False, False, 2),
    Bottleneck(3, 88, 24, False, False, 1),
    Bottleneck(5, 96, 40, True, True, 2),
    Bottleneck(5, 240, 40, True, True, 1),
    Bottleneck(5, 240, 40, True, True, 1),
    Bottleneck(5, 120, 48, True, True, 1),
    Bottleneck(5, 144, 48, True, True, 1),
    Bottleneck(5, 288, 96, True, True, 2),
    Bottleneck(5, 576, 96, True, True, 1),
    Bottleneck(5, 576, 96, True, True, 1),
)
_LARGE = (
    Bottleneck(3, 16, 16, False, False, 1),
    Bottleneck(3, 64, 24, False, False, 2),
    Bottleneck(3, 72, 24, False, False, 1),
    Bottleneck(5, 72, 40, True, False, 2),
    Bottleneck(5, 120, 40, True, False, 1),
    Bottleneck(5, 120, 40, True, False, 1),
    Bottleneck(3, 240, 80, False, True, 2),
    Bottleneck(3, 200, 80, False, True, 1),
    Bottleneck(3, 184, 80, False, True, 1),
    Bottleneck(3, 184, 80, False, True, 1),
    Bottleneck(3, 480, 112, True, True, 1),
    Bottleneck(3, 672, 112, True, True, 1),
    Bottleneck(5, 672, 160, True, True, 2),
    Bottleneck(5, 960, 160, True, True, 1),
    Bottleneck(5, 960, 160, True, True, 1),
)

_conv_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
_inits = {"kernel_init": nn.initializers.normal(0.01), "bias_init": nn.initializers.zeros}
_EXTRA = (512, 256)


class _BlockV2(nn.Module):
    """Inverted residual: expansion, depthwise convolution, projection; added to its input where the sizes agree."""

    features: int
    expand: int
    stride: int
    conv: Callable[..., Any]
    norm: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        part = partial(ConvNorm, x.shape[-1] * self.expand, conv=self.conv, norm=self.norm, activation=nn.relu6)
        y, index = x, 0
        if self.expand != 1:
            y, index = part(1, name="conv.0")(y), 1
        y = part(3, stride=self.stride, groups=part.args[0], name=f"conv.{index}")(y)
        y = self.conv(self.features, (1, 1), use_bias=False, name=f"conv.{index + 1}")(y)
        y = self.norm(name=f"conv.{index + 2}")(y)
        return x + y if self.stride == 1 and x.shape[-1] == self.features else y


class _BlockV3(nn.Module):
    """Inverted residual: expansion, depthwise convolution, squeeze and excitation, projection."""

    shape: Bottleneck
    conv: Callable[..., Any]
    norm: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        shape, channels = self.shape, x.shape[-1]
        activation = nn.hard_swish if shape.swish else nn.relu
        part = partial(ConvNorm, conv=self.conv, norm=self.norm, activation=activation)
        layers: list[Callable[..., Any]] = []
        if shape.expanded != channels:
            layers.append(partial(part, shape.expanded, 1))
        layers.append(partial(part, shape.expanded, shape.kernel, stride=shape.stride, groups=shape.expanded))
        if shape.squeeze:
            layers.append(partial(SqueezeExcite, make_divisible(shape.expanded // 4, 8), self.conv, gate=nn.hard_sigmoid))
        layers.append(partial(part, shape.features, 1, activation=None))
        y = x
        for index, layer in enumerate(layers):
            y = layer(name=f"block.{index}")(y)
        return x + y if shape.stride == 1 and channels == shape.features else y


class MobileNetV2(nn.Module):
    """A 3×3 convolution, stages of inverted residuals, a 1×1 convolution, means, and one dense layer.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        dropout: fraction of the last features set to zero in training (dropout key: "dropout").
        extra_layers: two more fully connected layers, → 512 → 256, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    dropout: float = 0.2
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1 → (batch, num_outputs) float32."""
        conv = partial(Conv, padding=0, kernel_init=_conv_init, dtype=self.dtype)
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)
        block = partial(nn.remat(_BlockV2) if self.remat else _BlockV2, conv=conv, norm=norm)

        x = ConvNorm(32, 3, conv, norm, stride=2, activation=nn.relu6, name="features.0")(image.astype(self.dtype))
        position = 1
        for expand, features, blocks, stride in _STAGES:
            for index in range(blocks):
                x = block(features, expand, stride if index == 0 else 1, name=f"features.{position}")(x)
                position += 1
        x = ConvNorm(1280, 1, conv, norm, activation=nn.relu6, name=f"features.{position}")(x)
        x = nn.Dropout(self.dropout, deterministic=not train)(jnp.mean(x, axis=(1, 2)))
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="classifier.1", hidden=hidden, dtype=self.dtype, **_inits)


class MobileNetV3(nn.Module):
    """A 3×3 convolution, inverted residuals, a 1×1 convolution, means, and two dense layers.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        blocks: the inverted residuals.
        hidden: width of the first dense layer.
        dropout: fraction of the last features set to zero in training (dropout key: "dropout").
        extra_layers: two more fully connected layers, → 512 → 256, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    blocks: tuple[Bottleneck, ...]
    hidden: int
    dropout: float = 0.2
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1 → (batch, num_outputs) float32."""
        conv = partial(Conv, padding=0, kernel_init=_conv_init, dtype=self.dtype)
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.99, epsilon=1e-3, dtype=self.dtype)
        block = partial(nn.remat(_BlockV3) if self.remat else _BlockV3, conv=conv, norm=norm)
        part = partial(ConvNorm, conv=conv, norm=norm, activation=nn.hard_swish)

        x = part(16, 3, stride=2, name="features.0")(image.astype(self.dtype))
        for position, shape in enumerate(self.blocks, start=1):
            x = block(shape, name=f"features.{position}")(x)
        x = part(6 * x.shape[-1], 1, name=f"features.{len(self.blocks) + 1}")(x)
        x = nn.hard_swish(dense(jnp.mean(x, axis=(1, 2)), self.hidden, name="classifier.0", dtype=self.dtype, **_inits))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="classifier.3", hidden=hidden, dtype=self.dtype, **_inits)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    "mobilenet_v2": MobileNetV2,
    "mobilenet_v3_small": partial(MobileNetV3, blocks=_SMALL, hidden=1024),
    "mobilenet_v3_large": partial(MobileNetV3, blocks=_LARGE, hidden=1280),
}
