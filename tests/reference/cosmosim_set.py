"""Images of every kind that CosmoSim 3.3.0 renders, for comparison.

    pip install CosmoSim==3.3.0            # in an environment of its own
    python tests/reference/cosmosim_set.py --out DIR [--n 48] [--seed 0] [--size 400]
    lensjax simulate --csv DIR/dataset.csv --out OURS --lookup cosmosim
    lensjax compare DIR OURS

writes DIR/image-000001.png ..., dataset.csv with the columns that CosmoSim reads, and roulette.csv with its amplitudes (point mass, SIS
and SIE alone: those of clusters are wrong there).
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from CosmoSim import Parameters
from CosmoSim.CLI.SimImage import SimImage
from PIL import Image

KINDS = [
    (lens, model, source)
    for lens, model in (
        ("SIS", "Raytrace"), ("PM", "Raytrace"), ("SIE", "Raytrace"), ("Cluster", "Raytrace"),
        ("SIS", "Roulette"), ("PM", "Roulette"), ("SIE", "Roulette"),
    )
    for source in ("Spherical", "Ellipsoid", "SersicSphere", "SersicEllipsoid")
]  # fmt: skip

COLUMNS = [
    "index", "filename", "model", "lens", "einsteinradius", "ellipseratio", "orientation", "cluster", "source", "sigma", "sigma2", "theta",
    "n_sersic", "luminosity", "x", "y", "nterms", "imagesize", "cropsize", "centred", "mask",
]  # fmt: skip


def draw(rng: np.random.Generator, index: int, size: int) -> dict[str, object]:
    """One row."""
    lens, model, source = KINDS[index % len(KINDS)]
    theta_e = round(float(rng.uniform(15, 50)), 2)
    distance, phi = rng.uniform(10, 60), rng.uniform(0, 2 * np.pi)
    row = {
        "index": index + 1,
        "filename": f"image-{index + 1:06d}.png",
        "model": model,
        "lens": lens,
        "einsteinradius": theta_e,
        "ellipseratio": round(float(rng.uniform(0.4, 0.95)), 3) if lens == "SIE" else "",
        "orientation": round(float(rng.uniform(0, 179)), 1) if lens == "SIE" else "",
        "cluster": "",
        "source": source,
        "sigma": round(float(rng.uniform(5, 25)), 2),
        "sigma2": round(float(rng.uniform(5, 25)), 2),
        "theta": round(float(rng.uniform(0, 179)), 1) if source.endswith("Ellipsoid") else 0,
        "n_sersic": round(float(rng.uniform(1, 4)), 2),
        "luminosity": round(float(rng.uniform(5, 15)), 2),
        "x": round(float(distance * np.cos(phi)), 2),
        "y": round(float(distance * np.sin(phi)), 2),
        "nterms": 5 if lens == "SIE" else 16,
        "imagesize": size,
        "cropsize": size // 2 if index % 3 == 1 else size,
        "centred": int(index % 2),
        "mask": int(model == "Roulette"),
    }
    if lens == "Cluster":
        row["cluster"] = (
            f"SIS/{rng.uniform(-40, 40):.2f}/{rng.uniform(-40, 40):.2f}/{theta_e};"
            f"SIE/{rng.uniform(-40, 40):.2f}/{rng.uniform(-40, 40):.2f}/{0.7 * theta_e:.2f}/0.6/{rng.uniform(0, 179):.1f}"
        )
    return row


def simulate(row: dict[str, object]) -> tuple[np.ndarray, dict]:
    """CosmoSim's image and its amplitudes; the parameters are new, since CosmoSim keeps those of the row before."""
    simulator = {
        "model": row["model"],
        "imagesize": row["imagesize"],
        "centred": bool(row["centred"]),
        "nterms": row["nterms"],
        "sampled": False,
    }
    if row["cropsize"] != row["imagesize"]:
        simulator["cropsize"] = row["cropsize"]
    lens = {"mode": row["lens"], "einsteinradius": row["einsteinradius"]}
    if row["lens"] == "SIE":
        lens |= {"ellipseratio": row["ellipseratio"], "orientation": row["orientation"]}
    if row["lens"] == "Cluster":
        lens = {"mode": "Cluster", "cluster": row["cluster"]}
    sources = ("sigma", "sigma2", "theta", "n_sersic", "luminosity")
    parameters = Parameters(
        {
            "simulator": simulator,
            "lens": lens,
            "source": {"mode": row["source"], **{name: float(row[name]) for name in sources}},
            "position": {"x": row["x"], "y": row["y"]},
            "annotation": {"reflines": False},
            "management": {"mask": bool(row["mask"]), "filename": row["filename"]},
        }
    )
    image = SimImage(param=parameters, verbose=0)
    picture = image.getImage(verbose=0)
    data = {}
    if row["lens"] != "Cluster" and not row["centred"]:
        data = dict(image.getData())
    return picture, data


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=len(KINDS) * 2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=400, help="side of the canvas [px]")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    rows, tables = [], []
    for index in range(options.n):
        row = draw(rng, index, options.size)
        picture, data = simulate(row)
        Image.fromarray(picture).save(options.out / row["filename"])
        rows.append(row)
        if data:
            tables.append({"filename": row["filename"], **data})
        print(f"{index + 1} of {options.n}: {row['lens']} {row['model']} {row['source']}", flush=True)
    for name, table in (("dataset.csv", rows), ("roulette.csv", tables)):
        columns = COLUMNS if name == "dataset.csv" else list(dict.fromkeys(key for row in table for key in row))
        with open(options.out / name, "w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval=0)
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    main()
