"""What each setting of a sweep does."""

import itertools

import numpy as np
import pandas as pd

from lensjax.experiments import effects


def a_sweep() -> pd.DataFrame:
    """Eight runs: l2 costs 3, a rate of 0.1 gains 1, the second seed costs 0.5."""
    rows = [
        {"loss": loss, "rate": rate, "seed": seed, "MAE*": 10.0 + 3.0 * (loss == "l2") - (rate == "0.1") + 0.5 * (seed == "1")}
        for loss, rate, seed in itertools.product(("l1", "l2"), ("0.01", "0.1"), ("0", "1"))
    ]
    return pd.DataFrame(rows)


def test_pairs_of_runs_differ_in_one_field() -> None:
    pairs = effects.paired(a_sweep(), ["loss", "rate", "seed"], error="MAE*")
    assert list(pairs) == [("loss", "l1", "l2"), ("rate", "0.01", "0.1"), ("seed", "0", "1")]
    for errors, difference in zip(pairs.values(), (3.0, -1.0, 0.5), strict=True):
        assert errors.shape == (4, 2)
        np.testing.assert_allclose(errors[:, 1] - errors[:, 0], difference)


def test_a_run_without_its_partner_does_not_count() -> None:
    frame = a_sweep().iloc[1:]  # without l1, 0.01, 0
    pairs = effects.paired(frame, ["loss", "rate", "seed"], error="MAE*")
    assert [len(errors) for errors in pairs.values()] == [3, 3, 3]
    apart = frame[(frame["loss"] == "l1") == (frame["seed"] == "1")]
    assert [key[0] for key in effects.paired(apart, ["loss", "rate", "seed"], error="MAE*")] == ["rate"]


def test_three_values_of_one_field_make_three_pairs() -> None:
    frame = pd.DataFrame({"rate": ["a", "b", "c"], "MAE*": [1.0, 2.0, 4.0]})
    pairs = effects.paired(frame, ["rate"], error="MAE*")
    assert {key[1:]: errors.tolist() for key, errors in pairs.items()} == {
        ("a", "b"): [[1.0, 2.0]], ("a", "c"): [[1.0, 4.0]], ("b", "c"): [[2.0, 4.0]],
    }  # fmt: skip
    assert np.isnan(effects.table(pairs, error="MAE*").rows[0][6])


def test_the_table_has_means_their_difference_and_its_error() -> None:
    pairs = {("loss", "l1", "l2"): np.array([[1.0, 2.0], [2.0, 5.0]])}
    (row,) = effects.table(pairs, error="MAE*").rows
    assert row == ("loss", "l1", "l2", 1.5, 3.5, 2.0, 1.0, "0 of 2")
    panel = effects.figure(pairs, error="MAE*").axes[0]
    assert [line.get_ydata().tolist() for line in panel.lines] == [[1.0, 2.0], [2.0, 5.0], [1.5, 3.5]]
