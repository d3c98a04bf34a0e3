"""What the benchmarks of galaxies share: the fit by its name, and tables that resume."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from galaxy_images import Mock
from tqdm import tqdm

from lensjax import problems, trained
from lensjax.dataset import telescope_network
from lensjax.files.whole import write_text
from lensjax.infer import estimation, fit
from lensjax.infer.solution import Solution
from lensjax.observation.observed import Observed
from lensjax.observation.sky import SkyImage
from lensjax.pipeline.options import LARGEST, Options
from lensjax.pipeline.run import fit_galaxy
from lensjax.problems.galaxy import source_prefix
from lensjax.trained import Estimator

Fit = Callable[[Observed], Any]
"""An observation → what has a `solution`."""


def estimate(observed: Observed) -> Any:
    """A fit of all the light at once, the lens galaxy's as a Sérsic, from the bright pixels."""
    return estimation.estimate(problems.composed("galaxy", lens_light="sersic", sky=True), observed)


def pipeline(observed: Observed, *, largest_theta_e: float = LARGEST) -> Any:
    """As `lensjax estimate` fits a telescope's image; the mass of a mock is exactly of the profile that is fitted."""
    return fit_galaxy(SkyImage("mock", observed), Options(mass_error=0.0, largest_theta_e=largest_theta_e))


def network(observed: Observed) -> Any:
    """What the network that ships for galaxies says, as `lensjax estimate --no-refine` has it."""
    return network_of(trained.load(problem="galaxy"), SkyImage("mock", observed))


def network_of(estimator: Estimator, image: SkyImage) -> Any:
    """What a network for galaxies says of an image."""
    said = telescope_network.asked(estimator, image)
    names = estimator.problem.names
    whole = Solution.failed(names, "", coordinates=0)
    assert said.network is not None and said.network_errors is not None
    solution = replace(whole, params=said.network[None], errors=said.network_errors[None], status=("network",), success=np.ones(1, bool))
    return SimpleNamespace(solution=solution)


def from_truth(mock: Mock) -> Any:
    """A fit of the model that the mock was drawn with, from its truth: what the pixels hold."""
    problem = problems.composed("galaxy", clumps=len(mock.clumps), lens_light="sersic")
    at = mock.truth | {"x": mock.mass.x, "y": mock.mass.y}
    prefixes = [*(source_prefix(k) for k in range(1, len(mock.clumps) + 1)), "light_"]
    for prefix, own in zip(prefixes, (*mock.clumps, mock.galaxy), strict=True):
        known = {"x": own.x, "y": own.y, "R": own.radius, "n": own.n, "q": own.q, "phi": np.degrees(own.phi) % 180.0}
        at |= {f"{prefix}{name}": value for name, value in known.items()}
    start = problem.encode(jnp.asarray([at.get(name, 1.0) for name in problem.names]))
    best = fit.descend_from(problem, [mock.observed], [[np.asarray(start, np.float64)]])[0][0]
    return estimation.Fitted(estimation.solution_of(problem, best, []), best)


def fit_of(name: str) -> Fit:
    """The fit that is called `pipeline`, `estimate` or `network`, or MODULE:FUNCTION.

    Raises:
        SystemExit: there is none.
    """
    own: dict[str, Fit] = {"pipeline": pipeline, "estimate": estimate, "network": network}
    if name in own:
        return own[name]
    module, _, function = name.partition(":")
    try:
        found: Fit = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise SystemExit(f"--fit {name}: {error}; expected {', '.join(own)}, or MODULE:FUNCTION") from None
    return found


def solved(run: Fit, observed: Observed) -> tuple[Solution, float]:
    """The solution of an observation, and the seconds that it took."""
    began = time.perf_counter()
    solution = run(observed).solution
    return solution, time.perf_counter() - began


def rows(path: Path, settings: dict[str, object], numbers: Sequence[int], row_of: Callable[[int], dict[str, object]]) -> pd.DataFrame:
    """A table with a row for each number, written after each; rows of the same settings that are there already are kept.

    Args:
        path: the table.
        settings: columns that are the same in all its rows.
        numbers: which rows.
        row_of: the columns of one.

    Raises:
        SystemExit: the table there has other settings.
    """
    done: dict[int, dict[Any, Any]] = {}
    if path.exists():
        before = pd.read_csv(path)
        words = {key: str(value) for key, value in settings.items()}
        if any(key not in before or (before[key].astype(str) != value).any() for key, value in words.items()):
            raise SystemExit(f"{path} has other settings; expected {words}, or another --out")
        done = {int(row["number"]): row for row in before.to_dict("records")}
    for number in _shown([k for k in numbers if k not in done], len(numbers)):
        done[number] = {"number": number, **settings, **row_of(number)}
        write_text(path, pd.DataFrame([done[k] for k in sorted(done)]).to_csv(index=False))
    return pd.DataFrame([done[k] for k in sorted(done) if k in set(numbers)])


def _shown(left: Sequence[int], total: int) -> Iterator[int]:
    yield from tqdm(left, initial=total - len(left), total=total, unit="image")
