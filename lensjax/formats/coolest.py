"""Lens models as COOLEST files (Galan et al. 2023, JOSS 8, 5567), written by us: a JSON file, and FITS files beside it.

COOLEST's conventions: arcseconds; x to the right and y up, along the image's axes, about the image's middle, since its readers take it
for the origin; angles counter-clockwise from +y,
in (−90°, 90°], so φ_C = φ − 90°; radii of ellipses are √(a b), those of the intermediate axis. θ_E of an SIE is then that of its
convergence κ = θ_E/(2 √(q x² + y²/q)), x along the mass's long axis: the radius of the circle with the area inside the critical curve,
ours. An SIS is an SIE of q = 1. Shear about the origin has strength γ and the direction ½ atan2(γ₂, γ₁) from +x.

COOLEST's Sérsic has b = 1.9992 n − 0.3271, which is not quite the b of the half-light radius: θ_eff and I_eff are written such that the
light is the same, θ_eff = R (b_C/b)ⁿ and I_eff = I_e e^{b − b_C}. A Gaussian is a Sérsic of n = ½. Light is in the data's unit per arcsec².
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.errors import BadInput
from lensjax.files import fits
from lensjax.files.whole import write_text
from lensjax.infer.solution import Solution
from lensjax.lens import SIE, SIS, Shear
from lensjax.light.gaussian import Gaussian
from lensjax.light.sersic import Sersic
from lensjax.observation.instrument import Instrument
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.sky import SkyImage, header_about, position_angle
from lensjax.problems.compose import Composition

_INDEX = (0.5, 10.0)  # of COOLEST's Sérsic
_ORDER = {"lens": 0.5, "lens light": 0.5, "source": 1.0}  # hypothetical redshifts, which order the planes
_ROUNDING = 1e-9  # part of a row of a Jacobian that is nothing but rounding
_TINY = 1e-24  # of the square of an ellipticity, below which a form is round


@register
@dataclass(frozen=True)
class Profile:
    """A COOLEST profile; a tree of its values.

    Attributes:
        role: "lens", "lens light" or "source".
        kind: "SIE", "ExternalShear" or "Sersic".
        values: its parameters by COOLEST's names.
        fixed: names of those that the problem does not have.
    """

    role: str = field(metadata={"static": True})
    kind: str = field(metadata={"static": True})
    values: dict[str, Array]
    fixed: tuple[str, ...] = field(default=(), metadata={"static": True})


def profiles(problem: Composition, params: Array, *, pixel_scale: float, middle: tuple[float, float] = (0.0, 0.0)) -> list[Profile]:
    """The components of parameters (P,), fluxes in the data's unit, as COOLEST's profiles; smooth in the parameters.

    Args:
        problem: the problem.
        params: its parameters.
        pixel_scale: side of a pixel [arcsec].
        middle: place (x, y) of COOLEST's origin. Shear Γ about it deflects by a constant less, so that sources are at s − (1 − Γ) middle.

    Raises:
        BadInput: a component that COOLEST, or this table, does not have.
    """
    found = []
    parts = problem.parts(params)
    shears = [thing for _, thing, _, _ in parts if isinstance(thing, Shear)]
    pulls = [shear.deflection(*(jnp.asarray(along, params.dtype) for along in middle)) for shear in shears]
    pull = [sum(along) for along in zip(*pulls, strict=True)] or [0.0, 0.0]
    for role, thing, x, y in parts:
        x, y = x - middle[0], y - middle[1]
        if role == "source":
            x, y = x + pull[0], y + pull[1]
        place = {"center_x": x, "center_y": y}
        match thing:
            case SIE():
                values = {"theta_E": thing.theta_e, "q": thing.f, "phi": _turned(jnp.rad2deg(thing.orientation) + 90.0)}
                found.append(Profile(role, "SIE", values | place))
            case SIS():
                values = {"theta_E": thing.theta_e, "q": jnp.ones_like(x), "phi": jnp.zeros_like(x)}
                found.append(Profile(role, "SIE", values | place, fixed=("q", "phi")))
            case Shear():
                strength = _root(thing.gamma1**2 + thing.gamma2**2)
                direction = 0.5 * jnp.rad2deg(jnp.arctan2(thing.gamma2, thing.gamma1))
                found.append(Profile(role, "ExternalShear", {"gamma_ext": strength, "phi_ext": _turned(direction)}))
            case Gaussian() | Sersic():
                found.append(_light(role, thing, place, pixel_scale))
            case _:
                kind = type(thing).__name__
                raise BadInput(
                    f"COOLEST files cannot hold a {kind}", column="--coolest", value=kind, expected="SIE, SIS, shear, Sérsic, Gaussian"
                )
    return found


def _light(role: str, thing: Gaussian | Sersic, place: dict[str, Array], pixel_scale: float) -> Profile:
    n, b = (thing.n, thing.b) if isinstance(thing, Sersic) else (jnp.full_like(thing.xx, 0.5), jnp.full_like(thing.xx, 0.5))
    own = 1.9992 * n - 0.3271
    edge = thing.peak if isinstance(thing, Sersic) else thing.peak * jnp.exp(-0.5)  # the light at ρ = 1, where its exponent is −b
    radius = (thing.xx * thing.yy - thing.xy**2) ** -0.25
    plus, cross = 0.5 * (thing.yy - thing.xx), -thing.xy
    mean, spread = 0.5 * (thing.xx + thing.yy), _root(plus**2 + cross**2)
    values = {
        "I_eff": edge * jnp.exp(b - own) / pixel_scale**2,
        "theta_eff": radius * (own / b) ** n,
        "n": n,
        "q": jnp.sqrt((mean - spread) / (mean + spread)),
        "phi": _turned(0.5 * jnp.rad2deg(jnp.arctan2(cross, jnp.where(spread > 0, plus, 1.0)))),
    }
    return Profile(role, "Sersic", values | place, fixed=() if isinstance(thing, Sersic) else ("n",))


def _root(square: Array) -> Array:
    """√ with a finite derivative at 0."""
    away = square > _TINY
    return jnp.where(away, jnp.sqrt(jnp.where(away, square, 1.0)), 0.0)


def _turned(phi: Array) -> Array:
    """A direction [deg] from +x as one from +y, in (−90, 90]."""
    return 90.0 - jnp.mod(180.0 - phi, 180.0)


def write(folder: Path, name: str, problem: Composition, solution: Solution, image: SkyImage) -> Path:
    """Writes name.json, and name_data.fits, name_noise.fits, name_mask.fits and name_psf.fits beside it.

    Args:
        folder: where; missing folders are created.
        name: of the files, without an ending.
        problem: the problem.
        solution: its fit, of one image; fluxes in the file's unit.
        image: the image that was fitted.

    Returns:
        The JSON file.

    Raises:
        BadInput: there is no fit, COOLEST has no such component, or a file cannot be written.
    """
    if not np.isfinite(solution.params[0]).all():
        raise BadInput("there is no fit to write", path=folder / f"{name}.json")
    content = template(problem, solution, image, name=name)
    seen = image.observed
    about = header_about(image, shape=seen.instrument.shape, pixel_scale=seen.instrument.pixel_scale, middle=seen.instrument.middle)
    cards = (about if image.wcs is None else image.wcs.header) | ({"BUNIT": image.unit} if image.unit else {})
    files = {"data": np.asarray(seen.data, np.float64) * image.scale, "mask": np.asarray(seen.mask, np.float64)}
    if _uniform(image) is None:
        files["noise"] = np.asarray(seen.noise.sigma(seen.data), np.float64) * image.scale
    for kind, values in files.items():
        fits.write(folder / f"{name}_{kind}.fits", [fits.Part("", values[::-1], cards)])
    if seen.instrument.psf is not None:
        fits.write(folder / f"{name}_psf.fits", [fits.Part("", np.asarray(seen.instrument.psf)[::-1])])
    path = folder / f"{name}.json"
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
    return path


def template(problem: Composition, solution: Solution, image: SkyImage, *, name: str) -> dict[str, Any]:
    """The content of a COOLEST file of one image; `name` is that of the FITS files beside it.

    Raises:
        BadInput: COOLEST has no such component, or no Sérsic of this index.
    """
    taken = image.observed.instrument
    found, errors = _values(problem, solution, image)
    entities: list[dict[str, Any]] = []
    masses = [k for k, profile in enumerate(found) if profile.kind == "SIE"]
    fields = [k for k, profile in enumerate(found) if profile.kind == "ExternalShear"]
    if masses or any(profile.role == "lens light" for profile in found):
        lights = [k for k, profile in enumerate(found) if profile.role == "lens light"]
        entities.append(_entity(len(entities), "Galaxy", "lens", _ORDER["lens"], found, errors, masses, lights))
    if fields:
        entities.append(_entity(len(entities), "MassField", "external shear", _ORDER["lens"], found, errors, fields, None))
    behind = [k for k, profile in enumerate(found) if profile.role == "source"]
    if behind:
        entities.append(_entity(len(entities), "Galaxy", "source", _ORDER["source"], found, errors, [], behind))
    right_ascension, declination = _hours(image)
    uniform = _uniform(image)
    noise: dict[str, Any] = {"type": "UniformGaussianNoise", "std_dev": uniform}
    if uniform is None:
        noise = {"type": "NoiseMap", "noise_map": _grid(f"{name}_noise.fits", image)}
    psf: dict[str, Any] = {"type": None, "description": None}
    if taken.psf is not None:
        rows, columns = taken.psf.shape
        across, up = (0.5 * n * taken.pixel_scale for n in (columns, rows))
        pixels = _pixels(f"{name}_psf.fits", (-across, across), (-up, up), (rows, columns))
        psf = {"type": "PixelatedPSF", "description": None, "pixels": pixels}
    return {
        "standard": "COOLEST",
        "mode": "MAP",
        "meta": _meta(found, solution, image),
        "coordinates_origin": {"ra": right_ascension, "dec": declination},
        "cosmology": None,
        "instrument": {"name": "", "band": "", "pixel_size": taken.pixel_scale, "readout_noise": None, "psf": psf},
        "observation": {
            "pixels": _grid(f"{name}_data.fits", image), "noise": noise,
            "exposure_time": None, "mag_zero_point": None, "mag_sky_brightness": None,
        },
        "likelihoods": [{"type": "ImagingDataLikelihood", "mask": _grid(f"{name}_mask.fits", image)}],
        "lensing_entities": entities,
    }  # fmt: skip


def _values(problem: Composition, solution: Solution, image: SkyImage) -> tuple[list[Profile], list[dict[str, float]]]:
    """The profiles, and the error of each of their values by derivatives; NaN where it is unknown."""
    taken = image.observed.instrument

    def of(params: Array) -> list[Profile]:
        return profiles(problem, params, pixel_scale=taken.pixel_scale, middle=_middle(taken))

    with jax.enable_x64(True):
        found, derivatives = jax.jit(lambda params: (of(params), jax.jacfwd(of)(params)))(jnp.asarray(solution.params[0], jnp.float64))
    jacobian = np.stack([np.asarray(profile.values[name]) for profile in derivatives for name in profile.values])
    for profile in found:
        if profile.kind == "Sersic" and not _INDEX[0] <= float(profile.values["n"]) <= _INDEX[1]:
            index = float(profile.values["n"])
            raise BadInput("COOLEST has no Sérsic of this index", column="--coolest", value=index, expected="an index from 0.5 to 10")
    known = np.isfinite(solution.errors[0])
    spread = np.where(np.isfinite(solution.covariance[0]), solution.covariance[0], 0.0)
    variance = np.einsum("ij,jk,ik->i", jacobian, spread, jacobian)
    steepest = np.abs(jacobian).max(axis=1, keepdims=True)
    unknown = (np.abs(jacobian[:, ~known]) > _ROUNDING * steepest).any(axis=1) | ~np.isfinite(variance)
    sigma = iter(np.where(unknown, np.nan, np.sqrt(np.maximum(variance, 0.0))).tolist())
    return found, [{name: next(sigma) for name in profile.values} for profile in found]


def _entity(
    number: int,
    kind: str,
    name: str,
    redshift: float,
    found: list[Profile],
    errors: list[dict[str, float]],
    masses: list[int],
    lights: list[int] | None,
) -> dict[str, Any]:
    def models(indices: list[int], what: str) -> list[dict[str, Any]]:
        made = []
        for k, index in enumerate(indices):
            own = f"{number}-{kind.lower()}-{what}-{k}-{found[index].kind}"
            parameters = {
                key: _parameter(f"{own}-{key}", float(value), errors[index][key], key in found[index].fixed)
                for key, value in found[index].values.items()
            }
            made.append({"id": own, "type": found[index].kind, "parameters": parameters})
        return made

    entity = {"type": kind, "name": name, "redshift": redshift, "mass_model": models(masses, "mass")}
    return entity if lights is None else entity | {"light_model": models(lights, "light")}


def _parameter(name: str, value: float, error: float, fixed: bool) -> dict[str, Any]:
    known = np.isfinite(error) and not fixed
    return {
        "id": name,
        "fixed": fixed,
        "point_estimate": {"value": value},
        "posterior_stats": {
            "mean": value if known else None,
            "median": value if known else None,
            "percentile_16th": value - error if known else None,
            "percentile_84th": value + error if known else None,
        },
        "prior": {"type": None},
    }


def _uniform(image: SkyImage) -> float | None:
    """The standard deviation of white noise; None where it is a map."""
    noise = image.observed.noise
    return float(noise.level) * image.scale if isinstance(noise, GaussianNoise) and np.ndim(noise.level) == 0 else None


def _middle(taken: Instrument) -> tuple[float, float]:
    """Place (x, y) of the image's middle about the system's origin."""
    rows, columns = taken.shape
    return (((columns - 1) / 2 - taken.middle[1]) * taken.pixel_scale, (taken.middle[0] - (rows - 1) / 2) * taken.pixel_scale)


def _grid(file: str, image: SkyImage) -> dict[str, Any]:
    taken = image.observed.instrument
    up, across = (0.5 * n * taken.pixel_scale for n in taken.shape)
    return _pixels(file, (-across, across), (-up, up), taken.shape)


def _pixels(file: str, across: tuple[float, float], up: tuple[float, float], shape: tuple[int, int]) -> dict[str, Any]:
    """A grid of pixels: the outer edges of the first and last along each axis, and how many."""
    size = {"num_pix_x": shape[1], "num_pix_y": shape[0]}
    return {"fits_file": {"path": file}, "field_of_view_x": list(across), "field_of_view_y": list(up), **size}


def _hours(image: SkyImage) -> tuple[str, str]:
    """Right ascension and declination of the image's middle, as text; zeros without a WCS."""
    if image.wcs is None:
        return "0h0m0.0s", "0d0m0.0s"
    from astropy.coordinates import Angle

    along = str(Angle(image.wcs.right_ascension, "deg").to_string(unit="hourangle", sep="hms", precision=5, pad=True))
    return along, str(Angle(image.wcs.declination, "deg").to_string(unit="deg", sep="dms", precision=4, pad=True, alwayssign=True))


def _meta(found: list[Profile], solution: Solution, image: SkyImage) -> dict[str, Any]:
    from lensjax import __version__

    angles = {
        f"{k}-{profile.kind}-{key}": position_angle(float(profile.values[key]) + 90.0, image.wcs)
        for k, profile in enumerate(found)
        for key in ("phi", "phi_ext")
        if key in profile.values and image.wcs is not None
    }
    return {
        "written by": f"lensjax {__version__}",
        "image": image.name,
        "unit": image.unit or "unknown",
        "light": "in the data's unit per square arcsecond",
        "axes": "x and y are the image's axes, about its middle; angles are counter-clockwise from its y axis",
        "mirrored": None if image.wcs is None else image.wcs.mirrored,
        "position angles east of north": angles,
        "redshifts": "hypothetical: they order the planes",
        "posterior_stats": "of the fit's covariance, a Gaussian",
        "chi2": float(solution.chi2[0]) if np.isfinite(solution.chi2[0]) else None,
        "success": bool(solution.success[0]),
        "status": solution.status[0],
    }
