"""Priors, encodings, symmetries and fit coordinates of the problems; the stream."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.errors import BadInput
from lensjax.train import stream

NAMES = ["sis2023", "pm2022"]
QUICK = ["sis2023", pytest.param("pm2022", marks=pytest.mark.slow)]


def sample(name, n=4000, **options):
    problem = problems.get(name, **options)
    return problem, np.asarray(jax.jit(lambda key: problem.sample(key, n))(jax.random.key(3)), np.float64)


def test_sis2023_prior_as_printed():
    _, params = sample("sis2023", 20_000)
    x, y, einstein_r, sigma, sigma2, theta = params.T
    distance = np.hypot(x, y)
    s_max = np.floor(0.4 - 0.05 * einstein_r + 0.282 * distance + 1e-4)
    np.testing.assert_array_equal(params[:, 2:] % 1, 0)
    np.testing.assert_allclose(distance, np.round(distance), atol=1e-4)
    assert (einstein_r.min(), einstein_r.max()) == (5, 50)
    assert (np.round(distance.min()), np.round(distance.max())) == (26, 200)
    assert (theta.min(), theta.max()) == (0, 179)
    assert sigma.min() == sigma2.min() == 5
    assert (np.maximum(sigma, sigma2) <= s_max).all()
    assert (sigma == s_max).any() and (sigma2 == s_max).any()
    assert np.mean(sigma == sigma2) == pytest.approx(0.073, abs=0.008)  # 7.3 % round sources


def test_pm2022_prior_as_printed():
    _, params = sample("pm2022", 20_000)
    x, y, einstein_r, sigma, sigma2, theta, chi = params.T
    assert (einstein_r.min(), einstein_r.max()) == (10, 50)
    assert (np.round(np.hypot(x, y)) >= einstein_r).all() and np.hypot(x, y).max() <= 100.001
    assert (sigma.min(), sigma.max(), sigma2.min(), sigma2.max()) == (1, 60, 1, 40)
    assert (theta.min(), theta.max()) == (0, 179)
    assert chi.min() == pytest.approx(0.3) and chi.max() == pytest.approx(0.7)


@pytest.mark.parametrize("name", NAMES)
def test_continuous_prior_stays_within_bounds(name):
    problem, params = sample(name, integer=False)
    for k, parameter in enumerate(problem.parameters):
        assert params[:, k].min() >= parameter.low - 1e-3 and params[:, k].max() <= parameter.high + 1e-3
    assert np.mean(params[:, 3] % 1 == 0) < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_decode_inverts_encode_up_to_symmetry(name):
    problem, params = sample(name, 500)
    canonical = jax.jit(problem.canonical)(jnp.asarray(params, jnp.float32))
    again = np.asarray(jax.jit(lambda params: problem.decode(problem.encode(params)))(jnp.asarray(params, jnp.float32)))
    others = np.asarray(jax.jit(problem.equivalents)(canonical))
    turn = np.abs((again[:, 5] - others[..., 5] + 90) % 180 - 90)
    turn = np.where(np.asarray(problem.undefined(jnp.asarray(params)))[:, 5], 0.0, turn)
    rest = np.abs(np.delete(again - others, 5, axis=-1)).max(axis=-1)
    assert np.minimum(*np.maximum(turn / 10, rest)).max() < 0.01


@pytest.mark.parametrize("name", QUICK)
def test_equivalent_parameters_give_the_same_image(name):
    problem, params = sample(name, 4, image_size=50)
    render, equivalents = jax.jit(problem.render), jax.jit(problem.equivalents)
    for row in params:
        images = [np.asarray(render(p)) for p in equivalents(jnp.asarray(row, jnp.float32))]
        np.testing.assert_allclose(images[0], images[1], atol=0.02)


@pytest.mark.parametrize("name", QUICK)
def test_fit_coordinates_invert(name):
    problem, params = sample(name, 50, method="ring")
    with jax.enable_x64(True):
        canonical = jax.jit(lambda params: problem.decode(problem.encode(params)))(jnp.asarray(params))
        to_fit = jax.jit(jax.vmap(lambda p: problem.to_fit(p, method="ring")))
        again = np.array(jax.jit(jax.vmap(problem.from_fit))(to_fit(jnp.asarray(params))))
    canonical = np.array(canonical)
    is_round = np.asarray(problem.undefined(jnp.asarray(params)))[:, 5]
    again[is_round, 5] = canonical[is_round, 5] = 0.0
    again[:, 5] = canonical[:, 5] + (again[:, 5] - canonical[:, 5] + 90.0) % 180.0 - 90.0  # 0 and 180 are one angle
    away = params[:, 0] ** 2 + params[:, 1] ** 2 > 0
    np.testing.assert_allclose(again[away], canonical[away], rtol=1e-4, atol=1e-4)


def test_bad_options_are_named():
    with pytest.raises(BadInput, match="did you mean sis2023"):
        problems.get("sis2032")
    with pytest.raises(BadInput, match="method, problem sis2023: the value is 'exact'; expected one of "):
        problems.get("sis2023", method="exact")
    with pytest.raises(BadInput, match="image_size, problem sis2023: the value is 4; expected 16 or more"):
        problems.get("sis2023", image_size=4)


@pytest.mark.parametrize("targets", ["encoded", pytest.param("raw", marks=pytest.mark.slow)])
def test_stream(targets):
    problem = problems.get("sis2023", image_size=50, method="ring", integer=False)
    draw = jax.jit(lambda step: stream.batch(problem, jax.random.key(1), step, batch_size=20, targets=targets, mixed=True))
    first, again, other = draw(0), draw(0), draw(1)
    assert first["image"].shape == (20, 50, 50, 1)
    np.testing.assert_array_equal(first["image"], again["image"])
    assert not np.array_equal(first["params"], other["params"])
    assert 0 <= first["image"].min() and first["image"].max() <= 1
    expected = problem.encode(first["params"]) if targets == "encoded" else first["params"]
    np.testing.assert_allclose(first["target"], expected, atol=1e-5)


@pytest.mark.parametrize("name", QUICK)
def test_mixed_stream_stays_as_it_was(name):
    """What networks were trained on: a batch made when "mixed" was a problem's method tells which images are whole.

    That batch has float32's rounding near a point mass, 1.6e-4 of the peak; the images must be those of float64.
    """
    problem = problems.get(name, image_size=16, method="ring", integer=False)
    batch = jax.jit(lambda step: stream.batch(problem, jax.random.key(3), step, batch_size=6, mixed=True))(7)
    exact = []
    with jax.enable_x64(True):
        params = jnp.asarray(np.asarray(batch["params"]), jnp.float64)
        for method in ("ring", "raytrace"):
            render = problems.get(name, image_size=16, method=method, integer=False).render_batch
            exact.append(np.asarray(jax.jit(render)(params)) / 255)
    with np.load(Path(__file__).parents[1] / "data" / "mixed_stream.npz") as file:
        stored = file[name]
    whole = [np.abs(stored[i] - exact[1][i]).max() < np.abs(stored[i] - exact[0][i]).max() for i in range(6)]
    assert {True, False} == set(whole)
    expected = np.where(np.array(whole)[:, None, None], exact[1], exact[0])
    np.testing.assert_allclose(stored, expected, atol=2e-4)
    np.testing.assert_allclose(batch["image"][..., 0], expected, atol=1e-5)


@pytest.mark.slow
def test_native_stream_is_eight_bit():
    problem = problems.get("sis2023")
    image = np.asarray(stream.batch(problem, jax.random.key(1), 0, batch_size=2)["image"]) * 255
    np.testing.assert_allclose(image, np.round(image), atol=1e-4)
