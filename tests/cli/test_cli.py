"""The command line: from parameters to images and back, and one line for everything that cannot be used."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

from lensjax import models, trained
from lensjax.cli import main as cli
from lensjax.cli import simulate
from lensjax.dataset.journal import Journal
from lensjax.files import images
from lensjax.train import export_weights
from lensjax.train.layers import init_variables

pytestmark = pytest.mark.computes

ROWS = [
    {"filename": "b.png", "x": "90", "y": "-60", "einsteinR": "20", "sigma": "18", "sigma2": "9", "theta": "30", "note": "kept"},
    {"filename": "sub/a.png", "x": "-50", "y": "70", "einsteinR": "25", "sigma": "10", "sigma2": "14", "theta": "15", "note": ""},
]
NAMES = ("x", "y", "einsteinR", "sigma", "sigma2", "theta")


@pytest.fixture(autouse=True, scope="module")
def _no_cache_in_the_home_folder():
    """The cache is what the caller of the tests has set, or none."""
    with pytest.MonkeyPatch.context() as patch:
        if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
            patch.setenv("JAX_COMPILATION_CACHE_DIR", os.devnull)  # read at JAX's import, which is over
        yield


def table(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows_of(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def run(*words):
    return cli.main([str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of two systems, their images, and what estimate makes of them without a network."""
    folder = tmp_path_factory.mktemp("cli")
    made = table(folder / "systems.csv", ROWS)
    assert run("simulate", "--csv", made, "--out", folder / "images") == 0
    done = run(
        "estimate", "--csv", folder / "images" / "dataset.csv", "--images", folder / "images",
        "--out", folder / "results.csv", "--no-network", "--method", "roulette", "--report", folder / "report",
    )  # fmt: skip
    assert done == 0
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that has learned nothing."""
    model = models.create("compact", num_outputs=6, image_size=16)
    shapes = jax.eval_shape(lambda key: init_variables(model, key, image_size=16), jax.random.key(0))
    variables = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.01, leaf.dtype), shapes)
    config = {"model": "compact", "problem": "sis2023", "image_size": 16}
    return export_weights(tmp_path_factory.mktemp("weights"), variables, config)


def test_simulate_writes_images_and_the_table(folder):
    written = sorted(path.relative_to(folder / "images").as_posix() for path in (folder / "images").rglob("*") if path.is_file())
    assert written == ["b.png", "dataset.csv", "sub/a.png"]
    rows = rows_of(folder / "images" / "dataset.csv")
    assert [row["filename"] for row in rows] == ["b.png", "sub/a.png"] and rows[0]["note"] == "kept"
    for row, given in zip(rows, ROWS, strict=True):
        assert all(row[name] == given[name] for name in NAMES) and row["chi"] == "50"
        with Image.open(folder / "images" / row["filename"]) as image:
            assert image.size == (400, 400) and image.mode == "L" and np.asarray(image).max() == 255


def test_simulate_draws_what_the_seed_says(tmp_path):
    for out, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert run("simulate", "--problem", "sis2023", "--n", 2, "--seed", seed, "--size", 40, "--out", tmp_path / out) == 0
    content = {out: [p.read_bytes() for p in sorted((tmp_path / out).iterdir())] for out in "abc"}
    assert content["a"] == content["b"] != content["c"]
    assert [p.name for p in sorted((tmp_path / "a").iterdir())] == ["dataset.csv", "image-000001.png", "image-000002.png"]
    # The table alone makes the same images again.
    assert run("simulate", "--csv", tmp_path / "a" / "dataset.csv", "--size", 40, "--out", tmp_path / "d") == 0
    assert [p.read_bytes() for p in sorted((tmp_path / "d").iterdir())] == content["a"]


def test_simulate_from_toml_and_unrounded(tmp_path):
    toml = tmp_path / "set.toml"
    toml.write_text('problem = "pm2022"\nn = 1\nseed = 3\nmethod = "raytrace"\n')
    assert run("simulate", "--toml", toml, "--size", 40, "--no-quantise", "--out", tmp_path / "out") == 0
    rows = rows_of(tmp_path / "out" / "dataset.csv")
    assert rows[0]["filename"] == "image-000001.tif" and rows[0]["model"] == "Raytrace" and rows[0]["lens"] == "PM"
    assert 30 <= float(rows[0]["chi"]) <= 70
    with Image.open(tmp_path / "out" / "image-000001.tif") as image:
        grey = np.asarray(image)
    assert image.mode == "F" and (grey != np.round(grey)).any()


def test_estimate_finds_what_simulate_was_given(folder):
    rows = rows_of(folder / "results.csv")
    assert [row["filename"] for row in rows] == ["b.png", "sub/a.png"]
    # The second source is longer along sigma2: the canonical set names its axes the other way round.
    truth = [(90, -60, 20, 18, 9, 30), (-50, 70, 25, 14, 10, 105)]
    for row, expected in zip(rows, truth, strict=True):
        assert row["success"] == "True" and row["status"].startswith("converged") and row["method"] == "roulette"
        assert float(row["chi2"]) < 2 and row["fit"] == "interval" and row["violated"] == "0"
        for name, value in zip(NAMES, expected, strict=True):
            assert float(row[name]) == pytest.approx(value, abs=0.2)
            assert 0 < float(row[f"{name}_err"]) < 0.2
            assert float(row[f"{name}_low"]) <= value <= float(row[f"{name}_high"])
            assert row[f"{name}_network"] == ""


def test_results_have_the_columns_that_others_rely_on(folder):
    header = list(rows_of(folder / "results.csv")[0])
    own = [name + suffix for name in NAMES for suffix in ("", "_err", "_network")]
    bounds = [name + suffix for name in NAMES for suffix in ("_low", "_high")]
    last = ["method", "fit", "violated", "shift_x", "shift_y"]
    assert header == ["filename", *own, "chi2", "success", "status", *bounds, *last]


def test_the_report_shows_the_images(folder):
    page = (folder / "report" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2 and "sub/a.png" in page and "converged: x " in page


@pytest.mark.parametrize("k", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_delens_gives_the_source(folder, tmp_path, k):
    given = ROWS[k]
    # sub/a.png is found by the name that the table has for it, which an image in its folder does not say.
    if "/" in given["filename"]:
        (tmp_path / "sub").mkdir()
        shutil.copy(folder / "images" / given["filename"], tmp_path / "sub")
        image, params = Path(given["filename"]), folder / "results.csv"
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            assert run("delens", image, "--params", params, "--out", tmp_path / "source.png") == 0
    else:
        image, params = folder / "images" / given["filename"], folder / "results.csv"
        assert run("delens", image, "--params", params, "--out", tmp_path / "source.png") == 0
    with Image.open(tmp_path / "source.png") as image:
        pixels = np.asarray(image.convert("LA"), np.float64)
    half = pixels.shape[0] // 2
    x, y = np.arange(-half, half)[None], -np.arange(-half, half)[:, None]
    sigma, sigma2, theta = (float(given[name]) for name in ("sigma", "sigma2", "theta"))
    u = x * np.cos(np.deg2rad(theta)) + y * np.sin(np.deg2rad(theta))
    v = y * np.cos(np.deg2rad(theta)) - x * np.sin(np.deg2rad(theta))
    truth = 255 * np.exp(-(u**2) / (2 * sigma**2) - v**2 / (2 * sigma2**2))
    seen = pixels[..., 1] == 255
    assert seen[truth > 30].mean() > 0.9 and np.abs(pixels[..., 0] - truth)[seen].max() < 2.5


@pytest.mark.slow
def test_delens_takes_the_true_parameters_too(folder, tmp_path):
    source = tmp_path / "source.png"
    assert run("delens", folder / "images" / "b.png", "--params", folder / "images" / "dataset.csv", "--out", source) == 0
    assert source.exists()


@pytest.mark.slow
def test_the_network_alone(folder, weights, tmp_path, capsys):
    done = run(
        "estimate", "--csv", folder / "images" / "dataset.csv", "--no-refine", "--weights", weights,
        "--out", tmp_path / "results.csv", "--report", tmp_path,
    )  # fmt: skip
    assert done == 0
    rows = rows_of(tmp_path / "results.csv")
    assert [row["status"] for row in rows] == ["network"] * 2
    for row in rows:
        assert all(row[name] == row[f"{name}_network"] != "" and row[f"{name}_err"] == "" for name in NAMES)
    out, err = capsys.readouterr()
    assert err == "" and "absolute error up to symmetry, 2 images" in out and "einsteinR" in out and "network: mean" in out
    assert "network: x " in (tmp_path / "report.html").read_text()


def test_images_of_one_name_in_several_folders_are_told_apart(folder, weights, tmp_path):
    shutil.copy(folder / "images" / "b.png", tmp_path / "b.png")
    words = ("estimate", folder / "images" / "b.png", tmp_path / "b.png", "--no-refine", "--weights", weights)
    assert run(*words, "--out", tmp_path / "results.csv") == 0
    names = [row["filename"] for row in rows_of(tmp_path / "results.csv")]
    assert names == [str(folder / "images" / "b.png"), str(tmp_path / "b.png")]


def test_parts_of_a_table_are_the_whole(folder, weights, tmp_path, capsys):
    words = ("estimate", "--csv", folder / "images" / "dataset.csv", "--weights", weights, "--no-refine", "--out")
    for k in (1, 2):
        assert run(*words, tmp_path / f"{k}.csv", "--shard", f"{k}/2") == 0
    assert run(*words, tmp_path / "whole.csv") == 0
    assert rows_of(tmp_path / "1.csv") + rows_of(tmp_path / "2.csv") == rows_of(tmp_path / "whole.csv")
    line = "lensjax: --shard: the value is '3/3'; expected a part of 2 images\n"
    assert refused(capsys, *words, tmp_path / "3.csv", "--shard", "3/3") == line
    assert "expected K/N, part K of N" in refused(capsys, *words, tmp_path / "3.csv", "--shard", "4/3")


@pytest.mark.skipif(not (trained.PACKAGED / "sis2023").is_dir(), reason="the packaged network is not there")
def test_the_packaged_network(folder, tmp_path):
    words = ("estimate", folder / "images" / "b.png", "--method", "roulette", "--out", tmp_path / "results.csv")
    assert run(*words) == 0
    row = rows_of(tmp_path / "results.csv")[0]
    assert row["success"] == "True"
    for name in NAMES:
        assert float(row[name]) == pytest.approx(float(ROWS[0][name]), abs=0.2)
        assert row[f"{name}_network"] != ""


def refused(capsys, *words, says=(), code=2):
    """Runs a command that must end with `code` and one line on stderr; returns the line."""
    capsys.readouterr()
    assert run(*words) == code
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and err.startswith("lensjax: ") and "Traceback" not in err and out == ""
    for word in (says,) if isinstance(says, str) else says:
        assert word in err
    return err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "COMMAND"),
        (("simlate",), "did you mean simulate?"),
        (("simulate", "--problm", "sis2023"), "did you mean --problem?"),
        (("estimate", "--nois", "3"), "did you mean --noise?"),
        (("estimate", "good.png", "--no-refine=3"), "--no-refine"),
        (("sheet", ".", "more", "--out", "a.png"), "'more'"),
        (("simulate", "--problem", "sis2023", "--n", "2"), "--out"),
        (("simulate", "--out", "OUT"), "--csv"),
        (("simulate", "--problem", "sis2023", "--out", "OUT"), "--n"),
        (("simulate", "--problem", "sis2024", "--n", "2", "--out", "OUT"), "sis2024"),
        (("simulate", "--problem", "sis2023", "--n", "0", "--out", "OUT"), "'0'"),
        (("simulate", "--problem", "sis2023", "--n", "two", "--out", "OUT"), "'two'"),
        (("simulate", "--problem", "sis2023", "--n", "2", "--seed", "-1", "--out", "OUT"), "'-1'"),
        (("simulate", "--problem", "sis2023", "--n", "2", "--size", "5", "--out", "OUT"), "'5'"),
        (("simulate", "--csv", "none.csv", "--out", "OUT"), "none.csv: no such file"),
        (("simulate", "--csv", "none.csv", "--n", "2", "--out", "OUT"), "none.csv: no such file"),
        (("simulate", "--csv", "none.csv", "--toml", "none.toml", "--out", "OUT"), "none.toml: no such file"),
        (("simulate", "--toml", "none.toml", "--out", "OUT"), "none.toml: no such file"),
        (("simulate", "--problem", "sis2023", "--n", "2", "--out", "file"), "is a file"),
        (("estimate", "--out", "OUT"), "no images"),
        (("estimate", "a.png"), "--out"),
        (("estimate", "none.png", "--no-network", "--out", "OUT"), "none.png: no such file"),
        (("estimate", "good.png", "good.png", "--no-network", "--out", "OUT"), "named twice"),
        (("estimate", "good.png", "--no-network", "--no-refine", "--out", "OUT"), "--no-refine and --no-network"),
        (("estimate", "good.png", "--no-network", "--weights", "w", "--out", "OUT"), "--weights and --no-network"),
        (("estimate", "good.png", "--weights", "none", "--out", "OUT"), "none: no weights"),
        (("estimate", "good.png", "--problem", "pm2022", "--no-refine", "--out", "OUT"), "no network ships for problem pm2022"),
        (("estimate", "good.png", "--no-network", "--noise", "-1", "--out", "OUT"), "--noise"),
        (("estimate", "good.png", "--no-network", "--noise", "nan", "--out", "OUT"), "--noise"),
        (("estimate", "good.png", "--no-network", "--out", "file/results.csv"), "is a file"),
        (("estimate", "good.png", "--no-network", "--out", "."), "folder"),
        (("estimate", "good.png", "--no-network", "--report", "file", "--out", "OUT"), "is a file"),
        (("estimate", "good.png", "--csv", "names.csv", "--no-network", "--out", "OUT"), "--csv"),
        (("estimate", "good.png", "--images", ".", "--no-network", "--out", "OUT"), "--images: goes with --csv"),
        (("estimate", "--csv", "names.csv", "--images", "none", "--no-network", "--out", "OUT"), "none: --images: no such folder"),
        (("estimate", "--csv", "missing.csv", "--no-network", "--out", "OUT"), "missing.png: no such file"),
        (("delens", "good.png", "--out", "OUT.png"), "--params"),
        (("delens", "good.png", "--params", "none.csv", "--out", "OUT.png"), "none.csv: no such file"),
        (("delens", "good.png", "--params", "names.csv", "--out", "OUT.png"), "column x: there is no such column"),
        (("delens", "other.png", "--params", "names.csv", "--out", "OUT.png"), "no row has the filename 'other.png'"),
        (("delens", "good.png", "--params", "params.csv", "--out", "OUT.txt"), ".png"),
        (("delens", "none.png", "--params", "params.csv", "--out", "OUT.png"), "none.png: no such file"),
        (("delens", "good.png", "--params", "params.csv", "--problem", "pm2022", "--out", "OUT.png"), "column chi: there is no"),
        (("delens", "bad.png", "--params", "params.csv", "--out", "OUT.png"), ("line 4", "sigma", "'wide'")),
        (("delens", "odd.png", "--params", "params.csv", "--out", "OUT.png"), ("line 5", "method", "'guess'")),
        (("delens", "half.png", "--params", "params.csv", "--out", "OUT.png"), ("line 6", "shift_y", "empty")),
    ],
)  # fmt: skip
def test_bad_commands(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    for name in ("good.png", "bad.png", "odd.png", "half.png"):
        Image.fromarray(np.eye(400, dtype=np.uint8) * 200).save(name)
    Path("file").write_text("")
    Path("names.csv").write_text("filename\ngood.png\nmissing.png\n")
    Path("missing.csv").write_text("filename\nmissing.png\nmissing2.png\n")
    header = "filename,x,y,einsteinR,sigma,sigma2,theta,method,shift_x,shift_y\n"
    good = "90,-60,20,18,9,30,roulette,100,-80\n"
    lines = [f"good.png,{good}", f"none.png,{good}", f"bad.png,{good.replace('18', 'wide')}"]
    lines += [f"odd.png,{good.replace('roulette', 'guess')}", f"half.png,{good.replace('-80', '')}"]
    Path("params.csv").write_text(header + "".join(lines))
    before = sorted(tmp_path.rglob("*"))
    refused(capsys, *words, says=says)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sigma": "wide"}, ("line 3", "sigma", "'wide'")),
        ({"sigma2": "-1"}, ("line 3", "sigma2", "'-1'")),
        ({"x": "nan"}, ("line 3", "x", "'nan'")),
        ({"einsteinR": ""}, ("line 3", "einsteinR", "empty")),
        ({"filename": "b.png"}, ("line 3", "filename", "line 2")),
        ({"filename": "b"}, ("line 3", "filename", "line 2")),
        ({"filename": "../c.png"}, ("line 3", "filename", "leads out")),
        ({"filename": "/tmp/c.png"}, ("line 3", "filename", "leads out")),
        ({"filename": "b.jpg"}, ("line 3", "filename", "line 2")),
        ({"filename": ""}, ("line 3", "filename", "empty")),
    ],
)
def test_one_bad_row_and_nothing_is_written(tmp_path, capsys, change, says):
    path = table(tmp_path / "systems.csv", [ROWS[0], ROWS[1] | change])
    refused(capsys, "simulate", "--csv", path, "--out", tmp_path / "out", says=("systems.csv", *says))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("siez = 3\n", ("'siez'", "problem, n, seed, method")),
        ("sed = 3\n", ("'sed'", "did you mean seed?")),
        ('problem = "sis2024"\nn = 2\n', ("problem", "sis2023")),
        ('problem = "sis2023"\nn = "2"\n', ("n", "whole number")),
        ('problem = "sis2023"\nn = 2.5\n', ("n", "whole number")),
        ('problem = "sis2023"\nn = -2\n', ("n", "whole number")),
        ('problem = "sis2023"\n', ("--n",)),
        ("n = 2\n", ("--problem",)),
        ("n = \n", ("TOML",)),
    ],
)
def test_bad_toml(tmp_path, capsys, text, says):
    path = tmp_path / "set.toml"
    path.write_text(text)
    refused(capsys, "simulate", "--toml", path, "--out", tmp_path / "out", says=says)
    assert not (tmp_path / "out").exists()


def _image(path, pixels):
    Image.fromarray(pixels).save(path)


GREY = np.eye(400, dtype=np.uint8) * 200
COLOUR = np.stack([GREY, GREY, GREY // 2], axis=-1)
NOT_FINITE = np.where(np.eye(400), np.nan, 1.0).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("bad.png", lambda path: path.write_bytes(b""), "0 bytes"),
        ("bad.png", lambda path: path.write_text("no image"), "not an image"),
        ("bad.png", lambda path: path.mkdir(), "folder"),
        ("bad.png", lambda path: _image(path, GREY[:8, :8]), ("8×8", "16 to")),
        ("bad.png", lambda path: _image(path, COLOUR), "colour"),
        ("bad.png", lambda path: _image(path, GREY.astype(np.uint16) * 256), "8-bit"),
        ("bad.png", lambda path: _image(path, GREY * 0), "black"),
        ("bad.tif", lambda path: _image(path, NOT_FINITE), "nan"),
    ],
)
def test_a_bad_image(tmp_path, capsys, weights, name, make, says):
    """Alone it is bad input, and nothing is written; among others it is a row without success that says why."""
    _image(tmp_path / "good.png", GREY)
    make(tmp_path / name)
    out = tmp_path / "out" / "results.csv"
    line = refused(capsys, "estimate", tmp_path / name, "--no-network", "--report", tmp_path / "out", "--out", out, says=says)
    assert str(tmp_path / name) in line and not out.parent.exists()
    words = ("estimate", tmp_path / name, tmp_path / "good.png", "--no-refine", "--weights", weights)
    assert run(*words, "--out", out) == 0
    printed, err = capsys.readouterr()
    bad, good = rows_of(out)
    assert err == line and "2 images by the network alone; 1 could not be used" in printed
    assert good["status"] == "network" and bad["filename"] == name and bad["success"] == "False" and bad["x"] == ""
    assert bad["status"] == f"failed: {line.removeprefix('lensjax: ').rstrip()}"
    assert [path.name for path in out.parent.iterdir()] == ["results.csv"]


def test_estimate_resumes_after_an_interruption(tmp_path, capsys, weights, monkeypatch):
    """The same words again give the rows that are missing; of other options or images all are new."""
    for k in range(5):
        _image(tmp_path / f"{k}.png", np.roll(GREY, k, axis=0))
    out = tmp_path / "results.csv"
    words = ("estimate", *(tmp_path / f"{k}.png" for k in range(5)), "--no-refine", "--weights", weights)
    assert run(*words, "--out", tmp_path / "whole.csv") == 0
    read, count = images.read, [0]

    def counted(path, **how):
        count[0] += 1
        return read(path, **how)

    def stopped(self, entry):
        add(self, entry)
        if len(rows_of(out)) == 3:
            raise KeyboardInterrupt

    add = Journal.add
    monkeypatch.setattr(images, "read", counted)

    def interrupt():
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "add", stopped)
            assert run(*words, "--out", out) == 1
        assert len(rows_of(out)) == 3 and rows_of(out) == rows_of(tmp_path / "whole.csv")[:3]
        count[0] = 0

    interrupt()
    with out.open("a") as file:
        file.write("3.png,1")  # a row that was being written when the process was killed
    assert run(*words, "--out", out) == 0 and count == [2]
    assert out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".png") == ["results.csv", "whole.csv"]
    interrupt()
    assert run(*words, "--noise", 3, "--out", out) == 0 and count == [5]
    interrupt()
    _image(tmp_path / "0.png", GREY[::-1])
    assert run(*words, "--out", out) == 0 and count == [5] and rows_of(out) != rows_of(tmp_path / "whole.csv")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,x\ngood.png,1\n", "column filename: there is no such column"),
        ("filename\ngood.png\ngood.png\n", ("line 3", "line 2")),
        ("filename\n../good.png\n", ("line 2", "leads out")),
        ("filename\n\n", "no rows"),
        ("filename,x,y,einsteinR,sigma,sigma2,theta\ngood.png,1,2,3,4,5,north\n", ("line 2", "theta", "'north'")),
    ],
)
def test_bad_tables_of_images(tmp_path, capsys, text, says):
    _image(tmp_path / "good.png", GREY)
    (tmp_path / "names.csv").write_text(text)
    words = ("estimate", "--csv", tmp_path / "names.csv", "--images", tmp_path, "--no-network", "--out", tmp_path / "r.csv")
    refused(capsys, *words, says=says)
    assert not (tmp_path / "r.csv").exists()


def test_weights_of_another_problem(tmp_path, capsys, weights):
    _image(tmp_path / "good.png", GREY)
    words = ("estimate", tmp_path / "good.png", "--problem", "pm2022", "--weights", weights, "--out", tmp_path / "r.csv")
    refused(capsys, *words, says=("sis2023", "pm2022"))
    other = tmp_path / "weights"
    shutil.copytree(weights, other)
    (other / "config.json").write_text((weights / "config.json").read_text().replace("compact", "vgg11"))
    words = ("estimate", tmp_path / "good.png", "--weights", other, "--out", tmp_path / "r.csv")
    refused(capsys, *words, says=str(other))
    assert not (tmp_path / "r.csv").exists()


def test_what_is_not_the_users_fault_ends_with_one(tmp_path, capsys, monkeypatch):
    def fails(options):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(simulate, "run", fails)
    words = ("simulate", "--problem", "sis2023", "--n", 2, "--out", tmp_path / "out")
    refused(capsys, *words, says=("RuntimeError: first line second line", "--debug"), code=1)
    assert run(*words, "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupted_command_ends_with_one_line(tmp_path, capsys, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "run", interrupted)
    refused(capsys, "simulate", "--out", tmp_path, says="interrupted", code=1)


def test_help_says_how_and_needs_no_jax():
    code = (
        "import sys; from lensjax.cli import main as cli\n"
        "for words in (['--help'], ['simulate', '--help'], ['estimate', '--help'], ['delens', '--help'], ['--version']):\n"
        "    assert cli.main(words) == 0\n"
        "assert 'jax' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == ""
    for command in ("simulate", "estimate", "delens"):
        assert f"usage: lensjax {command}" in done.stdout
    assert done.stdout.count("examples:") == 4 and done.stdout.rstrip().endswith("lensjax 0.1.0")


def test_a_process_of_its_own_keeps_its_programs(tmp_path):
    settings = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION_CACHE")}
    settings |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    words = ["simulate", "--problem", "sis2023", "--n", "1", "--size", "16", "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-m", "lensjax", *words], capture_output=True, text=True, check=False, env=settings)
    assert done.returncode == 0 and done.stderr == "" and "1 image and" in done.stdout
    assert any(path.is_file() for path in (tmp_path / "cache" / "lensjax" / "compiled").rglob("*"))
    # Where nothing can be kept, nothing is, and no word is lost about it.
    (tmp_path / "file").write_text("")
    settings["XDG_CACHE_HOME"] = str(tmp_path / "file")
    done = subprocess.run([sys.executable, "-m", "lensjax", "simulate"], capture_output=True, text=True, check=False, env=settings)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stdout == ""
