"""Any sum of lenses, each with its own place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.lens.base import Lens, fixed_point_image
from lensjax.lens.point_mass import PointMass
from lensjax.lens.sie import SIE
from lensjax.lens.sis import SIS

_UNROLLED = 16  # members of a kind written out one by one; more are looped over, which compiles in no time


@register
@dataclass(frozen=True)
class Group:
    """Lenses of one kind.

    Attributes:
        lens: all of them as one tree, a leading axis (n,) on every parameter.
        x, y: where they stand [px], (n,).
    """

    lens: Lens
    x: Array
    y: Array

    def __len__(self) -> int:
        return self.x.shape[0]


@register
@dataclass(frozen=True)
class Cluster:
    """A sum of lenses; build it by `cluster`.

    Attributes:
        groups: the members, kind by kind.
        vectorised: whether the members of a kind are worked on as arrays, instead of written out one by one: more memory, but
            compiled sooner.
    """

    groups: tuple[Group, ...]
    vectorised: bool = field(default=False, metadata={"static": True})

    def __len__(self) -> int:
        return sum(len(group) for group in self.groups)

    def potential(self, x: Array, y: Array) -> Array:
        return total(self, x, y, lambda lens, dx, dy: (lens.potential(dx, dy),))[0]

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        ax, ay = total(self, x, y, lambda lens, dx, dy: lens.deflection(dx, dy))
        return ax, ay

    def convergence(self, x: Array, y: Array) -> Array:
        return total(self, x, y, lambda lens, dx, dy: (lens.convergence(dx, dy),))[0]

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return fixed_point_image(self, x, y)


def cluster(members: Sequence[tuple[Lens, Array | float, Array | float]]) -> Cluster:
    """The sum of the lenses, each with its place (x, y) [px].

    Raises:
        ValueError: no members.
    """
    if not members:
        raise ValueError("a cluster needs one member or more")
    kinds: dict[object, list[tuple[Lens, Array | float, Array | float]]] = {}
    for member in members:
        kinds.setdefault(jax.tree.structure(member[0]), []).append(member)
    groups = []
    for same in kinds.values():
        lens = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *(m[0] for m in same))
        x, y = (jnp.stack([jnp.asarray(m[k], jnp.result_type(float)) for m in same]) for k in (1, 2))
        groups.append(Group(lens, x, y))
    return Cluster(tuple(groups))


def gathered(lens: Cluster, x: Array, y: Array) -> Cluster:
    """The same lenses, all at the place (x, y) [px]."""
    groups = (Group(group.lens, jnp.full_like(group.x, x), jnp.full_like(group.y, y)) for group in lens.groups)
    return Cluster(tuple(groups), lens.vectorised)


def padded(lens: Cluster, *, least: int = 8) -> Cluster:
    """The same sum with all SISs as SIEs, filled up with SIEs and point masses without mass.

    Each kind has a power of two of members, `least` or more, so that clusters with other numbers of members share compiled programs.
    """
    ellipsoids, points, others = np.zeros((0, 5)), np.zeros((0, 3)), []
    for group in lens.groups:
        member, place = group.lens, (np.asarray(group.x), np.asarray(group.y))
        if isinstance(member, SIS | SIE):
            shape = (member.f, member.orientation) if isinstance(member, SIE) else (np.ones(len(group)), np.zeros(len(group)))
            ellipsoids = np.concatenate([ellipsoids, np.stack([member.theta_e, *shape, *place], axis=-1)])
        elif isinstance(member, PointMass):
            points = np.concatenate([points, np.stack([member.theta_e, *place], axis=-1)])
        else:
            others.append(group)

    def columns(rows: np.ndarray, massless: Sequence[float]) -> list[Array]:
        count = max(least, 1 << max(len(rows) - 1, 0).bit_length())
        filled = np.concatenate([rows, np.tile(massless, (count - len(rows), 1))])
        return [jnp.asarray(column) for column in filled.T]

    theta_e, f, orientation, x, y = columns(ellipsoids, (0.0, 1.0, 0.0, 0.0, 0.0))
    theta_p, x_p, y_p = columns(points, (0.0, 0.0, 0.0))
    return Cluster((Group(SIE(theta_e, f, orientation), x, y), Group(PointMass(theta_p), x_p, y_p), *others), vectorised=True)


def total(
    lens: Cluster,
    x: Array,
    y: Array,
    part: Callable[[Lens, Array, Array], tuple[Array, ...]],
    join: Callable[[Array, Array], Array] = jnp.add,
) -> tuple[Array, ...]:
    """Sum (or the fold by `join`) over the members of `part`(member, x − its x, y − its y): one or more arrays."""
    sums: tuple[Array, ...] | None = None
    for group in lens.groups:

        def one(member: Group) -> tuple[Array, ...]:
            return part(member.lens, x - member.x, y - member.y)

        if lens.vectorised:
            stacked = jax.vmap(one)(group)
            parts = [tuple(array[i] for array in stacked) for i in range(len(group))]
        else:
            parts = [one(jax.tree.map(lambda leaf, i=i: leaf[i], group)) for i in range(min(len(group), _UNROLLED))]
        for values in parts:
            sums = values if sums is None else jax.tree.map(join, sums, values)
        if len(group) > len(parts):
            rest = jax.tree.map(lambda leaf: leaf[_UNROLLED:], group)
            sums, _ = jax.lax.scan(lambda carry, m: (jax.tree.map(join, carry, one(m)), None), sums, rest)
    assert sums is not None
    return sums
