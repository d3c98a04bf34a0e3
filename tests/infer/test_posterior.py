"""Posteriors: closed forms, diagnostics of known sequences, and chains on a small image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from lensjax.errors import BadInput
from lensjax.infer import fit, nuts, posterior, prior
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.problems import components, galaxy_components
from lensjax.problems.compose import compose

pytest.importorskip("blackjax")

SIDE, SIGMA = 16, 0.05
TAKEN = instrument((SIDE, SIDE))
BLOB = compose("blob", [components.gaussian(role="lens light", sigma=(1.0, 6.0), reach=4.0, q=None)], sky=True)


@pytest.fixture(autouse=True)
def mixed_types(strict_types):
    """blackjax mixes types."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def correlated(data, w):
    return -0.5 * w @ data @ w


@pytest.mark.slow
def test_chains_have_the_moments_of_a_correlated_normal() -> None:
    covariance = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 4.0]])
    rounds = nuts.rounds(correlated, jnp.asarray(np.linalg.inv(covariance), jnp.float32), size=3, draws=250, seed=1)
    found = nuts.Chains(*(np.concatenate(part, axis=1) for part in zip(next(rounds), next(rounds), strict=True)))
    draws = found.draws.reshape(-1, 3)
    assert found.draws.shape == (4, 500, 3) and found.divergent.sum() == 0
    r_hat, ess = nuts.agreement(found.draws)
    assert r_hat.max() < 1.01 and ess.min() > 400
    error = np.sqrt(np.diag(covariance) / ess)
    assert (np.abs(draws.mean(axis=0)) < 4.0 * error).all()
    np.testing.assert_allclose(np.cov(draws.T), covariance, atol=0.35)


@pytest.mark.slow
def test_trajectories_end_at_a_wall_and_do_not_diverge() -> None:
    """A normal cut half a width from its middle: chains that would start beyond the wall start within, and draws are those of its law."""

    def cut(data, w):
        return jnp.where(w[0] > -0.5, -0.5 * w @ data @ w, -jnp.inf)

    found = next(nuts.rounds(cut, jnp.eye(2), size=2, draws=1000, seed=1))
    r_hat, ess = nuts.agreement(found.draws)
    first = found.draws[..., 0]
    assert first.min() > -0.5 and found.divergent.sum() == 0 and r_hat.max() < 1.02
    apart = int(np.ceil(first.size / ess[0]))
    assert stats.kstest(first.reshape(-1)[::apart], stats.truncnorm(-0.5, np.inf).cdf).pvalue > 1e-3


@pytest.mark.slow
def test_chains_that_start_where_steps_must_be_short_settle() -> None:
    """A wall of the fourth power: two widths away from its middle the adapted step is many times too long."""

    def walled(data, w):
        return -0.5 * w @ w - data * w[0] ** 4

    found = next(nuts.rounds(walled, jnp.asarray(1000.0), size=2, draws=50, seed=3))
    assert (found.draws.std(axis=1) > 0.01).all() and np.abs(found.draws[..., 0]).max() < 0.5


@pytest.mark.slow
def test_chains_adapt_to_a_valley_that_is_longer_than_wide() -> None:
    """Nine widths of one direction in another, along no axis: the metric becomes theirs, and few gradients make a draw."""
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(8, 8)))[0]
    covariance = turn @ np.diag([81.0, *np.ones(7)]) @ turn.T
    precision = jnp.asarray(np.linalg.inv(covariance), jnp.float32)
    first = next(nuts.rounds(correlated, precision, size=8, draws=200, seed=1))
    then = next(nuts.rounds(correlated, precision, size=8, draws=200, seed=2, before=first.draws))
    for found in (first, then):
        r_hat, ess = nuts.agreement(found.draws)
        assert found.gradients.mean() < 16.0 and r_hat.max() < 1.03 and ess.min() > 200
    np.testing.assert_allclose(then.draws.reshape(-1, 8).var(axis=0), np.diag(covariance), rtol=0.3)


def test_chains_that_step_together_are_those_in_threads(monkeypatch) -> None:
    """Elsewhere than on a CPU one program has all chains."""

    def program(data, place, key):
        return place * data + jax.random.normal(key, place.shape), place.sum()

    places, keys = np.arange(8.0, dtype=np.float32).reshape(4, 2), jax.random.split(jax.random.key(0), 4)
    alone = nuts._each(program, (np.float32(2.0),), (places, keys))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for ours, theirs in zip(nuts._each(program, (np.float32(2.0),), (places, keys)), alone, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_r_hat_and_effective_draws_of_known_sequences() -> None:
    random = np.random.default_rng(0)
    independent = random.normal(size=(4, 500))
    slow = np.zeros((4, 500))  # autocorrelation ρ = 0.9: n (1 − ρ)/(1 + ρ) effective draws
    for k in range(1, 500):
        slow[:, k] = 0.9 * slow[:, k - 1] + random.normal(size=4)
    apart = independent + np.array([[0.0], [0.0], [0.0], [3.0]])
    wider = independent * np.array([[1.0], [1.0], [1.0], [4.0]])
    r_hat, ess = nuts.agreement(np.stack([independent, slow, apart, wider, np.full((4, 500), 2.0)], axis=-1))
    assert r_hat[0] < 1.01 and ess[0] > 1500
    assert 50 < ess[1] < 250
    assert r_hat[2] > 1.3 and r_hat[3] > 1.05
    assert r_hat[4] == 1.0 and ess[4] == 2000


@pytest.mark.parametrize(
    ("r_hat", "ess", "divergent", "trusted"), [(1.005, 150, 0, 1), (1.02, 150, 0, 0), (1.0, 99, 0, 0), (1.0, 150, 90, 0)]
)
def test_chains_that_are_not_to_be_trusted_say_so(r_hat: float, ess: float, divergent: int, trusted: int) -> None:
    found = posterior.Posterior(("x", "y"), np.zeros((4000, 2)), 4000, 4, np.array([1.0, r_hat]), np.array([ess, 900.0]), divergent, 7)
    assert found.trusted == bool(trusted) and ("not to be trusted" in found.words) == (not trusted)
    assert f"R-hat {r_hat:.3f} (" in found.words and f"{ess:.0f} effective draws (x)" in found.words


def test_short_chains_have_room_for_chance() -> None:
    assert posterior.most_r_hat(4, 1000) == posterior.MOST_R_HAT
    random = np.random.default_rng(1)
    r_hat, _ = nuts.agreement(random.normal(size=(4, 50, 100)))
    limit = posterior.most_r_hat(4, 50)
    assert posterior.MOST_R_HAT < r_hat.max() < limit < 1.1


@pytest.mark.slow
def test_amplitudes_are_integrated_out_as_in_the_closed_form() -> None:
    """Shapelets with their normal prior: the density of the data is normal, with the covariance of noise and prior together."""
    problem = compose("shapelets", [galaxy_components.shapelets(2, role="lens light", beta=(1.0, 4.0), reach=4.0)])
    with jax.enable_x64(True):
        random = np.random.default_rng(2)
        seen = observe(random.normal(scale=SIGMA, size=(SIDE, SIDE)) + 0.1, SIGMA, taken_by=TAKEN)
        weight = jnp.full((SIDE, SIDE), 1.0 / SIGMA)
        variance = np.linalg.inv(np.asarray(problem.penalty(fit.total_flux(seen))))
        data = np.asarray(seen.data).reshape(-1) / SIGMA
        values, densities = [], []
        for shift in (0.0, 0.3, 0.6):
            numbers = problem.encode(jnp.asarray([0.2 + shift, -0.1, 2.0 + shift]))
            own = posterior.log_likelihood(problem, seen, weight, numbers, residual=jnp.zeros((SIDE, SIDE)))
            values.append(float(own))
            layers = np.asarray(problem.layers(numbers, TAKEN)).reshape(problem.linear, -1) / SIGMA
            densities.append(stats.multivariate_normal.logpdf(data, cov=np.eye(SIDE**2) + layers.T @ variance @ layers))
    np.testing.assert_allclose(np.diff(values), np.diff(densities), atol=1e-3)


GRID = np.linspace(-12.0, 12.0, 4001)


@pytest.mark.parametrize("straight", [False, True], ids=["open", "straight"])
@pytest.mark.parametrize(
    ("k", "law"),
    [(0, stats.truncnorm(-4.5, 3.5, loc=0.5)), (1, stats.uniform(-4.0, 8.0)), (2, stats.uniform(1.0, 5.0))],
    ids=["x", "y", "sigma"],
)
def test_the_prior_is_that_of_the_parameters(k: int, law, straight: bool) -> None:
    """Along one coordinate, on a fine grid: uniform or normal, cut at the bounds."""
    problem = compose("one", [components.gaussian(role="lens light", sigma=(1.0, 6.0), reach=4.0, q=None)], normal=[("source_x", 0.5, 1.0)])
    with jax.enable_x64(True):
        rows = jnp.zeros((len(GRID), 3)).at[:, k].set(GRID)
        values, density = meaning(problem, rows, straight)
        np.testing.assert_allclose(np.cumsum(density) / density.sum(), law.cdf(values[:, k]), atol=5e-3)
        inside = jnp.asarray([1.0, -3.0, 5.0, 0.0])
        back = prior.numbers(problem, coordinates(problem, inside, straight), jnp.full(3, straight))
        np.testing.assert_allclose(problem.decode(back, jnp.zeros(1)), inside, rtol=1e-9)


@pytest.mark.parametrize("straight", [False, True], ids=["open", "straight"])
def test_a_belief_is_normal_in_the_numbers_of_a_fit(straight: bool) -> None:
    """Of a size in its logarithm, and of an ellipse in e/√(1 − e²); in coordinates it is that times the volume."""
    problem = compose("one", [components.gaussian(role="lens light", sigma=(1.0, 6.0), reach=4.0, q=0.3)])
    with jax.enable_x64(True):
        mean = problem.encode(jnp.asarray([0.5, 0.0, 2.0, 0.7, 30.0, 0.0]))
        belief = fit.Belief(mean, jnp.asarray([4.0, 0.0, 9.0, 25.0, 25.0]))
        places = ((0.5, 0.0, 2.0, 0.7, 30.0, 0.0), (1.0, 2.0, 3.0, 0.5, 75.0, 0.0))
        kinds = jnp.full(5, straight)
        first, second = (float(prior.log_belief(problem, coordinates(problem, jnp.asarray(at), straight), kinds, belief)) for at in places)
        off = np.asarray(problem.encode(jnp.asarray([1.0, 2.0, 3.0, 0.5, 75.0, 0.0])) - mean)
    assert off[2] == pytest.approx(np.log(1.5), abs=1e-6)
    e = [(1.0 - q) / (1.0 + q) / components.E_MAX for q in (0.7, 0.5)]
    slopes = [-2.0 * np.log1p(-own * own) for own in e]  # ln |dz/de|: (1 − e²)^−3/2 along, (1 − e²)^−1/2 across
    shares = np.array([[4.5 / 8.0, 0.5, np.log(2.0) / np.log(6.0)], [5.0 / 8.0, 0.75, np.log(3.0) / np.log(6.0)]])
    most = 0.7 / 1.3 / components.E_MAX
    z = [own / np.sqrt(most**2 - own**2) for own in e]  # of which the coordinates are the root
    volume = [np.log(s * (1.0 - s)).sum() - 2.0 * np.log1p(own**2) + np.log(own) for s, own in zip(shares, z, strict=True)]
    if straight:
        volume = [0.0, 0.0]
    expected = slopes[1] + volume[1] - slopes[0] - volume[0] - 0.5 * float(np.asarray(belief.precision) @ off**2)
    assert second - first == pytest.approx(expected, abs=2e-3)


def test_a_mode_at_an_end_of_the_prior_is_moved_inside() -> None:
    problem = compose("one", [components.gaussian(role="lens light", sigma=(1.0, 6.0), reach=4.0, q=0.3)])
    most = 0.7 / 1.3
    at = np.array([5.0, -3.0, np.log(6.0), 0.6 * most, 0.8 * most])
    near = prior.within(problem, at, np.array([0.4, 0.4, 9.0, 0.01, 0.02]))
    np.testing.assert_allclose(near[:3], [4.0 - 0.4, -3.0, np.log(6.0) - 0.1 * np.log(6.0)], rtol=1e-12)
    np.testing.assert_allclose(near[3:], np.array([0.6, 0.8]) * (most - 0.02), rtol=1e-12)
    assert np.isfinite(np.asarray(prior.coordinates(problem, jnp.asarray(near), jnp.zeros(5, bool)))).all()
    for e in ([0.0, 0.0], [0.01, 0.0]):  # nor is a direction known of the round one
        np.testing.assert_allclose(prior.within(problem, np.array([0.0, 0.0, 1.0, *e]), np.full(5, 0.02))[3:], [0.02, 0.0], rtol=1e-12)


def coordinates(problem, params, straight):
    """Coordinates (E,), all straight or all open, of parameters (P,)."""
    return prior.coordinates(problem, prior.places(problem, problem.encode(params)), jnp.full(problem.size, straight))


def meaning(problem, rows, straight):
    """Parameters (N, P) and density (N,) of coordinates (N, E), all straight or all open."""
    kinds = jnp.full(problem.size, straight)

    def one(u):
        near, inside = prior.held(problem, u, kinds)
        value = jnp.where(inside, prior.log_prior(problem, near, kinds), -jnp.inf)
        return problem.decode(prior.numbers(problem, near, kinds), jnp.zeros(1)), jnp.exp(value)

    values, density = jax.vmap(one)(rows)
    return np.asarray(values), np.asarray(density)


def test_walls_stand_where_the_prior_ends() -> None:
    """Beyond one, coordinates are those of the nearest place within; derivatives are finite on either side."""
    problem = compose("one", [components.gaussian(role="lens light", sigma=(1.0, 6.0), reach=4.0, q=0.3)])
    kinds = jnp.asarray([True, False, True, True, True])
    with jax.enable_x64(True):
        inside = coordinates(problem, jnp.asarray([3.9, 0.0, 5.9, 0.31, 30.0, 0.0]), True)
        near, within = prior.held(problem, inside, kinds)
        assert bool(within) and np.array_equal(near, inside)
        for k, value in ((0, 4.0), (2, 6.0)):
            near, within = prior.held(problem, inside.at[k].set(50.0), kinds)
            params = problem.decode(prior.numbers(problem, near, kinds), jnp.zeros(1))
            assert not within and float(params[k]) == pytest.approx(value, rel=1e-9)
        assert bool(prior.held(problem, inside.at[1].set(50.0), kinds)[1])  # an open one has no end
        near, within = prior.held(problem, inside.at[3:].multiply(9.0), kinds)
        params = problem.decode(prior.numbers(problem, near, kinds), jnp.zeros(1))
        assert not within and np.allclose(params[3:5], [0.3, 30.0], rtol=1e-9)
        for u in (inside, 3.0 * inside, 0.0 * inside):
            slope = jax.jacfwd(lambda at: prior.numbers(problem, prior.held(problem, at, kinds)[0], kinds))(u)
            assert np.isfinite(np.asarray(slope)).all()


def test_what_the_image_determines_well_is_straight() -> None:
    problem = compose("one", [components.gaussian(role="lens light", sigma=(1.0, 6.0), reach=4.0, q=0.3)])
    at, errors = np.array([3.0, 0.0, 1.0, 0.1, 0.1]), np.array([0.1, 3.0, 0.01, 0.01, 0.02])

    def kinds():
        straight, mirrored = prior.straightened(problem, at, np.diag(errors**2))
        return straight.tolist(), mirrored

    assert kinds() == ([True, False, True, True, True], None)
    errors[4] = 1.0  # of an ellipse both or none
    assert kinds() == ([True, False, True, False, False], None)
    at[0], at[2] = 3.95, 0.015  # both too near to their ends
    assert kinds() == ([False, False, False, False, False], None)
    at[2] = 0.025
    assert kinds() == ([True, False, True, False, False], 0)
    at[0] = 4.05  # beyond it
    assert kinds() == ([True, False, True, False, False], 0)


@pytest.mark.slow
@pytest.mark.parametrize("straight", [False, True], ids=["open", "straight"])
@pytest.mark.parametrize("deviation", [None, 0.2])
def test_axis_ratios_are_uniform_or_normal_in_ellipticity(deviation: float | None, straight: bool) -> None:
    normal = [("source_q", 1.0, deviation)] if deviation else []
    problem = compose("one", [components.gaussian(role="lens light", sigma=(1.0, 6.0), reach=4.0, q=0.3)], normal=normal)
    angle = np.linspace(1e-4, 1.57, 6001)
    r = np.linspace(1e-4, 5.0, 6001) if straight else np.tan(angle)
    with jax.enable_x64(True):
        values, density = meaning(problem, jnp.zeros((len(r), 5)).at[:, 3].set(r * 0.6).at[:, 4].set(r * 0.8), straight)
    density = density * r * (1.0 if straight else 1.0 + r * r)
    share, q = 1.0 - np.cumsum(density) / density.sum(), values[:, 3]
    np.testing.assert_allclose(values[10:, 4], np.degrees(0.5 * np.arctan2(0.8, 0.6)), rtol=1e-6)
    expected = (q - 0.3) / 0.7
    if deviation:
        ellipticity, most = (1.0 - q) / (1.0 + q), 0.7 / 1.3
        expected = 1.0 - np.expm1(-0.5 * (ellipticity / deviation) ** 2) / np.expm1(-0.5 * (most / deviation) ** 2)
    np.testing.assert_allclose(share, expected, atol=0.01)
    assert 0.3 - 1e-9 <= q.min() < 0.302


def fitted(problem, truth):
    """An image of true parameters in noise, and its fit from them."""
    light = np.asarray(problem.image(jnp.asarray(truth, jnp.float32), TAKEN), np.float64)
    seen = observe(light + np.random.default_rng(3).normal(scale=SIGMA, size=light.shape), SIGMA, taken_by=TAKEN)
    with jax.enable_x64(True):
        start = np.asarray(problem.encode(jnp.asarray(truth)))
    ((best,),) = fit.descend_from(problem, [seen], [[start]])
    return seen, best


@pytest.mark.slow
def test_a_blob_in_noise_has_the_errors_of_its_curvature() -> None:
    truth = np.array([0.5, -0.3, 2.5, 30.0, 0.1])
    seen, best = fitted(BLOB, truth)
    said: list[str] = []
    found = posterior.sample(BLOB, seen, best, draws=800, seed=4, warmup=100, say=said.append)
    adapt = [f"4 chains adapt: {steps} of 100 steps" for steps in (0, 20, 40, 60, 80)]
    assert said == adapt + [f"4 chains draw: {draws} of 200" for draws in range(0, 200, 20)]
    assert found.names == BLOB.names and found.draws.shape == (800, 5) and found.trusted, found.words
    assert found.taken == 800 and found.divergent == 0
    errors = np.sqrt(np.diag(best.covariance)) * np.array([1.0, 1.0, truth[2], 1.0, 1.0])  # numbers are x, y and log sigma
    np.testing.assert_allclose(found.draws.std(axis=0), errors, rtol=0.15)
    values = np.r_[best.numbers[:2], np.exp(best.numbers[2]) * np.sqrt(6.0), best.amplitudes]
    assert (np.abs(found.draws.mean(axis=0) - values) < 0.3 * errors).all()
    correlation = np.corrcoef(found.draws[:, 3:].T)[0, 1]
    assert correlation == pytest.approx(best.covariance[3, 4] / (best.covariance[3, 3] * best.covariance[4, 4]) ** 0.5, abs=0.12)


@pytest.mark.slow
def test_a_size_at_the_end_of_its_range_has_draws_up_to_it() -> None:
    """The light is larger than the prior's largest: the density rises up to the end, and falls as a normal one cut there."""
    problem = compose("blob", [components.gaussian(role="lens light", sigma=(1.0, 3.0), reach=4.0, q=None)], sky=True)
    truth = np.array([0.5, -0.3, 3.05, 30.0, 0.1])
    seen, best = fitted(problem, truth)
    found = posterior.sample(problem, seen, best, draws=800, seed=4, warmup=100)
    sizes, error = found.draws[:, 2], float(np.sqrt(best.covariance[2, 2]))
    top = float(np.exp(best.numbers[2]) * np.sqrt(3.0))
    assert found.trusted and len(found.draws) == 800 and sizes.max() <= 3.0
    law = stats.truncnorm((np.log(1.0 / top)) / error, np.log(3.0 / top) / error, loc=np.log(top), scale=error)
    assert stats.kstest(np.log(sizes)[::4], law.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("off", "lengths", "trusted"),
    [(0.0, [1], True), (0.2, [1, 2, posterior.ROUNDS], False), (0.4, [1, 1, posterior.ROUNDS], False), (5.0, [1, 1, 1], False)],
)
def test_chains_that_do_not_agree_adapt_again_and_become_longer(off: float, lengths: list[int], trusted: bool, monkeypatch) -> None:
    """Rounds of draws come until they can be trusted; chains that are far apart have no other. As many draws are kept."""
    blob = np.array([0.0, 0.0, 2.0, 1.0, 0.0])
    seen = observe(np.asarray(BLOB.image(jnp.asarray(blob, jnp.float32), TAKEN)), SIGMA, taken_by=TAKEN)
    taken, drawn = [], []

    def rounds(density, data, *, size, draws, seed, count, warmup, before, say):
        random = np.random.default_rng(0)
        assert warmup == 10 and (before is None) == (len(taken) == 0)
        if before is not None:
            np.testing.assert_array_equal(before, np.concatenate(drawn[-taken[-1] :], axis=1))
        taken.append(0)
        say(f"{count} chains adapt")
        for _ in range(9):
            taken[-1] += 1
            apart = random.normal(size=(count, draws, size)) + off * np.arange(count)[:, None, None]
            drawn.append(0.1 * apart)
            yield nuts.Chains(drawn[-1], np.zeros((count, draws), bool), np.ones((count, draws), int))

    monkeypatch.setattr(nuts, "rounds", rounds)
    optimum = fit.descend_from(BLOB, [seen], [[np.asarray(BLOB.encode(jnp.asarray(blob)), np.float64)]])[0][0]
    said: list[str] = []
    found = posterior.sample(BLOB, seen, optimum, draws=800, warmup=10, say=said.append)
    assert taken == lengths and found.trusted == trusted
    assert found.draws.shape == (800, 5) and found.taken == 800 * lengths[-1] and found.gradients == 800 * lengths[-1]
    assert sum("adapt" in words for words in said) == len(lengths)
    assert sum("longer" in words for words in said) == sum(lengths) - len(lengths)
    assert sum("not to be trusted" in words for words in said) == (0 if trusted else posterior.ADAPTATIONS)


def test_directions_are_unwrapped_about_their_mean() -> None:
    problem = compose("one", [components.gaussian(role="lens light", sigma=(1.0, 6.0), reach=4.0)])
    draws = np.zeros((4, 6))
    draws[:, 4] = [179.0, 1.0, 178.0, 2.0]
    around = posterior.unwrapped(draws, problem)[:, 4]
    assert np.ptp(around) == pytest.approx(4.0)
    assert abs(posterior.nearest(draws[0], posterior.unwrapped(draws, problem), problem)[4] - around.mean()) < 4.0


def test_without_blackjax_there_is_one_line(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "blackjax", None)
    with pytest.raises(BadInput, match="pip install 'lensjax\\[posterior\\]'"):
        nuts.check()
