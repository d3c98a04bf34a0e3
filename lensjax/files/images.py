"""Image files: grey levels in and out."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from lensjax.errors import BadInput
from lensjax.files.whole import write_bytes

_LOSSLESS = ("PNG", "TIFF", "BMP", "PPM", "GIF")
_EIGHT_BIT = ("1", "L", "P", "LA", "PA", "La", "RGB", "RGBA", "RGBa", "RGBX")


@dataclass(frozen=True)
class Picture:
    """An image file's content.

    Attributes:
        grey: (n, n) float32 grey levels, row 0 at the top.
        rounded: whether they were rounded to whole levels 0…255 and nothing else: 8 bit, lossless.
    """

    grey: np.ndarray
    rounded: bool


def read(path: str | Path, *, size: int) -> Picture:
    """The grey image of `size`×`size` pixels in a file.

    Accepted are 8-bit grey, the same stored as RGB or with a palette, and 32-bit float (TIFF), whose values are grey levels too.

    Raises:
        BadInput: no such file, not an image, another size, colour, transparency, another depth, several pictures in one file,
            the same value everywhere, or a float that is not finite.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise BadInput(f"{path}: this is a folder; an image file is asked for")
        if path.stat().st_size == 0:
            raise BadInput(f"{path}: the file is empty (0 bytes)")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)
            with Image.open(path) as image:
                return _picture(path, image, size)
    except BadInput:
        raise
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except PermissionError:
        raise BadInput(f"{path}: the file cannot be read: permission denied") from None
    except UnidentifiedImageError:
        raise BadInput(f"{path}: not an image file; PNG or TIFF is asked for") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadInput(f"{path}: far too many pixels; {size}×{size} is asked for") from None
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files
        raise BadInput(f"{path}: the image cannot be read: {' '.join(str(error).split())}") from None


def _picture(path: Path, image: Image.Image, size: int) -> Picture:
    if image.size != (size, size):
        width, height = image.size
        raise BadInput(f"{path}: the image has {width}×{height} pixels; {size}×{size} is asked for")
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise BadInput(f"{path}: {frames} pictures in one file; one is asked for")
    if image.mode == "F":
        grey = np.asarray(image, np.float32)
        _check_float(path, grey)
    elif image.mode in _EIGHT_BIT:
        grey = _eight_bit(path, image)
    else:
        deep = image.mode.startswith("I")
        kind = "more than 8 bits a pixel" if deep else f"pixels of kind {image.mode}"
        raise BadInput(f"{path}: {kind}; 8-bit grey or 32-bit float (TIFF) is asked for")
    if grey.min() == grey.max():
        dark = "black everywhere" if grey.max() == 0 else f"{grey.max():g} everywhere"
        raise BadInput(f"{path}: the image is {dark}; it must show a source")
    return Picture(grey=grey, rounded=image.mode in _EIGHT_BIT and image.format in _LOSSLESS)


def _check_float(path: Path, grey: np.ndarray) -> None:
    bad = np.argwhere(~np.isfinite(grey))
    if len(bad):
        row, column = bad[0]
        value = grey[row, column]
        raise BadInput(f"{path}: pixel (row {row}, column {column}) is {value}; finite grey levels are asked for")
    if 0 < grey.max() <= 1:
        raise BadInput(f"{path}: the brightest pixel is {grey.max():g}; grey levels are 0…255, not 0…1")


def _eight_bit(path: Path, image: Image.Image) -> np.ndarray:
    """Grey levels of any 8-bit mode whose pixels are grey and opaque."""
    channels = np.asarray(image.convert("RGBA"))
    if (channels[..., 3] < 255).any():
        raise BadInput(f"{path}: the image is partly transparent; opaque grey is asked for")
    grey = channels[..., 0]
    if (channels[..., :3] != grey[..., None]).any():
        raise BadInput(f"{path}: the image is in colour; grey is asked for")
    return grey.astype(np.float32)


def write_png(path: str | Path, grey: np.ndarray, *, seen: np.ndarray | None = None) -> None:
    """Writes grey levels (n, m), rounded and kept within 0…255, as an 8-bit PNG.

    Args:
        path: where; the file is there whole or not at all.
        grey: grey levels.
        seen: (n, m) bool; where false, pixels are transparent.

    Raises:
        BadInput: it cannot be written there.
    """
    pixels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    if seen is not None and not seen.all():
        pixels = np.stack([np.where(seen, pixels, 0), np.where(seen, 255, 0).astype(np.uint8)], axis=-1)
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


def read_colour(path: str | Path) -> np.ndarray:
    """Any picture's pixels, grey (h, w) or coloured (h, w, 3), float32 levels 0…255; transparency is dropped.

    Raises:
        BadInput: no such file, or not an image of 8 bits a channel of up to 8192 pixels on a side.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            if max(image.size) > 8192 or min(image.size) < 2:
                raise BadInput(f"{path}: {image.width}×{image.height} pixels; 2…8192 on a side are allowed")
            if image.mode not in _EIGHT_BIT:
                raise BadInput(f"{path}: its pixels are of kind {image.mode}; 8 bits a channel are asked for")
            grey = image.mode in ("1", "L", "LA", "La")
            return np.asarray(image.convert("L" if grey else "RGB"), np.float32)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: this is a folder; a picture is asked for") from None
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput(f"{path}: not a picture that can be read: {error}") from None
