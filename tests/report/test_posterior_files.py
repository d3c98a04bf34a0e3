"""Draws of a telescope's image as files: units, names, the corner plot, and a status that has the diagnostics."""

import csv
from dataclasses import replace

import jax
import numpy as np
import pytest
from PIL import Image

from lensjax.dataset.telescope_fits import Files
from lensjax.infer import fit, posterior
from lensjax.infer.solution import Solution
from lensjax.observation.observed import observe
from lensjax.observation.sky import SkyImage
from lensjax.problems import components
from lensjax.problems.compose import compose
from lensjax.problems.galaxy import galaxy
from lensjax.report import corner, posterior_files

pytest.importorskip("blackjax")
pytest.importorskip("corner")

PROBLEM = compose("blob", [components.gaussian(role="lens light", sigma=(1.0, 6.0), reach=4.0)], sky=True)
P = len(PROBLEM.names)


def test_files_have_the_units_of_the_image(tmp_path, monkeypatch) -> None:
    random = np.random.default_rng(0)
    draws = random.normal(size=(40, P)) * 0.01 + [0.1, 0.2, 2.0, 0.5, 90.0, 3.0, 0.0]
    draws[:, 4] = np.where(np.arange(40) % 2, 1.0, 179.0)
    own = posterior.Posterior(PROBLEM.names, draws, 40, 4, np.full(P, 1.2), np.full(P, 30.0), 1, 7)
    monkeypatch.setattr(posterior, "sample", lambda *args, **options: replace(own, taken=options["draws"]))
    image = SkyImage("a.fits", observe(np.ones((16, 16)), 1.0), None, 0.25, "", ())
    with jax.enable_x64(True):
        numbers = np.asarray(PROBLEM.encode(jax.numpy.asarray(draws[0])))
    nothing = np.zeros((16, 16))
    best = fit.Optimum(numbers, draws[0, 5:], np.eye(P), 1.0, 1.0, 256, 0, nothing, nothing)
    wanted = posterior_files.Draws(posterior_files.folder_of(tmp_path / "r.csv"), 40, 3)
    wanted.check()
    files = Files(PROBLEM, {"a.fits": "a"}, None, None, wanted)
    mode = posterior.Mode(PROBLEM, image, best)
    solution = replace(Solution.failed(PROBLEM.names, "", coordinates=5), status=("converged",))
    status = files.sample("a.fits", solution, mode).status[0]
    assert status == (
        "converged; posterior of 40 draws, not to be trusted: R-hat 1.200 (source_x), 30 effective draws (source_x), 1 divergent"
    )
    with (tmp_path / "r-posterior" / "a.csv").open() as file:
        rows = list(csv.reader(file))
    assert tuple(rows[0]) == PROBLEM.names and len(rows) == 41
    np.testing.assert_allclose(np.array(rows[1:], float), draws * ([1.0] * 5 + [0.25] * 2))
    assert (tmp_path / "r-posterior" / "a.png").stat().st_size > 10_000
    assert files.sample("a.fits", solution, None) is solution

    def broken(*args, **options):
        raise FloatingPointError("no\nnumber")

    monkeypatch.setattr(posterior, "sample", broken)
    assert files.sample("a.fits", solution, mode).status[0] == "converged; posterior failed: no number"


def test_draws_have_the_error_that_no_pixel_tells(tmp_path, monkeypatch):
    problem = compose("lens", [components.sis(theta_e=(1.0, 6.0), reach=1.0), components.gaussian(sigma=(1.0, 2.0), reach=1.0)])
    params = np.asarray(problem.draw(jax.random.key(0)), np.float64)
    count, k = len(params), problem.names.index("theta_E")
    draws = params + 1e-3 * np.random.default_rng(5).normal(size=(400, count))
    own = posterior.Posterior(problem.names, draws, 400, 4, np.ones(count), np.full(count, 400.0), 0, 7)
    monkeypatch.setattr(posterior, "sample", lambda *args, **options: own)
    image = SkyImage("a.fits", observe(np.ones((16, 16)), 1.0), None, 1.0, "", ())
    nothing = np.zeros((16, 16))
    best = fit.Optimum(
        np.asarray(problem.encode(jax.numpy.asarray(params))), params[-1:], np.eye(count), 1.0, 1.0, 256, 0, nothing, nothing
    )
    posterior_files.Draws(tmp_path, 400, 3).write("a", posterior.Mode(problem, image, best, beyond=0.05))
    wider = np.genfromtxt(tmp_path / "a.csv", delimiter=",", skip_header=1)
    off = wider[:, k] - draws[:, k]
    assert off.std() == pytest.approx(0.05, rel=0.1) and abs(off.mean()) < 0.01
    np.testing.assert_allclose(np.delete(wider, k, axis=1), np.delete(draws, k, axis=1), rtol=1e-6, atol=1e-8)
    posterior_files.Draws(tmp_path, 400, 3).write("b", posterior.Mode(problem, image, best, beyond=0.05))
    other = np.genfromtxt(tmp_path / "b.csv", delimiter=",", skip_header=1)[:, k] - draws[:, k]
    assert abs(np.corrcoef(off, other)[0, 1]) < 0.3  # another image has numbers of its own


def test_a_plot_leaves_many_amplitudes_out() -> None:
    from lensjax.problems import galaxy_components

    many = compose("many", [galaxy_components.multi_gaussian(4)], sky=True)
    assert [many.names[k] for k in corner.shown(many)] == ["light_x", "light_y", "light_q", "light_phi", "sky"]
    two = galaxy(clumps=2)
    assert "source_x" in two.names and not any(two.names[k].startswith("source2") for k in corner.shown(two))


@pytest.mark.parametrize("varying", [1, 2])
def test_a_plot_shows_the_parameters_that_vary(varying: int, tmp_path) -> None:
    problem = galaxy(clumps=1)
    draws = np.tile(np.linspace(1.0, 2.0, len(problem.names)), (600, 1))
    draws[:, :varying] += 0.01 * np.random.default_rng(0).normal(size=(600, varying))
    corner.draw(tmp_path / "corner.png", problem, draws, best=draws[0])
    with Image.open(tmp_path / "corner.png") as picture:
        assert picture.format == "PNG" and min(picture.size) > 100 * varying
