"""Chains of the No-U-Turn sampler of blackjax (Hoffman & Gelman 2014), and whether they agree.

One chain adapts the step size and the widths of the coordinates. With these each chain starts at a draw of a unit normal of its own,
settles in some steps that do not count, and then draws; it can be made longer.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.errors import BadInput

CHAINS = 4
WARMUP = 200
"""Steps by which one chain adapts."""

_SETTLES = 4  # a fraction of these, which each chain takes before its first draw
_SMALLEST = 1 / 16  # of the adapted step, in these: a start may lie where that step is too long

_ACCEPTED = 0.8  # share of steps that the adaptation aims at
_DOUBLINGS = 7  # of a trajectory, at most
_NOWHERE = -1e30  # logarithm of a density that is no number: a trajectory that leads there diverges
_HALVINGS = 6  # of the way from the middle to a chain's start, before it is the middle, where that lies beyond a wall
_FEWER = 4  # the same while chains settle: their short steps would need many to turn back, and only have to lead downhill

Density = Callable[[Any, Array], Array]
"""Data, a tree of arrays, and coordinates (F,) → logarithm of the density."""


class Chains(NamedTuple):
    """Draws (C, n, F) of C chains, and for each whether its trajectory diverged (C, n) and how many gradients it took (C, n)."""

    draws: np.ndarray
    divergent: np.ndarray
    gradients: np.ndarray


def rounds(density: Density, data: Any, *, size: int, draws: int, seed: int, count: int = CHAINS, warmup: int = WARMUP) -> Iterator[Chains]:
    """Draws from a density that is nearly a unit normal, n at a time, for as long as the caller takes them.

    Args:
        density: its logarithm; -inf beyond a wall, where trajectories end without diverging. Keep the function: its compiled programs are
            kept by it.
        data: its first argument.
        size: F.
        draws: n, of each chain.
        seed: of the random numbers.
        count: C, chains; on a CPU one after the other.
        warmup: steps by which one chain adapts; each then takes a quarter as many, of several lengths, before its first draw.

    Raises:
        BadInput: blackjax is missing.
    """
    adapt, begin, go = _programs(density, size, draws, warmup, jax.default_backend() == "cpu")
    key = jax.random.fold_in(jax.random.key(seed), warmup)
    with jax.numpy_dtype_promotion("standard"):  # blackjax mixes types
        settings = adapt(data, jax.random.fold_in(key, 0))
        states = begin(data, settings, jax.random.split(key, count))
    for k in range(1, 1 << 31):
        with jax.numpy_dtype_promotion("standard"):
            states, found = go(data, settings, states, jax.random.split(jax.random.fold_in(key, k), count))
        yield Chains(*(np.asarray(part) for part in found))


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
def _programs(density: Density, size: int, draws: int, warmup: int, alone: bool) -> tuple[Any, Any, Any]:
    """The adaptation, the first steps of chains, and their next draws, compiled."""
    blackjax = _blackjax()
    kernel = blackjax.nuts.build_kernel()

    def logarithm(data: Any) -> Callable[[Array], Array]:
        def log_density(place: Array) -> Array:
            value = density(data, place)
            return jnp.where(jnp.isfinite(value) | jnp.isneginf(value), value, _NOWHERE)

        return log_density

    def adapted(data: Any, key: Array) -> tuple[Any, Array]:
        start_key, warm_key = jax.random.split(key)
        adaptation = blackjax.window_adaptation(
            blackjax.nuts, logarithm(data), target_acceptance_rate=_ACCEPTED, max_num_doublings=_DOUBLINGS,
            adaptation_info_fn=lambda *_: None,
        )  # fmt: skip
        (_, found), _ = adaptation.run(warm_key, start(data, start_key), warmup)
        return found["step_size"], found["inverse_mass_matrix"]

    def step(
        data: Any, settings: tuple[Any, Array], state: Any, key: Array, doublings: int = _DOUBLINGS
    ) -> tuple[Any, tuple[Array, Array, Array]]:
        step_size, masses = settings
        state, info = kernel(key, state, logarithm(data), step_size, masses, max_num_doublings=doublings)
        ends = (info.trajectory_leftmost_state.logdensity, info.trajectory_rightmost_state.logdensity)
        walled = jnp.isneginf(ends[0]) | jnp.isneginf(ends[1])
        return state, (state.position, info.is_divergent & ~walled, info.num_integration_steps)

    def start(data: Any, key: Array) -> Array:
        shares = jnp.append(0.5 ** jnp.arange(_HALVINGS), 0.0)
        ways = shares[:, None] * jax.random.normal(key, (size,))
        return ways[jnp.argmax(~jnp.isneginf(jax.lax.map(logarithm(data), ways)))]

    def first(data: Any, settings: tuple[Any, Array], key: Array) -> Any:
        step_size, masses = settings
        start_key, size_key, step_key = jax.random.split(key, 3)
        state = blackjax.nuts.init(start(data, start_key), logarithm(data))
        settling = max(1, warmup // _SETTLES)
        shares = _SMALLEST ** jax.random.uniform(size_key, (settling,))
        steps = (shares * step_size, jax.random.split(step_key, settling))
        return jax.lax.scan(lambda state, own: (step(data, (own[0], masses), state, own[1], _FEWER)[0], None), state, steps)[0]

    def on(data: Any, settings: tuple[Any, Array], state: Any, key: Array) -> tuple[Any, tuple[Array, Array, Array]]:
        return jax.lax.scan(partial(step, data, settings), state, jax.random.split(key, draws))

    def each(one: Callable[..., Any]) -> Any:
        def run(data: Any, settings: Any, *parts: Any) -> Any:
            own = partial(one, data, settings)
            return jax.lax.map(lambda row: own(*row), parts) if alone else jax.vmap(own)(*parts)

        return jax.jit(run)

    return jax.jit(adapted), each(first), each(on)


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
