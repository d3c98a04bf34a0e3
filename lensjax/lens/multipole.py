"""Multipole of an isothermal lens: its convergence changes with the angle as cos m(φ − φ_m).

    κ = (a cos mφ + b sin mφ)/(2 r),   ψ = r (a cos mφ + b sin mφ)/(1 − m²)

after Xu et al. (2015, MNRAS 447, 3189, eq. B12), with a = a_m cos mφ_m and b = a_m sin mφ_m: lenstronomy's MULTIPOLE of (a_m, φ_m). A
lens of θ_E with a deviation a_m/θ_E of its density's contours has this beside it, at the same place.
"""

from dataclasses import dataclass, field

from jax import Array

from lensjax._internal.checks import check_range
from lensjax._internal.tree import register
from lensjax.lens.base import fixed_point_image, safe_norm, unit


@register
@dataclass(frozen=True)
class Multipole:
    """Multipole of order `m`.

    Attributes:
        a, b: its strength times cos mφ_m and sin mφ_m [px], scalars; φ_m is a direction of excess mass.
        m: order, 2 or more; 3 and 4 are usual.

    Raises:
        ValueError: an order below 2.
    """

    a: Array
    b: Array
    m: int = field(metadata={"static": True})

    def __post_init__(self) -> None:
        check_range("Multipole", "m", self.m, least=2, expected="an order of 2 or more")

    def _angular(self, x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
        """Cosine and sine of the direction, a cos mφ + b sin mφ, and its derivative by φ over m."""
        cos, sin = unit(x, y)
        real, imaginary = cos, sin
        for _ in range(self.m - 1):
            real, imaginary = real * cos - imaginary * sin, real * sin + imaginary * cos
        return cos, sin, self.a * real + self.b * imaginary, self.b * real - self.a * imaginary

    def potential(self, x: Array, y: Array) -> Array:
        return safe_norm(x, y)[0] * self._angular(x, y)[2] / (1.0 - self.m**2)

    def smooth_potential(self, x: Array, y: Array) -> Array:
        """ψ away from the centre by elementary operations alone, of which `jax.experimental.jet` has the derivatives of any order."""
        real, imaginary = x, y
        for _ in range(self.m - 1):
            real, imaginary = real * x - imaginary * y, real * y + imaginary * x
        return (self.a * real + self.b * imaginary) * (x * x + y * y) ** (0.5 * (1 - self.m)) / (1.0 - self.m**2)

    def deflection(self, x: Array, y: Array) -> tuple[Array, Array]:
        cos, sin, value, slope = self._angular(x, y)
        across = self.m * slope
        return (cos * value - sin * across) / (1.0 - self.m**2), (sin * value + cos * across) / (1.0 - self.m**2)

    def convergence(self, x: Array, y: Array) -> Array:
        """κ; zero at the centre, where it diverges."""
        return 0.5 * self._angular(x, y)[2] * safe_norm(x, y)[1]

    def primary_image(self, x: Array, y: Array) -> tuple[Array, Array]:
        return fixed_point_image(self, x, y)
