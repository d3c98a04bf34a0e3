"""FITS files: the image in one, and whole new ones.

Arrays are in FITS's own order, the first row at the bottom.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from lensjax._internal.numbers import whole
from lensjax.errors import BadInput
from lensjax.files.whole import write_bytes

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Part:
    """An image for a FITS file.

    Attributes:
        name: of its extension; empty for the file's first part.
        values: (H, W), the first row at the bottom.
        header: cards, among them those of its WCS.
    """

    name: str
    values: np.ndarray
    header: Mapping[str, Any] = field(default_factory=dict)


def image(path: str | Path, content: bytes, extension: str, plane: int) -> tuple[np.ndarray, Any]:
    """An image (H, W), in the numbers of the file, and its header.

    Args:
        path: for messages.
        content: the file, unzipped.
        extension: name or number; without one the first image with two axes.
        plane: plane of a cube, counted from 1; 0 for none.

    Raises:
        BadInput: no such extension or plane, no image with two axes, or astropy is not installed.
    """
    with _astropy(path).open(io.BytesIO(content), memmap=False, lazy_load_hdus=False) as file:
        chosen = _chosen(path, file, extension, plane)
        label = f"[{extension}]" if extension else "this file"
        if not chosen.is_image or not 2 <= len(chosen.shape) <= 4:
            raise BadInput(f"{label} is no image with two axes", path=path, value=extension, expected="an image of two dimensions")
        height, width = chosen.shape[-2:]
        planes = int(np.prod(chosen.shape[:-2]))
        if planes > 1 and not plane:
            shape = " × ".join(map(str, chosen.shape))
            hint = f"plane K of {planes} is FILE[{extension or file.index(chosen)}][K]"
            raise BadInput(f"{label} is no image with two axes: {shape}", path=path, expected="an image of two dimensions", hint=hint)
        if plane > planes:
            raise BadInput(f"{label} has no plane {plane}", path=path, value=plane, expected=f"a plane from 1 to {planes}")
        if chosen.data is None:
            raise BadInput("the image has no data", path=path)
        return np.asarray(chosen.data).reshape(planes, height, width)[max(plane, 1) - 1], chosen.header.copy()


def write(path: str | Path, parts: Sequence[Part], *, header: Mapping[str, Any] = _NOTHING, history: Sequence[str] = ()) -> None:
    """Writes images as extensions of a FITS file; the file is there whole or not at all.

    Args:
        path: the file.
        parts: its images, float32. One without a name comes first; otherwise the file's first part has no image.
        header: further cards of the first part.
        history: lines in words, for the first part.

    Raises:
        BadInput: it cannot be written there, or astropy is not installed.
    """
    fits = _astropy(path)
    named = [
        fits.ImageHDU(np.asarray(part.values, np.float32), header=fits.Header(part.header), name=part.name) for part in parts if part.name
    ]
    bare = [part for part in parts if not part.name]
    first = fits.PrimaryHDU(np.asarray(bare[0].values, np.float32), header=fits.Header(bare[0].header)) if bare else fits.PrimaryHDU()
    for key, value in header.items():
        first.header[key] = value
    for line in history:
        first.header.add_history(line.encode("ascii", "replace").decode())
    content = io.BytesIO()
    fits.HDUList([first, *named]).writeto(content)
    write_bytes(Path(path), content.getvalue())


def _astropy(path: str | Path) -> ModuleType:
    try:
        from astropy.io import fits
    except ImportError:
        raise BadInput("FITS files are read by astropy, which is not installed", path=path, hint="pip install 'lensjax[fits]'") from None
    module: ModuleType = fits
    return module


def _chosen(path: str | Path, file: Any, extension: str, plane: int) -> Any:
    """The named part of a FITS file; without a name, the first with an image of two axes, or with a cube where a plane is named."""
    if not extension:
        pictures = [part for part in file if part.is_image and len(part.shape) >= 2]
        flat = [part for part in pictures if plane or max(part.shape[:-2], default=1) == 1]
        if not pictures:
            raise BadInput("no image with two axes in this file", path=path, expected="a FITS file with an image")
        return (flat or pictures)[0]
    number = whole(extension, 0, len(file) - 1)
    if number is not None:
        return file[number]
    name, _, version = extension.partition(",")
    known = [(part.name.upper(), str(part.ver)) for part in file]
    for part, (own, ver) in zip(file, known, strict=True):
        if own and own == name.strip().upper() and version.strip() in ("", ver):
            return part
    names = [f"{k}" + (f" ({own})" if own else "") for k, (own, _) in enumerate(known)]
    raise BadInput(f"no extension [{extension}] in this file", path=path, value=extension, expected=f"one of {', '.join(names[:20])}")
