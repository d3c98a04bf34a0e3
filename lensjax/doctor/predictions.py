"""Tables of predictions, compared with the true values in the same file or in another."""

from collections.abc import Iterator, Mapping

import numpy as np

from lensjax.doctor.findings import Finding
from lensjax.doctor.table import Table
from lensjax.errors import BadInput

TRUTH, PREDICTED, NETWORK = " (Ground Truth)", " (Predicted)", "_network"
"""How headings end in tables of predictions: of Cosmo-ML, and of `lensjax estimate`."""

_FEWEST = 5  # fewer predictions can agree by chance

Pairs = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Predicted and true values (N,), by parameter."""


def is_predictions(table: Table) -> bool:
    """Whether a table has columns of predictions."""
    return any(name.endswith((PREDICTED, NETWORK)) for name in table.columns)


def check_predictions(table: Table, labels: Table | None) -> Iterator[Finding]:
    """All checks of a table of predictions.

    Raises:
        BadInput: the labels do not belong to it.
    """
    if labels is None:
        stems = [name.removesuffix(PREDICTED) for name in table.columns if name.endswith(PREDICTED)]
        pairs = _finite({stem: (table.numbers(stem + PREDICTED), table.numbers(stem + TRUTH)) for stem in stems})
        if not pairs:
            yield table.in_header("truth-missing")
    else:
        key = next((name for name in ("filename", "Index", "index") if name in table and name in labels), None)
        if key is None:
            raise BadInput("rows cannot be matched", path=table.path, expected=f"a column filename or index, as in {labels.path}")
        row_of = {name: k for k, name in enumerate(labels.columns[key])}
        known = np.array([name in row_of for name in table.columns[key]])
        if not known.any():
            raise BadInput(f"none of its rows is in {labels.path}", path=table.path, column=key)
        yield from table.in_rows("rows-unknown", key, ~known, value=(~known).sum())
        rows = np.array([row_of[name] for name in table.columns[key] if name in row_of])
        columns = {name.removesuffix(PREDICTED): name for name in table.columns if name not in (key, "index", "Index")}
        pairs = _finite({stem: (table.numbers(name)[known], labels.numbers(stem)[rows]) for stem, name in columns.items()})
        if not pairs:
            raise BadInput("no column to compare", path=table.path, expected=f"a column of numbers, as in {labels.path}")
    yield from _compare(table, pairs)


def _finite(pairs: Pairs) -> Pairs:
    """The pairs with numbers on both sides."""
    return {name: pair for name, pair in pairs.items() if np.isfinite(pair[0]).any() and np.isfinite(pair[1]).any()}


def _compare(table: Table, pairs: Pairs) -> Iterator[Finding]:
    """Predictions that are the labels, the same in every row, or cannot be negative."""
    equal = [name for name, (predicted, truth) in pairs.items() if np.allclose(predicted, truth, rtol=1e-5, atol=1e-6, equal_nan=True)]
    varied = [name for name in equal if len(table) == 1 or np.nanmin(pairs[name][1]) < np.nanmax(pairs[name][1])]
    if varied:
        code = "predictions-are-labels" if len(equal) == len(pairs) else "some-predictions-are-labels"
        yield table.in_columns(code, *varied)
    for name, (predicted, truth) in pairs.items():
        predicted, truth = predicted[np.isfinite(predicted)], truth[np.isfinite(truth)]
        if name in equal or min(len(predicted), len(truth)) < _FEWEST:
            continue
        if predicted.std() < 1e-3 * truth.std():
            yield table.in_columns("prediction-constant", name, value=f"{predicted.mean():.4g}")
        elif predicted.min() == 0 and truth.min() < 0 and (predicted == 0).mean() > 0.05:
            yield table.in_columns("prediction-ReLU", name)
    if {"sigma", "sigma2", "theta"} <= set(pairs):
        sigma, sigma2 = pairs["sigma"][1], pairs["sigma2"][1]
        rounds, swapped = int((sigma == sigma2).sum()), int((sigma < sigma2).sum())
        if rounds or swapped:
            yield table.in_columns("theta-raw-errors", "theta", rounds=rounds, swapped=swapped)
