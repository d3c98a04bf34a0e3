"""Checks of the numbers that a lens or a source is built from; values that JAX traces are not checked."""

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
    """Refuses numbers, also in arrays, that are out of range; traced values and objects that are no numbers pass.

    Args:
        owner: the class or function of the parameter, for the message.
        name: name of the parameter.
        value: the number or array.
        above: the value must be above this.
        least, most: the value must lie between these, both included.
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
