"""The result of refinement."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Solution:
    """Refined parameters of N images, in file units; numpy arrays throughout.

    Every field except `names` has one row for each image. An index (a number, a slice, an array) gives a Solution of those images.

    Attributes:
        names: names of the P parameters.
        params: (N, P) parameters, the canonical one of the equivalent sets (sigma ≥ sigma2, theta in [0, 180)).
        errors: (N, P) 1σ errors; inf where the image does not identify the parameter.
        covariance: (N, P, P); NaN in the rows and columns of such parameters.
        lowest, highest: (N, P) certified bounds from the interval fit; NaN without one.
        bound: (N, P) Cramér–Rao bound at the solution, for the noise assumed.
        fit: (N, F) fit coordinates.
        shift: (N, 2) place that stands at the image's centre, relative to the lens [px].
        chi2: (N,) mean squared residual over the noise variance: of the lit pixels where grey levels are rounded, else of all.
        violated: (N,) pixels that do not round to the observed value; NaN without a fit.
        slack: (N,) how far beyond ½ a pixel may be off in the interval fit [grey]; NaN without one.
        kind: "interval" or "least squares", for each image; empty without a fit.
        method: how the lens equation was solved, for each image; empty without a fit.
        success: (N,) whether the descent converged and the model explains the image.
        status: one line for each image: converged, stuck, not finite, at a bound, or failed; then further problems, and the
            parameters that the image does not identify. Where `success` is False it has the reason.
    """

    names: tuple[str, ...]
    params: np.ndarray
    errors: np.ndarray
    covariance: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    bound: np.ndarray
    fit: np.ndarray
    shift: np.ndarray
    chi2: np.ndarray
    violated: np.ndarray
    slack: np.ndarray
    kind: tuple[str, ...]
    method: tuple[str, ...]
    success: np.ndarray
    status: tuple[str, ...]

    @staticmethod
    def failed(names: tuple[str, ...], reason: str, *, coordinates: int) -> "Solution":
        """One image without a fit: no success, no numbers, and the reason in `status`. `coordinates` is F."""
        count = len(names)
        number, row, square = np.full(1, np.nan), np.full((1, count), np.nan), np.full((1, count, count), np.nan)
        return Solution(
            names=names,
            params=row,
            errors=row,
            covariance=square,
            lowest=row,
            highest=row,
            bound=row,
            fit=np.full((1, coordinates), np.nan),
            shift=np.full((1, 2), np.nan),
            chi2=number,
            violated=number,
            slack=number,
            kind=("",),
            method=("",),
            success=np.zeros(1, bool),
            status=(f"failed: {reason}",),
        )

    @staticmethod
    def stack(rows: Sequence["Solution"]) -> "Solution":
        """Solutions of one image each as one Solution.

        Raises:
            ValueError: there is no solution, one has several images, or the parameters differ.
        """
        for row in rows:
            if len(row) != 1:
                raise ValueError(f"a solution of {len(row)} images cannot be a row; expected one image")
        return Solution.concatenate(rows)

    @staticmethod
    def concatenate(parts: Sequence["Solution"]) -> "Solution":
        """Solutions one after the other.

        Raises:
            ValueError: there is no solution, or the parameters differ.
        """
        return _by_column(parts, np.concatenate, lambda columns: tuple(itertools.chain.from_iterable(columns)))

    @staticmethod
    def where(take: np.ndarray, first: "Solution", second: "Solution") -> "Solution":
        """Image by image, `first`'s row where `take` (N,) is true, else `second`'s.

        Raises:
            ValueError: the numbers of images or the parameters differ.
        """
        take = np.asarray(take, bool)
        if not take.shape == (len(first),) == (len(second),):
            raise ValueError(f"a choice of shape {take.shape} between {len(first)} and {len(second)} images; expected one per image")
        return Solution.concatenate([first, second])[np.where(take, 0, len(take)) + np.arange(len(take))]

    def only(self, parameters: Sequence[int]) -> "Solution":
        """The same with these parameters alone."""
        kept = np.asarray(parameters, int)
        columns = {name: getattr(self, name)[:, kept] for name in ("params", "errors", "lowest", "highest", "bound")}
        names = tuple(self.names[k] for k in kept)
        return replace(self, names=names, covariance=self.covariance[:, kept[:, None], kept], **columns)

    def named(self, names: tuple[str, ...]) -> "Solution":
        """The same with the parameters of these names; those that it does not have are NaN."""
        if names == self.names:
            return self
        known = [k for k, name in enumerate(names) if name in self.names]
        own = self.only([self.names.index(names[k]) for k in known])
        columns: dict[str, Any] = {}
        for name in ("params", "errors", "lowest", "highest", "bound"):
            columns[name] = np.full((len(self), len(names)), np.nan)
            columns[name][:, known] = getattr(own, name)
        covariance = np.full((len(self), len(names), len(names)), np.nan)
        covariance[:, np.array(known, int)[:, None], known] = own.covariance
        return replace(self, names=names, covariance=covariance, **columns)

    def __len__(self) -> int:
        """N."""
        return len(self.params)

    def __getitem__(self, index: int | slice | np.ndarray | Sequence[int] | Sequence[bool]) -> "Solution":
        """The images of an index, which keep the leading axis: `solution[3]` is a Solution of one image."""
        rows = np.atleast_1d(np.arange(len(self))[index])
        return _by_column([self], lambda columns: columns[0][rows], lambda columns: tuple(columns[0][k] for k in rows))

    def __iter__(self) -> Iterator["Solution"]:
        """Each image as a Solution of its own."""
        return (self[k] for k in range(len(self)))


def _by_column(
    parts: Sequence[Solution],
    of_numbers: Callable[[list[np.ndarray]], np.ndarray],
    of_words: Callable[[list[tuple[str, ...]]], tuple[str, ...]],
) -> Solution:
    """A Solution whose every column is computed from that column of `parts`. No other function knows that some columns hold words."""
    if not parts:
        raise ValueError("no solutions; expected one or more")
    if any(part.names != parts[0].names for part in parts):
        raise ValueError("solutions of different parameters; expected the same names in all")
    columns: dict[str, Any] = {}
    for field in fields(Solution):
        if field.name != "names":
            values = [getattr(part, field.name) for part in parts]
            columns[field.name] = of_words(values) if isinstance(values[0], tuple) else of_numbers(values)
    return replace(parts[0], **columns)
