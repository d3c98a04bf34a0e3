"""AlexNet, layer for layer as torchvision builds it (Krizhevsky 2014, "One weird trick for parallelizing convolutional networks")."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.layers import adaptive_average_pool, dense, extra_widths, output_layer, uniform_bias, uniform_kernel

HEADS = ("classifier.6",)
SMALLEST = 63
"""Side of the smallest image that leaves every layer a pixel."""

_EXTRA = (1024, 512)
# Of each convolution: its number in torchvision's features, channels, kernel side, stride, padding, and whether a maximum follows.
_CONVS = ((0, 64, 11, 4, 2, True), (3, 192, 5, 1, 2, True), (6, 384, 3, 1, 1, False), (8, 256, 3, 1, 1, False), (10, 256, 3, 1, 1, True))


class AlexNet(nn.Module):
    """Five convolutions, a 6×6 map of means, and fully connected layers with dropout. Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        extra_layers: two more fully connected layers, 4096 → 1024 → 512, before the output.
        dropout: fraction of the hidden layers' inputs set to zero in training (dropout key: "dropout").
        width: factor on the channels of the convolutions and on the units of the hidden layers; torchvision's network has 1.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    extra_layers: bool | tuple[int, ...] = False
    dropout: float = 0.5
    width: float = 1.0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1, at least 63×63 → (batch, num_outputs) float32."""
        drop = nn.Dropout(self.dropout, deterministic=not train)
        x = image.astype(self.dtype)
        for number, channels, side, stride, padding, pooled in _CONVS:
            conv = partial(nn.Conv, kernel_init=uniform_kernel, bias_init=uniform_bias(side**2 * x.shape[-1]), dtype=self.dtype)
            x = conv(round(self.width * channels), (side, side), strides=stride, padding=padding, name=f"features.{number}")(x)
            x = nn.relu(x)
            if pooled:
                x = nn.max_pool(x, (3, 3), strides=(2, 2))
        x = adaptive_average_pool(x, (6, 6))
        x = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)  # PyTorch's order: channel, row, column
        for name in ("classifier.1", "classifier.4"):
            x = nn.relu(dense(drop(x), round(self.width * 4096), name=name, dtype=self.dtype))
        return output_layer(x, self.num_outputs, name="classifier.6", hidden=extra_widths(self.extra_layers, _EXTRA), dtype=self.dtype)


VARIANTS: dict[str, Callable[..., nn.Module]] = {"alexnet": AlexNet}
