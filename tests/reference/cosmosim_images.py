"""Images of CosmoSim 3.3, to test LensJAX on images that it did not render itself.

Draws systems of the prior "sis2023" (SIS lens, elliptical Gaussian source), renders each with CosmoSim on a
1000×1000 canvas, moves the centre of light to the middle, crops, and writes DIR/image-0001.png ... and
DIR/dataset.csv. `einsteinR` in the table is the older, lens-plane radius for chi = 50 %; CosmoSim 3.3
receives θ_E = 2 einsteinR.

This script runs in an environment of its own and needs nothing of LensJAX:

    python3 -m venv cosmosim && cosmosim/bin/pip install CosmoSim==3.3.0
    cosmosim/bin/python tests/reference/cosmosim_images.py --out DIR [--n 30] [--seed 0] [--model Raytrace|Roulette]

Raytrace takes 0.1 s an image, Roulette (50 terms, dark outside the convergence ring) 4 s of one core.

With --check each picture is compared with an exact rendering by the short NumPy program below. CosmoSim looks
the source up at (floor x, ceil y) of each ray, half a pixel off on average: its pictures are those of a
source at (x + ½, y − ½).
"""

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from CosmoSim import Parameters
from CosmoSim.CLI.SimImage import SimImage
from PIL import Image

CHI_PERCENT = 50
CANVAS = 1000
TERMS = 50
LOOKUP_SHIFT = (0.5, -0.5)


@dataclass(frozen=True)
class Row:
    """One line of dataset.csv. Lengths in px, angles in degrees, chi in per cent."""

    filename: str
    index: int
    source: str
    lens: str
    chi: int
    R: int
    phi: int
    einsteinR: int
    sigma: int
    sigma2: int
    theta: int
    x: float
    y: float

    @property
    def theta_e(self) -> float:
        """Radius of the ring in the image [px]."""
        return 100.0 * self.einsteinR / self.chi


def draw(rng: np.random.Generator, index: int) -> Row:
    """One system of the prior sis2023: whole numbers, uniform, both ends included."""
    nearest = 26
    while True:
        einstein_r, distance = (int(rng.integers(a, b, endpoint=True)) for a, b in ((5, 50), (nearest, 200)))
        largest = int(0.4 - 0.05 * einstein_r + 0.282 * distance)
        if largest >= 5:
            break
        nearest = 28
    phi = int(rng.integers(0, 359, endpoint=True))
    sigma, sigma2 = (int(s) for s in rng.integers(5, largest, size=2, endpoint=True))
    return Row(
        filename=f"image-{index:04d}.png",
        index=index,
        source="e",
        lens="SIS",
        chi=CHI_PERCENT,
        R=distance,
        phi=phi,
        einsteinR=einstein_r,
        sigma=sigma,
        sigma2=sigma2,
        theta=int(rng.integers(0, 179, endpoint=True)),
        x=float(distance * np.cos(np.deg2rad(phi))),
        y=float(distance * np.sin(np.deg2rad(phi))),
    )


def cosmosim(row: Row, *, model: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """CosmoSim's picture of one system.

    Each image has new parameters with every value set: CosmoSim keeps the values that `setRow` set before,
    and has defaults for missing ones. The centre of light is taken on the canvas, before the crop.

    Returns:
        (picture, canvas): (size, size) and (1000, 1000), uint8, the canvas neither centred nor cropped.

    Raises:
        RuntimeError: if light reaches the edge of the canvas, so that some of it may be missing.
    """
    parameters = Parameters(
        {
            "simulator": {
                "model": model,
                "imagesize": CANVAS,
                "cropsize": size,
                "centred": True,
                "nterms": TERMS,
                "sampled": False,
            },
            "lens": {"mode": "SIS", "einsteinradius": row.theta_e},
            "source": {
                "mode": "Ellipsoid",
                "sigma": float(row.sigma),
                "sigma2": float(row.sigma2),
                "theta": float(row.theta),
            },
            "position": {"x": row.x, "y": row.y},
            "annotation": {"reflines": False},
            "management": {"mask": model == "Roulette", "filename": row.filename},
        }
    )
    simulation = SimImage(param=parameters, verbose=0)
    canvas = simulation.image
    if any(edge.any() for edge in (canvas[0], canvas[-1], canvas[:, 0], canvas[:, -1])):
        raise RuntimeError(f"{row.filename}: light at the edge of the {CANVAS}×{CANVAS} canvas")
    return simulation.getImage(verbose=0), canvas.copy()


def isothermal_series(w: np.ndarray) -> np.ndarray:
    """Terms of degree 1...TERMS of (1 + w)^½ (1 + w̄)^−½, added up; w complex, |w| ≤ 1.

    That is (1 + w) / |1 + w|, and 1 / |1 + w| generates |w|^k P_k(−cos arg w), P_k the Legendre polynomials.
    """
    u, v = w.real, np.abs(w) ** 2
    before, now = np.ones_like(u), -u
    total = now + w
    for k in range(2, TERMS + 1):
        before, now = now, -((2 * k - 1) * u * now + (k - 1) * v * before) / k
        total = total + now + w * before
    return total


def exact_light(row: Row, points: np.ndarray, *, model: str, shift: tuple[float, float]) -> np.ndarray:
    """Grey levels, not rounded, at complex image-plane points [px]; `shift` [px] moves the source."""
    eta = complex(row.x, row.y)
    if model == "Raytrace":
        radius = np.abs(points)
        offset = points - row.theta_e * points / np.where(radius > 0, radius, 1.0) - eta
        kept = radius > 0
    else:
        direction = eta / abs(eta)
        xi = eta + row.theta_e * direction
        kept = np.abs(points - xi) <= abs(xi)
        delta = np.where(kept, points - xi, 0.0)
        offset = delta - row.theta_e * direction * isothermal_series(delta / xi)
    along = (offset - complex(*shift)) * np.exp(-1j * np.deg2rad(row.theta))
    return kept * 255.0 * np.exp(-0.5 * ((along.real / row.sigma) ** 2 + (along.imag / row.sigma2) ** 2))


def lattice(size: int, stride: int = 1) -> np.ndarray:
    """The points of a size×size image's pixels, x right and y up, as complex numbers."""
    along = np.arange(0, size, stride) - size / 2
    return along[None, :] - 1j * along[:, None]


def centred(row: Row, *, model: str, size: int, shift: tuple[float, float], move: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """The centred picture, no source grid, nothing rounded; `move` [px] moves the finished picture."""
    canvas = lattice(CANVAS, stride=2)
    light = exact_light(row, canvas, model=model, shift=shift)
    centre = (light * canvas).sum() / light.sum()
    return exact_light(row, lattice(size) + centre - complex(*move), model=model, shift=shift)


def fit(picture: np.ndarray, render: Callable[[np.ndarray], np.ndarray], *, rounds: int = 4) -> np.ndarray:
    """The two numbers for which render(numbers) fits the picture best, by Gauss–Newton from (0, 0)."""
    numbers, step = np.zeros(2), 0.05
    for _ in range(rounds):
        columns = [(render(numbers + e) - render(numbers - e)).ravel() / (2 * step) for e in step * np.eye(2)]
        residual = (picture - render(numbers)).ravel()
        numbers = numbers + np.linalg.lstsq(np.stack(columns, axis=1), residual, rcond=None)[0]
    return numbers


SHIFTS = {"as given": (0.0, 0.0), "(+½, −½)": LOOKUP_SHIFT, "(−½, +½)": (-LOOKUP_SHIFT[0], -LOOKUP_SHIFT[1])}
COLUMNS = (
    *(f"canvas {name}" for name in SHIFTS),
    "source dx",
    "source dy",
    *(f"picture {name}" for name in SHIFTS),
    "picture dx",
    "picture dy",
)
EXPLANATION = """\
canvas, picture       mean |CosmoSim − exact| [grey levels] over lit pixels, before and after centring,
                      the source as given and moved by (dx, dy) px
source dx, dy         move of the source that brings the exact canvas nearest to CosmoSim's [px]
picture dx, dy        move of the whole centred picture, source as given, that does [px]
"""


def compare(row: Row, picture: np.ndarray, canvas: np.ndarray, *, model: str) -> list[float]:
    """One line of the table of --check, see `EXPLANATION`; every second row and column of the canvas."""
    picture, canvas = picture.astype(float), canvas[::2, ::2].astype(float)
    points = lattice(CANVAS, stride=2)

    def on_canvas(shift: tuple[float, float]) -> np.ndarray:
        return exact_light(row, points, model=model, shift=shift)

    def in_picture(shift: tuple[float, float], move: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
        return centred(row, model=model, size=len(picture), shift=shift, move=move)

    def differences(observed: np.ndarray, render: Callable[[tuple[float, float]], np.ndarray]) -> list[float]:
        lit = (observed > 0) | (render((0.0, 0.0)) > 0.5)
        return [float(np.abs(render(shift) - observed)[lit].mean()) for shift in SHIFTS.values()]

    return [
        *differences(canvas, on_canvas),
        *fit(canvas, lambda p: on_canvas((p[0], p[1]))),
        *differences(picture, in_picture),
        *fit(picture, lambda p: in_picture((0.0, 0.0), (p[0], p[1]))),
    ]


def line(name: str | int, numbers: Iterable[float]) -> str:
    """One line of the table of --check."""
    cells = (f"{number:{len(column)}.3f}" for number, column in zip(numbers, COLUMNS, strict=True))
    return "  ".join((f"{name:>6}", *cells))


def images(rng: np.random.Generator, n: int, *, model: str, size: int) -> Iterator[tuple[Row, np.ndarray, np.ndarray]]:
    """n systems, with CosmoSim's pictures and canvases."""
    for index in range(1, n + 1):
        row = draw(rng, index)
        yield row, *cosmosim(row, model=model, size=size)


def replace(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under a temporary name beside it, then rename it."""
    temporary = path.with_name(path.name + ".tmp")
    write(temporary)
    os.replace(temporary, path)


def write_table(path: Path, rows: list[Row]) -> None:
    """dataset.csv."""
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Row)])
        table.writeheader()
        table.writerows(asdict(row) for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the images and dataset.csv")
    parser.add_argument("--n", type=int, default=30, help="number of images (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all randomness (%(default)s)")
    parser.add_argument("--model", choices=("Raytrace", "Roulette"), default="Raytrace")
    parser.add_argument("--size", type=int, default=400, help="side of the images, even (%(default)s)")
    parser.add_argument("--check", action="store_true", help="compare with an exact rendering; a table")
    args = parser.parse_args()
    if args.n < 1:
        parser.error(f"--n: the value is {args.n}; expected 1 or more")
    if args.size % 2 or not 2 <= args.size <= CANVAS:
        parser.error(f"--size: the value is {args.size}; expected an even number from 2 to {CANVAS}")

    args.out.mkdir(parents=True, exist_ok=True)
    rows, table = [], []
    if args.check:
        print(EXPLANATION)
        print("  ".join(("index ", *COLUMNS)))
    rng = np.random.default_rng(args.seed)
    for row, picture, canvas in images(rng, args.n, model=args.model, size=args.size):
        replace(args.out / row.filename, lambda path, p=picture: Image.fromarray(p).save(path, format="png"))
        rows.append(row)
        if args.check:
            table.append(compare(row, picture, canvas, model=args.model))
            print(line(row.index, table[-1]), flush=True)
    replace(args.out / "dataset.csv", lambda path: write_table(path, rows))
    if args.check:
        for name, of in (("mean", np.mean), ("median", np.median), ("std", np.std)):
            print(line(name, of(table, axis=0)))
    print(f"{len(rows)} images in {args.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
