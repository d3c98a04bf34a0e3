"""Solutions as tables of rows: stacking, choosing, indexing."""

import dataclasses

import numpy as np
import pytest

from lensjax.infer import Solution

NAMES = ("x", "y")


def solution(*numbers: float) -> Solution:
    """One image a number, which stands in every field."""
    n = np.asarray(numbers, np.float64)
    pair = np.stack([n, n], axis=1)
    words = tuple(f"w{number:g}" for number in numbers)
    return Solution(
        names=NAMES,
        params=pair,
        errors=pair,
        covariance=np.stack([pair, pair], axis=1),
        lowest=pair,
        highest=pair,
        bound=pair,
        fit=np.tile(n[:, None], (1, 8)),
        shift=pair,
        chi2=n,
        violated=n,
        slack=n,
        kind=words,
        method=words,
        success=n > 0,
        status=words,
    )


def test_parameters_by_name() -> None:
    own = solution(1.0, 2.0)
    other = own.named(("y", "z"))
    assert other.names == ("y", "z") and own.named(NAMES) is own
    np.testing.assert_array_equal(other.params, [[1.0, np.nan], [2.0, np.nan]])
    np.testing.assert_array_equal(other.covariance[1], [[2.0, np.nan], [np.nan, np.nan]])


def same(first: Solution, second: Solution) -> bool:
    return all(np.array_equal(getattr(first, f.name), getattr(second, f.name)) for f in dataclasses.fields(Solution))


def test_rows_stacked_are_the_whole():
    whole = solution(1, 2, 3)
    assert len(whole) == 3
    assert same(Solution.stack(list(whole)), whole)
    assert same(Solution.concatenate([whole[:2], whole[2:]]), whole)


@pytest.mark.parametrize(
    ("index", "expected"),
    [(1, [2]), (-1, [3]), (slice(1, None), [2, 3]), ([2, 0], [3, 1]), (np.array([True, False, True]), [1, 3]), (slice(0, 0), [])],
)
def test_indices_of_every_kind(index, expected):
    assert same(solution(1, 2, 3)[index], solution(*expected))


def test_an_index_beyond_the_end_is_refused():
    with pytest.raises(IndexError):
        solution(1, 2)[2]


def test_where_takes_row_by_row():
    chosen = Solution.where(np.array([True, False, True]), solution(1, 2, 3), solution(4, 5, 6))
    assert same(chosen, solution(1, 5, 3))
    assert chosen.status == ("w1", "w5", "w3")


def test_what_does_not_fit_together_is_refused():
    other = dataclasses.replace(solution(1), names=("a", "b"))
    for call in (
        lambda: Solution.concatenate([]),
        lambda: Solution.concatenate([solution(1), other]),
        lambda: Solution.stack([solution(1), solution(2, 3)]),
        lambda: Solution.where(np.array([True]), solution(1, 2), solution(3, 4)),
        lambda: Solution.where(np.array([True, True]), solution(1, 2), solution(3)),
    ):
        with pytest.raises(ValueError, match="expected"):
            call()


def test_a_failed_image_has_a_reason_and_no_numbers():
    failed = Solution.failed(NAMES, "no light", coordinates=8)
    assert failed.status == ("failed: no light",) and not failed.success[0]
    assert np.isnan(failed.params).all() and np.isnan(failed.errors).all() and np.isnan(failed.violated).all()
    assert Solution.stack([solution(1), failed]).status == ("w1", "failed: no light")
