"""Frames as what a browser shows: PNG and JPEG as data URLs, and lines as SVG."""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from lensjax.explore.render import Frame
from lensjax.explore.state import FIELD, Scene

_QUALITY = 92
_RED, _BLUE = np.array([178, 24, 43]), np.array([33, 102, 172])

CRITICAL, CAUSTIC, CUT, REGION, PLACE = "#ffb000", "#ff5c8a", "#8fb8ff", "#4de0c4", "#ffffff"
"""Colours of lines; each has its own dashes too."""


def url(levels: np.ndarray) -> str:
    """(h, w) or (h, w, 3) uint8 as a JPEG's data URL."""
    return _url(Image.fromarray(levels), "JPEG", quality=_QUALITY)


def png(levels: np.ndarray) -> bytes:
    """(h, w) or (h, w, 3) uint8 as a PNG file."""
    content = io.BytesIO()
    Image.fromarray(levels).save(content, "PNG")
    return content.getvalue()


def difference_url(difference: np.ndarray, *, largest: float = 255.0) -> str:
    """(h, w) differences as a PNG's data URL: red above, blue below, white where there is none; `largest` is the darkest."""
    index = np.clip(np.rint(127.0 + 127.0 * np.asarray(difference, np.float64) / largest), 0, 254).astype(np.uint8)
    picture = Image.fromarray(index, "P")
    picture.putpalette(_palette())
    return _url(picture, "PNG", compress_level=1)


def _palette() -> bytes:
    part = np.linspace(-1.0, 1.0, 255)[:, None]
    colour = np.where(part > 0, _RED, _BLUE)
    colours = np.rint(255.0 + np.abs(part) * (colour - 255.0)).astype(np.uint8)
    return bytes(np.concatenate([colours, colours[-1:]]).tobytes())


def _url(picture: Image.Image, kind: str, **how: int) -> str:
    content = io.BytesIO()
    picture.save(content, kind, **how)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"


def grey_levels(image: np.ndarray, *, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Values (h, w) as levels uint8, black at `low` and white at `high`; what is not finite is black."""
    good = image[np.isfinite(image)]
    low = float(good.min()) if low is None and good.size else low or 0.0
    high = float(good.max()) if high is None and good.size else high or 1.0
    scaled = (np.where(np.isfinite(image), image, low) - low) / max(high - low, 1e-30)
    return np.clip(np.rint(255.0 * scaled), 0, 255).astype(np.uint8)


def image_lines(frame: Frame, scene: Scene) -> str:
    """SVG on the image: critical curves, the rim of the roulette's region with its centre, and the lenses."""
    lines = [_line(line, CRITICAL) for line in frame.outlines.critical]
    lines.append(_line(frame.outlines.region, REGION, dashes="6 4"))
    lines.append(_place(*frame.centre, REGION))
    lines += [_cross(member.x, member.y, PLACE) for member in scene.members]
    return "".join(lines)


def region_lines(frame: Frame) -> str:
    """SVG on the roulette and on the difference: the rim of its region."""
    return _line(frame.outlines.region, REGION, dashes="6 4")


def source_lines(frame: Frame, scene: Scene) -> str:
    """SVG on the source plane: caustics, cuts, and the source's centre."""
    lines = [_line(line, CAUSTIC) for line in frame.outlines.caustics]
    lines += [_line(line, CUT, dashes="2 4") for line in frame.outlines.cuts]
    return "".join(lines) + _cross(scene.source.x, scene.source.y, PLACE)


def _line(points: np.ndarray, colour: str, *, dashes: str = "") -> str:
    if not len(points) or not np.isfinite(points).all():
        return ""
    at = " ".join(f"{column:.1f},{row:.1f}" for column, row in _on_picture(np.clip(points, -1e5, 1e5)))
    dashed = f' stroke-dasharray="{html.escape(dashes)}"' if dashes else ""
    return f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="1.6"{dashed}/>'


def _on_picture(points: np.ndarray) -> Sequence[tuple[float, float]]:
    """Points (k, 2) [px] as columns and rows of the picture, whose pixels are as wide as a unit."""
    return [(FIELD / 2 + x + 0.5, FIELD / 2 - y + 0.5) for x, y in points.tolist()]


def place_of(column: float, row: float) -> tuple[float, float]:
    """The point (x, y) [px] at a column and row of the picture."""
    return column - 0.5 - FIELD / 2, FIELD / 2 + 0.5 - row


def _place(x: float, y: float, colour: str) -> str:
    if not np.isfinite([x, y]).all():
        return ""
    ((column, row),) = _on_picture(np.array([[x, y]]))
    return f'<circle cx="{column:.1f}" cy="{row:.1f}" r="3" fill="none" stroke="{colour}"/>'


def _cross(x: float, y: float, colour: str) -> str:
    ((column, row),) = _on_picture(np.array([[x, y]]))
    return f'<path d="M{column - 5:.1f} {row:.1f}h10M{column:.1f} {row - 5:.1f}v10" stroke="{colour}" stroke-width="1.2"/>'
