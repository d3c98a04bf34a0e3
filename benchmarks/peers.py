"""Other simulators as functions of plain numbers, for `benchmark_render.py`, in an environment where they are installed.

    python3 -m venv peers && peers/bin/pip install torch==2.13.0 && peers/bin/pip install -r requirements.lock
    peers/bin/pip install -e . CosmoSim==3.3.0 lenstronomy jaxtronomy caustics

All render SIS or SIE and an elliptical Gaussian (caustics: a Sérsic profile of index ½, which is one), without PSF, in float32
where they can. A row of parameters is (x, y, θ_E, f, orientation, σ, axis ratio of the source, its direction): those of an SIS leave
f and orientation unused.
"""

import importlib.util
import os
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.observation.grid import pixel_points

Image = Callable[[Array], Array]


def installed(name: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(name) is not None


def _points(size: int) -> tuple[Array, Array]:
    x, y = pixel_points(size, size)
    return tuple(jnp.broadcast_to(axis, (size, size)) for axis in (x, y))


def _ellipticity(ratio: Array, angle: Array) -> tuple[Array, Array]:
    """(e1, e2) of the lenstronomy family."""
    e = (1 - ratio) / (1 + ratio)
    return e * jnp.cos(2 * angle), e * jnp.sin(2 * angle)


def jaxtronomy(lens: str, size: int) -> Image:
    """JAXtronomy's image of one row of parameters."""
    from jaxtronomy.LensModel.lens_model import LensModel
    from jaxtronomy.LightModel.light_model import LightModel

    mass, light = LensModel([lens]), LightModel(["GAUSSIAN_ELLIPSE"])
    x, y = (axis.reshape(-1) for axis in _points(size))

    def image(row: Array) -> Array:
        ring = {"theta_E": row[2], "center_x": 0.0, "center_y": 0.0}
        if lens == "SIE":
            ring["e1"], ring["e2"] = _ellipticity(row[3], row[4] + jnp.pi / 2)
        bx, by = mass.ray_shooting(x, y, [ring])
        e1, e2 = _ellipticity(row[6], row[7])
        blob = {"amp": 2e4 * jnp.pi, "sigma": row[5], "e1": e1, "e2": e2, "center_x": row[0], "center_y": row[1]}
        return light.surface_brightness(bx, by, [blob]).reshape(size, size)

    return image


def caustics(lens: str, size: int) -> Image:
    """caustics' image (its JAX back end) of one row of parameters; sets CASKADE_BACKEND=jax before the first import."""
    os.environ["CASKADE_BACKEND"] = "jax"
    import caustics as package
    from caskade import forward

    cosmology = package.FlatLambdaCDM(name="cosmology")
    places = {"x0": 0.0, "y0": 0.0, "z_l": 0.5, "z_s": 1.0}
    mass = (package.SIE if lens == "SIE" else package.SIS)(name="lens", cosmology=cosmology, **places)
    light = package.Sersic(name="source", n=0.5, Ie=127.5)
    x, y = _points(size)

    class Model(package.Module):
        def __init__(self) -> None:
            super().__init__("model")
            self.mass, self.light = mass, light

        @forward
        def image(self) -> Array:
            return self.light.brightness(*self.mass.raytrace(x, y))

    model = Model()
    for part, names in ((mass, ("q", "phi", "Rein") if lens == "SIE" else ("Rein",)), (light, ("x0", "y0", "q", "phi", "Re"))):
        for name in names:
            getattr(part, name).to_dynamic()

    def image(row: Array) -> Array:
        blob = {"x0": row[0], "y0": row[1], "q": row[6], "phi": row[7], "Re": 1.1774 * row[5]}
        ring = {"Rein": row[2]} | ({"q": row[3], "phi": row[4] + jnp.pi / 2} if lens == "SIE" else {})
        return model.image({"mass": ring, "light": blob})

    return image


def lenstronomy(lens: str, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """lenstronomy's image (numpy, float64) of one row of parameters."""
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.LightModel.light_model import LightModel

    mass, light = LensModel([lens]), LightModel(["GAUSSIAN_ELLIPSE"])
    x, y = (np.asarray(axis, float).reshape(-1) for axis in _points(size))

    def image(row: np.ndarray) -> np.ndarray:
        def ellipticity(ratio: float, angle: float) -> tuple[float, float]:
            e = (1 - ratio) / (1 + ratio)
            return e * np.cos(2 * angle), e * np.sin(2 * angle)

        ring = {"theta_E": row[2], "center_x": 0.0, "center_y": 0.0}
        if lens == "SIE":
            ring["e1"], ring["e2"] = ellipticity(row[3], row[4] + np.pi / 2)
        bx, by = mass.ray_shooting(x, y, [ring])
        e1, e2 = ellipticity(row[6], row[7])
        blob = {"amp": 2e4 * np.pi, "sigma": row[5], "e1": e1, "e2": e2, "center_x": row[0], "center_y": row[1]}
        return light.surface_brightness(bx, by, [blob]).reshape(size, size)

    return image


def cosmosim(lens: str, model: str, terms: int, size: int) -> Image:
    """CosmoSim's image (8 bit) of one row of parameters; `lens` PM, SIS or SIE, `model` Raytrace or Roulette."""
    from CosmoSim import Parameters
    from CosmoSim.CLI.SimImage import SimImage

    def image(row: np.ndarray) -> np.ndarray:
        x, y, theta_e, ratio, orientation, sigma, narrow, direction = (float(value) for value in row)
        mass = {"mode": lens, "einsteinradius": theta_e}
        if lens == "SIE":
            mass |= {"ellipseratio": ratio, "orientation": np.rad2deg(orientation)}
        blob = {"mode": "Ellipsoid", "sigma": sigma, "sigma2": sigma * narrow, "theta": np.rad2deg(direction)}
        parameters = Parameters(
            {
                "simulator": {"model": model, "imagesize": size, "nterms": terms, "centred": False, "sampled": False},
                "lens": mass,
                "source": blob,
                "position": {"x": x, "y": y},
                "annotation": {"reflines": False},
                "management": {"mask": False, "filename": "image.png"},
            }
        )
        return SimImage(param=parameters, verbose=0).getImage(verbose=0)

    return image


def tally() -> str:
    """Names and versions of the installed simulators."""
    from importlib.metadata import version

    names = ("CosmoSim", "lenstronomy", "jaxtronomy", "caustics")
    return ", ".join(f"{name} {version(name)}" for name in names if installed(name))
