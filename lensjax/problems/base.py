"""Inference problems: their parts, and what several of them share."""

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
from lensjax.simulate import System, Trace

_FIELD = 400  # px, of an image


@dataclass(frozen=True)
class Parameter:
    """One parameter of a problem: name in files, unit, bounds of the prior, and period (None without one)."""

    name: str
    unit: str
    low: float
    high: float
    period: float | None = None


@dataclass(frozen=True)
class Problem:
    """An inference problem: parameters, prior, instrument, and the maps between its descriptions; hashable, so static under jit.

    A system has three descriptions: `parameters`, as in files; the *encoding*, numbers of order one in which every system is one point
    and nothing is singular, the targets of networks; and the `System` tree.

    Attributes:
        name: name it is looked up by.
        parameters: table of its parameters, in file order.
        instrument: how an image is taken.
        trace: how the lens equation is solved, and the window.
        integer: whether the prior draws whole numbers, as the thesis did.
        draw: (key, integer) → parameters (P,), one draw from the prior.
        encode: parameters (..., P) → encoding (..., E).
        decode: encoding (..., E) → parameters (..., P), the canonical one of the equivalent sets.
        to_system: encoding (E,) → System.
        equivalents: parameters (..., P) → (K, ..., P), all discrete sets of parameters with the same image.
        canonical: parameters (..., P) → (..., P), with those that no image identifies set to their conventional values.
        is_round: parameters (..., P) → (...,) whether the source is round, so that theta means nothing.
        without_image: names of the parameters that no image of this problem identifies.
        from_system: System → parameters (P,), the canonical set.
        lens_of: (g, |ξ|) → lens, see `observables`.
        theta_e: parameters (..., P) → Einstein radius in the image [px].
    """

    name: str
    parameters: tuple[Parameter, ...]
    instrument: Instrument
    trace: Trace
    integer: bool
    draw: Callable[[Array, bool], Array]
    encode: Callable[[Array], Array]
    decode: Callable[[Array], Array]
    to_system: Callable[[Array], System]
    equivalents: Callable[[Array], Array]
    canonical: Callable[[Array], Array]
    is_round: Callable[[Array], Array]
    from_system: Callable[[System], Array]
    lens_of: Callable[[Array, Array], Lens]
    theta_e: Callable[[Array], Array]
    without_image: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in file order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def period(self) -> tuple[float | None, ...]:
        """Period of each parameter; None where it has none."""
        return tuple(parameter.period for parameter in self.parameters)

    @property
    def image_size(self) -> int:
        """Pixels on a side of an image."""
        return self.instrument.shape[0]

    @property
    def field(self) -> int:
        """Side of the field that an image shows [native px]."""
        return round(self.image_size * self.instrument.pixel_scale)

    def undefined(self, params: Array) -> Array:
        """Which parameters of (..., P) mean nothing: theta of a round source."""
        periodic = jnp.asarray([length is not None for length in self.period])
        return self.is_round(params)[..., None] & periodic

    def sample(self, key: Array, n: int) -> Array:
        """n draws from the prior, (n, P), in file units. Draw i depends on `key` and i alone."""
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n))
        return jax.vmap(lambda k: self.draw(k, self.integer))(keys)

    def render(self, params: Array, *, whole: Array | bool = False) -> Array:
        """Image (n, n) of one system (P,) in grey levels, not rounded; `whole` as in `simulate.image`."""
        system = self.to_system(self.encode(params))
        return GREY_LEVELS * simulate.image(system, self.instrument, trace=self.trace, whole=whole)

    def render_batch(self, params: Array) -> Array:
        """Images (N, n, n) of N systems (N, P), in chunks that stay in the cache."""
        images: Array = simulate.in_chunks(self.render, params)
        return images

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

    def centre(self, system: System, *, method: str) -> Array:
        """The place (2,), relative to the lens, that this problem's instrument moves to the image's centre."""
        return simulate.image_centre(system, self.instrument, trace=self.traced(method))

    def to_fit(self, params: Array, *, method: str) -> Array:
        """Parameters (P,) to fit coordinates (8,)."""
        system = self.to_system(self.encode(params))
        return observables.to_fit(system, self.centre(system, method=method))

    def from_fit(self, fit: Array) -> Array:
        """Fit coordinates (8,) to parameters (P,), the canonical set."""
        return self.from_system(observables.from_fit(fit, self.lens_of)[0])

    def traced(self, method: str) -> Trace:
        """The problem's trace by another method, one of `simulate.METHODS`."""
        return Trace.named(method, terms=self.trace.terms)


def taken(name: str, centring: CentreOfLight, *, image_size: int, method: str, terms: int, centred: bool) -> tuple[Instrument, Trace]:
    """How the images of a problem are taken, from its options; they show 400 native pixels on a side.

    Raises:
        BadInput: an option out of range.
    """
    place = f"problem {name}"
    if method not in simulate.METHODS:
        hint = did_you_mean(method, simulate.METHODS)
        raise BadInput(column="method", place=place, value=method, expected=f"one of {listed(simulate.METHODS)}", hint=hint)
    if image_size < 16:
        raise BadInput(column="image_size", place=place, value=image_size, expected="16 or more")
    if terms < 2:
        raise BadInput(column="terms", place=place, value=terms, expected="2 or more")
    supersampling = 1 if image_size >= _FIELD else 2
    instrument = of_field(_FIELD, image_size, supersampling=supersampling, centring=centring if centred else None)
    return instrument, Trace.named(method, terms=terms)


def uniform(key: Array, low: Array | float, high: Array | float, integer: bool) -> Array:
    """Uniform between low and high, both included."""
    if integer:
        first = jnp.asarray(low, jnp.int32)
        return jax.random.randint(key, (), first, jnp.asarray(high, jnp.int32) + 1).astype(jnp.float32)
    return jax.random.uniform(key, (), minval=low, maxval=high)


def ellipse_is_round(sigma: Array, sigma2: Array) -> Array:
    """Whether two axes are the same to within float32's rounding."""
    return jnp.abs(sigma - sigma2) <= 1e-6 * (sigma + sigma2)


def swapped_axes(params: Array, *, sigma: int, sigma2: int, theta: int) -> Array:
    """(2, ..., P): the ellipse as it is, and with its axes exchanged and rotated by 90°; theta in [0, 180) in both."""
    first = params.at[..., theta].set(jnp.mod(params[..., theta], 180.0))
    second = (
        first.at[..., sigma].set(params[..., sigma2])
        .at[..., sigma2].set(params[..., sigma])
        .at[..., theta].set(jnp.mod(params[..., theta] + 90.0, 180.0))
    )  # fmt: skip
    return jnp.stack([first, second])


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


def identity(params: Array) -> Array:
    """The parameters themselves, for a problem in which an image identifies all."""
    return params
