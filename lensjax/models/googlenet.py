"""GoogLeNet, layer for layer as torchvision builds it (Szegedy et al. 2015, "Going deeper with convolutions").

Its own ImageNet weights torchvision uses with `transform_input`: see `inception`.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.layers import adaptive_average_pool, dense, extra_widths, in_tensorflow_range, output_layer

HEADS = ("fc", "aux1.fc2", "aux2.fc2")
SMALLEST = 15
"""Side of the smallest image, as in torchvision."""

_init = nn.initializers.normal(0.01)  # PyTorch's truncated normal is cut at ±2, which is 200 deviations

# Channels of a module: 1×1; 1×1 and 3×3; 1×1 and 3×3 (the paper's 5×5); 1×1 after a maximum. A number is the side of a maximum between.
_MODULES: tuple[tuple[str, tuple[int, ...]] | int, ...] = (
    ("inception3a", (64, 96, 128, 16, 32, 32)), ("inception3b", (128, 128, 192, 32, 96, 64)), 3,
    ("inception4a", (192, 96, 208, 16, 48, 64)), ("inception4b", (160, 112, 224, 24, 64, 64)), ("inception4c", (128, 128, 256, 24, 64, 64)),
    ("inception4d", (112, 144, 288, 32, 64, 64)), ("inception4e", (256, 160, 320, 32, 128, 128)), 2,
    ("inception5a", (256, 160, 320, 32, 128, 128)), ("inception5b", (384, 192, 384, 48, 128, 128)),
)  # fmt: skip
_EXTRA = (1024, 512)
_AUXILIARY = {"inception4a": "aux1", "inception4d": "aux2"}
"""After which modules the auxiliary heads branch off."""


def _pool(x: Array, side: int) -> Array:
    """Maximum of stride 2; the last window may reach over the edge, as PyTorch's ceil_mode has it."""
    over = [(0, max(-(-(n - side) // 2), 0) * 2 + side - n) for n in x.shape[1:3]]
    return nn.max_pool(x, (side, side), strides=(2, 2), padding=over)


class _Conv(nn.Module):
    """Convolution without bias, normalisation, ReLU."""

    channels: int
    side: int
    train: bool
    dtype: DTypeLike
    strides: int = 1

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Conv(
            self.channels, (self.side, self.side), strides=self.strides, padding=self.side // 2, use_bias=False, kernel_init=_init,
            dtype=self.dtype, name="conv",
        )(x)  # fmt: skip
        return nn.relu(nn.BatchNorm(use_running_average=not self.train, momentum=0.9, epsilon=1e-3, dtype=self.dtype, name="bn")(x))


class _Inception(nn.Module):
    """Four branches side by side."""

    channels: tuple[int, ...]
    conv: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width1, before3, width3, before5, width5, pooled = self.channels
        maximum = nn.max_pool(x, (3, 3), strides=(1, 1), padding=((1, 1), (1, 1)))
        branches = [
            self.conv(width1, 1, name="branch1")(x),
            self.conv(width3, 3, name="branch2.1")(self.conv(before3, 1, name="branch2.0")(x)),
            self.conv(width5, 3, name="branch3.1")(self.conv(before5, 1, name="branch3.0")(x)),
            self.conv(pooled, 1, name="branch4.1")(maximum),
        ]
        return jnp.concatenate(branches, axis=-1)


class _Auxiliary(nn.Module):
    num_outputs: int
    conv: Callable[..., nn.Module]
    train: bool
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = self.conv(128, 1, name="conv")(adaptive_average_pool(x, (4, 4)))
        x = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)  # PyTorch's order: channel, row, column
        layer = partial(dense, kernel_init=_init, dtype=self.dtype)
        x = nn.Dropout(0.7, deterministic=not self.train)(nn.relu(layer(x, 1024, name="fc1")))
        return layer(x, self.num_outputs, name="fc2")


class GoogLeNet(nn.Module):
    """Convolutions, nine modules of four branches side by side, means, and one dense layer. Layers bear torchvision's names.

    In training the outputs of two auxiliary heads, (batch, num_outputs) each, are stored in the collection "auxiliary". Their parameters
    are always there.

    Attributes:
        num_outputs: numbers to regress.
        extra_layers: two more fully connected layers, 1024 → 1024 → 512, before the output.
        transform_input: rescale colours normalised as ImageNet's to −1…1 first, as torchvision does with its published weights.
        remat: compute the modules' activations again in the backward pass instead of keeping them.
        dropout: fraction of the last features set to zero in training (dropout key: "dropout").
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    extra_layers: bool | tuple[int, ...] = False
    transform_input: bool = False
    remat: bool = False
    dropout: float = 0.2
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1, at least 15×15 → (batch, num_outputs) float32."""
        conv = partial(_Conv, train=train, dtype=self.dtype)
        module = partial(nn.remat(_Inception) if self.remat else _Inception, conv=conv)

        x = in_tensorflow_range(image) if self.transform_input else image
        x = _pool(conv(64, 7, strides=2, name="conv1")(x.astype(self.dtype)), 3)
        x = conv(64, 1, name="conv2")(x)
        x = _pool(conv(192, 3, name="conv3")(x), 3)
        for entry in _MODULES:
            if isinstance(entry, int):
                x = _pool(x, entry)
                continue
            name, channels = entry
            x = module(channels, name=name)(x)
            if name in _AUXILIARY and (train or self.is_initializing()):
                head = _Auxiliary(self.num_outputs, conv, train, self.dtype, name=_AUXILIARY[name])
                self.sow("auxiliary", "aux", head(x).astype(jnp.float32))
        x = nn.Dropout(self.dropout, deterministic=not train)(jnp.mean(x, axis=(1, 2)))
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="fc", hidden=hidden, dtype=self.dtype, kernel_init=_init)


VARIANTS: dict[str, Callable[..., nn.Module]] = {"googlenet": GoogLeNet}
