"""A residual network of fully connected layers that reads an image's shapelets (`observation.shapelets`) in the image's own frame."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

HEADS: tuple[str, ...] = ()
SMALLEST = 1
"""Its input has one pixel, with a channel for each number."""

_MOST = 3.0  # beyond which a number counts by its logarithm alone
_SMALL = 0.01  # below which a number counts as it is in its logarithm
_NARROWEST = 0.01  # spread at least: an input that hardly varies is not blown up
_MEMORY = 1000.0  # batches over which means and spreads of the inputs are taken


class Standardised(nn.Module):
    """Inputs (batch, K) with their means and spreads taken out: those of all batches so far, so that a batch does not change itself."""

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        """(batch, K) → (batch, K)."""
        width = x.shape[-1]
        mean = self.variable("batch_stats", "mean", jnp.zeros, (width,), jnp.float32)
        variance = self.variable("batch_stats", "variance", jnp.ones, (width,), jnp.float32)
        batches = self.variable("batch_stats", "batches", jnp.zeros, (), jnp.float32)
        if train and not self.is_initializing():
            share = 1.0 / jnp.minimum(batches.value + 1.0, _MEMORY)
            step = x.mean(axis=0) - mean.value
            # About the mean itself: the mean square less the squared mean would be rounding alone where inputs hardly vary.
            spread = jnp.square(x - mean.value - step).mean(axis=0)
            variance.value += share * (spread + (1.0 - share) * step * step - variance.value)
            mean.value += share * step
            batches.value += 1.0
        return (x - mean.value) / jnp.sqrt(jnp.maximum(variance.value, _NARROWEST**2))


class Shapelets(nn.Module):
    """Residual network of fully connected layers.

    Attributes:
        num_outputs: numbers to regress.
        width: of each layer.
        depth: residual layers.
        extra_layers: two more fully connected layers, → width/2 → width/4, before the output.
        dtype: type of the arithmetic; parameters and outputs stay float32.
    """

    num_outputs: int
    width: int = 512
    depth: int = 4
    extra_layers: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, numbers: Array, *, train: bool) -> Array:
        """(batch, 1, 1, K) numbers → (batch, num_outputs) float32."""
        x = numbers.reshape(len(numbers), -1)
        x = jnp.concatenate([jnp.clip(x, -_MOST, _MOST), jnp.sign(x) * jnp.log1p(jnp.abs(x) / _SMALL)], axis=-1)
        x = Standardised()(x, train=train)
        x = nn.Dense(self.width, dtype=self.dtype)(x)
        for _ in range(self.depth):
            x = x + nn.Dense(self.width, dtype=self.dtype)(nn.gelu(x))
        for k, features in enumerate((self.width // 2, self.width // 4) if self.extra_layers else ()):
            x = nn.Dense(features, dtype=self.dtype, name=f"extra{k}")(nn.gelu(x))
        return nn.Dense(self.num_outputs, dtype=self.dtype, name="output")(nn.gelu(x)).astype(jnp.float32)


VARIANTS: dict[str, Callable[..., nn.Module]] = {"shapelets": Shapelets}
