"""Checks of numbers where they cost nothing: of values that are there, not of those that JAX traces."""

import jax
import numpy as np


def check_range(
    owner: str,
    name: str,
    value: object,
    *,
    above: float = -np.inf,
    least: float = -np.inf,
    most: float = np.inf,
    expected: str,
) -> None:
    """Refuses a number, or an array with one, that is out of range; traced values and whatever is no number pass.

    Args:
        owner: what it belongs to, for the message.
        name: its name.
        value: the number or array.
        above: it must be above this.
        least, most: it must lie between these, both included.
        expected: the range in words.

    Raises:
        ValueError: out of range, or NaN.
    """
    if isinstance(value, jax.core.Tracer) or not isinstance(value, float | int | np.ndarray | np.generic | jax.Array):
        return
    numbers = np.asarray(value)
    good = (numbers > above) & (numbers >= least) & (numbers <= most)
    if not good.all():
        raise ValueError(f"{owner}: {name} is {numbers[~good].flat[0]:g}; expected {expected}")
