"""Parameters of a problem's systems in CosmoSim's CSV columns, as the 2023 thesis used them.

    index,filename,source,lens,chi,R,phi,einsteinR,sigma,sigma2,theta,nterms,x,y

Lengths are pixels, angles degrees, `chi` = D_L/D_S in percent, `einsteinR` the lens-plane radius. The columns that are read:

    filename                image, within the table's folder
    x, y                    place of the source; without them, R and phi
    einsteinR               without it, CosmoSim 3.3's einsteinradius = θ_E = einsteinR / chi
    chi                     50 where it is missing
    sigma, sigma2, theta    the ellipse; a spherical source ("s") needs sigma alone
    source, lens            "e" or "s"; a lens of the problem's kind
    nterms, model           how the image was rendered: terms of the series; Roulette, Ring or Raytrace, or a model's name of 2023

All other columns are kept, and change nothing.
"""

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lensjax import problems
from lensjax._internal.numbers import shortest as number
from lensjax._internal.words import did_you_mean
from lensjax.conventions import METHODS
from lensjax.files.whole import write_bytes
from lensjax.formats.cosmosim.names import OF_2023
from lensjax.formats.cosmosim.ranges import Range
from lensjax.formats.cosmosim.table import Row, Table

COLUMNS = (
    "index", "filename", "source", "lens", "chi", "R", "phi", "einsteinR", "sigma", "sigma2", "theta", "nterms", "x", "y",
)  # fmt: skip
"""Columns that are written, in order."""

PERCENT = ("chi",)
"""Parameters that files state in percent."""

NOT_OF_2023 = ("einsteinradius", "ellipseratio", "ratio", "cluster", "imagesize", "cropsize", "config", "lightprofile")
"""Columns that tables of 2023 do not have: a table with one of them is CosmoSim 3's."""

_READ = (*COLUMNS, "model", "einsteinradius", "lightprofile", "cluster")
_CHI = Range(lambda v: 1.0 <= v <= 100.0, "a number from 1 to 100 (percent)")
_ALIASES = {"SIS": ("sis", "s", "ss", "fs", "rs", "pss"), "PM": ("pm", "pointmass", "point mass", "p", "r")}
_ELLIPTICAL = ("e", "ellipsoid")
_SPHERICAL = ("s", "spherical")


def params(table: Table, *, problem: str, names: Sequence[str]) -> np.ndarray:
    """Parameters (N, P) of a problem, in the problem's units.

    Where the problem has no chi, einsteinR is converted to chi = 50 %, for the same θ_E.

    Args:
        table: the table.
        problem: name of the problem.
        names: names of the P parameters, among x, y, einsteinR, sigma, sigma2, theta, chi.

    Raises:
        BadInput: a column is missing or misspelt, or a value is not a number, not finite, or out of range; or a lens or source of
            another kind.
    """
    missing = missing_columns(table)
    if missing:
        raise table.missing(missing[0])
    table.check_spelling(_READ)
    return np.array([_params(Row(table, i), problem, names) for i in range(len(table))], np.float64)


def missing_columns(table: Table) -> list[str]:
    """Columns that `params` needs and the table lacks."""
    has = table.columns
    needed = [] if "R" in has and "phi" in has else ["x", "y"]
    needed += [] if "einsteinradius" in has else ["einsteinR"]
    needed += ["sigma"]
    if not ("source" in has and all(text.strip().lower() in _SPHERICAL for text in has["source"])):
        needed += ["sigma2", "theta"]
    return [name for name in needed if name not in has]


def terms(table: Table, *, default: int) -> tuple[int, ...]:
    """Terms of the series of each row (N,): column nterms, where there is one.

    Raises:
        BadInput: not a whole number from 2 to 500.
    """
    return tuple(Row(table, i).whole("nterms", 2, 500, default=default) for i in range(len(table)))


def methods(table: Table, *, default: str) -> tuple[str, ...]:
    """How each row's lens equation is solved (N,): column model, where there is one.

    Raises:
        BadInput: another word than Roulette, Ring, Raytrace, or a model's name of 2023.
    """
    if "model" not in table.columns:
        return (default,) * len(table)
    return tuple(_method(Row(table, i), default) for i in range(len(table)))


def _method(row: Row, default: str) -> str:
    word = row.text("model").lower()
    if word in OF_2023:
        return OF_2023[word][1].lower()
    if word and word not in METHODS:
        known = [method.capitalize() for method in METHODS]
        raise row.error("model", "Roulette, Ring or Raytrace", hint=did_you_mean(word, known))
    return word or default


def value(table: Table, column: str) -> float:
    """The number in a column of a table's first row.

    Raises:
        BadInput: there is no such column, or no finite number in it.
    """
    if column not in table.columns:
        raise table.missing(column)
    return Row(table, 0).number(column)


def write(
    path: str | Path,
    filenames: Sequence[str],
    values: np.ndarray,
    *,
    problem: str,
    names: Sequence[str],
    nterms: Sequence[int],
    methods: Sequence[str],
    origin: Table | None = None,
) -> None:
    """Writes a table of N systems.

    Args:
        path: where; the file is there whole or not at all.
        filenames: name of each image.
        values: parameters (N, P) in the problem's units.
        problem: name of the problem.
        names: names of the P parameters.
        nterms: terms of the series, for each row.
        methods: how each row's lens equation was solved; a column `model` says so where one is not "roulette".
        origin: the table they came from: its cells stand as they are, its other columns are kept.

    Raises:
        BadInput: it cannot be written there.
    """
    kept = {} if origin is None else dict(origin.columns)
    extra = [name for name in kept if name not in COLUMNS]
    if any(method != "roulette" for method in methods) and "model" not in extra:
        extra.append("model")
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([*COLUMNS, *extra])
    for i, row in enumerate(np.asarray(values, np.float64)):
        cells = {name: number(value * 100.0 if name in PERCENT else value) for name, value in zip(names, row, strict=True)}
        x, y = row[list(names).index("x")], row[list(names).index("y")]
        cells = {
            "index": str(i + 1),
            "source": "e",
            "lens": problems.lens_kind(problem),
            "chi": "50",
            "R": number(round(math.hypot(x, y), 6)),
            "phi": number(round(math.degrees(math.atan2(y, x)) % 360.0, 6)),
            "nterms": str(nterms[i]),
            **cells,
            **{name: column[i] for name, column in kept.items()},
            "filename": filenames[i],
        }
        if "model" in extra:
            cells["model"] = methods[i].capitalize()
        writer.writerow([cells[name] for name in (*COLUMNS, *extra)])
    write_bytes(Path(path), content.getvalue().encode())


def _params(row: Row, problem: str, names: Sequence[str]) -> list[float]:
    has = row.table.columns
    _check_kind(row, problem)
    spherical = row.text("source").lower() in _SPHERICAL
    chi = row.inside("chi", _CHI) if "chi" in has else 50.0
    if "x" in has and "y" in has:
        x, y = row.place("x"), row.place("y")
    else:
        distance, phi = row.place("R"), math.radians(row.number("phi"))
        x, y = distance * math.cos(phi), distance * math.sin(phi)
    own_chi = "chi" in names
    if "einsteinR" in has:
        radius = row.length("einsteinR") * (1.0 if own_chi else 50.0 / chi)
    else:
        radius = row.length("einsteinradius") * (chi / 100.0 if own_chi else 0.5)
    sigma = row.length("sigma")
    values = {
        "x": x,
        "y": y,
        "einsteinR": radius,
        "sigma": sigma,
        "sigma2": sigma if spherical else row.length("sigma2"),
        "theta": 0.0 if spherical else row.number("theta"),
        "chi": chi / 100.0,
    }
    return [values[name] for name in names]


def _check_kind(row: Row, problem: str) -> None:
    """Refuses rows whose lens or source is of another kind than the problem's."""
    source, lens, model = (row.text(column).lower() for column in ("source", "lens", "model"))
    kind = problems.lens_kind(problem)
    known = _ALIASES[kind]
    if source and source not in (*_ELLIPTICAL, *_SPHERICAL):
        raise row.error("source", 'an elliptical ("e") or spherical ("s") Gaussian')
    if lens and lens not in known:
        raise row.error("lens", f"for problem {problem} a lens {kind} ({', '.join(known[1:])})")
    if model in OF_2023 and not lens and OF_2023[model][0] != kind:
        raise row.error("model", f"for problem {problem} a lens {kind}")
    if row.text("lightprofile").lower() not in ("", "gaussian"):
        raise row.error("lightprofile", "Gaussian")
    if row.text("cluster"):
        raise row.error("cluster", "an empty cell")
