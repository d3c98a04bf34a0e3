"""The interface of a source, and sums of sources."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

from lensjax._internal.tree import register


class Source(Protocol):
    """A light model about its own centre; lengths in pixels of the source plane."""

    def light(self, x: Array, y: Array) -> Array:
        """Surface brightness at (x, y), any shape, 1 for the brightest grey level; colours on a last axis (3,)."""
        ...

    def extent(self, cos: Array, sin: Array) -> Array:
        """Half the width [px] of the light in the direction (cos, sin), without its outermost traces."""
        ...


@runtime_checkable
class LinearSource(Source, Protocol):
    """A source that is a weighted sum of given light profiles."""

    @property
    def amplitudes(self) -> Array:
        """(K,) the weights."""
        ...

    def basis(self, x: Array, y: Array) -> Array:
        """(K, ...) light of each profile, with weight 1."""
        ...


def is_coloured(source: Source) -> bool:
    """Whether a source's light has colours on a last axis."""
    point = jax.ShapeDtypeStruct((), jnp.result_type(float))
    return bool(jax.eval_shape(source.light, point, point).ndim)


def mixed(parts: Sequence[tuple[Source, Array]]) -> Array:
    """The sum of what sources shine, with colours on a last axis where one of them has any; grey light is added to each colour."""
    coloured = [is_coloured(source) for source, _ in parts]
    bright = [light for _, light in parts]
    if any(coloured):
        bright = [light if own else light[..., None] * jnp.ones(3, light.dtype) for light, own in zip(bright, coloured, strict=True)]
    return sum(bright[1:], bright[0])


@register
@dataclass(frozen=True)
class Constellation:
    """A sum of sources, grey or coloured.

    Attributes:
        members: the sources.
        x, y: place of each about the centre of the sum [px], (n,).
    """

    members: tuple[Source, ...]
    x: Array
    y: Array

    def light(self, x: Array, y: Array) -> Array:
        return mixed([(m, m.light(x - self.x[i], y - self.y[i])) for i, m in enumerate(self.members)])

    def extent(self, cos: Array, sin: Array) -> Array:
        extents = [jnp.abs(cos * self.x[i] + sin * self.y[i]) + member.extent(cos, sin) for i, member in enumerate(self.members)]
        return jnp.stack(extents).max()


def constellation(members: Sequence[tuple[Source, Array | float, Array | float]]) -> Constellation:
    """The sum of the sources, each with its place (x, y) [px].

    Raises:
        ValueError: no members.
    """
    if not members:
        raise ValueError("a constellation needs one member or more")
    x, y = (jnp.stack([jnp.asarray(m[k], jnp.result_type(float)) for m in members]) for k in (1, 2))
    return Constellation(tuple(m[0] for m in members), x, y)
