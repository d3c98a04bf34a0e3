"""A small residual network for lensed images of about 100×100 pixels.

Two coordinate channels are added to the image, because the targets are lengths and directions on it (Liu et al. 2018, "CoordConv").
Four stages of residual blocks follow, each at half the resolution of the one before. One hidden layer reads the whole last map, not
its mean, so that the position of the light is kept.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

HEADS = ("Dense_1",)
HEADS_AFTER_EXTRA = ("Dense_3",)
SMALLEST = 1
"""Side of the smallest image: every layer pads."""


class Compact(nn.Module):
    """Residual network of four stages.

    Attributes:
        num_outputs: numbers to regress.
        widths: channels of the stages.
        blocks: residual blocks in each stage.
        hidden: width of the hidden layer.
        extra_layers: two more fully connected layers, → hidden/2 → hidden/4, before the output.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    widths: tuple[int, ...] = (16, 32, 64, 128)
    blocks: tuple[int, ...] = (0, 1, 2, 2)
    hidden: int = 256
    extra_layers: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1 → (batch, num_outputs) float32."""
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.98, dtype=self.dtype)
        conv = partial(nn.Conv, use_bias=False, dtype=self.dtype)
        batch, height, width, _ = image.shape
        along = jnp.broadcast_to(jnp.linspace(-1.0, 1.0, width)[None, None, :, None], (batch, height, width, 1))
        down = jnp.broadcast_to(jnp.linspace(-1.0, 1.0, height)[None, :, None, None], (batch, height, width, 1))
        x = jnp.concatenate([image, along * image, down * image], axis=-1).astype(self.dtype)
        for stage, (channels, depth) in enumerate(zip(self.widths, self.blocks, strict=True)):
            kernel = (5, 5) if stage == 0 else (3, 3)
            x = nn.relu(norm()(conv(channels, kernel, strides=2)(x)))
            for _ in range(depth):
                y = nn.relu(norm()(conv(channels, (3, 3))(x)))
                y = norm(scale_init=nn.initializers.zeros)(conv(channels, (3, 3))(y))
                x = nn.relu(x + y)
        x = nn.relu(norm()(conv(self.widths[-1] // 4, (1, 1))(x)))
        x = x.reshape(batch, -1)
        widths = (self.hidden, self.hidden // 2, self.hidden // 4) if self.extra_layers else (self.hidden,)
        for features in widths:
            x = nn.relu(nn.Dense(features, dtype=self.dtype)(x))
        return nn.Dense(self.num_outputs, dtype=self.dtype)(x).astype(jnp.float32)


VARIANTS: dict[str, Callable[..., nn.Module]] = {"compact": Compact}
