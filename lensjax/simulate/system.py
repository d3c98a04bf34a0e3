"""A lens system: a lens, a source behind it, and the lens's own light."""

from dataclasses import dataclass

from jax import Array

from lensjax._internal.tree import register
from lensjax.lens import Lens
from lensjax.light import Source


@register
@dataclass(frozen=True)
class System:
    """A lens at the origin and a source behind it.

    Several lenses are a `lens.cluster`, several sources a `light.constellation`: each member has its place.

    Attributes:
        lens: mass model.
        source: light model, about its own centre.
        x, y: position of the source's centre in the source plane [px], scalars.
        lens_light: the lens's own light, about the origin: neither deflected nor cut by a window; a constellation where it has another
            place or several parts. None for none.
    """

    lens: Lens
    source: Source
    x: Array
    y: Array
    lens_light: Source | None = None
