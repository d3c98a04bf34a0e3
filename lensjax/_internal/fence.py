"""Fences that keep XLA from fusing or repeating work."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

Result = TypeVar("Result")


def fenced(function: Callable[..., Result], *inputs: object) -> Result:
    """`function(*inputs)`, computed once and on its own: XLA fuses nothing into it and does not run it again for each reader.

    A conditional is a fence that XLA's fusion does not cross on a CPU, where `optimization_barrier` does not hold. Its condition
    holds for all inputs.
    """

    function = jax.jit(function)  # so that it is traced once

    def zeros(*inputs: object) -> Result:
        shapes = jax.eval_shape(function, *inputs)
        empty: Result = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return empty

    result: Result = jax.lax.cond(_holds(jax.tree.leaves(inputs)[0]), function, zeros, *inputs)
    return result


def apart(array: Array) -> Array:
    """The array, on a CPU computed on its own before anything reads it; elsewhere XLA fuses as it likes.

    On a CPU a loop that computes light and its derivatives is vectorised, unless XLA fuses a sum over blocks or zeros at its ends into it:
    then it takes five to ten times as long.
    """
    own: Array = jax.lax.platform_dependent(array, cpu=lambda x: fenced(lambda y: y, x), default=lambda x: x)
    return own


def _holds(array: Array) -> Array:
    """True, but XLA cannot prove it: the last bit of an array's first number is less than 2."""
    first = jax.lax.stop_gradient(jnp.asarray(array)).reshape(-1)[0].real
    if jnp.issubdtype(first.dtype, jnp.floating):
        first = jax.lax.bitcast_convert_type(first, jnp.dtype(f"uint{8 * first.dtype.itemsize}"))
    return (first.astype(jnp.uint32) & 1) < 2
