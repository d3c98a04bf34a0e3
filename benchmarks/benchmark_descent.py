"""LensJAX's Levenberg–Marquardt beside optimistix's, and beside Adam, on the same residuals from the same starts.

    pip install optimistix
    python benchmarks/benchmark_descent.py [--galaxies] [--images 8] [--starts 8] [--seed 0] [--adam 0.1:300 ...]

Mocks of an SIE with a Gaussian source: 60×60 pixels, a PSF, white noise. Starts scatter about the truth, from near to far. Or, with
--galaxies, those mocks of galaxy_mocks.py whose source is one Sérsic profile, their lens's light taken off, on the coarse copy on which
the pipeline searches; starts are its round lenses of many Einstein radii, which know nothing of the truth. All programs minimise the same
whitened residuals in float32, with the flux solved for inside. Adam (optax) has a learning rate and a number of steps, RATE:STEPS; its
rate falls to nothing as a cosine, and it ends at the lowest chi² on its way. Prints, for each program: time of a descent (median of the
images' means, compiled, one start after the other), how many descents reach the lowest chi² that any reached on their image, to within 1,
the time of all descents over the number of those, how many say that they converged above it, in another minimum or on the way (Adam
cannot say), and in how many images the program's best has the right lens: θ_E within 3 % of the truth.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from galaxy_images import lens
from galaxy_mocks import OFF
from mocks import drawn
from tqdm import tqdm

from lensjax.infer import fit
from lensjax.infer.levenberg_marquardt import CONVERGED
from lensjax.infer.linear import amplitudes_of
from lensjax.observation import psf
from lensjax.observation.instrument import instrument
from lensjax.observation.noise import GaussianNoise
from lensjax.observation.observed import Observed
from lensjax.pipeline.options import Options
from lensjax.pipeline.starts import round_lenses, theta_e
from lensjax.problems import components
from lensjax.problems.compose import Composition, compose
from lensjax.problems.galaxy import galaxy

SMALL = compose("sie", [components.sie(theta_e=(7.0, 16.0), reach=1.5, q=0.4), components.gaussian(sigma=(1.5, 3.0), reach=5.0, q=None)])
GALAXY = replace(galaxy(source="sersic"), normal=())
SN = 300.0  # of galaxies' arcs
TAKEN = instrument((60, 60), supersampling=2, psf=psf.gaussian(2.0))


class Case(NamedTuple):
    """An image, where descents start, and the truth.

    Attributes:
        observed: the image.
        starts: (S, E).
        theta_e: true Einstein radius.
    """

    observed: Observed
    starts: np.ndarray
    theta_e: float


Ended = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
"""chi², whether it converged, evaluations, and the numbers (E,)."""


def small_cases(images: int, starts: int, seed: int) -> Iterator[Case]:
    """SIEs with a Gaussian source."""
    encode = jax.jit(SMALL.encode)
    rng, reach = np.random.default_rng(seed), np.geomspace(0.03, 0.6, starts)
    for params, observed in zip(*drawn(SMALL, TAKEN, n=images, peak=50.0, seed=seed), strict=True):
        truth = np.asarray(encode(jnp.asarray(params, jnp.float32)))
        begin = (truth + reach[:, None] * rng.normal(size=(starts, len(truth)))).astype(np.float32)
        yield Case(observed, begin, float(params[SMALL.names.index("theta_E")]))


def galaxy_cases(images: int, starts: int, seed: int) -> Iterator[Case]:
    """Galaxies whose source is one Sérsic profile."""
    found, number = 0, 0
    while found < images:
        mock = lens(np.random.default_rng([seed, number]), sn=SN)
        number += 1
        if len(mock.clumps) > 1:
            continue
        whole = mock.observed
        data = whole.data - jnp.asarray(mock.lens_light, whole.data.dtype)
        seen = replace(whole, data=data, noise=GaussianNoise(whole.noise.sigma(whole.data)))
        guesses = round_lenses(seen, np.geomspace(*Options().tried, starts))
        begin = np.stack([np.asarray(GALAXY.start(guess), np.float32) for guess in guesses])
        found += 1
        yield Case(fit.coarse(seen), begin, mock.truth["theta_E"])


def residuals(q: jax.Array, observed: Observed, problem: Composition, *, held: bool = False) -> jax.Array:
    """Whitened residuals (H W,) with the best flux; with it held in derivatives."""
    weight = jnp.where(observed.mask, 1.0 / observed.noise.sigma(observed.data), 0.0)
    basis = (problem.layers(q, observed.instrument) * weight).reshape(problem.linear, -1)
    target = (observed.data * weight).reshape(-1)
    fixed = jax.lax.stop_gradient(basis) if held else basis
    amplitudes = amplitudes_of(fixed @ fixed.T, fixed @ target, jnp.asarray(problem.nonnegative))
    return (jax.lax.stop_gradient(amplitudes) if held else amplitudes) @ basis - target


def ours(problem: Composition) -> Callable[[Observed, jax.Array], Ended]:
    """A descent by LensJAX."""

    @jax.jit
    def run(observed: Observed, start: jax.Array) -> Ended:
        end = fit.descent(observed, observed.data, None, start, **fit.fine(problem))
        return end.normal.cost, end.code == CONVERGED, end.steps, end.fit

    return run


def theirs(optimistix: object, problem: Composition, tolerance: float) -> Callable[[Observed, jax.Array], Ended]:
    """As `ours`, by optimistix."""
    steps = fit.fine(problem)["steps"]
    solver = optimistix.LevenbergMarquardt(rtol=tolerance, atol=tolerance)  # type: ignore[attr-defined]

    @jax.jit
    def run(observed: Observed, start: jax.Array) -> Ended:
        of = partial(residuals, problem=problem)
        end = optimistix.least_squares(of, solver, start, args=observed, max_steps=steps, throw=False)  # type: ignore[attr-defined]
        rest = of(end.value, observed)
        done = end.result == optimistix.RESULTS.successful  # type: ignore[attr-defined]
        return rest @ rest, done, end.stats["num_steps"], end.value

    return run


def adam(problem: Composition, rate: float, steps: int) -> Callable[[Observed, jax.Array], Ended]:
    """As `ours`, by Adam; it never says that it converged."""
    solver = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def cost(q: jax.Array, observed: Observed) -> jax.Array:
        # The best flux does not move the cost: what its change adds to the gradient is nothing.
        rest = residuals(q, observed, problem, held=True)
        return rest @ rest

    @jax.jit
    def run(observed: Observed, start: jax.Array) -> Ended:
        def lower(least: jax.Array, lowest: jax.Array, here: jax.Array, q: jax.Array) -> tuple[jax.Array, jax.Array]:
            """The lower of two costs, and where it is."""
            return jnp.fmin(least, here), jnp.where(here < least, q, lowest)

        def step(state: tuple[jax.Array, ...], _: None) -> tuple[tuple[jax.Array, ...], None]:
            q, moments, least, lowest = state
            here, slope = jax.value_and_grad(cost)(q, observed)
            move, moments = solver.update(slope, moments)
            return (q + move, moments, *lower(least, lowest, here, q)), None

        begin = (start, solver.init(start), jnp.float32(jnp.inf), start)
        (q, _, least, lowest), _ = jax.lax.scan(step, begin, length=steps)
        least, lowest = lower(least, lowest, cost(q, observed), q)
        return least, jnp.bool_(False), jnp.int32(steps), lowest

    return run


def rate_and_steps(text: str) -> tuple[float, int]:
    """RATE:STEPS."""
    rate, steps = text.split(":")
    return float(rate), int(steps)


def main() -> None:
    """Draws, descends, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", action="store_true", help="mocks of galaxies (small SIEs with a Gaussian source)")
    parser.add_argument("--images", type=int, default=8, help="mocks (8)")
    parser.add_argument("--starts", type=int, default=8, help="starts of each (8)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--adam", type=rate_and_steps, nargs="*", default=[(0.1, 300)], metavar="RATE:STEPS", help="(0.1:300)")
    flags = parser.parse_args()
    try:
        import optimistix
    except ImportError:
        parser.error("optimistix is missing; expected an environment that has it: pip install optimistix")
    problem = GALAXY if flags.galaxies else SMALL
    programs = {"LensJAX": ours(problem)}
    programs |= {f"optimistix, {tolerance:g}": theirs(optimistix, problem, tolerance) for tolerance in (1e-3, 1e-5)}
    programs |= {f"Adam, {rate:g}, {steps} steps": adam(problem, rate, steps) for rate, steps in flags.adam}
    cost = {name: np.zeros((flags.images, flags.starts)) for name in programs}
    converged = {name: np.zeros((flags.images, flags.starts), bool) for name in programs}
    right = {name: np.zeros(flags.images, bool) for name in programs}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    steps: dict[str, list[int]] = {name: [] for name in programs}
    cases = (galaxy_cases if flags.galaxies else small_cases)(flags.images, flags.starts, flags.seed)
    for k, case in enumerate(tqdm(cases, total=flags.images, unit="image")):
        for name, run in programs.items():
            jax.block_until_ready(run(case.observed, jnp.asarray(case.starts[0])))  # compile
            began = time.perf_counter()
            ends = [jax.block_until_ready(run(case.observed, jnp.asarray(start))) for start in case.starts]
            seconds[name].append((time.perf_counter() - began) / flags.starts)
            cost[name][k], converged[name][k] = ([float(end[i]) for end in ends] for i in (0, 1))
            steps[name] += [int(end[2]) for end in ends]
            lowest = ends[int(np.argmin(np.where(np.isfinite(cost[name][k]), cost[name][k], np.inf)))]
            right[name][k] = abs(theta_e(problem, np.asarray(lowest[3])) / case.theta_e - 1.0) < OFF
    best = np.min([np.nanmin(value, axis=1) for value in cost.values()], axis=0)
    print(f"{flags.images} images, {flags.starts} starts each, jax {jax.__version__}, {jax.default_backend()}")
    heads = (
        ("ms a descent", 14),
        ("steps", 8),
        ("reach the lowest", 18),
        ("ms to reach it", 16),
        ("say so, elsewhere", 19),
        ("right lens", 12),
    )
    print(f"{'':22}" + "".join(f"{head:>{width}}" for head, width in heads))
    for name, value in cost.items():
        there = value <= best[:, None] + 1.0
        print(
            f"{name:22}{1e3 * np.median(seconds[name]):14.1f}{np.median(steps[name]):8.0f}{there.mean():18.1%}"
            f"{1e3 * np.mean(seconds[name]) / there.mean() if there.any() else np.inf:16.1f}"
            f"{(converged[name] & ~there).mean():19.1%}{right[name].mean():12.1%}"
        )


if __name__ == "__main__":
    main()
