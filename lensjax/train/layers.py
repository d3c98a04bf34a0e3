"""A network's first variables, and those of its parameters whose names match a regular expression."""

import re
from typing import Any

import jax
import jax.numpy as jnp
from flax.linen import Module
from jax import Array

from lensjax.errors import BadInput


def init_variables(model: Module, key: Array, *, image_size: int, in_channels: int = 1) -> dict[str, Any]:
    """Initial variables {"params", "batch_stats"} of a network whose input is (batch, image_size, image_size, in_channels)."""
    image = jnp.zeros((1, image_size, image_size, in_channels), jnp.float32)
    variables = model.init({"params": key}, image, train=False)
    return {"params": variables["params"], "batch_stats": variables.get("batch_stats", {})}


def matched(params: Any, expression: str, *, field: str) -> Any:
    """A tree of bools like `params`: True where a regular expression matches the beginning of the name; all False where it is empty.

    A name is the path of a parameter, joined by dots.

    Raises:
        BadInput: it matches no name; `field` is its field of the config.
    """

    def name(path: tuple[Any, ...]) -> str:
        return ".".join(str(entry.key) for entry in path)

    mask = jax.tree_util.tree_map_with_path(lambda path, _: bool(expression and re.match(expression, name(path))), params)
    if expression and not any(jax.tree.leaves(mask)):
        names = [name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        raise BadInput(column=field, value=expression, expected=f"the beginning of a parameter's name, such as {', '.join(names[:3])}")
    return mask


def zeroed(params: Any, expression: str) -> Any:
    """`params` with zeros where a regular expression matches the beginning of the name.

    Raises:
        BadInput: it matches no name.
    """
    return jax.tree.map(lambda leaf, zero: jnp.zeros_like(leaf) if zero else leaf, params, matched(params, expression, field="zeroed"))
