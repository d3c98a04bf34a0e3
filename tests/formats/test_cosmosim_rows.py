"""CosmoSim's rows as scenes: what wins over what, old names, what is refused, and there and back."""

import math

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from lensjax.errors import BadInput
from lensjax.formats.cosmosim import rows
from lensjax.formats.cosmosim import table as tables
from lensjax.formats.scene import Light, Mass, Origin, Scene


def load(tmp_path, text, *, skip_bad=False, **settings):
    path = tmp_path / "data.csv"
    path.write_text(text)
    return rows.scenes(tables.read(path), settings=settings, skip_bad=skip_bad)


def one(tmp_path, header, cells, **settings):
    return load(tmp_path, f"filename,{header}\na.png,{cells}\n", **settings).scenes[0]


def refused(tmp_path, header, cells, *words, **settings):
    with pytest.raises(BadInput) as caught:
        one(tmp_path, header, cells, **settings)
    message = str(caught.value)
    assert "\n" not in message and "data.csv: line 2" in message
    for word in words:
        assert word in message


def test_every_column(tmp_path):
    header = (
        "index,lens,model,sampled,nterms,imagesize,cropsize,xireference,centred,source,n_sersic,luminosity,einsteinradius,"
        "orientation,ellipseratio,sigma,sigma2,theta,x,y,directory,reflines,criticalcurves,mask"
    )
    cells = "7,sie,ROULETTE,yes,9,600,400,False,1,sersicellipsoid,2,3,25,30,.5,11,12,13,-14,15,./sub,true,1,1"
    assert one(tmp_path, header, cells) == Scene(
        filename="sub/a.png",
        index="7",
        lens="SIE",
        masses=(Mass("SIE", 25, 0.5, 30),),
        source="SersicEllipsoid",
        lights=(Light("SersicEllipsoid", -14, 15, 11, 12, 13, 2, 3),),
        x=-14,
        y=15,
        model="Roulette",
        nterms=9,
        imagesize=600,
        cropsize=400,
        centred=True,
        mask=True,
        xireference=False,
        sampled=True,
        reflines=True,
        criticalcurves=True,
        origin=Origin(str(tmp_path / "data.csv"), 2),
    )


def test_defaults_are_those_of_the_command_line(tmp_path):
    scene = one(tmp_path, "x", "")
    assert scene.masses == (Mass("SIS", 20),) and scene.model == "Raytrace"
    assert scene.lights == (Light("Spherical", 0, 0, 20, 20),) and (scene.x, scene.y) == (0, 0)
    assert scene.nterms == 16 and scene.imagesize == 512 and scene.cropsize == 0


def test_a_cell_wins_over_a_setting_and_that_over_the_default(tmp_path):
    text = "filename,sigma,lens,nterms\na.png,5,,\nb.png,,SIE,8\nc.png,,,\n"
    made = load(tmp_path, text, sigma=7, lens="PM", nterms=3, ellipseratio=0.3, mask=None)
    assert [scene.lights[0].sigma for scene in made.scenes] == [5, 7, 7]
    assert [scene.masses[0] for scene in made.scenes] == [Mass("PM", 20), Mass("SIE", 20, 0.3, 0), Mass("PM", 20)]
    assert [scene.nterms for scene in made.scenes] == [3, 8, 3]


def test_no_row_leaks_into_the_next(tmp_path):
    header = "filename,cluster,lens,source,config,einsteinR,chi,phi,x,y,mask,imagesize\n"
    full = "a.png,SIS/1/2/3,SIE,s/0/0/3;s/1/1/3,roulsie,10,100,30,4,5,1,128\n"
    made = load(tmp_path, header + full + "b.png" + "," * 11 + "\n")
    alone = load(tmp_path, header + "b.png" + "," * 11 + "\n")
    assert made.scenes[0].lens == "Cluster" and made.scenes[0].source == "Constellation"
    first, second = made.scenes[1], alone.scenes[0]
    assert {**vars(first), "origin": None, "index": ""} == {**vars(second), "origin": None, "index": ""}


def test_a_rows_lens_wins_over_a_settings_cluster(tmp_path):
    assert one(tmp_path, "lens", "PM", cluster="SIS/1/2/3").lens == "PM"
    assert one(tmp_path, "lens", "", cluster="SIS/1/2/3").masses == (Mass("SIS", 3, x=1, y=2),)
    assert one(tmp_path, "lens", "Cluster", cluster="SIS/1/2/3").lens == "Cluster"


@pytest.mark.parametrize(
    ("header", "cells", "radius", "warning"),
    [
        ("einsteinR,chi", "20,50", 40, None),
        ("einsteinR,chi", "20,25", 80, None),
        ("einsteinR", "20", 20, "read as einsteinradius"),
        ("einsteinR,einsteinradius", "20,30", 30, "not used"),
        ("einsteinradius,chi", "30,50", 30, "column chi: not used"),
    ],
)
def test_einstein_radii_of_old_files(tmp_path, header, cells, radius, warning):
    made = load(tmp_path, f"filename,{header}\na.png,{cells}\nb.png,{cells}\n", einsteinradius=99)
    assert [scene.masses[0].einsteinradius for scene in made.scenes] == [radius, radius]
    assert len(made.warnings) == (warning is not None)
    assert warning is None or warning in made.warnings[0]


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("lens", "p", ("PM", "Raytrace", False)),
        ("lens", "r", ("PM", "Roulette", False)),
        ("lens", "s", ("SIS", "Roulette", False)),
        ("lens", "ss", ("SIS", "Roulette", True)),
        ("lens", "pss", ("SIS", "Raytrace", True)),
        ("lens", "fs", ("SIS", "Raytrace", False)),
        ("lens", "rs", ("SIS", "Roulette", False)),
        ("lens,model", "rs,Raytrace", ("SIS", "Raytrace", False)),
        ("config", "raysie", ("SIE", "Raytrace", False)),
        ("config", "roulsis", ("SIS", "Roulette", False)),
        ("config,lens", "roulsis,PointMass", ("PM", "Roulette", False)),
    ],
)
def test_names_of_2023(tmp_path, header, cells, expected):
    scene = one(tmp_path, header, cells, model="Roulette" if expected[1] == "Raytrace" else "Raytrace")
    assert (scene.masses[0].kind, scene.model, scene.sampled) == expected


@pytest.mark.parametrize(
    ("header", "cells", "settings", "expected"),
    [
        ("x,phi", "10,90", {}, (0, 10)),
        ("x,phi", "10,90", {"y": 3}, (0, 10)),
        ("R,phi", "10,180", {}, (-10, 0)),
        ("x,y,R,phi", "1,2,10,90", {}, (1, 2)),
        ("x", "1", {"y": 2}, (1, 2)),
        ("phi", "90", {"x": 5}, (0, 5)),
        ("x", "", {"x": 5, "phi": 90}, (0, 5)),
    ],
)
def test_places(tmp_path, header, cells, settings, expected):
    scene = one(tmp_path, header, cells, **settings)
    assert (scene.x, scene.y) == pytest.approx(expected, abs=1e-12)
    assert (scene.lights[0].x, scene.lights[0].y) == (scene.x, scene.y)


@pytest.mark.parametrize(
    ("source", "profile", "kind"),
    [
        ("s", "", "Spherical"),
        ("e", "sersic", "SersicEllipsoid"),
        ("Spherical", "Sersic", "SersicSphere"),
        ("SersicSphere", "Gaussian", "Spherical"),
        ("t", "Sersic", "Triangle"),
        ("IMAGE (EINSTEIN)", "", "Image"),
    ],
)
def test_sources(tmp_path, source, profile, kind):
    scene = one(tmp_path, "source,lightprofile,sigma,sigma2,theta", f"{source},{profile},5,6,7")
    light = scene.lights[0]
    assert scene.source == light.kind == kind
    shape = {"Spherical": (5, 5, 0), "SersicSphere": (5, 5, 0), "Triangle": (5, 5, 7), "Image": (0, 0, 0)}
    assert (light.sigma, light.sigma2, light.theta) == shape.get(kind, (5, 6, 7))
    assert light.luminosity == (20 if kind == "SersicEllipsoid" else 10)


def test_a_constellation_stands_about_its_place(tmp_path):
    scene = one(tmp_path, "source,x,y", "s/1/2/5;t/-1/0/6/30,10,20")
    assert scene.source == "Constellation"
    assert [(light.x, light.y) for light in scene.lights] == [(11, 22), (9, 20)]


def test_what_a_spherical_source_has_no_use_for_is_not_refused(tmp_path):
    one(tmp_path, "source,sigma,sigma2,theta,n_sersic,ellipseratio", "s,5,0,x,,7")


@pytest.mark.parametrize(
    ("header", "cells", "words"),
    [
        ("lens,ellipseratio", "SIE,1.2", ("column ellipseratio", "'1.2'", "a ratio above 0 and up to 1")),
        ("lens,ellipseratio", "SIE,0", ("'0'",)),
        ("lens,ratio", "SIE,-1", ("column ratio", "'-1'")),
        ("einsteinradius", "-3", ("column einsteinradius", "'-3'", "a length above 0")),
        ("einsteinR,chi", "20,0", ("column chi", "'0'")),
        ("sigma", "nan", ("column sigma", "'nan'", "a finite number")),
        ("sigma", "inf", ("'inf'",)),
        ("x", "1e5", ("column x", "a place within")),
        ("R", "5", ("column R", "phi")),
        ("nterms", "0", ("column nterms", "a whole number from 1 to 200")),
        ("nterms", "2.5", ("'2.5'",)),
        ("nterms", "201", ("'201'",)),
        ("imagesize", "15", ("from 16 to 8192",)),
        ("cropsize", "-1", ("column cropsize",)),
        ("centred", "perhaps", ("column centred", "0, 1, true, false, yes or no")),
        ("lens", "SEI", ("column lens", "did you mean SIE?")),
        ("source", "Elipsoid", ("column source", "did you mean Ellipsoid?")),
        ("model", "Raytrac", ("column model", "did you mean Raytrace?")),
        ("lightprofile", "gauss", ("column lightprofile", "did you mean Gaussian?")),
        ("config", "raysei", ("column config", "did you mean raysie?")),
        ("cluster", "SIS/1/2", ("column cluster, member 1", "SIS/x/y/R_E")),
        ("lens", "Cluster", ("column cluster", "empty")),
        ("source,n_sersic", "SersicSphere,0", ("column n_sersic", "from 0.1 to 20")),
        ("directory", "../up", ("leads out of the folder",)),
        ("directory", "/tmp", ("leads out of the folder",)),
    ],
)
def test_cells_that_are_refused(tmp_path, header, cells, words):
    refused(tmp_path, header, cells, *words)


def test_a_setting_that_is_refused_is_called_one(tmp_path):
    refused(tmp_path, "sigma", "", "column sigma, from the command line or the TOML file", "'-1'", sigma=-1)
    with pytest.raises(BadInput, match="sgima: unknown setting; did you mean sigma"):
        one(tmp_path, "sigma", "1", sgima=2)


def test_one_bad_row_among_ten_thousand(tmp_path):
    body = [f"{i}.png,{20 if i != 7777 else -20}" for i in range(10_000)]
    text = "filename,einsteinradius\n" + "\n".join(body) + "\n"
    with pytest.raises(BadInput, match="line 7779, column einsteinradius: the value is '-20'"):
        load(tmp_path, text)
    made = load(tmp_path, text, skip_bad=True)
    assert len(made.scenes) == 9_999 and len(made.refused) == 1 and made.refused[0].line == 7779


def test_unknown_columns_are_named_once(tmp_path):
    made = load(tmp_path, "filename,sgimas,R,phi,alpha[0][1],xiX,actual,Unnamed: 0\na.png,1,2,3,4,5,1,0\nb.png,1,2,3,4,5,0,1\n")
    assert len(made.warnings) == 2
    assert "column sgimas: not read; did you mean sigma?" in made.warnings[0] and "actual" in made.warnings[1]


def test_settings_alone(tmp_path):
    made = rows.single({"lens": "SIE", "x": 3, "centred": True, "nterms": None}, filename="b.png")
    scene = made.scenes[0]
    assert scene.filename == "b.png" and scene.masses == (Mass("SIE", 20, 0.6, 0),) and scene.centred and scene.x == 3


FIELDS = dict(filename="a.png", index="1", lens="SIS", masses=(Mass("SIS", 20),), source="Spherical", x=3.0, y=4.0)


def test_the_columns_of_cosmosims_generator(tmp_path):
    path = tmp_path / "out.csv"
    rows.write(path, [Scene(**FIELDS, lights=(Light("Spherical", 3, 4, 5, 5),))])
    assert path.read_text().splitlines() == [
        "index,filename,model,einsteinradius,ellipseratio,orientation,lens,source,R,phi,sigma,sigma2,theta,n_sersic,luminosity,x,y",
        "1,a.png,Raytrace,20,1,0,SIS,Spherical,5,53.130102,5,5,0,4,10,3,4",
    ]
    members = {**FIELDS, "lens": "Cluster", "masses": (Mass("PM", 3, x=1), Mass("SIE", 4, 0.5, 30))}
    rows.write(path, [Scene(**members, lights=(Light("Spherical", 3, 4, 5, 5),), nterms=5, mask=True)])
    header, row = path.read_text().splitlines()
    assert header.startswith("index,filename,model,cluster,source,") and header.endswith(",x,y,nterms,mask")
    assert "PointMass/1/0/3;SIE/0/0/4/0.5/30" in row and row.endswith(",3,4,5,True")


def test_columns_of_the_table_they_came_from_are_kept(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("filename,einsteinR,chi,note\na.png,20,50,one\nb.png,-1,50,two\nc.png,30,50,three\n")
    table = tables.read(path)
    made = rows.scenes(table, settings={}, skip_bad=True)
    rows.write(tmp_path / "out.csv", made.scenes, origin=table)
    back = tables.read(tmp_path / "out.csv")
    assert back.columns["note"] == ("one", "three") and back.columns["einsteinradius"] == ("40", "60")
    assert "chi" not in back.columns


PLACES = st.floats(-300, 300)
SIZES = st.floats(0.01, 100)
MASSES = st.one_of(
    st.builds(Mass, st.sampled_from(["PM", "SIS"]), SIZES),
    st.builds(Mass, st.just("SIE"), SIZES, st.floats(0.01, 1), st.floats(0, 360)),
)


@st.composite
def made_scenes(draw):
    found = []
    for k in range(draw(st.integers(1, 3))):
        x, y = draw(PLACES), draw(PLACES)
        alone = draw(st.booleans())
        masses = (draw(MASSES),) if alone else tuple(draw(st.lists(MASSES, min_size=1, max_size=3)))
        light = Light("SersicEllipsoid", x, y, draw(SIZES), draw(SIZES), draw(st.floats(0, 180)), 2.0, draw(SIZES))
        found.append(
            Scene(
                filename=f"{k}.png",
                index=str(k),
                lens=masses[0].kind if alone else "Cluster",
                masses=masses,
                source="SersicEllipsoid",
                lights=(light,),
                x=x,
                y=y,
                model=draw(st.sampled_from(["Raytrace", "Roulette"])),
                nterms=draw(st.sampled_from([5, 16])),
                cropsize=draw(st.sampled_from([0, 256])),
                **{name: draw(st.booleans()) for name in ("centred", "mask", "xireference", "sampled")},
            )
        )
    return found


@profile(max_examples=50)
@given(made_scenes())
def test_scenes_there_and_back(tmp_path_factory, scenes):
    path = tmp_path_factory.mktemp("rows") / "out.csv"
    rows.write(path, scenes)
    back = rows.scenes(tables.read(path), settings={}).scenes
    assert [{**vars(scene), "origin": None} for scene in back] == [vars(scene) for scene in scenes]


def test_a_constellation_there_and_back(tmp_path):
    scene = one(tmp_path, "source,x,y", "s/1.5/2/5;t/-1/0.1/6/30,10.25,20.3")
    rows.write(tmp_path / "out.csv", [scene])
    back = rows.scenes(tables.read(tmp_path / "out.csv"), settings={}).scenes[0]
    assert back.lights == scene.lights and math.isclose(back.lights[1].y, 20.4)


CELLS = st.text(alphabet=st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", "1", "-1", "nan", "1e999", "SIE", "s", "e", "SIS/1/2/3", "true", "0.5", "Cluster", "fs", "a/b", "x;y"]
)


@profile(max_examples=100)
@given(st.data())
def test_any_cells_are_read_or_refused(data):
    names = data.draw(st.lists(st.sampled_from(rows.SETTINGS + ("einsteinR", "chi", "zzz")), unique=True, max_size=8))
    names = [name for name in names if name != "filename"]
    columns = {"filename": ("a.png",), **{name: (data.draw(CELLS),) for name in names}}
    table = tables.Table("data.csv", ("a.png",), (2,), columns)
    try:
        made = rows.scenes(table, settings={})
        assert len(made.scenes) == 1 and not any("\n" in warning for warning in made.warnings)
    except BadInput as error:
        assert "\n" not in str(error) and "data.csv" in str(error)


@profile(max_examples=100)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("rows") / "data.csv"
    path.write_bytes(b"filename,sigma\n" + content)
    try:
        rows.scenes(tables.read(path), settings={})
    except BadInput as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("einsteinradus", "einsteinradius"), ("sgima", "sigma"), ("Sigma2", "sigma2"), ("ellipsratio", "ellipseratio"),
        ("centered", "centred"), ("orientaton", "orientation"), ("nterm", "nterms"), ("X", "x"), ("Lens", "lens"),
    ],
)  # fmt: skip
def test_a_misspelt_column_is_refused_as_a_key_of_a_toml_file_is(tmp_path, column, meant):
    with pytest.raises(BadInput) as caught:
        load(tmp_path, f"filename,y,{column}\na.png,2,1\n")
    assert f"data.csv: line 1, column {column}: unknown column; did you mean {meant}?" in str(caught.value)
    assert caught.value.column == column and caught.value.line == 1


@pytest.mark.parametrize("column", ["note", "comment", "redshift", "mass", "psi", "theta_E", "magnitude", "z", "chi2", "sigma_err", "id"])
def test_columns_of_ones_own_are_not(tmp_path, column):
    made = load(tmp_path, f"filename,{column}\na.png,1\n")
    assert len(made.scenes) == 1 and all("not read" in warning for warning in made.warnings)


def test_a_column_is_no_misspelling_where_the_right_one_is_there(tmp_path):
    assert len(load(tmp_path, "filename,sigma,sigmas\na.png,1,2\n").scenes) == 1


def test_chi_beside_a_cluster_is_refused_since_it_could_mean_two_things(tmp_path):
    single = "index,filename,source,chi,x,y,sigma,sigma2,theta,lens,einsteinR,ellipseratio,orientation\n"
    scene = load(tmp_path, single + "1,a.png,e,50,20,35,12,8,40,SIE,48,0.7,0\n").scenes[0]
    assert scene.masses == (Mass("SIE", 96, 0.7, 0),)
    cluster = "index,filename,source,chi,x,y,sigma,sigma2,theta,cluster\n1,a.png,e,{},20,35,12,8,40,SIE/0/0/48/0.7/0\n"
    with pytest.raises(BadInput, match="line 2, column chi: the value is '50'; expected with a cluster no chi, or 100"):
        load(tmp_path, cluster.format(50))
    for chi in ("", "100"):
        assert load(tmp_path, cluster.format(chi)).scenes[0].masses == (Mass("SIE", 48, 0.7, 0),)


def test_a_point_mass_of_cosmosims_own_tests(tmp_path):
    scene = one(tmp_path, "index,source,chi,x,y,einsteinR,sigma,sigma2,theta,model", "1,s,50,10,5,20,15,8,0,Point Mass (exact)")
    assert scene.lens == "PM" and scene.model == "Raytrace" and scene.masses == (Mass("PM", 40),)
    scene = one(tmp_path, "model,einsteinradius", "SIS (rotated),20")
    assert scene.lens == "SIS" and scene.model == "Roulette"
