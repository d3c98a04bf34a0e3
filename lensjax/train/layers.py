"""Which parameters of a network an expression means."""

import re
from typing import Any

import jax
import jax.numpy as jnp

from lensjax.errors import BadInput


def matched(params: Any, expression: str, *, field: str) -> Any:
    """A tree of bools like `params`: whose names begin as a regular expression says; none do where it is empty.

    A name is the path of a parameter, joined by dots.

    Raises:
        BadInput: no name begins so; it bears the name of the config's `field`.
    """

    def name(path: tuple[Any, ...]) -> str:
        return ".".join(str(entry.key) for entry in path)

    found = jax.tree_util.tree_map_with_path(lambda path, _: bool(expression and re.match(expression, name(path))), params)
    if expression and not any(jax.tree.leaves(found)):
        names = [name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        raise BadInput(f"{field} is {expression!r}; no parameter's name begins so: they are like {', '.join(names[:3])}")
    return found


def zeroed(params: Any, expression: str) -> Any:
    """`params` with zeros for those whose names begin as a regular expression says.

    Raises:
        BadInput: no name begins so.
    """
    return jax.tree.map(lambda leaf, zero: jnp.zeros_like(leaf) if zero else leaf, params, matched(params, expression, field="zeroed"))
