"""The source that explains an image, by regularised linear inversion (Warren & Dye 2003; Suyu et al. 2006).

An image is d = L s + noise, with s the source on a grid and L the lensing operator: the source, linear between the grid's points, where
the pixel's rays meet it, averaged over the pixel and blurred by a point spread function where there is one. Wanted is the minimum of

    |L s − d|²/σ² + λ |B s|²

over the pixels that the lens maps onto the grid, B being differences between neighbouring points. It solves (LᵀL + μ BᵀB) s = Lᵀd,
μ = λσ², by conjugate gradients. Of all λ the most probable one has λ |B s|² = γ, with γ = tr (LᵀL + μ BᵀB)⁻¹ LᵀL the number of
parameters that the image determines (MacKay 1992, eq. 4.9; Suyu et al. 2006, eq. 20). Where σ is not known either, it is what the
residuals of the N pixels say, σ² = |L s − d|²/tr (1 − A)², A = L (LᵀL + μ BᵀB)⁻¹ Lᵀ (Cleveland & Devlin 1988, δ₁). Traces are
estimated by images of random signs (Hutchinson 1990).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax._internal.tree import register
from lensjax.conventions import ROUNDING_VARIANCE
from lensjax.errors import BadInput
from lensjax.image.grid import block_mean
from lensjax.reconstruct.sample import Grid, Rays, rays
from lensjax.simulate import Camera, System

PENALTIES: dict[str, tuple[float, ...]] = {"identity": (1.0,), "gradient": (-1.0, 1.0), "curvature": (1.0, -2.0, 1.0)}
"""What B takes of neighbouring points, along rows and columns."""

_STEEPEST = 4.0
"""Pixels spread over more source pixels than this, near a lens's centre, are left out: they tell of errors of the lens only."""

_LEAST = 0.3
"""A point of the grid is seen where there are this many rays of those that there would be without a lens."""

_SETTLED = 0.03
"""λ is found where it is within this share of the most probable one."""

_PATIENCE = 30
_PROBES = 4
_LOWEST, _HIGHEST = math.log(1e-9), math.log(1e9)


@register
@dataclass(frozen=True)
class Lensing:
    """The operator L from a source (m, m) to an image (n, n); build it by `lensing`.

    Attributes:
        corner: (2, n k, n k) row and column of the grid's point next to each ray, above it and to its left.
        part: (2, n k, n k) how far on from there the ray is, 0…1, in rows and columns.
        used: (n, n) 1 for pixels that are explained, 0 for the rest: dark, at a window's rim, or of elsewhere in the source plane.
        lands: (n k, n k) 1 for rays that meet the grid, 0 for the rest.
        active: (m, m) 1 for the points that the pixels used depend on, and those between; the rest of a source is 0.
        seen: (m, m) whether the rays are dense enough there that the image, and not the penalty, says what a point is.
        psf: (q, q) point spread function, of sum 1, or None; q is odd.
    """

    corner: Array
    part: Array
    used: Array
    lands: Array
    active: Array
    seen: Array
    psf: Array | None


@dataclass(frozen=True)
class Inversion:
    """A source, and how it explains the image.

    Attributes:
        grey: (m, m) grey levels, as in `delens.Source`; 0 where not seen.
        seen: (m, m) whether the image shows that point.
        error: (m, m) standard deviation of `grey`, if the source is as smooth as supposed; None where not asked for.
        model: (n, n) L s, 0 in pixels that are not used.
        residual: (n, n) image − model, 0 in pixels that are not used.
        used: (n, n) the pixels explained.
        strength: λ.
        noise: σ [grey levels].
        chi2: |L s − d|²/σ² over the number of pixels used.
        freedom: γ, how many parameters the image determines.
        iterations: conjugate-gradient steps, all in all.
        converged: whether the last equation was solved, and λ found where it was to be found.
    """

    grey: np.ndarray
    seen: np.ndarray
    error: np.ndarray | None
    model: np.ndarray
    residual: np.ndarray
    used: np.ndarray
    strength: float
    noise: float
    chi2: float
    freedom: float
    iterations: int
    converged: bool


def lensing(
    system: System,
    *,
    shift: np.ndarray,
    camera: Camera,
    grid: Grid,
    psf: np.ndarray | None = None,
    usable: np.ndarray | None = None,
) -> Lensing:
    """The operator of a lens.

    Args:
        system: the lens and the place of the source.
        shift: (2,) the place seen from the lens that stands at the image's centre [px].
        camera: how the image was made; a pixel's light is the mean over `oversample` × `oversample` rays.
        grid: the source's points.
        psf: (q, q) point spread function in image pixels, q odd; light that it brings from beyond the grid is not known of.
        usable: (n, n) bool, pixels that may be used.

    Raises:
        BadInput: a point spread function of another shape, or without a positive sum.
    """
    dtype = jnp.result_type(system.x)
    blur = None if psf is None else jnp.asarray(_checked(psf), dtype)
    found = rays(system, jnp.asarray(shift, dtype), camera=camera, split=camera.oversample)
    allowed = jnp.ones((), bool) if usable is None else jnp.asarray(usable)
    return _lensing(found, allowed, blur, grid, camera.oversample)


def _checked(psf: np.ndarray) -> np.ndarray:
    psf = np.asarray(psf, np.float64)
    if psf.ndim != 2 or psf.shape[0] != psf.shape[1] or psf.shape[0] % 2 == 0:
        raise BadInput(f"the point spread function has the shape {psf.shape}; a square one of odd side is allowed")
    if not (np.isfinite(psf).all() and psf.sum() > 0):
        raise BadInput("the point spread function has no positive finite sum")
    return psf / psf.sum()


@partial(jax.jit, static_argnames=("grid", "split"))
def _lensing(found: Rays, usable: Array, psf: Array | None, grid: Grid, split: int) -> Lensing:
    dtype = found.x.dtype
    place = jnp.stack(grid.index(found.x, found.y))
    lands = found.seen & ((place >= 0) & (place <= grid.size - 1)).all(0)
    corner = jnp.clip(jnp.floor(place), 0, grid.size - 2)
    whole = block_mean((lands & (found.stretch < _STEEPEST)).astype(dtype), split) > 1.0 - 0.5 / split**2
    everywhere = jnp.ones((grid.size, grid.size), dtype)
    made = Lensing(
        corner=corner.astype(jnp.int32),
        part=jnp.clip(place - corner, 0.0, 1.0),
        used=(whole & usable).astype(dtype),
        lands=lands.astype(dtype),
        active=everywhere,
        seen=everywhere > 0,
        psf=psf,
    )
    # On a fine grid there are points between those that rays meet.
    weight = transpose(made, jnp.ones_like(made.used))
    apart = found.pixel * grid.size / grid.field
    window = 2 * math.ceil(apart) + 1
    total = jax.lax.reduce_window(weight, jnp.zeros((), dtype), jax.lax.add, (window, window), (1, 1), "SAME")
    return replace(made, active=(total > 1e-6).astype(dtype), seen=total > _LEAST * (window / apart) ** 2)


def forward(operator: Lensing, source: Array) -> Array:
    """L s: (m, m) → (n, n)."""
    (i, j), (v, u) = operator.corner, operator.part
    s = source * operator.active
    upper = (1.0 - u) * s[i, j] + u * s[i, j + 1]
    lower = (1.0 - u) * s[i + 1, j] + u * s[i + 1, j + 1]
    bright = operator.lands * ((1.0 - v) * upper + v * lower)
    bright = block_mean(bright, bright.shape[0] // operator.used.shape[0])
    if operator.psf is not None:
        bright = jax.scipy.signal.convolve2d(bright, operator.psf, mode="same")
    return operator.used * bright


def transpose(operator: Lensing, image: Array) -> Array:
    """Lᵀ d: (n, n) → (m, m)."""
    return jax.linear_transpose(partial(forward, operator), jnp.zeros_like(operator.active))(image)[0]


def differences(source: Array, active: Array, penalty: str) -> tuple[Array, ...]:
    """B s, along rows and columns, where all points that it takes are active; once where it takes but one."""
    return _differences(source, active, PENALTIES[penalty])


def _differences(source: Array, active: Array, coefficients: tuple[float, ...]) -> tuple[Array, ...]:
    reach = len(coefficients)

    def along(s: Array, a: Array) -> Array:
        length = s.shape[0] - reach + 1
        kept = jnp.stack([a[k : k + length] for k in range(reach)]).min(0)
        return kept * sum(c * s[k : k + length] for k, c in enumerate(coefficients))

    rows = along(source, active)
    return (rows,) if reach == 1 else (rows, along(source.T, active.T))


def roughness(source: Array, active: Array, penalty: str) -> Array:
    """|B s|²."""
    return sum(((part * part).sum() for part in differences(source, active, penalty)), start=jnp.zeros((), source.dtype))


@register
@dataclass(frozen=True)
class _Normal:
    """LᵀL, as what each point has to do with itself and four of its eight neighbours; the others follow by symmetry.

    Attributes:
        centre: (m, m) the diagonal.
        right, below, below_right: (m, m) with the point to the right, below, below and to the right.
        below_left: (m, m) of the point to the right with the one below.
    """

    centre: Array
    right: Array
    below: Array
    below_right: Array
    below_left: Array


def _normal(operator: Lensing) -> _Normal:
    """LᵀL of one ray a pixel and no blurring."""
    (i, j), (v, u) = operator.corner, operator.part
    size = operator.active.shape[0]
    kept = operator.lands * operator.used

    def sums(*terms: tuple[int, int, Array]) -> Array:
        out = jnp.zeros((size, size), u.dtype)
        for di, dj, weight in terms:
            out = out.at[i + di, j + dj].add(kept * weight)
        return out

    a, b, c, d = (1.0 - v) * (1.0 - u), (1.0 - v) * u, v * (1.0 - u), v * u
    return _Normal(
        centre=sums((0, 0, a * a), (0, 1, b * b), (1, 0, c * c), (1, 1, d * d)),
        right=sums((0, 0, a * b), (1, 0, c * d)),
        below=sums((0, 0, a * c), (0, 1, b * d)),
        below_right=sums((0, 0, a * d)),
        below_left=sums((0, 0, b * c)),
    )


def _apply(normal: _Normal, s: Array) -> Array:
    out = normal.centre * s
    out = out.at[:, :-1].add(normal.right[:, :-1] * s[:, 1:]).at[:, 1:].add(normal.right[:, :-1] * s[:, :-1])
    out = out.at[:-1].add(normal.below[:-1] * s[1:]).at[1:].add(normal.below[:-1] * s[:-1])
    part = normal.below_right[:-1, :-1]
    out = out.at[:-1, :-1].add(part * s[1:, 1:]).at[1:, 1:].add(part * s[:-1, :-1])
    part = normal.below_left[:-1, :-1]
    return out.at[:-1, 1:].add(part * s[1:, :-1]).at[1:, :-1].add(part * s[:-1, 1:])


def _diagonal(operator: Lensing) -> Array:
    """The diagonal of LᵀL, roughly where a pixel has several rays: each counts by itself; and as if there were no blurring."""
    split = operator.lands.shape[0] // operator.used.shape[0]
    kept = operator.lands * jnp.repeat(jnp.repeat(operator.used, split, 0), split, 1) / split**2
    (i, j), (v, u) = operator.corner, operator.part
    out = jnp.zeros_like(operator.active)
    for di, dj, weight in ((0, 0, (1 - v) * (1 - u)), (0, 1, (1 - v) * u), (1, 0, v * (1 - u)), (1, 1, v * u)):
        out = out.at[i + di, j + dj].add(kept * weight * weight)
    return out


_State = tuple[Array, Array, Array, Array, Array]


def conjugate_gradients(
    apply: Callable[[Array], Array], wanted: Array, start: Array, diagonal: Array, *, tolerance: Array | float, most: int
) -> tuple[Array, Array, Array]:
    """The s (K, m, m) for which `apply`(s) = `wanted`, for K right-hand sides at once.

    `jax.scipy.sparse.linalg.cg` does not say how many steps it took, nor how near it came.

    Args:
        apply: a symmetric positive semidefinite operator, (m, m) → (m, m).
        wanted: (K, m, m).
        start: (K, m, m) where to set out.
        diagonal: (m, m) of the operator, about: the preconditioner; 0 where a point stays 0.
        tolerance: what may be left, as a share of the right-hand side, in the preconditioner's norm.
        most: steps, at most.

    Returns:
        (s, steps, left): left (K,) is the share that is left.
    """
    over = jnp.where(diagonal > 0, 1.0 / jnp.where(diagonal > 0, diagonal, 1.0), 0.0)
    each = jax.vmap(apply)

    def dot(a: Array, b: Array) -> Array:
        return (a * b).sum((-2, -1))

    def ratio(a: Array, b: Array) -> Array:
        return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), 0.0)

    scale = dot(wanted, over * wanted)

    def going(state: _State) -> Array:
        return (state[0] < most) & (ratio(state[4], scale) > tolerance**2).any()

    def step(state: _State) -> _State:
        count, s, left, way, size = state
        mapped = each(way)
        far = ratio(size, dot(way, mapped))[:, None, None]
        s, left = s + far * way, left - far * mapped
        smaller = dot(left, over * left)
        return count + 1, s, left, over * left + ratio(smaller, size)[:, None, None] * way, smaller

    left = wanted - each(start)
    count, s, _, _, size = jax.lax.while_loop(going, step, (jnp.int32(0), start, left, over * left, dot(left, over * left)))
    return s, count, jnp.sqrt(ratio(size, scale))


@partial(jax.jit, static_argnames=("penalty", "most"))
def _solve(
    operator: Lensing, normal: _Normal | None, wanted: Array, start: Array, mu: Array, tolerance: Array, penalty: str, most: int
) -> tuple[Array, Array, Array]:
    """(LᵀL + μ BᵀB)⁻¹ of each `wanted` (K, m, m): (s, steps, what is left)."""
    take = partial(differences, active=operator.active, penalty=penalty)

    def apply(s: Array) -> Array:
        squared = transpose(operator, forward(operator, s)) if normal is None else _apply(normal, s)
        parts, back = jax.vjp(take, s)
        return squared + mu * back(parts)[0]

    squares = tuple(c * c for c in PENALTIES[penalty])
    counted, back = jax.vjp(lambda s: _differences(s, operator.active, squares), operator.active)
    diagonal = _diagonal(operator) + mu * back(tuple(map(jnp.ones_like, counted)))[0]
    return conjugate_gradients(apply, wanted, start, diagonal * operator.active, tolerance=tolerance, most=most)


@partial(jax.jit, static_argnames="count")
def _probes(operator: Lensing, key: Array, count: int) -> Array:
    """Lᵀε for images ε of ±1, (count, m, m)."""
    signs = jax.random.rademacher(key, (count, *operator.used.shape), operator.used.dtype)
    return jax.lax.map(partial(transpose, operator), signs)


@partial(jax.jit, static_argnames=("penalty", "count"))
def _fluctuations(operator: Lensing, key: Array, mu: Array, penalty: str, count: int) -> Array:
    """Right-hand sides (count, m, m) whose solutions times σ scatter as the source does about the most probable one."""

    def one(key: Array) -> Array:
        first, second = jax.random.split(key)
        of_image = transpose(operator, jax.random.normal(first, operator.used.shape, operator.used.dtype))
        parts, back = jax.vjp(partial(differences, active=operator.active, penalty=penalty), operator.active)
        keys = jax.random.split(second, len(parts))
        return of_image + jnp.sqrt(mu) * back(tuple(jax.random.normal(k, p.shape, p.dtype) for k, p in zip(keys, parts, strict=True)))[0]

    return jax.lax.map(one, jax.random.split(key, count))


@partial(jax.jit, static_argnames="penalty")
def _measures(operator: Lensing, image: Array, wanted: Array, found: Array, penalty: str) -> tuple[Array, Array, Array, Array, Array]:
    """(L s, |L s − d|², |B s|², tr A, tr A²) of a solution and its probes."""
    model = forward(operator, found[0])
    missed = operator.used * (model - image)
    once = (wanted[1:] * found[1:]).sum((-2, -1)).mean()
    twice = jax.lax.map(lambda s: (forward(operator, s) ** 2).sum(), found[1:]).mean()
    return model, (missed * missed).sum(), roughness(found[0], operator.active, penalty), once, twice


def invert(
    image: np.ndarray,
    operator: Lensing,
    *,
    strength: float | None = None,
    noise: float | None = None,
    penalty: str = "curvature",
    samples: int = 0,
    tolerance: float = 1e-4,
    most: int = 2000,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> Inversion:
    """The source that explains an image.

    Args:
        image: (n, n) grey levels.
        operator: what lenses the source; its dtype is that of the calculation.
        strength: λ; None takes the most probable one.
        noise: σ of a pixel [grey levels]; None takes what the residuals say, and not less than rounding leaves.
        penalty: one of `PENALTIES`.
        samples: sources drawn for `error`; 0 leaves it out.
        tolerance: of the solutions, see `conjugate_gradients`.
        most: steps of each solution, at most.
        seed: of the probes for γ and of the samples.
        progress: called with the steps that each solution took.

    Raises:
        ValueError: an unknown penalty.
        BadInput: λ or σ not positive, or no pixel that could be used.
    """
    if penalty not in PENALTIES:
        raise ValueError(f"penalty is {penalty!r}; known: {', '.join(PENALTIES)}")
    for name, value in (("lambda", strength), ("noise", noise)):
        if value is not None and not 0.0 < value < math.inf:
            raise BadInput(f"{name} is {value:g}; a positive number is allowed")
    dtype = operator.used.dtype
    pixels = float(operator.used.sum())
    if pixels == 0:
        raise BadInput("no pixel of the image shows this part of the source plane")
    d = jnp.asarray(image, dtype)
    probe_key, sample_key = jax.random.split(jax.random.key(seed))
    wanted = jnp.concatenate([transpose(operator, d)[None], _probes(operator, probe_key, _PROBES)])
    simple = operator.psf is None and operator.lands.shape == operator.used.shape
    normal = jax.jit(_normal)(operator) if simple else None
    found = jnp.zeros_like(wanted)
    sigma = math.sqrt(ROUNDING_VARIANCE) if noise is None else noise
    log_mu = math.log(1e-2 if strength is None else strength * sigma**2)
    taken = 0
    tried: list[tuple[float, float]] = []
    while True:
        mu = jnp.asarray(math.exp(log_mu), dtype)
        found, steps, left = _solve(operator, normal, wanted, found, mu, jnp.asarray(tolerance, dtype), penalty, most)
        model, *measures = _measures(operator, d, wanted, found, penalty)
        missed, rough, freedom, squared = (float(measure) for measure in measures)
        taken += int(steps)
        if progress is not None:
            progress(int(steps))
        if noise is None:
            sigma = math.sqrt(max(ROUNDING_VARIANCE, missed / max(pixels - 2.0 * freedom + squared, 1.0)))
        better = sigma**2 * (max(freedom, 1e-3) / max(rough, 1e-12) if strength is None else strength)
        tried.append((log_mu, math.log(better) - log_mu))
        settled = abs(tried[-1][1]) < _SETTLED
        if settled or len(tried) >= _PATIENCE:
            break
        log_mu = _next(tried)
    error = None
    if samples:
        drawn = _fluctuations(operator, sample_key, mu, penalty, samples)
        scattered, steps, _ = _solve(operator, normal, drawn, jnp.zeros_like(drawn), mu, jnp.asarray(1e-2, dtype), penalty, most)
        taken += int(steps)
        error = sigma * np.sqrt(np.mean(np.asarray(scattered, np.float64) ** 2, axis=0))
    seen = np.asarray(operator.seen)
    used = np.asarray(operator.used) > 0
    return Inversion(
        grey=np.where(seen, np.asarray(found[0]), 0.0),
        seen=seen,
        error=None if error is None else np.where(seen, error, 0.0),
        model=np.asarray(model),
        residual=np.where(used, np.asarray(d - model), 0.0),
        used=used,
        strength=math.exp(log_mu) / sigma**2,
        noise=sigma,
        chi2=missed / sigma**2 / pixels,
        freedom=freedom,
        iterations=taken,
        converged=bool(float(left.max()) <= tolerance) and settled,
    )


def _next(tried: Sequence[tuple[float, float]]) -> float:
    """Where to look for log μ, by the secant method, after places at which it was too small by so much."""
    at, off = tried[-1]
    step = off
    if len(tried) > 1 and tried[-2][0] != at:
        slope = (off - tried[-2][1]) / (at - tried[-2][0])
        step = -off / slope if slope < -0.05 else 2.0 * off
    return min(max(at + min(max(step, -3.0), 3.0), _LOWEST), _HIGHEST)
