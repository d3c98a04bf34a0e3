"""`lensjax estimate` with images of telescopes: flags, one line for what cannot be used, and a lens that is found again."""

import csv
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.cli import main as cli
from lensjax.observation import psf
from lensjax.observation.instrument import instrument
from tests.dataset import telescope_files as files

fits = pytest.importorskip("astropy.io.fits")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    big, none = np.ones((51, 51)), np.zeros(files.SHAPE)
    files.write(Path("a.fits"), BIG=big, NONE=none, VAR=np.full(files.SHAPE, files.SIGMA**2))
    files.write(Path("plain.fits"), header=fits.Header())
    fits.writeto("cube.fits", np.ones((3, 24, 30)))
    Path("a.reg").write_text("image\npoint(3,4)\n")
    Path("b.png").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("a.fits --noise [VAR]", "this looks like variances; expected standard deviations; give --noise-is variance"),
        ("a.fits --noise [ERR] --psf [BIG]", "the PSF has 51×51 px; expected at most the image's 24×30 px"),
        ("a.fits --noise [ERR] --psf none.fits", "none.fits: no such file"),
        ("a.fits --noise [ERR] --mask [NONE]", "the mask leaves no pixel"),
        ("a.fits --noise [ERR] --mask a.reg", "a.reg: a region of kind PointPixelRegion has no area"),
        ("a.fits[SCY] --noise [ERR]", "no extension [SCY] in this file; expected one of 0 (PRIMARY), 1 (SCI)"),
        ("cube.fits --noise 1", "expected an image of two dimensions; plane K of 3 is FILE[0][K]"),
        ("plain.fits --noise [ERR]", "--pixel-scale: the file has no pixel scale"),
        ("a.fits --noise [ERR] --exposure 100", "--noise and --exposure contradict each other"),
        ("a.fits --background 1", "--background: goes with --exposure"),
        ("a.fits --noise-is weight", "--noise-is: goes with --noise"),
        ("a.fits --noise-is wieght", "did you mean weight?"),
        ("a.fits --noise cosmosim", "--noise: the value is 'cosmosim'"),
        ("a.fits --noise -2", "a positive number, cosmosim, or a file"),
        ("a.fits --noise [ERR] --report b.png", "b.png is a file; expected a folder"),
        ("a.fits b.png", "FITS files and other images together"),
        ("b.png --psf a.fits[PSF]", "--psf: does not go with --problem sis2023; expected --problem galaxy"),
        ("b.png --noise a.fits[ERR]", "--noise: the value is 'a.fits[ERR]'; expected a positive number, or cosmosim"),
        ("a.fits --noise [ERR] --model-images b.png", "b.png is a file; expected a folder"),
    ],
)
def test_one_line_for_what_cannot_be_used(folder, capsys, words: str, says: str) -> None:
    before = sorted(folder.rglob("*"))
    assert cli.main(["estimate", *words.split(), "--out", "r.csv"]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and err.startswith("lensjax: ") and out == ""
    assert says in err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.slow
def test_a_lens_is_found_again(tmp_path, monkeypatch, capsys) -> None:
    """A mirrored image in a small unit, with a PSF: the parameters, and the files beside them."""
    monkeypatch.chdir(tmp_path)
    truth = {
        "x": 0.03, "y": -0.02, "theta_E": 1.2, "q": 0.75, "phi": 30.0, "gamma1": 0.03, "gamma2": -0.02, "source_x": 0.1, "source_y": 0.05,
        "source_R": 0.15, "source_n": 1.2, "source_q": 0.7, "source_phi": 100.0, "source_flux": 1.0, "sky": 0.0,
    }  # fmt: skip
    problem, unit = problems.composed("galaxy"), 1e-19
    taken = instrument((71, 71), pixel_scale=0.06, supersampling=4, psf=psf.gaussian(2.0, size=11))
    light = np.asarray(problem.image(jnp.asarray([truth[name] for name in problem.names], jnp.float32), taken), np.float64)
    data = light / light.max() + np.random.default_rng(0).normal(scale=0.02, size=light.shape)
    header = files.sky_header((71, 71), mirrored=True)
    header.update({"CD1_1": 0.06 / 3600, "CD2_2": 0.06 / 3600})
    noise = np.full(data.shape, 0.02 * unit)
    files.write(Path("a.fits"), data[::-1] * unit, header=header, ERR=noise, PSF=np.asarray(taken.psf))
    words = "a.fits --noise [ERR] --psf [PSF] --model-images models --coolest coolest --out r.csv"
    assert cli.main(["estimate", *words.split()]) == 0
    assert "1 image, 1 refined with success" in capsys.readouterr().out
    with Path("r.csv").open() as file:
        (row,) = csv.DictReader(file)
    truth["source_flux"] = unit / light.max()
    for name, value in truth.items():
        assert abs(float(row[name]) - value) < 4.5 * float(row[f"{name}_err"]), name
    assert float(row["phi_east_of_north"]) == pytest.approx(90.0 - float(row["phi"]), abs=0.01)
    residual = fits.getdata("models/a.fits", "RESIDUAL") / (0.02 * unit)
    assert np.std(residual) == pytest.approx(1.0, abs=0.05)
    assert len(json.loads(Path("coolest/a.json").read_text())["lensing_entities"]) == 3
