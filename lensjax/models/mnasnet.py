"""MnasNet of any width, layer for layer as torchvision builds it (Tan et al. 2019, "MnasNet: platform-aware neural architecture
search for mobile", the variant B1).
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.grouped import Conv
from lensjax.models.layers import extra_widths, make_divisible, output_layer

HEADS = ("classifier.1",)
SMALLEST = 1
"""Side of the smallest image: every layer pads, so that one pixel remains."""

# Channels at width 1, kernel, stride of the first block, expansion, blocks.
_STACKS = (
    (24, 3, 2, 3, 3),
    (40, 5, 2, 3, 3),
    (80, 5, 2, 6, 3),
    (96, 3, 1, 6, 2),
    (192, 5, 2, 6, 4),
    (320, 3, 1, 6, 1),
)

_conv_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
_inits = {"kernel_init": nn.initializers.variance_scaling(1.0, "fan_out", "uniform"), "bias_init": nn.initializers.zeros}
_EXTRA = (1024, 512)


class _Block(nn.Module):
    """Inverted residual: expansion, depthwise convolution, projection; added to its input where the sizes agree."""

    features: int
    kernel: int
    stride: int
    expand: int
    conv: Callable[..., Any]
    norm: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        expanded = self.expand * x.shape[-1]
        y = self.conv(expanded, (1, 1), name="layers.0")(x)
        y = nn.relu(self.norm(name="layers.1")(y))
        y = self.conv(
            expanded,
            (self.kernel, self.kernel),
            strides=self.stride,
            padding=self.kernel // 2,
            feature_group_count=expanded,
            name="layers.3",
        )(y)
        y = nn.relu(self.norm(name="layers.4")(y))
        y = self.conv(self.features, (1, 1), name="layers.6")(y)
        y = self.norm(name="layers.7")(y)
        return x + y if self.stride == 1 and x.shape[-1] == self.features else y


class MnasNet(nn.Module):
    """Convolutions, stacks of inverted residuals, a 1×1 convolution to 1280 channels, means, and one dense layer.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        width: scale of the channels, which are rounded to multiples of 8.
        dropout: fraction of the last features set to zero in training (dropout key: "dropout").
        norm_momentum: fraction of the running statistics that is kept at each step.
        extra_layers: two more fully connected layers, → 1024 → 512, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    width: float = 1.0
    dropout: float = 0.2
    norm_momentum: float = 0.9997
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1 → (batch, num_outputs) float32."""
        conv = partial(Conv, padding=0, use_bias=False, kernel_init=_conv_init, dtype=self.dtype)
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=self.norm_momentum, epsilon=1e-5, dtype=self.dtype)
        block = partial(nn.remat(_Block) if self.remat else _Block, conv=conv, norm=norm)

        first = make_divisible(32 * self.width, 8)
        x = conv(first, (3, 3), strides=2, padding=1, name="layers.0")(image.astype(self.dtype))
        x = nn.relu(norm(name="layers.1")(x))
        x = conv(first, (3, 3), padding=1, feature_group_count=first, name="layers.3")(x)
        x = nn.relu(norm(name="layers.4")(x))
        x = conv(make_divisible(16 * self.width, 8), (1, 1), name="layers.6")(x)
        x = norm(name="layers.7")(x)
        for position, (channels, kernel, stride, expand, blocks) in enumerate(_STACKS, start=8):
            features = make_divisible(channels * self.width, 8)
            for index in range(blocks):
                x = block(features, kernel, stride if index == 0 else 1, expand, name=f"layers.{position}.{index}")(x)
        x = conv(1280, (1, 1), name="layers.14")(x)
        x = nn.relu(norm(name="layers.15")(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(jnp.mean(x, axis=(1, 2)))
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="classifier.1", hidden=hidden, dtype=self.dtype, **_inits)


def variant(name: str) -> Callable[..., nn.Module] | None:
    """The network that a name such as "mnasnet2_25" (width 2.25) stands for; None for other names and for width 0."""
    match = re.fullmatch(r"mnasnet([0-9]+)_([0-9]+)", name)
    width = float(".".join(match.groups())) if match else 0.0
    return partial(MnasNet, width=width) if width > 0 else None


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    f"mnasnet{width.replace('.', '_')}": partial(MnasNet, width=float(width)) for width in ("0.5", "0.75", "1.0", "1.3", "3.8", "6.0")
}
