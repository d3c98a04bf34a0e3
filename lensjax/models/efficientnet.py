"""EfficientNet B0 to B7 and V2 S, M and L, layer for layer as torchvision builds them, and the 2023 thesis's B3.5 and B4.5
(Tan & Le 2019, "EfficientNet: rethinking model scaling for convolutional neural networks"; Tan & Le 2021, "EfficientNetV2:
smaller models and faster training").
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.grouped import Conv
from lensjax.models.layers import ConvNorm, SqueezeExcite, extra_widths, make_divisible, output_layer

HEADS = ("classifier.1",)
SMALLEST = 1
"""Side of the smallest image: every layer pads, so that one pixel remains."""


class Stage(NamedTuple):
    """Blocks in a row, of which the first has the stride; channels and repeats before scaling."""

    expand: int
    kernel: int
    stride: int
    channels: int
    repeats: int
    fused: bool = False


STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
"""B0 (2019, table 1)."""

_STAGES_V2 = {
    "s": (
        Stage(1, 3, 1, 24, 2, fused=True),
        Stage(4, 3, 2, 48, 4, fused=True),
        Stage(4, 3, 2, 64, 4, fused=True),
        Stage(4, 3, 2, 128, 6),
        Stage(6, 3, 1, 160, 9),
        Stage(6, 3, 2, 256, 15),
    ),
    "m": (
        Stage(1, 3, 1, 24, 3, fused=True),
        Stage(4, 3, 2, 48, 5, fused=True),
        Stage(4, 3, 2, 80, 5, fused=True),
        Stage(4, 3, 2, 160, 7),
        Stage(6, 3, 1, 176, 14),
        Stage(6, 3, 2, 304, 18),
        Stage(6, 3, 1, 512, 5),
    ),
    "l": (
        Stage(1, 3, 1, 32, 4, fused=True),
        Stage(4, 3, 2, 64, 7, fused=True),
        Stage(4, 3, 2, 96, 7, fused=True),
        Stage(4, 3, 2, 192, 10),
        Stage(6, 3, 1, 224, 19),
        Stage(6, 3, 2, 384, 25),
        Stage(6, 3, 1, 640, 7),
    ),
}
# Width, depth, dropout, and normalisation's epsilon and momentum: torchvision's B5 to B7 and the thesis's B4.5 keep the original's, the
# others have PyTorch's.
_SCALES = {
    "b0": (1.0, 1.0, 0.2, 1e-5, 0.9),
    "b1": (1.0, 1.1, 0.2, 1e-5, 0.9),
    "b2": (1.1, 1.2, 0.3, 1e-5, 0.9),
    "b3": (1.2, 1.4, 0.3, 1e-5, 0.9),
    "b3_5": (1.2, 1.6, 0.3, 1e-5, 0.9),
    "b4": (1.4, 1.8, 0.4, 1e-5, 0.9),
    "b4_5": (1.8, 2.0, 0.4, 1e-3, 0.99),
    "b5": (1.6, 2.2, 0.4, 1e-3, 0.99),
    "b6": (1.8, 2.6, 0.5, 1e-3, 0.99),
    "b7": (2.0, 3.1, 0.5, 1e-3, 0.99),
}
# Stem's channels, dropout.
_SCALES_V2 = {"s": (24, 0.2), "m": (24, 0.3), "l": (32, 0.4)}

_conv_init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
_inits = {"kernel_init": nn.initializers.variance_scaling(1 / 3, "fan_out", "uniform"), "bias_init": nn.initializers.zeros}
_EXTRA = (512, 256)


class _Block(nn.Module):
    """Inverted residual: expansion, depthwise convolution, squeeze and excitation, projection.

    A fused block has one whole convolution in place of the first three. The whole branch is dropped, image by image, with
    probability `drop` in training.
    """

    features: int
    stage: Stage
    stride: int
    drop: float
    conv: Callable[..., Any]
    norm: Callable[..., Any]
    train: bool

    @nn.compact
    def __call__(self, x: Array) -> Array:
        stage, channels = self.stage, x.shape[-1]
        expanded = channels * stage.expand
        part = partial(ConvNorm, conv=self.conv, norm=self.norm, activation=nn.silu)
        layers: list[Callable[..., Any]] = []
        if stage.fused:
            ends = stage.expand == 1  # then no projection follows
            layers.append(partial(part, self.features if ends else expanded, stage.kernel, stride=self.stride))
        else:
            ends = False
            if stage.expand != 1:
                layers.append(partial(part, expanded, 1))
            layers.append(partial(part, expanded, stage.kernel, stride=self.stride, groups=expanded))
            layers.append(partial(SqueezeExcite, max(1, channels // 4), self.conv, activation=nn.silu))
        if not ends:
            layers.append(partial(part, self.features, 1, activation=None))
        y = x
        for index, layer in enumerate(layers):
            y = layer(name=f"block.{index}")(y)
        if self.stride == 1 and channels == self.features:
            y = x + nn.Dropout(self.drop, broadcast_dims=(1, 2, 3), deterministic=not self.train)(y)
        return y


class EfficientNet(nn.Module):
    """A convolution, stages of inverted residuals, a wide 1×1 convolution, means, and one dense layer.

    Layers bear torchvision's names.

    Attributes:
        num_outputs: numbers to regress.
        stages: the blocks, before scaling.
        stem: channels of the first convolution, before scaling.
        head: channels of the last convolution; None for four times the last stage's.
        width: scale of the channels, which are rounded to multiples of 8.
        depth: scale of the stages' repeats, rounded up.
        dropout: fraction of the last features set to zero in training (dropout key: "dropout").
        drop_path: probability, in training, to drop block number i of n is drop_path · i/n, i from 0 (dropout key: "dropout").
        norm_epsilon: what is added to the variance in normalisation.
        norm_momentum: fraction of the running statistics that is kept at each step.
        extra_layers: two more fully connected layers, → 512 → 256, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    stages: tuple[Stage, ...] = STAGES
    stem: int = 32
    head: int | None = None
    width: float = 1.0
    depth: float = 1.0
    dropout: float = 0.2
    drop_path: float = 0.2
    norm_epsilon: float = 1e-5
    norm_momentum: float = 0.9
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1 → (batch, num_outputs) float32."""
        norm = partial(
            nn.BatchNorm, use_running_average=not train, momentum=self.norm_momentum, epsilon=self.norm_epsilon, dtype=self.dtype
        )
        conv = partial(Conv, kernel_init=_conv_init, dtype=self.dtype)
        part = partial(ConvNorm, conv=conv, norm=norm, activation=nn.silu)
        block = partial(nn.remat(_Block) if self.remat else _Block, conv=conv, norm=norm, train=train)

        x = part(make_divisible(self.stem * self.width, 8), 3, stride=2, name="features.0")(image.astype(self.dtype))
        repeats = [math.ceil(stage.repeats * self.depth) for stage in self.stages]
        number = 0
        for position, (stage, repeat) in enumerate(zip(self.stages, repeats, strict=True), start=1):
            features = make_divisible(stage.channels * self.width, 8)
            for index in range(repeat):
                x = block(
                    features,
                    stage,
                    stride=stage.stride if index == 0 else 1,
                    drop=self.drop_path * number / sum(repeats),
                    name=f"features.{position}.{index}",
                )(x)
                number += 1
        x = part(self.head or 4 * x.shape[-1], 1, name=f"features.{len(self.stages) + 1}")(x)
        x = nn.Dropout(self.dropout, deterministic=not train)(jnp.mean(x, axis=(1, 2)))
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="classifier.1", hidden=hidden, dtype=self.dtype, **_inits)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    f"efficientnet_{name}": partial(EfficientNet, width=width, depth=depth, dropout=dropout, norm_epsilon=epsilon, norm_momentum=momentum)
    for name, (width, depth, dropout, epsilon, momentum) in _SCALES.items()
}
VARIANTS |= {
    f"efficientnet_v2_{name}": partial(EfficientNet, stages=_STAGES_V2[name], stem=stem, head=1280, dropout=dropout, norm_epsilon=1e-3)
    for name, (stem, dropout) in _SCALES_V2.items()
}
