"""Swin transformers T, S and B, versions 1 and 2, layer for layer as torchvision builds them (Liu et al. 2021, "Swin transformer:
hierarchical vision transformer using shifted windows"; Liu et al. 2022, "Swin transformer V2: scaling up capacity and resolution").
"""

import math
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from lensjax.models.layers import extra_widths, output_layer, uniform_bias, uniform_kernel

HEADS = ("head",)
SMALLEST = 4
"""Side of the smallest image: one patch; all later layers pad."""

# Channels and attention heads of the first stage, doubled at each; blocks of the four stages.
_SIZES = {"t": (96, 3, (2, 2, 6, 2)), "s": (96, 3, (2, 2, 18, 2)), "b": (128, 4, (2, 2, 18, 2))}
_DROP_PATH = {"t": 0.2, "s": 0.3, "b": 0.5}
_WINDOWS = {1: 7, 2: 8}
_PATCH = 4

# PyTorch's truncated normal is cut at ±2, which is 100 deviations.
_init = nn.initializers.normal(0.02)
_LARGEST_SCALE = math.log(100.0)
_FORBIDDEN = -100.0

_Pixels = TypeVar("_Pixels", np.ndarray, Array)


def _offsets(window: int) -> np.ndarray:
    """(window², window²): for each pair of pixels of a window, the index of their offset in the (2 window − 1)² possible ones."""
    y, x = np.divmod(np.arange(window**2), window)
    down, along = y[:, None] - y + window - 1, x[:, None] - x + window - 1
    return down * (2 * window - 1) + along


def _log_offsets(window: int) -> np.ndarray:
    """((2 window − 1)², 2) float32: the offsets down and along, in ±8 first and then on a logarithmic scale in about ±1 (V2, eq. 4)."""
    axis = np.arange(1 - window, window) * 8 / (window - 1)
    axis = np.sign(axis) * np.log2(np.abs(axis) + 1) / 3
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)


def _regions(size: int, window: int, shift: int) -> np.ndarray:
    """(size,): which pixels of a shifted axis were neighbours before: those with equal numbers."""
    pixel = np.arange(size)
    return np.where(shift > 0, (pixel >= size - window).astype(int) + (pixel >= size - shift), 0)


def _windows(x: _Pixels, window: int) -> _Pixels:
    """(batch, height, width, channel) → (batch, windows, window², channel)."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // window, window, width // window, window, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, window**2, channels)


def _joined(x: Array, height: int, width: int) -> Array:
    """The inverse of `_windows`."""
    batch, _, area, channels = x.shape
    window = math.isqrt(area)
    x = x.reshape(batch, height // window, width // window, window, window, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height, width, channels)


def _mask(height: int, width: int, window: int, shifts: tuple[int, int]) -> np.ndarray:
    """(windows, 1, window², window²) float32: forbids pairs of pixels that only the shift brought together."""
    down, along = _regions(height, window, shifts[0]), _regions(width, window, shifts[1])
    region = _windows((3 * down[:, None] + along)[None, :, :, None], window)[0, :, :, 0]
    return np.where(region[:, None, :, None] != region[:, None, None, :], np.float32(_FORBIDDEN), np.float32(0))


def _normalised(x: Array) -> Array:
    """Divided by its length along the last axis; zero, with a gradient of zero, where that is zero."""
    wide = x.astype(jnp.float32)
    length = jnp.sum(wide**2, axis=-1, keepdims=True)
    return (wide * jax.lax.rsqrt(jnp.maximum(length, 1e-24))).astype(x.dtype)


class _QueryKeyValue(nn.Module):
    """A dense layer to three times the channels; without `key_bias` the middle third's bias counts as zero."""

    key_bias: bool
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        size = x.shape[-1]
        kernel = self.param("kernel", _init, (size, 3 * size)).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros, (3 * size,)).astype(self.dtype)
        if not self.key_bias:
            bias = bias.at[size : 2 * size].set(0)
        return x @ kernel + bias


class _Attention(nn.Module):
    """Pixels of a window look at each other; the windows lie on a grid shifted by `shift` pixels."""

    heads: int
    window: int
    shift: int
    version: int
    dtype: DTypeLike

    def _position_bias(self) -> Array:
        """(heads, window², window²) float32, added to the logits: a function of the offset."""
        if self.version == 1:
            table = self.param("relative_position_bias_table", _init, ((2 * self.window - 1) ** 2, self.heads))
        else:
            dense = partial(nn.Dense, kernel_init=_init)
            table = nn.relu(dense(512, name="cpb_mlp.0")(jnp.asarray(_log_offsets(self.window))))
            table = 16 * nn.sigmoid(dense(self.heads, use_bias=False, name="cpb_mlp.2")(table))
        return table[_offsets(self.window)].transpose(2, 0, 1)

    @nn.compact
    def __call__(self, x: Array) -> Array:
        batch, height, width, channels = x.shape
        x = jnp.pad(x, ((0, 0), (0, -height % self.window), (0, -width % self.window), (0, 0)))
        _, down, along, _ = x.shape
        # An axis with a single window is not shifted.
        shifts = (self.shift if down > self.window else 0, self.shift if along > self.window else 0)
        x = jnp.roll(x, (-shifts[0], -shifts[1]), axis=(1, 2))
        x = _windows(x, self.window)

        each = _QueryKeyValue(key_bias=self.version == 1, dtype=self.dtype, name="qkv")(x)
        each = each.reshape(*x.shape[:3], 3, self.heads, channels // self.heads)
        query, key, value = each[..., 0, :, :], each[..., 1, :, :], each[..., 2, :, :]
        if self.version == 1:
            query = query * (channels // self.heads) ** -0.5
        else:
            query, key = _normalised(query), _normalised(key)
        logits = jnp.einsum("bwqhc,bwkhc->bwhqk", query, key, preferred_element_type=jnp.float32)
        if self.version == 2:
            scale = self.param("logit_scale", nn.initializers.constant(math.log(10.0)), (self.heads, 1, 1))
            logits = logits * jnp.exp(jnp.minimum(scale, _LARGEST_SCALE))
        logits = logits + self._position_bias()
        if any(shifts):
            logits = logits + _mask(down, along, self.window, shifts)
        weights = nn.softmax(logits).astype(self.dtype)
        x = jnp.einsum("bwhqk,bwkhc->bwqhc", weights, value).reshape(x.shape)
        x = nn.Dense(channels, kernel_init=_init, dtype=self.dtype, name="proj")(x)
        x = jnp.roll(_joined(x, down, along), shifts, axis=(1, 2))
        return x[:, :height, :width]


class _Block(nn.Module):
    """Residual of attention, then residual of two dense layers at each pixel; normalised before in version 1, after in version 2.

    Either branch is dropped, image by image, with probability `drop` in training.
    """

    heads: int
    window: int
    shift: int
    version: int
    drop: float
    train: bool
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        dense = partial(nn.Dense, kernel_init=_init, dtype=self.dtype)

        def mlp(y: Array) -> Array:
            return dense(channels, name="mlp.3")(nn.gelu(dense(4 * channels, name="mlp.0")(y), approximate=False))

        attention = _Attention(self.heads, self.window, self.shift, self.version, self.dtype, name="attn")
        for branch, name in ((attention, "norm1"), (mlp, "norm2")):
            norm = nn.LayerNorm(epsilon=1e-5, use_fast_variance=False, dtype=self.dtype, name=name)
            y = branch(norm(x)) if self.version == 1 else norm(branch(x))
            x = x + nn.Dropout(self.drop, broadcast_dims=(1, 2, 3), deterministic=not self.train)(y)
        return x


class _Merging(nn.Module):
    """Each 2×2 pixels become one of twice the channels."""

    version: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        batch, height, width, channels = x.shape
        x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
        x = jnp.concatenate([x[:, down::2, along::2] for along in (0, 1) for down in (0, 1)], axis=-1)
        norm = nn.LayerNorm(epsilon=1e-5, use_fast_variance=False, dtype=self.dtype, name="norm")
        reduction = nn.Dense(2 * channels, use_bias=False, kernel_init=_init, dtype=self.dtype, name="reduction")
        return reduction(norm(x)) if self.version == 1 else norm(reduction(x))


class Swin(nn.Module):
    """Patches of 4×4 pixels, four stages of attention within windows at halving resolution, normalisation, means, one dense layer.

    Layers bear torchvision's names. Any image size will do: maps are padded with zeros to whole windows.

    Attributes:
        num_outputs: numbers to regress.
        channels: of the first stage; each further one has twice as many.
        heads: of attention in the first stage; each further one has twice as many.
        blocks: in each of the stages; every second one has its windows shifted by half.
        window: side of a window.
        version: 1, or 2: cosines instead of scalar products, position bias from a small network, normalisation at the branches' ends.
        drop_path: probability, in training, to drop a branch of block number i of n is drop_path · i/(n − 1), i from 0 (dropout key:
            "dropout").
        extra_layers: two more fully connected layers, to half the last width and a quarter of it, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    channels: int = 96
    heads: int = 3
    blocks: tuple[int, ...] = (2, 2, 6, 2)
    window: int = 7
    version: int = 1
    drop_path: float = 0.2
    extra_layers: bool | tuple[int, ...] = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, height, width, channel) in 0…1, at least 4×4 → (batch, num_outputs) float32."""
        norm = partial(nn.LayerNorm, epsilon=1e-5, use_fast_variance=False, dtype=self.dtype)
        block = partial(nn.remat(_Block) if self.remat else _Block, window=self.window, version=self.version, train=train, dtype=self.dtype)

        x = nn.Conv(
            self.channels,
            (_PATCH, _PATCH),
            strides=_PATCH,
            padding=0,
            kernel_init=uniform_kernel,
            bias_init=uniform_bias(_PATCH**2 * image.shape[-1]),
            dtype=self.dtype,
            name="features.0.0",
        )(image.astype(self.dtype))
        x = norm(name="features.0.2")(x)
        number = 0
        for stage, blocks in enumerate(self.blocks):
            if stage > 0:
                x = _Merging(self.version, self.dtype, name=f"features.{2 * stage}")(x)
            for index in range(blocks):
                x = block(
                    heads=self.heads * 2**stage,
                    shift=self.window // 2 * (index % 2),
                    drop=self.drop_path * number / (sum(self.blocks) - 1),
                    name=f"features.{2 * stage + 1}.{index}",
                )(x)
                number += 1
        x = jnp.mean(norm(name="norm")(x), axis=(1, 2))
        hidden = extra_widths(self.extra_layers, (x.shape[-1] // 2, x.shape[-1] // 4))
        inits = {"kernel_init": _init, "bias_init": nn.initializers.zeros}
        return output_layer(x, self.num_outputs, name="head", hidden=hidden, dtype=self.dtype, **inits)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    f"swin_{prefix}{name}": partial(
        Swin, channels=channels, heads=heads, blocks=blocks, window=_WINDOWS[version], version=version, drop_path=_DROP_PATH[name]
    )
    for version, prefix in ((1, ""), (2, "v2_"))
    for name, (channels, heads, blocks) in _SIZES.items()
}
