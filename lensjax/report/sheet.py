"""A contact sheet: thumbnails of many images in one image."""

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lensjax.errors import BadInput
from lensjax.files import images

MOST = 400
"""Images on a sheet, by default."""

_PAPER, _INK, _MOUNT = 255, 60, 225
_MARGIN = 6
_PIXELS = 100_000_000  # of a sheet


def contact_sheet(
    files: Sequence[str | Path],
    *,
    labels: Sequence[str] | None = None,
    columns: int | None = None,
    thumbnail: int = 128,
    most: int = MOST,
) -> np.ndarray:
    """Thumbnails of image files, in their order, row by row.

    Each pixel of a thumbnail is the mean over the area that it shows; small images are enlarged by whole factors. Values of float images
    are grey levels 0…255, or 0…1 where the brightest is 1 or less. Where the brightest is above 255, it is scaled to 255.

    Args:
        files: N image files.
        labels: a caption for each, (N,); by default the name without suffix. Long ones are shortened in the middle.
        columns: thumbnails in a row; by default as many as make the sheet about 4:3.
        thumbnail: side of the square that a thumbnail fits in [px].
        most: images shown at most; of more, an evenly spread selection, and the sheet says so.

    Returns:
        (h, w) grey levels, (h, w, 3) where any image is coloured; uint8.

    Raises:
        BadInput: no files, a file that is no image, or a sheet of more than 100 million pixels.
        ValueError: another number of labels than files, or sizes below 1.
    """
    if not files:
        raise BadInput("no images", place="contact sheet", expected="one image or more")
    if labels is not None and len(labels) != len(files):
        raise ValueError(f"{len(labels)} labels for {len(files)} files")
    if min(thumbnail, most, 1 if columns is None else columns) < 1:
        raise ValueError("columns, thumbnail and most are 1 or more")
    chosen = range(len(files))
    if len(files) > most:
        chosen = np.unique(np.round(np.linspace(0, len(files) - 1, most)).astype(int)).tolist()
    font = _font(max(8, min(12, thumbnail // 8)))
    line = sum(font.getmetrics())
    wide, high = thumbnail + _MARGIN, thumbnail + line + 4 + _MARGIN
    columns = min(columns or max(1, round(math.sqrt(len(chosen) * 4 / 3 * high / wide))), len(chosen))
    rows = -(-len(chosen) // columns)
    foot = line + _MARGIN if len(chosen) < len(files) else 0
    size = (columns * wide + _MARGIN, rows * high + _MARGIN + foot)
    if size[0] * size[1] > _PIXELS:
        raise BadInput(
            f"it would have {size[0]}×{size[1]} pixels", place="contact sheet", value=size, expected="fewer or smaller thumbnails"
        )
    thumbnails = [_thumbnail(read(files[i]), thumbnail) for i in chosen]
    mode = "RGB" if any(tile.mode == "RGB" for tile in thumbnails) else "L"
    sheet = Image.new(mode, size, _grey(_PAPER, mode))
    draw = ImageDraw.Draw(sheet)
    for k, (i, tile) in enumerate(zip(chosen, thumbnails, strict=True)):
        x, y = _MARGIN + k % columns * wide, _MARGIN + k // columns * high
        draw.rectangle((x, y, x + thumbnail - 1, y + thumbnail - 1), fill=_grey(_MOUNT, mode))
        sheet.paste(tile, (x + (thumbnail - tile.width) // 2, y + (thumbnail - tile.height) // 2))
        label = labels[i] if labels is not None else Path(files[i]).stem
        draw.text((x + thumbnail / 2, y + thumbnail + 2), _fitted(label, font, thumbnail), _grey(_INK, mode), font, anchor="ma")
    if foot:
        text = f"{len(chosen)} of {len(files)} images, evenly chosen"
        draw.text((_MARGIN, size[1] - foot), _fitted(text, font, size[0] - 2 * _MARGIN), _grey(_INK, mode), font)
    return np.asarray(sheet)


def read(path: str | Path) -> np.ndarray:
    """An image file's grey levels 0…255 as they are shown: (h, w) float32, (h, w, 3) if it is coloured; transparency is dropped.

    Raises:
        BadInput: no such file, not an image, of more than 8192 pixels on a side, or with pixels that are not finite.
    """
    loaded = images.read(path)
    if loaded.floating or loaded.bits > 8:
        return _levels(loaded)
    return loaded.values if loaded.coloured or loaded.values.ndim == 2 else loaded.values[..., 0]


def _levels(loaded: images.LoadedImage) -> np.ndarray:
    values = loaded.values
    if not np.isfinite(values).all():
        raise BadInput("it has pixels that are not finite", path=loaded.path)
    if loaded.bits == 16 and not loaded.floating:
        return values / np.float32(257.0)
    brightest = float(values.max())
    factor = 255.0 if 0 < brightest <= 1 else 255.0 / max(brightest, 255.0)
    return np.clip(values * np.float32(factor), 0.0, 255.0)


def _thumbnail(pixels: np.ndarray, side: int) -> Image.Image:
    height, width = pixels.shape[:2]
    longest = max(height, width)
    scale = side // longest if longest <= side else side / longest
    down, along = (_areas(length, max(1, round(length * scale))) for length in (height, width))
    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    small = np.moveaxis(down @ planes @ along.T, 0, -1)
    small = small[..., 0] if pixels.ndim == 2 else small
    return Image.fromarray(np.clip(np.rint(small), 0, 255).astype(np.uint8))


@lru_cache(maxsize=64)
def _areas(before: int, after: int) -> np.ndarray:
    """(after, before): the fraction of each of `after` pixels that each of `before` pixels covers, over the same length."""
    step = before / after
    begin, pixel = step * np.arange(after)[:, None], np.arange(before)
    overlap = np.minimum(begin + step, pixel + 1) - np.maximum(begin, pixel)
    fractions: np.ndarray = (np.clip(overlap, 0.0, None) / step).astype(np.float32)
    return fractions


def _grey(level: int, mode: str) -> int | tuple[int, int, int]:
    return level if mode == "L" else (level, level, level)


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def _fitted(text: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    """The text, with a gap in its middle where it is wider than `width` [px]."""
    text = " ".join(text.split())
    kept = len(text)
    shown = text
    while kept > 1 and font.getlength(shown) > width:
        kept -= 1
        shown = text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]
    return shown
