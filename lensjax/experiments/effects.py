"""What each setting of a sweep does: differences between runs that are otherwise the same."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lensjax.report.figures import BLUE, GREY
from lensjax.report.tables import Table


def paired(frame: pd.DataFrame, fields: Sequence[str], *, error: str) -> dict[tuple[str, str, str], np.ndarray]:
    """The errors (N, 2) of N pairs of runs that differ in one field alone, for each two values of each field.

    Args:
        frame: a row for each run, with all `fields` and the error.
        fields: the fields in which runs differ.
        error: name of the error's column.

    Returns:
        For (field, value, other value) the errors with the one and with the other; fields without pairs are missing.
    """
    pairs = {}
    for field in fields:
        others = [name for name in fields if name != field]
        wide = frame.pivot_table(index=others, columns=field, values=error) if others else frame.set_index(field)[[error]].T
        values = list(wide.columns)
        for k, value in enumerate(values):
            for other in values[k + 1 :]:
                both = wide[[value, other]].dropna().to_numpy(np.float64)
                if len(both):
                    pairs[field, str(value), str(other)] = both
    return pairs


def table(pairs: dict[tuple[str, str, str], np.ndarray], *, error: str) -> Table:
    """Mean error with each of two values, the mean difference, its standard error, and in how many pairs the second value is better."""
    rows = []
    for (field, value, other), errors in pairs.items():
        difference = errors[:, 1] - errors[:, 0]
        spread = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else float("nan")
        better = f"{(difference < 0).sum()} of {len(difference)}"
        rows.append((field, value, other, *errors.mean(axis=0).tolist(), float(difference.mean()), spread, better))
    columns = ("field", "value", "other", error, "other's", "difference", "±", "other better")
    return Table(columns, tuple(rows), f"{error} of runs that differ in one field alone: means over the pairs.")


def figure(pairs: dict[tuple[str, str, str], np.ndarray], *, error: str) -> Figure:
    """A panel for each two values of a field: a line for each pair of runs, and their mean."""
    page = Figure(figsize=(2.3 * len(pairs) + 0.8, 4.0), layout="constrained")
    panels = page.subplots(1, len(pairs), sharey=True, squeeze=False)[0]
    for panel, ((field, value, other), errors) in zip(panels, pairs.items(), strict=True):
        panel.plot([0, 1], errors.T, "o-", ms=3, lw=0.8, alpha=0.6, color=GREY)
        panel.plot([0, 1], errors.mean(axis=0), "s-", ms=7, lw=2, color=BLUE)
        panel.set_xticks([0, 1], [value, other])
        panel.set(xlim=(-0.3, 1.3), title=field)
        panel.grid(alpha=0.3, axis="y")
    panels[0].set_ylabel(f"{error} (test set)")
    return page
