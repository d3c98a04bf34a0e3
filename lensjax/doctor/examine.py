"""What is wrong with a file, or will be once a program has read it.

Files of four kinds are examined: tables of systems, tables of roulette amplitudes, tables of predictions, and TOML files (CosmoSim's
dataset.toml, droulette's problem.toml, training and batch files). The programs meant are CosmoSim 3.3.0, droulette 0.2.1 and Cosmo-ML;
what is said of CosmoSim is what 3.3.0 was seen to do.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lensjax._internal.numbers import finite
from lensjax._internal.words import did_you_mean, listed, shown
from lensjax._internal.words import name as printable
from lensjax.errors import BadInput
from lensjax.files.read import read_toml
from lensjax.formats.cosmosim import amplitudes as roulette_csv
from lensjax.formats.cosmosim import names as cosmosim_names
from lensjax.formats.cosmosim import rows as cosmosim_rows
from lensjax.formats.cosmosim import strings
from lensjax.formats.cosmosim import toml as cosmosim_toml
from lensjax.formats.cosmosim.table import Table, checked_filename, read_cells

SEVERITIES = ("error", "warning", "note")
"""error: a program stops, or makes something else than the file says; warning: it goes through, but hardly as meant; note: to know."""

_OURS = "`lensjax simulate` does as the file says"
_NAMES = "{value}: CosmoSim 3.3 stops; it knows {known}, in just these letters{near}"

SAYINGS: Mapping[str, tuple[str, str, str]] = {
    # names of files
    "no filename": ("error", "there is no column filename", "add one, with the name of each image"),
    "name leads out": ("error", "{value} names no file in the images' folder: CosmoSim writes there all the same, or stops",
                       "use names within the folder"),
    "name twice": ("error", "{value} is in line {line} too: the later image replaces the earlier one, and both rows are its labels",
                   "give each row a name of its own"),
    "name in folder": ("error", "a folder in the name: CosmoSim does not make it, and writes no image, in silence",
                       f"make the folders first; {_OURS}"),
    "name without ending": ("error", "no extension: CosmoSim stops at the first", "end names in .png"),
    # columns
    "column unknown": ("note", "a column that neither CosmoSim nor LensJAX reads", "nothing, if it is your own"),
    "column misspelt": ("warning", "a column that neither CosmoSim nor LensJAX reads{near}", "name it as CosmoSim does"),
    "column missing": ("warning", "there is no column {column}: every row has {value}", "add it"),
    "einsteinR": ("error", "CosmoSim 3.3 passes it over, and takes θ_E = 20 px for every row",
                  "add einsteinradius = θ_E = einsteinR/(chi/100); `lensjax simulate` reads einsteinR and chi"),
    "chi": ("note", "passed over since CosmoSim 3.0: θ_E and all places are in the same pixels", "take it out"),
    "config": ("error", "CosmoSim 3.3 passes it over: what it says of lens and model is lost (SIS, ray-traced)",
               f"add columns lens and model; {_OURS}"),
    "two ratios": ("warning", "two columns of one number: CosmoSim takes the one further right, LensJAX ellipseratio", "leave one out"),
    "polar": ("error", "polar places: CosmoSim's command line sets y to 0 where there is none, and then does not read phi: every source "
              "lies on the x axis", f"write x and y; {_OURS}"),
    "luminosity default": ("note", "there is no column luminosity: CosmoSim takes 10 for round Sérsic sources and 20 for elliptical ones",
                           "add it, if they are to be alike"),
    "nterms default": ("note", "there is no column nterms: CosmoSim renders 5 terms but writes amplitudes to order 16, those of an SIE "
                       "beyond 5 as 0; LensJAX takes 16 for both", "add it"),
    # cells
    "refused": ("error", "{value}", "{allowed}"),
    "empty stops": ("error", "empty: CosmoSim reads that as no number, and stops (whole numbers beside it are none to it either)",
                    f"fill it, or make one table for each kind; {_OURS}"),
    "empty black": ("error", "empty: CosmoSim reads that as no number, and the image is black", "fill it; LensJAX takes the default"),
    "empty profile": ("error", "empty: CosmoSim then draws a Gaussian, whatever the source is called", "fill it, or leave the column out"),
    "empty yes": ("error", "empty: CosmoSim takes that for yes", "write 0 or 1 in every row"),
    "text yes": ("error", "text, which CosmoSim takes for yes whatever it says", "write 0 or 1, or true or false, in every row"),
    "lens name": ("error", _NAMES, f"use one of these; {_OURS}"),
    "model name": ("error", _NAMES, f"use one of these; {_OURS}"),
    "source name": ("error", _NAMES, f"use one of these; {_OURS}"),
    "constellation": ("error", "several sources: CosmoSim 3.3.0 stops (a name in it is not defined)", _OURS),
    "picture": ("error", "a picture as source: CosmoSim 3.3 stops", "`lensjax simulate --picture FILE`"),
    "profile wins": ("warning", "Gaussian, though the source is called Sérsic: the profile wins", "let the two agree"),
    "PM in cluster": ("error", "PM as a member: CosmoSim 3.3 stops; it knows SIS, SIE and PointMass here", f"write PointMass; {_OURS}"),
    # units
    "chi as share": ("error", "up to {value}: looks like a share; percent is read, and θ_E would be a hundredfold",
                     "multiply by 100 (0.5 becomes 50)"),
    "radians": ("warning", "all within ±{value}: looks like radians; degrees are read", "multiply by 180/π"),
    "phi of generator": ("note", "atan2(x, y) in radians, as CosmoSim's generator writes it: neither degrees nor counted from +x; it is "
                         "not read where there is y", "do not learn it; the direction is atan2(y, x)"),
    "ratio above 1": ("error", "above 1: CosmoSim takes 0.999, and the label stays wrong", "0 to 1 is allowed; exchange the axes by "
                      "orientation + 90°"),
    # what CosmoSim does otherwise
    "order": ("error", "CosmoSim's amplitudes of {value} end at order {most}; beyond, it returns old numbers and says nothing",
              f"{{most}} or less; {_OURS}"),
    "cluster roulette": ("error", "roulettes of a cluster: CosmoSim 3.3 takes every member's amplitudes as if it stood at the origin, and "
                         "those of the first one's kind", f"ray-trace it; {_OURS}"),
    "behind the lens": ("error", "a source right behind the lens has no reference point: CosmoSim's roulette image is black",
                        f"move it, or ray-trace; {_OURS}"),
    "sampled": ("warning", "amplitudes of a sampled lens: CosmoSim takes differences of neighbouring pixels again and again; those of high "
                "order are noise", _OURS),
    "mask of SIE": ("note", "the series of an SIE does not converge in all of CosmoSim's circle",
                    "LensJAX's own window is the region of convergence"),
    "xireference": ("error", "off: CosmoSim 3.3 stops where amplitudes are written (--outfile)", _OURS),
    "Sérsic axes": ("error", "elliptical Sérsic sources: CosmoSim 3.3 lays sigma across theta and sigma2 along it, the other way round "
                    "than for a Gaussian", "exchange sigma and sigma2, or add 90° to theta; `lensjax simulate` lays sigma along theta, "
                    "with --lookup cosmosim across it"),
    "too bright": ("note", "{value} Sérsic sources are brighter than 255 in the middle: that is cut, and light is lost",
                   "a lower luminosity, or --no-quantise"),
    "odd size": ("warning", "odd: CosmoSim leaves the source's last rows undrawn where the size is no multiple of its threads",
                 "use an even size"),
    "actual": ("error", "CosmoSim 3.3 stops where it should write the source", "take it out; `lensjax delens` shows sources"),
    "no effect": ("note", "without effect in CosmoSim 3.3", "`lensjax simulate --annotate`"),
    "reflines": ("warning", "the middle row and column of pixels are overwritten with level 127",
                 "take it out where images are to be measured or learnt from"),
    # reach
    "small source": ("warning", "below 1 px: CosmoSim draws sources on whole pixels, and what is seen depends on how they fall",
                     "use larger sources, in finer pixels"),
    "large source": ("warning", "3 sigma is more than half the canvas of {value} px: CosmoSim draws the source on a canvas of the image's "
                     "size, and cuts what is beyond", "a larger imagesize (-Z), with cropsize"),
    "off canvas": ("warning", "sources are seen at |η| + θ_E from the middle, up to {far} px, beyond a canvas of {value} px",
                   "a larger imagesize (-Z), with cropsize"),
    "cropped away": ("warning", "the source is seen at |η| + θ_E from the middle, which is cropped away", "centred = 1"),
    "vain crop": ("note", "larger than the canvas: nothing is cropped, and images have its size", "a larger imagesize"),
    # targets
    "not shown": ("warning", "it differs from row to row, but {value} do not show it: no target there", "leave it out of what is learnt"),
    "round source": ("warning", "sigma = sigma2 in {value} rows: round sources have no theta, and on average a guess is off by 45°",
                     "score theta of elliptical sources alone, as LensJAX does"),
    "axes named twice": ("note", "sigma < sigma2 in {value}: (sigma, sigma2, theta) is the same image as (sigma2, sigma, theta + 90°), so "
                         "that targets contradict each other", "call the longer axis sigma, or count errors to the nearest equivalent set"),
    "half turn": ("note", "beyond 0…180: theta and theta + 180° are the same image", "bring theta to [0, 180)"),
    "round lens": ("warning", "1: a round lens has no orientation (and CosmoSim takes 0.999)", "score it for elliptical lenses alone"),
    "only θ_E": ("warning", "the image shows θ_E = einsteinR/chi alone: neither einsteinR nor chi can be had from it",
                 "learn and score θ_E, or hold chi fixed"),
    "second column": ("warning", "Cosmo-ML takes names from the second column, and numbers from a column index", "write index,filename,…"),
    "index zeros": ("note", "{value}: CosmoSim of 2023 names the image by the number, image-{number}.png, whatever filename says",
                    "rename the images, or write index without zeros"),
    # amplitudes
    "heading": ("error", "{value}", "write alpha[m][s] and beta[m][s], with m + s odd"),
    "amplitude": ("error", "not a number", "write a finite number"),
    "table of 2023": ("error", "a table of CosmoSim before 3.0: its x and y are the row and column by which the image was moved, and its "
                      "amplitudes are those at another point", "make it anew, by `lensjax simulate --roulette-csv`"),
    "no ξ": ("error", "there is no column {column}: images cannot be made from it", "add it"),
    "ξ empty": ("error", "empty: the source was right behind the lens, or its row had an empty cell; its image is black", "make it anew"),
    "no source": ("error", "there is no column source: `CosmoSim --roulette` draws round Gaussian sources (--mldata leaves it out)",
                  "write the table without --mldata"),
    "offsetY": ("error", "the difference of two deflections, as CosmoSim 3.3 writes it, no offset (which is near 0, as offsetX)", "take 0"),
    "no lens": ("note", "there are no lens parameters in such a table", "join it with the dataset by filename"),
    "amplitudes missing": ("warning", "{value} amplitudes up to order {most} are missing, first alpha[{m}][{s}]: 0 is taken", "add them"),
    "zeros beyond 5": ("error", "all amplitudes beyond order 5 are 0: CosmoSim knows no more of an SIE, and writes zeros",
                       "take nterms = 5, or `lensjax simulate --roulette-csv`"),
    "beyond 50": ("error", "an order above 50: CosmoSim's amplitudes end there, and old numbers are written",
                  "take nterms = 50, or `lensjax simulate --roulette-csv`"),
    "amplitude constant": ("note", "the same in every row, as are {value} other amplitudes (beta[m][0] is always 0): droulette.split drops "
                           "such columns", "do not count on them as targets"),
    # predictions
    "no truth": ("note", "there are no true values in it: whether predictions are any good cannot be told", "name their table by --labels"),
    "rows unknown": ("warning", "{value} rows that the labels do not have", "see whether they are the right labels"),
    "labels": ("error", "the predictions are the labels, to the last figure: droulette 0.2.1 writes labels where predictions belong",
               "predict anew; scores made from this file mean nothing"),
    "some labels": ("error", "these predictions are the labels, to the last figure", "look for the labels in what the network is given"),
    "one answer": ("warning", "the same answer for every image, {value}: the network never left the mean", "a smaller learning rate"),
    "ReLU": ("warning", "never negative, and often just 0, where the truth is negative: the last layer ends in a ReLU",
             "end the network in a linear layer"),
    "plain errors": ("note", "{rounds} sources are round and have no theta; {swapped} have sigma < sigma2, and the same image by theta + "
                     "90°: plain errors count what no image tells", "count errors to the nearest equivalent set, as LensJAX does"),
    # TOML
    "table unknown": ("warning", "{program} has no such table, and passes it over in silence", "take it out"),
    "table misspelt": ("error", "{program} has no such table, and passes it over in silence{near}", "correct it"),
    "no table": ("error", "{program} asks for a table here", "write [{value}]"),
    "key unknown": ("warning", "{program} has no such key, and passes it over in silence", "take it out"),
    "key misspelt": ("error", "{program} has no such key, and passes it over in silence{near}", "correct it"),
    "imagesize": ("error", "with a table or --rnd CosmoSim takes its command line's default, 512, instead", f"give -Z {{value}}; {_OURS}"),
    "directory": ("error", "with a table or --rnd CosmoSim takes its command line's default, ./, instead", "give -D, or --out to LensJAX"),
    "fixed values": ("note", "with a table that has no such column CosmoSim takes its command line's default instead: it is heeded in rows "
                     "drawn by --rnd, and for one image", f"give it on the command line; {_OURS}"),
    "nterms lost": ("note", "CosmoSim's generator does not write it into the table: that table by itself is rendered with 5 terms",
                    "add a column nterms, or keep this file with the table"),
    "einsteinradius": ("error", "CosmoSim's generator (--rnd) reads einstein, and draws θ_E from 10 to 50 px; einsteinradius is for one "
                       "image alone", f"write einstein, if rows are to be drawn; {_OURS}"),
    "maxrelativelocation": ("error", "CosmoSim 3.3 takes 1.2 whatever it is", _OURS),
    "r-relativemax": ("error", "CosmoSim 3.3 looks for it at the top of the file, and takes 1.2 here",
                      f"write it above all tables for CosmoSim; {_OURS}"),
    "luminosity-lambda": ("warning", "without effect in CosmoSim 3.3: luminosities come out even, whatever it is", _OURS),
    "position": ("error", "{value}: CosmoSim takes any word but polar, relative and critical, in just these letters, for cartesian",
                 "use one of these or cartesian, in small letters"),
    "not read": ("warning", "not read with position {value}", "set [source] position, or take it out"),
    "r not a number": ("error", "not a number: CosmoSim takes its default (θ_E, or 2.5 r-min) in silence", "write a number"),
    "list of numbers": ("error", "a list of numbers: CosmoSim's generator writes the whole list into each row, and the simulator stops",
                        "write {value}-min and {value}-max; `lensjax simulate` draws one of the list"),
    "count": ("error", "missing, or below 2: CosmoSim stops", "write 2 or more"),
    "cluster of": ("error", "with [cluster] CosmoSim knows one kind of member, SIS or SIE, and stops at others and at lists",
                   f"write one; {_OURS}"),
    "lens.cluster": ("error", "a draft that is not read: CosmoSim 3.3 stops at a table here",
                     'a table [cluster] with count draws clusters; cluster = "SIS/x/y/R_E;…" fixes one'),
    "SIE without": ("error", "missing, or one end of it, with an SIE: CosmoSim's generator leaves the cells empty, and images are black",
                    "write {value}, or {value}-min and {value}-max"),
    "beyond other end": ("error", "beyond the other end, which is {value} where nothing is said: CosmoSim draws between the two in silence",
                         "write the other end too"),
    "drawn but not shown": ("note", "drawn all the same, and {value} do not show it", "do not learn it"),
    # droulette
    "nterms list": ("error", "a list: droulette stops", "write one number"),
    "variable of lens": ("error", "{value}: tables of amplitudes have no lens parameters", "join the dataset by filename first"),
    "variable unknown": ("error", "{value}: no column of a table of amplitudes{near}", "name a column of the table"),
    "variable zero": ("error", "{value} is always 0: droulette drops the column", "take it out"),
    "variable offset": ("error", "{value}: CosmoSim's offsets are near 0, and offsetY is the difference of two deflections", "take it out"),
    "variable hidden": ("error", "{value}: no image of {file} shows it", "take it out"),
    "too many terms": ("error", "more than the {most} of {file}", "{most} or less"),
    "file missing": ("warning", "{value} cannot be read from this file's folder", "name it relative to where droulette is started"),
    "sizes": ("error", "missing, as that of {value}: one of the three may be left out", "write it"),
    "shares": ("error", "shares add up to {value}", "1 at most"),
    "not shuffled": ("note", "rows are not shuffled: the first ones train, the next test, the rest validate",
                     "shuffle the table, if its rows have an order"),
    "no list": ("error", "not a list", "write a list of values"),
    "learning rate missing": ("error", "missing: droulette takes 0.1, a thousand times what such networks bear", "write 1e-4"),
    "learning rate": ("warning", "up to {value}: from 1e-3 on networks get stuck at the mean", "1e-4 or less"),
    "squeezenet": ("error", "squeezenet1_0: its new last layer does not fit", "another network"),
    "network": ("error", "{value}: droulette has no such network{near}", "{known} are there"),
    "labels written": ("note", "droulette 0.2.1 writes labels where predictions belong, under the names of the label files",
                       "try `lensjax doctor PREDICTIONS --labels LABELS`"),
}  # fmt: skip
"""Severity, what there is, and what to do, by name; words in braces are filled in."""

TRUTH, PREDICTED = " (Ground Truth)", " (Predicted)"
"""How Cosmo-ML ends the headings of its predictions."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        name: one of `SAYINGS`.
        severity: one of `SEVERITIES`.
        place: file, and line, column or key.
        what: what is found there, and what comes of it.
        do: what to do about it.
    """

    name: str
    severity: str
    place: str
    what: str
    do: str


def _say(name: str, place: str, **words: object) -> Finding:
    severity, what, do = SAYINGS[name]
    words.setdefault("near", "")
    return Finding(name, severity, place, what.format(**words), do.format(**words))


def examine(path: str | Path, *, labels: str | Path | None = None) -> list[Finding]:
    """What there is to say of a file, errors first.

    Args:
        path: a CSV or TOML file.
        labels: the table of true values that a table of predictions belongs to.

    Raises:
        BadInput: a file that cannot be read, or is of no kind that is known; labels that do not belong to it.
    """
    path = Path(path)
    if path.suffix.lower() == ".toml":
        if labels is not None:
            raise BadInput(f"{path}: labels belong to a table of predictions; this is a TOML file")
        found = list(_toml(path))
    else:
        found = list(_table(_Table.read(path), None if labels is None else _Table.read(Path(labels))))
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def counted(findings: Iterable[Finding]) -> str:
    """ "2 errors, 1 warning", or "nothing to say"."""
    found = [finding.severity for finding in findings]
    parts = [f"{found.count(kind)} {kind}{'s' * (found.count(kind) != 1)}" for kind in SEVERITIES if kind in found]
    return ", ".join(parts) or "nothing to say"


_READ = (
    "filename", "index", "lens", "model", "sampled", "nterms", "imagesize", "cropsize", "xireference", "centred", "source",
    "lightprofile", "n_sersic", "luminosity", "amplitudes", "einsteinradius", "orientation", "ratio", "ellipseratio", "cluster",
    "sigma", "sigma2", "theta", "x", "y", "phi", "directory", "reflines", "criticalcurves", "maxcount", "showmask", "mask", "join",
    "family", "psiplot", "kappaplot", "apparent", "actual",
)  # fmt: skip
"""Columns that CosmoSim 3.3 reads."""

_OLD = ("einsteinR", "chi", "config", "R")
"""Columns of older tables, and of its generator, that it passes over."""

_POINTS = ("lensX", "lensY", "centreX", "centreY", "reletaX", "reletaY", "offsetX", "offsetY", "xiX", "xiY")
_OF_SYSTEMS = ("einsteinradius", "einsteinR", "ellipseratio", "cluster", "sigma", "sigma2", "theta", "x", "y", "source", "lens", "chi")
_KNOWN = {
    "lens": ("PM", "PointMass", "SIS", "SIE", "Cluster"),
    "model": ("Raytrace", "Roulette"),
    "source": ("Spherical", "Ellipsoid", "SersicSphere", "SersicEllipsoid", "Image (Einstein)", "Triangle", "s", "e", "t"),
}
_ELLIPTICAL, _SERSIC = ("Ellipsoid", "SersicEllipsoid"), ("SersicSphere", "SersicEllipsoid")
_FLAGS = ("centred", "sampled", "mask", "reflines")
_SMALLEST = 1.0  # px, of a source that is drawn on whole pixels
_MOST_TERMS = {"SIE": 5, "SIS": 50, "PM": 50}


@dataclass(frozen=True)
class _Table:
    """A CSV file as it is.

    Attributes:
        path: the file.
        lines: line of each row.
        columns: cells without spaces about them, by heading.
    """

    path: str
    lines: tuple[int, ...]
    columns: Mapping[str, tuple[str, ...]]

    @staticmethod
    def read(path: Path) -> "_Table":
        cells = read_cells(path)
        if not cells.rows:
            raise BadInput("no rows below the header", path=path, expected="one row for each image")
        columns = {name: tuple(row[k].strip() for row in cells.rows) for k, name in enumerate(cells.header) if name}
        return _Table(str(path), tuple(cells.lines), columns)

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return len(self.lines)

    def cells(self, name: str) -> tuple[str, ...]:
        return self.columns.get(name, ("",) * len(self))

    def text(self, name: str, default: str = "") -> np.ndarray:
        """Cells (N,), the default where they are empty or there is no such column."""
        return np.array([cell or default for cell in self.cells(name)], object)

    def numbers(self, name: str, default: float = math.nan) -> np.ndarray:
        """Cells (N,) as numbers; the default where they are empty, NaN where they are none."""
        return np.array([finite(cell) if cell else default for cell in self.cells(name)])

    def empty(self, name: str) -> np.ndarray:
        """Which cells (N,) are empty."""
        return np.array([not cell for cell in self.cells(name)])

    def yes(self, name: str) -> np.ndarray:
        """Which cells (N,) set a flag."""
        return np.array([cell.lower() in ("1", "1.0", "true", "yes") for cell in self.cells(name)])

    def no(self, name: str) -> np.ndarray:
        """Which cells (N,) put a flag out."""
        return np.array([cell.lower() in ("0", "0.0", "false", "no") for cell in self.cells(name)])

    @property
    def header(self) -> str:
        """The place of what is missing."""
        return f"{self.path}: line 1"

    def where(self, name: str, rows: np.ndarray | None = None) -> str:
        """ "file: line 7 and 2 more, column name"; without lines where all are meant."""
        column = f"column {printable(name)}"
        if rows is None or (rows.all() and len(rows) > 1):
            return f"{self.path}: {column}"
        at = np.flatnonzero(rows)
        more = f" and {len(at) - 1} more" if len(at) > 1 else ""
        return f"{self.path}: line {self.lines[at[0]]}{more}, {column}"

    def say(self, name: str, column: str, rows: np.ndarray, **words: object) -> Iterator[Finding]:
        """A finding where there are such rows."""
        if rows.any():
            yield _say(name, self.where(column, rows), **words)


def _table(table: _Table, labels: _Table | None) -> Iterator[Finding]:
    """The checks of a table's kind."""
    predicted = any(name.endswith((PREDICTED, "_network")) for name in table.columns)
    if labels is not None or predicted:
        yield from _predictions(table, labels)
    elif any(name.startswith(("alpha[", "beta[")) for name in table.columns):
        yield from _filenames(table)
        yield from _roulettes(table)
    elif sum(name in _OF_SYSTEMS for name in table.columns) >= 2:
        yield from _filenames(table)
        yield from _systems(_Systems(table))
    else:
        hint = f"its columns are {listed(table.columns)}"
        raise BadInput("neither systems nor amplitudes nor predictions (those need --labels)", path=table.path, hint=hint)


def _filenames(table: _Table) -> Iterator[Finding]:
    """Names that are there twice, leave their folder, or name no image file."""
    if "filename" not in table:
        yield _say("no filename", table.header)
        return
    folders = [folder.rstrip("/") for folder in table.cells("directory")]
    names = [f"{folder}/{name}" if folder else name for folder, name in zip(folders, table.cells("filename"), strict=True)]
    first: dict[str, int] = {}
    kinds = {kind: np.zeros(len(table), bool) for kind in ("out", "folder", "bare", "twice")}
    for k, (name, line) in enumerate(zip(names, table.lines, strict=True)):
        try:
            name = checked_filename(name, path=table.path, line=line)
            kinds["folder"][k] = "/" in name
            kinds["bare"][k] = "." not in name.rsplit("/", 1)[-1]
        except BadInput:
            kinds["out"][k] = True
        kinds["twice"][k] = first.setdefault(name, k) != k and bool(name)

    def example(kind: str) -> str:
        name = names[int(np.argmax(kinds[kind]))]
        return shown(name) if name else "an empty name"

    yield from table.say("name leads out", "filename", kinds["out"], value=example("out"))
    again = int(np.argmax(kinds["twice"]))
    yield from table.say("name twice", "filename", kinds["twice"], value=example("twice"), line=table.lines[first.get(names[again], 0)])
    yield from table.say("name in folder", "filename", kinds["folder"])
    yield from table.say("name without ending", "filename", kinds["bare"])


@dataclass(frozen=True)
class _Systems:
    """What the N rows of a table of systems are.

    Attributes:
        table: the table.
    """

    table: _Table

    @cached_property
    def told(self) -> list[tuple[str, str]]:
        """Lens and model of each row by its letter of 2023 or its `config`; "" for what they do not tell."""
        found = []
        for lens, config in zip(self.table.cells("lens"), self.table.cells("config"), strict=True):
            kind, model = cosmosim_names.lens_kind(lens) or "", ""
            for word in (lens, config):
                try:
                    of = cosmosim_names.config(word)
                except BadInput:
                    continue
                kind, model = kind or of[0], model or of[1]
            found.append((kind, model))
        return found

    @cached_property
    def lens(self) -> np.ndarray:
        """PM, SIS, SIE or Cluster."""
        single = np.array([lens or "SIS" for lens, _ in self.told], object)
        return np.where(self.table.empty("cluster"), single, "Cluster")

    @cached_property
    def sie(self) -> np.ndarray:
        return self.lens == "SIE"

    @cached_property
    def roulette(self) -> np.ndarray:
        """Whether it is rendered by roulettes."""
        return np.array([(own or of[1]).lower() == "roulette" for own, of in zip(self.table.cells("model"), self.told, strict=True)])

    @cached_property
    def source(self) -> np.ndarray:
        """Kind of source, as its name says; Constellation of several, "" where it is not known."""
        names = self.table.text("source", "Spherical")
        return np.array(["Constellation" if "/" in name else cosmosim_names.LIGHTS.get(name.lower(), "") for name in names], object)

    @cached_property
    def profile(self) -> np.ndarray:
        return np.array([text.lower() for text in self.table.cells("lightprofile")], object)

    @cached_property
    def elliptical(self) -> np.ndarray:
        return np.isin(self.source, _ELLIPTICAL)

    @cached_property
    def sersic(self) -> np.ndarray:
        named = np.isin(self.source, _SERSIC)
        return np.where(self.profile == "", named, (self.profile == "sersic") & (named | np.isin(self.source, ("Spherical", "Ellipsoid"))))

    @cached_property
    def of_2023(self) -> bool:
        """Whether the table is from before χ was left out."""
        return "einsteinR" in self.table and "einsteinradius" not in self.table

    @cached_property
    def ratio(self) -> str:
        """The column of the axis ratio."""
        return "ratio" if "ratio" in self.table and "ellipseratio" not in self.table else "ellipseratio"

    @cached_property
    def theta_e(self) -> np.ndarray:
        """θ_E [px]."""
        if not self.of_2023:
            return self.table.numbers("einsteinradius", 20.0)
        chi = self.table.numbers("chi", 50.0 if "chi" in self.table else 100.0) / 100.0
        return self.table.numbers("einsteinR") / np.where(chi > 0, chi, np.nan)

    @cached_property
    def distance(self) -> np.ndarray:
        """|η| [px]."""
        x, y = self.table.numbers("x", 0.0), self.table.numbers("y", 0.0)
        return np.hypot(x, y) if "x" in self.table else np.abs(self.table.numbers("R", 0.0))

    @cached_property
    def canvas(self) -> np.ndarray:
        """Side of the canvas [px]."""
        return self.table.numbers("imagesize", 1000.0 if self.of_2023 else 512.0)


def _systems(systems: _Systems) -> Iterator[Finding]:
    """All checks of a table of systems."""
    for check in (_refused, _headings, _empty_cells, _words, _units, _programs, _reach, _targets, _of_2023):
        yield from check(systems)


def _refused(systems: _Systems) -> Iterator[Finding]:
    """What LensJAX itself would not read, once for each column and reason; names of files are `_filenames`' to judge."""
    table = systems.table
    names = tuple(f"{k}.png" for k in range(len(table)))
    columns = {name: cells for name, cells in table.columns.items() if name in cosmosim_rows.READ}
    dataset = Table(table.path, names, table.lines, {**columns, "filename": names, "directory": ("",) * len(table)})
    reasons: dict[tuple[str, str], list[BadInput]] = {}
    for error in cosmosim_rows.scenes(dataset, settings={}, skip_bad=True).refused:
        reasons.setdefault((error.column or "", error.expected), []).append(error)
    for (column, _), errors in reasons.items():
        more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
        yield _refusal(f"{table.path}: line {errors[0].line}{more}, column {column}", errors[0])


def _refusal(place: str, error: BadInput) -> Finding:
    """An error of LensJAX's own readers as a finding."""
    text = "empty" if error.value == "" else f"the value is {shown(error.value)}"
    what = f"{error.place}: {error.problem}" if error.place else error.problem or text
    allowed = "; ".join(part for part in (error.expected and f"expected {error.expected}", error.hint) if part)
    return _say("refused", place, value=what, allowed=allowed or "correct it")


def _near(word: str, known: Iterable[str]) -> str:
    """ "; did you mean …?" with the nearest known name; nothing where none is like it."""
    hint = did_you_mean(word, known)
    return f"; {hint}" if hint else ""


def _headings(systems: _Systems) -> Iterator[Finding]:
    """Columns that CosmoSim does not read, or that are not there."""
    table = systems.table
    for name in table.columns:
        if name not in (*_READ, *_OLD, *_POINTS) and not name.startswith("Unnamed:"):
            near = _near(name, (*_READ, *_OLD))
            yield _say("column misspelt" if near else "column unknown", table.where(name), near=near)
    if systems.of_2023:
        yield _say("einsteinR", table.where("einsteinR"))
    elif "chi" in table:
        yield _say("chi", table.where("chi"))
    if "config" in table and not ("lens" in table and "model" in table):
        yield _say("config", table.where("config"))
    if "ratio" in table and "ellipseratio" in table:
        yield _say("two ratios", table.where("ratio"))
    if "phi" in table and "y" not in table:
        yield _say("polar", table.where("phi"))
    needed = {
        "ellipseratio": ("0.6", systems.sie.any() and "ratio" not in table),
        "orientation": ("0 degrees", systems.sie.any()),
        "sigma2": ("10 px", systems.elliptical.any()),
        "theta": ("45 degrees", systems.elliptical.any()),
    }
    for name, (value, wanted) in needed.items():
        if wanted and name not in table:
            yield _say("column missing", table.header, column=name, value=value)
    if systems.sersic.any() and "luminosity" not in table:
        yield _say("luminosity default", table.header)
    if systems.roulette.any() and "nterms" not in table:
        yield _say("nterms default", table.header)
    for name, said in (("actual", "actual"), ("showmask", "no effect"), ("criticalcurves", "no effect"), ("reflines", "reflines")):
        yield from table.say(said, name, table.yes(name))


def _empty_cells(systems: _Systems) -> Iterator[Finding]:
    """Cells that are empty, which is not no column to CosmoSim."""
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
            yield from table.say("empty stops", name, empty)
        elif name in black:
            yield from table.say("empty black", name, empty & black[name])
        elif name == "lightprofile":
            yield from table.say("empty profile", name, empty & np.isin(systems.source, _SERSIC))
        elif name in _FLAGS:
            words = {cell.lower() for cell in table.columns[name]}
            yield from table.say("empty yes", name, empty)
            if not (words <= {"0", "1", "0.0", "1.0"} or words <= {"true", "false"}) and not empty.any():
                yield from table.say("text yes", name, table.no(name))


def _words(systems: _Systems) -> Iterator[Finding]:
    """Names that LensJAX understands and CosmoSim does not."""
    table = systems.table
    ours = {
        "lens": [cosmosim_names.lens_kind(name) is not None for name in table.cells("lens")],
        "model": [name.lower() in ("raytrace", "roulette") for name in table.cells("model")],
        "source": [name.lower() in cosmosim_names.LIGHTS for name in table.cells("source")],
    }
    for column, understood in ours.items():
        names = table.text(column)
        strange = np.array(understood) & ~np.isin(names, _KNOWN[column])
        value = shown(names[int(np.argmax(strange))])
        yield from table.say(f"{column} name", column, strange, value=value, known=", ".join(_KNOWN[column]))
    yield from table.say("constellation", "source", systems.source == "Constellation")
    yield from table.say("picture", "source", systems.source == "Image")
    yield from table.say("profile wins", "lightprofile", (systems.profile == "gaussian") & np.isin(systems.source, _SERSIC))
    members = [{member.split("/")[0].strip().lower() for member in text.split(";")} for text in table.cells("cluster")]
    yield from table.say("PM in cluster", "cluster", np.array(["pm" in kinds for kinds in members]))


def _units(systems: _Systems) -> Iterator[Finding]:
    """Numbers that look as if they were in other units."""
    table = systems.table
    chi = table.numbers("chi")
    if np.isfinite(chi).any() and np.nanmax(chi) <= 1.0:
        yield _say("chi as share", table.where("chi"), value=f"{np.nanmax(chi):g}")
    for name, rows in (("theta", systems.elliptical), ("orientation", systems.sie)):
        values = table.numbers(name)[rows]
        values = values[np.isfinite(values)]
        if len(values) >= 10 and np.abs(values).max() <= 2 * math.pi + 1e-6 and (values != np.rint(values)).mean() > 0.5:
            yield _say("radians", table.where(name), value=f"{np.abs(values).max():.3g}")
    if {"phi", "x", "y"} <= set(table.columns):
        phi, x, y = (table.numbers(name) for name in ("phi", "x", "y"))
        known = np.isfinite(phi + x + y) & (np.hypot(x, y) > 0)
        if known.any() and np.allclose(phi[known], np.arctan2(x, y)[known], atol=1e-3):
            yield _say("phi of generator", table.where("phi"))
    yield from table.say("ratio above 1", systems.ratio, systems.sie & (table.numbers(systems.ratio) > 1.0))


def _programs(systems: _Systems) -> Iterator[Finding]:
    """What CosmoSim 3.3 does otherwise than the file says."""
    table, roulette = systems.table, systems.roulette
    for lens, most in _MOST_TERMS.items():
        yield from table.say("order", "nterms", (systems.lens == lens) & (table.numbers("nterms") > most), value=lens, most=most)
    apart = np.zeros(len(table), bool)
    for k in np.flatnonzero(roulette & (systems.lens == "Cluster")):
        try:
            apart[k] = any(mass.x or mass.y for mass in strings.cluster(table.cells("cluster")[k]))
        except BadInput:
            continue  # `_refused` says it
    yield from table.say("cluster roulette", "cluster", apart)
    yield from table.say("behind the lens", "x", roulette & (systems.distance == 0))
    yield from table.say("sampled", "sampled", roulette & table.yes("sampled"))
    yield from table.say("mask of SIE", "mask", roulette & table.yes("mask") & systems.sie)
    yield from table.say("xireference", "xireference", table.no("xireference"))
    unequal = table.numbers("sigma", 20.0) != table.numbers("sigma2", 10.0)
    yield from table.say("Sérsic axes", "source", systems.sersic & systems.elliptical & unequal)
    bright = _peak(systems) > 255.5
    yield from table.say("too bright", "luminosity" if "luminosity" in table else "source", bright, value=bright.sum())
    yield from table.say("odd size", "imagesize", table.numbers("imagesize") % 2 == 1)


def _peak(systems: _Systems) -> np.ndarray:
    """Grey level (N,) in the middle of a Sérsic source as CosmoSim draws it; 0 of others."""
    table = systems.table
    sigma, n = table.numbers("sigma", 20.0), table.numbers("n_sersic", 4.0)
    other = np.where(systems.elliptical, table.numbers("sigma2", 10.0), sigma)
    light = np.where(np.isnan(table.numbers("luminosity")), np.where(systems.elliptical, 20.0, 10.0), table.numbers("luminosity"))
    peak = np.zeros(len(table))
    for k in np.flatnonzero(systems.sersic & (sigma > 0) & (other > 0) & (n >= 0.2) & (n <= 20.0) & (light > 0)):
        power = 2 * n[k] * math.log(1.992 * n[k] - 0.3271) - math.lgamma(2 * n[k])
        peak[k] = 1e3 * light[k] / (2 * math.pi * sigma[k] * other[k] * n[k]) * math.exp(power)
    return peak


def _reach(systems: _Systems) -> Iterator[Finding]:
    """Sources that are too small or too large, and images that leave the canvas."""
    table, canvas = systems.table, systems.canvas
    width = f"{np.nanmin(canvas):g}" if np.isfinite(canvas).any() else "?"
    for name, rows in (("sigma", systems.elliptical | np.isin(systems.source, cosmosim_names.ROUND)), ("sigma2", systems.elliptical)):
        values = table.numbers(name)
        yield from table.say("small source", name, rows & (values > 0) & (values < _SMALLEST))
        yield from table.say("large source", name, rows & ~systems.sersic & (3.0 * values > canvas / 2), value=width)
    far = systems.distance + np.where(systems.lens == "Cluster", 0.0, systems.theta_e)
    off = far > canvas / 2
    yield from table.say("off canvas", "x" if "x" in table else "filename", off, far=f"{np.nanmax(far, initial=0.0):.4g}", value=width)
    crop = table.numbers("cropsize")
    cut = ~table.yes("centred") & (crop > 0) & (crop < canvas) & (far > crop / 2) & ~off
    yield from table.say("cropped away", "cropsize", cut)
    yield from table.say("vain crop", "cropsize", crop > canvas)


def _targets(systems: _Systems) -> Iterator[Finding]:
    """Numbers that the image does not hold, and so no estimate can have."""
    table = systems.table
    sigma, sigma2, theta = table.numbers("sigma", 20.0), table.numbers("sigma2", 10.0), table.numbers("theta", 45.0)
    shown = {
        "sigma2": (systems.elliptical, "sources that are not elliptical"),
        "theta": (systems.elliptical | (systems.source == "Triangle"), "round sources"),
        "n_sersic": (systems.sersic, "Gaussian sources"),
        "luminosity": (systems.sersic, "Gaussian sources"),
        "ellipseratio": (systems.sie, "lenses that are no SIE"),
        "orientation": (systems.sie, "round lenses"),
    }
    for name, (rows, kind) in shown.items():
        hidden = ~rows & (systems.source != "Constellation" if name not in ("ellipseratio", "orientation") else systems.lens != "Cluster")
        values = table.numbers(name)[hidden]
        values = values[np.isfinite(values)]
        if len(values) > 1 and values.max() > values.min():
            yield from table.say("not shown", name, hidden, value=kind)
    ellipse, count = systems.elliptical, len(table)
    same, below = ellipse & (sigma == sigma2), ellipse & (sigma < sigma2)
    yield from table.say("round source", "theta", same, value=f"{same.sum()} of {count}")
    if (ellipse & (sigma > sigma2)).any():
        yield from table.say("axes named twice", "sigma", below, value=f"{below.sum()} of {count} rows")
    yield from table.say("half turn", "theta", ellipse & ((theta < 0) | (theta >= 180)))
    yield from table.say("round lens", systems.ratio, systems.sie & (table.numbers(systems.ratio, 0.6) == 1.0))
    chi = table.numbers("chi")
    if systems.of_2023 and np.isfinite(chi).any() and np.nanmin(chi) < np.nanmax(chi):
        yield _say("only θ_E", table.where("chi"))


def _of_2023(systems: _Systems) -> Iterator[Finding]:
    """What the programs of 2023 do with a table of theirs."""
    table = systems.table
    if not systems.of_2023:
        return
    if "filename" in table and (list(table.columns).index("filename") != 1 or "index" not in table):
        yield _say("second column", table.where("filename"))
    zeros = np.array([len(text) > 1 and text[0] == "0" and text.isdecimal() for text in table.cells("index")])
    if zeros.any():
        value = table.cells("index")[int(np.argmax(zeros))]
        yield from table.say("index zeros", "index", zeros, value=value, number=int(value))


def _roulettes(table: _Table) -> Iterator[Finding]:
    """A table of amplitudes: for images to be made from, or of targets."""
    try:
        found = roulette_csv.headings(table.path, table.columns)
    except BadInput as error:
        yield _say("heading", table.header, value=f"column {error.column}: {error.problem}; expected {error.expected}")
        return
    values = {name: table.numbers(name, 0.0) for name in found}
    wrong = next((name for name, one in values.items() if np.isnan(one).any()), None)
    if wrong is not None:
        yield _say("amplitude", table.where(wrong, np.isnan(values[wrong])))
    if "chi" in table and "xiX" not in table:
        yield _say("table of 2023", table.header)
    elif "source" in table or "xiX" in table:
        yield from _resimulated(table, found)
    high = {name: np.abs(values[name]) for name, (_, m, _) in found.items() if m > 5}
    if high:
        yield from table.say("zeros beyond 5", next(iter(high)), np.max(list(high.values()), axis=0) == 0)
    stale = next((name for name, (_, m, _) in found.items() if m > 50), None)
    if stale is not None:
        yield _say("beyond 50", table.where(stale))
    still = [name for name, one in values.items() if len(table) > 1 and one.max() == one.min()]
    if still:
        yield _say("amplitude constant", table.where(still[0]), value=len(still) - 1)
    if "source" in table:
        yield from _targets(_Systems(table))


def _resimulated(table: _Table, found: Mapping[str, tuple[int, int, int]]) -> Iterator[Finding]:
    """A table of amplitudes that images can be made from."""
    for name in ("xiX", "xiY"):
        if name not in table:
            yield _say("no ξ", table.header, column=name)
        else:
            yield from table.say("ξ empty", name, table.empty(name))
    if "source" not in table:
        yield _say("no source", table.header)
    if not {"einsteinradius", "einsteinR", "cluster"} & set(table.columns):
        yield _say("no lens", table.header)
    nterms = max(m for _, m, _ in found.values())
    missing = [(m, s) for m, s in roulette_csv.orders(nterms) if m > 0 and not {(0, m, s), (1, m, s)} & set(found.values())]
    if missing:
        yield _say("amplitudes missing", table.header, value=len(missing), most=nterms, m=missing[0][0], s=missing[0][1])
    at = {order: name for name, order in found.items()}
    if "offsetY" in table and (0, 0, 1) in at and (1, 0, 1) in at:
        offset, wrong = table.numbers("offsetY"), table.numbers(at[0, 0, 1]) - table.numbers(at[1, 0, 1])
        yield from table.say("offsetY", "offsetY", (np.abs(offset) > 0.05) & (np.abs(offset - wrong) < 0.02 + 1e-3 * np.abs(wrong)))


Pairs = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Predicted and true values (N,), by parameter."""


def _predictions(table: _Table, labels: _Table | None) -> Iterator[Finding]:
    """Predictions against the truth, in the same file or in another."""
    if labels is None:
        stems = [name.removesuffix(PREDICTED) for name in table.columns if name.endswith(PREDICTED)]
        pairs = _finite({stem: (table.numbers(stem + PREDICTED), table.numbers(stem + TRUTH)) for stem in stems})
        if not pairs:
            yield _say("no truth", table.header)
    else:
        key = next((name for name in ("filename", "Index", "index") if name in table and name in labels), None)
        if key is None:
            raise BadInput(f"{table.path}: no column filename or index that {labels.path} has too; rows cannot be matched")
        at = {name: k for k, name in enumerate(labels.columns[key])}
        known = np.array([name in at for name in table.columns[key]])
        if not known.any():
            raise BadInput(f"{table.path}: none of its rows is in {labels.path} (column {key})")
        yield from table.say("rows unknown", key, ~known, value=(~known).sum())
        rows = np.array([at[name] for name in table.columns[key] if name in at])
        columns = {name.removesuffix(PREDICTED): name for name in table.columns if name not in (key, "index", "Index")}
        pairs = _finite({stem: (table.numbers(name)[known], labels.numbers(stem)[rows]) for stem, name in columns.items()})
        if not pairs:
            raise BadInput(f"{table.path}: no column of numbers that {labels.path} has too; there is nothing to compare")
    yield from _against(table, pairs)


def _finite(pairs: Pairs) -> Pairs:
    """Those that have numbers on both sides."""
    return {name: pair for name, pair in pairs.items() if np.isfinite(pair[0]).any() and np.isfinite(pair[1]).any()}


def _against(table: _Table, pairs: Pairs) -> Iterator[Finding]:
    """Predictions that are the labels, the same in every row, or cannot be negative."""
    same = [name for name, (guess, truth) in pairs.items() if np.allclose(guess, truth, rtol=1e-5, atol=1e-6, equal_nan=True)]
    telling = [name for name in same if len(table) == 1 or np.nanmin(pairs[name][1]) < np.nanmax(pairs[name][1])]
    if telling:
        yield _say("labels" if len(same) == len(pairs) else "some labels", f"{table.path}: columns {', '.join(telling)}")
    for name, (guess, truth) in pairs.items():
        guess, truth = guess[np.isfinite(guess)], truth[np.isfinite(truth)]
        if name in same or min(len(guess), len(truth)) < 5:
            continue
        if guess.std() < 1e-3 * truth.std():
            yield _say("one answer", f"{table.path}: column {name}", value=f"{guess.mean():.4g}")
        elif guess.min() == 0 and truth.min() < 0 and (guess == 0).mean() > 0.05:
            yield _say("ReLU", f"{table.path}: column {name}")
    if {"sigma", "sigma2", "theta"} <= set(pairs):
        sigma, sigma2 = pairs["sigma"][1], pairs["sigma2"][1]
        rounds, swapped = int((sigma == sigma2).sum()), int((sigma < sigma2).sum())
        if rounds or swapped:
            yield _say("plain errors", f"{table.path}: column theta", rounds=rounds, swapped=swapped)


_TABLES = tuple(cosmosim_toml.TABLES)
_PROBLEM: Mapping[str, Sequence[str]] = {
    "problem": ("filename", "dataset", "variables", "nterms"),
    "dataset": ("roulette", "training", "validation", "testing", "directory"),
}
_RATES = ("learning-rate", "batch-size", "weight-decay")
_TRAINING: Mapping[str, Sequence[str]] = {
    "settings": ("device", "model", "models", "problem"),
    "hyperparameters": (*_RATES, "array"),
    "training": ("num-epochs", "patience"),
    "dataset": ("directory", "training", "validation", "testing"),
    "output": ("directory", "dirbase"),
}
_PARTS = ("training", "validation", "testing")
_NETWORKS = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "mnasnet1_0", "mobilenet_v2",
    "mobilenet_v3_small", "regnet_y_32gf", "resnet50", "resnext50_32x4d", "shufflenet_v2_x1_0", "squeezenet1_0", "swin_t", "vgg16",
    "wide_resnet50_2",
)  # fmt: skip
_LENS_PARAMETERS = ("einsteinradius", "ellipseratio", "orientation", "cluster", "lens", "einsteinR", "chi")
_OURS_TOML = ("problem", "n", "seed", "method")
_DEFAULT_RANGES = {name: ends for keys in cosmosim_toml.RANGED.values() for name, ends in keys.items() if ends is not None}


def _toml(path: Path) -> Iterator[Finding]:
    """The checks of a TOML file's kind."""
    loaded = read_toml(path)
    tables = {name for name, value in loaded.items() if isinstance(value, dict)}
    if "problem" in tables:
        yield from _problem(path, loaded)
    elif tables & {"settings", "hyperparameters", "training", "output"}:
        yield from _training(path, loaded)
    elif tables and not (tables.isdisjoint(_TABLES) and "problem" in loaded):
        yield from _dataset(path, loaded)
    elif set(loaded) & set(_OURS_TOML):
        yield from _unknown_keys(f"{path}:", loaded, _OURS_TOML, "LensJAX", {})
    else:
        hint = f"it has {listed(loaded)}"
        raise BadInput("neither CosmoSim's dataset.toml nor a problem, training or batch file of droulette's", path=path, hint=hint)


def _unknown(path: Path, loaded: Mapping[str, Any], known: Mapping[str, Sequence[str]], program: str) -> Iterator[Finding]:
    """Tables and keys that a program passes over, in silence."""
    for name, table in loaded.items():
        if name == "r-relativemax" and program == "CosmoSim":
            continue  # where it does look for it
        if name not in known:
            home = next((f"; did you mean [{t}] {name}?" for t, keys in known.items() if name in keys), "")
            near = home or _near(name, known)
            yield _say("table misspelt" if near else "table unknown", f"{path}: {name}", program=program, near=near)
        elif not isinstance(table, dict):
            yield _say("no table", f"{path}: {name}", program=program, value=name)
        else:
            yield from _unknown_keys(f"{path}: [{name}]", table, known[name], program, known)


def _unknown_keys(
    place: str, table: Mapping[str, Any], keys: Sequence[str], program: str, known: Mapping[str, Sequence[str]]
) -> Iterator[Finding]:
    for key in table:
        if key not in keys:
            near = _near(key, keys) or next((f"; did you mean [{t}] {key}?" for t, others in known.items() if key in others), "")
            yield _say("key misspelt" if near else "key unknown", f"{place} {key}", program=program, near=near)


def _dataset(path: Path, loaded: Mapping[str, Any]) -> Iterator[Finding]:
    """CosmoSim's dataset.toml."""
    strange = list(_unknown(path, loaded, {name: cosmosim_toml.keys(name) for name in _TABLES}, "CosmoSim"))
    yield from strange
    if not strange:
        try:
            cosmosim_toml.read(path)
        except BadInput as error:
            yield _refusal(f"{path}: {error.column}", error)
    tables = {name: loaded[name] if isinstance(loaded.get(name), dict) else {} for name in _TABLES}
    for check in (_ignored, _places, _stops, _shown_by, _off_canvas):
        yield from check(path, tables)


Tables = Mapping[str, Mapping[str, Any]]


def _several(value: object) -> list[Any]:
    """A list, or the list of one value; empty for None."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _given(table: Mapping[str, Any], key: str) -> bool:
    """Whether a table says anything of a key."""
    return any(name in table for name in (key, f"{key}-min", f"{key}-max"))


def _ends(table: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    """Least and largest value that a key may get; None where nothing says."""
    fixed = [value for value in _several(table.get(key)) if _is_number(value)]
    if not fixed:
        low, high = _DEFAULT_RANGES.get(key, (None, None))
        fixed = [table.get(f"{key}-min", low), table.get(f"{key}-max", high)]
    return (min(fixed), max(fixed)) if all(map(_is_number, fixed)) else None


def _lens_modes(tables: Tables) -> list[Any]:
    return _several(tables["lens"].get("mode", tables["lens"].get("modes")))


def _models(tables: Tables) -> list[Any]:
    return _several(tables["simulator"].get("model", tables["simulator"].get("models")))


def _kinds(source: Mapping[str, Any]) -> set[str]:
    """Kinds of the sources that are drawn, by their names and profile."""
    found = {cosmosim_names.LIGHTS.get(mode.lower(), "") for mode in _several(source.get("mode", "e")) if isinstance(mode, str)}
    profile = str(source.get("lightprofile", "")).lower()
    if profile in ("sersic", "gaussian"):
        turned = dict(zip(("Spherical", "Ellipsoid"), _SERSIC, strict=True))
        turned = turned if profile == "sersic" else {sersic: gaussian for gaussian, sersic in turned.items()}
        found = {turned.get(kind, kind) for kind in found}
    return found - {""}


def _ignored(path: Path, tables: Tables) -> Iterator[Finding]:
    """Keys that CosmoSim accepts, and does not heed."""
    simulator, lens, source = (tables[name] for name in ("simulator", "lens", "source"))
    if "imagesize" in simulator:
        yield _say("imagesize", f"{path}: [simulator] imagesize", value=simulator["imagesize"])
    if "directory" in tables["dataset"]:
        yield _say("directory", f"{path}: [dataset] directory")
    fixed = [("lens", key) for key in ("mode", "einsteinradius", "ellipseratio", "orientation")]
    fixed += [("source", key) for key in ("mode", "sigma", "sigma2", "theta")] + [("simulator", "model")]
    said = [f"[{table}] {key}" for table, key in fixed if key in tables[table] and not isinstance(tables[table][key], list)]
    if said:
        yield _say("fixed values", f"{path}: {', '.join(said)}")
    if "nterms" in simulator:
        yield _say("nterms lost", f"{path}: [simulator] nterms")
    if _given(lens, "einsteinradius") and not _given(lens, "einstein"):
        yield _say("einsteinradius", f"{path}: [lens] einsteinradius")
    if "chi" in lens:
        yield _say("chi", f"{path}: [lens] chi")
    if "maxrelativelocation" in tables["cluster"]:
        yield _say("maxrelativelocation", f"{path}: [cluster] maxrelativelocation")
    if "luminosity-lambda" in source:
        yield _say("luminosity-lambda", f"{path}: [source] luminosity-lambda")
    for name, key, said_of in (
        ("management", "showmask", "no effect"), ("annotation", "criticalcurves", "no effect"), ("annotation", "reflines", "reflines"),
        ("management", "criticalcurves", "no effect"), ("management", "actual", "actual"),
    ):  # fmt: skip
        if tables[name].get(key) is True:
            yield _say(said_of, f"{path}: [{name}] {key}")


def _places(path: Path, tables: Tables) -> Iterator[Finding]:
    """How sources are placed."""
    position, how = tables["position"], tables["source"].get("position", "cartesian")
    shown_how = shown(str(how))
    if how not in ("cartesian", "polar", "relative", "critical"):
        yield _say("position", f"{path}: [source] position", value=shown_how)
    if "r-relativemax" in position:
        yield _say("r-relativemax", f"{path}: [position] r-relativemax")
    read = {
        "polar": ("phi", "phi-min", "phi-max", "r-min", "r-max"),
        "relative": ("phi", "phi-min", "phi-max", "r-min", "r-relativemax"),
        "critical": ("phi", "phi-min", "phi-max", "r-min", "r-relativemax"),
    }.get(str(how), ("x", "x-min", "x-max", "y", "y-min", "y-max"))
    for key, value in position.items():
        if key in cosmosim_toml.keys("position") and key not in read and key != "r-relativemax":
            yield _say("not read", f"{path}: [position] {key}", value=shown_how)
        elif key in ("r-min", "r-max") and not _is_number(value):
            yield _say("r not a number", f"{path}: [position] {key}")


def _stops(path: Path, tables: Tables) -> Iterator[Finding]:
    """What CosmoSim 3.3 stops at, or renders black or wrongly."""
    simulator, lens = tables["simulator"], tables["lens"]
    modes, models, sources = _lens_modes(tables), _models(tables), _several(tables["source"].get("mode"))
    named = (("lens", "mode", "lens", modes), ("simulator", "model", "model", models), ("source", "mode", "source", sources))
    for table, key, column, words in named:
        for word in words:
            if isinstance(word, str) and word not in _KNOWN[column] and "/" not in word:
                known, near = ", ".join(_KNOWN[column]), _near(word, _KNOWN[column])
                yield _say(f"{column} name", f"{path}: [{table}] {key}", value=shown(word), known=known, near=near)
    if any("/" in word for word in sources if isinstance(word, str)):
        yield _say("constellation", f"{path}: [source] mode")
    if "Image" in _kinds(tables["source"]):
        yield _say("picture", f"{path}: [source] mode")
    for table, keys in cosmosim_toml.RANGED.items():
        for name in keys:
            if isinstance(tables[table].get(name), list):
                yield _say("list of numbers", f"{path}: [{table}] {name}", value=name)
    if tables["cluster"]:
        count = tables["cluster"].get("count", 1)
        if not _is_number(count) or count < 2:
            yield _say("count", f"{path}: [cluster] count")
        if lens.get("mode") not in ("SIS", "SIE"):
            yield _say("cluster of", f"{path}: [lens] mode")
    if isinstance(lens.get("cluster"), dict):
        yield _say("lens.cluster", f"{path}: [lens.cluster]")
    elif (tables["cluster"] or "cluster" in lens) and "Roulette" in models:
        yield _say("cluster roulette", f"{path}: [simulator] model")
    for key in ("ellipseratio", "orientation"):
        if "SIE" in modes and key not in lens and not (f"{key}-min" in lens and f"{key}-max" in lens):
            yield _say("SIE without", f"{path}: [lens] {key}", value=key)
    kind = "SIE" if "SIE" in modes else "SIS"
    if _is_number(simulator.get("nterms")) and simulator["nterms"] > _MOST_TERMS[kind]:
        yield _say("order", f"{path}: [simulator] nterms", value="an SIE" if kind == "SIE" else "PM and SIS", most=_MOST_TERMS[kind])
    if simulator.get("xireference") is False:
        yield _say("xireference", f"{path}: [simulator] xireference")
    if simulator.get("sampled") is True and "Roulette" in models:
        yield _say("sampled", f"{path}: [simulator] sampled")
    ratio = _ends(lens, "ellipseratio")
    if ratio and ratio[1] > 1:
        yield _say("ratio above 1", f"{path}: [lens] ellipseratio")
    if "SersicEllipsoid" in _kinds(tables["source"]):
        yield _say("Sérsic axes", f"{path}: [source] mode")


def _shown_by(path: Path, tables: Tables) -> Iterator[Finding]:
    """What is drawn and no image holds."""
    source, lens, kinds = tables["source"], tables["lens"], _kinds(tables["source"])
    for name in ("sigma", "sigma2"):
        low, high = _DEFAULT_RANGES[name]
        for key, other, beyond, end in ((f"{name}-min", f"{name}-max", 1, high), (f"{name}-max", f"{name}-min", -1, low)):
            if other not in source and name not in source and _is_number(source.get(key)) and beyond * (source[key] - end) > 0:
                yield _say("beyond other end", f"{path}: [source] {key}", value=end)
        ends = _ends(source, name)
        if ends and ends[0] < _SMALLEST:
            yield _say("small source", f"{path}: [source] {name}")
    hidden = {
        "sigma2": ("round sources", source, not kinds & set(_ELLIPTICAL)),
        "theta": ("round sources", source, not kinds & {*_ELLIPTICAL, "Triangle"}),
        "n_sersic": ("Gaussian sources", source, not kinds & set(_SERSIC)),
        "luminosity": ("Gaussian sources", source, not kinds & set(_SERSIC)),
        "ellipseratio": ("round lenses", lens, "SIE" not in _lens_modes(tables)),
        "orientation": ("round lenses", lens, "SIE" not in _lens_modes(tables)),
    }
    for name, (kind, table, unseen) in hidden.items():
        if unseen and _given(table, name) and (kinds or table is lens):
            yield _say("drawn but not shown", f"{path}: [{'lens' if table is lens else 'source'}] {name}", value=kind)
    sigma, sigma2, theta = (_ends(source, name) for name in ("sigma", "sigma2", "theta"))
    if sigma and sigma2 and kinds & set(_ELLIPTICAL):
        if sigma == sigma2 and sigma[0] == sigma[1]:
            yield _say("round source", f"{path}: [source] theta", value="all")
        elif sigma[0] < sigma2[1] and sigma[1] > sigma2[0]:
            yield _say("axes named twice", f"{path}: [source] sigma", value="some rows")
    if theta and (theta[0] < 0 or theta[1] > 180):
        yield _say("half turn", f"{path}: [source] theta")


def _off_canvas(path: Path, tables: Tables) -> Iterator[Finding]:
    """How far out images may be seen, against the canvas."""
    lens, source, position = (tables[name] for name in ("lens", "source", "position"))
    size, how = tables["simulator"].get("imagesize", 512), source.get("position", "cartesian")
    radius = _ends(lens, "einstein" if _given(lens, "einstein") else "einsteinradius")
    if not _is_number(size) or radius is None:
        return
    x, y = _ends(position, "x"), _ends(position, "y")
    far = math.hypot(max(map(abs, x)), max(map(abs, y))) if x and y else 0.0
    if how == "polar":
        least = position.get("r-min", radius[1])
        far = position.get("r-max", 2.5 * least if _is_number(least) else 0.0)
    elif how in ("relative", "critical"):
        far = 1.2 * radius[1]
    if _is_number(far) and far + radius[1] > size / 2:
        yield _say("off canvas", f"{path}: [position]", far=f"{far + radius[1]:.4g}", value=size)
    widest = max((ends[1] for name in ("sigma", "sigma2") if (ends := _ends(source, name))), default=0)
    if 3 * widest > size / 2 and _kinds(source) & {"Spherical", "Ellipsoid"}:
        yield _say("large source", f"{path}: [source] sigma", value=size)


def _problem(path: Path, loaded: Mapping[str, Any]) -> Iterator[Finding]:
    """droulette's problem.toml."""
    yield from _unknown(path, loaded, _PROBLEM, "droulette")
    problem, place = loaded["problem"], f"{path}: [problem] variables"
    if isinstance(problem.get("nterms"), list):
        yield _say("nterms list", f"{path}: [problem] nterms")
    variables = [name for name in _several(problem.get("variables")) if isinstance(name, str)]
    known = [name for name in roulette_csv.columns(50) if name not in ("filename", "source")]
    for name in variables:
        if name in _LENS_PARAMETERS:
            yield _say("variable of lens", place, value=name)
        elif name not in known:
            yield _say("variable unknown", place, value=name, near=_near(name, known))
        elif name.startswith("beta[") and name.endswith("[0]"):
            yield _say("variable zero", place, value=name)
        elif name in ("offsetX", "offsetY"):
            yield _say("variable offset", place, value=name)
    yield from _described(path, problem, variables)
    if isinstance(loaded.get("dataset"), dict):
        yield from _split(path, loaded["dataset"])


def _described(path: Path, problem: Mapping[str, Any], variables: Sequence[str]) -> Iterator[Finding]:
    """Variables against the dataset.toml that the problem names."""
    named = problem.get("dataset")
    if not isinstance(named, str):
        return
    file = shown(named)
    try:
        loaded = read_toml(path.parent / named)
    except BadInput:
        yield _say("file missing", f"{path}: [problem] dataset", value=file)
        return
    source, simulator = (loaded[name] if isinstance(loaded.get(name), dict) else {} for name in ("source", "simulator"))
    kinds = _kinds(source)
    hidden = {"theta", "sigma2"} if kinds and not kinds & {*_ELLIPTICAL, "Triangle"} else set()
    hidden |= {"n_sersic", "luminosity"} if kinds and not kinds & set(_SERSIC) else set()
    for name in variables:
        if name in hidden:
            yield _say("variable hidden", f"{path}: [problem] variables", value=name, file=file)
    most, nterms = simulator.get("nterms", 16), problem.get("nterms")
    if _is_number(nterms) and _is_number(most) and nterms > most:
        yield _say("too many terms", f"{path}: [problem] nterms", most=most, file=file)


def _split(path: Path, dataset: Mapping[str, Any]) -> Iterator[Finding]:
    """Sizes of the parts."""
    parts = {name: dataset[name] for name in _PARTS if isinstance(dataset.get(name), dict)}
    without = [name for name, part in parts.items() if "size" not in part]
    if len(without) > 1:
        yield _say("sizes", f"{path}: [dataset.{without[1]}] size", value=without[0])
    shares = sum(part["size"] for part in parts.values() if isinstance(part.get("size"), float) and part["size"] < 1)
    if shares > 1 + 1e-9:
        yield _say("shares", f"{path}: [dataset]", value=f"{shares:g}")
    if parts:
        yield _say("not shuffled", f"{path}: [dataset]")


def _training(path: Path, loaded: Mapping[str, Any]) -> Iterator[Finding]:
    """droulette's ml.toml and experimentbatch.toml."""
    yield from _unknown(path, loaded, _TRAINING, "droulette")
    settings, numbers = (loaded[name] if isinstance(loaded.get(name), dict) else {} for name in ("settings", "hyperparameters"))
    array = numbers.get("array") if isinstance(numbers.get("array"), dict) else {}
    yield from _unknown_keys(f"{path}: [hyperparameters.array]", array, _RATES, "droulette", {})
    for key in _RATES:
        if key in array and not isinstance(array[key], list):
            yield _say("no list", f"{path}: [hyperparameters.array] {key}")
    rates = [rate for rate in _several(array.get("learning-rate", numbers.get("learning-rate"))) if _is_number(rate)]
    if not rates:
        yield _say("learning rate missing", f"{path}: [hyperparameters] learning-rate")
    elif max(rates) > 1e-3:
        yield _say("learning rate", f"{path}: [hyperparameters] learning-rate", value=f"{max(rates):g}")
    for name in _several(settings.get("models", settings.get("model"))):
        if name == "squeezenet1_0":
            yield _say("squeezenet", f"{path}: [settings] model")
        elif isinstance(name, str) and name not in _NETWORKS:
            near = _near(name, _NETWORKS)
            yield _say("network", f"{path}: [settings] model", value=shown(name), near=near, known=", ".join(_NETWORKS))
    for name in _several(settings.get("problem")):
        if isinstance(name, str) and not (path.parent / name).is_file():
            yield _say("file missing", f"{path}: [settings] problem", value=shown(name))
    if "dataset" in loaded or "output" in loaded:
        yield _say("labels written", f"{path}: [output]")
