"""One page to read: paragraphs, tables and figures in one HTML file, by the template page.html."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from lensjax.files.whole import write_text
from lensjax.report.tables import Table


@dataclass(frozen=True)
class Illustration:
    """A figure with its caption.

    Attributes:
        figure: the figure.
        caption: what it shows, for screen readers too.
        wide: whether narrow screens scroll it sideways instead of shrinking it.
    """

    figure: Figure
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Section:
    """A heading of a page and its content, in order.

    Attributes:
        heading: the heading.
        content: paragraphs (str), tables and figures.
    """

    heading: str
    content: tuple[str | Table | Illustration, ...]


def write_page(path: str | Path, *, title: str, sections: Sequence[Section]) -> Path:
    """Writes one HTML file that needs no other file and no network: figures are inside it. Returns the path.

    Args:
        path: where to write.
        title: heading of the page.
        sections: its content; all text is escaped.
    """
    write_template(Path(path), "page.html", title=title, sections=sections)
    return Path(path)


def write_template(path: Path, template: str, **content: Any) -> None:
    """Writes a page by a template of this folder; all text is escaped.

    Args:
        path: where to write.
        template: name of the template.
        content: its variables.

    Raises:
        BadInput: it cannot be written there.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["base64_png"] = base64_png
    environment.tests["table"] = lambda item: isinstance(item, Table)
    environment.tests["illustration"] = lambda item: isinstance(item, Illustration)
    write_text(path, environment.get_template(template).render(content))


def base64_png(figure: Figure, *, dpi: int = 100, colours: int = 256) -> str:
    """The figure as `png` makes it, base64-encoded."""
    return base64.b64encode(png(figure, dpi=dpi, colours=colours)).decode("ascii")


def png(figure: Figure, *, dpi: int = 100, colours: int | None = 256) -> bytes:
    """The figure as a PNG file; with a palette it has a third of the size, and looks the same but for fine scales of colour."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dpi)
    if colours is None:
        return data.getvalue()
    small = io.BytesIO()
    with Image.open(data) as image:
        image.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()
