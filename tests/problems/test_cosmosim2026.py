"""The CosmoSim group's sets: systems as CosmoSim draws them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax.lens import SIE, SIS, Lens, cluster
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
