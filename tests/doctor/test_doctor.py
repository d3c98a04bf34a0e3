"""What is said of files: one trap at a time in a file that is otherwise without fault, its place, and the command."""

import math

import numpy as np
import pytest

from lensjax.cli import main as cli
from lensjax.doctor import examine as doctor
from lensjax.errors import BadInput
from lensjax.formats.cosmosim import amplitudes as roulette_csv

GOOD = {
    "index": "1", "filename": "a.png", "model": "Raytrace", "lens": "SIS", "einsteinradius": "20", "source": "e", "sigma": "9",
    "sigma2": "5", "theta": "30", "x": "12", "y": "5",
}  # fmt: skip
OLD = {
    "index": "1", "filename": "a.png", "source": "e", "chi": "50", "einsteinR": "20", "sigma": "9", "sigma2": "5", "theta": "30",
    "x": "12", "y": "5",
}  # fmt: skip
TOML = {
    "simulator": {"model": ["Raytrace"], "size": 5},
    "lens": {"mode": ["SIS"], "einstein-min": 10, "einstein-max": 20},
    "source": {"mode": ["e"], "sigma-min": 10, "sigma-max": 20, "sigma2-min": 2, "sigma2-max": 9},
    "position": {"x-min": -20, "x-max": 20, "y-min": -20, "y-max": 20},
}
TRAINING = {"settings": {"model": "resnet50"}, "hyperparameters": {"learning-rate": 1e-4}, "training": {"num-epochs": 5}}
PROBLEM = {"problem": {"filename": "roulette.csv", "variables": ["sigma", "xiX"], "nterms": 4}}


def csv(path, *rows):
    """A table; columns that are None in a row are not there."""
    every = dict.fromkeys(name for row in rows for name in row)
    columns = [name for name in every if all(row.get(name, "") is not None for row in rows)]
    lines = [",".join(columns), *(",".join(str(row.get(name, "")) for name in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def toml(path, tables):
    """A TOML file of plain values."""

    def text(value):
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, dict):
            return "{ " + ", ".join(f'"{key}" = {text(one)}' for key, one in value.items()) + " }"
        if isinstance(value, list):
            return "[" + ", ".join(map(text, value)) + "]"
        return f'"{value}"' if isinstance(value, str) else repr(value)

    parts = [f"{name} = {text(value)}" for name, value in tables.items() if not isinstance(value, dict)]
    for name, table in tables.items():
        if isinstance(table, dict):
            parts += [f"[{name}]", *(f'"{key}" = {text(value)}' for key, value in table.items())]
    path.write_text("\n".join(parts) + "\n")
    return path


def changed(tables, **changes):
    """A copy with keys of tables changed: table__key = value, None takes it out; `_` in keys stands for `-`."""
    made = {name: dict(table) if isinstance(table, dict) else table for name, table in tables.items()}
    for name, value in changes.items():
        table, _, key = name.partition("__")
        if not key:
            made[table] = value
        elif value is None:
            made[table].pop(key.replace("_", "-"), None)
        else:
            made.setdefault(table, {})[key.replace("_", "-")] = value
    return made


def named(findings):
    return {finding.name for finding in findings}


def check(findings, name, place):
    found = [finding for finding in findings if finding.name == name]
    assert found, f"{name} is not among {sorted(named(findings))}"
    assert any(place in finding.place for finding in found), found
    assert all(finding.what and finding.do and "{" not in finding.what + finding.do for finding in found)


def test_nothing_is_said_of_good_files(tmp_path):
    second = {**GOOD, "filename": "b.png", "theta": "31.5"}
    assert doctor.examine(csv(tmp_path / "good.csv", GOOD, second)) == []
    assert doctor.examine(toml(tmp_path / "good.toml", TOML)) == []
    assert doctor.examine(toml(tmp_path / "ml.toml", TRAINING)) == []
    assert doctor.examine(toml(tmp_path / "problem.toml", PROBLEM)) == []
    assert doctor.examine(toml(tmp_path / "ours.toml", {"problem": "sis2023", "n": 3})) == []


ROULETTE = {"model": "Roulette", "nterms": "5"}
SIE = {"lens": "SIE", "ellipseratio": "0.7", "orientation": "20"}
SERSIC = {"source": "SersicEllipsoid", "n_sersic": "1", "luminosity": "1"}
CELLS = [
    # rows: changes of GOOD, one a row; what is said; where
    ([{"filename": "../a.png"}], "name leads out", "line 2, column filename"),
    ([{"filename": ""}], "name leads out", "line 2, column filename"),
    ([{"directory": "/elsewhere"}], "name leads out", "line 2"),
    ([{}, {"filename": "b.png"}, {}], "name twice", "line 4, column filename"),
    ([{"filename": "deep/a.png"}], "name in folder", "line 2"),
    ([{"directory": "deep"}], "name in folder", "line 2"),
    ([{"filename": "a"}], "name without ending", "line 2"),
    ([{"filename": None}], "no filename", "line 1"),
    ([{"redshift": "2"}], "column unknown", "column redshift"),
    ([{"einsteinradus": "20"}], "column misspelt", "column einsteinradus"),
    ([{"sigma2": None}], "column missing", "line 1"),
    ([{**SIE, "orientation": None}], "column missing", "line 1"),
    ([{"chi": "50"}], "chi", "column chi"),
    ([{"config": "raysie", "lens": None}], "config", "column config"),
    ([{**SIE, "ratio": "0.7"}], "two ratios", "column ratio"),
    ([{"phi": "40", "y": None}], "polar", "column phi"),
    ([{**SERSIC, "luminosity": None}], "luminosity default", "line 1"),
    ([{"model": "Roulette"}], "nterms default", "line 1"),
    ([{"sigma": "wide"}, {"sigma": "-1", "filename": "b.png"}], "refused", "column sigma"),
    ([{}, {"filename": "b.png", "lens": ""}], "empty stops", "line 3, column lens"),
    ([{"cluster": "SIS/0/0/9"}, {"filename": "b.png", "cluster": ""}], "empty stops", "line 3, column cluster"),
    ([{}, {"filename": "b.png", "sigma2": ""}], "empty black", "line 3, column sigma2"),
    ([SIE, {"filename": "b.png", **SIE, "orientation": ""}], "empty black", "line 3, column orientation"),
    ([{**SERSIC, "lightprofile": ""}], "empty profile", "line 2, column lightprofile"),
    ([{"centred": "1"}, {"filename": "b.png", "centred": ""}], "empty yes", "line 3, column centred"),
    ([{"mask": "yes"}, {"filename": "b.png", "mask": "no"}], "text yes", "line 3, column mask"),
    ([{"lens": "sis"}], "lens name", "line 2, column lens"),
    ([{"lens": "fs"}], "lens name", "line 2, column lens"),
    ([{"model": "raytrace"}], "model name", "line 2, column model"),
    ([{"source": "ellipsoid"}], "source name", "line 2, column source"),
    ([{"source": "Spherical/0/0/5;Spherical/9/0/5"}], "constellation", "line 2, column source"),
    ([{"source": "Image (Einstein)"}], "picture", "line 2, column source"),
    ([{**SERSIC, "lightprofile": "Gaussian"}], "profile wins", "line 2, column lightprofile"),
    ([{"cluster": "SIS/5/0/9;PM/0/0/9"}], "PM in cluster", "line 2, column cluster"),
    ([{**SIE, "ellipseratio": "1.4"}], "ratio above 1", "line 2, column ellipseratio"),
    ([{"x": "3", "y": "4", "phi": f"{math.atan2(3, 4):.4f}"}], "phi of generator", "column phi"),
    ([{**ROULETTE, **SIE, "nterms": "6"}], "order", "line 2, column nterms"),
    ([{**ROULETTE, "nterms": "51"}], "order", "line 2, column nterms"),
    ([{**ROULETTE, "cluster": "SIS/5/0/9;SIS/0/0/9"}], "cluster roulette", "line 2, column cluster"),
    ([{**ROULETTE, "x": "0", "y": "0"}], "behind the lens", "line 2, column x"),
    ([{**ROULETTE, "sampled": "1"}], "sampled", "line 2, column sampled"),
    ([{**ROULETTE, **SIE, "mask": "1"}], "mask of SIE", "line 2, column mask"),
    ([{"xireference": "False"}], "xireference", "line 2, column xireference"),
    ([SERSIC], "Sérsic axes", "line 2, column source"),
    ([{"lightprofile": "Sersic", "n_sersic": "1", "luminosity": "1"}], "Sérsic axes", "line 2, column source"),
    ([{**SERSIC, "luminosity": "900"}], "too bright", "line 2, column luminosity"),
    ([{"imagesize": "401"}], "odd size", "line 2, column imagesize"),
    ([{"actual": "1"}], "actual", "line 2, column actual"),
    ([{"showmask": "1"}], "no effect", "line 2, column showmask"),
    ([{"reflines": "true"}], "reflines", "line 2, column reflines"),
    ([{"sigma2": "0.4"}], "small source", "line 2, column sigma2"),
    ([{"sigma": "34", "imagesize": "200"}], "large source", "line 2, column sigma"),
    ([{"x": "240"}], "off canvas", "line 2, column x"),
    ([{"cropsize": "60"}], "cropped away", "line 2, column cropsize"),
    ([{"cropsize": "600"}], "vain crop", "line 2, column cropsize"),
    ([{"source": "s", "theta": "3"}, {"source": "s", "theta": "4", "filename": "b.png"}], "not shown", "column theta"),
    ([{"orientation": "3"}, {"orientation": "4", "filename": "b.png"}], "not shown", "column orientation"),
    ([{}, {"sigma2": "9", "filename": "b.png"}], "round source", "line 3, column theta"),
    ([{}, {"sigma2": "19", "filename": "b.png"}], "axes named twice", "line 3, column sigma"),
    ([{"theta": "210"}], "half turn", "line 2, column theta"),
    ([{**SIE, "ellipseratio": "1"}], "round lens", "line 2, column ellipseratio"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "name", "place"), CELLS, ids=[f"{k}-{case[1]}" for k, case in enumerate(CELLS)])
def test_traps_of_a_table(tmp_path, rows, name, place):
    check(doctor.examine(csv(tmp_path / "data.csv", *({**GOOD, **row} for row in rows))), name, place)


OLD_CELLS = [
    ([{}], "einsteinR", "column einsteinR"),
    ([{"chi": "0.5"}, {"chi": "0.7", "filename": "b.png"}], "chi as share", "column chi"),
    ([{}, {"chi": "70", "filename": "b.png"}], "only θ_E", "column chi"),
    ([{"index": "0007"}], "index zeros", "line 2, column index"),
    ([{"index": None}], "second column", "column filename"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "name", "place"), OLD_CELLS)
def test_traps_of_a_table_of_2023(tmp_path, rows, name, place):
    check(doctor.examine(csv(tmp_path / "data.csv", *({**OLD, **row} for row in rows))), name, place)


def test_radians(tmp_path):
    degrees = np.random.default_rng(1).uniform(0, 180, 20)
    rows = [{**GOOD, "filename": f"{k}.png", "theta": f"{angle:.3f}"} for k, angle in enumerate(degrees)]
    assert doctor.examine(csv(tmp_path / "data.csv", *rows)) == []
    rows = [{**GOOD, "filename": f"{k}.png", "theta": f"{np.deg2rad(angle):.5f}"} for k, angle in enumerate(degrees)]
    check(doctor.examine(csv(tmp_path / "data.csv", *rows)), "radians", "column theta")


def test_the_middle_of_a_sersic_source():
    """Against the integral: a profile of luminosity L in CosmoSim's unit has 1000 L of light below its ellipses."""
    n, sigma, sigma2, luminosity = 1.7, 6.0, 4.0, 0.8
    row = {**GOOD, "source": "SersicEllipsoid", "sigma": sigma, "sigma2": sigma2, "n_sersic": n, "luminosity": luminosity}
    peak = doctor._peak(doctor._Systems(doctor._Table("", (2,), {name: (str(value),) for name, value in row.items()})))[0]
    b = 1.992 * n - 0.3271
    rho = np.linspace(0, 400, 4_000_001)
    light = np.trapezoid(2 * np.pi * sigma * sigma2 * rho * peak * np.exp(-b * rho ** (1 / n)), rho)
    assert light == pytest.approx(1e3 * luminosity, rel=1e-4)


def amplitudes(nterms=4, **cells):
    """A row of amplitudes without fault."""
    row = {name: "0.25" for name in roulette_csv.columns(nterms)}
    row |= {"filename": "a.png", "source": "e", "theta": "30", "sigma": "9", "sigma2": "5", "offsetY": "0", "offsetX": "0"}
    return {**row, **cells}


AMPLITUDES = [
    ([{}], "no lens", "line 1"),
    ([{"alpha[2][2]": "1"}], "heading", "line 1"),
    ([{"alpha[2][1]": "x"}], "amplitude", "line 2, column alpha[2][1]"),
    ([{"chi": "50", "xiX": None, "xiY": None}], "table of 2023", "line 1"),
    ([{"xiY": None}], "no ξ", "line 1"),
    ([{}, {"filename": "b.png", "xiX": ""}], "ξ empty", "line 3, column xiX"),
    ([{"source": None}], "no source", "line 1"),
    ([{"alpha[0][1]": "-9.285", "beta[0][1]": "-4.425", "offsetY": "-4.86"}], "offsetY", "line 2, column offsetY"),
    ([{"alpha[3][2]": None, "beta[3][2]": None}], "amplitudes missing", "line 1"),
    ([{}, {"filename": "b.png"}], "amplitude constant", "column alpha[0][1]"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "name", "place"), AMPLITUDES)
def test_traps_of_amplitudes(tmp_path, rows, name, place):
    check(doctor.examine(csv(tmp_path / "data.csv", *(amplitudes(**row) for row in rows))), name, place)


def test_orders_that_cosmosim_does_not_know(tmp_path):
    beyond = {f"{kind}[{m}][{s}]": "0" for m, s in roulette_csv.orders(7) if m > 5 for kind in ("alpha", "beta")}
    findings = doctor.examine(csv(tmp_path / "data.csv", amplitudes(7), amplitudes(7, filename="b.png", **beyond)))
    check(findings, "zeros beyond 5", "line 3, column alpha[6][1]")
    check(doctor.examine(csv(tmp_path / "data.csv", amplitudes(51))), "beyond 50", "column alpha[51][0]")
    assert "beyond 50" not in named(doctor.examine(csv(tmp_path / "data.csv", amplitudes(50))))
    assert named(doctor.examine(csv(tmp_path / "data.csv", amplitudes()))) == {"no lens"}


def test_predictions_of_cosmo_ml(tmp_path):
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 30, (20, 2))

    def table(guess):
        columns = ["Index", *(f"{name} ({kind})" for kind in ("Ground Truth", "Predicted") for name in "xy")]
        rows = [dict(zip(columns, (k, *a, *b), strict=True)) for k, (a, b) in enumerate(zip(truth, guess, strict=True))]
        return doctor.examine(csv(tmp_path / "predictions.csv", *rows))

    assert table(truth + rng.normal(0, 1, truth.shape)) == []
    check(table(truth * (1 + 1e-7)), "labels", "columns x, y")
    check(table(np.stack([truth[:, 0], truth[:, 1] + 1], axis=1)), "some labels", "columns x")
    check(table(np.full_like(truth, 3.0)), "one answer", "column x")
    check(table(np.maximum(truth, 0.0)), "ReLU", "column y")


def test_predictions_of_droulette(tmp_path):
    truth = [{"filename": f"{k}.png", "sigma": 9 + k, "sigma2": 12, "theta": 10 * k} for k in range(8)]
    labels = csv(tmp_path / "testing.csv", *truth)
    copied = csv(tmp_path / "predicted.csv", *reversed(truth))
    check(doctor.examine(copied, labels=labels), "labels", "columns sigma, theta")
    guesses = [{**row, "sigma": row["sigma"] + 0.5, "theta": row["theta"] + k} for k, row in enumerate(truth, 1)]
    honest = csv(tmp_path / "predicted.csv", *guesses)
    findings = doctor.examine(honest, labels=labels)
    check(findings, "plain errors", "column theta")
    assert "labels" not in named(findings)
    other = csv(tmp_path / "more.csv", *truth, {"filename": "z.png", "sigma": 1, "sigma2": 2, "theta": 3})
    check(doctor.examine(other, labels=labels), "rows unknown", "line 10, column filename")
    check(doctor.examine(csv(tmp_path / "results.csv", {"filename": "a.png", "x": 1, "x_network": 2})), "no truth", "line 1")
    for wrong, word in (({"name": "a"}, "rows cannot be matched"), ({"filename": "z", "sigma": 1}, "none of its rows"), (
        {"filename": "0.png", "mass": 1}, "nothing to compare"
    )):  # fmt: skip
        with pytest.raises(BadInput, match=word):
            doctor.examine(csv(tmp_path / "wrong.csv", wrong), labels=labels)


KEYS = [
    ({"shaders": {"a": 1}}, "table unknown", ": shaders"),
    ({"simulation": {"a": 1}}, "table misspelt", ": simulation"),
    ({"lens": "SIS"}, "no table", ": lens"),
    ({"lens__zzzzqq": 1}, "key unknown", "[lens] zzzzqq"),
    ({"source__sigmaa": 4}, "key misspelt", "[source] sigmaa"),
    ({"simulator__sigma": 4}, "key misspelt", "[simulator] sigma"),
    ({"source__sigma_max": -3}, "refused", "[source] sigma-max"),
    ({"simulator__imagesize": 400}, "imagesize", "[simulator] imagesize"),
    ({"dataset__directory": "out"}, "directory", "[dataset] directory"),
    ({"lens__mode": "SIS"}, "fixed values", "[lens] mode"),
    ({"simulator__nterms": 5}, "nterms lost", "[simulator] nterms"),
    ({"lens": {"einsteinradius": 30}}, "einsteinradius", "[lens] einsteinradius"),
    ({"lens__chi": 50}, "chi", "[lens] chi"),
    ({"cluster": {"count": 2, "maxrelativelocation": 2.0}, "lens__mode": "SIS"}, "maxrelativelocation", "[cluster] maxrelativelocation"),
    ({"position": {"r-relativemax": 2.0}, "source__position": "relative"}, "r-relativemax", "[position] r-relativemax"),
    ({"source__luminosity_lambda": 1.0}, "luminosity-lambda", "[source] luminosity-lambda"),
    ({"source__position": "Polar"}, "position", "[source] position"),
    ({"source__position": "polar"}, "not read", "[position] x-min"),
    ({"position__phi_min": 3}, "not read", "[position] phi-min"),
    ({"position": {"r-max": {"maxlensposition": 1.2}}, "source__position": "polar"}, "r not a number", "[position] r-max"),
    ({"source__sigma": [4, 5]}, "list of numbers", "[source] sigma"),
    ({"cluster": {"maxrelativelocation": 2.0}, "lens__mode": "SIS"}, "count", "[cluster] count"),
    ({"cluster": {"count": 2}, "lens__mode": ["SIS", "SIE"]}, "cluster of", "[lens] mode"),
    ({"cluster": {"count": 2}, "lens__mode": "PM"}, "cluster of", "[lens] mode"),
    ({"cluster": {"count": 2}, "lens__mode": "SIS", "simulator__model": "Roulette"}, "cluster roulette", "[simulator] model"),
    ({"lens__cluster": {"count": 4}}, "lens.cluster", "[lens.cluster]"),
    ({"lens__mode": ["SIS", "SIE"]}, "SIE without", "[lens] ellipseratio"),
    ({"lens__mode": ["SIE"], "lens__ellipseratio": 0.5, "lens__orientation_min": 3}, "SIE without", "[lens] orientation"),
    ({"simulator__nterms": 60}, "order", "[simulator] nterms"),
    ({"simulator__nterms": 6, "lens__mode": "SIE"}, "order", "[simulator] nterms"),
    ({"source__sigma2_min": 50, "source__sigma2_max": None}, "beyond other end", "[source] sigma2-min"),
    ({"source__mode": ["s"]}, "drawn but not shown", "[source] sigma2"),
    ({"lens__orientation": 3}, "drawn but not shown", "[lens] orientation"),
    ({"source__n_sersic": 2}, "key misspelt", "[source] n-sersic"),
    ({"source__sigma2_max": 15}, "axes named twice", "[source] sigma"),
    ({"source__sigma": 5, "source__sigma2": 5}, "round source", "[source] theta"),
    ({"source__theta_max": 360}, "half turn", "[source] theta"),
    ({"source__sigma2_min": 0.2}, "small source", "[source] sigma2"),
    ({"source__mode": "SersicEllipsoid"}, "Sérsic axes", "[source] mode"),
    ({"source__lightprofile": "Sersic"}, "Sérsic axes", "[source] mode"),
    ({"position__x_max": 250}, "off canvas", "[position]"),
    ({"source__sigma_max": 90}, "large source", "[source] sigma"),
    ({"source__mode": "ellipsoid"}, "source name", "[source] mode"),
    ({"lens__mode": "sis"}, "lens name", "[lens] mode"),
    ({"simulator__model": "Raytracing"}, "model name", "[simulator] model"),
    ({"source__mode": "s/0/0/5;s/9/0/5"}, "constellation", "[source] mode"),
    ({"source__mode": "Image (Einstein)"}, "picture", "[source] mode"),
    ({"management": {"actual": True}}, "actual", "[management] actual"),
    ({"annotation": {"reflines": True}}, "reflines", "[annotation] reflines"),
    ({"simulator__xireference": False}, "xireference", "[simulator] xireference"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "name", "place"), KEYS, ids=[f"{k}-{case[1]}" for k, case in enumerate(KEYS)])
def test_traps_of_a_dataset_toml(tmp_path, changes, name, place):
    check(doctor.examine(toml(tmp_path / "dataset.toml", changed(TOML, **changes))), name, place)


def test_the_nearest_key_and_name_are_offered(tmp_path):
    findings = doctor.examine(toml(tmp_path / "d.toml", changed(TOML, source__sigmaa=4, simulator__sigma=2)))
    said = " ".join(finding.what for finding in findings)
    assert "did you mean sigma?" in said and "did you mean [source] sigma?" in said
    findings = doctor.examine(csv(tmp_path / "d.csv", {**GOOD, "elipseratio": "1"}))
    assert "did you mean ellipseratio?" in findings[0].what


DROULETTE = [
    (PROBLEM, {"problem__nterms": [3, 4]}, "nterms list", "[problem] nterms"),
    (PROBLEM, {"problem__variables": ["einsteinradius"]}, "variable of lens", "[problem] variables"),
    (PROBLEM, {"problem__variables": ["sigmaa"]}, "variable unknown", "[problem] variables"),
    (PROBLEM, {"problem__variables": ["beta[3][0]"]}, "variable zero", "[problem] variables"),
    (PROBLEM, {"problem__variables": ["offsetY"]}, "variable offset", "[problem] variables"),
    (PROBLEM, {"problem__dataset": "round.toml", "problem__variables": ["theta"]}, "variable hidden", "[problem] variables"),
    (PROBLEM, {"problem__dataset": "round.toml", "problem__nterms": 7}, "too many terms", "[problem] nterms"),
    (PROBLEM, {"problem__dataset": "nowhere.toml"}, "file missing", "[problem] dataset"),
    (PROBLEM, {"dataset": {"training": {"filename": "a"}, "testing": {"filename": "b"}}}, "sizes", "[dataset.testing] size"),
    (PROBLEM, {"dataset": {"training": {"size": 0.8}, "testing": {"size": 0.3}}}, "shares", "[dataset]"),
    (PROBLEM, {"dataset": {"training": {"size": 100}}}, "not shuffled", "[dataset]"),
    (TRAINING, {"hyperparameters": {"array": {"learning-rate": 1e-4}}}, "no list", "[hyperparameters.array] learning-rate"),
    (TRAINING, {"hyperparameters": {"batch-size": 3}}, "learning rate missing", "[hyperparameters] learning-rate"),
    (TRAINING, {"hyperparameters__learning_rate": 0.1}, "learning rate", "[hyperparameters] learning-rate"),
    (TRAINING, {"hyperparameters__batchsize": 5}, "key misspelt", "[hyperparameters] batchsize"),
    (TRAINING, {"settings__model": "squeezenet1_0"}, "squeezenet", "[settings] model"),
    (TRAINING, {"settings__model": "resnet5"}, "network", "[settings] model"),
    (TRAINING, {"settings__problem": "nowhere.toml"}, "file missing", "[settings] problem"),
    (TRAINING, {"output": {"directory": "out"}}, "labels written", "[output]"),
]  # fmt: skip


@pytest.mark.parametrize(("tables", "changes", "name", "place"), DROULETTE, ids=[f"{k}-{case[2]}" for k, case in enumerate(DROULETTE)])
def test_traps_of_droulette(tmp_path, tables, changes, name, place):
    toml(tmp_path / "round.toml", changed(TOML, source__mode="s", simulator__nterms=6))
    check(doctor.examine(toml(tmp_path / "it.toml", changed(tables, **changes))), name, place)


def test_every_saying_stands_in_a_test():
    asked = {case[1] for case in (*CELLS, *OLD_CELLS, *AMPLITUDES, *KEYS)} | {case[2] for case in DROULETTE}
    asked |= {"radians", "zeros beyond 5", "beyond 50"}
    asked |= {"labels", "some labels", "one answer", "ReLU", "plain errors", "rows unknown", "no truth"}
    assert asked == set(doctor.SAYINGS)
    assert {severity for severity, _, _ in doctor.SAYINGS.values()} == set(doctor.SEVERITIES)


def run(*words):
    """The command."""
    options = cli.parser().parse(["doctor", *map(str, words)])
    options.run(options)


def test_the_command(tmp_path, capsys):
    bad = csv(tmp_path / "bad.csv", {**GOOD, "sigma2": "9", "filename": "a"}, {**GOOD, "filename": "b.png", "theta": "200"})
    good = csv(tmp_path / "good.csv", GOOD)
    run(bad, good)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "errors" and "warnings" in said and "notes" in said
    assert f"{bad}: 1 error, 1 warning, 1 note" in said and said[-1] == f"{good}: nothing to say"
    assert max(map(len, said)) <= max(130, len(str(bad)) + 60)
    labels = csv(tmp_path / "labels.csv", {"filename": "a", "x": 1}, {"filename": "b", "x": 2})
    run(labels, "--labels", labels)
    assert "the predictions are the labels" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.csv", "", "file is empty"), ("a.csv", "filename,x\n", "no rows"), ("a.csv", "a,b\n1,2\n", "neither systems nor"),
        ("a.csv", "a,a\n1,2\n", "is there twice"), ("a.csv", "x,y\n1\n", "1 cells"), ("a.csv", "\0", "zero bytes"),
        ("a.toml", "x = ", "not a TOML file"), ("a.toml", "x = 3\n", "neither CosmoSim's"),
    ],
)  # fmt: skip
def test_files_of_no_kind(tmp_path, name, content, word):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(BadInput, match=word) as raised:
        run(path)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_odd_values_are_no_trouble(tmp_path):
    """They are refused, or passed over; nothing else goes wrong."""
    check(doctor.examine(csv(tmp_path / "a.csv", {**GOOD, "lens": "Cluster", "model": "Roulette"})), "refused", "line 2, column cluster")
    check(doctor.examine(csv(tmp_path / "a.csv", {**OLD, "chi": "0"})), "refused", "line 2, column chi")
    check(doctor.examine(csv(tmp_path / "a.csv", {"x (Predicted)": "nan", "x (Ground Truth)": "1"})), "no truth", "line 1")
    check(doctor.examine(toml(tmp_path / "a.toml", changed(TOML, source__position=[]))), "position", "[source] position")
    check(doctor.examine(toml(tmp_path / "a.toml", changed(TOML, simulator__imagesize=10**400))), "refused", "[simulator] imagesize")
    check(doctor.examine(toml(tmp_path / "a.toml", changed(TOML, cluster={"count": "two"}))), "count", "[cluster] count")


def test_missing_files(tmp_path):
    for name in ("a.csv", "a.toml"):
        with pytest.raises(BadInput, match="no such file"):
            doctor.examine(tmp_path / name)
    with pytest.raises(BadInput, match="this is a TOML file"):
        doctor.examine(toml(tmp_path / "d.toml", TOML), labels=tmp_path / "l.csv")
    with pytest.raises(BadInput, match="folder|cannot be read"):
        doctor.examine(tmp_path)


def test_help_is_quick_and_holds_examples(capsys):
    with pytest.raises(SystemExit):
        cli.parser().parse(["doctor", "--help"])
    assert "--labels testing.csv" in capsys.readouterr().out
