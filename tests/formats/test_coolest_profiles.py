"""COOLEST's power law, shapelets, sets of Gaussians and pixel grids, against formulas written out here in NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import eval_hermite, factorial, hyp2f1

from lensjax.formats import coolest
from lensjax.lens.epl import critical_radius
from lensjax.problems import galaxy_components
from lensjax.problems.compose import Composition, compose
from tests.formats.test_coolest import POINTS, SCALE, UNIT, image_of, solution_of

fits = pytest.importorskip("astropy.io.fits")

SETS = compose(
    "sets",
    [
        galaxy_components.epl(unit=UNIT, theta_e=(0.3, 3.0), reach=1.0),
        galaxy_components.shapelets(3, unit=UNIT, beta=(0.03, 0.5), reach=1.0),
        galaxy_components.pixels(5, pixel=0.06, prefix="grid_", unit=UNIT, reach=1.0),
        galaxy_components.multi_gaussian(3, unit=UNIT, sigma=(0.05, 1.0), reach=1.0),
    ],
)
RNG = np.random.default_rng(3)
NUMBERS = [0.05, -0.02, 1.1, 1.8, 0.6, 25.0, 0.2, 0.1, 0.15, 0.3, -0.1, 0.02, -0.03, 0.7, 110.0]
PARAMS = np.array([*NUMBERS, *RNG.normal(size=10), *RNG.uniform(size=25), 3.0, 0.0, 5.0])


def made(problem: Composition = SETS, params: np.ndarray = PARAMS) -> list[dict[str, np.ndarray]]:
    with jax.enable_x64(True):
        found = jax.jit(partial(coolest.profiles, problem, pixel_scale=SCALE))(jnp.asarray(params))
    return [{"kind": profile.kind} | {name: np.asarray(value) for name, value in profile.values.items()} for profile in found]


def parts() -> list:
    return SETS.parts(jnp.asarray(PARAMS))


@pytest.mark.parametrize("gamma", [1.8, 2.0, 2.2])
def test_power_laws(gamma: float) -> None:
    """κ = (3 − γ)/2 (θ_E/√(q x² + y²/q))^(γ−1), and its deflection by eq. 13 of Tessore & Metcalf (2015) about the long axis."""
    params = np.where(np.arange(len(PARAMS)) == 3, gamma, PARAMS)
    v = made(params=params)[0]
    q, theta_e, t = float(v["q"]), float(v["theta_E"]), gamma - 1.0
    assert v["kind"] == "PEMD" and q == pytest.approx(0.6) and v["phi"] == pytest.approx(-65.0) and v["gamma"] == pytest.approx(gamma)
    turn = np.exp(1j * np.radians(v["phi"] + 90.0))
    with jax.enable_x64(True):
        (_, lens, x0, y0), *_ = SETS.parts(jnp.asarray(params))
        dx, dy = POINTS[0] - float(x0), POINTS[1] - float(y0)
        kappa, alpha = np.asarray(lens.convergence(dx, dy)), np.asarray(lens.deflection(dx, dy))
        ratio = float(critical_radius(lens.e1, lens.e2, lens.gamma))
    z = (dx + 1j * dy) / turn
    x, y = z.real, z.imag
    np.testing.assert_allclose(kappa, (3 - gamma) / 2 * (theta_e / np.sqrt(q * x**2 + y**2 / q)) ** t, rtol=1e-9)
    w = q * x + 1j * y
    expected = turn * 2 / (1 + q) * (theta_e * q**0.5 / np.abs(w)) ** t * w * hyp2f1(1, t / 2, 2 - t / 2, -(1 - q) / (1 + q) * w / w.conj())
    np.testing.assert_allclose(alpha, [expected.real, expected.imag], rtol=1e-7)
    # The problem's theta_E is that of the critical curve; PyAutoLens's has its κ of √(x² + y²/q²) instead, over (1 + q)/2.
    assert theta_e * ratio == pytest.approx(1.1, rel=1e-9) and (gamma == 2.0) == (abs(ratio - 1.0) < 1e-6)
    pyautolens = theta_e / (q**0.5 * (2 / (1 + q)) ** (1 / t))
    theirs = (3 - gamma) / (1 + q) * (pyautolens / np.sqrt(x**2 + y**2 / q**2)) ** t
    np.testing.assert_allclose(theirs, kappa, rtol=1e-9)


def test_shapelets() -> None:
    """Σ amp B_i(x/β) B_j(y/β) in lenstronomy's order, per arcsec²."""
    (v,) = [one for one in made() if one["kind"] == "Shapelets"]
    beta, x, y = (float(v[key]) for key in ("beta", "center_x", "center_y"))
    u, w = (POINTS[0] - x) / beta, (POINTS[1] - y) / beta

    def along(n: int, at: np.ndarray) -> np.ndarray:
        return eval_hermite(n, at) * np.exp(-(at**2) / 2) / np.sqrt(2.0**n * np.pi**0.5 * factorial(n))

    order, total = [(0, 0)], 0.0
    while len(order) < 10:
        i, j = order[-1]
        order.append((j + 1, 0) if i == 0 else (i - 1, j + 1))
    for amplitude, (i, j) in zip(v["amps"], order, strict=True):
        total = total + amplitude * along(i, u) * along(j, w)
    with jax.enable_x64(True):
        light = next(thing for role, thing, *_ in parts() if role == "source")
        np.testing.assert_allclose(np.asarray(light.light(POINTS[0] - x, POINTS[1] - y)), SCALE**2 * total, rtol=1e-6, atol=1e-12)


def test_sets_of_gaussians() -> None:
    """As many Sérsics of n = ½ with COOLEST's b, of one shape; their sum is the light."""
    gaussians = [one for one in made() if one["kind"] == "Sersic"]
    assert len(gaussians) == 3 and gaussians[1]["I_eff"] == 0.0 and {float(one["n"]) for one in gaussians} == {0.5}
    total = 0.0
    for v in gaussians:
        assert v["q"] == pytest.approx(0.7) and v["phi"] == pytest.approx(20.0)
        z = ((POINTS[0] - v["center_x"]) + 1j * (POINTS[1] - v["center_y"])) / np.exp(1j * np.radians(v["phi"] + 90.0))
        rho = np.sqrt(v["q"] * z.real**2 + z.imag**2 / v["q"]) / v["theta_eff"]
        total = total + v["I_eff"] * np.exp(-(1.9992 * 0.5 - 0.3271) * (rho**2 - 1.0))
    with jax.enable_x64(True):
        light = next(thing for role, thing, *_ in parts() if role == "lens light")
        shown = np.asarray(light.light(POINTS[0] - 0.02, POINTS[1] + 0.03))
    np.testing.assert_allclose(shown, SCALE**2 * total, rtol=1e-6)


def test_a_file_with_a_grid_of_pixels(tmp_path) -> None:
    """Its values in a FITS file, first row at the bottom, middle about the grid's place; errors of sets; a parameter without one."""
    covariance = np.diag((0.01 * np.abs(PARAMS)) ** 2)
    covariance[-1, -1] = np.nan
    path = coolest.write(tmp_path, "a", SETS, solution_of(SETS, PARAMS, covariance), image_of())
    content = coolest.template(SETS, solution_of(SETS, PARAMS, covariance), image_of(), name="a")
    lens, source = content["lensing_entities"]
    assert [profile["type"] for profile in lens["mass_model"] + lens["light_model"]] == ["PEMD", "Sersic", "Sersic", "Sersic"]
    shapelets, grid = (profile["parameters"] for profile in source["light_model"])
    assert shapelets["n_max"]["point_estimate"]["value"] == 3 and shapelets["n_max"]["fixed"]
    amplitudes, upper = shapelets["amps"]["point_estimate"]["value"], shapelets["amps"]["posterior_stats"]["percentile_84th"]
    np.testing.assert_allclose((np.array(upper) - amplitudes) / np.abs(amplitudes), np.hypot(0.01, 0.02), rtol=1e-6)  # its own, and β²
    middle = 0.5 * SCALE  # of the image's even sides, about the origin
    pixels = grid["pixels"]
    assert pixels["field_of_view_x"] == pytest.approx([0.3 + middle - 0.15, 0.3 + middle + 0.15])
    assert pixels["field_of_view_y"] == pytest.approx([-0.1 - middle - 0.15, -0.1 - middle + 0.15])
    assert (pixels["num_pix_x"], pixels["num_pix_y"], pixels["fits_file"]["path"]) == (5, 5, "a_pixels.fits")
    np.testing.assert_allclose(fits.getdata(path.parent / "a_pixels.fits"), PARAMS[25:50].reshape(5, 5)[::-1], rtol=1e-6)
    widest = lens["light_model"][2]["parameters"]
    assert widest["I_eff"]["posterior_stats"]["mean"] is None and widest["theta_eff"]["fixed"] and not widest["q"]["fixed"]
