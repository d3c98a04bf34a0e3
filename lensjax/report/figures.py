"""Results as figures: arrays in, matplotlib figures out.

Figures are matplotlib `Figure` objects drawn without pyplot, which would change global state. Images have
axes in pixels of the native field, x right and y up.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from lensjax.errors import BadInput
from lensjax.files.whole import write_bytes

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#4D4D4D"
"""Okabe and Ito's colours, which colour-blind readers can distinguish."""

_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY, "#56B4E9", "#E69F00")
COLOURS = len(_COLOURS)
"""Series that one figure can show in colours of their own."""

_STYLES = ("-", "--", ":", "-.")
_UNITS = {"deg": "°", "": ""}


class _Plain(LogFormatter):
    """Its numbers, written as 0.5 instead of 5e−01."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""


def histograms(
    error: ArrayLike,
    *,
    names: Sequence[str],
    units: Sequence[str],
    limit: float | None = None,
    title: str = "",
) -> Figure:
    """Histogram of each parameter's deviation, predicted − true.

    Args:
        error: signed errors (N, P); NaN and infinite ones are not shown, and counted in the corner.
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
        panel.set(xlim=span, ylim=(0.0, panel.get_ylim()[1] if shown.size else 1.0))
        panel.set_xlabel(_label(f"{name}: predicted − true", unit))
        panel.set_ylabel("images")
        panel.xaxis.set_major_locator(MaxNLocator(nbins=4))
        panel.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, min_n_ticks=1))
        notes = [f"{len(shown)} images"]
        notes += [f"{beyond} beyond ±{limit:g}"] if beyond else []
        notes += [f"{len(values) - len(finite)} not counted"] if len(finite) < len(values) else []
        panel.set_title(", ".join(notes), loc="right", fontsize=7, color=GREY)
    return figure


def overlaid(
    errors: Mapping[str, ArrayLike],
    *,
    names: Sequence[str],
    units: Sequence[str],
    limit: float | None = None,
    title: str = "",
) -> Figure:
    """As `histograms`, for several sets in one figure: outlines of the share of each set's images.

    Args:
        errors: signed errors (N, P) by label; NaN and infinite ones are not shown. A column of NaN alone, a parameter that a set does
            not have, is left out.
        names: names of the parameters, (P,).
        units: their units, (P,).
        limit: show −limit…limit only; None shows all.
        title: heading.
    """
    columns = {label: _columns(values, names) for label, values in errors.items()}
    figure, panels = _panels(len(names), title)
    for k, (panel, name, unit) in enumerate(zip(panels, names, units, strict=True)):
        finite = {label: values[np.isfinite(values[:, k]), k] for label, values in columns.items()}
        every = np.concatenate([*finite.values(), np.zeros(0)])
        span = _span(every) if limit is None else (-limit, limit)
        for number, (label, values) in enumerate(finite.items()):
            if not values.size:
                continue
            weights = np.full(values.size, 100.0 / values.size)
            bins = _bins(min(len(one) for one in finite.values() if one.size)) // 2
            panel.hist(
                values,
                bins=bins,
                range=span,
                weights=weights,
                histtype="step",
                color=_COLOURS[number % len(_COLOURS)],
                linestyle=_STYLES[number // len(_COLOURS) % len(_STYLES)],
                linewidth=1.2,
                label=label,
            )
        panel.axvline(0.0, color=GREY, linewidth=0.6)
        panel.set(xlim=span, ylim=(0.0, panel.get_ylim()[1] if every.size else 1.0))
        panel.set_xlabel(_label(f"{name}: predicted − true", unit))
        panel.set_ylabel("images [%]")
        panel.xaxis.set_major_locator(MaxNLocator(nbins=4))
        panel.yaxis.set_major_locator(MaxNLocator(nbins=5))
    _legend_below(figure, panels)
    return figure


def lines(
    series: Mapping[str, ArrayLike],
    *,
    x: ArrayLike | Mapping[str, ArrayLike],
    x_label: str,
    y_label: str,
    log: bool = False,
    title: str = "",
) -> Figure:
    """Curves over one axis, e.g. losses over epochs.

    Args:
        series: values (N,) by label; NaN leaves a gap.
        x: places (N,), or those of each series by label.
        x_label, y_label: what the axes show, with units.
        log: whether the y axis is logarithmic; numbers that are not positive are then not shown.
        title: heading.
    """
    figure = _figure(7.0, 4.2, title)
    panel = figure.subplots()
    _curves(panel, series, x=x, x_label=x_label, y_label=y_label, log=log)
    panel.legend(frameon=False)
    return figure


def linear_and_log(
    series: Mapping[str, ArrayLike],
    *,
    x: ArrayLike | Mapping[str, ArrayLike],
    x_label: str,
    y_label: str,
    dashed: Mapping[str, ArrayLike] | None = None,
    title: str = "",
) -> Figure:
    """As `lines`, on a linear and, beside it, a logarithmic axis; `dashed` are further series in the colours of the same labels."""
    figure = _figure(11.0, 4.2, title)
    panels = list(figure.subplots(1, 2))
    for panel, log in zip(panels, (False, True), strict=True):
        _curves(panel, series, x=x, x_label=x_label, y_label=y_label, log=log, dashed=dashed)
    _legend_below(figure, panels)
    return figure


def scatter(predicted: ArrayLike, truth: ArrayLike, *, names: Sequence[str], units: Sequence[str], title: str = "") -> Figure:
    """Predicted against true value of each parameter, with the line on which they agree.

    Args:
        predicted: parameters (N, P); NaN is not shown, parameter by parameter.
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


def model_comparison(
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
        problem = f"images have shape {images.shape}, models {models.shape}, sources {sources.shape}"
        raise BadInput(problem, expected="(N, n, n), (N, n, n) and (N, m, m), N of 1 or more")
    figure = _figure(11.0, 2.6 * len(images) + (0.4 if title else 0.0), title)
    rows = figure.subfigures(len(images), 1, squeeze=False)[:, 0]
    for row, image, model, source, line in zip(rows, images, models, sources, titles, strict=True):
        row.suptitle(line, x=0.01, ha="left", fontsize=9, fontweight="bold", color=GREY)
        panels = row.subplots(1, 4)
        brightest = max(float(np.nanmax([image, model], initial=0.0)), 1.0)
        residual = image - model
        limit = max(float(np.nanmax(np.abs(residual), initial=0.0)), 0.5)
        top = max(float(np.nanmax(source, initial=0.0)), 1.0)
        _show(panels[0], image, field, "image", cmap="gray", vmin=0.0, vmax=brightest)
        _show(panels[1], model, field, "model", cmap="gray", vmin=0.0, vmax=brightest)
        _show(panels[2], residual, field, "image − model", cmap="RdBu_r", vmin=-limit, vmax=limit)
        _show(panels[3], source, source_field, "reconstructed source", cmap="gray", vmin=0.0, vmax=top)
        panels[0].set_ylabel("y [px]", fontsize=8)
    return figure


def save(figure: Figure, path: str | Path, *, dpi: int = 140) -> Path:
    """Write a figure to `path`, in the format of its suffix (png, pdf, svg), and return the path."""
    data = io.BytesIO()
    figure.savefig(data, format=Path(path).suffix.lstrip(".") or "png", dpi=dpi)
    write_bytes(Path(path), data.getvalue())
    return Path(path)


def _columns(values: ArrayLike, names: Sequence[str]) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(names):
        raise BadInput(f"values have shape {values.shape}", value=values.shape, expected=f"(images, {len(names)})")
    return values


def _figure(width: float, height: float, title: str) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _panels(count: int, title: str, *, side: float = 2.6) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels, at most three in a row."""
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = _figure(3.3 * columns, side * rows + (0.3 if title else 0.0), title)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels[count:]:
        panel.remove()
    return figure, panels[:count]


def _curves(
    panel: Axes,
    series: Mapping[str, ArrayLike],
    *,
    x: ArrayLike | Mapping[str, ArrayLike],
    x_label: str,
    y_label: str,
    log: bool,
    dashed: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Draws the curves of `lines` in one panel."""
    places = {label: np.asarray(x[label] if isinstance(x, Mapping) else x, dtype=np.float64) for label in series}
    for number, (label, values) in enumerate(series.items()):
        drawn = [(values, _STYLES[number // len(_COLOURS) % len(_STYLES)] if dashed is None else "-", label)]
        drawn += [(dashed[label], "--", "")] if dashed and label in dashed else []
        for numbers, style, name in drawn:
            numbers = np.asarray(numbers, dtype=np.float64)
            usable = np.isfinite(numbers) & (numbers > 0) if log else np.isfinite(numbers)
            panel.plot(
                places[label],
                np.where(usable, numbers, np.nan),
                color=_COLOURS[number % len(_COLOURS)],
                marker="o" if np.sum(usable) < 30 else None,
                markersize=3,
                linewidth=1.3,
                linestyle=style,
                label=name or "_",
            )
    every = [*series.values(), *(dashed or {}).values()]
    if log and any(np.any(np.asarray(values, dtype=np.float64) > 0) for values in every):
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(_Plain())
        panel.yaxis.set_minor_formatter(_Plain())
    elif not log:
        panel.set_ylim(bottom=min(0.0, panel.get_ylim()[0]))
    panel.set_xlabel(x_label)
    panel.set_ylabel(y_label)
    panel.grid(True, which="major", color="#dddddd", linewidth=0.6)
    if series and all(len(along) and np.all(along == np.round(along)) for along in places.values()):
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=6))


def _legend_below(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend of all panels' labels, under them; the panels keep their height."""
    named = {label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    if not named:
        return
    columns = 1 if max(map(len, named)) > 60 else 2 if max(map(len, named)) > 30 else 3
    rows = -(-len(named) // columns)
    figure.set_figheight(figure.get_figheight() + 0.22 * rows + 0.1)
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=columns, frameon=False, fontsize=8)


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    """Limits a little wider than the values, also where all are the same; (−1, 1) without values."""
    if not values.size:
        return -1.0, 1.0
    low, high = float(np.min(values)), float(np.max(values))
    margin = 0.03 * (high - low) or max(1e-3 * abs(low), 0.5)
    return low - margin, high + margin


def _bins(count: int) -> int:
    return int(np.clip(2 * np.sqrt(count), 11, 101))


def _label(name: str, unit: str) -> str:
    unit = _UNITS.get(unit, unit)
    return f"{name} [{unit}]" if unit else name


def _show(panel: Axes, pixels: NDArray[np.float64], field: float | None, name: str, **options: Any) -> None:
    """Draw pixels (n, n) over their field [px], as `image.grid` does: native pixels at whole numbers."""
    half = (pixels.shape[0] if field is None else field) / 2
    extent = (-half - 0.5, half - 0.5, -half + 0.5, half + 0.5)
    shown = panel.imshow(pixels, extent=extent, interpolation="nearest", **options)
    panel.set_title(name, fontsize=9)
    panel.set_xlabel("x [px]", fontsize=8)
    panel.tick_params(labelsize=7)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=4))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=4))
    bar = panel.figure.colorbar(shown, cax=panel.inset_axes((1.03, 0.0, 0.045, 1.0)))
    bar.ax.tick_params(labelsize=7)
    bar.locator = MaxNLocator(nbins=5)
    bar.update_ticks()
    bar.set_label("grey levels", fontsize=7)
