"""Calibration of networks that say how sure they are: one that is right, and one that is too sure."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.cli.main import main
from lensjax.conventions import GREY_LEVELS
from lensjax.errors import BadInput
from lensjax.train import TrainConfig, calibration, export_weights, stream

NOISE = 0.02
CONFIG = TrainConfig(image_size=16, head="gaussian", integer=False)


class Reader(nn.Module):
    """Reads noisy targets off the image, and states their noise, times a factor."""

    factor: float

    @nn.compact
    def __call__(self, image, *, train):
        means = image[:, :6, 0, 0] - 3.0
        spread = jnp.full_like(means, -np.log(NOISE * self.factor))
        return jnp.concatenate([means, spread, jnp.zeros((len(image), 15))], axis=1)


@pytest.fixture(autouse=True)
def noisy(monkeypatch):
    def draw(problem, key, step, *, batch_size, mixed=False):
        key = jax.random.fold_in(key, step)
        return problem.sample(key, batch_size), NOISE * jax.random.normal(jax.random.fold_in(key, 1), (batch_size, 6))

    def render(problem, params, noise):
        image = jnp.zeros((len(params), 16, 16)).at[:, :6, 0].set(3.0 + problem.encode(params) + noise)
        return GREY_LEVELS * image

    monkeypatch.setattr(stream, "draw", draw)
    monkeypatch.setattr(stream, "render", render)


@pytest.mark.parametrize(("factor", "shares"), [(1.0, (0.683, 0.954)), pytest.param(0.5, (0.383, 0.683), marks=pytest.mark.slow)])
def test_shares_and_the_factor_on_errors(factor, shares):
    found = calibration.measure(CONFIG, Reader(factor), {}, n=640)
    names = list(found.names)
    for name in ("x", "y", "einsteinR"):  # sigma, sigma2 and theta are bent by decoding where the source is nearly round
        within = [found.within(level)[names.index(name)] for level in (0.683, 0.954)]
        np.testing.assert_allclose(within, shares, atol=0.06)
    assert found.wider == pytest.approx(1.0 / factor, rel=0.03)
    assert found.credibility.shape == (640, 6)


def test_a_network_of_points_is_refused(tmp_path, capsys):
    export_weights(tmp_path, {"params": {}}, dataclasses.asdict(dataclasses.replace(CONFIG, head="point")))
    with pytest.raises(BadInput):
        calibration.calibrate(calibration.Options(tmp_path, 4, 0, tmp_path / "c.csv"))
    assert main(["calibrate", str(tmp_path / "none"), "--n", "4"]) == 2
    assert "none" in capsys.readouterr().err


def test_the_table_and_its_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "_network", lambda folder: (CONFIG, Reader(1.0), {}))
    out = tmp_path / "c.csv"
    lines = calibration.calibrate(calibration.Options(tmp_path, 64, 0, out))
    rows = out.read_text().splitlines()
    assert rows[0] == "parameter,within 68.3%,within 95.4%,within 99.7%" and len(rows) == 7 and rows[1].startswith("x,0.")
    assert out.with_suffix(".png").stat().st_size > 5000 and "times as wide" in lines[-2]
