"""From a galaxy's image to its lens: window, starts, flags, and whole fits."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.cli import values
from lensjax.errors import BadInput
from lensjax.infer import fit
from lensjax.observation import psf
from lensjax.observation.instrument import instrument, places
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage
from lensjax.pipeline import belief, flags, run, starts, window
from lensjax.pipeline.flags import Findings
from lensjax.pipeline.lens_light import LensLight
from lensjax.pipeline.options import ENDS, Options, answers_of, problem_of
from lensjax.problems.galaxy import galaxy

GOOD = Findings(
    signal=40.0, bright=200, counter=15.0, excess=1.1, theta_e=1.2, tried=(0.4, 2.6), strain=2.0,
    rivals=(), varied=(1.21, 1.18), converged=True, alike=0.3, dark=0.05, hole=4.0,
)  # fmt: skip


def test_nothing_stands_against_a_good_fit() -> None:
    assert flags.words(GOOD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"signal": 3.0}, "no lens found"),
        ({"bright": 3}, "the arcs are too faint: they exceed 2 times the noise in 3 px"),
        ({"converged": False}, "did not converge"),
        ({"counter": 1.0}, "no counter-image"),
        ({"excess": 6.0}, "the source model leaves 6.0 times the noise"),
        ({"theta_e": 2.59, "varied": (2.6, 2.6)}, "end of the range"),
        ({"strain": 7.0}, "the lens would be an unusual one: its ellipticity and shear are 7.0 sigma"),
        ({"rivals": ((0.8, 3.0), (1.5, 90.0))}, "another solution explains the arcs as well: theta_E 0.8"),
        ({"alike": 0.95}, "the arcs are alike on both sides"),
        ({"dark": 0.77}, "the source would have negative light: 77 % of the arcs'"),
        ({"hole": 25.0}, "dark places of 25 sigma beside arcs of 40"),
        ({"varied": (1.1, 0.9)}, "theta_E depends on the source model: 0.9"),
    ],
)
def test_what_stands_against_a_fit_is_said(change: dict[str, float], words: str) -> None:
    assert any(words in said for said in flags.words(replace(GOOD, **change)))


def test_negative_light_counts_where_it_exceeds_the_noise() -> None:
    model = np.zeros((20, 20))
    model[5, 5:9], model[10, 5:9], model[15, :] = 10.0, -4.0, -1.0
    seen = observe(model, 1.0, taken_by=instrument((20, 20), pixel_scale=0.05))
    assert np.isclose(flags.dark_of(seen, model), 0.4)
    assert flags.dark_of(seen, -np.abs(model)) == 0.0


def test_dark_places_are_those_that_no_noise_makes() -> None:
    noise = np.random.default_rng(0).normal(size=(60, 60))
    data = noise.copy()
    data[20:26, 20:26] -= 5.0
    assert flags.hole_of(observe(noise, 1.0, pixel_scale=0.05)) < 6.0
    assert flags.hole_of(observe(data, 1.0, pixel_scale=0.05)) > 20.0
    assert flags.hole_of(observe(np.abs(noise), 1.0, pixel_scale=0.05)) == 0.0


def test_arcs_are_alike_where_the_source_lies_behind_the_lens() -> None:
    """As two arms of a spiral are; about another place, or with the source aside, they are not."""
    problem, taken = galaxy(source="sersic"), instrument((61, 61), pixel_scale=0.05, middle=(30, 30), supersampling=2)
    at = {
        "x": 0.05,
        "y": -0.02,
        "theta_E": 1.0,
        "q": 0.7,
        "phi": 30.0,
        "source_R": 0.15,
        "source_n": 1.0,
        "source_q": 1.0,
        "source_flux": 1.0,
    }

    def found(source: tuple[float, float], place: tuple[float, float]) -> float:
        own = at | {"source_x": source[0], "source_y": source[1]}
        model = np.asarray(problem.image(jnp.asarray([own.get(name, 0.0) for name in problem.names]), taken), np.float64)
        return flags.alike(observe(model, 1.0, taken_by=taken), model, place)

    assert found((0.05, -0.02), (0.05, -0.02)) > 0.98
    assert found((0.05, -0.02), (0.3, 0.3)) < 0.5
    assert found((0.35, 0.1), (0.05, -0.02)) < 0.5


def test_arcs_beside_a_masked_pixel_are_alike_to_1_at_most() -> None:
    """A bright pixel opposite four faint ones, about a place between pixels: without one of the four it does not count itself."""
    taken = instrument((41, 41), pixel_scale=0.05, middle=(20, 20))
    model, mask = np.zeros((41, 41)), np.ones((41, 41), bool)
    model[20, 32] = 9.0
    model[20:22, 8:10] = 1.0
    whole, without = (
        flags.alike(observe(model, 1.0, mask=own, taken_by=taken), model, (0.0125, -0.0125)) for own in (mask, mask & (model != 1.0))
    )
    assert 0.0 < whole < 0.5 and without == 0.0
    mask[20, 8] = False
    assert 0.0 < flags.alike(observe(model, 1.0, mask=mask, taken_by=taken), model, (0.0125, -0.0125)) <= 1.0


def test_a_lens_is_judged_by_its_light() -> None:
    light = LensLight(np.zeros((2, 2)), (0.0, 0.0), (0.25, 0.0), np.zeros((0, 2, 2)), np.zeros((2, 2), bool))
    q = (1.0 - 0.2) / (1.0 + 0.2)  # |e| of 0.2, as 0.8 times the light's
    assert belief.strain(q, 0.0, (0.0, 0.0), light) == pytest.approx(0.0, abs=1e-6)
    assert belief.strain(q, 90.0, (0.0, 0.0), light) == pytest.approx(0.4 / belief.ELLIPTICITY)
    assert belief.strain(q, 0.0, (0.0, 0.06), light) == pytest.approx(2.0)
    assert belief.strain(1.0, 0.0, (0.03, 0.0), None) == pytest.approx(1.0)


def test_the_lens_is_the_brightest_light_near_the_middle() -> None:
    taken = instrument((60, 80), pixel_scale=0.05)
    rows, columns = np.indices((60, 80))
    data = np.exp(-0.5 * ((rows - 33.0) ** 2 + (columns - 38.0) ** 2) / 9.0) + 5.0 * np.exp(
        -0.5 * ((rows - 5) ** 2 + (columns - 70) ** 2) / 9.0
    )
    centre = window.centre_of_lens(data, np.ones((60, 80), bool), taken)
    np.testing.assert_allclose(centre, (33.0, 38.0), atol=0.3)
    own = window.around(data, np.ones((60, 80)), np.ones((60, 80), bool), taken, centre, reach=2.0)
    assert own.data.shape == (81, 81) and own.used.sum() == 60 * 79  # the image does not reach further
    assert own.data[40, 40] == data[33, 38] and own.taken.middle == (40, 40)
    np.testing.assert_array_equal(own.data[own.inside], data[own.rows, own.columns])
    np.testing.assert_allclose(own.offset, ((38.0 - 40.0) * 0.05, (30.0 - 33.0) * 0.05))


@pytest.mark.parametrize("factor", [2, 3])
def test_a_psf_of_larger_pixels_keeps_its_sum_and_its_middle(factor: int) -> None:
    side = 96 * factor
    spread = psf.gaussian(5.0, size=15)
    seen = observe(np.ones((side, side)), 1.0, taken_by=instrument((side, side), psf=spread))
    small = np.asarray(fit.coarse(seen).instrument.psf, np.float64)
    along = np.arange(small.shape[0]) - small.shape[0] // 2
    assert small.sum() == pytest.approx(1.0, abs=1e-6) and abs(small.sum(axis=1) @ along) < 1e-6
    variance = (5.0 / 2.3548) ** 2 / factor**2
    assert small.sum(axis=1) @ along**2 == pytest.approx(variance, abs=0.15)


def ring(theta_e: float, *, shear: tuple[float, float] = (0.02, -0.01), pixel_scale: float = 0.05) -> SkyImage:
    """A lens with shear and a small source, without the galaxy's own light."""
    problem = galaxy(source="sersic")
    at = dict.fromkeys(problem.names, 0.0)
    at |= {"theta_E": theta_e, "q": 0.8, "phi": 40.0, "gamma1": shear[0], "gamma2": shear[1], "source_x": 0.08, "source_y": 0.03}
    at |= {"source_R": 0.12, "source_n": 1.0, "source_q": 0.8, "source_phi": 20.0, "source_flux": 2.0, "x": 0.02, "y": -0.01}
    taken = instrument((101, 101), pixel_scale=pixel_scale, supersampling=2, psf=psf.gaussian(2.2, size=9), middle=(50.0, 50.0))
    image = np.asarray(problem.image(jnp.asarray([at[name] for name in problem.names]), taken), np.float64)
    sigma = image.max() / 50.0
    data = image + sigma * np.random.default_rng(0).normal(size=image.shape)
    return SkyImage("ring", observe(data / sigma, 1.0, taken_by=taken), None, sigma)


def test_round_lenses_trace_the_arcs_back() -> None:
    rough = starts.round_lenses(ring(1.0).observed, np.array([0.5, 1.0, 2.0]))
    assert [guess.theta_e for guess in rough] == [0.5, 1.0, 2.0]
    assert np.hypot(rough[1].source[0] - 0.08, rough[1].source[1] - 0.03) < 0.12


def test_without_light_there_are_no_starts() -> None:
    assert starts.round_lenses(observe(np.zeros((40, 40)), 1.0), np.array([1.0])) == []


def test_an_image_of_noise_holds_no_lens() -> None:
    noise = np.random.default_rng(0).normal(size=(101, 101))
    found = run.fit_galaxy(SkyImage("noise", observe(noise, 1.0, pixel_scale=0.05)), Options(lens_light=False))
    assert not found.solution.success[0] and "no lens found" in found.solution.status[0]


def test_an_unknown_source_names_the_nearest() -> None:
    with pytest.raises(BadInput, match="shapelets"):
        Options(source="shapelet")  # type: ignore[arg-type]


@pytest.mark.parametrize("lens_light", ["none", "sersic"])
def test_shear_about_the_origin_moves_the_source(lens_light) -> None:
    """A solution about a place in the image, and about its origin, have the same image."""
    problem = galaxy(source="sersic", lens_light=lens_light)
    params = np.array(problem.draw(jax.random.key(3)), np.float64)
    at = {name: k for k, name in enumerate(problem.names)}
    params[[at["gamma1"], at["gamma2"]]] = 0.1, -0.07
    offset = (0.3, -0.2)
    about = instrument((40, 40), pixel_scale=0.1, middle=(20.0 - offset[1] / 0.1, 20.0 + offset[0] / 0.1))
    origin = instrument((40, 40), pixel_scale=0.1)
    moved = run.moved(problem, params[None], offset)[0]
    first, second = (np.asarray(problem.image(jnp.asarray(p), taken)) for p, taken in ((params, about), (moved, origin)))
    np.testing.assert_allclose(first, second, atol=2e-4 * first.max())


def test_the_largest_einstein_radius_says_how_far_one_looks() -> None:
    usual, wide = Options(), Options(largest_theta_e=5.2)
    assert (usual.tried, usual.reach, usual.outer) == ((0.4, 2.6), 3.5, 3.2)
    assert (wide.tried, wide.reach, wide.outer) == ((0.4, 5.2), 7.0, 6.4)
    usual_radii, wide_radii = run._radii(usual), run._radii(wide)
    assert len(usual_radii) == 42 and np.isclose(wide_radii[-1], 5.2)
    np.testing.assert_allclose(np.log(wide_radii[1] / wide_radii[0]), np.log(usual_radii[1] / usual_radii[0]), rtol=0.05)
    ranges = [{parameter.name: parameter for parameter in problem_of(options).parameters} for options in (usual, wide)]
    assert [own["theta_E"].high for own in ranges] == [3.0, 6.0] and [own["source_x"].high for own in ranges] == [1.0, 2.0]


@pytest.mark.parametrize("largest", [0.79, 20.1, np.nan])
def test_the_largest_einstein_radius_has_ends(largest: float) -> None:
    with pytest.raises(BadInput, match="expected from 0.8 to 20 arcsec"):
        Options(largest_theta_e=largest)
    with pytest.raises(values.Unfit, match="expected an Einstein radius from 0.8 to 20 arcsec"):
        values.EINSTEIN_RADIUS(str(largest))
    assert [values.EINSTEIN_RADIUS(str(end)) for end in ENDS] == list(ENDS)


def test_without_shear_no_answer_has_any() -> None:
    options = Options(source="richer", shear=False)
    assert problem_of(options).names[:6] == ("x", "y", "theta_E", "q", "phi", "source_x")
    for problem in answers_of(options):
        assert not {"gamma1", "gamma2"} & set(problem.names)
        params = np.arange(1.0, len(problem.names) + 1.0)
        places = [problem.names.index(name) for pair in problem.all_places for name in (problem.names[pair[0]], problem.names[pair[1]])]
        moved = run.moved(problem, params[None], (0.3, -0.2))[0] - params
        np.testing.assert_allclose(moved[places], [0.3, -0.2] * (len(places) // 2), atol=1e-12)
        np.testing.assert_array_equal(np.delete(moved, places), 0.0)


def test_beliefs_are_about_the_light() -> None:
    problem = galaxy(source="shapelets", n_max=4)
    alone = belief.of(problem, None)
    names = problem.names[: problem.size]
    free = [name for name, precision in zip(names, alone.precision, strict=True) if precision == 0]
    assert free == ["source_x", "source_y"]
    shear = 1.0 / np.sqrt(float(alone.precision[names.index("gamma1")]))
    unit = float(
        problem.decode(jnp.zeros(problem.size).at[names.index("gamma1")].set(1.0), jnp.ones(problem.linear))[names.index("gamma1")]
    )
    assert shear * unit == pytest.approx(belief.SHEAR, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("theta_e", [0.8, 1.3])
def test_a_lens_is_found_without_a_start(theta_e: float) -> None:
    found = run.fit_galaxy(ring(theta_e), Options(lens_light=False))
    values = dict(zip(found.solution.names, found.solution.params[0], strict=True))
    errors = dict(zip(found.solution.names, found.solution.errors[0], strict=True))
    assert found.solution.success[0], found.solution.status
    assert abs(values["theta_E"] - theta_e) < max(4.0 * errors["theta_E"], 0.005 * theta_e)
    for name, truth in (("q", 0.8), ("phi", 40.0), ("gamma1", 0.02), ("gamma2", -0.01)):
        assert abs(values[name] - truth) < 4.0 * errors[name], name
    assert errors["q"] < 0.02 and errors["phi"] < 2.0
    assert found.beyond == pytest.approx(np.hypot(0.01 * values["theta_E"], 0.03 * 0.05), rel=1e-3)
    assert found.beyond < errors["theta_E"] < 0.02 * theta_e
    more, sigma = replace(found, growth=1.5).weighed, found.seen.noise.sigma(found.seen.data)
    np.testing.assert_allclose(more.noise.sigma(more.data), 1.5 * sigma, rtol=1e-5)
    near, best = found.near()
    assert near.data.size < 0.7 * found.weighed.data.size and best.model.shape == near.data.shape
    middle = int(found.seen.instrument.middle[0]), int(near.instrument.middle[0])
    assert best.model[middle[1], middle[1] + 9] == pytest.approx(found.best.model[middle[0], middle[0] + 9], rel=1e-5)


@pytest.mark.slow
def test_a_lens_without_shear_is_found_without_it() -> None:
    found = run.fit_galaxy(ring(1.0, shear=(0.0, 0.0)), Options(lens_light=False, shear=False))
    names = found.solution.names
    assert found.solution.success[0], found.solution.status
    assert "gamma1" not in names and found.solution.errors.shape == (1, len(names))
    assert found.solution.params[0, names.index("theta_E")] == pytest.approx(1.0, rel=0.005)
    assert found.solution.params[0, names.index("q")] == pytest.approx(0.8, abs=0.01)


@pytest.mark.slow
def test_a_group_of_galaxies_needs_a_larger_einstein_radius() -> None:
    image = ring(4.0, pixel_scale=0.1)
    found = run.fit_galaxy(image, Options(lens_light=False, largest_theta_e=5.2))
    assert found.solution.success[0], found.solution.status
    assert found.solution.params[0, found.solution.names.index("theta_E")] == pytest.approx(4.0, rel=0.005)
    assert not run.fit_galaxy(image, Options(lens_light=False)).solution.success[0]


def with_neighbour(alone: SkyImage, place: tuple[float, float], peak: float) -> tuple[SkyImage, np.ndarray]:
    """An image with a round neighbour, and the neighbour (H, W)."""
    x, y = (np.asarray(part) for part in places(alone.observed.instrument))
    neighbour = peak * np.exp(-0.5 * ((x[None, :] - place[0]) ** 2 + (y[:, None] - place[1]) ** 2) / 0.2**2)
    both = alone.observed.data + jnp.asarray(neighbour, jnp.float32)
    return replace(alone, observed=replace(alone.observed, data=both)), neighbour


@pytest.mark.slow
def test_a_bright_neighbour_is_masked() -> None:
    both, neighbour = with_neighbour(ring(1.0), (-1.5, 1.2), 60.0)
    found = run.fit_galaxy(both, Options(lens_light=False))
    assert found.solution.success[0] and "masked 1 companion at (-1.5" in found.solution.status[0], found.solution.status
    assert found.solution.params[0, found.solution.names.index("theta_E")] == pytest.approx(1.0, rel=0.01)
    assert not np.asarray(found.image.observed.mask)[neighbour > 10.0].any()


@pytest.mark.slow
def test_an_object_that_outshines_the_arcs_where_images_are_may_be_one() -> None:
    near, _ = with_neighbour(ring(1.0), (-1.4, 1.2), 2000.0)
    found = run.fit_galaxy(near, Options(lens_light=False))
    assert not found.solution.success[0] and "the brightest image may be masked" in found.solution.status[0], found.solution.status
