"""docs/conventions.png: axes, pixels and angles; the ellipse of a source; the Einstein radius and the critical curve of an SIE.

    python docs/figures/conventions.py [--out docs/conventions.png]

What is drawn is rendered or computed by lensjax: were a convention to change, so would the drawing.
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Arc, Circle

from lensjax import SIE, System, elliptical, instrument, simulate
from lensjax.lens.curves import critical_ellipse
from lensjax.observation.grid import pixel_points

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
ARROW = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "linewidth": 1.4}


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs/conventions.png"), metavar="FILE", help="docs/conventions.png")
    path = parser.parse_args().out
    figure, panels = plt.subplots(1, 3, figsize=(10.8, 3.9), layout="constrained")
    for draw, axes in zip((pixels, source, lens), panels, strict=True):
        draw(axes)
        axes.set_aspect("equal")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=140, bbox_inches="tight", pad_inches=0.1)
    print(path)


def pixels(axes: Axes, n: int = 6) -> None:
    """Rows, columns and points of a small image."""
    x, y = (np.broadcast_to(np.asarray(part), (n, n)) for part in pixel_points(n, n))
    for i in range(n):
        for j in range(n):
            axes.add_patch(plt.Rectangle((x[i, j] - 0.5, y[i, j] - 0.5), 1.0, 1.0, facecolor="none", edgecolor="0.8"))
    axes.plot(x.ravel(), y.ravel(), ".", color="0.5", markersize=4)
    for (i, j), colour in (((0, 0), BLUE), ((1, 4), ORANGE), ((n // 2, n // 2), GREEN)):
        axes.plot(x[i, j], y[i, j], "o", color=colour)
        axes.annotate(
            f"row {i}, column {j}\n({x[i, j]:g}, {y[i, j] + 0.0:g})", (x[i, j], y[i, j]), xytext=(4, 5), textcoords="offset points",
            fontsize=8, color=colour, fontweight="bold", bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.5},
        )  # fmt: skip
    _axes_of(axes, 3.8, "x, columns", "y, against rows")
    axes.set(title="pixels are points", xlim=(-3.9, 4.3), ylim=(-4.1, 4.1))
    axes.axis("off")


def source(axes: Axes, theta: float = 35.0, sigma: float = 24.0, sigma2: float = 11.0) -> None:
    """A source without a lens, its axes and its angle."""
    at = (26.0, 18.0)
    system = System(SIE(theta_e=0.0, f=1.0, orientation=0.0), elliptical(sigma, sigma2, np.deg2rad(theta)), *at)
    _show(axes, np.asarray(simulate.image(system, instrument((240, 240)))))
    turn = np.deg2rad(theta)
    for length, name, direction, colour, aside in ((sigma, "sigma", turn, BLUE, 5), (sigma2, "sigma2", turn + np.pi / 2, ORANGE, -25)):
        end = at[0] + length * np.cos(direction), at[1] + length * np.sin(direction)
        axes.annotate("", end, at, arrowprops={**ARROW, "color": colour})
        axes.annotate(name, end, xytext=(aside, 3), textcoords="offset points", color=colour, fontweight="bold")
    axes.plot([at[0], at[0] + 34.0], [at[1], at[1]], color="0.3", linewidth=0.8, linestyle="--")
    axes.add_patch(Arc(at, 48.0, 48.0, theta1=0.0, theta2=theta, color=GREEN, linewidth=1.4))
    axes.annotate(f"theta = {theta:g}°", (at[0] + 25.0, at[1] + 3.0), color=GREEN, fontweight="bold", fontsize=9)
    axes.annotate("", at, (0.0, 0.0), arrowprops={**ARROW, "color": "0.3"})
    axes.annotate("(x, y)", (0.5 * at[0], 0.5 * at[1]), xytext=(5, -10), textcoords="offset points", color="0.3")
    _axes_of(axes, 74.0, "x", "y")
    axes.set(title="a source: x, y, sigma, sigma2, theta", xlim=(-80, 80), ylim=(-80, 80))
    axes.axis("off")


def lens(axes: Axes, theta_e: float = 46.0, f: float = 0.5, orientation: float = 30.0) -> None:
    """An SIE: its critical curve, and the circle of its Einstein radius."""
    turn = np.deg2rad(orientation)
    model = SIE(theta_e=theta_e, f=f, orientation=turn)
    _show(axes, np.asarray(simulate.image(System(model, elliptical(5.0, 5.0, 0.0), 4.0, 3.0), instrument((160, 160), supersampling=2))))
    axes.plot(*critical_ellipse(model).T, color=BLUE, linewidth=1.5)
    axes.add_patch(Circle((0.0, 0.0), theta_e, fill=False, color=ORANGE, linewidth=1.3, linestyle="--"))
    for length, direction, name, aside in (
        (theta_e * np.sqrt(f), turn, r"$\theta_E\sqrt{f}$", (-32, 2)),
        (theta_e / np.sqrt(f), turn + np.pi / 2, r"$\theta_E/\sqrt{f}$", (-22, 8)),
    ):
        end = length * np.cos(direction), length * np.sin(direction)
        axes.annotate("", end, (0.0, 0.0), arrowprops={**ARROW, "color": BLUE})
        axes.annotate(name, end, xytext=aside, textcoords="offset points", color=BLUE, fontweight="bold")
    end = theta_e * np.cos(3.6), theta_e * np.sin(3.6)
    axes.annotate("", end, (0.0, 0.0), arrowprops={**ARROW, "color": ORANGE})
    axes.annotate(r"$\theta_E$", end, xytext=(36, -4), textcoords="offset points", color=ORANGE, fontweight="bold")
    axes.add_patch(Arc((0.0, 0.0), 34.0, 34.0, theta1=0.0, theta2=orientation, color=GREEN, linewidth=1.4))
    axes.annotate(f"orientation\n= {orientation:g}°", (3.0, -3.0), color=GREEN, fontweight="bold", fontsize=8, va="top")
    _axes_of(axes, 74.0, "x", "y")
    axes.set(title=f"an SIE: theta_E, f = {f:g}, orientation", xlim=(-80, 80), ylim=(-80, 80))
    axes.axis("off")


def _show(axes: Axes, light: np.ndarray) -> None:
    half = light.shape[0] / 2
    axes.imshow(light, cmap="Greys", vmin=0.0, vmax=1.6, extent=(-half - 0.5, half - 0.5, -half + 0.5, half + 0.5))


def _axes_of(axes: Axes, reach: float, across: str, up: str) -> None:
    for end, name, offset in (((reach, 0.0), across, (-6, -12)), ((0.0, reach), up, (5, -4))):
        axes.annotate("", end, (-end[0], -end[1]), arrowprops={**ARROW, "color": "black", "linewidth": 1.0})
        axes.annotate(name, end, xytext=offset, textcoords="offset points", fontsize=9, ha="left" if end[0] == 0 else "right")


if __name__ == "__main__":
    main()
