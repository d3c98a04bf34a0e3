"""The sky of an image, and noise maps in other units."""

import numpy as np
import pytest

from lensjax.errors import BadInput
from lensjax.observation import sky_noise

SIGMA = 0.02
ALL = np.ones((90, 90), bool)


def galaxy(seed: int = 0, level: float = 0.3) -> np.ndarray:
    """A galaxy on a sky with a slope."""
    x, y = np.meshgrid(np.arange(90) - 45.0, np.arange(90) - 45.0)
    light = np.exp(-np.hypot(x, y) / 6.0) + level + 1e-3 * x
    return light + np.random.default_rng(seed).normal(scale=SIGMA, size=light.shape)


def test_the_sky_is_measured_beside_a_galaxy() -> None:
    pytest.importorskip("photutils")
    sky = sky_noise.measured(galaxy(), ALL)
    assert sky.rms == pytest.approx(SIGMA, rel=0.1)
    assert 0.3 < sky.part < 0.95
    np.testing.assert_allclose(sky.level[5, 40:50], 0.3, atol=0.02)
    assert sky.level[45, 80] - sky.level[45, 10] == pytest.approx(0.07, abs=0.03)  # the slope, and not the galaxy
    assert abs(sky.level[45, 45] - 0.3) < 0.05


def test_skies_that_cannot_be_measured() -> None:
    pytest.importorskip("photutils")
    with pytest.raises(BadInput, match="no noise"):
        sky_noise.measured(np.full((40, 40), 3.0), ALL[:40, :40])
    with pytest.raises(BadInput, match="pixels show the sky"):
        sky_noise.measured(galaxy()[:16, :16], np.arange(256).reshape(16, 16) < 30)


def test_without_photutils(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "photutils.background", None)
    with pytest.raises(BadInput, match=r"pip install 'lensjax\[real\]'"):
        sky_noise.measured(galaxy(), ALL)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 50.0])
def test_maps_in_other_units_are_named(unit: float) -> None:
    data, rms = unit * galaxy(), np.full(ALL.shape, unit * SIGMA)
    assert sky_noise.check_map(rms, data, ALL) == ""
    assert sky_noise.check_map(2.0 * rms, data, ALL) == ""
    odd = sky_noise.check_map(100.0 * rms, data, ALL)
    for kind, level in (("variance", rms**2), ("weight", rms**-2)):
        np.testing.assert_allclose(sky_noise.as_rms(level, kind), rms)
        if 1 / 3 < np.median(level) / (unit * SIGMA) < 5:
            continue  # numbers about 1 are the same in all units
        with pytest.raises(BadInput, match=f"--noise-is {kind}"):
            sky_noise.check_map(level, data, ALL)
    assert "times the scatter" in odd or 1 / 3 < 100.0 * (unit * SIGMA) ** 0.5 < 3


def test_one_number_is_no_map_of_variances() -> None:
    assert "times the scatter" in sky_noise.check_map(np.asarray(SIGMA**2), galaxy(), ALL)
    assert sky_noise.check_map(np.asarray(SIGMA), np.zeros((40, 40)), ALL[:40, :40]) == ""


def test_scatter_is_blind_to_smooth_light() -> None:
    assert sky_noise.scatter_of(galaxy(1), ALL) == pytest.approx(SIGMA, rel=0.1)
    assert sky_noise.scatter_of(galaxy(1)[:5, :5], ALL[:5, :5]) == 0.0
