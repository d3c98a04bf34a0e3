"""The lensing entities of a COOLEST file: profiles of a fit with their errors, as galaxies and fields."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.errors import BadInput
from lensjax.formats.coolest.profiles import FIELD, GRID, MASSES, Profile, profiles
from lensjax.infer.solution import Solution
from lensjax.problems.compose import Composition

_INDEX = (0.5, 10.0)  # of COOLEST's Sérsic
_ORDER = {"lens": 0.5, "source": 1.0}  # hypothetical redshifts, which order the planes
_ROUNDING = 1e-9  # part of a row of a Jacobian that is nothing but rounding

Fitted = tuple[Profile, dict[str, np.ndarray]]
"""A profile, and the error of each of its values; NaN where it is unknown."""


def fitted(problem: Composition, solution: Solution, *, pixel_scale: float, middle: tuple[float, float]) -> list[Fitted]:
    """The profiles of a fit of one image, with errors by derivatives; other arguments as in `profiles`.

    Raises:
        BadInput: COOLEST has no such component, or no Sérsic of this index.
    """

    def of(params: Array) -> list[Profile]:
        return profiles(problem, params, pixel_scale=pixel_scale, middle=middle)

    with jax.enable_x64(True):
        found, derivatives = jax.jit(lambda params: (of(params), jax.jacfwd(of)(params)))(jnp.asarray(solution.params[0], jnp.float64))
    for profile in found:
        if profile.kind == "Sersic" and not _INDEX[0] <= float(profile.values["n"]) <= _INDEX[1]:
            index = float(profile.values["n"])
            raise BadInput("COOLEST has no Sérsic of this index", column="--coolest", value=index, expected="an index from 0.5 to 10")
    known = np.isfinite(solution.errors[0])
    spread = np.where(np.isfinite(solution.covariance[0]), solution.covariance[0], 0.0)

    def errors_of(derivative: Array) -> np.ndarray:
        jacobian = np.asarray(derivative).reshape(-1, len(known))
        variance = np.einsum("ij,ij->i", jacobian @ spread, jacobian)
        steepest = np.abs(jacobian).max(axis=1, keepdims=True)
        unknown = (np.abs(jacobian[:, ~known]) > _ROUNDING * steepest).any(axis=1) | ~np.isfinite(variance)
        return np.where(unknown, np.nan, np.sqrt(np.maximum(variance, 0.0))).reshape(np.shape(derivative)[:-1])

    return [
        (profile, {name: errors_of(derivative) for name, derivative in own.values.items()})
        for profile, own in zip(found, derivatives, strict=True)
    ]


def entities(found: list[Fitted], *, name: str) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """The entities, and the light of pixel grids (m, m) by the names of their files, which begin with `name`."""
    made: list[dict[str, Any]] = []
    grids: dict[str, np.ndarray] = {}

    def models(what: str, kind: str, chosen: list[Fitted]) -> list[dict[str, Any]]:
        models = []
        for k, (profile, errors) in enumerate(chosen):
            own = f"{len(made)}-{kind.lower()}-{what}-{k}-{profile.kind}"
            if profile.kind == GRID:
                file = f"{name}_pixels{len(grids) + 1 if grids else ''}.fits"
                grids[file] = np.asarray(profile.values["pixels"])
                parameters = {"pixels": {"id": f"{own}-pixels", **_grid(profile, file)}}
            else:
                parameters = _parameters(own, profile, errors)
            models.append({"id": own, "type": profile.kind, "parameters": parameters})
        return models

    def add(kind: str, named: str, plane: str, masses: list[Fitted], lights: list[Fitted] | None) -> None:
        if masses or lights:
            entity = {"type": kind, "name": named, "redshift": _ORDER[plane], "mass_model": models("mass", kind, masses)}
            made.append(entity if lights is None else entity | {"light_model": models("light", kind, lights)})

    def of(role: str) -> list[Fitted]:
        return [one for one in found if one[0].role == role]

    add("Galaxy", "lens", "lens", [one for one in of("lens") if one[0].kind in MASSES], of("lens light"))
    add("MassField", "external shear", "lens", [one for one in of("lens") if one[0].kind == FIELD], None)
    add("Galaxy", "source", "source", [], of("source"))
    return made, grids


def pixels(file: str, across: tuple[float, float], up: tuple[float, float], shape: tuple[int, int]) -> dict[str, Any]:
    """A grid of pixels in a file: the outer edges of the first and last along each axis, and how many."""
    size = {"num_pix_x": shape[1], "num_pix_y": shape[0]}
    return {"fits_file": {"path": file}, "field_of_view_x": list(across), "field_of_view_y": list(up), **size}


def _grid(profile: Profile, file: str) -> dict[str, Any]:
    x, y, pixel = (float(profile.values[key]) for key in ("center_x", "center_y", "pixel_size"))
    size = profile.values["pixels"].shape[0]
    half = 0.5 * size * pixel
    return pixels(file, (x - half, x + half), (y - half, y + half), (size, size))


def _parameters(own: str, profile: Profile, errors: dict[str, np.ndarray]) -> dict[str, Any]:
    parameters = {
        key: _parameter(f"{own}-{key}", np.asarray(value), None if key in profile.fixed else errors[key])
        for key, value in profile.values.items()
    }
    return parameters if profile.n_max is None else {"n_max": _parameter(f"{own}-n_max", np.asarray(profile.n_max), None), **parameters}


def _parameter(name: str, value: np.ndarray, error: np.ndarray | None) -> dict[str, Any]:
    """A parameter, or a set of several; `error` is None for one that is fixed."""
    known = error is not None and bool(np.isfinite(error).all())
    low, high = ((value - error).tolist(), (value + error).tolist()) if known and error is not None else (None, None)
    middle = value.tolist() if known else None
    return {
        "id": name,
        "fixed": error is None,
        "point_estimate": {"value": value.tolist()},
        "posterior_stats": {"mean": middle, "median": middle, "percentile_16th": low, "percentile_84th": high},
        "prior": {"type": None},
    }
