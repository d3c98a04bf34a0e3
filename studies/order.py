"""How far a roulette series is from the exact lens equation, by its order and by the distance of a pixel from the reference point.

    python studies/order.py [--out docs/study_order.png]

Point mass, SIS, SIE of axis ratios 0.7 and 0.4, and a cluster of three. Prints, per lens, the largest error over a circle about the
reference point that reaches a fraction of the way to the rim of the region of convergence (lensjax/roulette/region.py), by order:
of the position in the source plane, in units of θ_E, and of the image of a Gaussian source, in grey levels. Then compares, point by point
of a map, the region with the points where the series converges: where its largest error falls from orders 40…42 to orders 60…62. All in
float64. The elliptical lenses stand so that their region is much smaller than the circle through the lens's centre.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from lensjax import roulette
from lensjax.conventions import GREY_LEVELS
from lensjax.lens import SIE, SIS, Lens, PointMass, cluster
from lensjax.light.gaussian import spherical

THETA_E = 40.0
SIGMA = 10.0
SOURCE = (24.0, 15.0)
ORDERS = (1, 2, 3, 5, 8, 12, 16, 20, 30, 40, 50)
FRACTIONS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
DIRECTIONS = 720
SIDE = 241  # points on a side of a map
REACH = 1.25  # of |ξ|, half a map's side
EARLY, LATE = (40, 41, 42), (60, 61, 62)
ROUNDING = 1e-12  # θ_E, below which an error is rounding


def lenses() -> dict[str, Lens]:
    """Lenses by name."""
    by_name: dict[str, Lens] = {
        "point mass": PointMass(THETA_E),
        "SIS": SIS(THETA_E),
        "SIE, f = 0.7": SIE(THETA_E, 0.7, np.deg2rad(100.0)),
        "SIE, f = 0.4": SIE(THETA_E, 0.4, np.deg2rad(100.0)),
        "cluster of three": cluster(
            [(SIS(24.0), -15.0, 5.0), (SIE(14.0, 0.6, 1.0), 20.0, -30.0), (PointMass(12.0), 5.0, 30.0)],
        ),
    }
    return {name: jax.tree.map(jnp.asarray, lens) for name, lens in by_name.items()}


def errors(lens: Lens, dx: np.ndarray, dy: np.ndarray, terms: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the source-plane position [θ_E] and of the image [grey levels], at offsets from the reference point."""

    @jax.jit
    def compared(lens: Lens, dx: jax.Array, dy: jax.Array) -> tuple[jax.Array, jax.Array]:
        xi_x, xi_y = lens.primary_image(*map(jnp.asarray, SOURCE))
        ax, ay = lens.deflection(xi_x + dx, xi_y + dy)
        exact = xi_x + dx - ax - SOURCE[0], xi_y + dy - ay - SOURCE[1]
        series = roulette.source_offset(dx, dy, xi_x, xi_y, lens, terms=terms)
        source = spherical(jnp.asarray(SIGMA))
        grey = GREY_LEVELS * jnp.abs(source.light(*series) - source.light(*exact))
        return jnp.hypot(series[0] - exact[0], series[1] - exact[1]) / THETA_E, grey

    return tuple(np.nan_to_num(np.asarray(part), nan=np.inf) for part in compared(lens, jnp.asarray(dx), jnp.asarray(dy)))


def rim(lens: Lens) -> np.ndarray:
    """Distance (DIRECTIONS,) from the reference point to the rim of the region of convergence."""
    cosine, sine = around()
    xi = lens.primary_image(*map(jnp.asarray, SOURCE))
    depth = jax.jit(lambda r: roulette.inside(r * cosine, r * sine, *xi, lens))
    low, high = np.zeros(DIRECTIONS), np.full(DIRECTIONS, 1e3)
    for _ in range(50):
        middle = 0.5 * (low + high)
        within = np.asarray(depth(middle)) > 0
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return low


def around() -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of all directions; none is that of the lens's centre itself, where light has no direction."""
    angle = 2.0 * np.pi * (np.arange(DIRECTIONS) + 0.5) / DIRECTIONS
    return np.cos(angle), np.sin(angle)


def by_order(lens: Lens) -> tuple[np.ndarray, np.ndarray]:
    """Largest errors over each circle (orders, fractions): position [θ_E], image [grey levels]."""
    radius = np.array(FRACTIONS)[:, None] * rim(lens)
    cosine, sine = around()
    errors_of = [errors(lens, radius * cosine, radius * sine, terms) for terms in ORDERS]
    position, grey = (np.array([each[k].max(axis=-1) for each in errors_of]) for k in range(2))
    return position, grey


def mapped(lens: Lens) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of the early orders and the late ones [θ_E] and the depth within the region [px], each (SIDE, SIDE)."""
    xi = lens.primary_image(*map(jnp.asarray, SOURCE))
    along = REACH * float(np.hypot(*xi)) * np.linspace(-1, 1, SIDE) + 1e-3  # off the lens's own centre
    dx, dy = np.meshgrid(along, -along)
    early, late = (np.max([errors(lens, dx, dy, terms)[0] for terms in orders], axis=0) for orders in (EARLY, LATE))
    return early, late, np.asarray(roulette.inside(jnp.asarray(dx), jnp.asarray(dy), *xi, lens))


def main() -> None:
    """Measures, prints, draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/study_order.png"), help="the figure (docs/study_order.png)")
    arguments = parser.parse_args()

    with jax.enable_x64(True):
        by_name = lenses()
        figure, axes = plt.subplots(3, len(by_name), figsize=(13.5, 9.0), layout="constrained", sharey="row")
        heads = ("within", "outside", "within, >2", "outside, >2")
        lines = ["points where the error falls, of all and of those more than two points from the rim"]
        lines.append(f"  {'':24}" + "".join(f"{head:>14}" for head in heads))
        for k, (name, lens) in enumerate(by_name.items()):
            position, grey = by_order(lens)
            print(table(f"{name}: source-plane position, error [θ_E]", position))
            print(table(f"{name}: image, error [grey levels]", grey))
            early, late, depth = mapped(lens)
            real = np.maximum(early, late) > ROUNDING
            converges = ~real | (late < early)
            step = 2.0 * REACH * float(np.hypot(*lens.primary_image(*map(jnp.asarray, SOURCE)))) / (SIDE - 1)
            parts = (depth > 0, depth < 0, depth > 2 * step, depth < -2 * step)
            fractions = [np.mean(converges[part]) for part in parts]
            lines.append(f"  {name:24}" + "".join(f"{fraction:14.2%}" for fraction in fractions))
            draw(axes[:, k], name, position, grey, late, converges, depth)
        print("\n".join(lines))
        finish(figure, axes)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out, dpi=110)
    print(f"{arguments.out} written")


def table(title: str, values: np.ndarray) -> str:
    """One row for each order, one column for each fraction of the way to the rim."""
    lines = [title, "  order" + "".join(f"{fraction:>10.2f}" for fraction in FRACTIONS)]
    lines += [f"  {order:5}" + "".join(f"{value:10.1e}" for value in row) for order, row in zip(ORDERS, values, strict=True)]
    return "\n".join(lines) + "\n"


def draw(
    axes: np.ndarray, name: str, position: np.ndarray, grey: np.ndarray, late: np.ndarray, converges: np.ndarray, depth: np.ndarray
) -> None:
    """One lens's column."""
    colours = plt.get_cmap("viridis")(np.linspace(0.0, 0.92, len(FRACTIONS)))
    for axis, values in zip(axes[:2], (position, grey), strict=True):
        for fraction, colour, row in zip(FRACTIONS, colours, values.T, strict=True):
            axis.plot(ORDERS, row, color=colour, label=f"{fraction:g}")
        axis.set(yscale="log", xlim=(1, 50), xlabel="order")
        axis.grid(alpha=0.25)
    axes[0].set(title=name, ylim=(1e-13, 300))
    axes[1].set(ylim=(1e-6, 500))
    axes[1].axhline(0.5, color="0.3", linestyle=":", linewidth=1)
    extent = (-REACH, REACH, -REACH, REACH)
    axes[2].imshow(np.clip(late, 1e-12, 1e12), extent=extent, norm=LogNorm(1e-8, 1e2), cmap="magma")
    axes[2].contour(converges.astype(float)[::-1], [0.5], extent=extent, colors="white", linewidths=3)
    axes[2].contour(depth[::-1], [0.0], extent=extent, colors="deepskyblue", linewidths=1.4, linestyles="--")
    axes[2].add_patch(Circle((0, 0), 1, fill=False, color="0.45", linewidth=0.8))
    axes[2].plot(0, 0, "+", color="white")
    axes[2].set(xlabel="δx [|ξ|]", aspect="equal")


def finish(figure: Figure, axes: np.ndarray) -> None:
    """Labels and legends."""
    axes[0, 0].set_ylabel("error of the position\nin the source plane [θ_E]")
    axes[1, 0].set_ylabel(f"error of the image of a Gaussian\nof σ = {SIGMA:g} px [grey levels]")
    axes[2, 0].set_ylabel("δy [|ξ|]")
    figure.colorbar(axes[2, -1].images[0], ax=axes[2, :], label=f"error at order {LATE[0]} [θ_E]", extend="both", pad=0.01)
    lines = [
        Line2D([], [], color="white", linewidth=3, label="where the error falls"),
        Line2D([], [], color="deepskyblue", linewidth=1.4, linestyle="--", label="region of convergence"),
        Line2D([], [], color="0.45", linewidth=0.8, label="circle through the lens's centre"),
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=3, facecolor="0.85", edgecolor="none")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    title = "fraction of the way to the rim of the region"
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), title=title, frameon=False)


if __name__ == "__main__":
    main()
