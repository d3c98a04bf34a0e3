"""Chunk sizes: how much is computed at once."""

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
"""Images in one batch of a network: as many as are fitted next."""


def in_chunks(function: Callable[[Any], Any], inputs: Any, *, chunk: int = IMAGES) -> Any:
    """`function` over the leading axis of every array in `inputs`, `chunk` at a time: batches of any size are quick and fit into memory.

    The results do not depend on `chunk` but for rounding. Each chunk is fenced: without a fence, a loop's body that ends in
    writing its part of the result runs on one core only on a CPU.
    """
    length = jax.tree.leaves(inputs)[0].shape[0]
    whole = length // chunk * chunk
    if length <= chunk:
        return jax.vmap(function)(inputs)
    rows = jax.tree.map(lambda leaf: leaf[:whole].reshape(-1, chunk, *leaf.shape[1:]), inputs)
    results = jax.lax.map(lambda row: fenced(jax.vmap(function), row), rows)
    results = jax.tree.map(lambda leaf: leaf.reshape(whole, *leaf.shape[2:]), results)
    if whole == length:
        return results
    rest = jax.vmap(function)(jax.tree.map(lambda leaf: leaf[whole:], inputs))
    return jax.tree.map(lambda first, last: jnp.concatenate([first, last]), results, rest)
