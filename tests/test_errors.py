"""Tests of BadInput: fields in, one line out."""

import pickle

import pytest

from lensjax.errors import BadInput, at
from lensjax.files.read import read_bytes, read_json


def test_a_cell_of_a_table():
    error = BadInput(path="data.csv", line=7, column="sigma", value="-3", expected="a length above 0 and up to 10000 px")
    assert str(error) == "data.csv: line 7, column sigma: the value is '-3'; expected a length above 0 and up to 10000 px"
    assert (error.path, error.line, error.column, error.value) == ("data.csv", 7, "sigma", "-3")


def test_words_alone():
    assert str(BadInput("no images")) == "no images"


def test_a_key_and_a_hint():
    error = BadInput("unknown key", path="a.toml", column="[lens] einstien", hint="did you mean einstein?")
    assert str(error) == "a.toml: [lens] einstien: unknown key; did you mean einstein?"


def test_an_empty_cell_and_a_flag():
    assert str(BadInput(path="a.csv", line=2, column="x", value="", expected="a number")) == (
        "a.csv: line 2, column x: the value is empty; expected a number"
    )
    assert (
        str(BadInput(column="--noise", value="0", expected="a positive number")) == "--noise: the value is '0'; expected a positive number"
    )


def test_within_fills_what_is_missing_and_keeps_what_is_known():
    error = BadInput(line=3, column="x", value=None, expected="a number").within(path="a.csv", line=9)
    assert (error.path, error.line, error.value, error.has_value) == ("a.csv", 3, None, True)


def test_a_block_says_where_its_errors_stand():
    with pytest.raises(BadInput) as caught, at(path="a.csv", line=3, column="x"), at(line=9, place="member 2"):
        raise BadInput(value="-1", expected="a length")
    assert str(caught.value) == "a.csv: line 9, column x, member 2: the value is '-1'; expected a length"


def test_an_error_goes_to_another_process_whole():
    error = pickle.loads(pickle.dumps(BadInput(path="a.csv", line=3, column="x", value="-1", expected="a length")))
    assert str(error) == "a.csv: line 3, column x: the value is '-1'; expected a length" and error.value == "-1"


def test_one_ladder_for_files(tmp_path):
    (tmp_path / "file").write_text("")
    expected = {"none": "no such file", "file/below": "part of this path is a file", "": "this is a folder; expected a table"}
    for name, words in {**expected, "a\0b": "zero byte"}.items():
        with pytest.raises(BadInput, match=words):
            read_bytes(f"{tmp_path}/{name}", "a table")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.json: not a JSON file: ") as error:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(error.value)
    (tmp_path / "a.json").write_text('{"steps": [1, 2]}')
    assert read_json(tmp_path / "a.json") == {"steps": [1, 2]}
