"""A lens system: a lens, and a source behind it."""

from dataclasses import dataclass

from jax import Array

from lensjax._internal.tree import register
from lensjax.lens import Lens
from lensjax.light import Source


@register
@dataclass(frozen=True)
class System:
    """A lens at the origin and a source behind it.

    Attributes:
        lens: mass model.
        source: light model, about its own centre.
        x, y: position of the source's centre in the source plane [px], scalars.
    """

    lens: Lens
    source: Source
    x: Array
    y: Array
