"""Tables of parameters, one a component: what a problem is composed of.

A component maps its parameters, as in files, to numbers of order one without singular points and without bounds, and these to a lens or
a light profile. Axis ratios and angles in files are (e1, e2) inside, e = (1 − q)/(1 + q) along twice the angle φ of the long axis, drawn
into the unit disc: e = E_MAX z/√(1 + |z|²). Lengths are in the unit of the image's pixel scale.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.lens import SIE, SIS, PointMass, Shear
from lensjax.light.gaussian import Gaussian
from lensjax.light.sersic import Sersic, half_light
from lensjax.problems.base import Parameter

Role = Literal["lens", "source", "lens light"]

E_MAX = 0.9
"""Largest ellipticity e that a fit reaches: q = 0.05."""

_SMALL = 1e-12
_OFF = 1e-5  # of (e1, e2): how far off round a lens is taken that is round, since polar coordinates have no derivatives there
_NEARLY_ROUND = 0.01  # ellipticity of a start: at e = 0 itself an ellipsoid has no derivative by its direction


@dataclass(frozen=True)
class Guess:
    """A rough system, from which every component knows a start; lengths in the unit of the pixel scale.

    Attributes:
        theta_e: Einstein radius.
        lens: place (2,) of the lens.
        source: place (2,) of the source.
        size: radius of the source.
        lens_shape, source_shape: ellipticities (e1, e2).
        middle: place (2,) of the lens's own light.
    """

    theta_e: float
    lens: tuple[float, float]
    source: tuple[float, float]
    size: float
    lens_shape: tuple[float, float] = (0.0, 0.0)
    source_shape: tuple[float, float] = (0.0, 0.0)
    middle: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Component:
    """One lens or one light profile, as a table; hashable, so static under jit.

    Attributes:
        role: what it is.
        parameters: its parameters with units and bounds of the prior, in file order, without the linear amplitudes.
        flux: the flux of a light profile, which is drawn from the prior; None for a lens. It is the linear amplitude that a fit solves
            for, unless there are several.
        draw: key → parameters (P,), one draw from the prior.
        encode: parameters (P,) → numbers (E,).
        decode: numbers (E,) → parameters (P,).
        build: numbers (E,) → (lens, or light of flux 1; x; y). Where there are several amplitudes, a light of all amplitudes 1 that is a
            `LinearSource`.
        start: a rough system → parameters (P,), without the prior's bounds.
        ellipses: index of q and of φ in the parameters, and the index of the first of the two numbers they become.
        place: indices of x and y in the parameters; None without.
        theta_e: index of the Einstein radius in the parameters; None without.
        limited: indices of the parameters with ends that a fit cannot pass.
        several: the linear amplitudes, where a light profile has others than its flux.
        signed: whether these may be negative.
        mixture: key → amplitudes (K,) of one draw from the prior, for flux 1; needed where there are several.
        penalty: () → R (K, K), where aᵀ R a is minus twice the logarithm of the prior of amplitudes a for a total flux of 1.
    """

    role: Role
    parameters: tuple[Parameter, ...]
    flux: Parameter | None
    draw: Callable[[Array], Array]
    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]
    build: Callable[[Array], tuple[Any, Array, Array]]
    start: Callable[[Guess], list[float]]
    ellipses: tuple[tuple[int, int, int], ...] = ()
    place: tuple[int, int] | None = None
    theta_e: int | None = None
    limited: tuple[int, ...] = ()
    several: tuple[Parameter, ...] = ()
    signed: bool = False
    mixture: Callable[[Array], Array] | None = None
    penalty: Callable[[], np.ndarray] | None = None

    @property
    def amplitudes(self) -> tuple[Parameter, ...]:
        """The linear amplitudes; none for a lens."""
        return self.several or (() if self.flux is None else (self.flux,))


@dataclass(frozen=True)
class Number:
    """One parameter and how it becomes one number: "plain" (x/scale), "log", or "between" its bounds (logit)."""

    parameter: Parameter
    map: Literal["plain", "log", "between"]
    scale: float = 1.0

    def encode(self, value: Array) -> Array:
        low, high = self.parameter.low, self.parameter.high
        if self.map == "log":
            return jnp.log(value / (low * high) ** 0.5)
        if self.map == "between":
            part = jnp.clip((value - low) / (high - low), 1e-4, 1.0 - 1e-4)
            return jnp.log(part) - jnp.log1p(-part)
        return value / self.scale

    def decode(self, number: Array) -> Array:
        low, high = self.parameter.low, self.parameter.high
        if self.map == "log":
            return jnp.asarray((low * high) ** 0.5 * jnp.exp(number))
        if self.map == "between":
            return jnp.asarray(low + (high - low) * jax.nn.sigmoid(number))
        return number * self.scale


def encode_ellipse(q: Array, phi: Array) -> tuple[Array, Array]:
    """Axis ratio and direction [deg] of the long axis → two numbers without bounds."""
    e = (1.0 - q) / (1.0 + q) / E_MAX
    z = e / jnp.sqrt(jnp.maximum(1.0 - e * e, 1e-6))
    angle = jnp.deg2rad(2.0 * phi)
    return z * jnp.cos(angle), z * jnp.sin(angle)


def ellipticity(z1: Array, z2: Array) -> tuple[Array, Array]:
    """Two numbers without bounds → (e1, e2), |e| < E_MAX."""
    stretch = E_MAX / jnp.sqrt(1.0 + z1 * z1 + z2 * z2)
    return z1 * stretch, z2 * stretch


def decode_ellipse(z1: Array, z2: Array) -> tuple[Array, Array]:
    """Two numbers without bounds → axis ratio and direction [deg] in [0, 180); gradients are finite for the round one too."""
    e1, e2 = ellipticity(z1, z2)
    square = e1 * e1 + e2 * e2
    away = square > _SMALL
    e = jnp.where(away, jnp.sqrt(jnp.where(away, square, 1.0)), 0.0)
    phi = 0.5 * jnp.rad2deg(jnp.arctan2(jnp.where(away, e2, 0.0), jnp.where(away, e1, 1.0)))
    phi = jnp.mod(phi, 180.0)
    return (1.0 - e) / (1.0 + e), jnp.where(phi < 180.0, phi, 0.0)


def form_of(radius: Array, e1: Array, e2: Array) -> tuple[Array, Array, Array]:
    """(xx, xy, yy) of the ellipse of area π radius² and ellipticity (e1, e2): smooth through round."""
    square = e1 * e1 + e2 * e2
    over = 1.0 / ((1.0 - square) * radius**2)
    return over * (1.0 + square - 2.0 * e1), -2.0 * over * e2, over * (1.0 + square + 2.0 * e1)


def component(
    role: Role,
    numbers: tuple[Number, ...],
    build: Callable[[dict[str, Array]], tuple[Any, Array, Array]],
    *,
    names: tuple[str, ...],
    ellipse: tuple[Parameter, Parameter] | None = None,
    flux: Parameter | None = None,
    **linear: Any,
) -> Component:
    """A component of numbers that each stand for one parameter, then of an ellipse.

    Args:
        role: what it is.
        numbers: the parameters but for the ellipse.
        build: keys `names`, and e1, e2 where there is an ellipse → lens or light, x, y.
        names: short keys of `numbers`.
        ellipse: q and φ.
        flux: of a light profile.
        linear: several, signed, mixture and penalty of a `Component`.
    """
    count = len(numbers)
    table = tuple(number.parameter for number in numbers) + (ellipse or ())

    def draw(key: Array) -> Array:
        keys = jax.random.split(key, len(table))
        return jnp.stack([jax.random.uniform(k, minval=p.low, maxval=p.high) for k, p in zip(keys, table, strict=True)])

    def encode(params: Array) -> Array:
        plain = [number.encode(params[k]) for k, number in enumerate(numbers)]
        return jnp.stack([*plain, *(encode_ellipse(params[count], params[count + 1]) if ellipse else ())])

    def decode(numbers_: Array) -> Array:
        plain = [number.decode(numbers_[k]) for k, number in enumerate(numbers)]
        return jnp.stack([*plain, *(decode_ellipse(numbers_[count], numbers_[count + 1]) if ellipse else ())])

    def built(numbers_: Array) -> tuple[Any, Array, Array]:
        values = {name: number.decode(numbers_[k]) for k, (name, number) in enumerate(zip(names, numbers, strict=True))}
        if ellipse:
            values["e1"], values["e2"] = ellipticity(numbers_[count], numbers_[count + 1])
        return build(values)

    def start(guess: Guess) -> list[float]:
        x, y = {"lens": guess.lens, "source": guess.source, "lens light": guess.middle}[role]
        known = {"x": x, "y": y, "theta_e": guess.theta_e, "size": guess.size, "n": 1.5, "gamma": 2.0, "r_s": 10.0 * guess.theta_e}
        params = [known.get(name, 0.0) for name in names]
        if ellipse:
            e1, e2 = {"lens": guess.lens_shape, "source": guess.source_shape}.get(role, (0.0, 0.0))
            e = min(max(math.hypot(e1, e2), _NEARLY_ROUND), 0.6)
            q = max((1.0 - e) / (1.0 + e), ellipse[0].low)
            params += [q, math.degrees(0.5 * math.atan2(e2, e1)) % 180.0]
        return params

    return Component(
        role=role,
        parameters=table,
        flux=flux,
        draw=draw,
        encode=encode,
        decode=decode,
        build=built,
        start=start,
        ellipses=((count, count + 1, count),) if ellipse else (),
        place=(names.index("x"), names.index("y")) if "x" in names else None,
        theta_e=names.index("theta_e") if "theta_e" in names else None,
        limited=tuple(k for k, number in enumerate(numbers) if number.map == "between"),
        **linear,
    )


def placed(prefix: str, unit: str, reach: float) -> tuple[Number, Number]:
    scale = max(reach / 4.0, 1e-3)
    return tuple(Number(Parameter(f"{prefix}{axis}", unit, -reach, reach), "plain", scale) for axis in "xy")  # type: ignore[return-value]


def ellipse_of(prefix: str, least: float) -> tuple[Parameter, Parameter]:
    return Parameter(f"{prefix}q", "", least, 1.0), Parameter(f"{prefix}phi", "deg", 0.0, 180.0, period=180.0)


def sie(
    *, prefix: str = "", unit: str = "px", theta_e: tuple[float, float] = (5.0, 75.0), reach: float = 20.0, q: float = 0.2
) -> Component:
    """Singular isothermal ellipsoid: x, y, theta_E, q, phi; phi is the direction of the mass's long axis."""

    def build(v: dict[str, Array]) -> tuple[SIE, Array, Array]:
        away = v["e1"] ** 2 + v["e2"] ** 2 > _SMALL
        e1, e2 = jnp.where(away, v["e1"], v["e1"] + _OFF), v["e2"]
        e, angle = jnp.sqrt(e1 * e1 + e2 * e2), 0.5 * jnp.arctan2(e2, e1)
        return SIE(v["theta_e"], (1.0 - e) / (1.0 + e), angle - 0.5 * jnp.pi), v["x"], v["y"]

    numbers = (*placed(prefix, unit, reach), Number(Parameter(f"{prefix}theta_E", unit, *theta_e), "log"))
    return component("lens", numbers, build, names=("x", "y", "theta_e"), ellipse=ellipse_of(prefix, q))


def sis(*, prefix: str = "", unit: str = "px", theta_e: tuple[float, float] = (5.0, 75.0), reach: float = 20.0) -> Component:
    """Singular isothermal sphere: x, y, theta_E."""
    numbers = (*placed(prefix, unit, reach), Number(Parameter(f"{prefix}theta_E", unit, *theta_e), "log"))
    return component("lens", numbers, lambda v: (SIS(v["theta_e"]), v["x"], v["y"]), names=("x", "y", "theta_e"))


def point_mass(*, prefix: str = "", unit: str = "px", theta_e: tuple[float, float] = (5.0, 75.0), reach: float = 20.0) -> Component:
    """Point mass: x, y, theta_E."""
    numbers = (*placed(prefix, unit, reach), Number(Parameter(f"{prefix}theta_E", unit, *theta_e), "log"))
    return component("lens", numbers, lambda v: (PointMass(v["theta_e"]), v["x"], v["y"]), names=("x", "y", "theta_e"))


def origin(*, prefix: str = "origin_", unit: str = "px", reach: float = 20.0) -> Component:
    """The origin of a set's coordinates, x and y, as a lens without mass: no image shows it, but labels may be about it."""
    numbers = placed(prefix, unit, reach)
    return component("lens", numbers, lambda v: (SIS(jnp.zeros_like(v["x"])), v["x"], v["y"]), names=("x", "y"))


def shear(*, prefix: str = "", most: float = 0.1) -> Component:
    """External shear about the image's origin: gamma1, gamma2."""
    numbers = tuple(Number(Parameter(f"{prefix}gamma{k}", "", -most, most), "plain", most) for k in (1, 2))
    origin = lambda v: (Shear(v["g1"], v["g2"]), jnp.zeros_like(v["g1"]), jnp.zeros_like(v["g1"]))  # noqa: E731
    return component("lens", numbers, origin, names=("g1", "g2"))


def gaussian(
    *,
    role: Role = "source",
    prefix: str = "source_",
    unit: str = "px",
    sigma: tuple[float, float] = (1.0, 20.0),
    reach: float = 40.0,
    q: float | None = 0.3,
    flux: tuple[float, float] = (1.0, 1e6),
) -> Component:
    """Gaussian: x, y, sigma (geometric mean of the axes), q, phi, flux; round where `q`, the least axis ratio, is None."""

    def build(v: dict[str, Array]) -> tuple[Gaussian, Array, Array]:
        zero = jnp.zeros_like(v["size"])
        xx, xy, yy = form_of(v["size"], v.get("e1", zero), v.get("e2", zero))
        return Gaussian(xx, xy, yy, 0.5 / (jnp.pi * v["size"] ** 2)), v["x"], v["y"]

    numbers = (*placed(prefix, unit, reach), Number(Parameter(f"{prefix}sigma", unit, *sigma), "log"))
    return component(
        role, numbers, build, names=("x", "y", "size"), ellipse=None if q is None else ellipse_of(prefix, q),
        flux=Parameter(f"{prefix}flux", f"light {unit}²", *flux),
    )  # fmt: skip


def sersic(
    *,
    role: Role = "source",
    prefix: str = "source_",
    unit: str = "px",
    radius: tuple[float, float] = (1.0, 20.0),
    index: tuple[float, float] = (0.5, 6.0),
    reach: float = 40.0,
    q: float | None = 0.3,
    flux: tuple[float, float] = (1.0, 1e6),
) -> Component:
    """Sérsic: x, y, R (half-light radius, geometric mean of the axes), n, q, phi, flux; round where `q` is None."""

    def build(v: dict[str, Array]) -> tuple[Sersic, Array, Array]:
        zero, n = jnp.zeros_like(v["size"]), v["n"]
        b = half_light(n)
        logarithm = 2.0 * n * jnp.log(b) - b - jax.scipy.special.gammaln(2.0 * n)
        peak = jnp.exp(logarithm) / (2.0 * jnp.pi * v["size"] ** 2 * n)
        return Sersic(*form_of(v["size"], v.get("e1", zero), v.get("e2", zero)), n=n, b=b, peak=peak), v["x"], v["y"]

    numbers = (
        *placed(prefix, unit, reach),
        Number(Parameter(f"{prefix}R", unit, *radius), "log"),
        Number(Parameter(f"{prefix}n", "", *index), "between"),
    )
    return component(
        role, numbers, build, names=("x", "y", "size", "n"), ellipse=None if q is None else ellipse_of(prefix, q),
        flux=Parameter(f"{prefix}flux", f"light {unit}²", *flux),
    )  # fmt: skip
