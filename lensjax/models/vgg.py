"""VGG 11, 13, 16 and 19, with and without batch normalisation, layer for layer as torchvision builds them, so
that its weights fit (Simonyan & Zisserman 2015, "Very deep convolutional networks for large-scale image
recognition").
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.layers import adaptive_average_pool, dense, extra_widths, output_layer

HEADS = ("classifier.6",)
SMALLEST = 32
"""Side of the smallest image: five layers halve it."""

# Convolutions in each of the five stages; a stage ends in a 2×2 maximum.
_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_CHANNELS = (64, 128, 256, 512, 512)
_EXTRA = (1024, 512)

_conv_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
_inits = {"kernel_init": nn.initializers.normal(0.01), "bias_init": nn.initializers.zeros}


class VGG(nn.Module):
    """Stages of 3×3 convolutions, a 7×7 map of means, and fully connected layers with dropout.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        depths: convolutions in each of the five stages.
        batch_norm: normalise after each convolution.
        hidden: width of the two hidden layers.
        extra_layers: two more fully connected layers, 4096 → 1024 → 512, before the output.
        remat: compute the stages' activations again in the backward pass instead of keeping them.
        dropout: fraction of the two hidden layers' values set to zero in training (dropout key: "dropout").
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    depths: tuple[int, ...]
    batch_norm: bool = False
    hidden: int = 4096
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dropout: float = 0.5
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel), at least 32×32 → (batch, num_outputs) float32."""
        conv = partial(nn.Conv, kernel_size=(3, 3), padding=1, kernel_init=_conv_init, dtype=self.dtype)
        # Flax's momentum is the fraction that is kept, PyTorch's (0.1) the fraction that is new.
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=self.dtype)
        drop = nn.Dropout(self.dropout, deterministic=not train)

        each = 3 if self.batch_norm else 2  # layers that torchvision counts for a convolution

        def stage(net: nn.Module, x: Array, first: int, channels: int, depth: int) -> Array:
            for layer in range(first, first + each * depth, each):
                x = conv(channels, name=f"features.{layer}")(x)
                if self.batch_norm:
                    x = norm(name=f"features.{layer + 1}")(x)
                x = nn.relu(x)
            return nn.max_pool(x, (2, 2), strides=(2, 2))

        run = nn.remat(stage, static_argnums=(2, 3, 4)) if self.remat else stage
        x = image.astype(self.dtype)
        layer = 0
        for channels, depth in zip(_CHANNELS, self.depths, strict=True):
            x = run(self, x, layer, channels, depth)
            layer += each * depth + 1
        x = adaptive_average_pool(x, (7, 7))
        # PyTorch flattens (channel, height, width): in that order its fully connected weights, once
        # converted, give the same numbers.
        x = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)
        for name in ("classifier.0", "classifier.3"):
            x = drop(nn.relu(dense(x, self.hidden, name=name, dtype=self.dtype, **_inits)))
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="classifier.6", hidden=hidden, dtype=self.dtype, **_inits)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    f"vgg{depth}{suffix}": partial(VGG, depths=depths, batch_norm=bool(suffix))
    for depth, depths in _DEPTHS.items()
    for suffix in ("", "_bn")
}
