"""Figures of a fit of a telescope's image: one for each panel, a row of a contact sheet, and all panels together."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lensjax.report import telescope_panels as panels
from lensjax.report.telescope_view import View

ROW = (1200, 206)
"""Width and height of a row of a contact sheet [px]."""

COLUMNS = ("data", "arcs: data − lens light", "model of the arcs", "(data − model) / noise", "source plane")
"""Columns of a contact sheet."""

DPI = 100
"""Pixels to an inch of a row and its heading."""

_LEFT, _GAP = 220, 8  # px: width of the text of a row, and between panels
_SIDE = (ROW[0] - _LEFT) // len(COLUMNS) - _GAP


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        key: a word for file names.
        title: what it shows.
        words: how it is drawn, for a caption.
        draw: draws it into Axes; the profile's second Axes is below the first.
        double: whether it needs two Axes.
    """

    key: str
    title: str
    words: str
    draw: Callable[..., None]
    double: bool = False


def panels_of(view: View) -> list[Panel]:
    """The panels of a fit: data, lens light and arcs where the problem has lens light, model, residual, source and profile."""
    where = "asinh scale" if view.mask.all() else "asinh scale; masked pixels hatched"

    def data(axes: Axes) -> None:
        scale = panels.light_scale(view, view.data, *([] if view.made is None else [view.made.model]))
        panels.show_light(axes, view, view.data, scale, "data", critical=True)
        panels.show_compass(axes, view)

    lined = "; line: critical curve" if view.lines.critical else ""
    found = [Panel("data", "data", f"{where}{lined}", data)]
    made = view.made
    if made is None:
        return found

    def light(pixels: np.ndarray, title: str, *, beside: Sequence[np.ndarray], critical: bool = False) -> Callable[[Axes], None]:
        return lambda axes: panels.show_light(axes, view, pixels, panels.light_scale(view, *beside), title, critical=critical)

    whole = (view.data, made.model)
    if made.lens_light is not None and view.arcs is not None:
        arcs, words = "arcs: data − lens light", f"data − lens light − sky; {where}"
        found += [
            Panel("light", "lens light", "its model, on the scale of the data", light(made.lens_light, "lens light", beside=whole)),
            Panel("arcs", "arcs", words, light(view.arcs, arcs, beside=(made.arcs,), critical=True)),
            Panel(
                "arcs-model", "model of the arcs", "on the scale of the arcs", light(made.arcs, "model of the arcs", beside=(made.arcs,))
            ),
        ]
    hidden = "" if view.mask.all() else "; masked pixels hatched"
    residual = f"in units of the noise, ±{panels.LIMIT:g}σ{hidden}"
    found += [
        Panel("model", "model", "on the scale of the data", light(made.model, "model", beside=whole)),
        Panel("residual", "residual", residual, lambda axes: panels.show_residual(axes, view)),
    ]
    if made.source is not None:
        lines = "; caustic" * bool(view.lines.caustics) + "; cut dashed" * bool(view.lines.cuts)
        words = f"model without lens and PSF{lines}"
        found.append(Panel("source", "source plane", words, lambda axes: panels.show_source(axes, view)))
    words = "means over circular annuli about the lens; below: residual over its noise"
    found.append(Panel("profile", "radial profile", words, lambda axes, below: panels.show_profile(axes, below, view), double=True))
    return found


def figure_of(panel: Panel) -> Figure:
    """A panel as a figure of its own."""
    figure = Figure(figsize=(3.5, 3.0), layout="constrained" if panel.double else "compressed")
    if panel.double:
        panel.draw(*figure.subplots(2, 1, height_ratios=(3, 1)))
    else:
        panel.draw(figure.subplots())
    return figure


def overview(view: View, title: str) -> Figure:
    """All panels in one figure, three or four to a row."""
    shown = panels_of(view)
    columns = 4 if len(shown) > 6 else 3
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(3.6 * columns, 3.0 * rows + 0.3), layout=ConstrainedLayoutEngine(wspace=0.04))
    figure.suptitle(title, fontsize=10)
    grid = figure.add_gridspec(rows, columns)
    for k, panel in enumerate(shown):
        cell = grid[k // columns, k % columns]
        if panel.double:
            inner = cell.subgridspec(2, 1, height_ratios=(3, 1))
            panel.draw(figure.add_subplot(inner[0]), figure.add_subplot(inner[1]))
        else:
            panel.draw(figure.add_subplot(cell))
    return figure


def row_of(view: View | None, lines: Sequence[str], *, good: bool) -> Figure:
    """A row of a contact sheet: text, then its panels without axes.

    Args:
        view: image and fit; None where the image could not be read.
        lines: the name, then what is said of it.
        good: whether the fit is a success.
    """
    figure = Figure(figsize=(ROW[0] / DPI, ROW[1] / DPI), dpi=DPI)
    colour = "#1a7f37" if good else "#b35900"
    y = 0.9
    for k, line in enumerate(lines):
        style = {"fontweight": "bold", "fontsize": 9} if k == 0 else {"fontsize": 8, "color": colour if k == 1 else "#1d2329"}
        figure.text(10 / ROW[0], y, line, va="top", **style)  # type: ignore[arg-type]
        y -= 0.115 if k == 0 else 0.1
    if view is None:
        return figure
    for draw, axes in zip(_row_panels(view), _places(figure), strict=False):
        draw(axes)
        panels.bare(axes)
    return figure


def _places(figure: Figure) -> Iterator[Axes]:
    """Axes of a row, from the left."""
    for k in range(len(COLUMNS)):
        left = _LEFT + k * (_SIDE + _GAP)
        yield figure.add_axes((left / ROW[0], (ROW[1] - _SIDE) / 2 / ROW[1], _SIDE / ROW[0], _SIDE / ROW[1]))


def _row_panels(view: View) -> list[Callable[[Axes], None]]:
    made = view.made

    def data(axes: Axes) -> None:
        panels_of(view)[0].draw(axes)
        panels.show_bar(axes, view)

    if made is None or view.arcs is None:
        return [data]
    arcs, scale = view.arcs, panels.light_scale(view, made.arcs)
    drawn: list[Callable[[Axes], None]] = [
        data,
        lambda axes: panels.show_light(axes, view, arcs, scale, ""),
        lambda axes: panels.show_light(axes, view, made.arcs, scale, ""),
        lambda axes: panels.show_residual(axes, view),
    ]
    return [*drawn, lambda axes: panels.show_source(axes, view)] if made.source is not None else drawn


def heading() -> Figure:
    """The headings of a contact sheet's columns."""
    figure = Figure(figsize=(ROW[0] / DPI, 0.26), dpi=DPI)
    for k, text in enumerate(COLUMNS):
        figure.text((_LEFT + k * (_SIDE + _GAP) + _SIDE / 2) / ROW[0], 0.5, text, ha="center", va="center", fontsize=9, color="#57606a")
    return figure


def pdf(figure: Figure) -> bytes:
    """The figure as a PDF file, the same bytes for the same figure."""
    data = io.BytesIO()
    figure.savefig(data, format="pdf", dpi=200, metadata={"CreationDate": None})
    return data.getvalue()
