"""The interface of a lens, and the arithmetic that lenses share."""

from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array


class Lens(Protocol):
    """A thin lens at the origin; all positions and angles in pixels of the image plane."""

    def potential(self, x: Array, y: Array) -> Array:
        """Lensing potential ψ [px²] at (x, y); any shape."""
        ...

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Deflection α = ∇ψ [px] at (x, y); finite everywhere, at a singular centre the limit from one side."""
        ...

    def convergence(self, x: Array, y: Array) -> Array:
        """Convergence κ = ∇²ψ/2 at (x, y)."""
        ...

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        """The image, on the source's own side of the lens, of the source-plane point (x, y)."""
        ...


@runtime_checkable
class Axisymmetric(Lens, Protocol):
    """A lens whose images all lie on the line through the source and its own centre."""

    def image_radius(self, source: Array) -> Array:
        """Distance from the lens [px] of the image on the +x side of a source at (`source`, 0), any shape and sign; 0 without an image."""
        ...


CENTRE = 1e-8  # px²: within 1e-4 px of a singular centre there is no direction; beyond, derivatives of α stay below 1e4 θ_E


def safe_norm(x: Array, y: Array) -> tuple[Array, Array]:
    """Length r = √(x² + y²) and 1/r, both 0 at the origin (within 1e-4 px); gradients are finite there too (zero)."""
    square = x * x + y * y
    away = square > CENTRE
    filled = jnp.where(away, square, 1.0)
    inverse = jnp.where(away, 1.0 / jnp.sqrt(filled), 0.0)
    return square * inverse, inverse


def direction(x: Array, y: Array) -> tuple[Array, Array]:
    """Unit vector along (x, y); +x where there is no direction."""
    radius, inverse = safe_norm(x, y)
    return jnp.where(radius > 0, x * inverse, 1.0), y * inverse


@jax.custom_jvp
def unit(x: Array, y: Array) -> tuple[Array, Array]:
    """(x, y)/r of points (x, y), shapes that broadcast; (1, 0) within 1e-4 px of the origin, where its derivatives are zero.

    So the pixel at the centre of an isothermal lens takes one of the directions that it holds, and is as bright as its neighbour to the
    right. Without a deflection it would show light of the point right behind the lens, which none of the pixel shows.
    """
    square = x * x + y * y
    inverse = jax.lax.rsqrt(jnp.maximum(square, CENTRE))
    return jnp.where(square > CENTRE, x * inverse, 1.0), y * inverse


@unit.defjvp
def _unit_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    def by_cases(x: Array, y: Array) -> tuple[Array, Array]:
        inverse = safe_norm(x, y)[1]
        return x * inverse, y * inverse

    return jax.jvp(by_cases, primals, tangents)


def hessian(lens: Lens, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Second derivatives (ψ_xx, ψ_xy, ψ_yy) at points (x, y), any shape."""
    x, y = jnp.broadcast_arrays(x, y)
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    _, (xx, xy) = jax.jvp(lens.deflection, (x, y), (one, zero))
    _, (_, yy) = jax.jvp(lens.deflection, (x, y), (zero, one))
    return xx, xy, yy


def shear(lens: Lens, x: Array, y: Array) -> tuple[Array, Array]:
    """Shear γ₁ = ½ (ψ_xx − ψ_yy), γ₂ = ψ_xy at points (x, y)."""
    xx, xy, yy = hessian(lens, x, y)
    return 0.5 * (xx - yy), xy


def inverse_magnification(lens: Lens, x: Array, y: Array) -> Array:
    """det A = (1 − ψ_xx)(1 − ψ_yy) − ψ_xy² at points (x, y): zero on critical curves."""
    xx, xy, yy = hessian(lens, x, y)
    return (1.0 - xx) * (1.0 - yy) - xy * xy


def magnification(lens: Lens, x: Array, y: Array) -> Array:
    """μ = 1/det A at points (x, y), with its sign; infinite on critical curves."""
    return 1.0 / inverse_magnification(lens, x, y)


_CLOSE = 1e-6  # of the way, at which the search for an image stops before its last steps
_PATIENCE = 200


def fixed_point_image(lens: Lens, x: Array, y: Array) -> tuple[Array, Array]:
    """The image that ξ ← η + α(ξ) reaches from ξ = η, for a source at η = (x, y), scalars: CosmoSim's reference point.

    Two steps of Newton's method follow, the last of which carries the gradient (implicit function theorem). From a source at
    the very centre of an isothermal lens, where α has no direction, the search sets out along +x.
    """
    eta = jnp.stack(jnp.broadcast_arrays(x, y))
    start = jax.lax.stop_gradient(eta)
    still = jax.lax.stop_gradient(lens)

    def mapped(at: Array) -> Array:
        return start + jnp.stack(still.deflection(at[0], at[1]))

    def moving(state: tuple[Array, Array, Array]) -> Array:
        count, before, at = state
        return (count < _PATIENCE) & (jnp.abs(at - before).max() > _CLOSE * (1.0 + jnp.abs(at).max()))

    def move(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        count, _, at = state
        return count + 1, at, mapped(at)

    begin = start + jnp.where(jnp.abs(start).max() > 1e-3, 0.0, jnp.array([1e-2, 0.0], start.dtype))
    _, _, image = jax.lax.while_loop(moving, move, (jnp.int32(0), begin, mapped(begin)))

    def newton(at: Array, lens: Lens, eta: Array) -> Array:
        xx, xy, yy = jax.lax.stop_gradient(hessian(still, at[0], at[1]))
        residual = at - jnp.stack(lens.deflection(at[0], at[1])) - eta
        determinant = (1.0 - xx) * (1.0 - yy) - xy * xy
        usable = jnp.abs(determinant) > 1e-4
        over = jnp.where(usable, 1.0 / jnp.where(usable, determinant, 1.0), 0.0)
        return at - over * jnp.stack([(1.0 - yy) * residual[0] + xy * residual[1], xy * residual[0] + (1.0 - xx) * residual[1]])

    image = newton(jax.lax.stop_gradient(image), still, start)
    image = newton(jax.lax.stop_gradient(image), lens, eta)
    return image[0], image[1]
