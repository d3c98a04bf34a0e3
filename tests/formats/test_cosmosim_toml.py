"""CosmoSim's dataset.toml: what is drawn, what is fixed, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from lensjax.errors import BadInput
from lensjax.formats.cosmosim import draw, rows, strings, toml

SHIPPED = """
[simulator]
model = [ "Raytrace", "Roulette" ]
size = 20
nterms = 4
[lens]
mode = [ "PM", "SIS", "SIE" ]
chi = 50
einstein-min = 2.5
einstein-max = 75
orientation-min = 0
orientation-max = 180
ellipseratio-min = 0.1
ellipseratio-max = 1.0
[source]
mode = "SersicEllipsoid"
sigma-min = 1.25
sigma-max = 20
sigma2-min = 1.25
sigma2-max = 20
theta-min = 0
theta-max = 180
position = "polar"
[position]
phi-min = 0
phi-max = 360
r-min = 1
r-max = 75
"""


def load(tmp_path, text):
    path = tmp_path / "dataset.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return toml.read(path)


def column(table, name):
    return np.array([float(cell) for cell in table.columns[name]])


def drawn(tmp_path, text, n=200, seed=0):
    return draw.draw(load(tmp_path, text), n=n, seed=seed)


def refused(tmp_path, text, *words):
    with pytest.raises(BadInput) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert "\n" not in message and "dataset.toml: " in message
    for word in words:
        assert word in message


def test_the_file_that_cosmosim_ships(tmp_path):
    description = load(tmp_path, SHIPPED)
    assert description.size == 20 and len(description.warnings) == 1 and "[lens] chi: not used" in description.warnings[0]
    table = draw.draw(description)
    assert list(table.columns) == [
        "index", "filename", "model", "einsteinradius", "ellipseratio", "orientation", "lens", "source", "R", "phi", "sigma",
        "sigma2", "theta", "n_sersic", "luminosity", "x", "y",
    ]  # fmt: skip
    assert table.filenames[0] == "image-000001.png" and table.columns["index"][19] == "20"
    made = rows.scenes(table, settings=toml.settings(description))
    assert len(made.scenes) == 20 and not made.warnings
    assert {scene.lens for scene in made.scenes} == {"PM", "SIS", "SIE"}
    assert {scene.model for scene in made.scenes} == {"Raytrace", "Roulette"}
    assert all(scene.nterms == 4 and scene.source == "SersicEllipsoid" for scene in made.scenes)
    assert all(1 <= math.hypot(scene.x, scene.y) <= 75 for scene in made.scenes)
    assert all(2.5 <= scene.masses[0].einsteinradius <= 75 for scene in made.scenes)


def test_a_row_does_not_depend_on_how_many_there_are(tmp_path):
    few, many = drawn(tmp_path, SHIPPED, n=3, seed=5), drawn(tmp_path, SHIPPED, n=9, seed=5)
    for name in few.columns:
        assert few.columns[name] == many.columns[name][:3]
    assert drawn(tmp_path, SHIPPED, n=3, seed=6).columns["x"] != few.columns["x"]


def test_ranges_that_are_not_given_are_cosmosims(tmp_path):
    table = drawn(tmp_path, "[simulator]\nnterms=4\n", n=2000)
    ranges = {"einsteinradius": (10, 50), "sigma": (1, 60), "sigma2": (1, 40), "theta": (0, 179), "n_sersic": (1, 5)}
    for name, (low, high) in (ranges | {"luminosity": (1, 20), "x": (-100, 100), "y": (-100, 100)}).items():
        values, span = column(table, name), high - low
        assert low <= values.min() < low + 0.02 * span and high - 0.02 * span < values.max() <= high
    assert set(table.columns["source"]) == {"e"} and set(table.columns["ellipseratio"]) == {""} and "lens" not in table.columns
    phi = np.degrees(np.arctan2(column(table, "y"), column(table, "x"))) % 360
    np.testing.assert_allclose(column(table, "phi"), phi, atol=1e-5)
    assert load(tmp_path, "[lens]\n").size == 10_000


def test_fixed_values_win_and_lists_are_choices(tmp_path):
    text = '[source]\nsigma=7\nsigma-min=1\nsigma-max=2\ntheta=[10,20,30]\nmode=["s","t"]\n[lens]\neinstein=33\n'
    table = drawn(tmp_path, text)
    assert set(table.columns["sigma"]) == {"7"} and set(table.columns["theta"]) == {"10", "20", "30"}
    assert set(table.columns["source"]) == {"s", "t"} and set(table.columns["einsteinradius"]) == {"33"}


def test_luminosities_thin_out_exponentially(tmp_path):
    table = drawn(tmp_path, "[source]\nluminosity-min=0.5\nluminosity-max=10.5\nluminosity-lambda=3\n", n=4000)
    share = (column(table, "luminosity") - 0.5) / 10
    expected = 1 / 3 - 1 / np.expm1(3)
    assert 0 <= share.min() and share.max() <= 1
    assert share.mean() == pytest.approx(expected, abs=4 * share.std() / 4000**0.5)


@pytest.mark.parametrize(
    ("how", "position", "low", "high"),
    [
        ("polar", "", 1, 2.5),
        ("polar", "r-min=10\n", 0.5, 1.25),
        ("polar", "r-min=20\nr-max=40\n", 1, 2),
        ("relative", "", 0.05, 1.2),
        ("relative", "r-min=20\nr-relativemax=3\n", 1, 3),
        ("critical", "r-min=20\nr-relativemax=3\n", 1, 3),
    ],
)
def test_places_about_a_round_lens(tmp_path, how, position, low, high):
    table = drawn(tmp_path, f'[lens]\neinstein=20\nmode="SIS"\n[source]\nposition="{how}"\n[position]\n{position}', n=500)
    radius = column(table, "R") / 20
    span = high - low
    assert low - 1e-6 <= radius.min() < low + 0.05 * span and high - 0.05 * span < radius.max() <= high + 1e-6
    np.testing.assert_allclose(np.hypot(column(table, "x"), column(table, "y")), column(table, "R"), atol=2e-6)


def test_places_within_an_ellipses_critical_curve(tmp_path):
    text = (
        '[lens]\neinstein=20\nmode="SIE"\nellipseratio=0.25\norientation=30\n[source]\nposition="critical"\n'
        "[position]\nphi=[30,120]\nr-min=0\nr-relativemax=1\n"
    )
    table = drawn(tmp_path, text, n=1000)
    radius, phi = column(table, "R"), np.rint(column(table, "phi"))
    assert 9.5 < radius[phi == 30].max() <= 10 + 1e-5 and 38 < radius[phi == 120].max() <= 40 + 1e-5


def test_clusters(tmp_path):
    text = (
        '[lens]\nmode=["SIS","SIE","PM"]\neinstein-min=10\neinstein-max=20\nellipseratio=0.5\norientation=10\n'
        '[cluster]\ncount=3\nmaxrelativelocation=0.5\n[source]\nposition="relative"\n'
    )
    description = load(tmp_path, text)
    assert any("maxrelativelocation: used" in warning for warning in description.warnings)
    table = draw.draw(description, n=100)
    assert "cluster" in table.columns and "einsteinradius" not in table.columns and "lens" not in table.columns
    kinds = set()
    for scene in rows.scenes(table, settings=toml.settings(load(tmp_path, text))).scenes:
        assert scene.lens == "Cluster" and len(scene.masses) == 3
        kinds |= {mass.kind for mass in scene.masses}
        for mass in scene.masses:
            assert math.hypot(mass.x, mass.y) <= 0.5 * mass.einsteinradius + 1e-5
        reach = max(math.hypot(mass.x, mass.y) + mass.einsteinradius for mass in scene.masses)
        assert math.hypot(scene.x, scene.y) <= 1.2 * reach + 1e-5
    assert kinds == {"PM", "SIS", "SIE"}


def test_a_cluster_and_a_constellation_that_are_given(tmp_path):
    table = drawn(tmp_path, '[lens]\ncluster="SIS/1/2/3;SIS/4/5/6"\n[source]\nmode="s/0/0/3;s/1/1/2"\n', n=2)
    assert table.columns["cluster"] == ("SIS/1/2/3;SIS/4/5/6",) * 2
    assert len(strings.constellation(table.columns["source"][0])) == 2


def test_settings_of_one_image(tmp_path):
    text = (
        '[simulator]\nmodel="Roulette"\nnterms=9\nimagesize=600\ncentred=true\nxireference=false\nsize=3\n'
        '[lens]\nmode="SIE"\neinsteinradius=30\nellipseratio=0.4\norientation=20\n'
        '[source]\nmode=["e"]\nsigma=5\nsigma2=6\ntheta=7\nlightprofile="Sersic"\nn_sersic=2\nluminosity-min=2\n'
        'position="polar"\n[position]\nx=1\ny=2\nr-min=3\n[dataset]\ndirectory="out"\n[annotation]\nreflines=true\n'
        '[resimulation]\ndrawmode="xi"\n[management]\nfilename="a.png"\nmaxcount=4\nmask=true\n'
    )
    description = load(tmp_path, text)
    found = toml.settings(description)
    assert found == {
        "model": "Roulette", "nterms": 9, "imagesize": 600, "centred": True, "xireference": False, "lens": "SIE",
        "einsteinradius": 30, "ellipseratio": 0.4, "orientation": 20, "source": "e", "sigma": 5, "sigma2": 6, "theta": 7,
        "lightprofile": "Sersic", "n_sersic": 2, "x": 1, "y": 2, "directory": "out", "reflines": True, "filename": "a.png",
        "maxcount": 4, "mask": True,
    }  # fmt: skip
    assert description.drawmode == "xi"
    scene = rows.single(found).scenes[0]
    assert scene.source == "SersicEllipsoid" and scene.mask and not scene.xireference and scene.masses[0].ellipseratio == 0.4


def test_settings_leave_out_what_is_drawn(tmp_path):
    found = toml.settings(load(tmp_path, SHIPPED))
    assert found == {"nterms": 4, "source": "SersicEllipsoid"}
    assert toml.settings(load(tmp_path, "[lens]\neinstein=20\n")) == {"einsteinradius": 20}
    assert toml.settings(load(tmp_path, "[lens]\neinstein=20\neinsteinradius=30\n")) == {"einsteinradius": 30}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[lens]\nchi=50\n", "[lens] chi: not used"),
        ("[lens.cluster]\ncount=4\nmaxrelativesize=10\n", "[lens.cluster]: not used"),
        ("[position]\nr-relativemax=2\n", "[position] r-relativemax: used"),
        ("r-relativemax=2\n", "r-relativemax at the top level: used"),
        ('[lens]\namplitudefile="sie05.txt"\n', "[lens] amplitudefile: not used"),
    ],
)
def test_what_cosmosim_reads_otherwise_is_said(tmp_path, text, word):
    description = load(tmp_path, text)
    assert len(description.warnings) == 1 and word in description.warnings[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[source]\nsgima=3\n", ("[source] sgima: unknown key; did you mean sigma?",)),
        ("[sorce]\nsigma=3\n", ("sorce: unknown table or key; did you mean source?",)),
        ("sigma=3\n", ("did you mean [source] sigma?",)),
        ("source=3\n", ("source: the value is 3", "[source]")),
        ("[source]\nsigma=-3\n", ("[source] sigma", "-3", "a length above 0")),
        ("[source]\nsigma=[]\n", ("[source] sigma", "empty")),
        ("[source]\nsigma=[1,-2]\n", ("[source] sigma", "-2")),
        ("[source]\nsigma=nan\n", ("nan",)),
        ('[source]\nsigma="3"\n', ("'3'",)),
        ("[source]\nsigma=true\n", ("True",)),
        ("[source]\nsigma-min=[1,2]\n", ("sigma-min", "a list of 2")),
        ("[source]\nsigma-min=5\nsigma-max=4\n", ("[source] sigma-min", "5", "sigma-max = 4")),
        ("[source]\nsigma-min=61\n", ("sigma-min", "sigma-max = 60")),
        ("[source]\nsigma-max=0.5\n", ("sigma-max", "sigma-min = 1")),
        ("[source]\nmode=[]\n", ("[source] mode", "empty")),
        ('[source]\nmode="Sphericl"\n', ("[source] mode", "did you mean Spherical?")),
        ('[source]\nmode="s/0/0/0"\n', ("[source] mode, member 1, character 7",)),
        ('[source]\nposition="polr"\n', ("[source] position", "did you mean polar?")),
        ("[source]\nluminosity-lambda=0\n", ("luminosity-lambda",)),
        ("[lens]\nellipseratio=1.5\n", ("[lens] ellipseratio", "1.5", "up to 1")),
        ("[lens]\nellipseratio-min=0.5\n", ("ellipseratio-max", "missing")),
        ('[lens]\nmode="SEI"\n', ("did you mean SIE?",)),
        ('[lens]\nmode="Cluster"\n', ("[cluster]",)),
        ('[lens]\nmode=["SIS","Cluster"]\n[cluster]\ncount=2\n', ("PM, SIS or SIE",)),
        ('[lens]\ncluster="SIS/1"\n', ("[lens] cluster, member 1",)),
        ("[cluster]\ncount=1\n", ("[cluster] count", "from 2 to 1000")),
        ("[cluster]\nmaxrelativelocation=1\n", ("[cluster] count", "missing")),
        ("[position]\nr-min=5\nr-max=4\n", ("[position] r-min", "r-max = 4")),
        ("[position]\nr-min=-1\n", ("r-min", "-1")),
        ("[simulator]\nnterms=2.0\n", ("[simulator] nterms", "a whole number from 1 to 200")),
        ("[simulator]\nsize=0\n", ("[simulator] size",)),
        ("[simulator]\ncentred=1\n", ("[simulator] centred", "true or false")),
        ('[simulator]\nmodel="Ray"\n', ("did you mean Raytrace?",)),
        ('[simulator]\nconfig="raysei"\n', ("[simulator] config", "did you mean raysie?")),
        ("[simulator.config]\nmode=0\n", ("[simulator] config", "a table", "text")),
        ("[lens]\nmode=3\n", ("[lens] mode", "3", "text")),
        ("[lens", ("not a TOML file",)),
        (b"\xff\xfe", ("not a TOML file",)),
        ("x = " + "[" * 3000, ("not a TOML file",)),
        ("[source]\nsigma = 0x" + "f" * 5000 + "\n", ("[source] sigma", "more than 60 digits")),
    ],
)
def test_files_that_are_refused(tmp_path, text, words):
    refused(tmp_path, text, *words)


def test_no_file_and_no_cosmosim(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        toml.read(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="this is a folder; expected a TOML file"):
        toml.is_cosmosim(tmp_path)
    path = tmp_path / "old.toml"
    path.write_text('problem = "sis2023"\nn = 3\n')
    assert not toml.is_cosmosim(path)
    path.write_text("[position]\nx = 3\n")
    assert toml.is_cosmosim(path)


VALUES = st.sampled_from(
    ["1", "0", "-1", "2.5", "nan", "inf", "1e999", "true", '""', '"SIE"', '"e"', '"polar"', '"critical"', '"s/0/0/1"', "[]", "[1, 2]",
     '["SIS", "SIE"]', "[[1]]", "{a = 1}", "2020-01-01", '"a\\nb"', "99999999999999999999"]
)  # fmt: skip
LINES = st.builds(
    lambda table, keys: f"[{table}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()),
    st.sampled_from(["simulator", "lens", "cluster", "source", "position", "management", "lens.cluster", "x"]),
    st.dictionaries(st.sampled_from(["mode", "modes", "model", "size", "count", "einstein", "einstein-min", "ellipseratio", "cluster",
                                     "sigma", "sigma-max", "luminosity", "position", "x", "phi", "r-min", "r-max", "index"]), VALUES,
                    max_size=3),
)  # fmt: skip


@profile(max_examples=100)
@given(st.one_of(st.binary(max_size=200), st.lists(LINES, max_size=3).map(lambda parts: "".join(parts).encode())))
@example(b"\xef\xbb\xbf[lens]\r\nmode='SIS'\r\n")
@example(b'"a\\nb" = 1\n')
@example(b'[source]\n"a\\nb" = 1\n')
def test_any_file_is_drawn_from_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("toml") / "dataset.toml"
    path.write_bytes(content)
    try:
        description = toml.read(path)
        table = draw.draw(description, n=2)
        assert len(table) == 2
        rows.scenes(table, settings=toml.settings(description))
    except BadInput as error:
        assert "\n" not in str(error)
