"""Coordinates about a mode: what they are at the mode, their volume, and that images stay where they are."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.infer import chart, prior
from lensjax.infer.fit import Optimum
from lensjax.observation.instrument import instrument
from lensjax.problems import components
from lensjax.problems.compose import Composition, compose

TAKEN = instrument((30, 30))
LENSED = compose(
    "lensed",
    [
        components.sie(theta_e=(3.0, 9.0), reach=2.0, q=0.3),
        components.shear(most=0.3),
        components.gaussian(sigma=(0.5, 3.0), reach=5.0, q=0.3),
    ],
)
BARE = compose("bare", [components.gaussian(role="lens light", sigma=(0.5, 3.0), reach=5.0, q=0.3)])
PARAMS = {"lensed": (0.3, -0.2, 5.0, 0.8, 30.0, 0.05, -0.02, 3.5, 0.5, 1.2, 0.6, 70.0, 10.0), "bare": (1.0, -2.0, 1.0, 0.6, 30.0, 10.0)}


def mode_of(problem: Composition) -> tuple[Optimum, np.ndarray]:
    """A mode at `PARAMS`, and its covariance (E, E)."""
    params = PARAMS[problem.name]
    with jax.enable_x64(True):
        numbers = np.asarray(problem.encode(jnp.asarray(params)))
    root = 0.01 * np.random.default_rng(0).normal(size=(problem.size, problem.size))
    covariance = np.zeros((problem.size + 1, problem.size + 1))
    covariance[:-1, :-1] = root @ root.T
    nothing = np.zeros(TAKEN.shape)
    return Optimum(numbers, np.asarray(params[-1:]), covariance, 0.0, 0.0, nothing.size, 0, nothing, nothing), covariance[:-1, :-1]


@pytest.mark.parametrize("problem", [LENSED, BARE], ids=["lensed", "bare"])
def test_a_unit_normal_has_the_covariance_of_the_mode(problem: Composition) -> None:
    optimum, covariance = mode_of(problem)
    about = chart.chart(problem, optimum, TAKEN)
    with jax.enable_x64(True):
        of = jax.jit(lambda w: prior.numbers(problem, chart.coordinates(problem, about, w), about.straight))
        zero = jnp.zeros(problem.size)
        np.testing.assert_allclose(of(zero), optimum.numbers, atol=1e-9)
        slope = np.asarray(jax.jacfwd(of)(zero))
    # A direction that the image leaves open is as wide as the prior; here the mode is several times narrower.
    np.testing.assert_allclose(slope @ slope.T, covariance, atol=0.05 * np.abs(covariance).max())


def test_what_trades_with_a_number_at_its_end_follows_it_inside() -> None:
    """Moved alone, it would leave the valley: a source's size and its flux, for instance, keep the light that is seen."""
    size = BARE.size
    t = np.array([1.0, -2.0, np.log(3.0), 0.1, 0.2])
    covariance = np.diag([0.04, 0.01, 0.25, 1e-4, 1e-4])
    covariance[0, 2] = covariance[2, 0] = 0.09
    near = chart._inside(BARE, t, covariance)
    move = near[2] - t[2]
    assert move < -0.1  # the size is at its end
    np.testing.assert_allclose(near - t, [0.09 / 0.25 * move, 0.0, move, *np.zeros(size - 3)], rtol=1e-9)
    still = np.array([1.0, -2.0, 0.0, 0.1, 0.2])
    np.testing.assert_array_equal(chart._inside(BARE, still, covariance), still)


def test_a_number_near_its_end_is_mirrored_there_along_the_valley() -> None:
    """Behind the wall lie the places before it once more; the wall stays where it is, and so do volumes."""
    optimum, _ = mode_of(LENSED)
    params = np.array(PARAMS["lensed"])
    params[LENSED.names.index("source_x")] = 4.99
    with jax.enable_x64(True):
        optimum = dataclasses.replace(optimum, numbers=np.asarray(LENSED.encode(jnp.asarray(params))))
        about = chart.chart(LENSED, optimum, TAKEN)
        k = LENSED.names.index("source_x")
        assert about.wall.tolist() == np.eye(LENSED.size)[k].tolist()
        of = jax.jit(lambda w: chart.coordinates(LENSED, about, w))
        w = np.random.default_rng(2).normal(size=(50, LENSED.size))
        places = np.array([of(jnp.asarray(row)) for row in w])
        plain = about._replace(wall=jnp.zeros(LENSED.size))
        before = np.array([jax.jit(partial(chart.coordinates, LENSED))(plain, jnp.asarray(row)) for row in w])
        beyond = before[:, k] > prior.END
        assert 5 < beyond.sum() < 45 and (places[:, k] <= prior.END + 1e-12).all()
        np.testing.assert_allclose(places[~beyond], before[~beyond], rtol=1e-12)
        np.testing.assert_allclose(places[beyond, k], 2.0 * prior.END - before[beyond, k], rtol=1e-9)
        row = jnp.asarray(w[np.argmax(beyond)])
        volumes = [np.linalg.slogdet(np.asarray(jax.jacfwd(partial(chart.coordinates, LENSED, own))(row)))[1] for own in (about, plain)]
        assert volumes[0] == pytest.approx(volumes[1], abs=1e-9)
        slope = np.asarray(jax.jacfwd(partial(chart.coordinates, LENSED, plain))(0.0 * row))
        along = (slope @ slope.T)[:, k]
        np.testing.assert_allclose(about.back, along / along[k], rtol=1e-6, atol=1e-9)


def test_sources_follow_the_rays_and_volumes_stay() -> None:
    optimum, _ = mode_of(LENSED)
    about = chart.chart(LENSED, optimum, TAKEN)
    assert about.points.shape == (2, chart.POINTS)
    x, y = (LENSED.names.index(f"source_{axis}") for axis in "xy")
    with jax.enable_x64(True):
        of = jax.jit(lambda w: chart.coordinates(LENSED, about, w))
        still = about._replace(points=jnp.zeros((2, 0)))
        w = jnp.asarray(np.random.default_rng(1).normal(size=LENSED.size))
        u, plain = np.asarray(of(w)), np.asarray(chart.coordinates(LENSED, still, w))
        assert (np.flatnonzero(u != plain) == [x, y]).all(), "nothing moves but the source"
        for at in (0.0 * w, w):
            volume = np.linalg.slogdet(np.asarray(jax.jacfwd(of)(at)))[1]
            assert volume == pytest.approx(float(np.linalg.slogdet(np.asarray(about.stretch))[1]), abs=1e-9)
        rays = []
        for numbers in (optimum.numbers, prior.numbers(LENSED, jnp.asarray(u), about.straight)):
            lens = LENSED.lens(jnp.asarray(numbers))
            assert lens is not None
            rays.append(np.asarray(about.points - jnp.stack(lens.deflection(*about.points))).mean(axis=1))
    np.testing.assert_allclose((u - plain)[[x, y]], np.asarray(about.rates)[0] * (rays[1] - rays[0]), rtol=1e-6)
    source = np.array(PARAMS["lensed"][x : y + 1])
    assert np.abs(rays[0] - source).max() < 1.0, "the rays end on the source"
