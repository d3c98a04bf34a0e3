"""The demo: its numbers by hand, and the program from end to end."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lensjax import problems
from lensjax.experiments import demo
from lensjax.infer import Solution

ROOT = Path(__file__).parents[2]
PROBLEM = problems.get("sis2023")
TRUTH = np.array([[100.0, 20.0, 20.0, 30.0, 10.0, 40.0], [50.0, -80.0, 10.0, 9.0, 9.0, 0.0]])


def solution(params, errors):
    n, p = params.shape
    empty = np.zeros((n, p))
    arrays = {"params": params, "errors": errors, "covariance": np.zeros((n, p, p)), "lowest": empty, "highest": empty,
              "bound": errors, "fit": np.zeros((n, 8)), "shift": np.zeros((n, 2)), "chi2": np.ones(n),
              "violated": np.array([0, 3]), "slack": np.zeros(n), "success": np.array([True, True])}  # fmt: skip
    return Solution(names=PROBLEM.names, kind=("interval",) * n, method=("roulette",) * n, status=("converged",) * n, **arrays)


def test_table_states_means_medians_bound_and_thesis():
    guess = TRUTH + np.array([[4.0] * 6, [2.0] * 6])
    bound = np.full_like(TRUTH, 0.5)
    bound[1, 5] = np.inf
    table = demo.errors_table(PROBLEM, TRUTH, guess, solution(TRUTH + 0.1, bound), bound)
    rows = {row[0]: row[1:] for row in table.rows}
    half = 0.5 * np.sqrt(2 / np.pi)
    np.testing.assert_allclose(rows["x [px]"], [3.0, 3.0, 0.1, 0.1, half, half, 1.89], rtol=1e-6)
    # the second source is round: its theta is not counted
    np.testing.assert_allclose(rows["theta [deg]"], [4.0, 4.0, 0.1, 0.1, half, half, 1.79], rtol=1e-6)
    assert "raw" in table.columns[-1]


def test_verdict_counts_images_and_bounds():
    bound = np.full_like(TRUTH, 0.5)
    text = demo.verdict_of(PROBLEM, TRUTH, solution(TRUTH + 0.674490 * 0.5, bound), bound)
    assert text.startswith("In 1 of 2 images")
    assert "1.00 times" in text and "100.0 %" in text


def test_values_are_given_to_the_digits_that_are_known():
    errors = np.array([[0.012, 0.5, 1e-9, 0.0012, 3.0, np.inf]])
    table = demo.values(PROBLEM, TRUTH[0], solution(np.repeat(TRUTH[:1] + 0.0314159, 2, axis=0), np.repeat(errors, 2, axis=0)), 0)
    assert [row[2] for row in table.rows] == [
        "100.031 ± 0.012", "20.03 ± 0.50", "20.031416 ± 0.000000", "30.0314 ± 0.0012", "10.0 ± 3.0", "not identified",
    ]  # fmt: skip
    assert [row[1] for row in table.rows][:2] == ["100.000", "20.00"]


def test_source_is_seen_upright_at_its_own_scale():
    picture = demo.source_image(PROBLEM, TRUTH[0], field=240, size=240)
    rows, columns = np.indices(picture.shape)
    x, y = columns - 120.0, 120.0 - rows
    theta = np.deg2rad(40.0)
    along, across = x * np.cos(theta) + y * np.sin(theta), -x * np.sin(theta) + y * np.cos(theta)
    expected = 255 * np.exp(-0.5 * ((along / 30) ** 2 + (across / 10) ** 2))
    np.testing.assert_allclose(picture, expected, atol=0.01)


def program(*arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "experiments.demo", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


@pytest.mark.slow
def test_program_prints_a_table_and_writes_the_page(tmp_path):
    done = program("--n=2", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    refined = {line.split()[0]: float(line.split()[4]) for line in done.stdout.splitlines() if re.match(r"\w+ \[", line)}
    assert set(refined) == set(PROBLEM.names)
    assert all(error < 0.5 for error in refined.values())
    page = (tmp_path / "demo" / "report.html").read_text()
    assert page.count("<img") == 4 + 2 and "thesis, raw" in page


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--n=0"], "--n: the value is 0; expected 1 or more"),
        pytest.param(["--weights=nowhere"], "nowhere: no weights.safetensors", marks=pytest.mark.slow),
    ],
)
def test_program_refuses_in_one_line_with_code_2(arguments, words, tmp_path):
    done = program(*arguments, folder=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr and done.stderr.count("\n") == 1 and not (tmp_path / "demo").exists()
