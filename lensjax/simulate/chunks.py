"""How much is worked on at once: the one place for chunk sizes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from lensjax._internal.fence import fenced

IMAGES = 64
"""Images rendered at once in one program: enough to keep any device busy, and little memory."""

SCENES = 16
"""Scenes of files rendered at once: their canvases may be large, and each chunk's images are written while the next are rendered."""

FITS = 16
"""Images fitted at once: each takes tens of starts, so that more would only wait for the slowest."""

PREDICTIONS = 16
"""Images that a network sees at once: as many as are fitted next."""


def in_chunks(function: Callable[[Any], Any], inputs: Any, *, chunk: int = IMAGES) -> Any:
    """`function` over the leading axis of every array in `inputs`, `chunk` at a time: any batch size is quick and fits the memory.

    The results do not depend on `chunk` but for rounding. Each chunk is fenced: a loop's body that ends in writing its share of
    the result runs on one core alone on a CPU.
    """
    length = jax.tree.leaves(inputs)[0].shape[0]
    whole = length // chunk * chunk
    if length <= chunk:
        return jax.vmap(function)(inputs)
    rows = jax.tree.map(lambda leaf: leaf[:whole].reshape(-1, chunk, *leaf.shape[1:]), inputs)
    done = jax.lax.map(lambda row: fenced(jax.vmap(function), row), rows)
    done = jax.tree.map(lambda leaf: leaf.reshape(whole, *leaf.shape[2:]), done)
    if whole == length:
        return done
    rest = jax.vmap(function)(jax.tree.map(lambda leaf: leaf[whole:], inputs))
    return jax.tree.map(lambda first, last: jnp.concatenate([first, last]), done, rest)
