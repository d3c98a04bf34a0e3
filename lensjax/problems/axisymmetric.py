"""Problems of an axisymmetric lens at the origin and one elliptical Gaussian whose peak is 255 grey levels, and what they share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from lensjax import simulate
from lensjax._internal.words import did_you_mean, listed
from lensjax.conventions import GREY_LEVELS
from lensjax.errors import BadInput
from lensjax.lens import SIS, Lens, PointMass
from lensjax.light.gaussian import Gaussian, from_shape
from lensjax.observation.instrument import CentreOfLight, Instrument, of_field
from lensjax.problems import observables
from lensjax.problems.base import Parameter, Problem
from lensjax.problems.compose import Composition
from lensjax.problems.free import CHI, free, parameters_of
from lensjax.simulate import System, Trace

FIELD = 400  # native px, of an image


@dataclass(frozen=True)
class Axisymmetric:
    """The systems of a problem and its images, as a table; hashable.

    Attributes:
        name: name of the problem.
        parameters: x, y, einsteinR, sigma, sigma2, theta, and chi unless it is ½ for all.
        draw: (key, integer) → parameters (P,), one draw from the prior.
        lens: θ_E → lens.
        radius: (g, |ξ|) → θ_E, see `observables`.
        middle, width: middle and half-width of x, y, log θ_E, log size, e cos 2θ, e sin 2θ, from which the encoding is made.
        terms: order of the series of its images.
        centring: how its images are centred on their light.
    """

    name: str
    parameters: tuple[Parameter, ...]
    draw: Callable[[Array, bool], Array]
    lens: type[SIS] | type[PointMass]
    radius: Callable[[Array, Array], Array]
    middle: tuple[float, ...]
    width: tuple[float, ...]
    terms: int
    centring: CentreOfLight


@dataclass(frozen=True, kw_only=True)
class AxisymmetricProblem(Problem):
    """A problem with coordinates of its own, in which its posterior is nearly straight: see `observables`.

    Attributes:
        kind: its systems.
        integer: whether the prior draws whole numbers, as the thesis did.
        centring: how images are centred on their light; None for about the lens.
    """

    kind: Axisymmetric
    integer: bool = True
    centring: CentreOfLight | None = None

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.kind.parameters

    @property
    def composition(self) -> Composition:
        return free(self.name)

    def stated(self, params: Array) -> Array:
        return parameters_of(self.name, params)

    @property
    def exact(self) -> "AxisymmetricProblem":
        return self

    @property
    def coordinates(self) -> int:
        return len(observables.LOWEST)

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        return ((self.names.index("x"), self.names.index("y")),)

    @property
    def sources(self) -> tuple[tuple[int, int], ...]:
        return self.places

    @property
    def movable(self) -> bool:
        return False

    @property
    def without_image(self) -> tuple[str, ...]:
        return ("einsteinR", "chi") if self._has_chi else ()

    @property
    def unit(self) -> float:
        return GREY_LEVELS

    def view(self, size: int, psf: Array | None = None) -> Instrument:
        del psf  # it has none
        return of_field(self.field, size, supersampling=1 if size >= self.field else 2, centring=self.centring)

    def draw(self, keys: Array) -> Array:
        drawn: Array = jax.vmap(lambda key: self.kind.draw(key, self.integer))(keys)
        return drawn

    @property
    def _has_chi(self) -> bool:
        return "chi" in self.names

    def theta_e(self, params: Array) -> Array:
        """Parameters (..., P) → Einstein radius in the image, einsteinR/χ [px]."""
        return params[..., 2] / (params[..., 6] if self._has_chi else CHI)

    def encode(self, params: Array) -> Array:
        """(x, y, log θ_E, log √(σσ₂), e cos 2θ, e sin 2θ), each about its middle and of order one; (..., P) → (..., 6)."""
        x, y, _, sigma, sigma2, theta = jnp.moveaxis(params[..., :6], -1, 0)
        plain = jnp.stack([x, y, jnp.log(self.theta_e(params)), *encode_ellipse(sigma, sigma2, theta)], axis=-1)
        return (plain - jnp.asarray(self.kind.middle, plain.dtype)) / jnp.asarray(self.kind.width, plain.dtype)

    def _plain(self, encoded: Array) -> Array:
        return encoded * jnp.asarray(self.kind.width, encoded.dtype) + jnp.asarray(self.kind.middle, encoded.dtype)

    def decode(self, encoded: Array) -> Array:
        """The inverse of `encode` for χ = ½, with sigma ≥ sigma2 and theta in [0, 180)."""
        x, y, log_radius, *shape = jnp.moveaxis(self._plain(encoded), -1, 0)
        return self._of_numbers(x, y, jnp.exp(log_radius), shape)

    def _of_numbers(self, x: Array, y: Array, radius: Array, shape: Sequence[Array]) -> Array:
        chi = [jnp.full_like(x, CHI)] if self._has_chi else []
        return jnp.stack([x, y, CHI * radius, *decode_ellipse(*shape), *chi], axis=-1)

    def system(self, params: Array) -> System:
        x, y, log_radius, *shape = self._plain(self.encode(params))
        return System(lens=self.kind.lens(theta_e=jnp.exp(log_radius)), source=from_shape(*shape), x=x, y=y)

    def from_system(self, system: System) -> Array:
        """System → parameters (P,), with χ = ½, sigma ≥ sigma2 and theta in [0, 180)."""
        assert isinstance(system.lens, self.kind.lens) and isinstance(system.source, Gaussian)
        return self._of_numbers(system.x, system.y, system.lens.theta_e, observables.shape_of(system.source))

    def lens_of(self, g: Array, distance: Array) -> Lens:
        """(g, |ξ|) → lens, see `observables`."""
        return self.kind.lens(theta_e=self.kind.radius(g, distance))

    def equivalents(self, params: Array) -> Array:
        """(2, ..., P): the ellipse as it is, and with its axes exchanged and rotated by 90°; theta in [0, 180) in both."""
        sigma, sigma2, theta = (self.names.index(name) for name in ("sigma", "sigma2", "theta"))
        first = params.at[..., theta].set(jnp.mod(params[..., theta], 180.0))
        second = (
            first.at[..., sigma].set(params[..., sigma2])
            .at[..., sigma2].set(params[..., sigma])
            .at[..., theta].set(jnp.mod(params[..., theta] + 90.0, 180.0))
        )  # fmt: skip
        return jnp.stack([first, second])

    def ellipticities(self, params: Array) -> tuple[tuple[int, Array], ...]:
        sigma, sigma2 = (params[..., self.names.index(name)] for name in ("sigma", "sigma2"))
        return ((self.names.index("theta"), jnp.abs(sigma - sigma2) / (sigma + sigma2)),)

    def canonical(self, params: Array) -> Array:
        """einsteinR at χ = ½, for the same θ_E."""
        if not self._has_chi:
            return params
        return params.at[..., 2].set(CHI * params[..., 2] / params[..., 6]).at[..., 6].set(CHI)

    def light(self, fit: Array, x: Array, y: Array, *, method: str, free_shift: bool) -> tuple[Array, Array]:
        """The light of fit coordinates at points of the image [px]: (grey levels, distance inside the window), as `simulate.light`.

        Args:
            fit: coordinates (8,), see `observables`.
            x, y: points, relative to the image's centre.
            method: how the lens equation is solved.
            free_shift: whether `fit` gives the place of the image; otherwise its own centre of light does.
        """
        system, centre = observables.from_fit(fit, self.lens_of)
        if not free_shift:
            centre = self.centre(system, method=method)
        bright, inside = simulate.light(system, x + centre[0], y + centre[1], trace=self.traced(method))
        return GREY_LEVELS * bright, inside

    def to_fit(self, params: Array, *, method: str) -> Array:
        """Parameters (P,) to fit coordinates (8,)."""
        system = self.system(params)
        return observables.to_fit(system, self.centre(system, method=method))

    def from_fit(self, fit: Array) -> Array:
        """Fit coordinates (8,) to parameters (P,), the canonical set."""
        return self.from_system(observables.from_fit(fit, self.lens_of)[0])


def problem_of(
    kind: Axisymmetric,
    *,
    image_size: int = FIELD,
    integer: bool = True,
    method: str = "roulette",
    terms: int | None = None,
    centred: bool = True,
) -> AxisymmetricProblem:
    """The problem of these systems; `image_size` below 400 shows the same field in coarser, averaged pixels.

    Raises:
        BadInput: an option out of range.
    """
    place = f"problem {kind.name}"
    terms = kind.terms if terms is None else terms
    if method not in simulate.METHODS:
        hint = did_you_mean(method, simulate.METHODS)
        raise BadInput(column="method", place=place, value=method, expected=f"one of {listed(simulate.METHODS)}", hint=hint)
    if image_size < 16:
        raise BadInput(column="image_size", place=place, value=image_size, expected="16 or more")
    if terms < 2:
        raise BadInput(column="terms", place=place, value=terms, expected="2 or more")
    return AxisymmetricProblem(
        kind=kind, field=FIELD, image_size=image_size, trace=Trace.named(method, terms=terms), rounded=True, integer=integer,
        centring=kind.centring if centred else None,
    )  # fmt: skip


def uniform(key: Array, low: Array | float, high: Array | float, integer: bool) -> Array:
    """Uniform between low and high, both included."""
    if integer:
        first = jnp.asarray(low, jnp.int32)
        return jax.random.randint(key, (), first, jnp.asarray(high, jnp.int32) + 1).astype(jnp.float32)
    return jax.random.uniform(key, (), minval=low, maxval=high)


def encode_ellipse(sigma: Array, sigma2: Array, theta: Array) -> tuple[Array, Array, Array]:
    """(log √(σ σ₂), e cos 2θ, e sin 2θ) with e = ½ log(σ/σ₂); lengths in px, theta in degrees."""
    log_size, e = 0.5 * jnp.log(sigma * sigma2), 0.5 * jnp.log(sigma / sigma2)
    angle = jnp.deg2rad(2.0 * theta)
    return log_size, e * jnp.cos(angle), e * jnp.sin(angle)


def decode_ellipse(log_size: Array, e1: Array, e2: Array) -> tuple[Array, Array, Array]:
    """(σ, σ₂, θ) with σ ≥ σ₂ and θ in [0, 180) degrees; its gradient is finite for the round source too."""
    square = e1 * e1 + e2 * e2
    away = square > 0
    e = jnp.where(away, jnp.sqrt(jnp.where(away, square, 1.0)), 0.0)
    angle = jnp.arctan2(jnp.where(away, e2, 0.0), jnp.where(away, e1, 1.0))
    theta = jnp.mod(jnp.rad2deg(0.5 * angle), 180.0)
    return jnp.exp(log_size + e), jnp.exp(log_size - e), jnp.where(theta < 180.0, theta, 0.0)  # mod can round up to 180
