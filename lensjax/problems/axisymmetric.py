"""Problems of an axisymmetric lens at the origin and one elliptical Gaussian whose peak is 255 grey levels, and what they share."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from lensjax import simulate
from lensjax._internal.words import did_you_mean, listed
from lensjax.conventions import GREY_LEVELS
from lensjax.errors import BadInput
from lensjax.lens import Lens
from lensjax.observation.instrument import CentreOfLight, Instrument, of_field
from lensjax.problems import observables
from lensjax.problems.base import Parameter, Problem
from lensjax.problems.compose import Composition
from lensjax.problems.free import free, parameters_of
from lensjax.simulate import System, Trace

FIELD = 400  # native px, of an image


@dataclass(frozen=True)
class Axisymmetric:
    """The systems of a problem, as a table of functions; hashable.

    Attributes:
        name: name of the problem.
        parameters: x, y, einsteinR, sigma, sigma2, theta, and what else the lens has.
        draw: (key, integer) → parameters (P,), one draw from the prior.
        encode, decode, equivalents, canonical: as in `Problem`.
        to_system: encoding (E,) → System.
        from_system: System → parameters (P,), the canonical set.
        lens_of: (g, |ξ|) → lens, see `observables`.
        theta_e: parameters (..., P) → Einstein radius in the image [px].
        without_image: names of the parameters that no image identifies.
    """

    name: str
    parameters: tuple[Parameter, ...]
    draw: Callable[[Array, bool], Array]
    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]
    to_system: Callable[[Array], System]
    from_system: Callable[[System], Array]
    lens_of: Callable[[Array, Array], Lens]
    theta_e: Callable[[Array], Array]
    canonical: Callable[[Array], Array] = lambda params: params
    without_image: tuple[str, ...] = ()


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
        return self.kind.without_image

    @property
    def unit(self) -> float:
        return GREY_LEVELS

    def view(self, size: int, psf: Array | None = None) -> Instrument:
        del psf  # it has none
        return of_field(self.field, size, supersampling=1 if size >= self.field else 2, centring=self.centring)

    def draw(self, keys: Array) -> Array:
        drawn: Array = jax.vmap(lambda key: self.kind.draw(key, self.integer))(keys)
        return drawn

    def encode(self, params: Array) -> Array:
        return self.kind.encode(params)

    def decode(self, encoded: Array) -> Array:
        return self.kind.decode(encoded)

    def system(self, params: Array) -> System:
        return self.kind.to_system(self.kind.encode(params))

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
        return self.kind.canonical(params)

    def light(self, fit: Array, x: Array, y: Array, *, method: str, free_shift: bool) -> tuple[Array, Array]:
        """The light of fit coordinates at points of the image [px]: (grey levels, distance inside the window), as `simulate.light`.

        Args:
            fit: coordinates (8,), see `observables`.
            x, y: points, relative to the image's centre.
            method: how the lens equation is solved.
            free_shift: whether `fit` gives the place of the image; otherwise its own centre of light does.
        """
        system, centre = observables.from_fit(fit, self.kind.lens_of)
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
        return self.kind.from_system(observables.from_fit(fit, self.kind.lens_of)[0])


def problem_of(
    kind: Axisymmetric, centring: CentreOfLight, *, image_size: int, integer: bool, method: str, terms: int, centred: bool
) -> AxisymmetricProblem:
    """The problem of these systems; `image_size` below 400 shows the same field in coarser, averaged pixels.

    Raises:
        BadInput: an option out of range.
    """
    place = f"problem {kind.name}"
    if method not in simulate.METHODS:
        hint = did_you_mean(method, simulate.METHODS)
        raise BadInput(column="method", place=place, value=method, expected=f"one of {listed(simulate.METHODS)}", hint=hint)
    if image_size < 16:
        raise BadInput(column="image_size", place=place, value=image_size, expected="16 or more")
    if terms < 2:
        raise BadInput(column="terms", place=place, value=terms, expected="2 or more")
    return AxisymmetricProblem(
        kind=kind, field=FIELD, image_size=image_size, trace=Trace.named(method, terms=terms), rounded=True, integer=integer,
        centring=centring if centred else None,
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
