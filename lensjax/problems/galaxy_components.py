"""Tables of the components of real galaxies: free slopes and halos, and light of many linear amplitudes.

As `components`; lengths are in the unit of the image's pixel scale.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.lens import EPL, NFW, Lens, Multipole, cluster
from lensjax.lens.epl import critical_radius
from lensjax.light import MultiGaussian, Pixels, Shapelets
from lensjax.light.multi_gaussian import widths
from lensjax.light.pixels import regularisation
from lensjax.light.shapelets import orders
from lensjax.problems.base import Parameter
from lensjax.problems.components import Component, Number, Role, component, ellipse_of, form_of, placed

_WIDEST = 1e12  # amplitude that no image has


def epl(
    *,
    prefix: str = "",
    unit: str = "px",
    theta_e: tuple[float, float] = (5.0, 75.0),
    reach: float = 20.0,
    q: float = 0.2,
    gamma: tuple[float, float] = (1.5, 2.5),
    multipoles: tuple[int, ...] = (),
    most: float = 0.05,
) -> Component:
    """Elliptical power law: x, y, theta_E, gamma, q, phi; with `multipoles` also a<m> and b<m> of each order.

    theta_E is the radius of the circle with the area inside its critical curve, without multipoles; phi is the direction of the mass's
    long axis. a<m> and b<m> are those of `lens.Multipole` at the same place over the lens's own θ_E, of `most` or less in the prior.
    """

    def build(v: dict[str, Array]) -> tuple[Lens, Array, Array]:
        e1, e2, slope = v["e1"], v["e2"], v["gamma"]
        own = v["theta_e"] / critical_radius(e1, e2, slope)
        lens: Lens = EPL(own, e1, e2, slope)
        if multipoles:
            zero = jnp.zeros_like(own)
            others = [Multipole(own * v[f"a{m}"], own * v[f"b{m}"], m) for m in multipoles]
            lens = cluster([(part, zero, zero) for part in (lens, *others)])
        return lens, v["x"], v["y"]

    keys = [f"{letter}{m}" for m in multipoles for letter in "ab"]
    numbers = (
        *placed(prefix, unit, reach),
        Number(Parameter(f"{prefix}theta_E", unit, *theta_e), "log"),
        Number(Parameter(f"{prefix}gamma", "", *gamma), "between"),
        *(Number(Parameter(f"{prefix}{key}", "", -most, most), "plain", most) for key in keys),
    )
    return component("lens", numbers, build, names=("x", "y", "theta_e", "gamma", *keys), ellipse=ellipse_of(prefix, q))


def nfw(
    *,
    prefix: str = "halo_",
    unit: str = "px",
    r_s: tuple[float, float] = (50.0, 500.0),
    alpha_rs: tuple[float, float] = (1.0, 50.0),
    reach: float = 20.0,
    q: float | None = 0.6,
) -> Component:
    """NFW halo: x, y, r_s, alpha_Rs, q, phi, those of the elliptical potential; round where `q` is None."""

    def build(v: dict[str, Array]) -> tuple[NFW, Array, Array]:
        zero = jnp.zeros_like(v["r_s"])
        return NFW(v["r_s"], v["alpha_rs"], v.get("e1", zero), v.get("e2", zero)), v["x"], v["y"]

    numbers = (
        *placed(prefix, unit, reach),
        Number(Parameter(f"{prefix}r_s", unit, *r_s), "log"),
        Number(Parameter(f"{prefix}alpha_Rs", unit, *alpha_rs), "log"),
    )
    return component(
        "lens", numbers, build, names=("x", "y", "r_s", "alpha_rs"), ellipse=None if q is None else ellipse_of(prefix, q)
    )  # fmt: skip


def multipole(m: int, *, prefix: str = "", unit: str = "px", most: float = 1.0, reach: float = 20.0) -> Component:
    """Multipole of an isothermal lens with a place of its own: <prefix>m<m>_x, _y, _a and _b; see `epl` for one at a lens's place."""
    name = f"{prefix}m{m}_"
    numbers = (*placed(name, unit, reach), *(Number(Parameter(f"{name}{key}", unit, -most, most), "plain", most) for key in "ab"))
    return component("lens", numbers, lambda v: (Multipole(v["a"], v["b"], m), v["x"], v["y"]), names=("x", "y", "a", "b"))


def multi_gaussian(
    count: int,
    *,
    role: Role = "lens light",
    prefix: str = "light_",
    unit: str = "px",
    sigma: tuple[float, float] = (0.5, 40.0),
    reach: float = 10.0,
    q: float | None = 0.3,
    flux: tuple[float, float] = (1.0, 1e6),
) -> Component:
    """`count` concentric Gaussians of fixed widths: x, y, q, phi, and as linear amplitudes their fluxes <prefix>flux1, ….

    The first is the narrowest. Widths, geometric means of the axes, are evenly spaced in the logarithm between the ends of `sigma`. Round
    where `q` is None.
    """
    sizes = widths(*sigma, count)

    def build(v: dict[str, Array]) -> tuple[MultiGaussian, Array, Array]:
        one, zero = jnp.ones_like(v["x"]), jnp.zeros_like(v["x"])
        form = form_of(one, v.get("e1", zero), v.get("e2", zero))
        return MultiGaussian(*form, widths=jnp.asarray(sizes, one.dtype), amplitudes=jnp.ones(count, one.dtype)), v["x"], v["y"]

    def mixture(key: Array) -> Array:
        """Most of the light in the Gaussians of middle width."""
        level = jax.random.normal(key, (count,)) - 0.5 * jnp.linspace(-2.0, 2.0, count) ** 2
        return jax.nn.softmax(level)

    return component(
        role,
        placed(prefix, unit, reach),
        build,
        names=("x", "y"),
        ellipse=None if q is None else ellipse_of(prefix, q),
        flux=Parameter(f"{prefix}flux", f"light {unit}²", *flux),
        several=tuple(Parameter(f"{prefix}flux{k + 1}", f"light {unit}²", 0.0, flux[1]) for k in range(count)),
        mixture=mixture,
    )


def shapelets(
    n_max: int,
    *,
    role: Role = "source",
    prefix: str = "source_",
    unit: str = "px",
    beta: tuple[float, float] = (1.0, 10.0),
    reach: float = 40.0,
    flux: tuple[float, float] = (1.0, 1e6),
    ridge: float = 1.0,
) -> Component:
    """Shapelets: x, y, beta, and as linear amplitudes <prefix>a<i>_<j>, i + j ≤ n_max.

    Their prior in a fit is normal, of a standard deviation of 1/√ridge times the image's total flux.
    """
    pairs = orders(n_max)

    def build(v: dict[str, Array]) -> tuple[Shapelets, Array, Array]:
        return Shapelets(v["size"], jnp.ones(len(pairs), v["size"].dtype), n_max), v["x"], v["y"]

    def mixture(key: Array) -> Array:
        """A Gaussian, and less of the other shapelets the higher their order."""
        order = jnp.asarray([i + j for i, j in pairs], jnp.float32)
        return jnp.where(order == 0, 1.0, 0.4 / (1.0 + order) * jax.random.normal(key, order.shape))

    return component(
        role,
        (*placed(prefix, unit, reach), Number(Parameter(f"{prefix}beta", unit, *beta), "log")),
        build,
        names=("x", "y", "size"),
        flux=Parameter(f"{prefix}flux", f"light {unit}²", *flux),
        several=tuple(Parameter(f"{prefix}a{i}_{j}", f"light {unit}²", -_WIDEST, _WIDEST) for i, j in pairs),
        signed=True,
        mixture=mixture,
        penalty=lambda: ridge * np.eye(len(pairs)),
    )


def pixels(
    size: int,
    *,
    pixel: float | tuple[float, float],
    prefix: str = "source_",
    unit: str = "px",
    reach: float = 40.0,
    flux: tuple[float, float] = (1.0, 1e6),
    penalty: str = "curvature",
    strength: float = 1.0,
    closed: bool = False,
) -> Component:
    """A grid of size × size points, `pixel` apart, in the source plane: x, y, and as linear amplitudes <prefix>p<row>_<column>.

    In a fit differences between neighbours are penalised: their prior is normal, of a variance of 1/strength times the square of the
    image's total flux over the grid's area. `infer.evidence` says which strength is the most probable one. Where `pixel` is a range,
    <prefix>pixel is a parameter after x and y, which a fit should keep. `closed` is that of `light.pixels.regularisation`.
    """
    free = isinstance(pixel, tuple)
    ends = pixel if isinstance(pixel, tuple) else (pixel, pixel)
    middle = (ends[0] * ends[1]) ** 0.5

    def build(v: dict[str, Array]) -> tuple[Pixels, Array, Array]:
        return Pixels(jnp.ones(size**2, v["x"].dtype), v.get("pixel", jnp.asarray(middle, v["x"].dtype))), v["x"], v["y"]

    def mixture(key: Array) -> Array:
        """A round blob."""
        along = np.arange(size) - 0.5 * (size - 1)
        blob = np.exp(-0.5 * (along[:, None] ** 2 + along**2) / (size / 8) ** 2).ravel()
        return jnp.asarray(blob / (blob.sum() * middle**2), jnp.float32)

    area = (size * middle) ** 2
    apart = (Number(Parameter(f"{prefix}pixel", unit, *ends), "log"),) if free else ()
    return component(
        "source",
        (*placed(prefix, unit, reach), *apart),
        build,
        names=("x", "y", *("pixel",) * free),
        flux=Parameter(f"{prefix}flux", f"light {unit}²", *flux),
        several=tuple(Parameter(f"{prefix}p{i}_{j}", "light", -_WIDEST, _WIDEST) for i in range(size) for j in range(size)),
        signed=True,
        mixture=mixture,
        penalty=lambda: strength * area**2 * regularisation(size, penalty, closed=closed),
    )
