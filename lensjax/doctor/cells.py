"""Columns and cells of a table of systems that CosmoSim or LensJAX ignores, refuses or reads differently."""

from collections.abc import Iterator

import numpy as np

from lensjax._internal import words
from lensjax.doctor.findings import Finding, misspelt
from lensjax.doctor.systems import COLUMNS, NAMES, OLD_COLUMNS, Systems
from lensjax.errors import BadInput
from lensjax.formats.cosmosim.names import LIGHTS, MODELS, SERSIC, lens_kind

_POINTS = ("lensX", "lensY", "centreX", "centreY", "reletaX", "reletaY", "offsetX", "offsetY", "xiX", "xiY")
_FLAGS = ("centred", "sampled", "mask", "reflines")


def refused(error: BadInput, path: str, *, line: int | None = None, further_lines: int = 0, key: str = "") -> Finding:
    """The finding for an error of LensJAX."""
    problem, place = error.problem, error.place
    reason = BadInput(problem, place=place, value=error.value) if error.has_value else BadInput(problem, place=place)
    return Finding(
        "value-refused" if error.expected else "input-refused",
        path,
        line=line,
        further_lines=further_lines,
        columns=(error.column,) if error.column and not key else (),
        key=key,
        values={"reason": str(reason), "expected": error.expected},
        hint=error.hint,
    )


def check_refused(systems: Systems) -> Iterator[Finding]:
    """Misspelt columns, and rows that LensJAX refuses, once for each column and reason."""
    misspelt, errors = systems.refusals
    for column, hint in misspelt.items():
        yield systems.table.in_columns("column-misspelt", column, hint=hint)
    reasons: dict[tuple[str | None, str], list[BadInput]] = {}
    for error in errors:
        reasons.setdefault((error.column, error.expected or error.problem), []).append(error)
    for same in reasons.values():
        yield refused(same[0], systems.table.path, line=same[0].line, further_lines=len(same) - 1)


def check_columns(systems: Systems) -> Iterator[Finding]:
    """Columns that CosmoSim does not read, or that are missing."""
    table = systems.table
    for name in table.columns:
        if name not in (*COLUMNS, *OLD_COLUMNS, *_POINTS, *systems.refusals[0]) and not name.startswith("Unnamed:"):
            hint = misspelt(name, (*COLUMNS, *OLD_COLUMNS))
            yield table.in_columns("column-similar" if hint else "column-unknown", name, hint=hint)
    if systems.of_2023:
        yield table.in_columns("einsteinR-ignored", "einsteinR")
    elif "chi" in table:
        yield table.in_columns("chi-ignored", "chi")
    if "config" in table and not ("lens" in table and "model" in table):
        yield table.in_columns("config-ignored", "config")
    if "ratio" in table and "ellipseratio" in table:
        yield table.in_columns("ratio-twice", "ratio")
    if "phi" in table and "y" not in table:
        yield table.in_columns("place-polar", "phi")
    needed = {
        "ellipseratio": ("0.6", systems.sie.any() and "ratio" not in table),
        "orientation": ("0°", systems.sie.any()),
        "sigma2": ("10 px", systems.elliptical.any()),
        "theta": ("45°", systems.elliptical.any()),
    }
    for name, (default, matters) in needed.items():
        if matters and name not in table:
            yield table.in_header("column-missing", column=name, value=default)
    if systems.sersic.any() and "luminosity" not in table:
        yield table.in_header("luminosity-default")
    if systems.roulette.any() and "nterms" not in table:
        yield table.in_header("nterms-default")
    for code, name in (
        ("actual-stops", "actual"), ("no-effect", "showmask"), ("no-effect", "criticalcurves"), ("reflines-drawn", "reflines"),
    ):  # fmt: skip
        yield from table.in_rows(code, name, table.yes(name))


def check_empty_cells(systems: Systems) -> Iterator[Finding]:
    """Empty cells: to CosmoSim they differ from a missing column."""
    table, everywhere = systems.table, np.ones(len(systems.table), bool)
    black = {
        **dict.fromkeys(("x", "y", "sigma"), everywhere),
        "sigma2": systems.elliptical,
        "theta": systems.elliptical | (systems.source == "Triangle"),
        "einsteinradius": systems.lens != "Cluster",
        **dict.fromkeys(("ellipseratio", "orientation"), systems.sie),
        **dict.fromkeys(("n_sersic", "luminosity"), systems.sersic),
    }
    for name in table.columns:
        empty = table.empty(name)
        if name in ("lens", "model", "source", "cluster", "nterms", "imagesize", "cropsize"):
            yield from table.in_rows("empty-stops", name, empty)
        elif name in black:
            yield from table.in_rows("empty-black", name, empty & black[name])
        elif name == "lightprofile":
            yield from table.in_rows("empty-profile", name, empty & np.isin(systems.source, SERSIC))
        elif name in _FLAGS:
            cells = {cell.lower() for cell in table.columns[name]}
            yield from table.in_rows("empty-yes", name, empty)
            if not (cells <= {"0", "1", "0.0", "1.0"} or cells <= {"true", "false"}) and not empty.any():
                yield from table.in_rows("text-yes", name, table.no(name))


def check_names(systems: Systems) -> Iterator[Finding]:
    """Names that LensJAX understands and CosmoSim does not."""
    table = systems.table
    understood = {
        "lens": [lens_kind(name) is not None for name in table.cells("lens")],
        "model": [name.lower() in MODELS for name in table.cells("model")],
        "source": [name.lower() in LIGHTS for name in table.cells("source")],
    }
    for column, known in understood.items():
        names = table.text(column)
        unknown = np.array(known) & ~np.isin(names, NAMES[column])
        value = words.shown(names[int(np.argmax(unknown))])
        yield from table.in_rows("name-unknown", column, unknown, value=value, known=", ".join(NAMES[column]))
    yield from table.in_rows("source-constellation", "source", systems.source == "Constellation")
    yield from table.in_rows("source-picture", "source", systems.source == "Image")
    yield from table.in_rows("profile-wins", "lightprofile", (systems.profile == "gaussian") & np.isin(systems.source, SERSIC))
    members = [{member.split("/")[0].strip().lower() for member in text.split(";")} for text in table.cells("cluster")]
    yield from table.in_rows("cluster-PM", "cluster", np.array(["pm" in kinds for kinds in members]))
