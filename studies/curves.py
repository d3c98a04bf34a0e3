"""Critical curves, caustics and cuts: SIEs of several axis ratios and a cluster, against closed forms and ray tracing.

    python studies/curves.py [--theta-e 60] [--sources 60] [--seed 0] [--out docs/study_curves.png]

Prints, for each lens, length and extent of critical curve, caustic and cut, and for an SIE the places of the cusps and the reach of the
cut along both axes beside the closed forms of Kormann, Schneider & Bartelmann (1994). Then how many images sources have: as the
winding numbers of caustics and cuts about the source say, and by ray tracing of a mesh of triangles. Draws each lens twice: the
image plane, magnification below its critical curves, and the source plane, caustic and cuts over the number of images.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm
from scipy.special import ellipe

from lensjax.lens import SIE, SIS, Lens, cluster, inverse_magnification
from lensjax.lens.curves import caustics, critical_curves, cuts

RATIOS = (1.0, 0.9, 0.7, 0.5, 0.3)
CRITICAL, CAUSTIC = "#0072B2", "#D55E00"
GRID = 900
"""Points on a side of the mesh of triangles that is traced back."""

CORE = 8.0
"""Where a mesh about an isothermal centre ends [px]."""

MOST = 8
"""Largest number of images with its own shade."""


def length(lines: list[np.ndarray]) -> float:
    """Of all the lines together [px]."""
    return sum(float(np.hypot(*np.diff(line, axis=0).T).sum()) for line in lines)


def extent(lines: list[np.ndarray]) -> tuple[float, float]:
    """Width and height of all the lines together [px]."""
    points = np.concatenate(lines)
    return float(np.ptp(points[:, 0])), float(np.ptp(points[:, 1]))


def kormann(theta_e: float, f: float) -> dict[str, tuple[float, float]]:
    """Cusps and reach of the cut of an SIE [px], along the shorter axis of its critical curve and across it."""
    if f == 1.0:
        return {"cusps": (0.0, 0.0), "cut": (theta_e, theta_e)}
    flat = np.sqrt(1.0 - f * f)
    along, across = np.arcsinh(flat / f) / flat, np.arcsin(flat) / flat
    return {
        "cusps": (theta_e * np.sqrt(f) * abs(1.0 - along), theta_e / np.sqrt(f) * abs(1.0 - f * across)),
        "cut": (theta_e * np.sqrt(f) * along, theta_e * np.sqrt(f) * across),
    }


def winding(lines: list[np.ndarray], sources: np.ndarray) -> np.ndarray:
    """How often the lines together go round each source (k, 2), counter-clockwise: (k,)."""
    turns = np.zeros(len(sources))
    at = sources @ np.array([1.0, 1j])
    for line in lines:
        points = line @ np.array([1.0, 1j])
        for part in np.array_split(np.arange(len(at)), max(1, len(at) // 500)):
            z = points - at[part, None]
            turns[part] += np.angle(z[:, 1:] / z[:, :-1]).sum(axis=1) / (2.0 * np.pi)
    return np.rint(turns).astype(int)


def directed(lens: Lens, critical: list[np.ndarray]) -> list[np.ndarray]:
    """The critical curves, each with the region of det A < 0 on its left-hand side."""
    curves = []
    for curve in critical:
        k = len(curve) // 3
        step = curve[k + 1] - curve[k]
        beside = 0.5 * (curve[k] + curve[k + 1]) + 0.02 * np.array([-step[1], step[0]]) / np.hypot(*step)
        curves.append(curve if determinant(lens, beside[:1], beside[1:])[0] < 0 else curve[::-1])
    return curves


def counted(lens: Lens, critical: list[np.ndarray], sources: np.ndarray) -> np.ndarray:
    """Images of each source (k, 2), from winding numbers.

    A region of the image plane in which det A has one sign covers a source as often as the image of its rim goes round it. Where
    det A < 0 the rim is the critical curves, and clockwise the isothermal centres, whose images are the cuts; where det A > 0 it is
    the critical curves the other way round and a far circle.
    """
    curves = winding(caustics(lens, directed(lens, critical)), sources)
    return (winding(cuts(lens), sources) - curves) + (1 - curves)


def traced(lens: Lens, centres: list[tuple[float, float]], half: float, sources: np.ndarray) -> np.ndarray:
    """Images of each source (k, 2): the triangles of meshes of the image plane that lie about the source when traced back.

    The meshes are a square one and, within `CORE` of each isothermal centre (x, y), across which the deflection jumps, a polar one.
    """
    along = np.linspace(-half, half, GRID)
    hits = _hits(lens, *np.meshgrid(along, along), sources)
    count = np.array([sum(min(np.hypot(*(at - c)) for c in centres) > CORE for at in images) for images in hits])
    radius, angle = np.geomspace(1e-3, 1.1 * CORE, 200), np.linspace(0.0, 2.0 * np.pi, 721)
    for centre in centres:
        x, y = (c + radius[:, None] * part(angle) for c, part in zip(centre, (np.cos, np.sin), strict=True))
        count += [sum(np.hypot(*(at - centre)) <= CORE for at in images) for images in _hits(lens, x, y, sources)]
    return count


def _hits(lens: Lens, x: np.ndarray, y: np.ndarray, sources: np.ndarray) -> list[np.ndarray]:
    """The images (n, 2) of each source that lie in a mesh of points x, y, (h, w) each."""
    with jax.enable_x64(True):
        ax, ay = (np.asarray(a) for a in lens.deflection(jnp.asarray(x), jnp.asarray(y)))
    image, back = np.stack([x, y], axis=-1), np.stack([x - ax, y - ay], axis=-1)
    first, last = slice(None, -1), slice(1, None)
    cells = [(first, first), (first, last), (last, last), (last, first)]
    corners = np.stack([back[cell].reshape(-1, 2) for cell in cells])
    places = np.stack([image[cell].reshape(-1, 2) for cell in cells])
    lowest, highest = corners.min(axis=0), corners.max(axis=0)
    hits = []
    for source in sources:
        near = ((lowest <= source) & (source <= highest)).all(axis=-1)
        off, at = corners[:, near] - source, places[:, near]
        images = []
        for triangle in ([0, 1, 2], [0, 2, 3]):
            p, q, r = off[triangle]
            areas = np.stack([_cross(q, r), _cross(r, p), _cross(p, q)])
            inside = (areas > 0).all(axis=0) | (areas < 0).all(axis=0)
            weight = areas[:, inside] / areas[:, inside].sum(axis=0)
            images.append((weight[..., None] * at[triangle][:, inside]).sum(axis=0))
        hits.append(np.concatenate(images))
    return hits


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


@jax.jit
def _determinant(lens: Lens, x: jax.Array, y: jax.Array) -> jax.Array:
    return inverse_magnification(lens, x, y)


def determinant(lens: Lens, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """det A, float64."""
    with jax.enable_x64(True):
        return np.asarray(_determinant(lens, jnp.asarray(x, jnp.float64), jnp.asarray(y, jnp.float64)))


def systems(theta_e: float, orientation: float) -> list[tuple[str, Lens, list[tuple[float, float]], float]]:
    """(name, lens, places of its isothermal centres, half the side of a square with all its critical curves and images)."""
    sies: list[tuple[str, Lens, list[tuple[float, float]], float]] = [
        (f"SIE, f = {f:g}", SIE(theta_e, f, orientation), [(0.0, 0.0)], 2.6 * theta_e) for f in RATIOS
    ]
    unit = theta_e / 60.0
    places = [(-40.0 * unit, 10.0 * unit), (55.0 * unit, -25.0 * unit), (25.0 * unit, 55.0 * unit)]
    kinds: list[Lens] = [SIE(45.0 * unit, 0.6, 0.3), SIS(30.0 * unit), SIE(18.0 * unit, 0.8, 1.5)]
    members = [(kind, x, y) for kind, (x, y) in zip(kinds, places, strict=True)]
    return [*sies, ("cluster of three", cluster(members), places, 2.9 * theta_e)]


def main() -> None:
    """Finds the curves, compares, draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--theta-e", type=float, default=60.0, help="Einstein radius of the SIEs [px] (60); the cluster's grow with it")
    parser.add_argument("--orientation", type=float, default=30.0, help="of the SIEs [degrees] (30)")
    parser.add_argument("--sources", type=int, default=60, help="sources whose images are counted, for each lens (60)")
    parser.add_argument("--seed", type=int, default=0, help="of the sources' places (0)")
    parser.add_argument("--out", type=Path, default=Path("docs/study_curves.png"), help="the figure")
    arguments = parser.parse_args()

    theta_e, turn = arguments.theta_e, np.deg2rad(arguments.orientation)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    rng = np.random.default_rng(arguments.seed)
    lenses = systems(theta_e, turn)
    lines_of = []
    for _, lens, _, half in lenses:
        critical = critical_curves(lens, half=half)
        lines_of.append((critical, caustics(lens, critical), cuts(lens)))

    print(f"{'[px]':18}{'critical curve':>30}{'caustic':>30}{'cut':>30}")
    print(f"{'lens':18}" + f"{'length':>12}{'width':>9}{'height':>9}" * 3)
    for (name, *_), parts in zip(lenses, lines_of, strict=True):
        cells = "".join(f"{length(lines):12.3f}{extent(lines)[0]:9.3f}{extent(lines)[1]:9.3f}" for lines in parts)
        print(f"{name:18}{cells}")

    print("\nagainst closed forms [px]; u along the critical curve's shorter axis, v across it")
    heads = "".join(f"{head:>10}" for head in ("cusp u", "cusp v", "cut u", "cut v"))
    print(f"{'lens':18}{heads}{'cusps off by':>14}{'cut':>10}{'ellipse':>10}{'perimeter':>11}")
    for f, (name, *_), (critical, (caustic,), (cut,)) in zip(RATIOS, lenses, lines_of, strict=False):
        closed = kormann(theta_e, f)
        traced_out = {"cusps": np.abs(axes @ caustic.T).max(axis=1), "cut": np.abs(axes @ cut.T).max(axis=1)}
        off = {key: np.abs(traced_out[key] - closed[key]).max() for key in traced_out}
        u, v = axes @ critical[0].T
        ellipse = np.abs(np.hypot(u / np.sqrt(f), v * np.sqrt(f)) - theta_e).max()
        perimeter = abs(length(critical) - 4.0 * theta_e / np.sqrt(f) * ellipe(1.0 - f * f))
        values = "".join(f"{value:10.4f}" for value in (*traced_out["cusps"], *traced_out["cut"]))
        print(f"{name:18}{values}{off['cusps']:14.1e}{off['cut']:10.1e}{ellipse:10.1e}{perimeter:11.1e}")

    print("\nimages: sources by their number of images, winding numbers against ray tracing; only sources 0.3 px or more off all curves")
    for (name, lens, centres, half), (critical, caustic, cut) in zip(lenses, lines_of, strict=True):
        points = np.concatenate([*caustic, *cut])
        low, high = points.min(axis=0), points.max(axis=0)
        # Half of them where caustics are, which are smaller than cuts where lenses are rounder.
        inner_low, inner_high = np.concatenate(caustic).min(axis=0), np.concatenate(caustic).max(axis=0)
        draw = np.concatenate([rng.uniform(1.1 * low, 1.1 * high, (999, 2)), rng.uniform(inner_low, inner_high, (999, 2))])
        draw = draw[np.hypot(*(draw[:, None] - points).T).min(axis=0) > 0.3]
        sources = draw[rng.permutation(len(draw))[: arguments.sources]]
        expected, rays = counted(lens, critical, sources), traced(lens, centres, half, sources)
        in_caustic = np.array(winding(caustic, sources) != 0)
        in_cut = np.array(winding(cut, sources) != 0)
        for region in sorted({*zip(in_caustic.tolist(), in_cut.tolist(), expected.tolist(), strict=True)}):
            chosen = (in_caustic == region[0]) & (in_cut == region[1]) & (expected == region[2])
            words = f"{'inside' if region[0] else 'outside'} caustic, {'inside' if region[1] else 'outside'} cut"
            agree = int((rays[chosen] == expected[chosen]).sum())
            print(f"{name:18}{words:32}{region[2]:3} images: ray tracing agrees for {agree} of {chosen.sum()} sources")

    figure, panels = plt.subplots(3, 4, figsize=(13, 10), layout="constrained")
    for k, ((name, lens, _, half), parts) in enumerate(zip(lenses, lines_of, strict=True)):
        image_plane, source_plane = panels[k // 2, 2 * (k % 2) : 2 * (k % 2) + 2]
        drawn = _draw(image_plane, source_plane, lens, half, parts)
        image_plane.set_title(f"{name}: image plane", fontsize=10)
        source_plane.set_title("source plane", fontsize=10)
    figure.colorbar(drawn[0], ax=panels[:, :2], label="magnification |μ|", location="bottom", shrink=0.6, aspect=40, extend="both")
    bar = figure.colorbar(drawn[1], ax=panels[:, 2:], label="images of a source", location="bottom", shrink=0.6, aspect=40)
    bar.set_ticks(range(1, MOST + 1))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out, dpi=110)
    print(f"\n{arguments.out} written")


def _draw(image_plane: Axes, source_plane: Axes, lens: Lens, half: float, parts: tuple[list[np.ndarray], ...]) -> tuple:
    """Draws one lens's two planes; (map of the magnification, map of the number of images)."""
    critical, caustic, cut = parts
    shown = 0.85 * half
    along = np.linspace(-shown, shown, 400)
    magnification = 1.0 / np.maximum(np.abs(determinant(lens, along[None, :], along[:, None])), 1e-9)
    box = (-shown, shown, -shown, shown)
    below = image_plane.imshow(magnification, cmap="gray", norm=LogNorm(0.1, 30.0), extent=box, origin="lower")
    for curve in critical:
        image_plane.plot(*curve.T, color=CRITICAL, linewidth=1.6)
    points = np.concatenate([*caustic, *cut])
    middle, reach = 0.5 * (points.min(axis=0) + points.max(axis=0)), 0.58 * np.ptp(points, axis=0).max()
    steps = np.linspace(-reach, reach, 160)
    places = np.stack(np.meshgrid(middle[0] + steps, middle[1] + steps), axis=-1).reshape(-1, 2)
    number = counted(lens, critical, places).reshape(160, 160)
    box = (middle[0] - reach, middle[0] + reach, middle[1] - reach, middle[1] + reach)
    shades = ListedColormap(plt.get_cmap("Blues")(np.linspace(0.0, 0.85, MOST)))
    counts = source_plane.imshow(number, cmap=shades, norm=BoundaryNorm(np.arange(MOST + 1) + 0.5, MOST), extent=box, origin="lower")
    for line in caustic:
        small = np.ptp(line, axis=0).max() < 1e-3 * reach
        source_plane.plot(*(line[:1] if small else line).T, color=CAUSTIC, linewidth=1.6, marker="o" if small else "", markersize=4)
    for line in cut:
        source_plane.plot(*line.T, color=CAUSTIC, linewidth=1.4, linestyle="--")
    for panel in (image_plane, source_plane):
        panel.set_aspect("equal")
        panel.tick_params(labelsize=8)
        panel.set_xlabel("x [px]", fontsize=8, labelpad=1)
        panel.set_ylabel("y [px]", fontsize=8, labelpad=-2)
    return below, counts


if __name__ == "__main__":
    main()
