"""Rows of CosmoSim's tables as scenes, and scenes as rows.

The columns that are read. An empty cell counts as no column: a setting (command line, TOML) or the default takes its place.

    filename, index         path of the image; `directory` is a folder within the output folder
    lens                    PM or PointMass, SIS, SIE, Cluster; also the letters of 2023: p r s sr ss pss fs rs
    model, sampled, nterms  how it is rendered; where a row has no model, a letter of 2023 or `config` ("raysie") says it
    einsteinradius          θ_E; or einsteinR, which is θ_E·chi/100 where a row has chi (percent)
    ellipseratio or ratio   f of an SIE; orientation
    cluster                 a string of lenses (`strings`), instead of the four above
    source, lightprofile    Spherical, Ellipsoid, SersicSphere, SersicEllipsoid, Triangle, Image (Einstein); e s t; a constellation's string
    sigma, sigma2, theta, n_sersic, luminosity
    x, y                    place of the source; where there is no y, x (or R) and phi are polar
    imagesize, cropsize, centred, mask, xireference, reflines, criticalcurves

Columns of what CosmoSim writes (R, phi beside y, alpha[m][s], …) are not read. The warnings name other columns that are not read.
"""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from lensjax._internal.numbers import finite
from lensjax._internal.numbers import shortest as number
from lensjax._internal.words import did_you_mean, name
from lensjax.errors import BadInput
from lensjax.files.whole import write_text
from lensjax.formats.cosmosim import names, strings
from lensjax.formats.cosmosim.overlaid import Overlaid, as_cells
from lensjax.formats.cosmosim.ranges import LENGTH, PLACE, RATIO, Range
from lensjax.formats.cosmosim.table import Table, checked_filename
from lensjax.formats.scene import Light, Mass, Origin, Scene

DEFAULTS: dict[str, str] = {
    "lens": "SIS",
    "model": "Raytrace",
    "source": "Spherical",
    "einsteinradius": "20",
    "ellipseratio": "0.6",
    "orientation": "0",
    "sigma": "20",
    "sigma2": "10",
    "theta": "45",
    "n_sersic": "4",
}
"""Values of empty cells, as on CosmoSim's command line; for other columns, the defaults of `Scene`."""

READ = (
    "filename", "index", "lens", "model", "sampled", "nterms", "imagesize", "cropsize", "xireference", "centred", "source",
    "lightprofile", "n_sersic", "luminosity", "einsteinradius", "orientation", "ratio", "ellipseratio", "cluster", "sigma",
    "sigma2", "theta", "x", "y", "phi", "directory", "reflines", "criticalcurves", "mask", "config", "einsteinR", "chi", "R",
)  # fmt: skip
"""Columns that are read."""

_NOT_IN_ROWS = ("amplitudes", "maxcount", "showmask", "join", "family", "psiplot", "kappaplot", "apparent", "actual")
_WRITTEN = (
    "lensX", "lensY", "centreX", "centreY", "reletaX", "reletaY", "offsetX", "offsetY", "xiX", "xiY",
)  # fmt: skip
_RESULTS = ("chi2", "success", "status", "method", "fit", "violated", "shift_x", "shift_y")  # of results.csv
_RESOLVED = ("einsteinR", "chi", "ratio", "config", "lightprofile", "directory")

SETTINGS = tuple(column for column in READ if column not in ("einsteinR", "chi")) + _NOT_IN_ROWS
"""Names that settings may have."""

_FIRST = ("index", "filename", "model")
_LENS = ("einsteinradius", "ellipseratio", "orientation", "lens")
_SOURCE = ("source", "R", "phi", "sigma", "sigma2", "theta", "n_sersic", "luminosity", "x", "y")
_OTHER = ("nterms", "imagesize", "cropsize", "centred", "mask", "xireference", "sampled", "reflines", "criticalcurves")
_SCENE_DEFAULTS = {field.name: field.default for field in fields(Scene) if field.name in _OTHER}

_LENS_WORDS = {**names.MASSES, "cluster": "Cluster"}
_CHI = Range(lambda v: 0.0 < v <= 100.0, "a number above 0 and up to 100 (percent)")


@dataclass(frozen=True)
class Scenes:
    """The scenes of a table's rows.

    Attributes:
        scenes: the images, in the table's order.
        refused: the error of each row that was skipped.
        warnings: columns that were not read, or were read as something else; once for the whole table.
    """

    scenes: tuple[Scene, ...]
    refused: tuple[BadInput, ...] = ()
    warnings: tuple[str, ...] = ()


def scenes(table: Table, *, settings: Mapping[str, object], skip_bad: bool = False) -> Scenes:
    """The scene of every row.

    Args:
        table: the table.
        settings: values by column name, for empty cells; None counts as no value.
        skip_bad: whether to skip rows that cannot be used, and list them; otherwise the first of them raises.

    Raises:
        BadInput: a setting of an unknown name, or a column whose name is a misspelt one; or, unless `skip_bad`, a row with an
            unknown name or a value out of range.
    """
    fixed = as_cells(settings, SETTINGS)
    table.check_spelling(_columns_that_matter(table), (*READ, *_NOT_IN_ROWS, *_WRITTEN, *_RESULTS))
    columns = {column: tuple(cell.strip() for cell in cells) for column, cells in table.columns.items() if column in READ}
    described: list[Scene] = []
    refused: list[BadInput] = []
    warnings = dict.fromkeys(_column_warnings(table))
    places: dict[str, int] = {}
    for i, line in enumerate(table.lines):
        row = Overlaid(table, i, columns, fixed, {**DEFAULTS, **fixed})
        try:
            scene = _scene(row, warnings)
            if scene.filename in places:
                other = f"a name that no other row has (line {places[scene.filename]} has it)"
                raise row.error("filename", other)
        except BadInput as error:
            if not skip_bad:
                raise
            refused.append(error)
            continue
        places[scene.filename] = line
        described.append(scene)
    return Scenes(tuple(described), tuple(refused), tuple(warnings))


def single(settings: Mapping[str, object], *, filename: str = "test.png", origin: str = "settings") -> Scenes:
    """The scene of settings alone.

    Args:
        settings: values by column name.
        filename: path of the image.
        origin: name of the settings in messages.

    Raises:
        BadInput: as `scenes`.
    """
    described = scenes(Table(origin, (filename,), (0,), {"filename": (filename,)}), settings=settings)
    return replace(described, scenes=tuple(replace(scene, origin=None) for scene in described.scenes))


def write(path: str | Path, scenes: Sequence[Scene], origin: Table | None = None) -> None:
    """Writes scenes as a table, in the columns and the order of CosmoSim's generator.

    Columns for how an image is rendered follow where a scene differs from the defaults.

    Args:
        path: where; the file is there whole or not at all.
        scenes: the images.
        origin: the table they came from: its other columns are kept.

    Raises:
        BadInput: it cannot be written there.
    """
    clusters = [scene.lens == "Cluster" for scene in scenes]
    lens = [*(() if scenes and all(clusters) else _LENS), *(("cluster",) if any(clusters) else ())]
    other = [column for column in _OTHER if any(getattr(scene, column) != _SCENE_DEFAULTS[column] for scene in scenes)]
    own = [*_FIRST, *lens, *_SOURCE, *other]
    kept: dict[str, tuple[str, ...]] = {}
    lines: dict[Origin, int] = {}
    if origin is not None:
        known = {*own, *_LENS, "cluster", *_OTHER, *_RESOLVED}
        kept = {column: cells for column, cells in origin.columns.items() if column not in known}
        lines = {Origin(origin.path, line): i for i, line in enumerate(origin.lines)}
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([*own, *kept])
    for scene in scenes:
        cells = _cells(scene)
        i = None if scene.origin is None else lines.get(scene.origin)
        after = ["" if i is None else column[i] for column in kept.values()]
        writer.writerow([*(cells[column] for column in own), *after])
    write_text(Path(path), content.getvalue())


def _columns_that_matter(table: Table) -> list[str]:
    """Columns that would change the image if the table had them."""
    has = table.columns
    unused = {"index", *(("R", "phi") if "y" in has else ()), *(("x", "y") if "phi" in has and "R" in has else ())}
    unused |= {"einsteinR", "chi"} if "einsteinradius" in has else {"einsteinradius"} if "einsteinR" in has else set()
    unused |= {"ratio"} if "ellipseratio" in has else {"ellipseratio"} if "ratio" in has else set()
    return [column for column in READ if column not in unused]


def _column_warnings(table: Table) -> list[str]:
    """Warnings about columns that are not read."""
    warnings = []
    for column, cells in table.columns.items():
        where = f"{table.path}: column {name(column)}"
        if column == "chi" and "einsteinR" not in table.columns:
            warnings.append(f"{where}: not used; θ_E and all places are in the same pixels")
        elif column in _NOT_IN_ROWS and any(cell.strip().lower() not in ("", *names.NO) for cell in cells):
            warnings.append(f"{where}: not used; it cannot be set for single rows")
        elif column not in (*READ, *_NOT_IN_ROWS, *_WRITTEN) and not column.startswith(("alpha[", "beta[", "Unnamed:")):
            near = did_you_mean(column, (*READ, *_NOT_IN_ROWS))
            warnings.append(f"{where}: not read{'; ' if near else ''}{near}")
    return warnings


def _scene(row: Overlaid, warnings: dict[str, None]) -> Scene:
    lens, model, sampled = _lens_name(row)
    masses = _masses(row, lens, warnings)
    x, y = _place(row)
    lights, source = _lights(row, x, y)
    imagesize = row.whole("imagesize", 16, 8192, default=512)
    cropsize = row.whole("cropsize", 0, 8192, default=0)
    return Scene(
        filename=_filename(row),
        index=row.own("index") or str(row.index + 1),
        lens=lens,
        masses=masses,
        source=source,
        lights=lights,
        x=x,
        y=y,
        model=model,
        nterms=row.whole("nterms", 1, 200, default=16),
        imagesize=imagesize,
        cropsize=0 if cropsize >= imagesize else cropsize,
        centred=row.flag("centred", False),
        mask=row.flag("mask", False),
        xireference=row.flag("xireference", True),
        sampled=row.flag("sampled", sampled),
        reflines=row.flag("reflines", False),
        criticalcurves=row.flag("criticalcurves", False),
        origin=row.origin,
    )


def _filename(row: Overlaid) -> str:
    filename = row.table.filenames[row.index]
    folder = row.own("directory")
    if not folder:
        return filename
    return checked_filename(f"{folder.rstrip('/') or '/'}/{filename}", path=row.origin.path, line=row.origin.line or None)


def _lens_name(row: Overlaid) -> tuple[str, str, bool]:
    """Lens, model, and whether the lens is sampled where no column says so.

    A row's own letter of 2023 or `config` comes before a setting's model.
    """
    lens, model, sampled = _named(row, row.own)
    for cells in (row.settings, DEFAULTS):
        if not cells or (cells is DEFAULTS and lens and model):
            continue
        more = _named(row, partial(_cell, cells))
        sampled = sampled or (more[2] and not lens)
        lens, model = lens or more[0], model or more[1]
    return lens, model, sampled


def _cell(cells: Mapping[str, str], column: str) -> str:
    return cells.get(column, "")


def _named(row: Overlaid, text: Callable[[str], str]) -> tuple[str, str, bool]:
    """Lens, model and sampling in the cells; "" for what they do not state."""
    lens, model, sampled = "", "", False
    word = text("lens").lower()
    if word in names.OF_2023:
        lens, model, sampled = names.OF_2023[word]
    elif word in _LENS_WORDS:
        lens = _LENS_WORDS[word]
    elif word:
        raise row.unknown("lens", names.LENSES)
    for column in ("config", "model"):
        word = text(column).lower()
        if not word:
            continue
        if column == "model" and word in names.MODELS:
            model = names.MODELS[word]
        elif column == "config" or word in names.OF_2023:
            with row.cell(column):
                of_2023 = names.config(word)
            lens, model, sampled = lens or of_2023[0], model or of_2023[1], sampled or of_2023[2]
        else:
            raise row.unknown("model", tuple(names.MODELS.values()))
    return ("Cluster" if text("cluster") else lens), model, sampled


def _masses(row: Overlaid, lens: str, warnings: dict[str, None]) -> tuple[Mass, ...]:
    if lens == "Cluster":
        text = row.text("cluster")
        if not text:
            raise row.error("cluster", "with a lens Cluster, a string such as SIS/x/y/R_E;SIE/x/y/R_E/f/orientation")
        if row.own("chi") and finite(row.own("chi")) != 100.0:
            # Before CosmoSim 3 these lengths were in the lens plane, since then they are in the image: the file does not say which.
            raise row.error(
                "chi",
                "with a cluster no chi, or 100",
                hint="omit chi if the cluster's lengths are those of the image (CosmoSim 3); otherwise divide them by chi/100 first",
            )
        with row.cell("cluster"):
            return strings.cluster(text)
    radius = _einstein_radius(row, warnings)
    if lens != "SIE":
        return (Mass(lens, radius),)
    ratio = "ratio" if row.own("ratio") and not row.own("ellipseratio") else "ellipseratio"
    return (Mass(lens, radius, row.inside(ratio, RATIO), row.inside("orientation")),)


def _einstein_radius(row: Overlaid, warnings: dict[str, None]) -> float:
    old = row.own("einsteinR")
    if row.own("einsteinradius") or not old:
        if old:
            warnings[f"{row.table.path}: column einsteinR: not used where einsteinradius has a value"] = None
        return row.inside("einsteinradius")
    if not row.own("chi"):
        warnings[f"{row.table.path}: column einsteinR: read as einsteinradius"] = None
        return row.inside("einsteinR", LENGTH)
    chi = row.inside("chi", _CHI)
    radius = row.inside("einsteinR", LENGTH) / (chi / 100.0)
    if not LENGTH.contains(radius):
        raise row.error("einsteinR", f"with chi {chi:g} %, {LENGTH.expected} as einsteinR/chi")
    return radius


def _place(row: Overlaid) -> tuple[float, float]:
    """The place of the source: Cartesian with a y, otherwise polar; a row with both coordinates of either kind needs no settings."""
    radius = "x" if row.own("x") else "R"
    polar = bool(row.own("phi") and row.own(radius)) and not row.own("y")
    if not polar and not row.text("y") and row.text("phi"):
        polar, radius = True, "x" if row.text("x") else "R"
    if polar:
        distance = row.inside(radius, PLACE, default=0.0)
        phi = math.radians(row.inside("phi"))
        return distance * math.cos(phi), distance * math.sin(phi)
    if row.own("R") and not (row.own("x") or row.own("y")):
        raise row.error("R", "R together with phi, or x and y instead of it")
    return row.inside("x", default=0.0), row.inside("y", default=0.0)


def _lights(row: Overlaid, x: float, y: float) -> tuple[tuple[Light, ...], str]:
    text = row.text("source")
    if "/" in text:
        with row.cell("source"):
            members = strings.constellation(text)
        return tuple(replace(light, x=x + light.x, y=y + light.y) for light in members), "Constellation"
    kind = _source_kind(row, text)
    luminosity = names.luminosity_of(kind)
    if kind in names.SERSIC:
        index, bright = row.inside("n_sersic"), row.inside("luminosity", default=luminosity)
    else:
        index, bright = row.unused("n_sersic", 4.0), row.unused("luminosity", luminosity)
    elliptical = kind in names.ELLIPTICAL
    sigma = 0.0 if kind == "Image" else row.inside("sigma")
    sigma2 = row.inside("sigma2") if elliptical else sigma
    theta = row.inside("theta") if elliptical or kind == "Triangle" else 0.0
    return (strings.shaped(kind, x, y, (sigma, sigma2, theta), index, bright),), kind


def _source_kind(row: Overlaid, text: str) -> str:
    kind = names.LIGHTS.get(text.lower())
    if kind is None:
        raise row.unknown("source", names.SOURCES)
    profile = row.text("lightprofile").lower()
    if profile and profile not in names.OF_PROFILE:
        raise row.unknown("lightprofile", ("Gaussian", "Sersic"))
    return names.OF_PROFILE.get(profile, {}).get(kind, kind)


def _cells(scene: Scene) -> dict[str, str]:
    """Every column's text."""
    several = scene.source == "Constellation"
    about = [replace(light, x=round(light.x - scene.x, 10), y=round(light.y - scene.y, 10)) for light in scene.lights]
    light, mass = scene.lights[0], scene.masses[0]
    alone = scene.lens != "Cluster"
    return {
        "index": scene.index,
        "filename": scene.filename,
        "model": scene.model,
        "einsteinradius": number(mass.einsteinradius) if alone else "",
        "ellipseratio": number(mass.ellipseratio) if alone else "",
        "orientation": number(mass.orientation) if alone else "",
        "lens": scene.lens,
        "cluster": "" if alone else strings.cluster_text(scene.masses),
        "source": strings.constellation_text(about) if several else names.light_name(light.kind),
        "R": number(round(math.hypot(scene.x, scene.y), 6)),
        "phi": number(round(math.degrees(math.atan2(scene.y, scene.x)) % 360.0, 6)),
        "sigma": number(light.sigma),
        "sigma2": number(light.sigma2),
        "theta": number(light.theta),
        "n_sersic": number(light.n_sersic),
        "luminosity": number(light.luminosity),
        "x": number(scene.x),
        "y": number(scene.y),
        "nterms": str(scene.nterms),
        "imagesize": str(scene.imagesize),
        "cropsize": str(scene.cropsize or scene.imagesize),
        **{column: str(getattr(scene, column)) for column in _OTHER if isinstance(_SCENE_DEFAULTS[column], bool)},
    }
