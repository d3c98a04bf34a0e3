"""The file of a run's estimates: a CSV table that grows row by row, or JSON."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lensjax.estimate import Estimate
from lensjax.formats import results, results_json
from lensjax.problems.amplitudes import Answered
from lensjax.problems.base import Parameter
from lensjax.problems.compose import Composition

_EVERY = 10.0  # s, after which a JSON file is written again


@dataclass
class EstimateTable:
    """Estimates of images, written as they come. What ends in .json is JSON, and all else CSV.

    A CSV table gets its rows one by one. A JSON file is written whole: with the first estimate, then every ten seconds, and at the end.

    Attributes:
        path: the file.
        problems: whose parameters they are: what is estimated, and what else the answer may be, such as other sources behind a lens.
        angles: names of the parameters that have a position angle on the sky.
    """

    path: Path
    problems: Sequence[Answered | Composition]
    angles: Sequence[str] = ()
    _rows: list[results.Result] = field(default_factory=list)
    _written: float = -_EVERY

    @cached_property
    def _parameters(self) -> tuple[Parameter, ...]:
        """Those that have columns: all but the amplitudes of light profiles with several."""
        found: dict[str, Parameter] = {}
        for problem in self.problems:
            parts = problem.components if isinstance(problem, Composition) else ()
            several = {parameter.name for part in parts for parameter in part.several}
            found |= {own.name: own for own in problem.parameters if own.name not in several and own.name not in found}
        return tuple(found.values())

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self._parameters)

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
            name = self.problems[0].name
            results_json.write(self.path, self._rows, problem=name, parameters=self._parameters, angles=self.angles)
            self._written = time.monotonic()
        else:
            results.write(self.path, self._rows, names=self._names, angles=self.angles)

    def _row(self, filename: str, outcome: Estimate) -> results.Result:
        angles = [outcome.angles.get(name, np.nan) for name in self.angles]
        if outcome.solution is not None:
            solution = outcome.solution.named(self._names)
            row = results.of_fit(filename, solution, network=outcome.network, angles=angles)
            return replace(row, covariance=solution.covariance[0])
        if outcome.error is None and outcome.network is not None:
            return results.of_network(filename, outcome.network, outcome.network_errors, angles=angles)
        return results.failed(filename, f"failed: {outcome.error}", names=self._names)
