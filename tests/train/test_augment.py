"""Changed images and their parameters: rendering the changed parameters gives the changed image."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.problems.framed import Change, changed, is_movable
from lensjax.train import augment

SYSTEMS = {
    "sis2023": [50.0, 20.0, 10.0, 22.0, 9.0, 25.0],
    "pm2022": [50.0, 20.0, 20.0, 12.0, 7.0, 25.0, 0.5],
    "sie_shear": [1.0, -0.5, 22.0, 0.6, 30.0, 0.05, -0.03, 2.0, 4.0, 5.0, 1.0, 0.6, 20.0, 8000.0],
    "sie2026": [3.3, -2.4, 30.0, 0.4, 25.0, 11.0, 5.0, 12.0, 1.0, 40000.0],
    "cluster2sie2026": [-20.3, 10.4, 30.0, 0.5, 70.0, 25.3, -6.4, 20.0, 0.8, 160.0, 4.0, 9.0, 12.0, 1.0, 40000.0],
    "cluster4sis2026": [-20.0, 1.0, 25.0, 30.0, 4.0, 22.0, 2.0, 25.0, 30.0, -4.0, -31.0, 21.0, 6.0, 7.0, 12.0, 1.0, 50000.0],
}
TURNS = {0: (1.0, 0.0), 90: (0.0, 1.0), 180: (-1.0, 0.0), 270: (0.0, -1.0)}


def change_of(problem, mirrored, degrees, step=1.0):
    """A change; movable problems are moved by (2, −3) pixels of `step`."""
    cos, sin = TURNS.get(degrees, (np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))))
    x, y = (2.0 * step, -3.0 * step) if is_movable(problem) else (0.0, 0.0)
    return Change(jnp.asarray(mirrored), *(jnp.float32(value) for value in (cos, sin, x, y)))


@partial(jax.jit, static_argnums=0)
def both(problem, params, change):
    """The image of the changed parameters, the changed image, and the image itself."""

    def image(params):
        if isinstance(problem, problems.Problem):
            return problem.render(params)
        return problem.composition.image(params, problem.instrument())

    before = image(params)
    return image(changed(problem, params, change)), augment.changed_image(problem, before, change), before


def problem_of(name):
    if name in problems.imaged_names():
        problem = problems.imaged(name)
        return problem if name == "sie_shear" else problems.imaged(name, image_size=problem.field // 2)
    return problems.get(name, integer=False, method="raytrace", image_size=400)


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize(("mirrored", "degrees"), [(True, 0), (False, 90), (True, 180), (True, 270)])
def test_changed_parameters_render_the_changed_image(name, mirrored, degrees):
    problem = problem_of(name)
    change = change_of(problem, mirrored, degrees, problem.field / problem.image_size)
    found, expected, before = (np.asarray(a)[4:-4, 4:-4] for a in both(problem, jnp.asarray(SYSTEMS[name], jnp.float32), change))
    assert before.max() > 20 and np.abs(before - expected).max() > 20
    # Where the light is cut off at a lens's centre, rounding decides single pixels.
    assert np.quantile(np.abs(found - expected), 0.999) < 0.05


@pytest.mark.parametrize("name", ["sis2023", "sie_shear"])
def test_a_turn_by_any_angle_is_that_of_the_parameters_but_for_interpolation(name):
    problem = problem_of(name)
    found, expected, before = both(problem, jnp.asarray(SYSTEMS[name], jnp.float32), change_of(problem, True, 37.0))
    assert np.abs(found - before).max() > 50 and np.abs(found - expected).mean() < 0.02 * np.asarray(before).mean()


def test_directions_stay_in_their_period():
    problem = problems.get("sis2023", integer=False)
    params = jnp.array([50.0, 20.0, 10.0, 22.0, 9.0, 0.0])
    for mirrored in (False, True):
        for degrees in TURNS:
            assert 0.0 <= float(changed(problem, params, change_of(problem, mirrored, degrees))[5]) < 180.0


def test_changes_are_drawn_as_their_kind_says():
    problem = problems.imaged("sie2026")
    assert augment.draw(problem, jax.random.key(0), count=4, size=256, kind="none") is None
    exact = augment.draw(problem, jax.random.key(0), count=400, size=128, kind="exact")
    assert {(float(c), float(s)) for c, s in zip(exact.cos, exact.sin, strict=True)} == set(TURNS.values())
    assert 100 < int(exact.mirrored.sum()) < 300
    assert set(np.unique(exact.x)) == set(2.0 * np.arange(-4, 5)) == set(np.unique(exact.y))  # whole pixels of two native ones
    turned = augment.draw(problem, jax.random.key(0), count=400, size=128, kind="any")
    assert len(np.unique(turned.cos)) > 390
    np.testing.assert_allclose(turned.cos**2 + turned.sin**2, 1.0, atol=1e-6)
    fixed = augment.draw(problems.get("sis2023"), jax.random.key(0), count=40, size=128, kind="exact")
    assert not fixed.x.any() and not fixed.y.any()


def test_without_a_change_images_stay_as_they_are():
    image, params = jnp.arange(32.0).reshape(2, 4, 4), jnp.ones((2, 6))
    same = augment.taken(problems.get("sis2023"), params, augment.FromFile(image))
    assert same[0] is params and same[1] is image
