"""Layers that Flax lacks and more than one family uses."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike


def _bins(size: int, out: int) -> np.ndarray:
    """(out, size) float32: row i averages PyTorch's bin i, ⌊i size/out⌋ to ⌈(i + 1) size/out⌉ (exclusive)."""
    index = np.arange(out)
    start = index * size // out
    stop = -(-(index + 1) * size // out)
    pixel = np.arange(size)
    inside = (pixel >= start[:, None]) & (pixel < stop[:, None])
    return (inside / (stop - start)[:, None]).astype(np.float32)


def adaptive_average_pool(x: Array, shape: tuple[int, int]) -> Array:
    """Means over a grid of `shape` bins: (batch, height, width, channel) → (batch, *shape, channel).

    Bins as in PyTorch's AdaptiveAvgPool2d: they overlap where the size does not divide, and repeat pixels
    where the map is smaller than the grid. Summed in float32; returns the type of x.
    """
    down, along = _bins(x.shape[1], shape[0]), _bins(x.shape[2], shape[1])
    pooled = jnp.einsum("ih,bhwc,jw->bijc", down, x.astype(jnp.float32), along, precision="highest")
    return pooled.astype(x.dtype)


_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def in_tensorflow_range(image: Array) -> Array:
    """Colours (…, 3) that were normalised as torchvision does for ImageNet, in the range −1…1 that TensorFlow's networks were trained on.

    Raises:
        ValueError: not three channels.
    """
    if image.shape[-1] != 3:
        raise ValueError(f"the image has {image.shape[-1]} channels; transform_input expects 3")
    return image * (_IMAGENET_DEVIATION / 0.5) + (_IMAGENET_MEAN - 0.5) / 0.5


def make_divisible(channels: float, divisor: int) -> int:
    """The multiple of `divisor` nearest to `channels`, or the next one up where that is more than a tenth less."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * channels else nearest + divisor


uniform_kernel = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""Initial weights of PyTorch's layers where a network sets none: uniform between ∓1/√(fan-in)."""


def uniform_bias(fan_in: int) -> Callable[..., Array]:
    """Initial biases of PyTorch's layers where a network sets none: uniform between ∓1/√(fan-in)."""

    def init(key: Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
        return jax.random.uniform(key, shape, dtype, -(fan_in**-0.5), fan_in**-0.5)

    return init


def dense(
    x: Array,
    features: int,
    *,
    name: str,
    dtype: DTypeLike,
    kernel_init: Callable[..., Array] = uniform_kernel,
    bias_init: Callable[..., Array] | None = None,
) -> Array:
    """Adds a dense layer to the module that is being built: (..., values) → (..., features).

    Its initial weights are those of PyTorch; a `bias_init` of None is `uniform_bias`.
    """
    bias_init = bias_init or uniform_bias(x.shape[-1])
    return nn.Dense(features, kernel_init=kernel_init, bias_init=bias_init, dtype=dtype, name=name)(x)


def extra_widths(extra_layers: bool | tuple[int, ...], usual: tuple[int, ...]) -> tuple[int, ...]:
    """Widths of the fully connected layers before the output: none, a network's `usual` ones, or the widths given."""
    if isinstance(extra_layers, tuple):
        return extra_layers
    return usual if extra_layers else ()


def hidden_layers(x: Array, widths: tuple[int, ...], *, dtype: DTypeLike, **inits: Any) -> Array:
    """Adds a dense layer with ReLU of each width, "extra0", "extra1", …: (batch, values) → (batch, last width)."""
    for index, width in enumerate(widths):
        x = nn.relu(dense(x, width, name=f"extra{index}", dtype=dtype, **inits))
    return x


def output_layer(x: Array, num_outputs: int, *, name: str, hidden: tuple[int, ...] = (), dtype: DTypeLike, **inits: Any) -> Array:
    """Adds the last layers of a network: (batch, values) → (batch, num_outputs) float32.

    That is a dense layer called `name`. With `hidden` widths it is a dense layer with ReLU of each width, and then a dense layer called
    "output". All have the initial weights `inits`, as `dense` takes them.
    """
    x = hidden_layers(x, hidden, dtype=dtype, **inits)
    return dense(x, num_outputs, name="output" if hidden else name, dtype=dtype, **inits).astype(jnp.float32)


class ConvNorm(nn.Module):
    """Convolution without bias, padded by half its kernel; normalisation; activation. Names as in torchvision's Conv2dNormActivation.

    Attributes:
        features: channels out.
        kernel: side of the kernel, odd.
        conv: nn.Conv with its type and initial weights.
        norm: nn.BatchNorm with its options.
        stride: of the convolution.
        groups: of channels that the convolution keeps apart.
        activation: applied last; None for none.
    """

    features: int
    kernel: int
    conv: Callable[..., Any]
    norm: Callable[..., Any]
    stride: int = 1
    groups: int = 1
    activation: Callable[[Array], Array] | None = nn.relu

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """(batch, height, width, channel) → (batch, ⌈height/stride⌉, ⌈width/stride⌉, features)."""
        x = self.conv(
            self.features,
            (self.kernel, self.kernel),
            strides=self.stride,
            padding=self.kernel // 2,
            feature_group_count=self.groups,
            use_bias=False,
            name="0",
        )(x)
        x = self.norm(name="1")(x)
        return x if self.activation is None else self.activation(x)


class SqueezeExcite(nn.Module):
    """Scales each channel by what two dense layers make of all channels' means (Hu et al. 2018).

    Attributes:
        squeezed: width of the first layer.
        conv: nn.Conv with its type and initial weights.
        activation: between the two.
        gate: makes the second layer's values scales of 0…1.
        even_bias: first biases are `uniform_bias`; else zero.
    """

    squeezed: int
    conv: Callable[..., Any]
    activation: Callable[[Array], Array] = nn.relu
    gate: Callable[[Array], Array] = nn.sigmoid
    even_bias: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """(batch, height, width, channel) → the same."""
        conv = partial(self.conv, kernel_size=(1, 1))
        biases = [uniform_bias(n) if self.even_bias else nn.initializers.zeros for n in (x.shape[-1], self.squeezed)]
        scale = jnp.mean(x, axis=(1, 2), keepdims=True)
        scale = self.activation(conv(self.squeezed, bias_init=biases[0], name="fc1")(scale))
        return self.gate(conv(x.shape[-1], bias_init=biases[1], name="fc2")(scale)) * x
