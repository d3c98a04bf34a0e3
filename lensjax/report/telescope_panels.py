"""Panels of a fit of a telescope's image: each draws one thing into one matplotlib Axes.

Light is shown on an asinh scale, linear within a few times the noise, so that arcs and the lens's core are both seen. Masked pixels are
grey and hatched. Critical curves and caustics have the colours of `annotate`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import AsinhNorm, Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import MaxNLocator

from lensjax.report.annotate import COLOURS
from lensjax.report.figures import BLUE, GREY, ORANGE
from lensjax.report.telescope_view import View, extent_of

LIMIT = 5.0
"""Residuals are shown from −`LIMIT` to `LIMIT` times the noise."""

_MASKED, _HATCH = "#b4b8bd", "#7d838a"
_LIGHT, _SOURCE, _RESIDUAL = "inferno", "gray", "RdBu_r"
_LINEAR, _FAINTEST = 3.0, 2.0  # times the noise: how far the scale is about linear, and its lower end below 0
_BARS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)  # arcsec
_EDGE = [Stroke(linewidth=2.6, foreground=(0.0, 0.0, 0.0, 0.55)), Normal()]
_PATCH: dict[str, Any] = {"facecolor": (0.0, 0.0, 0.0, 0.5), "edgecolor": "none", "pad": 1.0}  # behind text on an image
_SMALL = 7.5  # points
_WIDER = 3.0  # times the field of the source, which is enlarged to show caustics


def light_scale(view: View, *parts: np.ndarray) -> AsinhNorm:
    """The scale on which these images (H, W) of surface brightness are shown."""
    top = max(float(np.nanmax(part)) for part in parts)
    return AsinhNorm(linear_width=_LINEAR * view.level, vmin=-_FAINTEST * view.level, vmax=max(top, 3.0 * view.level))


def show_light(axes: Axes, view: View, pixels: np.ndarray, scale: AsinhNorm, title: str, *, critical: bool = False) -> None:
    """Surface brightness (H, W), grey and hatched where it is NaN, with a colour bar in the file's unit."""
    _image(axes, view, pixels, title, cmap=_LIGHT, norm=scale)
    if critical:
        show_lines(axes, view.lines.critical, "critical curve")
    _bar(axes, scale, _LIGHT, view.image.unit or "data unit", ticks=_asinh_ticks(scale))


def show_residual(axes: Axes, view: View, title: str = "(data − model) / noise") -> None:
    """Residuals in units of the noise, on a scale symmetric about 0."""
    assert view.residual is not None
    scale = Normalize(-LIMIT, LIMIT)
    _image(axes, view, view.residual, title, cmap=_RESIDUAL, norm=scale)
    _bar(axes, scale, _RESIDUAL, "σ", ticks=[-5, -3, -1, 1, 3, 5], extend="both")


def show_source(axes: Axes, view: View, title: str = "source plane") -> None:
    """The source without lens and PSF, with caustics, and cuts dashed."""
    assert view.made is not None and view.made.source is not None and view.made.taken is not None
    source, step = view.made.source, view.made.taken.pixel_scale
    top = max(float(source.max()), 1e-300)
    scale = AsinhNorm(linear_width=0.1 * top, vmin=min(0.0, float(source.min())), vmax=top)
    cmap = colormaps[_SOURCE]
    axes.set_facecolor(cmap(scale(0.0)))
    axes.imshow(source, extent=extent_of(view.made.taken), cmap=cmap, norm=scale, interpolation="nearest")
    show_lines(axes, view.lines.caustics, "caustic")
    show_lines(axes, view.lines.cuts, "caustic", dashed=True)
    middle, half = _source_field(view, 0.5 * step * source.shape[0])
    axes.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    _labelled(axes, title)
    _bar(axes, scale, _SOURCE, view.image.unit or "data unit", ticks=_asinh_ticks(scale))


def _source_field(view: View, half: float) -> tuple[tuple[float, float], float]:
    """Middle and half the side of a square that holds the source's image, and the caustics where they are not much larger."""
    assert view.made is not None and view.made.taken is not None
    left, right, lower, upper = extent_of(view.made.taken)
    low, high = np.array([left, lower]), np.array([right, upper])
    lines = [line for line in view.lines.caustics if np.isfinite(line).all()]
    if lines:
        points = np.concatenate(lines)
        wider = np.minimum(low, points.min(axis=0)), np.maximum(high, points.max(axis=0))
        if (wider[1] - wider[0]).max() <= 2.0 * _WIDER * half:
            low, high = wider
    x, y = (0.5 * (low + high)).tolist()
    return (x, y), 0.52 * float((high - low).max())


def show_profile(axes: Axes, below: Axes, view: View, title: str = "radial profile") -> None:
    """Mean surface brightness by distance from the lens, and below it the residual in units of its own noise."""
    assert view.profile is not None
    own = view.profile
    axes.errorbar(own.radius, own.data, own.noise, fmt="o", color=GREY, markersize=2.5, linewidth=0.9, label="data − sky", zorder=3)
    axes.plot(own.radius, own.model, color=BLUE, linewidth=1.3, label="model", zorder=2)
    if own.lens_light is not None:
        axes.plot(own.radius, own.lens_light, "--", color=ORANGE, linewidth=1.2, label="lens light", zorder=2)
    axes.plot(own.radius, own.noise, ":", color=GREY, linewidth=1.0, label="noise of the mean", zorder=1)
    width = 3.0 * float(np.median(own.noise))
    axes.set_yscale("asinh", linear_width=width)
    top = float(max(own.data.max(), own.model.max()))
    axes.set_ylim(min(float((own.data - own.noise).min()), 0.0) - 0.5 * width, 1.25 * top if top > 0 else width)
    ticks = [tick for tick in _asinh_ticks(AsinhNorm(linear_width=width, vmin=0.0, vmax=max(top, width))) if tick <= 1.2 * top]
    axes.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylabel(f"mean [{view.image.unit or 'data unit'}]", fontsize=_SMALL)
    axes.legend(frameon=False, fontsize=_SMALL - 1)
    axes.set_title(title, fontsize=9)
    below.axhspan(-1.0, 1.0, color="#e3e6ea", linewidth=0)
    below.axhline(0.0, color=GREY, linewidth=0.6)
    residual = (own.data - own.model) / own.noise
    below.plot(own.radius, np.clip(residual, -LIMIT, LIMIT), "o", color=GREY, markersize=2.5)
    below.set(ylim=(-LIMIT - 0.4, LIMIT + 0.4), yticks=[-3, 0, 3])
    below.set_ylabel("σ", fontsize=_SMALL)
    below.set_xlabel("distance from the lens [arcsec]", fontsize=_SMALL)
    for part in (axes, below):
        part.set_xlim(0.0, float(own.radius[-1]) * 1.03)
        part.tick_params(labelsize=_SMALL)
        if np.isfinite(own.theta_e):
            part.axvline(own.theta_e, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.tick_params(labelbottom=False)
    if np.isfinite(own.theta_e) and own.theta_e < own.radius[-1]:
        axes.annotate(
            "$θ_E$", (own.theta_e, 0.03), xycoords=("data", "axes fraction"), xytext=(2, 0), textcoords="offset points", fontsize=8
        )


def show_lines(axes: Axes, lines: Sequence[np.ndarray], part: str, *, dashed: bool = False) -> None:
    """Lines (k, 2) in the colour of `part`, one of `annotate.PARTS`; one that is nearly a point as a dot."""
    colour = [level / 255.0 for level in COLOURS[part]]
    for line in lines:
        if not np.isfinite(line).all():
            continue
        if np.ptp(line, axis=0).max() < 1e-2:
            axes.plot(*line.mean(axis=0), "o", color=colour, markersize=3.5, markeredgecolor=(0, 0, 0, 0.55), markeredgewidth=0.8)
            continue
        style: Any = (0, (4, 2.5)) if dashed else "-"
        axes.plot(*line.T, color=colour, linewidth=1.2, linestyle=style, path_effects=_EDGE)


def show_compass(axes: Axes, view: View) -> None:
    """Arrows to north and east in the upper right corner; nothing without a WCS."""
    if view.image.wcs is None:
        return
    left, right, lower, upper = view.extent
    sides = np.array([right - left, upper - lower])
    ways = np.linalg.inv(np.array(view.image.wcs.matrix))  # columns: one arcsec to the east, and to the north, in pixels (x, y)
    ways = 0.13 * sides.min() * ways / np.linalg.norm(ways, axis=0) / sides[:, None]  # in fractions of the sides
    reach = 1.55 * np.concatenate([np.zeros((2, 1)), ways], axis=1)
    base = np.array([0.97, 0.97]) - reach.max(axis=1) - 0.02
    for name, way in zip("EN", ways.T, strict=True):
        options: dict[str, Any] = {"arrowstyle": "->", "color": "white", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
        arrow = axes.annotate("", base + way, base, xycoords="axes fraction", textcoords="axes fraction", arrowprops=options)
        assert arrow.arrow_patch is not None
        arrow.arrow_patch.set_path_effects(_EDGE)
        x, y = (base + 1.4 * way).tolist()
        axes.text(
            x, y, name, transform=axes.transAxes, color="white", fontsize=8, ha="center", va="center", bbox=_PATCH
        )  # fmt: skip


def show_bar(axes: Axes, view: View) -> None:
    """A scale bar in the lower left corner."""
    left, right, lower, upper = view.extent
    side = max(right - left, upper - lower)
    length = min(_BARS, key=lambda bar: abs(np.log(bar / (0.25 * side))))
    x, y = left + 0.06 * (right - left), lower + 0.06 * (upper - lower)
    axes.plot([x, x + length], [y, y], color="white", linewidth=1.8, path_effects=_EDGE, solid_capstyle="butt")
    axes.text(
        x + 0.5 * length, y + 0.03 * side, f"{length:g}″", color="white", fontsize=8, ha="center", va="bottom", bbox=_PATCH
    )  # fmt: skip


def bare(axes: Axes) -> None:
    """Removes ticks, labels, title and colour bar."""
    axes.set(xticks=[], yticks=[], xlabel="", ylabel="", title="")
    for child in list(axes.child_axes):
        child.remove()


def _image(axes: Axes, view: View, pixels: np.ndarray, title: str, *, cmap: str, norm: Normalize) -> None:
    """Pixels (H, W) in arcseconds about the system's origin."""
    shown, colours = np.ma.masked_invalid(pixels), colormaps[cmap].with_extremes(bad=_MASKED)
    axes.imshow(shown, extent=view.extent, cmap=colours, norm=norm, interpolation="nearest")
    hidden = ~np.isfinite(pixels)
    if hidden.any() and not hidden.all():
        left, right, lower, upper = view.extent
        rows, columns = pixels.shape
        x = left + (np.arange(columns) + 0.5) * (right - left) / columns
        y = upper - (np.arange(rows) + 0.5) * (upper - lower) / rows
        hatch = axes.contourf(x, y, hidden.astype(float), levels=[0.5, 1.5], colors="none", hatches=["/////"])
        hatch.set(edgecolor=_HATCH, linewidth=0.0)
    axes.set(xlim=view.extent[:2], ylim=view.extent[2:])
    _labelled(axes, title)


def _labelled(axes: Axes, title: str) -> None:
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("x [arcsec]", fontsize=_SMALL)
    axes.set_ylabel("y [arcsec]", fontsize=_SMALL)
    axes.tick_params(labelsize=_SMALL)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))


def _bar(axes: Axes, scale: Normalize, cmap: str | Colormap, label: str, *, ticks: Sequence[float], extend: Any = "neither") -> None:
    """A colour bar beside the panel, as high as it."""
    from matplotlib.cm import ScalarMappable

    figure = axes.figure
    assert isinstance(figure, Figure) or hasattr(figure, "colorbar")
    bar = figure.colorbar(ScalarMappable(scale, cmap), cax=axes.inset_axes((1.03, 0.0, 0.05, 1.0)), extend=extend, ticks=list(ticks))
    power = 0
    largest = max(abs(tick) for tick in ticks) or 1.0
    if not 1e-3 <= largest < 1e5:
        power = int(np.floor(np.log10(largest)))
    bar.ax.set_yticks(list(ticks), labels=[f"{tick / 10.0**power:.3g}".replace("-", "−") for tick in ticks])
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=_SMALL)
    bar.set_label(label if not power else f"$10^{{{power}}}$ {label}", fontsize=_SMALL)


def _asinh_ticks(scale: AsinhNorm) -> list[float]:
    """About five round numbers, 0 among them, evenly spaced on the scale."""
    assert scale.vmin is not None and scale.vmax is not None
    width = scale.linear_width
    end = np.arcsinh(scale.vmax / width)
    ticks = [0.0]
    for part in np.linspace(0.0, end, 6)[1:]:
        value = float(width * np.sinh(part))
        power = 10.0 ** np.floor(np.log10(value))
        step = max((digit for digit in (1.0, 2.0, 5.0) if digit * power <= value), default=1.0) * power
        if step > ticks[-1] and np.arcsinh(step / width) - np.arcsinh(ticks[-1] / width) > 0.1 * end:
            ticks.append(step)
    return ticks
