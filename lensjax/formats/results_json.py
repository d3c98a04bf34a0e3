"""Estimates as JSON: a list of objects, one an image, with the numbers of results.csv in its units, and covariances.

    [{"filename": "lens.fits", "problem": "galaxy", "success": true, "status": ["converged"], "chi2": 1.02,
      "parameters": {"theta_E": {"value": 1.2, "error": 0.003, "identified": true, "unit": "arcsec"}, …},
      "covariance": {"names": ["x", …], "matrix": [[…], …]}, "method": "raytrace", "fit": "least squares"}, …]

Parameters that the answer does not have, such as those of other sources, are left out. Unknown numbers are null. So is the error of a
parameter that the image does not identify, as are its rows and columns of the covariance; `identified` is then false. Where they exist a
parameter has `network`, `low` and `high` (certified bounds), and `east_of_north` (position angle on the sky [deg]); an image has
`violated` and `shift`. `success` is null for the estimate of a network alone.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lensjax.files.whole import write_text
from lensjax.formats.cosmosim.parameters import PERCENT
from lensjax.formats.results import Result
from lensjax.problems.base import Parameter

SUFFIX = ".json"
"""Ending of the files."""


def write(path: str | Path, rows: Sequence[Result], *, problem: str, parameters: Sequence[Parameter], angles: Sequence[str] = ()) -> None:
    """Writes the estimates; the file is there whole or not at all.

    Args:
        path: the file.
        rows: the estimates.
        problem: name of the problem.
        parameters: its P parameters.
        angles: names of those that have a position angle on the sky.

    Raises:
        BadInput: it cannot be written there.
    """
    content = ",\n".join(json.dumps(_entry(row, problem, parameters, angles), allow_nan=False) for row in rows)
    write_text(Path(path), f"[\n{content}\n]\n" if content else "[]\n")


def _entry(row: Result, problem: str, parameters: Sequence[Parameter], angles: Sequence[str]) -> dict[str, Any]:
    scale = np.array([100.0 if parameter.name in PERCENT else 1.0 for parameter in parameters])
    columns = {"value": row.params, "error": row.errors, "network": row.network, "low": row.low, "high": row.high}
    numbers = {key: np.asarray(values, np.float64) * scale for key, values in columns.items()}
    sky = dict(zip(angles, row.angles, strict=False))
    answered = np.isfinite(numbers["value"]) | np.isfinite(numbers["network"])
    shown = [(k, parameter) for k, parameter in enumerate(parameters) if answered[k] or not answered.any()]
    entry: dict[str, Any] = {
        "filename": row.filename,
        "problem": problem,
        "success": row.success,
        "status": row.status.split("; ") if row.status else [],
        "chi2": _number(row.chi2),
        "parameters": {
            parameter.name: {
                "value": _number(numbers["value"][k]),
                "error": _number(numbers["error"][k]),
                "identified": not math.isinf(numbers["error"][k]),
                "unit": "%" if parameter.name in PERCENT else parameter.unit,
                **{key: float(numbers[key][k]) for key in ("network", "low", "high") if math.isfinite(numbers[key][k])},
                **({"east_of_north": sky[parameter.name]} if math.isfinite(sky.get(parameter.name, math.nan)) else {}),
            }
            for k, parameter in shown
        },
        "covariance": None,
    }
    if row.covariance is not None and np.isfinite(row.covariance).any():
        own = np.array([k for k, _ in shown])
        matrix = [[_number(value) for value in line] for line in (row.covariance * np.outer(scale, scale))[np.ix_(own, own)]]
        entry["covariance"] = {"names": [parameter.name for _, parameter in shown], "matrix": matrix}
    entry |= {"method": row.method or None, "fit": row.fit or None}
    if math.isfinite(row.violated):
        entry["violated"] = int(row.violated)
    if math.isfinite(row.shift[0]):
        entry["shift"] = list(row.shift)
    return entry


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
