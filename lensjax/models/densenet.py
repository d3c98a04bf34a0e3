"""DenseNet 121, 161, 169 and 201, layer for layer as torchvision builds them (Huang et al. 2017, "Densely connected convolutional
networks").
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.layers import extra_widths, output_layer

HEADS = ("classifier",)
SMALLEST = 29
"""Side of the smallest image: of 8 pixels after the first maximum, the three transitions leave one."""

# Layers in each of the four blocks, channels that a layer adds, channels of the first convolution.
_SHAPES = {
    "densenet121": ((6, 12, 24, 16), 32, 64),
    "densenet161": ((6, 12, 36, 24), 48, 96),
    "densenet169": ((6, 12, 32, 32), 32, 64),
    "densenet201": ((6, 12, 48, 32), 32, 64),
}
_BOTTLENECK = 4
_EXTRA = (512, 256)

_conv_init = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


class _Layer(nn.Module):
    """`growth` new channels from all earlier ones, by a 1×1 and a 3×3 convolution.

    The earlier ones are separate arguments, joined here, so that a layer computed again in the backward pass keeps no copy of them.
    """

    growth: int
    conv: Callable[..., Any]
    norm: Callable[..., Any]

    @nn.compact
    def __call__(self, earlier: tuple[Array, ...]) -> Array:
        x = jnp.concatenate(earlier, axis=-1)
        x = nn.relu(self.norm(name="norm1")(x))
        x = self.conv(_BOTTLENECK * self.growth, (1, 1), name="conv1")(x)
        x = nn.relu(self.norm(name="norm2")(x))
        return self.conv(self.growth, (3, 3), padding=1, name="conv2")(x)


class DenseNet(nn.Module):
    """A 7×7 convolution, a maximum, four blocks in which each layer reads all before it, means, and one dense layer.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        depths: layers in each of the four blocks; between blocks the channels and the resolution are halved.
        growth: channels that a layer adds.
        stem: channels of the first convolution.
        extra_layers: two more fully connected layers, → 512 → 256, before the output.
        remat: compute the layers' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    depths: tuple[int, int, int, int]
    growth: int = 32
    stem: int = 64
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1, at least 29×29 → (batch, num_outputs) float32."""
        conv = partial(nn.Conv, padding=0, use_bias=False, kernel_init=_conv_init, dtype=self.dtype)
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)
        layer = partial(nn.remat(_Layer) if self.remat else _Layer, self.growth, conv=conv, norm=norm)

        x = conv(self.stem, (7, 7), strides=2, padding=3, name="features.conv0")(image.astype(self.dtype))
        x = nn.relu(norm(name="features.norm0")(x))
        x = nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for block, depth in enumerate(self.depths, start=1):
            if block > 1:
                transition = f"features.transition{block - 1}"
                x = nn.relu(norm(name=f"{transition}.norm")(x))
                x = conv(x.shape[-1] // 2, (1, 1), name=f"{transition}.conv")(x)
                x = nn.avg_pool(x, (2, 2), strides=(2, 2))
            parts: tuple[Array, ...] = (x,)
            for index in range(1, depth + 1):
                parts += (layer(name=f"features.denseblock{block}.denselayer{index}")(parts),)
            x = jnp.concatenate(parts, axis=-1)
        x = nn.relu(norm(name="features.norm5")(x))
        x = jnp.mean(x, axis=(1, 2))
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="classifier", hidden=hidden, dtype=self.dtype, bias_init=nn.initializers.zeros)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    name: partial(DenseNet, depths=depths, growth=growth, stem=stem) for name, (depths, growth, stem) in _SHAPES.items()
}
