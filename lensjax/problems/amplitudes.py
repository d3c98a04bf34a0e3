"""The roulette amplitudes of a problem's lens as what a network answers, in place of the system's parameters."""

from dataclasses import dataclass
from functools import cache, partial
from typing import Literal, TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax import roulette, simulate
from lensjax.errors import BadInput
from lensjax.lens.cluster import Cluster, gathered
from lensjax.problems.base import Parameter, Problem, Symmetry, power

Scale = Literal["raw", "standardised", "scaled"]
SCALES: tuple[Scale, ...] = ("raw", "standardised", "scaled")
POINTS = ("xi", "centre")

_DRAWS = 1024  # from the prior, for means and spreads
_CHUNK = 64
SIZES = 20
"""Spreads of the light across a field, about: lengths in an image's frame keep the order of those in the image."""

_NEAREST = 1e-2  # px, of a point to a lens: amplitudes at the lens itself are infinite


@dataclass(frozen=True)
class Amplitudes:
    """α_s^m and β_s^m to an order, as a table of numbers with an encoding; hashable, so static under jit.

    It has the parts of a `Problem` that networks, evaluation and metrics use; its "parameters" are the numbers.

    Attributes:
        problem: whose lens they are of.
        order: largest m.
        point: "xi" at the image of the first source's centre, whose place (xiX, xiY) is answered too; "centre" at the image's middle.
        scale: the encoding: "raw" numbers; "standardised" by mean and spread over the prior; "scaled" to α_s^m s^(m−1), s the distance from
            the point to the nearest lens, or to `about`, then standardised; log s is answered too.
        source: whether the source's size, index and flux are answered too, by their logarithms where the amplitudes are scaled.
        about: indices, among the problem's parameters, of the place where all lenses are taken to stand, as in CosmoSim's labels of
            clusters; None for where they do stand.
    """

    problem: Problem
    order: int
    point: Literal["xi", "centre"] = "xi"
    scale: Scale = "standardised"
    source: bool = False
    about: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """Name in messages."""
        return f"{self.problem.name}, amplitudes"

    @property
    def side(self) -> float:
        """Side of the field in the unit of lengths."""
        return self.problem.side

    @property
    def pairs(self) -> tuple[tuple[str, int, int], ...]:
        """(kind, m, s) of each amplitude, in droulette's order; β of s = 0 is zero and left out."""
        return tuple(
            (kind, m, s)
            for m in range(self.order + 1)
            for s in range((m + 1) % 2, m + 2, 2)
            for kind in ("alpha", "beta")
            if kind == "alpha" or s > 0
        )

    @property
    def places(self) -> int:
        """How many of the numbers are the point's place: 2 or 0."""
        return 2 if self.point == "xi" else 0

    @property
    def of_source(self) -> tuple[int, ...]:
        """Indices, among the problem's parameters, of the source's numbers that are answered."""
        return self.problem.source_numbers if self.source else ()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Table of the numbers: xiX, xiY, amplitudes by m and s, the source's; their bounds are those of draws from the prior."""
        low, high, _, _ = _statistics(self)
        unit = self.problem.parameters[self.problem.sources[0][0]].unit
        units = [unit] * self.places + [{0: unit, 1: ""}.get(m, f"{unit}^{1 - m}") for _, m, _ in self.pairs]
        units += [self.problem.parameters[k].unit for k in self.of_source]
        return tuple(Parameter(name, unit, *ends) for name, unit, *ends in zip(self.names, units, low, high, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the numbers: those of droulette's columns, and the problem's own of the source."""
        pairs = tuple(f"{kind}[{m}][{s}]" for kind, m, s in self.pairs)
        return ("xiX", "xiY")[: self.places] + pairs + tuple(self.problem.names[k] for k in self.of_source)

    @property
    def period(self) -> tuple[float | None, ...]:
        """None has a period."""
        return (None,) * len(self.names)

    @partial(jax.jit, static_argnums=0, inline=True)
    def of(self, params: Array) -> tuple[Array, Array]:
        """Numbers (B, V) of systems (B, P) in file units, and distances s (B,) [px] from the point to the nearest lens."""
        values: Array = jax.lax.map(self._of_one, params, batch_size=_CHUNK)
        return values[:, :-1], values[:, -1]

    def sample(self, key: Array, n: int) -> Array:
        """Numbers (n, V) of n draws from the prior."""
        values: Array = self.of(self.problem.sample(key, n))[0]
        return values

    def encode(self, values: Array, distance: Array) -> Array:
        """Numbers (..., V) and distances (...) → targets (..., E)."""
        if self.scale == "raw":
            return values
        if self.scale == "scaled":
            values = self._scaled(values, distance)
        _, _, middle, width = _statistics(self)
        return (values - jnp.asarray(middle, values.dtype)) / jnp.asarray(width, values.dtype)

    def decode(self, encoded: Array) -> Array:
        """Targets (..., E) → numbers (..., V)."""
        if self.scale == "raw":
            return encoded
        _, _, middle, width = _statistics(self)
        values = encoded * jnp.asarray(width, encoded.dtype) + jnp.asarray(middle, encoded.dtype)
        if self.scale != "scaled":
            return values
        places, of_lens, of_source, distance = jnp.split(
            values, [self.places, self.places + len(self.pairs), values.shape[-1] - 1], axis=-1
        )
        of_lens = of_lens / self._powers(jnp.exp(distance[..., 0]))
        return jnp.concatenate([self._unit * jnp.sinh(places), of_lens, jnp.exp(of_source)], axis=-1)

    @property
    def symmetry(self) -> Symmetry:
        """How the numbers turn, grow and move with their image: D_φ^{m+1} ψ turns with it, and has the unit px^(1 − m)."""
        place = ((0, 1),) if self.places else ()
        index = {pair: k + self.places for k, pair in enumerate(self.pairs)}
        waves = tuple(((index["alpha", m, s], index["beta", m, s]), s) for kind, m, s in self.pairs if kind == "beta")
        of_source = (power(self.problem.parameters[k].unit) for k in self.of_source)
        return Symmetry(
            spins=(*((pair, 1) for pair in place), *waves),
            powers=(*(1 for _ in range(self.places)), *(1 - m for _, m, _ in self.pairs), *of_source),
            periods=self.period,
            movable=tuple((pair, False) for pair in place) if self.problem.movable else (),
        )

    def equivalents(self, values: Array) -> Array:
        """(1, ..., V): the numbers themselves."""
        return values[None]

    def canonical(self, values: Array) -> Array:
        """The numbers themselves."""
        return values

    def undefined(self, values: Array) -> Array:
        """No number is without meaning."""
        return jnp.zeros(values.shape, bool)

    def _scaled(self, values: Array, distance: Array) -> Array:
        """Numbers (..., V) made dimensionless, with the logarithm of the distance after them."""
        places, of_lens, of_source = jnp.split(values, [self.places, self.places + len(self.pairs)], axis=-1)
        numbers = [jnp.arcsinh(places / self._unit), of_lens * self._powers(distance), jnp.log(of_source), jnp.log(distance)[..., None]]
        return jnp.concatenate(numbers, axis=-1)

    @property
    def _unit(self) -> float:
        """Of places [px]: a spread of the light in its frame. Far places, as of light in a few pixels, count by their logarithm."""
        return self.side / SIZES

    def _powers(self, distance: Array) -> Array:
        """Factors (..., A) that make amplitudes dimensionless."""
        return distance[..., None] ** jnp.asarray([m - 1 for _, m, _ in self.pairs], distance.dtype)

    def _of_one(self, params: Array) -> Array:
        """Numbers of one system (P,), and the distance to the nearest lens."""
        problem = self.problem
        system = problem.system(params)
        if self.point == "xi":
            x, y = (params[k] for k in problem.sources[0])
            xi = jnp.stack(system.lens.primary_image(x, y))
        else:
            xi = simulate.image_centre(system, problem.instrument, trace=problem.trace)
        pairs = [pair for pair in problem.places if pair not in problem.sources] if self.about is None else [self.about]
        at = [params[jnp.array(pair)] for pair in pairs]
        lenses = jnp.stack(at) if at else jnp.zeros((1, 2), params.dtype)
        distance = jnp.maximum(jnp.sqrt(((xi - lenses) ** 2).sum(axis=-1)).min(), _NEAREST)
        lens = system.lens if self.about is None else gathered(cast(Cluster, system.lens), lenses[0, 0], lenses[0, 1])
        alpha, beta = roulette.amplitudes(lens, xi[0], xi[1], terms=self.order)
        picked = [(alpha if kind == "alpha" else beta)[m, s] for kind, m, s in self.pairs]
        return jnp.concatenate([xi[: self.places], jnp.stack([*picked, *(params[k] for k in self.of_source), distance])])


Answered: TypeAlias = Problem | Amplitudes
"""What a network answers: the parameters of a problem, or amplitudes."""


@cache
def _statistics(table: Amplitudes) -> tuple[tuple[float, ...], ...]:
    """Smallest and largest of each number over draws from the prior; mean and spread of each encoded one before it is standardised."""

    values, distance = jax.jit(lambda: table.of(table.problem.sample(jax.random.key(0), _DRAWS)))()
    scaled = table._scaled(values, distance) if table.scale == "scaled" else values
    columns = (values.min(axis=0), values.max(axis=0), scaled.mean(axis=0), jnp.maximum(scaled.std(axis=0), 1e-12))
    return tuple(tuple(float(number) for number in np.asarray(column)) for column in columns)


def origin_of(problem: Problem) -> tuple[int, int]:
    """Indices of the origin's x and y among the parameters of a problem that has it, see `problems.get`."""
    return problem.names.index("origin_x"), problem.names.index("origin_y")


def amplitudes(problem: Problem, *, order: int, point: str, scale: str, source: bool = False, gathered: bool = False) -> Amplitudes:
    """The table; `gathered` for amplitudes of a cluster as though its members stood at its origin.

    Raises:
        BadInput: an unknown point or scale, or an order below 1.
    """
    for column, value, known in (("point", point, POINTS), ("amplitude_scale", scale, SCALES)):
        if value not in known:
            raise BadInput(column=column, value=value, expected=f"one of {', '.join(known)}")
    if order < 1:
        raise BadInput(column="order", value=order, expected="1 or more")
    table = Amplitudes(problem, order, point, scale, source, origin_of(problem) if gathered else None)  # type: ignore[arg-type]
    _statistics(table)  # here, since they cannot be drawn while a program that needs them is compiled
    return table
