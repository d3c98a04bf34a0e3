"""The report of estimates: what it shows is what the problem's own instrument makes, and failures are in words."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.infer import Solution
from lensjax.observation.detector import quantise
from lensjax.observation.grid import pixel_points
from lensjax.report.estimate_report import SHOWN, Record, errors_table, model_and_source, write_report

PM = (40.0, 10.0, 20.0, 20.0, 14.0, 120.0, 0.5)


def rendered(name, params, method):
    """(problem, image rounded to grey levels, the source's own light (m, m) as a function of m)."""
    problem = problems.get(name, method=method)
    with jax.enable_x64(True):
        system = problem.system(jnp.asarray(params))
        image = np.asarray(quantise(problem.render(jnp.asarray(params))))

    def light(side):
        with jax.enable_x64(True):
            return 255.0 * np.asarray(system.source.light(*pixel_points(side, side, dtype=jnp.float64)))

    return problem, image, light


def test_a_source_is_read_with_the_problems_own_terms():
    """pm2022 renders 16 terms: followed back by 50, the source would be off by 54 grey levels."""
    problem, image, light = rendered("pm2022", PM, "roulette")
    model, source = model_and_source(problems.get("pm2022"), image, np.array(PM), None, "roulette")
    assert np.abs(model - image).max() <= 0.5
    assert np.isfinite(source)[light(len(source)) > 30].mean() > 0.9
    assert np.nanmax(np.abs(source - light(len(source)))) < 2.0


def test_the_fitted_place_of_the_image_is_used():
    problem, image, light = rendered("sis2023", (90.0, -60.0, 20.0, 18.0, 9.0, 30.0), "raytrace")
    params = np.array((90.0, -60.0, 20.0, 18.0, 9.0, 30.0))
    with jax.enable_x64(True):
        centre = np.asarray(problem.centre(problem.system(jnp.asarray(params)), method="raytrace"))
    moved = np.roll(image, (2, -3), axis=(0, 1))  # two pixels down, three to the left
    model, source = model_and_source(problem, moved, params, centre + np.array([3.0, 2.0]), "raytrace")
    assert np.abs(model - moved)[5:-5, 5:-5].max() <= 0.5
    assert np.nanmax(np.abs(source - light(len(source)))) < 2.0


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    problem, image, _ = rendered("sis2023", (90.0, -60.0, 20.0, 18.0, 9.0, 30.0), "raytrace")
    failed = Solution.failed(problem.names, "the descent did not converge", coordinates=8)
    records = [
        Record("network <1>.png", image, network=np.array((90.0, -60.0, 20.0, 18.0, 9.0, 30.0))),
        Record("failed.png", image, solution=failed),
        Record("text.png", None, error="text.png: not an image file; expected PNG or TIFF"),
    ]
    folder = tmp_path_factory.mktemp("report")
    return write_report(folder, problem, records, total=SHOWN + 1, results=folder / "results.csv").read_text()


def test_every_image_is_shown_and_failures_say_why(report):
    assert report.count("data:image/png;base64,") == 2
    for text in ("network &lt;1&gt;.png", "x 90; y -60;", "failed: the descent did not converge", "text.png: not an image file"):
        assert text in report
    assert "text.png: text.png" not in report and "failed.png: image without an estimate." in report
    assert f"The first {SHOWN} of {SHOWN + 1} images" in report and "results.csv has them all" in report


def test_errors_are_up_to_symmetry():
    problem = problems.get("sis2023")
    truth = np.array([(90.0, -60.0, 20.0, 18.0, 9.0, 30.0), (30.0, 20.0, 8.0, 6.0, 4.0, 10.0)])
    swapped = truth[:, [0, 1, 2, 4, 3, 5]] + np.array([1.0, 0, 0, 0, 0, 90.0])
    text = errors_table(problem, truth, network=swapped, refined=None)
    assert text.splitlines()[0] == "absolute error up to symmetry, 2 images"
    assert "refined" not in text and "network: mean" in text
    x, _, _, sigma, *_ = (line.split() for line in text.splitlines()[3:])
    assert x == ["x", "px", "1.00", "1.00"] and float(sigma[2]) == pytest.approx(0.0, abs=1e-3)
    both = errors_table(problem, truth, network=swapped, refined=np.where([[True], [False]], truth, np.nan))
    assert [float(value) for value in both.splitlines()[3].split()[2:]] == [1.0, 1.0, 0.0, 0.0]
