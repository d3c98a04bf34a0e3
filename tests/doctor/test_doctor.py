"""Files without fault, what is more exact than a saying, files that are refused, and the command."""

from pathlib import Path

import numpy as np
import pytest

from lensjax import doctor
from lensjax.cli import main as cli
from lensjax.doctor.systems import Systems, sersic_peak
from lensjax.doctor.table import Table
from lensjax.errors import BadInput
from lensjax.formats.cosmosim import toml as cosmosim_toml
from lensjax.formats.cosmosim.amplitudes import orders
from tests.doctor.doctor_files import (
    GOOD,
    amplitude_row,
    amplitudes,
    cosmo_ml,
    csv,
    dataset,
    one_image,
    predicted,
    problem,
    systems,
    toml,
    training,
    written,
)


def examined(folder, files):
    path, labels = written(folder, files)
    return doctor.examine(path, labels=labels)


def codes(findings):
    return {finding.code for finding in findings}


@pytest.mark.parametrize(
    "files",
    [systems({}, {"theta": "31.5"}), dataset(), one_image(), training(), problem(), {"ours.toml": toml({"problem": "sis2023", "n": 3})}],
    ids=["systems", "dataset", "one image", "training", "problem", "LensJAX"],
)
def test_nothing_is_said_of_good_files(tmp_path, files):
    assert examined(tmp_path, files) == []


def test_good_amplitudes_and_predictions(tmp_path):
    assert codes(examined(tmp_path, amplitudes())) == {"lens-missing"}
    assert codes(examined(tmp_path, amplitudes({"einsteinradius": "20"}))) == set()
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 30, (20, 2))
    assert examined(tmp_path, cosmo_ml(truth, truth + rng.normal(0, 1, truth.shape))) == []


def test_tables_that_cosmosim_wrote():
    """CosmoSim 3.3.0 itself wrote this table of amplitudes; the other one holds the systems of its images."""
    folder = Path(__file__).parents[1] / "data" / "cosmosim"
    findings = doctor.examine(folder / "roulette.csv")
    assert codes(findings) == {"offsetY-wrong", "amplitudes-zero", "lens-missing", "amplitude-constant"}
    systems, amplitudes = Table.read(folder / "dataset.csv"), Table.read(folder / "roulette.csv")
    lens_of = dict(zip(systems.cells("filename"), systems.cells("lens"), strict=True))
    lenses = {line: lens_of[name] for line, name in zip(amplitudes.lines, amplitudes.cells("filename"), strict=True)}
    zero = next(finding for finding in findings if finding.code == "amplitudes-zero")
    assert [line for line, lens in lenses.items() if lens == "SIE"] == [zero.line] and zero.further_lines == 0


def test_the_fields_of_a_finding(tmp_path):
    path, _ = written(tmp_path, systems({"sigma": "-1"}, {"sigma": "2"}, {"sigma": "-3"}))
    finding = doctor.examine(path)[0]
    assert (finding.code, finding.severity, finding.path) == ("value-refused", "error", str(path))
    assert (finding.line, finding.further_lines, finding.columns, finding.key) == (2, 1, ("sigma",), "")
    assert finding.values == {"reason": "the value is '-1'", "expected": "a length above 0 and up to 10000 px"}
    assert finding.place == f"{path}: line 2 and 1 more, column sigma"
    assert finding.what == "LensJAX cannot use this: the value is '-1'."
    assert finding.do == "Expected: a length above 0 and up to 10000 px."
    finding = examined(tmp_path, dataset(lens__mode="sis"))[0]
    assert (finding.code, finding.line, finding.columns, finding.key) == ("name-unknown", None, (), "[lens] mode")
    assert "Did you mean SIS?" in finding.what


def test_a_member_of_a_cluster_is_named(tmp_path):
    finding = examined(tmp_path, systems({"cluster": "SIS/0/0/9;SIX/5/0/9"}))[0]
    assert finding.place.endswith("line 2, column cluster")
    assert "member 2, character 11" in finding.what and "Did you mean SI" in finding.what


def test_the_nearest_key_and_name_are_offered(tmp_path):
    findings = examined(tmp_path, dataset(source__sigmaa=4, simulator__sigma=2, lens__mode=["SiS"]))
    assert {finding.hint for finding in findings if finding.hint} == {
        "did you mean sigma?", "did you mean [source] sigma?", "did you mean SIS?",
    }  # fmt: skip
    findings = examined(tmp_path, systems({"elipseratio": "1"}))
    assert findings[0].code == "column-misspelt" and "did you mean ellipseratio?" in findings[0].hint
    findings = examined(tmp_path, systems({"elipseratio": "1", "sigma": "-1", "sorce": "s", "source": None}))
    assert [finding.columns for finding in findings if finding.severity == "error"] == [("elipseratio",), ("sorce",), ("sigma",)]


def test_the_middle_of_a_sersic_source():
    """Against the integral: a profile of luminosity L in CosmoSim's unit has 1000 L of light below its ellipses."""
    n, sigma, sigma2, luminosity = 1.7, 6.0, 4.0, 0.8
    row = {**GOOD, "source": "SersicEllipsoid", "sigma": sigma, "sigma2": sigma2, "n_sersic": n, "luminosity": luminosity}
    peak = sersic_peak(Systems(Table("", (2,), {name: (str(value),) for name, value in row.items()})))[0]
    b = 1.992 * n - 0.3271
    rho = np.linspace(0, 400, 400_001)
    light = np.trapezoid(2 * np.pi * sigma * sigma2 * rho * peak * np.exp(-b * rho ** (1 / n)), rho)
    assert light == pytest.approx(1e3 * luminosity, rel=1e-4)


@pytest.mark.parametrize("lens", ["SIS", "PM"])
def test_how_far_out_an_image_lies(lens):
    """Against the lens equation: the image along η whose source is at η."""
    row = {**GOOD, "lens": lens, "einsteinradius": "30", "x": "-40", "y": "9"}
    systems = Systems(Table("", (2,), {name: (value,) for name, value in row.items()}))
    image = np.array([-40.0, 9.0]) * systems.reach[0] / 40
    deflection = 30 * image / np.hypot(*image) if lens == "SIS" else 30**2 * image / np.hypot(*image) ** 2
    assert image - deflection == pytest.approx([-40, 9])


def test_the_names_of_2023(tmp_path):
    """A letter in the column lens, or a name in the column model, says lens and model."""
    for changes in ({"lens": "rs", "model": None}, {"model": "SIS (roulettes)", "lens": None}, {"config": "roulsis", "model": None}):
        path, _ = written(tmp_path, systems({**changes, "x": "0", "y": "0"}))
        read = Systems(Table.read(path))
        assert read.roulette.all() and (read.lens == "SIS").all()
        assert "source-behind-lens" in codes(doctor.examine(path))


def test_orders_of_amplitudes(tmp_path):
    beyond = {f"{kind}[{m}][{s}]": "0" for m, s in orders(7) if m > 5 for kind in ("alpha", "beta")}
    path, _ = written(tmp_path, amplitudes({}, beyond, nterms=7))
    finding = next(finding for finding in doctor.examine(path) if finding.code == "amplitudes-zero")
    assert (finding.line, finding.columns) == (3, ("alpha[6][1]",))


def test_labels_that_do_not_belong(tmp_path):
    labels = [{"filename": f"{k}.png", "sigma": 9 + k} for k in range(8)]
    for row, word in (
        ({"name": "a"}, "rows cannot be matched"), ({"filename": "z", "sigma": 1}, "none of its rows"),
        ({"filename": "0.png", "mass": 1}, "no column to compare"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=word) as raised:
            examined(tmp_path, predicted([row], labels))
        assert raised.value.path == str(tmp_path / "predicted.csv")
    with pytest.raises(BadInput, match="this is a TOML file"):
        examined(tmp_path, {**dataset(), "labels.csv": csv(*labels)})


def run(*words):
    """The command."""
    options = cli.parser().parse(["doctor", *map(str, words)])
    options.run(options)


def test_the_command(tmp_path, capsys):
    bad, good, labels = tmp_path / "bad.csv", tmp_path / "good.csv", tmp_path / "labels.csv"
    bad.write_text(csv({**GOOD, "sigma2": "9", "filename": "a"}, {**GOOD, "filename": "b.png", "theta": "200"}))
    good.write_text(csv(GOOD))
    run(bad, good)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "errors" and "warnings" in lines and "notes" in lines
    assert f"{bad}: 1 error, 1 warning, 1 note" in lines and lines[-1] == f"{good}: nothing to report"
    assert max(map(len, lines)) <= max(130, len(str(bad)) + 60)
    labels.write_text(csv({"filename": "a", "x": 1}, {"filename": "b", "x": 2}))
    run(labels, "--labels", labels)
    assert "The predictions are the labels" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.csv", "", "file is empty"), ("a.csv", "filename,x\n", "no rows"), ("a.csv", "a,b\n1,2\n", "of no known kind"),
        ("a.csv", "a,a\n1,2\n", "twice"), ("a.csv", "x,y\n1\n", "1 cells"), ("a.csv", "\0", "zero bytes"),
        ("a.toml", "x = ", "not a TOML file"), ("a.toml", "x = 3\n", "of no known kind"),
    ],
)  # fmt: skip
def test_files_of_no_kind(tmp_path, name, content, word):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(BadInput, match=word) as raised:
        run(path)
    assert "\n" not in str(raised.value) and raised.value.path == str(path)


def test_missing_files(tmp_path):
    for name in ("a.csv", "a.toml"):
        with pytest.raises(BadInput, match="no such file"):
            doctor.examine(tmp_path / name)
    with pytest.raises(BadInput, match="folder"):
        doctor.examine(tmp_path)


def test_odd_values_are_no_trouble(tmp_path):
    """They are refused, or ignored; nothing else goes wrong."""
    for cell in ("", "nan", "inf", "1e400", "-", "\u0664", "x" * 500, "1_000", "/", ";"):
        row = dict.fromkeys(GOOD, cell)
        assert isinstance(examined(tmp_path, {"a.csv": csv({**row, "filename": "a.png"}, GOOD)}), list)
        assert isinstance(examined(tmp_path, {"a.csv": csv(dict.fromkeys(amplitude_row(), f'"{cell}"'))}), list)
    for value in ([], [[]], {}, "", "nan", True, 10**400, -1, 1e308, [1, "a", True]):
        for table in cosmosim_toml.TABLES:
            for key in cosmosim_toml.keys(table):
                assert isinstance(examined(tmp_path, {"a.toml": toml({"lens": {}, table: {key: value}})}), list)


def test_help_holds_examples(capsys):
    with pytest.raises(SystemExit):
        cli.parser().parse(["doctor", "--help"])
    assert "--labels testing.csv" in capsys.readouterr().out
