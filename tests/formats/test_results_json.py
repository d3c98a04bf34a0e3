"""Estimates as JSON: the numbers of results.csv, with units and covariances."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.formats import results_json
from lensjax.problems.base import Parameter
from tests.formats.test_results import ROWS

PARAMETERS = (Parameter("x", "px", -9.0, 9.0), Parameter("einsteinR", "px", 5.0, 50.0), Parameter("chi", "", 0.3, 0.7))


def test_numbers_units_and_words(tmp_path) -> None:
    covariance = np.array([[1e-4, math.nan, 2e-6], [math.nan] * 3, [2e-6, math.nan, 1e-6]])
    rows = (replace(ROWS[0], covariance=covariance), *ROWS[1:])
    results_json.write(tmp_path / "new" / "r.json", rows, problem="pm2022", parameters=PARAMETERS)
    first, second, third = json.loads((tmp_path / "new" / "r.json").read_text(), parse_constant=pytest.fail)
    assert first["filename"] == "a.png" and first["problem"] == "pm2022" and first["status"] == ['converged, all "well"']
    assert first["success"] is True and first["chi2"] == pytest.approx(1.01234567) and first["violated"] == 0
    assert first["parameters"]["x"] == {
        "value": 1.25, "error": 0.01, "identified": True, "unit": "px", "network": 1.0, "low": 1.2, "high": 1.3
    }  # fmt: skip
    assert first["parameters"]["einsteinR"] == {"value": 20.0, "error": None, "identified": False, "unit": "px", "network": 19.0}
    chi = first["parameters"]["chi"]
    assert chi["unit"] == "%" and chi["value"] == pytest.approx(30.0) and chi["error"] == pytest.approx(0.1)
    matrix = first["covariance"]["matrix"]
    assert first["covariance"]["names"] == ["x", "einsteinR", "chi"] and matrix[1] == [None, None, None]
    assert matrix[2][2] ** 0.5 == pytest.approx(chi["error"]) and matrix[0][2] == pytest.approx(2e-4) and matrix[0][0] == 1e-4
    assert second["success"] is False and second["parameters"]["x"]["value"] is None and second["covariance"] is None
    assert third["success"] is None and third["status"] == ["network"] and third["filename"] == "c,\n.png"


def test_angles_on_the_sky(tmp_path) -> None:
    results_json.write(
        tmp_path / "r.json", [replace(ROWS[0], angles=(115.0, math.nan))], problem="a", parameters=PARAMETERS, angles=["x", "chi"]
    )
    (entry,) = json.loads((tmp_path / "r.json").read_text())
    assert entry["parameters"]["x"]["east_of_north"] == 115.0 and "east_of_north" not in entry["parameters"]["chi"]


def test_no_rows_and_a_place_that_cannot_be_written_to(tmp_path) -> None:
    results_json.write(tmp_path / "r.json", [], problem="a", parameters=PARAMETERS)
    assert json.loads((tmp_path / "r.json").read_text()) == []
    with pytest.raises(BadInput, match="cannot be written"):
        results_json.write(tmp_path / "r.json" / "r.json", [], problem="a", parameters=PARAMETERS)
