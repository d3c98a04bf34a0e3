"""Any picture as a source."""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array
from jax.scipy.ndimage import map_coordinates

from lensjax._internal.tree import register


@register
@dataclass(frozen=True)
class Picture:
    """A picture of h × w points, grey or coloured, dark beyond its edge; between its points linear.

    Attributes:
        values: (h, w) or (h, w, 3), row 0 the top, 1 for the brightest grey level.
        pixel: side of a picture's pixel in the source plane [px], scalar.
    """

    values: Array
    pixel: Array

    def light(self, x: Array, y: Array) -> Array:
        """Surface brightness at (x, y), the picture's centre at the origin; (..., 3) for a coloured one."""
        height, width = self.values.shape[:2]
        x, y = jnp.broadcast_arrays(x, y)
        at = [(height - 1) / 2 - y / self.pixel, x / self.pixel + (width - 1) / 2]

        def at_points(channel: Array) -> Array:
            value: Array = map_coordinates(channel.astype(at[0].dtype), at, order=1, mode="constant", cval=0.0)
            return value

        if self.values.ndim == 2:
            return at_points(self.values)
        return jnp.stack([at_points(self.values[..., k]) for k in range(3)], axis=-1)

    def extent(self, cos: Array, sin: Array) -> Array:
        height, width = self.values.shape[:2]
        return 0.5 * self.pixel * (width * jnp.abs(cos) + height * jnp.abs(sin))
