"""Files that visitors upload: into their own folder, under names that cannot leave it, read by the one reader and refused in one line."""

import re
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from lensjax.conventions import GREY_LEVELS
from lensjax.errors import BadInput, at
from lensjax.files import images
from lensjax.files.images import LoadedImage
from lensjax.files.whole import write_bytes

LARGEST_FILE = 20 << 20
"""Bytes of an uploaded file."""

LARGEST_SIDE = 2048
"""Pixels on a side of an uploaded image."""

_PICTURE = 128  # px on a side of a picture that is a source
_LONGEST = 80  # characters of a name


class Folder:
    """A visitor's folder, which goes when they leave; within `root`, or else the system's folder for temporary files."""

    def __init__(self, root: Path | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lensjax-explore-", dir=root))
        self._kept = 0

    def keep(self, name: str, content: bytes) -> Path:
        """The uploaded file, under a plain name in a new folder of its own.

        Raises:
            BadInput: it is empty or too large, or cannot be written.
        """
        plain = plain_name(name)
        if not content:
            raise BadInput("the file is empty (0 bytes)", path=plain, expected=images.KINDS)
        if len(content) > LARGEST_FILE:
            raise BadInput(f"the file has {len(content) / 2**20:.0f} MB", path=plain, expected=f"at most {LARGEST_FILE >> 20} MB")
        self._kept += 1
        path = self.path / str(self._kept) / plain
        write_bytes(path, content)
        return path

    def remove(self) -> None:
        """Removes the folder with all files in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def plain_name(name: str) -> str:
    """A name without folders, brackets and odd characters, which does not begin with a dot."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = re.sub(r"[^\w.+-]+", "_", last, flags=re.ASCII).strip("._")
    return plain[-_LONGEST:].lstrip("._-") or "image"


def read(path: Path, *, smallest: int = 16) -> LoadedImage:
    """An uploaded image of at least `smallest` pixels on a side. Errors name the file without its folder.

    Raises:
        BadInput: it cannot be read, is no image, or is too large.
    """
    try:
        loaded = images.read(path, smallest=smallest)
    except BadInput as error:
        raise without_folder(error, path) from None
    height, width = loaded.values.shape[:2]
    if max(height, width) > LARGEST_SIDE:
        size = f"{width}×{height} pixels"
        raise BadInput(f"the image has {size}", path=path.name, value=size, expected=f"at most {LARGEST_SIDE} on a side")
    return loaded


def picture(path: Path) -> np.ndarray:
    """A picture as a source: levels 0…1, (n, n) or (n, n, 3), its longer side the whole width; dark beside it.

    Raises:
        BadInput: it cannot be read, or has no finite light.
    """
    loaded = read(path)
    with at(path=path.name):
        values = loaded.values if loaded.coloured or loaded.values.ndim == 2 else loaded.values[..., 0]
        if loaded.rounded or (loaded.bits == 8 and not loaded.floating):
            levels = np.clip(values, 0.0, GREY_LEVELS)
        else:
            values = np.where(np.isfinite(values), values, 0.0)
            low, high = np.percentile(values, [1.0, 99.9])
            if not high > low:
                raise BadInput("the image is the same everywhere", path=path.name, expected="an image that shows something")
            levels = GREY_LEVELS * np.clip((values - low) / (high - low), 0.0, 1.0)
    small = Image.fromarray(np.rint(levels).astype(np.uint8))
    small.thumbnail((_PICTURE, _PICTURE))
    values = np.asarray(small, np.float32) / np.float32(GREY_LEVELS)
    height, width = values.shape[:2]
    whole = np.zeros((_PICTURE, _PICTURE, *values.shape[2:]), np.float32)
    top, left = (_PICTURE - height) // 2, (_PICTURE - width) // 2
    whole[top : top + height, left : left + width] = values
    return whole


def without_folder(error: BadInput, path: Path) -> BadInput:
    """The error about an uploaded file, with the file's name alone."""
    return BadInput(
        error.problem.replace(f"{path.parent}/", ""), path=path.name, line=error.line, column=error.column, place=error.place,
        expected=error.expected, hint=error.hint,
    )  # fmt: skip
