"""Frozen dataclasses as trees of arrays."""

from dataclasses import fields
from typing import Any, TypeVar

import jax
from jax.tree_util import GetAttrKey

T = TypeVar("T")


def register(cls: type[T]) -> type[T]:
    """Registers a dataclass as a tree; fields whose metadata say `static` are part of its structure, all others are its branches.

    Structures of two classes are never equal. With `jax.tree_util.register_dataclass` of JAX 0.10 they are equal where only the
    classes differ, such as SIS and PointMass, while their hashes are not: about one process in a hundred then takes, from a cache of
    jit's, the program of the other class.
    """
    static = tuple(field.name for field in fields(cls) if field.metadata.get("static", False))  # type: ignore[arg-type]
    branches = tuple(field.name for field in fields(cls) if field.name not in static)  # type: ignore[arg-type]
    keys = tuple(GetAttrKey(name) for name in branches)

    def flatten(tree: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return tuple(getattr(tree, name) for name in branches), tuple(getattr(tree, name) for name in static)

    def flatten_with_keys(tree: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        parts, rest = flatten(tree)
        return tuple(zip(keys, parts, strict=True)), rest

    def unflatten(rest: tuple[Any, ...], parts: Any) -> T:
        # Not by the constructor: it checks numbers, while JAX puts other objects in their places.
        tree = object.__new__(cls)
        for names, values in ((branches, parts), (static, rest)):
            for name, value in zip(names, values, strict=True):
                object.__setattr__(tree, name, value)
        return tree

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls
