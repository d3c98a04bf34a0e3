"""Tables of estimates: there and back, and rows as they come."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.formats import results

NAMES = ("x", "einsteinR", "chi")


def fit(**changes):
    values = {
        "params": np.array([[1.25, 20.0, 0.3]]),
        "errors": np.array([[0.01, math.inf, 0.001]]),
        "lowest": np.array([[1.2, math.nan, 0.29]]),
        "highest": np.array([[1.3, math.nan, 0.31]]),
        "chi2": np.array([1.01234567]),
        "success": np.array([True]),
        "status": ("converged, all \"well\"",),
        "method": ("roulette",),
        "kind": ("interval",),
        "violated": np.array([0.0]),
        "shift": np.array([[10.123456789012, -3.0]]),
    }  # fmt: skip
    return SimpleNamespace(**{**values, **changes})


ROWS = (
    results.of_fit("a.png", fit(), network=np.array([1.0, 19.0, 0.25])),
    results.failed("folder/b.png", "failed: the image is black everywhere", names=NAMES),
    results.of_network("c,\n.png", np.array([1.0, 19.0, 0.25])),
)


def test_there_and_back(tmp_path):
    path = tmp_path / "new" / "results.csv"
    results.write(path, ROWS, names=NAMES)
    table = results.read(path)
    assert table.names == NAMES and len(table) == 3
    first, second, third = table
    np.testing.assert_allclose(first.params, [1.25, 20, 0.3], rtol=1e-15)
    np.testing.assert_allclose(first.errors, [0.01, math.inf, 0.001], rtol=1e-15)
    np.testing.assert_allclose(first.network, [1.0, 19.0, 0.25], rtol=1e-15)
    np.testing.assert_allclose(first.low, [1.2, math.nan, 0.29], rtol=1e-15)
    assert first.success is True and first.chi2 == 1.01235 and first.violated == 0 and first.shift == (10.123456789012, -3)
    assert (first.status, first.method, first.fit) == ('converged, all "well"', "roulette", "interval")
    assert second.success is False and np.isnan(second.params).all() and second.status.startswith("failed: ")
    assert third.success is None and third.status == "network" and third.filename == "c,\n.png"
    results.write(tmp_path / "again.csv", table.rows, names=table.names)
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_a_failed_image_is_a_row_of_empty_cells(tmp_path):
    results.write(tmp_path / "r.csv", ROWS[1:2], names=NAMES)
    line = (tmp_path / "r.csv").read_text().splitlines()[1]
    assert line == "folder/b.png,,,,,,,,,,,False,failed: the image is black everywhere,,,,,,,,,,,"


def test_rows_are_there_as_they_come(tmp_path):
    path, whole = tmp_path / "results.csv", tmp_path / "whole.csv"
    results.write(whole, ROWS, names=NAMES)
    results.write(path, ROWS[:1], names=NAMES)
    for row in ROWS[1:]:
        results.append(path, row, names=NAMES)
    assert path.read_bytes() == whole.read_bytes()


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    for call in (lambda path: results.write(path, ROWS, names=NAMES), lambda path: results.append(path, ROWS[0], names=NAMES)):
        with pytest.raises(BadInput, match="cannot be written"):
            call(tmp_path / "file" / "r.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("filename,x\na.png,1\n", ("line 1", "x", "_err")),
        ("filename,x,x_err\na.png,one,1\n", ("line 2, column x", "'one'")),
        ("filename,x,x_err\na.png,inf,1\n", ("line 2, column x", "'inf'")),
        ("filename,x,x_err,success\na.png,1,1,perhaps\n", ("line 2, column success", "True or False")),
        ("file,x,x_err\na.png,1,1\n", ("column filename",)),
    ],
)  # fmt: skip
def test_tables_that_are_refused(tmp_path, text, words):
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(BadInput) as caught:
        results.read(tmp_path / "r.csv")
    for word in ("r.csv", *words):
        assert word in str(caught.value)
