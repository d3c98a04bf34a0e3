"""The file of a run's estimates: a CSV table that grows row by row, or JSON."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lensjax.estimate import Estimate
from lensjax.formats import results, results_json
from lensjax.problems.base import Problem
from lensjax.problems.compose import Composition

_EVERY = 10.0  # s, after which a JSON file is written again


@dataclass
class EstimateTable:
    """Estimates of images, written as they come. What ends in .json is JSON, and all else CSV.

    A CSV table gets its rows one by one. A JSON file is written whole: with the first estimate, then every ten seconds, and at the end.

    Attributes:
        path: the file.
        problem: whose parameters they are.
        angles: names of the parameters that have a position angle on the sky.
    """

    path: Path
    problem: Problem | Composition
    angles: Sequence[str] = ()
    _rows: list[results.Result] = field(default_factory=list)
    _written: float = -_EVERY

    @property
    def _kept(self) -> list[int]:
        """Indices of the parameters that have columns: all but the amplitudes of light profiles with several."""
        if not isinstance(self.problem, Composition):
            return list(range(len(self.problem.names)))
        several = {parameter.name for part in self.problem.components for parameter in part.several}
        return [k for k, name in enumerate(self.problem.names) if name not in several]

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.problem.names[k] for k in self._kept)

    def begin(self, filenames: Sequence[str], outcomes: Sequence[Estimate]) -> None:
        """A new file with these estimates, of the first images alone.

        Raises:
            BadInput: it cannot be written there.
        """
        self._rows = [self._row(name, outcome) for name, outcome in zip(filenames, outcomes, strict=False)]
        self._write()

    def add(self, filename: str, outcome: Estimate) -> None:
        """One more estimate.

        Raises:
            BadInput: it cannot be written there.
        """
        row = self._row(filename, outcome)
        self._rows.append(row)
        if not self._is_json:
            results.append(self.path, row, names=self._names, angles=self.angles)
        elif time.monotonic() - self._written >= _EVERY:
            self._write()

    def end(self) -> None:
        """All estimates are in the file when this returns.

        Raises:
            BadInput: it cannot be written there.
        """
        if self._is_json:
            self._write()

    @property
    def _is_json(self) -> bool:
        return self.path.suffix.lower() == results_json.SUFFIX

    def _write(self) -> None:
        if self._is_json:
            parameters = tuple(self.problem.parameters[k] for k in self._kept)
            results_json.write(self.path, self._rows, problem=self.problem.name, parameters=parameters, angles=self.angles)
            self._written = time.monotonic()
        else:
            results.write(self.path, self._rows, names=self._names, angles=self.angles)

    def _row(self, filename: str, outcome: Estimate) -> results.Result:
        if outcome.solution is not None:
            solution = outcome.solution.named(self._names)
            row = results.of_fit(
                filename, solution, network=outcome.network, angles=[outcome.angles.get(name, np.nan) for name in self.angles]
            )
            return replace(row, covariance=solution.covariance[0])
        if outcome.error is None and outcome.network is not None:
            return results.of_network(filename, outcome.network)
        return results.failed(filename, f"failed: {outcome.error}", names=self._names)
