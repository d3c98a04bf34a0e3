"""A second opinion on a posterior: errors from the curvature, NUTS, and nested sampling, on one simulated lens.

    python studies/nested.py [--mock 2] [--seed 2] [--draws 1000] [--live 100] [--steps 26]

An SIE with shear, a Sérsic source and a sky, 40×40 px of 0.1 arcsec, PSF of 2.5 px, brightest pixel about 50 times the noise. Nested
slice sampling of blackjax (Yallup, Kroupa & Handley 2026) knows the density alone, not its gradient, and neither mode nor curvature shape
its steps. It starts within 8 standard deviations of the mode along each principal axis. Prints mean ± standard deviation of each
parameter of the lens, and the time.
"""

import argparse
import time
from typing import Any

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
from blackjax.ns import utils

from lensjax import problems
from lensjax.dataset import mocks
from lensjax.infer import estimation, posterior, prior
from lensjax.infer.chart import chart, coordinates, of_type
from lensjax.infer.fit import Optimum
from lensjax.observation.observed import Observed
from lensjax.problems.compose import Composition

REACH = 8.0  # standard deviations either way
REMAINS = -3.0  # logarithm of the share of the evidence in the live points, at the end
SHOWN = ("theta_E", "q", "phi", "gamma1", "gamma2", "source_R", "source_n", "source_q")


def nested(problem: Composition, seen: Observed, best: Optimum, *, live: int, steps: int, draws: int, seed: int) -> tuple[np.ndarray, int]:
    """Parameters (S, P) by nested sampling, without the scatter of the linear amplitudes given the rest, and how many points died."""
    exact = chart(problem, best, seen.instrument)
    about = of_type(exact, jnp.float32)
    weight = jnp.where(seen.mask, 1.0 / seen.noise.sigma(seen.data), 0.0)
    residual = (seen.data - jnp.asarray(best.model, jnp.float32)) * weight

    def density(w: jax.Array) -> jax.Array:
        u, inside = prior.held(problem, coordinates(problem, about, w), about.straight)
        value = posterior.log_likelihood(problem, seen, weight, prior.numbers(problem, u, about.straight), residual=residual)
        return jnp.where(inside & (jnp.abs(w).max() < REACH), value + prior.log_prior(problem, u, about.straight), -jnp.inf)

    algorithm = blackjax.nss(
        logprior_fn=lambda w: jnp.where(jnp.abs(w).max() < REACH, 0.0, -jnp.inf),
        loglikelihood_fn=density, num_delete=max(1, live // 10), num_inner_steps=steps,
    )  # fmt: skip
    key = jax.random.key(seed)
    start = jax.random.uniform(key, (live, problem.size), minval=-REACH, maxval=REACH)
    state: Any = jax.jit(algorithm.init)(start)
    step = jax.jit(algorithm.step)
    dead = []
    while state.integrator.logZ_live - state.integrator.logZ > REMAINS:
        key, own = jax.random.split(key)
        state, info = step(own, state)
        dead.append(info)
    ended = utils.finalise(state, dead, update_info=False)
    chosen = utils.sample(jax.random.fold_in(key, 1), ended, draws)
    places = np.asarray(getattr(chosen, "position", chosen), np.float64)
    with jax.enable_x64(True):
        amplitudes = jnp.asarray(best.amplitudes)
        decode = jax.jit(lambda w: problem.decode(prior.numbers(problem, coordinates(problem, exact, w), exact.straight), amplitudes))
        return np.stack([np.asarray(decode(jnp.asarray(row))) for row in places]), sum(len(part.particles.loglikelihood) for part in dead)


def main() -> None:
    """Draws, fits, samples twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mock", type=int, default=2)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--live", type=int, default=100, help="live points of nested sampling (100)")
    parser.add_argument("--steps", type=int, default=26, help="slices from one of its points to the next (26)")
    flags = parser.parse_args()

    problem = problems.composed("galaxy", sky=True)
    truth, seen = mocks.drawn(problem, mocks.Mocks(n=1, seed=flags.seed, pixels=40, pixel_scale=0.1), flags.mock)
    began = time.perf_counter()
    found = estimation.estimate(problem, seen)
    print(f"fit: {found.solution.status[0]}, {time.perf_counter() - began:.0f} s", flush=True)
    if found.best is None:
        return
    began = time.perf_counter()
    chains = posterior.sample(problem, seen, found.best, draws=flags.draws)
    print(f"{chains.words}, {time.perf_counter() - began:.0f} s", flush=True)
    began = time.perf_counter()
    points, died = nested(problem, seen, found.best, live=flags.live, steps=flags.steps, draws=flags.draws, seed=flags.seed)
    print(f"nested sampling: {died} points of {flags.live} at a time, {time.perf_counter() - began:.0f} s")
    print(f"{'':10}{'truth':>10}{'curvature':>22}{'NUTS':>22}{'nested':>22}")
    both = [posterior.unwrapped(part, problem) for part in (chains.draws, points)]
    for name in SHOWN:
        k = problem.names.index(name)
        pairs = [(found.solution.params[0][k], found.solution.errors[0][k]), *((part[:, k].mean(), part[:, k].std()) for part in both)]
        print(f"{name:10}{truth[k]:10.4f}" + "".join(f"{f'{mean:.4f} ± {deviation:.4f}':>22}" for mean, deviation in pairs))


if __name__ == "__main__":
    main()
