"""Names of images: a file, or a part of one."""

import re
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".fits", ".fit", ".fts", ".fz", ".fits.gz", ".fit.gz", ".fts.gz")
"""Endings of FITS files."""


@dataclass(frozen=True)
class Place:
    """FILE, FILE[EXT] or FILE[EXT][PLANE].

    Attributes:
        file: the file.
        extension: name, or name and version, or number of an extension; in an .npz file the name of an array. Empty without one.
        plane: plane of a cube, counted from 1; 0 without one.
    """

    file: Path
    extension: str = ""
    plane: int = 0


def place_of(path: str | Path) -> Place:
    """The parts of a name such as FILE[EXT]; a file that has brackets in its own name is itself."""
    path = Path(path)
    match = re.fullmatch(r"(.+?)\[([^\[\]]+)\](?:\[\s*([0-9]{1,6})\s*\])?", path.name)
    try:
        if match is None or path.exists():
            return Place(path)
    except (OSError, ValueError):
        return Place(path)
    return Place(path.with_name(match[1]), match[2].strip(), int(match[3] or 0))


def is_fits(path: str | Path) -> bool:
    """Whether a name is that of a FITS file, or of an extension of one."""
    return place_of(path).file.name.lower().endswith(SUFFIXES)
