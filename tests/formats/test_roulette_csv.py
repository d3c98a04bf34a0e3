"""Tables of roulette amplitudes: columns in CosmoSim's order, there and back, and what is refused."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from lensjax.errors import BadInput
from lensjax.formats.cosmosim import amplitudes as roulette_csv
from lensjax.formats.scene import Light, Mass, Scene


def record(nterms=3, filename="a.png", **changes):
    shape = (nterms + 1, nterms + 2)
    rng = np.random.default_rng(0)
    m, s = np.indices(shape)
    there = ((m + s) % 2 == 1) & (s <= m + 1)
    scene = Scene(
        filename=filename, index="1", lens="SIS", masses=(Mass("SIS", 20),), source="SersicEllipsoid",
        lights=(Light("SersicEllipsoid", 3, 4, 5, 6, 7, 2, 9),), x=3, y=4,
    )  # fmt: skip
    amplitudes = [np.where(there, rng.normal(size=shape), 0.0) for _ in range(2)]
    made = roulette_csv.of_scene(scene, *amplitudes, xi=(15.0, 20.0), centre=(1.0, 2.0), offset=(0.1, 0.2))
    return dataclasses.replace(made, **changes)


def same(a, b):
    for field in dataclasses.fields(a):
        if not field.compare:
            continue
        one, other = getattr(a, field.name), getattr(b, field.name)
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other, field.name


def test_columns_are_those_of_cosmosim():
    assert ",".join(roulette_csv.columns(2)) == (
        "filename,source,x,y,sigma,sigma2,theta,luminosity,n_sersic,lensX,lensY,centreX,centreY,reletaX,reletaY,offsetX,offsetY,"
        "xiX,xiY,alpha[0][1],alpha[1][0],alpha[1][2],alpha[2][1],alpha[2][3],beta[0][1],beta[1][0],beta[1][2],beta[2][1],beta[2][3]"
    )
    assert roulette_csv.columns(0, ml=True)[:3] == ["filename", "x", "y"]
    assert "xiX" in roulette_csv.columns(0, ml=True) and "offsetX" not in roulette_csv.columns(0, ml=True)


def test_there_and_back(tmp_path):
    path = tmp_path / "new" / "roulette.csv"
    records = [record(), record(filename="b.png", source="Spherical", x=0.1 + 0.2)]
    roulette_csv.write(path, records, 3)
    back = roulette_csv.read(path)
    assert len(back) == 2 and back[0].nterms == 3
    for a, b in zip(records, back, strict=True):
        same(a, b)
    assert [entry.name for entry in path.parent.iterdir()] == ["roulette.csv"]


def test_points_are_seen_from_the_centre_of_light():
    made = record()
    assert made.lens == (-1, -2) and made.centre == (1, 2) and made.releta == (2, 2) and made.xi == (14, 18)
    assert made.lights() == (Light("SersicEllipsoid", 0, 0, 5, 6, 7, 2, 9),)


def test_constellations_go_as_their_string(tmp_path):
    lights = (Light("Spherical", 4, 6, 5, 5), Light("Triangle", 3, 4, 6, 6, 30))
    scene = Scene("a.png", "1", "SIS", (Mass("SIS", 20),), "Constellation", lights, 3.0, 4.0)
    zeros = np.zeros((2, 3))
    roulette_csv.write(tmp_path / "r.csv", [roulette_csv.of_scene(scene, zeros, zeros, xi=(23, 4))], 1)
    back = roulette_csv.read(tmp_path / "r.csv")[0]
    assert back.source.startswith("Spherical/1/2/5") and [light.x for light in back.lights()] == [1, 0]


def test_a_higher_order_is_filled_with_zeros_and_a_lower_one_cut(tmp_path):
    roulette_csv.write(tmp_path / "r.csv", [record(3)], 5)
    back = roulette_csv.read(tmp_path / "r.csv")[0]
    assert back.alpha.shape == (6, 7)
    np.testing.assert_array_equal(back.alpha[:4, :5], record(3).alpha)
    assert not back.alpha[4:].any()
    roulette_csv.write(tmp_path / "r.csv", [record(3)], 1)
    back = roulette_csv.read(tmp_path / "r.csv")[0]
    np.testing.assert_array_equal(back.beta, record(3).beta[:2, :3])


def test_without_redundant_columns(tmp_path):
    roulette_csv.write(tmp_path / "r.csv", [record()], 3, ml=True)
    back = roulette_csv.read(tmp_path / "r.csv")[0]
    np.testing.assert_array_equal(back.alpha, record().alpha)
    assert back.source == "" and back.offset == (0, 0) and back.xi == record().xi
    with pytest.raises(BadInput, match="source: the value is empty"):
        back.lights()


def test_what_is_not_finite_is_left_empty(tmp_path):
    bad = record()
    bad.alpha[1, 2] = np.nan
    roulette_csv.write(tmp_path / "r.csv", [bad], 3)
    assert roulette_csv.read(tmp_path / "r.csv")[0].alpha[1, 2] == 0


def load(tmp_path, text):
    path = tmp_path / "roulette.csv"
    path.write_text(text)
    return roulette_csv.read(path)


def test_brackets_with_a_comma_missing_amplitudes_and_other_columns(tmp_path):
    text = 'filename,source,sigma,xiX,xiY,note,"alpha[2,1]","beta[1,2]"\na.png,s,5,1,2,hello,3,4\nb.png,s,5,1,2,,,4\n'
    first, second = load(tmp_path, text)
    assert first.nterms == 2 and first.alpha[2, 1] == 3 and first.beta[1, 2] == 4 and np.count_nonzero(first.alpha) == 1
    assert second.alpha[2, 1] == 0 and first.sigma2 == 5 and first.centre == (0, 0)


HEADER = "filename,source,sigma,sigma2,theta,xiX,xiY,alpha[0][1]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER + "a.png,e,5,6,7,1,2,x\n", ("line 2, column alpha[0][1]", "'x'", "a finite number")),
        (HEADER + "a.png,e,5,6,7,1,2,3\nb.png,e,5,6,7,,2,3\n", ("line 3, column xiX", "empty")),
        (HEADER + "a.png,e,5,-6,7,1,2,3\n", ("column sigma2", "'-6'", "a length above 0")),
        (HEADER + "a.png,e,0,6,7,1,2,3\n", ("column sigma", "'0'")),
        ("filename,sigma,xiX,xiY\na.png,1,1,1\n", ("no columns alpha[m][s]",)),
        ("filename,sigma,xiY,alpha[0][1]\na.png,1,1,1\n", ("column xiX: there is no such column",)),
        (HEADER.replace("[0][1]", "[1][1]") + "a.png,e,5,6,7,1,2,3\n", ("alpha[1][1]", "s is 1", "0 or 2 with m = 1")),
        (HEADER.replace("[0][1]", "[1][4]") + "a.png,e,5,6,7,1,2,3\n", ("alpha[1][4]", "s is 4")),
        (HEADER.replace("[0][1]", "[201][0]") + "a.png,e,5,6,7,1,2,3\n", ("m is 201", "0 to 200")),
        (HEADER.replace("[0][1]", "[a][0]") + "a.png,e,5,6,7,1,2,3\n", ("not whole numbers",)),
        (HEADER.replace("\n", ',"alpha[0,1]"\n') + "a.png,e,5,6,7,1,2,3,4\n", ("the same amplitude as alpha[0][1]", "once")),
    ],
)
def test_tables_that_are_refused(tmp_path, text, words):
    with pytest.raises(BadInput) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)
    for word in ("roulette.csv: line", *words):
        assert word in str(caught.value)


def test_a_table_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="stop"), roulette_csv.Writer(path, 3) as table:
        table.append(record())
        raise RuntimeError("stop")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput, match="cannot be written"):
        roulette_csv.write(tmp_path / "folder", [record()], 3)
    with pytest.raises(BadInput, match="cannot be written"):
        roulette_csv.write(path / "below", [record()], 3)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["folder", "r.csv"]


@profile(max_examples=100)
@given(
    st.lists(st.sampled_from(["source", "sigma", "xiX", "xiY", "alpha[1][0]", "beta[1,2]", "alpha[9", "beta[0][1]", "x"]), unique=True),
    st.binary(max_size=200) | st.lists(st.sampled_from(["s", "e", "1", "-2", "", "nan", "a/b"]), max_size=12),
)
def test_any_table_is_read_or_refused(tmp_path_factory, names, cells):
    path = tmp_path_factory.mktemp("roulette") / "r.csv"
    header = ",".join(["filename", *(f'"{name}"' for name in names)])
    if isinstance(cells, bytes):
        body = cells
    else:
        body = ",".join(["a.png", *(cells + [""] * len(names))[: len(names)]]).encode()
    path.write_bytes(header.encode() + b"\n" + body)
    try:
        for one in roulette_csv.read(path):
            assert np.isfinite(one.alpha).all() and one.alpha.shape == (one.nterms + 1, one.nterms + 2)
            one.lights()
    except BadInput as error:
        assert "\n" not in str(error)


PREDICTED = "filename,sigma,xiX,xiY,alpha[0][1],alpha[1][0]\na.png,4.7,-47,-23,37,-0.4\nb.png,1.6,0.1,-0.5,-20,-0.3\n"


def predicted(tmp_path, text=PREDICTED, **settings):
    path = tmp_path / "predicted.csv"
    path.write_text(text)
    return roulette_csv.read(path, settings=settings)


def test_what_predictions_lack_comes_from_settings(tmp_path):
    first, second = predicted(tmp_path, source="SersicSphere", luminosity=12, n_sersic="2", sigma=99)
    assert first.lights() == (Light("SersicSphere", 0, 0, 4.7, 4.7, 0, 2, 12),) and second.sigma == 1.6
    assert predicted(tmp_path, source="s")[0].lights()[0].kind == "Spherical"
    assert predicted(tmp_path, source="s", lightprofile="Sersic", luminosity=1, n_sersic=1)[0].lights()[0].kind == "SersicSphere"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ("line 2, column source", "empty", "-S")),
        ({"source": "SersicSphere", "n_sersic": 2}, ("line 2, column luminosity", "empty", "SersicSphere needs it")),
        ({"source": "SersicSphere", "luminosity": 2}, ("line 2, column n_sersic", "empty")),
        ({"source": "SersicSphere", "luminosity": 2, "n_sersic": 0}, ("n_sersic, from the command line", "'0'", "from 0.1 to 20")),
        ({"source": "Ellipsoid", "sigma2": 2}, ("column theta", "empty")),
        ({"source": "Ellipsoid", "theta": 2}, ("column sigma2", "empty")),
        ({"sorce": "s"}, ("sorce: unknown setting; did you mean source?",)),
    ],
)
def test_what_nobody_says_of_a_source_is_named(tmp_path, settings, words):
    with pytest.raises(BadInput) as caught:
        for record in predicted(tmp_path, **settings):
            record.lights()
    for word in words:
        assert word in str(caught.value)


def test_our_own_table_without_redundant_columns_with_a_source(tmp_path):
    roulette_csv.write(tmp_path / "r.csv", [record()], 3, ml=True)
    assert roulette_csv.read(tmp_path / "r.csv", settings={"source": "SersicEllipsoid"})[0].lights() == record().lights()


def test_a_misspelt_column_of_the_source_is_refused(tmp_path):
    with pytest.raises(BadInput, match="column sigmma: unknown column; did you mean sigma?"):
        predicted(tmp_path, PREDICTED.replace("sigma", "sigmma"))
