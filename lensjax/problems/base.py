"""What a problem is: parameters with a prior, an encoding and symmetries, and how its images are taken."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import simulate
from lensjax.conventions import GREY_LEVELS, ROUNDING_VARIANCE
from lensjax.observation.detector import quantise
from lensjax.observation.instrument import Instrument
from lensjax.observation.noise import Noise, PoissonNoise
from lensjax.observation.observed import Observed, observe
from lensjax.simulate import System, Trace

if TYPE_CHECKING:
    from lensjax.problems.axisymmetric import AxisymmetricProblem
    from lensjax.problems.compose import Composition

ROUND = 1e-6
"""Ellipticity (1 − q)/(1 + q) up to which an ellipse is round: that of float32's rounding."""

_compiled = partial(jax.jit, static_argnums=0, inline=True)  # operations one by one would be compiled one by one
_WIDEST = 4.0  # standard deviations of a PSF that its array holds to each side


@dataclass(frozen=True)
class Parameter:
    """One parameter of a problem: name in files, unit, bounds of the prior, and period (None without one)."""

    name: str
    unit: str
    low: float
    high: float
    period: float | None = None


@dataclass(frozen=True)
class Symmetry:
    """How parameters turn, grow and move with their image, by index.

    Attributes:
        spins: pairs, and how many times the angle they turn: once for places, twice for shear, s times for amplitudes α_s and β_s.
        powers: of the image's scale by which each parameter grows.
        periods: of each parameter.
        angles: directions [deg].
        shears: pairs of external shear.
        movable: pairs of places relative to the image's middle, and whether shear acts on the light there.
    """

    spins: tuple[tuple[tuple[int, int], int], ...]
    powers: tuple[int, ...]
    periods: tuple[float | None, ...]
    angles: tuple[int, ...] = ()
    shears: tuple[tuple[int, int], ...] = ()
    movable: tuple[tuple[tuple[int, int], bool], ...] = ()


def power(unit: str) -> int:
    """The power of a length that a unit has."""
    return 2 if unit.endswith("²") else 1 if unit in ("px", "arcsec") else 0


class Conditions(NamedTuple):
    """What images (B,) are taken under, or one image.

    Attributes:
        whole: whether it is shown without its window.
        fwhm: FWHM of the PSF [native px], 0 for none.
        sigma: noise of a pixel [grey levels].
        key: the noise's own key, as numbers.
        exposure: counts for one grey level, for noise of photons beside it; infinite for none.
    """

    whole: Array
    fwhm: Array
    sigma: Array
    key: Array
    exposure: Array


@dataclass(frozen=True, kw_only=True)
class Problem(ABC):
    """What is inferred, and from which images; hashable, so static under jit.

    A system has three descriptions: `parameters`, as in files; the *encoding*, numbers of order one in which every system is one point
    and nothing is singular, the targets of networks; and the `System` tree.

    Attributes:
        field: side of the field that an image shows [native px].
        pixel: side of a native pixel in the unit of lengths.
        image_size: pixels on a side of an image.
        trace: how the lens equation is solved, and the window.
        seeing: smallest and largest FWHM of a Gaussian PSF [native px], drawn for each image; None for none.
        noise: smallest and largest standard deviation of white noise [grey levels], drawn for each image; None for none.
        exposure: smallest and largest counts for one grey level, drawn for each image, for noise of photons beside `noise`; None for none.
        turned: whether networks see, beside an image, the image less itself turned by 180°: arcs without the galaxy that they are about.
        rounded: whether grey levels are rounded, where a pixel is a native one, and cut to 0…255.
    """

    field: int
    pixel: float = 1.0
    image_size: int
    trace: Trace = Trace()  # noqa: RUF009 (frozen)
    seeing: tuple[float, float] | None = None
    noise: tuple[float, float] | None = None
    exposure: tuple[float, float] | None = None
    turned: bool = False
    rounded: bool = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Name it is looked up by."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """Table of the parameters, in file order."""

    @property
    @abstractmethod
    def composition(self) -> "Composition":
        """The components that are fitted to an observation of any size and brightness; see `stated`."""

    @abstractmethod
    def stated(self, params: Array) -> Array:
        """Parameters of the composition → those of the problem (P,)."""

    @property
    def exact(self) -> "AxisymmetricProblem | None":
        """The problem, where it has coordinates for a fit to the rounding of its own images."""
        return None

    @property
    def coordinates(self) -> int:
        """How many coordinates a fit has."""
        return self.composition.size

    @property
    @abstractmethod
    def places(self) -> tuple[tuple[int, int], ...]:
        """Indices of x and y of everything that has a place."""

    @property
    @abstractmethod
    def sources(self) -> tuple[tuple[int, int], ...]:
        """Those of the sources."""

    @property
    def source_numbers(self) -> tuple[int, ...]:
        """Indices of the first source's size, index and flux, where networks can answer them beside amplitudes."""
        return ()

    @property
    @abstractmethod
    def movable(self) -> bool:
        """Whether parameters say where in the image the lens is; otherwise places are relative to the lens."""

    @property
    def without_image(self) -> tuple[str, ...]:
        """Names of the parameters that no image of this problem identifies."""
        return ()

    @abstractmethod
    def view(self, size: int, psf: Array | None = None) -> Instrument:
        """The instrument of images of `size` pixels, in the unit of lengths; `psf` in pixels of the image."""

    @abstractmethod
    def draw(self, keys: Array) -> Array:
        """One draw from the prior for each of N keys, (N, P)."""

    @abstractmethod
    def encode(self, params: Array) -> Array:
        """Parameters (..., P) → encoding (..., E)."""

    @abstractmethod
    def decode(self, encoded: Array) -> Array:
        """Encoding (..., E) → parameters (..., P), the canonical one of the equivalent sets."""

    @abstractmethod
    def system(self, params: Array) -> System:
        """The system of parameters (P,); its light is in grey levels / `unit`."""

    @property
    @abstractmethod
    def unit(self) -> float:
        """Grey levels of a system's light of 1."""

    @abstractmethod
    def equivalents(self, params: Array) -> Array:
        """Parameters (..., P) → (K, ..., P), all discrete sets of parameters with the same image."""

    @abstractmethod
    def ellipticities(self, params: Array) -> tuple[tuple[int, Array], ...]:
        """The index of each direction, and the ellipticity (1 − q)/(1 + q) (...) of its ellipse, for parameters (..., P)."""

    def canonical(self, params: Array) -> Array:
        """Parameters (..., P) → (..., P), with those that no image identifies set to their conventional values."""
        return params

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in file order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def period(self) -> tuple[float | None, ...]:
        """Period of each parameter; None where it has none."""
        return tuple(parameter.period for parameter in self.parameters)

    @property
    def side(self) -> float:
        """Side of the field in the unit of lengths."""
        return self.field * self.pixel

    @property
    def instrument(self) -> Instrument:
        """How an image is taken, without a PSF."""
        return self.view(self.image_size)

    @property
    def symmetry(self) -> Symmetry:
        """How parameters turn, grow and move with their image."""
        names = self.names
        shears = tuple(
            (k, names.index(f"{name[:-1]}2")) for k, name in enumerate(names) if name.endswith("gamma1") and f"{name[:-1]}2" in names
        )
        return Symmetry(
            spins=(*((pair, 1) for pair in self.places), *((pair, 2) for pair in shears)),
            powers=tuple(power(parameter.unit) for parameter in self.parameters),
            periods=self.period,
            angles=tuple(k for k, length in enumerate(self.period) if length is not None),
            shears=shears,
            movable=tuple((pair, pair in self.sources) for pair in self.places) if self.movable else (),
        )

    def undefined(self, params: Array) -> Array:
        """Which parameters of (..., P) mean nothing: directions of what is round."""
        flat = jnp.zeros(params.shape, bool)
        for k, ellipticity in self.ellipticities(params):
            flat = flat.at[..., k].set(ellipticity <= ROUND)
        return flat

    def seen(self, image: Array) -> Array:
        """Pixels (...) in grey levels as networks see them, of order one."""
        return image / GREY_LEVELS

    def sample(self, key: Array, n: int) -> Array:
        """n draws from the prior, (n, P), in file units. Draw i depends on `key` and i alone."""
        return self.draw(jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n)))

    def conditions(self, key: Array, n: int, *, mixed: bool = False) -> Conditions:
        """What n images are taken under, (n,); `mixed`: half of them, chosen at random, without the window."""

        def drawn(key: Array, ends: tuple[float, float] | None, none: float = 0.0) -> Array:
            return jnp.full((), none) if ends is None else jax.random.uniform(key, minval=ends[0], maxval=ends[1])

        def one(key: Array) -> tuple[Array, Array, Array, Array]:
            seeing_key, noise_key, own = jax.random.split(key, 3)
            exposure = drawn(jax.random.fold_in(key, 3), self.exposure, jnp.inf)
            return drawn(seeing_key, self.seeing), drawn(noise_key, self.noise), jax.random.key_data(own), exposure

        whole = jax.random.bernoulli(key, shape=(n,)) if mixed else jnp.zeros(n, bool)
        return Conditions(whole, *jax.vmap(one)(jax.random.split(key, n)))

    def render(self, params: Array, *, psf: Array | None = None, whole: Array | bool = False) -> Array:
        """Image (n, n) of one system (P,) in grey levels, not rounded; `whole` as in `simulate.image`, `psf` in pixels of the image."""
        return self.unit * simulate.image(self.system(params), self.view(self.image_size, psf), trace=self.trace, whole=whole)

    def render_batch(self, params: Array) -> Array:
        """Images (N, n, n) of N systems (N, P), in chunks that stay in the cache."""
        images: Array = simulate.in_chunks(self.render, params)
        return images

    def exposed(self, params: Array, taken: Conditions) -> Array:
        """All light (n, n) in grey levels that falls on the detector, of one system (P,) and of what is beside it."""
        return self.render(params, psf=self.psf(taken.fwhm), whole=taken.whole)

    @_compiled
    def record(self, params: Array, taken: Conditions) -> Array:
        """Image (n, n) of one system (P,) in grey levels as the detector records it, with its PSF, noise and rounding."""
        image = self.exposed(params, taken)
        if self.noise is not None:
            sigma = taken.sigma if self.exposure is None else PoissonNoise(taken.sigma, taken.exposure).sigma(image)
            image = image + sigma * jax.random.normal(jax.random.wrap_key_data(taken.key), image.shape, image.dtype)
        if self.rounded:
            return quantise(image) if self.image_size == self.field else jnp.clip(image, 0.0, GREY_LEVELS)
        return image

    def observed(self, image: np.ndarray, taken: Conditions) -> Observed:
        """An image (n, n) in grey levels as an observation: what it was taken under is known, pixels cut at 255 are masked."""
        variance = float(taken.sigma) ** 2 + ROUNDING_VARIANCE * self.rounded
        level: Noise | float = variance**0.5 if variance > 0 else 1.0
        if self.exposure is not None:
            level = PoissonNoise(jnp.asarray(level), taken.exposure)
        taken_by = self.view(self.image_size, self.psf(jnp.asarray(taken.fwhm)))
        return observe(image, level, mask=image < GREY_LEVELS if self.rounded else None, taken_by=taken_by)

    def psf(self, fwhm: Array) -> Array | None:
        """The Gaussian PSF of a FWHM [native px], in pixels of the image, each the integral over it; None where the problem has none."""
        if self.seeing is None:
            return None
        per_width = self.image_size / self.field / np.sqrt(8.0 * np.log(2.0))
        half = int(np.ceil(_WIDEST * self.seeing[1] * per_width))
        edges = (jnp.arange(2 * half + 2, dtype=fwhm.dtype) - half - 0.5) / (fwhm * per_width)
        across = jnp.diff(jax.scipy.special.ndtr(edges))
        return jnp.outer(across, across) / across.sum() ** 2

    def centre(self, system: System, *, method: str) -> Array:
        """The place (2,) that the problem's instrument moves to the image's middle."""
        return simulate.image_centre(system, self.instrument, trace=self.traced(method))

    def traced(self, method: str) -> Trace:
        """The problem's trace by another method, one of `simulate.METHODS`."""
        return Trace.named(method, terms=self.trace.terms)
