"""Trees of different classes have different structures, whatever else they share."""

import importlib
import inspect
import pkgutil
from dataclasses import fields, is_dataclass
from itertools import combinations

import jax
import jax.numpy as jnp
import pytest

import lensjax
from lensjax.lens import SIS, PointMass, Shear
from lensjax.light import Triangle


def trees() -> list[type]:
    """Every dataclass of the library that is a tree."""
    found: dict[type, None] = {}
    for module in pkgutil.walk_packages(lensjax.__path__, "lensjax."):
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isabstract(value):
                continue
            if isinstance(value, type) and is_dataclass(value) and value.__module__.startswith("lensjax."):
                made = object.__new__(value)
                for field in fields(value):
                    object.__setattr__(made, field.name, None)
                if jax.tree.structure(made) != jax.tree.structure(0):
                    found[value] = None
    return list(found)


def bare(kind: type) -> object:
    made = object.__new__(kind)
    for field in fields(kind):
        object.__setattr__(made, field.name, 0.0)
    return made


def test_no_two_classes_have_the_same_structure():
    """With equal structures, jit takes one for the other wherever their hashes meet in a table."""
    kinds = trees()
    assert {SIS, PointMass, Shear, Triangle} <= {*kinds}
    for a, b in combinations(kinds, 2):
        assert jax.tree.structure(bare(a)) != jax.tree.structure(bare(b)), (a, b)
        assert jax.tree.structure((bare(a), 1)) != jax.tree.structure((bare(b), 1)), (a, b)


@pytest.mark.parametrize("kind", [SIS, PointMass])
def test_there_and_back(kind):
    lens = kind(jnp.float32(3.0))
    leaves, structure = jax.tree.flatten(lens)
    assert structure.unflatten(leaves) == lens and structure == jax.tree.structure(kind(1.0))
    assert hash(structure) == hash(jax.tree.structure(kind(1.0)))
    assert [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(lens)] == [".theta_e"]
