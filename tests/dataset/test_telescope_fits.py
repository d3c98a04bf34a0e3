"""What a fit of a telescope's image leaves: units, angles, files and rows."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lensjax.dataset import estimates, telescope_fits
from lensjax.dataset.telescope import Taken
from lensjax.errors import BadInput
from lensjax.infer import Solution, estimation
from lensjax.infer.estimation import Fitted
from lensjax.problems import components
from lensjax.problems.compose import compose
from tests.dataset import telescope_files as files

fits = pytest.importorskip("astropy.io.fits")

PROBLEM = compose("small", [components.sie(unit="arcsec", theta_e=(0.1, 3.0)), components.gaussian(unit="arcsec")], sky=True)
TRUTH = {
    "x": 0.02, "y": 0.0, "theta_E": 0.4, "q": 0.7, "phi": 25.0, "source_x": 0.05, "source_y": 0.0, "source_sigma": 0.1, "source_q": 0.8,
    "source_phi": 100.0, "source_flux": 4.0, "sky": 0.5,
}  # fmt: skip
PARAMS = np.array([TRUTH[name] for name in PROBLEM.names])
ERRORS = 0.01 * np.abs(PARAMS) + 1e-3


def found() -> Solution:
    """A solution in units of the noise."""
    empty = Solution.failed(PROBLEM.names, "", coordinates=PROBLEM.size)
    return replace(
        empty, params=PARAMS[None], errors=ERRORS[None], covariance=np.diag(ERRORS**2)[None], bound=ERRORS[None], chi2=np.ones(1),
        success=np.ones(1, bool), status=("converged",), kind=("least squares",), method=("raytrace",),
    )  # fmt: skip


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fits are known beforehand; how many there were."""
    count: list[int] = []

    def estimate(problem, observed, **options):
        count.append(1)
        return Fitted(found(), None)

    monkeypatch.setattr(estimation, "estimate", estimate)
    return count


def test_fluxes_are_in_the_file_s_unit() -> None:
    solution = estimation.in_unit(PROBLEM, found(), 0.25)
    linear = np.isin(PROBLEM.names, ("source_flux", "sky"))
    factor = np.where(linear, 0.25, 1.0)
    np.testing.assert_array_equal(solution.params[0], PARAMS * factor)
    np.testing.assert_array_equal(solution.errors[0], ERRORS * factor)
    np.testing.assert_allclose(np.sqrt(np.diag(solution.covariance[0])), solution.errors[0])


def test_names_of_files() -> None:
    assert telescope_fits.stems(["a.fits", "b.fits[SCI]", "c.fits.gz", "d.fits[SCI,1][2]"]) == {
        "a.fits": "a", "b.fits[SCI]": "b_SCI", "c.fits.gz": "c", "d.fits[SCI,1][2]": "d_SCI_1_2"
    }  # fmt: skip
    twice = telescope_fits.stems(["../one/a.fits", "../two/a.fits", "../two/a.fit"])
    assert len(set(twice.values())) == 3 and all(Path(stem).name == stem and not stem.startswith(".") for stem in twice.values())


def test_a_table_with_angles_on_the_sky_files_and_a_bad_image(tmp_path, known) -> None:
    files.write(tmp_path / "a.fits")
    (tmp_path / "b.fits").write_bytes(b"SIMPLE  =")
    mirrored = files.write(tmp_path / "c.fits", header=files.sky_header(mirrored=True))
    inputs = estimates.of_paths([tmp_path / "a.fits", tmp_path / "b.fits", mirrored])
    leaves = telescope_fits.Files(PROBLEM, telescope_fits.stems(inputs.filenames), tmp_path / "m", tmp_path / "c")
    said: list[str] = []
    options = {"estimator": None, "taken": Taken(noise="[ERR]"), "leaves": leaves, "on_error": said.append}
    rows = estimates.run(PROBLEM, inputs, tmp_path / "r.csv", **options)
    assert len(known) == 2 and len(said) == 1 and "b.fits" in said[0]
    assert rows[0].estimate.angles == pytest.approx({"phi": 115.0, "source_phi": 10.0}, abs=1e-3)  # φ − 90°
    assert rows[2].estimate.angles == pytest.approx({"phi": 65.0, "source_phi": 170.0}, abs=1e-3)  # 90° − φ
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert lines[0].endswith(",phi_east_of_north,source_phi_east_of_north")
    assert [float(cell) for cell in lines[1].split(",")[-2:]] == pytest.approx([115.0, 10.0], abs=1e-3) and lines[2].endswith(",,")
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["a.fits", "c.fits"]
    assert sorted(path.name for path in (tmp_path / "c").glob("*.json")) == ["a.json", "c.json"]


@pytest.mark.parametrize("out", ["r.csv", "r.json"])
def test_an_interrupted_run_resumes_with_its_angles(tmp_path, known, monkeypatch, out) -> None:
    inputs = estimates.of_paths([files.write(tmp_path / f"{k}.fits") for k in range(3)])
    options = {"estimator": None, "taken": Taken(noise="[ERR]")}

    def fitted(problem, image):
        if image.name == "2.fits":
            raise KeyboardInterrupt
        return original(problem, image)

    original = telescope_fits.fitted
    with monkeypatch.context() as patch:
        patch.setattr(telescope_fits, "fitted", fitted)
        with pytest.raises(KeyboardInterrupt):
            estimates.run(PROBLEM, inputs, tmp_path / out, **options)
    rows = estimates.run(PROBLEM, inputs, tmp_path / out, **options)
    whole = (tmp_path / out).read_text()
    assert all(f"{k}.fits" in whole for k in range(3)) and [path.name for path in tmp_path.glob(f".{out}*")] == []
    assert len(known) == 3 and [row.estimate.angles for row in rows] == [rows[0].estimate.angles] * 3
    files.write(tmp_path / "1.fits", files.sky(seed=9))
    assert estimates.run(PROBLEM, inputs, tmp_path / out, **options) and len(known) == 6


def test_json_has_errors_and_covariances(tmp_path, known) -> None:
    inputs = estimates.of_paths([files.write(tmp_path / "a.fits")])
    (tmp_path / "b.fits").write_bytes(b"SIMPLE  =")
    inputs = estimates.of_paths([*inputs.paths, tmp_path / "b.fits"])
    estimates.run(PROBLEM, inputs, tmp_path / "r.json", estimator=None, taken=Taken(noise="[ERR]"))
    first, second = json.loads((tmp_path / "r.json").read_text())
    theta_e = first["parameters"]["theta_E"]
    assert theta_e["unit"] == "arcsec" and theta_e["value"] == 0.4 and first["parameters"]["phi"]["east_of_north"] == pytest.approx(115.0)
    k = first["covariance"]["names"].index("theta_E")
    assert first["covariance"]["matrix"][k][k] ** 0.5 == pytest.approx(theta_e["error"])
    assert second["success"] is False and "b.fits" in second["status"][0]


def test_a_failed_fit_leaves_no_files(tmp_path, monkeypatch) -> None:
    def fails(problem, observed, **options):
        return Fitted(Solution.failed(problem.names, "no light stands out of the noise", coordinates=problem.size), None)

    monkeypatch.setattr(estimation, "estimate", fails)
    inputs = estimates.of_paths([files.write(tmp_path / "a.fits")])
    leaves = telescope_fits.Files(PROBLEM, telescope_fits.stems(inputs.filenames), tmp_path / "m", tmp_path / "c")
    (row,) = estimates.run(PROBLEM, inputs, tmp_path / "r.csv", estimator=None, taken=Taken(noise="[ERR]"), leaves=leaves)
    assert row.estimate.solution is not None and not row.estimate.solution.success[0]
    assert not (tmp_path / "m").exists() and not (tmp_path / "c").exists()


def test_the_status_says_what_was_assumed(tmp_path, known) -> None:
    pytest.importorskip("photutils")
    path = files.write(tmp_path / "a.fits", files.sky((64, 64)))
    image = telescope_fits.read(path, Taken(), PROBLEM)
    assert not isinstance(image, BadInput)
    assert "; noise measured from the sky: 0.0" in telescope_fits.fitted(PROBLEM, image).solution.status[0]
