"""The detector: rounding to grey levels."""

import jax.numpy as jnp
from jax import Array

from lensjax.conventions import GREY_LEVELS


def quantise(image: Array) -> Array:
    """Grey levels rounded to whole ones and kept within 0…255, as an 8-bit file stores them; the dtype stays."""
    return jnp.clip(jnp.round(image), 0.0, GREY_LEVELS)
