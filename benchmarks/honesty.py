"""What estimates claim on images of other kinds than the problem's, and on its own.

    python benchmarks/honesty.py [--n 300] [--seed 0] [--part I/N] [--out results/honesty]

Draws images of sis2023 that are each altered in one way (a PSF, another lens, another light, sky, noise, a lossy file), and images
without any lens; then as many of the problem's own. All are 8-bit images of 400×400 pixels, estimated as `lensjax estimate` does. A
false claim is success True where a parameter of the truth is more than 6 stated errors off, or where there is no lens. Prints the counts
for each kind and writes OUT.csv, one row an image. --part 1/4 does a quarter of them, for several processes at once.
"""

import argparse
import io
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from lensjax import estimate, metrics, problems, simulate, trained
from lensjax.conventions import GREY_LEVELS
from lensjax.lens import SIE, SIS, PointMass, Shear, cluster
from lensjax.light.gaussian import elliptical
from lensjax.light.sersic import Sersic, sersic
from lensjax.observation.instrument import CentreOfLight, instrument
from lensjax.simulate import System

SIDE = 400
OFF = 6.0
INSTRUMENT = instrument((SIDE, SIDE), centring=CentreOfLight(canvas=1000))
COMPARED = ("x", "y", "einsteinR", "sigma", "sigma2", "theta")

Kind = Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, tuple[str, ...]]]
"""Parameters (6,) of sis2023 → an image (n, n) in grey levels, not rounded, and the parameters that the image shares with them."""


def _system(params: np.ndarray) -> System:
    problem = problems.get("sis2023")
    return problem.system(jnp.asarray(params, jnp.float32))


@jax.jit
def _picture(system: System) -> tuple[jax.Array, jax.Array]:
    centre = simulate.image_centre(system, INSTRUMENT)
    return GREY_LEVELS * simulate.image_about(system, INSTRUMENT, centre), centre


def _drawn(system: System) -> tuple[np.ndarray, np.ndarray]:
    image, centre = _picture(jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), system))
    return np.asarray(image, np.float64), np.asarray(centre, np.float64)


def _number(value: float) -> jax.Array:
    return jnp.asarray(value, jnp.float32)


def _sersic(sigma: float, sigma2: float, theta: float, n: float) -> Sersic:
    """Of half-light semi-axes; about as bright as a Gaussian where half its light lies."""
    light = sersic(*map(_number, (sigma, sigma2, theta, n)), luminosity=_number(1.0))
    return replace(light, peak=_number(0.5))


def _points() -> tuple[np.ndarray, np.ndarray]:
    return np.meshgrid(np.arange(SIDE) - SIDE / 2, SIDE / 2 - np.arange(SIDE))


def own(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    problem = problems.get("sis2023")
    with jax.enable_x64(True):
        return np.asarray(_exact(jnp.asarray(params))), problem.names


@jax.jit
def _exact(params: jax.Array) -> jax.Array:
    return problems.get("sis2023").render(params)


def psf(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    return ndimage.gaussian_filter(_drawn(_system(params))[0], rng.uniform(0.4, 3.0)), COMPARED


def other_lens(params: np.ndarray, lens: object) -> tuple[np.ndarray, tuple[str, ...]]:
    system = _system(params)
    return _drawn(System(lens=lens, source=system.source, x=system.x, y=system.y))[0], COMPARED  # type: ignore[arg-type]


def sie(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    angle = rng.uniform(0, np.pi)
    return other_lens(params, SIE(theta_e=_number(2 * params[2]), f=_number(rng.uniform(0.5, 0.97)), orientation=_number(angle)))


def shear(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    strength, angle = rng.uniform(0.01, 0.1), rng.uniform(0, 2 * np.pi)
    tide = Shear(gamma1=_number(strength * np.cos(angle)), gamma2=_number(strength * np.sin(angle)))
    return other_lens(params, cluster([(SIS(theta_e=_number(2 * params[2])), 0.0, 0.0), (tide, 0.0, 0.0)]))


def point_mass(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    return other_lens(params, PointMass(theta_e=_number(2 * params[2])))


def other_light(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    system = _system(params)
    light = _sersic(params[3], params[4], np.deg2rad(params[5]), rng.uniform(0.7, 4.0))
    return _drawn(System(lens=system.lens, source=light, x=system.x, y=system.y))[0], COMPARED[:3]


def sky(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    return _drawn(_system(params))[0] * 0.9 + rng.uniform(1.0, 25.0), COMPARED


def lens_light(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    image, centre = _drawn(_system(params))
    x, y = _points()
    radius = np.hypot(x + centre[0], y + centre[1])
    return image + rng.uniform(10, 200) * np.exp(-((radius / rng.uniform(3, 20)) ** 2) / 2), COMPARED


def jpeg(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    file = io.BytesIO()
    grey = np.clip(np.rint(_drawn(_system(params))[0]), 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(file, "JPEG", quality=int(rng.integers(50, 98)))
    return np.asarray(Image.open(file).convert("L"), np.float64), COMPARED


def noisy(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    image = _drawn(_system(params))[0]
    return image + rng.uniform(0.5, 10.0) * rng.standard_normal(image.shape), COMPARED


def fainter(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    return rng.uniform(0.3, 0.95) * _drawn(_system(params))[0], COMPARED


def ring(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    x, y = _points()
    q, width = rng.uniform(0.6, 1.0), rng.uniform(3, 15)
    return 255 * np.exp(-(((np.hypot(x, y / q) - rng.uniform(30, 120)) / width) ** 2) / 2), ()


def stars(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    x, y = _points()
    image, width = np.zeros((SIDE, SIDE)), rng.uniform(1, 6)
    for _ in range(rng.integers(1, 12)):
        place = rng.uniform(-120, 120, 2)
        image += rng.uniform(40, 255) * np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * width**2))
    return image, ()


def galaxy(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    x, y = _points()
    size = rng.uniform(8, 40)
    light = _sersic(size, size * rng.uniform(0.3, 1.0), rng.uniform(0, np.pi), rng.uniform(0.6, 4.0))
    disc = np.asarray(light.light(jnp.asarray(x), jnp.asarray(y)), np.float64)
    turn, radius = np.arctan2(y, x), np.hypot(x, y)
    arms = 1 + rng.choice([0.0, 0.5]) * np.cos(2 * turn - radius / rng.uniform(6, 15))
    return 255 * disc * arms / (disc * arms).max(), ()


def gaussian(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    x, y = _points()
    light = elliptical(_number(params[3]), _number(params[4]), _number(np.deg2rad(params[5])))
    place = rng.uniform(-60, 60, 2)
    return 255 * np.asarray(light.light(jnp.asarray(x - place[0]), jnp.asarray(y - place[1])), np.float64), ()


def noise(rng: np.random.Generator, params: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    return rng.uniform(0, 60) + rng.uniform(1, 40) * rng.standard_normal((SIDE, SIDE)), ()


OTHERS: dict[str, Kind] = {
    "PSF": psf, "SIE": sie, "shear": shear, "point mass": point_mass, "Sersic": other_light, "sky": sky, "lens light": lens_light,
    "JPEG": jpeg, "noisy": noisy, "fainter": fainter, "ring": ring, "stars": stars, "galaxy": galaxy, "Gaussian": gaussian, "noise": noise,
}  # fmt: skip


def main() -> None:
    """Draws, estimates, counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=300, help="images of other kinds, and of the problem's own (300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", default="1/1", metavar="I/N", help="the I-th of N parts (1/1)")
    parser.add_argument("--table", type=Path, nargs="*", help="count rows of these tables instead, which parts wrote")
    parser.add_argument("--out", type=Path, default=Path("results/honesty"), help="OUT.csv")
    flags = parser.parse_args()
    if flags.table:
        _print(pd.concat([pd.read_csv(path) for path in flags.table]))
        return
    part, parts = (int(number) for number in flags.part.split("/"))
    problem = problems.get("sis2023")
    estimator = trained.load(problem=problem.name)
    params = np.asarray(problem.sample(jax.random.key(flags.seed), 2 * flags.n), np.float64)
    tasks = [(("own", *OTHERS)[0 if k >= flags.n else 1 + k % len(OTHERS)], k) for k in range(2 * flags.n)]
    rows = []
    for kind, k in tqdm(tasks[part - 1 :: parts], unit="image"):
        rng = np.random.default_rng([flags.seed, k])
        image, shared = (own if kind == "own" else OTHERS[kind])(rng, params[k])
        image = np.clip(np.rint(image), 0, 255)
        began = time.perf_counter()
        _, outcome = next(iter(estimate.solve_each(problem, [estimate.Observation(image)], estimator=estimator)))
        solution = outcome.solution
        assert solution is not None
        error = metrics.symmetric_error(solution.params, params[k : k + 1], problem=problem)[0]
        z = np.abs(error) / np.where(solution.errors[0] > 0, solution.errors[0], 1e-300)
        worst = np.nanmax([z[problem.names.index(name)] for name in shared]) if shared else np.inf
        rows.append(
            {"index": k, "kind": kind, "success": bool(solution.success[0]), "fit": solution.kind[0], "worst z": worst,
             "seconds": time.perf_counter() - began, "status": solution.status[0]}
        )  # fmt: skip
    table = pd.DataFrame(rows)
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(flags.out.with_suffix(".csv"), index=False)
    _print(table)


def _print(table: pd.DataFrame) -> None:
    table = table.assign(false=table["success"] & (table["worst z"] > OFF))
    print(f"{'kind':12}{'images':>8}{'success':>9}{'false claims':>14}{'median s':>10}")
    for kind, rows in table.groupby("kind"):
        print(f"{kind:12}{len(rows):8}{rows['success'].mean():9.1%}{rows['false'].sum():14}{rows['seconds'].median():10.2f}")
    others, mine = table[table["kind"] != "own"], table[table["kind"] == "own"]
    print(f"other kinds: {others['false'].mean():.2%} false claims of {len(others)} images")
    print(f"own images:  {mine['success'].mean():.2%} success, {mine['false'].sum()} false claims, of {len(mine)} images")
    for row in table[table["false"]].itertuples():
        print(f"  false claim: image {row.index}, {row.kind}, {row[5]:.3g} errors off: {row.status}")


if __name__ == "__main__":
    main()
