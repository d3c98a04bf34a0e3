"""Problems composed of components: names, prior, numbers without bounds, and the images whose weighted sum is the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.errors import BadInput
from lensjax.lens import Lens, Shear, cluster
from lensjax.light.base import LinearSource, Source, constellation
from lensjax.observation.instrument import Instrument
from lensjax.problems.base import Parameter
from lensjax.problems.components import E_MAX, Component, Guess, Role, ellipticity
from lensjax.simulate.exposure import exposure
from lensjax.simulate.system import System


@dataclass(frozen=True)
class Composition:
    """A sum of lenses and light profiles; hashable, so static under jit. Build it by `compose`.

    Its parameters (P,) are those of the components in order, and then the linear amplitudes of its light profiles, mostly their fluxes.
    The numbers of a fit (E,) are those of the components alone: an image is linear in the amplitudes, which a fit solves for.

    Attributes:
        name: its name.
        components: the components.
        sky: whether a constant sky is fitted too.
        exchangeable: groups of components, by index, whose order has no meaning, such as a cluster's members of one kind.
        prior: key → parameters (P,), where the prior is more than one range for each parameter.
        normal: parameters with a normal prior in a fit: name, mean and standard deviation; for an axis ratio 1 and that of e1 and of e2.
    """

    name: str
    components: tuple[Component, ...]
    sky: bool = False
    exchangeable: tuple[tuple[int, ...], ...] = ()
    prior: Callable[[Array], Array] | None = None
    normal: tuple[tuple[str, float, float], ...] = ()

    @property
    def lights(self) -> tuple[int, ...]:
        """Indices of the components that are light."""
        return tuple(k for k, part in enumerate(self.components) if part.flux is not None)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters, amplitudes last, and the sky where there is one."""
        own = [parameter for part in self.components for parameter in part.parameters]
        amplitudes = [parameter for part in self.components for parameter in part.amplitudes]
        return (*own, *amplitudes, *((Parameter("sky", "light", -1e6, 1e6),) if self.sky else ()))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    def orders(self) -> list[list[int]]:
        """Indices of the parameters (P,) for each order of the components that have none; the first is that of `parameters`.

        Those below `size` are the indices of a fit's numbers too.
        """
        numbers = np.cumsum([0, *(len(part.parameters) for part in self.components)])
        amplitudes = self.size + np.cumsum([0, *(len(part.amplitudes) for part in self.components)])
        orders = []
        for chosen in product(*(permutations(group) for group in self.exchangeable)):
            order = list(range(len(self.parameters)))
            for group, other in zip(self.exchangeable, chosen, strict=True):
                for to, of in zip(group, other, strict=True):
                    for first in (numbers, amplitudes):
                        order[first[to] : first[to + 1]] = range(first[of], first[of + 1])
            orders.append(order)
        return orders

    @property
    def linear(self) -> int:
        """How many of the parameters are linear amplitudes: the last ones."""
        return sum(len(part.amplitudes) for part in self.components) + self.sky

    @property
    def has_sets(self) -> bool:
        """Whether a light profile has several amplitudes."""
        return any(part.several for part in self.components)

    @property
    def nonnegative(self) -> tuple[bool, ...]:
        """Which amplitudes cannot be negative: not the sky, nor those of a profile that has them of any sign."""
        return (*(not part.signed for part in self.components for _ in part.amplitudes), *(False,) * self.sky)

    @property
    def size(self) -> int:
        """E, how many numbers a fit has."""
        return sum(_count(part) for part in self.components)

    @property
    def source_numbers(self) -> tuple[int, ...]:
        """Indices of the first source's size, index and flux: of all its parameters that do not change as the image turns and moves."""
        first = 0
        found: list[int] = []
        for k, part in enumerate(self.components):
            if part.role == "source" and not found:
                turned = {*(part.place or ()), *(i for ellipse in part.ellipses for i in ellipse[:2])}
                found = [first + i for i in range(len(part.parameters)) if i not in turned]
                found += [len(self.parameters) - self.linear + self.lights.index(k)] if part.flux is not None else []
            first += len(part.parameters)
        return tuple(found)

    def draw(self, key: Array) -> Array:
        """One draw from the prior, (P,); fluxes are uniform in their logarithm."""
        if self.prior is not None:
            return self.prior(key)
        keys = jax.random.split(key, len(self.components) + 1)
        own = [part.draw(k) for part, k in zip(self.components, keys, strict=False)]
        fluxes = [self.components[k].flux for k in self.lights]
        ends = jnp.log(jnp.asarray([(flux.low, flux.high) for flux in fluxes if flux is not None])).reshape(-1, 2)
        drawn = jnp.exp(jax.random.uniform(keys[-1], (len(fluxes),), minval=ends[:, 0], maxval=ends[:, 1]))
        parts = []
        for i, k in enumerate(self.lights):
            mixture = self.components[k].mixture
            parts.append(drawn[i : i + 1] if mixture is None else drawn[i] * mixture(jax.random.fold_in(keys[-1], k)))
        return jnp.concatenate([*own, *parts, *([jnp.zeros(1)] if self.sky else [])])

    def within(self, params: np.ndarray) -> np.ndarray:
        """Parameters (..., P), such as a network's, moved within the prior's bounds; those that are no numbers to the middle."""
        low, high = (np.array([getattr(parameter, end) for parameter in self.parameters]) for end in ("low", "high"))
        return np.clip(np.where(np.isfinite(params), params, 0.5 * (low + high)), low, high)

    def encode(self, params: Array) -> Array:
        """Parameters (P,) → numbers (E,)."""
        parts, first = [], 0
        for part in self.components:
            parts.append(part.encode(params[first : first + len(part.parameters)]))
            first += len(part.parameters)
        return jnp.concatenate(parts)

    def decode(self, numbers: Array, amplitudes: Array) -> Array:
        """Numbers (E,) and amplitudes (K,) → parameters (P,)."""
        return jnp.concatenate([part.decode(own) for part, own in self._split(numbers)] + [amplitudes])

    def normal_prior(self, dtype: jnp.dtype) -> tuple[Array, Array] | None:
        """Mean (E,) and inverse variance (E,) of the numbers' normal prior, 0 where there is none; None where no parameter has one."""
        if not self.normal:
            return None
        own = self.parameters[: self.size]
        middle, step = np.array([0.5 * (parameter.low + parameter.high) for parameter in own]), np.zeros(self.size)
        for name, mean, deviation in self.normal:
            k = self.names.index(name)
            middle[k], step[k] = mean, deviation
        at = self.encode(jnp.asarray(middle, dtype))
        width = self.encode(jnp.asarray(middle + step, dtype)) - at
        for q, _, first in self.round_shapes():
            width = width.at[first : first + 2].set(step[q] / E_MAX)
        return at, jnp.where(width != 0, 1.0 / jnp.where(width != 0, width * width, 1.0), 0.0)

    def start(self, guess: Guess) -> Array:
        """The numbers (E,) of a rough system."""
        parts = [part.encode(jnp.asarray(part.start(guess), jnp.result_type(float))) for part in self.components]
        return jnp.concatenate(parts)

    def unlensed(self) -> "Composition":
        """The same light without any lens."""
        bare = [replace(part, role="lens light") if part.role == "source" else part for part in self.components if part.role != "lens"]
        return replace(self, name=f"{self.name}, unlensed", components=tuple(bare), exchangeable=(), prior=None, normal=())

    @property
    def lens_count(self) -> int:
        """How many of its lenses have an Einstein radius: more than one are a cluster."""
        return sum(part.role == "lens" and part.theta_e is not None for part in self.components)

    @property
    def lens_range(self) -> tuple[tuple[float, float], float]:
        """Smallest and largest Einstein radius of the prior, and how far a lens may lie from the origin along each axis.

        Raises:
            ValueError: no lens has an Einstein radius.
        """
        for part in self.components:
            if part.theta_e is not None and part.place is not None:
                radius, x = part.parameters[part.theta_e], part.parameters[part.place[0]]
                return (radius.low, radius.high), x.high
        raise ValueError(f"problem {self.name} has no lens with an Einstein radius")

    def at_bounds(self, numbers: Array) -> tuple[str, ...]:
        """Names of the parameters at an end of their range: within 1 % of it, or of an ellipticity of `E_MAX`."""
        names: list[str] = []
        for part, own in self._split(numbers):
            params = part.decode(own)
            for k in part.limited:
                low, high = part.parameters[k].low, part.parameters[k].high
                if not 0.01 < (float(params[k]) - low) / (high - low) < 0.99:
                    names.append(part.parameters[k].name)
            for q, _, first in part.ellipses:
                e1, e2 = ellipticity(own[first], own[first + 1])
                if float(e1 * e1 + e2 * e2) > (0.98 * E_MAX) ** 2:
                    names.append(part.parameters[q].name)
        return tuple(names)

    def round_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """For each ellipse the indices of q and φ among the parameters, and that of the first of their two numbers."""
        found, params, numbers = [], 0, 0
        for part in self.components:
            found += [(params + q, params + phi, numbers + first) for q, phi, first in part.ellipses]
            params, numbers = params + len(part.parameters), numbers + _count(part)
        return tuple(found)

    def amplitudes(self, params: Array) -> Array:
        """The linear amplitudes (K,) among parameters (P,)."""
        return params[len(self.parameters) - self.linear :]

    def _profiles(self, numbers: Array) -> list[tuple[bool, Any, Array, Array]]:
        """Each light profile, of amplitudes 1: whether it lies behind the lens, the light, x and y."""
        shining = [(part, own) for part, own in self._split(numbers) if part.flux is not None]
        return [(part.role == "source", *part.build(own)) for part, own in shining]

    def _split(self, numbers: Array) -> list[tuple[Component, Array]]:
        parts, first = [], 0
        for part in self.components:
            parts.append((part, numbers[first : first + _count(part)]))
            first += _count(part)
        return parts

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Indices of x and y of each source among the parameters."""
        return self._places("source")

    @property
    def all_places(self) -> tuple[tuple[int, int], ...]:
        """Indices of x and y of each component that has a place, among the parameters."""
        return self._places("lens", "source", "lens light")

    def _places(self, *roles: Role) -> tuple[tuple[int, int], ...]:
        found, first = [], 0
        for part in self.components:
            if part.role in roles and part.place is not None:
                found.append((first + part.place[0], first + part.place[1]))
            first += len(part.parameters)
        return tuple(found)

    def lens(self, numbers: Array) -> Lens | None:
        """The sum of the lenses; None without one."""
        members = [part.build(own) for part, own in self._split(numbers) if part.role == "lens"]
        return cluster(members) if members else None

    def parts(self, params: Array) -> list[tuple[Role, Any, Array, Array]]:
        """Each component of parameters (P,), in order: its role, the lens or the light with its amplitudes, and its place x, y."""
        numbers, shares = self.encode(params), iter(self._shares(self.amplitudes(params)))
        built = [(part, *part.build(own)) for part, own in self._split(numbers)]
        return [(part.role, thing if part.flux is None else _brightened(thing, next(shares)), x, y) for part, thing, x, y in built]

    def layers(self, numbers: Array, instrument: Instrument, *, shift: tuple[float, float] = (0.0, 0.0)) -> Array:
        """Images (K, H, W) of amplitude 1 of each light profile, then of the sky; with all sources moved by `shift` (x, y)."""
        lens = self.lens(numbers)
        images = []
        for behind, light, x, y in self._profiles(numbers):
            if behind:
                x, y = x + shift[0], y + shift[1]
            shine = light.basis if isinstance(light, LinearSource) else light.light
            image = exposure(_seen(shine, x, y, lens if behind else None), instrument, dtype=numbers.dtype)
            images.append(image.reshape(-1, *instrument.shape))
        if self.sky:
            images.append(jnp.ones((1, *instrument.shape), numbers.dtype))
        return jnp.concatenate(images)

    def model(self, numbers: Array, amplitudes: Array, instrument: Instrument) -> Array:
        """The image (H, W) of numbers (E,) and amplitudes (K,): the sum of the layers, with one convolution for each light profile."""
        lens = self.lens(numbers)
        total = jnp.full(instrument.shape, amplitudes[-1]) if self.sky else jnp.zeros(instrument.shape, numbers.dtype)
        for (behind, light, x, y), own in zip(self._profiles(numbers), self._shares(amplitudes), strict=True):
            bright = _brightened(light, own)
            total = total + exposure(_seen(bright.light, x, y, lens if behind else None), instrument, dtype=numbers.dtype)
        return total

    def _shares(self, amplitudes: Array) -> list[Array]:
        """The amplitudes (K,) of each light profile."""
        shares, first = [], 0
        for k in self.lights:
            count = len(self.components[k].amplitudes)
            shares.append(amplitudes[first : first + count])
            first += count
        return shares

    def penalty(self, flux: Array) -> Array | None:
        """R (K, K) for an image of this total flux, see `Component.penalty`; None where no amplitude has a prior."""
        if not any(part.penalty for part in self.components):
            return None
        matrix, first = np.zeros((self.linear, self.linear)), 0
        for part in self.components:
            count = len(part.amplitudes)
            if part.penalty is not None:
                matrix[first : first + count, first : first + count] = part.penalty()
            first += count
        return jnp.asarray(matrix, flux.dtype) / (flux * flux)

    def system(self, params: Array) -> System:
        """The system of parameters (P,), without the sky: what `simulate.image` renders.

        Raises:
            ValueError: no source.
        """
        numbers, shares = self.encode(params), self._shares(self.amplitudes(params))
        placed: dict[bool, list[tuple[Source, Array, Array]]] = {True: [], False: []}
        for (behind, light, x, y), own in zip(self._profiles(numbers), shares, strict=True):
            placed[behind].append((_brightened(light, own), x, y))
        sources, front = placed[True], placed[False]
        if not sources:
            raise ValueError(f"problem {self.name} has no source")
        zero = jnp.zeros((), numbers.dtype)
        source, x, y = sources[0] if len(sources) == 1 else (constellation(sources), zero, zero)
        lens = self.lens(numbers) or Shear(zero, zero)
        return System(lens, source, x, y, lens_light=constellation(front) if front else None)

    def image(self, params: Array, instrument: Instrument) -> Array:
        """The image (H, W) of parameters (P,)."""
        if self.has_sets:
            return self.model(self.encode(params), self.amplitudes(params), instrument)
        return jnp.tensordot(self.amplitudes(params), self.layers(self.encode(params), instrument), axes=1)


def _brightened(light: Any, amplitudes: Array) -> Source:
    """A light profile of flux 1, or of several amplitudes 1, with its amplitudes."""
    several = isinstance(light, LinearSource)
    bright: Source = replace(light, amplitudes=amplitudes) if several else replace(light, peak=light.peak * amplitudes[0])
    return bright


def _seen(shine: Callable[[Array, Array], Array], x: Array, y: Array, lens: Lens | None) -> Callable[[Array, Array], Array]:
    def brightness(px: Array, py: Array) -> Array:
        if lens is None:
            return shine(px - x, py - y)
        ax, ay = lens.deflection(px, py)
        return shine(px - ax - x, py - ay - y)

    return brightness


def _count(part: Component) -> int:
    return len(part.parameters)  # an ellipse's two parameters become two numbers, every other one becomes one


def compose(
    name: str,
    components: Sequence[Component],
    *,
    sky: bool = False,
    exchangeable: Sequence[Sequence[int]] = (),
    prior: Callable[[Array], Array] | None = None,
    normal: Sequence[tuple[str, float, float]] = (),
) -> Composition:
    """A problem of these components; the other arguments are as in `Composition`.

    Raises:
        BadInput: no light, two parameters of one name, or a normal prior of a parameter that there is not.
    """
    problem = Composition(name, tuple(components), sky, tuple(tuple(group) for group in exchangeable), prior, tuple(normal))
    if not problem.lights:
        raise BadInput(column="problem", value=name, expected="one light profile or more")
    unknown = [name for name, *_ in normal if name not in problem.names[: problem.size]]
    if unknown:
        raise BadInput(column="normal", value=unknown[0], expected=f"one of {', '.join(problem.names[: problem.size])}")
    twice = [other for k, other in enumerate(problem.names) if other in problem.names[:k]]
    if twice:
        raise BadInput(f"two parameters {twice[0]}", column="problem", value=name, hint="give one of the components another prefix")
    return problem
