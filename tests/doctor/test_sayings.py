"""Every saying: a small file that provokes it, at a certain place, and one close by that does not."""

import math
from typing import NamedTuple

import numpy as np
import pytest

from lensjax import doctor
from lensjax.doctor import cells
from lensjax.errors import BadInput
from lensjax.formats.cosmosim.amplitudes import orders
from tests.doctor.doctor_files import (
    Files,
    amplitudes,
    cosmo_ml,
    dataset,
    old,
    one_image,
    predicted,
    problem,
    systems,
    training,
    written,
)


class Case(NamedTuple):
    """One saying in two files.

    Attributes:
        code: the saying.
        place: part of the place where it is said.
        bad: the file that provokes it.
        near: a file close by that does not.
    """

    code: str
    place: str
    bad: Files
    near: Files


ROULETTE = {"model": "Roulette", "nterms": "5"}
SIE = {"lens": "SIE", "ellipseratio": "0.7", "orientation": "20"}
SERSIC = {"source": "SersicEllipsoid", "n_sersic": "1", "luminosity": "1"}
ANGLES = np.random.default_rng(1).uniform(0, 180, 20)
TRUTH = np.random.default_rng(2).normal(0, 30, (20, 2))
GUESS = TRUTH + np.random.default_rng(3).normal(0, 1, TRUTH.shape)
LABELS = [{"filename": f"{k}.png", "sigma": 9 + k, "sigma2": 12, "theta": 10 * k} for k in range(8)]
ELLIPSES = [{**row, "sigma": 20 + k} for k, row in enumerate(LABELS)]
GUESSES = [{**row, "sigma": row["sigma"] + 0.5, "theta": row["theta"] + k} for k, row in enumerate(LABELS, 1)]
BEYOND_5 = {f"{kind}[{m}][{s}]": "0" for m, s in orders(7) if m > 5 for kind in ("alpha", "beta")}
ALL_0 = {f"{kind}[{m}][{s}]": "" for m, s in orders(7) for kind in ("alpha", "beta")}

TABLES = [
    # names of files
    Case("filename-missing", "line 1", systems({"filename": None}), systems()),
    Case("filename-outside", "line 2, column filename", systems({"filename": "../a.png"}), systems({"filename": "..a.png"})),
    Case("filename-outside", "line 2, column filename", systems({"filename": ""}), systems()),
    Case("filename-outside", "line 2", systems({"directory": "/elsewhere"}), systems({"directory": "elsewhere"})),
    Case("filename-twice", "line 4, column filename", systems({}, {}, {"filename": "a.png"}), systems({}, {"filename": "A.png"})),
    Case("filename-in-folder", "line 2", systems({"filename": "deep/a.png"}), systems({"filename": "deep-a.png"})),
    Case("filename-in-folder", "line 2", systems({"directory": "deep"}), systems({"directory": ""})),
    Case("filename-without-extension", "line 2", systems({"filename": "a"}), systems({"filename": "a.tif"})),
    # columns
    Case("column-unknown", "column redshift", systems({"redshift": "2"}), systems({"R": "13"})),
    Case("column-unknown", "column z_lens", systems({"z_lens": "2"}), systems({"maxcount": "2"})),
    Case("column-similar", "column lense", systems({"lense": "SIS"}), systems({"z_lens": "2"})),
    Case(
        "column-similar", "column lense",
        systems({"lense": "SIS"}), systems({"id": "2", "name": "a", "mag": "1", "class": "b", "score": "2"}),
    ),
    Case("column-misspelt", "column einsteinradus", systems({"einsteinradus": "20", "einsteinradius": None}), systems({"theta_E": "20"})),
    Case("column-missing", "line 1", systems({"sigma2": None}), systems({"sigma2": None, "theta": None, "source": "s"})),
    Case("column-missing", "line 1", systems({**SIE, "orientation": None}), systems({**SIE, "ellipseratio": None, "ratio": "0.7"})),
    Case("einsteinR-ignored", "column einsteinR", old(), systems({"einsteinR": "10"})),
    Case("chi-ignored", "column chi", systems({"chi": "50"}), old()),
    Case("config-ignored", "column config", systems({"config": "raysie", "lens": None}), systems({"config": "raysis"})),
    Case("ratio-twice", "column ratio", systems({**SIE, "ratio": "0.7"}), systems({**SIE, "ellipseratio": None, "ratio": "0.7"})),
    Case("place-polar", "column phi", systems({"phi": "40", "y": None}), systems({"phi": "40"})),
    Case("luminosity-default", "line 1", systems({**SERSIC, "luminosity": None}), systems({"luminosity": None})),
    Case("nterms-default", "line 1", systems({"model": "Roulette"}), systems({"model": "Raytrace"})),
    # cells
    Case("value-refused", "line 2 and 1 more, column sigma", systems({"sigma": "-1"}, {"sigma": "-2"}, {}), systems({"sigma": "1"})),
    Case("value-refused", "line 2, column sigma", systems({"sigma": "wide"}, {"sigma": "-1"}), systems({"sigma": "1e1"})),
    Case("value-refused", "line 2, column cluster", systems({"lens": "Cluster", "model": "Roulette"}), systems({"cluster": "SIS/0/0/9"})),
    Case("value-refused", "line 2, column chi", old({"chi": "0"}), old({"chi": "100"})),
    Case("empty-stops", "line 3, column lens", systems({}, {"lens": ""}), systems({"lens": None}, {"lens": None})),
    Case("empty-stops", "line 3, column cluster", systems({"cluster": "SIS/0/0/9"}, {"cluster": ""}), systems({"cluster": "SIS/0/0/9"})),
    Case("empty-black", "line 3, column sigma2", systems({}, {"sigma2": ""}), systems({}, {"sigma2": "", "source": "s"})),
    Case("empty-black", "line 3, column orientation", systems(SIE, {**SIE, "orientation": ""}), systems(SIE, {"orientation": ""})),
    Case("empty-profile", "line 2, column lightprofile", systems({**SERSIC, "lightprofile": ""}), systems({"lightprofile": ""})),
    Case("empty-yes", "line 3, column centred", systems({"centred": "1"}, {"centred": ""}), systems({"centred": "1"}, {"centred": "0"})),
    Case("text-yes", "line 3, column mask", systems({"mask": "yes"}, {"mask": "no"}), systems({"mask": "True"}, {"mask": "False"})),
    Case("name-unknown", "line 2, column lens", systems({"lens": "sis"}), systems({"lens": "PointMass"})),
    Case("name-unknown", "line 2, column lens", systems({"lens": "fs"}), systems({"lens": "SIE", **SIE})),
    Case("name-unknown", "line 2, column model", systems({"model": "raytrace"}), systems({"model": "Roulette"})),
    Case("name-unknown", "line 2, column source", systems({"source": "ellipsoid"}), systems({"source": "Ellipsoid"})),
    Case("source-constellation", "line 2, column source", systems({"source": "Spherical/0/0/5;Spherical/9/0/5"}), systems()),
    Case("source-picture", "line 2, column source", systems({"source": "Image (Einstein)"}), systems({"source": "Triangle"})),
    Case(
        "profile-wins", "line 2, column lightprofile",
        systems({**SERSIC, "lightprofile": "Gaussian"}), systems({"lightprofile": "Gaussian"}),
    ),
    Case("cluster-PM", "line 2, column cluster", systems({"cluster": "SIS/5/0/9;PM/0/0/9"}), systems({"cluster": "PointMass/0/0/9"})),
    # units
    Case("chi-fraction", "column chi", old({"chi": "0.5"}, {"chi": "0.7"}), old({"chi": "0.5"}, {"chi": "70"})),
    Case("chi-fraction", "column chi", old({"chi": "1"}), systems({"chi": "1"})),
    Case(
        "angle-radians", "column theta",
        systems(*({"theta": f"{angle:.5f}"} for angle in np.deg2rad(ANGLES))), systems(*({"theta": f"{angle:.3f}"} for angle in ANGLES)),
    ),
    Case(
        "angle-radians", "column orientation",
        systems(*({**SIE, "orientation": f"{angle:.5f}"} for angle in np.deg2rad(ANGLES))),
        systems(*({**SIE, "orientation": "4.5"} for _ in ANGLES)),
    ),
    Case(
        "phi-of-generator", "column phi",
        systems({"x": "3", "y": "4", "phi": f"{math.atan2(3, 4):.4f}"}), systems({"x": "3", "y": "4", "phi": "53.13"}),
    ),
    Case("ratio-above-1", "line 2, column ellipseratio", systems({**SIE, "ellipseratio": "1.4"}), systems({"ellipseratio": "1.4"})),
    # what CosmoSim does otherwise
    Case("order-rendered", "line 2, column nterms", systems({**ROULETTE, **SIE, "nterms": "6"}), systems({**ROULETTE, **SIE})),
    Case("order-rendered", "line 2, column nterms", systems({**ROULETTE, "nterms": "51"}), systems({**ROULETTE, "nterms": "50"})),
    Case("order-rendered", "line 2, column nterms", systems({**ROULETTE, "nterms": "51"}), systems({"nterms": "51"})),
    Case("order-written", "line 2, column nterms", systems({**SIE, "nterms": "6"}), systems({**ROULETTE, **SIE, "nterms": "6"})),
    Case(
        "cluster-roulette", "line 2, column cluster",
        systems({**ROULETTE, "cluster": "SIS/5/0/9;SIS/0/0/9"}), systems({**ROULETTE, "cluster": "SIS/0/0/9;SIS/0/0/7"}),
    ),
    Case(
        "cluster-roulette", "line 2, column cluster",
        systems({**ROULETTE, "cluster": "SIS/0/0/9;PointMass/0/0/9"}), systems({"cluster": "SIS/5/0/9;SIS/0/0/9"}),
    ),
    Case("source-behind-lens", "line 2, column x", systems({**ROULETTE, "x": "0", "y": "0"}), systems({**ROULETTE, "x": "0"})),
    Case(
        "source-behind-lens", "line 2, column x",
        systems({**ROULETTE, "x": "0", "y": "0"}), systems({**ROULETTE, "x": "0", "y": "0", "cluster": "SIS/5/0/9"}),
    ),
    Case("sampled-roulette", "line 2, column sampled", systems({**ROULETTE, "sampled": "1"}), systems({"sampled": "1"})),
    Case("mask-SIE", "line 2, column mask", systems({**ROULETTE, **SIE, "mask": "1"}), systems({**ROULETTE, "mask": "1"})),
    Case("xireference-off", "line 2, column xireference", systems({"xireference": "False"}), systems({"xireference": "True"})),
    Case("sersic-axes", "line 2, column source", systems(SERSIC), systems({**SERSIC, "sigma2": "9"})),
    Case(
        "sersic-axes", "line 2, column source",
        systems({**SERSIC, "source": "e", "lightprofile": "Sersic"}), systems({**SERSIC, "source": "e"}),
    ),
    Case("sersic-bright", "line 2, column luminosity", systems({**SERSIC, "luminosity": "900"}), systems({"luminosity": "900"})),
    Case("imagesize-odd", "line 2, column imagesize", systems({"imagesize": "401"}), systems({"imagesize": "402"})),
    Case("actual-stops", "line 2, column actual", systems({"actual": "1"}), systems({"actual": "0"})),
    Case("no-effect", "line 2, column showmask", systems({"showmask": "1"}), systems({"showmask": "0"})),
    Case("reflines-drawn", "line 2, column reflines", systems({"reflines": "true"}), systems({"reflines": "false"})),
    # sizes and places
    Case("source-small", "line 2, column sigma2", systems({"sigma2": "0.4"}), systems({"sigma2": "0.4", "source": "s"})),
    Case(
        "source-large", "line 2, column sigma",
        systems({"sigma": "34", "imagesize": "200"}), systems({"sigma": "33", "imagesize": "200"}),
    ),
    Case("image-off-canvas", "line 2, column x", systems({"x": "240"}), systems({"x": "230"})),
    Case("image-off-canvas", "line 2, column x", systems({"x": "240", "y": "0"}), systems({"x": "200", "y": "200"})),
    Case("image-off-canvas", "line 2, column x", systems({"x": "240", "y": "0"}), systems({"x": "240", "y": "0", "lens": "PM"})),
    Case(
        "image-off-canvas", "line 2, column x",
        systems({"x": "240", "y": None, "phi": "90"}), systems({"x": "240", "y": None, "phi": "45"}),
    ),
    Case("image-cropped-away", "line 2, column cropsize", systems({"cropsize": "60"}), systems({"cropsize": "60", "centred": "1"})),
    Case("cropsize-large", "line 2, column cropsize", systems({"cropsize": "600"}), systems({"cropsize": "512"})),
    # targets
    Case(
        "unseen-shape", "column theta",
        systems({"source": "s"}, {"source": "s", "theta": "4"}), systems({"source": "s"}, {"source": "s"}),
    ),
    Case(
        "unseen-shape", "column theta",
        systems({"source": "s"}, {"source": "s", "theta": "4"}), systems({"source": "t"}, {"source": "t", "theta": "4"}),
    ),
    Case(
        "unseen-shape", "column theta",
        systems({"source": "s"}, {"source": "s", "theta": "4"}), systems({"source": "star"}, {"source": "star", "theta": "4"}),
    ),
    Case("unseen-profile", "column n_sersic", systems({"n_sersic": "1"}, {"n_sersic": "2"}), systems(SERSIC, {**SERSIC, "n_sersic": "2"})),
    Case(
        "unseen-lens", "column orientation",
        systems({"orientation": "3"}, {"orientation": "4"}), systems(SIE, {**SIE, "orientation": "4"}),
    ),
    Case(
        "unseen-lens", "column orientation",
        systems({"orientation": "3"}, {"orientation": "4"}),
        systems({"lens": "NFW", "orientation": "3"}, {"lens": "NFW", "orientation": "4"}),
    ),
    Case("source-round", "line 3, column theta", systems({}, {"sigma2": "9"}), systems({}, {"sigma2": "9", "source": "s"})),
    Case("axes-exchanged", "line 3, column sigma", systems({}, {"sigma2": "19"}), systems({"sigma2": "18"}, {"sigma2": "19"})),
    Case("theta-beyond-180", "line 2, column theta", systems({"theta": "210"}), systems({"theta": "210", "source": "Triangle"})),
    Case("lens-round", "line 2, column ellipseratio", systems({**SIE, "ellipseratio": "1"}), systems({**SIE, "ellipseratio": "0.999"})),
    Case("chi-degenerate", "column chi", old({}, {"chi": "70"}), old({}, {})),
    Case("filename-second-column", "column filename", old({"index": None}), old()),
    Case("index-zeros", "line 2, column index", old({"index": "0007"}), old({"index": "7"})),
]  # fmt: skip

AMPLITUDES = [
    Case("heading-wrong", "line 1, column alpha[2][2]", amplitudes({"alpha[2][2]": "1"}), amplitudes()),
    Case("amplitude-not-a-number", "line 2, column alpha[2][1]", amplitudes({"alpha[2][1]": "x"}), amplitudes({"alpha[2][1]": "1e-3"})),
    Case("amplitudes-of-2023", "line 1", amplitudes({"chi": "50", "xiX": None, "xiY": None}), amplitudes({"chi": "50"})),
    Case("xi-missing", "line 1", amplitudes({"xiY": None}), amplitudes({"xiX": None, "xiY": None, "source": None})),
    Case("xi-empty", "line 3, column xiX", amplitudes({}, {"xiX": ""}), amplitudes({}, {"lensX": ""})),
    Case("source-missing", "line 1", amplitudes({"source": None}), amplitudes({"offsetX": None})),
    Case("input-refused", "line 1, column sgima", amplitudes({"sigma": None, "sgima": "9"}), amplitudes({"z_lens": "0.5"})),
    Case("value-refused", "line 2, column sigma2", amplitudes({"sigma2": "-1"}), amplitudes({"sigma2": "-1", "source": "s"})),
    Case("lens-missing", "line 1", amplitudes(), amplitudes({"einsteinradius": "20"})),
    Case(
        "offsetY-wrong", "line 2, column offsetY",
        amplitudes({"alpha[0][1]": "-9.285", "beta[0][1]": "-4.425", "offsetY": "-4.86"}),
        amplitudes({"alpha[0][1]": "-9.285", "beta[0][1]": "-4.425", "offsetY": "0.01"}),
    ),
    Case(
        "amplitudes-missing", "line 1",
        amplitudes({"alpha[3][2]": None, "beta[3][2]": None}), amplitudes({"alpha[0][1]": None, "beta[0][1]": None, "beta[3][2]": None}),
    ),
    Case(
        "amplitudes-zero", "line 3, column alpha[6][1]",
        amplitudes({}, BEYOND_5, nterms=7), amplitudes({}, {"alpha[6][1]": "0"}, nterms=7),
    ),
    Case(
        "amplitudes-zero", "line 3, column alpha[6][1]",
        amplitudes({}, BEYOND_5, nterms=7), amplitudes({}, {**ALL_0, "xiX": ""}, nterms=7),
    ),
    Case("order-above-50", "column alpha[51][0]", amplitudes(nterms=51), amplitudes(nterms=50)),
    Case("amplitude-constant", "column alpha[0][1]", amplitudes({}, {}), amplitudes()),
]  # fmt: skip

PREDICTIONS = [
    Case(
        "truth-missing", "line 1",
        {"results.csv": "filename,x,x_network\na.png,1,2\n"}, {"results.csv": "filename,x (Ground Truth),x (Predicted)\na.png,1,2\n"},
    ),
    Case(
        "truth-missing", "line 1",
        {"results.csv": "x (Predicted),x (Ground Truth)\nnan,1\n"}, {"results.csv": "x (Predicted),x (Ground Truth)\n2,1\n"},
    ),
    Case(
        "rows-unknown", "line 10, column filename",
        predicted([*GUESSES, {"filename": "z.png", "sigma": 1, "sigma2": 2, "theta": 3}], LABELS), predicted(GUESSES, LABELS),
    ),
    Case("predictions-are-labels", "columns x, y", cosmo_ml(TRUTH, TRUTH * (1 + 1e-7)), cosmo_ml(TRUTH, TRUTH * (1 + 1e-3))),
    Case("predictions-are-labels", "columns sigma, theta", predicted(LABELS[::-1], LABELS), predicted(GUESSES, LABELS)),
    Case("some-predictions-are-labels", "column x", cosmo_ml(TRUTH, TRUTH + [0, 1]), cosmo_ml(TRUTH, TRUTH)),
    Case("prediction-constant", "column x", cosmo_ml(TRUTH, np.full_like(TRUTH, 3.0)), cosmo_ml(TRUTH * 0 + 3.0, TRUTH * 0 + 3.1)),
    Case("prediction-ReLU", "column y", cosmo_ml(TRUTH, np.maximum(GUESS, 0.0)), cosmo_ml(np.abs(TRUTH), np.maximum(GUESS, 0.0))),
    Case("theta-raw-errors", "column theta", predicted(GUESSES, LABELS), predicted(GUESSES, ELLIPSES)),
]  # fmt: skip

CLUSTER = {"cluster": {"count": 2}, "lens__mode": "SIS"}
DATASET = [
    Case("table-unknown", "shaders", dataset(shaders={"a": 1}), dataset(management={"maxcount": 3})),
    Case("table-misspelt", "simulation", dataset(simulation={"a": 1}), dataset(resimulation={"drawmode": "xi"})),
    Case("table-misspelt", "sigma", dataset(sigma=4), {"dataset.toml": "r-relativemax = 1.5\n" + dataset()["dataset.toml"]}),
    Case("table-expected", "lens", dataset(lens="SIS"), dataset()),
    Case("key-unknown", "[lens] zzzzqq", dataset(lens__zzzzqq=1), dataset(lens__orientation=1)),
    Case("key-unknown", "[simulator] seed", dataset(simulator__seed=1), dataset(simulator__sampled=False)),
    Case("key-misspelt", "[source] sigmaa", dataset(source__sigmaa=4), dataset(simulator__seed=1)),
    Case("key-misspelt", "[simulator] sigma", dataset(simulator__sigma=4), dataset(source__sigma=9)),
    Case("key-misspelt", "[source] n-sersic", dataset(source__n_sersic=2), dataset(source__luminosity_lambda=2)),
    Case("value-refused", "[source] sigma-max", dataset(source__sigma_max=-3), dataset(source__sigma_max=19.5)),
    Case("value-refused", "[simulator] imagesize", dataset(simulator__imagesize=10**400), dataset(simulator__imagesize=400)),
    Case("imagesize-ignored", "[simulator] imagesize", dataset(simulator__imagesize=400), dataset(simulator__imagesize=512)),
    Case("imagesize-ignored", "[simulator] imagesize", dataset(simulator__imagesize=400), one_image(simulator__imagesize=400)),
    Case("size-ignored", "[simulator] imagesize", one_image(simulator__imagesize=400), one_image(simulator__imagesize=512)),
    Case("directory-ignored", "[dataset] directory", dataset(dataset__directory="out"), dataset(dataset__directory="./")),
    Case(
        "fixed-ignored", "[lens] mode, [source] sigma",
        dataset(lens__mode="PM", source__sigma=4), dataset(lens__mode="SIS", source__sigma=20),
    ),
    Case("nterms-not-written", "[simulator] nterms", dataset(simulator__nterms=5), one_image(simulator__nterms=5)),
    Case("einsteinradius-not-drawn", "[lens] einsteinradius", dataset(lens={"einsteinradius": 30}), one_image(lens__einsteinradius=30)),
    Case("chi-ignored", "[lens] chi", dataset(lens__chi=50), dataset()),
    Case(
        "maxrelativelocation-ignored", "[cluster] maxrelativelocation",
        dataset(**CLUSTER, cluster__maxrelativelocation=2.0), dataset(**CLUSTER, cluster__maxrelativelocation=1.2),
    ),
    Case(
        "r-relativemax-ignored", "[position] r-relativemax",
        dataset(position={"r-relativemax": 2.0}, source__position="relative"),
        dataset(position={"r-relativemax": 1.2}, source__position="relative"),
    ),
    Case(
        "luminosity-lambda-ignored", "[source] luminosity-lambda",
        dataset(source__luminosity_lambda=1.0), dataset(source__luminosity=1.0),
    ),
    Case("position-unknown", "[source] position", dataset(source__position="Polar"), dataset(source__position="cartesian")),
    Case("position-unknown", "[source] position", dataset(source__position=[]), dataset(source__position="critical", position={})),
    Case("position-key-ignored", "[position] x-min", dataset(source__position="polar"), dataset(source__position="cartesian")),
    Case(
        "position-key-ignored", "[position] phi-min",
        dataset(position__phi_min=3), dataset(position={"phi-min": 3}, source__position="polar"),
    ),
    Case(
        "radius-not-a-number", "[position] r-max",
        dataset(position={"r-max": {"maxlensposition": 1.2}}, source__position="polar"),
        dataset(position={"r-max": 60}, source__position="polar"),
    ),
    Case("list-of-numbers", "[source] sigma", dataset(source__sigma=[4, 5]), dataset(source__sigma=4)),
    Case("cluster-count", "[cluster] count", dataset(cluster={"maxrelativelocation": 2.0}, lens__mode="SIS"), dataset(**CLUSTER)),
    Case("cluster-count", "[cluster] count", dataset(cluster={"count": "two"}), dataset(**CLUSTER)),
    Case("cluster-members", "[lens] mode", dataset(cluster={"count": 2}, lens__mode=["SIS", "SIE"]), dataset(lens__mode=["SIS", "SIE"])),
    Case("cluster-members", "[lens] mode", dataset(cluster={"count": 2}, lens__mode="PM"), dataset(**CLUSTER)),
    Case("cluster-roulette", "[simulator] model", dataset(**CLUSTER, simulator__model="Roulette"), dataset(**CLUSTER)),
    Case("lens-cluster-table", "[lens.cluster]", dataset(lens__cluster={"count": 4}), dataset(lens__cluster="SIS/0/0/9;SIS/5/0/9")),
    Case("SIE-incomplete", "[lens] ellipseratio", dataset(lens__mode=["SIS", "SIE"]), one_image(lens__mode="SIE")),
    Case(
        "SIE-incomplete", "[lens] orientation",
        dataset(lens__mode=["SIE"], lens__ellipseratio=0.5, lens__orientation_min=3),
        dataset(lens__mode=["SIE"], lens__ellipseratio=0.5, lens__orientation_min=3, lens__orientation_max=9),
    ),
    Case("order-rendered", "[simulator] nterms", dataset(simulator__nterms=60, simulator__model="Roulette"), dataset(simulator__nterms=60)),
    Case("order-written", "[simulator] nterms", dataset(simulator__nterms=60), dataset(simulator__nterms=50)),
    Case("order-written", "[simulator] nterms", dataset(simulator__nterms=6, lens__mode="SIE"), dataset(simulator__nterms=6)),
    Case(
        "range-reversed", "[source] sigma2-min",
        dataset(source__sigma2_min=50, source__sigma2_max=None), dataset(source__sigma2_max=None),
    ),
    Case("drawn-unseen-shape", "[source] sigma2", dataset(source__mode=["s"]), dataset(source__mode=["s", "e"])),
    Case(
        "drawn-unseen-profile", "[source] luminosity",
        dataset(source__luminosity=3), dataset(source__luminosity=3, source__lightprofile="Sersic"),
    ),
    Case("drawn-unseen-lens", "[lens] orientation", dataset(lens__orientation=3), dataset(lens__orientation=3, lens__mode=["SIE"])),
    Case("drawn-unseen-lens", "[lens] orientation", dataset(lens__orientation=3), one_image(lens__orientation=3)),
    Case("drawn-axes-exchanged", "[source] sigma", dataset(source__sigma2_max=15), one_image(source__sigma2=30)),
    Case("drawn-axes-exchanged", "[source] sigma", dataset(source__sigma2_max=15), dataset(source__sigma2_max=15, source__mode="s")),
    Case("drawn-round", "[source] theta", dataset(source__sigma=5, source__sigma2=5), dataset(source__sigma=5, source__sigma2=4)),
    Case("theta-beyond-180", "[source] theta", dataset(source__theta_max=360), dataset(source__theta_max=360, source__mode="t")),
    Case("source-small", "[source] sigma2", dataset(source__sigma2_min=0.2), dataset(source__sigma2_min=0.2, source__mode="s")),
    Case("source-large", "[source] sigma", dataset(source__sigma_max=90), dataset(source__sigma_max=85)),
    Case(
        "source-large", "[source] sigma",
        dataset(source__sigma2_max=None, simulator__imagesize=200),
        dataset(source__sigma2_max=None, simulator__imagesize=200, source__mode="s"),
    ),
    Case("sersic-axes", "[source] mode", dataset(source__mode="SersicEllipsoid"), dataset(source__mode="SersicSphere")),
    Case(
        "sersic-axes", "[source] mode",
        dataset(source__lightprofile="Sersic"), dataset(source__lightprofile="Sersic", source__sigma=5, source__sigma2=5),
    ),
    Case("image-off-canvas", "[position]", dataset(position__x_max=250), dataset(position__x_max=230)),
    Case("image-off-canvas", "[position]", dataset(position__x_max=250), dataset(position={"x": 200, "y-min": 190, "y-max": 200})),
    Case(
        "image-off-canvas", "[position]",
        dataset(position={"r-max": 240}, source__position="polar"), dataset(position={"r-max": 230}, source__position="polar"),
    ),
    Case("ratio-above-1", "[lens] ellipseratio", dataset(lens__ellipseratio=1.5), dataset(lens__ellipseratio=1.0)),
    Case(
        "sampled-roulette", "[simulator] sampled",
        dataset(simulator__sampled=True, simulator__model="Roulette"), dataset(simulator__sampled=True),
    ),
    Case("name-unknown", "[source] mode", dataset(source__mode="ellipsoid"), dataset(source__mode="Ellipsoid")),
    Case("name-unknown", "[lens] mode", dataset(lens__mode="sis"), dataset(lens__mode="SIS")),
    Case("name-unknown", "[simulator] model", dataset(simulator__model="Raytracing"), dataset(simulator__model="Raytrace")),
    Case("source-constellation", "[source] mode", dataset(source__mode="s/0/0/5;s/9/0/5"), dataset(source__mode="s")),
    Case("source-picture", "[source] mode", dataset(source__mode="Image (Einstein)"), dataset(source__mode="Triangle")),
    Case("actual-stops", "[management] actual", dataset(management={"actual": True}), dataset(management={"actual": False})),
    Case(
        "no-effect", "[annotation] criticalcurves",
        dataset(annotation={"criticalcurves": True}), dataset(annotation={"criticalcurves": False}),
    ),
    Case("reflines-drawn", "[annotation] reflines", dataset(annotation={"reflines": True}), dataset(annotation={"reflines": False})),
    Case("xireference-off", "[simulator] xireference", dataset(simulator__xireference=False), dataset(simulator__xireference=True)),
]  # fmt: skip

DROULETTE = [
    Case("nterms-list", "[problem] nterms", problem(problem__nterms=[3, 4]), problem(problem__nterms=3)),
    Case("variable-of-lens", "[problem] variables", problem(problem__variables=["einsteinradius"]), problem(problem__variables=["xiY"])),
    Case("variable-unknown", "[problem] variables", problem(problem__variables=["sigmaa"]), problem(problem__variables=["sigma2"])),
    Case("variable-zero", "[problem] variables", problem(problem__variables=["beta[3][0]"]), problem(problem__variables=["alpha[3][0]"])),
    Case("variable-offset", "[problem] variables", problem(problem__variables=["offsetY"]), problem(problem__variables=["reletaY"])),
    Case(
        "variable-unseen", "[problem] variables",
        problem(problem__dataset="round.toml", problem__variables=["theta"]),
        problem(problem__dataset="round.toml", problem__variables=["sigma"]),
    ),
    Case(
        "nterms-above-dataset", "[problem] nterms",
        problem(problem__dataset="round.toml", problem__nterms=7), problem(problem__dataset="round.toml", problem__nterms=6),
    ),
    Case("file-missing", "[problem] dataset", problem(problem__dataset="nowhere.toml"), problem(problem__dataset="round.toml")),
    Case("file-missing", "[settings] problem", training(settings__problem="nowhere.toml"), training(settings__problem="here.toml")),
    Case(
        "part-size-missing", "[dataset.testing] size",
        problem(dataset={"training": {"filename": "a"}, "testing": {"filename": "b"}}),
        problem(dataset={"training": {"filename": "a"}, "testing": {"size": 9}}),
    ),
    Case(
        "part-fractions", "[dataset]",
        problem(dataset={"training": {"size": 0.8}, "testing": {"size": 0.3}}),
        problem(dataset={"training": {"size": 0.7}, "testing": {"size": 0.3}}),
    ),
    Case("rows-not-shuffled", "[dataset]", problem(dataset={"training": {"size": 100}}), problem(dataset={"roulette": "out"})),
    Case(
        "rates-not-a-list", "[hyperparameters.array] learning-rate",
        training(hyperparameters={"array": {"learning-rate": 1e-4}}), training(hyperparameters={"array": {"learning-rate": [1e-4]}}),
    ),
    Case(
        "learning-rate-missing", "[hyperparameters] learning-rate",
        training(hyperparameters={"batch-size": 3}), training(hyperparameters={"array": {"learning-rate": [1e-4]}}),
    ),
    Case(
        "learning-rate-high", "[hyperparameters] learning-rate",
        training(hyperparameters__learning_rate=0.1), training(hyperparameters__learning_rate=1e-3),
    ),
    Case("key-misspelt", "[hyperparameters] batchsize", training(hyperparameters__batchsize=5), training(hyperparameters__batch_size=5)),
    Case("network-squeezenet", "[settings] model", training(settings__model="squeezenet1_0"), training(settings__model="vgg16")),
    Case("network-unknown", "[settings] model", training(settings__model="resnet5"), training(settings__model="resnet50")),
    Case("labels-written", "[output]", training(output={"directory": "out"}), training()),
]  # fmt: skip

CASES = [*TABLES, *AMPLITUDES, *PREDICTIONS, *DATASET, *DROULETTE]


def examined(folder, files):
    path, labels = written(folder, files)
    return doctor.examine(path, labels=labels)


@pytest.mark.parametrize("case", CASES, ids=[f"{k}-{case.code}" for k, case in enumerate(CASES)])
def test_a_saying_is_said_where_it_is_true(tmp_path, case):
    findings = examined(tmp_path, case.bad)
    same = [finding for finding in findings if finding.code == case.code]
    assert same, f"{case.code} is not among {sorted(finding.code for finding in findings)}"
    assert any(case.place in finding.place.removeprefix(str(tmp_path)) for finding in same), same
    for finding in findings:
        sentences = finding.what + finding.do
        assert finding.what and finding.do and not set("{}") & set(sentences), sentences
    assert case.code not in {finding.code for finding in examined(tmp_path, case.near)}


def test_every_saying_has_a_case():
    assert {case.code for case in CASES} == set(doctor.sayings())


def test_what_lensjax_refuses_without_an_expected_value():
    finding = cells.refused(BadInput("too deep", column="cluster", place="member 2", hint="try less"), "a.csv", line=3)
    assert finding.code == "input-refused" and finding.place == "a.csv: line 3, column cluster"
    assert finding.what == "LensJAX cannot use this: member 2: too deep. Try less."


@pytest.mark.parametrize(("code", "saying"), doctor.sayings().items(), ids=list(doctor.sayings()))
def test_sayings_are_short_sentences(code, saying):
    assert saying.severity in doctor.SEVERITIES
    for text, longest in ((saying.what, 240), (saying.do, 140)):
        assert text.endswith((".", "…")) and ".." not in text and "  " not in text and len(text) <= longest
