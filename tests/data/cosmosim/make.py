"""Images of every kind from CosmoSim 3.3.0, with which `--lookup cosmosim` is compared.

    pip install CosmoSim==3.3.0            # in an environment of its own
    python tests/data/cosmosim/make.py

writes the images, dataset.csv, and roulette.csv with the amplitudes of those that are not centred, beside this file.
"""

import csv
import sys
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "reference"))

from cosmosim_set import COLUMNS, simulate  # noqa: E402

PLAIN = {
    "model": "Raytrace", "einsteinradius": 22.5, "ellipseratio": "", "orientation": "", "cluster": "", "source": "Spherical", "sigma": 9.3,
    "sigma2": 9.3, "theta": 0, "n_sersic": 1.7, "luminosity": 15, "x": 7.4, "y": -5.2, "nterms": 12, "imagesize": 144, "cropsize": 144,
    "centred": 0, "mask": 0,
}  # fmt: skip
TURNED = {"source": "Ellipsoid", "sigma": 11.2, "sigma2": 5.1, "theta": 33}
SIE = {"lens": "SIE", "ellipseratio": 0.55, "orientation": 68}
CLUSTER = {"lens": "Cluster", "cluster": "SIS/-12.5/3.25/17.5;SIE/14/-9.5/12/0.6/25;PointMass/20/28/5"}
ROULETTE = {"model": "Roulette", "mask": 1, "x": 14.6, "y": 9.2}

ROWS = [
    {"lens": "SIS"},
    {"lens": "SIS", **TURNED, "centred": 1, "x": -13.7},
    {"lens": "PM", "centred": 1, "cropsize": 96},
    {"lens": "PM", "source": "SersicSphere", "x": -9.1},
    {**SIE, "x": -4.3, "y": 11.8},
    {**SIE, **TURNED, "source": "SersicEllipsoid", "centred": 1, "cropsize": 101},
    CLUSTER,
    {**CLUSTER, **TURNED, "centred": 1, "x": -2.2},
    {"lens": "SIS", **ROULETTE},
    {"lens": "SIS", **ROULETTE, **TURNED, "centred": 1, "cropsize": 128},
    {"lens": "PM", **ROULETTE, **TURNED, "theta": 141.5},
    {"lens": "PM", **ROULETTE, "mask": 0, "x": 24.3, "nterms": 7},
    {**SIE, **ROULETTE, "nterms": 5, "centred": 1},
    {"lens": "SIE", "ellipseratio": 0.8, "orientation": 140, **ROULETTE, **TURNED, "nterms": 5},
    {"lens": "SIS", "source": "Triangle", "sigma": 19.5, "x": 6.1, "y": 3.3},
    {"lens": "PM", **ROULETTE, "source": "Triangle", "sigma": 16, "theta": 20, "centred": 1},
]  # fmt: skip


def main() -> None:
    """The program."""
    rows = [{"index": i, "filename": f"image-{i:02}.png", **PLAIN, **row} for i, row in enumerate(ROWS, start=1)]
    tables = []
    for row in rows:
        picture, data = simulate(row)
        if data and row["model"] == "Roulette":
            tables.append(data)
        picture = picture[..., ::-1] if picture.ndim == 3 else picture  # OpenCV's blue, green, red
        Image.fromarray(picture).save(HERE / row["filename"], optimize=True)
    headings = list(dict.fromkeys(name for data in tables for name in data))
    for name, table, columns in (("dataset.csv", rows, COLUMNS), ("roulette.csv", tables, headings)):
        with open(HERE / name, "w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval=0, lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    main()
