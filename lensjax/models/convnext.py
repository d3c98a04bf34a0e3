"""ConvNeXt tiny, small, base and large, layer for layer as torchvision builds them (Liu et al. 2022, "A ConvNet for the 2020s")."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.grouped import Conv
from lensjax.models.layers import extra_widths, output_layer

HEADS = ("classifier.2",)
SMALLEST = 32
"""Side of the smallest image: the stem divides it by 4, three more layers by 2."""

# Channels of the first stage, doubled at each; blocks of the four stages; drop_path.
_SIZES = {
    "tiny": (96, (3, 3, 9, 3), 0.1),
    "small": (96, (3, 3, 27, 3), 0.4),
    "base": (128, (3, 3, 27, 3), 0.5),
    "large": (192, (3, 3, 27, 3), 0.5),
}

# PyTorch's truncated normal is cut at ±2, which is 100 deviations.
_init = nn.initializers.normal(0.02)
_inits = {"kernel_init": _init, "bias_init": nn.initializers.zeros}
_EXTRA = (512, 256)


class _Block(nn.Module):
    """Residual of a 7×7 depthwise convolution, layer normalisation, and two dense layers at each pixel.

    The whole branch is dropped, image by image, with probability `drop` in training.
    """

    drop: float
    train: bool
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        dense = partial(nn.Dense, kernel_init=_init, dtype=self.dtype)
        y = Conv(channels, (7, 7), padding=3, feature_group_count=channels, kernel_init=_init, dtype=self.dtype, name="block.0")(x)
        y = nn.LayerNorm(epsilon=1e-6, use_fast_variance=False, dtype=self.dtype, name="block.2")(y)
        y = nn.gelu(dense(4 * channels, name="block.3")(y), approximate=False)
        y = dense(channels, name="block.5")(y)
        scale = self.param("layer_scale", nn.initializers.constant(1e-6), (channels, 1, 1))
        y = scale[:, 0, 0].astype(y.dtype) * y
        return x + nn.Dropout(self.drop, broadcast_dims=(1, 2, 3), deterministic=not self.train)(y)


class ConvNeXt(nn.Module):
    """Patches of 4×4 pixels, four stages of blocks at halving resolution, means, normalisation, and one dense layer.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        channels: of the first stage; each further one has twice as many.
        blocks: in each of the stages.
        drop_path: probability, in training, to drop block number i of n is drop_path · i/(n − 1), i from 0 (dropout key: "dropout").
        extra_layers: two more fully connected layers, → 512 → 256, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    channels: int = 96
    blocks: tuple[int, ...] = (3, 3, 9, 3)
    drop_path: float = 0.1
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1, at least 32×32 → (batch, num_outputs) float32."""
        conv = partial(Conv, padding=0, kernel_init=_init, dtype=self.dtype)
        norm = partial(nn.LayerNorm, epsilon=1e-6, use_fast_variance=False, dtype=self.dtype)
        block = partial(nn.remat(_Block) if self.remat else _Block, train=train, dtype=self.dtype)

        x = conv(self.channels, (4, 4), strides=4, name="features.0.0")(image.astype(self.dtype))
        x = norm(name="features.0.1")(x)
        number = 0
        for stage, blocks in enumerate(self.blocks):
            if stage > 0:
                x = norm(name=f"features.{2 * stage}.0")(x)
                x = conv(2 * x.shape[-1], (2, 2), strides=2, name=f"features.{2 * stage}.1")(x)
            for index in range(blocks):
                x = block(drop=self.drop_path * number / (sum(self.blocks) - 1), name=f"features.{2 * stage + 1}.{index}")(x)
                number += 1
        x = norm(name="classifier.0")(jnp.mean(x, axis=(1, 2)))
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="classifier.2", hidden=hidden, dtype=self.dtype, **_inits)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    f"convnext_{name}": partial(ConvNeXt, channels=channels, blocks=blocks, drop_path=drop_path)
    for name, (channels, blocks, drop_path) in _SIZES.items()
}
