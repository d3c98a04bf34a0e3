"""The group's systems as scenes: the same light as the problem's own, and CosmoSim's columns."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lensjax import problems, simulate
from lensjax.dataset import composed_scenes, systems
from lensjax.dataset.draw import Request, draw
from lensjax.errors import BadInput
from lensjax.formats.cosmosim import rows, table

VALUES = {
    "sie2026": [3.3, -2.4, 30.0, 0.4, 25.0, 11.0, 5.0, 4.0, 2.0, 15000.0],
    "cluster2sie2026": [-20.3, 10.4, 30.0, 0.5, 70.0, 25.3, -6.4, 20.0, 0.8, 160.0, 4.0, 9.0, 12.0, 1.5, 40000.0],
    "cluster4sis2026": [-20.0, 1.0, 25.0, 30.0, 4.0, 22.0, 2.0, 25.0, 30.0, -4.0, -31.0, 21.0, 6.0, 7.0, 3.0, 1.2, 50000.0],
}


@pytest.mark.parametrize("name", VALUES)
def test_a_scene_shows_the_light_of_its_problem(name: str) -> None:
    problem = problems.get(name)
    row = np.array(VALUES[name])
    (scene,) = composed_scenes.scenes(problem.composition, row[None], ["a.png"])
    origin = row[:2] if name == "sie2026" else np.zeros(2)
    taken = systems.instrument_of(scene)
    with jax.enable_x64(True):
        found = 255.0 * np.asarray(jax.jit(simulate.image_about)(systems.system_of(scene), taken, jnp.asarray(-origin)))
        expected = np.asarray(jax.jit(lambda p: problem.composition.image(p, problem.instrument))(jnp.asarray(row)))
    assert expected.max() > 20
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_the_table_gives_the_scenes_again(tmp_path) -> None:
    plan = draw(Request(problem="cluster4sis2026", n=3, seed=4))
    assert plan.write_table is not None
    plan.write_table(tmp_path / "dataset.csv", plan.scenes)
    again = rows.scenes(table.read(tmp_path / "dataset.csv"), settings={}).scenes
    assert [replace(scene, origin=None, index="") for scene in again] == [replace(scene, index="") for scene in plan.scenes]
    assert plan.scenes != draw(Request(problem="cluster4sis2026", n=3, seed=5)).scenes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "roulette"}, "expected raytrace"),
        ({"size": 128}, "images have 256 px"),
        ({"n": None}, "--n"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        draw(Request(**{"problem": "sie2026", "n": 2, **options}))  # type: ignore[arg-type]
