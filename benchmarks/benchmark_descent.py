"""LensJAX's Levenberg–Marquardt beside optimistix's, and beside Adam, on the same residuals from the same starts.

    pip install optimistix
    python benchmarks/benchmark_descent.py [--images 8] [--starts 8] [--seed 0] [--adam 0.1:300 ...]

Mocks of an SIE with a Gaussian source: 60×60 pixels, a PSF, white noise. Starts scatter about the truth, from near to far. All programs
minimise the same whitened residuals in float32, with the flux solved for inside. Adam (optax) has a learning rate and a number of steps,
RATE:STEPS; its rate falls to nothing as a cosine, and it ends at the lowest chi² on its way. Prints, for each program: time of a descent
(median of the images' means, compiled, one start after the other), how many descents reach the lowest chi² that any reached on their
image, to within 1, the time of all descents over the number of those, and how many say that they converged above it, in another minimum
or on the way. Adam cannot say.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from mocks import drawn

from lensjax.infer import fit
from lensjax.infer.levenberg_marquardt import CONVERGED
from lensjax.infer.linear import amplitudes_of
from lensjax.observation import psf
from lensjax.observation.instrument import instrument
from lensjax.observation.observed import Observed
from lensjax.problems import components
from lensjax.problems.compose import compose

PROBLEM = compose("sie", [components.sie(theta_e=(7.0, 16.0), reach=1.5, q=0.4), components.gaussian(sigma=(1.5, 3.0), reach=5.0, q=None)])
TAKEN = instrument((60, 60), supersampling=2, psf=psf.gaussian(2.0))


def residuals(q: jax.Array, observed: Observed, *, held: bool = False) -> jax.Array:
    """Whitened residuals (H W,) with the best flux; with it held in derivatives."""
    weight = jnp.where(observed.mask, 1.0 / observed.noise.sigma(observed.data), 0.0)
    basis = (PROBLEM.layers(q, observed.instrument) * weight).reshape(PROBLEM.linear, -1)
    target = (observed.data * weight).reshape(-1)
    fixed = jax.lax.stop_gradient(basis) if held else basis
    amplitudes = amplitudes_of(fixed @ fixed.T, fixed @ target, jnp.asarray(PROBLEM.nonnegative))
    return (jax.lax.stop_gradient(amplitudes) if held else amplitudes) @ basis - target


@jax.jit
def ours(observed: Observed, start: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """chi², whether it converged, evaluations."""
    end = fit.descent(observed, observed.data, None, start, **fit.fine(PROBLEM))
    return end.normal.cost, end.code == CONVERGED, end.steps


def theirs(optimistix: object, tolerance: float):  # noqa: ANN201
    """As `ours`, by optimistix."""
    steps = fit.fine(PROBLEM)["steps"]
    solver = optimistix.LevenbergMarquardt(rtol=tolerance, atol=tolerance)  # type: ignore[attr-defined]

    @jax.jit
    def run(observed: Observed, start: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        end = optimistix.least_squares(residuals, solver, start, args=observed, max_steps=steps, throw=False)  # type: ignore[attr-defined]
        rest = residuals(end.value, observed)
        return rest @ rest, end.result == optimistix.RESULTS.successful, end.stats["num_steps"]  # type: ignore[attr-defined]

    return run


def adam(rate: float, steps: int):  # noqa: ANN201
    """As `ours`, by Adam; it never says that it converged."""
    solver = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def cost(q: jax.Array, observed: Observed) -> jax.Array:
        # The best flux does not move the cost: what its change adds to the gradient is nothing.
        rest = residuals(q, observed, held=True)
        return rest @ rest

    @jax.jit
    def run(observed: Observed, start: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        def step(state: tuple[jax.Array, optax.OptState, jax.Array], _: None) -> tuple[tuple[jax.Array, optax.OptState, jax.Array], None]:
            q, moments, least = state
            here, slope = jax.value_and_grad(cost)(q, observed)
            move, moments = solver.update(slope, moments)
            return (q + move, moments, jnp.fmin(least, here)), None

        (q, _, least), _ = jax.lax.scan(step, (start, solver.init(start), jnp.float32(jnp.inf)), length=steps)
        return jnp.fmin(least, cost(q, observed)), jnp.bool_(False), jnp.int32(steps)

    return run


def rate_and_steps(text: str) -> tuple[float, int]:
    """RATE:STEPS."""
    rate, steps = text.split(":")
    return float(rate), int(steps)


def main() -> None:
    """Draws, descends, compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8, help="mocks (8)")
    parser.add_argument("--starts", type=int, default=8, help="starts of each (8)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--adam", type=rate_and_steps, nargs="*", default=[(0.1, 300)], metavar="RATE:STEPS", help="(0.1:300)")
    flags = parser.parse_args()
    try:
        import optimistix
    except ImportError:
        parser.error("optimistix is missing; expected an environment that has it: pip install optimistix")
    programs = {"LensJAX": ours} | {f"optimistix, {tolerance:g}": theirs(optimistix, tolerance) for tolerance in (1e-3, 1e-5)}
    programs |= {f"Adam, {rate:g}, {steps} steps": adam(rate, steps) for rate, steps in flags.adam}
    cost = {name: np.zeros((flags.images, flags.starts)) for name in programs}
    converged = {name: np.zeros((flags.images, flags.starts), bool) for name in programs}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    steps: dict[str, list[int]] = {name: [] for name in programs}
    encode = jax.jit(PROBLEM.encode)
    rng, reach = np.random.default_rng(flags.seed), np.geomspace(0.03, 0.6, flags.starts)
    truths, observations = drawn(PROBLEM, TAKEN, n=flags.images, peak=50.0, seed=flags.seed)
    for k, (params, observed) in enumerate(zip(truths, observations, strict=True)):
        truth = np.asarray(encode(jnp.asarray(params, jnp.float32)))
        starts = (truth + reach[:, None] * rng.normal(size=(flags.starts, len(truth)))).astype(np.float32)
        for name, run in programs.items():
            jax.block_until_ready(run(observed, jnp.asarray(starts[0])))  # compile
            began = time.perf_counter()
            for s, start in enumerate(starts):
                chi2, done, count = jax.block_until_ready(run(observed, jnp.asarray(start)))
                cost[name][k, s], converged[name][k, s] = chi2, done
                steps[name].append(int(count))
            seconds[name].append((time.perf_counter() - began) / flags.starts)
    best = np.min([np.nanmin(value, axis=1) for value in cost.values()], axis=0)
    print(f"{flags.images} images, {flags.starts} starts each, jax {jax.__version__}, {jax.default_backend()}")
    heads = (("ms a descent", 14), ("steps", 8), ("reach the lowest", 18), ("ms to reach it", 16), ("say so, elsewhere", 19))
    print(f"{'':22}" + "".join(f"{head:>{width}}" for head, width in (*heads, ("reach it, say not", 19))))
    for name, value in cost.items():
        there = value <= best[:, None] + 1.0
        print(
            f"{name:22}{1e3 * np.median(seconds[name]):14.1f}{np.median(steps[name]):8.0f}{there.mean():18.1%}"
            f"{1e3 * np.mean(seconds[name]) / max(there.mean(), 1e-9):16.1f}"
            f"{(converged[name] & ~there).mean():19.1%}{(~converged[name] & there).mean():19.1%}"
        )


if __name__ == "__main__":
    main()
