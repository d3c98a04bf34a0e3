"""Coordinates about a mode of a posterior in which its valley is nearly straight and as wide as it is long.

Two steps lead from such coordinates w to those of the prior. A matrix gives w the mode's covariance, which is the identity then. After it
each source moves so that its images stay where they are: a lens that is a little stronger has its source elsewhere, and what the image
tells is the difference. That move depends on the lens alone, so that volumes stay as they are.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.infer import prior
from lensjax.infer.fit import Optimum
from lensjax.observation.instrument import Instrument, places
from lensjax.problems.compose import Composition

POINTS = 64
"""Points of the image, at equal shares of the sources' light, whose rays are followed."""


class Chart(NamedTuple):
    """Coordinates about a mode.

    Attributes:
        mode: (E,) the mode in the coordinates of the prior.
        stretch: (E, E) the matrix.
        straight: (E,) which of the prior's coordinates are straight.
        wall: (E,) ±1 at a coordinate that is mirrored at its higher or lower wall, 0 elsewhere.
        back: (E,) the way back from that wall, along the valley.
        points: (2, N) x and y in the image whose rays are followed; N is 0 where no source moves.
        behind: (2,) the mean place of these rays in the source plane, for the lens of the mode.
        rates: (S, 2) change of the prior's coordinates of each source with its x and y.
    """

    mode: Array
    stretch: Array
    straight: Array
    wall: Array
    back: Array
    points: Array
    behind: Array
    rates: Array


def chart(problem: Composition, optimum: Optimum, taken: Instrument) -> Chart:
    """The coordinates about a mode, in float64.

    The prior's coordinates are straight where the image determines them well, away from the prior's ends, and open elsewhere. A mode at
    an end of the prior, or at a round ellipse, is moved inside by half its error, and what trades with it follows. Directions that the
    image leaves open are as wide as the prior.

    Near a wall the density has a mirror image behind it, where trajectories would end: as far behind the wall, in directions along the
    valley. Each place within then has two of equal density, and a volume stays as it is.

    Args:
        problem: what was fitted.
        optimum: the mode.
        taken: how the image was taken.
    """
    covariance = optimum.covariance[: problem.size, : problem.size]
    with jax.enable_x64(True):
        place = partial(prior.places, problem)
        numbers = jnp.asarray(optimum.numbers)
        at, slope = np.asarray(place(numbers)), np.asarray(jax.jacfwd(place)(numbers))
        spread = slope @ covariance @ slope.T
        inside = jnp.asarray(_inside(problem, at, spread))
        straight, mirrored = prior.straightened(problem, at, spread)
        to_coordinates = partial(prior.coordinates, problem, straight=jnp.asarray(straight))
        mode, opened = to_coordinates(inside), np.asarray(jax.jacfwd(to_coordinates)(inside))
        eigenvalues, axes = np.linalg.eigh((opened @ spread @ opened.T) / prior.SPREAD**2)
        eigenvalues = np.clip(eigenvalues, 1e-12, None)
        stretch = prior.SPREAD * axes * np.sqrt(eigenvalues / (1.0 + eigenvalues))
        wall = back = np.zeros(problem.size)
        if mirrored is not None:
            wall = np.sign(mode[mirrored]) * np.eye(problem.size)[mirrored]
            back = stretch @ (stretch.T @ wall) / np.sum((stretch.T @ wall) ** 2)
        nothing = jnp.zeros((2, 0)), jnp.zeros(2), jnp.zeros((0, 2))
        found = Chart(mode, jnp.asarray(stretch), jnp.asarray(straight), jnp.asarray(wall), jnp.asarray(back), *nothing)
        numbers = prior.numbers(problem, mode, found.straight)
        points = _points(problem, numbers, optimum.amplitudes, taken)
        if points.shape[1] == 0:
            return found
        rates = jnp.asarray([[opened[k, k] for k in pair] for pair in problem.places])
        found = found._replace(points=jnp.asarray(points), behind=_behind(problem, numbers, jnp.asarray(points)), rates=rates)
        along = np.asarray(jax.jacfwd(partial(_followed, problem, found))(mode))
        return found._replace(stretch=jnp.asarray(np.linalg.solve(along, stretch)))


def _inside(problem: Composition, t: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """The places (E,) of a mode moved off the prior's ends by half their errors; the others follow by the covariance (E, E)."""
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    move = prior.within(problem, t, 0.5 * errors) - t
    moved = np.flatnonzero(move)
    follow = covariance[:, moved] @ np.linalg.pinv(covariance[np.ix_(moved, moved)], hermitian=True) @ move[moved]
    follow[moved] = move[moved]
    return prior.within(problem, t + follow, np.zeros(len(t)))


def of_type(about: Chart, dtype: Any) -> Chart:
    """A chart whose numbers have a type."""
    return Chart(*(part if part.dtype == bool else part.astype(dtype) for part in about))


def coordinates(problem: Composition, about: Chart, w: Array) -> Array:
    """The prior's coordinates (E,) at coordinates (E,) of a chart."""
    u = _followed(problem, about, about.mode + about.stretch @ w)
    beyond = jnp.maximum(about.wall @ u - prior.END, 0.0)
    return u - 2.0 * beyond * about.back


def _followed(problem: Composition, about: Chart, u: Array) -> Array:
    """The prior's coordinates (E,), with sources moved as the rays of the lens move."""
    if about.points.shape[1] == 0:
        return u
    near, _ = prior.held(problem, u, about.straight)  # a lens beyond a wall may be none
    move = _behind(problem, prior.numbers(problem, near, about.straight), about.points) - about.behind
    for pair, rate in zip(problem.places, about.rates, strict=True):
        u = u.at[np.array(pair)].add(rate * move)
    return u


def _behind(problem: Composition, numbers: Array, points: Array) -> Array:
    """The mean place (2,) in the source plane of the rays of points (2, N)."""
    lens = problem.lens(numbers)
    assert lens is not None
    return (points - jnp.stack(lens.deflection(*points))).mean(axis=1)


def _points(problem: Composition, numbers: Array, amplitudes: np.ndarray, taken: Instrument) -> np.ndarray:
    """x and y (2, N) at equal shares of the sources' light in the image; none without a lens or a source."""
    if problem.lens(numbers) is None or not problem.places:
        return np.zeros((2, 0))
    x, y = np.meshgrid(*places(taken))
    system = problem.system(problem.decode(numbers, jnp.asarray(amplitudes)))
    ax, ay = system.lens.deflection(jnp.asarray(x), jnp.asarray(y))
    light = np.maximum(np.nan_to_num(np.asarray(system.source.light(x - ax - system.x, y - ay - system.y))), 0.0)
    total = np.cumsum(light.reshape(-1))
    if not total[-1] > 0.0:
        return np.zeros((2, 0))
    chosen = np.searchsorted(total, (np.arange(POINTS) + 0.5) / POINTS * total[-1])
    return np.stack([x.reshape(-1)[chosen], y.reshape(-1)[chosen]])
