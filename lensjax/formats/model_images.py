"""FITS files of a fit: model, lens light, arcs, residual, and the source as it is without a lens.

MODEL, LENS_LIGHT, ARCS and RESIDUAL (data − model; NaN where masked) have the observed image's pixels, unit and WCS. MODEL is all light
through the instrument, the sky too. SOURCE is the light behind the lens without lens and PSF, in pixels of its own, with a WCS of its own:
parallel to the image, about the same origin.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.files import fits
from lensjax.observation.instrument import Instrument, instrument
from lensjax.observation.sky import SkyImage, header_about
from lensjax.problems.compose import Composition
from lensjax.simulate.exposure import exposure

_SIDE = 200  # px of the source's image
_LIGHT, _MARGIN = 0.8, 3.0  # the source's image reaches to so many times the radius that holds this part of the light
_SEARCH, _ROUNDS = 101, 4  # points on a side of the grids on which that radius is found


class Images(NamedTuple):
    """Images of a fit in the data's unit, row 0 at the top.

    Attributes:
        model, lens_light, arcs, residual: (H, W); `lens_light` is None without such a component.
        source: (S, S), the source plane; None without a source.
        taken: the instrument of `source`.
    """

    model: np.ndarray
    lens_light: np.ndarray | None
    arcs: np.ndarray
    residual: np.ndarray
    source: np.ndarray | None
    taken: Instrument | None


def images_of(problem: Composition, params: np.ndarray, image: SkyImage) -> Images:
    """The images of a fit.

    Args:
        problem: the problem.
        params: (P,) its parameters, fluxes in the file's unit.
        image: the image that was fitted.
    """
    seen = image.observed
    with jax.enable_x64(True):
        wide = jnp.asarray(np.asarray(params, np.float64))
        amplitudes = problem.amplitudes(wide)
        roles = np.array([part.role for part in problem.components for _ in part.amplitudes] + ["sky"] * problem.sky)

        def seen_of(*own: str) -> np.ndarray:
            chosen = jnp.where(jnp.asarray(np.isin(roles, own)), amplitudes, 0.0)
            return np.asarray(_model(problem, wide, chosen, seen.instrument))

        model, arcs = seen_of("source", "lens light", "sky"), seen_of("source")
        front = seen_of("lens light") if "lens light" in roles else None
        source = taken = None
        if "source" in roles:
            light = partial(_source, problem, wide)
            half = 0.5 * max(seen.instrument.shape) * seen.instrument.pixel_scale
            (x, y), half = _field(light, half)
            step = 2.0 * half / _SIDE
            taken = instrument((_SIDE, _SIDE), pixel_scale=step, middle=((_SIDE - 1) / 2 + y / step, (_SIDE - 1) / 2 - x / step))
            source = np.asarray(exposure(light, taken, dtype=jnp.float64))
    data = np.asarray(seen.data, np.float64) * image.scale
    return Images(
        model=model,
        lens_light=front,
        arcs=arcs,
        residual=np.where(np.asarray(seen.mask), data - model, np.nan),
        source=source,
        taken=taken,
    )


def write(path: Path, problem: Composition, params: np.ndarray, image: SkyImage, *, words: str = "") -> None:
    """Writes the images of a fit as extensions of a FITS file.

    Args:
        path: the file; it is there whole or not at all.
        problem, params, image: as in `images_of`.
        words: the fit's status.

    Raises:
        BadInput: it cannot be written there, or astropy is not installed.
    """
    made = images_of(problem, params, image)
    taken = image.observed.instrument
    own: dict[str, Any] = {} if not image.unit else {"BUNIT": image.unit}
    about = header_about(image, shape=taken.shape, pixel_scale=taken.pixel_scale, middle=taken.middle) if image.wcs is None else {}
    cards = {**(about if image.wcs is None else image.wcs.header), **own}
    named = {"MODEL": made.model, "LENS_LIGHT": made.lens_light, "ARCS": made.arcs, "RESIDUAL": made.residual}
    parts = [fits.Part(name, values[::-1], cards) for name, values in named.items() if values is not None]
    if made.source is not None and made.taken is not None:
        place = header_about(image, shape=made.taken.shape, pixel_scale=made.taken.pixel_scale, middle=made.taken.middle)
        parts.append(fits.Part("SOURCE", made.source[::-1], {**place, **own}))
    numbers = [f"{name} = {float(value):.8g}" for name, value in zip(problem.names, params, strict=True)]
    history = [f"image {image.name}", f"problem {problem.name}", *numbers, *(words.split("; ") if words else image.remarks)]
    fits.write(path, parts, header={"CREATOR": "lensjax"}, history=history)


@partial(jax.jit, static_argnames="problem")
def _model(problem: Composition, params: Array, amplitudes: Array, taken: Instrument) -> Array:
    """The image (H, W) of parameters (P,) with these amplitudes (K,)."""
    return problem.model(problem.encode(params), amplitudes, taken)


@partial(jax.jit, static_argnames="problem")
def _source(problem: Composition, params: Array, x: Array, y: Array) -> Array:
    """Surface brightness of the sources at points of the source plane."""
    parts = [light.light(x - px, y - py) for role, light, px, py in problem.parts(params) if role == "source"]
    return jnp.asarray(sum(parts[1:], parts[0]))


def _field(light: Callable[[Array, Array], Array], half: float) -> tuple[tuple[float, float], float]:
    """Middle and half the side of a square about a light, from a square about the origin that holds it."""
    x = y = 0.0
    for _ in range(_ROUNDS):
        along = np.linspace(-half, half, _SEARCH)
        across, up = x + along[None, :], y + along[:, None]
        values = np.maximum(np.asarray(light(jnp.asarray(across), jnp.asarray(up))), 0.0)
        if not values.sum() > 0:
            break
        values = values / values.sum()
        x, y = float((values * across).sum()), float((values * up).sum())
        radius = np.hypot(across - x, up - y).ravel()
        order = np.argsort(radius)
        within = radius[order][np.searchsorted(np.cumsum(values.ravel()[order]), _LIGHT)]
        half = min(half, _MARGIN * max(float(within), along[1] - along[0]))
    return (x, y), half
