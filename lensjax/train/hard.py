"""Hard examples: a share of each batch is drawn near the systems whose losses were the largest of late."""

from dataclasses import dataclass
from math import isfinite

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.problems.base import Problem

KEPT = 256
"""Systems kept."""

FADING = 0.98
"""Factor on the losses kept, each step: a system that the network has learned since makes room for others."""

REACH = 0.1
"""How far a system is moved at most, as a share of the way to a draw from the prior."""


@register
@dataclass(frozen=True)
class Hardest:
    """The hardest systems of late, the hardest first.

    Attributes:
        params: their parameters (N, P) in file units.
        losses: their losses (N,), which fade with every step; −inf where there is no system yet.
    """

    params: Array
    losses: Array


def nothing(problem: Problem) -> Hardest:
    """The systems kept before the first step: none."""
    return Hardest(jnp.zeros((KEPT, len(problem.parameters)), jnp.float32), jnp.full(KEPT, -jnp.inf, jnp.float32))


def count(share: float, batch_size: int) -> int:
    """How many images of a batch are hard ones."""
    return round(share * batch_size) if isfinite(share) else -1


def replaced(hardest: Hardest, key: Array, params: Array, *, share: float, period: tuple[float | None, ...]) -> Array:
    """Draws from the prior (B, P), a share of them replaced by systems near the hardest.

    Each replacement lies on the way from one of the hardest, chosen at random, to the draw that it replaces, and at most `REACH` of it: so
    it is within every bound that is the same for all systems. They are spread evenly over the batch. Without any hard system the draws
    stay.

    Args:
        hardest: systems kept.
        key: of the step.
        params: draws from the prior.
        share: of them to replace.
        period: of each parameter; None where it has none.
    """
    size = len(params)
    chosen_key, way_key = jax.random.split(key)
    found = jnp.isfinite(hardest.losses).sum()
    chosen = hardest.params[jax.random.randint(chosen_key, (size,), 0, jnp.maximum(found, 1))]
    periodic = np.array([length is not None for length in period])
    length = np.array([length or 1.0 for length in period], np.float32)
    change = params - chosen
    change = jnp.where(periodic, change - length * jnp.round(change / length), change)
    near = chosen + jax.random.uniform(way_key, (size, 1), maxval=REACH) * change
    near = jnp.where(periodic, jnp.mod(near, length), near)
    done = np.arange(size + 1) * count(share, size) // size
    return jnp.where((np.diff(done) > 0)[:, None] & (found > 0), near, params)


def updated(hardest: Hardest, params: Array, losses: Array) -> Hardest:
    """The hardest of the systems kept and of a batch: parameters (B, P), losses (B,)."""
    every = jnp.concatenate([hardest.losses * FADING, losses])
    largest, where = jax.lax.top_k(every, KEPT)
    return Hardest(jnp.concatenate([hardest.params, params])[where], largest)
