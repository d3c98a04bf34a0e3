"""Components as COOLEST's profiles.

COOLEST's conventions: arcseconds; x to the right and y up, along the image's axes, about the image's middle, since its readers take it
for the origin; angles counter-clockwise from +y, in (−90°, 90°], so φ_C = φ − 90°; radii of ellipses are √(a b), those of the
intermediate axis.

Masses: κ = (3 − γ)/2 (θ_E/√(q x² + y²/q))^(γ − 1), x along the mass's long axis; SIE is γ = 2. The mean convergence within the ellipse of
√(a b) = θ_E is 1. That is the θ_E of `lens.EPL` and `lens.SIE`. A problem's theta_E, the radius of the circle with the area inside the
critical curve, is the same for an SIE, and `lens.epl.critical_radius` times COOLEST's for an EPL. An SIS is an SIE of q = 1. Shear about
the origin has strength γ and the direction ½ atan2(γ₂, γ₁) from +x.

Light is in the data's unit per arcsec², that of a grid of pixels in the data's unit. COOLEST's Sérsic has b = 1.9992 n − 0.3271, which is
not quite the b of the half-light radius: θ_eff and I_eff are such that the light is the same, θ_eff = R (b_C/b)ⁿ and
I_eff = I_e e^{b − b_C}. A Gaussian is a Sérsic of n = ½, and a set of them as many of the same shape. Shapelets are in lenstronomy's order,
with B_n = (2ⁿ √π n!)^−½ H_n(x/β) exp(−x²/2β²) along each axis, without Refregier's factor β^−½.
"""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import jax
import jax.numpy as jnp
from jax import Array

from lensjax._internal.tree import register
from lensjax.errors import BadInput
from lensjax.lens import EPL, SIE, SIS, Cluster, Multipole, Shear
from lensjax.light import Gaussian, MultiGaussian, Pixels, Sersic, Shapelets
from lensjax.problems.components import Role
from lensjax.problems.compose import Composition

Kind = Literal["SIE", "PEMD", "ExternalShear", "Sersic", "Shapelets", "PixelatedRegularGrid"]

MASSES = ("SIE", "PEMD")
"""Kinds of mass with a place."""

FIELD: Final = "ExternalShear"
"""The kind of mass without a place."""

GRID: Final = "PixelatedRegularGrid"
"""The kind that is an image in a FITS file."""

_HELD = "SIE, SIS, EPL, shear, Sérsic, Gaussians, shapelets, pixels"
_TINY = 1e-24  # of the square of an ellipticity, below which a form is round


@register
@dataclass(frozen=True)
class Profile:
    """A COOLEST profile; a tree of its values.

    Attributes:
        role: "lens", "lens light" or "source".
        kind: its type in COOLEST.
        values: its parameters by COOLEST's names, scalars. Those of `Shapelets` have "amps" (K,). A grid has "pixels" (m, m), row 0 the
            top, "center_x", "center_y" and "pixel_size" instead.
        fixed: names of those that the problem does not fit.
        n_max: largest order of shapelets; None for others.
    """

    role: Role = field(metadata={"static": True})
    kind: Kind = field(metadata={"static": True})
    values: dict[str, Array]
    fixed: tuple[str, ...] = field(default=(), metadata={"static": True})
    n_max: int | None = field(default=None, metadata={"static": True})


def check(problem: Composition) -> None:
    """Whether COOLEST files hold a problem.

    Raises:
        BadInput: they do not have one of its components.
    """
    jax.eval_shape(lambda params: profiles(problem, params, pixel_scale=1.0), jax.ShapeDtypeStruct((len(problem.names),), jnp.float32))


def profiles(problem: Composition, params: Array, *, pixel_scale: float, middle: tuple[float, float] = (0.0, 0.0)) -> list[Profile]:
    """The components of parameters (P,), fluxes in the data's unit, as COOLEST's profiles; smooth in the parameters.

    Args:
        problem: the problem.
        params: its parameters.
        pixel_scale: side of a pixel [arcsec].
        middle: place (x, y) of COOLEST's origin. Shear Γ about it deflects by a constant less, so that sources are at s − (1 − Γ) middle.

    Raises:
        BadInput: a component that COOLEST does not have.
    """
    found: list[Profile] = []
    parts = problem.parts(params)
    shears = [thing for _, thing, _, _ in parts if isinstance(thing, Shear)]
    pulls = [shear.deflection(*(jnp.asarray(along, params.dtype) for along in middle)) for shear in shears]
    pull = [sum(along) for along in zip(*pulls, strict=True)] or [0.0, 0.0]
    for role, thing, x, y in parts:
        x, y = x - middle[0], y - middle[1]
        if role == "source":
            x, y = x + pull[0], y + pull[1]
        place = {"center_x": x, "center_y": y}
        found += [_mass(role, thing, place)] if role == "lens" else _lights(role, thing, place, pixel_scale)
    return found


def _mass(role: Role, thing: Any, place: dict[str, Array]) -> Profile:
    match thing:
        case SIE():
            values = {"theta_E": thing.theta_e, "q": thing.f, "phi": _turned(jnp.rad2deg(thing.orientation) + 90.0)}
            return Profile(role, "SIE", values | place)
        case SIS():
            values = {"theta_E": thing.theta_e, "q": jnp.ones_like(thing.theta_e), "phi": jnp.zeros_like(thing.theta_e)}
            return Profile(role, "SIE", values | place, fixed=("q", "phi"))
        case EPL():
            e = _root(thing.e1**2 + thing.e2**2)
            values = {"gamma": thing.gamma, "theta_E": thing.theta_e, "q": (1.0 - e) / (1.0 + e), "phi": _direction(thing.e1, thing.e2)}
            return Profile(role, "PEMD", values | place)
        case Shear():
            values = {"gamma_ext": _root(thing.gamma1**2 + thing.gamma2**2), "phi_ext": _direction(thing.gamma1, thing.gamma2)}
            return Profile(role, FIELD, values)
        case Multipole():
            raise _missing("multipoles")
        case Cluster() if any(isinstance(group.lens, Multipole) for group in thing.groups):
            raise _missing("multipoles")
    raise _missing(f"a {type(thing).__name__}")


def _lights(role: Role, thing: Any, place: dict[str, Array], pixel_scale: float) -> list[Profile]:
    match thing:
        case Sersic():
            return [_sersic(role, thing, place, pixel_scale)]
        case Gaussian():
            return [_sersic(role, thing, place, pixel_scale, fixed=("n",))]
        case MultiGaussian():
            squares = thing.widths * thing.widths
            peaks = thing.amplitudes / (2.0 * jnp.pi * squares)
            each = [Gaussian(thing.xx / squares[k], thing.xy / squares[k], thing.yy / squares[k], peaks[k]) for k in range(len(squares))]
            return [_sersic(role, one, place, pixel_scale, fixed=("n", "theta_eff")) for one in each]
        case Shapelets():
            amplitudes = thing.amplitudes / (2.0 * jnp.pi**0.5 * thing.beta**2 * pixel_scale**2)
            return [Profile(role, "Shapelets", {"beta": thing.beta, **place, "amps": amplitudes}, n_max=thing.n_max)]
        case Pixels():
            values = {"pixels": thing.amplitudes.reshape(thing.size, thing.size), "pixel_size": thing.pixel}
            return [Profile(role, GRID, values | place)]
    raise _missing(f"a {type(thing).__name__}")


def _missing(what: str) -> BadInput:
    return BadInput(f"COOLEST files cannot hold {what}", column="--coolest", value=what, expected=_HELD)


def _sersic(
    role: Role, thing: Gaussian | Sersic, place: dict[str, Array], pixel_scale: float, *, fixed: tuple[str, ...] = ()
) -> Profile:  # fmt: skip
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
        "phi": _direction(plus, cross),
    }
    return Profile(role, "Sersic", values | place, fixed=fixed)


def _root(square: Array) -> Array:
    """√ with a finite derivative at 0."""
    away = square > _TINY
    return jnp.where(away, jnp.sqrt(jnp.where(away, square, 1.0)), 0.0)


def _direction(plus: Array, cross: Array) -> Array:
    """COOLEST's angle [deg] of the direction ½ atan2(cross, plus) from +x; that of +x, with derivatives of 0, where both are 0."""
    away = plus**2 + cross**2 > _TINY
    return _turned(0.5 * jnp.rad2deg(jnp.arctan2(jnp.where(away, cross, 0.0), jnp.where(away, plus, 1.0))))


def _turned(phi: Array) -> Array:
    """A direction [deg] from +x as one from +y, in (−90, 90]."""
    return 90.0 - jnp.mod(180.0 - phi, 180.0)
