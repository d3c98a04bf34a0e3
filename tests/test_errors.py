"""Tests of BadInput: fields in, one line out."""

from lensjax.errors import BadInput


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
