"""A network's answers about telescopes' images: what it is shown, and its answers in the units of the file."""

import csv
import dataclasses
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.cli import main as cli
from lensjax.dataset import telescope_network
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage
from lensjax.train import config as configs
from lensjax.train.config import TrainConfig
from lensjax.train.export import export_weights
from lensjax.train.layers import init_variables
from tests.dataset import telescope_files as files

CONFIG = TrainConfig(model="compact", problem="galaxy", image_size=32, native=True, head="gaussian")
TRUTH = {"theta_E": 1.0, "q": 0.8, "phi": 30.0, "source_x": 0.2, "source_y": 0.1, "source_R": 0.2, "source_n": 1.0, "source_q": 0.8}
TRUTH |= {"source_phi": 50.0, "light_R": 0.8, "light_n": 1.5, "light_q": 0.8, "light_phi": 30.0, "source_flux": 2.0, "light_flux": 60.0}


def seen(scale: float, place: tuple[float, float] = (0.0, 0.0), *, unit: float = 1.0) -> SkyImage:
    """A lens at a place in an image of this pixel scale, with the noise of a sky whose rms in a pixel of 0.05″ is 1."""
    side = round(8.0 / scale)
    problem = problems.get("galaxy")
    taken = instrument((side, side), pixel_scale=scale, supersampling=4)
    at = TRUTH | {"x": place[0], "y": place[1], "light_x": place[0], "light_y": place[1]}
    at |= {"source_x": TRUTH["source_x"] + place[0], "source_y": TRUTH["source_y"] + place[1]}
    light = problem.composition.image(jnp.asarray([at.get(name, 0.0) for name in problem.names], jnp.float32), taken)
    return SkyImage("a", observe(np.asarray(light, np.float64) * unit, unit * 0.05 / scale, taken_by=taken))


@pytest.mark.parametrize(
    ("scale", "place", "unit", "within"), [(0.05, (0.0, 0.0), 1.0, 0.12), (0.04, (0.35, -0.2), 5.0, 0.12), (0.08, (-0.4, 0.3), 0.1, 0.2)]
)
def test_an_image_is_shown_as_the_network_is_trained(scale: float, place: tuple[float, float], unit: float, within: float) -> None:
    """About the lens, in the problem's pixels, in units of the noise: as the problem draws it, to what larger pixels smooth."""
    problem = problems.get("galaxy")
    shown, offset, found = telescope_network.as_trained(seen(scale, place, unit=unit), problem)
    params = jnp.asarray([TRUTH.get(name, 0.0) for name in problem.names], jnp.float32)
    expected = np.asarray(problem.render(params, psf=problem.psf(jnp.float32(1.0))))
    np.testing.assert_allclose(offset, place, atol=0.02)
    assert found == pytest.approx(unit, rel=1e-5)
    far = np.hypot(*(np.indices(shown.shape) - 64.0)) > 4
    np.testing.assert_allclose(problem.seen(shown)[far], problem.seen(expected)[far], atol=within)


def test_pixels_that_are_not_used_have_the_light_of_their_neighbours() -> None:
    problem, image = problems.get("galaxy"), seen(0.05)
    bad = np.zeros(image.observed.data.shape, bool)
    bad[60:63, 100:103] = bad[95, 40:60] = True
    data = jnp.where(jnp.asarray(bad), 1e6, image.observed.data)
    damaged = replace(image, observed=replace(image.observed, data=data, mask=jnp.asarray(~bad)))
    (shown, *_), (whole, *_) = (telescope_network.as_trained(each, problem) for each in (damaged, image))
    np.testing.assert_allclose(problem.seen(shown), problem.seen(whole), atol=0.15)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A network of random weights."""
    model = configs.make_model(CONFIG, configs.make_problem(CONFIG))
    variables = jax.device_get(init_variables(model, jax.random.key(0), image_size=32, in_channels=2))
    return export_weights(tmp_path_factory.mktemp("galaxy"), variables, dataclasses.asdict(CONFIG))


def test_the_table_of_a_network(weights, tmp_path, monkeypatch, capsys) -> None:
    """Fluxes are in the file's unit, angles on the sky are there, and so are errors."""
    monkeypatch.chdir(tmp_path)
    image = files.sky((80, 80))
    for name, unit in (("one.fits", 1.0), ("tiny.fits", 1e-19)):
        files.write(Path(name), image * unit, ERR=np.full(image.shape, files.SIGMA * unit))
    words = ["estimate", "one.fits", "tiny.fits", "--noise", "[ERR]", "--no-refine", "--weights", str(weights), "--out", "r.csv"]
    assert cli.main(words) == 0
    assert "2 images by the network alone; r.csv" in capsys.readouterr().out
    one, tiny = csv.DictReader(Path("r.csv").open())
    for name in ("theta_E", "q", "gamma1", "source_R", "phi_east_of_north", "theta_E_err"):
        assert float(one[name]) == pytest.approx(float(tiny[name]), rel=1e-3), name
    for name in ("source_flux", "light_flux", "source_flux_err"):
        assert float(one[name]) == pytest.approx(1e19 * float(tiny[name]), rel=1e-2), name
    assert one["status"] == "network" and float(one["theta_E_err"]) > 0 and not one["success"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--report pages", "--report: does not go with --no-refine"),
        ("--source shapelets", "--source: does not go with --no-refine"),
        ("--posterior 100", "--posterior: does not go with --no-refine"),
        ("--weights sis", "sis: no weights.safetensors in this folder"),
    ],
)
def test_one_line_for_what_does_not_go_together(tmp_path, monkeypatch, capsys, words: str, says: str) -> None:
    monkeypatch.chdir(tmp_path)
    files.write(Path("a.fits"))
    assert cli.main(["estimate", "a.fits", "--noise", "[ERR]", "--no-refine", *words.split(), "--out", "r.csv"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and says in err
    assert not Path("r.csv").exists()


def test_fits_start_without_a_network(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    files.write(Path("a.fits"))
    assert cli.main(["estimate", "a.fits", "--noise", "[ERR]", "--weights", "w", "--out", "r.csv"]) == 2
    assert "--weights: fits of telescopes' images start without a network; expected --no-refine beside it" in capsys.readouterr().err
