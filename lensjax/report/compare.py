"""Differences of images, pair by pair, as the 2023 thesis compared its data sets (its Appendix H)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from lensjax.errors import BadInput
from lensjax.files import images
from lensjax.files import whole as files
from lensjax.report.tables import Table, text_table

_AT_ONCE = 1 << 25
"""Pixels of a block of images; two blocks are held in memory at once."""
_MOST = 3000
"""Images of which all pairs are compared, at most."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images.

    Attributes:
        first, second: their names.
        mean: mean |difference| [grey levels].
        rms: root of the mean squared difference.
        largest: largest |difference|.
    """

    first: str
    second: str
    mean: float
    rms: float
    largest: float


def images_in(folder: Path) -> dict[str, Path]:
    """The images in a folder and those below, by their names relative to it, sorted.

    Raises:
        BadInput: no such folder, or no image in it.
    """
    if not folder.exists():
        raise BadInput("no such file or folder", path=folder)
    if folder.is_file():
        return {folder.name: folder}
    listed = sorted(path for path in folder.rglob("*") if path.suffix.lower() in images.SUFFIXES and path.is_file())
    if not listed:
        raise BadInput("no images in this folder", path=folder, expected=f"files that end in {', '.join(images.SUFFIXES)}")
    return {path.relative_to(folder).as_posix(): path for path in listed}


def pixels(path: Path) -> np.ndarray:
    """Grey levels (n, m) or colours (n, m, 3), float32; floats as they are.

    Raises:
        BadInput: it is not an image that can be read.
    """
    loaded = images.read(path)
    return loaded.values if loaded.floating else images.levels_of(loaded)


def _same_shape(a: np.ndarray, b: np.ndarray, first: Path, second: Path) -> None:
    if a.shape != b.shape:
        raise BadInput(f"the image has {_shape(b)}", path=second, value=b.shape, expected=f"{_shape(a)}, as in {first}")


def _shape(image: np.ndarray) -> str:
    return f"{image.shape[1]}×{image.shape[0]} pixels{' in colour' if image.ndim == 3 else ''}"


def _pair(first: str, second: str, a: np.ndarray, b: np.ndarray) -> Pair:
    size = np.abs(a - b).ravel()
    squares = np.einsum("i,i->", size, size, dtype=np.float64)
    return Pair(first, second, float(size.mean(dtype=np.float64)), float(np.sqrt(squares / size.size)), float(size.max()))


def matching_pairs(
    a: dict[str, Path], b: dict[str, Path], *, on_pair: Callable[[Pair], None] = lambda pair: None
) -> tuple[list[Pair], list[str], list[str]]:
    """(pairs of the same name, names only in a, names only in b); two single files are a pair under any names.

    Raises:
        BadInput: no name in both, images that cannot be read, or of unequal shapes.
    """
    common = [name for name in a if name in b]
    if len(a) == len(b) == 1 and not common:
        matched = [(next(iter(a)), next(iter(b)))]
    else:
        matched = [(name, name) for name in common]
    if not matched:
        hint = f"the first of each are {next(iter(a.values()))} and {next(iter(b.values()))}"
        raise BadInput("no image has the same name in both", hint=hint)
    pairs = []
    for first, second in matched:
        here, there = pixels(a[first]), pixels(b[second])
        _same_shape(here, there, a[first], b[second])
        pairs.append(_pair(first, second, here, there))
        on_pair(pairs[-1])
    in_pairs = {name for pair in matched for name in pair}
    return pairs, [name for name in a if name not in in_pairs], [name for name in b if name not in in_pairs]


def all_pairs(listed: dict[str, Path], *, on_pair: Callable[[Pair], None] = lambda pair: None) -> list[Pair]:
    """All pairs of images: n (n − 1)/2 of them, block by block, so that few images are in memory.

    Args:
        listed: n images by name.
        on_pair: called with each pair.

    Raises:
        BadInput: fewer than two images or more than 3000, images that cannot be read, or of unequal shapes.
    """
    names, paths = list(listed), list(listed.values())
    if len(names) < 2:
        raise BadInput("this is the only image", path=paths[0], expected="two or more")
    if len(names) > _MOST:
        raise BadInput(f"{len(names)} images", path=paths[0].parent, value=len(names), expected=f"up to {_MOST} to compare with each other")
    first = pixels(paths[0])
    step = max(1, _AT_ONCE // first.size)

    def block(begin: int) -> np.ndarray:
        read = np.empty((len(paths[begin : begin + step]), *first.shape), np.float32)
        for k, path in enumerate(paths[begin : begin + step]):
            image = pixels(path)
            _same_shape(first, image, paths[0], path)
            read[k] = image
        return read

    pairs = []
    for begin in range(0, len(names), step):
        here = block(begin)
        for other in range(begin, len(names), step):
            there = here if other == begin else block(other)
            for i, image in enumerate(here):
                for j in range(i + 1 if other == begin else 0, len(there)):
                    pairs.append(_pair(names[begin + i], names[other + j], image, there[j]))
                    on_pair(pairs[-1])
    return pairs


def table(pairs: Sequence[Pair], tolerance: float) -> pd.DataFrame:
    """The pairs as a table; `equal` where no pixel differs by more than `tolerance`."""
    rows = [(p.first, p.second, p.largest <= tolerance, p.mean, p.rms, p.largest) for p in pairs]
    return pd.DataFrame(rows, columns=["first", "second", "equal", "mean", "rms", "largest"])


def summary(pairs: Sequence[Pair], *, tolerance: float, limit: int) -> str:
    """The differences in plain text: the `limit` pairs that differ most, and numbers of all."""
    unequal = _unequal(pairs, tolerance)
    lines = []
    if unequal and limit > 0:
        rows = tuple((p.first, p.second, p.mean, p.rms, p.largest) for p in unequal[:limit])
        lines.append(text_table(Table(("first", "second", "mean", "rms", "largest"), rows)))
    if len(unequal) > limit > 0:
        lines.append(f"... and {len(unequal) - limit} more")
    lines.append(f"{len(pairs) - len(unequal)} of {len(pairs)} pairs equal" + (f" (to {tolerance:g} grey levels)" if tolerance else ""))
    mean, rms, largest = np.array([(p.mean, p.rms, p.largest) for p in pairs]).T
    lines.append(f"mean |difference| {mean.mean():.4g}, median rms {np.median(rms):.4g}, largest {largest.max():.4g}")
    return "\n".join(lines)


def _unequal(pairs: Sequence[Pair], tolerance: float) -> list[Pair]:
    """The pairs with a pixel that differs by more than `tolerance`, those that differ most first."""
    return sorted((p for p in pairs if p.largest > tolerance), key=lambda p: -p.rms)


def difference(a: np.ndarray, b: np.ndarray, *, scale: float) -> np.ndarray:
    """a − b as colours (n, m, 3): white where equal, red where a is brighter by `scale` or more, blue where b is."""
    gap = np.clip((a - b) / scale, -1.0, 1.0)
    gap = gap if gap.ndim == 2 else gap.mean(axis=-1)
    fade = 255.0 * (1.0 - np.abs(gap))
    full = np.full_like(fade, 255.0)
    return np.stack([np.where(gap >= 0, full, fade), fade, np.where(gap <= 0, full, fade)], axis=-1)


def side_by_side(a: np.ndarray, b: np.ndarray, pair: Pair) -> np.ndarray:
    """a | b | a − b with a caption that states their differences and the colour scale; (n + 16, 3m + 8, 3)."""
    scale = max(pair.largest, 1.0)
    columns = [_coloured(a), _coloured(b), difference(a, b, scale=scale)]
    gap = np.full((a.shape[0], 4, 3), 128.0)
    row = np.concatenate([columns[0], gap, columns[1], gap, columns[2]], axis=1)
    caption = Image.new("RGB", (row.shape[1], 16), "white")
    name = pair.first if pair.first == pair.second else f"{pair.first} | {pair.second}"
    text = f"{name}   mean {pair.mean:.3g}, rms {pair.rms:.3g}, largest {pair.largest:.3g}; full red or blue: {scale:.3g} grey levels"
    ImageDraw.Draw(caption).text((2, 2), text, fill="black")
    return np.concatenate([np.asarray(caption, float), row])


def _coloured(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=-1) if image.ndim == 2 else image


def write(out: Path, pairs: Sequence[Pair], a: dict[str, Path], b: dict[str, Path], *, tolerance: float, worst: int) -> int:
    """Writes out/compare.csv, and out/0001.png … of the `worst` pairs that differ most; the number of images.

    Raises:
        BadInput: they cannot be written there.
    """
    files.write_text(out / "compare.csv", table(pairs, tolerance).to_csv(index=False, float_format="%.6g"))
    unequal = _unequal(pairs, tolerance)[:worst]
    for k, pair in enumerate(unequal):
        images.write_png(out / f"{k + 1:04}.png", side_by_side(pixels(a[pair.first]), pixels(b[pair.second]), pair))
    return len(unequal)
