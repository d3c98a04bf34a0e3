"""ShuffleNet v2 of four widths, layer for layer as torchvision builds it (Ma et al. 2018, "ShuffleNet V2: practical guidelines for
efficient CNN architecture design").
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.grouped import Conv
from lensjax.models.layers import extra_widths, output_layer, uniform_kernel

HEADS = ("fc",)
SMALLEST = 1
"""Side of the smallest image: every layer pads, so that one pixel remains."""

# Channels of the three stages, and of the last convolution.
_WIDTHS = {
    "x0_5": ((48, 96, 192), 1024),
    "x1_0": ((116, 232, 464), 1024),
    "x1_5": ((176, 352, 704), 1024),
    "x2_0": ((244, 488, 976), 2048),
}
_STEM = 24
_DEPTHS = (4, 8, 4)
_EXTRA = (512, 256)


class _Block(nn.Module):
    """Two branches, each half of the channels out, joined and shuffled.

    With stride 1 the input is split: one half goes through unchanged, the other through 1×1, depthwise 3×3 and 1×1 convolutions.
    With stride 2 both branches take the whole input, and the first has a depthwise and a 1×1 convolution.
    """

    features: int
    stride: int
    conv: Callable[..., Any]
    norm: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        half = self.features // 2

        def point(x: Array, branch: int, index: int) -> Array:
            x = self.conv(half, (1, 1), name=f"branch{branch}.{index}")(x)
            return nn.relu(self.norm(name=f"branch{branch}.{index + 1}")(x))

        def depthwise(x: Array, branch: int, index: int) -> Array:
            channels = x.shape[-1]
            x = self.conv(channels, (3, 3), strides=self.stride, padding=1, feature_group_count=channels, name=f"branch{branch}.{index}")(x)
            return self.norm(name=f"branch{branch}.{index + 1}")(x)

        if self.stride == 1:
            first, second = jnp.split(x, 2, axis=-1)
        else:
            first, second = point(depthwise(x, 1, 0), 1, 2), x
        second = point(depthwise(point(second, 2, 0), 2, 3), 2, 5)
        # The two branches' channels in turn.
        return jnp.stack([first, second], axis=-1).reshape(*first.shape[:-1], self.features)


class ShuffleNet(nn.Module):
    """A 3×3 convolution, a maximum, three stages of shuffled blocks, a 1×1 convolution, means, and one dense layer.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        widths: channels of the three stages.
        last: channels of the last convolution.
        extra_layers: two more fully connected layers, → 512 → 256, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    widths: tuple[int, int, int]
    last: int = 1024
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1 → (batch, num_outputs) float32."""
        conv = partial(Conv, padding=0, use_bias=False, kernel_init=uniform_kernel, dtype=self.dtype)
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)
        block = partial(nn.remat(_Block) if self.remat else _Block, conv=conv, norm=norm)

        x = conv(_STEM, (3, 3), strides=2, padding=1, name="conv1.0")(image.astype(self.dtype))
        x = nn.relu(norm(name="conv1.1")(x))
        x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for stage, (features, depth) in enumerate(zip(self.widths, _DEPTHS, strict=True), start=2):
            for index in range(depth):
                x = block(features, 2 if index == 0 else 1, name=f"stage{stage}.{index}")(x)
        x = conv(self.last, (1, 1), name="conv5.0")(x)
        x = nn.relu(norm(name="conv5.1")(x))
        x = jnp.mean(x, axis=(1, 2))
        return output_layer(x, self.num_outputs, name="fc", hidden=extra_widths(self.extra_layers, _EXTRA), dtype=self.dtype)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    f"shufflenet_v2_{name}": partial(ShuffleNet, widths=widths, last=last) for name, (widths, last) in _WIDTHS.items()
}
