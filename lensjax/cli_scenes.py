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
_OF_2023 = ("einsteinR", "chi")
_NOT_OF_2023 = ("einsteinradius", "ellipseratio", "ratio", "cluster", "imagesize", "cropsize", "config", "lightprofile")


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
    from lensjax.formats import cosmosim, cosmosim_toml

    if options.problem is not None:
        unfit = [f"--{name.replace('_', '-')}" for name in ("picture", "roulette", "sheet") if getattr(options, name) is not None]
        unfit += [f"--{name}" for name in _given(options)] + ["--annotate"] * options.annotate
        if unfit:
            raise BadInput(f"{unfit[0]}: goes with CosmoSim's files, not with --problem")
        return False
    if options.roulette is not None or _given(options) or options.lookup == "cosmosim" or options.roulette_csv is not None:
        return True
    if options.toml is not None:
        return options.csv is not None or cosmosim_toml.is_cosmosim(options.toml)
    if options.csv is None:
        return False
    columns = cosmosim.read(options.csv).columns
    return not all(name in columns for name in _OF_2023) or any(name in columns for name in _NOT_OF_2023)


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


def simulate(options: argparse.Namespace, progress: Any) -> None:
    """Runs the command; `progress`(total, unit) makes a progress bar."""
    if options.roulette is not None:
        _resimulate(options, progress)
        return
    import numpy as np

    from lensjax import dataset, files
    from lensjax.formats import cosmosim_rows

    scenes, origin, warnings = _scenes(options)
    for warning in warnings:
        print(f"lensjax: {warning}", file=sys.stderr)
    if not scenes:
        raise BadInput("no row can be used")
    suffix = ".png" if options.quantise else ".tif"
    scenes = _named(scenes, suffix)
    if options.picture is not None:
        scenes = [_with_picture(scene, options.picture) for scene in scenes]
    missing = next((scene for scene in scenes if any(s.kind == "Image" and not s.picture for s in scene.lights)), None)
    if missing is not None:
        raise BadInput(f"{missing.origin or missing.filename}: its source is a picture; --picture FILE says which")
    files.check_file(options.out / "dataset.csv")
    for path in (options.roulette_csv, options.sheet):
        if path is not None:
            files.check_file(path)
    with progress(len(scenes), "image") as bar:
        centres = dataset.write(
            scenes,
            options.out,
            lookup=options.lookup,
            quantise=options.quantise,
            finish=_annotator(scenes, options.annotate),
            on_image=lambda count: bar.update(count - bar.n),
        )
    written = [f"{len(scenes)} image{'s' * (len(scenes) != 1)}"]
    if options.roulette_csv is not None:
        with progress(len(scenes), "row of amplitudes") as bar:
            dataset.write_amplitudes(
                scenes, np.asarray(centres), options.roulette_csv, ml=options.mldata, on_row=lambda count: bar.update(count - bar.n)
            )
        written.append(str(options.roulette_csv))
    cosmosim_rows.write(options.out / "dataset.csv", scenes, origin)
    _sheet(options, [scene.filename for scene in scenes], written)
    print(f"{', '.join(written)} and dataset.csv in {options.out}")


def _scenes(options: argparse.Namespace) -> tuple[list[Any], Any, list[str]]:
    """(scenes, the table they came from, warnings): CSV cell > command line > TOML > default."""
    from lensjax.formats import cosmosim, cosmosim_rows, cosmosim_toml

    given = _given(options)
    below: dict[str, object] = {}
    warnings: list[str] = []
    description = None
    if options.toml is not None:
        description = cosmosim_toml.read(options.toml)
        warnings += description.warnings
        below = cosmosim_toml.settings(description)
    settings = {**below, **given}
    if options.csv is not None:
        for flag in ("n", "seed"):
            if getattr(options, flag) is not None:
                raise BadInput(f"--{flag} goes with --toml; --csv says which images there are")
        origin = cosmosim.read(options.csv)
        made = cosmosim_rows.scenes(origin, settings=settings, skip_bad=options.skip_bad)
    elif description is not None and (options.n is not None or _varies(description)):
        drawn = cosmosim_toml.draw(description, n=options.n, seed=options.seed or 0)
        columns = {name: cells for name, cells in drawn.columns.items() if name not in given}
        origin = None
        made = cosmosim_rows.scenes(replace(drawn, columns=columns), settings=settings, skip_bad=options.skip_bad)
    else:
        origin = None
        name = str(settings.pop("filename", "test.png"))
        made = cosmosim_rows.single(settings, filename=name, origin=str(options.toml or "command line"))
    return list(made.scenes), origin, [*warnings, *made.warnings, *(f"left out: {text}" for text in made.refused)]


def _varies(description: Any) -> bool:
    """Whether a TOML file describes many images: a number of them, a range or a list."""
    return any(
        key == "size" or key.endswith(("-min", "-max")) or isinstance(value, list)
        for table in description.tables.values()
        for key, value in table.items()
    )


def _named(scenes: Iterable[Any], suffix: str) -> list[Any]:
    """The scenes with the suffix of what is written."""
    out = []
    taken: dict[str, str] = {}
    for scene in scenes:
        given = PurePosixPath(scene.filename)
        known = given.suffix.lower() in (".png", ".tif", ".tiff", ".jpg", ".jpeg")
        name = str(given.with_suffix(suffix)) if known else scene.filename + suffix
        if name in taken:
            raise BadInput(f"{scene.origin}: {scene.filename!r} and {taken[name]!r} would both be written to {name}")
        taken[name] = scene.filename
        out.append(replace(scene, filename=name))
    return out


def _with_picture(scene: Any, path: Path) -> Any:
    lights = tuple(
        replace(light, picture=light.picture or str(path), sigma=light.sigma or 20.0) if light.kind == "Image" else light
        for light in scene.lights
    )
    return replace(scene, lights=lights)


def _annotator(scenes: Sequence[Any], all_of_them: bool) -> Any:
    """What draws curves into images; None where no scene asks for it."""
    if not all_of_them and not any(scene.criticalcurves for scene in scenes):
        return None
    from lensjax import annotate

    def finish(i: int, image: Any, centre: Any) -> Any:
        scene = scenes[i]
        if all_of_them:
            return annotate.scene(image, scene, centre)
        return annotate.scene(image, scene, centre, parts=("critical curve",)) if scene.criticalcurves else image

    return finish


def _resimulate(options: argparse.Namespace, progress: Any) -> None:
    from lensjax import dataset, files
    from lensjax.formats import images, roulette_csv

    given = _given(options)
    unfit = [name for name in given if name not in ("imagesize", "cropsize", "mask", "nterms")]
    unfit += [name for name in ("csv", "toml", "roulette_csv") if getattr(options, name) is not None]
    if unfit:
        raise BadInput(f"--{unfit[0].replace('_', '-')}: does not go with --roulette, whose amplitudes say it all")
    numbers = {name: _whole(name, given[name], low, 8192) for name, low in (("imagesize", 16), ("cropsize", 16)) if name in given}
    terms = _whole("nterms", given["nterms"], 1, 200) if "nterms" in given else None
    size = numbers.get("cropsize") or numbers.get("imagesize") or 512
    records = roulette_csv.read(options.roulette)
    names = [str(PurePosixPath(record.filename).with_suffix(".png" if options.quantise else ".tif")) for record in records]
    for name in names:
        files.check_file(options.out / name)
    with progress(len(records), "image") as bar:
        for i, image in dataset.resimulated(records, size=size, mask="mask" in given, terms=terms):
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
    from lensjax import sheet
    from lensjax.formats import images

    images.write_png(options.sheet, sheet.contact_sheet([options.out / name for name in names]))
    written.append(str(options.sheet))
