"""Rows of CosmoSim's tables as scenes, and scenes as rows.

What is read of a row; a cell that is empty is as good as no column, and then a setting (command line, TOML) or the default stands:

    filename, index         where the image goes; `directory` is a folder within the output folder
    lens                    PM or PointMass, SIS, SIE, Cluster; also the letters of 2023: p r s sr ss pss fs rs
    model, sampled, nterms  how it is rendered; where a row has no model, a letter of 2023 or `config` ("raysie") tells it
    einsteinradius          θ_E; or einsteinR, which is θ_E·chi/100 where a row has chi (percent)
    ellipseratio or ratio   f of an SIE; orientation
    cluster                 a string of lenses (`cosmosim_strings`), instead of the four above
    source, lightprofile    Spherical, Ellipsoid, SersicSphere, SersicEllipsoid, Triangle, Image (Einstein); e s t; a constellation's string
    sigma, sigma2, theta, n_sersic, luminosity
    x, y                    place of the source; where there is no y, x (or R) and phi are polar
    imagesize, cropsize, centred, mask, xireference, reflines, criticalcurves

Columns of what CosmoSim writes (R, phi beside y, alpha[m][s], …) are passed over. What else is passed over is said in the warnings.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from lensjax.errors import BadInput
from lensjax.files.whole import write_text
from lensjax.formats.cosmosim import strings
from lensjax.formats.cosmosim.table import Dataset, _checked_name, _Row, _shown, number
from lensjax.formats.scene import Light, Mass, Scene

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
"""What stands where nothing is said, as on CosmoSim's command line; for the rest, what `Scene` says."""

_READ = (
    "filename", "index", "lens", "model", "sampled", "nterms", "imagesize", "cropsize", "xireference", "centred", "source",
    "lightprofile", "n_sersic", "luminosity", "einsteinradius", "orientation", "ratio", "ellipseratio", "cluster", "sigma",
    "sigma2", "theta", "x", "y", "phi", "directory", "reflines", "criticalcurves", "mask", "config", "einsteinR", "chi", "R",
)  # fmt: skip
_NOT_IN_ROWS = ("amplitudes", "maxcount", "showmask", "join", "family", "psiplot", "kappaplot", "apparent", "actual")
_WRITTEN = (
    "lensX", "lensY", "centreX", "centreY", "reletaX", "reletaY", "offsetX", "offsetY", "xiX", "xiY",
)  # fmt: skip
_RESOLVED = ("einsteinR", "chi", "ratio", "config", "lightprofile", "directory")

SETTINGS = tuple(name for name in _READ if name not in ("einsteinR", "chi")) + _NOT_IN_ROWS
"""Names that settings may have."""

_FIRST = ("index", "filename", "model")
_LENS = ("einsteinradius", "ellipseratio", "orientation", "lens")
_SOURCE = ("source", "R", "phi", "sigma", "sigma2", "theta", "n_sersic", "luminosity", "x", "y")
_OTHER = ("nterms", "imagesize", "cropsize", "centred", "mask", "xireference", "sampled", "reflines", "criticalcurves")
_SCENE_DEFAULTS = {field.name: field.default for field in fields(Scene) if field.name in _OTHER}

_LETTERS = {
    "p": ("PM", "Raytrace", False),
    "r": ("PM", "Roulette", False),
    "s": ("SIS", "Roulette", False),
    "sr": ("SIS", "Roulette", False),
    "ss": ("SIS", "Roulette", True),
    "pss": ("SIS", "Raytrace", True),
    "fs": ("SIS", "Raytrace", False),
    "rs": ("SIS", "Roulette", False),
    "point mass (exact)": ("PM", "Raytrace", False),
    "point mass (roulettes)": ("PM", "Roulette", False),
    "sis (rotated)": ("SIS", "Roulette", False),
    "sis (roulettes)": ("SIS", "Roulette", False),
    "sampled sis": ("SIS", "Roulette", True),
    "puresampled sis": ("SIS", "Raytrace", True),
    "psifunctionsis": ("SIS", "Raytrace", False),
    "roulette sis": ("SIS", "Roulette", False),
    "roulette sis (new)": ("SIS", "Roulette", False),
}
"""Lens, model and whether it is sampled, by the names of 2023."""

LENS_NAMES = ("PM", "PointMass", "SIS", "SIE", "Cluster")
"""Names of lenses, for messages."""

SOURCE_NAMES = ("Spherical", "Ellipsoid", "SersicSphere", "SersicEllipsoid", "Triangle", "Image (Einstein)")
"""Names of sources, for messages."""

_LENS_WORDS = {**strings.MASSES, "cluster": "Cluster"}
_CONFIG_NAMES = ("raypm", "raysis", "raysie", "roulpm", "roulsis", "roulsie")
_MODEL_WORDS = {"raytrace": "Raytrace", "roulette": "Roulette"}
_CONFIG = re.compile(r"(ray|raytrace|roul|roulette)?[ _-]*(sampled|sam|s(?=pm|sis|sie|cluster))?[ _-]*(pm|pointmass|sis|sie|cluster)?")
_YES, _NO = ("1", "1.0", "true", "yes"), ("0", "0.0", "false", "no")
_SERSIC_OF = {"Spherical": "SersicSphere", "Ellipsoid": "SersicEllipsoid"}
_GAUSSIAN_OF = {sersic: gaussian for gaussian, sersic in _SERSIC_OF.items()}


@dataclass(frozen=True)
class Scenes:
    """What the rows of a table say.

    Attributes:
        scenes: the images, in the table's order.
        refused: a message for each row that was left out.
        warnings: what was passed over, or read as something else; once for the whole table.
    """

    scenes: tuple[Scene, ...]
    refused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def scenes(dataset: Dataset, *, settings: Mapping[str, object], skip_bad: bool = False) -> Scenes:
    """The scene of every row.

    Args:
        dataset: the table.
        settings: values, by column name, that stand where a row has none; one that is None is none.
        skip_bad: whether rows that cannot be used are left out and listed; otherwise the first of them raises.

    Raises:
        BadInput: a setting of an unknown name; or, unless `skip_bad`, a row with an unknown name or a value out of range.
    """
    given = _settings(settings)
    found: list[Scene] = []
    refused: list[str] = []
    warnings = dict.fromkeys(_column_warnings(dataset))
    places: dict[str, int] = {}
    for i, line in enumerate(dataset.lines):
        row = _Cells(dataset, i, given)
        try:
            scene = _scene(row, warnings)
            if scene.filename in places:
                first = places[scene.filename]
                raise BadInput(f"{row.where('filename')}: {_shown(scene.filename)} is in line {first} too; once is allowed")
        except BadInput as error:
            if not skip_bad:
                raise
            refused.append(str(error))
            continue
        places[scene.filename] = line
        found.append(scene)
    return Scenes(tuple(found), tuple(refused), tuple(warnings))


def single(settings: Mapping[str, object], *, filename: str = "test.png", origin: str = "settings") -> Scenes:
    """The scene of settings alone.

    Args:
        settings: values by column name.
        filename: where the image goes.
        origin: what the settings are called in messages.

    Raises:
        BadInput: as `scenes`.
    """
    table = Dataset(origin, (filename,), (1,), {"filename": (filename,)})
    made = scenes(table, settings=settings)
    return replace(made, scenes=tuple(replace(scene, origin="") for scene in made.scenes))


def write(path: str | Path, scenes: Sequence[Scene], origin: Dataset | None = None) -> None:
    """Writes scenes as a table, in the columns and the order of CosmoSim's generator.

    Columns for how an image is rendered follow where a scene differs from what stands without them.

    Args:
        path: where; the file is there whole or not at all.
        scenes: the images.
        origin: the table they came from: its other columns are kept.

    Raises:
        BadInput: it cannot be written there.
    """
    clusters = [scene.lens == "Cluster" for scene in scenes]
    lens = [*(() if scenes and all(clusters) else _LENS), *(("cluster",) if any(clusters) else ())]
    other = [name for name in _OTHER if any(getattr(scene, name) != _SCENE_DEFAULTS[name] for scene in scenes)]
    own = [*_FIRST, *lens, *_SOURCE, *other]
    kept: dict[str, tuple[str, ...]] = {}
    lines: dict[str, int] = {}
    if origin is not None:
        known = {*own, *_LENS, "cluster", *_OTHER, *_RESOLVED}
        kept = {name: cells for name, cells in origin.columns.items() if name not in known}
        lines = {f"{origin.path}: line {line}": i for i, line in enumerate(origin.lines)}
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([*own, *kept])
    for scene in scenes:
        cells = _cells(scene)
        at = lines.get(scene.origin)
        after = ["" if at is None else column[at] for column in kept.values()]
        writer.writerow([*(cells[name] for name in own), *after])
    write_text(Path(path), content.getvalue())


def lens_kind(name: str) -> str | None:
    """The lens of a name, old names included; None where there is none."""
    word = name.strip().lower()
    return _LETTERS[word][0] if word in _LETTERS else _LENS_WORDS.get(word)


def config(text: str, *, where: str) -> tuple[str, str, bool]:
    """What an old `config` tells: lens, model ("" for what it does not), and whether the lens is sampled.

    Args:
        text: such as "raysie" or "roulsis".
        where: what it is called in messages.

    Raises:
        BadInput: an unknown word.
    """
    word = text.strip().lower()
    if word in _LETTERS:
        return _LETTERS[word]
    match = _CONFIG.fullmatch(word)
    if match is None or not word:
        near = strings.nearest(word, _CONFIG_NAMES)
        raise BadInput(f"{where}: the value is {_shown(text)}; {', '.join(_CONFIG_NAMES)} are allowed{near}")
    how, sampled, lens = match.groups()
    model = "" if how is None else "Raytrace" if how.startswith("ray") else "Roulette"
    return _LENS_WORDS.get(lens or "", ""), model, sampled is not None


@dataclass(frozen=True)
class _Cells(_Row):
    """A row over settings over defaults."""

    settings: Mapping[str, str]

    def own(self, column: str) -> str:
        """The row's cell, without what stands in its place."""
        return super().text(column)

    def text(self, column: str) -> str:
        return super().text(column) or self.settings.get(column, "") or DEFAULTS.get(column, "")

    def where(self, column: str) -> str:
        line = f"{self.dataset.path}: line {self.dataset.lines[self.index]}"
        if self.own(column) or column not in self.settings:
            return f"{line}, column {column}"
        return f"{line}: {column} of the command line or the TOML file"

    def refusal(self, column: str, allowed: str) -> BadInput:
        text = self.text(column)
        return BadInput(f"{self.where(column)}: the value is {_shown(text) if text else 'empty'}; {allowed} is allowed")

    def number(self, column: str, *, default: float | None = None) -> float:
        text = self.text(column)
        if not text and default is not None:
            return default
        value = strings.finite(text)
        if math.isnan(value):
            raise self.refusal(column, "a finite number")
        return value

    def within(self, column: str, *, default: float | None = None) -> float:
        """The number, in the range of its column."""
        value = self.number(column, default=default)
        allowed, words = strings.RANGES[column]
        if not allowed(value):
            raise self.refusal(column, words)
        return value

    def unused(self, column: str, default: float) -> float:
        """The number, where it is one; what nothing depends on is not refused."""
        value = strings.finite(self.text(column))
        return value if strings.RANGES[column][0](value) else default

    def whole(self, column: str, least: int, most: int, *, default: int) -> int:
        value = self.number(column, default=float(default))
        if not (least <= value <= most and value == int(value)):
            raise self.refusal(column, f"a whole number from {least} to {most}")
        return int(value)

    def flag(self, column: str, default: bool) -> bool:
        word = self.text(column).lower()
        if not word:
            return default
        if word not in (*_YES, *_NO):
            raise self.refusal(column, "0, 1, true, false, yes or no")
        return word in _YES

    def unknown(self, column: str, known: Sequence[str]) -> BadInput:
        text = self.text(column)
        near = strings.nearest(text, known)
        shown = _shown(text) if text else "empty"
        return BadInput(f"{self.where(column)}: the value is {shown}; {', '.join(known)} are allowed{near}")


def _settings(settings: Mapping[str, object]) -> dict[str, str]:
    """Settings as the text of cells."""
    given: dict[str, str] = {}
    for name, value in settings.items():
        if name not in SETTINGS:
            raise BadInput(f"setting {_shown(str(name))}: there is none of this name{strings.nearest(str(name), SETTINGS)}")
        if value is None or value == "":
            continue
        if isinstance(value, bool):
            given[name] = str(value).lower()
        elif isinstance(value, int | float):
            given[name] = number(value) if isinstance(value, float) or abs(value) < 1e300 else "inf"
        else:
            given[name] = str(value).strip()
    if "ratio" in given:
        given.setdefault("ellipseratio", given["ratio"])
    return given


def _column_warnings(dataset: Dataset) -> list[str]:
    """What is said of columns that are not read."""
    said = []
    for name, cells in dataset.columns.items():
        shown = name if name.isprintable() and len(name) <= 60 else _shown(name)
        where = f"{dataset.path}: column {shown}"
        if name == "chi" and "einsteinR" not in dataset.columns:
            said.append(f"{where}: passed over; θ_E and all places are in the same pixels")
        elif name in _NOT_IN_ROWS and any(cell.strip().lower() not in ("", *_NO) for cell in cells):
            said.append(f"{where}: passed over; it is not a row's to say")
        elif name not in (*_READ, *_NOT_IN_ROWS, *_WRITTEN) and not name.startswith(("alpha[", "beta[", "Unnamed:")):
            said.append(f"{where}: not read{strings.nearest(name, (*_READ, *_NOT_IN_ROWS))}")
    return said


def _scene(row: _Cells, warnings: dict[str, None]) -> Scene:
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
        origin=f"{row.dataset.path}: line {row.dataset.lines[row.index]}",
    )


def _filename(row: _Cells) -> str:
    name = row.dataset.filenames[row.index]
    folder = row.own("directory")
    if not folder:
        return name
    return _checked_name(Path(row.dataset.path), row.dataset.lines[row.index], f"{folder.rstrip('/') or '/'}/{name}")


def _lens_name(row: _Cells) -> tuple[str, str, bool]:
    """Lens, model, and whether it is sampled where no column says so.

    A row's own letter of 2023 or `config` says more than a setting's model.
    """
    lens, model, sampled = "", "", False
    for text in (row.own, lambda column: row.settings.get(column, ""), lambda column: DEFAULTS.get(column, "")):
        told = _told(row, text)
        sampled = sampled or (told[2] and not lens)
        lens, model = lens or told[0], model or told[1]
    return lens, model, sampled


def _told(row: _Cells, text: Callable[[str], str]) -> tuple[str, str, bool]:
    """What one source of cells tells of lens, model and sampling; "" for what it does not."""
    lens, model, sampled = "", "", False
    word = text("lens").lower()
    if word in _LETTERS:
        lens, model, sampled = _LETTERS[word]
    elif word in _LENS_WORDS:
        lens = _LENS_WORDS[word]
    elif word:
        raise row.unknown("lens", LENS_NAMES)
    word = text("config").lower()
    if word:
        of_config = config(word, where=row.where("config"))
        lens, model, sampled = lens or of_config[0], model or of_config[1], sampled or of_config[2]
    if text("cluster"):
        lens = "Cluster"
    word = text("model").lower()
    if word and word not in _MODEL_WORDS:
        raise row.unknown("model", tuple(_MODEL_WORDS.values()))
    return lens, _MODEL_WORDS.get(word, model), sampled


def _masses(row: _Cells, lens: str, warnings: dict[str, None]) -> tuple[Mass, ...]:
    if lens == "Cluster":
        text = row.text("cluster")
        if not text:
            raise row.refusal("cluster", "with a lens Cluster, a string such as SIS/x/y/R_E;SIE/x/y/R_E/f/orientation")
        return strings.cluster(text, where=row.where("cluster"))
    radius = _einstein_radius(row, warnings)
    if lens != "SIE":
        return (Mass(lens, radius),)
    ratio = "ratio" if row.own("ratio") and not row.own("ellipseratio") else "ellipseratio"
    value = row.number(ratio)
    allowed, words = strings.RATIO
    if not allowed(value):
        raise row.refusal(ratio, words)
    return (Mass(lens, radius, value, row.within("orientation")),)


def _einstein_radius(row: _Cells, warnings: dict[str, None]) -> float:
    old = row.own("einsteinR")
    if row.own("einsteinradius") or not old:
        if old:
            warnings[f"{row.dataset.path}: column einsteinR: passed over where einsteinradius is given"] = None
        return row.within("einsteinradius")
    if not row.own("chi"):
        warnings[f"{row.dataset.path}: column einsteinR: read as einsteinradius"] = None
        return row.length("einsteinR")
    chi = row.number("chi")
    if not 0.0 < chi <= 100.0:
        raise row.refusal("chi", "a share above 0 and up to 100 percent")
    radius = row.length("einsteinR") / (chi / 100.0)
    if not strings.LENGTH[0](radius):
        raise row.refusal("einsteinR", f"with chi {chi:g} %, {strings.LENGTH[1]} as einsteinR/chi")
    return radius


def _place(row: _Cells) -> tuple[float, float]:
    """Where the source is: Cartesian where there is a y, polar where there is none; a row that has all of either is heard alone."""
    radius = "x" if row.own("x") else "R"
    polar = bool(row.own("phi") and row.own(radius)) and not row.own("y")
    if not polar and not row.text("y") and row.text("phi"):
        polar, radius = True, "x" if row.text("x") else "R"
    if polar:
        distance = row.number(radius, default=0.0)
        if not strings.PLACE[0](distance):
            raise row.refusal(radius, strings.PLACE[1])
        phi = math.radians(row.within("phi"))
        return distance * math.cos(phi), distance * math.sin(phi)
    if row.own("R") and not (row.own("x") or row.own("y")):
        raise row.refusal("R", "R together with phi, or x and y instead of it,")
    return row.within("x", default=0.0), row.within("y", default=0.0)


def _lights(row: _Cells, x: float, y: float) -> tuple[tuple[Light, ...], str]:
    text = row.text("source")
    if "/" in text:
        members = strings.constellation(text, where=row.where("source"))
        return tuple(replace(light, x=x + light.x, y=y + light.y) for light in members), "Constellation"
    kind = _source_kind(row, text)
    luminosity = strings.luminosity_of(kind)
    if kind in ("SersicSphere", "SersicEllipsoid"):
        index, bright = row.within("n_sersic"), row.within("luminosity", default=luminosity)
    else:
        index, bright = row.unused("n_sersic", 4.0), row.unused("luminosity", luminosity)
    elliptical = kind in ("Ellipsoid", "SersicEllipsoid")
    sigma = 0.0 if kind == "Image" else row.within("sigma")
    sigma2 = row.within("sigma2") if elliptical else sigma
    theta = row.within("theta") if elliptical or kind == "Triangle" else 0.0
    return (strings.shaped(kind, x, y, (sigma, sigma2, theta), index, bright),), kind


def _source_kind(row: _Cells, text: str) -> str:
    kind = strings.LIGHTS.get(text.lower())
    if kind is None:
        raise row.unknown("source", SOURCE_NAMES)
    profile = row.text("lightprofile").lower()
    if profile not in ("", "gaussian", "sersic"):
        raise row.unknown("lightprofile", ("Gaussian", "Sersic"))
    return {"sersic": _SERSIC_OF, "gaussian": _GAUSSIAN_OF}.get(profile, {}).get(kind, kind)


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
        "source": strings.constellation_text(about) if several else strings.light_name(light.kind),
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
        **{name: str(getattr(scene, name)) for name in _OTHER if isinstance(_SCENE_DEFAULTS[name], bool)},
    }
