"""Inception v3, layer for layer as torchvision builds it (Szegedy et al. 2016, "Rethinking the Inception architecture for computer
vision").

torchvision, where it loads its own ImageNet weights, also rescales colours normalised as ImageNet's to −1…1; `transform_input` does that.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.layers import dense, extra_widths, in_tensorflow_range, output_layer

HEADS = ("fc", "AuxLogits.fc")
SMALLEST = 75
"""Side of the smallest image that leaves every layer a pixel."""

_EXTRA = (1024, 512)
_AUXILIARY = 17
"""Pixels on a side of the map that the auxiliary head needs: those of images of 299×299."""

# A convolution: name, channels, kernel (height, width), and whether it has stride 2 and no padding, or pads to keep the size.
Conv = tuple[str, int, tuple[int, int], bool]
# Branches side by side; each a chain of convolutions, the last of which may be two side by side on the same input.
Mixed = tuple[tuple[Conv | tuple[Conv, Conv], ...], ...]


def _a(pooled: int) -> Mixed:
    return (
        (("branch1x1", 64, (1, 1), False),),
        (("branch5x5_1", 48, (1, 1), False), ("branch5x5_2", 64, (5, 5), False)),
        (("branch3x3dbl_1", 64, (1, 1), False), ("branch3x3dbl_2", 96, (3, 3), False), ("branch3x3dbl_3", 96, (3, 3), False)),
        (("branch_pool", pooled, (1, 1), False),),
    )


_B: Mixed = (
    (("branch3x3", 384, (3, 3), True),),
    (("branch3x3dbl_1", 64, (1, 1), False), ("branch3x3dbl_2", 96, (3, 3), False), ("branch3x3dbl_3", 96, (3, 3), True)),
)


def _c(width: int) -> Mixed:
    return (
        (("branch1x1", 192, (1, 1), False),),
        (("branch7x7_1", width, (1, 1), False), ("branch7x7_2", width, (1, 7), False), ("branch7x7_3", 192, (7, 1), False)),
        (
            ("branch7x7dbl_1", width, (1, 1), False), ("branch7x7dbl_2", width, (7, 1), False), ("branch7x7dbl_3", width, (1, 7), False),
            ("branch7x7dbl_4", width, (7, 1), False), ("branch7x7dbl_5", 192, (1, 7), False),
        ),
        (("branch_pool", 192, (1, 1), False),),
    )  # fmt: skip


_D: Mixed = (
    (("branch3x3_1", 192, (1, 1), False), ("branch3x3_2", 320, (3, 3), True)),
    (
        ("branch7x7x3_1", 192, (1, 1), False), ("branch7x7x3_2", 192, (1, 7), False), ("branch7x7x3_3", 192, (7, 1), False),
        ("branch7x7x3_4", 192, (3, 3), True),
    ),
)  # fmt: skip
_E: Mixed = (
    (("branch1x1", 320, (1, 1), False),),
    (("branch3x3_1", 384, (1, 1), False), (("branch3x3_2a", 384, (1, 3), False), ("branch3x3_2b", 384, (3, 1), False))),
    (
        ("branch3x3dbl_1", 448, (1, 1), False), ("branch3x3dbl_2", 384, (3, 3), False),
        (("branch3x3dbl_3a", 384, (1, 3), False), ("branch3x3dbl_3b", 384, (3, 1), False)),
    ),
    (("branch_pool", 192, (1, 1), False),),
)  # fmt: skip

_MIXED: dict[str, Mixed] = {
    "Mixed_5b": _a(32), "Mixed_5c": _a(64), "Mixed_5d": _a(64), "Mixed_6a": _B, "Mixed_6b": _c(128), "Mixed_6c": _c(160),
    "Mixed_6d": _c(160), "Mixed_6e": _c(192), "Mixed_7a": _D, "Mixed_7b": _E, "Mixed_7c": _E,
}  # fmt: skip


def _normal(spread: float) -> Callable[..., Array]:
    """Initial weights: a normal distribution cut at ±2."""
    return nn.initializers.truncated_normal(spread, lower=-2.0 / spread, upper=2.0 / spread)


class _Conv(nn.Module):
    """Convolution without bias, normalisation, ReLU."""

    channels: int
    kernel: tuple[int, int]
    strides: int
    padding: tuple[int, int]
    train: bool
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        padding = [(p, p) for p in self.padding]
        x = nn.Conv(
            self.channels, self.kernel, strides=self.strides, padding=padding, use_bias=False, kernel_init=_normal(0.1),
            dtype=self.dtype, name="conv",
        )(x)  # fmt: skip
        return nn.relu(nn.BatchNorm(use_running_average=not self.train, momentum=0.9, epsilon=1e-3, dtype=self.dtype, name="bn")(x))


class _Mixed(nn.Module):
    branches: Mixed
    conv: Callable[..., nn.Module]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        def applied(x: Array, layer: Conv) -> Array:
            name, channels, kernel, halves = layer
            padding = (0, 0) if halves else (kernel[0] // 2, kernel[1] // 2)
            return self.conv(channels=channels, kernel=kernel, strides=2 if halves else 1, padding=padding, name=name)(x)

        outputs = []
        for branch in self.branches:
            y = x
            for layer in branch:
                if isinstance(layer[0], str):
                    if layer[0] == "branch_pool":
                        y = nn.avg_pool(y, (3, 3), strides=(1, 1), padding=((1, 1), (1, 1)), count_include_pad=True)
                    y = applied(y, layer)
                else:
                    y = jnp.concatenate([applied(y, conv) for conv in layer], axis=-1)
            outputs.append(y)
        if any(layer[-1] is True for branch in self.branches for layer in branch):  # halves: the maximum goes along
            outputs.append(nn.max_pool(x, (3, 3), strides=(2, 2)))
        return jnp.concatenate(outputs, axis=-1)


class _Auxiliary(nn.Module):
    num_outputs: int
    conv: Callable[..., nn.Module]
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.avg_pool(x, (5, 5), strides=(3, 3))
        x = self.conv(channels=128, kernel=(1, 1), strides=1, padding=(0, 0), name="conv0")(x)
        x = self.conv(channels=768, kernel=(5, 5), strides=1, padding=(0, 0), name="conv1")(x)
        return dense(jnp.mean(x, axis=(1, 2)), self.num_outputs, name="fc", dtype=self.dtype, kernel_init=_normal(0.001))


class Inception(nn.Module):
    """Convolutions, eleven modules of branches side by side, means, and one dense layer. Layers bear torchvision's names.

    In training the output of an auxiliary head, (batch, num_outputs), is stored in the collection "auxiliary". Images smaller than 299×299
    are too small for that head and have no such output, but its parameters are always there.

    Attributes:
        num_outputs: numbers to regress.
        extra_layers: two more fully connected layers, 2048 → 1024 → 512, before the output.
        transform_input: rescale colours normalised as ImageNet's to −1…1 first, as torchvision does with its published weights.
        remat: compute the modules' activations again in the backward pass instead of keeping them.
        dropout: fraction of the last features set to zero in training (dropout key: "dropout").
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    extra_layers: bool | tuple[int, ...] = False
    transform_input: bool = False
    remat: bool = False
    dropout: float = 0.5
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1, at least 75×75 → (batch, num_outputs) float32."""
        conv = partial(_Conv, train=train, dtype=self.dtype)
        mixed = partial(nn.remat(_Mixed) if self.remat else _Mixed, conv=conv)

        x = in_tensorflow_range(image) if self.transform_input else image
        x = conv(32, (3, 3), 2, (0, 0), name="Conv2d_1a_3x3")(x.astype(self.dtype))
        x = conv(32, (3, 3), 1, (0, 0), name="Conv2d_2a_3x3")(x)
        x = conv(64, (3, 3), 1, (1, 1), name="Conv2d_2b_3x3")(x)
        x = nn.max_pool(x, (3, 3), strides=(2, 2))
        x = conv(80, (1, 1), 1, (0, 0), name="Conv2d_3b_1x1")(x)
        x = conv(192, (3, 3), 1, (0, 0), name="Conv2d_4a_3x3")(x)
        x = nn.max_pool(x, (3, 3), strides=(2, 2))
        for name, branches in _MIXED.items():
            x = mixed(branches=branches, name=name)(x)
            if name == "Mixed_6e":
                auxiliary = _Auxiliary(self.num_outputs, conv, self.dtype, name="AuxLogits")
                if self.is_initializing():
                    auxiliary(jnp.zeros((1, _AUXILIARY, _AUXILIARY, x.shape[-1]), x.dtype))
                elif train and min(x.shape[1:3]) >= _AUXILIARY:
                    self.sow("auxiliary", "aux", auxiliary(x).astype(jnp.float32))
        x = nn.Dropout(self.dropout, deterministic=not train)(jnp.mean(x, axis=(1, 2)))
        hidden = extra_widths(self.extra_layers, _EXTRA)
        return output_layer(x, self.num_outputs, name="fc", hidden=hidden, dtype=self.dtype, kernel_init=_normal(0.1))


VARIANTS: dict[str, Callable[..., nn.Module]] = {"inception_v3": Inception}
