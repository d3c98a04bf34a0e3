"""Mock observations of a composed problem, fitted as `lensjax estimate` fits, row by row; an interrupted run resumes."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from lensjax.dataset.journal import Journal, fingerprint
from lensjax.errors import BadInput
from lensjax.files.whole import make_folder
from lensjax.infer import calibration, estimation, posterior
from lensjax.observation import psf
from lensjax.observation.instrument import Instrument, instrument
from lensjax.observation.observed import Observed, observe
from lensjax.problems.compose import Composition

_SUPERSAMPLING = 2  # as images of telescopes are fitted
_BEYOND = 0.4  # of the field's side: the largest Einstein radius of a mock
_TRIES = 1000
_FACTOR = 1.5  # about the given signal to noise, either way
_SEEDS = 3  # of each mock: noise, chains, ranks


@dataclass(frozen=True)
class Mocks:
    """What mocks are.

    Attributes:
        n: how many.
        seed: of all random numbers.
        pixels: side of an image [px].
        pixel_scale: side of a pixel [arcsec].
        fwhm: of the Gaussian PSF [px].
        peak: signal to noise of the brightest pixel; a mock's own is within a factor 1.5 of it, uniform in its logarithm.
        draws: from the posterior of each fit with success; 0 for none.
    """

    n: int
    seed: int = 0
    pixels: int = 80
    pixel_scale: float = 0.05
    fwhm: float = 2.5
    peak: float = 50.0
    draws: int = 0


@dataclass(frozen=True)
class Row:
    """One mock; lists have P numbers, NaN where there is none.

    Attributes:
        truth: true parameters.
        params: fitted ones.
        errors: 1 sigma errors from the curvature; inf where the image does not identify a parameter.
        success: whether the fit can be trusted by its own verdict.
        status: in words.
        seconds: of the fit.
        ranks: of the truth among the draws, between 0 and 1.
        mean: of the draws.
        spread: standard deviation of the draws.
        nearer: share of draws nearer to a random point than the truth.
        r_hat: largest of the parameters.
        ess: smallest of the parameters.
        divergent: trajectories that diverged.
        trusted: whether the chains agree.
        sampled: seconds of the draws.
    """

    truth: list[float]
    params: list[float]
    errors: list[float]
    success: bool
    status: str
    seconds: float
    ranks: list[float]
    mean: list[float]
    spread: list[float]
    nearer: float
    r_hat: float
    ess: float
    divergent: int
    trusted: bool
    sampled: float


def taken_by(mocks: Mocks) -> Instrument:
    """The instrument of mocks.

    Raises:
        BadInput: the PSF is larger than the image.
    """
    side = (mocks.pixels, mocks.pixels)
    return instrument(side, pixel_scale=mocks.pixel_scale, supersampling=_SUPERSAMPLING, psf=psf.gaussian(mocks.fwhm))


def drawn(problem: Composition, mocks: Mocks, k: int, *, taken: Instrument | None = None) -> tuple[np.ndarray, Observed]:
    """True parameters (P,) of mock k, and its observation, with white noise of standard deviation 1.

    Draws whose Einstein radius is more than `_BEYOND` of the field's side, or that leave the image dark, are drawn again. All fluxes are
    scaled together for the signal to noise: given a prior uniform in their logarithm, that draws from it.

    Raises:
        BadInput: no lens of the prior fits into the field.
    """
    taken = taken_by(mocks) if taken is None else taken
    key = jax.random.fold_in(jax.random.key(mocks.seed), k)
    radii = [i for i, name in enumerate(problem.names) if name.endswith("theta_E")]
    field = mocks.pixels * mocks.pixel_scale
    draw, render = _draw(problem), _render(problem)
    for i in range(_TRIES):
        truth = np.asarray(draw(jax.random.fold_in(key, i)), np.float64)
        if any(truth[radius] > _BEYOND * field for radius in radii):
            continue
        image = np.asarray(render(jnp.asarray(truth, jnp.float32), taken), np.float64)
        if image.max() > 0:
            break
    else:
        (low, _), _ = problem.lens_range
        expected = f"a side of more than {low / _BEYOND:g} arcsec"
        raise BadInput("no lens of the problem fits into the field", value=f"{field:g} arcsec", expected=expected)
    random = np.random.default_rng([mocks.seed, k])
    scale = mocks.peak * _FACTOR ** random.uniform(-1.0, 1.0) / image.max()
    truth[len(truth) - problem.linear :] *= scale
    return truth, observe(image * scale + random.normal(size=image.shape), 1.0, taken_by=taken)


@lru_cache(maxsize=8)
def fitted_as(problem: Composition, field: float) -> Composition:
    """The problem whose mocks have so large a field [arcsec], with the Einstein radii that they are drawn with."""
    parts = []
    for part in problem.components:
        if part.theta_e is not None:
            own = list(part.parameters)
            own[part.theta_e] = replace(own[part.theta_e], high=min(own[part.theta_e].high, _BEYOND * field))
            part = replace(part, parameters=tuple(own))
        parts.append(part)
    return replace(problem, components=tuple(parts))


@lru_cache(maxsize=8)
def _draw(problem: Composition) -> Callable[[Array], Array]:
    return jax.jit(problem.draw)


@lru_cache(maxsize=8)
def _render(problem: Composition) -> Callable[[Array, Instrument], Array]:
    return jax.jit(problem.image)


def fitted(problem: Composition, mocks: Mocks, k: int) -> Row:
    """Mock k and its fit, with the posterior where draws are wanted and the fit is a success.

    Raises:
        BadInput: no lens of the prior fits into the field, or draws are wanted and blackjax is missing.
    """
    truth, observed = drawn(problem, mocks, k)
    problem = fitted_as(problem, mocks.pixels * mocks.pixel_scale)
    began = time.perf_counter()
    found = estimation.estimate(problem, observed)
    seconds = time.perf_counter() - began
    solution, periods = found.solution, [parameter.period for parameter in problem.parameters]
    nothing = [float("nan")] * len(truth)
    row: dict[str, Any] = {
        "truth": truth.tolist(), "params": solution.params[0].tolist(), "errors": solution.errors[0].tolist(),
        "success": bool(solution.success[0]), "status": solution.status[0], "seconds": seconds,
        "ranks": nothing, "mean": nothing, "spread": nothing, "nearer": float("nan"), "r_hat": float("nan"), "ess": float("nan"),
        "divergent": 0, "trusted": False, "sampled": 0.0,
    }  # fmt: skip
    if mocks.draws and row["success"] and found.best is not None:
        began = time.perf_counter()
        own = posterior.sample(problem, observed, found.best, draws=mocks.draws, seed=mocks.seed + _SEEDS * k)
        middle = solution.params[0]
        apart = max(1, int(np.ceil(len(own.draws) / max(float(own.ess.min()), 1.0))))
        thin, seed = own.draws[::apart], mocks.seed + _SEEDS * k + 1
        off = calibration.deviations(own.draws, middle, periods)
        row |= {
            "ranks": calibration.rank(truth, thin, middle, periods, seed=seed).tolist(),
            "mean": (middle + off.mean(axis=0)).tolist(), "spread": off.std(axis=0).tolist(),
            "nearer": calibration.nearer(truth, thin, middle, periods, seed=seed),
            "r_hat": float(own.r_hat.max()), "ess": float(own.ess.min()), "divergent": own.divergent,
            "trusted": own.trusted, "sampled": time.perf_counter() - began,
        }  # fmt: skip
    return Row(**row)


def rows(problem: Composition, mocks: Mocks, folder: Path, *, progress: Any) -> list[Row]:
    """All mocks, fitted. A run that was interrupted resumes, also with another n.

    Args:
        problem: the problem.
        mocks: what they are.
        folder: of the journal.
        progress: has `resume` and `update`, such as `Progress`.

    Raises:
        BadInput: the folder cannot be written to, or as in `fitted`.
    """
    make_folder(folder)
    task = fingerprint([problem.name, problem.names, {**asdict(mocks), "n": 0}])
    with Journal(folder / ".mocks.lensjax-journal", task) as journal:
        done = [row for row in (_restored(entry) for _, entry in journal) if row is not None][: mocks.n]
        progress.resume(len(done))
        for k in range(len(done), mocks.n):
            done.append(fitted(problem, mocks, k))
            journal.add(asdict(done[-1]))
            progress.update()
    return done


def finish(folder: Path) -> None:
    """Removes the journal of a run whose tables are written."""
    (folder / ".mocks.lensjax-journal").unlink(missing_ok=True)


def _restored(entry: object) -> Row | None:
    names = {field.name for field in fields(Row)}
    return Row(**entry) if isinstance(entry, dict) and set(entry) == names else None
