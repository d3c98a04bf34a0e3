"""Vision transformers B/16, B/32, L/16, L/32 and H/14, layer for layer as torchvision builds them (Dosovitskiy et al. 2021,
"An image is worth 16x16 words: transformers for image recognition at scale").
"""

import math
from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import DTypeLike

from lensjax.errors import BadInput
from lensjax.models.layers import hidden_layers, output_layer, uniform_kernel

HEADS = ("heads.head",)
SMALLEST = 14
"""Side of the smallest image: one patch of the smallest size."""

# Side of a patch, blocks, attention heads, values of a token, hidden values of the blocks' dense layers.
_SIZES = {
    "b_16": (16, 12, 12, 768, 3072),
    "b_32": (32, 12, 12, 768, 3072),
    "l_16": (16, 24, 16, 1024, 4096),
    "l_32": (32, 24, 16, 1024, 4096),
    "h_14": (14, 32, 16, 1280, 5120),
}

_EXTRA = (512, 256)

_xavier = nn.initializers.xavier_uniform()
# PyTorch's truncated normal is cut at ±2, which is many deviations.
_lecun = nn.initializers.variance_scaling(1.0, "fan_in", "normal")


class _Attention(nn.Module):
    """Every token looks at every token; the parameters of PyTorch's MultiheadAttention."""

    heads: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        batch, tokens, size = x.shape
        weight = self.param("in_proj_weight", _xavier, (3 * size, size)).astype(self.dtype)
        bias = self.param("in_proj_bias", nn.initializers.zeros, (3 * size,)).astype(self.dtype)
        each = (x @ weight.T + bias).reshape(batch, tokens, 3, self.heads, size // self.heads)
        x = jax.nn.dot_product_attention(each[:, :, 0], each[:, :, 1], each[:, :, 2]).reshape(batch, tokens, size)
        return nn.Dense(size, kernel_init=uniform_kernel, dtype=self.dtype, name="out_proj")(x)


class _Block(nn.Module):
    """Residual of attention, then residual of two dense layers at each token."""

    heads: int
    hidden: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        norm = partial(nn.LayerNorm, epsilon=1e-6, use_fast_variance=False, dtype=self.dtype)
        token_wise = partial(nn.Dense, kernel_init=_xavier, bias_init=nn.initializers.normal(1e-6), dtype=self.dtype)
        x = x + _Attention(self.heads, self.dtype, name="self_attention")(norm(name="ln_1")(x))
        y = nn.gelu(token_wise(self.hidden, name="mlp.0")(norm(name="ln_2")(x)), approximate=False)
        return x + token_wise(x.shape[-1], name="mlp.3")(y)


class _Encoder(nn.Module):
    """Adds what each position is, and sends the tokens through the blocks."""

    blocks: int
    heads: int
    hidden: int
    remat: bool
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if self.has_variable("params", "pos_embedding"):  # of any image size; `param` would check it against this one's
            embedding = interpolated(self.get_variable("params", "pos_embedding"), x.shape[1])
        else:
            embedding = self.param("pos_embedding", nn.initializers.normal(0.02), (1, *x.shape[1:]))
        x = x + embedding.astype(self.dtype)
        block = partial(nn.remat(_Block) if self.remat else _Block, self.heads, self.hidden, self.dtype)
        for index in range(self.blocks):
            x = block(name=f"layers.encoder_layer_{index}")(x)
        return nn.LayerNorm(epsilon=1e-6, use_fast_variance=False, dtype=self.dtype, name="ln")(x)


class VisionTransformer(nn.Module):
    """Patches become tokens, which pass blocks of attention; the output is computed from an additional token.

    Layers bear torchvision's names. Nothing is random in training. The position embedding belongs to the image size of the
    initialisation; for images of another size it is interpolated.

    Attributes:
        num_outputs: numbers to regress.
        patch: side of a patch in pixels.
        blocks: of attention and dense layers.
        heads: of attention, in each block.
        size: values of a token.
        hidden: hidden values of the blocks' dense layers.
        extra_layers: two more fully connected layers, → 512 → 256, before the output.
        remat: compute the blocks' activations again in the backward pass instead of keeping them.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    patch: int = 16
    blocks: int = 12
    heads: int = 12
    size: int = 768
    hidden: int = 3072
    extra_layers: bool = False
    remat: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, *, train: bool) -> Array:
        """(batch, side, side, channel) in 0…1, the side a multiple of the patch's → (batch, num_outputs) float32.

        Raises:
            ValueError: an image of another shape.
        """
        batch, height, width, _ = image.shape
        if height != width or height % self.patch:
            raise ValueError(f"the image is {width}×{height}; expected a square with a side that is a multiple of {self.patch}")
        patch = (self.patch, self.patch)
        x = nn.Conv(self.size, patch, strides=patch, padding=0, kernel_init=_lecun, dtype=self.dtype, name="conv_proj")(
            image.astype(self.dtype)
        )
        token = self.param("class_token", nn.initializers.zeros, (1, 1, self.size)).astype(self.dtype)
        x = jnp.concatenate([jnp.broadcast_to(token, (batch, 1, self.size)), x.reshape(batch, -1, self.size)], axis=1)
        x = _Encoder(self.blocks, self.heads, self.hidden, self.remat, self.dtype, name="encoder")(x)[:, 0]
        if self.extra_layers:
            x = hidden_layers(x, _EXTRA, dtype=self.dtype)
        name, zeros = "output" if self.extra_layers else "heads.head", nn.initializers.zeros
        return output_layer(x, self.num_outputs, name=name, dtype=self.dtype, kernel_init=zeros, bias_init=zeros)


VARIANTS: dict[str, Callable[..., nn.Module]] = {
    f"vit_{name}": partial(VisionTransformer, patch=patch, blocks=blocks, heads=heads, size=size, hidden=hidden)
    for name, (patch, blocks, heads, size, hidden) in _SIZES.items()
}


def check_size(name: str, side: int) -> str | None:
    """The expected side of the image where `side` is wrong: a multiple of the patch's; None where it is right."""
    patch, *_ = _SIZES[name.removeprefix("vit_")]
    return f"a multiple of {patch}" if side % patch else None


def _bicubic(size: int, out: int) -> np.ndarray:
    """(out, size) float64: row i interpolates at i (size − 1)/(out − 1); beyond the ends the end values are used.

    Cubic convolution (Keys 1981) with a = −0.75.
    """
    place = np.linspace(0.0, size - 1.0, out)
    below = np.floor(place).astype(int)
    rows = np.arange(out)
    matrix = np.zeros((out, size))
    for step in (-1, 0, 1, 2):
        distance = np.abs(place - below - step)
        near = (1.25 * distance - 2.25) * distance**2 + 1
        far = -0.75 * (((distance - 5) * distance + 8) * distance - 4)
        np.add.at(matrix, (rows, np.clip(below + step, 0, size - 1)), np.where(distance <= 1, near, far))
    return matrix


def interpolated(embedding: Array, tokens: int) -> Array:
    """A position embedding (1, tokens, values) for another image size: (1, `tokens`, values).

    The first token, the additional one, is kept. The others are a square map, interpolated with bicubic weights so that its corners
    stay, as torchvision's `interpolate_embeddings` does.

    Raises:
        BadInput: either number of tokens is not one more than a square number.
    """
    sides = []
    for count in (embedding.shape[1], tokens):
        side = math.isqrt(max(count - 1, 0))
        if side < 1 or side**2 != count - 1:
            raise BadInput(f"a position embedding of {count} tokens", expected="a square number of tokens and one more")
        sides.append(side)
    size, out = sides
    if size == out:
        return embedding
    weights = jnp.asarray(_bicubic(size, out), embedding.dtype)
    grid = embedding[0, 1:].reshape(size, size, -1)
    grid = jnp.einsum("iy,jx,yxc->ijc", weights, weights, grid, precision="highest").reshape(1, tokens - 1, -1)
    return jnp.concatenate([embedding[:, :1], grid], axis=1)
