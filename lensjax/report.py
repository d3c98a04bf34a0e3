"""Results as figures, tables and one page to read: arrays in, files out.

Figures are matplotlib `Figure` objects drawn without pyplot, so that nothing global is touched. Images are shown in pixels of the
native field, x right and y up.
"""

import base64
import html
import io
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from lensjax.errors import BadInput

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#4D4D4D"
"""Okabe and Ito's colours, which colour-blind readers can tell apart."""

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
_UNITS = {"deg": "°", "": ""}


@dataclass(frozen=True)
class Table:
    """A table of text and numbers.

    Attributes:
        columns: headings.
        rows: cells, as many in each row as there are headings; numbers are shown to three figures, NaN as a dash.
        caption: what the table says, one or two sentences.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading of a page and what stands below it, in order.

    Attributes:
        heading: heading.
        content: paragraphs (str), tables and figures.
    """

    heading: str
    content: tuple["str | Table | Illustration", ...]


@dataclass(frozen=True)
class Illustration:
    """A figure with words for it.

    Attributes:
        figure: the figure.
        caption: what it shows; read aloud in its place where it cannot be seen.
        wide: whether narrow screens scroll it sideways instead of shrinking it.
    """

    figure: Figure
    caption: str
    wide: bool = False


def histograms(
    error: ArrayLike, *, names: Sequence[str], units: Sequence[str], limit: float | None = None, title: str = ""
) -> Figure:
    """Histogram of each parameter's deviation, predicted − true.

    Args:
        error: signed errors (N, P); NaN and infinite ones are left out, and counted in the corner.
        names: names of the parameters, (P,).
        units: their units, (P,).
        limit: show −limit…limit only, and say how many lie beyond; None shows all.
        title: heading.
    """
    error = _columns(error, names)
    figure, panels = _panels(len(names), title)
    for panel, values, name, unit in zip(panels, error.T, names, units, strict=True):
        finite = values[np.isfinite(values)]
        beyond = 0 if limit is None else int(np.sum(np.abs(finite) > limit))
        shown = finite if limit is None else finite[np.abs(finite) <= limit]
        span = _span(shown) if limit is None else (-limit, limit)
        panel.hist(shown, bins=_bins(len(shown)), range=span, color=BLUE, edgecolor="white", linewidth=0.3)
        panel.axvline(0.0, color=GREY, linewidth=0.8)
        panel.set_xlim(span)
        panel.set_xlabel(_label(f"{name}: predicted − true", unit))
        panel.set_ylabel("images")
        panel.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, min_n_ticks=1))
        notes = [f"{len(shown)} shown"]
        notes += [f"{beyond} beyond ±{limit:g}"] if beyond else []
        notes += [f"{len(values) - len(finite)} without"] if len(finite) < len(values) else []
        _note(panel, "\n".join(notes))
    return figure


def curves(
    series: Mapping[str, ArrayLike], *, x: ArrayLike, x_label: str, y_label: str, log: bool = False, title: str = ""
) -> Figure:
    """Curves over one axis, e.g. losses over epochs.

    Args:
        series: values (N,) by label; NaN leaves a gap.
        x: places (N,).
        x_label, y_label: what the axes show, with units.
        log: whether the y axis is logarithmic; numbers that are not positive are then left out.
        title: heading.
    """
    x = np.asarray(x, dtype=np.float64)
    figure = _figure(7.0, 4.2, title)
    panel = figure.subplots()
    for number, (label, values) in enumerate(series.items()):
        values = np.asarray(values, dtype=np.float64)
        usable = np.isfinite(values) & (values > 0) if log else np.isfinite(values)
        marker = "o" if np.sum(usable) < 30 else None
        panel.plot(
            x,
            np.where(usable, values, np.nan),
            color=_COLOURS[number % len(_COLOURS)],
            marker=marker,
            markersize=3,
            linewidth=1.3,
            label=label,
        )
    if log and any(np.any(np.asarray(values, dtype=np.float64) > 0) for values in series.values()):
        panel.set_yscale("log")
    elif not log:
        panel.set_ylim(bottom=min(0.0, panel.get_ylim()[0]))
    panel.set_xlabel(x_label)
    panel.set_ylabel(y_label)
    panel.grid(True, which="major", color="#dddddd", linewidth=0.6)
    if len(x) and np.all(x == np.round(x)):
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panel.legend(frameon=False)
    return figure


def scatter(
    predicted: ArrayLike, truth: ArrayLike, *, names: Sequence[str], units: Sequence[str], title: str = ""
) -> Figure:
    """Predicted against true value of each parameter, with the line on which they agree.

    Args:
        predicted: parameters (N, P); rows with NaN are left out, parameter by parameter.
        truth: parameters (N, P).
        names: names of the parameters, (P,).
        units: their units, (P,).
        title: heading.
    """
    predicted, truth = _columns(predicted, names), _columns(truth, names)
    figure, panels = _panels(len(names), title, side=3.1)
    for panel, guess, true, name, unit in zip(panels, predicted.T, truth.T, names, units, strict=True):
        kept = np.isfinite(guess) & np.isfinite(true)
        guess, true = guess[kept], true[kept]
        span = _span(np.concatenate([guess, true]))
        size = float(np.clip(400.0 / max(len(true), 1), 1.5, 14.0))
        panel.plot(span, span, color=GREY, linewidth=0.8, zorder=1)
        panel.scatter(true, guess, s=size, color=BLUE, alpha=0.6, linewidths=0, zorder=2)
        panel.set(xlim=span, ylim=span, aspect="equal")
        panel.set_xlabel(_label(f"true {name}", unit))
        panel.set_ylabel(_label(f"predicted {name}", unit))
        panel.xaxis.set_major_locator(MaxNLocator(nbins=5))
        panel.yaxis.set_major_locator(MaxNLocator(nbins=5))
    return figure


def contact_sheet(
    images: ArrayLike,
    models: ArrayLike,
    sources: ArrayLike,
    *,
    titles: Sequence[str],
    field: float | None = None,
    source_field: float | None = None,
    title: str = "",
) -> Figure:
    """One row a system: image, model, residual (image − model), reconstructed source.

    Args:
        images: observed images (N, n, n) in grey levels; row 0 is the top.
        models: images of the estimates (N, n, n).
        sources: reconstructed sources (N, m, m) in grey levels.
        titles: a line over each row, e.g. file name and status, (N,).
        field: side of the images [native px]; by default n.
        source_field: side of the sources [native px]; by default m.
        title: heading of the sheet.

    Raises:
        BadInput: nothing to show, or shapes that do not fit each other.
    """
    images, models, sources = (np.asarray(a, dtype=np.float64) for a in (images, models, sources))
    if images.ndim != 3 or images.shape != models.shape or len(images) != len(sources) or not len(images):
        raise BadInput(
            f"images {images.shape}, models {models.shape} and sources {sources.shape} do not make a contact sheet"
        )
    figure = _figure(11.0, 3.0 * len(images) + (0.4 if title else 0.0), title)
    rows = np.atleast_1d(figure.subfigures(len(images), 1, hspace=0.02))
    for row, image, model, source, line in zip(rows, images, models, sources, titles, strict=True):
        row.suptitle(line, x=0.01, ha="left", fontsize=9, fontweight="bold", color=GREY)
        left, middle, right, last = row.subplots(1, 4)
        brightest = max(float(np.nanmax([image, model], initial=0.0)), 1.0)
        seen = {"cmap": "gray", "vmin": 0.0, "vmax": brightest}
        _show(left, image, field, "image", **seen)
        shown = _show(middle, model, field, "model", **seen)
        row.colorbar(shown, ax=middle, shrink=0.85, pad=0.02).set_label("grey levels")
        residual = image - model
        limit = max(float(np.nanmax(np.abs(residual), initial=0.0)), 0.5)
        shown = _show(right, residual, field, "image − model", cmap="RdBu_r", vmin=-limit, vmax=limit)
        row.colorbar(shown, ax=right, shrink=0.85, pad=0.02).set_label("grey levels")
        top = max(float(np.nanmax(source, initial=0.0)), 1.0)
        shown = _show(last, source, source_field, "reconstructed source", cmap="gray", vmin=0.0, vmax=top)
        row.colorbar(shown, ax=last, shrink=0.85, pad=0.02).set_label("grey levels")
        for panel in (middle, right):
            panel.set_ylabel("")
    return figure
