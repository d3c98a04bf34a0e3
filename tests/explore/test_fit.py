"""An uploaded image to parameters, in stages: the same table as `lensjax estimate` writes."""

import io

import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import SIE, System, instrument, problems, simulate
from lensjax.cli import main
from lensjax.dataset.telescope import Taken
from lensjax.errors import BadInput
from lensjax.explore import fit, upload
from lensjax.explore.pictures import png
from lensjax.explore.state import Light, Member, Scene
from lensjax.files import images
from lensjax.formats import results
from lensjax.light.gaussian import spherical

TRUTH = np.float32([-25.8, 48.6, 21.0, 10.0, 6.0, 5.0])


@pytest.fixture
def folder():
    kept = upload.Folder()
    yield kept
    kept.remove()


@pytest.fixture
def lens(folder):
    path = folder.keep("lens.png", b"later")
    images.write_png(path, np.asarray(problems.get("sis2023").render(TRUTH)))
    return path


def test_an_image_that_is_coloured_says_so(folder):
    coloured = np.zeros((40, 40, 3), np.uint8)
    coloured[10:20, :, 0] = 200
    path = folder.keep("rgb.png", png(coloured))
    with pytest.raises(BadInput, match="^rgb.png: the image is in colour; expected grey$"):
        fit.estimate(path, lambda stage: None)


def test_the_network_alone_needs_images_of_its_size(folder):
    bright = np.zeros((40, 60), np.uint8)
    bright[10:20, 20:30] = 200
    with pytest.raises(BadInput, match="small.png: the image has 60×40 pixels; expected 400×400"):
        fit.estimate(folder.keep("small.png", png(bright)), lambda stage: None, refined=False)


def test_a_scene_becomes_an_image_with_its_light_in_the_middle():
    pytest.importorskip("nicegui")
    from lensjax.explore.page import scene_image

    image = scene_image(Scene((Member("SIS", 42.0),), Light(x=-26.0, y=48.0, sigma=10.0), method="roulette", terms=10))
    assert image.shape == (400, 400) and image.dtype == np.uint8
    rows, columns = (image.sum(axis=axis, dtype=float) for axis in (1, 0))
    assert np.arange(400) @ rows / rows.sum() == pytest.approx(200.0, abs=0.6)
    assert np.arange(400) @ columns / columns.sum() == pytest.approx(200.0, abs=0.6)
    assert scene_image(Scene(source=Light("triangle"))) is None


@pytest.mark.slow
@pytest.mark.computes
def test_the_stages_lead_to_what_the_command_line_gives(lens, tmp_path, monkeypatch):
    stages = []
    outcome = fit.estimate(lens, stages.append)
    seen = [stage for stage in stages if stage.model is not None]
    assert seen[0].title == "network" and seen[-1].title == "result" and len(seen) > 3
    off = [float(np.sqrt(np.mean(stage.residual**2))) for stage in seen]
    assert off == sorted(off, reverse=True) and off[-1] < 0.95 * off[0]
    assert outcome.solution.success[0] and abs(outcome.solution.params[0, 2] - 21.0) < 0.05
    assert set(outcome.files) >= {"results.csv", "model.png", "residual.png", "source.png"}
    model = images.read(outcome.files["model.png"]).values
    assert np.abs(model - images.read(lens).values).max() <= 1.0
    (tmp_path / lens.name).write_bytes(lens.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert main.main(outcome.command.split()[1:]) == 0
    (page,), (command,) = results.read(outcome.files["results.csv"]), results.read("results.csv")
    np.testing.assert_array_equal(page.params, command.params)
    np.testing.assert_array_equal(page.errors, command.errors)
    exec(outcome.python.replace("results.csv", "again.csv"), {})
    (again,) = results.read("again.csv")
    np.testing.assert_array_equal(page.params, again.params)


@pytest.mark.slow
@pytest.mark.computes
def test_a_telescopes_image_is_fitted_as_the_command_line_does(folder):
    fits = pytest.importorskip("astropy.io.fits")
    true = System(
        SIE(jnp.float32(1.2), jnp.float32(0.8), jnp.float32(0.5)), spherical(jnp.float32(0.1)), x=jnp.float32(0.1), y=jnp.float32(0.05)
    )
    light = 2.0 * np.asarray(simulate.image(true, instrument((100, 100), pixel_scale=0.06, supersampling=2)))
    noisy = light + np.random.default_rng(1).normal(0.0, 0.05, light.shape)
    content = io.BytesIO()
    fits.PrimaryHDU(np.float32(noisy[::-1])).writeto(content)
    path = folder.keep("lens.fits", content.getvalue())
    with pytest.raises(BadInput, match="lens.fits: .*--pixel-scale"):
        fit.estimate(path, lambda stage: None)
    stages = []
    content = io.BytesIO()
    fits.PrimaryHDU(np.full(light.shape, 0.05, np.float32)).writeto(content)
    taken = Taken(pixel_scale=0.06, noise=str(folder.keep("noise.fits", content.getvalue())))
    outcome = fit.estimate(path, stages.append, taken=taken, lens_light=False)
    values = dict(zip(outcome.solution.names, outcome.solution.params[0], strict=True))
    assert set(values) == {"x", "y", "theta_E", "q", "phi", "gamma1", "gamma2", "source_x", "source_y", "source_beta"}
    assert len(outcome.units) == len(values) and abs(values["theta_E"] - 1.2) < 0.05
    assert stages[-1].title == "result" and np.nanstd(stages[-1].residual) < 0.1
    assert set(outcome.files) == {"results.csv", "lens.fits", "model.fits", "model.png"}
    flags = "--model-images models --pixel-scale 0.06 --noise noise.fits --lens-light none"
    assert outcome.command == f"lensjax estimate lens.fits --out results.csv {flags}"
    assert "taken = Taken(pixel_scale=0.06, noise='noise.fits')" in outcome.python
