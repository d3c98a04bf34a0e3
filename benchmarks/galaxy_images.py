"""Images of galaxies as a telescope sees them, drawn without LensJAX's renderer: lenses with truth, and fields without any lens.

Pure NumPy in float64. A pixel is 8×8 points, more finely sampled than a fit's. Deflections are the angular series of Tessore & Metcalf
(2015). The PSF is a Moffat profile, applied to the fine points; a fit gets it by pixels. The noise is that of photons and of the sky;
a fit gets a map made from the noisy data. So fit and truth differ as they do in life. Lengths are arcseconds, the sky's rms is 1.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from scipy import signal
from scipy.special import gamma as gamma_function
from scipy.special import gammaincinv

from lensjax.lens.epl import critical_radius
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import Observed, observe

SCALE = 0.05
"""Side of a pixel [arcsec]."""

FINE = 8
"""Points on a side of a pixel."""

_TERMS = 30  # of the angular series, each less by (1 − q)/(1 + q)
_REACH = 12  # px from the middle of a PSF to its edge
_MOST = 0.4  # ellipticity of a mass


@dataclass(frozen=True)
class Field:
    """How an image is taken.

    Attributes:
        side: pixels on a side.
        fwhm: of the PSF [px].
        beta: exponent of the PSF's wings.
        exposure: counts for one unit of the data.
    """

    side: int
    fwhm: float
    beta: float
    exposure: float

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """x (1, n) and y (n, 1) of all fine points about the origin, pixel (side/2, side/2), row 0 at the top."""
        at = (np.arange(self.side * FINE) + 0.5) / FINE - 0.5
        return (at - self.side / 2)[None, :] * SCALE, (self.side / 2 - at)[:, None] * SCALE

    def psf(self, step: float = 1.0) -> np.ndarray:
        """The PSF at points `step` pixels apart; sum 1."""
        reach = round(_REACH / step)
        at = np.arange(-reach, reach + 1) * step
        width = self.fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / self.beta) - 1.0))
        spread = (1.0 + (at[:, None] ** 2 + at**2) / width**2) ** -self.beta
        return spread / spread.sum()

    def exposed(self, light: np.ndarray) -> np.ndarray:
        """The image (side, side) of the light at the fine points: blurred, and the mean of each pixel."""
        wide = np.pad(light, _REACH * FINE, mode="edge")
        blurred = signal.fftconvolve(wide, self.psf(1.0 / FINE), mode="valid")
        return blurred.reshape(self.side, FINE, self.side, FINE).mean(axis=(1, 3))


def drawn_field(rng: np.random.Generator, side: int) -> Field:
    """A field with a PSF and an exposure drawn at random."""
    return Field(side, fwhm=rng.uniform(2.2, 2.8), beta=rng.uniform(2.5, 4.5), exposure=rng.uniform(5.0, 30.0))


def observed(rng: np.random.Generator, image: np.ndarray, field: Field) -> Observed:
    """An observation of an image (side, side), which may have places without light."""
    counts = rng.poisson(np.maximum(image, 0.0) * field.exposure)
    data = counts / field.exposure + rng.normal(size=image.shape)
    noise = np.sqrt(1.0 + np.maximum(data, 0.0) / field.exposure)
    taken = instrument(image.shape, pixel_scale=SCALE, supersampling=2, psf=field.psf())
    return observe(data, noise, taken_by=taken)


def rotated(x: np.ndarray, y: np.ndarray, phi: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along the direction `phi` [rad] and across it."""
    return np.cos(phi) * x + np.sin(phi) * y, np.cos(phi) * y - np.sin(phi) * x


@dataclass(frozen=True)
class Sersic:
    """A Sérsic profile of flux 1.

    Attributes:
        x, y: its place.
        radius: half-light radius, geometric mean of the axes.
        n: index.
        q: axis ratio.
        phi: direction of the long axis [rad].
    """

    x: float
    y: float
    radius: float
    n: float
    q: float
    phi: float

    def light(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        along, across = rotated(x - self.x, y - self.y, self.phi)
        b = gammaincinv(2.0 * self.n, 0.5)
        rho = np.sqrt(self.q * along**2 + across**2 / self.q) / self.radius
        total = 2.0 * np.pi * self.radius**2 * self.n * np.exp(b) * b ** (-2.0 * self.n) * gamma_function(2.0 * self.n)
        return np.exp(-b * (rho ** (1.0 / self.n) - 1.0)) / total


@dataclass(frozen=True)
class Mass:
    """An elliptical power law with external shear about the origin.

    Attributes:
        x, y: its place.
        theta_e: θ_E of the intermediate axis.
        q, phi: axis ratio, and direction of the long axis [rad].
        gamma: slope; 2 is isothermal.
        shear: (γ₁, γ₂).
    """

    x: float
    y: float
    theta_e: float
    q: float
    phi: float
    gamma: float
    shear: tuple[float, float]

    def deflection(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        along, across = rotated(x - self.x, y - self.y, self.phi)
        t, f = self.gamma - 1.0, (1.0 - self.q) / (1.0 + self.q)
        z = self.q * along + 1j * across
        radius = np.maximum(np.abs(z), 1e-9)
        term = z / radius
        turn = -f * term * term
        total = term.copy()
        for k in range(1, _TERMS):
            term = term * turn * ((2 * k - (2.0 - t)) / (2 * k + (2.0 - t)))
            total += term
        bent = 2.0 / (1.0 + self.q) * self.theta_e * np.sqrt(self.q) * (self.theta_e * np.sqrt(self.q) / radius) ** (t - 1.0) * total
        bent = bent * np.exp(1j * self.phi)
        g1, g2 = self.shear
        return bent.real + g1 * x + g2 * y, bent.imag + g2 * x - g1 * y

    def truth(self) -> dict[str, float]:
        """Its parameters as the problem galaxy has them: theta_E is the radius of the circle with the area inside the critical curve."""
        e = (1.0 - self.q) / (1.0 + self.q)
        with jax.enable_x64(True):
            shape = (jnp.asarray(e * np.cos(2 * self.phi)), jnp.asarray(e * np.sin(2 * self.phi)), jnp.asarray(self.gamma))
            ratio = float(critical_radius(*shape))
        angle = float(np.degrees(self.phi) % 180.0)
        return {"theta_E": self.theta_e * ratio, "q": self.q, "phi": angle, "gamma1": self.shear[0], "gamma2": self.shear[1]}


@dataclass(frozen=True)
class Mock:
    """A lens as it was observed, and the truth.

    Attributes:
        truth: theta_E, q, phi [deg], gamma1, gamma2.
        observed: the observation.
        arcs, lens_light: (H, W) without noise.
        field: how it was taken.
        mass: the lens.
        clumps: of the source, each of flux 1, the brightest first.
        galaxy: the lens's light, of flux 1.
    """

    truth: dict[str, float]
    observed: Observed
    arcs: np.ndarray
    lens_light: np.ndarray
    field: Field
    mass: Mass
    clumps: tuple[Sersic, ...]
    galaxy: Sersic


RADII = (0.6, 2.0)
"""θ_E of mocks [arcsec]."""


def lens(rng: np.random.Generator, *, sn: float, mass: str = "sie", radii: tuple[float, float] = RADII) -> Mock:
    """A lens, drawn at random.

    The source of one to three Sérsic clumps lies within 0.4 θ_E of the lens; the lens light is a Sérsic of index 2–6,
    roughly aligned with the mass, its brightest pixel of a signal to noise of 50–300.

    Args:
        rng: generator.
        sn: total signal to noise of the arcs, √Σ (arc/noise)², the lens light's noise included.
        mass: "sie", or "epl" of a slope of 2 ± 0.1.
        radii: smallest and largest θ_E [arcsec].
    """
    theta_e = float(np.exp(rng.uniform(*np.log(radii))))
    e = rng.normal(scale=0.12, size=2)
    e *= min(1.0, _MOST / np.hypot(*e))
    g = rng.normal(scale=0.04, size=2)
    g *= min(1.0, 0.15 / np.hypot(*g))
    x, y = rng.normal(scale=0.02, size=2)
    slope = float(np.clip(rng.normal(2.0, 0.1), 1.7, 2.3)) if mass == "epl" else 2.0
    true = Mass(x, y, theta_e, *_shape(e), slope, (float(g[0]), float(g[1])))
    field = drawn_field(rng, int(np.clip(2 * round((1.6 * theta_e + 1.5) / SCALE), 100, round(4.0 * radii[1] / SCALE))))
    px, py = field.points()
    ax, ay = true.deflection(px, py)
    place = np.array([x, y]) + _within(rng, 0.4 * theta_e)
    source = _source(rng, place)
    arcs = field.exposed(sum(share * clump.light(px - ax, py - ay) for share, clump in source))
    lit = e + rng.normal(scale=0.05, size=2)
    lit *= min(1.0, _MOST / np.hypot(*lit))
    centre = np.array([x, y]) + rng.normal(scale=0.01, size=2)
    light = Sersic(*centre, theta_e * rng.uniform(0.5, 1.5), rng.uniform(2.0, 6.0), *_shape(lit))
    front = field.exposed(light.light(px, py))
    front *= _amplitude(front.max(), rng.uniform(50.0, 300.0), field.exposure)
    arcs *= _amplitude_of_arcs(arcs, front, sn, field.exposure)
    clumps = tuple(clump for _, clump in source)
    return Mock(true.truth(), observed(rng, arcs + front, field), arcs, front, field, true, clumps, light)


def _shape(e: np.ndarray) -> tuple[float, float]:
    """Axis ratio and direction [rad] of an ellipticity (2,)."""
    length = float(np.hypot(*e))
    return (1.0 - length) / (1.0 + length), float(0.5 * np.arctan2(e[1], e[0]) % np.pi)


def _within(rng: np.random.Generator, radius: float) -> np.ndarray:
    """A place (2,) in a disc."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    return radius * np.sqrt(rng.uniform()) * np.array([np.cos(angle), np.sin(angle)])


def _source(rng: np.random.Generator, place: np.ndarray) -> list[tuple[float, Sersic]]:
    """One to three clumps about a place with their fluxes, the first the brightest."""
    clumps = []
    for k in range(rng.integers(1, 4)):
        at = place + (_within(rng, 0.3) if k else 0.0)
        size = rng.uniform(0.05, 0.25) * (0.6 if k else 1.0)
        clump = Sersic(*at, size, rng.uniform(0.5, 2.0), rng.uniform(0.4, 1.0), rng.uniform(0.0, np.pi))
        clumps.append((float(rng.uniform(0.1, 0.5)) if k else 1.0, clump))
    return clumps


def _amplitude(peak: float, sn: float, exposure: float) -> float:
    """What multiplies an image so that its brightest pixel has this signal to noise."""
    return 0.5 * (sn**2 / exposure + np.sqrt(sn**4 / exposure**2 + 4.0 * sn**2)) / peak


def _amplitude_of_arcs(arcs: np.ndarray, front: np.ndarray, sn: float, exposure: float) -> float:
    """What multiplies arcs so that they have this total signal to noise before a lens galaxy."""
    factor = sn / np.sqrt((arcs**2 / (1.0 + front / exposure)).sum())
    for _ in range(60):
        factor *= sn / (factor * np.sqrt((arcs**2 / (1.0 + (front + factor * arcs) / exposure)).sum()))
    return float(factor)


Scene = Callable[[np.random.Generator, Field], np.ndarray]
"""A field without a lens: light (n, n) at the fine points."""


def stars(rng: np.random.Generator, field: Field) -> np.ndarray:
    """A few to many stars."""
    light = np.zeros((field.side * FINE,) * 2)
    for _ in range(rng.integers(1, 25)):
        row, column = rng.integers(0, light.shape[0], 2)
        light[row, column] += 10.0 ** rng.uniform(0.0, 2.0)
    return light


def spiral(rng: np.random.Generator, field: Field) -> np.ndarray:
    """A disc with logarithmic arms, knots along them, and a bulge."""
    x, y = field.points()
    q, phi, size = rng.uniform(0.4, 1.0), rng.uniform(0.0, np.pi), rng.uniform(0.5, 1.2)
    along, across = rotated(x, y, phi)
    across = across / q
    radius, angle = np.hypot(along, across), np.arctan2(across, along)
    pitch, arms = np.tan(np.radians(rng.uniform(10.0, 30.0))), rng.integers(2, 4)
    wave = np.cos(arms * (angle - np.log(np.maximum(radius, 0.02)) / pitch))
    disc = np.exp(-radius / size) * (1.0 + rng.uniform(0.3, 0.9) * wave)
    knots = np.zeros_like(disc)
    for _ in range(rng.integers(0, 15)):
        r = rng.uniform(0.3, 2.0) * size
        turn = np.log(r) / pitch + 2.0 * np.pi * rng.integers(0, arms) / arms
        knots += rng.uniform(0.2, 1.0) * np.exp(-((along - r * np.cos(turn)) ** 2 + (across - r * np.sin(turn)) ** 2) / (2 * 0.05**2))
    bulge = Sersic(0.0, 0.0, rng.uniform(0.1, 0.4), rng.uniform(1.0, 4.0), rng.uniform(0.7, 1.0), phi).light(x, y)
    return disc + np.exp(-radius / size) * knots + rng.uniform(0.1, 1.0) * bulge


def elliptical(rng: np.random.Generator, field: Field) -> np.ndarray:
    """An elliptical galaxy, with up to four small companions."""
    x, y = field.points()
    light = _galaxy(rng, rng.uniform(-0.1, 0.1, 2), (0.5, 2.0)).light(x, y)
    for _ in range(rng.integers(0, 5)):
        angle, r = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.6, 2.4)
        light = light + rng.uniform(0.01, 0.1) * _galaxy(rng, r * np.array([np.cos(angle), np.sin(angle)]), (0.05, 0.3)).light(x, y)
    return light


def edge_on(rng: np.random.Generator, field: Field) -> np.ndarray:
    """A disc seen from the side, with a bulge."""
    x, y = field.points()
    phi = rng.uniform(0.0, np.pi)
    disc = Sersic(0.0, 0.0, rng.uniform(0.3, 0.8), 1.0, rng.uniform(0.1, 0.25), phi)
    bulge = Sersic(0.0, 0.0, rng.uniform(0.1, 0.3), rng.uniform(1.0, 4.0), rng.uniform(0.6, 1.0), phi)
    return disc.light(x, y) + rng.uniform(0.1, 1.0) * bulge.light(x, y)


def merger(rng: np.random.Generator, field: Field) -> np.ndarray:
    """Two or three galaxies within two arcseconds, with a tail of light between them."""
    x, y = field.points()
    light = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    places = [_within(rng, 1.0) for _ in range(rng.integers(2, 4))]
    for place in places:
        light += rng.uniform(0.3, 1.0) * _galaxy(rng, place, (0.2, 0.7)).light(x, y)
    (x0, y0), (x1, y1) = places[:2]
    bend = rng.uniform(-0.6, 0.6)
    for s in np.linspace(0.0, 1.4, 30):
        at = (x0 + s * (x1 - x0) - bend * s * (1 - s) * (y1 - y0), y0 + s * (y1 - y0) + bend * s * (1 - s) * (x1 - x0))
        light += 0.02 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 0.12**2))
    return light


def ring(rng: np.random.Generator, field: Field) -> np.ndarray:
    """A ring galaxy: a core, and a ring of stars about it. In one colour a lens may look just so."""
    x, y = field.points()
    q, phi, radius = rng.uniform(0.6, 1.0), rng.uniform(0.0, np.pi), rng.uniform(0.6, 1.6)
    along, across = rotated(x, y, phi)
    distance = np.hypot(along, across / q)
    band = np.exp(-(((distance - radius) / rng.uniform(0.08, 0.25)) ** 2) / 2)
    uneven = 1.0 + rng.uniform(0.0, 0.6) * np.cos(np.arctan2(across, along) - rng.uniform(0.0, 2.0 * np.pi))
    core = _galaxy(rng, np.zeros(2), (0.2, 0.5)).light(x, y)
    return core + rng.uniform(0.1, 0.6) * band * uneven


def empty(rng: np.random.Generator, field: Field) -> np.ndarray:
    """The sky alone."""
    return np.zeros((field.side * FINE,) * 2)


def _galaxy(rng: np.random.Generator, place: np.ndarray, radius: tuple[float, float]) -> Sersic:
    return Sersic(*place, rng.uniform(*radius), rng.uniform(1.0, 5.0), rng.uniform(0.5, 1.0), rng.uniform(0.0, np.pi))


def cosmic_rays(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """An image with tracks of cosmic rays, which no PSF blurs."""
    image = image.copy()
    for _ in range(rng.integers(5, 40)):
        row, column = rng.uniform(0, image.shape[0], 2)
        angle, length, level = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(1, 15), rng.uniform(10.0, 300.0)
        steps = np.arange(0.0, length, 0.5)
        rows, columns = (np.round(at + steps * part).astype(int) for at, part in ((row, np.sin(angle)), (column, np.cos(angle))))
        inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
        image[rows[inside], columns[inside]] = level
    return image


SCENES: dict[str, Scene] = {
    "stars": stars, "spiral": spiral, "elliptical": elliptical, "edge-on": edge_on, "merger": merger, "empty": empty,
    "cosmic rays": elliptical, "ring": ring,
}  # fmt: skip
"""Fields without a lens, by kind."""


def no_lens(rng: np.random.Generator, kind: str) -> Observed:
    """A field of one of the `SCENES`; its brightest pixel has a signal to noise of 20–300."""
    field = drawn_field(rng, int(rng.integers(50, 66) * 2))
    image = field.exposed(SCENES[kind](rng, field))
    if image.max() > 0:
        image = image * _amplitude(image.max(), np.exp(rng.uniform(np.log(20.0), np.log(300.0))), field.exposure)
    return observed(rng, cosmic_rays(rng, image) if kind == "cosmic rays" else image, field)
