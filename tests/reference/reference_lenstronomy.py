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
    "EPL q=0.2 γ=1.5": [("EPL", [37.0, 0.2, 20.0, 1.5], 0.0, 0.0)],
    "EPL q=0.2 γ=2.5": [("EPL", [37.0, 0.2, 130.0, 2.5], 0.0, 0.0)],
    "EPL q=0.4 γ=1.8": [("EPL", [30.0, 0.4, 77.0, 1.8], 0.0, 0.0)],
    "EPL q=0.7 γ=2": [("EPL", [50.0, 0.7, 115.0, 2.0], 0.0, 0.0)],
    "EPL q=0.7 γ=2.2": [("EPL", [50.0, 0.7, 165.0, 2.2], 0.0, 0.0)],
    "EPL q=0.95 γ=2.5": [("EPL", [25.0, 0.95, 0.0, 2.5], 0.0, 0.0)],
    "EPL q=0.999 γ=1.5": [("EPL", [37.0, 0.999, 73.0, 1.5], 0.0, 0.0)],
    "NFW": [("NFW", [40.0, 12.0, 1.0, 0.0], 0.0, 0.0)],
    "NFW, large": [("NFW", [300.0, 90.0, 1.0, 0.0], 0.0, 0.0)],
    "NFW q=0.7": [("NFW", [40.0, 12.0, 0.7, 25.0], 0.0, 0.0)],
    "NFW, large, q=0.9": [("NFW", [250.0, 60.0, 0.9, 140.0], 0.0, 0.0)],
    "multipole of 3": [("MULTIPOLE", [1.7, 25.0, 3], 0.0, 0.0)],
    "multipole of 4": [("MULTIPOLE", [-2.1, 10.0, 4], 0.0, 0.0)],
    "shear": [("SHEAR", [0.11, -0.07], 0.0, 0.0)],
    "sheet": [("CONVERGENCE", [0.23], 0.0, 0.0)],
    "sum": [
        ("SIE", [30.0, 0.7, 40.0], -12.0, 8.0),
        ("SIS", [14.0], 41.0, -23.0),
        ("PM", [9.0], -5.0, -33.0),
        ("SHEAR", [0.05, 0.08], 0.0, 0.0),
        ("CONVERGENCE", [0.1], 0.0, 0.0),
    ],
    "galaxy": [
        ("EPL", [30.0, 0.7, 40.0, 2.15], -3.0, 2.0),
        ("MULTIPOLE", [0.8, 40.0, 4], -3.0, 2.0),
        ("NFW", [60.0, 9.0, 0.8, 60.0], 31.0, -23.0),
        ("SHEAR", [0.05, -0.03], 0.0, 0.0),
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
    if kind == "MULTIPOLE":
        strength, direction, order = numbers
        return kind, {"m": int(order), "a_m": strength, "phi_m": np.deg2rad(direction), "center_x": x, "center_y": y}
    if kind in ("EPL", "NFW"):
        first, second, q, phi = numbers if kind == "NFW" else (numbers[0], numbers[3], *numbers[1:3])
        angle, size = np.deg2rad(2.0 * phi), (1.0 - q) / (1.0 + q)
        names = ("Rs", "alpha_Rs") if kind == "NFW" else ("theta_E", "gamma")
        shape = {names[0]: first, names[1]: second, "center_x": x, "center_y": y}
        if kind == "NFW" and q == 1.0:
            return "NFW", shape
        return {"EPL": "EPL", "NFW": "NFW_ELLIPSE_POTENTIAL"}[kind], {**shape, "e1": size * np.cos(angle), "e2": size * np.sin(angle)}
    if kind == "SIE":
        theta_e, q, orientation = numbers
        phi = np.deg2rad(orientation + 90.0)
        size = (1.0 - q) / (1.0 + q)
        e = {"e1": size * np.cos(2.0 * phi), "e2": size * np.sin(2.0 * phi)}
        return "SIE", {"theta_E": theta_e, **e, "center_x": x, "center_y": y}
    return {"PM": "POINT_MASS", "SIS": "SIS"}[kind], {"theta_E": numbers[0], "center_x": x, "center_y": y}


def stretched_hessian(x: np.ndarray, y: np.ndarray, arguments: dict[str, float]) -> np.ndarray:
    """(4, N) ψ_xx, ψ_xy, ψ_yx, ψ_yy of NFW_ELLIPSE_POTENTIAL: that of the round NFW at stretched places; its own is by differences."""
    from lenstronomy.LensModel.Profiles.nfw import NFW
    from lenstronomy.Util.param_util import transform_e1e2_square_average

    centre = (arguments["center_x"], arguments["center_y"])
    u, v = transform_e1e2_square_average(x, y, arguments["e1"], arguments["e2"], *centre)
    corners = [np.array(transform_e1e2_square_average(*at, arguments["e1"], arguments["e2"], 0.0, 0.0)) for at in ((1.0, 0.0), (0.0, 1.0))]
    stretch = np.stack(corners, axis=-1)
    second = np.array(NFW().hessian(u, v, arguments["Rs"], arguments["alpha_Rs"])).reshape(2, 2, -1)
    return np.einsum("ai,abn,bj->ijn", stretch, second, stretch).reshape(4, -1)


def second(x: np.ndarray, y: np.ndarray, kind: str, arguments: dict[str, float]) -> np.ndarray:
    """(4, N) ψ_xx, ψ_xy, ψ_yx, ψ_yy of a part, exact."""
    from lenstronomy.LensModel.lens_model import LensModel

    if kind == "NFW_ELLIPSE_POTENTIAL":
        return stretched_hessian(x, y, arguments)
    # The Hessian of its SIE is computed by differences, accurate to 1e-4; that of the power law of the same slope is exact.
    same = {**arguments, "gamma": 2.0} if kind == "SIE" else arguments
    return np.array([np.broadcast_to(part, x.shape) for part in LensModel(["EPL" if kind == "SIE" else kind]).hessian(x, y, [same])])


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
        xx, xy, _, yy = sum(second(x, y, kind, own) for kind, own in zip(kinds, arguments, strict=True))
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
