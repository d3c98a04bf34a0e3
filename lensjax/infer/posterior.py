"""The posterior of a fit: draws by NUTS from the mode, through the residual of the fit.

The density is that of the whitened residual, with the weights of the fit at its mode, times the prior (`infer.prior`). Chains move in
the coordinates of `infer.chart`.

Linear amplitudes are treated by their kind:

- Of any sign, with a normal prior or a flat one (shapelets, pixels, the sky), and the one flux of a profile: integrated out in closed
  form, ½ ln det of their normal matrix included. They would be many coordinates, along narrow curved valleys with sizes and indices, and
  the integral is exact but for two things: a flux that cannot be negative is taken far above its error, and its prior, uniform in
  the logarithm as in the problem's draws, as 1/flux at its best value. Each draw then gets amplitudes from their normal distribution
  given the rest.
- Several that cannot be negative (concentric Gaussians): they take their best values (Lawson & Hanson), since their integral over an
  orthant has no closed form. Each draw then solves for them again with noise of its own.

Chains explore the mode where they start. Other modes are the business of `estimation.Fitted.others` and the verdict.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import special

from lensjax.infer import nuts, prior
from lensjax.infer.chart import Chart, chart, coordinates, of_type
from lensjax.infer.fit import Belief, Optimum, total_flux
from lensjax.infer.linear import amplitudes_of, nuisance_root, whitened_nuisance
from lensjax.observation.observed import Observed
from lensjax.observation.sky import SkyImage
from lensjax.problems.compose import Composition

MOST_R_HAT, LEAST_ESS, MOST_DIVERGENT = 1.01, 100.0, 0.02
"""Beyond these chains are not to be trusted: R-hat, effective draws of a parameter, and the share of trajectories that diverged."""

ROUNDS = 4
"""How many times as long as wanted chains become at most, while they are not to be trusted."""

ADAPTATIONS = 3
"""How many times chains adapt at most, while they are not to be trusted. After the first they draw once as long as wanted."""

APART, HOPELESS = 0.1, 0.3
"""R-hat less 1 above which chains do not become longer: over how many times as long they are; and after the last adaptation."""

_FEWEST = 4  # draws of a chain, of which R-hat can be told
_CHANCE = 1e-5  # that independent draws have an R-hat above the limit of short chains
_RIDGE = 1e-6  # of the normal matrix's diagonal


@dataclass(frozen=True)
class Mode:
    """A fit of a telescope's image, about which draws are taken.

    Attributes:
        problem: what was fitted.
        image: as it was fitted, whole or a part.
        optimum: of the fit.
        offset: x and y of the fit's origin in the whole image, whose origin that of the draws is.
        belief: what the fit had in place of the problem's prior.
        beyond: error of theta_E beside that of the image's noise [arcsec].
    """

    problem: Composition
    image: SkyImage
    optimum: Optimum
    offset: tuple[float, float] = (0.0, 0.0)
    belief: Belief | None = None
    beyond: float = 0.0


@dataclass(frozen=True)
class Posterior:
    """Draws from a posterior.

    Attributes:
        names: names of the P parameters.
        draws: (S, P) in file parameters, the chains one after the other.
        taken: how many draws the chains took in all; of these `draws` are every `taken`/S-th.
        chains: how many there are.
        r_hat: (P,) R-hat, split and normalised by rank; directions about their mean.
        ess: (P,) effective number of draws, of those taken; S at most.
        divergent: how many trajectories diverged.
        gradients: how many gradients all draws took, without the warm-up.
    """

    names: tuple[str, ...]
    draws: np.ndarray
    taken: int
    chains: int
    r_hat: np.ndarray
    ess: np.ndarray
    divergent: int
    gradients: int

    @property
    def trusted(self) -> bool:
        """Whether the chains agree and are long enough."""
        good = float(self.r_hat.max()) <= most_r_hat(self.chains, self.taken // self.chains) and float(self.ess.min()) >= LEAST_ESS
        return bool(good and self.divergent <= MOST_DIVERGENT * self.taken)

    @property
    def words(self) -> str:
        """The diagnostics in one sentence."""
        worst, least = int(np.argmax(self.r_hat)), int(np.argmin(self.ess))
        numbers = (
            f"R-hat {self.r_hat[worst]:.3f} ({self.names[worst]}), {self.ess[least]:.0f} effective draws ({self.names[least]}), "
            f"{self.divergent} divergent"
        )
        return f"posterior of {len(self.draws)} draws{'' if self.trusted else ', not to be trusted'}: {numbers}"


def nearest(params: np.ndarray, draws: np.ndarray, problem: Composition) -> np.ndarray:
    """Parameters (P,) with directions as the nearest to those of draws (S, P) that are `unwrapped`."""
    values = np.array(params, np.float64)
    for k, parameter in enumerate(problem.parameters):
        if parameter.period is not None:
            values[k] -= parameter.period * np.round((values[k] - draws[:, k].mean()) / parameter.period)
    return values


def most_r_hat(chains: int, draws: int) -> float:
    """The largest R-hat of chains of so many draws that agree: `MOST_R_HAT`, or what independent draws have but for one time in 100 000."""
    halves, each = 2 * chains, max(draws // 2, 1)
    between = special.chdtri(halves - 1, _CHANCE) / (halves - 1)
    return max(MOST_R_HAT, float(np.sqrt((between + each - 1) / each)))


class _Data(NamedTuple):
    """What a density depends on: the observation, weights 1/σ (H, W), whitened residuals (H, W) at the mode, the coordinates about it, V of
    `linear.nuisance_root`, and what is believed of the numbers in place of the prior."""

    observed: Observed
    weight: Array
    residual: Array
    about: Chart
    nuisance: Array | None
    belief: Belief | None


def sample(
    problem: Composition,
    observed: Observed,
    optimum: Optimum,
    *,
    draws: int,
    seed: int = 0,
    chains: int = nuts.CHAINS,
    warmup: int = nuts.WARMUP,
    belief: Belief | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Posterior:
    """Draws from the posterior of an observation.

    Args:
        problem: what the image shows.
        observed: the observation.
        optimum: the best optimum of its fit.
        draws: how many, of all chains together, rounded up to a multiple of `chains`. Chains that are not to be trusted adapt again to
            what they drew, and become longer, to `ROUNDS` times the length, unless they are far `APART`. Then they adapt once more, and
            become longer unless they are `HOPELESS`. Every second, third or fourth draw of longer chains is kept.
        seed: of the random numbers.
        chains: how many; on a CPU each has a thread.
        warmup: steps of the first adaptation, see `nuts.rounds`.
        belief: of the numbers, in place of the prior, as the fit had it; the prior's bounds hold as well.
        say: called with words about what is done, as it is done.

    Raises:
        BadInput: blackjax is missing.
    """
    data = _data(problem, observed, optimum, belief)
    each = max(_FEWEST, -(-draws // chains))
    before = None
    for time in range(1, ADAPTATIONS + 1):
        (own_seed,) = np.random.SeedSequence([seed, time]).generate_state(1).tolist()
        rounds = nuts.rounds(
            _density(problem), data, size=problem.size, draws=each, seed=own_seed, count=chains, warmup=warmup, before=before, say=say
        )
        for k, grown in enumerate(islice(_growing(problem, data, rounds, own_seed), ROUNDS), start=1):
            own, before = grown
            if own.trusted:
                return own
            if k == ROUNDS or time == 1 or own.r_hat.max() - 1.0 > (HOPELESS if time == ADAPTATIONS else APART / k):
                break
            say(f"chains become longer: R-hat {own.r_hat.max():.3f}, {own.ess.min():.0f} effective draws")
        say(own.words)
    return own


def _growing(problem: Composition, data: _Data, rounds: Iterator[nuts.Chains], seed: int) -> Iterator[tuple[Posterior, np.ndarray]]:
    """The draws of one round of chains, of two, of three, ...; as many are kept of each. Beside them where all draws lie in the chart."""
    parts: list[np.ndarray] = []
    before: list[np.ndarray] = []
    divergent, gradients = 0, 0
    for k, found in enumerate(rounds, start=1):
        chains, each, size = found.draws.shape
        flat = jnp.asarray(found.draws.reshape(-1, size))
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), k), len(flat))
        before.append(found.draws)
        parts.append(np.asarray(_answers(problem)(data, flat, keys), np.float64).reshape(chains, each, -1))
        params = np.concatenate(parts, axis=1)
        divergent, gradients = divergent + int(found.divergent.sum()), gradients + int(found.gradients.sum())
        r_hat, ess = nuts.agreement(unwrapped(params.reshape(-1, params.shape[-1]), problem).reshape(params.shape))
        kept = params[:, k - 1 :: k].reshape(-1, params.shape[-1])
        own = Posterior(
            names=problem.names, draws=kept, taken=k * chains * each, chains=chains, r_hat=r_hat, ess=np.minimum(ess, len(kept)),
            divergent=divergent, gradients=gradients,
        )  # fmt: skip
        yield own, np.concatenate(before, axis=1)


def unwrapped(params: np.ndarray, problem: Composition) -> np.ndarray:
    """Parameters (S, P) with directions as the nearest to their mean."""
    values = params.copy()
    for k, parameter in enumerate(problem.parameters):
        if parameter.period is not None:
            turn = 2.0 * np.pi / parameter.period
            middle = np.angle(np.exp(1j * turn * values[:, k]).mean()) / turn % parameter.period
            values[:, k] -= parameter.period * np.round((values[:, k] - middle) / parameter.period)
    return values


def _data(problem: Composition, observed: Observed, optimum: Optimum, belief: Belief | None) -> _Data:
    dtype = observed.data.dtype
    about = of_type(chart(problem, optimum, observed.instrument), dtype)
    weight = jnp.where(observed.mask, 1.0 / observed.noise.sigma(jnp.asarray(optimum.model, dtype)), 0.0)
    residual = (observed.data - jnp.asarray(optimum.model, dtype)) * weight
    nuisance = None if observed.nuisance is None else nuisance_root(whitened_nuisance(observed.nuisance, weight))
    residual = _without(nuisance, residual.reshape(1, -1)).reshape(residual.shape)
    known = None if belief is None else Belief(*(jnp.asarray(part, dtype) for part in belief))
    return _Data(observed, weight, residual, about, nuisance, known)


def _without(nuisance: Array | None, rows: Array) -> Array:
    """Whitened images (K, H W), whitened for the observation's nuisance too."""
    return rows if nuisance is None else rows - (rows @ nuisance.T) @ nuisance


@lru_cache(maxsize=16)
def _density(problem: Composition) -> nuts.Density:
    def density(data: _Data, w: Array) -> Array:
        straight = data.about.straight
        u, inside = prior.held(problem, coordinates(problem, data.about, w), straight)
        at = prior.numbers(problem, u, straight)
        chance = log_likelihood(problem, data.observed, data.weight, at, residual=data.residual, nuisance=data.nuisance)
        own = prior.log_prior(problem, u, straight) if data.belief is None else prior.log_belief(problem, u, straight, data.belief)
        return jnp.where(inside, chance + own, -jnp.inf)

    return density


@lru_cache(maxsize=16)
def _answers(problem: Composition) -> Callable[[_Data, Array, Array], Array]:
    def one(data: _Data, w: Array, key: Array) -> Array:
        at = prior.numbers(problem, coordinates(problem, data.about, w), data.about.straight)
        light = _light(problem, data.observed, data.weight, at, data.nuisance)
        noise = jax.random.normal(key, light.right.shape, light.right.dtype)
        return problem.decode(at, amplitudes_of(light.gram, light.right + _root(light.gram) @ noise, jnp.asarray(problem.nonnegative)))

    def each(data: _Data, rows: Array, keys: Array) -> Array:
        params: Array = jax.lax.map(lambda pair: one(data, *pair), (rows, keys))
        return params

    program: Callable[[_Data, Array, Array], Array] = jax.jit(each)
    return program


class _Light(NamedTuple):
    """The whitened data (N,) and layers (K, N) of an image, the layers' normal matrix (K, K) with its penalty, that penalty (K, K), and
    what they have in common with the data (K,)."""

    data: Array
    layers: Array
    gram: Array
    penalty: Array
    right: Array


def _light(problem: Composition, observed: Observed, weight: Array, numbers: Array, nuisance: Array | None) -> _Light:
    data = _without(nuisance, (observed.data * weight).reshape(1, -1))[0]
    layers = _without(nuisance, (problem.layers(numbers, observed.instrument) * weight).reshape(problem.linear, -1))
    penalty = problem.penalty(total_flux(observed))
    own = jnp.zeros((len(layers), len(layers)), layers.dtype) if penalty is None else penalty
    return _Light(data, layers, layers @ layers.T + own, own, layers @ data)


def log_likelihood(
    problem: Composition, observed: Observed, weight: Array, numbers: Array, *, residual: Array, nuisance: Array | None = None
) -> Array:
    """Logarithm of the likelihood of numbers (E,), over that of a residual; amplitudes are integrated out, or have their best values.

    The derivative of the best amplitudes is not needed: the cost does not change with them (Golub & Pereyra 1973).

    Args:
        problem: what the image shows.
        observed: the observation.
        weight: (H, W) 1/σ; 0 where a pixel is masked.
        numbers: where.
        residual: whitened residuals (H, W) to compare with: few digits are lost where theirs are nearly the same.
        nuisance: V of `linear.nuisance_root`, which data and layers are whitened for, as the residual is.
    """
    light = _light(problem, observed, weight, numbers, nuisance)
    nonnegative = jnp.asarray(problem.nonnegative)
    a = jax.lax.stop_gradient(amplitudes_of(*jax.lax.stop_gradient((light.gram, light.right)), nonnegative))
    before, after = residual.reshape(-1), light.data - a @ light.layers
    value = -0.5 * ((after - before) @ (after + before) + a @ light.penalty @ a)
    kept, only = _integrated(problem)
    if len(kept) == 0:
        return value
    inner = light.gram[np.ix_(kept, kept)]
    others = a.at[kept].set(0.0)
    best = jnp.linalg.solve(inner + _RIDGE * jnp.diag(jnp.diagonal(inner)), (light.right - light.gram @ others)[kept])[only]
    least = jax.lax.rsqrt(jnp.maximum(jnp.diagonal(inner)[only], 1e-30))
    return value - jnp.log(jnp.diagonal(_root(inner))).sum() - jnp.log(jnp.maximum(best, least)).sum()


def _integrated(problem: Composition) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the amplitudes that are integrated out, and which of these are the one flux of a profile."""
    several = np.array([*(bool(part.several) for part in problem.components for _ in part.amplitudes), *(False,) * problem.sky])
    nonnegative = np.array(problem.nonnegative)
    kept = np.flatnonzero(~(several & nonnegative))
    return kept, np.flatnonzero((~several & nonnegative)[kept])


def _root(matrix: Array) -> Array:
    """The lower triangle (R, R) whose square is a normal matrix."""
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(matrix), 1e-30))
    unit = matrix / jnp.outer(scale, scale) + _RIDGE * jnp.eye(len(matrix), dtype=matrix.dtype)
    return jnp.asarray(scale[:, None] * jnp.linalg.cholesky(unit))
