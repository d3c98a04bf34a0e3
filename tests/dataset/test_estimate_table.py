"""Tables of estimates: their columns are those of all sources that a lens may be fitted with."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from lensjax.dataset.estimate_table import EstimateTable
from lensjax.estimate import Estimate
from lensjax.infer import Solution
from lensjax.pipeline.options import Options, answers_of
from lensjax.problems.galaxy import galaxy


def test_a_lens_with_another_source_has_the_same_columns(tmp_path: Path) -> None:
    table, other = galaxy(source="shapelets", n_max=2), galaxy(source="pixels", source_pixels=4)
    solution = Solution.failed(other.names, "", coordinates=other.size)
    solution = replace(solution, params=np.arange(1.0, len(other.names) + 1)[None], status=("source of 4×4 pixels",))
    EstimateTable(tmp_path / "out.csv", [table]).begin(["lens.fits"], [Estimate(None, solution, None)])
    with (tmp_path / "out.csv").open() as lines:
        (row,) = csv.DictReader(lines)
    for name in ("theta_E", "gamma2", "source_x"):
        assert float(row[name]) == other.names.index(name) + 1.0
    assert row["source_beta"] == "" and "source_pixel" not in row and "source_a0_0" not in row


def test_sources_of_profiles_have_columns_beside_shapelets(tmp_path: Path) -> None:
    answers = answers_of(Options())
    two = answers[2]
    solution = Solution.failed(two.names, "", coordinates=two.size)
    solution = replace(solution, params=np.arange(1.0, len(two.names) + 1)[None], status=("source of 2 Sérsic profiles",))
    for name in ("out.csv", "out.json"):
        EstimateTable(tmp_path / name, answers, angles=("phi", "source2_phi")).begin(["lens.fits"], [Estimate(None, solution, None)])
    with (tmp_path / "out.csv").open() as lines:
        (row,) = csv.DictReader(lines)
    for name in ("theta_E", "source_R", "source_flux", "source2_n"):
        assert float(row[name]) == two.names.index(name) + 1.0
    assert row["source_beta"] == row["source3_R"] == ""
    (entry,) = json.loads((tmp_path / "out.json").read_text())
    assert set(entry["parameters"]) == set(two.names)
