"""Writes tests/lens/lenstronomy_reference.json: potential, deflection and Hessian of lenstronomy's lenses.

`tests/lens/test_against_lenstronomy.py` compares LensJAX's lenses with it. Runs in an environment of its own:

    python3 -m venv lenstronomy && lenstronomy/bin/pip install lenstronomy==1.14.2
    lenstronomy/bin/python tests/reference/reference_lenstronomy.py [--out tests/lens/lenstronomy_reference.json]

Takes seconds. Prints the version and the number of models. The file has of each model its name, LensJAX's parameters, the place of each
part, and at POINTS points
(psi, alpha_x, alpha_y, psi_xx, psi_xy, psi_yy), rounded to 12 digits. The SIE of orientation o and axis ratio f is
lenstronomy's of q = f and φ = o + 90°, with the same θ_E; the Hessian is that of its EPL of slope 2.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np

POINTS = 40
DIGITS = 12
OUT = Path(__file__).parents[1] / "lens" / "lenstronomy_reference.json"

# name: parts, each (kind, LensJAX's parameters, x, y); lengths in px, angles in degrees.
MODELS: dict[str, list[tuple[str, list[float], float, float]]] = {
    "point mass": [("PM", [37.0], 0.0, 0.0)],
    "SIS": [("SIS", [37.0], 0.0, 0.0)],
    "SIE f=0.3": [("SIE", [37.0, 0.3, 20.0], 0.0, 0.0)],
    "SIE f=0.6": [("SIE", [50.0, 0.6, 115.0], 0.0, 0.0)],
    "SIE f=0.9": [("SIE", [25.0, 0.9, 0.0], 0.0, 0.0)],
    "SIE f=0.99": [("SIE", [37.0, 0.99, 73.0], 0.0, 0.0)],
    "shear": [("SHEAR", [0.11, -0.07], 0.0, 0.0)],
    "sheet": [("CONVERGENCE", [0.23], 0.0, 0.0)],
    "sum": [
        ("SIE", [30.0, 0.7, 40.0], -12.0, 8.0),
        ("SIS", [14.0], 41.0, -23.0),
        ("PM", [9.0], -5.0, -33.0),
        ("SHEAR", [0.05, 0.08], 0.0, 0.0),
        ("CONVERGENCE", [0.1], 0.0, 0.0),
    ],
}


def points() -> np.ndarray:
    """(2, POINTS): from 2 to 120 px from the origin, in all directions, two decimals."""
    k = np.arange(POINTS)
    radius, angle = 2.0 * 60.0 ** (k / (POINTS - 1)), 2.39996 * k + 0.3
    return np.round([radius * np.cos(angle), radius * np.sin(angle)], 2)


def theirs(kind: str, numbers: list[float], x: float, y: float) -> tuple[str, dict[str, float]]:
    """lenstronomy's name and arguments of a part."""
    if kind == "SHEAR":
        return "SHEAR", {"gamma1": numbers[0], "gamma2": numbers[1], "ra_0": x, "dec_0": y}
    if kind == "CONVERGENCE":
        return "CONVERGENCE", {"kappa": numbers[0], "ra_0": x, "dec_0": y}
    if kind == "SIE":
        theta_e, q, orientation = numbers
        phi = np.deg2rad(orientation + 90.0)
        size = (1.0 - q) / (1.0 + q)
        e = {"e1": size * np.cos(2.0 * phi), "e2": size * np.sin(2.0 * phi)}
        return "SIE", {"theta_E": theta_e, **e, "center_x": x, "center_y": y}
    return {"PM": "POINT_MASS", "SIS": "SIS"}[kind], {"theta_E": numbers[0], "center_x": x, "center_y": y}


def main() -> None:
    """Computes with lenstronomy, writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="file to write (default: %(default)s)")
    out = parser.parse_args().out

    import lenstronomy
    from lenstronomy.LensModel.lens_model import LensModel

    x, y = points()
    models = {}
    for name, parts in MODELS.items():
        kinds, arguments = zip(*(theirs(*part) for part in parts), strict=True)
        lens = LensModel(list(kinds))
        ax, ay = lens.alpha(x, y, list(arguments))
        # The Hessian of its SIE is computed by differences, accurate to 1e-4; that of the power law of the same slope is exact.
        same = [{**a, "gamma": 2.0} if k == "SIE" else a for k, a in zip(kinds, arguments, strict=True)]
        xx, xy, _, yy = LensModel(["EPL" if k == "SIE" else k for k in kinds]).hessian(x, y, same)
        values = {"psi": lens.potential(x, y, list(arguments)), "ax": ax, "ay": ay, "xx": xx, "xy": xy, "yy": yy}
        rounded = {key: [float(f"{v:.{DIGITS}g}") for v in np.broadcast_to(value, x.shape)] for key, value in values.items()}
        models[name] = {"parts": parts, **rounded}
    reference = {"lenstronomy": lenstronomy.__version__, "x": x.tolist(), "y": y.tolist(), "models": models}
    temporary = out.with_name(out.name + ".tmp")
    temporary.write_text(json.dumps(reference) + "\n")
    os.replace(temporary, out)
    print(f"lenstronomy {lenstronomy.__version__}: {len(models)} models at {POINTS} points in {out}")


if __name__ == "__main__":
    main()
