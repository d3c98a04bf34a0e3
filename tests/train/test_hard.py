"""Hard examples: which systems are kept, what is drawn near them, and a run that trains on them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.errors import BadInput
from lensjax.train import TrainConfig, hard

SIS = problems.get("sis2023", integer=False)
REPLACED = jax.jit(hard.replaced, static_argnames=("share", "period"))
UPDATED = jax.jit(hard.updated)


def uniform(problem, count, seed=0):
    """Systems (count, P) within the bounds of a problem."""
    low, high = (np.array([getattr(p, end) for p in problem.parameters], np.float32) for end in ("low", "high"))
    return low + (high - low) * np.random.default_rng(seed).random((count, len(low)), np.float32)


def test_the_largest_losses_are_kept_and_fade():
    first = np.arange(300, dtype=np.float32)
    params = np.broadcast_to(first[:, None], (300, 6))
    kept = UPDATED(hard.nothing(SIS), params, first)
    np.testing.assert_array_equal(kept.losses, np.arange(299, 299 - hard.KEPT, -1))
    np.testing.assert_array_equal(kept.params[:, 0], kept.losses)
    kept = UPDATED(kept, 1e3 + params, np.where(first == 0, 299.0, -1.0).astype(np.float32))
    assert float(kept.params[0, 0]) == 1e3 and float(kept.losses[1]) == pytest.approx(299 * hard.FADING)


def test_draws_stay_where_nothing_is_hard_yet():
    params = uniform(SIS, 12)
    np.testing.assert_array_equal(REPLACED(hard.nothing(SIS), jax.random.key(1), params, share=0.5, period=SIS.period), params)


@pytest.mark.parametrize("name", ["sis2023", "pm2022", "sie_shear", "cluster2sie2026"])
def test_a_share_is_drawn_near_hard_systems_and_within_the_bounds(name):
    problem = problems.imaged(name) if name in problems.imaged_names() else problems.get(name)
    draws = uniform(problem, 50)
    worst = hard.updated(hard.nothing(problem), draws[:2], jnp.array([3.0, 2.0]))
    near = np.asarray(REPLACED(worst, jax.random.key(1), draws[2:], share=0.25, period=problem.period))
    moved = (near != draws[2:]).any(axis=1)
    assert moved.sum() == 12 and moved.reshape(12, 4).any(axis=1).all()  # a fourth of every part of the batch
    for column, parameter in zip(near.T, problem.parameters, strict=True):
        assert (column >= parameter.low).all() and (column <= parameter.high).all(), parameter.name
    width = np.array([p.high - p.low for p in problem.parameters])
    away = (near[moved][:, None] - draws[:2]) / width
    away = np.where([period is not None for period in problem.period], away - np.round(away), away)
    assert (np.abs(away).max(axis=-1).min(axis=-1) <= 1.001 * hard.REACH).all()


def test_directions_are_moved_the_short_way():
    """From 179 towards 3 degrees is through 180."""
    worst = hard.updated(hard.nothing(SIS), jnp.full((1, 6), 179.0), jnp.ones(1))
    near = np.asarray(REPLACED(worst, jax.random.key(1), jnp.full((400, 6), 3.0), share=0.5, period=SIS.period))
    angle = near[(near != 3.0).any(axis=1), 5]
    assert len(angle) == 200 and ((angle >= 179.0) | (angle < 0.5)).all() and (angle < 180.0).all()


def test_the_share_gathers_where_the_loss_is_large():
    """Large rings near the middle are hard: a few in a hundred of the prior, most of the share."""
    low, high = (jnp.array([getattr(p, end) for p in SIS.parameters]) for end in ("low", "high"))

    def is_hard(params):
        return (jnp.hypot(params[:, 0], params[:, 1]) < 90.0) & (params[:, 2] > 40.0)

    def step(kept, index):
        draw_key, hard_key, loss_key = jax.random.split(jax.random.fold_in(jax.random.key(0), index), 3)
        draws = low + (high - low) * jax.random.uniform(draw_key, (40, 6))
        params = hard.replaced(kept, hard_key, draws, share=0.5, period=SIS.period)
        loss = jnp.where(is_hard(params), 1.0, 0.2) + 0.1 * jax.random.uniform(loss_key, (40,))
        return hard.updated(kept, params, loss), (is_hard(params).mean(), is_hard(draws).mean())

    _, (trained, prior) = jax.jit(lambda: jax.lax.scan(step, hard.nothing(SIS), jnp.arange(200)))()
    assert 0.01 < prior.mean() < 0.06
    assert trained[-100:].mean() > 0.35  # of the share of one half


@pytest.mark.parametrize("share", [1.0, -0.1, float("nan"), 0.01])
def test_shares_that_leave_nothing_are_refused(share):
    with pytest.raises(BadInput, match="hard: the value is .*; expected 0, or a share of 1 to 9 of the 10 images of a batch"):
        TrainConfig(hard=share, batch_size=10)
    assert dataclasses.replace(TrainConfig(), hard=0.3).hard == 0.3
