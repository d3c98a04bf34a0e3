"""`lensjax simulate` for CosmoSim's files: TOML, CSV and tables of amplitudes."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from lensjax.errors import BadInput

_OPTIONS: dict[str, tuple[str, str]] = {
    "lens": ("-l", "PM, SIS, SIE or Cluster"),
    "model": ("-L", "Raytrace or Roulette"),
    "source": ("-S", "Spherical, Ellipsoid, SersicSphere, SersicEllipsoid, Triangle, Image; or a constellation"),
    "cluster": ("--cluster", "LENS/x/y/radius[/ratio/orientation];..."),
    "einsteinradius": ("-E", "θ_E [px]"),
    "ellipseratio": ("-r", "axis ratio of an SIE, in (0, 1]"),
    "orientation": ("--orientation", "of an SIE [degrees]"),
    "x": ("-x", "place of the source [px]"),
    "y": ("-y", "likewise"),
    "phi": ("-T", "direction of the source, with x its distance [degrees]"),
    "sigma": ("-s", "size of the source along theta [px]"),
    "sigma2": ("--sigma2", "and across it [px]"),
    "theta": ("-t", "direction of the source's axis [degrees]"),
    "nterms": ("-n", "order of the roulette series"),
    "imagesize": ("-Z", "pixels on a side of the canvas (512)"),
    "cropsize": ("-z", "pixels on a side of what is kept of it"),
}
_SWITCHES = {
    "centred": ("-C", "moves the centre of light to the middle"),
    "mask": ("-M", "leaves roulette images dark outside the convergence ring"),
    "reflines": ("-R", "draws the middle row and column in"),
    "criticalcurves": ("--criticalcurves", "draws critical curves in"),
}
_SIZE = 400  # of a problem's image, where --size is not given
_PLACES = ("x", "y", "R", "phi")
_OF_2023 = "einsteinR"
_LENSES = {"sis2023": "SIS", "pm2022": "PM"}  # of the problems


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that go with CosmoSim's files."""
    group = parser.add_argument_group("CosmoSim's files", "what a CSV file does not say; wins over a TOML file")
    for name, (short, text) in _OPTIONS.items():
        flags = [short] if short == f"--{name}" else [short, f"--{name}"]
        group.add_argument(*flags, dest=f"scene_{name}", metavar="V", help=text)
    for name, (short, text) in _SWITCHES.items():
        flags = [short] if short == f"--{name}" else [short, f"--{name}"]
        group.add_argument(*flags, dest=f"scene_{name}", action="store_const", const="1", help=text)
    group.add_argument(
        "--no-xireference", dest="scene_xireference", action="store_const", const="0", help="amplitudes about the image's middle"
    )
    group.add_argument("--set", action="append", default=[], metavar="COLUMN=V", help="any other column of CosmoSim's")
    group.add_argument("--picture", type=Path, metavar="FILE", help="the picture of a source Image")
    group.add_argument("--skip-bad", action="store_true", help="leaves out rows that cannot be used, and lists them")
    group.add_argument("--roulette", type=Path, metavar="FILE", help="images from a table of amplitudes alone")
    group.add_argument("--mldata", action="store_true", help="--roulette-csv without CosmoSim's columns for people")
    group.add_argument("--annotate", action="store_true", help="draws critical curve, caustic, reference point, ring, source in")
    group.add_argument("--sheet", type=Path, metavar="FILE", help="a contact sheet of the images, PNG")


def asked_for(options: argparse.Namespace) -> bool:
    """Whether the words given ask for CosmoSim's files, and not for a problem of LensJAX's."""
    asked = _asked_for(options)
    for flag, given in (("method", options.method not in (None, "roulette", "raytrace")), ("size", options.size != _SIZE)):
        if asked and given and _of_problem(options):
            raise BadInput(f"--{flag}: does not go with --lookup cosmosim and --roulette-csv: they know roulettes and ray tracing, 400×400")
    for flag, given in (("method", options.method is not None), ("size", options.size != _SIZE)):
        if asked and given and options.problem is None:
            raise BadInput(f"--{flag}: goes with a problem of LensJAX's, not with CosmoSim's files; -L and -Z say it there")
    return asked


def _asked_for(options: argparse.Namespace) -> bool:
    from lensjax.formats.cosmosim import parameters
    from lensjax.formats.cosmosim import table as tables
    from lensjax.formats.cosmosim import toml as cosmosim_toml

    if options.problem is not None:
        unfit = [f"--{name.replace('_', '-')}" for name in ("picture", "roulette", "sheet") if getattr(options, name) is not None]
        unfit += [f"--{name}" for name in _given(options)] + ["--annotate"] * options.annotate
        if unfit:
            raise BadInput(f"{unfit[0]}: goes with CosmoSim's files, not with --problem")
        return _of_problem(options)
    if options.roulette is not None or _given(options) or options.lookup == "cosmosim" or options.roulette_csv is not None:
        return True
    if options.toml is not None:
        return options.csv is not None or cosmosim_toml.is_cosmosim(options.toml)
    if options.csv is None:
        return False
    columns = tables.read(options.csv).columns
    return _OF_2023 not in columns or any(name in columns for name in parameters.NOT_OF_2023)


def _of_problem(options: argparse.Namespace) -> bool:
    """Whether systems of a problem's prior are to be written as CosmoSim's."""
    drawn = options.problem is not None and options.csv is None and options.toml is None and options.n is not None
    return drawn and (options.lookup == "cosmosim" or options.roulette_csv is not None)


def _drawn(options: argparse.Namespace) -> Any:
    """Scenes drawn from a problem's prior: the systems that the problem itself would render."""
    import numpy as np

    from lensjax import problems
    from lensjax.cli.simulate import drawn
    from lensjax.formats.cosmosim import rows as cosmosim_rows
    from lensjax.formats.cosmosim import table as tables
    from lensjax.problems.sis2023 import CHI

    problem = problems.get(options.problem)
    values = dict(zip(problem.names, drawn(problem, options.seed or 0, options.n).T, strict=True))
    values["einsteinradius"] = values.pop("einsteinR") / CHI
    values.pop("chi", None)
    camera = problem.camera
    settings = {
        "lens": _LENSES[options.problem], "source": "Ellipsoid", "model": (options.method or "roulette").capitalize(),
        "nterms": camera.terms, "imagesize": camera.canvas, "cropsize": camera.field, "centred": int(camera.centred), "mask": 1,
    }  # fmt: skip
    names = tuple(f"image-{i + 1:06}.png" for i in range(options.n))
    columns = {name: tuple(np.char.mod("%.9g", cells)) for name, cells in values.items()}
    table = tables.Table(f"--problem {options.problem}", names, tuple(range(1, options.n + 1)), {"filename": names, **columns})
    return cosmosim_rows.scenes(table, settings=settings)


def _given(options: argparse.Namespace) -> dict[str, str]:
    """Columns that the command line gives."""
    given = {name: getattr(options, f"scene_{name}") for name in (*_OPTIONS, *_SWITCHES, "xireference")}
    given = {name: value for name, value in given.items() if value is not None}
    for text in options.set:
        name, mark, value = text.partition("=")
        if not mark or not name.strip():
            raise BadInput(f"--set {text!r}: COLUMN=VALUE is allowed")
        given[name.strip()] = value.strip()
    return given


def simulate(options: argparse.Namespace) -> None:
    """Runs the command."""
    if options.roulette is not None:
        _resimulate(options)
        return
    import numpy as np

    from lensjax._internal.progress import Progress
    from lensjax.dataset import write as dataset
    from lensjax.files import whole as files
    from lensjax.formats.cosmosim import rows as cosmosim_rows

    scenes, origin, warnings = _scenes(options)
    suffix = ".png" if options.quantise else ".tif"
    scenes = _named(scenes, suffix)
    if options.picture is not None:
        pictures = [tuple(dataset.pictured(light, str(options.picture)) for light in scene.lights) for scene in scenes]
        scenes = [replace(scene, lights=lights) for scene, lights in zip(scenes, pictures, strict=True)]
    missing = next((scene for scene in scenes if any(s.kind == "Image" and not s.picture for s in scene.lights)), None)
    if missing is not None:
        raise missing.error("its source is a picture; --picture FILE says which")
    lights = [light for scene in scenes for light in scene.lights]
    _check_colours({light.kind for light in lights}, {light.picture for light in lights if light.kind == "Image"}, options.quantise)
    if options.mldata and options.roulette_csv is None:
        raise BadInput("--mldata: goes with --roulette-csv")
    files.check_file(options.out / "dataset.csv")
    for path in (options.roulette_csv, options.sheet):
        if path is not None:
            files.check_file(path)
            if path.resolve() == (options.out / "dataset.csv").resolve():
                raise BadInput(f"{path}: the table of the images is written there; another name is asked for")
    for warning in warnings:
        print(f"lensjax: {warning}", file=sys.stderr)
    with Progress(len(scenes), "image") as bar:
        centres = dataset.write(
            scenes,
            options.out,
            lookup=options.lookup,
            quantise=options.quantise,
            finish=_annotator(scenes, options.annotate),
            finishing="annotated" if options.annotate else "",
            on_image=lambda count: bar.update(count - bar.done),
        )
    written = [f"{len(scenes)} image{'s' * (len(scenes) != 1)}"]
    if options.roulette_csv is not None:
        with Progress(len(scenes), "row of amplitudes") as bar:
            dataset.write_amplitudes(
                scenes, np.asarray(centres), options.roulette_csv, ml=options.mldata, on_row=lambda count: bar.update(count - bar.done)
            )
        written.append(str(options.roulette_csv))
    cosmosim_rows.write(options.out / "dataset.csv", scenes, origin)
    _sheet(options, [scene.filename for scene in scenes], written)
    print(f"{', '.join(written)} and dataset.csv in {options.out}")


def _scenes(options: argparse.Namespace) -> tuple[list[Any], Any, list[str]]:
    """(scenes, the table they came from, warnings): CSV cell > command line > TOML > default."""
    from lensjax.formats.cosmosim import draw
    from lensjax.formats.cosmosim import rows as cosmosim_rows
    from lensjax.formats.cosmosim import table as tables
    from lensjax.formats.cosmosim import toml as cosmosim_toml

    given = _given(options)
    below: dict[str, object] = {}
    warnings: list[str] = []
    description = None
    if options.toml is not None:
        description = cosmosim_toml.read(options.toml)
        warnings += description.warnings
        below = cosmosim_toml.settings(description)
    below = {name: value for name, value in below.items() if name not in _replaced(given)}
    settings = {**below, **given}
    if _of_problem(options):
        origin = None
        made = _drawn(options)
    elif options.csv is not None:
        for flag in ("n", "seed"):
            if getattr(options, flag) is not None:
                raise BadInput(f"--{flag} goes with --toml; --csv says which images there are")
        origin = tables.read(options.csv)
        made = cosmosim_rows.scenes(origin, settings=settings, skip_bad=options.skip_bad)
    elif description is not None and (options.n is not None or _varies(description)):
        drawn = draw.draw(description, n=options.n, seed=options.seed or 0)
        columns = {name: cells for name, cells in drawn.columns.items() if name not in _replaced(given)}
        columns |= {name: (given[name],) * len(drawn) for name in ("lens", "cluster", "model") if name in given}
        origin = None
        made = cosmosim_rows.scenes(replace(drawn, columns=columns), settings=settings, skip_bad=options.skip_bad)
    else:
        for flag in ("n", "seed"):
            if getattr(options, flag) is not None:
                raise BadInput(f"--{flag} goes with --toml, whose ranges are drawn from")
        origin = None
        where = str(options.toml or "command line")
        name = tables.checked_filename(str(settings.pop("filename", "test.png")), path=where)
        made = cosmosim_rows.single(settings, filename=name, origin=where)
    if not made.scenes:
        raise BadInput(f"no row can be used; the first: {made.refused[0]}")
    return list(made.scenes), origin, [*warnings, *made.warnings, *(f"left out: {text}" for text in made.refused)]


def _replaced(given: dict[str, str]) -> set[str]:
    """What of a TOML file the words given stand in the place of: their own names, all of a place, and a cluster where they name a lens."""
    names = set(given)
    if names & {*_PLACES}:
        names |= {"R", "phi"} if "y" in names or "phi" not in names else {*_PLACES}
    if "lens" in names and given["lens"].lower() != "cluster":
        names.add("cluster")
    return names


def _varies(description: Any) -> bool:
    """Whether a TOML file describes many images: a number of them, a range or a list, a place or a cluster to be drawn."""
    return any(
        key in ("size", "count")
        or key.endswith(("-min", "-max"))
        or (key == "position" and value.strip().lower() != "cartesian")
        or (isinstance(value, list) and len(value) > 1)
        for table in description.tables.values()
        for key, value in table.items()
    )


def _named(scenes: Sequence[Any], suffix: str) -> list[Any]:
    """The scenes with the suffix of what is written."""
    names = _written([scene.filename for scene in scenes], suffix, [str(scene.origin or scene.filename) for scene in scenes])
    return [replace(scene, filename=name) for scene, name in zip(scenes, names, strict=True)]


def _written(given: Sequence[str], suffix: str, origins: Sequence[str]) -> list[str]:
    """Names with the suffix of what is written; refuses two images in one place, and an image where another needs a folder."""
    names = []
    for own in given:
        known = PurePosixPath(own).suffix.lower() in (".png", ".tif", ".tiff", ".jpg", ".jpeg")
        names.append(str(PurePosixPath(own).with_suffix(suffix)) if known else own + suffix)
    taken: dict[str, str] = {}
    for name, own, origin in zip(names, given, origins, strict=True):
        if name in taken:
            raise BadInput(f"{origin}: {own!r} and {taken[name]!r} would both be written to {name}")
        taken[name] = own
    for name, own, origin in zip(names, given, origins, strict=True):
        above = next((str(folder) for folder in PurePosixPath(name).parents if str(folder) in taken), None)
        if above is not None:
            raise BadInput(f"{origin}: {own!r} is to be written in {above}, which is an image's name too")
    return names


def _check_colours(kinds: Iterable[str], pictures: Iterable[str], quantise: bool) -> None:
    """Refuses pictures that cannot be read, and colours where images are not 8-bit PNG."""
    from lensjax.files import images

    coloured = [images.read_colour(path).ndim == 3 for path in sorted(set(pictures))]
    if not quantise and (any(coloured) or "Triangle" in kinds):
        raise BadInput("--no-quantise: an image is coloured; those are written as PNG only")


def _annotator(scenes: Sequence[Any], all_of_them: bool) -> Any:
    """What draws curves into images; None where no scene asks for it."""
    if not all_of_them and not any(scene.criticalcurves for scene in scenes):
        return None
    from lensjax.report import annotate

    def finish(i: int, image: Any, centre: Any) -> Any:
        scene = scenes[i]
        if all_of_them:
            return annotate.scene(image, scene, centre)
        return annotate.scene(image, scene, centre, parts=("critical curve",)) if scene.criticalcurves else image

    return finish


def _resimulate(options: argparse.Namespace) -> None:
    from lensjax._internal.progress import Progress
    from lensjax.dataset import write as dataset
    from lensjax.files import images
    from lensjax.files import whole as files
    from lensjax.formats.cosmosim import amplitudes as roulette_csv

    given = _given(options)
    unfit = [name for name in given if name not in ("imagesize", "cropsize", "mask", "nterms")]
    unfit += [name for name in ("csv", "toml", "n", "seed", "roulette_csv") if getattr(options, name) is not None]
    unfit += [name for name in ("annotate", "mldata", "skip_bad") if getattr(options, name)]
    unfit += ["lookup"] * (options.lookup != "exact")
    if unfit:
        raise BadInput(f"--{unfit[0].replace('_', '-')}: does not go with --roulette, whose amplitudes say it all")
    numbers = {name: _whole(name, given[name], low, 8192) for name, low in (("imagesize", 16), ("cropsize", 16)) if name in given}
    terms = _whole("nterms", given["nterms"], 1, 200) if "nterms" in given else None
    size = numbers.get("cropsize") or numbers.get("imagesize") or 512
    records = roulette_csv.read(options.roulette)
    suffix = ".png" if options.quantise else ".tif"
    names = _written([record.filename for record in records], suffix, [str(options.roulette)] * len(records))
    kinds = {light.kind for record in records for light in record.lights()}
    if "Image" in kinds and options.picture is None:
        raise BadInput(f"{options.roulette}: a source is a picture; --picture FILE says which")
    _check_colours(kinds, [str(options.picture)] if "Image" in kinds else [], options.quantise)
    for name in names:
        files.check_file(options.out / name)
    made = dataset.resimulated(records, size=size, mask="mask" in given, terms=terms, picture=str(options.picture or ""))
    with Progress(len(records), "image") as bar:
        for i, image in made:
            (images.write_png if options.quantise else images.write_tiff)(options.out / names[i], image)
            bar.update(1)
    written = [f"{len(records)} image{'s' * (len(records) != 1)}"]
    _sheet(options, names, written)
    print(f"{', '.join(written)} in {options.out}")


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise BadInput(f"--{name}: the value is {text!r}; a whole number from {low} to {high} is allowed")
    return int(text)


def _sheet(options: argparse.Namespace, names: Sequence[str], written: list[str]) -> None:
    if options.sheet is None:
        return
    from lensjax.files import images
    from lensjax.report import sheet

    images.write_png(options.sheet, sheet.contact_sheet([options.out / name for name in names]))
    written.append(str(options.sheet))
