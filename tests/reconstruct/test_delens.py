"""Delensing: the source read from an image is the source that made it."""

import csv

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from lensjax import problems, simulate
from lensjax.cli import main as cli
from lensjax.lens import SIE, SIS, Shear, cluster, sampled
from lensjax.light import constellation
from lensjax.light.gaussian import elliptical, spherical
from lensjax.observation.detector import quantise
from lensjax.observation.grid import pixel_points
from lensjax.observation.instrument import instrument
from lensjax.reconstruct.grid import Grid
from lensjax.reconstruct.sample import field_of_light, half_width, noise_level, sample
from lensjax.simulate import System, Trace

ROWS = {
    "sis2023": [(90.0, -60.0, 20.0, 18.0, 9.0, 30.0), (30.0, 20.0, 8.0, 6.0, 6.0, 0.0)],
    "pm2022": [(60.0, 45.0, 20.0, 12.0, 7.0, 120.0, 0.4), (40.0, 10.0, 20.0, 20.0, 14.0, 120.0, 0.5)],
}


HUNDRED = instrument((100, 100))
EXACT = {"instrument": HUNDRED, "trace": Trace()}


def view(problem):
    """How the problem's images are taken."""
    return {"instrument": problem.instrument, "trace": problem.trace}


def read_back(name, params, method, size=400):
    """(source read from the rounded image, the source's own light in grey levels)."""
    problem = problems.get(name, method=method, image_size=size)
    sigma, sigma2 = params[3:5]
    half = half_width(sigma, sigma2)
    with jax.enable_x64(True):
        params = jnp.asarray(params)
        system = problem.system(params)
        image = quantise(problem.render(params)) if size == 400 else problem.render(params)
        centre = np.asarray(problem.centre(system, method=method))
        source = sample(np.asarray(image), system, centre=centre, **view(problem), grid=Grid(2 * half, 2 * half))
        x, y = pixel_points(2 * half, 2 * half, dtype=jnp.float64)
        return source, 255.0 * np.asarray(system.source.light(x, y))


QUICK = (("sis2023", "raytrace"), ("pm2022", "roulette"))
CASES = [
    pytest.param(name, row, method, marks=() if k == 0 and (name, method) in QUICK else pytest.mark.slow)
    for name, rows in ROWS.items()
    for k, row in enumerate(rows)
    for method in ("roulette", "raytrace")
]


@pytest.mark.parametrize(("name", "params", "method"), CASES)
def test_the_source_comes_back_within_two_grey_levels(name, params, method):
    source, truth = read_back(name, params, method)
    assert source.grey.shape == truth.shape == source.mask.shape
    bright = truth > 30
    assert source.mask[bright].mean() > 0.9
    assert np.abs(source.grey - truth)[source.mask].max() < 2.0


def test_coarse_images_are_read_at_the_right_places():
    source, truth = read_back("sis2023", (90.0, -60.0, 20.0, 30.0, 25.0, 30.0), "raytrace", size=200)
    assert np.abs(source.grey - truth)[source.mask].max() < 2.0


def test_the_middle_pixel_is_the_centre():
    source, _ = read_back("sis2023", ROWS["sis2023"][0], "raytrace")
    m = source.grey.shape[0]
    assert np.unravel_index(source.grey.argmax(), source.grey.shape) == (m // 2, m // 2)
    assert source.grey[m // 2, m // 2] == pytest.approx(255.0, abs=1.0)


@pytest.mark.slow
def test_what_the_frame_cuts_off_is_not_seen():
    problem = problems.get("sis2023", method="raytrace")
    params = jnp.asarray(ROWS["sis2023"][0])
    system = problem.system(params)
    image = np.full((400, 400), 50.0)
    far = np.asarray(system.lens.primary_image(system.x, system.y)) + np.array([200.0, 0.0])
    options = view(problem) | {"grid": Grid(80, 80)}
    source = sample(image, system, centre=far, **options)
    assert 0.3 < source.mask.mean() < 0.7  # the image of the source's centre stands on the frame's left edge
    assert not source.mask[:, :20].any() and source.mask[:, -20:].all()
    np.testing.assert_allclose(source.grey, np.where(source.mask, 50.0, 0.0), rtol=1e-6)
    assert not sample(image, system, centre=far + 500, **options).mask.any()


def test_the_window_hides_what_lies_beyond_it():
    near = (28.0, 5.0, 10.0, 20.0, 20.0, 0.0)
    window, _ = read_back("sis2023", near, "ring")
    whole, _ = read_back("sis2023", near, "raytrace")
    assert window.mask.sum() < whole.mask.sum()
    assert not (window.mask & ~whole.mask).any()


def number(value):
    return jnp.asarray(value, jnp.result_type(float))


def lens(name):
    if name == "SIE":
        return SIE(number(18.0), number(0.6), number(0.5))
    if name == "cluster":
        return cluster([(SIS(number(12.0)), -12.0, 5.0), (SIS(number(9.0)), 14.0, -3.0)])
    if name == "SIS and shear":
        return cluster([(SIS(number(18.0)), 0.0, 0.0), (Shear(number(0.08), number(-0.05)), 0.0, 0.0)])
    assert name == "sampled"
    return sampled(SIS(number(18.0)).potential(*pixel_points(160, 160)))


def several():
    return constellation([(elliptical(number(5.0), number(3.0), number(0.5)), 0.0, 0.0), (spherical(number(3.0)), 13.0, 9.0)])


@pytest.mark.parametrize("name", ["SIE", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cluster", "SIS and shear", "sampled"))])
def test_any_lens(name):
    system = System(lens(name), several(), number(6.0), number(3.0))
    image = np.asarray(quantise(255.0 * simulate.image(system, HUNDRED)))
    source = sample(image, system, centre=np.zeros(2), **EXACT, grid=Grid(40, 40))
    truth = np.minimum(255.0 * np.asarray(system.source.light(*pixel_points(40, 40))), 255.0)
    assert source.mask.mean() > 0.95
    off = np.abs(source.grey - truth)[source.mask]
    assert off.max() < 5.0 and np.sqrt(np.mean(off**2)) < 0.5


@pytest.mark.parametrize("terms", [5, 12])
def test_a_short_series_is_followed_by_its_own_map(terms):
    """Off the exact lens by several pixels near the ring, and beyond it by anything."""
    system = System(SIS(number(18.0)), spherical(number(7.0)), number(14.0), number(3.0))
    trace = Trace("series", terms)
    image = np.asarray(quantise(255.0 * simulate.image(system, HUNDRED, trace=trace)))
    grid = Grid(56, 56)
    truth = 255.0 * np.asarray(system.source.light(*pixel_points(56, 56)))
    source = sample(image, system, centre=np.zeros(2), instrument=HUNDRED, trace=trace, grid=grid)
    # What lies behind the lens's other side, two standard deviations off, is not shown by the primary image.
    assert source.mask[truth > 40].mean() > 0.9
    off = (source.grey - truth)[source.mask]
    assert np.sqrt(np.mean(off**2)) < 0.6 and np.abs(off).max() < 8.0
    exact = sample(image, system, centre=np.zeros(2), **EXACT, grid=grid)
    assert np.abs(exact.grey - truth)[exact.mask].max() > 20.0


def test_each_image_shows_the_source_by_itself():
    system = System(SIS(number(18.0)), spherical(number(3.0)), number(6.0), number(0.0))
    truth = 255.0 * np.asarray(system.source.light(*pixel_points(20, 20)))
    for middle in (0.0, 50.0, -50.0):  # a frame of both images, of the primary one, of the one across the lens
        centre = jnp.array([middle, 0.0])
        image = 255.0 * np.asarray(simulate.image_about(system, HUNDRED, centre))
        source = sample(image, system, centre=np.asarray(centre), **EXACT, grid=Grid(20, 20))
        assert source.mask[8:13, 8:13].all() and np.abs(source.grey - truth)[8:13, 8:13].max() < 8.0


def test_finer_and_coarser_grids_show_the_same():
    system = System(SIS(number(18.0)), spherical(number(6.0)), number(8.0), number(3.0))
    image = np.asarray(quantise(255.0 * simulate.image(system, HUNDRED)))
    for size in (20, 80):
        source = sample(image, system, centre=np.zeros(2), **EXACT, grid=Grid(size, 40))
        # A coarse pixel is the mean over its area.
        truth = 255.0 * np.asarray(system.source.light(*pixel_points(160, 40))).reshape(size, 160 // size, size, 160 // size).mean((1, 3))
        assert source.mask.all()
        assert np.abs(source.grey - truth).max() < 2.0


def test_the_noise_level_of_an_image():
    system = System(SIS(number(18.0)), spherical(number(6.0)), number(8.0), number(3.0))
    sharp = 255.0 * np.asarray(simulate.image(system, HUNDRED))
    noisy = sharp + 6.0 * np.random.default_rng(0).normal(size=sharp.shape)
    assert noise_level(sharp) < 0.1 and noise_level(noisy) == pytest.approx(6.0, rel=0.05)
    for image in (sharp, noisy):
        field = field_of_light(image, system, centre=np.zeros(2), **EXACT)
        assert 30 <= field <= 60  # 2.5 to 5 standard deviations to each side
    assert field_of_light(np.zeros((100, 100)), system, centre=np.zeros(2), **EXACT) == 16


COLUMNS = "index,filename,model,lens,einsteinradius,ellipseratio,orientation,cluster,source,sigma,sigma2,theta,x,y,nterms"
LINES = [
    "1,sie.png,Raytrace,SIE,18,0.6,30,,Ellipsoid,6,4,20,6,3,16",
    "2,cluster.png,Roulette,Cluster,,,,SIS/-12/5/12;SIE/14/-3/9/0.7/40,Spherical,5,5,0,20,8,12",
    "3,centred.png,Raytrace,SIS,18,,,,Spherical,5,5,0,10,3,16",
    "4,picture.png,Raytrace,SIS,18,,,,Image (Einstein),,,,10,3,16",
]
EXTRA = {"sie.png": "0,0,1", "cluster.png": "0,1,0", "centred.png": "1,0,0", "picture.png": "1,0,0"}


def run(*words):
    return cli.main([str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of a table in CosmoSim's columns: an SIE with reference lines, a cluster's roulette, a centred SIS, colours."""
    folder = tmp_path_factory.mktemp("scenes")
    rows = [line + ",100," + EXTRA[line.split(",")[1]] for line in LINES]
    (folder / "in.csv").write_text("\n".join([COLUMNS + ",imagesize,centred,mask,reflines", *rows]) + "\n")
    x, y = np.arange(-20, 21)[None], -np.arange(-20, 21)[:, None]
    colours = [220 * np.exp(-((x - a) ** 2 + y**2) / 120) for a in (-6, 0, 6)]
    Image.fromarray(np.stack(colours, axis=-1).astype(np.uint8)).save(folder / "colours.png")
    assert run("simulate", "--csv", folder / "in.csv", "--picture", folder / "colours.png", "--out", folder / "out") == 0
    return folder


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"), float)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["sample", "invert"])
@pytest.mark.parametrize("name", ["sie.png", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cluster.png", "centred.png"))])
def test_images_of_cosmosim_tables(folder, tmp_path, capsys, name, how):
    out = tmp_path / "source.png"
    done = run(
        "delens", folder / "out" / name, "--params", folder / "out" / "dataset.csv", "--out", out, "--how", how, "--field", 32, "--size", 32
    )  # fmt: skip
    said = capsys.readouterr().out
    assert done == 0 and "32×32 pixels" in said and ("converged" in said) == (how == "invert")
    given = {line.split(",")[1]: line.split(",") for line in LINES}[name]
    sigma, sigma2, theta = float(given[9]), float(given[10]), np.deg2rad(float(given[11]))
    truth = 255.0 * np.asarray(elliptical(number(sigma), number(sigma2), number(theta)).light(*pixel_points(32, 32)))
    found = pixels(out)
    seen = found[..., 3] == 255
    assert seen[truth > 30].mean() > 0.9
    off = (found[..., 0] - truth)[seen]
    assert np.abs(off).max() < 12.0 and np.sqrt(np.mean(off**2)) < 1.5


@pytest.mark.slow
def test_colours(folder, tmp_path, capsys):
    """The source's own colours, of a centred image whose place the picture tells."""
    out = tmp_path / "source.png"
    words = ("delens", folder / "out" / "picture.png", "--params", folder / "out" / "dataset.csv", "--out", out, "--field", 40)
    assert run(*words) == 2 and "--picture" in capsys.readouterr().err and not out.exists()
    for how in ("sample", "invert"):
        assert run(*words, "--picture", folder / "colours.png", "--how", how, "--size", 40) == 0
        assert ("red: lambda" in capsys.readouterr().out) == (how == "invert")
        found = pixels(out)
        seen = found[..., 3] == 255
        brightest = [np.unravel_index(np.where(seen, found[..., k], 0).argmax(), seen.shape) for k in range(3)]
        assert all(abs(row - 20) <= 1 for row, _ in brightest)
        columns = np.array([column for _, column in brightest])
        # 80 px stand for the picture's 41: σ is 20.
        np.testing.assert_allclose(columns, 20 + np.array([-6, 0, 6]) * 80 / 41, atol=1.5)


@pytest.mark.slow
def test_more_lambda_is_smoother(folder, tmp_path, capsys):
    levels = []
    for strength in ("1e-3", "1e3"):
        out = tmp_path / "source.png"
        assert run(
            "delens", folder / "out" / "sie.png", "--params", folder / "out" / "dataset.csv", "--out", out,
            "--how", "invert", "--lambda", strength, "--noise", 2, "--penalty", "gradient",
        ) == 0  # fmt: skip
        assert f"lambda {float(strength):.4g}, noise 2" in capsys.readouterr().out
        levels.append(pixels(out)[..., 0].max())
    assert levels[1] < levels[0] - 20


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("none.png",), "no row has the filename 'none.png'"),
        (("sie.png", "--how", "invert", "--lambda", "-1"), "--lambda"),
        (("sie.png", "--how", "invert", "--noise", "nan"), "--noise"),
        (("sie.png", "--lambda", "1"), "--lambda: goes with --how invert"),
        (("sie.png", "--noise", "1"), "--noise: goes with --how invert"),
        (("sie.png", "--how", "guess"), "guess"),
        (("sie.png", "--size", "5"), "'5'"),
        (("small.png",), ("small.png", "60×60", "100×100")),
        (("black.png", "--field", "32"), "black.png: the image is black"),
        (("bad.png",), ("line 7", "einsteinradius", "'wide'")),
        (("far.png", "--how", "invert", "--field", "32"), "shows no point of the source"),
        (("far.png", "--field", "32"), "shows no point of the source"),
    ],
)  # fmt: skip
def test_bad_scenes(folder, tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    with (folder / "out" / "dataset.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    base = rows[0]
    more = [
        {"filename": "small.png"}, {"filename": "bad.png", "einsteinradius": "wide"}, {"filename": "far.png", "x": "400"},
        {"filename": "black.png"},
    ]  # fmt: skip
    with open("table.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(base))
        writer.writeheader()
        writer.writerows([*rows, *(base | change for change in more)])
    image = pixels(folder / "out" / "sie.png")[..., 0].astype(np.uint8)
    Image.fromarray(image[:60, :60]).save("small.png")
    Image.fromarray(image * 0).save("black.png")
    for name in ("sie.png", "bad.png", "far.png"):
        Image.fromarray(image).save(name)
    assert run("delens", words[0], "--params", "table.csv", "--out", "source.png", *words[1:]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and out == "" and not (tmp_path / "source.png").exists()
    for word in (says,) if isinstance(says, str) else says:
        assert word in err
