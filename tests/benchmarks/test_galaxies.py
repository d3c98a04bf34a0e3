"""The galaxies of the benchmarks: what is drawn, against LensJAX's own lenses and light, and what is counted."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from lensjax import problems
from lensjax.infer import estimation
from lensjax.lens import Shear, cluster, epl
from lensjax.light import sersic
from lensjax.observation.instrument import instrument

FOLDER = str(Path(__file__).parents[2] / "benchmarks")
sys.path.insert(0, FOLDER)
import galaxy_fits  # noqa: E402
import galaxy_images as images  # noqa: E402
import galaxy_mocks  # noqa: E402
import no_lens  # noqa: E402

sys.path.remove(FOLDER)

X, Y = np.random.default_rng(0).uniform(-2.0, 2.0, (2, 50))
FIELD = images.Field(side=40, fwhm=2.5, beta=3.0, exposure=10.0)
MASS = images.Mass(0.1, -0.05, 1.1, 0.6, 0.5, 2.1, (0.03, -0.02))


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Two points on a side of a pixel."""
    monkeypatch.setattr(images, "FINE", 2)


def test_deflections_are_those_of_a_power_law_and_shear() -> None:
    with jax.enable_x64(True):
        theta_e, q, phi, gamma, g1, g2 = map(jnp.asarray, (1.1, 0.6, 0.5, 2.1, 0.03, -0.02))
        lens = cluster([(epl(theta_e, q, phi, gamma), 0.1, -0.05), (Shear(g1, g2), 0.0, 0.0)])
        expected = np.asarray(lens.deflection(jnp.asarray(X), jnp.asarray(Y)))
    np.testing.assert_allclose(MASS.deflection(X, Y), expected, rtol=1e-6, atol=1e-8)


def test_the_true_radius_is_that_of_the_area_inside_the_critical_curve() -> None:
    alone = images.Mass(0.0, 0.0, 1.1, 0.6, 0.5, 2.1, (0.0, 0.0))
    step = 0.01
    x, y = np.meshgrid(np.arange(-1.6, 1.6, step) + 0.003, np.arange(-1.6, 1.6, step) + 0.004)
    (axy, axx), (ayy, ayx) = (np.gradient(part, step) for part in alone.deflection(x, y))
    inside = (1 - axx) * (1 - ayy) - axy * ayx < 0
    radius = np.sqrt(inside.sum() * step**2 / np.pi)
    assert alone.truth()["theta_E"] == pytest.approx(radius, rel=2e-3) and abs(radius / 1.1 - 1) > 2e-3
    assert alone.truth()["phi"] == pytest.approx(np.degrees(0.5))


def test_light_has_flux_1_and_the_shape_of_a_sersic() -> None:
    own = images.Sersic(0.1, -0.2, 0.3, 1.5, 0.5, 0.7)
    at = np.linspace(-8, 8, 1601)
    assert own.light(at[None, :], at[:, None]).sum() * 0.01**2 == pytest.approx(1.0, rel=2e-3)
    with jax.enable_x64(True):
        long, short = 0.3 / np.sqrt(0.5), 0.3 * np.sqrt(0.5)
        theirs = sersic(*map(jnp.asarray, (long, short, 0.7, 1.5)), luminosity=jnp.asarray(1.0))
        ratio = np.asarray(theirs.light(jnp.asarray(X - 0.1), jnp.asarray(Y + 0.2))) / own.light(X, Y)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_pixels_lie_as_those_of_an_instrument() -> None:
    x, y = FIELD.points()
    blob = np.exp(-((x - 0.3) ** 2 + (y + 0.2) ** 2) / (2 * 0.06**2))
    image = FIELD.exposed(blob)
    rows, columns = np.indices(image.shape)
    # x = (column − 20) · 0.05 and y = (20 − row) · 0.05
    assert (image * columns).sum() / image.sum() == pytest.approx(26.0, abs=0.02)
    assert (image * rows).sum() / image.sum() == pytest.approx(24.0, abs=0.02)
    assert image.sum() * 4 == pytest.approx(blob.sum(), rel=1e-2)
    psf = FIELD.psf()
    assert psf.sum() == pytest.approx(1.0) and psf.shape == (25, 25)
    assert np.interp(1.25, np.arange(13), psf[12, 12:] / psf.max()) == pytest.approx(0.5, abs=0.03)


def test_a_lensed_source_is_that_of_the_problem() -> None:
    """The same parameters, in the problem's names, give the same image."""
    source = images.Sersic(0.15, -0.1, 0.2, 1.2, 0.6, 2.0)
    x, y = FIELD.points()
    ax, ay = MASS.deflection(x, y)
    drawn = source.light(x - ax, y - ay).reshape(40, 2, 40, 2).mean(axis=(1, 3))
    truth = MASS.truth() | {"x": MASS.x, "y": MASS.y, "gamma": MASS.gamma, "source_x": 0.15, "source_y": -0.1, "source_R": 0.2}
    truth |= {"source_n": 1.2, "source_q": 0.6, "source_phi": np.degrees(2.0), "source_flux": 1.0}
    problem = problems.composed("galaxy", mass="epl")
    with jax.enable_x64(True):
        taken = instrument((40, 40), pixel_scale=images.SCALE, supersampling=2)
        image = np.asarray(jax.jit(lambda params: problem.image(params, taken))(jnp.asarray([truth[name] for name in problem.names])))
    np.testing.assert_allclose(drawn, image, rtol=1e-5, atol=1e-6 * image.max())


@pytest.mark.parametrize("mass", ["sie", "epl"])
def test_a_mock_has_the_signal_to_noise_that_was_demanded(mass: str) -> None:
    mock = images.lens(np.random.default_rng([1, 2]), sn=30.0, mass=mass)
    noise = np.sqrt(1.0 + (mock.arcs + mock.lens_light) / mock.field.exposure)
    assert np.sqrt(((mock.arcs / noise) ** 2).sum()) == pytest.approx(30.0, rel=1e-6)
    peak = (mock.lens_light / np.sqrt(1.0 + mock.lens_light / mock.field.exposure)).max()
    assert 49.0 < peak < 301.0
    assert mock.observed.data.shape == mock.arcs.shape and 100 <= mock.arcs.shape[0] <= 160
    residual = (np.asarray(mock.observed.data) - mock.arcs - mock.lens_light) / noise
    assert residual.mean() == pytest.approx(0.0, abs=0.05) and residual.std() == pytest.approx(1.0, abs=0.05)
    again = images.lens(np.random.default_rng([1, 2]), sn=30.0, mass=mass)
    assert again.truth == mock.truth and set(mock.truth) == set(galaxy_mocks.COMPARED)
    np.testing.assert_array_equal(np.asarray(again.observed.data), np.asarray(mock.observed.data))


@pytest.mark.parametrize("kind", images.SCENES)
def test_fields_without_a_lens(kind: str) -> None:
    one, other = (np.asarray(images.no_lens(np.random.default_rng(seed), kind).data) for seed in (4, 5))
    assert np.isfinite(one).all() and one.shape[0] == one.shape[1] >= 100
    assert (np.abs(one).max() > 10.0) == (kind != "empty")
    assert one.shape != other.shape or np.abs(one - other).max() > 1.0


def test_every_kind_is_drawn_and_counted() -> None:
    numbers = range(2 * len(no_lens.KINDS))
    kinds = [no_lens.kind_of(k) for k in numbers]
    assert {kinds.count(kind) for kind in no_lens.KINDS} == {2}
    table = pd.DataFrame({"kind": kinds, "success": [kind in ("ring", "merger") for kind in kinds], "seconds": 1.0})
    lines = dict(line.rsplit(maxsplit=3)[:1] + [line.split()[-2]] for line in no_lens.summary(table).splitlines()[1:])
    assert lines["ring"] == "2" and lines["merger"] == "2" and lines["spiral"] == "0" and lines["all but rings"] == "2"


def test_tables_resume_and_refuse_other_settings(tmp_path) -> None:
    path, asked = tmp_path / "new" / "a.csv", []

    def row_of(number: int) -> dict[str, object]:
        asked.append(number)
        if number == 3 and len(asked) < 6:
            raise KeyboardInterrupt
        return {"value": number**2, "success": True}

    settings = {"seed": 1, "sn": 100.0, "fit": "estimate"}
    with pytest.raises(KeyboardInterrupt):
        galaxy_fits.rows(path, settings, range(5), row_of)
    assert len(pd.read_csv(path)) == 3
    asked[:] = [0] * 6
    table = galaxy_fits.rows(path, settings, range(5), row_of)
    assert asked[6:] == [3, 4] and table["value"].tolist() == [0, 1, 4, 9, 16]
    assert galaxy_fits.rows(path, settings, range(2), row_of)["value"].tolist() == [0, 1] and len(pd.read_csv(path)) == 5
    with pytest.raises(SystemExit, match="other settings"):
        galaxy_fits.rows(path, settings | {"sn": 30.0}, range(5), row_of)


def test_fits_have_names() -> None:
    assert galaxy_fits.fit_of("estimate") is galaxy_fits.estimate and galaxy_fits.fit_of("pipeline") is galaxy_fits.pipeline
    assert galaxy_fits.fit_of("lensjax.infer.estimation:estimate") is estimation.estimate
    for name in ("none", "lensjax.infer.estimation:none", "lensjax.none:fit"):
        with pytest.raises(SystemExit, match="expected pipeline, estimate, network, or MODULE:FUNCTION"):
            galaxy_fits.fit_of(name)


def test_what_the_table_of_mocks_says() -> None:
    """Four mocks: right, right by the other way round, wrong with success, and without a fit."""
    rows = []
    for theta_e, phi, error in ((1.01, 179.0, 0.01), (0.985, 1.5, 0.01), (1.5, 0.0, 0.01), (np.nan, np.nan, np.nan)):
        row = {"sn": 100.0, "fit": "estimate", "success": np.isfinite(theta_e), "seconds": 2.0}
        for name, true, found in (("theta_E", 1.0, theta_e), ("q", 0.8, 0.8), ("phi", 1.0, phi), ("gamma1", 0, 0), ("gamma2", 0, 0)):
            row |= {f"{name} true": true, name: found, f"{name} error": error if name != "phi" else np.inf}
        rows.append(row)
    table = pd.DataFrame(rows)
    assert galaxy_mocks.wrong(table).tolist() == [False, False, True, True]
    np.testing.assert_allclose(galaxy_mocks.offsets(table)[:2, 2], [-2.0, 0.5])
    lines = [" ".join(line.split()) for line in galaxy_mocks.summary(table).splitlines()]
    assert "theta_E off by more than 3%: 50.0%" in lines and "wrong and success reported: 25.0%" in lines
    assert "success reported: 75.0%" in lines and "seconds a mock, median: 2.0" in lines
    assert "within 2 errors (.954) 0.667 1.000 0.000 1.000 1.000" in lines and "identified 1.000 1.000 0.000 1.000 1.000" in lines
