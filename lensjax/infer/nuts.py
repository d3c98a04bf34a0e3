"""Chains of the No-U-Turn sampler of blackjax (Hoffman & Gelman 2014), and whether they agree.

Each chain starts at a draw of a unit normal, adapts its step size and the widths of the coordinates in a warm-up, and then draws.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.errors import BadInput

CHAINS = 4
WARMUP = 200
"""Steps of a chain before its first draw."""

_ACCEPTED = 0.8  # share of steps that the adaptation aims at
_DOUBLINGS = 7  # of a trajectory, at most

Density = Callable[[Any, Array], Array]
"""Data, a tree of arrays, and coordinates (F,) → logarithm of the density."""


class Chains(NamedTuple):
    """Draws (C, n, F) of C chains, and for each whether its trajectory diverged (C, n) and how many gradients it took (C, n)."""

    draws: np.ndarray
    divergent: np.ndarray
    gradients: np.ndarray


def chains(density: Density, data: Any, *, size: int, draws: int, seed: int, count: int = CHAINS, warmup: int = WARMUP) -> Chains:
    """Draws from a density that is nearly a unit normal.

    Args:
        density: its logarithm. Keep the function: its compiled program is kept by it.
        data: its first argument.
        size: F.
        draws: n, of each chain.
        seed: of the random numbers.
        count: C, chains; on a CPU one after the other.
        warmup: steps of a chain before its first draw.

    Raises:
        BadInput: blackjax is missing.
    """
    program = _program(density, size, draws, warmup, jax.default_backend() == "cpu")
    with jax.numpy_dtype_promotion("standard"):  # blackjax mixes types
        found = program(data, jax.random.split(jax.random.key(seed), count))
    return Chains(*(np.asarray(part) for part in found))


def check() -> None:
    """Whether blackjax is there.

    Raises:
        BadInput: it is not.
    """
    _blackjax()


def _blackjax() -> Any:
    try:
        import blackjax
    except ImportError:
        raise BadInput("posteriors are sampled by blackjax, which is not installed", hint="pip install 'lensjax[posterior]'") from None
    return blackjax


@lru_cache(maxsize=16)
def _program(density: Density, size: int, draws: int, warmup: int, alone: bool) -> Any:
    blackjax = _blackjax()

    def chain(data: Any, key: Array) -> tuple[Array, Array, Array]:
        def log_density(place: Array) -> Array:
            value = density(data, place)
            return jnp.where(jnp.isfinite(value), value, -jnp.inf)

        start_key, warm_key, own = jax.random.split(key, 3)
        start = jax.random.normal(start_key, (size,))
        adaptation = blackjax.window_adaptation(
            blackjax.nuts, log_density, target_acceptance_rate=_ACCEPTED, max_num_doublings=_DOUBLINGS,
            adaptation_info_fn=lambda *_: None,
        )  # fmt: skip
        (state, settings), _ = adaptation.run(warm_key, start, warmup)
        kernel = blackjax.nuts.build_kernel()

        def step(state: Any, key: Array) -> tuple[Any, tuple[Array, Array, Array]]:
            state, info = kernel(key, state, log_density, **settings)
            return state, (state.position, info.is_divergent, info.num_integration_steps)

        found: tuple[Array, Array, Array] = jax.lax.scan(step, state, jax.random.split(own, draws))[1]
        return found

    def run(data: Any, keys: Array) -> tuple[Array, Array, Array]:
        one = partial(chain, data)
        found: tuple[Array, Array, Array] = jax.lax.map(one, keys) if alone else jax.vmap(one)(keys)
        return found

    return jax.jit(run)


def agreement(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R-hat (P,) of draws (C, n, P), split and normalised by rank, and their effective sample size (P,) (Vehtari et al. 2021).

    Columns that do not vary have R-hat 1 and as many effective draws as there are.

    Raises:
        BadInput: blackjax is missing.
    """
    _blackjax()
    values = np.asarray(draws, np.float64)
    flat = values.reshape(-1, values.shape[-1])
    spread = flat.std(axis=0)
    still = ~(spread > 1e-12 * np.maximum(np.abs(flat).max(axis=0), 1e-300))
    unit = (values - flat.mean(axis=0)) / np.where(still, 1.0, spread)
    with jax.numpy_dtype_promotion("standard"):
        r_hat, ess = (np.asarray(part).reshape(-1) for part in _agreement(jnp.asarray(unit, jnp.float32)))
    return np.where(still, 1.0, r_hat), np.where(still, float(len(flat)), np.minimum(ess, len(flat)))


@jax.jit
def _agreement(draws: Array) -> tuple[Array, Array]:
    from blackjax import diagnostics

    return diagnostics.rhat(draws), diagnostics.ess_bulk(draws)
