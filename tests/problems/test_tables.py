"""Tables of images as parameters of a problem."""

from dataclasses import replace

import numpy as np
import pytest

from lensjax import problems
from lensjax.dataset import composed_scenes
from lensjax.errors import BadInput
from lensjax.formats.cosmosim import rows, table
from lensjax.problems.tables import params_of

VALUES = {
    "sie2026": [3.3, -2.4, 30.0, 0.4, 25.0, 11.0, 5.0, 4.0, 2.0, 15000.0],
    "cluster2sie2026": [-20.3, 10.4, 30.0, 0.5, 70.0, 25.3, -6.4, 20.0, 0.8, 160.0, 4.0, 9.0, 12.0, 1.5, 40000.0],
    "cluster4sis2026": [-20.0, 1.0, 25.0, 30.0, 4.0, 22.0, 2.0, 25.0, 30.0, -4.0, -31.0, 21.0, 6.0, 7.0, 3.0, 1.2, 50000.0],
}


def written(folder, name, places):
    """dataset.csv of two images of a problem, and roulette.csv with the places of their lenses, in another order."""
    values = np.array([VALUES[name], np.multiply(VALUES[name], 0.9)])
    scenes = composed_scenes.scenes(problems.get(name).composition, values, ["a.png", "b.png"])
    rows.write(folder / "dataset.csv", scenes)
    lines = [f"{scene.filename},{x},{y}" for scene, (x, y) in zip(scenes, places, strict=True)]
    (folder / "roulette.csv").write_text("filename,lensX,lensY\n" + "\n".join(reversed(lines)) + "\n")
    return values, table.read(folder / "dataset.csv"), table.read(folder / "roulette.csv")


@pytest.mark.parametrize("name", VALUES)
def test_scenes_of_a_problem_give_its_parameters_again(tmp_path, name):
    problem = problems.get(name)
    # A single lens of a table stands at the origin; a cluster's members about it.
    places = [VALUES[name][:2], np.multiply(VALUES[name][:2], 0.9)] if name == "sie2026" else [(0.0, 0.0)] * 2
    values, systems, amplitudes = written(tmp_path, name, places)
    np.testing.assert_allclose(params_of(problem, systems, amplitudes=amplitudes), values, atol=1e-6)


def test_a_cluster_lies_where_its_light_was_centred(tmp_path):
    problem = problems.get("cluster4sis2026")
    values, systems, amplitudes = written(tmp_path, "cluster4sis2026", [(5.0, -3.0), (1.0, 2.0)])
    moved = params_of(problem, systems, amplitudes=amplitudes) - values
    for pair in problem.composition.all_places:
        np.testing.assert_allclose(moved[:, list(pair)], [(5.0, -3.0), (1.0, 2.0)], atol=1e-6)
        moved[:, list(pair)] = 0.0
    np.testing.assert_allclose(moved, 0.0, atol=1e-6)
    plain = replace(systems, columns=dict(systems.columns) | {"centred": ("False", "False")})
    np.testing.assert_allclose(params_of(problem, plain), values, atol=1e-6)


def test_a_problem_takes_its_own_names(tmp_path):
    problem = problems.get("sie_shear")
    low = [parameter.low for parameter in problem.parameters]
    text = f"filename,{','.join(problem.names)}\na.png,{','.join(map(str, low))}\n"
    (tmp_path / "own.csv").write_text(text)
    np.testing.assert_allclose(params_of(problem, table.read(tmp_path / "own.csv")), [low])
    (tmp_path / "own.csv").write_text(text.replace("theta_E", "radius"))
    with pytest.raises(BadInput, match="own.csv: line 1, column theta_E: there is no such column"):
        params_of(problem, table.read(tmp_path / "own.csv"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sigma": ("4", "")}, "line 3, column sigma: the value is empty; expected a number"),
        ({"sigma": ("4", "wide")}, "line 3, column sigma: the value is 'wide'; expected a finite number"),
        ({"luminosity": None}, "line 1, column luminosity: there is no such column"),
        ({"lens": ("SIS", "SIE")}, "line 2, column lens: the value is 'SIS'; expected for problem sie2026 a lens SIE"),
        (
            {"source": ("SersicSphere", "Spherical")},
            "line 3, column source: the value is 'Spherical'; expected for problem sie2026",
        ),
        ({"cropsize": ("200", "256")}, "line 2, column cropsize: the value is '200'; expected for problem sie2026 images of 512 px"),
        (
            {"filename": ("a.png", "c.png")},
            "line 3, column filename: the value is 'c.png'; expected a name that has a row in",
        ),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, change, said):
    _, systems, amplitudes = written(tmp_path, "sie2026", [(0.0, 0.0)] * 2)
    columns = {name: cells for name, cells in (dict(systems.columns) | change).items() if cells is not None}
    systems = replace(systems, columns=columns, filenames=columns["filename"])
    with pytest.raises(BadInput, match=f"dataset.csv: {said}"):
        params_of(problems.get("sie2026"), systems, amplitudes=amplitudes)


def test_a_table_without_the_places_of_the_lenses_says_where_they_are(tmp_path):
    _, systems, _ = written(tmp_path, "sie2026", [(0.0, 0.0)] * 2)
    with pytest.raises(BadInput, match="line 1, column lensX: there is no such column; roulette.csv beside this table"):
        params_of(problems.get("sie2026"), systems)
