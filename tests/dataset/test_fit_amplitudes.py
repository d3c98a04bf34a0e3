"""Amplitudes of fitted lenses against those of the lens itself, errors against drawn parameters; the command from image to tables."""

import csv
import dataclasses
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from lensjax import roulette, trained
from lensjax.cli.main import main
from lensjax.dataset import fit_amplitudes
from lensjax.errors import BadInput
from lensjax.infer.solution import Solution
from lensjax.lens import SIE
from lensjax.problems.cosmosim2026 import sie2026
from lensjax.problems.framed import Change, changed_back
from lensjax.simulate import System, Trace
from lensjax.simulate import lattice as pixels
from lensjax.train.augment import changed_image
from lensjax.train.config import TrainConfig, from_mapping, make_model, make_problem
from lensjax.train.export import export_weights, load_weights
from lensjax.train.layers import init_variables

PARAMS = np.array([3.0, -4.0, 20.0, 0.6, 120.0, 9.0, -9.0, 3.0, 1.5, 1.5e4])


def solution(errors: np.ndarray) -> Solution:
    empty = Solution.failed(sie2026().names, "", coordinates=9)
    return replace(empty, params=PARAMS[None], errors=errors[None], covariance=np.diag(errors**2)[None], success=np.ones(1, bool))


def test_amplitudes_are_those_of_the_lens_at_its_reference_point() -> None:
    row = fit_amplitudes.of_solution(sie2026(), solution(np.full(10, 1e-3)), 4)
    with jax.enable_x64(True):
        lens = SIE(jnp.asarray(20.0), jnp.asarray(0.6), jnp.deg2rad(jnp.asarray(30.0)))
        xi = lens.primary_image(jnp.asarray(6.0), jnp.asarray(-5.0))
        alpha, beta = roulette.amplitudes(lens, *xi, terms=4)
    np.testing.assert_allclose(row.xi, np.array(xi) + PARAMS[:2], rtol=1e-6)
    np.testing.assert_allclose(row.alpha, alpha, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(row.beta, beta, rtol=1e-6, atol=1e-12)


@pytest.mark.slow
def test_errors_are_the_scatter_of_drawn_parameters() -> None:
    errors = np.array([0.02, 0.02, 0.03, 0.002, 0.1, 0.02, 0.02, 0.1, 0.1, 100.0])
    row = fit_amplitudes.of_solution(sie2026(), solution(errors), 2)
    rng = np.random.default_rng(0)
    drawn = [
        fit_amplitudes.of_solution(sie2026(), replace(solution(errors), params=(PARAMS + errors * rng.normal(size=10))[None]), 2)
        for _ in range(100)
    ]
    scatter = np.std([one.alpha for one in drawn], axis=0)
    used = row.alpha != 0
    np.testing.assert_allclose(row.alpha_errors[used], scatter[used], rtol=0.35)


@pytest.mark.slow
def test_a_lens_that_is_not_determined_has_amplitudes_without_error_bars() -> None:
    errors = np.full(10, 1e-3)
    errors[4] = np.inf
    row = fit_amplitudes.of_solution(sie2026(), solution(errors), 2)
    assert np.isinf(row.alpha_errors[1, 2]) and np.isinf(row.xi_errors).all()


@pytest.mark.slow
def test_the_command_writes_results_amplitudes_and_predictions(tmp_path: Path) -> None:
    with jax.enable_x64(True):
        source = pixels.SersicProfile(*(jnp.asarray(v) for v in (4.0, 4.0, 0.0, 1.5, 15.0)))
        lens = SIE(jnp.asarray(20.0), jnp.asarray(0.6), jnp.deg2rad(30.0))
        system = System(lens, source, jnp.asarray(6.0), jnp.asarray(-5.0))
        image, _ = pixels.image(system, canvas=256, size=128, trace=Trace())
    Image.fromarray(np.asarray(image).astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((128, 128), np.uint8)).save(tmp_path / "dark.png")
    out = tmp_path / "results.csv"
    images = [str(tmp_path / "a.png"), str(tmp_path / "dark.png")]
    assert main(["estimate", *images, "--problem", "sie2026", "--amplitudes", "3", "--out", str(out)]) == 0
    rows = list(csv.DictReader(out.open()))
    assert rows[0]["success"] == "True" and float(rows[0]["theta_E"]) == pytest.approx(20.0, rel=0.01)
    assert rows[1]["success"] == "False" and "black everywhere" in rows[1]["status"]
    tables = [list(csv.DictReader(path.open())) for path in fit_amplitudes.paths(out)]
    assert "beta[1][0]" not in tables[1][0] and list(tables[1][0])[6:9] == ["alpha[0][1]", "beta[0][1]", "alpha[1][0]"]
    assert float(tables[0][0]["alpha[1][2]"]) == pytest.approx(float(tables[1][0]["alpha[1][2]"]))
    assert tables[0][1]["alpha[1][2]"] == ""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of amplitudes and the source that has learned nothing."""
    config = TrainConfig(
        model="compact",
        problem="cluster4sis2026",
        image_size=16,
        targets="amplitudes",
        order=2,
        cluster_labels="cosmosim",
        with_source=True,
    )
    model = make_model(config, make_problem(config))
    variables = init_variables(model, jax.random.key(0), image_size=16)
    return export_weights(tmp_path_factory.mktemp("weights"), variables, dataclasses.asdict(config))


def test_a_network_alone_writes_its_amplitudes_as_droulette_does(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for name, size in (("a.png", 256), ("small.png", 64), ("b.png", 256)):
        Image.fromarray(rng.integers(0, 256, (size, size), np.uint8)).save(tmp_path / name)
    out = tmp_path / "results.csv"
    words = ["estimate", *(str(tmp_path / name) for name in ("a.png", "small.png", "b.png")), "--problem", "cluster4sis2026"]
    assert main([*words, "--no-refine", "--weights", str(weights), "--out", str(out)]) == 0
    path = fit_amplitudes.paths(out)[1]
    assert capsys.readouterr().out == f"3 images by the network alone; 1 could not be used; {out}\n{path}\n"
    rows, predicted = (list(csv.DictReader(file.open())) for file in (out, path))
    heads = ["filename", "sigma", "luminosity", "n_sersic", "xiX", "xiY", *fit_amplitudes.columns(2)]
    assert list(predicted[0]) == heads and [row["filename"] for row in predicted] == ["a.png", "small.png", "b.png"]
    assert set(predicted[1].values()) == {"small.png", ""} and "images of 256×256 px" in rows[1]["status"]
    network = trained.network(weights, problem="cluster4sis2026")
    shown = np.stack([np.asarray(Image.open(tmp_path / name), np.float32) for name in ("a.png", "b.png")])
    assert network.task.amplitudes is not None
    for row, own, values in zip(rows[::2], predicted[::2], network.predict(shown), strict=True):
        truth = dict(zip(network.task.amplitudes.names, values, strict=True))
        assert float(own["luminosity"]) == pytest.approx(truth["source_flux"] / 1e3, rel=1e-5)
        assert float(own["sigma"]) == pytest.approx(truth["source_R"], rel=1e-5)
        for name in ("xiX", "alpha[1][0]", "beta[2][3]"):
            assert float(own[name]) == float(row[name]) == float(row[f"{name}_network"]) == pytest.approx(truth[name], rel=1e-5)


def test_the_mean_of_several_networks_stands_in_a_folder_of_theirs(weights: Path, tmp_path: Path) -> None:
    one = trained.network(weights, problem="cluster4sis2026")
    fields = load_weights(weights)[1]
    other = jax.tree.map(lambda leaf: 1.3 * leaf, one.variables)
    for name, variables in (("a", one.variables), ("b", other)):
        export_weights(tmp_path / name, variables, fields)
    images = np.random.default_rng(0).uniform(0.0, 255.0, (2, 256, 256))
    said = [trained.network(tmp_path / name, problem="cluster4sis2026").predict(images) for name in ("a", "b")]
    np.testing.assert_allclose(trained.network(tmp_path, problem="cluster4sis2026").predict(images), np.mean(said, axis=0), rtol=1e-6)
    assert not np.allclose(*said, rtol=1e-3)
    kind = dataclasses.asdict(dataclasses.replace(from_mapping(fields), order=1))
    model = make_model(from_mapping(kind), make_problem(from_mapping(kind)))
    export_weights(tmp_path / "c", init_variables(model, jax.random.key(0), image_size=16), kind)
    with pytest.raises(BadInput, match=r"c/config.json: targets: another kind of answers; expected amplitudes as those of a;"):
        trained.network(tmp_path, problem="cluster4sis2026")


def test_what_a_network_of_amplitudes_says_turns_with_the_image(weights: Path) -> None:
    network = trained.network(weights, problem="cluster4sis2026")
    image = np.zeros((256, 256), np.float32)
    image[60:200, 50:190] = np.random.default_rng(1).uniform(0.0, 255.0, (140, 140))
    table = network.task.amplitudes
    assert table is not None
    before = network.predict(image[None])[0]
    for mirrored, cos, sin in ((False, 0.0, 1.0), (True, -1.0, 0.0)):
        change = Change(jnp.bool_(mirrored), *(jnp.float32(number) for number in (cos, sin, 0.0, 0.0)))
        after = network.predict(np.asarray(changed_image(network.problem, jnp.asarray(image), change))[None])[0]
        np.testing.assert_allclose(
            np.asarray(changed_back(table, jnp.asarray(after), change)), before, rtol=2e-3, atol=1e-4 * np.abs(before).max()
        )
        assert np.abs(after - before).max() > 1e-3


@pytest.mark.parametrize(
    "flags",
    [
        ["--problem", "sie2026", "--noise", "3"],
        ["--problem", "sie2026", "--no-refine", "--amplitudes", "4"],
        ["--problem", "sie2026", "--no-refine", "--no-network"],
        ["--problem", "cluster4sis2026", "--weights", "AMPLITUDES"],
        ["--amplitudes", "4"],
        ["--problem", "sie2025"],
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    flags: list[str], weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [str(weights) if word == "AMPLITUDES" else word for word in flags]
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "a.png")
    assert main(["estimate", str(tmp_path / "a.png"), "--out", str(tmp_path / "r.csv"), *flags]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "r.csv").exists()
