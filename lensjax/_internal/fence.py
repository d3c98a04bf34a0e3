"""Keeping XLA from moving work where it is slow."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def fenced(function: Callable[..., Any], *inputs: Any) -> Any:
    """`function(*inputs)`, computed once and on its own: XLA fuses nothing into it and does not run it again for each reader.

    A conditional is a fence that XLA's fusion does not cross on a CPU, where `optimization_barrier` does not hold. The floating
    results are NaN where the very first input number is not finite.
    """

    def otherwise(*inputs: Any) -> Any:
        shapes = jax.eval_shape(function, *inputs)
        return jax.tree.map(lambda leaf: jnp.full(leaf.shape, jnp.nan, leaf.dtype), shapes)

    first: Array = jax.tree.leaves(inputs)[0]
    return jax.lax.cond(jnp.isfinite(first.reshape(-1)[0]), function, otherwise, *inputs)
