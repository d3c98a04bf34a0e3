"""The images of Dinos-I (Tan et al. 2024, arXiv:2311.09307) as real_lenses.py reads them.

    git clone https://github.com/Project-Dinos/dinos-i
    pip install h5py
    python benchmarks/dinos_images.py dinos-i DIR [--without NAME ...]
    python benchmarks/real_lenses.py DIR --out results/dinos

Writes NAME_BAND.npz for each of the 77 lenses, in the band whose fit was published: image, noise from the sky's and the photons', PSF,
the matrix from pixels to arcseconds, and the published Einstein radius. These are raw images, lens galaxies included.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SURVEYS = ("SLACS", "BELLS", "SL2S")


def published(repository: Path) -> dict[str, dict[str, Any]]:
    """Survey and Einstein radius [arcsec] by lens."""
    found = {}
    for survey in SURVEYS:
        with (repository / f"3_model_parameters/Data/{survey}_mass_params.csv").open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                found[row["Lens_name"]] = {"name": row["Lens_name"], "survey": survey, "theta_E": float(row["R_Ein"])}
    return found


def arrays(repository: Path, name: str, band: str) -> dict[str, np.ndarray]:
    """What is known of a lens's image in a band."""
    folder = repository / "2_dolphin_modelling/data" / name
    with h5py.File(folder / f"image_{name}_{band}.h5") as file:
        image = np.asarray(file["image_data"], np.float64)
        variance = np.asarray(file["background_rms"]) ** 2 + np.maximum(image, 0.0) / np.asarray(file["exposure_time"])
        matrix = np.asarray(file["transform_pix2angle"], np.float64)
    with h5py.File(folder / f"psf_{name}_{band}.h5") as file:
        psf = np.asarray(file["kernel_point_source"], np.float64)
    return {"image": image, "noise": np.sqrt(variance), "psf": psf, "transform_pix2angle": matrix}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--without", nargs="+", metavar="NAME", default=(), help="lenses to leave out")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    known = published(arguments.repository)
    fitted = (arguments.repository / "3_model_parameters/pkl_files").glob("image_*")
    pairs = sorted(path.name.removeprefix("image_").split(".")[0].rsplit("_", 1) for path in fitted)
    wanted = [(name, band) for name, band in pairs if name not in arguments.without]
    for name, band in wanted:
        np.savez(arguments.folder / f"{name}_{band}.npz", **arrays(arguments.repository, name, band), params=json.dumps(known[name]))
    print(f"{len(wanted)} images in {arguments.folder}")


if __name__ == "__main__":
    main()
