"""The CosmoSim group's sets: systems as CosmoSim draws them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems
from lensjax.lens import SIE, SIS, Lens, cluster
from lensjax.problems.amplitudes import Amplitudes
from lensjax.problems.cosmosim2026 import cluster4sis2026, critical_distance

ANGLES = (0.0, 37.0, 151.0, 290.5)


def _sie(x: float, y: float, theta_e: float, f: float, orientation: float) -> tuple[Lens, float, float]:
    return SIE(jnp.asarray(theta_e), jnp.asarray(f), jnp.deg2rad(orientation)), x, y


# lens.criticalXi(angle) of CosmoSim 3.3.0.
@pytest.mark.parametrize(
    ("members", "distances"),
    [
        ([_sie(38.2, -11.9, 47.5, 0.69, 114.4), _sie(16.2, -39.7, 37.3, 0.83, 93.9)], (77.4911, 73.6218, 78.677, 82.0589)),
        ([_sie(0.9, 2.3, 3.4, 0.2, 20.0), _sie(-1.7, 1.9, 3.4, 0.57, 88.6)], (6.2601, 5.6776, 6.4074, 6.0896)),
        (
            [(SIS(jnp.asarray(r)), x, y) for x, y, r in ((20.0, 5.0, 30.0), (-30.0, 8.0, 55.0), (4.0, -40.0, 42.0), (-2.0, -3.0, 25.0))],
            (62.1544, 57.8347, 64.5321, 82.5351),
        ),
    ],
)
def test_sources_lie_within_the_distance_that_cosmosim_takes(
    members: list[tuple[Lens, float, float]], distances: tuple[float, ...]
) -> None:
    found = jax.jit(jax.vmap(critical_distance, in_axes=(None, 0)))(cluster(members), jnp.asarray(ANGLES))
    np.testing.assert_allclose(found, distances, rtol=2e-5)


def test_draws_of_a_cluster_show_a_lens_before_its_source() -> None:
    problem = cluster4sis2026()
    params = jax.jit(lambda key: jax.lax.map(problem.draw, jax.random.split(key, 40)))(jax.random.key(0))
    columns = dict(zip(problem.names, np.asarray(params).T, strict=True))
    distance = np.hypot(columns["source_x"], columns["source_y"])
    assert np.isfinite(params).all() and np.median(distance) < 150.0
    for k in (1, 2, 3, 4):
        assert ((columns[f"lens{k}_theta_E"] >= 20.0) & (columns[f"lens{k}_theta_E"] <= 75.0)).all()


def test_a_source_has_a_size_an_index_and_a_flux() -> None:
    problem = cluster4sis2026()
    assert [problem.names[k] for k in problem.source_numbers] == ["source_R", "source_n", "source_flux"]


# Systems and labels of CosmoSim 3.3.0, `--outfile`: its place of the lens and of the source in the image, and xi.
@pytest.mark.parametrize(
    ("name", "members", "lens", "source", "labels"),
    [
        (
            "cluster2sie2026",
            "19.714427/-16.199310/43.904241/0.5545726/0.69641687;6.9577045/8.1854111/62.819051/0.8227423/55.989597",
            (-15.69383842, -5.87801922),
            (-18.05469061, -16.9320734),
            (-115.890, -64.498, 95.9172, 52.1109, -0.407724, 0.199784, 0.355423, -0.00468675, -0.00242221, 1.02e-06, 0.00526925),
        ),
        (
            "cluster4sis2026",
            "7.7165866/2.8753774/65.032218;6.3366892/2.1676909/26.2134935;-0.9041926/0.9556724/26.1506924;4.5452691/-4.3327155/21.2660978",
            (-51.25721873, 10.45652738),
            (-22.09390001, 6.0904903),
            (112.763, -26.083, -135.3446, 30.1516, -0.412584, 0.373568, -0.175136, 0.00359476, -0.00080083, -0.00291488, 0.00225102),
        ),
    ],
)
def test_labels_of_a_cluster_are_cosmosims(
    name: str, members: str, lens: tuple[float, float], source: tuple[float, float], labels: tuple[float, ...]
) -> None:
    problem = problems.get(name, origin=True)
    params: list[float] = []
    for member in members.split(";"):
        x, y, theta_e, *shape = (float(number) for number in member.split("/"))
        params += [x + lens[0], y + lens[1], theta_e, *([shape[0], (shape[1] + 90.0) % 180.0] if shape else [])]
    params += [*lens, *source, 3.0, 2.0, 3e4]
    table = Amplitudes(problem, order=2, about=(problem.names.index("origin_x"), problem.names.index("origin_y")))
    values, distance = table.of(jnp.asarray(params)[None])
    np.testing.assert_allclose(values[0], labels, rtol=1e-2, atol=1e-5)  # CosmoSim's xi is off by up to 0.1 px
    np.testing.assert_allclose(distance, np.hypot(labels[0] - lens[0], labels[1] - lens[1]), rtol=1e-3)
    placed = Amplitudes(problems.get(name), order=2)
    own = np.delete(np.asarray(params), [problem.names.index(f"origin_{axis}") for axis in "xy"])
    where_they_stand = placed.of(jnp.asarray(own)[None])[0][0]
    np.testing.assert_allclose(where_they_stand[:2], labels[:2], rtol=1e-2)
    assert not np.allclose(where_they_stand[2:], labels[2:], rtol=0.05)


def test_the_origin_moves_with_its_image() -> None:
    problem = problems.get("cluster4sis2026", origin=True)
    own, plain = np.asarray(problem.sample(jax.random.key(5), 3)), np.asarray(problems.get("cluster4sis2026").sample(jax.random.key(5), 3))
    np.testing.assert_allclose(np.delete(own, [12, 13], axis=1), plain, rtol=1e-5, atol=1e-4)
    assert np.abs(own[:, 12:14]).max() > 1.0
