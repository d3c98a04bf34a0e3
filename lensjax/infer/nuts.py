"""Chains of the No-U-Turn sampler of blackjax (Hoffman & Gelman 2014), and whether they agree.

Chains adapt together: the metric is the covariance of what all of them drew, and the step size the median of theirs. With these they go
on from where they are. They can be made longer, or adapt again by all that they drew.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.errors import BadInput

CHAINS = 4
WARMUP = 120
"""Steps by which each chain adapts."""

_PARTS, _RENEWED = 5, (1, 2, 4)  # of these, and after which the metric is renewed, by the latter half of all draws
_FIRST_STEP = 0.1  # size, from which the adaptation begins
_ACCEPTED = 0.8  # share of steps that the adaptation aims at
_DOUBLINGS = 7  # of a trajectory, at most
_FEWER = 5  # the same while chains adapt: where steps are short they only have to lead downhill
_NOWHERE = -1e30  # logarithm of a density that is no number: a trajectory that leads there diverges
_HALVINGS = 6  # of the way from the middle to a chain's start, before it is the middle, where that lies beyond a wall

Density = Callable[[Any, Array], Array]
"""Data, a tree of arrays, and coordinates (F,) → logarithm of the density."""


class Chains(NamedTuple):
    """Draws (C, n, F) of C chains, and for each whether its trajectory diverged (C, n) and how many gradients it took (C, n)."""

    draws: np.ndarray
    divergent: np.ndarray
    gradients: np.ndarray


def rounds(
    density: Density,
    data: Any,
    *,
    size: int,
    draws: int,
    seed: int,
    count: int = CHAINS,
    warmup: int = WARMUP,
    before: np.ndarray | None = None,
) -> Iterator[Chains]:
    """Draws from a density that is nearly a unit normal, n at a time, for as long as the caller takes them.

    Args:
        density: its logarithm; -inf beyond a wall, where trajectories end without diverging. Keep the function: its compiled programs are
            kept by it.
        data: its first argument.
        size: F.
        draws: n, of each chain.
        seed: of the random numbers.
        count: C, chains; on a CPU each has a thread, elsewhere they step together.
        warmup: steps by which each chain adapts.
        before: what these chains drew before (C, m, F). They go on from there, and adapt again. Without, each starts at a draw of a unit
            normal of its own.

    Raises:
        BadInput: blackjax is missing.
    """
    start, adapt, go = _programs(density, size, draws, max(1, warmup // _PARTS))
    key, step, first = jax.random.key(seed), np.float32(_FIRST_STEP), 1
    if before is None:
        metric, past = np.eye(size, dtype=np.float32), np.zeros((count, 0, size), np.float32)
        (places,) = _each(start, (data,), (_keys(key, 0, count),))
    else:
        metric, past, places, first = _metric(before), before, before[:, -1], _PARTS
    for k in range(first, _PARTS + 1):
        drawn, steps = _each(adapt, (data, step, metric), (places, _keys(key, k, count)))
        past, places, step = np.concatenate([past, drawn], axis=1), drawn[:, -1], np.median(steps)
        if k in _RENEWED:
            metric = _metric(past[:, past.shape[1] // 2 :])
    for k in range(_PARTS + 1, 1 << 31):
        found = Chains(*_each(go, (data, step, metric), (places, _keys(key, k, count))))
        places = found.draws[:, -1]
        yield found


def _keys(key: Array, k: int, count: int) -> Array:
    return jax.random.split(jax.random.fold_in(key, k), count)


def _metric(draws: np.ndarray) -> np.ndarray:
    """The covariance (F, F) of draws (C, n, F) and of F others of a unit normal, lest few draws have none in some direction."""
    flat = draws.reshape(-1, draws.shape[-1]).astype(np.float64)
    off = flat - flat.mean(axis=0)
    size = off.shape[1]
    return np.asarray((off.T @ off + size * np.eye(size)) / (len(off) + size), np.float32)


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
def _programs(density: Density, size: int, draws: int, part: int) -> tuple[Any, Any, Any]:
    """Where a chain starts, a part of its adaptation, and its next draws."""
    blackjax = _blackjax()
    kernel = blackjax.nuts.build_kernel()

    def logarithm(data: Any) -> Callable[[Array], Array]:
        def log_density(place: Array) -> Array:
            value = density(data, place)
            return jnp.where(jnp.isfinite(value) | jnp.isneginf(value), value, _NOWHERE)

        return log_density

    def start(data: Any, key: Array) -> tuple[Array]:
        shares = jnp.append(0.5 ** jnp.arange(_HALVINGS), 0.0)
        ways = shares[:, None] * jax.random.normal(key, (size,))
        return (ways[jnp.argmax(~jnp.isneginf(jax.lax.map(logarithm(data), ways)))],)

    def adapt(data: Any, step: Array, metric: Array, place: Array, key: Array) -> tuple[Array, Array]:
        begin, update, final = blackjax.adaptation.step_size.dual_averaging_adaptation(_ACCEPTED)

        def one(at: tuple[Any, Any], own: Array) -> tuple[tuple[Any, Any], Array]:
            state, sizes = at
            state, info = kernel(own, state, logarithm(data), jnp.exp(sizes.log_step_size), metric, max_num_doublings=_FEWER)
            return (state, update(sizes, info.acceptance_rate)), state.position

        at = blackjax.nuts.init(place, logarithm(data)), begin(step)
        (_, sizes), places = jax.lax.scan(one, at, jax.random.split(key, part))
        return places, final(sizes)

    def go(data: Any, step: Array, metric: Array, place: Array, key: Array) -> tuple[Array, Array, Array]:
        def one(state: Any, own: Array) -> tuple[Any, tuple[Array, Array, Array]]:
            state, info = kernel(own, state, logarithm(data), step, metric, max_num_doublings=_DOUBLINGS)
            ends = (info.trajectory_leftmost_state.logdensity, info.trajectory_rightmost_state.logdensity)
            walled = jnp.isneginf(ends[0]) | jnp.isneginf(ends[1])
            return state, (state.position, info.is_divergent & ~walled, info.num_integration_steps)

        found: tuple[Array, Array, Array] = jax.lax.scan(one, blackjax.nuts.init(place, logarithm(data)), jax.random.split(key, draws))[1]
        return found

    return jax.jit(start), jax.jit(adapt), jax.jit(go)


def _each(program: Callable[..., tuple[Array, ...]], common: tuple[Any, ...], own: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    """What a program (of what is common, and of a row of what is each chain's own) finds for each chain."""

    def alone(*row: Any) -> tuple[np.ndarray, ...]:
        with jax.numpy_dtype_promotion("standard"):  # blackjax mixes types
            return tuple(np.asarray(part) for part in program(*common, *row))

    if jax.default_backend() != "cpu":
        with jax.numpy_dtype_promotion("standard"):
            return tuple(np.asarray(part) for part in _together(program)(common, own))
    with ThreadPoolExecutor(len(own[0])) as threads:
        found = list(threads.map(alone, *own))
    return tuple(np.stack(parts) for parts in zip(*found, strict=True))


@lru_cache(maxsize=48)
def _together(program: Callable[..., tuple[Array, ...]]) -> Callable[[tuple[Any, ...], tuple[Any, ...]], tuple[Array, ...]]:
    return jax.jit(lambda common, own: jax.vmap(lambda *row: program(*common, *row))(*own))


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
