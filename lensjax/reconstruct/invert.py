"""The source that explains an image, by regularised linear inversion (Warren & Dye 2003; Suyu et al. 2006).

An image is d = L s + noise, with s the source on a grid and L the lensing operator: the source, linear between the grid's points, where
the pixel's rays meet it, averaged over the pixel and blurred by a point spread function where there is one. The source minimises

    |L s − d|²/σ² + λ |B s|²

over the pixels that the lens maps onto the grid, B being differences between neighbouring points. It solves (LᵀL + μ BᵀB) s = Lᵀd,
μ = λσ², by conjugate gradients. Of all λ the most probable one has λ |B s|² = γ, with γ = tr (LᵀL + μ BᵀB)⁻¹ LᵀL the number of
parameters that the image determines (MacKay 1992, eq. 4.9; Suyu et al. 2006, eq. 20). Where σ is not known either, it is what the
residuals of the N pixels say, σ² = |L s − d|²/tr (1 − A)², A = L (LᵀL + μ BᵀB)⁻¹ Lᵀ (Cleveland & Devlin 1988, δ₁). Traces are
estimated by images of random signs (Hutchinson 1990).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.conventions import ROUNDING_VARIANCE
from lensjax.errors import BadInput
from lensjax.light.pixels import PENALTIES, differences, roughness
from lensjax.reconstruct.grid import Reconstruction
from lensjax.reconstruct.normal import normal_of, solve
from lensjax.reconstruct.operator import Lensing, forward, transpose

_SETTLED = 0.03
"""λ is accepted where its logarithm is this near to that of the most probable one."""

_PATIENCE = 30
_PROBES = 4
_LOWEST, _HIGHEST = math.log(1e-9), math.log(1e9)


@dataclass(frozen=True)
class Inversion(Reconstruction):
    """A source, and how it explains the image.

    Attributes:
        error: (m, m) standard deviation of `grey`, if the penalty describes the source; None without samples.
        model: (n, n) L s, 0 in pixels that are not used.
        residual: (n, n) image − model, 0 in pixels that are not used.
        used: (n, n) the pixels explained.
        strength: λ.
        noise: σ [grey levels].
        chi2: |L s − d|²/σ² over the number of pixels used.
        freedom: γ, how many parameters the image determines.
        iterations: conjugate-gradient steps in total.
        converged: whether the last equation was solved and λ converged.
    """

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


@partial(jax.jit, static_argnames="count")
def _probes(operator: Lensing, key: Array, count: int) -> Array:
    """Lᵀε for images ε of ±1, (count, m, m)."""
    signs = jax.random.rademacher(key, (count, *operator.used.shape), operator.used.dtype)
    probes: Array = jax.lax.map(partial(transpose, operator), signs)
    return probes


@partial(jax.jit, static_argnames=("penalty", "count"))
def _fluctuations(operator: Lensing, key: Array, mu: Array, penalty: str, count: int) -> Array:
    """Right-hand sides (count, m, m) whose solutions times σ scatter as the source does about the most probable one."""

    def fluctuation(key: Array) -> Array:
        first, second = jax.random.split(key)
        of_image = transpose(operator, jax.random.normal(first, operator.used.shape, operator.used.dtype))
        parts, back = jax.vjp(partial(differences, active=operator.active, penalty=penalty), operator.active)
        keys = jax.random.split(second, len(parts))
        of_penalty: Array = back(tuple(jax.random.normal(k, p.shape, p.dtype) for k, p in zip(keys, parts, strict=True)))[0]
        return of_image + jnp.sqrt(mu) * of_penalty

    fluctuations: Array = jax.lax.map(fluctuation, jax.random.split(key, count))
    return fluctuations


@partial(jax.jit, static_argnames="penalty")
def _measures(operator: Lensing, image: Array, right: Array, solved: Array, penalty: str) -> tuple[Array, Array, Array, Array, Array]:
    """(L s, |L s − d|², |B s|², tr A, tr A²) of a solution and its probes."""
    model = forward(operator, solved[0])
    residual = operator.used * (model - image)
    single = (right[1:] * solved[1:]).sum((-2, -1)).mean()
    double = jax.lax.map(lambda s: (forward(operator, s) ** 2).sum(), solved[1:]).mean()
    return model, (residual * residual).sum(), roughness(solved[0], operator.active, penalty), single, double


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
        operator: the lensing operator; its dtype is that of the calculation.
        strength: λ; None takes the most probable one.
        noise: σ of a pixel [grey levels]; None estimates it from the residuals, but not below rounding noise.
        penalty: one of `PENALTIES`.
        samples: random sources for `error`; 0 computes none.
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
            raise BadInput(column=name, value=value, expected="a positive number")
    dtype = operator.used.dtype
    pixels = float(operator.used.sum())
    if pixels == 0:
        raise BadInput("no pixel of the image shows this part of the source plane")
    d = jnp.asarray(image, dtype)
    probe_key, sample_key = jax.random.split(jax.random.key(seed))
    right = jnp.concatenate([transpose(operator, d)[None], _probes(operator, probe_key, _PROBES)])
    simple = operator.psf is None and operator.lands.shape == operator.used.shape
    normal = normal_of(operator) if simple else None
    solved = jnp.zeros_like(right)
    sigma = math.sqrt(ROUNDING_VARIANCE) if noise is None else noise
    log_mu = math.log(1e-2 if strength is None else strength * sigma**2)
    total_steps = 0
    tried: list[tuple[float, float]] = []
    while True:
        mu = jnp.asarray(math.exp(log_mu), dtype)
        solved, steps, remaining = solve(operator, normal, right, solved, mu, jnp.asarray(tolerance, dtype), penalty, most)
        model, *measures = _measures(operator, d, right, solved, penalty)
        squares, rough, freedom, double = (float(measure) for measure in measures)
        total_steps += int(steps)
        if progress is not None:
            progress(int(steps))
        if noise is None:
            sigma = math.sqrt(max(ROUNDING_VARIANCE, squares / max(pixels - 2.0 * freedom + double, 1.0)))
        target = sigma**2 * (max(freedom, 1e-3) / max(rough, 1e-12) if strength is None else strength)
        tried.append((log_mu, math.log(target) - log_mu))
        settled = abs(tried[-1][1]) < _SETTLED
        if settled or len(tried) >= _PATIENCE:
            break
        log_mu = _next(tried)
    error = None
    if samples:
        right = _fluctuations(operator, sample_key, mu, penalty, samples)
        fluctuations, steps, _ = solve(operator, normal, right, jnp.zeros_like(right), mu, jnp.asarray(1e-2, dtype), penalty, most)
        total_steps += int(steps)
        error = sigma * np.sqrt(np.mean(np.asarray(fluctuations, np.float64) ** 2, axis=0))
    mask = np.asarray(operator.mask)
    used = np.asarray(operator.used) > 0
    return Inversion(
        grey=np.where(mask, np.asarray(solved[0]), 0.0),
        mask=mask,
        error=None if error is None else np.where(mask, error, 0.0),
        model=np.asarray(model),
        residual=np.where(used, np.asarray(d - model), 0.0),
        used=used,
        strength=math.exp(log_mu) / sigma**2,
        noise=sigma,
        chi2=squares / sigma**2 / pixels,
        freedom=freedom,
        iterations=total_steps,
        converged=bool(float(remaining.max()) <= tolerance) and settled,
    )


def _next(tried: Sequence[tuple[float, float]]) -> float:
    """The next log μ by the secant method, from those tried and by how much each was too small."""
    at, error = tried[-1]
    step = error
    if len(tried) > 1 and tried[-2][0] != at:
        slope = (error - tried[-2][1]) / (at - tried[-2][0])
        step = -error / slope if slope < -0.05 else 2.0 * error
    return min(max(at + min(max(step, -3.0), 3.0), _LOWEST), _HIGHEST)
