"""The posterior of a fit: draws by NUTS from the mode, through the residual of the fit.

The density is that of the whitened residual, with the weights of the fit at its mode, times the prior (`infer.prior`). Chains move in
coordinates in which the mode's covariance is the identity, so that a narrow valley is as wide as it is long.

Linear amplitudes are treated by their kind:

- Of any sign, with a normal prior or a flat one (shapelets, pixels, the sky): integrated out in closed form, ½ ln det of their normal
  matrix included. They would be most of the coordinates, and the integral is exact. Each draw then gets amplitudes from their normal
  distribution given the rest.
- The one flux of a profile, which cannot be negative: sampled in its logarithm, uniform as in the problem's own draws. One coordinate
  more costs nothing, and no integral is needed.
- Several that cannot be negative (concentric Gaussians): they take their best values (Lawson & Hanson), since their integral over an
  orthant has no closed form and chains would wander along its walls. Each draw then solves for them again with noise of its own.

Chains explore the mode where they start. Other modes are the business of `estimation.Fitted.others` and the verdict.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import special

from lensjax.infer import nuts, prior
from lensjax.infer.fit import Optimum, total_flux
from lensjax.infer.linear import amplitudes_of
from lensjax.observation.observed import Observed
from lensjax.problems.compose import Composition

MOST_R_HAT, LEAST_ESS, MOST_DIVERGENT = 1.01, 100.0, 0.02
"""Beyond these chains are not to be trusted: R-hat, effective draws of a parameter, and the share of trajectories that diverged."""

_CHANCE = 1e-4  # that independent draws have an R-hat above the limit of short chains
_RIDGE = 1e-6  # of the normal matrix's diagonal


@dataclass(frozen=True)
class Posterior:
    """Draws from a posterior.

    Attributes:
        names: names of the P parameters.
        draws: (S, P) in file parameters, the chains one after the other.
        chains: how many there are.
        r_hat: (P,) R-hat, split and normalised by rank; directions about their mean.
        ess: (P,) effective number of draws.
        divergent: how many trajectories diverged.
        gradients: how many gradients all draws took, without the warm-up.
    """

    names: tuple[str, ...]
    draws: np.ndarray
    chains: int
    r_hat: np.ndarray
    ess: np.ndarray
    divergent: int
    gradients: int

    @property
    def trusted(self) -> bool:
        """Whether the chains agree and are long enough."""
        good = float(self.r_hat.max()) <= most_r_hat(self.chains, len(self.draws) // self.chains) and float(self.ess.min()) >= LEAST_ESS
        return bool(good and self.divergent <= MOST_DIVERGENT * len(self.draws))

    @property
    def words(self) -> str:
        """The diagnostics in one sentence."""
        worst, least = int(np.argmax(self.r_hat)), int(np.argmin(self.ess))
        numbers = (
            f"R-hat {self.r_hat[worst]:.3f} ({self.names[worst]}), {self.ess[least]:.0f} effective draws ({self.names[least]}), "
            f"{self.divergent} divergent"
        )
        return f"posterior of {len(self.draws)} draws{'' if self.trusted else ', not to be trusted'}: {numbers}"


def most_r_hat(chains: int, draws: int) -> float:
    """The largest R-hat of chains of so many draws that agree: `MOST_R_HAT`, or what independent draws have but for one time in 10 000."""
    halves, each = 2 * chains, max(draws // 2, 1)
    between = special.chdtri(halves - 1, _CHANCE) / (halves - 1)
    return max(MOST_R_HAT, float(np.sqrt((between + each - 1) / each)))


class _Data(NamedTuple):
    """What a density depends on: the observation, weights 1/σ (H, W), whitened residuals (H, W) at the mode, its coordinates (F,), and
    the matrix (F, F) that makes coordinates about it of the chains' own."""

    observed: Observed
    weight: Array
    residual: Array
    mode: Array
    stretch: Array


def sample(
    problem: Composition,
    observed: Observed,
    optimum: Optimum,
    *,
    draws: int,
    seed: int = 0,
    chains: int = nuts.CHAINS,
    warmup: int = nuts.WARMUP,
) -> Posterior:
    """Draws from the posterior of an observation.

    Args:
        problem: what the image shows.
        observed: the observation.
        optimum: the best optimum of its fit.
        draws: how many, of all chains together; a multiple of `chains`, or some more are taken.
        seed: of the random numbers.
        chains: how many; on a CPU one after the other.
        warmup: steps of a chain before its first draw.

    Raises:
        BadInput: blackjax is missing.
    """
    data, mode = _data(problem, observed, optimum)
    each = max(2, -(-draws // chains))
    found = nuts.chains(_density(problem), data, size=len(mode), draws=each, seed=seed, count=chains, warmup=warmup)
    flat = found.draws.reshape(-1, len(mode))
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1), len(flat))
    params = np.asarray(_answers(problem)(data, jnp.asarray(flat), keys), np.float64)
    r_hat, ess = nuts.agreement(unwrapped(params, problem).reshape(chains, each, -1))
    return Posterior(problem.names, params, chains, r_hat, ess, int(found.divergent.sum()), int(found.gradients.sum()))


def unwrapped(params: np.ndarray, problem: Composition) -> np.ndarray:
    """Parameters (S, P) with directions as the nearest to their mean."""
    values = params.copy()
    for k, parameter in enumerate(problem.parameters):
        if parameter.period is not None:
            turn = 2.0 * np.pi / parameter.period
            middle = np.angle(np.exp(1j * turn * values[:, k]).mean()) / turn % parameter.period
            values[:, k] -= parameter.period * np.round((values[:, k] - middle) / parameter.period)
    return values


def _data(problem: Composition, observed: Observed, optimum: Optimum) -> tuple[_Data, np.ndarray]:
    dtype = observed.data.dtype
    mode, stretch = whitening(problem, optimum)
    weight = jnp.where(observed.mask, 1.0 / observed.noise.sigma(jnp.asarray(optimum.model, dtype)), 0.0)
    residual = (observed.data - jnp.asarray(optimum.model, dtype)) * weight
    return _Data(observed, weight, residual, jnp.asarray(mode, dtype), jnp.asarray(stretch, dtype)), mode


def whitening(problem: Composition, optimum: Optimum) -> tuple[np.ndarray, np.ndarray]:
    """The coordinates (F,) of a mode, and a matrix (F, F) whose square is about the posterior's covariance there.

    Directions that the image leaves open are as wide as the prior.
    """
    only = prior.single(problem)
    error = np.sqrt(np.diag(optimum.covariance))[problem.size :][only]
    fluxes = np.maximum(optimum.amplitudes[only], np.maximum(error, 1e-30))
    with jax.enable_x64(True):

        def place(joint: Array) -> Array:
            return prior.coordinates(problem, joint[: problem.size], joint[problem.size :])

        at = jnp.asarray(np.concatenate([optimum.numbers, fluxes]))
        mode, slope = np.asarray(place(at)), np.asarray(jax.jacfwd(place)(at))
    chosen = np.r_[np.ones(problem.size, bool), only]
    covariance = slope @ optimum.covariance[np.ix_(chosen, chosen)] @ slope.T
    eigenvalues, axes = np.linalg.eigh(covariance / prior.SPREAD**2)
    eigenvalues = np.clip(eigenvalues, 1e-12, None)
    return mode, prior.SPREAD * axes * np.sqrt(eigenvalues / (1.0 + eigenvalues))


@lru_cache(maxsize=16)
def _density(problem: Composition) -> nuts.Density:
    def density(data: _Data, w: Array) -> Array:
        u = data.mode + data.stretch @ w
        return log_likelihood(problem, data.observed, data.weight, u, residual=data.residual) + prior.log_prior(problem, u)

    return density


@lru_cache(maxsize=16)
def _answers(problem: Composition) -> Callable[[_Data, Array, Array], Array]:
    def one(data: _Data, w: Array, key: Array) -> Array:
        at = prior.point(problem, data.mode + data.stretch @ w)
        basis = _Basis.of(problem, data.observed, data.weight, at)
        return problem.decode(at.numbers, basis.drawn(key))

    def each(data: _Data, rows: Array, keys: Array) -> Array:
        return jax.lax.map(lambda pair: one(data, *pair), (rows, keys))

    return jax.jit(each)


class _Basis(NamedTuple):
    """An image's light, whitened: what the sampled fluxes leave of the data (N,), the layers (R, N) of the other amplitudes, their normal
    matrix (R, R) with its penalty, and that penalty (R, R). `solved` marks these amplitudes (K,), `fluxes` (S,) are the sampled ones."""

    target: Array
    layers: Array
    gram: Array
    penalty: Array
    fluxes: Array
    solved: np.ndarray
    nonnegative: np.ndarray

    @staticmethod
    def of(problem: Composition, observed: Observed, weight: Array, at: prior.Point) -> "_Basis":
        only = prior.single(problem)
        images = (problem.layers(at.numbers, observed.instrument) * weight).reshape(problem.linear, -1)
        target = (observed.data * weight).reshape(-1) - at.fluxes @ images[only]
        layers = images[~only]
        penalty = problem.penalty(total_flux(observed))
        own = jnp.zeros((len(layers), len(layers)), images.dtype) if penalty is None else penalty[np.ix_(~only, ~only)]
        gram = layers @ layers.T + own
        return _Basis(target, layers, gram, own, at.fluxes, ~only, np.asarray(problem.nonnegative)[~only])

    def best(self) -> Array:
        """The best amplitudes (R,), without a derivative."""
        gram, right = jax.lax.stop_gradient((self.gram, self.layers @ self.target))
        return amplitudes_of(gram, right, jnp.asarray(self.nonnegative))

    def drawn(self, key: Array) -> Array:
        """All amplitudes (K,): those sampled, and a draw of the others given these."""
        whole = jnp.zeros(len(self.solved), self.target.dtype).at[np.flatnonzero(~self.solved)].set(self.fluxes)
        if not self.solved.any():
            return whole
        noise = jax.random.normal(key, (len(self.gram),), self.gram.dtype)
        right = self.layers @ self.target + _root(self.gram) @ noise
        return whole.at[np.flatnonzero(self.solved)].set(amplitudes_of(self.gram, right, jnp.asarray(self.nonnegative)))


def log_likelihood(problem: Composition, observed: Observed, weight: Array, u: Array, *, residual: Array) -> Array:
    """Logarithm of the likelihood at coordinates (F,), over that of a residual; amplitudes that are not sampled are integrated out.

    The derivative of the best amplitudes is not needed: the cost does not change with them (Golub & Pereyra 1973).

    Args:
        problem: what the image shows.
        observed: the observation.
        weight: (H, W) 1/σ; 0 where a pixel is masked.
        u: where.
        residual: whitened residuals (H, W) to compare with: few digits are lost where theirs are nearly the same.
    """
    basis = _Basis.of(problem, observed, weight, prior.point(problem, u))
    before = residual.reshape(-1)
    if not basis.solved.any():
        return -0.5 * ((basis.target - before) @ (basis.target + before))
    a = basis.best()
    after = basis.target - a @ basis.layers
    value = -0.5 * ((after - before) @ (after + before) + a @ basis.penalty @ a)
    signed = np.flatnonzero(~basis.nonnegative)
    if len(signed) == 0:
        return value
    root = _root(basis.gram[np.ix_(signed, signed)])
    return value - jnp.log(jnp.diagonal(root)).sum()


def _root(matrix: Array) -> Array:
    """The lower triangle (R, R) whose square is a normal matrix."""
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(matrix), 1e-30))
    unit = matrix / jnp.outer(scale, scale) + _RIDGE * jnp.eye(len(matrix), dtype=matrix.dtype)
    return scale[:, None] * jnp.linalg.cholesky(unit)
