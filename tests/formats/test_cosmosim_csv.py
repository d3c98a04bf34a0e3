"""CosmoSim's CSV tables: what is read, what is refused, and that nothing else ever happens."""

import csv
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lensjax.errors import BadInput
from lensjax.formats.cosmosim import parameters
from lensjax.formats.cosmosim import table as tables

NAMES = ("x", "y", "einsteinR", "sigma", "sigma2", "theta")
HEADER = "index,filename,source,lens,chi,R,phi,einsteinR,sigma,sigma2,theta,nterms,x,y\n"
ROW = "1,image-1.png,e,s,50,100,30,20,15,8,45,50,86.6,50\n"


def load(tmp_path, text, problem="sis2023", names=NAMES):
    path = tmp_path / "dataset.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    table = tables.read(path)
    parameters.terms(table, default=50)
    parameters.methods(table, default="roulette")
    return table, parameters.params(table, problem=problem, names=names)


def refused(tmp_path, text, *words, **options):
    with pytest.raises(BadInput) as caught:
        load(tmp_path, text, **options)
    message = str(caught.value)
    assert "\n" not in message and "dataset.csv" in message
    for word in words:
        assert word in message
    return message


def test_the_thesis_columns(tmp_path):
    table, params = load(tmp_path, HEADER + ROW)
    assert table.filenames == ("image-1.png",) and table.lines == (2,)
    np.testing.assert_array_equal(params, [[86.6, 50, 20, 15, 8, 45]])
    assert parameters.terms(table, default=7) == (50,)


@pytest.mark.parametrize(("chi", "expected"), [(50, 20.0), (25, 40.0), (100, 10.0)])
def test_einstein_radius_is_brought_to_one_half(tmp_path, chi, expected):
    _, params = load(tmp_path, HEADER + ROW.replace(",50,100,", f",{chi},100,"))
    assert params[0, 2] == pytest.approx(expected)


def test_cosmosim_3_columns(tmp_path):
    text = "filename,index,lens,model,source,einsteinradius,x,y,sigma,sigma2,theta,luminosity\n"
    table, params = load(tmp_path, text + "a.png,1,SIS,Raytrace,e,40,1,2,15,8,45,3\n")
    np.testing.assert_array_equal(params, [[1, 2, 20, 15, 8, 45]])
    assert parameters.methods(table, default="roulette") == ("raytrace",)


def test_point_mass_keeps_chi_as_a_fraction(tmp_path):
    text = HEADER + ROW.replace(",e,s,50,", ",e,p,30,")
    _, params = load(tmp_path, text, problem="pm2022", names=(*NAMES, "chi"))
    np.testing.assert_allclose(params, [[86.6, 50, 20, 15, 8, 45, 0.3]], rtol=1e-14)


def test_polar_place_and_spherical_source(tmp_path):
    _, params = load(tmp_path, "filename,source,R,phi,einsteinR,sigma\na.png,s,100,30,20,15\n")
    np.testing.assert_allclose(params[0], [100 * math.cos(math.pi / 6), 50, 20, 15, 15, 0], rtol=1e-12)


def test_byte_order_mark_quotes_windows_ends_and_blank_lines(tmp_path):
    text = b"\xef\xbb\xbf" + (HEADER + '\n"1","image-1.png",e,s,50,100,30,20,15,8,45,50,86.6,50\n').replace("\n", "\r\n").encode()
    table, params = load(tmp_path, text)
    assert table.lines == (3,) and params.shape == (1, 6)


@pytest.mark.parametrize("column", ["filename", "einsteinR", "sigma", "sigma2", "theta"])
def test_a_missing_column_is_named(tmp_path, column):
    header, row = HEADER.strip().split(","), ROW.strip().split(",")
    k = header.index(column)
    del header[k], row[k]
    refused(tmp_path, ",".join(header) + "\n" + ",".join(row) + "\n", "line 1", f"column {column}: there is no such column")


def test_a_missing_place_is_named(tmp_path):
    refused(tmp_path, "filename,R,einsteinR,sigma,sigma2,theta\na.png,1,2,3,4,5\n", "line 1", "column x: there is no such column")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("x", "left"), ("x", "nan"), ("y", "inf"), ("y", ""), ("x", "1e300"), ("x", "1_0"), ("sigma", "0"), ("sigma", "-3"),
        ("sigma2", "1e9"), ("sigma2", "nan"), ("theta", "-inf"), ("theta", "north"), ("einsteinR", "0"), ("einsteinR", "-1"),
        ("einsteinR", "12,5"), ("chi", "0.5"), ("chi", "101"), ("chi", "nan"), ("nterms", "1"), ("nterms", "2.5"),
        ("nterms", "many"), ("source", "t"), ("lens", "SIE"), ("lens", "p"), ("filename", ""), ("filename", "  "),
        ("filename", "/etc/passwd"), ("filename", "../a.png"), ("filename", "a/../../b.png"), ("filename", "C:\\a.png"),
        ("filename", "sub\\a.png"), ("filename", "c:a.png"), ("filename", "."), ("filename", "a\tb.png"), ("filename", "a" * 300),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_line_and_column(tmp_path, column, value):
    header, row = HEADER.strip().split(","), ROW.strip().split(",")
    row[header.index(column)] = f'"{value}"'
    other = ROW.replace("image-1", "image-0")
    refused(tmp_path, HEADER + other + ",".join(row) + "\n", "line 3", f"column {column}")


def test_line_numbers_are_those_of_an_editor(tmp_path):
    note = '"two\nlines"'
    text = HEADER.strip() + ",note\n" + ROW.strip() + f",{note}\n\n" + ROW.strip().replace(",15,", ",wide,") + ",\n"
    refused(tmp_path, text.replace("image-1.png,e,s,50,100,30,20,wide", "b.png,e,s,50,100,30,20,wide"), "line 5", "sigma", "'wide'")


def test_duplicate_names_columns_and_lengths(tmp_path):
    refused(tmp_path, HEADER + ROW + ROW, "line 3", "line 2", "image-1.png")
    refused(tmp_path, HEADER + ROW + ROW.replace("image-1", "./image-1"), "line 3", "line 2")
    refused(tmp_path, "filename,x,x\na.png,1,2\n", "line 1", "'x'", "twice")
    refused(tmp_path, HEADER + "1,a.png,e\n", "line 2", "3 cells", "14")
    refused(tmp_path, HEADER, "no rows")
    refused(tmp_path, "", "empty")
    refused(tmp_path, b"\x89PNG\r\n\x1a\n\x00\x00", "UTF-8")
    refused(tmp_path, b"filename\0,x\n", "zero bytes")
    refused(tmp_path, 'filename\n"open', "not CSV")


def test_other_kinds_of_system_are_refused(tmp_path):
    text = HEADER.strip() + ",cluster,lightprofile\n" + ROW.strip()
    refused(tmp_path, text + ",SIS/0/0/20,Gaussian\n", "column cluster")
    refused(tmp_path, text + ",,Sersic\n", "column lightprofile", "'Sersic'")


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        tables.read(tmp_path / "none.csv")
    with pytest.raises(BadInput, match="this is a folder; expected a CSV file"):
        tables.read(tmp_path)


def test_written_tables_are_read_back_exactly(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.uniform(5, 50, (4, 6))
    names = [f"image-{i}.png" for i in range(4)]
    path = tmp_path / "out" / "dataset.csv"
    how = {"nterms": [50] * 4, "methods": ["roulette"] * 4}
    parameters.write(path, names, values, problem="sis2023", names=NAMES, **how)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(parameters.COLUMNS)
    assert rows[2]["index"] == "3" and rows[2]["lens"] == "SIS" and rows[2]["chi"] == "50"
    assert float(rows[1]["R"]) == pytest.approx(np.hypot(*values[1, :2]), abs=1e-6)
    table = tables.read(path)
    np.testing.assert_array_equal(parameters.params(table, problem="sis2023", names=NAMES), values)
    assert [child.name for child in path.parent.iterdir()] == ["dataset.csv"]


def test_point_mass_tables_are_read_back(tmp_path):
    values = np.array([[10.0, 20.0, 30.0, 9.0, 7.0, 100.0, 0.3]])
    names = (*NAMES, "chi")
    path = tmp_path / "dataset.csv"
    parameters.write(path, ["a.png"], values, problem="pm2022", names=names, nterms=[16], methods=["roulette"])
    table = tables.read(path)
    assert table.columns["chi"] == ("30",) and table.columns["lens"] == ("PM",)
    np.testing.assert_allclose(parameters.params(table, problem="pm2022", names=names), values, rtol=1e-15)


def test_the_input_table_stands_in_the_written_one(tmp_path):
    text = HEADER.strip() + ",note\n" + ROW.replace(",50,100,", ",25,100,").strip() + ',"a, b"\n'
    table, params = load(tmp_path, text)
    path = tmp_path / "copy.csv"
    parameters.write(path, ["new.png"], params, problem="sis2023", names=NAMES, nterms=[50], methods=["ring"], origin=table)
    again = tables.read(path)
    assert again.columns["note"] == ("a, b",) and again.columns["model"] == ("Ring",) and again.filenames == ("new.png",)
    assert again.columns["einsteinR"] == ("20",) and again.columns["chi"] == ("25",)
    np.testing.assert_array_equal(parameters.params(again, problem="sis2023", names=NAMES), params)
    assert parameters.methods(again, default="roulette") == ("ring",)


CELL = st.one_of(
    st.text(max_size=12),
    st.floats(allow_nan=True).map(repr),
    st.sampled_from(["", "..", "/", "a.png", "nan", "-1", "50", "e", '"', "\r", "\n", "\0", "１２", "0x10", "SIS"]),
)
GARBLED = st.one_of(
    st.binary(max_size=200),
    st.lists(st.lists(CELL, min_size=14, max_size=14), max_size=3).map(
        lambda rows: (HEADER + "\n".join(",".join(row) for row in rows)).encode("utf-8", "surrogatepass")
    ),
    st.tuples(st.integers(0, len(HEADER + ROW)), st.binary(max_size=3)).map(
        lambda cut: (HEADER + ROW).encode()[: cut[0]] + cut[1] + (HEADER + ROW).encode()[cut[0] :]
    ),
)


@given(GARBLED)
@example(b"")
@example((HEADER + ROW).encode())
def test_garbled_files_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("garbled") / "dataset.csv"
    path.write_bytes(content)
    try:
        table = tables.read(path)
        parameters.terms(table, default=50)
        parameters.methods(table, default="roulette")
        params = parameters.params(table, problem="sis2023", names=NAMES)
    except BadInput as error:
        assert "\n" not in str(error) and "\r" not in str(error)
        return
    assert params.shape == (len(table), 6) and np.isfinite(params).all() and (params[:, 2:5] > 0).all()
    for name in table.filenames:
        assert (path.parent / name).resolve().is_relative_to(path.parent.resolve())


PLAIN = "filename,x,y,sigma\na.png,1.5,-2,3\nb.png,1e1,20,4.25\n"


def columns_of(tmp_path, content):
    path = tmp_path / "dataset.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return dict(tables.read(path).columns)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";").replace(".5", ",5").replace(".25", ",25"),
        "sep=;\n" + PLAIN.replace(",", ";"),
        '"sep=,"\r\n' + PLAIN,
        "sep=\t\n" + PLAIN.replace(",", "\t"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("filename", "Filename"),
        "﻿" + PLAIN,
    ],
)
def test_tables_as_spreadsheets_write_them(tmp_path, content):
    assert columns_of(tmp_path, content) == columns_of(tmp_path, PLAIN)


def test_lines_are_counted_from_the_first_of_the_file(tmp_path):
    path = tmp_path / "dataset.csv"
    path.write_text("sep=;\nfilename;x\n\na.png;1\n")
    assert tables.read(path).lines == (4,)


def test_latin_1_is_read_where_nothing_else_is_meant(tmp_path):
    assert columns_of(tmp_path, "filename,note\na.png,größer\n".encode("latin-1"))["note"] == ("größer",)
    refused(tmp_path, "filename,note\na.png,„größer“\n".encode("cp1252"), "UTF-8")


def test_decimal_commas_beside_decimal_points_are_refused(tmp_path):
    text = "filename;x;y\na.png;1,5;2\nb.png;1;2.5\n"
    with pytest.raises(BadInput) as caught:
        columns_of(tmp_path, text)
    assert "line 2, column x: the value is '1,5'" in str(caught.value) and "line 3 (2.5)" in str(caught.value)


def test_a_separator_that_is_none_is_refused(tmp_path):
    with pytest.raises(BadInput, match="line 1, sep|line 1, column sep"):
        columns_of(tmp_path, "sep=|\nfilename|x\na.png|1\n")


def test_a_missing_column_that_is_misspelt(tmp_path):
    refused(tmp_path, HEADER.replace("einsteinR", "einstienR") + ROW, "column einsteinR: there is no such column; did you mean einstienR?")
    refused(tmp_path, HEADER.replace("nterms", "nterm") + ROW, "line 1, column nterm: unknown column; did you mean nterms?")


def test_models_of_2023(tmp_path):
    text = "filename,source,chi,einsteinR,sigma,sigma2,theta,x,y,model\na.png,e,50,20,15,8,45,60,50,Point Mass (exact)\n"
    table, _ = load(tmp_path, text, problem="pm2022", names=(*NAMES, "chi"))
    assert parameters.methods(table, default="roulette") == ("raytrace",)
    refused(tmp_path, text, "column model", "a lens SIS")


def test_the_methods_that_files_name_are_those_of_the_simulator():
    from lensjax import conventions, simulate

    assert set(conventions.METHODS) == set(simulate.METHODS)
