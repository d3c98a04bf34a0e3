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
WARMUP = 125
"""Steps by which each chain adapts."""

_PARTS, _RENEWED = 5, (1, 2, 4)  # of these, and after which the metric is renewed, by the latter half of all draws
_NORMAL = 4  # times F draws of a unit normal count in the metric beside those of the chains
_FIRST_STEP = 0.1  # size, from which the adaptation begins
_ACCEPTED = 0.8  # share of steps that the adaptation aims at
_DOUBLINGS = 7  # of a trajectory, at most
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
    say: Callable[[str], None] = lambda words: None,
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
        say: called with words about how far chains are, every few steps.

    Raises:
        BadInput: blackjax is missing.
    """
    part = max(1, warmup // _PARTS)
    start, walk = _programs(density, part)
    adapting, drawing = jax.random.split(jax.random.key(seed))
    if before is None:
        shares = np.append(0.5 ** np.arange(_HALVINGS), 0.0).astype(np.float32)
        ways = shares[:, None] * np.asarray(jax.random.normal(jax.random.fold_in(adapting, 0), (count, 1, size)))
        before, parts, doing = np.zeros((count, 0, size), np.float32), _PARTS, "chains adapt"
    else:
        ways, parts, doing = before[:, -1:], 1, "chains adapt to what they drew"
    states, step, metric, past = _each(start, (data,), (ways,)), np.float32(_FIRST_STEP), _metric(before), before
    for k in range(parts):
        say(f"{count} {doing}: {k * part} of {parts * part} steps")
        states, drawn, steps = _each(walk, (data, True, step, metric), (states, _keys(adapting, k + 1, count)))
        past, step = np.concatenate([past, drawn.draws], axis=1), np.median(steps)
        if k + 1 in _RENEWED and parts == _PARTS:
            metric = _metric(past[:, past.shape[1] // 2 :])
    each = -(-draws // part)
    for turn in range(1 << 31):
        found = []
        for k in range(each):
            say(f"{count} chains draw: {turn * draws + k * part} of {(turn + 1) * draws}")
            states, drawn, _ = _each(walk, (data, False, step, metric), (states, _keys(drawing, turn * each + k, count)))
            found.append(drawn)
        yield Chains(*(np.concatenate(rows, axis=1)[:, :draws] for rows in zip(*found, strict=True)))


def _keys(key: Array, k: int, count: int) -> Array:
    return jax.random.split(jax.random.fold_in(key, k), count)


def _metric(draws: np.ndarray) -> np.ndarray:
    """The covariance (F, F) of draws (C, n, F) and of `_NORMAL` F others of a unit normal. What few draws have by chance would make the
    density steeper in some directions than the chart left it, and the step as much smaller."""
    flat = draws.reshape(-1, draws.shape[-1]).astype(np.float64)
    off, size = flat - flat.sum(axis=0) / max(len(flat), 1), flat.shape[1]
    others = _NORMAL * size
    return np.asarray((off.T @ off + others * np.eye(size)) / (len(off) + others), np.float32)


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
def _programs(density: Density, part: int) -> tuple[Any, Any]:
    """Where a chain starts, and so many steps of it. The density is in each of them once, since it takes long to compile."""
    blackjax = _blackjax()
    kernel = blackjax.nuts.build_kernel()
    begin, update, final = blackjax.adaptation.step_size.dual_averaging_adaptation(_ACCEPTED)

    def logarithm(data: Any) -> Callable[[Array], Array]:
        def log_density(place: Array) -> Array:
            value = density(data, place)
            return jnp.where(jnp.isfinite(value) | jnp.isneginf(value), value, _NOWHERE)

        return log_density

    def start(data: Any, ways: Array) -> Any:
        """The state at the first of some places (N, F) that lies beyond no wall."""
        states = jax.lax.map(lambda way: blackjax.nuts.init(way, logarithm(data)), ways)
        first = jnp.argmax(~jnp.isneginf(states.logdensity))
        return jax.tree.map(lambda own: own[first], states)

    def walk(data: Any, adapts: Array, step: Array, metric: Array, state: Any, key: Array) -> tuple[Any, Chains, Array]:
        """The next state, the draws on the way there (n, F), and the step size that they would adapt to."""

        def one(at: tuple[Any, Any], own: Array) -> tuple[tuple[Any, Any], Chains]:
            state, sizes = at
            size = jnp.where(adapts, jnp.exp(sizes.log_step_size), step)
            state, info = kernel(own, state, logarithm(data), size, metric, max_num_doublings=_DOUBLINGS)
            ends = (info.trajectory_leftmost_state.logdensity, info.trajectory_rightmost_state.logdensity)
            walled = jnp.isneginf(ends[0]) | jnp.isneginf(ends[1])
            drawn = Chains(state.position, info.is_divergent & ~walled, info.num_integration_steps)
            return (state, update(sizes, info.acceptance_rate)), drawn

        (state, sizes), drawn = jax.lax.scan(one, (state, begin(step)), jax.random.split(key, part))
        return state, drawn, final(sizes)

    return jax.jit(start), jax.jit(walk)


def _each(program: Callable[..., Any], common: tuple[Any, ...], own: tuple[Any, ...]) -> Any:
    """What a program (of what is common, and of what is each chain's own, a tree of its rows) finds, each chain's in a row."""

    def run(function: Callable[..., Any], *parts: Any) -> Any:
        with jax.numpy_dtype_promotion("standard"):  # blackjax mixes types
            return jax.tree.map(np.asarray, function(*parts))

    if jax.default_backend() != "cpu":
        return run(_together(program), common, own)
    parts, tree = jax.tree.flatten(own)
    rows = [jax.tree.unflatten(tree, row) for row in zip(*parts, strict=True)]
    with ThreadPoolExecutor(len(rows)) as threads:
        found = list(threads.map(lambda row: run(program, *common, *row), rows))
    return jax.tree.map(lambda *parts: np.stack(parts), *found)


@lru_cache(maxsize=32)
def _together(program: Callable[..., Any]) -> Callable[[tuple[Any, ...], tuple[Any, ...]], Any]:
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
