"""LensJAX: differentiable gravitational lensing, from images of lensed galaxies to the lens and source behind them.

The names in `__all__` are the public ones. Each is imported when it is first used, so that `import lensjax` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from lensjax._internal import compiled

if TYPE_CHECKING:
    from lensjax import conventions, estimate, lens, light, metrics, models, problems, roulette, simulate, train, trained
    from lensjax.errors import BadInput
    from lensjax.estimate import Observation
    from lensjax.infer import Solution
    from lensjax.lens import EPL, NFW, SIE, SIS, Cluster, Multipole, PointMass, Sampled, Shear, Sheet, cluster, epl, sampled
    from lensjax.lens.curves import caustics, critical_curves
    from lensjax.light import Constellation, Gaussian, MultiGaussian, Picture, Pixels, Sersic, Shapelets, Triangle, constellation, sersic
    from lensjax.light.gaussian import elliptical, spherical
    from lensjax.observation.instrument import CentreOfLight, Instrument, instrument
    from lensjax.problems import Problem
    from lensjax.roulette import amplitudes, expansion
    from lensjax.simulate import System, Trace
    from lensjax.train import TrainConfig
    from lensjax.trained import Estimator

__version__ = "0.1.0"

_MODULES = ("conventions", "estimate", "lens", "light", "metrics", "models", "problems", "roulette", "simulate", "train", "trained")
_PLACES = {
    "lensjax.errors": ("BadInput",),
    "lensjax.estimate": ("Observation",),
    "lensjax.lens": (
        "EPL",
        "NFW",
        "SIE",
        "SIS",
        "Cluster",
        "Multipole",
        "PointMass",
        "Sampled",
        "Shear",
        "Sheet",
        "cluster",
        "epl",
        "sampled",
    ),
    "lensjax.lens.curves": ("caustics", "critical_curves"),
    "lensjax.problems": ("Problem",),
    "lensjax.infer": ("Solution",),
    "lensjax.observation.instrument": ("CentreOfLight", "Instrument", "instrument"),
    "lensjax.roulette": ("amplitudes", "expansion"),
    "lensjax.simulate": ("System", "Trace"),
    "lensjax.light": (
        "Constellation",
        "Gaussian",
        "MultiGaussian",
        "Picture",
        "Pixels",
        "Sersic",
        "Shapelets",
        "Triangle",
        "constellation",
        "sersic",
    ),
    "lensjax.light.gaussian": ("elliptical", "spherical"),
    "lensjax.train": ("TrainConfig",),
    "lensjax.trained": ("Estimator",),
}
"""In which module each public name stands, besides the modules themselves."""
_PLACE = {name: place for place, names in _PLACES.items() for name in names}

__all__ = [
    "EPL", "NFW", "SIE", "SIS", "BadInput", "CentreOfLight", "Cluster", "Constellation", "Estimator", "Gaussian", "Instrument",
    "MultiGaussian", "Multipole", "Observation", "Picture", "Pixels", "PointMass", "Problem", "Sampled", "Sersic", "Shapelets", "Shear",
    "Sheet", "Solution", "System", "Trace", "TrainConfig", "Triangle", "__version__", "amplitudes", "caustics", "cluster", "constellation",
    "conventions", "critical_curves", "elliptical", "epl", "estimate", "expansion", "instrument", "lens", "light", "metrics", "models",
    "problems", "roulette", "sampled", "sersic", "simulate", "spherical", "train", "trained",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """A public name that has not been used yet (PEP 562)."""
    if name in _MODULES:
        return import_module(f"lensjax.{name}")
    if name not in _PLACE:
        raise AttributeError(f"module 'lensjax' has no attribute {name!r}")
    value = getattr(import_module(_PLACE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


compiled.switch_off_unsafe_fusions()
