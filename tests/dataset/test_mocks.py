"""Mocks with truth: what they are, a run that resumes, and what the tables say of them."""

import csv
import io
from dataclasses import asdict, replace

import jax
import numpy as np
import pytest

from lensjax._internal.progress import Progress
from lensjax.cli.main import main
from lensjax.dataset import mocks
from lensjax.errors import BadInput
from lensjax.infer import calibration
from lensjax.problems import components
from lensjax.problems.compose import compose
from lensjax.report import calibrate_mocks
from lensjax.report import mocks as report

LENS = components.sie(unit="arcsec", theta_e=(0.3, 3.0), reach=0.2)
PROBLEM = compose("sie", [LENS, components.gaussian(sigma=(0.1, 0.3), reach=0.5, q=None)], sky=True)
SMALL = mocks.Mocks(n=4, seed=3, pixels=20, pixel_scale=0.1, fwhm=2.0, peak=30.0)
P = len(PROBLEM.names)


def row(k: int, *, width: float = 1.0, success: bool = True, drawn: bool = True) -> mocks.Row:
    """A mock whose fit is off by noise of 1; errors are `width`."""
    random = np.random.default_rng(k)
    truth, off = random.normal(size=P), random.normal(size=P)
    draws = truth + off + width * random.normal(size=(200, P))
    periods = [parameter.period for parameter in PROBLEM.parameters]
    params = truth + off
    return mocks.Row(
        truth=truth.tolist(), params=params.tolist(), errors=[width] * (P - 1) + [float("inf")], success=success, status="converged, more",
        seconds=1.0, ranks=calibration.rank(truth, draws, params, periods, seed=k).tolist(), mean=params.tolist(), spread=[width] * P,
        nearer=calibration.nearer(truth, draws, params, periods, seed=k) if drawn else float("nan"), r_hat=1.0, ess=200.0, divergent=0,
        trusted=k % 50 != 0, sampled=2.0,
    )  # fmt: skip


def test_a_mock_is_drawn_from_the_prior_with_its_noise() -> None:
    truth, seen = mocks.drawn(PROBLEM, SMALL, 1)
    again, _ = mocks.drawn(PROBLEM, replace(SMALL, n=9), 1)
    np.testing.assert_array_equal(truth, again)
    assert 0.3 <= truth[PROBLEM.names.index("theta_E")] <= 0.4 * 2.0
    light = np.asarray(PROBLEM.image(jax.numpy.asarray(truth, "float32"), seen.instrument), np.float64)
    assert 20.0 <= light.max() <= 45.0
    assert np.std(np.asarray(seen.data) - light) == pytest.approx(1.0, abs=0.1)
    assert seen.instrument.pixel_scale == 0.1 and seen.instrument.psf is not None


def test_mocks_are_fitted_with_the_prior_they_are_drawn_from() -> None:
    own, k = mocks.fitted_as(PROBLEM, 2.0), PROBLEM.names.index("theta_E")
    assert own.lens_range[0] == (0.3, 0.8) and PROBLEM.lens_range[0] == (0.3, 3.0) and own.names == PROBLEM.names
    assert [a == b for a, b in zip(own.parameters, PROBLEM.parameters, strict=True)].count(False) == 1
    at = jax.numpy.asarray([*(parameter.low for parameter in PROBLEM.parameters)])
    np.testing.assert_array_equal(own.encode(at)[: own.size], PROBLEM.encode(at)[: own.size])
    assert own.parameters[k].high == 0.8


def test_a_field_without_room_for_a_lens_is_refused() -> None:
    with pytest.raises(BadInput, match="no lens of the problem fits"):
        mocks.drawn(PROBLEM, replace(SMALL, pixel_scale=0.02), 0)


def test_a_run_that_was_interrupted_resumes(tmp_path, monkeypatch) -> None:
    done = []

    def fitted(problem, wanted, k):
        if k == 2 and len(done) < 3:
            done.append("broken")
            raise KeyboardInterrupt
        done.append(k)
        return row(k)

    monkeypatch.setattr(mocks, "fitted", fitted)
    with pytest.raises(KeyboardInterrupt):
        mocks.rows(PROBLEM, SMALL, tmp_path, progress=Progress(4, "mock"))
    found = mocks.rows(PROBLEM, replace(SMALL, n=5), tmp_path, progress=Progress(5, "mock"))
    assert done == [0, 1, "broken", 2, 3, 4]
    assert str([asdict(part) for part in found]) == str([asdict(row(k)) for k in range(5)])
    lines = calibrate_mocks.run(PROBLEM, tmp_path, **(asdict(SMALL) | {"n": 5}))
    assert done[-1] == 4, "all were there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calibration.png", "coverage.csv", "mocks.csv"]
    assert lines[0].startswith("5 mocks, 5 fitted with success") and (tmp_path / "calibration.png").stat().st_size > 10_000


@pytest.mark.parametrize(("width", "says"), [(1.0, "uniform"), (0.5, "not uniform")])
def test_tables_say_what_errors_are_worth(width: float, says: str) -> None:
    rows = [row(k, width=width) for k in range(1, 121)] + [row(130, success=False)]
    found = report.result(PROBLEM.names, [parameter.period for parameter in PROBLEM.parameters], rows)
    assert (found.count, len(found.pulls), len(found.ranks), found.distrusted) == (121, 120, 118, 2)
    cells = list(csv.DictReader(io.StringIO(report.table(found))))
    assert [cell["parameter"] for cell in cells] == list(PROBLEM.names) and cells[0]["mocks"] == "120"
    assert cells[-1]["errors within 68 %"] == "" and cells[-1]["mocks"] == "0", "the last is not identifiable"
    for column in ("errors within 68 %", "posterior within 68 %"):
        assert np.mean([float(cell[column]) for cell in cells[:-1]]) == pytest.approx({1.0: 0.683, 0.5: 0.383}[width], abs=0.05)
    assert float(cells[0]["sd of pulls"]) == pytest.approx(1.0 / width, rel=0.25)
    text = "\n".join(report.lines(found))
    assert f"ranks of the truth: {says}" in text and f"(TARP): {says}" in text and "2 posteriors left out" in text
    one = next(csv.DictReader(io.StringIO(report.each(PROBLEM.names, rows))))
    assert float(one["x_truth"]) == rows[0].truth[0] and one["sky_err"] == "inf" and one["success"] == "True"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "FOLDER or --problem is missing"),
        ("runs --problem galaxy", "FOLDER and --problem contradict each other"),
        ("runs --posterior 100", "--posterior: goes with --problem"),
        ("--problem galaxi", "did you mean galaxy?"),
        ("--problem galaxy --posterior 3", "--posterior: the value is '3'"),
        ("--problem galaxy --fwhm 40 --out OUT", "the PSF has"),
        ("--problem galaxy --pixels 16 --pixel-scale 0.01 --out OUT", "a side of more than 0.75 arcsec"),
    ],
)
def test_one_line_for_flags_that_cannot_be_used(tmp_path, capsys, words: str, says: str) -> None:
    assert main(["calibrate", *words.replace("OUT", str(tmp_path / "out")).split()]) == 2
    out, err = capsys.readouterr()
    assert says in err and err.count("\n") == 1 and out == ""


@pytest.mark.slow
def test_mocks_of_galaxies_from_the_command_line(tmp_path, capsys) -> None:
    pytest.importorskip("blackjax")
    words = "calibrate --problem galaxy --n 2 --seed 2 --posterior 80 --pixels 60 --out"
    with jax.numpy_dtype_promotion("standard"):
        assert main([*words.split(), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.startswith("2 mocks, ")
    assert len((tmp_path / "out" / "mocks.csv").read_text().splitlines()) == 3
