"""`lensjax simulate` with CosmoSim's files: what holds where several say something, and one line for everything that cannot be used."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lensjax import conventions, problems
from lensjax.cli import arguments
from lensjax.cli.main import main
from lensjax.dataset import render, write
from lensjax.files import images
from lensjax.formats.cosmosim import amplitudes as roulette_csv
from lensjax.simulate import METHODS

SMALL = ("-Z", "32", "-E", "6", "-s", "2.5")


@pytest.fixture(autouse=True, scope="module")
def _no_cache_in_the_home_folder():
    """The cache is what the caller of the tests has set, or none."""
    with pytest.MonkeyPatch.context() as patch:
        if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
            patch.setenv("JAX_COMPILATION_CACHE_DIR", os.devnull)
        yield


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*words) -> int:
    return main(["simulate", *map(str, words)])


def rows(path="out/dataset.csv") -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def pixels(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def table(text: str, name: str = "d.csv") -> str:
    Path(name).write_text(text)
    return name


def toml(text: str, name: str = "d.toml") -> str:
    Path(name).write_text(text)
    return name


def files(folder=".") -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def refused(capsys, *words, says=()) -> str:
    """Runs a command that must end with 2, one line on stderr, and nothing written; returns the line."""
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    capsys.readouterr()
    assert run(*words) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and err.startswith("lensjax: ") and "Traceback" not in err and out == ""
    for word in (says,) if isinstance(says, str) else says:
        assert word in err
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    return err


# What is written


def test_letters_alone(capsys):
    """As CosmoSim's command line: one image, test.png."""
    assert run("-l", "SIE", "-E", 7, "-r", 0.6, "--orientation", 20, "-S", "e", "-s", 3, "--sigma2", 1.5, "-t", 40,
               "-x", 2, "-y", -1, "-Z", 48, "-z", 32, "-C", "-L", "Roulette", "-n", 7, "-M", "--out", "out") == 0  # fmt: skip
    out, err = capsys.readouterr()
    assert err == "" and out == "1 image and dataset.csv in out\n"
    assert files("out") == ["dataset.csv", "test.png"] and pixels("out/test.png").shape == (32, 32)
    (row,) = rows()
    expected = {
        "filename": "test.png", "model": "Roulette", "lens": "SIE", "einsteinradius": "7", "ellipseratio": "0.6", "orientation": "20",
        "source": "Ellipsoid", "sigma": "3", "sigma2": "1.5", "theta": "40", "x": "2", "y": "-1", "nterms": "7", "imagesize": "48",
        "cropsize": "32", "centred": "True", "mask": "True",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


def test_polar_letters_and_other_columns():
    assert run(*SMALL, "-x", 5, "-T", 90, "--set", "n_sersic=2", "--set", "luminosity = 3", "-S", "SersicSphere", "--out", "out") == 0
    (row,) = rows()
    assert float(row["x"]) == pytest.approx(0, abs=1e-9) and float(row["y"]) == 5 and row["n_sersic"] == "2" and row["luminosity"] == "3"


def test_the_table_alone_makes_the_same_images_again():
    Path("d.csv").write_text(
        "filename,lens,ellipseratio,cluster,source,sigma,x,y,model,centred,note\na.png,SIE,0.7,,e,3,2,1,Raytrace,1,kept\n"
        "b/c.png,,,SIS/1/2/4;PM/-3/1/3,s/1/1/2;t/0/0/4/30,,1,-2,Raytrace,0,\n"
    )
    assert run("--csv", "d.csv", "-Z", 32, "--out", "out") == 0
    assert files("out") == ["a.png", "b/c.png", "dataset.csv"] and rows()[0]["note"] == "kept"
    assert run("--csv", "out/dataset.csv", "--out", "again") == 0
    assert rows("again/dataset.csv") == rows()
    for name in ("a.png", "b/c.png"):
        np.testing.assert_array_equal(pixels(f"out/{name}"), pixels(f"again/{name}"))


PRECEDENCE = [
    ("10", ("-E", "8"), "[lens]\neinsteinradius = 6\n", "10"),
    ("", ("-E", "8"), "[lens]\neinsteinradius = 6\n", "8"),
    ("", (), "[lens]\neinsteinradius = 6\n", "6"),
    ("", (), "[lens]\neinstein = 7\n", "7"),
    ("", (), "[source]\nsigma = 3\n", "20"),
]


@pytest.mark.parametrize(("cell", "words", "text", "expected"), PRECEDENCE)
def test_cell_then_command_line_then_toml_then_default(cell, words, text, expected):
    table(f"filename,einsteinradius,x,y\na.png,{cell},1,2\n")
    assert run("--csv", "d.csv", "--toml", toml(text), "-Z", 16, *words, "--out", "out") == 0
    assert rows()[0]["einsteinradius"] == expected


def test_no_row_leaks_into_the_next():
    """A cell that is empty is the default, whatever stood above it."""
    table(
        "filename,lens,einsteinradius,ellipseratio,cluster,source,sigma,x,y,nterms,model,centred,mask,imagesize,cropsize,sampled\n"
        "a.png,SIE,9,0.3,,Ellipsoid,3,5,6,7,Roulette,1,1,32,24,0\n"
        "b.png,,,,SIS/1/1/5,Triangle,4,1,2,,,,,48,,\n"
        "c.png,,,,,,,,,,,,,,,\n"
    )
    assert run("--csv", "d.csv", "--out", "out", "-Z", 40) == 0
    a, b, c = rows()
    assert (c["lens"], c["einsteinradius"], c["source"], c["sigma"], c["x"], c["y"]) == ("SIS", "20", "Spherical", "20", "0", "0")
    assert (c["nterms"], c["model"], c["centred"], c["mask"], c["imagesize"]) == ("16", "Raytrace", "False", "False", "40")
    assert c["cluster"] == "" and (b["lens"], b["nterms"], b["mask"]) == ("Cluster", "16", "False") and a["lens"] == "SIE"
    assert [pixels(f"out/{name}.png").shape[0] for name in "abc"] == [24, 48, 40]
    assert run("-Z", 40, "--set", "filename=c.png", "--out", "alone") == 0
    np.testing.assert_array_equal(pixels("alone/c.png"), pixels("out/c.png"))


RANGES = """[simulator]
imagesize = 24
[lens]
modes = ["SIS", "SIE"]
einstein-min = 3
einstein-max = 6
ellipseratio-min = 0.5
ellipseratio-max = 0.9
orientation-min = 0
orientation-max = 180
[source]
mode = "Ellipsoid"
sigma-min = 1
sigma-max = 3
sigma2-min = 1
sigma2-max = 3
[position]
x-min = -4
x-max = 4
y-min = -4
y-max = 4
"""


def test_ranges_are_drawn_by_seed():
    toml(RANGES)
    for out, words in (("a", ("--seed", 3)), ("b", ("--seed", 3)), ("c", ("--seed", 4)), ("d", ("--seed", 3, "-E", 5))):
        assert run("--toml", "d.toml", "--n", 5, *words, "--out", out) == 0
    content = {out: [(Path(out) / name).read_bytes() for name in files(out)] for out in "abc"}
    assert content["a"] == content["b"] != content["c"]
    assert files("a") == ["dataset.csv", *(f"image-{k:06}.png" for k in range(1, 6))]
    drawn = rows("a/dataset.csv")
    assert {row["lens"] for row in drawn} == {"SIS", "SIE"} and len({row["sigma"] for row in drawn}) == 5
    assert all(3 <= float(row["einsteinradius"]) <= 6 and abs(float(row["x"])) <= 4 for row in drawn)
    fixed = rows("d/dataset.csv")
    assert {row["einsteinradius"] for row in fixed} == {"5"} and [row["x"] for row in fixed] == [row["x"] for row in drawn]
    # One row more changes none of those before it; the table alone makes the same images.
    assert run("--toml", "d.toml", "--n", 6, "--seed", 3, "--out", "more") == 0
    assert rows("more/dataset.csv")[:5] == drawn
    assert run("--csv", "a/dataset.csv", "--out", "again") == 0
    assert [(Path("again") / name).read_bytes() for name in files("again")] == content["a"]


def test_a_size_in_the_toml_file_is_drawn_without_being_asked():
    toml(RANGES.replace("[simulator]", "[simulator]\nsize = 3"))
    assert run("--toml", "d.toml", "--out", "out") == 0 and len(rows()) == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-x", "2", "-y", "-1"), {"x": {"2"}, "y": {"-1"}}),
        (("-y", "-1"), {"y": {"-1"}}),
        (("-x", "3", "-T", "90"), {"y": {"3"}}),
        (("-l", "PM"), {"lens": {"PM"}}),
        (("--cluster", "SIS/1/2/5"), {"cluster": {"SIS/1/2/5"}}),
        (("-L", "Roulette"), {"model": {"Roulette"}}),
        (("--set", "sigma=2"), {"sigma": {"2"}}),
    ],
)
def test_the_command_line_wins_over_what_is_drawn(words, expected):
    toml(RANGES)
    assert run("--toml", "d.toml", "--n", 3, *words, "--out", "out") == 0
    found = rows()
    for name, values in expected.items():
        assert {row[name] for row in found} == values
    if words == ("-y", "-1"):
        assert len({row["x"] for row in found}) == 3 and all(abs(float(row["x"])) <= 4 for row in found)


def test_a_lens_on_the_command_line_wins_over_the_files_cluster():
    toml('[lens]\nmode = "Cluster"\ncluster = "SIS/1/2/5;SIS/3/4/2"\n[simulator]\nimagesize = 16\n')
    assert run("--toml", "d.toml", "-l", "SIS", "--out", "out") == 0 and rows()[0]["lens"] == "SIS"
    assert run("--toml", "d.toml", "--out", "cluster") == 0 and rows("cluster/dataset.csv")[0]["cluster"] == "SIS/1/2/5;SIS/3/4/2"


def test_clusters_to_be_drawn_are_many_images():
    toml("[simulator]\nimagesize = 16\nsize = 2\n[cluster]\ncount = 3\n")
    assert run("--toml", "d.toml", "--out", "out") == 0
    assert [row["cluster"].count(";") for row in rows()] == [2, 2]


def test_a_toml_file_of_one_image():
    toml('[simulator]\nimagesize = 24\nmodel = "Roulette"\n[lens]\nmode = ["PM"]\neinsteinradius = 4\n[position]\nx = 3\ny = 1\n'
         '[management]\nfilename = "one.png"\nmask = true\n')  # fmt: skip
    assert run("--toml", "d.toml", "--out", "out") == 0
    (row,) = rows()
    assert (row["filename"], row["lens"], row["model"], row["x"], row["mask"]) == ("one.png", "PM", "Roulette", "3", "True")


def test_unrounded(capsys):
    table("filename,x,y\na.png,2,1\nb.jpg,3,1\nc,1,1\n")
    assert run("--csv", "d.csv", *SMALL, "--no-quantise", "--out", "out") == 0
    assert files("out") == ["a.tif", "b.tif", "c.tif", "dataset.csv"] and [row["filename"] for row in rows()] == ["a.tif", "b.tif", "c.tif"]
    grey = pixels("out/a.tif")
    assert grey.dtype == np.float32 and (grey != np.round(grey)).any() and 200 < grey.max() <= 255
    refused(capsys, "-S", "Triangle", *SMALL, "--no-quantise", "--out", "o", says="PNG only")
    refused(capsys, "-S", "Triangle", *SMALL, "-n", "three", "--out", "o", says="'three'")


def test_amplitudes_and_images_made_from_them():
    """--roulette-csv, then --roulette: within a grey level where both show something."""
    table("filename,lens,source,x,y,centred\na.png,SIS,s,4,1,0\nsub/b.png,PM,e,5,-2,1\nc.png,SIS,s/1/1/2;e/-2/0/3/1.5/20,4,3,0\n")
    words = ("--csv", "d.csv", "-Z", 64, "-E", 12, "-s", 2.5, "--sigma2", 4, "-L", "Roulette", "-n", 8, "-M")
    assert run(*words, "--roulette-csv", "r/r.csv", "--out", "out") == 0
    records = roulette_csv.read("r/r.csv")
    assert [record.filename for record in records] == ["a.png", "sub/b.png", "c.png"] and {record.nterms for record in records} == {8}
    assert run("--roulette", "r/r.csv", "-Z", 64, "-M", "--out", "back") == 0
    assert files("back") == ["a.png", "c.png", "sub/b.png"]
    for record in records:
        ours, back = (pixels(Path(out) / record.filename).astype(int) for out in ("out", "back"))
        assert ours.max() > 200 and (np.abs(ours - back) > 1).sum() <= 2  # pixels at the mask's rim
    assert run("--roulette", "r/r.csv", "-Z", 64, "-n", 2, "-M", "--no-quantise", "--out", "low") == 0
    assert np.abs(pixels("low/a.tif") - pixels("out/a.png")).max() > 5


def test_the_columns_for_machine_learning():
    assert run(*SMALL, "-x", 3, "--roulette-csv", "r.csv", "--mldata", "-n", 3, "--out", "out") == 0
    assert list(rows("r.csv")[0]) == roulette_csv.columns(3, ml=True)
    assert "centreX" not in rows("r.csv")[0] and "sigma" in rows("r.csv")[0]


def test_bad_rows_are_left_out_and_listed(capsys):
    table("filename,sigma,x,y\na.png,2,1,1\nb.png,-2,1,1\nc.png,3,nan,1\nd.png,3,1,1\n")
    assert run("--csv", "d.csv", "-Z", 16, "--skip-bad", "--out", "out") == 0
    err = capsys.readouterr().err
    assert [row["filename"] for row in rows()] == ["a.png", "d.png"] and files("out") == ["a.png", "d.png", "dataset.csv"]
    assert err.count("\n") == 2 and "line 3, column sigma" in err and "line 4, column x" in err
    table("filename,sigma\na.png,-1\nb.png,0\n", "none.csv")
    refused(capsys, "--csv", "none.csv", "--skip-bad", "--out", "none", says=("no row can be used", "line 2, column sigma"))


def test_a_picture_as_source(capsys):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)).save("p.png")
    words = ("-S", "Image", "-x", 2, "-Z", 32, "-E", 6)
    assert run(*words, "--picture", "p.png", "--out", "out") == 0
    assert pixels("out/test.png").shape == (32, 32, 3)
    refused(capsys, *words, "--out", "o", says=("test.png", "--picture"))
    refused(capsys, *words, "--picture", "none.png", "--out", "o", says="none.png: no such file")
    Path("text.png").write_text("no picture")
    refused(capsys, *words, "--picture", "text.png", "--out", "o", says="text.png: not an image file")
    refused(capsys, *words, "--picture", "p.png", "--no-quantise", "--out", "o", says="PNG only")
    # Also where other images would be made before it.
    table("filename,source,x,y\na.png,s,1,1\nb.png,Image,1,1\n")
    refused(capsys, "--csv", "d.csv", "-Z", 16, "--out", "o", says=("line 3", "--picture"))
    refused(capsys, "--csv", "d.csv", "-Z", 16, "--picture", "text.png", "--out", "o", says="text.png")
    assert run(*words, "--picture", "p.png", "-L", "Roulette", "-n", 4, "--roulette-csv", "r.csv", "--out", "made") == 0
    refused(capsys, "--roulette", "r.csv", "-Z", 32, "--out", "o", says="--picture")
    assert run("--roulette", "r.csv", "-Z", 32, "--picture", "p.png", "--out", "back") == 0
    assert pixels("back/test.png").shape == (32, 32, 3)


def interrupted(monkeypatch, name: str, *words) -> None:
    """Runs a command that is stopped when it writes the image `name`."""
    write_png = images.write_png

    def stopped(path, image, **how):
        if Path(path).name == name:
            raise KeyboardInterrupt
        write_png(path, image, **how)

    with monkeypatch.context() as patch:
        patch.setattr(images, "write_png", stopped)
        assert run(*words) == 1


TABLE_OF_2023 = "filename,x,y,einsteinR,chi,sigma,sigma2,theta\n" + "".join(f"{k}.png,{60 + k},-40,20,40,9,5,30\n" for k in range(6))
TABLE_OF_AMPLITUDES = "filename,source,sigma,xiX,xiY,alpha[1][0]\n" + "".join(f"{k}.png,s,3,{10 + k},0,-0.5\n" for k in range(6))
WAYS = {
    "scenes": ("--csv", "d.csv", *SMALL),
    "2023": ("--csv", "2023.csv", "--size", 16),
    "problem": ("--problem", "sis2023", "--n", 6, "--size", 16),
    "amplitudes": ("--roulette", "r.csv", "-Z", 32),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_resumes_after_an_interruption(monkeypatch, capsys, way):
    """One process is stopped; the next, given the same words, makes what is missing."""
    table("filename,x,y\n" + "".join(f"{k}.png,{k},1\n" for k in range(6)))
    table(TABLE_OF_2023, "2023.csv")
    table(TABLE_OF_AMPLITUDES, "r.csv")
    words = (*WAYS[way], "--out", "out")
    names = [f"image-{k:06}.png" if way == "problem" else f"{k}.png" for k in range(1 if way == "problem" else 0, 7)][:6]
    interrupted(monkeypatch, names[3], *words)
    assert capsys.readouterr().err == "lensjax: interrupted\n" and not Path("out/dataset.csv").exists()
    done = [json.loads(line)[0] for line in Path("out", write.JOURNAL).read_text().splitlines()[1:]]
    assert done == names[:3]
    before = {name: Path("out", name).stat().st_ino for name in done}
    assert run(*words) == 0
    assert {name: Path("out", name).stat().st_ino for name in done} == before
    assert files("out") == [*names] + ([] if way == "amplitudes" else ["dataset.csv"]) or files("out") == ["dataset.csv", *names]
    assert run(*WAYS[way], "--out", "whole") == 0
    assert all(Path("out", name).read_bytes() == Path("whole", name).read_bytes() for name in files("whole"))


def test_amplitudes_resume_without_rendering_again(monkeypatch):
    """A run that is stopped between its images and its tables keeps both."""
    table("filename,x,y\n" + "".join(f"{k}.png,{3 + k},1\n" for k in range(4)))
    words = ("--csv", "d.csv", *SMALL, "-L", "Roulette", "-n", 4, "--roulette-csv", "r.csv", "--out", "out")
    with monkeypatch.context() as patch:
        patch.setattr(roulette_csv, "Writer", stop_here)
        assert run(*words) == 1
    assert not Path("r.csv").exists() and not Path("out/dataset.csv").exists()
    with monkeypatch.context() as patch:
        patch.setattr(render, "render", lambda scenes, *, only, **how: iter(only))  # nothing is left to render
        assert run(*words) == 0
    assert files("out") == [*(f"{k}.png" for k in range(4)), "dataset.csv"] and len(rows("r.csv")) == 4


def stop_here(*args, **how):
    raise KeyboardInterrupt


@pytest.mark.slow
def test_a_problem_that_was_killed_is_continued():
    """SIGKILL in the middle; the same words again give the files of an unbroken run."""
    words = ("--problem", "sis2023", "--n", "300", "--size", "16")
    settings = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-m", "lensjax", "simulate", *words, "--out", "out"], env=settings)
    journal = Path("out", write.JOURNAL)
    while process.poll() is None and (not journal.is_file() or journal.read_bytes().count(b"\n") < 10):
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    done = journal.read_bytes().count(b"\n") - 1
    assert 8 < done < 300
    assert run(*words, "--out", "out") == 0 and run(*words, "--out", "whole") == 0
    names = files("whole")
    assert [name for name in files("out") if ".tmp-" not in name] == names and len(names) == 301
    assert all(Path("out", name).read_bytes() == Path("whole", name).read_bytes() for name in names)


@pytest.mark.parametrize("problem", ["sis2023", "pm2022"])
def test_a_problems_systems_are_the_same_as_cosmosims(problem):
    """Whatever they are written as: the Einstein radius is einsteinR / chi, with each row's own chi."""
    words = ("--problem", problem, "--n", 3, "--seed", 2, "--method", "raytrace")
    assert run(*words, "--out", "own", "--size", 100) == 0
    assert run(*words, "--out", "theirs", "--roulette-csv", "r.csv") == 0
    for own, theirs in zip(rows("own/dataset.csv"), rows("theirs/dataset.csv"), strict=True):
        radius = float(own["einsteinR"]) / (float(own["chi"]) / 100)
        assert float(theirs["einsteinradius"]) == pytest.approx(radius, rel=1e-8)
        small = pixels(f"theirs/{theirs['filename']}").reshape(100, 4, 100, 4).mean((1, 3))
        assert np.abs(small - pixels(f"own/{own['filename']}")).max() < 6
    assert len({row["chi"] for row in rows("own/dataset.csv")}) == (3 if problem == "pm2022" else 1)


def test_lookup_cosmosim():
    assert run(*SMALL, "-x", 3.2, "--lookup", "cosmosim", "--no-quantise", "--out", "theirs") == 0
    assert run(*SMALL, "-x", 3.2, "--no-quantise", "--out", "ours") == 0
    theirs, ours = (pixels(f"{out}/test.tif") for out in ("theirs", "ours"))
    assert (theirs == np.round(theirs)).all() and 0.5 < np.abs(theirs - ours)[ours > 1].mean() < 20


def test_flags_know_every_problem_and_method():
    """They are written once more in the command line, which answers --help before JAX is imported."""
    assert sorted(arguments.PROBLEMS) == sorted(problems.names()) and conventions.METHODS == METHODS


def test_a_contact_sheet_of_a_problems_images():
    words = ("--problem", "sis2023", "--n", 6, "--size", 16)
    assert run(*words, "--sheet", "s.png", "--out", "out") == 0 and files("out")[0] == "dataset.csv" and pixels("s.png").size > 1000


# What is refused

COMMANDS = [
    (("-l", "SIX"), ("lens", "'SIX'", "PM, PointMass, SIS, SIE or Cluster", "did you mean SIS?")),
    (("-S", "Elipsoid"), ("source", "'Elipsoid'", "did you mean Ellipsoid?")),
    (("-L", "Raytrac"), ("model", "did you mean Raytrace?")),
    (("--set", "sigmma=3"), ("sigmma: unknown setting", "did you mean sigma?")),
    (("--set", "sigma"), ("'sigma'", "COLUMN=VALUE")),
    (("--set", "=3"), "COLUMN=VALUE"),
    (("-l", "SIE", "-r", "0"), ("ellipseratio", "'0'", "above 0 and up to 1")),
    (("-l", "SIE", "-r", "1.2"), ("ellipseratio", "'1.2'")),
    (("-l", "SIE", "-r", "-0.5"), ("ellipseratio", "'-0.5'")),
    (("-E", "-5"), ("einsteinradius", "'-5'", "command line")),
    (("-s", "0"), ("sigma", "'0'")),
    (("-S", "e", "--sigma2", "-1"), ("sigma2", "'-1'")),
    (("-s", "nan"), ("sigma", "'nan'")),
    (("-x", "inf"), ("x", "'inf'")),
    (("-Z", "8"), ("imagesize", "'8'", "16")),
    (("-Z", "99999"), ("imagesize", "8192")),
    (("-n", "0"), ("nterms", "1 to 200")),
    (("-n", "2.5"), ("nterms", "'2.5'")),
    (("--set", "centred=maybe"), ("centred", "'maybe'")),
    (("-S", "SersicSphere", "--set", "n_sersic=0"), ("n_sersic", "from 0.1 to 20")),
    (("--cluster", "SIS/1/2"), ("member 1, character 1", "SIS/x/y/R_E")),
    (("--cluster", "SIS/1/2/5;SIQ/1/2/3"), ("member 2, character 11", "'SIQ'", "did you mean")),
    (("--cluster", "SIS/1/2/5;SIE/1/2/3/1.5/0"), ("member 2, character 21", "ellipseratio", "'1.5'")),
    (("--cluster", "SIS/1/2/five"), ("character 9", "'five'")),
    (("-l", "Cluster"), ("cluster", "SIS/x/y/R_E")),
    (("-S", "s/1/2"), ("source", "member 1")),
    (("--set", "filename=../x.png"), ("'../x.png'", "leads out of the folder")),
    (("--set", "filename=/x.png"), ("'/x.png'", "leads out of the folder")),
    (("--picture", "none.png", "-S", "Image"), "none.png: no such file"),
    (("--n", "3"), "--n"),
    (("--method", "ring"), "--method"),
    (("--size", "100"), "--size"),
    (("--mldata",), "--roulette-csv"),
    (("--roulette-csv", "out/dataset.csv"), "another name"),
    (("--roulette-csv", "file/r.csv"), "is a file"),
    (("--roulette-csv", "."), "folder"),
    (("--problem", "sis2023", "--n", "2"), "not with --problem"),
    (("--csv", "none.csv"), "none.csv: no such file"),
    (("--toml", "none.toml"), "none.toml: no such file"),
    (("--csv", "good.csv", "--n", "3"), "--n"),
    (("--csv", "good.csv", "--seed", "3"), "--seed"),
    (("--csv", "file"), "empty"),
    (("--csv", "folder"), ("folder", "this is a folder")),
    (("--roulette", "none.csv"), "none.csv: no such file"),
    (("--roulette", "good.csv"), "alpha"),
]


@pytest.mark.parametrize(("words", "says"), COMMANDS, ids=lambda part: " ".join(part) if isinstance(part, tuple) else part)
def test_bad_commands(capsys, words, says):
    Path("file").write_text("")
    Path("folder").mkdir()
    table("filename,x,y\na.png,1,2\n", "good.csv")
    more = () if "--roulette" in words else ("-y", "1")
    refused(capsys, *words, *more, "--out", "out", says=says)


@pytest.mark.parametrize("words", [("-l", "SIS"), ("--csv", "good.csv", "-C"), ("--roulette", "r.csv")])
@pytest.mark.parametrize("out", ["file", "file/below"])
def test_out_is_a_file(capsys, words, out):
    Path("file").write_text("mine")
    table("filename,x,y\na.png,1,2\n", "good.csv")
    table("filename,source,sigma,xiX,xiY,alpha[1][0]\na.png,s,3,10,0,-0.5\n", "r.csv")
    refused(capsys, *words, "--out", out, says="is a file")


ROWS = [
    ("filename,lens\na.png,SIS\nb.png,SIQ\n", ("line 3, column lens", "'SIQ'", "did you mean SI")),
    ("filename,source\na.png,Sphericl\n", ("line 2, column source", "did you mean Spherical?")),
    ("filename,lens,ellipseratio\na.png,SIE,0\n", ("line 2, column ellipseratio", "'0'")),
    ("filename,lens,ellipseratio\na.png,SIE,1.01\n", ("line 2, column ellipseratio", "'1.01'")),
    ("filename,sigma\na.png,2\nb.png,-2\n", ("line 3, column sigma", "'-2'")),
    ("filename,einsteinradius\na.png,0\n", ("line 2, column einsteinradius", "'0'")),
    ("filename,cluster\na.png,SIS/1/2/3;SIS/1/b/3\n", ("line 2, column cluster", "member 2, character 17", "'b'")),
    ("filename,x\na.png,nan\n", ("line 2, column x", "'nan'")),
    ("filename,x\na.png,1e999\n", ("line 2, column x", "'1e999'")),
    ("filename,x\n../a.png,1\n", ("line 2, column filename", "leads out")),
    ("filename,x\n/tmp/a.png,1\n", ("line 2, column filename", "leads out")),
    ("filename,directory\na.png,../up\n", ("line 2, column filename", "leads out")),
    ("filename,x\na.png,1\na.png,2\n", ("line 3, column filename", "line 2")),
    ("filename,directory\na.png,b\nb/a.png,\n", ("line 3, column filename", "line 2")),
    ("filename,x\na.png,1\na.jpg,2\n", ("'a.jpg'", "'a.png'", "written to a.png")),
    ("filename,x\na,1\na.png/b.png,2\n", ("'a.png/b.png'", "a.png, which is an image's name")),
    ("filename,x\n,1\n", ("line 2, column filename", "empty")),
    ("filename,x\na.png,1,2\n", ("line 2", "3 cells")),
    ("file,x\na.png,1\n", "column filename: there is no such column"),
    ("filename,x\n", "no rows"),
    ("", "empty"),
]


@pytest.mark.parametrize(("text", "says"), ROWS)
def test_bad_tables(capsys, text, says):
    refused(capsys, "--csv", table(text), "-Z", 16, "--out", "out", says=("d.csv", *((says,) if isinstance(says, str) else says)))


FILES = [
    ('[lens]\nmode = "SIQ"\n', ("[lens] mode", "'SIQ'", "did you mean SI")),
    ('[source]\nmode = "Sphericla"\n', ("[source] mode", "did you mean Spherical?")),
    ("[source]\nsigmma = 3\n", ("[source] sigmma", "unknown key", "did you mean sigma?")),
    ("[sources]\nsigma = 3\n[lens]\n", ("sources", "did you mean source?")),
    ("[lens]\nellipseratio = 1.5\n", ("[lens] ellipseratio", "1.5")),
    ("[lens]\nellipseratio = 0\n", ("[lens] ellipseratio", "above 0 and up to 1")),
    ("[source]\nsigma = -1\n", ("[source] sigma", "-1")),
    ("[source]\nsigma = nan\n", ("[source] sigma", "nan")),
    ("[source]\nsigma-min = 5\nsigma-max = 3\n", ("[source] sigma-min", "sigma-max")),
    ('[lens]\ncluster = "SIS/1/2"\n', ("[lens] cluster", "member 1")),
    ('[simulator]\nsize = "many"\n', ("[simulator] size", "'many'")),
    ('[simulator]\nimagesize = 16\n[management]\nfilename = "../a.png"\n', ("'../a.png'", "leads out")),
    ("[lens\n", "not a TOML file"),
]


@pytest.mark.parametrize(("text", "says"), FILES)
def test_bad_toml_files(capsys, text, says):
    refused(capsys, "--toml", toml(text), "--out", "out", says=("d.toml", *((says,) if isinstance(says, str) else says)))


AMPLITUDES = [
    ("filename,source,xiX,xiY,alpha[1][0]\na.png,Spherical,1,2,0.1\n", ("line 2, column sigma", "empty")),
    (
        "filename,source,sigma,xiX,xiY,alpha[1][0]\na.png,s,2,3,4,1\nb.png,Sphericla,2,1,2,1\n",
        ("d.csv: line 3, column source", "did you mean Spherical?"),
    ),
    ("filename,source,sigma,xiX,xiY,alpha[1][1]\na.png,s,2,1,2,0.1\n", ("alpha[1][1]", "0 or 2")),
    ("filename,source,sigma,xiX,xiY,alpha[1][0]\na.png,s,2,1,2,x\n", ("line 2, column alpha[1][0]", "'x'")),
    ("filename,source,sigma,xiX,xiY,alpha[1][0]\n../a.png,s,2,1,2,1\n", "leads out"),
    ("filename,source,sigma,xiX,xiY,alpha[1][0]\na.png,s,2,1,2,1\na.tif,s,2,1,2,1\n", "written to a.png"),
    ("filename,source,sigma,xiX,alpha[1][0]\na.png,s,2,1,1\n", "xiY"),
]


@pytest.mark.parametrize(("text", "says"), AMPLITUDES)
def test_bad_tables_of_amplitudes(capsys, text, says):
    refused(capsys, "--roulette", table(text), "-Z", 16, "--out", "out", says=says)


@pytest.mark.parametrize("words", [("-E", "5"), ("-C",), ("--csv", "d.csv"), ("--seed", "1"), ("--mldata",), ("--lookup", "cosmosim")])
def test_what_does_not_go_with_amplitudes(capsys, words):
    table("filename,source,sigma,xiX,xiY,alpha[1][0]\na.png,s,3,10,0,-0.5\n", "r.csv")
    refused(capsys, "--roulette", "r.csv", *words, "--out", "out", says="does not go with --roulette")


def test_one_bad_row_among_thousands(capsys):
    """Named before anything is rendered."""
    lines = [f"image-{k:06}.png,{3 + k % 7},{k % 11},{k % 5}\n" for k in range(9_000)]
    lines[8765] = "image-008765.png,wide,1,1\n"
    table("filename,sigma,x,y\n" + "".join(lines))
    refused(capsys, "--csv", "d.csv", "--out", "out", says=("d.csv: line 8767, column sigma", "'wide'"))


def test_a_log_has_a_line_before_the_first_of_many_images(monkeypatch, capsys):
    table("filename,x,y\n" + "".join(f"{k}.png,{k % 100},1\n" for k in range(10_000)))
    monkeypatch.setattr(render, "render", stop_here)
    assert run("--csv", "d.csv", *SMALL, "--out", "out") == 1
    assert capsys.readouterr().err == "lensjax: d.csv: 10000 rows; they are checked before the first image\nlensjax: interrupted\n"


PREDICTED = """filename,sigma,xiX,xiY,alpha[1][0],alpha[1][2],luminosity,n_sersic
a.png,3,10,0,-0.5,0.1,,
b.png,4,9,2,-0.4,0.1,,
"""


def test_predicted_amplitudes_take_their_source_from_the_command_line_or_a_toml_file(capsys):
    """What a table of predictions lacks is said by flags or a TOML file; a number that is nowhere is named, not filled in."""
    table(PREDICTED, "p.csv")
    words = ("--roulette", "p.csv", "-Z", 32)
    sersic = ("-S", "SersicSphere", "--set", "n_sersic=1.5", "--set", "luminosity=12")
    assert run(*words, *sersic, "--out", "out") == 0 and files("out") == ["a.png", "b.png"] and pixels("out/a.png").max() > 20
    toml('[source]\nmode = "SersicSphere"\nn_sersic = 1.5\nluminosity = 12\n')
    assert run(*words, "--toml", "d.toml", "--out", "same") == 0
    np.testing.assert_array_equal(pixels("same/b.png"), pixels("out/b.png"))
    assert run(*words, "--toml", "d.toml", "-S", "Spherical", "--out", "round") == 0
    assert np.abs(pixels("round/b.png").astype(int) - pixels("out/b.png")).max() > 5
    refused(capsys, *words, "--out", "o", says=("p.csv", "line 2", "source"))
    refused(capsys, *words, *sersic[:4], "--out", "o", says=("p.csv", "line 2", "luminosity"))
    refused(capsys, *words, *sersic[:2], *sersic[4:], "--out", "o", says=("p.csv", "line 2", "n_sersic"))


def test_warnings_do_not_go_with_a_refusal(capsys):
    """What is wrong is one line; what was passed over is said when images are made."""
    table("filename,x,y,zzz,source\na.png,1,2,red,Image\n")
    refused(capsys, "--csv", "d.csv", "-Z", 16, "--out", "out", says="--picture")
    table("filename,x,y,zzz\na.png,1,2,red\n")
    assert run("--csv", "d.csv", "-Z", 16, "--out", "out") == 0
    assert capsys.readouterr().err == "lensjax: d.csv: column zzz: not read\n"
