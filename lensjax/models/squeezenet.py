"""SqueezeNet 1.0 and 1.1, layer for layer as torchvision builds them (Iandola et al. 2016), but for the very end.

torchvision has a ReLU before the last mean. A network that regresses numbers of both signs must not have one: with it the 2023 thesis
got zeros. `final_relu` puts it back, for comparison.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.layers import output_layer

HEADS = ("classifier.1",)
SMALLEST = 17
"""Side of the smallest image that leaves every layer of 1.1 a pixel."""
_SMALLEST_1_0 = 21

_init = nn.initializers.variance_scaling(2.0, "fan_in", "uniform")
_last_init = nn.initializers.normal(0.01)
_EXTRA = (1024, 512)


def _pool(x: Array) -> Array:
    """3×3 maximum of stride 2; the last window may reach over the edge, as PyTorch's ceil_mode has it."""
    over = [(0, -(-max(n - 3, 0) // 2) * 2 + 3 - n) for n in x.shape[1:3]]
    return nn.max_pool(x, (3, 3), strides=(2, 2), padding=over)


class _Fire(nn.Module):
    squeeze: int
    conv: Callable[..., Any]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.relu(self.conv(self.squeeze, (1, 1), name="squeeze")(x))
        by1 = self.conv(4 * self.squeeze, (1, 1), name="expand1x1")(x)
        by3 = self.conv(4 * self.squeeze, (3, 3), padding=1, name="expand3x3")(x)
        return nn.relu(jnp.concatenate([by1, by3], axis=-1))


class SqueezeNet(nn.Module):
    """A convolution, Fire modules (squeeze, then expand by 1×1 and 3×3) between maxima, and the mean of a 1×1 convolution.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        first: channels and kernel side of the first convolution.
        fires: squeezed channels of each Fire module, 0 where there is a maximum instead.
        final_relu: torchvision's ReLU before the last mean.
        extra_layers: a 3×3 convolution 512 → 256, a 2×2 maximum, and of the whole map two fully connected layers, → 1024 → 512, before
            the output, as in the 2023 thesis; there is no last mean then, and the weights fit one size of images.
        dropout: fraction of the last features set to zero in training (dropout key: "dropout").
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    first: tuple[int, int]
    fires: tuple[int, ...]
    final_relu: bool = False
    extra_layers: bool = False
    dropout: float = 0.5
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1, at least 17×17 (1.0: 21×21) → (batch, num_outputs) float32."""
        conv = partial(nn.Conv, padding=0, kernel_init=_init, dtype=self.dtype)
        channels, side = self.first
        x = nn.relu(conv(channels, (side, side), strides=2, name="features.0")(image.astype(self.dtype)))
        for number, squeeze in enumerate(self.fires, start=2):
            x = _Fire(squeeze, conv, name=f"features.{number}")(x) if squeeze else _pool(x)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        if self.extra_layers:
            x = nn.relu(conv(256, (3, 3), padding=1, kernel_init=_last_init, name="extra")(x))
            x = nn.max_pool(x, (2, 2), strides=(2, 2)) if min(x.shape[1:3]) > 1 else x
            x = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)  # PyTorch's order: channel, row, column
            return output_layer(x, self.num_outputs, name="output", hidden=_EXTRA, dtype=self.dtype)
        x = conv(self.num_outputs, (1, 1), kernel_init=_last_init, name="classifier.1")(x)
        x = nn.relu(x) if self.final_relu else x
        return x.astype(jnp.float32).mean(axis=(1, 2))


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    "squeezenet1_0": partial(SqueezeNet, first=(96, 7), fires=(0, 16, 16, 32, 0, 32, 48, 48, 64, 0, 64)),
    "squeezenet1_1": partial(SqueezeNet, first=(64, 3), fires=(0, 16, 16, 0, 32, 32, 0, 48, 48, 64, 64)),
}


def check_size(name: str, side: int) -> str | None:
    """The expected side of the image where `side` is too small for 1.0; None where it is right."""
    return f"{_SMALLEST_1_0} or more" if name == "squeezenet1_0" and side < _SMALLEST_1_0 else None
