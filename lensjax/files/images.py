"""Image files: the one reader of PNG, TIFF, JPEG, BMP, GIF, FITS, NPY and NPZ, and the writers.

Row 0 of an array is the top of the image, and y points up. FITS counts rows from the bottom: its rows are reversed when they are
read, so that an image looks as in any viewer of FITS files. A FITS extension is named as FILE[EXT], by number or name, and an array of an
.npz file by its name; otherwise the first image with two axes is read. Values are those of the file: FITS and float files are not scaled.
"""

import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from lensjax._internal.words import listed
from lensjax.errors import BadInput
from lensjax.files import fits
from lensjax.files.place import Place, place_of
from lensjax.files.read import read_bytes
from lensjax.files.whole import write_bytes

KINDS = "an image file (PNG, TIFF, JPEG, BMP, FITS or NPY)"
"""The formats of the reader, for messages."""

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
"""Endings of the image files in a folder."""

_LOSSLESS = ("PNG", "TIFF", "BMP", "PPM", "GIF")
_GREY = ("1", "L", "LA", "La")
_EIGHT_BIT = (*_GREY, "P", "PA", "RGB", "RGBA", "RGBa", "RGBX")
_SIDE = 8192  # px, of an image that is read
_LARGEST = 2 << 30  # bytes of a compressed FITS file's content


@dataclass(frozen=True)
class LoadedImage:
    """An image file that was read.

    Attributes:
        path: the file.
        values: (H, W) or, of a colour image, (H, W, 3) float32; row 0 at the top.
        kind: the format: "PNG", "TIFF", "JPEG", "FITS", "NPY", …
        mode: Pillow's name of the pixel type, such as "L", "RGB", "I;16"; that of the numbers, such as "float32", in FITS and NPY.
        bits: bits of one value.
        floating: whether values are floating-point numbers.
        lossy: whether the format changes values, as JPEG does.
        transparent: whether any pixel is partly transparent.
        frames: images in the file; the first was read.
        header: header of a FITS image (astropy's); None in other formats.
        unit: BUNIT of a FITS image; empty where it is unknown.
        extension: name of the extension or array that was read; empty without one.
    """

    path: str
    values: np.ndarray
    kind: str
    mode: str
    bits: int
    floating: bool = False
    lossy: bool = False
    transparent: bool = False
    frames: int = 1
    header: Any = None
    unit: str = ""
    extension: str = ""

    @property
    def rounded(self) -> bool:
        """Whether values were rounded to whole levels 0…255 and nothing else."""
        return self.bits == 8 and not self.lossy

    @property
    def coloured(self) -> bool:
        """Whether red, green and blue differ anywhere."""
        return self.values.ndim == 3 and bool((self.values != self.values[..., :1]).any())


def read(path: str | Path, *, size: int | None = None, smallest: int = 1) -> LoadedImage:
    """An image file of any of the formats.

    Args:
        path: the file; FILE[EXT] names an extension of a FITS file or an array of an .npz file, FILE[EXT][K] plane K of a cube.
        size: pixels on a side that it must have; None takes any up to 8192.
        smallest: least pixels on a side.

    Raises:
        BadInput: it cannot be read, is no image, or has another size.
    """
    place = place_of(path)
    content = read_bytes(place.file, KINDS)
    if not content:
        raise BadInput("the file is empty (0 bytes)", path=path, expected=KINDS)
    if content[:2] == b"\x1f\x8b":
        content = _unzipped(content, path)
    fits_file, npz_file = content[:9] == b"SIMPLE  =", content[:4] == b"PK\x03\x04"
    if place.extension and not (fits_file or npz_file):
        problem = f"[{place.extension}] names an extension, and this is no FITS file"
        raise BadInput(problem, path=path, value=place.extension, expected="the name of the file alone")
    with _decoding(path):
        if fits_file:
            return _fits(path, content, place, size, smallest)
        if npz_file:
            return _of_npz(path, content, place.extension, size, smallest)
        if content[:6] == b"\x93NUMPY":
            return _of_array(path, np.load(io.BytesIO(content), allow_pickle=False), "NPY", size, smallest)
        return _by_pillow(path, content, size, smallest)


def grey_of(loaded: LoadedImage, *, flat: bool = False) -> LoadedImage:
    """The image with grey levels (H, W) as its `values`, for an estimate or for training.

    Accepted are 8-bit grey, the same stored as RGB or with a palette, and floats, whose values are grey levels too.

    Args:
        loaded: the image.
        flat: whether the same value everywhere is accepted: a training set may have images without light.

    Raises:
        BadInput: colour, transparency, another depth, several images in one file, the same value everywhere unless `flat`, or a float
            that is not finite.
    """
    path = loaded.path
    grey = loaded.values if loaded.values.ndim == 2 else loaded.values[..., 0]
    if loaded.frames > 1:
        raise BadInput(f"{loaded.frames} images in one file", path=path, value=loaded.frames, expected="one image")
    if loaded.floating:
        bad = np.argwhere(~np.isfinite(grey))
        if len(bad):
            row, column = bad[0]
            place = f"pixel (row {row}, column {column})"
            raise BadInput(path=path, place=place, value=float(grey[row, column]), expected="finite grey levels")
        if 0 < grey.max() <= 1:
            brightest = float(grey.max())
            raise BadInput(f"the brightest pixel is {brightest:g}", path=path, value=brightest, expected="grey levels 0…255, not 0…1")
    elif loaded.bits > 8 or loaded.mode not in (*_EIGHT_BIT, "uint8"):
        problem = "more than 8 bits a pixel" if loaded.bits > 8 else f"pixels of kind {loaded.mode}"
        raise BadInput(problem, path=path, value=loaded.mode, expected="8-bit grey or 32-bit float (TIFF)")
    if loaded.transparent:
        raise BadInput("the image is partly transparent", path=path, expected="opaque grey")
    if loaded.coloured:
        raise BadInput("the image is in colour", path=path, expected="grey")
    if not flat and grey.min() == grey.max():
        dark = "black everywhere" if grey.max() == 0 else f"{grey.max():g} everywhere"
        raise BadInput(f"the image is {dark}", path=path, expected="an image that shows a source")
    return replace(loaded, values=np.ascontiguousarray(grey))


def read_colour(path: str | Path) -> np.ndarray:
    """The pixels of any 8-bit image, grey (h, w) or coloured (h, w, 3), float32 levels 0…255; transparency is dropped.

    Raises:
        BadInput: what `read` refuses, or not 8 bits a channel, or less than 2 pixels on a side.
    """
    return levels_of(read(path, smallest=2))


def levels_of(loaded: LoadedImage) -> np.ndarray:
    """The levels 0…255 of an 8-bit image, (H, W) or (H, W, 3) float32.

    Raises:
        BadInput: not 8 bits a channel.
    """
    if loaded.bits > 8 or loaded.mode not in (*_EIGHT_BIT, "uint8"):
        raise BadInput(f"its pixels are of kind {loaded.mode}", path=loaded.path, value=loaded.mode, expected="8 bits a channel")
    return loaded.values


@contextmanager
def _decoding(path: str | Path) -> Iterator[None]:
    """Raises `BadInput` for any error of a decoder inside the block."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except BadInput:
        raise
    except UnidentifiedImageError:
        raise BadInput("not an image file", path=path, expected="PNG, TIFF, JPEG, BMP, FITS or NPY") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadInput("the image has too many pixels", path=path, expected=f"up to {_SIDE} on a side") from None
    except Exception as error:  # decoders raise many kinds on damaged files
        raise BadInput(f"the image cannot be read: {ascii(' '.join(str(error).split())[:200])[1:-1]}", path=path) from None


def _pixels(width: int, height: int) -> str:
    return f"{width}×{height} pixels"


def _check_size(path: str | Path, width: int, height: int, size: int | None, smallest: int) -> None:
    if size is not None and (width, height) != (size, size):
        raise BadInput(f"the image has {_pixels(width, height)}", path=path, value=(width, height), expected=f"{size}×{size}")
    if max(width, height) > _SIDE or min(width, height) < smallest:
        expected = f"{smallest} to {_SIDE} on a side"
        raise BadInput(f"the image has {_pixels(width, height)}", path=path, value=(width, height), expected=expected)


def _by_pillow(path: str | Path, content: bytes, size: int | None, smallest: int) -> LoadedImage:
    with Image.open(io.BytesIO(content)) as image:
        mode, kind = image.mode, image.format or ""
        _check_size(path, image.width, image.height, size, smallest)
        frames = int(getattr(image, "n_frames", 1))
        transparent, bits, floating = False, 8, mode == "F"
        if floating or mode.startswith("I"):
            values = np.asarray(image, np.float32)
            bits = 16 if mode.startswith("I;16") else 32
        elif mode in _EIGHT_BIT:
            channels = np.asarray(image.convert("RGBA"))
            transparent = bool((channels[..., 3] < 255).any())
            values = channels[..., 0] if mode in _GREY else channels[..., :3]
        else:
            values = np.asarray(image.convert("RGB"))
    return LoadedImage(
        path=str(path),
        values=values.astype(np.float32),
        kind=kind,
        mode=mode,
        bits=bits,
        floating=floating,
        lossy=kind not in _LOSSLESS,
        transparent=transparent,
        frames=frames,
    )


def _of_array(path: str | Path, array: np.ndarray, kind: str, size: int | None, smallest: int) -> LoadedImage:
    """An array (H, W), or (H, W, 3) of 8-bit colours."""
    colours = array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8
    if not (array.ndim == 2 or colours):
        raise BadInput(f"an array of shape {array.shape}", path=path, value=array.shape, expected="an image with two axes")
    if array.dtype.kind not in "biuf":
        raise BadInput(f"values of type {array.dtype.name}", path=path, value=array.dtype.name, expected="numbers")
    _check_size(path, array.shape[1], array.shape[0], size, smallest)
    with np.errstate(all="ignore"):
        values = np.ascontiguousarray(array, np.float32)
    floating = array.dtype.kind == "f"
    eight = array.dtype.kind == "b" or array.dtype == np.uint8
    return LoadedImage(str(path), values, kind, array.dtype.name, 8 if eight else max(16, 8 * array.dtype.itemsize), floating)


def _unzipped(content: bytes, path: str | Path) -> bytes:
    try:
        unzipper = zlib.decompressobj(wbits=31)
        unzipped = unzipper.decompress(content, _LARGEST)
    except zlib.error as error:
        raise BadInput(f"the file cannot be unzipped: {error}", path=path) from None
    if not unzipper.eof:
        raise BadInput("the zipped file is cut short or too large", path=path)
    return unzipped


def _fits(path: str | Path, content: bytes, place: Place, size: int | None, smallest: int) -> LoadedImage:
    array, header = fits.image(path, content, place.extension, place.plane)
    loaded = _of_array(path, array[::-1], "FITS", size, smallest)
    return replace(loaded, header=header, unit=" ".join(str(header.get("BUNIT", "")).split()), extension=str(header.get("EXTNAME", "")))


def _of_npz(path: str | Path, content: bytes, name: str, size: int | None, smallest: int) -> LoadedImage:
    """An array of an .npz file: that of a name, else the first with two axes."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        if sum(entry.file_size for entry in file.zip.infolist()) > _LARGEST:
            raise BadInput("the zipped file is too large", path=path)
        if name and name not in file.files:
            raise BadInput(f"no array [{name}] in this file", path=path, value=name, expected=f"one of {listed(file.files)}")
        arrays = {key: file[key] for key in ([name] if name else file.files)}
    flat = [key for key, array in arrays.items() if name or (array.ndim == 2 and array.dtype.kind in "biuf")]
    if not flat:
        raise BadInput("no array with two axes in this file", path=path, expected=f"an image, such as FILE[{listed(list(arrays)[:1])}]")
    return replace(_of_array(path, arrays[flat[0]], "NPY", size, smallest), extension=flat[0])


def write_png(path: str | Path, grey: np.ndarray, *, mask: np.ndarray | None = None) -> None:
    """Writes grey levels (n, m), rounded and kept within 0…255, as an 8-bit PNG.

    Args:
        path: where; the file is there whole or not at all.
        grey: grey levels.
        mask: (n, m) bool; where false, pixels are transparent.

    Raises:
        BadInput: it cannot be written there.
    """
    pixels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    if mask is not None and not mask.all():
        pixels = np.stack([np.where(mask, pixels, 0), np.where(mask, 255, 0).astype(np.uint8)], axis=-1)
    _save(Path(path), Image.fromarray(pixels), "PNG")


def write_tiff(path: str | Path, grey: np.ndarray) -> None:
    """Writes grey levels (n, m) as they are, as a 32-bit float TIFF.

    Raises:
        BadInput: it cannot be written there.
    """
    _save(Path(path), Image.fromarray(np.asarray(grey, np.float32)), "TIFF")


def _save(path: Path, image: Image.Image, kind: str) -> None:
    content = io.BytesIO()
    image.save(content, kind)
    write_bytes(path, content.getvalue())
