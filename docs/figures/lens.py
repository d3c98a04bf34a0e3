"""docs/lens.gif: a source crosses the caustics of an elliptical lens, and its images appear, merge and vanish.

    python docs/figures/lens.py [--frames 56] [--out docs/lens.gif]

Left the source plane with the caustic (where images merge in pairs) and the cut (where one vanishes in the lens's centre), right what is
seen, with the critical curve. Every frame is rendered by `lensjax.simulate.image`.
"""

import argparse
from pathlib import Path

import jax
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from lensjax import SIE, System, caustics, critical_curves, elliptical, instrument, simulate
from lensjax.lens.curves import cuts

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

LENS = SIE(theta_e=40.0, f=0.55, orientation=0.6)
FIELD, SOURCE_FIELD = 206, 136
"""Sides of what the two panels show [px]."""

INK, CUT = "#58b7ff", "#ffb454"
COLOURS = 96


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=56, metavar="N", help="frames (56)")
    parser.add_argument("--out", type=Path, default=Path("docs/lens.gif"), metavar="FILE", help="docs/lens.gif")
    options = parser.parse_args()
    pictures = [frame(*place) for place in path(options.frames)]
    save(pictures, options.out)
    print(f"{options.out}: {len(pictures)} frames, {options.out.stat().st_size / 1e6:.2f} MB")


def path(count: int) -> NDArray[np.float64]:
    """(count, 2) places of the source [px], a closed curve: in over the cut, twice through the caustic, and slower there."""
    even = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    along = even + 0.35 * np.sin(2.0 * even)
    x, y = 57.0 * np.cos(along), 7.0 * np.sin(along) + 5.0 * np.sin(2.0 * along)
    return np.stack([x * np.cos(0.3) - y * np.sin(0.3), x * np.sin(0.3) + y * np.cos(0.3)], axis=1)


@jax.jit
def rendered(x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The source without a lens, and what is seen, both 0…1."""
    light = elliptical(sigma=4.0, sigma2=2.8, theta=0.6)
    bare, lensed = (System(lens, light, x=x, y=y) for lens in (SIE(theta_e=0.0, f=1.0, orientation=0.0), LENS))
    sides = ((bare, SOURCE_FIELD), (lensed, FIELD))
    first, second = (simulate.image(system, instrument((side, side), supersampling=2)) for system, side in sides)
    return first, second


def frame(x: float, y: float) -> Image.Image:
    """One frame."""
    critical = critical_curves(LENS, half=FIELD / 2)
    panels = ((SOURCE_FIELD, "source plane", caustics(LENS, critical), cuts(LENS)), (FIELD, "image", critical, []))
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.35), dpi=100, facecolor="black")
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.91, wspace=0.02)
    for panel, light, (side, title, lines, dashed) in zip(axes, rendered(x, y), panels, strict=True):
        draw(panel, np.asarray(light), side, title)
        for line in lines:
            panel.plot(*line.T, color=INK, linewidth=1.1)
        for line in dashed:
            panel.plot(*line.T, color=CUT, linewidth=1.0, linestyle=(0, (4, 3)))
    figure.canvas.draw()
    taken = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    plt.close(figure)
    return taken


def draw(axes: Axes, light: NDArray[np.float32], side: int, title: str) -> None:
    """The light of a panel."""
    half = side / 2
    axes.imshow(
        light, cmap="inferno", vmin=0.0, vmax=1.0, extent=(-half - 0.5, half - 0.5, -half + 0.5, half + 0.5), interpolation="bilinear"
    )
    axes.set(xlim=(-half, half), ylim=(-half, half))
    axes.set_title(title, color="white", fontsize=11)
    axes.axis("off")


def save(pictures: list[Image.Image], path: Path) -> None:
    """An endless GIF with one palette for all frames."""
    strip = Image.new("RGB", (pictures[0].width, pictures[0].height * len(pictures)))
    for k, picture in enumerate(pictures):
        strip.paste(picture, (0, k * picture.height))
    palette = strip.quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=90, loop=0, optimize=False)


if __name__ == "__main__":
    main()
