"""COOLEST files against the formulas of its documentation, written out here."""

import json
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.formats import coolest
from lensjax.infer import Solution
from lensjax.lens import SIE, SIS, Shear
from lensjax.observation import psf
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage, wcs_of
from lensjax.problems import components, galaxy_components
from lensjax.problems.compose import Composition, compose
from tests.dataset import telescope_files as files

UNIT = "arcsec"
PARTS = [
    components.sie(unit=UNIT, theta_e=(0.3, 3.0), reach=1.0),
    components.sis(prefix="other_", unit=UNIT, theta_e=(0.1, 3.0), reach=3.0),
    components.shear(most=0.3),
    components.sersic(unit=UNIT, radius=(0.02, 2.0), reach=3.0),
    components.gaussian(prefix="knot_", unit=UNIT, sigma=(0.01, 2.0), reach=3.0),
    components.gaussian(role="lens light", prefix="light_", unit=UNIT, sigma=(0.02, 9.0), reach=1.0, q=None),
]
PROBLEM = compose("test", PARTS, sky=True)
TRUTH = {
    "x": 0.05, "y": -0.02, "theta_E": 1.1, "q": 0.6, "phi": 25.0, "other_x": 1.4, "other_y": 0.9, "other_theta_E": 0.3,
    "gamma1": 0.05, "gamma2": -0.08, "source_x": 0.2, "source_y": 0.1, "source_R": 0.3, "source_n": 2.5, "source_q": 0.5,
    "source_phi": 130.0, "knot_x": 0.1, "knot_y": -0.1, "knot_sigma": 0.1, "knot_q": 0.8, "knot_phi": 10.0, "light_x": 0.05,
    "light_y": -0.02, "light_sigma": 1.5, "source_flux": 3.0, "knot_flux": 0.5, "light_flux": 20.0, "sky": 0.1,
}  # fmt: skip
PARAMS = np.array([TRUTH[name] for name in PROBLEM.names])
SCALE = 0.05
POINTS = np.random.default_rng(0).uniform(-2.0, 2.0, (2, 40))


def solution_of(problem: Composition, params: np.ndarray, covariance: np.ndarray) -> Solution:
    from dataclasses import replace

    empty = Solution.failed(problem.names, "", coordinates=problem.size)
    errors = np.sqrt(np.diag(covariance))
    unknown = np.isnan(errors)
    return replace(
        empty, params=params[None], errors=np.where(unknown, np.inf, errors)[None], covariance=covariance[None], chi2=np.ones(1),
        success=np.ones(1, bool), status=("converged",),
    )  # fmt: skip


def image_of(shape: tuple[int, int] = files.SHAPE, **options: object) -> SkyImage:
    taken = instrument(shape, pixel_scale=SCALE, psf=files.kernel())
    return SkyImage("a.fits", observe(np.ones(shape), options.pop("noise", 0.5), taken_by=taken), scale=0.25, unit="electron/s", **options)


@cache
def profiles(middle: tuple[float, float] = (0.0, 0.0)) -> list[coolest.Profile]:
    with jax.enable_x64(True):
        return jax.jit(partial(coolest.profiles, PROBLEM, pixel_scale=SCALE, middle=middle))(jnp.asarray(PARAMS))


def along(x: np.ndarray, y: np.ndarray, values: dict) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates whose first axis is the long axis: that of φ_C = −90° is x."""
    v = {name: float(value) for name, value in values.items()}
    angle = np.radians(v["phi"] + 90.0)
    dx, dy = x - v["center_x"], y - v["center_y"]
    return np.cos(angle) * dx + np.sin(angle) * dy, np.cos(angle) * dy - np.sin(angle) * dx


def test_convergence_of_ellipsoids() -> None:
    """κ = θ_E/(2 √(q x² + y²/q)), x along the long axis: θ_E is that of the intermediate axis."""
    sie, sis = profiles()[:2]
    with jax.enable_x64(True):
        lenses = [
            (sie, SIE(jnp.asarray(1.1), jnp.asarray(0.6), jnp.radians(25.0 - 90.0)), 0.05, -0.02),
            (sis, SIS(jnp.asarray(0.3)), 1.4, 0.9),
        ]
        for profile, lens, cx, cy in lenses:
            x, y = along(*POINTS, profile.values)
            q, theta_e = float(profile.values["q"]), float(profile.values["theta_E"])
            expected = theta_e / (2.0 * np.sqrt(q * x**2 + y**2 / q))
            np.testing.assert_allclose(np.asarray(lens.convergence(POINTS[0] - cx, POINTS[1] - cy)), expected, rtol=1e-6)
    assert sie.kind == sis.kind == "SIE" and sis.fixed == ("q", "phi")
    assert float(sie.values["theta_E"]) == pytest.approx(1.1) and float(sie.values["phi"]) == pytest.approx(-65.0)


def test_the_radius_of_the_critical_curve_is_that_of_the_intermediate_axis() -> None:
    """COOLEST's power law of slope γ, (3 − γ)/2 (θ_E/√(q x² + y²/q))^(γ−1), has mean convergence 1 inside the ellipse of that radius."""
    q, theta_e, gamma = 0.6, 1.1, 2.0
    radius = np.linspace(0.0, theta_e, 200001)[1:]
    mean = np.sum((3 - gamma) / 2 * (theta_e / radius) ** (gamma - 1) * 2 * np.pi * radius) * (radius[1] - radius[0]) / (np.pi * theta_e**2)
    assert mean == pytest.approx(1.0, abs=1e-4)
    lens = SIE(jnp.asarray(theta_e), jnp.asarray(q), jnp.asarray(0.0))
    angle = np.linspace(0, 2 * np.pi, 7)
    curve = np.sqrt(q) * theta_e * np.cos(angle), theta_e / np.sqrt(q) * np.sin(angle)  # of area π θ_E²
    np.testing.assert_allclose(np.asarray(lens.convergence(*(part.astype(np.float32) for part in curve))), 0.5, rtol=1e-5)


def test_potential_of_shear() -> None:
    """ψ = ½ γ r² cos 2(φ − φ_ext), angles from +x: φ_C + 90°."""
    values = {name: float(value) for name, value in profiles()[2].values.items()}
    r, phi = np.hypot(*POINTS), np.arctan2(POINTS[1], POINTS[0])
    expected = 0.5 * values["gamma_ext"] * r**2 * np.cos(2 * (phi - np.radians(values["phi_ext"] + 90.0)))
    lens = Shear(jnp.asarray(0.05), jnp.asarray(-0.08))
    np.testing.assert_allclose(np.asarray(lens.potential(*(part.astype(np.float32) for part in POINTS))), expected, rtol=1e-4, atol=1e-7)
    assert -90.0 < values["phi_ext"] <= 90.0


def test_light_of_sersics_and_gaussians() -> None:
    """I_eff exp(−b ((√(q x² + y²/q)/θ_eff)^{1/n} − 1)) with COOLEST's b, per arcsec²; a Gaussian is n = ½."""
    with jax.enable_x64(True):
        lights = [(thing, float(x), float(y)) for role, thing, x, y in PROBLEM.parts(jnp.asarray(PARAMS)) if role != "lens"]
        for profile, (thing, cx, cy) in zip(profiles()[3:], lights, strict=True):
            v = {name: float(value) for name, value in profile.values.items()}
            x, y = along(*POINTS, profile.values)
            b = 1.9992 * v["n"] - 0.3271
            rho = np.sqrt(v["q"] * x**2 + y**2 / v["q"]) / v["theta_eff"]
            expected = SCALE**2 * v["I_eff"] * np.exp(-b * (rho ** (1 / v["n"]) - 1.0))
            np.testing.assert_allclose(np.asarray(thing.light(POINTS[0] - cx, POINTS[1] - cy)), expected, rtol=1e-6)
    source, knot, light = profiles()[3:]
    assert (source.role, knot.role, light.role) == ("source", "source", "lens light")
    assert float(source.values["phi"]) == pytest.approx(40.0) and float(source.values["q"]) == pytest.approx(0.5)
    assert float(source.values["theta_eff"]) == pytest.approx(0.3, rel=2e-3) and float(knot.values["n"]) == 0.5
    assert float(light.values["q"]) == 1.0


def test_another_origin_gives_the_same_image() -> None:
    """A point of the image sees the same point of the source from there."""
    middle = (0.4, -0.3)

    def seen(origin: tuple[float, float]) -> np.ndarray:
        """Places (2, N) about the first source's centre that the points see, by COOLEST's profiles alone."""
        found = profiles(origin)
        x, y = (jnp.asarray(along - zero) for along, zero in zip(POINTS, origin, strict=True))
        bx, by = sheared.deflection(x, y)
        for profile in found[:2]:
            v = profile.values
            mx, my = SIE(v["theta_E"], v["q"], jnp.radians(v["phi"])).deflection(x - v["center_x"], y - v["center_y"])
            bx, by = bx + mx, by + my
        return np.stack([x - bx - found[3].values["center_x"], y - by - found[3].values["center_y"]])

    with jax.enable_x64(True):
        sheared = Shear(jnp.asarray(0.05), jnp.asarray(-0.08))
        lens = PROBLEM.lens(PROBLEM.encode(jnp.asarray(PARAMS)))
        assert lens is not None
        own = POINTS - np.stack(lens.deflection(*map(jnp.asarray, POINTS))) - np.array([[0.2], [0.1]])
        np.testing.assert_allclose(seen((0.0, 0.0)), own, atol=1e-9)
        np.testing.assert_allclose(seen(middle), own, atol=1e-9)


def test_a_file_with_its_images(tmp_path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    covariance = np.diag((0.01 * np.abs(PARAMS)) ** 2)
    phi = PROBLEM.names.index("knot_phi")
    covariance[phi, phi] = np.nan
    noise = np.linspace(1.0, 2.0, 24 * 30).reshape(files.SHAPE)
    image = image_of(noise=noise, wcs=wcs_of(files.sky_header(mirrored=True), files.SHAPE))
    path = coolest.write(tmp_path / "out", "a", PROBLEM, solution_of(PROBLEM, PARAMS, covariance), image)
    content = json.loads(path.read_text())
    assert sorted(child.name for child in path.parent.iterdir()) == ["a.json", "a_data.fits", "a_mask.fits", "a_noise.fits", "a_psf.fits"]
    assert [entity["name"] for entity in content["lensing_entities"]] == ["lens", "external shear", "source"]
    lens, field, source = content["lensing_entities"]
    assert [p["type"] for p in lens["mass_model"] + lens["light_model"]] == ["SIE", "SIE", "Sersic"] and "light_model" not in field
    theta_e = lens["mass_model"][0]["parameters"]["theta_E"]
    assert theta_e["id"] == "0-galaxy-mass-0-SIE-theta_E" and theta_e["point_estimate"]["value"] == pytest.approx(1.1)
    assert theta_e["posterior_stats"]["percentile_84th"] - 1.1 == pytest.approx(0.011, rel=1e-3)
    knot = source["light_model"][1]["parameters"]
    assert knot["phi"]["posterior_stats"]["mean"] is None and knot["n"]["fixed"] and knot["q"]["posterior_stats"]["mean"] is not None
    strength = field["mass_model"][0]["parameters"]["gamma_ext"]
    expected = 0.01 * np.hypot(0.05**2, 0.08**2) / np.hypot(0.05, 0.08)  # by the derivatives of √(γ₁² + γ₂²)
    assert strength["point_estimate"]["value"] - strength["posterior_stats"]["percentile_16th"] == pytest.approx(expected, rel=1e-6)
    pixels = content["observation"]["pixels"]
    assert pixels["field_of_view_x"] == pytest.approx([-0.75, 0.75]) and pixels["field_of_view_y"] == pytest.approx([-0.6, 0.6])
    assert (pixels["num_pix_x"], pixels["num_pix_y"]) == (30, 24)
    assert fits.getdata(path.parent / "a_data.fits") == pytest.approx(0.25 * np.ones(files.SHAPE))
    assert fits.getdata(path.parent / "a_noise.fits") == pytest.approx(0.25 * noise[::-1])
    assert fits.getdata(path.parent / "a_psf.fits") == pytest.approx(files.kernel()[::-1])
    # The middle of the array: one WCS pixel is CRPIX − 1.
    assert content["coordinates_origin"]["dec"].startswith("+19d59m59.")
    assert content["meta"]["mirrored"] is True
    # In a mirrored image with north up the angle of the mass, 25° from +x, is 65° east of north.
    assert content["meta"]["position angles east of north"]["0-SIE-phi"] == pytest.approx(65.0, abs=1e-3)


def test_white_noise_and_no_wcs() -> None:
    content = coolest.template(PROBLEM, solution_of(PROBLEM, PARAMS, np.eye(len(PARAMS))), image_of(), name="a")
    assert content["observation"]["noise"] == {"type": "UniformGaussianNoise", "std_dev": 0.125}
    assert content["coordinates_origin"] == {"ra": "0h0m0.0s", "dec": "0d0m0.0s"}
    assert content["meta"]["position angles east of north"] == {}
    json.dumps(content, allow_nan=False)


def test_what_coolest_does_not_have(tmp_path) -> None:
    light = components.gaussian(unit=UNIT)
    point = compose("pm", [components.point_mass(unit=UNIT), light])
    params = np.array([0.0, 0.0, 6.0, 0.1, 0.1, 2.0, 0.8, 10.0, 5.0])
    with pytest.raises(BadInput, match="COOLEST files cannot hold a PointMass; expected SIE, SIS, EPL, shear"):
        coolest.template(point, solution_of(point, params, np.eye(9)), image_of(), name="a")
    for lens in (galaxy_components.epl(multipoles=(4,)), galaxy_components.multipole(3)):
        with pytest.raises(BadInput, match="COOLEST files cannot hold multipoles"):
            coolest.check(compose("m", [lens, light]))
    with pytest.raises(BadInput, match="cannot hold a NFW"):
        coolest.check(compose("m", [galaxy_components.nfw(), light]))
    coolest.check(PROBLEM)
    failed = Solution.failed(PROBLEM.names, "no light", coordinates=PROBLEM.size)
    with pytest.raises(BadInput, match="there is no fit"):
        coolest.write(tmp_path, "a", PROBLEM, failed, image_of())
    assert not list(tmp_path.iterdir())


def test_a_psf_is_written_with_its_size() -> None:
    taken = instrument((40, 40), pixel_scale=SCALE, psf=psf.gaussian(2.0, size=7))
    image = SkyImage("a", observe(np.ones((40, 40)), 1.0, taken_by=taken))
    content = coolest.template(PROBLEM, solution_of(PROBLEM, PARAMS, np.eye(len(PARAMS))), image, name="a")
    assert content["instrument"]["psf"]["pixels"]["field_of_view_x"] == pytest.approx([-0.175, 0.175])
