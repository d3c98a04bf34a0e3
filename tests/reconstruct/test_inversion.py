"""Linear inversion against dense algebra, and against sources that are known."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from lensjax import simulate
from lensjax.errors import BadInput
from lensjax.lens import SIE, SIS, cluster
from lensjax.light import constellation
from lensjax.light.gaussian import elliptical, spherical
from lensjax.light.pixels import PENALTIES, roughness
from lensjax.observation.grid import pixel_points
from lensjax.observation.instrument import instrument, of_field
from lensjax.reconstruct.grid import Grid
from lensjax.reconstruct.invert import invert
from lensjax.reconstruct.operator import forward, lensing, transpose
from lensjax.simulate import System, Trace

SMALL, HUNDRED = instrument((24, 24)), instrument((100, 100))
GRID = Grid(12, 12)
RADIUS, PLACE, CENTRE = 5.0, (1.3, 0.6), np.array([0.4, -0.3])


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        yield


def number(value):
    return jnp.asarray(value, jnp.result_type(float))


def small_system():
    return System(SIS(number(RADIUS)), spherical(number(2.0)), number(PLACE[0]), number(PLACE[1]))


def small_operator(**options):
    options = {"instrument": SMALL, "trace": Trace(), "grid": GRID} | options
    return lensing(small_system(), centre=CENTRE, **options)


def dense_operator():
    """L (N, m²) of `small_operator` and which pixels it has, from the lens equation, pixel by pixel."""
    n, m = SMALL.shape[0], GRID.size
    rows, used = [], np.zeros((n, n), bool)
    for i in range(n):
        for j in range(n):
            x, y = j - n / 2 + CENTRE[0], n / 2 - i + CENTRE[1]
            r = np.hypot(x, y)
            column, row = x - RADIUS * x / r - PLACE[0] + m / 2, m / 2 - (y - RADIUS * y / r - PLACE[1])
            if not (0 <= row <= m - 1 and 0 <= column <= m - 1):
                continue
            line = np.zeros((m, m))
            for k in (0, 1):
                for q in (0, 1):
                    a, b = min(int(row), m - 2) + k, min(int(column), m - 2) + q
                    line[a, b] = (1 - abs(row - a)) * (1 - abs(column - b))
            used[i, j] = True
            rows.append(line.ravel())
    return np.array(rows), used


def dense_differences(active, penalty):
    """B, row by row."""
    m = active.shape[0]
    coefficients = {"identity": [1], "gradient": [-1, 1], "curvature": [1, -2, 1]}[penalty]
    lines = []
    for di, dj in ((1, 0), (0, 1))[: 1 if penalty == "identity" else 2]:
        for i in range(m):
            for j in range(m):
                at = [(i + k * di, j + k * dj) for k in range(len(coefficients))]
                if all(a < m and b < m and active[a, b] for a, b in at):
                    line = np.zeros((m, m))
                    for c, place in zip(coefficients, at, strict=True):
                        line[place] = c
                    lines.append(line.ravel())
    return np.array(lines)


@pytest.fixture(scope="module")
def problem():
    """(image, L, pixels used): a noisy image. The few pixels near the lens's centre that are left out are so here too."""
    whole, used = dense_operator()
    with jax.enable_x64(True):
        kept = np.asarray(small_operator().used) > 0
    assert not (kept & ~used).any() and 0 < (used & ~kept).sum() < 0.02 * used.sum()
    rng = np.random.default_rng(5)
    x, y = np.arange(-6, 6)[None], -np.arange(-6, 6)[:, None]
    source = 200 * np.exp(-(x**2 + y**2) / 8) + 90 * np.exp(-((x - 3) ** 2 + (y + 2) ** 2) / 3)
    image = np.zeros((24, 24))
    image[used] = whole @ source.ravel() + 3.0 * rng.normal(size=used.sum())
    return image, whole[kept[used]], kept


def test_the_operator_is_that_of_the_lens_equation(problem):
    _, dense, used = problem
    source = np.random.default_rng(0).normal(size=(12, 12))
    operator = small_operator()
    image = np.asarray(forward(operator, jnp.asarray(source)))
    np.testing.assert_allclose(image[used], dense @ source.ravel(), atol=1e-12)
    assert not image[~used].any()
    np.testing.assert_allclose(np.asarray(transpose(operator, jnp.asarray(image))).ravel(), dense.T @ (dense @ source.ravel()), atol=1e-11)


PSF = np.outer([1.0, 4.0, 2.0], [2.0, 5.0, 1.0])


@pytest.mark.parametrize("oversample", [1, 2])
@pytest.mark.parametrize("psf", [None, PSF])
def test_adjointness(oversample, psf):
    operator = small_operator(instrument=instrument((24, 24), supersampling=oversample), psf=psf)
    rng = np.random.default_rng(1)
    s, d = jnp.asarray(rng.normal(size=(12, 12))), jnp.asarray(rng.normal(size=(24, 24)))
    left = float((forward(operator, s) * d).sum())
    right = float((s * transpose(operator, d)).sum())
    assert left == pytest.approx(right, rel=1e-12) and abs(left) > 1e-3


def test_the_penalty_is_that_of_dense_differences():
    s = np.random.default_rng(2).normal(size=(12, 12))
    active = np.ones((12, 12))
    active[3, 4] = active[7:, 9:] = 0
    for penalty in PENALTIES:
        dense = dense_differences(active, penalty) @ s.ravel()
        found = float(roughness(jnp.asarray(s), jnp.asarray(active), penalty))
        assert found == pytest.approx((dense**2).sum(), rel=1e-12)


def test_blurring_is_convolution():
    s = jnp.asarray(np.random.default_rng(3).uniform(size=(12, 12)))
    plain, blurred = small_operator(), small_operator(psf=PSF)
    # Light of pixels that are not used themselves, near the lens's centre, is blurred too.
    sharp = np.asarray(forward(replace(plain, used=jnp.ones_like(plain.used)), s))
    expected = scipy.signal.convolve2d(sharp, PSF / PSF.sum(), mode="same") * np.asarray(plain.used)
    np.testing.assert_allclose(np.asarray(forward(blurred, s)), expected, atol=1e-12)


def test_oversampling_is_the_mean_over_the_pixel():
    fine, coarse = of_field(24, 48), instrument((24, 24), supersampling=2)
    s = jnp.asarray(np.random.default_rng(4).uniform(size=(12, 12)))
    image = np.asarray(forward(small_operator(instrument=fine), s))
    mean = image.reshape(24, 2, 24, 2).mean((1, 3))
    operator = small_operator(instrument=coarse)
    both = (np.asarray(operator.used) > 0) & (np.asarray(small_operator(instrument=fine).used).reshape(24, 2, 24, 2).min((1, 3)) > 0)
    np.testing.assert_allclose(np.asarray(forward(operator, s))[both], mean[both], atol=1e-12)
    assert both.sum() > 100


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_solution_is_that_of_dense_algebra(problem, penalty):
    image, dense, used = problem
    strength, noise = 0.02, 3.0
    operator = small_operator()
    found = invert(image, operator, strength=strength, noise=noise, penalty=penalty, tolerance=1e-10)
    active = np.asarray(operator.active).ravel() > 0
    b = dense_differences(active.reshape(12, 12), penalty)[:, active]
    a = dense[:, active]
    normal = a.T @ a / noise**2 + strength * b.T @ b
    expected = np.zeros(144)
    expected[active] = np.linalg.solve(normal, a.T @ image[used] / noise**2)
    expected = np.where(found.mask, expected.reshape(12, 12), 0.0)
    np.testing.assert_allclose(found.grey, expected, atol=1e-6)
    assert found.converged and found.strength == pytest.approx(strength) and found.noise == noise
    np.testing.assert_allclose(found.residual[used], image[used] - found.model[used], atol=1e-12)
    assert found.chi2 == pytest.approx((found.residual[used] ** 2).mean() / noise**2)
    freedom = np.trace(np.linalg.solve(normal, a.T @ a / noise**2))
    # Four probes of ±1: the variance of each is at most 2 tr((A⁻¹M)²) ≤ 2γ.
    assert found.freedom == pytest.approx(freedom, abs=4 * np.sqrt(2 * freedom / 4))


def test_lambda_is_the_most_probable_one(problem):
    """Of the identity's penalty, whose evidence is p(d | λ) = N(0, σ²I + LLᵀ/λ)."""
    image, dense, used = problem
    noise, d = 3.0, image[used]
    values, vectors = np.linalg.eigh(dense @ dense.T)
    along = vectors.T @ d

    def evidence(strength):
        variance = noise**2 + np.maximum(values, 0.0) / strength
        return -0.5 * (np.log(variance) + along**2 / variance).sum()

    grid = np.geomspace(1e-7, 1e2, 2000)
    best = grid[np.argmax([evidence(strength) for strength in grid])]
    found = invert(image, small_operator(), noise=noise, penalty="identity", tolerance=1e-8)
    assert found.converged
    assert np.log(found.strength / best) == pytest.approx(0.0, abs=0.25)
    assert evidence(best) - evidence(found.strength) < 0.5


def test_the_error_is_that_of_the_dense_covariance(problem):
    image, dense, _ = problem
    operator = small_operator()
    found = invert(image, operator, strength=0.02, noise=3.0, samples=400)
    active = np.asarray(operator.active).ravel() > 0
    b = dense_differences(active.reshape(12, 12), "curvature")[:, active]
    a = dense[:, active]
    expected = np.zeros(144)
    expected[active] = np.sqrt(np.diag(np.linalg.inv(a.T @ a / 9.0 + 0.02 * b.T @ b)))
    expected = np.where(found.mask, expected.reshape(12, 12), 0.0)
    np.testing.assert_allclose(found.error, expected, rtol=0.2)  # 400 draws: each to 3.5 %
    assert np.mean(found.error[found.mask] / expected[found.mask]) == pytest.approx(1.0, abs=0.02)


@pytest.mark.slow
def test_errors_follow_the_noise(problem):
    image, _, _ = problem
    one, two = (invert(image, small_operator(), strength=0.02 / k**2, noise=3.0 * k, samples=8).error for k in (1.0, 2.0))  # the same μ
    np.testing.assert_allclose(two, 2.0 * one, rtol=1e-6)


def test_much_lambda_leaves_a_flat_source(problem):
    image, _, _ = problem
    found = invert(image, small_operator(), strength=1e9, noise=1.0, penalty="gradient", tolerance=1e-9)
    level = found.grey[found.mask]
    assert np.ptp(level) < 1e-3 * abs(level.mean()) and level.mean() > 1.0
    assert np.abs(invert(image, small_operator(), strength=1e9, noise=1.0, penalty="identity").grey).max() < 1e-3
    little = invert(image, small_operator(), strength=1e-6, noise=1.0)
    assert little.chi2 < found.chi2


@pytest.mark.slow
def test_blurred_and_averaged_images_are_undone():
    operator = small_operator(instrument=instrument((32, 32), supersampling=2), psf=PSF)
    x, y = pixel_points(12, 12, dtype=jnp.float64)
    truth = 100.0 * jnp.exp(-(x * x + y * y) / 8.0)
    image = np.asarray(forward(operator, truth))
    found = invert(image, operator, strength=1e-7, noise=1.0, tolerance=1e-9, most=5000)
    assert found.converged
    inner = np.zeros((12, 12), bool)
    inner[2:-2, 2:-2] = True
    np.testing.assert_allclose(found.grey[inner], np.asarray(truth)[inner], atol=0.02)


FINE = Grid(80, 44)


def lenses():
    members = [(SIS(number(12.0)), -12.0, 5.0), (SIS(number(9.0)), 14.0, -3.0)]
    return {"SIS": SIS(number(18.0)), "SIE": SIE(number(18.0), number(0.6), number(0.5)), "cluster": cluster(members)}


def blobs():
    members = [(4.0, 3.0, 0.5, 0.0, 0.0), (3.0, 3.0, 0.0, 9.0, 6.0), (3.5, 2.5, 1.2, -8.0, 5.0)]
    return constellation([(elliptical(*map(number, member[:3])), *member[3:]) for member in members])


@pytest.mark.parametrize("name", ["SIS", pytest.param("SIE", marks=pytest.mark.slow), "cluster"])
@pytest.mark.parametrize("noise", [0.0, 5.0])
def test_known_sources_come_back(name, noise):
    with jax.enable_x64(False):  # float32, as on the way to any image
        system = System(lenses()[name], blobs(), number(5.0), number(3.0))
        sharp = 255.0 * np.asarray(simulate.image(system, HUNDRED))
        image = np.rint(sharp) if noise == 0 else sharp + noise * np.random.default_rng(8).normal(size=sharp.shape)
        truth = 255.0 * np.asarray(system.source.light(*pixel_points(80, 44)))
        operator = lensing(system, centre=np.zeros(2), instrument=HUNDRED, trace=Trace(), grid=FINE)
        found = invert(image, operator, samples=8)
    assert found.grey.dtype == np.float32 and found.converged
    off = np.where(found.mask, found.grey - truth, 0.0)
    share = np.sqrt((off**2).sum() / (truth[found.mask] ** 2).sum())
    assert found.mask.mean() > 0.95
    if noise == 0:
        # Rounding, and that the source is not quite linear between the grid's points.
        assert share < 0.01 and np.sqrt(1 / 12) <= found.noise < 0.35 and found.chi2 < 1.0
    else:
        assert share < 0.08 and found.noise == pytest.approx(noise, rel=0.05)
        # The error bar is that of a source that is equally smooth everywhere; these are not.
        assert 0.5 < np.sqrt(np.mean((off / np.where(found.mask, found.error, np.inf)) ** 2)) < 1.5


def test_what_the_window_hides_is_not_used():
    with jax.enable_x64(False):
        system = System(SIS(number(18.0)), spherical(number(6.0)), number(14.0), number(0.0))
        ring = Trace.named("ring")
        operator = lensing(system, centre=np.zeros(2), instrument=HUNDRED, trace=ring, grid=FINE)
        image = 255.0 * np.asarray(simulate.image(system, HUNDRED, trace=ring))
        found = invert(np.rint(image), operator, samples=8)
        truth = 255.0 * np.asarray(system.source.light(*pixel_points(80, 44)))
    x, y = np.arange(-50, 50)[None], -np.arange(-50, 50)[:, None]
    distance = np.hypot(x - 32.0, y)  # ξ = η + θ_E
    assert not found.used[distance > 30.0].any() and found.used[distance < 15.0].all()
    assert np.abs(found.grey - truth)[found.mask].max() < 2.0
    assert 0.3 < found.mask.mean() < 0.95
    assert not found.grey[~found.mask].any() and not found.error[~found.mask].any()


def test_the_far_side_of_a_frame_is_flagged():
    """A frame whose left edge goes through the middle of a source that is not lensed."""
    with jax.enable_x64(False):
        system = System(SIS(number(1e-3)), spherical(number(5.0)), number(0.0), number(0.0))
        operator = lensing(system, centre=np.array([50.0, 0.0]), instrument=HUNDRED, trace=Trace(), grid=FINE)
        image = 255.0 * np.asarray(simulate.image_about(system, HUNDRED, jnp.array([50.0, 0.0])))
        found = invert(image, operator)
        truth = 255.0 * np.asarray(system.source.light(*pixel_points(80, 44)))
    assert not found.mask[:, :37].any() and found.mask[1:-1, 42:-1].all() and not found.grey[:, :37].any()
    assert np.abs(found.grey - truth)[1:-1, 42:-1].max() < 2.0


def test_progress_and_steps():
    taken = []
    found = invert(np.eye(24) * 50.0, small_operator(), progress=taken.append)
    assert sum(taken) == found.iterations > 0
    short = invert(np.eye(24) * 50.0, small_operator(), strength=1e-8, noise=1.0, most=1)
    assert short.iterations == 1 and not short.converged


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strength": -1.0}, "lambda: the value is -1"),
        ({"strength": np.nan}, "lambda"),
        ({"noise": 0.0}, "noise: the value is 0"),
        ({"noise": np.inf}, "noise"),
    ],
)
def test_bad_numbers(options, says):
    with pytest.raises(BadInput, match=says):
        invert(np.ones((24, 24)), small_operator(), **options)


def test_bad_shapes():
    with pytest.raises(ValueError, match="curvature"):
        invert(np.ones((24, 24)), small_operator(), penalty="entropy")
    for psf in (np.ones((2, 2)), np.ones((3, 5)), np.zeros((3, 3)), np.ones(3)):
        with pytest.raises(BadInput, match="point spread function"):
            small_operator(psf=psf)
    with pytest.raises(BadInput, match="no pixel"):
        invert(np.ones((24, 24)), small_operator(usable=np.zeros((24, 24), bool)))
